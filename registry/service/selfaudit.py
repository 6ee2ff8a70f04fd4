"""An internal audit: the registry's own tables, read as they are, for ``registry.core.audit_database`` to judge.

Nothing is repaired. What the database saw behind the audited block is left to the next audit.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, select, type_coerce
from sqlalchemy.types import NullType

from anchors.base import Chain, Revoke, SetSuspension
from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.audit_database import (
    Lookups,
    OwnWords,
    StoredBatch,
    StoredCredential,
    StoredStatus,
    audit_erasures,
    audit_rows,
    audit_statuses,
    audit_stored_batches,
)
from registry.core.audit_published import PublishedBatch
from registry.core.model import StatusWords
from registry.core.notation import short
from registry.core.status import word_and_mask
from registry.service import operations
from registry.service.batching import Batch, BatchState, load_batches
from registry.service.declaring import erased_in
from registry.service.intake import COMMITMENT
from registry.store.database import Database
from registry.store.tables import batches, chain_status, credentials, issuers, status_requests, templates

__all__ = ["audit_database"]

_PAGE = 1_000
_ANCHORED = (BatchState.ANCHORED, BatchState.FINAL)
_BITS = {"revoke": (0, True), "suspend": (1, True), "reinstate": (1, False)}


def audit_database(
    database: Database, chain: Chain, view: ChainView, declared: Mapping[BatchKey, PublishedBatch]
) -> Iterator[Finding]:
    """All tables in one snapshot, against the chain at the view's block. ``declared``: what is published of batches.

    Raises ChainError.
    """
    lookups = Lookups(lambda number: _hash_of(chain, number), lambda transaction: _succeeded(chain, transaction))
    try:
        with database.read() as connection:
            yield from _audit_tables(connection, view, declared, lookups)
    except (TypeError, ValueError, LookupError) as error:  # SQLite keeps anything in any column
        observed = f"something else ({type(error).__name__})"
        yield find("database_unreadable", "tables as the program writes them", observed, Where())


def _audit_tables(
    connection: Connection, view: ChainView, declared: Mapping[BatchKey, PublishedBatch], lookups: Lookups
) -> Iterator[Finding]:
    addresses: dict[int, bytes] = {
        row.id: row.address for row in connection.execute(select(issuers.c.id, issuers.c.address))
    }
    known = load_batches(connection, batches.c.state != BatchState.DISPLACED)
    _check_types(known, addresses)
    keys = {batch.id: BatchKey(addresses[batch.issuer_id], batch.first, batch.root) for batch in known}
    stored = [_stored(batch, addresses, view) for batch in known]
    yield from audit_stored_batches(view, stored, addresses.values(), lookups)
    for batch in known:
        if batch.state in _ANCHORED:
            leaves = connection.execute(select(batches.c.leaves).where(batches.c.id == batch.id)).scalar_one()
            yield from audit_rows(keys[batch.id], batch.size, leaves, _rows(connection, batch))
    erased = [(keys[number], count) for number, count in erased_in(connection, keys).items()]
    said = {key: batch.erased for key, batch in declared.items() if batch.erased is not None}
    yield from audit_erasures(sorted(erased), said)
    asked, shown = _requests(connection, addresses, view)
    own = OwnWords(_followed(connection), _unasked(connection, addresses, asked))
    yield from audit_statuses(view, shown, addresses.values(), own)
    yield from _templates(connection, addresses)


def _templates(connection: Connection, addresses: Mapping[int, bytes]) -> Iterator[Finding]:
    columns = templates.c
    content_as_it_is = type_coerce(columns.content, NullType()).label("content")
    rows = connection.execution_options(yield_per=_PAGE).execute(
        select(columns.issuer_id, columns.name, columns.digest, content_as_it_is).order_by(columns.id)
    )
    for row in rows:
        found = sha256(_bytes(row.content) or b"").digest()
        if found != row.digest:
            where = Where(addresses[row.issuer_id], source=f"the template {short(row.name)}")
            yield find("stored_template_differs", f"SHA-256 {row.digest.hex()}", found.hex(), where)


def _check_types(known: Iterable[Batch], addresses: Mapping[int, object]) -> None:
    """Raises TypeError for what names a batch, if it is of another type than its column."""
    for batch in known:
        hashes = [batch.root, addresses[batch.issuer_id], batch.transaction or b"", batch.block_hash or b""]
        numbers = [batch.first, batch.size, batch.block_number or 0]
        if not all(isinstance(item, bytes) for item in hashes) or not all(isinstance(item, int) for item in numbers):
            raise TypeError(f"batch {batch.id}")


def _hash_of(chain: Chain, number: int) -> bytes | None:
    block = chain.block(number)
    return None if block is None else block.hash


def _succeeded(chain: Chain, transaction: bytes) -> bool:
    state = chain.transaction(transaction)
    return state is not None and state.succeeded


def _stored(batch: Batch, addresses: dict[int, bytes], view: ChainView) -> StoredBatch:
    newer = batch.block_number is not None and batch.block_number > view.block.number
    return StoredBatch(
        BatchKey(addresses[batch.issuer_id], batch.first, batch.root),
        batch.size,
        batch.state in _ANCHORED and not newer,
        batch.transaction,
        batch.block_number,
        batch.block_hash,
    )


def _rows(connection: Connection, batch: Batch) -> Iterator[StoredCredential]:
    columns = credentials.c
    rows = connection.execution_options(yield_per=_PAGE).execute(
        select(
            columns.id,
            columns.credential_index,
            columns.state,
            columns.form,
            type_coerce(columns.content, NullType()).label("content"),
            type_coerce(columns.salt, NullType()).label("salt"),
        )
        .where(columns.batch_id == batch.id)
        .order_by(columns.credential_index, columns.id)
    )
    for row in rows:
        content, salt = _bytes(row.content), _bytes(row.salt)
        empty = row.state != "LIVE" or row.form == COMMITMENT
        yield StoredCredential(row.id, row.credential_index, empty, content, salt)


def _bytes(value: object) -> bytes | None:
    """What a row holds, of whatever type it was made: what is no bytes is another content than the anchored one."""
    if value is None or isinstance(value, bytes):
        return value
    return bytes(value) if isinstance(value, memoryview) else repr(value).encode("utf-8", "backslashreplace")


def _requests(
    connection: Connection, addresses: dict[int, bytes], view: ChainView
) -> tuple[dict[tuple[int, str, int], int], list[StoredStatus]]:
    """The bits that were asked for, by call, action and word; and what the requests that were final at the view's block
    add up to, for each credential.
    """
    rows = connection.execute(
        select(
            credentials.c.issuer_id,
            credentials.c.credential_index,
            status_requests.c.action,
            status_requests.c.state,
            status_requests.c.final_block,
            status_requests.c.operation_id,
            credentials.c.batch_id,
        )
        .join(credentials, credentials.c.id == status_requests.c.credential_id)
        .order_by(status_requests.c.id)
    )
    asked: dict[tuple[int, str, int], int] = defaultdict(int)
    shown: dict[tuple[bytes, int], list[Any]] = defaultdict(lambda: [False, None, None])
    for row in rows:
        if row.operation_id is not None:
            word, mask = word_and_mask(row.credential_index)
            asked[row.operation_id, row.action, word] |= mask
        if row.state == "SUPERSEDED" or row.batch_id is None:
            continue
        found = shown[addresses[row.issuer_id], row.credential_index]
        place, value = _BITS[row.action]
        final = row.state == "FINAL" and row.final_block is not None and row.final_block <= view.block.number
        found[place] = value if final else None
        if place:
            found[2] = row.final_block if final else None
    return asked, [StoredStatus(*key, *values) for key, values in sorted(shown.items())]


def _unasked(
    connection: Connection, addresses: dict[int, bytes], asked: Mapping[tuple[int, str, int], int]
) -> dict[tuple[bytes, int], StatusWords]:
    """Bits in this registry's own calls whose request is gone."""
    found: dict[tuple[bytes, int], StatusWords] = {}
    calls = operations.table.c
    for item in operations.load(
        connection, calls.kind.in_((operations.REVOKE, operations.SUSPEND)), calls.state != "CANCELLED"
    ):
        call = item.call
        revoked = zip(call.words, call.masks, strict=True) if isinstance(call, Revoke) else ()
        for word, mask in revoked:
            _add(found, (addresses[item.issuer_id], word), mask & ~asked.get((item.id, "revoke", word), 0), 0)
        masks = (
            zip(call.words, call.set_masks, call.clear_masks, strict=True) if isinstance(call, SetSuspension) else ()
        )
        for word, set_, clear in masks:
            lost = set_ & ~asked.get((item.id, "suspend", word), 0)
            lost |= clear & ~asked.get((item.id, "reinstate", word), 0)
            _add(found, (addresses[item.issuer_id], word), 0, lost)
    return found


def _add(found: dict[tuple[bytes, int], StatusWords], word: tuple[bytes, int], revoked: int, suspended: int) -> None:
    before = found.get(word, StatusWords(0, 0))
    found[word] = StatusWords(before.revoked | revoked, before.suspended | suspended)


def _followed(connection: Connection) -> dict[tuple[bytes, int], StatusWords]:
    """The status words as the follower read them."""
    columns = chain_status.c
    rows = connection.execution_options(yield_per=_PAGE).execute(
        select(columns.issuer, columns.word, columns.purpose, columns.set_mask, columns.clear_mask).order_by(
            columns.block_number, columns.log_index, columns.position
        )
    )
    found: dict[tuple[bytes, int], StatusWords] = {}
    for row in rows:
        word = row.issuer, int.from_bytes(row.word)
        before = found.get(word, StatusWords(0, 0))
        set_, clear = int.from_bytes(row.set_mask), int.from_bytes(row.clear_mask)
        if row.purpose == "revocation":
            found[word] = replace(before, revoked=(before.revoked | set_) & ~clear)
        else:
            found[word] = replace(before, suspended=(before.suspended | set_) & ~clear)
    return found
