"""Finding a credential by what a person has at hand: the registry's id, or the credential's own."""

from sqlalchemy import or_, select

from registry.service.context import Context
from registry.store.tables import credentials

__all__ = ["locate"]


def locate(context: Context, text: str) -> list[tuple[int, str]]:
    """(issuer's number, registry's id) of every credential with this id; the own id is unique for one issuer only."""
    with context.database.read() as connection:
        rows = connection.execute(
            select(credentials.c.issuer_id, credentials.c.id)
            .where(or_(credentials.c.id == text, credentials.c.external_id == text))
            .order_by(credentials.c.issuer_id)
            .limit(100)
        )
        return [(row.issuer_id, row.id) for row in rows]
