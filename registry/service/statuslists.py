"""The status lists that this registry publishes: Bitstring Status Lists of the issuers that it signs for.

A list says what the chain says, as far as the follower has read it: a revocation that was asked for and is not on chain
is in no list, and a batch that its controller voided is revoked from its beginning, at whatever time one asks about.
"""

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from anchors.base import ChainUnreachable
from registry.core import canonical
from registry.core.errors import InputError
from registry.core.model import BlockRef, ChainClass
from registry.core.notation import time_text
from registry.core.status import ENTRIES_PER_LIST, WORDS_PER_LIST, list_words, range_words
from registry.service.context import Context
from registry.service.errors import BadRequestError, BusyError, NotFoundError
from registry.service.health import Health
from registry.service.issuers import SIGNS_HERE, Issuer
from registry.standards.keys import Signer
from registry.standards.proofs.creating import add_proofs
from registry.standards.statuslist import PURPOSES, build_status_list
from registry.store.tables import chain_batches, chain_blocks, chain_status

__all__ = ["TTL_SECONDS", "VALID_SECONDS", "StatusLists"]

TTL_SECONDS = 300  # how long a verifier may go by its copy
VALID_SECONDS = 86_400  # cut off from the chain, a registry's lists run out after this
_KEPT = 512  # signed lists kept in memory: a few kB each, 23 kB at most
_BLOCKS = 100_000  # times of blocks kept in memory

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Place:
    """What a list is made from: the chain up to ``block``, as the follower had it at ``tip``; its window of time, and
    from when its proofs are.
    """

    block: int
    tip: BlockRef
    valid_from: int
    valid_until: int
    created: int
    ttl_seconds: int | None


class StatusLists:
    """Safe to use from several threads. A list is folded and signed once for each state of the chain."""

    def __init__(self, context: Context, first_block: int = 0) -> None:
        """``first_block``: where the contract was deployed; there is nothing to tell about before."""
        self._context = context
        self._health = Health(context.database, context.clock)
        self._past = _BlockTimes(context, first_block)
        self._made: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._making = threading.Lock()

    def current(self, issuer: Issuer, purpose: str, number: int) -> bytes:
        """The list as canonical JSON, signed; asks no node.

        Raises NotFoundError (no such list, or it is not signed here), ChainUnreachable (nothing was read yet),
        BusyError (the key cannot be opened).
        """
        _check(issuer, purpose)
        return self._get(issuer, purpose, number, self._now(self._tip()))

    def unsigned(self, issuer: Issuer, purpose: str, number: int) -> bytes:
        """The same as ``current`` without its proofs: takes no key. Raises NotFoundError, ChainUnreachable."""
        _check(issuer, purpose)
        return canonical.canonicalize(self._fold(issuer, purpose, number, self._now(self._tip())))

    def at(self, issuer: Issuer, purpose: str, number: int, moment: int) -> bytes:
        """The list as it stood at a time in the past (Unix seconds): the chain up to the last block made by then.

        Raises as ``current``, and BadRequestError for the future and the time before the contract, ChainUnreachable if
        the chain cannot be asked which block that was.
        """
        _check(issuer, purpose)
        if moment > self._context.clock():
            raise BadRequestError("timestamp", "The time that is asked for lies in the future.")
        tip = self._tip()
        block, after = self._past.last_by(moment, tip)
        now = self._now(tip)
        if block.number == tip.number and now.valid_from <= moment <= now.valid_until:
            return self._get(issuer, purpose, number, now)
        until = max(moment, block.timestamp) if after is None else after.timestamp
        made = block.timestamp
        return self._get(issuer, purpose, number, _Place(block.number, tip, made, until, made, None))

    def _now(self, tip: BlockRef) -> _Place:
        """The newest state that was read. A chain that makes blocks only for transactions has no age (docs/adr/026)."""
        since = min(tip.timestamp, self._context.clock())  # a block ahead of the clock makes no list of the future
        created = since
        if self._context.network.chain_class is ChainClass.DEV:
            seen = self._health.chain_read()
            if seen is not None:
                created = max(since, seen - seen % TTL_SECONDS)  # in steps, so that a state is not signed every second
        return _Place(tip.number, tip, since, created + VALID_SECONDS, created, TTL_SECONDS)

    def _tip(self) -> BlockRef:
        with self._context.database.read() as connection:
            row = connection.execute(select(chain_blocks).order_by(chain_blocks.c.number.desc()).limit(1)).one_or_none()
        if row is None:
            raise ChainUnreachable("The chain has not been read yet. The worker does that; ask again later.")
        return BlockRef(row.number, row.hash, row.timestamp)

    def _get(self, issuer: Issuer, purpose: str, number: int, place: _Place) -> bytes:
        signer = self._signer(issuer)
        key = (issuer.id, purpose, number, place, signer.verification_method)
        found = self._known(key)
        if found is None:
            with self._making:  # who waits here for another one's list finds it made
                found = self._known(key)
                if found is None:
                    found = self._make(issuer, purpose, number, place, signer)
                    with self._lock:
                        self._made[key] = found
                        while len(self._made) > _KEPT:
                            self._made.popitem(last=False)
        return found

    def _known(self, key: tuple[object, ...]) -> bytes | None:
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
            return self._made.get(key)

    def _make(self, issuer: Issuer, purpose: str, number: int, place: _Place, signer: Signer) -> bytes:
        unsigned = self._fold(issuer, purpose, number, place)
        # Not the time of the request: one state has one text. No key signs before its own beginning.
        created = max(place.created, self._context.keys.ring(issuer.name).current.valid_from)
        return canonical.canonicalize(add_proofs(unsigned, signer, created))

    def _fold(self, issuer: Issuer, purpose: str, number: int, place: _Place) -> dict[str, Any]:
        with self._context.database.read() as connection:
            words = _words(connection, issuer.address, purpose, number, place)
        return build_status_list(
            url=f"{issuer.status_base}/{purpose}/{number}",
            issuer=issuer.did,
            purpose=purpose,
            list_number=number,
            words=words,
            valid_from=place.valid_from,
            valid_until=place.valid_until,
            ttl_seconds=place.ttl_seconds,
        )

    def _signer(self, issuer: Issuer) -> Signer:
        try:
            return self._context.keys.signer(issuer.name)
        except InputError as error:  # its words are for the operator
            _log.error("The status lists of %s cannot be signed: %s", issuer.name, error)
            raise BusyError("key_unavailable", "The key that signs this list cannot be opened just now.") from error


