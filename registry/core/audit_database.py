"""Auditing a registry's own tables against the chain: rows against the leaves that were anchored."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from registry.core import leaf as leaves
from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import AnchoredBatch, ChainView, Claim
from registry.core.audit_published import packed_root
from registry.core.errors import ProofError
from registry.core.merkle import HASH_BYTES
from registry.core.model import BatchRecord, StatusWords
from registry.core.notation import hex_text, short
from registry.core.status import ENTRIES_PER_WORD, word_and_mask

__all__ = [
    "Lookups", "OwnWords", "StoredBatch", "StoredCredential", "StoredIssuer", "StoredStatus", "anchored_as",
    "audit_erasures", "audit_open_rows", "audit_rows", "audit_statuses", "audit_stored_anchors", "audit_stored_batches",
    "audit_stored_claims", "audit_stored_issuers", "audit_stored_words",
]  # fmt: skip

_DELAY = 86_400  # seconds after which a change of status that was asked for should be on chain


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
class StoredCredential:
    """A row; ``name`` is the registry's own id. ``erased``: the row says erased or withdrawn. ``leaf``: as it stands in
    the row. ``mixed_up``: what else of the row contradicts its batch or its content: what is expected, what is there.
    ``says``: what its content says of its issuer, where this registry made it: where the status lists are, and whether
    it was signed here.
    """

    name: str
    index: int
    erased: bool
    content: bytes | None
    salt: bytes | None
    leaf: bytes | None = None
    mixed_up: tuple[str, str] | None = None
    says: tuple[str, bool] | None = None


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
class StoredStatus:
    """What the database shows as done of one index; None where something is under way, or nobody ever asked.

    ``by``: the block at which the suspension, or its end, was final. ``waiting``: what was asked for and has not been
    sent (revoke, suspend, reinstate), and since when (Unix time).
    """

    issuer: bytes
    index: int
    revoked: bool | None
    suspended: bool | None
    by: int | None = None
    waiting: tuple[str, int] | None = None


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
            strange = event is not None and batch.transaction not in (None, *anchoring)
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


def audit_rows(
    key: BatchKey,
    size: int,
    stored_leaves: bytes | None,
    rows: Iterable[StoredCredential],
    said: dict[tuple[str, bool], int] | None = None,
) -> Iterator[Finding]:
    """One batch: the rows that the database counts to it, in any order, against the leaves that hash to its root.

    Leaves that do not are named; what the rows should be is then not known, and nothing is said of their content.
    ``said`` is added to: what rows with the right content say of their issuer, each with the first index.
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
            if filled[position]:
                yield find("row_index_changed", f"one row at index {row.index}", "another one", where)
            filled[position] = 1
        wrong = list(_row(row, key, packed if trusted else b"", where))
        yield from wrong
        if said is not None and row.says is not None and trusted and not wrong:
            said.setdefault(row.says, row.index)
    missing = filled.count(0)
    if missing:
        where = Where.batch(key, index=key.first + filled.index(0))
        yield find("row_missing", f"{size} rows", f"{missing} places without a row", where)


def audit_open_rows(
    issuer: bytes,
    next_index: int,
    rows: Iterable[StoredCredential],
    end: int | None = None,
    lookups: Lookups | None = None,
) -> Iterator[Finding]:
    """What stands in no batch yet, in any order: each row has the leaf of its content, and together they have the last
    indexes that were given out, without a gap. ``end``: where the issuer's last batch ends, None if that is not known;
    what lies between is somebody else's, which the chain tells.
    """
    places = []
    for row in rows:
        where = Where(issuer, index=row.index, source=f"row {row.name}")
        places.append(row.index)
        if row.leaf is None or len(row.leaf) != HASH_BYTES:
            yield find("row_changed", f"a leaf of {HASH_BYTES} bytes", "something else", where)
        else:
            yield from _row(row, BatchKey(issuer, row.index, b""), row.leaf, where)
    places.sort()
    given = [index for index in places if index < next_index]
    first = given[0] if given else next_index
    if end is not None and lookups is not None and first > end:
        first = min(first, max(end, lookups.next_index(issuer)))
    missing = next_index - first - len(given)
    if missing > 0:
        gap = next((at for at, index in enumerate(given, first) if at != index), first + len(given))
        where = Where(issuer, index=gap)
        yield find("row_missing", "a row for each index that was given out", f"{missing} without a row", where)
    elif len(given) < len(places):
        yield find("issuer_changed", f"next index {places[-1] + 1}", f"next index {next_index}", Where(issuer))


