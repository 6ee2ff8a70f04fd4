"""Status lists as they are published, held against the chain's words at the list's own time, and their proofs."""

from collections.abc import Iterator, Mapping
from typing import Any

from anchors.base import Chain
from registry.core.audit import Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.audit_status import ShownList, audit_status_list, first_entry, gone_revocations
from registry.core.canonical import parse_json
from registry.core.credential import unix_time, valid_from
from registry.core.errors import InputError
from registry.core.notation import LAST_SECOND, moment_text, short, time_text
from registry.core.status import ENTRIES_PER_LIST, LIST_BYTES
from registry.service.auditblocks import BlocksByTime
from registry.service.auditmaterial import malformed
from registry.service.auditstate import AuditState
from registry.service.published import MaterialMalformed, MaterialUnavailable
from registry.service.publishedissuers import IssuerMaterial, PublishedIssuer, UnsignedLists
from registry.standards.did.document import DidDocument
from registry.standards.did.key import is_own_key, resolve_did_key
from registry.standards.proofs.report import KeyProblem, ProofCode, ProofStatus, ResolveKey, VerificationKey
from registry.standards.proofs.verifying import check_key, verify_proofs
from registry.standards.statuslist import PURPOSES, StatusListError, decode_list, encode_list, parse_status_list

__all__ = ["ListAudit", "Place"]

_LOOK = 60  # seconds that a registry may take to read a new block
_COUNTS = 7 * 86_400  # seconds for which a list may lack what the chain has learnt, whatever it says

Place = tuple[bytes, str, int]  # issuer, purpose, number


