"""Revoking, suspending, reinstating, withdrawing and erasing credentials.

A request is answered at once and stands on chain later: it waits until its credential's batch is anchored, and many
requests go out in one transaction. From the answer on, the registry's own verdicts say `revocation_pending`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, exists, func, insert, select, update

from anchors.base import ContractCall, Revoke, SetSuspension
from registry.core.model import BlockRef
from registry.core.status import word_and_mask
from registry.service import operations
from registry.service.batching import BatchState
from registry.service.context import Context
from registry.service.errors import ConflictError, GoneError, InvalidError, NotFoundError
from registry.service.intake import is_out
from registry.service.issuers import Issuer, Issuers, lock_issuer
from registry.store.database import AnyRow
from registry.store.tables import batches, credentials, issuers, status_requests

__all__ = ["ACTIONS", "StatusRequest", "StatusService", "check_reason"]

ACTIONS = ("revoke", "suspend", "reinstate")
_SENT = ("SENT", "ON_CHAIN")
_PAGE = 20_000  # requests that are looked at together
_KEYS = 500  # in one query; SQLite takes some thousands


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """What became of a request: WITHDRAWN (before sealing), WAITING, SENT, ON_CHAIN, FINAL or SUPERSEDED."""

    credential_id: str
    action: str
    state: str


class StatusService:
    """``request`` and ``erase`` are safe from anywhere; only the one worker calls ``settle`` and ``collect``."""

    def __init__(self, context: Context, issuers_: Issuers) -> None:
        self._context = context
        self._issuers = issuers_

    # --- asked for by issuers ---

    def request(self, issuer: Issuer, credential_id: str, action: str, reason: str | None = None) -> StatusRequest:
        """Notes a change of status. Repeating the last request gives its state.

        Raises NotFoundError (also for another issuer's credential), InvalidError, ConflictError (already revoked).
        """
        if action not in ACTIONS:
            raise InvalidError("action", f"action must be one of: {', '.join(ACTIONS)}.", "/action")
        check_reason(reason)
        with self._context.database.write() as connection:
            lock_issuer(connection, issuer.id)  # before the credential, as sealing and renumbering do: or they deadlock
            credential = _own_credential(connection, issuer, credential_id)
            if credential.state == "WITHDRAWN":
                raise GoneError("withdrawn", "The credential was withdrawn before it was sealed.")
            if credential.state in ("UNUSED", "NEEDS_RESUBMIT"):
                raise GoneError(credential.state.lower(), "There is no credential at this index; it needs no status.")
            if credential.state == "RESERVED" and action != "revoke":
                raise ConflictError(
                    "not_submitted", "The index is reserved; its credential has not been handed in yet."
                )
            # What others may hold before it is sealed has to be revoked for all to see, once it is anchored.
            withdrawable = credential.batch_id is None and not is_out(credential.form, credential.reserved_until)
            if credential.state == "ERASED" and withdrawable:
                raise GoneError("erased", "The credential was erased before it was sealed.")
            if action == "revoke" and (withdrawable or credential.state == "RESERVED"):
                self._make_tombstone(connection, credential_id, "WITHDRAWN")
                _drop_requests(connection, credential_id)
                return StatusRequest(credential_id, action, "WITHDRAWN")
            last = self._last_request(connection, credential_id)
            if last is not None and last.action == action and last.state != "SUPERSEDED":
                return StatusRequest(credential_id, action, last.state)
            if self._is_revoked(connection, credential_id):
                raise ConflictError("revoked", "The credential is revoked, which cannot be undone.")
            if action == "reinstate" and last is None:
                raise ConflictError("not_suspended", "The credential is not suspended.")
            connection.execute(
                insert(status_requests).values(
                    issuer_id=issuer.id,
                    credential_id=credential_id,
                    action=action,
                    reason=reason,
                    state="WAITING",
                    requested_at=self._context.clock(),
                )
            )
        return StatusRequest(credential_id, action, "WAITING")

    def erase(self, issuer: Issuer, credential_id: str) -> None:
        """Deletes the credential and its salt for good; the leaf stays, so that the batch's root still comes out.

        A crash leaves either all or nothing erased. Raises NotFoundError, GoneError if it is already gone.
        """
        with self._context.database.write() as connection:
            lock_issuer(connection, issuer.id)
            credential = _own_credential(connection, issuer, credential_id)
            if credential.state == "ERASED":
                raise GoneError("erased", "The credential was erased before.")
            if credential.state in ("UNUSED", "NEEDS_RESUBMIT"):
                raise GoneError(credential.state.lower(), "There is no credential at this index.")
            if credential.batch_id is None and credential.state in ("LIVE", "RESERVED"):
                self._make_tombstone(connection, credential_id, "ERASED")
                if not is_out(credential.form, credential.reserved_until):
                    _drop_requests(connection, credential_id)
                    return
            else:
                connection.execute(
                    update(credentials)
                    .where(credentials.c.id == credential_id)
                    .values(state="ERASED", content=None, salt=None, external_id=None, request_digest=b"\0" * 32)
                )
            connection.execute(
                update(status_requests).where(status_requests.c.credential_id == credential_id).values(reason=None)
            )

    def _make_tombstone(self, connection: Connection, credential_id: str, state: str) -> None:
        """Before sealing the index is kept, with a leaf that stands for nothing: 32 random bytes."""
        connection.execute(
            update(credentials)
            .where(credentials.c.id == credential_id)
            .values(
                state=state,
                content=None,
                salt=None,
                external_id=None,
                request_digest=b"\0" * 32,
                leaf=self._context.random(32),
            )
        )

    # --- what others want to know ---

    def announced(self, pairs: Iterable[tuple[bytes, int]]) -> set[tuple[bytes, int]]:
        """Which of these (issuer address, index) have a revocation that was asked for, whatever became of it.

        Those on chain as well: after a reorganisation the chain may not show them for a while.
        """
        wanted: dict[bytes, list[int]] = defaultdict(list)
        for address, index in set(pairs):
            wanted[address].append(index)
        found: set[tuple[bytes, int]] = set()
        with self._context.database.read() as connection:
            for address, indexes in wanted.items():
                for start in range(0, len(indexes), _KEYS):
                    statement = (
                        select(credentials.c.credential_index)
                        .join(issuers, issuers.c.id == credentials.c.issuer_id)
                        .join(status_requests, status_requests.c.credential_id == credentials.c.id)
                        .where(
                            issuers.c.address == address,
                            credentials.c.credential_index.in_(indexes[start : start + _KEYS]),
                            status_requests.c.action == "revoke",
                            status_requests.c.state != "SUPERSEDED",
                        )
                    )
                    found |= {(address, index) for index in connection.scalars(statement)}
        return found

    def counts(self) -> dict[str, int]:
        """How many requests there are in each state."""
        with self._context.database.read() as connection:
            rows = connection.execute(select(status_requests.c.state, func.count()).group_by(status_requests.c.state))
            return {state: count for state, count in rows}  # noqa: C416 - dict() does not accept rows in mypy's eyes

    # --- the worker's part ---

    def settle(self, head: BlockRef, final: BlockRef | None) -> bool:
        """Sees which requests the chain shows by now; returns whether anything changed. Raises ChainUnreachable."""
        changed = False
        for issuer_id in self._issuers_with(_SENT):
            address, after = self._issuers.by_id(issuer_id).address, 0
            while rows := self._page(issuer_id, _SENT, after):
                changed |= self._settle_page(address, rows, head, final)
                after = rows[-1].id
        return changed

    def _settle_page(self, address: bytes, rows: Sequence[AnyRow], head: BlockRef, final: BlockRef | None) -> bool:
        words = sorted({word_and_mask(row.credential_index)[0] for row in rows})
        now = self._context.chain.read_words(address, words, head)
        then = self._context.chain.read_words(address, words, final) if final else {}
        moved: dict[str, list[int]] = defaultdict(list)
        for row in rows:
            state = "ON_CHAIN" if _shows(now, row) else "SENT"
            # Carried out for good is final as well, even if the issuer itself has changed the status again since.
            if final and ((state == "ON_CHAIN" and _shows(then, row)) or row.operation_state == "DONE"):
                state = "FINAL"
            if state != row.state:
                moved[state].append(row.id)
        for state, ids in moved.items():
            block = final.number if final and state == "FINAL" else None
            with self._context.database.write() as connection:
                _update(connection, ids, state=state, final_block=block)
        return bool(moved)

    def collect(self) -> bool:
        """Puts waiting requests of anchored credentials into as few calls as they fit; returns whether it made any."""
        made = False
        for issuer_id in self._issuers_with(("WAITING",)):
            issuer = self._issuers.by_id(issuer_id)
            rows = self._page(issuer_id, ("WAITING",), anchored=True)
            made |= self._collect_revocations(issuer, [row for row in rows if row.action == "revoke"])
            made |= self._collect_suspensions(issuer, [row for row in rows if row.action != "revoke"])
        return made

    def _collect_revocations(self, issuer: Issuer, rows: Sequence[AnyRow]) -> bool:
        by_word: dict[int, list[AnyRow]] = defaultdict(list)
        for row in rows:
            by_word[word_and_mask(row.credential_index)[0]].append(row)
        words, size = list(by_word), self._context.rules.status_words_per_transaction
        for some in (words[start : start + size] for start in range(0, len(words), size)):
            masks = tuple(sum({word_and_mask(row.credential_index)[1] for row in by_word[word]}) for word in some)
            taken = [row for word in some for row in by_word[word]]
            self._store(issuer, operations.REVOKE, Revoke(issuer.address, tuple(some), masks), taken)
        return bool(rows)

    def _collect_suspensions(self, issuer: Issuer, rows: Sequence[AnyRow]) -> bool:
        """One call at a time, because each names the issuer's counter; of several requests the last one counts."""
        if not rows or self._has_open(issuer, operations.SUSPEND):
            return False
        last = {row.credential_index: row for row in rows}
        masks: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        taken = []
        for index, row in last.items():
            word, mask = word_and_mask(index)
            if word not in masks and len(masks) >= self._context.rules.status_words_per_transaction:
                continue
            masks[word][0 if row.action == "suspend" else 1] |= mask
            taken.append(row)
        call = SetSuspension(
            issuer.address,
            0,  # the counter is filled in when the call is sent
            tuple(masks),
            tuple(pair[0] for pair in masks.values()),
            tuple(pair[1] for pair in masks.values()),
        )
        self._store(issuer, operations.SUSPEND, call, taken)
        return True

    def _store(self, issuer: Issuer, kind: str, call: ContractCall, rows: Sequence[AnyRow]) -> None:
        with self._context.database.write() as connection:
            operation_id = operations.create(
                connection, issuer_id=issuer.id, kind=kind, call=call, now=self._context.clock()
            )
            _update(connection, [row.id for row in rows], state="SENT", operation_id=operation_id)
            if kind == operations.SUSPEND:  # what was asked before says nothing about what the chain will show
                newer = status_requests.alias()
                connection.execute(
                    update(status_requests)
                    .where(
                        status_requests.c.issuer_id == issuer.id,
                        status_requests.c.action != "revoke",
                        status_requests.c.state != "SUPERSEDED",
                        exists().where(
                            newer.c.credential_id == status_requests.c.credential_id,
                            newer.c.operation_id == operation_id,
                            newer.c.id > status_requests.c.id,
                        ),
                    )
                    .values(state="SUPERSEDED")
                )

    def _has_open(self, issuer: Issuer, kind: str) -> bool:
        table = operations.table
        with self._context.database.read() as connection:
            return bool(
                operations.load(
                    connection,
                    table.c.issuer_id == issuer.id,
                    table.c.kind == kind,
                    table.c.state.in_(("PENDING", "SENT")),
                )
            )

    def _issuers_with(self, states: tuple[str, ...]) -> list[int]:
        table = status_requests.c
        with self._context.database.read() as connection:
            return list(
                connection.scalars(
                    select(table.issuer_id).where(table.state.in_(states)).distinct().order_by(table.issuer_id)
                )
            )

    def _page(
        self, issuer_id: int, states: tuple[str, ...], after: int = 0, *, anchored: bool = False
    ) -> Sequence[AnyRow]:
        """So many requests of an issuer, oldest first: about as many as fit into a call."""
        statement = (
            select(
                status_requests.c.id,
                status_requests.c.action,
                status_requests.c.state,
                credentials.c.credential_index,
                operations.table.c.state.label("operation_state"),
            )
            .join(credentials, credentials.c.id == status_requests.c.credential_id)
            .outerjoin(operations.table, operations.table.c.id == status_requests.c.operation_id)
            .where(
                status_requests.c.issuer_id == issuer_id,
                status_requests.c.state.in_(states),
                status_requests.c.id > after,
            )
            .order_by(status_requests.c.id)
            .limit(_PAGE)
        )
        if anchored:
            statement = statement.join(batches, batches.c.id == credentials.c.batch_id).where(
                batches.c.state.in_((BatchState.ANCHORED, BatchState.FINAL))
            )
        with self._context.database.read() as connection:
            return connection.execute(statement).all()

    def _last_request(self, connection: Connection, credential_id: str) -> AnyRow | None:
        return connection.execute(
            select(status_requests)
            .where(status_requests.c.credential_id == credential_id)
            .order_by(status_requests.c.id.desc())
            .limit(1)
        ).one_or_none()

    def _is_revoked(self, connection: Connection, credential_id: str) -> bool:
        return bool(
            connection.execute(
                select(func.count())
                .select_from(status_requests)
                .where(status_requests.c.credential_id == credential_id, status_requests.c.action == "revoke")
            ).scalar_one()
        )


def _drop_requests(connection: Connection, credential_id: str) -> None:
    """Of what nobody holds: there is nothing whose status could matter."""
    connection.execute(
        update(status_requests)
        .where(status_requests.c.credential_id == credential_id)
        .values(state="SUPERSEDED", reason=None)
    )


def _update(connection: Connection, ids: Sequence[int], **values: Any) -> None:
    for start in range(0, len(ids), _KEYS):
        connection.execute(
            update(status_requests)
            .where(status_requests.c.id.in_(ids[start : start + _KEYS]), status_requests.c.state != "SUPERSEDED")
            .values(values)
        )


def check_reason(reason: str | None) -> None:
    """Raises InvalidError unless it can be kept."""
    if reason is not None and (len(reason) > 1_000 or not _is_storable(reason)):
        raise InvalidError("reason", "reason must have at most 1,000 characters of Unicode, without NUL.", "/reason")


def _is_storable(text: str) -> bool:
    """Databases take neither NUL (PostgreSQL) nor lone surrogates, which a command line may hold."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _shows(words: dict[int, Any], row: AnyRow) -> bool:
    """Whether the chain's words show what the request asked for."""
    word, mask = word_and_mask(row.credential_index)
    if row.action == "revoke":
        return bool(words[word].revoked & mask)
    suspended = bool(words[word].suspended & mask)
    return suspended if row.action == "suspend" else not suspended


def _own_credential(connection: Connection, issuer: Issuer, credential_id: str) -> AnyRow:
    row = connection.execute(
        select(
            credentials.c.id,
            credentials.c.state,
            credentials.c.batch_id,
            credentials.c.form,
            credentials.c.reserved_until,
        )
        .where(credentials.c.id == credential_id, credentials.c.issuer_id == issuer.id)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFoundError("no_such_credential", f"{issuer.name} has no credential with this id.")
    return row
