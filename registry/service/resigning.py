"""Signing again what a compromised key signed: it counts for nothing that is anchored from now on.

What is sealed and not anchored yet is not reached from here: its leaves stand in a batch already (docs/adr/143).
"""

from sqlalchemy import Connection, bindparam, select, update

from registry.service.context import Context
from registry.service.intake import ISSUED, SIGNED
from registry.service.issuers import Issuer, lock_issuer
from registry.service.securing import Securing, leaf_of, unsecured
from registry.store.tables import credentials

__all__ = ["resign_open"]

_CHUNK = 1_000

_REPLACE = (
    update(credentials)
    .where(credentials.c.id == bindparam("key"))
    .values(content=bindparam("text"), salt=bindparam("fresh"), leaf=bindparam("hash"))
)


def resign_open(connection: Connection, context: Context, issuer: Issuer) -> int:
    """Signs every credential that is in no batch with the current key; returns how many.

    Indexes stay. Salts are new, as the leaves are. What was given out is signed again as well: then its bundle is good,
    and the copies are not. Raises RegistryError.
    """
    current = lock_issuer(
        connection, issuer.id
    )  # who took credentials in before is done; who comes now has the new key
    securing = Securing(context)
    count, after = 0, -1
    while rows := connection.execute(
        select(credentials.c.id, credentials.c.credential_index, credentials.c.content)
        .where(
            credentials.c.issuer_id == issuer.id,
            credentials.c.batch_id.is_(None),
            credentials.c.state == "LIVE",
            credentials.c.form.in_((SIGNED, ISSUED)),
            credentials.c.credential_index > after,
        )
        .order_by(credentials.c.credential_index)
        .limit(_CHUNK)
    ).all():
        renewed = []
        for row in rows:
            content = securing.secure(current, unsecured(row.content), row.credential_index)
            salt = context.random(32)
            renewed.append({"key": row.id, "text": content, "fresh": salt, "hash": leaf_of(content, salt)})
        connection.execute(_REPLACE, renewed)
        count, after = count + len(rows), rows[-1].credential_index
    return count
