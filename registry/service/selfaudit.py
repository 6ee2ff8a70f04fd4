"""An internal audit: the registry's own tables, read as they are, for ``registry.core.audit_database`` to judge.

Nothing is repaired. What the database saw behind the audited block is left to the next audit. The tables may hold
anything (SQLite keeps any type in any column), so values are taken as the driver gives them, and looked at here.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Column, Connection, select, type_coerce
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType

from anchors.base import Chain, Revoke, SetSuspension
from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import AnchoredBatch, ChainView
from registry.core.audit_database import (
    Lookups,
    OwnWords,
    StoredBatch,
    StoredCredential,
    StoredIssuer,
    StoredStatus,
    anchored_as,
    audit_erasures,
    audit_rows,
    audit_statuses,
    audit_stored_anchors,
    audit_stored_batches,
    audit_stored_issuers,
    audit_stored_words,
)
from registry.core.audit_published import PublishedBatch
from registry.core.canonical import MAX_INTEGER
from registry.core.model import StatusWords
from registry.core.notation import short
from registry.core.status import ENTRIES_PER_WORD, word_and_mask
from registry.service import operations
from registry.service.batching import BatchState
from registry.service.declaring import TOMBSTONES, erased_in
from registry.service.intake import COMMITMENT, ISSUED, SECURED, SIGNED, UNSIGNED
from registry.service.issuers import SELF
from registry.store.database import AnyRow, Database, unreadable
from registry.store.tables import (
    batches,
    chain_batches,
    chain_blocks,
    chain_status,
    credentials,
    did_documents,
    issuers,
    status_requests,
    templates,
)

__all__ = ["audit_database"]

_PAGE = 1_000
_LARGEST_BATCH = 1 << 24  # the contract's own limit
_ANCHORED = (BatchState.ANCHORED, BatchState.FINAL)
_BITS = {"revoke": (0, True), "suspend": (1, True), "reinstate": (1, False)}
_REQUESTS = ("WAITING", "SENT", "ON_CHAIN", "FINAL", "SUPERSEDED")
_STATES = ("LIVE", "RESERVED", *TOMBSTONES)
_FORMS = (SIGNED, UNSIGNED, SECURED, ISSUED)  # whose content is stored


class _Unreadable(Exception):
    """A row holds what its columns cannot hold; the text says which."""


def audit_database(
    database: Database, chain: Chain, view: ChainView, declared: Mapping[BatchKey, PublishedBatch]
) -> Iterator[Finding]:
    """All tables in one snapshot, against the chain at the view's block. ``declared``: what is published of batches.

    Raises ChainError.
    """
    lookups = Lookups(
        lambda number: _hash_of(chain, number),
        lambda transaction: _succeeded(chain, transaction),
        lambda issuer, index: _status_of(chain, issuer, index),
    )
    with database.read() as connection:
        yield from _readable(_audit_tables(connection, view, declared, lookups))


def _readable(findings: Iterator[Finding], where: Where | None = None) -> Iterator[Finding]:
    """What cannot be read is a finding, and ends this part of the audit only; what could not be asked is none."""
    try:
        yield from findings
    except DBAPIError as error:
        reason = unreadable(error)
        if reason is None:
            raise
        yield find("database_unreadable", "tables as the program writes them", short(reason, 300), where or Where())
    except (_Unreadable, TypeError, ValueError, LookupError) as error:
        observed = short(str(error), 300) if isinstance(error, _Unreadable) else f"else: {type(error).__name__}"
        yield find("database_unreadable", "tables as the program writes them", observed, where or Where())


def _audit_tables(
    connection: Connection, view: ChainView, declared: Mapping[BatchKey, PublishedBatch], lookups: Lookups
) -> Iterator[Finding]:
    rows = connection.execute(select(*_as_they_are(issuers, "id", "address", "did", "next_index"))).all()
    addresses: dict[int, bytes] = {row.id: _bytes_of(row.address, 20, f"issuer {row.id}") for row in rows}
    ours = frozenset(addresses.values())
    known = list(_batches(connection, addresses))
    stored = [batch for _, _, _, batch in known]
    yield from audit_stored_batches(view, stored, ours, lookups)
    on_chain = view.batches()
    anchored = [batch for batch in stored if batch.key in on_chain]
    elsewhere = anchored_as(view, stored)
    strangers = {here.issuer: there.issuer for here, there in elsewhere.items() if there.issuer not in ours}
    yield from _readable(audit_stored_issuers(view, _issuers(rows, addresses, anchored, strangers)))
    keys = {number: batch.key for number, _, _, batch in known}
    numbers = {address: number for number, address in addresses.items()}
    for number, issuer, state, batch in known:
        if state in _ANCHORED or batch.key in on_chain:
            query = select(*_as_they_are(batches, "leaves")).where(batches.c.id == number)
            leaves = _bytes(connection.execute(query).scalar_one())
            key = elsewhere.get(batch.key, batch.key)  # the rows may be right where their batch is not
            found = audit_rows(key, batch.size, leaves, _rows(connection, number, numbers.get(key.issuer, issuer)))
            yield from _readable(found, Where.batch(key))
    erased = [(keys[number], count) for number, count in erased_in(connection, keys).items()]
    said = {key: batch.erased for key, batch in declared.items() if batch.erased is not None}
    yield from audit_erasures(sorted(erased), said)
    yield from _readable(_audit_statuses(connection, addresses, view, lookups))
    yield from _readable(_audit_copies(connection, view, ours, lookups))
    yield from _readable(_templates(connection, addresses))
    yield from _readable(_documents(connection, addresses))


def _audit_statuses(
    connection: Connection, addresses: Mapping[int, bytes], view: ChainView, lookups: Lookups
) -> Iterator[Finding]:
    asked, shown = _requests(connection, addresses, view, lookups)
    own = OwnWords(_words(connection), _unasked(connection, addresses, asked))
    yield from audit_statuses(view, shown, addresses.values(), own, lookups)


def _templates(connection: Connection, addresses: Mapping[int, bytes]) -> Iterator[Finding]:
    rows = connection.execution_options(yield_per=_PAGE).execute(
        select(*_as_they_are(templates, "id", "issuer_id", "name", "digest", "content")).order_by(templates.c.id)
    )
    for row in rows:
        digest = _bytes_of(row.digest, 32, f"template {row.id}")
        found = sha256(_bytes(row.content) or b"").digest()
        if found != digest:
            where = Where(addresses[row.issuer_id], source=f"the template {short(str(row.name))}")
            yield find("stored_template_differs", f"SHA-256 {digest.hex()}", found.hex(), where)


def _documents(connection: Connection, addresses: Mapping[int, bytes]) -> Iterator[Finding]:
    """What was claimed on chain is the hash."""
    rows = connection.execution_options(yield_per=_PAGE).execute(
        select(*_as_they_are(did_documents, "id", "issuer_id", "hash", "content")).order_by(did_documents.c.id)
    )
    for row in rows:
        digest = _bytes_of(row.hash, 32, f"DID document {row.id}")
        found = sha256(_bytes(row.content) or b"").digest()
        if found != digest:
            expected = f"a former DID document with SHA-256 {digest.hex()}"
            yield find("issuer_changed", expected, found.hex(), Where(addresses[row.issuer_id]))


def _audit_copies(
    connection: Connection, view: ChainView, ours: Collection[bytes], lookups: Lookups
) -> Iterator[Finding]:
    until = _followed(connection, view, lookups)
    if until is not None:
        yield from audit_stored_words(view, _words(connection, until), until, ours)
        yield from audit_stored_anchors(view, _anchors(connection, until), until, ours)


def _issuers(
    rows: Iterable[AnyRow],
    addresses: Mapping[int, bytes],
    stored: Iterable[StoredBatch],
    strangers: Mapping[bytes, bytes],
) -> Iterator[StoredIssuer]:
    reached: dict[bytes, int] = defaultdict(int)
    for batch in stored:
        reached[batch.key.issuer] = max(reached[batch.key.issuer], batch.key.first + batch.size)
    for row in rows:
        place = f"issuer {row.id}"
        if not isinstance(row.did, str):
            raise _Unreadable(f"{place}: its DID is no text")
        address = addresses[row.id]
        anchors = strangers.get(address)
        yield StoredIssuer(address, row.did, _number(row.next_index, place), reached[address], anchors)


def _batches(
    connection: Connection, addresses: Mapping[int, bytes]
) -> Iterator[tuple[int, int, BatchState, StoredBatch]]:
    """Id, issuer, state and the rest of each batch that counts. Raises _Unreadable."""
    names = (
        "id", "issuer_id", "first", "size", "root", "state", "anchored_at", "block_number", "block_hash", "transaction",
    )  # fmt: skip
    query = select(*_as_they_are(batches, *names)).where(batches.c.state != BatchState.DISPLACED)
    for row in connection.execute(query.order_by(batches.c.issuer_id, batches.c.first)).all():
        place = f"batch {row.id}"
        if row.issuer_id not in addresses:
            raise _Unreadable(f"{place}: there is no issuer {short(str(row.issuer_id), 50)}")
        if row.state not in list(BatchState):
            raise _Unreadable(f"{place}: its state is none")
        key = BatchKey(addresses[row.issuer_id], _number(row.first, place), _bytes_of(row.root, 32, place))
        size = _number(row.size, place)
        if not 0 < size <= _LARGEST_BATCH:
            raise _Unreadable(f"{place}: it has {size} leaves")
        state = BatchState(row.state)
        yield (
            row.id,
            row.issuer_id,
            state,
            StoredBatch(
                key,
                size,
                state in _ANCHORED,
                None if row.transaction is None else _bytes_of(row.transaction, 32, place),
                None if row.block_number is None else _number(row.block_number, place),
                None if row.block_hash is None else _bytes_of(row.block_hash, 32, place),
                None if row.anchored_at is None else _number(row.anchored_at, place),
                state is BatchState.FINAL,
            ),
        )


def _rows(connection: Connection, batch: int, issuer: int) -> Iterator[StoredCredential]:
    columns = credentials.c
    names = (
        "id", "issuer_id", "credential_index", "state", "form", "reserved_until", "external_id", "content", "salt",
        "leaf",
    )  # fmt: skip
    rows = connection.execution_options(yield_per=_PAGE).execute(
        select(*_as_they_are(credentials, *names))
        .where(columns.batch_id == batch)
        .order_by(columns.credential_index, columns.id)
    )
    for row in rows:
        place = f"credential {row.id}"
        if row.state not in _STATES:
            raise _Unreadable(f"{place}: its state is none")
        index = _number(row.credential_index, place)
        content, salt = _bytes(row.content), _bytes(row.salt)
        # Only for a reserved index a commitment comes alone, and without a name.
        bare = row.form == COMMITMENT and row.reserved_until is not None and row.external_id is None
        empty = row.state in TOMBSTONES or (bare and content is None)
        mixed_up = None
        if row.issuer_id != issuer:
            mixed_up = (f"issuer {issuer}", f"issuer {short(str(row.issuer_id), 50)}")
        elif content is not None and row.state == "RESERVED":
            mixed_up = ("a credential that was handed in", "an index that is reserved for one")
        elif content is not None and row.form not in _FORMS:
            mixed_up = ("a form of credentials that are stored", f"the form {short(str(row.form), 50)}")
        elif content is not None and not empty:
            mixed_up = _other_name(content, row.external_id)
        yield StoredCredential(str(row.id), index, empty, content, salt, _bytes(row.leaf), mixed_up)


def _other_name(content: bytes, name: object) -> tuple[str, str] | None:
    """What a row is found by, where that is not its credential's own id: what is done to it is done to another one."""
    try:
        document: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None  # another content than the anchored one, which its leaf says
    said = document.get("id") if isinstance(document, dict) else None
    if said == name or not isinstance(said, str) or said.startswith("data:"):
        return None  # an envelope: the credential's id is within it
    return f"id {short(said, 200)}, as in the credential", f"id {short(str(name), 200)}"


