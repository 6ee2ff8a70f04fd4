"""The outbox: every transaction of the paying account goes through it, one row for each nonce.

    OPEN -> MINED -> DONE          in a block -> in a final block
                  -> REVERTED      in a block, and refused by the contract: the operation goes back to PENDING
         -> LOST                   a foreign transaction of the same account took the nonce, and that is final

What a crash leaves behind, line by line: before the commit in ``_store_and_send`` nothing; after it a signed
transaction that may or may not have been sent, which the next start sends again (a node takes the same bytes twice
without harm). A nonce is used for one operation only: a replacement carries the same call with a higher fee, or nothing
at all where the operation is not wanted any more.
"""

import logging
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from anchors.base import (
    Call,
    CallReverted,
    Fees,
    Refusal,
    SignedTransaction,
    TransactionRefused,
    TransactionState,
)
from registry.core.model import BlockRef
from registry.service import operations
from registry.service.batching import BatchState
from registry.service.context import Context
from registry.service.operations import Operation
from registry.store.database import AnyRow
from registry.store.tables import attempts, batches, outbox

__all__ = ["Outbox", "Sending"]

_LIVE = ("OPEN", "MINED")
_RESEND_SECONDS = 15  # how often a waiting transaction is handed to the node again, should it have forgotten it
_BUMP_PERCENT = 25  # nodes ask for at least 10 % on both fees to replace a transaction
_GAS_MARGIN_PERCENT = 25
_CANCEL_GAS = 21_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sending:
    """What became of an attempt to send an operation: it is under way, or ``note`` says what it waits for."""

    sent: bool
    note: str | None = None
    error: str = ""  # the contract's error, where it refuses the call


@dataclass(frozen=True, slots=True)
class _Entry:
    """A live row with its newest attempt."""

    id: int
    operation_id: int
    nonce: int
    state: str
    gas: int
    attempt: AnyRow


