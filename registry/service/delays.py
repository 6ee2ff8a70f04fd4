"""Within which time after validFrom each issuer declares to anchor: on record for good, and public (docs/adr/176).

A declaration counts from the moment it is made. What was anchored before is judged by what was declared then.
"""

from collections import defaultdict

from sqlalchemy import insert, select

from registry.core.canonical import MAX_INTEGER
from registry.core.declared import DeclaredDelays
from registry.service.context import Context
from registry.service.errors import ConflictError, InvalidError
from registry.service.issuers import Issuer, lock_issuer
from registry.store.tables import declared_delays

__all__ = ["MAX_DECLARED", "DelayRecords"]

MAX_DECLARED = 1_000  # declarations of one issuer


class DelayRecords:
    def __init__(self, context: Context) -> None:
        self._context = context

    def declare(self, issuer: Issuer, seconds: int | None) -> bool:
        """From now on; None takes back what was declared. False if that is what counts already.

        Raises InvalidError for a number out of range, ConflictError if there are too many, or one of this second.
        """
        if seconds is not None and not 0 <= seconds <= MAX_INTEGER:
            raise InvalidError("seconds", f"seconds must be 0 to {MAX_INTEGER}.", "/seconds")
        now = self._context.clock()
        with self._context.database.write() as connection:
            lock_issuer(connection, issuer.id)
            rows = connection.execute(
                select(declared_delays.c.since, declared_delays.c.seconds)
                .where(declared_delays.c.issuer_id == issuer.id)
                .order_by(declared_delays.c.since)
            ).all()
            if (rows[-1].seconds if rows else None) == seconds:
                return False
            if rows and rows[-1].since >= now:
                raise ConflictError("declared_just_now", "Another declaration was made in this second. Try again.")
            if len(rows) >= MAX_DECLARED:
                raise ConflictError("too_many_declarations", f"{issuer.name} has made {len(rows):,} declarations.")
            connection.execute(insert(declared_delays).values(issuer_id=issuer.id, since=now, seconds=seconds))
        return True

    def all(self) -> dict[int, DeclaredDelays]:
        """Of every issuer that declared anything, by its number in the tables."""
        found: dict[int, list[tuple[int, int | None]]] = defaultdict(list)
        with self._context.database.read() as connection:
            query = select(declared_delays.c.issuer_id, declared_delays.c.since, declared_delays.c.seconds)
            for row in connection.execute(query.order_by(declared_delays.c.issuer_id, declared_delays.c.since)):
                found[row.issuer_id].append((row.since, row.seconds))
        return dict(found)
