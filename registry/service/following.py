"""Follows the contract's events into the ``chain_`` tables, and takes back what a reorganisation removed.

Progress is kept as blocks with their hashes: the last block of every range that was read. If the chain has another
block at such a number, everything above the newest one that still agrees is deleted and read again. The tables hold
nothing that is not on chain: they can be deleted at any time. (Only a reorganisation below what counted as final, just
then, would go unnoticed: production chains know none.)
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from anchors.base import (
    BatchAnchored,
    BatchRevoked,
    ChainEvent,
    ChainUnreachable,
    DidClaimed,
    StatusRevoked,
    SuspensionChanged,
)
from registry.core.model import BlockRef, StatusWords
from registry.service.batching import BatchState
from registry.service.context import Context
from registry.store.tables import (
    batches,
    chain_batches,
    chain_blocks,
    chain_claims,
    chain_status,
    operations,
    outbox,
    status_requests,
)

__all__ = ["Follower", "Progress"]

_RANGE = 2_000  # blocks in one question; nodes that find it too long get smaller ones (anchors.ethereum)
_KEEP = 1_024  # blocks that stay on record, to find the fork after a reorganisation
_WORDS = 500  # status words in one question

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """What one look at the chain brought."""

    blocks: int
    events: int
    forked_at: int | None  # the last block that both branches share, if there was a reorganisation
    touched: frozenset[bytes]  # issuer addresses with new batches, or with ones that are gone


class Follower:
    """Only the one worker calls it. Killed between two ranges it goes on behind the last one that was committed."""

    def __init__(self, context: Context, first_block: int = 0) -> None:
        """``first_block``: where the contract was deployed; there is nothing to read before."""
        self._context = context
        self._first_block = first_block

    def sync(self, head: BlockRef) -> Progress:
        """Reads up to ``head``. Raises ChainUnreachable, having kept what it had read."""
        forked_at, touched = self._rewind()
        last = self._last()
        start = last.number + 1 if last else self._first_block
        blocks = events_read = 0
        while start <= head.number:
            end = min(start + _RANGE - 1, head.number)
            block = head if end == head.number else self._block(end)
            events = self._context.chain.read_events(start, end)
            if self._block(end).hash != block.hash:
                raise ChainUnreachable("The chain was reorganised while it was read; it will be read again.")
            with self._context.database.write() as connection:
                _store(connection, events)
                connection.execute(insert(chain_blocks).values(number=end, hash=block.hash, timestamp=block.timestamp))
                self._forget(connection, end)
            touched |= {event.issuer for event in events if isinstance(event, BatchAnchored)}
            blocks += end - start + 1
            events_read += len(events)
            start = end + 1
        return Progress(blocks, events_read, forked_at, frozenset(touched))

    def position(self) -> BlockRef | None:
        """The last block that was read; None before the first."""
        return self._last()

    def rebuild(self) -> None:
        """Empties the tables; the next ``sync`` fills them from the chain."""
        with self._context.database.write() as connection:
            for table in (chain_status, chain_claims, chain_batches, chain_blocks):
                connection.execute(delete(table))

    def words(self, issuer: bytes, numbers: Iterable[int]) -> dict[int, StatusWords]:
        """The status words as the events that were read give them."""
        wanted = {number.to_bytes(32): number for number in numbers}
        folded = {number: [0, 0] for number in wanted.values()}
        with self._context.database.read() as connection:
            rows = connection.execute(
                select(chain_status)
                .where(chain_status.c.issuer == issuer, chain_status.c.word.in_(wanted))
                .order_by(chain_status.c.block_number, chain_status.c.log_index, chain_status.c.position)
            )
            for row in rows:
                pair, place = folded[wanted[row.word]], 0 if row.purpose == "revocation" else 1
                pair[place] = (pair[place] | int.from_bytes(row.set_mask)) & ~int.from_bytes(row.clear_mask)
        return {number: StatusWords(*pair) for number, pair in folded.items()}

    def compare(self, issuer: bytes, next_index: int) -> bool:
        """Whether the folded words equal the contract's, at the block that was read last. If not, it rebuilds."""
        at = self._last()
        if at is None:
            return True
        for start in range(0, (next_index + 255) // 256, _WORDS):
            numbers = range(start, min(start + _WORDS, (next_index + 255) // 256))
            if self.words(issuer, numbers) != self._context.chain.read_words(issuer, list(numbers), at):
                _log.error("The followed status words of 0x%s differ from the contract's: reading again.", issuer.hex())
                self.rebuild()
                return False
        return True

    def _rewind(self) -> tuple[int | None, set[bytes]]:
        """Finds the newest block on record that the chain still has, and takes back everything above it."""
        with self._context.database.read() as connection:
            rows = connection.execute(select(chain_blocks).order_by(chain_blocks.c.number.desc()))
            known = [BlockRef(row.number, row.hash, row.timestamp) for row in rows]
        for place, block in enumerate(known):
            current = self._context.chain.block(block.number)
            if current is not None and current.hash == block.hash:
                if place == 0:
                    return None, set()
                return block.number, self._take_back(block.number)
        if not known:
            return None, set()
        return self._first_block - 1, self._take_back(self._first_block - 1)

    def _take_back(self, above: int) -> set[bytes]:
        """Deletes what was read above a block, and reopens what was held for final there."""
        _log.warning("The chain was reorganised: what stood above block %d is read again.", above)
        with self._context.database.write() as connection:
            gone = set(connection.scalars(select(chain_batches.c.issuer).where(chain_batches.c.block_number > above)))
            for table in (chain_status, chain_claims, chain_batches):
                connection.execute(delete(table).where(table.c.block_number > above))
            connection.execute(
                update(chain_batches).where(chain_batches.c.revoked_block > above).values(revoked_block=None)
            )
            connection.execute(delete(chain_blocks).where(chain_blocks.c.number > above))
            # Deeper than our own finality: rare on a test chain, never on a production chain. Looked at anew.
            connection.execute(
                update(batches)
                .where(batches.c.state == BatchState.FINAL, batches.c.block_number > above)
                .values(state=BatchState.ANCHORED)
            )
            lost = outbox.c.state.in_(("DONE", "REVERTED")) & (outbox.c.block_number > above)
            connection.execute(
                update(operations)
                .where(operations.c.state == "DONE", operations.c.id.in_(select(outbox.c.operation_id).where(lost)))
                .values(state="SENT")
            )
            connection.execute(update(outbox).where(lost).values(state="MINED"))
            connection.execute(
                update(status_requests)
                .where(status_requests.c.state == "FINAL", status_requests.c.final_block > above)
                .values(state="SENT", final_block=None)
            )
        return gone

    def _forget(self, connection: Connection, number: int) -> None:
        """Old blocks need no record once a newer one below the window stands for them."""
        keep_from = connection.execute(
            select(func.max(chain_blocks.c.number)).where(chain_blocks.c.number <= number - _KEEP)
        ).scalar()
        if keep_from is not None:
            connection.execute(delete(chain_blocks).where(chain_blocks.c.number < keep_from))

    def _last(self) -> BlockRef | None:
        with self._context.database.read() as connection:
            row = connection.execute(select(chain_blocks).order_by(chain_blocks.c.number.desc()).limit(1)).one_or_none()
        return BlockRef(row.number, row.hash, row.timestamp) if row else None

    def _block(self, number: int) -> BlockRef:
        block = self._context.chain.block(number)
        if block is None:
            raise ChainUnreachable(f"The node has no block {number}, although its head is beyond it.")
        return block


def _store(connection: Connection, events: Iterable[ChainEvent]) -> None:
    anchored: list[dict[str, int | bytes]] = []
    words: list[dict[str, int | bytes | str]] = []
    for event in events:
        place: dict[str, int | bytes] = {
            "block_number": event.block_number,
            "log_index": event.log_index,
            "issuer": event.issuer,
        }
        if isinstance(event, BatchAnchored):
            anchored.append(
                place
                | {
                    "block_hash": event.block_hash,
                    "transaction": event.transaction,
                    "root": event.root,
                    "first": event.first,
                    "size": event.size,
                }
            )
        elif isinstance(event, StatusRevoked):
            masks = zip(event.words, event.masks, (0,) * len(event.words), strict=True)
            words += _word_rows(place, "revocation", masks)
        elif isinstance(event, SuspensionChanged):
            masks = zip(event.words, event.set_masks, event.clear_masks, strict=True)
            words += _word_rows(place, "suspension", masks)
        elif isinstance(event, DidClaimed):
            claim = {"did": event.did, "document_hash": event.document_hash, "claimed_at": event.claimed_at}
            connection.execute(insert(chain_claims).values(place | claim))
    if anchored:
        connection.execute(insert(chain_batches), anchored)
    if words:
        connection.execute(insert(chain_status), words)
    for event in events:  # after the anchors: both may stand in one block
        if isinstance(event, BatchRevoked):
            connection.execute(
                update(chain_batches)
                .where(
                    chain_batches.c.issuer == event.issuer,
                    chain_batches.c.root == event.root,
                    chain_batches.c.first == event.first,
                )
                .values(revoked_block=event.block_number)
            )


def _word_rows(
    place: dict[str, int | bytes], purpose: str, masks: Iterable[tuple[int, int, int]]
) -> list[dict[str, int | bytes | str]]:
    return [
        {
            **place,
            "position": position,
            "purpose": purpose,
            "word": word.to_bytes(32),
            "set_mask": set_mask.to_bytes(32),
            "clear_mask": clear_mask.to_bytes(32),
        }
        for position, (word, set_mask, clear_mask) in enumerate(masks)
    ]
