"""Auditing credentials that people hand in against the anchored leaves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from registry.core import leaf
from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.canonical import canonicalize
from registry.core.credential import check_binding, valid_from
from registry.core.errors import JsonError, ProofError
from registry.core.merkle import HASH_BYTES, root_from_inclusion_proof
from registry.core.model import Anchor, Bundle, Outcome
from registry.core.notation import short, time_text

__all__ = ["CredentialAudit"]

_ENTRIES = 16  # no credential has more status entries than a few


@dataclass(frozen=True, slots=True)
class _Place:
    issuer: bytes
    index: int


class CredentialAudit:
    """Bundles against one view of the chain, one after the other. Keeps a digest of each credential's id.

    ``leaves_of`` gives the audited leaves of a batch, None where none were published: then only the bundle's own proof
    counts. ``delay``: the issuer's declared seconds from validFrom to anchoring, None where it declared nothing.
    """

    def __init__(
        self, view: ChainView, leaves_of: Callable[[BatchKey], bytes | None] = lambda _: None, delay: int | None = None
    ) -> None:
        self._view = view
        self._leaves_of = leaves_of
        self._delay = delay
        self._ids: dict[bytes, _Place] = {}

    def add(self, bundle: Bundle, source: str) -> list[Finding]:
        """``source`` says which one it is, for people. Never raises for a bundle that ``parse_bundle`` made."""
        anchors = [
            anchor
            for anchor in bundle.anchors
            if (anchor.chain_id, anchor.contract) == (self._view.chain_id, self._view.contract)
        ]
        if not anchors:
            where = Where(source=source)
            return [find("bundle_not_on_chain", "an anchor in the audited contract", "anchors elsewhere", where)]
        return list(self._audit(bundle, anchors[0], source))

    def _audit(self, bundle: Bundle, anchor: Anchor, source: str) -> Iterator[Finding]:
        place = bundle.inclusion
        key = BatchKey(anchor.issuer, anchor.first_index, place.root)
        index = key.first + place.leaf_index
        where = Where.batch(key, index=index, source=source)
        record = self._view.records.get(key)
        if record is None:
            yield find("bundle_not_on_chain", "a record in the contract", "none", where)
            return
        if record.revoked_at:
            yield find("voided_batch_credential", "a batch that counts", "one that was voided", where)
        included = self._is_included(bundle, key, record.size)
        if included is not None:
            yield find("credential_not_in_batch", f"the leaf at {place.leaf_index} of {record.size}", included, where)
        credential = bundle.credential
        if credential is None:
            return
        wrong = _wrong_status(credential.get("credentialStatus", []), index)
        if wrong is not None:
            yield find("status_index_differs", f"the bit of index {index}", wrong, where)
        identifier = credential.get("id")
        if isinstance(identifier, str) and included is None:
            seen = self._ids.setdefault(
                leaf.digest(key.issuer + identifier.encode("utf-8", "surrogatepass")), _Place(key.issuer, index)
            )
            if seen.index != index:
                observed = f"{short(identifier)} at {seen.index} and at {index}"
                yield find("credential_id_repeated", "every id once", observed, where)
        start = valid_from(credential)
        if self._delay is not None and start is not None and record.anchored_at > start + self._delay:
            late = record.anchored_at - start
            expected = f"anchored within {self._delay} seconds of validFrom"
            yield find("anchored_late", expected, f"after {late} seconds, at {time_text(record.anchored_at)}", where)

    def _is_included(self, bundle: Bundle, key: BatchKey, size: int) -> str | None:
        """Why the credential is not at its place; None if it is."""
        place = bundle.inclusion
        try:
            digest = leaf.digest(canonicalize(bundle.credential)) if bundle.digest is None else bundle.digest
            leaf_hash = leaf.leaf_hash(leaf.commit(bundle.leaf.salt, digest))
            root = root_from_inclusion_proof(leaf_hash, place.leaf_index, size, place.path)
        except (JsonError, ProofError) as error:
            return str(error)
        packed = self._leaves_of(key)
        if packed is not None:
            published = packed[place.leaf_index * HASH_BYTES : (place.leaf_index + 1) * HASH_BYTES]
            if published != leaf_hash:
                return f"the leaf {leaf_hash.hex()}"
        return None if root == key.root else f"a proof that leads to {root.hex()}"


def _wrong_status(entries: object, index: int) -> str | None:
    """What is wrong with the status entries of a credential at ``index``; None if nothing is.

    Where the issuer keeps its lists is not known here: each entry counts under the address that it names itself.
    """
    for entry in entries[:_ENTRIES] if isinstance(entries, list) else [entries]:
        place = entry.get("statusListCredential") if isinstance(entry, dict) else None
        bases = [place.rsplit("/", 2)[0]] if isinstance(place, str) else []
        check = check_binding({"credentialStatus": entry}, index, bases)
        if check.outcome is Outcome.FAIL:
            return check.detail
    return None
