"""An audit from outside: reads the contract itself, then holds the material against it (docs/auditing.md).

The chain is read at one block, which the report names; the state first, events for history. What cannot be asked makes
the audit incomplete, never clean. Nothing is written anywhere.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anchors.base import (
    BatchAnchored,
    Chain,
    ChainError,
    ChainEvent,
    ChainUnreachable,
    StatusRevoked,
    SuspensionChanged,
    WrongContract,
)
from registry.core.audit import BatchKey, Finding, Severity, Where, find, finding_to_json, in_order
from registry.core.audit_chain import AnchoredBatch, ChainView, audit_chain, compare_nodes
from registry.core.audit_credentials import CredentialAudit
from registry.core.audit_published import PublishedAudit, PublishedBatch
from registry.core.bundle import MAX_BUNDLE_BYTES, parse_bundle
from registry.core.errors import InputError
from registry.core.merkle import HASH_BYTES
from registry.core.model import BatchRecord, BlockRef, StatusWords
from registry.core.notation import chain_text, hex_text, short
from registry.core.status import ENTRIES_PER_WORD
from registry.service.oracle import merklelib_root
from registry.service.published import Listing, Material, MaterialMalformed, MaterialUnavailable

__all__ = ["AuditReport", "Auditing", "NamedChain", "read_chain", "report_to_json"]

_RANGE = 2_000  # blocks in one question
_WORDS = 500  # status words in one question
_LATER = 1_000  # batches that may turn out to be anchored behind the audited block


@dataclass(frozen=True, slots=True)
class NamedChain:
    """One node's view of the contract; ``name`` is what a report calls the node."""

    name: str
    chain: Chain


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was audited, and what was found. ``material``: SHA-256 of what was published, None if nothing was read.

    ``incomplete`` says what could not be audited, and why: a report with something there is never clean.
    """

    chain_id: int
    contract: bytes
    block: BlockRef | None
    code_hash: bytes | None
    issuers: int
    batches: int
    credentials: int
    material: bytes | None
    leaves: int
    bundles: int
    findings: tuple[Finding, ...]
    incomplete: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 clean, 1 findings (those for information do not count), 3 could not finish and found nothing so far."""
        if any(finding.severity is not Severity.INFO for finding in self.findings):
            return 1
        return 3 if self.incomplete else 0


def report_to_json(report: AuditReport) -> dict[str, Any]:
    """The same audit of the same material at the same block always gives the same object."""
    block = report.block
    return {
        "type": "AuditReport",
        "version": 1,
        "result": {0: "clean", 1: "findings", 3: "incomplete"}[report.exit_code],
        "chain": chain_text(report.chain_id),
        "contract": hex_text(report.contract),
        "codeHash": hex_text(report.code_hash) if report.code_hash else None,
        "block": {"number": block.number, "hash": hex_text(block.hash), "timestamp": block.timestamp}
        if block
        else None,
        "material": report.material.hex() if report.material else None,
        "audited": {
            "issuers": report.issuers,
            "batches": report.batches,
            "credentials": report.credentials,
            "leaves": report.leaves,
            "bundles": report.bundles,
        },
        "findings": [finding_to_json(finding) for finding in report.findings],
        "incomplete": list(report.incomplete),
    }


def read_chain(chain: Chain, at: BlockRef, first_block: int = 0, wanted: Iterable[BatchKey] = ()) -> ChainView:
    """All of the contract at one block: what its events from ``first_block`` on tell, and the state of all of that.

    ``wanted``: batches to be looked up even where no event tells of them. Raises ChainError.
    """
    code_hash = chain.check()
    events = list(_events(chain, first_block, at))
    history = tuple(
        AnchoredBatch(
            BatchKey(event.issuer, event.first, event.root),
            event.size,
            event.block_number,
            event.block_hash,
            event.transaction,
        )
        for event in events
        if isinstance(event, BatchAnchored)
    )
    issuers = sorted({event.issuer for event in events} | {key.issuer for key in wanted})
    next_index = {issuer: chain.read_issuer(issuer, at).next_index for issuer in issuers}
    told = dict.fromkeys(issuers, 0)
    for batch in history:
        told[batch.key.issuer] += batch.size
    keys = {batch.key for batch in history}
    # Where the events account for every index, the contract has no other batch: no need to ask for what is only said.
    keys |= {key for key in wanted if told[key.issuer] < next_index[key.issuer]}
    records: dict[BatchKey, BatchRecord | None] = {
        key: chain.read_record(key.issuer, key.root, key.first, at) for key in sorted(keys)
    }
    return ChainView(
        chain_id=chain.chain_id,
        contract=chain.contract,
        code_hash=code_hash,
        block=at,
        history=history,
        records=records,
        next_index=next_index,
        words=_words(chain, next_index, at),
        told=_fold(events),
    )


