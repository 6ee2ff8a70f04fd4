"""Anchoring: compares each issuer's sequence in the database with the one on chain, and sends what is missing.

What happened to a batch is decided from the contract's state, never from a transaction's hash:

    the contract has its record                   -> ANCHORED, and FINAL when the record's block is
    nextIndex <  first                            -> wait for the batch before it
    nextIndex == first                            -> send it
    nextIndex >  first, and no record             -> somebody else used the issuer's sequence; DISPLACED once final
    nextIndex <  first, with nothing between      -> somebody else had used it, and a reorganisation took that away

A displaced batch and everything behind it gets new indexes, salts and leaves: nothing of it has left the service.
"""

import logging
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from anchors.base import AnchorBatch, EvidenceQuery, IssuerState, SetDid, SetKey, SetSuspension
from registry.core.errors import InputError
from registry.core.model import BatchRecord, BlockRef
from registry.service import operations
from registry.service.batching import UNFINISHED, Batch, BatchState, load_batches
from registry.service.context import Context
from registry.service.errors import BusyError
from registry.service.intake import ISSUED, SECURED, is_out
from registry.service.issuers import HOSTED, SELF, Issuer, Issuers, lock_issuer
from registry.service.operations import ANCHOR, SET_DID, SET_KEY, SUSPEND, Operation
from registry.service.outbox import Outbox, is_live
from registry.service.securing import Securing, leaf_of, unsecured
from registry.store.database import AnyRow
from registry.store.tables import batches, credentials, issuers, status_requests

__all__ = ["Anchoring", "final_block", "waits_for_finality"]

_SIGNATURE_MARGIN_SECONDS = 30
_KEY_ERRORS = frozenset({"NotEntitled", "InvalidNonce", "SignatureExpired"})
_CHUNK = 1_000

_RENEW = (
    update(credentials)
    .where(credentials.c.id == bindparam("key"))
    .values(
        credential_index=bindparam("index"),
        state=bindparam("now"),
        external_id=bindparam("own"),
        content=bindparam("text"),
        salt=bindparam("fresh"),
        leaf=bindparam("hash"),
    )
)

_log = logging.getLogger(__name__)


def final_block(context: Context, head: BlockRef) -> BlockRef | None:
    """The newest block that counts as final here: so many confirmations deep, or what the node calls finalized."""
    confirmations = context.rules.confirmations
    if confirmations == 0:
        return context.chain.finalized()
    if confirmations == 1:
        return head
    return context.chain.block(head.number - confirmations + 1) if head.number >= confirmations - 1 else None


def waits_for_finality(context: Context) -> str:
    """What an anchored batch waits for, for people."""
    confirmations = context.rules.confirmations
    if confirmations == 0:
        return "Anchored; final as soon as the node calls its block finalized."
    return (
        f"Anchored; final after {confirmations} confirmations. A node that makes blocks only for transactions has to "
        "be told to make more, or CONFIRMATIONS to be 1."
    )


