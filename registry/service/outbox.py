"""The outbox: every transaction of the paying account goes through it, one row for each nonce.

    OPEN -> MINED -> DONE          in a block -> in a final block
                  -> REVERTED      in a final block, and refused by the contract: the operation goes back to PENDING
         -> LOST                   a foreign transaction of the same account took the nonce, and that is final

What a crash leaves behind, line by line: before the commit in ``_store_and_send`` nothing; after it a signed
transaction that may or may not have been sent, which the next start sends again (a node takes the same bytes twice
without harm). A nonce is used for one operation only: a replacement carries the same call with a higher fee, or nothing
at all where the operation is not wanted any more. An operation gets another nonce only when what became of the first is
final; the first row lets go of it then (``operation_id`` NULL), so that no reorganisation gives it two.
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
from registry.store.tables import attempts, batches, outbox, status_requests

__all__ = ["Outbox", "Sending"]

_LIVE = ("OPEN", "MINED")
_RESEND_SECONDS = 15  # how often a waiting transaction is handed to the node again, should it have forgotten it
_BUMP_PERCENT = 25  # nodes ask for at least 10 % on both fees to replace a transaction
_MOST_OVER_SUGGESTED = 4  # times the suggested fee, for a transaction that blocks pass over
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
    operation_id: int | None
    sender: bytes
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
        self._sent_at = {entry.attempt.id: self._sent_at.get(entry.attempt.id, 0) for entry in entries}
        changed = False
        for sender in {entry.sender for entry in entries}:  # more than one where the operator's account was changed
            mine = [entry for entry in entries if entry.sender == sender]
            used = self._context.chain.next_nonce(sender, head)
            used_finally = self._context.chain.next_nonce(sender, final) if final else 0
            for entry in mine:
                if entry.nonce < used:
                    changed |= self._settle_used(entry, final, lost=entry.nonce < used_finally)
                else:
                    changed |= self._settle_waiting(entry, head)
            lowest = next((entry for entry in mine if entry.nonce >= used), None)
            if lowest is not None and self._is_stuck(lowest):
                for nonce in range(used, lowest.nonce):
                    changed |= self._fill_gap(sender, nonce)
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
                _reopen(connection, entry, "A foreign transaction took the nonce; it is sent again.")
                return True
            state, is_cancel = mined
            refused = not state.succeeded and not is_cancel
            if final is None or state.block_number > final.number:
                if entry.state == "MINED":
                    return False
                _set_row(connection, entry.id, "MINED", state.block_number)
                note = (
                    "The contract refused the transaction; once that is final it is decided anew." if refused else None
                )
                _note(connection, entry, note)
            elif state.succeeded and not is_cancel:
                _set_row(connection, entry.id, "DONE", state.block_number)
                connection.execute(
                    update(operations.table)
                    .where(operations.table.c.id == entry.operation_id, operations.table.c.state == "SENT")
                    .values(state="DONE", note=None)
                )
            else:
                # A reverted or cancelled call has used its nonce and changed nothing: whether it is still wanted is
                # decided anew, from the contract's state.
                _set_row(connection, entry.id, "REVERTED" if refused else "DONE", state.block_number)
                _reopen(connection, entry, "The contract refused the transaction." if refused else None)
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
        if (unwanted or self._is_stuck(entry)) and self._replace(entry, head, unwanted=unwanted):
            return True
        if now - self._sent_at.get(entry.attempt.id, 0) >= _RESEND_SECONDS:
            self._hand_over(entry.attempt.id, entry.attempt.raw)
        return changed

    def _is_stuck(self, entry: _Entry) -> bool:
        return bool(self._context.clock() - entry.attempt.created_at >= self._context.rules.stuck_seconds)

    def _is_unwanted(self, entry: _Entry, now: int) -> bool:
        if entry.operation_id is None:
            return True
        operation = self._load(entry.operation_id)
        if operation.state == "CANCELLED":
            return True
        # Once its signature has run out the contract can only refuse the call.
        return operation.authority is not None and operation.authority.deadline < now

    def _replace(self, entry: _Entry, head: BlockRef, *, unwanted: bool) -> bool:
        """Another attempt at the same nonce with a higher fee; nothing happens while the fee is above the cap.

        Nor where the fee is not what holds it back: a chain that stands still must not drive it up, again and again,
        and where blocks are made without ours, a fee of several times what the node suggests would not help either.
        """
        if entry.sender != self._context.payer.address:
            return False  # its key is not here any more
        try:
            fees = self._context.chain.suggest_fees()
        except TransactionRefused as refused:
            _log.warning("A transaction waits (nonce %d): %s", entry.nonce, refused)
            return False
        old = Fees(int(entry.attempt.max_fee), int(entry.attempt.priority_fee))
        if not unwanted and fees.max_fee <= old.max_fee and fees.priority_fee <= old.priority_fee:
            passed_over = head.timestamp > entry.attempt.created_at
            if not passed_over or _bumped(old.max_fee) > _MOST_OVER_SUGGESTED * fees.max_fee:
                return False
        fees = Fees(max(fees.max_fee, _bumped(old.max_fee)), max(fees.priority_fee, _bumped(old.priority_fee)))
        call = self._cancellation()
        cancel = unwanted or bool(entry.attempt.cancels)
        if not cancel and entry.operation_id is not None:
            call = self._encode(self._load(entry.operation_id))
        gas = _CANCEL_GAS if cancel else entry.gas
        signed = self._sign(entry.nonce, call, gas, fees)
        with self._context.database.write() as connection:
            attempt_id = _insert_attempt(connection, entry.id, signed, fees, cancels=cancel, now=self._context.clock())
        _log.info("Replaced the transaction with nonce %d (%s).", entry.nonce, "cancelled" if cancel else "higher fee")
        self._hand_over(attempt_id, signed.raw)
        return True

    def _fill_gap(self, sender: bytes, nonce: int) -> bool:
        """Uses up a nonce that a foreign transaction had, until a reorganisation removed it: ours wait behind it."""
        if sender != self._context.payer.address:
            return False
        try:
            fees = self._context.chain.suggest_fees()
        except TransactionRefused as refused:
            _log.warning("A transaction waits (nonce %d): %s", nonce, refused)
            return False
        signed = self._sign(nonce, self._cancellation(), _CANCEL_GAS, fees)
        place = (outbox.c.chain_id == self._context.chain.chain_id, outbox.c.sender == sender, outbox.c.nonce == nonce)
        with self._context.database.write() as connection:
            outbox_id = connection.execute(
                update(outbox).where(*place).values(operation_id=None, state="OPEN", block_number=None)
                .returning(outbox.c.id)
            ).scalar()  # fmt: skip
            if outbox_id is None:
                outbox_id = self._insert_row(connection, None, nonce, _CANCEL_GAS)
            attempt_id = _insert_attempt(connection, outbox_id, signed, fees, cancels=True, now=self._context.clock())
        _log.warning("Nonce %d of the paying account was used by a foreign transaction that is gone: filled.", nonce)
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
        return Sending(self._store_and_send(operation, nonce, gas, fees, signed))

    def _store_and_send(
        self, operation: Operation, nonce: int, gas: int, fees: Fees, signed: SignedTransaction
    ) -> bool:
        """Returns whether it went out: it may have been cancelled, or signed anew, since it was read."""
        with self._context.database.write() as connection:
            if not operations.take(connection, operation):
                return False
            outbox_id = self._insert_row(connection, operation.id, nonce, gas)
            attempt_id = _insert_attempt(connection, outbox_id, signed, fees, cancels=False, now=self._context.clock())
            if operation.batch_id is not None:
                connection.execute(
                    update(batches).where(batches.c.id == operation.batch_id).values(state=BatchState.SUBMITTED)
                )
        # From here on the next start finds the signed transaction and goes on, whatever happens.
        self._hand_over(attempt_id, signed.raw)
        return True

    def _insert_row(self, connection: Connection, operation_id: int | None, nonce: int, gas: int) -> int:
        identifier: int = connection.execute(
            insert(outbox)
            .values(
                operation_id=operation_id,
                chain_id=self._context.chain.chain_id,
                sender=self._context.payer.address,
                nonce=nonce,
                state="OPEN",
                gas=gas,
            )
            .returning(outbox.c.id)
        ).scalar_one()
        return identifier

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

    def _load(self, operation_id: int) -> Operation:
        with self._context.database.read() as connection:
            [operation] = operations.load(connection, operations.table.c.id == operation_id)
        return operation

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
                entries.append(_Entry(row.id, row.operation_id, row.sender, row.nonce, row.state, row.gas, newest))
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


def _note(connection: Connection, entry: _Entry, note: str | None) -> None:
    connection.execute(update(operations.table).where(operations.table.c.id == entry.operation_id).values(note=note))


def _reopen(connection: Connection, entry: _Entry, note: str | None) -> None:
    """Back to PENDING, unless it was cancelled meanwhile; the row lets go of it.

    A suspension is not sent again as it was: a later one may have overtaken it. Its requests wait for a new call.
    """
    table = operations.table
    connection.execute(update(outbox).where(outbox.c.id == entry.id).values(operation_id=None))
    reopened = connection.execute(
        update(table)
        .where(table.c.id == entry.operation_id, table.c.state == "SENT")
        .values(state="PENDING", note=note)
        .returning(table.c.id, table.c.kind, table.c.batch_id)
    ).one_or_none()
    if reopened is None:
        return
    if reopened.kind == operations.SUSPEND:
        operations.set_state(connection, reopened.id, "CANCELLED", note)
        connection.execute(
            update(status_requests)
            .where(status_requests.c.operation_id == reopened.id, status_requests.c.state != "SUPERSEDED")
            .values(state="WAITING", operation_id=None, final_block=None)
        )
    connection.execute(
        update(batches)
        .where(batches.c.id == reopened.batch_id, batches.c.state == BatchState.SUBMITTED)
        .values(state=BatchState.SEALED)
    )


def _bumped(fee: int) -> int:
    return fee + fee * _BUMP_PERCENT // 100 + 1
