"""Auditing a registry's own tables against the chain: rows against the leaves that were anchored."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from registry.core import leaf as leaves
from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import AnchoredBatch, ChainView
from registry.core.audit_published import packed_root
from registry.core.errors import ProofError
from registry.core.merkle import HASH_BYTES
from registry.core.model import StatusWords
from registry.core.notation import hex_text
from registry.core.status import ENTRIES_PER_WORD, word_and_mask

__all__ = [
    "Lookups", "OwnWords", "StoredBatch", "StoredCredential", "StoredStatus", "audit_erasures", "audit_rows",
    "audit_statuses", "audit_stored_batches",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch as the database has it; block and transaction are None where it does not say."""

    key: BatchKey
    size: int
    anchored: bool
    transaction: bytes | None
    block_number: int | None
    block_hash: bytes | None


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A row; ``name`` is the registry's own id. ``erased``: the row says erased or withdrawn."""

    name: str
    index: int
    erased: bool
    content: bytes | None
    salt: bytes | None


@dataclass(frozen=True, slots=True)
class StoredStatus:
    """What the database shows as final of one index; None where something is under way, or nobody ever asked.

    ``by``: the block at which the suspension, or its end, was final.
    """

    issuer: bytes
    index: int
    revoked: bool | None
    suspended: bool | None
    by: int | None = None


@dataclass(frozen=True, slots=True)
class OwnWords:
    """By (issuer, word number): ``followed`` is what the database read of the chain, ``unasked`` the bits in its own
    calls that no request of its asked for: set or, for suspensions, set or cleared.
    """

    followed: Mapping[tuple[bytes, int], StatusWords] = field(default_factory=dict)
    unasked: Mapping[tuple[bytes, int], StatusWords] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lookups:
    """What only the chain can tell of a batch that is not where the database says.

    ``block_hash``: the hash of the chain's own block of that number, None if it has none (any more). ``succeeded``:
    whether a transaction is in a block, and was carried out.
    """

    block_hash: Callable[[int], bytes | None]
    succeeded: Callable[[bytes], bool]


def audit_stored_batches(
    view: ChainView,
    stored: Iterable[StoredBatch],
    issuers: Iterable[bytes],
    lookups: Lookups | None = None,
) -> Iterator[Finding]:
    """``issuers``: the addresses that this database issues for; batches of others are no matter of it.

    ``lookups`` is asked only about batches with which something is wrong.
    """
    lookups = lookups or Lookups(lambda _: None, lambda _: False)
    on_chain = view.batches()
    by_first = {(key.issuer, key.first): key for key in on_chain}
    told = {batch.key: batch for batch in view.history}
    known = set()
    ours = frozenset(issuers)
    for batch in stored:
        key = batch.key
        known.add(key)
        where = Where.batch(key, transaction=batch.transaction, block_number=batch.block_number)
        record = on_chain.get(key)
        if record is None:
            other = by_first.get((key.issuer, key.first))
            if other is not None:
                known.add(other)
                yield find("batch_other_root", f"root {other.root.hex()}", f"root {key.root.hex()}", where)
            elif batch.anchored:
                yield _lost(batch, where, lookups)
            continue
        if record.size != batch.size:
            yield find("batch_other_root", f"{record.size} leaves", f"{batch.size} leaves", where)
        event = told.get(key)
        if event is not None and batch.anchored:
            yield from _location(batch, event, where, lookups)
    for key in sorted(on_chain.keys() - known):
        if key.issuer in ours:
            code = "foreign_batch_voided" if on_chain[key].revoked_at else "foreign_batch"
            yield find(code, "a batch of this database", "none", Where.batch(key))


def _lost(batch: StoredBatch, where: Where, lookups: Lookups) -> Finding:
    """A batch without a record: why, as far as the chain can tell."""
    if _is_orphaned(batch, lookups):
        return find("anchor_orphaned", "a block of the chain", _block(batch), where)
    if batch.transaction is not None and lookups.succeeded(batch.transaction):
        observed = f"{hex_text(batch.transaction)}, which did not"
        return find("anchor_transaction_elsewhere", "a transaction that anchored the batch here", observed, where)
    return find("anchor_lost", "a record in the contract", "none", where)


def _location(batch: StoredBatch, event: AnchoredBatch, where: Where, lookups: Lookups) -> Iterator[Finding]:
    """A batch with a record: whether the database knows where it was anchored."""
    if batch.block_hash not in (None, event.block_hash) and _is_orphaned(batch, lookups):
        expected = f"block {event.block_number} ({hex_text(event.block_hash)})"
        yield find("anchor_orphaned", expected, _block(batch), where)
        return
    for what, ours, theirs in (
        ("transaction", batch.transaction, event.transaction),
        ("block hash", batch.block_hash, event.block_hash),
    ):
        if ours is not None and ours != theirs:
            expected, observed = f"{what} {hex_text(theirs)}", f"{what} {hex_text(ours)}"
            yield find("anchor_location_differs", expected, observed, where)
    if batch.block_number not in (None, event.block_number):
        expected, observed = f"block {event.block_number}", f"block {batch.block_number}"
        yield find("anchor_location_differs", expected, observed, where)


def _is_orphaned(batch: StoredBatch, lookups: Lookups) -> bool:
    if batch.block_hash is None or batch.block_number is None:
        return False
    canonical = lookups.block_hash(batch.block_number)
    return canonical is not None and canonical != batch.block_hash


def _block(batch: StoredBatch) -> str:
    return f"block {batch.block_number} ({hex_text(batch.block_hash or b'')}), which the chain does not have"


