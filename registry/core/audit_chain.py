"""Auditing what a node shows of the contract: its state against its history, and against the contract's own rules."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.model import Anchor, BatchRecord, BlockRef, StatusWords
from registry.core.notation import hex_text, moment_text, short
from registry.core.status import ENTRIES_PER_WORD

__all__ = [
    "AnchoredBatch", "ChainView", "Claim", "audit_chain", "located", "misplaced", "pruned_history", "unknown_batches",
]  # fmt: skip

_SHOWN = 100  # words of one issuer that are named one by one


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
    ``blocks``: those that the history names, by number, as far as the node was asked for them and has them.
    ``claimed``: since when a claim that the history tells of stands in the state, 0 if it does not. ``unread``: issuers
    of whom only those words were read that an event touched. ``first_event``: the first block of which the node shows
    an event of the contract, whatever it is; what nodes prune lies before it.
    ``since``: the first block of which it says that it still has events; None: it does not say that it gave any up.
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
    blocks: Mapping[int, BlockRef] = field(default_factory=dict)
    claimed: Mapping[Claim, int] = field(default_factory=dict)
    unread: tuple[bytes, ...] = ()
    first_event: int | None = None
    since: int | None = None

    def batches(self) -> dict[BatchKey, BatchRecord]:
        """The batches that the contract has."""
        return {key: record for key, record in self.records.items() if record is not None}

    def incomplete(self) -> set[bytes]:
        """Issuers of whom the history does not tell all: batches are missing, or the node says that it gave it up."""
        return set(self.next_index) if self.since is not None else self.untold()

    def untold(self) -> set[bytes]:
        """Issuers of whose batches the history does not tell all."""
        told = dict.fromkeys(self.next_index, 0)
        for batch in {batch.key: batch for batch in self.history}.values():
            told[batch.key.issuer] = told.get(batch.key.issuer, 0) + batch.size
        return {issuer for issuer, next_index in self.next_index.items() if told[issuer] < next_index}

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
                place = structs.replace(where, transaction=batch.transaction, block_number=batch.block_number)
                finding = replace(finding, where=place)  # noqa: PLW2901 - the same one, better described
        yield finding


def misplaced(anchor: Anchor, record: BatchRecord, told: AnchoredBatch | None) -> Iterator[tuple[str, str]]:
    """What somebody says otherwise of an anchor than the chain: expected and observed. ``told``: None where the node no
    longer has the event.
    """
    if anchor.anchored_at != record.anchored_at:
        yield f"anchored at {moment_text(record.anchored_at)}", f"anchored at {moment_text(anchor.anchored_at)}"
    if told is None:
        return
    ours = (told.transaction, told.block_number, told.block_hash)
    if (anchor.transaction, anchor.block_number, anchor.block_hash) != ours:
        expected = f"transaction {hex_text(told.transaction)} in block {told.block_number}"
        observed = f"transaction {hex_text(anchor.transaction)} in block {anchor.block_number}"
        if anchor.block_hash != told.block_hash:
            expected += f" ({hex_text(told.block_hash)})"
            observed += f" ({hex_text(anchor.block_hash)})"
        yield expected, observed


def audit_chain(
    view: ChainView, code_hash: bytes | None = None, published: Collection[bytes] | None = None
) -> list[Finding]:
    """``code_hash``: the keccak-256 that the contract's code should have, if one is expected. ``published``: issuers
    whose batches are all published somewhere, so that they can be known without events; None: all.
    """
    findings = []
    if code_hash is not None and view.code_hash != code_hash:
        where = Where(source=f"contract {hex_text(view.contract)}")
        findings.append(find("code_hash_differs", hex_text(code_hash), hex_text(view.code_hash), where))
    incomplete, untold = view.incomplete(), view.untold()
    if view.since is not None:
        findings.append(pruned_history(view, None))
    findings += _audit_history(view)
    findings += _audit_voids(view, incomplete)
    for issuer, next_index in sorted(view.next_index.items()):
        findings += _audit_sequence(
            view, issuer, next_index, unpublished=published is not None and issuer not in published
        )
        if issuer in untold:
            told = sum(batch.size for batch in view.history if batch.key.issuer == issuer)
            findings.append(find("history_incomplete", f"{next_index} indexes", f"{told} in events", Where(issuer)))
    findings += _audit_words(view, incomplete)
    findings += _audit_claims(view)
    return findings


def pruned_history(view: ChainView, source: str | None) -> Finding:
    """What a node says by itself. ``source``: the node, where it is not the first one."""
    return find("history_incomplete", "all events", f"those since block {view.since}", Where(source=source))


def unknown_batches(view: ChainView, issuers: Collection[bytes]) -> Iterator[tuple[bytes, int]]:
    """Of these issuers, those whose first batches are not known because the node gave up their events; and up to which
    index.
    """
    for issuer in sorted(issuers) if view.since is not None else ():
        firsts = [key.first for key in view.batches() if key.issuer == issuer]
        end = min(firsts, default=view.next_index.get(issuer, 0))
        if end:
            yield issuer, end


def _audit_history(view: ChainView) -> Iterable[Finding]:
    told: dict[BatchKey, AnchoredBatch] = {}
    for batch in view.history:
        record = view.records.get(batch.key)
        where = Where.batch(batch.key, transaction=batch.transaction, block_number=batch.block_number)
        if batch.key in told:
            expected = f"one event, in block {told[batch.key].block_number}"
            yield find("record_differs", expected, f"another one in block {batch.block_number}", where)
            continue
        told[batch.key] = batch
        if record is None:
            yield find("record_missing", f"a record of {batch.size} leaves", "none", where)
        elif (record.size, record.block_number) != (batch.size, batch.block_number):
            expected = f"{batch.size} leaves in block {batch.block_number}, by the event"
            observed = f"{record.size} leaves in block {record.block_number}, by the state"
            yield find("record_differs", expected, observed, where)
        elif (block := view.blocks.get(batch.block_number)) is not None:
            yield from _audit_block(batch, record, block, where)
    first = view.first_event
    for key, record in sorted(view.batches().items(), key=lambda item: item[0]):
        if key not in told and first is not None and record.block_number > first:
            where = Where.batch(key, block_number=record.block_number)
            expected = f"an event in block {record.block_number}: the node has events since block {first}"
            yield find("record_differs", expected, "none", where)


def _audit_block(batch: AnchoredBatch, record: BatchRecord, block: BlockRef, where: Where) -> Iterable[Finding]:
    """The event, the record and the block are three things that a node says of one anchor."""
    if block.hash != batch.block_hash:
        observed = f"one in the block {hex_text(batch.block_hash)} of that number"
        yield find("record_differs", f"an event in the block {hex_text(block.hash)}", observed, where)
    if block.timestamp != record.anchored_at:
        expected = f"anchored at {block.timestamp} (Unix time), when block {block.number} was made"
        yield find("record_differs", expected, f"anchored at {record.anchored_at}, by the state", where)


def _audit_voids(view: ChainView, incomplete: set[bytes]) -> Iterable[Finding]:
    """What voided whole batches, by the events and by the state."""
    for key, number in sorted(view.voided_in.items()):
        record, where = view.records.get(key), Where.batch(key, block_number=number)
        block = view.blocks.get(number)
        if record is None:
            if not any(batch.key == key for batch in view.history):  # else it is found missing already
                yield find("record_missing", f"a record of the batch that was voided in block {number}", "none", where)
        elif not record.revoked_at:
            expected = f"a batch that is voided since block {number}, by the event"
            yield find("revocation_undone", expected, "not voided, by the state", where)
        elif block is not None and block.timestamp != record.revoked_at:
            expected = f"voided at {block.timestamp} (Unix time), when block {number} was made"
            yield find("status_differs", expected, f"voided at {record.revoked_at}, by the state", where)
    for key, record in sorted(view.batches().items(), key=lambda item: item[0]):
        if record.revoked_at and key not in view.voided_in and key.issuer not in incomplete:
            observed = f"voided at {record.revoked_at} (Unix time), by the state"
            yield find("status_differs", "a batch that nothing voided, by the events", observed, Where.batch(key))


def _audit_claims(view: ChainView) -> Iterable[Finding]:
    for claim, since in view.claimed.items():
        if since != claim.claimed_at:
            expected = f"{short(claim.did, 200)} with {claim.document_hash.hex()} claimed at {claim.claimed_at}"
            observed = f"claimed at {since}, by the state" if since else "never claimed, by the state"
            yield find("claim_differs", f"{expected} (Unix time), by the event", observed, Where(claim.issuer))


def _audit_sequence(view: ChainView, issuer: bytes, next_index: int, *, unpublished: bool) -> Iterable[Finding]:
    """The issuer's batches have to cover 0 to next_index, each index once; but for the first ones where only events
    tell of them, and the node has given those up.
    """
    reached = dict(unknown_batches(view, [issuer])).get(issuer, 0) if unpublished else 0
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
    """One finding for each word, up to a limit. With an incomplete history, bits without an event prove nothing."""
    none = StatusWords(0, 0)
    found: dict[tuple[str, bytes], list[Finding]] = {}
    for issuer, number in sorted(view.words.keys() | view.told.keys()):
        state, told = view.words.get((issuer, number), none), view.told.get((issuer, number), none)
        undone = told.revoked & ~state.revoked
        if undone:
            index = number * ENTRIES_PER_WORD + (undone & -undone).bit_length() - 1
            observed = f"{undone.bit_count()} clear, the first at index {index}"
            finding = find("revocation_undone", "revocation bits that stay set", observed, Where(issuer, index=index))
        elif state != told and issuer not in incomplete:
            expected = f"revoked {told.revoked:#x}, suspended {told.suspended:#x}, by the events"
            observed = f"revoked {state.revoked:#x}, suspended {state.suspended:#x}, by the state"
            where = Where(issuer, index=number * ENTRIES_PER_WORD)
            finding = find("status_differs", expected, observed, where)
        else:
            continue
        found.setdefault((finding.code, issuer), []).append(finding)
    for (code, issuer), findings in found.items():
        yield from findings[:_SHOWN]
        if len(findings) > _SHOWN:
            where = Where(issuer, index=findings[_SHOWN].where.index)
            yield find(code, findings[0].expected, f"{len(findings) - _SHOWN} more words that differ", where)
