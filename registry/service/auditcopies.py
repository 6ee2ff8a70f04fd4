"""The tables that the follower fills from the chain's events, held against the chain itself."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from anchors.base import Chain
from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import AnchoredBatch, ChainView, Claim
from registry.core.audit_database import Lookups, audit_stored_anchors, audit_stored_claims, audit_stored_words
from registry.core.canonical import MAX_INTEGER
from registry.core.model import BlockRef, StatusWords
from registry.service.auditrows import Unreadable, any_bytes, as_they_are, bytes_of, number_of, readable
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
    yield from readable(audit_stored_anchors(view, _anchors(connection, until), until, ours))
    read_until = tip.timestamp if tip.number < view.block.number else MAX_INTEGER
    yield from readable(audit_stored_claims(view, _claims(connection, until), read_until, ours, lookups))


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


def words_of(connection: Connection, until: int = MAX_INTEGER) -> Changes:
    """Each status word after each block that touched it, from the copies of the events up to a block, or of all."""
    columns = chain_status.c
    names = ("block_number", "issuer", "purpose", "word", "set_mask", "clear_mask")
    rows = connection.execution_options(yield_per=1_000).execute(
        select(*as_they_are(chain_status, *names))
        .where(columns.block_number <= until)
        .order_by(columns.block_number, columns.log_index, columns.position)
    )
    found: Changes = defaultdict(list)
    for row in rows:
        place = f"chain_status in block {row.block_number}"
        number = number_of(row.block_number, place)
        key = bytes_of(row.issuer, 20, place), int.from_bytes(bytes_of(row.word, 32, place))
        set_, clear = (int.from_bytes(bytes_of(mask, 32, place)) for mask in (row.set_mask, row.clear_mask))
        states = found[key]
        before = states[-1][1] if states else StatusWords(0, 0)
        if row.purpose == "revocation":
            after = StatusWords((before.revoked | set_) & ~clear, before.suspended)
        elif row.purpose == "suspension":
            after = StatusWords(before.revoked, (before.suspended | set_) & ~clear)
        else:
            raise Unreadable(f"{place}: its purpose is none")
        if states and states[-1][0] == number:
            states.pop()
        states.append((number, after))
    return found


def _words(connection: Connection, view: ChainView, until: int, ours: Collection[bytes]) -> Iterator[Finding]:
    yield from audit_stored_words(view, words_of(connection, until), until, ours)


def _anchors(connection: Connection, until: int) -> Mapping[AnchoredBatch, int | None]:
    """The copies of the events of batches up to a block, each with the block that voided it by then."""
    names = ("block_number", "block_hash", "transaction", "issuer", "root", "first", "size", "revoked_block")
    rows = connection.execution_options(yield_per=1_000).execute(
        select(*as_they_are(chain_batches, *names)).where(chain_batches.c.block_number <= until)
    )
    found = {}
    for row in rows:
        place = f"chain_batches in block {row.block_number}"
        key = BatchKey(bytes_of(row.issuer, 20, place), number_of(row.first, place), bytes_of(row.root, 32, place))
        hashes = bytes_of(row.block_hash, 32, place), bytes_of(row.transaction, 32, place)
        batch = AnchoredBatch(key, number_of(row.size, place), number_of(row.block_number, place), *hashes)
        voided = None if row.revoked_block is None else number_of(row.revoked_block, place)
        found[batch] = voided if voided is not None and voided <= until else None
    return found


def _claims(connection: Connection, until: int) -> Iterator[Claim]:
    names = ("block_number", "issuer", "did", "document_hash", "claimed_at")
    rows = connection.execute(select(*as_they_are(chain_claims, *names)).where(chain_claims.c.block_number <= until))
    for row in rows:
        place = f"chain_claims in block {row.block_number}"
        if not isinstance(row.did, str):
            raise Unreadable(f"{place}: its DID is no text")
        hashed = bytes_of(row.document_hash, 32, place)
        yield Claim(bytes_of(row.issuer, 20, place), row.did, hashed, number_of(row.claimed_at, place))
