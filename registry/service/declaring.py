"""What a registry declares of its batches for auditors: when the first credential came, by when it promised the anchor,
how many are erased, whether the issuer has voided the batch on chain.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from registry.service.batching import Batch
from registry.service.context import Context
from registry.store import tables
from registry.store.database import AnyRow
from registry.store.tables import chain_batches, credentials, issuers

__all__ = ["TOMBSTONES", "Declaration", "Declarations", "erased_in"]

TOMBSTONES = ("WITHDRAWN", "UNUSED", "NEEDS_RESUBMIT", "ERASED")  # states of credentials whose content is gone

_AT_ONCE = 500  # batches in one query


@dataclass(frozen=True, slots=True)
class Declaration:
    """``accepted_from``: Unix time of the first acceptance. ``declared_delay``: seconds from there to the anchor at the
    latest, by the promise that was given then. Both are None if the row is gone that says so.
    """

    accepted_from: int | None
    declared_delay: int | None
    voided: bool


class Declarations:
    """Read from the registry's tables; voided is what the follower saw on chain."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def of(self, batches: Iterable[Batch]) -> dict[int, Declaration]:
        """By the batches' ids. One row is read for each batch: indexes are given in the order of acceptance."""
        wanted = {batch.id: batch for batch in batches}
        rows: dict[int, AnyRow] = {}
        ids = list(wanted)
        with self._context.database.read() as connection:
            addresses = {row.id: row.address for row in connection.execute(select(issuers.c.id, issuers.c.address))}
            revoked = select(chain_batches).where(chain_batches.c.revoked_block.is_not(None))
            voided = {(row.issuer, row.first, row.root) for row in connection.execute(revoked)}
            for at in range(0, len(ids), _AT_ONCE):
                first = connection.execute(
                    select(tables.batches.c.id, credentials.c.accepted_at, credentials.c.promised_at)
                    .join(
                        credentials,
                        (credentials.c.issuer_id == tables.batches.c.issuer_id)
                        & (credentials.c.credential_index == tables.batches.c.first),
                    )
                    .where(tables.batches.c.id.in_(ids[at : at + _AT_ONCE]))
                )
                rows |= {row.id: row for row in first}
        return {
            number: _declaration(rows.get(number), (addresses[batch.issuer_id], batch.first, batch.root) in voided)
            for number, batch in wanted.items()
        }


def _declaration(row: AnyRow | None, voided: bool) -> Declaration:
    if row is None:
        return Declaration(None, None, voided)
    return Declaration(row.accepted_at, max(row.promised_at - row.accepted_at, 0), voided)


def erased_in(connection: Connection, batch_ids: Collection[int]) -> dict[int, int]:
    """How many credentials of each batch are withdrawn or erased; batches without any are left out."""
    found: dict[int, int] = {}
    ids = list(batch_ids)
    for at in range(0, len(ids), _AT_ONCE):
        rows = connection.execute(
            select(credentials.c.batch_id, func.count())
            .where(credentials.c.batch_id.in_(ids[at : at + _AT_ONCE]), credentials.c.state.in_(TOMBSTONES))
            .group_by(credentials.c.batch_id)
        )
        found |= {row[0]: row[1] for row in rows}
    return found
