"""What publications show of issuers, held against the chain: DID documents, claims, and signed status lists; and the
contexts, schemas and templates that their credentials were made with.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anchors.base import Chain, ChainUnreachable
from registry.core.audit import Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.audit_credentials import Lists
from registry.core.audit_issuers import Speakers
from registry.core.audit_status import ShownList, audit_status_list, compare_lists, first_entry, gone_revocations
from registry.core.canonical import parse_json
from registry.core.credential import host_and_path, status_base, valid_from
from registry.core.declared import DeclaredDelays, delays_text, goes_on
from registry.core.errors import InputError
from registry.core.model import BlockRef
from registry.core.notation import LAST_SECOND, chain_text, hex_text, moment_text, short, time_text
from registry.core.status import ENTRIES_PER_LIST, LIST_BYTES
from registry.service.auditkeys import former_keys
from registry.service.auditmaterial import malformed
from registry.service.auditstate import AuditState
from registry.service.audittemplates import TemplateAudit
from registry.service.pinned import known_contexts, known_schemas
from registry.service.published import MaterialMalformed, MaterialUnavailable
from registry.service.publishedissuers import IssuerMaterial, PublishedIssuer, PublishedIssuers, UnsignedLists
from registry.standards.did.document import Account, DidDocument, parse_did_document
from registry.standards.did.key import is_own_key, resolve_did_key
from registry.standards.proofs.moments import parse_moment
from registry.standards.proofs.report import KeyProblem, ProofCode, ProofStatus, ResolveKey, VerificationKey
from registry.standards.proofs.verifying import check_key, verify_proofs
from registry.standards.statuslist import PURPOSES, StatusListError, decode_list, encode_list, parse_status_list

__all__ = ["IssuerAudit"]

_LOOK = 60  # seconds that a registry may take to read a new block
_COUNTS = 7 * 86_400  # seconds for which a list may lack what the chain has learnt, whatever it says
_SAME_TIME = 64  # blocks that are looked at for having the same time
_PINNED: tuple[tuple[str, Callable[[str], frozenset[str]]], ...] = (
    ("context_changed", known_contexts),
    ("schema_changed", known_schemas),
)

Place = tuple[bytes, str, int]


@dataclass
class _Read:
    """One publication: what it was found to show."""

    name: str
    issuers: dict[bytes, PublishedIssuer]
    lists: dict[Place, ShownList] = field(default_factory=dict)
    documents: dict[bytes, DidDocument] = field(default_factory=dict)
    pinned: dict[tuple[str, str], str] = field(default_factory=dict)  # digests by the finding's code and the address


class IssuerAudit:
    """``read`` each publication, ``add`` each one with the issuers of its batches, then ``finish`` once.

    ``incomplete`` is added to. ``first_block``: the contract's. ``documents`` are those of the first publication that
    has one, by address and DID: signatures are judged by them.
    """

    def __init__(
        self,
        view: ChainView,
        chain: Chain,
        first_block: int,
        incomplete: list[str],
        state: AuditState | None = None,
        grace: int = 0,
    ) -> None:
        """``grace``: for so many seconds what the chain learnt may be missing."""
        self._view = view
        self._ends: dict[bytes, int] = {}  # of issuers whose last batches are within the grace
        for key, record in view.batches().items() if grace else ():
            if record.anchored_at > view.block.timestamp - grace:
                self._ends[key.issuer] = min(key.first, self._ends.get(key.issuer, key.first))
        self._chain = chain
        self._blocks = _Blocks(chain, view.block, first_block)
        self._incomplete = incomplete
        self._state = state
        self._read: list[_Read] = []
        self._templates = TemplateAudit(view.block.hash, incomplete, state)
        self._said: list[PublishedIssuer] = []
        self.documents: dict[tuple[bytes, str], DidDocument] = {}

    @property
    def bases(self) -> dict[str, tuple[bytes, str]]:
        """Below which addresses they have status lists, each with the issuer's address and DID. The first one counts:
        who names somebody else's is found by what its lists say of themselves.
        """
        found: dict[str, tuple[bytes, str]] = {}
        for issuer in self._said:
            if issuer.status_base is not None:
                found.setdefault(issuer.status_base, (issuer.address, issuer.did))
        return found

    @property
    def delays(self) -> dict[bytes, DeclaredDelays]:
        """Within which time after validFrom each issuer declared to anchor: the publication that says most of it."""
        return {issuer.address: issuer.delays for issuer in sorted(self._said, key=lambda item: len(item.delays))}

    @property
    def lists(self) -> Lists:
        """Where the publications have lists of the chain's bits, or could have them."""
        bases = {issuer.address: issuer.status_base for issuer in self._said if issuer.status_base is not None}
        places = [*bases.values(), *(base for issuer in self._said for base in status_base(issuer.did))]
        hosts = frozenset(host for host, _ in map(host_and_path, places) if host)
        owners: dict[str, set[bytes]] = {}
        for issuer in self._said:
            if issuer.status_base is not None:
                owners.setdefault(issuer.status_base, set()).add(issuer.address)
        return Lists(bases, hosts, {base: frozenset(addresses) for base, addresses in owners.items()})

    @property
    def speakers(self) -> Speakers:
        """Whose credentials each address may anchor, by its claims and what is published of it."""
        by_did = self._by_did()
        dids: dict[bytes, dict[str, str | None]] = {}
        said = [(issuer.address, issuer.did) for issuer in self._said]
        for address, did in [*said, *((claim.issuer, claim.did) for claim in self._view.claims)]:
            document = self.documents.get((address, did), by_did.get(did))
            dids.setdefault(address, {})[did] = self._others(address, did, document)
        accounts: dict[str, set[bytes]] = {}
        for document in (found for read in self._read for found in read.documents.values()):
            accounts.setdefault(document.did, set()).update(
                account.address for account in document.accounts if account.chain_id == self._view.chain_id
            )
        named = {did: frozenset(found) for did, found in accounts.items() if not is_own_key(did)}
        return Speakers(dids, frozenset(self._view.incomplete()), named)

    def _others(self, address: bytes, did: str, document: DidDocument | None) -> str | None:
        """The accounts that a DID document names instead of an address; "" if it names that, None if there is none."""
        if is_own_key(did):
            return ""
        if document is None:
            return None
        if document.names(Account(self._view.chain_id, address)):
            return ""
        return _accounts(document) or "no account"

    def add(
        self, material: IssuerMaterial, published: PublishedIssuers | None, addresses: set[bytes]
    ) -> Iterator[Finding]:
        """``addresses``: the issuers whose batches are listed. Raises ChainError."""
        issuers = published.issuers if published is not None else ()
        known = {issuer.address for issuer in issuers}
        self._said += issuers
        for address in sorted(item for item in addresses - known if self._view.next_index.get(item)):
            where = Where(address, source=material.name)
            yield find("issuer_unpublished", "its DID, and where its status lists are", "nothing", where)
        read = _Read(material.name, {issuer.address: issuer for issuer in issuers})
        self._read.append(read)
        if published is not None:
            yield from self._pinned(read, published)
        for issuer in issuers:
            yield from self._declaration(read, issuer)
            for answer in (self._document(material, read, issuer), self._lists(material, read, issuer)):
                try:
                    yield from answer
                except MaterialUnavailable as error:
                    self._incomplete.append(str(error))
                except MaterialMalformed as error:
                    yield malformed(material, error, issuer=issuer.address)
        yield from self._templates.add(material, issuers)

    @property
    def named(self) -> dict[str, set[bytes]]:
        """The addresses that each publication tells of, by its name."""
        return {read.name: set(read.issuers) for read in self._read}

    def finish(self, copies: Mapping[str, Sequence[str]], covered: Collection[bytes]) -> Iterator[Finding]:
        """The publications against each other, by the issuers that they have in common: each version of a thing against
        the first one. ``copies``: by name, the publications of the same registry, the first one first. ``covered``: all
        issuers that any of them is about; who claims a DID of theirs should be among them.
        """
        yield from self._left_out(covered)
        yield from self._one_sided()
        yield from self._compare_entries()
        first_list: dict[tuple[Place, int], ShownList] = {}
        first_document: dict[bytes, tuple[str, bytes]] = {}
        for number, read in enumerate(self._read):
            for place, shown in sorted(read.lists.items()):
                earlier = first_list.setdefault((place, shown.valid_from), shown)
                start, end = self._blocks.of(shown.valid_from) if earlier is not shown else (0, 0)
                if start == end:  # otherwise they may be of two blocks of one time; each was held against the chain
                    yield from compare_lists(earlier, shown)
            for address, document in sorted(read.documents.items()):
                name, ours = first_document.setdefault(address, (read.name, document.hash))
                if ours != document.hash:
                    where = Where(address, source=read.name)
                    yield find("did_document_differs", f"{ours.hex()}, as in {name}", document.hash.hex(), where)
            related = [
                other
                for other in self._read[:number]
                if other.name in copies[read.name] or not other.issuers.keys().isdisjoint(read.issuers)
            ]
            yield from self._compare_pinned(read, related)
        yield from self._templates.finish()

    def _compare_pinned(self, read: _Read, others: Sequence[_Read]) -> Iterator[Finding]:
        """What this program knows is held against that, and not against other copies."""
        for code, known in _PINNED:
            for url, digest in sorted((key[1], digest) for key, digest in read.pinned.items() if key[0] == code):
                first = next((other for other in others if (code, url) in other.pinned), None)
                if first is not None and first.pinned[code, url] != digest and not known(url):
                    expected = f"{short(url, 200)}: {first.pinned[code, url]}, as in {first.name}"
                    yield find(code, expected, digest, Where(source=f"{read.name} {url}"))

    def _compare_entries(self) -> Iterator[Finding]:
        """An issuer that has nothing on chain may be newer than a copy, and so may the last declarations of any."""
        first: dict[bytes, tuple[str, str]] = {}
        declared: dict[bytes, tuple[str, DeclaredDelays]] = {}
        for read in self._read:
            for address, issuer in sorted(read.issuers.items()):
                source, delays = declared.setdefault(address, (read.name, issuer.delays))
                if not (goes_on(delays, issuer.delays) or goes_on(issuer.delays, delays)):
                    where = Where(address, source=read.name)
                    expected = f"declared delays: {short(delays_text(delays), 300)}, as {source} says"
                    observed = f"declared delays: {short(delays_text(issuer.delays), 300)}"
                    yield find("mirrors_differ", expected, observed, where)
                if not self._view.next_index.get(address):
                    continue
                lists = "no lists" if issuer.status_base is None else f"lists below {short(issuer.status_base, 200)}"
                said = f"{short(issuer.did, 200)}, {lists}"
                name, ours = first.setdefault(address, (read.name, said))
                if ours != said:
                    where = Where(address, source=read.name)
                    yield find("mirrors_differ", f"issuers: {ours}, as {name} says", f"issuers: {said}", where)

    def _declaration(self, read: _Read, issuer: PublishedIssuer) -> Iterator[Finding]:
        """Each declaration counts from its time on, and for good until then: so none is ever changed or taken away."""
        if self._state is None:
            return
        place = (read.name, issuer.address)
        earlier = self._state.delays.get(place, ())
        if goes_on(earlier, issuer.delays):
            if issuer.delays:
                self._state.delays[place] = issuer.delays
            return
        expected, observed = (short(delays_text(delays), 300) for delays in (earlier, issuer.delays))
        yield find("declaration_changed", expected, observed, Where(issuer.address, source=read.name))

    def _left_out(self, covered: Collection[bytes]) -> Iterator[Finding]:
        bases = {base for issuer in self._said if (base := _base(issuer.did))}
        documents = self._by_did()
        named: dict[bytes, set[str]] = {}
        for claim in self._view.claims:
            if _base(claim.did) in bases and claim.issuer not in covered and self._view.next_index.get(claim.issuer):
                document = documents.get(claim.did)
                if document is None or document.names(Account(self._view.chain_id, claim.issuer)):
                    named.setdefault(claim.issuer, set()).add(claim.did)
        for address, dids in sorted(named.items()):
            observed = f"nothing, and a claim of {short(', '.join(sorted(dids)), 300)}"
            yield find("issuer_left_out", "its batches, DID and status lists", observed, Where(address))

    def _one_sided(self) -> Iterator[Finding]:
        """Claims of a DID that is published as another address's, and whose document does not name who claims it."""
        own = {(issuer.address, issuer.did) for issuer in self._said}
        addresses = {address for address, _ in own}
        documents = self._by_did()
        for address, did in sorted({(claim.issuer, claim.did) for claim in self._view.claims} - own):
            document = documents.get(did)
            account = Account(self._view.chain_id, address)
            acts = address in addresses or self._view.next_index.get(address)
            if acts and document is not None and not is_own_key(did) and not document.names(account):
                expected = f"{_account(account)}, which claims {short(did, 200)}, under its assertionMethod"
                yield find("did_names_other_account", expected, _accounts(document) or "none", Where(address))

    def _by_did(self) -> dict[str, DidDocument]:
        return {did: document for (_, did), document in reversed(self.documents.items())}

    def _pinned(self, read: _Read, published: PublishedIssuers) -> Iterator[Finding]:
        """Against what this program knows under the same address, and what an earlier audit was told."""
        state = self._state
        seen = (state.contexts, state.schemas) if state is not None else (None, None)
        for (code, known), listed, earlier in zip(_PINNED, (published.contexts, published.schemas), seen, strict=True):
            for url, digest in sorted(listed.items()):
                found = read.pinned[code, url] = digest.hex()
                right = known(url)
                before = earlier.setdefault((read.name, url), found) if earlier is not None else found
                if before != found or (right and found not in right):
                    expected = before if before != found else " or ".join(sorted(right))
                    yield find(code, f"{short(url, 200)}: {expected}", found, Where(source=f"{read.name} {url}"))

    # --- DID documents ---

    def _document(self, material: IssuerMaterial, read: _Read, issuer: PublishedIssuer) -> Iterator[Finding]:
        where = Where(issuer.address, source=material.name)
        data = material.document(issuer)
        if data is None:
            if issuer.document is not None:
                yield find("did_document_differs", f"the document {issuer.document.hex()}", "none", where)
                yield from self._claimed(issuer, {issuer.document}, where)
            elif any(claim.issuer == issuer.address for claim in self._view.claims):
                # Who has its document elsewhere may have claimed nothing at all; another DID it may not have claimed.
                yield from self._claimed(issuer, (), where)
            yield from former_keys(self._state, (material.name, issuer.did), None, where)
            return
        named, document, broken = _read_document(issuer, data)
        hashes = {issuer.document, None if document is None else document.hash} - {None}
        yield from self._claimed(issuer, hashes, where)
        if named is not None and named != issuer.did:
            observed = f"that of {short(named, 200)}"
            yield find("did_document_differs", f"the document of {short(issuer.did, 200)}", observed, where)
            return
        if document is None:
            raise MaterialMalformed(f"the DID document of {short(issuer.did)} cannot be read: {broken}")
        read.documents[issuer.address] = document
        self.documents.setdefault((issuer.address, issuer.did), document)
        if issuer.document is not None and document.hash != issuer.document:
            yield find("did_document_differs", f"the document {issuer.document.hex()}", document.hash.hex(), where)
        account = Account(self._view.chain_id, issuer.address)
        if self._acts(issuer.address) and not is_own_key(issuer.did) and not document.names(account):
            expected = f"{_account(account)}, under assertionMethod of {short(issuer.did, 200)}"
            yield find("did_names_other_account", expected, _accounts(document) or "none", where)
        yield from self._claimed_document(issuer, document, where)
        yield from former_keys(self._state, (material.name, issuer.did), document, where)

    def _acts(self, address: bytes) -> bool:
        """Whether it has anchored or claimed anything: before that, there is nothing to be said of it."""
        return bool(self._view.next_index.get(address)) or any(claim.issuer == address for claim in self._view.claims)

    def _claimed(self, issuer: PublishedIssuer, documents: Collection[bytes | None], where: Where) -> Iterator[Finding]:
        """Whether the address claims the DID, with whatever document: by the history, or by the state with one of these
        (their hashes) or with none. Raises ChainError.
        """
        view, address = self._view, issuer.address
        mine = {claim.did for claim in view.claims if claim.issuer == address}
        if issuer.did in mine or not self._acts(address):
            return
        if any(self._is_claimed(issuer, item) for item in {*documents, bytes(32)} if item is not None):
            return
        if address in view.incomplete():
            self._incomplete.append(
                f"Whether {hex_text(address)} claimed {short(issuer.did)} with another document than the one in "
                f"{where.source} could not be asked: the node has not got all events."
            )
            return
        others = ", ".join(sorted(mine)) or "no claim"
        yield find("did_not_claimed", f"a claim of {issuer.did} by the address", short(others, 300), where)

    def _claimed_document(self, issuer: PublishedIssuer, document: DidDocument, where: Where) -> Iterator[Finding]:
        """By the state, for a DID that is claimed with another document. Raises ChainError."""
        hashes = [
            claim.document_hash
            for claim in self._view.claims
            if claim.issuer == issuer.address and claim.did == issuer.did
        ]
        if hashes and document.hash not in hashes and not self._is_claimed(issuer, document.hash):
            expected = f"a document that was claimed: {hashes[-1].hex()}"
            yield find("did_document_unclaimed", expected, document.hash.hex(), where)

    def _is_claimed(self, issuer: PublishedIssuer, document: bytes) -> bool:
        return self._chain.read_claim(issuer.address, issuer.did, document, self._view.block) > 0

    # --- status lists ---

    def _lists(self, material: IssuerMaterial, read: _Read, issuer: PublishedIssuer) -> Iterator[Finding]:
        yield from self._moved(material, issuer)
        end = self._reach(issuer.address)
        wanted: set[Place] = set()
        if issuer.status_base is not None:
            numbers = range(-(-self._ends.get(issuer.address, end) // ENTRIES_PER_LIST))
            wanted = {(issuer.address, purpose, number) for purpose in PURPOSES for number in numbers}
        if self._state is not None:  # what was there once may not go, whatever is said of the issuer now
            seen = {key[1:] for key in self._state.lists if key[0] == material.name and key[1] == issuer.address}
            wanted |= {place for place in seen if place[2] * ENTRIES_PER_LIST < end}
        if end and not wanted and issuer.status_base is None and not isinstance(material, UnsignedLists):
            where = Where(issuer.address, source=material.name)
            yield find("lists_unpublished", "where its status lists are", "nothing", where)
        for place in sorted(wanted):
            try:
                yield from self._list(material, read, issuer, place)
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

    def _reach(self, address: bytes) -> int:
        """Up to which index the issuer has batches; what a node says is its next index may be anything."""
        return max(
            (key.first + record.size for key, record in self._view.batches().items() if key.issuer == address),
            default=0,
        )

    def _list(self, material: IssuerMaterial, read: _Read, issuer: PublishedIssuer, place: Place) -> Iterator[Finding]:
        _, purpose, number = place
        named = f"the {purpose} list {number} of {short(issuer.did)}"
        where = Where(issuer.address, index=number * ENTRIES_PER_LIST, source=material.name)
        data = material.status_list(issuer, purpose, number)
        if data is None:
            yield find("status_list_missing", named, "none", where)
            return
        credential, shown = self._parse(material, issuer, place, data)
        read.lists[place] = shown
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
        end = parse_moment(until) if isinstance(until, str) else None
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
        keys = _keys(issuer.did, self.documents.get((issuer.address, issuer.did)))
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
        found = _keys(issuer.did, self.documents.get((issuer.address, issuer.did)))(signer.method)
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


def _account(account: Account) -> str:
    """By its CAIP-10 name: the same address on another chain is another account."""
    return f"{chain_text(account.chain_id)}:{hex_text(account.address)}"


def _accounts(document: DidDocument) -> str:
    return short(", ".join(sorted(map(_account, document.accounts))), 300)


def _base(did: str) -> str:
    """What the did:webs of one registry's own issuers have in common; "" for any other DID."""
    return did.rpartition(":issuers:")[0] if did.startswith("did:web:") else ""


def _read_document(issuer: PublishedIssuer, data: bytes) -> tuple[str | None, DidDocument | None, InputError | None]:
    """Whose document it says that it is, the document, and why it is none."""
    named = None
    try:
        content = parse_json(data)
        found = content.get("id") if isinstance(content, dict) else None
        named = found if isinstance(found, str) else None
        return named, parse_did_document(content, issuer.did), None
    except InputError as error:
        return named, None, error


def _moments_of(credential: Mapping[str, Any]) -> list[int]:
    """When its proofs say that they were made."""
    proofs = credential.get("proof", [])
    created = [
        proof.get("created") for proof in (proofs if isinstance(proofs, list) else [proofs]) if type(proof) is dict
    ]
    moments = [parse_moment(moment) for moment in created if isinstance(moment, str)]
    return [moment for moment in moments if moment is not None]


class _Blocks:
    """Finds blocks by time; each is asked for once."""

    def __init__(self, chain: Chain, last: BlockRef, first_block: int) -> None:
        self._chain = chain
        self._last = last
        self._first = min(first_block, last.number)
        self._times: dict[int, int] = {last.number: last.timestamp}
        self._found: dict[int, tuple[int, int]] = {}

    def of(self, moment: int) -> tuple[int, int]:
        """The last block made by then, behind the first one of the same time. Raises ChainError."""
        if moment not in self._found:
            self._found[moment] = self._search(moment)
        return self._found[moment]

    def _search(self, moment: int) -> tuple[int, int]:
        low, high = self._first, self._last.number
        while low < high:
            middle = (low + high + 1) // 2
            if self._time(middle) <= moment:
                low = middle
            else:
                high = middle - 1
        first = low
        while low - first < _SAME_TIME and first > self._first and self._time(first) == self._time(first - 1) == moment:
            first -= 1
        return first, low

    def _time(self, number: int) -> int:
        if number not in self._times:
            block = self._chain.block(number)
            if block is None:
                raise ChainUnreachable(f"The node has no block {number}, so that lists cannot be held against it.")
            self._times[number] = block.timestamp
        return self._times[number]
