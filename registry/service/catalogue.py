"""What an issuer sees of its own credentials, and the figures that an operator watches."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from registry.service.batching import Batch, load_batches
from registry.service.context import Context
from registry.service.errors import NotFoundError
from registry.service.issuers import Issuer
from registry.store.database import AnyRow
from registry.store.tables import batches, credentials, operations, outbox, status_requests

__all__ = ["Catalogue", "CredentialState", "Figures", "StatusNote"]


@dataclass(frozen=True, slots=True)
class StatusNote:
    """One request about a credential's status, see registry.service.status; ``requested_at`` in Unix seconds."""

    action: str
    state: str
    reason: str | None
    requested_at: int


@dataclass(frozen=True, slots=True)
class CredentialState:
    """One credential as its issuer sees it.

    ``index`` is its place in the issuer's sequence, provisional until the batch is FINAL; ``state`` is LIVE, WITHDRAWN
    or ERASED; ``batch`` is None before sealing; ``external_id`` (the credential's own "id") is None after erasure.
    """

    id: str
    external_id: str | None
    index: int
    state: str
    accepted_at: int
    promised_at: int
    batch: Batch | None
    requests: tuple[StatusNote, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts by state. ``credentials`` counts by the state of the batch; OPEN is in no batch yet."""

    credentials: Mapping[str, int]
    batches: Mapping[str, int]
    status_requests: Mapping[str, int]
    operations: Mapping[str, int]
    transactions: Mapping[str, int]


_COLUMNS = (
    credentials.c.id,
    credentials.c.external_id,
    credentials.c.credential_index,
    credentials.c.state,
    credentials.c.accepted_at,
    credentials.c.promised_at,
    credentials.c.batch_id,
)


class Catalogue:
    """Reads only. Safe to use from several threads."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def look_up(self, issuer: Issuer, credential_id: str) -> CredentialState:
        """One credential of this issuer, by the registry's id. Raises NotFoundError (also for another issuer's)."""
        with self._context.database.read() as connection:
            found = _load(connection, issuer, credentials.c.id == credential_id, limit=1)
        if not found:
            raise NotFoundError("no_such_credential", f"{issuer.name} has no credential with this id.")
        return found[0]

    def find(self, issuer: Issuer, external_id: str) -> list[CredentialState]:
        """The credentials of this issuer whose own "id" is this: one or none."""
        with self._context.database.read() as connection:
            return _load(connection, issuer, credentials.c.external_id == external_id, limit=1)

    def page(self, issuer: Issuer, after: int = -1, limit: int = 100) -> list[CredentialState]:
        """This issuer's credentials by index; ``after`` is the index of the last one seen.

        New ones come at the end. One whose index moves (a displaced batch) moves towards the end: it may be seen twice,
        and is never missed.
        """
        with self._context.database.read() as connection:
            return _load(connection, issuer, credentials.c.credential_index > after, limit=limit)

    def figures(self) -> Figures:
        """Counts for monitoring. None of them walks through the credentials: batches know their sizes."""
        with self._context.database.read() as connection:
            by_batch = connection.execute(
                select(batches.c.state, func.count(), func.sum(batches.c.size)).group_by(batches.c.state)
            ).all()
            open_ = connection.execute(
                select(func.count()).select_from(credentials).where(credentials.c.batch_id.is_(None))
            ).scalar_one()
            return Figures(
                # A displaced batch holds no credentials any more: they are open, or in a later batch.
                {"OPEN": open_} | {state: int(size) for state, _, size in by_batch if state != "DISPLACED"},
                {state: count for state, count, _ in by_batch},
                _count(connection, status_requests.c.state),
                _count(connection, operations.c.state),
                _count(connection, outbox.c.state),
            )


def _count(connection: Connection, column: ColumnElement[str]) -> dict[str, int]:
    rows = connection.execute(select(column, func.count().label("number")).group_by(column))
    return {row.state: row.number for row in rows}


def _load(connection: Connection, issuer: Issuer, condition: ColumnElement[bool], limit: int) -> list[CredentialState]:
    rows = connection.execute(
        select(*_COLUMNS)
        .where(credentials.c.issuer_id == issuer.id, condition)
        .order_by(credentials.c.credential_index)
        .limit(limit)
    ).all()
    batch_ids = {row.batch_id for row in rows if row.batch_id is not None}
    by_id = {batch.id: batch for batch in load_batches(connection, batches.c.id.in_(batch_ids))} if batch_ids else {}
    requests = _requests(connection, [row.id for row in rows])
    return [_state(row, by_id.get(row.batch_id), requests[row.id]) for row in rows]


def _requests(connection: Connection, ids: Sequence[str]) -> dict[str, list[StatusNote]]:
    result: dict[str, list[StatusNote]] = defaultdict(list)
    if ids:
        for row in connection.execute(
            select(status_requests).where(status_requests.c.credential_id.in_(ids)).order_by(status_requests.c.id)
        ):
            result[row.credential_id].append(StatusNote(row.action, row.state, row.reason, row.requested_at))
    return result


def _state(row: AnyRow, batch: Batch | None, requests: Sequence[StatusNote]) -> CredentialState:
    return CredentialState(
        id=row.id,
        external_id=row.external_id,
        index=row.credential_index,
        state=row.state,
        accepted_at=row.accepted_at,
        promised_at=row.promised_at,
        batch=batch,
        requests=tuple(requests),
    )
