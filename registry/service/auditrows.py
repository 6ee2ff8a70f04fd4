"""Reading tables that may hold anything (SQLite keeps any type in any column), for an audit of them.

Values are taken as the driver gives them, and looked at here. A row that holds what it cannot hold is a finding, and
hides nothing of the rest. What the driver itself cannot read (a damaged page, text that is no UTF-8) hides no other
issuer, batch or call, and of other tables what stands behind it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard, TypeVar

from sqlalchemy import Column, Connection, Table, select, type_coerce
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType

from registry.core.audit import Finding, Where, find
from registry.core.canonical import MAX_INTEGER, parse_json
from registry.core.errors import InputError
from registry.core.notation import short
from registry.service.issuers import HOSTED, SELF, SIGNS_ELSEWHERE, SIGNS_HERE, Issuer, is_did, is_name
from registry.standards.did.document import parse_did_document
from registry.store.database import AnyRow, unreadable
from registry.store.tables import issuers

__all__ = [
    "FAULTS", "StoredIssuers", "Unreadable", "any_bytes", "as_they_are", "bytes_of", "each", "fault", "is_number",
    "number_of", "read_issuers", "readable", "rows_of",
]  # fmt: skip

T = TypeVar("T")

# What reading a row raises that holds what it cannot hold.
FAULTS = (ArithmeticError, AttributeError, InputError, LookupError, RecursionError, TypeError, ValueError)


class Unreadable(Exception):
    """A row holds what its columns cannot hold; the text says which."""


def readable(findings: Iterator[Finding], where: Where | None = None) -> Iterator[Finding]:
    """What cannot be read is a finding, and ends this part of the audit only; what could not be asked is none."""
    try:
        yield from findings
    except (DBAPIError, Unreadable, *FAULTS) as error:
        yield fault(error, where)


def each(rows: Iterable[AnyRow], read: Callable[[AnyRow], T], lost: list[Finding]) -> Iterator[T]:
    """What is read of each row; those that cannot be read are left out, and ``lost`` is added to."""
    for row in rows:
        try:
            found = read(row)
        except (Unreadable, *FAULTS) as error:
            lost.append(fault(error))
        else:
            yield found


def fault(error: Exception, where: Where | None = None) -> Finding:
    """Raises the error again where it does not tell what the database holds."""
    if isinstance(error, DBAPIError):
        reason = unreadable(error)
        if reason is None:
            raise error
    else:
        reason = str(error) if isinstance(error, Unreadable) else f"else: {type(error).__name__}"
    return find("database_unreadable", "tables as the program writes them", short(reason, 300), where or Where())


def rows_of(
    connection: Connection, table: Table, names: tuple[str, ...], found: list[Finding], *conditions: ColumnElement[bool]
) -> list[AnyRow]:
    """All rows by their ids; those that cannot be read are left out, and ``found`` is added to."""
    query = select(*as_they_are(table, *names)).where(*conditions).order_by(table.c.id)
    try:
        return list(connection.execute(query))
    except DBAPIError as error:
        found.append(fault(error))
    rows: list[AnyRow] = []
    try:
        for number in connection.scalars(select(table.c.id).where(*conditions).order_by(table.c.id)).all():
            try:
                rows += connection.execute(query.where(table.c.id == number)).all()
            except DBAPIError as error:
                found.append(fault(error, Where(source=f"{table.name} {number}")))
    except DBAPIError as error:  # not even their ids
        found.append(fault(error))
    return rows


# --- issuers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredIssuers:
    """``addresses`` by the rows' ids, of all whose address can be read; ``good``: those that can be worked with."""

    addresses: dict[int, bytes]
    good: tuple[Issuer, ...]


def read_issuers(connection: Connection, found: list[Finding]) -> StoredIssuers:
    """``found`` is added to: what the rows hold that they cannot hold."""
    names = tuple(column.name for column in issuers.c)
    addresses: dict[int, bytes] = {}
    good = []
    for row in rows_of(connection, issuers, names, found):
        place = f"issuer {row.id}"
        try:
            addresses[row.id] = address = bytes_of(row.address, 20, place)
            _check_issuer(row, place)
        except Unreadable as error:
            found.append(fault(error, Where(addresses.get(row.id))))
            continue
        values = {name: getattr(row, name) for name in names if name != "document"}
        good.append(Issuer(**{**values, "address": address}))
    return StoredIssuers(addresses, tuple(good))


def _check_issuer(row: AnyRow, place: str) -> None:
    """Raises Unreadable."""
    text = isinstance(row.did, str) and isinstance(row.name, str) and isinstance(row.status_base, str)
    if not text or not is_did(row.did) or not is_name(row.name):
        raise Unreadable(f"{place}: its DID, its name or the address of its status lists is none")
    if row.mode not in (HOSTED, SELF) or row.signs not in (SIGNS_HERE, SIGNS_ELSEWHERE):
        raise Unreadable(f"{place}: who signs for it is nobody")
    if row.halted is not None and not isinstance(row.halted, str):
        raise Unreadable(f"{place}: why it is halted is no text")
    number_of(row.next_index, place)
    number_of(row.created_at, place)
    if row.document is not None:
        try:
            parse_did_document(parse_json(any_bytes(row.document) or b""), row.did)
        except InputError as error:
            raise Unreadable(f"{place}: its DID document cannot be read") from error


# --- values ----------------------------------------------------------------------------------------------------------


def as_they_are(table: Any, *names: str) -> list[ColumnElement[Any]]:
    """Columns as the driver gives them: an integer in a column of bytes must not become as many bytes."""
    columns: list[Column[Any]] = [table.c[name] for name in names]
    return [type_coerce(column, NullType()).label(column.name) for column in columns]


def is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and 0 <= value <= MAX_INTEGER


def number_of(value: object, place: str) -> int:
    if not is_number(value):
        raise Unreadable(f"{place}: a number is none, or out of bounds")
    return value


def bytes_of(value: object, length: int, place: str) -> bytes:
    found = bytes(value) if isinstance(value, memoryview) else value
    if not isinstance(found, bytes) or len(found) != length:
        raise Unreadable(f"{place}: what should be {length} bytes is something else")
    return found


def any_bytes(value: object) -> bytes | None:
    """What a row holds, of whatever type it was made: what is no bytes is another content than the anchored one."""
    if value is None or isinstance(value, bytes):
        return value
    return bytes(value) if isinstance(value, memoryview) else repr(value).encode("utf-8", "backslashreplace")
