"""Batches: sealing what was accepted, and what state a batch is in.

    SEALED -> (AWAITING_SIGNATURE) -> SUBMITTED -> ANCHORED -> FINAL,  or  DISPLACED

(OPEN is what no batch holds yet.) A batch is a contiguous range of an issuer's indexes, and begins where the one before
it ends. Sealing is one transaction: a crash leaves all of it or nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from anchors.base import AnchorBatch
from registry.core.merkle import MerkleTree
from registry.service import operations
from registry.service.context import Context
from registry.service.errors import NotFoundError
from registry.service.issuers import Issuer, lock_issuer
from registry.service.reserving import release
from registry.store.database import AnyRow
from registry.store.tables import batches, credentials, issuers

__all__ = ["UNFINISHED", "Batch", "BatchState", "Batching", "load_batches"]


class BatchState(StrEnum):
    SEALED = "SEALED"
    AWAITING_SIGNATURE = "AWAITING_SIGNATURE"
    SUBMITTED = "SUBMITTED"
    ANCHORED = "ANCHORED"
    FINAL = "FINAL"
    DISPLACED = "DISPLACED"


UNFINISHED = (BatchState.SEALED, BatchState.AWAITING_SIGNATURE, BatchState.SUBMITTED, BatchState.ANCHORED)


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch, without its leaves. ``note`` says what it waits for, ``operation_id`` is the call that anchors it."""

    id: int
    issuer_id: int
    first: int
    size: int
    root: bytes
    state: BatchState
    note: str | None
    sealed_at: int
    anchored_at: int | None
    block_number: int | None
    block_hash: bytes | None
    transaction: bytes | None
    operation_id: int

    @property
    def end(self) -> int:
        """The index after the last one."""
        return self.first + self.size


_calls = operations.table
_QUERY = select(
    *(column for column in batches.c if column.name != "leaves"), _calls.c.note, _calls.c.id.label("operation_id")
).join(_calls, _calls.c.batch_id == batches.c.id)


class Batching:
    """Seals batches and looks them up."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def seal(self, issuer: Issuer, *, release_reserved: bool = False) -> Batch | None:
        """Seals what is open, up to the largest batch or the first reservation that still waits; None if nothing is.

        ``release_reserved``: reservations are given up and become tombstones, however long they could still wait.
        """
        with self._context.database.write() as connection:
            lock_issuer(connection, issuer.id)
            release(connection, issuer, None if release_reserved else self._context.clock())
            waiting = connection.execute(
                select(func.min(credentials.c.credential_index)).where(
                    credentials.c.issuer_id == issuer.id,
                    credentials.c.batch_id.is_(None),
                    credentials.c.state == "RESERVED",
                )
            ).scalar()
            rows = connection.execute(
                select(credentials.c.credential_index, credentials.c.leaf)
                .where(*([] if waiting is None else [credentials.c.credential_index < waiting]))
                .where(credentials.c.issuer_id == issuer.id, credentials.c.batch_id.is_(None))
                .order_by(credentials.c.credential_index)
                .limit(self._context.rules.batch_max_size)
            ).all()
            if not rows:
                return None
            first, size = rows[0].credential_index, len(rows)
            if rows[-1].credential_index != first + size - 1:
                raise AssertionError(f"indexes of {issuer.name} are not contiguous from {first}")
            leaves = b"".join(row.leaf for row in rows)
            root = MerkleTree.from_packed(leaves).root
            now = self._context.clock()
            batch_id = connection.execute(
                insert(batches)
                .values(
                    issuer_id=issuer.id,
                    first=first,
                    size=size,
                    root=root,
                    leaves=leaves,
                    state=BatchState.SEALED,
                    sealed_at=now,
                )
                .returning(batches.c.id)
            ).scalar_one()
            connection.execute(
                update(credentials)
                .where(
                    credentials.c.issuer_id == issuer.id,
                    credentials.c.credential_index >= first,
                    credentials.c.credential_index < first + size,
                )
                .values(batch_id=batch_id)
            )
            operations.create(
                connection,
                issuer_id=issuer.id,
                kind=operations.ANCHOR,
                call=AnchorBatch(issuer.address, root, first, size),
                now=now,
                batch_id=batch_id,
            )
            return load_batches(connection, batches.c.id == batch_id)[0]

    def seal_all(self, issuer: Issuer, *, release_reserved: bool = False) -> list[Batch]:
        """Seals until nothing is open, in as many batches as it takes."""
        sealed = []
        while batch := self.seal(issuer, release_reserved=release_reserved):
            sealed.append(batch)
        return sealed

    def due(self) -> list[int]:
        """The issuers (ids) that have a batch to seal: enough of it is open, or it has been open for long enough."""
        rules, now = self._context.rules, self._context.clock()
        # What is open is the end of an issuer's sequence, so its first credential tells how many there are. It need not
        # be the oldest: a reserved index gets its credential later than those behind it.
        open_ = (credentials.c.issuer_id == issuers.c.id) & credentials.c.batch_id.is_(None)
        waits = (credentials.c.state == "RESERVED") & (credentials.c.reserved_until > now)
        first = select(func.min(credentials.c.credential_index)).where(open_)
        oldest = select(credentials.c.accepted_at).where(open_, ~waits).order_by(credentials.c.accepted_at).limit(1)
        with self._context.database.read() as connection:
            rows = connection.execute(
                select(
                    issuers.c.id,
                    issuers.c.next_index,
                    first.correlate(issuers).scalar_subquery().label("first"),
                    oldest.correlate(issuers).scalar_subquery().label("oldest"),
                ).order_by(issuers.c.id)
            ).all()
        return [
            row.id
            for row in rows
            if row.oldest is not None
            and (row.next_index - row.first >= rules.batch_max_size or row.oldest <= now - rules.batch_max_age_seconds)
        ]

    def look_up(self, root: bytes, first: int) -> list[Batch]:
        """Batches of that root and first index, of whatever issuer. Raises NotFoundError."""
        with self._context.database.read() as connection:
            found = load_batches(connection, batches.c.root == root, batches.c.first == first)
        if not found:
            raise NotFoundError("no_such_batch", "This registry has no batch with that root and first index.")
        return found

    def leaves(self, batch: Batch) -> bytes:
        """The packed leaf hashes of a batch, 32 bytes each, in order."""
        with self._context.database.read() as connection:
            packed: bytes = connection.execute(select(batches.c.leaves).where(batches.c.id == batch.id)).scalar_one()
        return packed

    def page(self, issuer_id: int | None = None, after: int = 0, limit: int = 100) -> list[Batch]:
        """Batches in the order in which they were sealed; ``after`` is the id of the last one seen."""
        conditions: list[ColumnElement[bool]] = [batches.c.id > after]
        if issuer_id is not None:
            conditions.append(batches.c.issuer_id == issuer_id)
        with self._context.database.read() as connection:
            rows = connection.execute(_QUERY.where(*conditions).order_by(batches.c.id).limit(limit))
            return [_batch(row) for row in rows]


def load_batches(connection: Connection, *conditions: ColumnElement[bool]) -> list[Batch]:
    """The batches that meet the conditions, by issuer and first index."""
    rows = connection.execute(_QUERY.where(*conditions).order_by(batches.c.issuer_id, batches.c.first))
    return [_batch(row) for row in rows]


def _batch(row: AnyRow) -> Batch:
    values = dict(row._mapping)  # noqa: SLF001 - the public name of a row's mapping in SQLAlchemy
    return Batch(**{**values, "state": BatchState(values["state"])})