def audit_erasures(stored: Iterable[tuple[BatchKey, int]], declared: Mapping[BatchKey, int]) -> Iterator[Finding]:
    """``stored``: how many credentials of each batch are withdrawn or erased; ``declared``: how many it was said."""
    for key, count in stored:
        said = declared.get(key)
        if said is not None and count > said:
            expected, observed = f"{said} erased, as published", f"{count} erased, in the database"
            yield find("erased_undeclared", expected, observed, Where.batch(key))


def audit_rows(
    key: BatchKey, size: int, stored_leaves: bytes | None, rows: Iterable[StoredCredential]
) -> Iterator[Finding]:
    """One batch: the rows that the database counts to it, in any order, against the leaves that hash to its root.

    Leaves that do not are named; what the rows should be is then not known, and nothing is said of their content.
    """
    packed = stored_leaves or b""
    trusted = len(packed) == size * HASH_BYTES and packed_root(packed) == key.root
    if not trusted:
        observed = "none" if stored_leaves is None else f"{len(stored_leaves) // HASH_BYTES} others"
        yield find("stored_leaves_differ", f"{size} leaves with the root {key.root.hex()}", observed, Where.batch(key))
    filled = bytearray(size)
    for row in rows:
        where = Where.batch(key, index=row.index, source=f"row {row.name}")
        position = row.index - key.first
        if 0 <= position < size:
            filled[position] = 1
        if row.erased:
            if row.content is not None or row.salt is not None:
                yield find("erasure_incomplete", "neither content nor salt", "content or salt", where)
            continue
        if row.content is None or row.salt is None:
            yield find("erased_without_tombstone", "content and salt, or a tombstone", "neither", where)
            continue
        if not trusted:
            continue
        try:
            leaf_hash = leaves.leaf_hash(leaves.commit(row.salt, leaves.digest(row.content)))
        except ProofError as error:
            yield find("row_changed", "the leaf that was anchored", str(error), where)
            continue
        anchored = packed[position * HASH_BYTES : (position + 1) * HASH_BYTES] if 0 <= position < size else b""
        if leaf_hash == anchored:
            continue
        at = _position(packed, leaf_hash)
        if at is not None:
            yield find("row_index_changed", f"index {key.first + at}", f"index {row.index}", where)
        elif not anchored:
            expected = f"an index from {key.first} to {key.first + size - 1}"
            yield find("row_index_changed", expected, f"index {row.index}", where)
        else:
            yield find("row_changed", f"leaf {anchored.hex()}", f"leaf {leaf_hash.hex()}", where)
    missing = filled.count(0)
    if missing:
        where = Where.batch(key, index=key.first + filled.index(0))
        yield find("row_missing", f"{size} rows", f"{missing} places without a row", where)


def audit_statuses(
    view: ChainView, stored: Iterable[StoredStatus], issuers: Iterable[bytes], own: OwnWords | None = None
) -> Iterator[Finding]:
    """``stored``: every index for which the database shows something; ``issuers``: for whom it issues."""
    own = own or OwnWords()
    known: set[tuple[bytes, int]] = set()
    for item in stored:
        known.add((item.issuer, item.index))
        revoked, suspended = view.status(item.issuer, item.index)
        where = Where(item.issuer, index=item.index)
        for name, ours, theirs in (("revoked", item.revoked, revoked), ("suspended", item.suspended, suspended)):
            if ours is None or ours == theirs:
                continue
            if (ours and name == "revoked") or (name == "suspended" and not _was_suspended(view, item)):
                code = "status_not_on_chain"
            else:
                code = _past_the_registry(view, own, item.issuer, item.index)
            not_ours, not_theirs = "" if ours else "not ", "" if theirs else "not "
            yield find(code, f"{not_theirs}{name}, by the chain", f"{not_ours}{name}, by the database", where)
    ours_only = frozenset(issuers)
    for (issuer, number), words in sorted(view.words.items()):
        if issuer not in ours_only:
            continue
        bits = words.revoked | words.suspended
        while bits:
            index = number * ENTRIES_PER_WORD + (bits & -bits).bit_length() - 1
            bits &= bits - 1
            if (issuer, index) not in known:
                where = Where(issuer, index=index)
                code = _past_the_registry(view, own, issuer, index)
                yield find(code, "a request in the database", "none, and a bit on chain", where)


def _was_suspended(view: ChainView, item: StoredStatus) -> bool:
    """Whether the chain had the suspension as the database shows it, by the block at which that was final."""
    number, mask = word_and_mask(item.index)
    states = [
        state for at, state in view.changes.get((item.issuer, number), ()) if item.by is not None and at <= item.by
    ]
    return any(bool(state.suspended & mask) == item.suspended for state in states)


def _past_the_registry(view: ChainView, own: OwnWords, issuer: bytes, index: int) -> str:
    """What to call a status of which no request is left: set past the registry, which has read of it, or lost."""
    number, mask = word_and_mask(index)
    none = StatusWords(0, 0)
    chain, followed, unasked = (words.get((issuer, number), none) for words in (view.words, own.followed, own.unasked))
    differs = (chain.revoked ^ followed.revoked) | (chain.suspended ^ followed.suspended)
    asked_by_nobody = unasked.revoked | unasked.suspended
    return "status_not_recorded" if (differs | asked_by_nobody) & mask else "status_set_elsewhere"


def _position(packed: bytes, leaf_hash: bytes) -> int | None:
    at = packed.find(leaf_hash)
    while at >= 0 and at % HASH_BYTES:
        at = packed.find(leaf_hash, at + 1)
    return at // HASH_BYTES if at >= 0 else None
