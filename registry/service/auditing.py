"""An audit from outside: reads the contract itself, then holds the material against it (docs/auditing.md).

The chain is read at one block, which the report names; the state first, events for history. What cannot be asked makes
the audit incomplete, never clean. With the state of an earlier audit only what is new is read.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from anchors.base import Chain, ChainError, ChainUnreachable, WrongContract
from registry.core.audit import BatchKey, Finding, Where, find, in_order
from registry.core.audit_chain import ChainView, audit_chain, compare_nodes, located
from registry.core.audit_figures import Delays, figures_of
from registry.core.audit_over_time import gone_anchors
from registry.core.audit_published import PublishedBatch
from registry.core.model import BlockRef
from registry.core.notation import hex_text
from registry.service.auditbundles import BundleAudit
from registry.service.auditissuers import IssuerAudit
from registry.service.auditmaterial import MaterialAudit, malformed
from registry.service.auditpromises import PromiseFiles
from registry.service.auditreport import AuditReport, report_to_json
from registry.service.auditstate import AuditState, StateFile
from registry.service.chainreading import Remembered, block_times, read_chain, read_history
from registry.service.published import Listing, Material, MaterialMalformed, MaterialUnavailable
from registry.service.publishedissuers import IssuerMaterial

__all__ = ["AuditReport", "Auditing", "Inside", "NamedChain", "report_to_json"]

_SETTLED = 64  # blocks below the audited one, where a node names no finalized block

Inside = Callable[[Chain, ChainView, Mapping[BatchKey, PublishedBatch], list[str]], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class NamedChain:
    """One node's view of the contract; ``name`` is what a report calls the node."""

    name: str
    chain: Chain