def _requests(
    connection: Connection, addresses: Mapping[int, bytes], view: ChainView, lookups: Lookups
) -> tuple[dict[tuple[int, str, int], int], list[StoredStatus]]:
    """The bits that were asked for, by call, action and word; and what the requests that were done at the view's block
    add up to, for each credential.
    """
    names = ("id", "action", "state", "final_block", "operation_id", "requested_at")
    # What waits for an issuer's own signature is not the registry's to send.
    signs_itself = set(connection.scalars(select(issuers.c.id).where(issuers.c.mode == SELF)))
    rows = connection.execute(
        select(
            *_as_they_are(credentials, "issuer_id", "credential_index", "batch_id"),
            credentials.c.state.label("credential_state"),
            *_as_they_are(status_requests, *names),
        )
        .join(credentials, credentials.c.id == status_requests.c.credential_id)
        .order_by(status_requests.c.id)
    )
    asked: dict[tuple[int, str, int], int] = defaultdict(int)
    superseded: dict[tuple[bytes, int, int], list[tuple[int, str]]] = defaultdict(list)
    shown: dict[tuple[bytes, int], list[Any]] = {}
    waiting: dict[tuple[bytes, int], dict[int, tuple[str, int]]] = defaultdict(dict)
    for row in rows:
        name = f"status request {row.id}"
        if row.action not in _BITS or row.state not in _REQUESTS or row.issuer_id not in addresses:
            raise _Unreadable(f"{name}: its action, state or issuer is none")
        index = _number(row.credential_index, name)
        at = addresses[row.issuer_id], index
        place, value = _BITS[row.action]
        calls = [] if row.operation_id is None else [(row.operation_id, row.action)]
        if row.state == "SUPERSEDED":  # only a later one makes it that: without one, its row was changed
            superseded[*at, place] += calls
            if row.action == "revoke" and row.credential_state == "LIVE" and row.batch_id is not None:
                # Nothing comes after a revocation, and what it was dropped with would be a tombstone.
                waiting[at][place] = (row.action, _number(row.requested_at, name))
                shown.setdefault(at, [False, None, None])
            continue
        if (row.state != "FINAL" and row.final_block is not None) or (row.state == "WAITING" and calls):
            continue  # no row of the program's: as good as lost
        word, mask = word_and_mask(index)
        for call, action in [*superseded.pop((*at, place), ()), *calls]:
            asked[call, action, word] |= mask
        if row.batch_id is None:
            continue
        waiting[at].pop(place, None)
        by = _done_by(row.state, row.final_block, name, view, lookups)
        told = shown.setdefault(at, [False, None, None])
        if row.state in ("WAITING", "SENT") and row.issuer_id not in signs_itself:
            waiting[at][place] = (row.action, _number(row.requested_at, name))
        told[place] = None if by is None else value
        if place:
            told[2] = by if calls else None  # what no call belongs to never was on chain
    found = []
    for (issuer, index), (revoked, suspended, by) in sorted(shown.items()):
        first = min(waiting[issuer, index].values(), key=lambda item: item[1], default=None)
        found.append(StoredStatus(issuer, index, revoked, suspended, by, first))
    return asked, found


