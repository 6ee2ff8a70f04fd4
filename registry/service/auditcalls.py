"""Contract calls in the registry's tables, read for an audit: one that cannot be read hides none of the others."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.sql.elements import ColumnElement

from anchors.base import Revoke, SetDid, SetSuspension
from registry.core.audit import Finding
from registry.core.canonical import MAX_INTEGER
from registry.core.status import ENTRIES_PER_WORD
from registry.service import operations
from registry.service.auditrows import FAULTS, Unreadable, bytes_of, each, rows_of
from registry.store.database import AnyRow

__all__ = ["StoredCall", "calls_of"]

_CALLS = {operations.REVOKE: Revoke, operations.SUSPEND: SetSuspension, operations.SET_DID: SetDid}
_WORDS = MAX_INTEGER // ENTRIES_PER_WORD + 1
_MASKS = 1 << ENTRIES_PER_WORD


@dataclass(frozen=True, slots=True)
class StoredCall:
    """``id``: the operation's."""

    id: int
    issuer_id: int
    call: Revoke | SetSuspension | SetDid


def calls_of(connection: Connection, lost: list[Finding], *conditions: ColumnElement[bool]) -> Iterator[StoredCall]:
    """Operations that revoke, suspend or claim a DID, oldest first; ``lost`` is added to: those that cannot be read."""
    rows = rows_of(connection, operations.table, ("id", "issuer_id", "kind", "call"), lost, *conditions)
    return each(rows, _call, lost)


def _call(row: AnyRow) -> StoredCall:
    """Raises Unreadable."""
    place = f"operation {row.id}"
    try:
        call = operations.call_from_json(json.loads(row.call))
    except FAULTS as error:
        raise Unreadable(f"{place}: its call cannot be read ({type(error).__name__})") from error
    if not isinstance(call, Revoke | SetSuspension | SetDid) or not isinstance(call, _CALLS[row.kind]):
        raise Unreadable(f"{place}: its call is of another kind")
    if isinstance(call, SetDid):
        bytes_of(call.document_hash, 32, place)
    else:
        masks = (call.masks,) if isinstance(call, Revoke) else (call.set_masks, call.clear_masks)
        _check_words(call.words, masks, place)
    return StoredCall(row.id, row.issuer_id, call)


def _check_words(words: object, masks: tuple[object, ...], place: str) -> None:
    """Raises Unreadable: a number in a list's place, lists of other lengths, numbers out of bounds."""
    for values, end in ((words, _WORDS), *((mask, _MASKS) for mask in masks)):
        if not isinstance(values, tuple) or not all(0 <= value < end for value in values):
            raise Unreadable(f"{place}: its words or masks are none")
    if any(len(mask) != len(words) for mask in masks):  # type: ignore[arg-type]  # tuples by now
        raise Unreadable(f"{place}: it has other words than masks")