def _row(row: StoredCredential, key: BatchKey, packed: bytes, where: Where) -> Iterator[Finding]:
    """``packed``: the leaves of its batch, b"" if they are not known."""
    if row.mixed_up is not None:
        yield find("row_changed", *row.mixed_up, where)
    if row.erased:
        if row.content is not None or row.salt is not None:
            yield find("erasure_incomplete", "neither content nor salt", "content or salt", where)
        if packed and row.leaf is not None:
            yield from _place(row.leaf, row, key, packed, where)
    elif row.content is None or row.salt is None:
        yield find("erased_without_tombstone", "content and salt, or a tombstone", "neither", where)
    elif packed:
        yield from _content(row.content, row.salt, row, key, packed, where)


def _content(
    content: bytes, salt: bytes, row: StoredCredential, key: BatchKey, packed: bytes, where: Where
) -> Iterator[Finding]:
    try:
        leaf_hash = leaves.leaf_hash(leaves.commit(salt, leaves.digest(content)))
    except ProofError as error:
        yield find("row_changed", "the leaf that was anchored", str(error), where)
        return
    wrong = list(_place(leaf_hash, row, key, packed, where))
    yield from wrong
    if not wrong and row.leaf not in (None, leaf_hash):
        yield find("row_changed", f"leaf {leaf_hash.hex()}", f"leaf {(row.leaf or b'').hex()} in the row", where)


def _place(leaf_hash: bytes, row: StoredCredential, key: BatchKey, packed: bytes, where: Where) -> Iterator[Finding]:
    """Whether a leaf is the anchored one at the index of its row."""
    position, size = row.index - key.first, len(packed) // HASH_BYTES
    anchored = packed[position * HASH_BYTES : (position + 1) * HASH_BYTES] if 0 <= position < size else b""
    if leaf_hash == anchored:
        return
    at = _position(packed, leaf_hash)
    if at is not None:
        yield find("row_index_changed", f"index {key.first + at}", f"index {row.index}", where)
    elif not anchored:
        expected = f"an index from {key.first} to {key.first + size - 1}"
        yield find("row_index_changed", expected, f"index {row.index}", where)
    else:
        yield find("row_changed", f"leaf {anchored.hex()}", f"leaf {leaf_hash.hex()}", where)


def audit_statuses(
    view: ChainView,
    stored: Iterable[StoredStatus],
    issuers: Iterable[bytes],
    own: OwnWords | None = None,
    lookups: Lookups | None = None,
) -> Iterator[Finding]:
    """``stored``: every index for which the database shows something; ``issuers``: for whom it issues.

    ``lookups`` is asked only where chain and database differ: what is done may be newer than the audited block.
    """
    own = own or OwnWords()
    known: set[tuple[bytes, int]] = set()
    for item in stored:
        known.add((item.issuer, item.index))
        on_chain = view.status(item.issuer, item.index)
        where = Where(item.issuer, index=item.index)
        shown = (item.revoked, item.suspended)
        now = on_chain
        if lookups is not None and any(ours not in (None, bit) for ours, bit in zip(shown, on_chain, strict=True)):
            now = lookups.status(item.issuer, item.index)
        for name, ours, theirs, newer in zip(("revoked", "suspended"), shown, on_chain, now, strict=True):
            if ours is None or ours in (theirs, newer):
                continue
            if (ours and name == "revoked") or (name == "suspended" and not _was_suspended(view, item)):
                code = "status_not_on_chain"
            else:
                code = _past_the_registry(view, own, item.issuer, item.index)
            not_ours, not_theirs = "" if ours else "not ", "" if theirs else "not "
            yield find(code, f"{not_theirs}{name}, by the chain", f"{not_ours}{name}, by the database", where)
        if item.waiting is not None and view.block.timestamp - item.waiting[1] > _DELAY:
            action, since = item.waiting
            if {"revoke": now[0], "suspend": now[1], "reinstate": not now[1]}[action]:
                continue  # it is there, by whatever way
            asked = f"{action}, asked for {view.block.timestamp - since} seconds before"
            yield find("status_delayed", "what was asked for, on chain", f"{asked}, and not sent", where)
    ours_only = frozenset(issuers)
    for issuer, number in sorted(view.words.keys() | own.unasked.keys()):
        if issuer not in ours_only:
            continue
        words, unasked = (found.get((issuer, number), StatusWords(0, 0)) for found in (view.words, own.unasked))
        bits = words.revoked | words.suspended
        for _, state in view.changes.get((issuer, number), ()):  # carried out once, and nobody asked for it
            bits |= state.suspended & unasked.suspended
        while bits:
            index = number * ENTRIES_PER_WORD + (bits & -bits).bit_length() - 1
            bits &= bits - 1
            if (issuer, index) not in known:
                where = Where(issuer, index=index)
                code = _past_the_registry(view, own, issuer, index)
                there = "a bit" if (words.revoked | words.suspended) & word_and_mask(index)[1] else "a bit that was set"
                yield find(code, "a request in the database", f"none, and {there} on chain", where)


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