def _events(chain: Chain, first_block: int, at: BlockRef) -> Iterator[ChainEvent]:
    for start in range(first_block, at.number + 1, _RANGE):
        yield from chain.read_events(start, min(start + _RANGE - 1, at.number))
    _check_block(chain, at)


def _check_block(chain: Chain, at: BlockRef) -> None:
    block = chain.block(at.number)
    if block is None or block.hash != at.hash:
        raise ChainUnreachable("The chain was reorganised while it was read. Run the audit again.")


def _words(chain: Chain, next_index: Mapping[bytes, int], at: BlockRef) -> dict[tuple[bytes, int], StatusWords]:
    found = {}
    for issuer, end in next_index.items():
        numbers = range(-(-end // ENTRIES_PER_WORD))
        for start in range(0, len(numbers), _WORDS):
            for number, words in chain.read_words(issuer, numbers[start : start + _WORDS], at).items():
                if words.revoked or words.suspended:
                    found[issuer, number] = words
    return found


def _fold(events: Iterable[ChainEvent]) -> dict[tuple[bytes, int], StatusWords]:
    revoked: dict[tuple[bytes, int], int] = {}
    suspended: dict[tuple[bytes, int], int] = {}
    for event in events:
        if isinstance(event, StatusRevoked):
            for word, mask in zip(event.words, event.masks, strict=True):
                revoked[event.issuer, word] = revoked.get((event.issuer, word), 0) | mask
        elif isinstance(event, SuspensionChanged):
            for word, set_, clear in zip(event.words, event.set_masks, event.clear_masks, strict=True):
                suspended[event.issuer, word] = (suspended.get((event.issuer, word), 0) | set_) & ~clear
    keys = revoked.keys() | suspended.keys()
    return {key: StatusWords(revoked.get(key, 0), suspended.get(key, 0)) for key in keys}


@dataclass
class Auditing:
    """One audit, made for one run. ``chains``: the nodes to ask; the first one counts, the others are compared with it.

    ``first_block``: where the contract was deployed. ``cross_check``: compute every root with merklelib as well.
    ``delay``: the seconds from validFrom to anchoring that the issuer declared.
    """

    chains: Sequence[NamedChain]
    materials: Sequence[Material] = ()
    bundles: Iterable[Path] = ()
    first_block: int = 0
    cross_check: bool = False
    delay: int | None = None
    _findings: list[Finding] = field(default_factory=list, init=False)
    _incomplete: list[str] = field(default_factory=list, init=False)
    _view: ChainView | None = field(default=None, init=False)
    _published: PublishedAudit | None = field(default=None, init=False)
    _bundle_count: int = field(default=0, init=False)

    def run(self, inside: Callable[[ChainView], Iterable[Finding]] | None = None) -> AuditReport:
        """Raises nothing that the chain or the material could cause: that stands in the report.

        ``inside`` audits what only the registry itself has, against the same view of the chain.
        """
        chain = self.chains[0].chain
        block = None
        try:
            # The chain before the material: what is published meanwhile can be recognised as newer.
            others = self._reachable()
            number = min([chain.head().number, *others.values()])
            block = chain.block(number)
            if block is None:
                raise ChainUnreachable(f"{self.chains[0].name} has no block {number}.")
            listings = self._listings()
            wanted = {batch.key for _, listing in listings for batch in listing.batches}
            self._view = view = read_chain(chain, block, self.first_block, wanted)
            self._findings += audit_chain(view)
            self._compare(view, wanted, [item for item in self.chains[1:] if item.name in others])
            for material, listing in listings:
                self._audit_published(view, material, listing)
            self._audit_bundles(view)
            if inside is not None:
                self._findings += inside(view)
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

    def _listings(self) -> list[tuple[Material, Listing]]:
        found = []
        for material in self.materials:
            try:
                listing = material.listing()
            except MaterialUnavailable as error:
                self._incomplete.append(str(error))
            except MaterialMalformed as error:
                self._malformed(material, error)
            else:
                found.append((material, listing))
        return found

    def _malformed(self, material: Material, error: MaterialMalformed, key: BatchKey | None = None) -> None:
        where = Where(source=material.name) if key is None else Where.batch(key, source=material.name)
        self._findings.append(find("material_malformed", "material as documented", short(str(error), 300), where))

    def _compare(self, view: ChainView, wanted: Iterable[BatchKey], others: Iterable[NamedChain]) -> None:
        for item in others:
            try:
                at = item.chain.block(view.block.number)
                if at is None:
                    raise ChainUnreachable(f"it has no block {view.block.number}")
                other = read_chain(item.chain, at, self.first_block, wanted)
            except WrongContract as error:
                where = Where(source=item.name)
                self._findings.append(find("nodes_disagree", "the same contract of every node", str(error), where))
            except ChainError as error:
                self._incomplete.append(f"{item.name} could not be compared: {error}")
            else:
                self._findings += compare_nodes(view, other, item.name)

    def _audit_published(self, view: ChainView, material: Material, listing: Listing) -> None:
        if (listing.chain_id, listing.contract) != (view.chain_id, view.contract):
            expected = f"{chain_text(view.chain_id)}, {hex_text(view.contract)}"
            observed = f"{chain_text(listing.chain_id)}, {hex_text(listing.contract)}"
            self._findings.append(find("other_chain", expected, observed, Where(source=material.name)))
            return
        audit = PublishedAudit(view, material.name)
        self._published = self._published or audit
        on_chain = view.batches()
        later = 0
        for batch in [*listing.batches, *_placed(listing, view)]:
            record = on_chain.get(batch.key)
            if record is None and batch.claimed and later < _LATER:
                later += 1
                if self._is_newer(batch.key, view):
                    continue
            leaves = None if record is None else self._leaves(material, batch.key, record.size)
            if isinstance(leaves, MaterialMalformed):
                audit.add_unread(batch)
                self._malformed(material, leaves, batch.key)
            elif isinstance(leaves, MaterialUnavailable):
                audit.add_unread(batch)
                self._incomplete.append(str(leaves))
            else:
                self._findings += audit.add(batch, leaves)
                if self.cross_check and audit.leaves_of(batch.key) is not None:
                    self._cross_check(batch.key, leaves or b"", material)
        self._findings += audit.finish()

    def _leaves(
        self, material: Material, key: BatchKey, size: int
    ) -> bytes | MaterialMalformed | MaterialUnavailable | None:
        try:
            return material.leaves(key, size)
        except (MaterialMalformed, MaterialUnavailable) as error:
            return error

    def _is_newer(self, key: BatchKey, view: ChainView) -> bool:
        """Whether a batch was anchored behind the audited block: it is the next audit's."""
        record = self.chains[0].chain.read_record(key.issuer, key.root, key.first)
        return record is not None and record.block_number > view.block.number

    def _cross_check(self, key: BatchKey, leaves: bytes, material: Material) -> None:
        """About 6 µs and 500 bytes a leaf, so it is not done unless asked for."""
        root = merklelib_root([leaves[at : at + HASH_BYTES] for at in range(0, len(leaves), HASH_BYTES)])
        if root != key.root:
            where = Where.batch(key, source=material.name)
            self._findings.append(find("oracle_disagrees", f"root {key.root.hex()}", f"root {root.hex()}", where))

    def _audit_bundles(self, view: ChainView) -> None:
        leaves_of = self._published.leaves_of if self._published else lambda _: None
        audit = CredentialAudit(view, leaves_of, self.delay)
        for path in self.bundles:
            where = Where(source=path.name)
            try:
                with path.open("rb") as file:
                    bundle = parse_bundle(file.read(MAX_BUNDLE_BYTES + 1))
            except OSError as error:
                self._incomplete.append(f"{path.name} cannot be read: {error.strerror}.")
            except InputError as error:
                self._findings.append(find("credential_unreadable", "a bundle", short(str(error), 300), where))
            else:
                self._bundle_count += 1
                self._findings += audit.add(bundle, path.name)

    def _report(self, block: BlockRef | None) -> AuditReport:
        chain, view, published = self.chains[0].chain, self._view, self._published
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
            bundles=self._bundle_count,
            findings=tuple(in_order(self._findings)),
            incomplete=tuple(dict.fromkeys(self._incomplete)),
        )


def _placed(listing: Listing, view: ChainView) -> Iterator[PublishedBatch]:
    """Batches that the registry has not seen on chain yet, where the chain has them already."""
    known = {(key.root, key.first, record.size): key for key, record in view.batches().items()}
    for item in listing.unplaced:
        key = known.get((item.root, item.first, item.size))
        if key is not None:
            yield PublishedBatch(key, item.size, claimed=False)