class _BlockTimes:
    """Finds blocks by time. What was read of the node is kept for as long as the follower stands on the same chain."""

    def __init__(self, context: Context, first_block: int) -> None:
        self._context = context
        self._first = first_block
        self._read: dict[int, BlockRef] = {}
        self._tip: BlockRef | None = None
        self._lock = threading.Lock()

    def last_by(self, moment: int, tip: BlockRef) -> tuple[BlockRef, BlockRef | None]:
        """The last block made by then, and the one after it (None: there is none yet).

        Raises BadRequestError (before the contract), ChainUnreachable.
        """
        with self._lock:
            if self._tip is not None and not self._is_recorded(self._tip):
                self._read.clear()
            self._tip = tip
            if len(self._read) > _BLOCKS:
                self._read.clear()
            self._read[tip.number] = tip
            low, high = self._first, tip.number
            if moment < self._block(low).timestamp:
                message = f"The contract's first block is of {time_text(self._block(low).timestamp)}; ask about later."
                raise BadRequestError("timestamp", message)
            while low < high:
                middle = (low + high + 1) // 2
                if self._block(middle).timestamp <= moment:
                    low = middle
                else:
                    high = middle - 1
            found = self._block(low)
            after = self._block(low + 1) if low < tip.number else self._context.chain.block(low + 1)
        # What the node said and what the follower read have to be of one chain.
        current = self._context.chain.block(tip.number)
        if current is None or current.hash != tip.hash:
            with self._lock:
                self._read.clear()
            raise ChainUnreachable("The chain was reorganised, and is being read again; ask again later.")
        if low == tip.number and after is not None and after.timestamp <= moment:
            raise ChainUnreachable("The chain has not been read up to that time yet; ask again later.")
        return found, after

    def _block(self, number: int) -> BlockRef:
        if number not in self._read:
            block = self._context.chain.block(number)
            if block is None:
                raise ChainUnreachable(f"The node does not have block {number}, so that times cannot be told.")
            self._read[number] = block
        return self._read[number]

    def _is_recorded(self, block: BlockRef) -> bool:
        with self._context.database.read() as connection:
            return _is_recorded(connection, block)


def _check(issuer: Issuer, purpose: str) -> None:
    if purpose not in PURPOSES:
        raise NotFoundError("no_such_list", f"There are lists for {' and '.join(PURPOSES)}.")
    if issuer.signs != SIGNS_HERE:
        message = f"{issuer.name} signs for itself; its status lists are not published here, the chain has its status."
        raise NotFoundError("list_not_signed_here", message)


def _is_recorded(connection: Connection, block: BlockRef) -> bool:
    found = connection.execute(select(chain_blocks.c.hash).where(chain_blocks.c.number == block.number)).scalar()
    return bool(found == block.hash)


def _words(connection: Connection, address: bytes, purpose: str, number: int, place: _Place) -> dict[int, int]:
    """The words of a list, by number; those without a bit may be missing. Raises NotFoundError, ChainUnreachable."""
    if not _is_recorded(connection, place.tip):
        raise ChainUnreachable("The chain was reorganised, and is being read again; ask again later.")
    mine = (chain_batches.c.issuer == address) & (chain_batches.c.block_number <= place.block)
    end = connection.execute(select(func.max(chain_batches.c.first + chain_batches.c.size)).where(mine)).scalar()
    first = number * ENTRIES_PER_LIST
    if first >= max(1, end or 0):
        raise NotFoundError("no_such_list", f"Credentials are anchored up to index {end or 0}: no list {number} yet.")
    words: dict[int, int] = {}
    rows: Any = connection.execute(
        select(chain_status.c.word, chain_status.c.set_mask, chain_status.c.clear_mask)
        .where(
            chain_status.c.issuer == address,
            chain_status.c.purpose == purpose,
            chain_status.c.block_number <= place.block,
            chain_status.c.word >= list_words(number).start.to_bytes(32),
            chain_status.c.word < (list_words(number).start + WORDS_PER_LIST).to_bytes(32),
        )
        .order_by(chain_status.c.block_number, chain_status.c.log_index, chain_status.c.position)
    )
    for row in rows:
        word = int.from_bytes(row.word)
        words[word] = (words.get(word, 0) | int.from_bytes(row.set_mask)) & ~int.from_bytes(row.clear_mask)
    if purpose == "revocation":
        voided = connection.execute(
            select(chain_batches.c.first, chain_batches.c.size).where(
                mine,
                chain_batches.c.revoked_block <= place.tip.number,
                chain_batches.c.first < first + ENTRIES_PER_LIST,
                chain_batches.c.first + chain_batches.c.size > first,
            )
        )
        for row in voided:
            low, high = max(row.first, first), min(row.first + row.size, first + ENTRIES_PER_LIST)
            for word, mask in range_words(low, high):
                words[word] = words.get(word, 0) | mask
    return words