def _done_by(state: str, final_block: object, name: str, view: ChainView, lookups: Lookups) -> int | None:
    """By which block a request is said to be on chain, at the audited one at the latest; None if it is not said.

    What is called final in a block behind the audited one is the next audit's; a block that is not there hides nothing.
    """
    if state == "ON_CHAIN" or (state == "FINAL" and final_block is None):
        return view.block.number
    if state != "FINAL":
        return None
    number = _number(final_block, name)
    return number if number <= view.block.number else view.block.number if lookups.block_hash(number) is None else None


def _unasked(
    connection: Connection, addresses: Mapping[int, bytes], asked: Mapping[tuple[int, str, int], int]
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


def _followed(connection: Connection, view: ChainView, lookups: Lookups) -> int | None:
    """Up to which block the copies of the chain's events go; None where it is on a branch that will be read again."""
    names = _as_they_are(chain_blocks, "number", "hash")
    row = connection.execute(select(*names).order_by(chain_blocks.c.number.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    number = _number(row.number, "chain_blocks")
    return min(number, view.block.number) if lookups.block_hash(number) == _bytes(row.hash) else None


def _words(connection: Connection, until: int = MAX_INTEGER) -> dict[tuple[bytes, int], StatusWords]:
    """The status words, folded from the copies of the events up to a block, or of all."""
    columns = chain_status.c
    names = ("block_number", "issuer", "purpose", "word", "set_mask", "clear_mask")
    rows = connection.execution_options(yield_per=_PAGE).execute(
        select(*_as_they_are(chain_status, *names))
        .where(columns.block_number <= until)
        .order_by(columns.block_number, columns.log_index, columns.position)
    )
    folded: dict[tuple[bytes, int], list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        place = f"chain_status in block {row.block_number}"
        word = int.from_bytes(_bytes_of(row.word, 32, place))
        masks = [int.from_bytes(_bytes_of(mask, 32, place)) for mask in (row.set_mask, row.clear_mask)]
        if row.purpose not in ("revocation", "suspension"):
            raise _Unreadable(f"{place}: its purpose is none")
        pair, purpose = folded[_bytes_of(row.issuer, 20, place), word], int(row.purpose == "suspension")
        pair[purpose] = (pair[purpose] | masks[0]) & ~masks[1]
    return {key: StatusWords(*pair) for key, pair in folded.items()}


def _anchors(connection: Connection, until: int) -> dict[AnchoredBatch, int | None]:
    """The copies of the events of batches up to a block, each with the block that voided it by then."""
    names = ("block_number", "block_hash", "transaction", "issuer", "root", "first", "size", "revoked_block")
    rows = connection.execution_options(yield_per=_PAGE).execute(
        select(*_as_they_are(chain_batches, *names)).where(chain_batches.c.block_number <= until)
    )
    found = {}
    for row in rows:
        place = f"chain_batches in block {row.block_number}"
        key = BatchKey(_bytes_of(row.issuer, 20, place), _number(row.first, place), _bytes_of(row.root, 32, place))
        hashes = _bytes_of(row.block_hash, 32, place), _bytes_of(row.transaction, 32, place)
        batch = AnchoredBatch(key, _number(row.size, place), _number(row.block_number, place), *hashes)
        voided = None if row.revoked_block is None else _number(row.revoked_block, place)
        found[batch] = voided if voided is not None and voided <= until else None
    return found


# --- values ----------------------------------------------------------------------------------------------------------


def _as_they_are(table: Any, *names: str) -> list[ColumnElement[Any]]:
    """Columns as the driver gives them: an integer in a column of bytes must not become as many bytes."""
    columns: list[Column[Any]] = [table.c[name] for name in names]
    return [type_coerce(column, NullType()).label(column.name) for column in columns]


def _number(value: object, place: str) -> int:
    if not isinstance(value, int) or not 0 <= value <= MAX_INTEGER:
        raise _Unreadable(f"{place}: a number is none, or out of bounds")
    return value


def _bytes_of(value: object, length: int, place: str) -> bytes:
    found = bytes(value) if isinstance(value, memoryview) else value
    if not isinstance(found, bytes) or len(found) != length:
        raise _Unreadable(f"{place}: what should be {length} bytes is something else")
    return found


def _bytes(value: object) -> bytes | None:
    """What a row holds, of whatever type it was made: what is no bytes is another content than the anchored one."""
    if value is None or isinstance(value, bytes):
        return value
    return bytes(value) if isinstance(value, memoryview) else repr(value).encode("utf-8", "backslashreplace")


# --- the chain -------------------------------------------------------------------------------------------------------


def _hash_of(chain: Chain, number: int) -> bytes | None:
    block = chain.block(number)
    return None if block is None else block.hash


def _succeeded(chain: Chain, transaction: bytes) -> bool:
    state = chain.transaction(transaction)
    return state is not None and state.succeeded


def _status_of(chain: Chain, issuer: bytes, index: int) -> tuple[bool, bool]:
    number, bit = divmod(index, ENTRIES_PER_WORD)
    words = chain.read_words(issuer, [number])[number]
    return bool(words.revoked >> bit & 1), bool(words.suspended >> bit & 1)
