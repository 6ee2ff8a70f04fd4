"""Keys that were published once: what they signed could not be checked any more without them."""

from collections.abc import Iterator, Sequence

from registry.core.audit import Finding, Where, find
from registry.core.notation import short
from registry.service.auditstate import AuditState
from registry.standards.did.document import DidDocument
from registry.standards.proofs.report import KeyProblem, VerificationKey

__all__ = ["former_keys"]


def former_keys(
    state: AuditState | None, place: tuple[str, str], document: DidDocument | None, where: Where
) -> Iterator[Finding]:
    """A key stays, with its end. ``place``: the publication, and whose keys they are; ``document``: None if there is
    none any more.
    """
    if state is None:
        return
    before = state.keys.get(place, [])
    for method in before:
        if document is None or isinstance(document.key(method), KeyProblem):
            yield find("key_removed", f"{short(method, 300)}, with its end", "no such key", where)
    found = [] if document is None else _methods(document)
    if before or found:
        state.keys[place] = sorted({*before, *found})


def _methods(document: DidDocument) -> Sequence[str]:
    found = document.content.get("verificationMethod", [])
    names = [method["id"] for method in found]  # parse_did_document has looked at each
    named = [f"{document.did}{name}" if name.startswith("#") else name for name in names]
    return [method for method in named if isinstance(document.key(method), VerificationKey)]