@dataclass
class Auditing:
    """One audit, made for one run. ``chains``: the nodes to ask; the first one counts, the others are compared with it.

    ``first_block``: where the contract was deployed. ``cross_check``: compute every root with merklelib as well.
    ``delay``: the seconds from validFrom to anchoring that the issuer declared. ``state`` is brought up to date where
    the audit gets to its end; ``file`` keeps leaves for it. ``processes``: for bundles, 0 for every core.
    ``signatures``: judge the proofs of bundles' credentials, too. ``issuers``: audit these addresses only, and want all
    of their batches published; None: all that use the contract. ``named``: somebody named them, and is told which ones
    have anchored nothing. ``grace``: for so many seconds what the chain learnt
    may be missing from what is published.
    """

    chains: Sequence[NamedChain]
    materials: Sequence[Material] = ()
    bundles: Sequence[Path] = ()
    first_block: int = 0
    cross_check: bool = False
    delay: int | None = None
    state: AuditState | None = None
    file: StateFile | None = None
    processes: int = 0
    promises: Sequence[Path] = ()
    signatures: bool = True
    issuers: frozenset[bytes] | None = None
    named: bool = True
    grace: int = 0
    _findings: list[Finding] = field(default_factory=list, init=False)
    _incomplete: list[str] = field(default_factory=list, init=False)
    _view: ChainView | None = field(default=None, init=False)
    _published: MaterialAudit | None = field(default=None, init=False)
    _issuers: IssuerAudit | None = field(default=None, init=False)
    _bundles: BundleAudit | None = field(default=None, init=False)
    _promises: PromiseFiles | None = field(default=None, init=False)
    _times: dict[int, int] = field(default_factory=dict, init=False)

    def run(self, inside: Inside | None = None) -> AuditReport:
        """Raises nothing that the chain or the material could cause: that stands in the report.

        ``inside`` audits what only the registry itself has, against the same view of the chain; it is given what was
        published of batches, and adds to the list what could not be audited.
        """
        block = None
        try:
            # The chain before the material: what is published meanwhile can be recognised as newer.
            others = self._reachable()
            block = self._block(others)
            listings = self._listings()
            wanted = {batch.key for _, listing in listings for batch in listing.batches}
            self._view = view = self._read(block, wanted)
            self._findings += audit_chain(view)
            if self.issuers is not None and self.named:
                self._incomplete += [
                    f"{hex_text(issuer)} has anchored nothing in this contract, so that there was nothing to audit."
                    for issuer in sorted(self.issuers)
                    if not view.next_index.get(issuer)
                ]
            self._compare(view, wanted, [item for item in self.chains[1:] if item.name in others])
            self._audit_published(view, listings)
            self._audit_bundles(view)
            if self.promises:
                self._audit_promises(view, listings)
            if inside is not None:
                declared = self._published.declared if self._published else {}
                self._findings += inside(self.chains[0].chain, view, declared, self._incomplete)
            self._times = block_times(self.chains[0].chain, (number for number, _ in view.revocations))
        except WrongContract as error:
            where = Where(source=self.chains[0].name)
            self._findings.append(find("code_hash_differs", "the registry contract's code", str(error), where))
            self._incomplete.append("Nothing else was audited, as the contract is another one.")
        except ChainError as error:
            self._incomplete.append(f"The chain could not be read: {error}")
        return self._report(block)

    def _reachable(self) -> dict[str, int]:
        """The newest block of each further node; one that does not answer makes the audit incomplete, and no more."""
        heads = {}
        for item in self.chains[1:]:
            try:
                heads[item.name] = item.chain.head().number
            except ChainError as error:
                self._incomplete.append(f"{item.name} could not be compared: {error}")
        return heads

    def _block(self, others: dict[str, int]) -> BlockRef:
        first = self.chains[0]
        number = min([first.chain.head().number, *others.values()])
        block = first.chain.block(number)
        if block is None:
            raise ChainUnreachable(f"{first.name} has no block {number}.")
        return block

    def _listings(self) -> list[tuple[Material, Listing]]:
        found = []
        for material in self.materials:
            try:
                listing = material.listing()
            except MaterialUnavailable as error:
                self._incomplete.append(str(error))
            except MaterialMalformed as error:
                self._findings.append(malformed(material, error))
            else:
                batches = tuple(batch for batch in listing.batches if self._wants(batch.key))
                found.append((material, replace(listing, batches=batches)))
        return found

    def _wants(self, key: BatchKey) -> bool:
        return self.issuers is None or key.issuer in self.issuers

    def _read(self, at: BlockRef, wanted: Iterable[BatchKey]) -> ChainView:
        """The chain, and in the state what need not be read again: history up to a block that no longer changes."""
        chain, state = self.chains[0].chain, self.state
        if state is None:
            return read_chain(chain, at, read_history(chain, at, self.first_block), wanted, only=self.issuers)
        state.reorganised = state.block is not None and not _has(chain, state.block)
        before = state.remembered
        known = before if before is not None and _is_canonical(chain, before, at) else None
        settled = _settled(chain, at)
        history = known.history if known else None
        if settled is not None and (history is None or history.block is None or settled.number > history.block.number):
            history = read_history(chain, settled, self.first_block, history)
        view = read_chain(chain, at, read_history(chain, at, self.first_block, history), wanted, known, self.issuers)
        lost = set(state.lost)
        seen = dict.fromkeys([*state.lost, *(before.history.batches if before else ())])
        state.lost = [
            batch
            for batch in seen
            if (view.records.get(batch.key) is None if self._wants(batch.key) else batch in lost)
        ]
        self._findings += gone_anchors(state.lost)
        if history is not None and history.block is not None:
            end = history.block.number
            records = {
                batch.key: record
                for batch in history.batches
                if (record := view.records.get(batch.key)) is not None and record.block_number <= end
            }
            # A batch that was voided behind that block is voided in its record, and its event is still to come: so the
            # record that is kept is the one that the history up to the block tells of.
            kept = {key: item for key, item in records.items() if not item.revoked_at or key in history.voided}
            state.remembered = Remembered(history, kept)
        state.block = at
        return view

    def _compare(self, view: ChainView, wanted: set[BatchKey], others: Iterable[NamedChain]) -> None:
        known = self.state.remembered if self.state else None
        wanted = wanted | view.records.keys()  # a node without history is asked for them all the same
        for item in others:
            try:
                at = item.chain.block(view.block.number)
                if at is None:
                    raise ChainUnreachable(f"it has no block {view.block.number}")
                same = known if known is not None and _is_canonical(item.chain, known, at) else None
                history = read_history(item.chain, at, self.first_block, same.history if same else None)
                other = read_chain(item.chain, at, history, wanted, same, self.issuers)
            except WrongContract as error:
                where = Where(source=item.name)
                self._findings.append(find("nodes_disagree", "the same contract of every node", str(error), where))
            except ChainError as error:
                self._incomplete.append(f"{item.name} could not be compared: {error}")
            else:
                self._findings += compare_nodes(view, other, item.name)

    def _audit_published(self, view: ChainView, listings: Iterable[tuple[Material, Listing]]) -> None:
        self._published = audit = MaterialAudit(
            view,
            self._is_newer,
            self._incomplete,
            self.state,
            self.file,
            cross_check=self.cross_check,
            grace=self.grace,
            named=self.issuers is not None,
        )
        self._issuers = issuers = IssuerAudit(
            view, self.chains[0].chain, self.first_block, self._incomplete, self.state, self.issuers, self.grace
        )
        ours = [item for item in listings if (item[1].chain_id, item[1].contract) == (view.chain_id, view.contract)]
        for material, _ in ours:
            if isinstance(material, IssuerMaterial):
                self._findings += issuers.read(material)
        for material, listing in listings:
            scope = issuers.scope(material) if isinstance(material, IssuerMaterial) else None
            self._findings += audit.add(material, listing, scope)
        self._findings += audit.finish()
        for material, listing in ours:
            if isinstance(material, IssuerMaterial):
                self._findings += issuers.add(material, {batch.key.issuer for batch in listing.batches})
        self._findings += issuers.finish(audit.covers)

    def _is_newer(self, key: BatchKey) -> bool:
        """Whether a batch was anchored behind the audited block: it is the next audit's."""
        record = self.chains[0].chain.read_record(key.issuer, key.root, key.first)
        return record is not None and self._view is not None and record.block_number > self._view.block.number

    def _audit_bundles(self, view: ChainView) -> None:
        leaves = self._published.anchored_leaves() if self._published else {}
        documents = {did: dict(item.content) for did, item in self._issuers.documents.items()} if self._issuers else {}
        self._bundles = audit = BundleAudit(
            view,
            leaves,
            self.delay,
            self.processes,
            documents if self.signatures else None,
            self.issuers,
            self._issuers.lists if self._issuers else None,
        )
        self._findings += audit.run(self.bundles)
        self._incomplete += audit.incomplete
        self._findings += audit.ask_transactions(self.chains[0].chain)

    def _audit_promises(self, view: ChainView, listings: Sequence[tuple[Material, Listing]]) -> None:
        """Keys are those of the first publication that was read."""
        published = self._published
        material = listings[0][0] if listings and published and published.first else None
        self._promises = audit = PromiseFiles(view, material)
        self._findings += audit.run(self.promises, published.anchored_leaves() if published else {})
        self._incomplete += audit.incomplete

    def _concerns(self, finding: Finding) -> bool:
        """Whether it is about an issuer who is audited, or about none."""
        return self.issuers is None or finding.where.issuer is None or finding.where.issuer in self.issuers

    def _report(self, block: BlockRef | None) -> AuditReport:
        chain, view = self.chains[0].chain, self._view
        findings = [finding for finding in self._findings if self._concerns(finding)]
        published = self._published.first if self._published else None
        accepted = self._published.delays if self._published else Delays()
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


def _is_canonical(chain: Chain, known: Remembered, at: BlockRef) -> bool:
    block = known.history.block
    if block is None or block.number > at.number:
        return False
    return _has(chain, block)


def _has(chain: Chain, block: BlockRef) -> bool:
    found = chain.block(block.number)
    return found is not None and found.hash == block.hash


def _settled(chain: Chain, at: BlockRef) -> BlockRef | None:
    """The newest block, not above ``at``, that a reorganisation no longer reaches."""
    final = chain.finalized()
    if final is None:
        return chain.block(at.number - _SETTLED) if at.number > _SETTLED else None
    return final if final.number <= at.number else chain.block(at.number)