class Outbox:
    """Only the one worker calls it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sent_at: dict[int, int] = {}  # attempt id -> when this process last handed it to the node

    # --- what became of what was sent ---

    def settle(self, head: BlockRef, final: BlockRef | None) -> bool:
        """Looks at every live row and moves it on; returns whether anything changed. Raises ChainUnreachable."""
        entries = self._live_entries()
        if not entries:
            return False
        used = self._context.chain.next_nonce(self._context.payer.address, head)
        used_finally = self._context.chain.next_nonce(self._context.payer.address, final) if final else 0
        changed = False
        for entry in entries:
            if entry.nonce < used:
                changed |= self._settle_used(entry, final, lost=entry.nonce < used_finally)
            else:
                changed |= self._settle_waiting(entry, head)
        return changed

    def _settle_used(self, entry: _Entry, final: BlockRef | None, *, lost: bool) -> bool:
        """The nonce is used: by one of our attempts, or by somebody else who holds the paying account's key."""
        mined = self._find_mined(entry.id)
        with self._context.database.write() as connection:
            if mined is None:
                if not lost:
                    return False  # the node may not know the transaction yet, or the branch may go again
                _log.warning("A foreign transaction took nonce %d of the paying account.", entry.nonce)
                _set_row(connection, entry.id, "LOST", None)
                _reopen(connection, entry.operation_id, "A foreign transaction took the nonce; it is sent again.")
                return True
            state, is_cancel = mined
            is_final = final is not None and state.block_number <= final.number
            if state.succeeded and not is_cancel:
                new = "DONE" if is_final else "MINED"
                if new == entry.state:
                    return False
                _set_row(connection, entry.id, new, state.block_number)
                if new == "DONE":
                    connection.execute(
                        update(operations.table)
                        .where(operations.table.c.id == entry.operation_id, operations.table.c.state == "SENT")
                        .values(state="DONE", note=None)
                    )
                return True
            # A reverted or cancelled call has used its nonce and changed nothing: whether it is still wanted is decided
            # anew, from the contract's state.
            _set_row(connection, entry.id, "DONE" if is_cancel else "REVERTED", state.block_number)
            _reopen(connection, entry.operation_id, None if is_cancel else "The contract refused the transaction.")
            return True

    def _settle_waiting(self, entry: _Entry, head: BlockRef) -> bool:
        """Not in a block: sends it again, and replaces it when it has waited for too long or is not wanted any more."""
        changed = False
        if entry.state == "MINED":  # it was in a block that a reorganisation removed
            with self._context.database.write() as connection:
                _set_row(connection, entry.id, "OPEN", None)
            changed = True
        now = self._context.clock()
        unwanted = not entry.attempt.cancels and self._is_unwanted(entry, max(now, head.timestamp))
        if unwanted or now - entry.attempt.created_at >= self._context.rules.stuck_seconds:
            return self._replace(entry, cancel=unwanted or bool(entry.attempt.cancels)) or changed
        if now - self._sent_at.get(entry.attempt.id, 0) >= _RESEND_SECONDS:
            self._hand_over(entry.attempt.id, entry.attempt.raw)
        return changed

    def _is_unwanted(self, entry: _Entry, now: int) -> bool:
        with self._context.database.read() as connection:
            [operation] = operations.load(connection, operations.table.c.id == entry.operation_id)
        if operation.state == "CANCELLED":
            return True
        # Once its signature has run out the contract can only refuse the call.
        return operation.authority is not None and operation.authority.deadline < now

    def _replace(self, entry: _Entry, *, cancel: bool) -> bool:
        """Another attempt at the same nonce with a higher fee; nothing happens while the fee is above the cap."""
        try:
            fees = self._context.chain.suggest_fees()
        except TransactionRefused as refused:
            _log.warning("A transaction waits (nonce %d): %s", entry.nonce, refused)
            return False
        old = Fees(int(entry.attempt.max_fee), int(entry.attempt.priority_fee))
        fees = Fees(max(fees.max_fee, _bumped(old.max_fee)), max(fees.priority_fee, _bumped(old.priority_fee)))
        with self._context.database.read() as connection:
            [operation] = operations.load(connection, operations.table.c.id == entry.operation_id)
        call = self._cancellation() if cancel else self._encode(operation)
        gas = _CANCEL_GAS if cancel else entry.gas
        signed = self._sign(entry.nonce, call, gas, fees)
        with self._context.database.write() as connection:
            attempt_id = _insert_attempt(connection, entry.id, signed, fees, cancels=cancel, now=self._context.clock())
        _log.info("Replaced the transaction with nonce %d (%s).", entry.nonce, "cancelled" if cancel else "higher fee")
        self._hand_over(attempt_id, signed.raw)
        return True

    # --- sending ---

    def in_flight(self) -> int:
        """How many nonces are used and in no block."""
        with self._context.database.read() as connection:
            return connection.execute(
                select(func.count()).select_from(outbox).where(outbox.c.state == "OPEN")
            ).scalar_one()

    def send(self, operation: Operation, head: BlockRef) -> Sending:
        """Simulates a PENDING operation, stores it signed at the next nonce, and hands it over.

        Raises ChainUnreachable; if that was after the commit, the operation is SENT and is handed over again later.
        """
        context = self._context
        call = self._encode(operation)
        try:
            gas = context.chain.estimate_gas(context.payer.address, call)
            fees = context.chain.suggest_fees()
        except CallReverted as reverted:
            return Sending(False, f"The contract refuses it: {reverted}", reverted.error)
        except TransactionRefused as refused:
            return Sending(False, str(refused))
        gas += gas * _GAS_MARGIN_PERCENT // 100
        nonce = max(context.chain.next_nonce(context.payer.address, head), self._next_own_nonce())
        signed = self._sign(nonce, call, gas, fees)
        self._store_and_send(operation, nonce, gas, fees, signed)
        return Sending(True)

    def _store_and_send(
        self, operation: Operation, nonce: int, gas: int, fees: Fees, signed: SignedTransaction
    ) -> None:
        with self._context.database.write() as connection:
            outbox_id = connection.execute(
                insert(outbox)
                .values(
                    operation_id=operation.id,
                    chain_id=self._context.chain.chain_id,
                    sender=self._context.payer.address,
                    nonce=nonce,
                    state="OPEN",
                    gas=gas,
                )
                .returning(outbox.c.id)
            ).scalar_one()
            attempt_id = _insert_attempt(connection, outbox_id, signed, fees, cancels=False, now=self._context.clock())
            operations.set_state(connection, operation.id, "SENT")
            if operation.batch_id is not None:
                connection.execute(
                    update(batches).where(batches.c.id == operation.batch_id).values(state=BatchState.SUBMITTED)
                )
        # From here on the next start finds the signed transaction and goes on, whatever happens.
        self._hand_over(attempt_id, signed.raw)

    def _hand_over(self, attempt_id: int, raw: bytes) -> None:
        """Gives a stored transaction to the node. A refusal leaves it waiting, with a message."""
        self._sent_at[attempt_id] = self._context.clock()
        try:
            self._context.chain.send(raw)
        except TransactionRefused as refused:
            if refused.refusal is not Refusal.NONCE_TOO_LOW:  # that one only says that ``settle`` has something to see
                _log.warning("%s", refused)
            with self._context.database.write() as connection:
                connection.execute(
                    update(operations.table)
                    .where(
                        operations.table.c.id
                        == select(outbox.c.operation_id)
                        .where(outbox.c.id == attempts.c.outbox_id, attempts.c.id == attempt_id)
                        .scalar_subquery()
                    )
                    .values(note=str(refused))
                )

    # --- small parts ---

    def _encode(self, operation: Operation) -> Call:
        return self._context.chain.encode(operation.call, operation.authority)

    def _cancellation(self) -> Call:
        return Call(to=self._context.payer.address, data=b"")

    def _sign(self, nonce: int, call: Call, gas: int, fees: Fees) -> SignedTransaction:
        return self._context.payer.sign_transaction(
            chain_id=self._context.chain.chain_id, nonce=nonce, call=call, gas=gas, fees=fees
        )

    def _next_own_nonce(self) -> int:
        with self._context.database.read() as connection:
            highest = connection.execute(
                select(func.max(outbox.c.nonce)).where(
                    outbox.c.chain_id == self._context.chain.chain_id,
                    outbox.c.sender == self._context.payer.address,
                )
            ).scalar()
        return 0 if highest is None else highest + 1

    def _live_entries(self) -> list[_Entry]:
        with self._context.database.read() as connection:
            rows = connection.execute(select(outbox).where(outbox.c.state.in_(_LIVE)).order_by(outbox.c.nonce)).all()
            entries = []
            for row in rows:
                newest = connection.execute(
                    select(attempts).where(attempts.c.outbox_id == row.id).order_by(attempts.c.id.desc()).limit(1)
                ).one()
                entries.append(_Entry(row.id, row.operation_id, row.nonce, row.state, row.gas, newest))
        return entries

    def _find_mined(self, outbox_id: int) -> tuple[TransactionState, bool] | None:
        """The attempt that is in a block, and whether it was a cancellation."""
        with self._context.database.read() as connection:
            rows = connection.execute(
                select(attempts.c.hash, attempts.c.cancels)
                .where(attempts.c.outbox_id == outbox_id)
                .order_by(attempts.c.id.desc())
            ).all()
        for row in rows:
            state = self._context.chain.transaction(row.hash)
            if state is not None:
                return state, bool(row.cancels)
        return None


