"""Auditing what a node shows of the contract: its state against its history, and against the contract's own rules."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.model import BatchRecord, BlockRef, StatusWords
from registry.core.notation import hex_text
from registry.core.status import ENTRIES_PER_WORD

__all__ = ["AnchoredBatch", "ChainView", "Claim", "audit_chain", "compare_nodes", "located"]


@dataclass(frozen=True, slots=True)
class AnchoredBatch:
    """A batch as the history tells it (the event ``BatchAnchored``)."""

    key: BatchKey
    size: int
    block_number: int
    block_hash: bytes
    transaction: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """A DID document that an issuer's address claimed (the event ``DidClaimed``)."""

    issuer: bytes
    did: str
    document_hash: bytes
    claimed_at: int


@dataclass(frozen=True, slots=True)
class ChainView:
    """All that an audit reads of the contract, at one block of one node.

    ``records``: the state's record of every batch that the history or the material names, None where there is none.
    ``words`` are the state's status words, ``told`` those that the history adds up to, by (issuer, word number); words
    that are not named are 0. ``revocations``: block numbers and how many bits were set anew in them, by the history.
    ``changes``: each word after each block that touched it, in order; ``voided_in``: the block that voided a batch.
    """

    chain_id: int
    contract: bytes
    code_hash: bytes
    block: BlockRef
    history: tuple[AnchoredBatch, ...]
    records: Mapping[BatchKey, BatchRecord | None]
    next_index: Mapping[bytes, int]
    words: Mapping[tuple[bytes, int], StatusWords] = field(default_factory=dict)
    told: Mapping[tuple[bytes, int], StatusWords] = field(default_factory=dict)
    revocations: tuple[tuple[int, int], ...] = ()
    changes: Mapping[tuple[bytes, int], Sequence[tuple[int, StatusWords]]] = field(default_factory=dict)
    voided_in: Mapping[BatchKey, int] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()

    def batches(self) -> dict[BatchKey, BatchRecord]:
        """The batches that the contract has."""
        return {key: record for key, record in self.records.items() if record is not None}

    def status(self, issuer: bytes, index: int) -> tuple[bool, bool]:
        """The bits (revoked, suspended) of one index, by the state."""
        words = self.words.get((issuer, index // ENTRIES_PER_WORD), StatusWords(0, 0))
        bit = index % ENTRIES_PER_WORD
        return bool(words.revoked >> bit & 1), bool(words.suspended >> bit & 1)


def located(findings: Iterable[Finding], view: ChainView) -> Iterator[Finding]:
    """Findings about a batch, with the transaction and block that anchored it where the history tells them."""
    told = {batch.key: batch for batch in view.history}
    for finding in findings:
        where = finding.where
        if where.issuer is not None and where.root is not None and where.first is not None and not where.transaction:
            batch = told.get(BatchKey(where.issuer, where.first, where.root))
            if batch is not None:
                place = replace(where, transaction=batch.transaction, block_number=batch.block_number)
                finding = replace(finding, where=place)  # noqa: PLW2901 - the same one, better described
        yield finding


def audit_chain(view: ChainView, code_hash: bytes | None = None) -> list[Finding]:
    """``code_hash``: the keccak-256 that the contract's code should have, if one is expected."""
    findings = []
    if code_hash is not None and view.code_hash != code_hash:
        where = Where(source=f"contract {hex_text(view.contract)}")
        findings.append(find("code_hash_differs", hex_text(code_hash), hex_text(view.code_hash), where))
    findings += _audit_history(view)
    incomplete = set()
    for issuer, next_index in sorted(view.next_index.items()):
        findings += _audit_sequence(view, issuer, next_index)
        told = sum(batch.size for batch in view.history if batch.key.issuer == issuer)
        if told < next_index:
            incomplete.add(issuer)
            where = Where(issuer=issuer)
            findings.append(find("history_incomplete", f"{next_index} indexes", f"{told} in events", where))
    findings += _audit_words(view, incomplete)
    return findings


def _audit_history(view: ChainView) -> Iterable[Finding]:
    for batch in view.history:
        record = view.records.get(batch.key)
        where = Where.batch(batch.key, transaction=batch.transaction, block_number=batch.block_number)
        if record is None:
            yield find("record_missing", f"a record of {batch.size} leaves", "none", where)
        elif (record.size, record.block_number) != (batch.size, batch.block_number):
            expected = f"{batch.size} leaves in block {batch.block_number}, by the event"
            observed = f"{record.size} leaves in block {record.block_number}, by the state"
            yield find("record_differs", expected, observed, where)


def _audit_sequence(view: ChainView, issuer: bytes, next_index: int) -> Iterable[Finding]:
    """The issuer's batches have to cover 0 to next_index, each index once."""
    reached = 0
    for key, record in sorted((key, record) for key, record in view.batches().items() if key.issuer == issuer):
        if key.first > reached:
            yield _gap(issuer, reached, key.first)
        elif key.first < reached:
            yield find("sequence_overlap", f"a batch from {reached} on", f"one from {key.first} on", Where.batch(key))
        reached = max(reached, key.first + record.size)
    if reached < next_index:
        yield _gap(issuer, reached, next_index)
    elif reached > next_index:
        where = Where(issuer=issuer, index=next_index)
        yield find("sequence_overlap", f"batches up to {next_index}", f"batches up to {reached}", where)


def _gap(issuer: bytes, start: int, end: int) -> Finding:
    return find("sequence_gap", f"a batch with the indexes {start} to {end - 1}", "none", Where(issuer, index=start))


def _audit_words(view: ChainView, incomplete: set[bytes]) -> Iterable[Finding]:
    """One finding for each word at most. With an incomplete history, bits without an event prove nothing."""
    none = StatusWords(0, 0)
    for issuer, number in sorted(view.words.keys() | view.told.keys()):
        state, told = view.words.get((issuer, number), none), view.told.get((issuer, number), none)
        where = Where(issuer, index=number * ENTRIES_PER_WORD)
        undone = told.revoked & ~state.revoked
        if undone:
            index = number * ENTRIES_PER_WORD + (undone & -undone).bit_length() - 1
            observed = f"{undone.bit_count()} clear, the first at index {index}"
            yield find("revocation_undone", "revocation bits that stay set", observed, Where(issuer, index=index))
        elif state != told and issuer not in incomplete:
            expected = f"revoked {told.revoked:#x}, suspended {told.suspended:#x}, by the events"
            observed = f"revoked {state.revoked:#x}, suspended {state.suspended:#x}, by the state"
            yield find("status_differs", expected, observed, where)


def compare_nodes(view: ChainView, other: ChainView, name: str) -> list[Finding]:
    """What a second node shows otherwise; both views were read at the same block number. ``name``: the second node.

    A node that has thrown away the oldest events contradicts nobody; one that has an older event than it lacks does.
    """
    where = Where(block_number=view.block.number, source=name)
    pairs = (
        ("chain id", view.chain_id, other.chain_id),
        ("block hash", hex_text(view.block.hash), hex_text(other.block.hash)),
        ("code hash", hex_text(view.code_hash), hex_text(other.code_hash)),
    )
    findings = [
        find("nodes_disagree", f"{what} {ours}", f"{what} {theirs}", where)
        for what, ours, theirs in pairs
        if ours != theirs
    ]
    places: dict[bytes, list[str]] = defaultdict(list)
    for issuer in sorted(view.next_index.keys() | other.next_index.keys()):
        if view.next_index.get(issuer, 0) != other.next_index.get(issuer, 0):
            places[issuer].append("next index")
    events = {batch.key: batch for batch in view.history}
    others = {batch.key: batch for batch in other.history}
    pruned, here = _pruned(events, others), _pruned(others, events)
    if pruned:
        observed = f"{len(others)} of {len(events)} batches in events"
        findings.append(find("history_incomplete", "the events that the first node has", observed, where))
    for what, ours, theirs, unknown in (
        ("records", view.batches(), other.batches(), here - view.records.keys()),
        ("events", events, others, pruned | here),
    ):
        for key in sorted((ours.keys() | theirs.keys()) - unknown):
            if ours.get(key) != theirs.get(key):
                places[key.issuer].append(f"{what} from index {key.first} on")
    for issuer, number in sorted(view.words.keys() | other.words.keys()):
        none = StatusWords(0, 0)
        if view.words.get((issuer, number), none) != other.words.get((issuer, number), none):
            places[issuer].append(f"status word {number}")
    for issuer, names in places.items():
        observed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        findings.append(
            find("nodes_disagree", "the same of every node", f"different: {observed}", Where(issuer, source=name))
        )
    return findings


def _pruned(events: Mapping[BatchKey, AnchoredBatch], others: Mapping[BatchKey, AnchoredBatch]) -> set[BatchKey]:
    """What is missing in ``others`` as it is older than all that they have; empty if newer ones are missing as well."""
    missing = {key: batch.block_number for key, batch in events.items() if key not in others}
    oldest = min((batch.block_number for batch in others.values()), default=None)
    if oldest is not None and any(number >= oldest for number in missing.values()):
        return set()
    return set(missing)
