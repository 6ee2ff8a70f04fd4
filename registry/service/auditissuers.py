"""What publications say of issuers: whom they name and leave out, what they declare, which contexts and schemas they
list, and one publication beside another. Documents, lists and templates have modules of their own.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from anchors.base import Chain
from registry.core.audit import Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.audit_credentials import Lists
from registry.core.audit_issuers import Speakers
from registry.core.audit_status import ShownList, compare_lists
from registry.core.credential import host_and_path, status_base
from registry.core.declared import DeclaredDelays, delays_text, goes_on
from registry.core.notation import short
from registry.service.auditblocks import BlocksByTime
from registry.service.auditdids import DidAudit, account_text, accounts_text
from registry.service.auditlists import ListAudit, Place
from registry.service.auditmaterial import malformed
from registry.service.auditstate import AuditState
from registry.service.audittemplates import TemplateAudit
from registry.service.pinned import known_contexts, known_schemas
from registry.service.published import MaterialMalformed, MaterialUnavailable
from registry.service.publishedissuers import IssuerMaterial, PublishedIssuer, PublishedIssuers
from registry.standards.did.document import Account, DidDocument
from registry.standards.did.key import is_own_key

__all__ = ["IssuerAudit"]

_PINNED: tuple[tuple[str, Callable[[str], frozenset[str]]], ...] = (
    ("context_changed", known_contexts),
    ("schema_changed", known_schemas),
)


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

    ``incomplete`` is added to. ``first_block``: the contract's.
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
        self._blocks = BlocksByTime(chain, view.block, first_block)
        self._dids = DidAudit(view, chain, incomplete, state)
        self._lists = ListAudit(view, chain, self._blocks, self._dids.documents, incomplete, state, grace)
        self._incomplete = incomplete
        self._state = state
        self._read: list[_Read] = []
        self._templates = TemplateAudit(view.block.hash, incomplete, state)
        self._said: list[PublishedIssuer] = []

    @property
    def documents(self) -> dict[tuple[bytes, str], DidDocument]:
        """Those of the first publication that has one, by address and DID: signatures are judged by them."""
        return self._dids.documents

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
        return accounts_text(document) or "no account"

    def add(
        self,
        material: IssuerMaterial,
        published: PublishedIssuers | None,
        addresses: set[bytes],
        tell: Callable[[str], None] = lambda _: None,
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
        for number, issuer in enumerate(issuers, 1):
            tell(f"Documents and lists of issuer {number:,} of {len(issuers):,} in {material.name}")
            yield from self._declaration(read, issuer)
            for answer in (
                self._dids.audit(material, issuer, read.documents),
                self._lists.audit(material, issuer, read.lists),
            ):
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

    def finish(
        self, copies: Mapping[str, Sequence[str]], covered: Collection[bytes], *, all_read: bool = True
    ) -> Iterator[Finding]:
        """The publications against each other, by the issuers that they have in common: each version of a thing against
        the first one. ``copies``: by name, the publications of the same registry, the first one first. ``covered``: all
        issuers that any of them is about; who claims a DID of theirs should be among them. ``all_read``: False while
        one that could not be read may explain a claim.
        """
        yield from self._left_out(covered)
        yield from self._one_sided(all_read)
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

    def _one_sided(self, all_read: bool) -> Iterator[Finding]:
        """Claims of a DID that is published as another address's, and whose document does not name who claims it.

        Who is published nowhere may be the same issuer in a registry that nobody named, unless its DID is served by one
        of these.
        """
        bases = {base for issuer in self._said if (base := _base(issuer.did))} if all_read else set()
        own = {(issuer.address, issuer.did) for issuer in self._said}
        addresses = {address for address, _ in own}
        documents = self._by_did()
        for address, did in sorted({(claim.issuer, claim.did) for claim in self._view.claims} - own):
            document = documents.get(did)
            account = Account(self._view.chain_id, address)
            acts = address in addresses or (_base(did) in bases and self._view.next_index.get(address))
            if acts and document is not None and not is_own_key(did) and not document.names(account):
                expected = f"{account_text(account)}, which claims {short(did, 200)}, under its assertionMethod"
                yield find("did_names_other_account", expected, accounts_text(document) or "none", Where(address))

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


def _base(did: str) -> str:
    """What the did:webs of one registry's own issuers have in common; "" for any other DID."""
    return did.rpartition(":issuers:")[0] if did.startswith("did:web:") else ""
