"""Auditing a registry's own tables against the chain: its batches and its issuers.

Beside it: ``audit_rows``, ``audit_requests``, ``audit_copies``.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import AnchoredBatch, ChainView, Claim
from registry.core.model import BatchRecord
from registry.core.notation import hex_text, short

__all__ = [
    "Lookups", "StoredBatch", "StoredIssuer", "anchored_as", "audit_erasures", "audit_stored_batches",
    "audit_stored_issuers",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch as the database has it; what it does not say is None.

    ``anchored``: whether it says that the batch is on chain; ``final``: that this is for good, and where it was.
    """

    key: BatchKey
    size: int
    anchored: bool
    transaction: bytes | None
    block_number: int | None
    block_hash: bytes | None
    anchored_at: int | None = None
    final: bool = False

    @property
    def names_place(self) -> bool:
        """Whether it says when or where it was anchored, which one that waits never does."""
        return any(
            item is not None for item in (self.transaction, self.block_number, self.block_hash, self.anchored_at)
        )


@dataclass(frozen=True, slots=True)
class StoredIssuer:
    """``next_index``: the first index that is still to be given out. ``reached``: up to where its batches go.
    ``anchors``: an address of nobody here that anchored batches of it, if there is one. ``mixed_up``: what else of the
    row contradicts its calls or its credentials: what is expected, what is there.
    """

    address: bytes
    did: str
    next_index: int
    reached: int
    anchors: bytes | None = None
    mixed_up: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Lookups:
    """What only the chain can tell of a batch that is not where the database says.

    ``block_hash``: the hash of the chain's own block of that number, None if it has none (any more). ``succeeded``:
    whether a transaction is in a block, and was carried out. ``status``: the bits (revoked, suspended) of an index now,
    behind the audited block. ``claimed_at``: since when a claim stands in the contract's state, 0 if it does not.
    ``next_index``: an issuer's, now.
    """

    block_hash: Callable[[int], bytes | None]
    succeeded: Callable[[bytes], bool]
    status: Callable[[bytes, int], tuple[bool, bool]] = lambda _issuer, _index: (False, False)
    claimed_at: Callable[[Claim], int] = lambda _claim: 0
    next_index: Callable[[bytes], int] = lambda _issuer: 0


def anchored_as(view: ChainView, stored: Sequence[StoredBatch]) -> dict[BatchKey, BatchKey]:
    """Batches whose leaves were anchored, with another first index or for another issuer than the database says; each
    with what it is on chain, which the database has under no other name.
    """
    on_chain, named = view.batches(), {batch.key for batch in stored}
    free: dict[tuple[bytes, int], list[BatchKey]] = defaultdict(list)
    for key, record in sorted(on_chain.items()):
        if key not in named:
            free[key.root, record.size].append(key)
    found = {}
    for batch in stored:
        ours = batch.key
        if batch.anchored and ours not in on_chain:
            like = [key for key in free[ours.root, batch.size] if key.issuer == ours.issuer or key.first == ours.first]
            if like:
                found[ours] = min(like, key=lambda key: key.issuer != ours.issuer)
    return found


def audit_stored_batches(
    view: ChainView,
    stored: Sequence[StoredBatch],
    issuers: Iterable[bytes],
    lookups: Lookups | None = None,
    settled: int = 0,
    *,
    behind: bool = False,
) -> Iterator[Finding]:
    """``issuers``: the addresses that this database issues for; batches of others are no matter of it. ``settled``: the
    registry has seen to all that was anchored by then (Unix time); a batch that still waits was made to. ``behind``:
    the chain was reorganised a moment ago, which the registry will see: of what is not final nothing is alleged yet.

    ``lookups`` is asked only about batches with which something is wrong. What stands for another issuer because of
    the issuer's own row is ``audit_stored_issuers``' matter.
    """
    lookups = lookups or Lookups(lambda _: None, lambda _: False)
    elsewhere = anchored_as(view, stored)
    on_chain = view.batches()
    by_first = {(key.issuer, key.first): key for key in on_chain}
    told = {batch.key: batch for batch in view.history}
    anchoring = {batch.transaction for batch in view.history}
    known = set()
    ours = frozenset(issuers)
    for batch in stored:
        key = batch.key
        known.add(key)
        where = Where.batch(key, transaction=batch.transaction, block_number=batch.block_number)
        record = on_chain.get(key)
        if behind and batch.anchored and not batch.final:
            continue
        if record is None:
            other = by_first.get((key.issuer, key.first))
            moved = elsewhere.get(key)
            if moved is not None:
                known.add(moved)
                if moved.issuer == key.issuer or moved.issuer in ours:
                    expected, observed = _place_of(moved), _place_of(key)
                    yield find("batch_other_root", expected, observed, where)
            elif other is not None:
                known.add(other)
                yield find("batch_other_root", f"root {other.root.hex()}", f"root {key.root.hex()}", where)
            elif batch.anchored and not _is_newer(batch, view, lookups):
                yield _lost(batch, where, lookups)
            continue
        if record.size != batch.size:
            yield find("batch_other_root", f"{record.size} leaves", f"{batch.size} leaves", where)
        if batch.anchored:
            event = told.get(key)
            strange = event is not None and batch.transaction is not None and batch.transaction not in anchoring
            if strange and lookups.succeeded(batch.transaction or b""):
                yield _elsewhere(batch, where)
            else:
                yield from _location(batch, record, event, where, lookups)
        elif batch.names_place or record.anchored_at < settled:
            observed = "one that waits for its anchor" + (", and names it" if batch.names_place else "")
            yield find(
                "anchor_location_differs", f"one that is anchored in block {record.block_number}", observed, where
            )
    for key in sorted(on_chain.keys() - known):
        if key.issuer in ours:
            code = "foreign_batch_voided" if on_chain[key].revoked_at else "foreign_batch"
            yield find(code, "a batch of this database", "none", Where.batch(key))