def audit_stored_issuers(view: ChainView, stored: Iterable[StoredIssuer]) -> Iterator[Finding]:
    """A DID is held against the address's claims, if the history has any and is complete."""
    for item in stored:
        where = Where(item.address)
        claimed = sorted({claim.did for claim in view.claims if claim.issuer == item.address})
        if claimed and item.did not in claimed and _is_complete(view, item.address):
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


def audit_stored_words(
    view: ChainView,
    stored: Mapping[tuple[bytes, int], Sequence[tuple[int, StatusWords]]],
    block: int,
    issuers: Iterable[bytes],
) -> Iterator[Finding]:
    """``stored``: each status word after each block that touched it, as the database has it from the chain's events up
    to ``block``: lists of the past are made of them, too.

    An issuer of whom the node no longer has all events is left out.
    """
    ours_only = {issuer for issuer in issuers if _is_complete(view, issuer)}
    for issuer, number in sorted(view.changes.keys() | stored.keys()):
        if issuer not in ours_only:
            continue
        told = [state for state in view.changes.get((issuer, number), ()) if state[0] <= block]
        ours = list(stored.get((issuer, number), ()))
        if ours == told:
            continue
        at = min(at for at, _ in set(ours) ^ set(told))
        differing = _bits_at(ours, at) ^ _bits_at(told, at)
        index = number * ENTRIES_PER_WORD + max((differing & -differing).bit_length() - 1, 0)
        observed = f"{differing.bit_count()} others in block {at}, the first at index {index}"
        yield find("chain_copy_differs", "the status bits of the chain's events", observed, Where(issuer, index=index))


def _bits_at(states: Iterable[tuple[int, StatusWords]], block: int) -> int:
    """Revoked or suspended bits after a block."""
    found = 0
    for at, words in states:
        if at <= block:
            found = words.revoked | words.suspended
    return found


def audit_stored_anchors(
    view: ChainView, stored: Mapping[AnchoredBatch, int | None], block: int, issuers: Iterable[bytes]
) -> Iterator[Finding]:
    """``stored``: the batches that the database has from the chain's events up to ``block``, each with the block that
    voided it, or None. One finding for each issuer; one of whom the node no longer has all events is left out.
    """
    voided = {key: at for key, at in view.voided_in.items() if at <= block}
    told = {batch: voided.get(batch.key) for batch in view.history if batch.block_number <= block}
    for issuer in sorted(issuer for issuer in set(issuers) if _is_complete(view, issuer)):
        theirs, ours = ({item for item in found.items() if item[0].key.issuer == issuer} for found in (told, stored))
        keys = sorted(batch.key for batch, _ in theirs ^ ours)
        if keys:
            observed = f"{len(set(keys))} others in block {block}, the first at index {keys[0].first}"
            yield find("chain_copy_differs", "the batches of the chain's events", observed, Where.batch(keys[0]))


def audit_stored_claims(
    view: ChainView, stored: Iterable[Claim], read_until: int, issuers: Iterable[bytes], lookups: Lookups
) -> Iterator[Finding]:
    """``stored``: the claims of DIDs that the database has from the chain's events; ``read_until``: all that were made
    before this time (Unix seconds) should be there. One finding for each issuer. What no event tells of may be pruned:
    then the state is asked.
    """
    ours, told, mine = set(stored), set(view.claims), set(issuers)
    wrong = [claim for claim in told - ours if claim.claimed_at < read_until]
    more = [claim for claim in ours - told if claim.issuer in mine]
    wrong += [claim for claim in more if lookups.claimed_at(claim) != claim.claimed_at]
    for issuer in sorted(mine & {claim.issuer for claim in wrong}):
        observed = f"{sum(claim.issuer == issuer for claim in wrong)} others"
        yield find("chain_copy_differs", "the claims of the chain's events", observed, Where(issuer))


def _is_complete(view: ChainView, issuer: bytes) -> bool:
    """Whether the history has all of an issuer's batches: then it has its claims and status changes, too."""
    told = sum(batch.size for batch in view.history if batch.key.issuer == issuer)
    return told >= view.next_index.get(issuer, 0)


def _position(packed: bytes, leaf_hash: bytes) -> int | None:
    at = packed.find(leaf_hash)
    while at >= 0 and at % HASH_BYTES:
        at = packed.find(leaf_hash, at + 1)
    return at // HASH_BYTES if at >= 0 else None
