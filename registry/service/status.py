"""Revoking, suspending, reinstating, withdrawing and erasing credentials.

A request is answered at once and stands on chain later: it waits until its credential's batch is anchored, and many
requests go out in one transaction. From the answer on, the registry's own verdicts say `revocation_pending`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from anchors.base import ContractCall, Revoke, SetSuspension
from registry.core.model import BlockRef
from registry.core.status import word_and_mask
from registry.service import operations
from registry.service.batching import BatchState
from registry.service.context import Context
from registry.service.errors import ConflictError, GoneError, InvalidError, NotFoundError
from registry.service.issuers import Issuer, Issuers
from registry.store.database import AnyRow
from registry.store.tables import batches, credentials, status_requests

__all__ = ["ACTIONS", "StatusRequest", "StatusService"]

ACTIONS = ("revoke", "suspend", "reinstate")
_PENDING = ("WAITING", "SENT")


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
        if reason is not None and (len(reason) > 1_000 or "\0" in reason):
            raise InvalidError("reason", "reason must have at most 1,000 characters, none of them NUL.", "/reason")
        with self._context.database.write() as connection:
            credential = _own_credential(connection, issuer, credential_id)
            if credential.state == "WITHDRAWN":
                raise GoneError("withdrawn", "The credential was withdrawn before it was sealed.")
            if credential.state == "ERASED" and credential.batch_id is None:
                raise GoneError("erased", "The credential was erased before it was sealed.")
            if action == "revoke" and credential.batch_id is None:
                self._make_tombstone(connection, credential_id, "WITHDRAWN")
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
            credential = _own_credential(connection, issuer, credential_id)
            if credential.state == "ERASED":
                raise GoneError("erased", "The credential was erased before.")
            if credential.batch_id is None and credential.state == "LIVE":
                self._make_tombstone(connection, credential_id, "ERASED")
                return
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
        connection.execute(
            update(status_requests)
            .where(status_requests.c.credential_id == credential_id)
            .values(state="SUPERSEDED", reason=None)
        )

    # --- what others want to know ---

    def announced(self, pairs: Iterable[tuple[bytes, int]]) -> set[tuple[bytes, int]]:
        """Which of these (issuer address, index) have a revocation that is asked for and not on chain yet."""
        wanted = set(pairs)
        if not wanted:
            return set()
        by_address = {issuer.address: issuer for issuer in self._issuers.all()}
        found: set[tuple[bytes, int]] = set()
        with self._context.database.read() as connection:
            for address in {address for address, _ in wanted} & by_address.keys():
                indexes = [index for issuer, index in wanted if issuer == address]
                statement = (
                    select(credentials.c.credential_index)
                    .join(status_requests, status_requests.c.credential_id == credentials.c.id)
                    .where(
                        credentials.c.issuer_id == by_address[address].id,
                        credentials.c.credential_index.between(min(indexes), max(indexes)),
                        status_requests.c.action == "revoke",
                        status_requests.c.state.in_(_PENDING),
                    )
                )
                rows = connection.scalars(statement)
                found |= {(address, index) for index in rows} & wanted
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
        for issuer_id, rows in self._by_issuer(("SENT", "ON_CHAIN")).items():
            address = self._issuers.by_id(issuer_id).address
            words = sorted({word_and_mask(row.credential_index)[0] for row in rows})
            now = self._context.chain.read_words(address, words, head)
            then = self._context.chain.read_words(address, words, final) if final else {}
            with self._context.database.write() as connection:
                for row in rows:
                    state, block = "SENT", None
                    if _shows(now, row):
                        state = "ON_CHAIN"
                        if final and _shows(then, row):
                            state, block = "FINAL", final.number
                    if state != row.state:
                        connection.execute(
                            update(status_requests)
                            .where(status_requests.c.id == row.id)
                            .values(state=state, final_block=block)
                        )
                        changed = True
        return changed

    def collect(self) -> bool:
        """Puts waiting requests of anchored credentials into as few calls as they fit; returns whether it made any."""
        made = False
        for issuer_id, rows in self._by_issuer(("WAITING",), anchored=True).items():
            issuer = self._issuers.by_id(issuer_id)
            made |= self._collect_revocations(issuer, [row for row in rows if row.action == "revoke"])
            made |= self._collect_suspensions(issuer, [row for row in rows if row.action != "revoke"])
        return made

    def _collect_revocations(self, issuer: Issuer, rows: Sequence[AnyRow]) -> bool:
        masks: dict[int, int] = defaultdict(int)
        taken = []
        for row in rows:
            word, mask = word_and_mask(row.credential_index)
            if word not in masks and len(masks) >= self._context.rules.status_words_per_transaction:
                continue  # the next call
            masks[word] |= mask
            taken.append(row)
        if not taken:
            return False
        call = Revoke(issuer.address, tuple(masks), tuple(masks.values()))
        self._store(issuer, operations.REVOKE, call, taken)
        return True

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
            for row in rows:
                connection.execute(
                    update(status_requests)
                    .where(status_requests.c.id == row.id)
                    .values(state="SENT", operation_id=operation_id)
                )
                if kind == operations.SUSPEND:  # what was asked before says nothing about what the chain will show
                    connection.execute(
                        update(status_requests)
                        .where(
                            status_requests.c.credential_id == row.credential_id,
                            status_requests.c.id < row.id,
                            status_requests.c.action != "revoke",
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

    def _by_issuer(self, states: tuple[str, ...], *, anchored: bool = False) -> dict[int, list[AnyRow]]:
        statement = (
            select(
                status_requests.c.id,
                status_requests.c.issuer_id,
                status_requests.c.action,
                status_requests.c.state,
                status_requests.c.credential_id,
                credentials.c.credential_index,
            )
            .join(credentials, credentials.c.id == status_requests.c.credential_id)
            .where(status_requests.c.state.in_(states))
            .order_by(status_requests.c.issuer_id, status_requests.c.id)
        )
        if anchored:
            statement = statement.join(batches, batches.c.id == credentials.c.batch_id).where(
                batches.c.state.in_((BatchState.ANCHORED, BatchState.FINAL))
            )
        result: dict[int, list[AnyRow]] = defaultdict(list)
        with self._context.database.read() as connection:
            for row in connection.execute(statement):
                result[row.issuer_id].append(row)
        return result

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


def _shows(words: dict[int, Any], row: AnyRow) -> bool:
    """Whether the chain's words show what the request asked for."""
    word, mask = word_and_mask(row.credential_index)
    if row.action == "revoke":
        return bool(words[word].revoked & mask)
    suspended = bool(words[word].suspended & mask)
    return suspended if row.action == "suspend" else not suspended


def _own_credential(connection: Connection, issuer: Issuer, credential_id: str) -> AnyRow:
    row = connection.execute(
        select(credentials.c.id, credentials.c.state, credentials.c.batch_id)
        .where(credentials.c.id == credential_id, credentials.c.issuer_id == issuer.id)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFoundError("no_such_credential", f"{issuer.name} has no credential with this id.")
    return row