def _place_of(key: BatchKey) -> str:
    return f"root {key.root.hex()} at index {key.first} of {hex_text(key.issuer)}"


def _lost(batch: StoredBatch, where: Where, lookups: Lookups) -> Finding:
    """A batch without a record: why, as far as the chain can tell."""
    if _is_orphaned(batch, lookups):
        return find("anchor_orphaned", "a block of the chain", _block(batch), where)
    if batch.transaction is not None and lookups.succeeded(batch.transaction):
        return _elsewhere(batch, where)
    return find("anchor_lost", "a record in the contract", "none", where)


def _elsewhere(batch: StoredBatch, where: Where) -> Finding:
    observed = f"{hex_text(batch.transaction or b'')}, which did not"
    return find("anchor_transaction_elsewhere", "a transaction that anchored the batch here", observed, where)


def _is_newer(batch: StoredBatch, view: ChainView, lookups: Lookups) -> bool:
    """Whether it may have been anchored behind the audited block: then it is the next audit's."""
    number = batch.block_number
    return number is not None and number > view.block.number and lookups.block_hash(number) is not None


def _location(
    batch: StoredBatch, record: BatchRecord, event: AnchoredBatch | None, where: Where, lookups: Lookups
) -> Iterator[Finding]:
    """A batch with a record: whether the database knows when and where it was anchored."""
    if event is not None and batch.block_hash not in (None, event.block_hash) and _is_orphaned(batch, lookups):
        expected = f"block {event.block_number} ({hex_text(event.block_hash)})"
        yield find("anchor_orphaned", expected, _block(batch), where)
        return
    places: list[tuple[str, int | bytes | None, int | bytes, bool]] = [
        ("anchored at second", batch.anchored_at, record.anchored_at, True),
        ("block", batch.block_number, record.block_number, True),
    ]
    if event is not None:
        places += [
            ("transaction", batch.transaction, event.transaction, batch.final),
            ("block hash", batch.block_hash, event.block_hash, batch.final),
        ]
    for what, ours, theirs, known in places:
        if ours != theirs and (known or ours is not None):
            yield find("anchor_location_differs", f"{what} {_shown(theirs)}", f"{what} {_shown(ours)}", where)


def _shown(value: bytes | int | None) -> str:
    return hex_text(value) if isinstance(value, bytes) else str(value)


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


def audit_stored_issuers(view: ChainView, stored: Iterable[StoredIssuer]) -> Iterator[Finding]:
    """A DID is held against the address's claims, if the history has any and is complete."""
    untold = view.untold()
    for item in stored:
        where = Where(item.address)
        claimed = sorted({claim.did for claim in view.claims if claim.issuer == item.address})
        if claimed and item.did not in claimed and item.address not in untold:
            expected = f"a DID that the address has claimed: {short(', '.join(claimed), 200)}"
            yield find("issuer_changed", expected, short(item.did, 200), where)
        if item.anchors is not None:
            expected = f"the address that anchored its batches: {hex_text(item.anchors)}"
            yield find("issuer_changed", expected, hex_text(item.address), where)
        if item.next_index < item.reached:
            expected, observed = f"next index {item.reached} or higher", f"next index {item.next_index}"
            yield find("issuer_changed", expected, observed, where)
        for expected, observed in item.mixed_up:
            yield find("issuer_changed", expected, observed, where)
