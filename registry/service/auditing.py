"""An audit from outside: reads the contract itself, then holds the material against it (docs/auditing.md).

The chain is read at one block, which the report names; the state first, events for history. What cannot be asked makes
the audit incomplete, never clean. With the state of an earlier audit only what is new is read.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from anchors.base import Chain, ChainError, WrongContract
from registry.core.audit import BatchKey, Finding, Where, find, in_order
from registry.core.audit_chain import ChainView, audit_chain, located, unknown_batches
from registry.core.audit_figures import Delays, figures_of
from registry.core.audit_published import PublishedBatch, issuers_elsewhere
from registry.core.declared import Declared
from registry.core.errors import InputError
from registry.core.model import BlockRef
from registry.core.notation import hex_text
from registry.service.auditbundles import BundleAudit, bundle_files
from registry.service.auditissuers import IssuerAudit
from registry.service.auditmaterial import MaterialAudit
from registry.service.auditmemory import BundleMemory, Grounds
from registry.service.auditnodes import NamedChain, NodeAudit
from registry.service.auditpromises import PromiseFiles, promise_files
from registry.service.auditpublications import Publication, read_publications
from registry.service.auditregistries import Registries
from registry.service.auditreport import AuditReport, report_to_json
from registry.service.auditsignatures import Documents
from registry.service.auditstate import AuditState, StateFile
from registry.service.chainreading import Questions, block_times
from registry.service.published import Material
from registry.service.publishedissuers import IssuerMaterial

__all__ = ["AuditReport", "Auditing", "Inside", "NamedChain", "report_to_json"]

T = TypeVar("T")

Inside = Callable[[Chain, ChainView, Mapping[BatchKey, PublishedBatch], list[str]], Iterable[Finding]]


@dataclass
class Auditing:
    """One audit, made for one run. ``chains``: the nodes to ask; the first one counts, the others are compared with it.

    ``first_block``: where the contract was deployed. ``cross_check``: compute every root with merklelib as well.
    ``delay``: the seconds from validFrom to anchoring, instead of those that issuers declared. ``state`` is brought up
    to date where the audit gets to its end; ``file`` keeps leaves for it. ``processes``: for bundles, 0 for every core.
    ``signatures``: judge the proofs of bundles' credentials, too. ``bundles``, ``promises``: a folder is listed anew in
    each run. ``full``: read all again that ``state`` knows. ``issuers``: audit these only; None: all there are.
    ``named``: somebody named them, and is told which ones have anchored nothing. ``expected``: issuers that have to be
    published, beside those that a publication answers for itself. ``grace``: for so many seconds what the chain learnt
    may be missing from what is published. ``tell`` is told what is done at the moment.
    """

    chains: Sequence[NamedChain]
    materials: Sequence[Material] = ()
    bundles: Path | Sequence[str | Path] = ()
    first_block: int = 0
    cross_check: bool = False
    delay: int | None = None
    state: AuditState | None = None
    file: StateFile | None = None
    processes: int = 0
    promises: Path | Sequence[Path] = ()
    signatures: bool = True
    full: bool = False
    issuers: Collection[bytes] | None = None
    named: bool = True
    expected: Collection[bytes] = ()
    grace: int = 0
    tell: Callable[[str], None] = lambda _: None
    _findings: list[Finding] = field(default_factory=list, init=False)
    _incomplete: list[str] = field(default_factory=list, init=False)
    _view: ChainView | None = field(default=None, init=False)
    _published: MaterialAudit | None = field(default=None, init=False)
    _issuers: IssuerAudit | None = field(default=None, init=False)
    _registries: Registries | None = field(default=None, init=False)
    _bundles: BundleAudit | None = field(default=None, init=False)
    _promises: PromiseFiles | None = field(default=None, init=False)
    _times: dict[int, int] = field(default_factory=dict, init=False)
    _all_read: bool = field(default=True, init=False)

    def run(self, inside: Inside | None = None) -> AuditReport:
        """Raises nothing that the chain or the material could cause: that stands in the report.

        ``inside`` audits what only the registry itself has, against the same view of the chain; it is given what was
        published of batches, and adds to the list what could not be audited.
        """
        block = None
        chain = self.chains[0].chain
        nodes = NodeAudit(
            self.chains,
            self.first_block,
            self._findings,
            self._incomplete,
            self.state,
            self.issuers,
            self.tell,
            named=self.named,
            full=self.full,
        )
        try:
            # The chain before the material: what is published meanwhile can be recognised as newer.
            others = nodes.reachable()
            block = nodes.block(others)
            place = (chain.chain_id, chain.contract)
            publications = read_publications(self.materials, place, self._findings, self._incomplete, self.tell)
            if self.issuers is not None:
                publications = [item.only(self.issuers) for item in publications]
            here = [item for item in publications if item.listing.place == place]
            answered = {address for item in here for address in item.addresses}
            # Anybody may anchor in the contract: whom nobody names is not worth every question.
            named = {*(self.issuers or answered), *self.expected} if self.issuers or here else None
            wanted = {batch.key for item in here for batch in item.listing.batches}
            questions = Questions(wanted, self.expected, nodes.seen_revoked(), named)
            self._view = view = nodes.read(block, questions)
            published = {*answered, *self.expected}
            self._findings += audit_chain(view, published=published)
            self._unknown(view, published, whole=not here)
            if self.issuers is not None and self.named:
                self._incomplete += [
                    f"{hex_text(issuer)} has anchored nothing in this contract, so that there was nothing to audit."
                    for issuer in sorted(self.issuers)
                    if not view.next_index.get(issuer)
                ]
            nodes.compare(view, questions, [item for item in self.chains[1:] if item.name in others])
            self._audit_published(view, publications)
            all_read = len(publications) == len(self.materials)
            if here and self.issuers is None and all_read and all(item.addresses for item in here):
                self._findings += issuers_elsewhere(view, {*answered, *self.expected})
            self._audit_bundles(view)
            if self.promises:
                self._audit_promises(view)
            if inside is not None:
                self.tell("The registry's own tables")
                declared = self._published.declared if self._published else {}
                self._findings += inside(self.chains[0].chain, view, declared, self._incomplete)
            self._times = block_times(self.chains[0].chain, (number for number, _ in view.revocations))
        except WrongContract as error:
            where = Where(source=self.chains[0].name)
            self._findings.append(find("code_hash_differs", "the registry contract's code", error.what, where))
            self._incomplete.append(
                "Nothing else was audited, as the contract is another one: are contract, chain and node the right ones?"
            )
        except ChainError as error:
            self._incomplete.append(f"The chain could not be read: {error}")
        return self._report(block)

    def _unknown(self, view: ChainView, published: set[bytes], *, whole: bool) -> None:
        """Batches of which only events could tell, and the node says that it gave those up. ``whole``: nobody publishes
        anything, so that all issuers are audited.
        """
        about = self.issuers if self.issuers is not None else view.next_index if whole else ()
        self._incomplete += [
            f"The batches of {hex_text(issuer)} with the indexes 0 to {end - 1} are not known: the node has no events "
            f"before block {view.since} any more. Name what is published of them (--published), or another node."
            for issuer, end in unknown_batches(view, {*about} - published)
        ]

    def _audit_published(self, view: ChainView, publications: Sequence[Publication]) -> None:
        self._published = audit = MaterialAudit(
            view,
            self._is_newer,
            self._is_voided_since,
            self._incomplete,
            self.state,
            self.file,
            cross_check=self.cross_check,
            full=self.full,
            grace=self.grace,
        )
        self._issuers = issuers = IssuerAudit(
            view, self.chains[0].chain, self.first_block, self._incomplete, self.state, self.grace
        )
        registries = Registries(self._incomplete, self.state)
        here = []
        for item in publications:
            elsewhere = audit.elsewhere(item.material, item.listing)
            if elsewhere is None:
                here.append(item)
            else:
                self._findings.append(elsewhere)
        for item in here:
            self._findings += audit.add(item.material, item.listing, self.tell)
        for item in here:
            if isinstance(item.material, IssuerMaterial) and item.told:
                listed = {batch.key.issuer for batch in item.listing.batches}
                self._findings += issuers.add(item.material, item.issuers, listed, self.tell)
        if here:
            self._registries = registries
            for item in here:
                self._findings += registries.add(item.material)
            read = [item.material for item in publications]
            for material in self.materials:
                if material not in read:
                    registries.miss(material)
        about = audit.issuers(issuers.named)
        copies = registries.copies(list(about))
        # A publication that could not be read may have what the others have not.
        all_read = len(publications) == len(self.materials)
        self._all_read = all_read and all(item.told for item in here if isinstance(item.material, IssuerMaterial))
        covered = {*self.expected}.union(*about.values()) if all_read else {key.issuer for key in view.batches()}
        self._findings += issuers.finish(copies, covered, all_read=self._all_read)
        self._findings += registries.compare(about)
        self._findings += audit.finish(about, copies, {*self.expected, *(self.issuers or ())} if all_read else ())

    def _is_newer(self, key: BatchKey) -> bool:
        """Whether a batch was anchored behind the audited block: it is the next audit's."""
        record = self.chains[0].chain.read_record(key.issuer, key.root, key.first)
        return record is not None and self._view is not None and record.block_number > self._view.block.number

    def _is_voided_since(self, key: BatchKey) -> bool:
        record = self.chains[0].chain.read_record(key.issuer, key.root, key.first)
        return record is not None and record.revoked_at > 0

    def _audit_bundles(self, view: ChainView) -> None:
        paths = self._files(self.bundles, bundle_files)
        if paths:
            self.tell(f"{len(paths):,} files with bundles")
        leaves = self._published.leaves if self._published else {}
        found = self._issuers.documents if self._issuers and self.signatures else {}
        documents = {key: dict(item.content) for key, item in found.items()} if self.signatures else None
        lists = self._issuers.lists if self._issuers else None
        if lists is not None and not self._all_read:  # what could not be read may tell whose they are as well
            lists = replace(lists, owners={})
        speakers = self._issuers.speakers if self._issuers and self._all_read else None
        declared = Declared(self._issuers.delays if self._issuers else {}, self.delay)
        memory = None
        if self.file is not None and paths:
            published = Documents(found)

            def document(address: bytes, did: str) -> bytes | None:
                item = published.of(address, did)
                return None if item is None else item.hash

            grounds = Grounds(view, leaves, document, lists, speakers, declared)
            memory = BundleMemory(self.file.bundles, grounds, (self.signatures,), full=self.full)
        self._bundles = audit = BundleAudit(
            view,
            leaves,
            declared,
            self.processes,
            documents,
            memory,
            self.issuers,
            lists,
            self._issuers.bases if self._issuers else None,
            speakers,
        )
        self._findings += audit.run(paths)
        self._incomplete += audit.incomplete
        self._findings += audit.ask_transactions(self.chains[0].chain)

    def _audit_promises(self, view: ChainView) -> None:
        paths = self._files(self.promises, promise_files)
        self.tell("Promises")
        self._promises = audit = PromiseFiles(view, self._registries, self.issuers)
        self._findings += audit.run(paths, self._published.leaves if self._published else {})
        self._incomplete += audit.incomplete

    def _files(self, given: Path | Sequence[T], listed: Callable[[Path], Sequence[T]]) -> Sequence[T]:
        """A folder as it is now; that nothing can be had of it is no reason not to audit the rest."""
        if not isinstance(given, Path):
            return given
        try:
            return listed(given)
        except InputError as error:
            self._incomplete.append(str(error))
            return ()

    def _concerns(self, finding: Finding) -> bool:
        """Whether it is about an issuer who is audited, or about none."""
        return self.issuers is None or finding.where.issuer is None or finding.where.issuer in self.issuers

    def _report(self, block: BlockRef | None) -> AuditReport:
        chain, view = self.chains[0].chain, self._view
        findings = [finding for finding in self._findings if self._concerns(finding)]
        published = self._published
        accepted = published.delays if published else Delays()
        valid_from = self._bundles.audit.delays if self._bundles else Delays()
        return AuditReport(
            chain_id=chain.chain_id,
            contract=chain.contract,
            block=block,
            code_hash=view.code_hash if view else None,
            issuers=len(view.next_index) if view else 0,
            batches=len(view.batches()) if view else 0,
            credentials=sum(view.next_index.values()) if view else 0,
            material=published.digest if published else None,
            leaves=published.size if published else 0,
            bundles=self._bundles.count if self._bundles else 0,
            promises=self._promises.count if self._promises else None,
            findings=tuple(in_order(located(findings, view) if view else findings)),
            incomplete=tuple(dict.fromkeys(self._incomplete)),
            figures=figures_of(view, self._times, accepted, valid_from) if view else None,
        )
