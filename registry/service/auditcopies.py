"""The tables that the follower fills from the chain's events, held against the chain itself."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from anchors.base import Chain
from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import AnchoredBatch, ChainView, Claim
from registry.core.audit_copies import audit_stored_anchors, audit_stored_claims, audit_stored_words
from registry.core.audit_database import Lookups
from registry.core.canonical import MAX_INTEGER
from registry.core.model import BlockRef, StatusWords
from registry.service.auditrows import Unreadable, any_bytes, as_they_are, bytes_of, each, number_of, readable
from registry.store.database import AnyRow
from registry.store.tables import chain_batches, chain_blocks, chain_claims, chain_status

__all__ = ["Changes", "Followed", "audit_copies", "followed", "words_of"]

Changes = dict[tuple[bytes, int], list[tuple[int, StatusWords]]]


def audit_copies(
    connection: Connection, view: ChainView, ours: Collection[bytes], lookups: Lookups, tip: BlockRef | None
) -> Iterator[Finding]:
    """``tip``: up to where they go, see ``Followed``."""
    if tip is None:
        return
    until = min(tip.number, view.block.number)
    stamp = connection.scalar(
        select(*as_they_are(chain_blocks, "timestamp")).where(chain_blocks.c.number == tip.number)
    )
    if stamp != tip.timestamp:
        where = Where(block_number=tip.number)
        yield find("chain_copy_differs", f"the block's time, {tip.timestamp}", f"{stamp}", where)
    yield from readable(_words(connection, view, until, ours))
    yield from readable(_audit_anchors(connection, view, until, ours))
    read_until = tip.timestamp if tip.number < view.block.number else MAX_INTEGER
    yield from readable(_audit_claims(connection, view, until, read_until, ours, lookups))


@dataclass(frozen=True, slots=True)
class Followed:
    """``tip``: the newest block on record that the chain has, too (None if there is none). What was read up to it
    counts, on whatever branch the rest was. ``behind``: the chain was reorganised above it, and that was not read yet.
    """

    tip: BlockRef | None
    behind: bool


def followed(connection: Connection, chain: Chain) -> Followed:
    """Raises ChainError, Unreadable."""
    query = select(*as_they_are(chain_blocks, "number", "hash")).order_by(chain_blocks.c.number)
    rows = connection.execute(query).all()

    def shared(at: int) -> BlockRef | None:
        block = chain.block(number_of(rows[at].number, "chain_blocks"))
        return block if block is not None and block.hash == any_bytes(rows[at].hash) else None

    newest = shared(len(rows) - 1) if rows else None
    if newest is not None or not rows:
        return Followed(newest, behind=False)
    fork = bisect_left(range(len(rows) - 1), True, key=lambda at: shared(at) is None)
    return Followed(shared(fork - 1) if fork else None, behind=True)


def words_of(connection: Connection, lost: list[Finding], until: int = MAX_INTEGER) -> Changes:
    """Each status word after each block that touched it, from the copies of the events up to a block, or of all.
    ``lost`` is added to: those that cannot be read.
    """
    columns = chain_status.c
    names = ("block_number", "issuer", "purpose", "word", "set_mask", "clear_mask")
    rows = connection.execution_options(yield_per=1_000).execute(
        select(*as_they_are(chain_status, *names))
        .where(columns.block_number <= until)
        .order_by(columns.block_number, columns.log_index, columns.position)
    )
    found: Changes = defaultdict(list)
    for number, key, purpose, set_, clear in each(rows, _change, lost):
        states = found[key]
        before = states[-1][1] if states else StatusWords(0, 0)
        if purpose == "revocation":
            after = StatusWords((before.revoked | set_) & ~clear, before.suspended)
        else:
            after = StatusWords(before.revoked, (before.suspended | set_) & ~clear)
        if states and states[-1][0] == number:
            states.pop()
        states.append((number, after))
    return found


def _change(row: AnyRow) -> tuple[int, tuple[bytes, int], str, int, int]:
    """Block, (issuer, word), purpose, and what was set and cleared. Raises Unreadable."""
    place = f"chain_status in block {row.block_number}"
    number = number_of(row.block_number, place)
    key = bytes_of(row.issuer, 20, place), int.from_bytes(bytes_of(row.word, 32, place))
    set_, clear = (int.from_bytes(bytes_of(mask, 32, place)) for mask in (row.set_mask, row.clear_mask))
    if row.purpose not in ("revocation", "suspension"):
        raise Unreadable(f"{place}: its purpose is none")
    return number, key, row.purpose, set_, clear


def _words(connection: Connection, view: ChainView, until: int, ours: Collection[bytes]) -> Iterator[Finding]:
    lost: list[Finding] = []
    found = words_of(connection, lost, until)
    yield from lost
    yield from audit_stored_words(view, found, until, ours)


def _audit_anchors(connection: Connection, view: ChainView, until: int, ours: Collection[bytes]) -> Iterator[Finding]:
    """Copies of the events of batches up to a block, each with the block that voided it by then."""
    names = ("block_number", "block_hash", "transaction", "issuer", "root", "first", "size", "revoked_block")
    rows = connection.execution_options(yield_per=1_000).execute(
        select(*as_they_are(chain_batches, *names)).where(chain_batches.c.block_number <= until)
    )
    lost: list[Finding] = []
    read = dict(each(rows, _anchor, lost))
    found = {batch: at if at is not None and at <= until else None for batch, at in read.items()}
    yield from lost
    yield from audit_stored_anchors(view, found, until, ours)


def _anchor(row: AnyRow) -> tuple[AnchoredBatch, int | None]:
    """Raises Unreadable."""
    place = f"chain_batches in block {row.block_number}"
    key = BatchKey(bytes_of(row.issuer, 20, place), number_of(row.first, place), bytes_of(row.root, 32, place))
    hashes = bytes_of(row.block_hash, 32, place), bytes_of(row.transaction, 32, place)
    batch = AnchoredBatch(key, number_of(row.size, place), number_of(row.block_number, place), *hashes)
    return batch, None if row.revoked_block is None else number_of(row.revoked_block, place)


def _audit_claims(
    connection: Connection, view: ChainView, until: int, read_until: int, ours: Collection[bytes], lookups: Lookups
) -> Iterator[Finding]:
    names = ("block_number", "issuer", "did", "document_hash", "claimed_at")
    rows = connection.execute(select(*as_they_are(chain_claims, *names)).where(chain_claims.c.block_number <= until))
    lost: list[Finding] = []
    found = list(each(rows, _claim, lost))
    yield from lost
    yield from audit_stored_claims(view, found, read_until, ours, lookups)


def _claim(row: AnyRow) -> Claim:
    """Raises Unreadable."""
    place = f"chain_claims in block {row.block_number}"
    if not isinstance(row.did, str):
        raise Unreadable(f"{place}: its DID is no text")
    hashed = bytes_of(row.document_hash, 32, place)
    return Claim(bytes_of(row.issuer, 20, place), row.did, hashed, number_of(row.claimed_at, place))
