"""Which templates each issuer's credentials were made from: on record for good, and public (docs/adr/170, 171).

A version is a name and a content. Another content under the same name is another version with an address of its own,
so that what an address leads to never changes.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from registry.core.canonical import canonicalize, parse_json
from registry.service.context import Context
from registry.service.errors import ConflictError, NotFoundError
from registry.service.issuers import Issuer
from registry.store.tables import templates

__all__ = [
    "MAX_TEMPLATES", "RecordedTemplate", "TemplateRecords", "TemplateVersion", "record_templates", "template_name",
    "template_version",
]  # fmt: skip

MAX_TEMPLATES = 10_000  # of one issuer
_UNNAMED = "template"
_LONGEST_NAME = 63


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """``content`` is canonical, as it was handed in, before any cell was filled in; ``digest`` its SHA-256."""

    name: str
    digest: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class RecordedTemplate:
    """One version on record. ``size`` in bytes, ``first_used_at`` in Unix seconds, ``url`` its address for good."""

    name: str
    digest: bytes
    size: int
    first_used_at: int
    url: str


def template_version(document: object, name: str | None = None) -> TemplateVersion:
    """Raises JsonError if the canonical form could not be read again."""
    content = canonicalize(document)
    parse_json(content)
    return TemplateVersion(name or _UNNAMED, hashlib.sha256(content).digest(), content)


def template_name(text: str) -> str:
    """A name that can stand in addresses, made of a file's."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_NAME].rstrip("-") or _UNNAMED


def record_templates(connection: Connection, issuer: Issuer, versions: Iterable[TemplateVersion], now: int) -> None:
    """Puts on record what is new. The caller holds the issuer's lock, and commits together with the credentials.

    Raises ConflictError if the issuer would have too many.
    """
    for version in dict.fromkeys(versions):
        own = (templates.c.issuer_id == issuer.id, templates.c.name == version.name)
        if connection.scalar(select(templates.c.id).where(*own, templates.c.digest == version.digest)) is not None:
            continue
        count = connection.scalar(select(func.count()).where(templates.c.issuer_id == issuer.id)) or 0
        if count >= MAX_TEMPLATES:
            raise ConflictError(
                "too_many_templates",
                f"{issuer.name} has {count:,} templates on record already. What differs from one credential to the "
                "next belongs into a column.",
            )
        connection.execute(
            insert(templates).values(
                issuer_id=issuer.id,
                name=version.name,
                digest=version.digest,
                content=version.content,
                first_used_at=now,
            )
        )


class TemplateRecords:
    """Reads only. Safe to use from several threads."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def of(self, issuer: Issuer) -> list[RecordedTemplate]:
        """All versions of this issuer, in the order in which they were first used."""
        columns = (templates.c.name, templates.c.digest, func.length(templates.c.content), templates.c.first_used_at)
        with self._context.database.read() as connection:
            rows = connection.execute(
                select(*columns).where(templates.c.issuer_id == issuer.id).order_by(templates.c.id)
            ).all()
        return [RecordedTemplate(*row, url=_url(issuer, row.name, row.digest)) for row in rows]

    def content(self, issuer: Issuer, name: str, digest: bytes) -> bytes:
        """One version, canonical. Raises NotFoundError, ConflictError (the database was changed)."""
        with self._context.database.read() as connection:
            content = connection.scalar(
                select(templates.c.content).where(
                    templates.c.issuer_id == issuer.id, templates.c.name == name, templates.c.digest == digest
                )
            )
        if content is None:
            raise NotFoundError("no_such_template", f"{issuer.name} has issued nothing with such a template.")
        if hashlib.sha256(content).digest() != digest:
            raise ConflictError(
                "stored_template_differs",
                f"The template {name} of {issuer.name} is not the one that was used: the database was changed. Run "
                "`registry audit --database`.",
            )
        return bytes(content)


def _url(issuer: Issuer, name: str, digest: bytes) -> str:
    """Beside the issuer's status lists: those keep their address, too, when the installation's changes."""
    return f"{issuer.status_base.removesuffix('/status')}/templates/{name}/{digest.hex()}"
