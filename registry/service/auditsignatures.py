"""The proofs of credentials that are handed in, judged as of their anchors, by published DID documents alone."""

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.credential import issuer_did
from registry.core.errors import InputError
from registry.core.notation import LAST_SECOND, short, time_text
from registry.service.judging import Judging, open_credential
from registry.standards.did.document import DidDocument, parse_did_document
from registry.standards.did.resolver import DidResolver
from registry.standards.proofs.report import ProofCode, ProofOutcome, ProofStatus

__all__ = ["Documents", "SignatureAudit"]

T = TypeVar("T")

_ENDED = "key_outside_interval"
_CODES = {ProofCode.CREATED_IN_FUTURE: "proof_after_anchor", ProofCode.KEY_OUT_OF_INTERVAL: _ENDED}

_BROUGHT = 100  # documents that came with bundles and are remembered

# The leaf covers all of the credential, also what no context defines.
_COVERED = (ProofCode.UNMAPPED_TERMS,)


class Documents(Generic[T]):
    """What is published of DIDs, by issuer's address and DID: a DID may be named for a stranger's address, too."""

    def __init__(self, documents: Mapping[tuple[bytes, str], T]) -> None:
        self._own = documents
        self._first: dict[str, T] = {}
        for (_, did), document in documents.items():
            self._first.setdefault(did, document)

    def of(self, address: bytes, did: str) -> T | None:
        """That of the address; the first one there is where none is published for it."""
        found = self._own.get((address, did))
        return self._first.get(did) if found is None else found


class SignatureAudit:
    """``documents``: published DID documents as parsed JSON, by address and DID. Nobody is asked for others."""

    def __init__(self, view: ChainView, documents: Mapping[tuple[bytes, str], Mapping[str, Any]]) -> None:
        self._view = view
        self._documents = Documents(
            {(address, did): parse_did_document(dict(found), did) for (address, did), found in documents.items()}
        )
        self._claims = {(claim.issuer, claim.did, claim.document_hash): claim.claimed_at for claim in view.claims}
        self._brought_before: dict[int, tuple[Mapping[str, Any], str, DidDocument | None]] = {}
        self._address = b""
        self._used: set[tuple[str, str]] = set()
        self.excused = False  # whether the last one is passed over only because it is revoked
        self._judging = Judging(DidResolver(None, lambda: 0), lambda: 0, pinned=self._look_up)

    def examine(
        self,
        credential: Mapping[str, Any] | None,
        document: Mapping[str, Any] | None,
        where: Where,
        incomplete: list[str],
        *,
        alone: bool = False,
    ) -> Iterator[Finding]:
        """``where``: the place that it was found to have on chain. ``document``: the DID document that came with it.
        ``alone``: nothing but its proofs speaks for it. Adds to ``incomplete``; never raises.
        """
        self._used.clear()
        self.excused = False
        address = where.issuer
        if credential is None or address is None or where.root is None or where.first is None:
            return
        record = self._view.records.get(BatchKey(address, where.first, where.root))
        if record is None:
            return
        clear, _ = open_credential(credential)
        did = (None if clear is None else issuer_did(clear)) or ""
        brought = self._brought(document, address, did, record.anchored_at)
        self._address = address
        documents = () if brought is None else (brought,)
        session = self._judging.session(now=record.anchored_at)
        report, check = session.signature(credential, record.anchored_at, at=record.anchored_at, documents=documents)
        moment = time_text(min(record.anchored_at, LAST_SECOND))
        if report.status is ProofStatus.BAD:
            bad = [item for item in report.outcomes if item.status is ProofStatus.BAD and item.code not in _COVERED]
            found = _by_code(bad)
            # Sealed before its key was known to be compromised: the issuer's remedy is to revoke it (docs/adr/143).
            if _ENDED in found and (record.revoked_at or self._is_revoked(where)):
                self.excused = found.pop(_ENDED) is not None
            for code, outcome in found.items():
                by = f" ({short(outcome.verification_method, 200)})" if outcome.verification_method else ""
                observed = f"{outcome.code}: {outcome.detail}{by}"
                expected = f"a proof by a key of {short(did, 200) or 'its issuer'}, made by {moment}"
                yield find(code, expected, short(observed, 400), where)
        elif report.status is ProofStatus.UNKNOWN:
            whose = short(did, 200) or "no issuer"
            incomplete.append(f"Proofs of {whose} could not be judged ({check.code}): {short(check.detail, 300)}")
        elif report.status is ProofStatus.NONE and alone:
            incomplete.append(
                f"{where.source} carries no proof and comes without its bundle: anybody can have made it."
            )

    def _is_revoked(self, where: Where) -> bool:
        if where.issuer is None or where.index is None:
            return False
        return self._view.status(where.issuer, where.index)[0]

    def used(self) -> tuple[tuple[str, str], ...]:
        """What the last bundle was judged by: DIDs that were looked up (and ""), or whose claim (and its hash)."""
        return tuple(sorted(self._used))

    def _look_up(self, did: str) -> DidDocument | None:
        self._used.add((did, ""))
        return self._documents.of(self._address, did)

    def _brought(
        self, document: Mapping[str, Any] | None, address: bytes, did: str, anchored_at: int
    ) -> DidDocument | None:
        """The document that came with it, where the address had claimed it by the time of the anchor."""
        found = None if document is None else self._parsed(document, did)
        if found is None:
            return None
        self._used.add((did, found.hash.hex()))
        claimed_at = self._claims.get((address, did, found.hash))
        return found if claimed_at is not None and claimed_at <= anchored_at else None

    def _parsed(self, document: Mapping[str, Any], did: str) -> DidDocument | None:
        """The bundles of a batch mostly bring the same object along. None: then it is as if it were not there."""
        known = self._brought_before.get(id(document))
        if known is not None and known[0] is document and known[1] == did:
            return known[2]
        try:
            found = parse_did_document(dict(document), did)
        except InputError:
            found = None
        if len(self._brought_before) == _BROUGHT:
            self._brought_before.clear()
        self._brought_before[id(document)] = (document, did, found)
        return found


def _by_code(bad: list[ProofOutcome]) -> dict[str, ProofOutcome]:
    found: dict[str, ProofOutcome] = {}
    for outcome in bad:
        found.setdefault(_CODES.get(outcome.code, "signature_invalid"), outcome)
    return found