def is_live(connection: Connection, operation_id: int) -> bool:
    """Whether a transaction for this operation waits, or stands in a block that is not final."""
    return (
        connection.execute(
            select(outbox.c.id).where(outbox.c.operation_id == operation_id, outbox.c.state.in_(_LIVE)).limit(1)
        ).scalar()
        is not None
    )


def _insert_attempt(
    connection: Connection, outbox_id: int, signed: SignedTransaction, fees: Fees, *, cancels: bool, now: int
) -> int:
    identifier: int = connection.execute(
        insert(attempts)
        .values(
            outbox_id=outbox_id,
            hash=signed.hash,
            raw=signed.raw,
            max_fee=str(fees.max_fee),
            priority_fee=str(fees.priority_fee),
            cancels=int(cancels),
            created_at=now,
        )
        .returning(attempts.c.id)
    ).scalar_one()
    return identifier


def _set_row(connection: Connection, outbox_id: int, state: str, block_number: int | None) -> None:
    connection.execute(update(outbox).where(outbox.c.id == outbox_id).values(state=state, block_number=block_number))


def _reopen(connection: Connection, operation_id: int, note: str | None) -> None:
    """Back to PENDING, unless it was cancelled meanwhile."""
    table = operations.table
    connection.execute(
        update(table).where(table.c.id == operation_id, table.c.state == "SENT").values(state="PENDING", note=note)
    )
    batch = select(table.c.batch_id).where(table.c.id == operation_id).scalar_subquery()
    connection.execute(
        update(batches)
        .where(batches.c.id == batch, batches.c.state == BatchState.SUBMITTED)
        .values(state=BatchState.SEALED)
    )


def _bumped(fee: int) -> int:
    return fee + fee * _BUMP_PERCENT // 100 + 1