class ListAudit:
    """``documents``: by whose keys proofs are judged, by address and DID. ``incomplete`` is added to. ``grace``: for
    so many seconds what the chain learnt may be missing.
    """

    def __init__(
        self,
        view: ChainView,
        chain: Chain,
        blocks: BlocksByTime,
        documents: Mapping[tuple[bytes, str], DidDocument],
        incomplete: list[str],
        state: AuditState | None,
        grace: int,
    ) -> None:
        self._view = view
        self._chain = chain
        self._blocks = blocks
        self._incomplete = incomplete
        self._documents = documents
        self._state = state
        self._seen: dict[tuple[str, bytes], set[Place]] = {}
        for name, issuer, purpose, number in state.lists if state is not None else ():
            self._seen.setdefault((name, issuer), set()).add((issuer, purpose, number))
        self._reach: dict[bytes, int] = {}  # up to where each has batches; a node's next index may be anything
        self._ends: dict[bytes, int] = {}  # of issuers whose last batches are within the grace
        for key, record in view.batches().items():
            self._reach[key.issuer] = max(key.first + record.size, self._reach.get(key.issuer, 0))
            if grace and record.anchored_at > view.block.timestamp - grace:
                self._ends[key.issuer] = min(key.first, self._ends.get(key.issuer, key.first))

    def audit(
        self, material: IssuerMaterial, issuer: PublishedIssuer, found: dict[Place, ShownList]
    ) -> Iterator[Finding]:
        """All lists that an issuer has to have; they go into ``found``. Raises ChainError."""
        end = self._reach.get(issuer.address, 0)
        if end:
            yield from self._moved(material, issuer)
        wanted: set[Place] = set()
        if issuer.status_base is not None:
            numbers = range(-(-self._ends.get(issuer.address, end) // ENTRIES_PER_LIST))
            wanted = {(issuer.address, purpose, number) for purpose in PURPOSES for number in numbers}
        # What was there once may not go, whatever is said of the issuer now.
        seen = self._seen.get((material.name, issuer.address), ())
        wanted |= {place for place in seen if place[2] * ENTRIES_PER_LIST < end}
        if end and not wanted and issuer.status_base is None and not isinstance(material, UnsignedLists):
            where = Where(issuer.address, source=material.name)
            yield find("lists_unpublished", "where its status lists are", "nothing", where)
        for place in sorted(wanted):
            try:
                yield from self._list(material, found, issuer, place)
            except MaterialUnavailable as error:
                self._incomplete.append(str(error))
            except MaterialMalformed as error:
                yield malformed(material, error, issuer=issuer.address)

    def _moved(self, material: IssuerMaterial, issuer: PublishedIssuer) -> Iterator[Finding]:
        """Credentials name the address of their list for good: lists elsewhere are not the ones that people look at."""
        base = issuer.status_base
        if self._state is None or base is None:
            return
        before = self._state.bases.setdefault((material.name, issuer.address), base)
        if before != base:
            expected, observed = (f"status lists below {short(item, 200)}" for item in (before, base))
            yield find("status_list_missing", expected, observed, Where(issuer.address, source=material.name))

    def _list(
        self, material: IssuerMaterial, found: dict[Place, ShownList], issuer: PublishedIssuer, place: Place
    ) -> Iterator[Finding]:
        _, purpose, number = place
        named = f"the {purpose} list {number} of {short(issuer.did)}"
        where = Where(issuer.address, index=number * ENTRIES_PER_LIST, source=material.name)
        data = material.status_list(issuer, purpose, number)
        if data is None:
            yield find("status_list_missing", named, "none", where)
            return
        credential, shown = self._parse(material, issuer, place, data)
        found[place] = shown
        if isinstance(material, UnsignedLists):
            yield from self._signer(material, issuer, shown, where)
        else:
            yield from self._signature(credential, issuer, shown, where)
        yield from audit_status_list(
            self._view,
            shown,
            self._blocks.of(shown.valid_from),
            self._due(material, shown),
            lambda words: self._chain.read_words(issuer.address, words, self._chain.head()),
        )
        yield from self._rolled_back(material.name, shown, where)

    def _due(self, material: IssuerMaterial, shown: ShownList) -> int:
        """The block up to which a list has to show everything once it has run out.

        A copy: the audited one. A live list of a chain that was quiet can have run out, and be made anew only when the
        next block is read.
        """
        if not material.live:
            return self._view.block.number
        lag = max(shown.deadline - shown.valid_from, 0) + _LOOK
        return self._blocks.of(max(self._view.block.timestamp - lag, 0))[1]

    def _parse(
        self, material: IssuerMaterial, issuer: PublishedIssuer, place: Place, data: bytes
    ) -> tuple[dict[str, Any], ShownList]:
        _, purpose, number = place
        named = f"the {purpose} list {number} of {short(issuer.did)}"
        try:
            credential = parse_json(data)
            found = parse_status_list(credential)
        except (InputError, StatusListError) as error:
            raise MaterialMalformed(f"{named} cannot be read: {error}") from error
        made = valid_from(credential)
        address = f"{issuer.status_base}/{purpose}/{number}"
        if made is None or not 0 <= made <= LAST_SECOND:
            raise MaterialMalformed(f"{named} does not say since when it counts")
        if found.issuer != issuer.did or found.purposes != (purpose,):
            raise MaterialMalformed(f"{named} is another one's, or for another purpose")
        if len(found.bits) != LIST_BYTES:  # what stands behind the end is nobody's, and could be anything
            raise MaterialMalformed(f"{named} has {8 * len(found.bits):,} entries, not {ENTRIES_PER_LIST:,}")
        if issuer.status_base is not None and found.address != address:
            raise MaterialMalformed(f"{named} calls itself {short(str(found.address), 200)}")
        until = credential.get("validUntil")
        end = unix_time(until) if isinstance(until, str) else None
        ttl = None if found.ttl_seconds is None else made + int(min(found.ttl_seconds, LAST_SECOND))
        # Who serves a live list has it anew when its copy runs out; a copy counts for as long as it says, within
        # reason: a list of long ago that counts for a century would hide all that was revoked since.
        ends = [moment for moment in ((ttl, end) if material.live else (end if end is not None else ttl,)) if moment]
        deadline = min([*ends, made + _COUNTS]) if ends else made
        return credential, ShownList(issuer.address, purpose, number, found.bits, made, deadline, material.name)

    def _signature(
        self, credential: dict[str, Any], issuer: PublishedIssuer, shown: ShownList, where: Where
    ) -> Iterator[Finding]:
        """Keys are judged at the time that the proof names, and no earlier than the list's own."""
        at = max([shown.valid_from, *_moments_of(credential)])
        keys = _keys(issuer.did, self._documents.get((issuer.address, issuer.did)))
        report = verify_proofs(credential, keys, at, controller=issuer.did)
        named = f"a proof by a key of {issuer.did} that was good at {time_text(min(at, LAST_SECOND))}"
        if report.status is ProofStatus.NONE or credential.get("proof") == []:
            yield find("status_list_unsigned", named, "no proof", where)
        elif report.status is ProofStatus.BAD:
            bad = next(outcome for outcome in report.outcomes if outcome.status is ProofStatus.BAD)
            yield find("status_list_signature", named, short(f"{bad.code}: {bad.detail}", 300), where)
        elif report.status is ProofStatus.UNKNOWN:
            detail = report.outcomes[0].detail
            what = f"The {shown.purpose} list {shown.number} of {short(issuer.did)} in {shown.source}"
            self._incomplete.append(f"{what} could not be judged: {short(detail, 300)}")

    def _signer(
        self, material: UnsignedLists, issuer: PublishedIssuer, shown: ShownList, where: Where
    ) -> Iterator[Finding]:
        """Whether the key that would sign the list is one by which it can be verified."""
        signer = material.list_signer(issuer)
        at = max(shown.valid_from, signer.since)
        found = _keys(issuer.did, self._documents.get((issuer.address, issuer.did)))(signer.method)
        key = check_key(found, at, "assertionMethod", issuer.did)
        expected = f"a key of {short(issuer.did, 200)} that is good at {moment_text(at)}"
        if isinstance(key, KeyProblem):
            yield find("status_list_signature", expected, short(f"{key.code}: {key.detail}", 300), where)
        elif key.public_key != signer.public_key:
            observed = f"{signer.method} is another key in the DID document"
            yield find("status_list_signature", expected, short(observed, 300), where)

    def _rolled_back(self, name: str, shown: ShownList, where: Where) -> Iterator[Finding]:
        if self._state is None:
            return
        key = (name, shown.issuer, shown.purpose, shown.number)
        before = self._state.lists.get(key)
        # What a reorganisation took back was never so. A list that is dated behind the audited block may still be of
        # the other branch: those that follow it may be older.
        seen = min(shown.valid_from, self._view.block.timestamp)
        if before is None:
            self._state.lists[key] = (seen, encode_list(shown.bits))
            return
        made, text = before
        if self._state.reorganised:
            made = min(made, self._state.same_until)
        earlier = decode_list(text)
        gone = gone_revocations(self._view, shown, earlier)
        if gone:
            index = first_entry(shown, gone)
            observed = f"{gone.bit_count()} not set any more, the first at index {index}"
            place = Where(shown.issuer, index=index, source=name)
            yield find("status_list_rolled_back", "the revocations that an earlier audit saw in it", observed, place)
        elif shown.valid_from < made:
            observed = f"one of {time_text(shown.valid_from)}"
            yield find("status_list_rolled_back", f"a list of {time_text(made)} or later", observed, where)
        if not gone and shown.valid_from >= made:
            self._state.lists[key] = (seen, encode_list(shown.bits))


def _keys(issuer: str, document: DidDocument | None) -> ResolveKey:
    """Keys of the issuer, by its published document or because they are their own DID: nobody else is asked."""

    def resolve(url: str) -> VerificationKey | KeyProblem:
        did = url.partition("#")[0]
        if did != issuer:
            return KeyProblem(ProofCode.WRONG_CONTROLLER, f"The key is one of {short(did, 200)}.")
        if is_own_key(did):
            return resolve_did_key(url)
        if document is None:
            return KeyProblem(ProofCode.KEY_UNREACHABLE, f"The DID document of {short(did, 200)} is not published.")
        return document.key(url)

    return resolve


def _moments_of(credential: Mapping[str, Any]) -> list[int]:
    """When its proofs say that they were made."""
    proofs = credential.get("proof", [])
    created = [
        proof.get("created") for proof in (proofs if isinstance(proofs, list) else [proofs]) if type(proof) is dict
    ]
    moments = [unix_time(moment) for moment in created if isinstance(moment, str)]
    return [moment for moment in moments if moment is not None]