class Anchoring:
    """Only the one worker calls it."""

    def __init__(self, context: Context, issuers_: Issuers, outbox: Outbox) -> None:
        self._context = context
        self._issuers = issuers_
        self._outbox = outbox
        self._securing = Securing(context)

    # --- what is true ---

    def settle(self, issuer: Issuer, head: BlockRef, final: BlockRef | None) -> bool:
        """Brings one issuer's batches in line with the chain; returns whether anything changed.

        Raises ChainUnreachable; everything it had found out is kept.
        """
        chain = self._context.chain
        next_index = chain.read_issuer(issuer.address, head).next_index
        changed = False
        for batch in self._unfinished(issuer):
            record = None
            if batch.end <= next_index:  # otherwise it cannot be there: records have no gaps
                record = chain.read_record(issuer.address, batch.root, batch.first, head)
            if record is not None and record.size == batch.size:
                changed |= self._mark_anchored(issuer, batch, record, final)
            elif batch.state is BatchState.ANCHORED:
                self._mark_unanchored(batch)
                changed = True
        kept, expected = self._sequence(issuer)
        if next_index == expected:
            return self._set_halted(issuer, None) or changed
        finally_next = chain.read_issuer(issuer.address, final).next_index if final else 0
        if next_index < kept:
            return (
                self._set_halted(
                    issuer,
                    f"The chain has {next_index:,} credentials of {issuer.name}, the database holds {kept:,} for "
                    "anchored. Nothing is accepted until they agree: check RPC_URLS, CHAIN_ID and CONTRACT; if the "
                    "chain itself lost blocks, wait for it or restore it.",
                )
                or changed
            )
        if next_index > expected >= finally_next:
            return (
                self._set_halted(
                    issuer,
                    f"Indexes {expected:,} to {next_index - 1:,} of {issuer.name} were anchored by somebody else with "
                    "its key. Nothing is accepted until that is final; then what is not anchored is renumbered by "
                    "itself. Find out who holds the issuer's key.",
                )
                or changed
            )
        # Only what is final, and what is ours, counts: a foreign anchor beyond that may be gone again tomorrow.
        try:
            self._displace(issuer, max(finally_next, kept))
        except (BusyError, InputError) as error:  # nothing is changed, and the others' business goes on
            _log.error("The credentials of %s cannot be signed again: %s", issuer.name, error)
            reason = (
                f"Somebody else anchored with the key of {issuer.name}, so that its credentials have to be signed "
                "again at other indexes, and they cannot be just now. Nothing is accepted until then; the operator's "
                "log says why."
            )
            return self._set_halted(issuer, reason) or changed
        return True

    def _mark_anchored(self, issuer: Issuer, batch: Batch, record: BatchRecord, final: BlockRef | None) -> bool:
        is_final = final is not None and record.block_number <= final.number
        state = BatchState.FINAL if is_final else BatchState.ANCHORED
        same = (batch.state, batch.block_number, batch.anchored_at) == (state, record.block_number, record.anchored_at)
        if same:
            return False
        values: dict[str, Any] = {
            "state": state,
            "anchored_at": record.anchored_at,
            "block_number": record.block_number,
            "block_hash": None,
            "transaction": None,
        }
        if is_final:
            query = EvidenceQuery(issuer.address, batch.root, batch.first, ())
            location = self._context.chain.read_evidence([query])[0].location
            if location.block_hash is None or location.transaction is None:
                note = "Anchored; but the node no longer holds that block's logs, which the bundles name. Add a node "
                note += "with history to RPC_URLS."
                if batch.state is BatchState.ANCHORED and batch.note == note:
                    return False
                values |= {"state": BatchState.ANCHORED}
                with self._context.database.write() as connection:
                    connection.execute(
                        update(operations.table).where(operations.table.c.id == batch.operation_id).values(note=note)
                    )
            else:
                values |= {"block_hash": location.block_hash, "transaction": location.transaction}
        with self._context.database.write() as connection:
            connection.execute(update(batches).where(batches.c.id == batch.id).values(values))
            if values["state"] is BatchState.FINAL and not is_live(connection, batch.operation_id):
                operations.set_state(connection, batch.operation_id, "DONE")
            elif not is_final:
                connection.execute(
                    update(operations.table)
                    .where(operations.table.c.id == batch.operation_id)
                    .values(note=waits_for_finality(self._context))
                )
        return True

    def _mark_unanchored(self, batch: Batch) -> None:
        """A reorganisation removed the anchor; the outbox sends the transaction again, or a new one is made."""
        _log.warning("The anchor of the batch at index %d is gone after a reorganisation.", batch.first)
        with self._context.database.write() as connection:
            live = is_live(connection, batch.operation_id)
            connection.execute(
                update(batches)
                .where(batches.c.id == batch.id)
                .values(
                    state=BatchState.SUBMITTED if live else BatchState.SEALED,
                    anchored_at=None,
                    block_number=None,
                    block_hash=None,
                    transaction=None,
                )
            )
            if not live:
                operations.set_state(connection, batch.operation_id, "PENDING")

    def _sequence(self, issuer: Issuer) -> tuple[int, int]:
        """As far as the database knows: where the last batch on chain ends, and the first index that is not there."""
        mine, on_chain = batches.c.issuer_id == issuer.id, (BatchState.ANCHORED, BatchState.FINAL)
        with self._context.database.read() as connection:
            kept = connection.execute(
                select(func.max(batches.c.first + batches.c.size)).where(mine, batches.c.state.in_(on_chain))
            ).scalar()
            first_batch = connection.execute(
                select(func.min(batches.c.first)).where(
                    mine, batches.c.state.in_(UNFINISHED), batches.c.state.not_in(on_chain)
                )
            ).scalar()
            first_open = connection.execute(
                select(func.min(credentials.c.credential_index)).where(
                    credentials.c.issuer_id == issuer.id, credentials.c.batch_id.is_(None)
                )
            ).scalar()
            end = connection.execute(select(issuers.c.next_index).where(issuers.c.id == issuer.id)).scalar_one()
        return kept or 0, min(value for value in (end, first_batch, first_open) if value is not None)

    def _unfinished(self, issuer: Issuer) -> list[Batch]:
        with self._context.database.read() as connection:
            return load_batches(connection, batches.c.issuer_id == issuer.id, batches.c.state.in_(UNFINISHED))

    def _set_halted(self, issuer: Issuer, reason: str | None) -> bool:
        with self._context.database.write() as connection:
            before = connection.execute(select(issuers.c.halted).where(issuers.c.id == issuer.id)).scalar_one()
            if before == reason:
                return False
            connection.execute(update(issuers).where(issuers.c.id == issuer.id).values(halted=reason))
        if reason:
            _log.error("%s", reason)
        return True

    def _note(self, operation: Operation, note: str) -> None:
        """Says what a waiting call waits for, unless it already says so."""
        if operation.note == note:
            return
        table = operations.table
        with self._context.database.write() as connection:
            connection.execute(
                update(table).where(table.c.id == operation.id, table.c.state == "PENDING").values(note=note)
            )

    def _displace(self, issuer: Issuer, base: int) -> None:
        """Renumbers everything of an issuer that is not anchored, from ``base`` on. One transaction."""
        with self._context.database.write() as connection:
            current = lock_issuer(connection, issuer.id)
            displaced = load_batches(
                connection,
                batches.c.issuer_id == issuer.id,
                batches.c.state.in_(UNFINISHED),
                batches.c.state != BatchState.ANCHORED,
            )
            for batch in displaced:
                connection.execute(update(batches).where(batches.c.id == batch.id).values(state=BatchState.DISPLACED))
                operations.set_state(connection, batch.operation_id, "CANCELLED", "The indexes were taken.")
                connection.execute(update(credentials).where(credentials.c.batch_id == batch.id).values(batch_id=None))
            moved = self._renumber(connection, current, base)
            connection.execute(
                update(issuers).where(issuers.c.id == issuer.id).values(next_index=base + moved, halted=None)
            )
        _log.warning(
            "Renumbered %d credentials of %s from index %d on, and displaced %d batches: somebody else anchored with "
            "its key.", moved, issuer.name, base, len(displaced),
        )  # fmt: skip

    def _renumber(self, connection: Connection, issuer: Issuer, base: int) -> int:
        """New indexes, salts and leaves for every credential without a batch; returns how many."""
        open_ = (credentials.c.issuer_id == issuer.id) & credentials.c.batch_id.is_(None)
        # Out of the way first: old and new ranges may overlap, and (issuer, index) is unique.
        connection.execute(
            update(credentials).where(open_).values(credential_index=-1 - credentials.c.credential_index)
        )
        index = base
        while rows := connection.execute(
            select(
                credentials.c.id,
                credentials.c.state,
                credentials.c.form,
                credentials.c.reserved_until,
                credentials.c.external_id,
                credentials.c.content,
            )
            .where(open_, credentials.c.credential_index < 0)
            .order_by(credentials.c.credential_index.desc())
            .limit(_CHUNK)
        ).all():
            renewed = []
            for row in rows:
                renewed.append({"key": row.id, "index": index, **self._renewed(issuer, row, index)})
                index += 1
            connection.execute(_RENEW, renewed)
        self._requeue_status(connection, issuer)
        return index - base

    def _renewed(self, issuer: Issuer, row: AnyRow, index: int) -> dict[str, Any]:
        """What becomes of one credential at another index.

        What its issuer secured for the old index cannot be moved: it has to be handed in again. A tombstone's leaf is
        random; were it kept, a batch of tombstones could get a root that it had before.
        """
        tombstone = {
            "now": row.state, "own": row.external_id, "text": None, "fresh": None, "hash": self._context.random(32),
        }  # fmt: skip
        if row.state == "RESERVED":
            return tombstone | {"now": "UNUSED"}
        if row.state != "LIVE":
            return tombstone
        if row.form != ISSUED and is_out(row.form, row.reserved_until):
            return tombstone | {"now": "NEEDS_RESUBMIT", "own": None}  # its "id" is free for what comes again
        salt = self._context.random(32)
        content = row.content
        if row.form != SECURED:
            content = self._securing.secure(issuer, unsecured(content), index)
        return {"now": "LIVE", "own": row.external_id, "text": content, "fresh": salt, "hash": leaf_of(content, salt)}

    def _requeue_status(self, connection: Connection, issuer: Issuer) -> None:
        """Status calls that name old indexes are not wanted any more; their requests wait for the new anchors."""
        waiting = (
            select(status_requests.c.operation_id)
            .join(credentials, credentials.c.id == status_requests.c.credential_id)
            .where(
                credentials.c.issuer_id == issuer.id,
                credentials.c.batch_id.is_(None),
                status_requests.c.state.in_(("SENT", "ON_CHAIN")),
                status_requests.c.operation_id.is_not(None),
            )
        )
        for operation_id in set(connection.scalars(waiting)):
            operations.set_state(connection, operation_id, "CANCELLED", "The indexes were taken.")
            connection.execute(
                update(status_requests)
                .where(status_requests.c.operation_id == operation_id, status_requests.c.state != "FINAL")
                .values(state="WAITING", operation_id=None)
            )

    # --- what is wanted ---

    def send(self, head: BlockRef, final: BlockRef | None) -> bool:
        """Sends what can be sent, oldest first; returns whether anything was. Raises ChainUnreachable."""
        table = operations.table
        with self._context.database.read() as connection:
            pending = operations.load(connection, table.c.state == "PENDING")
        changed = False
        states: dict[int, tuple[Issuer, IssuerState]] = {}  # one question for each issuer, not for each call
        claiming = set[int]()  # issuers whose claim of a DID comes next: their bundles should carry the document
        free = self._context.rules.transactions_in_flight - self._outbox.in_flight()
        for operation in pending:
            if free <= 0:
                break
            if operation.issuer_id not in states:
                issuer = self._issuers.by_id(operation.issuer_id)
                states[issuer.id] = issuer, self._context.chain.read_issuer(issuer.address, head)
            issuer, state = states[operation.issuer_id]
            if operation.kind == SET_DID and self._is_fresh(operation, head) and _comes_later(operation, state):
                claiming.add(issuer.id)
            if operation.kind == ANCHOR and issuer.id in claiming:
                self._note(operation, "Waits for the claim of the issuer's DID.")
            elif operation.kind == SET_KEY and self._has_key(operation, final):
                changed = True
            elif self._send_one(operation, issuer, state, head):
                free -= 1
                changed = True
        return changed

    def _send_one(self, operation: Operation, issuer: Issuer, state: IssuerState, head: BlockRef) -> bool:
        if operation.kind == ANCHOR and not self._is_next(operation, state):
            return False
        if operation.kind == SUSPEND:
            operation = self._with_current_nonce(operation, state)
        if operation.kind == SET_DID:
            turn = self._in_its_turn(operation, issuer, state)
            if turn is None:
                return False
            operation = turn
        if not self._is_authorised(operation, issuer, head):
            return False
        result = self._outbox.send(operation, head)
        if result.note is not None:
            again = issuer.mode == HOSTED and result.error in _KEY_ERRORS and operation.kind != SET_DID
            hint = f" Give the operator's key again: `registry issuer authorize {issuer.name}`." if again else ""
            self._note(operation, result.note + hint)
        return result.sent

    def _has_key(self, operation: Operation, final: BlockRef | None) -> bool:
        """Whether the key is there for good: an older gift arrived, which made this one's signature worthless."""
        if not isinstance(operation.call, SetKey):
            raise TypeError(f"operation {operation.id} is no gift of a key")
        wanted, call = operation.call.roles, operation.call
        if final is None or self._context.chain.read_roles(call.issuer, call.key, final) & wanted != wanted:
            return False
        with self._context.database.write() as connection:
            operations.set_state(connection, operation.id, "DONE")
        return True

    def _is_next(self, operation: Operation, state: IssuerState) -> bool:
        if not isinstance(operation.call, AnchorBatch):
            raise TypeError(f"operation {operation.id} is no anchor")
        if state.next_index < operation.call.first:
            self._note(operation, "Waits for the batch before it.")
        return state.next_index == operation.call.first

    def _with_current_nonce(self, operation: Operation, state: IssuerState) -> Operation:
        """A suspension names the issuer's counter; if that moved on since, the call is made anew."""
        if not isinstance(operation.call, SetSuspension):
            raise TypeError(f"operation {operation.id} is no suspension")
        if operation.call.nonce == state.nonce:
            return operation
        with self._context.database.write() as connection:
            return operations.set_nonce(connection, operation, state.nonce)

    def _in_its_turn(self, operation: Operation, issuer: Issuer, state: IssuerState) -> Operation | None:
        """A claim with the issuer's counter of now; None while the call before it is under way."""
        if not isinstance(operation.call, SetDid):
            raise TypeError(f"operation {operation.id} is no claim of a DID")
        if operation.authority is not None and _comes_later(operation, state):
            self._note(operation, "Waits for the gift of the operator's key.")
            return None
        if state.nonce == operation.call.nonce:
            return operation
        with self._context.database.write() as connection:
            return operations.set_nonce(connection, operation, state.nonce)

    def _is_fresh(self, operation: Operation, head: BlockRef) -> bool:
        """Whether it has a signature that can still be used."""
        latest = max(self._context.clock(), head.timestamp) + _SIGNATURE_MARGIN_SECONDS
        return operation.authority is not None and operation.authority.deadline > latest

    def _is_authorised(self, operation: Operation, issuer: Issuer, head: BlockRef) -> bool:
        """Whether the call can be made now: by our key of a hosted issuer, or with a signature that still counts."""
        authority = operation.authority
        if authority is None:
            if issuer.mode != SELF and operation.kind not in (SET_KEY, SET_DID):
                return True
            claim = issuer.mode == HOSTED and operation.kind == SET_DID
            how = f"registry issuer claim {issuer.name}" if claim else "registry sign"
            self._note(operation, f"Waits for the issuer's signature: `{how}`.")
        elif self._is_fresh(operation, head):
            return True
        else:
            with self._context.database.write() as connection:
                operations.set_authority(connection, operation, None)
            commands = {SET_KEY: "authorize", SET_DID: "claim"} if issuer.mode == HOSTED else {}
            command = commands.get(operation.kind)
            again = f"registry issuer {command} {issuer.name}" if command else "registry sign"
            self._note(operation, f"The signature ran out before it could be used; sign again: `{again}`.")
        if operation.batch_id is not None:
            self._set_batch_state(operation.batch_id, BatchState.AWAITING_SIGNATURE)
        return False

    def _set_batch_state(self, batch_id: int, state: BatchState) -> None:
        with self._context.database.write() as connection:
            connection.execute(
                update(batches).where(batches.c.id == batch_id, batches.c.state != state).values(state=state)
            )


def _comes_later(operation: Operation, state: IssuerState) -> bool:
    """Whether another call of the issuer's controller has to arrive before this claim."""
    return isinstance(operation.call, SetDid) and state.nonce < operation.call.nonce
