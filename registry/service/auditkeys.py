"""Keys that were published once: what they signed could not be checked any more without them."""

from collections.abc import Iterator, Sequence

from registry.core.audit import Finding, Where, find
from registry.core.notation import short
from registry.service.auditstate import AuditState, SeenKey
from registry.standards.did.document import DidDocument
from registry.standards.proofs.report import KeyProblem, VerificationKey

__all__ = ["former_keys"]


def former_keys(
    state: AuditState | None, place: tuple[str, str], document: DidDocument | None, where: Where
) -> Iterator[Finding]:
    """A key stays what it was, with its times, but that it may end. What was seen first stays the yardstick.

    ``place``: the publication, and whose keys they are; ``document``: None if there is none any more.
    """
    if state is None:
        return
    now = {} if document is None else {name: _seen(document.key(name)) for name in _methods(document)}
    seen = state.keys.get(place, {})
    for method, before in sorted(seen.items()):
        found = now.get(method)
        expected = f"{short(method, 300)}, with its end"
        if found is None:
            yield find("key_removed", expected, "no such key", where)
        elif found.digest != before.digest:
            yield find("key_removed", expected, "another key under its name", where)
        elif (found.since, found.until) != (before.since, before.until):
            if found.since == before.since and _ends_by(found.until, before.until):
                seen[method] = found
            else:
                yield find("key_reopened", f"{short(method, 300)} {before}", str(found), where)
    seen |= {method: found for method, found in now.items() if found is not None and method not in seen}
    if seen:
        state.keys[place] = seen


def _seen(key: VerificationKey | KeyProblem) -> SeenKey | None:
    """None for what signs no credentials."""
    if isinstance(key, KeyProblem) or "assertionMethod" not in key.purposes:
        return None
    return SeenKey(key.public_key.digest, key.valid_from, key.valid_until)


def _ends_by(end: int | None, before: int | None) -> bool:
    """Whether a key ends no later than it did."""
    return before is None or (end is not None and end <= before)


def _methods(document: DidDocument) -> Sequence[str]:
    found = document.content.get("verificationMethod", [])
    names = [method["id"] for method in found]  # parse_did_document has looked at each
    return [f"{document.did}{name}" if name.startswith("#") else name for name in names]
