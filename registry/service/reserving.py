"""Reserving indexes, for credentials that their issuer secures itself: their status entry has to name the index.

A reservation waits for its credential for a while; batches are sealed up to the first one that still does. One that ran
out becomes a tombstone: the index is used up, with a leaf that stands for nothing.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from registry.service.context import Context
from registry.service.errors import InvalidError, NotReadyError
from registry.service.identifiers import new_id
from registry.service.issuers import Issuer, lock_issuer
from registry.service.securing import credential_status
from registry.store.database import AnyRow
from registry.store.tables import credentials, issuers

__all__ = ["MAX_RESERVED", "Reservation", "Reserving", "held", "release"]

MAX_RESERVED = 10_000


@dataclass(frozen=True, slots=True)
class Reservation:
    """One index. ``id`` is the registry's id of the credential to come; ``until`` in Unix seconds."""

    id: str
    index: int
    until: int
    status: dict[str, str]


class Reserving:
    """Safe to use from several threads and processes."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def reserve(self, issuer: Issuer, count: int) -> list[Reservation]:
        """So many indexes in a row, 1 to ``MAX_RESERVED``. Raises InvalidError, NotReadyError (halted)."""
        if not 1 <= count <= MAX_RESERVED:
            raise InvalidError("count", f"1 to {MAX_RESERVED:,} indexes can be reserved at once.", "/count")
        random, now = self._context.random, self._context.clock()
        until = now + self._context.rules.reservation_seconds
        with self._context.database.write() as connection:
            current = lock_issuer(connection, issuer.id)
            if current.halted:
                raise NotReadyError("issuer_halted", current.halted)
            rows: list[dict[str, Any]] = [
                {
                    "id": new_id(random),
                    "issuer_id": issuer.id,
                    "credential_index": index,
                    "state": "RESERVED",
                    "reserved_until": until,
                    "leaf": random(32),
                    "request_digest": bytes(32),
                    "accepted_at": now,
                    "promised_at": now + self._context.rules.promise_seconds,
                }
                for index in range(current.next_index, current.next_index + count)
            ]
            connection.execute(insert(credentials), rows)
            connection.execute(
                update(issuers).where(issuers.c.id == issuer.id).values(next_index=current.next_index + count)
            )
        return [
            Reservation(
                row["id"],
                row["credential_index"],
                until,
                credential_status(current.status_base, row["credential_index"]),
            )
            for row in rows
        ]


def held(connection: Connection, issuer: Issuer, identifier: str | None, index: int | None) -> AnyRow | None:
    """The reservation with this id, or else at this index, that still waits for its credential."""
    mine = (credentials.c.issuer_id == issuer.id) & (credentials.c.state == "RESERVED")
    which = credentials.c.credential_index == index if identifier is None else credentials.c.id == identifier
    return connection.execute(
        select(credentials.c.id, credentials.c.credential_index).where(mine, which, credentials.c.batch_id.is_(None))
    ).one_or_none()


def release(connection: Connection, issuer: Issuer, now: int | None) -> None:
    """Makes tombstones of the reservations that ran out by ``now``; of all of them if it is None."""
    due = credentials.c.reserved_until <= now if now is not None else credentials.c.reserved_until.is_not(None)
    connection.execute(
        update(credentials)
        .where(credentials.c.issuer_id == issuer.id, credentials.c.state == "RESERVED", due)
        .values(state="UNUSED")
    )
