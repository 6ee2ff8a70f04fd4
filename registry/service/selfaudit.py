"""An internal audit: the registry's own tables, read as they are, for ``registry.core.audit_database`` to judge.

Nothing is repaired. What the database saw behind the audited block is left to the next audit. The tables may hold
anything (SQLite keeps any type in any column), so values are taken as the driver gives them, and looked at here.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from anchors.base import Chain, SetDid
from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.audit_database import (
    Lookups,
    StoredBatch,
    StoredIssuer,
    anchored_as,
    audit_erasures,
    audit_stored_batches,
    audit_stored_issuers,
)
from registry.core.audit_published import PublishedBatch
from registry.core.audit_rows import StoredCredential, audit_open_rows, audit_rows
from registry.core.model import BlockRef
from registry.core.notation import short
from registry.core.status import ENTRIES_PER_WORD
from registry.service import operations
from registry.service.auditcalls import calls_of
from registry.service.auditcopies import Followed, audit_copies, followed
from registry.service.auditrequests import audit_requests
from registry.service.auditrows import (
    FAULTS,
    StoredIssuers,
    Unreadable,
    any_bytes,
    as_they_are,
    bytes_of,
    fault,
    is_number,
    number_of,
    read_issuers,
    readable,
    rows_of,
)
from registry.service.batching import BatchState
from registry.service.declaring import TOMBSTONES, erased_in
from registry.service.health import chain_read
from registry.service.intake import COMMITMENT, ISSUED, SECURED, SIGNED, UNSIGNED
from registry.service.issuers import SELF, SIGNS_HERE
from registry.store.database import AnyRow, Database
from registry.store.tables import batches, credentials, did_documents, templates

__all__ = ["audit_database"]

_PAGE = 1_000
_LARGEST_BATCH = 1 << 24  # the contract's own limit
_ANCHORED = (BatchState.ANCHORED, BatchState.FINAL)
_STATES = ("LIVE", "RESERVED", *TOMBSTONES)
_FORMS = (SIGNED, UNSIGNED, SECURED, ISSUED)  # whose content is stored
_MADE_HERE = (SIGNED, UNSIGNED, ISSUED)
_MARGIN = 86_400  # seconds by which the chain's clock and the machine's may differ

Said = dict[tuple[str, bool], int]


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
        lambda claim: chain.read_claim(claim.issuer, claim.did, claim.document_hash),
        lambda issuer: chain.read_issuer(issuer).next_index,
    )
    with database.read() as connection:
        yield from readable(_audit_tables(connection, chain, view, declared, lookups))


def _audit_tables(
    connection: Connection,
    chain: Chain,
    view: ChainView,
    declared: Mapping[BatchKey, PublishedBatch],
    lookups: Lookups,
) -> Iterator[Finding]:
    lost: list[Finding] = []
    issuers_ = read_issuers(connection, lost)
    addresses = issuers_.addresses
    ours = frozenset(addresses.values())
    known, doubtful = _batches(connection, addresses, lost)
    read, settled = Followed(None, behind=False), 0
    try:
        read = followed(connection, chain)
        settled = _settled(connection, read.tip)
    except (DBAPIError, Unreadable) as error:
        lost.append(fault(error))
    yield from lost
    behind = read.behind and read.tip is not None and view.block.timestamp - read.tip.timestamp <= _MARGIN
    stored = [batch for _, _, batch in known]
    view = _with_records(view, chain, stored)
    yield from audit_stored_batches(view, stored, ours - doubtful, lookups, settled, behind=behind)
    elsewhere = anchored_as(view, stored)
    numbers = {address: number for number, address in addresses.items()}
    said: dict[int, Said] = defaultdict(dict)
    for number, issuer, batch in known:
        query = select(*as_they_are(batches, "leaves")).where(batches.c.id == number)
        key = elsewhere.get(batch.key, batch.key)  # the rows may be right where their batch is not
        unread: list[Finding] = []
        rows = _rows(connection, number, numbers.get(key.issuer, issuer), unread)
        yield from readable(_audit_batch(connection, query, key, batch.size, rows, said[issuer]), Where.batch(key))
        yield from unread
    ends = _ends(stored)
    for item in issuers_.good:
        # What is being read again, or waits for a signature, may have been somebody else's a moment ago.
        unsure = read.behind or item.halted is not None or item.address in doubtful
        end = None if unsure else ends[item.address]
        unread = []
        rows = _rows(connection, None, item.id, unread)
        waiting = audit_open_rows(item.address, item.next_index, rows, end, lookups)
        yield from readable(waiting, Where(item.address))
        yield from unread
    strangers = {here.issuer: there.issuer for here, there in elsewhere.items() if there.issuer not in ours}
    anchored = [batch for batch in stored if view.records.get(batch.key)]
    yield from readable(audit_stored_issuers(view, _issuers(connection, issuers_, anchored, strangers, said)))
    yield from readable(_audit_calls(connection, known))
    yield from readable(_audit_erasures(connection, known, declared))
    yield from readable(audit_requests(connection, addresses, view, lookups, behind=behind))
    yield from readable(audit_copies(connection, view, ours, lookups, read.tip))
    yield from readable(_templates(connection, addresses))
    yield from readable(_documents(connection, addresses))
    yield from readable(_references(connection))


def _with_records(view: ChainView, chain: Chain, stored: Iterable[StoredBatch]) -> ChainView:
    """Whatever became of its event: the node may have given it up."""
    keys = [batch.key for batch in stored if batch.key not in view.records]
    found = chain.read_records([(key.issuer, key.root, key.first) for key in keys], view.block) if keys else []
    return replace(view, records={**view.records, **dict(zip(keys, found, strict=True))})


def _settled(connection: Connection, tip: BlockRef | None) -> int:
    """Up to when the worker has seen to all that was anchored: by the chain's clock and by its own, with a margin."""
    try:
        read = chain_read(connection)
    except ValueError as error:
        raise Unreadable("properties: up to when the chain was read is no time") from error
    return 0 if tip is None or read is None else min(tip.timestamp, read) - _MARGIN


def _audit_batch(
    connection: Connection, query: Any, key: BatchKey, size: int, rows: Iterable[StoredCredential], said: Said
) -> Iterator[Finding]:
    yield from audit_rows(key, size, any_bytes(connection.execute(query).scalar_one()), rows, said)


def _audit_calls(connection: Connection, known: Iterable[tuple[int, int, StoredBatch]]) -> Iterator[Finding]:
    """A batch without its call is in no listing, and with two of them it is listed twice."""
    calls = operations.table.c
    rows = connection.execute(select(calls.batch_id, func.count()).group_by(calls.batch_id))
    counts = {row[0]: row[1] for row in rows}
    for number, _, batch in known:
        if counts.get(number) != 1:
            yield find("row_missing", "one call that anchors it", str(counts.get(number, 0)), Where.batch(batch.key))


def _audit_erasures(
    connection: Connection,
    known: Iterable[tuple[int, int, StoredBatch]],
    declared: Mapping[BatchKey, PublishedBatch],
) -> Iterator[Finding]:
    keys = {number: batch.key for number, _, batch in known}
    erased = [(keys[number], count) for number, count in erased_in(connection, keys).items()]
    said = {key: batch.erased for key, batch in declared.items() if batch.erased is not None}
    yield from audit_erasures(sorted(erased), said)


def _references(connection: Connection) -> Iterator[Finding]:
    """Rows that name rows which are not there. PostgreSQL has none."""
    if connection.dialect.name != "sqlite":
        return
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for row in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        counts[row[0], row[2]] += 1
    for (table, parent), count in sorted(counts.items()):
        observed = f"{count} of {table} that name others"
        yield find("database_unreadable", f"rows that name rows of {parent}", observed, Where(source=table))


def _templates(connection: Connection, addresses: Mapping[int, bytes]) -> Iterator[Finding]:
    rows = connection.execution_options(yield_per=_PAGE).execute(
        select(*as_they_are(templates, "id", "issuer_id", "name", "digest", "content")).order_by(templates.c.id)
    )
    for row in rows:
        try:
            digest = bytes_of(row.digest, 32, f"template {row.id}")
        except Unreadable as error:
            yield fault(error, Where(addresses.get(row.issuer_id)))
            continue
        found = sha256(any_bytes(row.content) or b"").digest()
        if found != digest:
            where = Where(addresses.get(row.issuer_id), source=f"the template {short(str(row.name))}")
            yield find("stored_template_differs", f"SHA-256 {digest.hex()}", found.hex(), where)


def _documents(connection: Connection, addresses: Mapping[int, bytes]) -> Iterator[Finding]:
    """What was claimed on chain is the hash, and what is claimed is kept before."""
    rows = connection.execution_options(yield_per=_PAGE).execute(
        select(*as_they_are(did_documents, "id", "issuer_id", "hash", "content")).order_by(did_documents.c.id)
    )
    kept = set()
    for row in rows:
        where = Where(addresses.get(row.issuer_id))
        found = sha256(any_bytes(row.content) or b"").digest()
        try:
            digest = bytes_of(row.hash, 32, f"DID document {row.id}")
        except Unreadable as error:
            yield fault(error, where)
            digest = found  # the document itself is there
        kept.add((row.issuer_id, digest))
        if found != digest:
            yield find("issuer_changed", _former(digest), found.hex(), where)
    unread: list[Finding] = []
    for item in calls_of(connection, unread, operations.table.c.kind == operations.SET_DID):
        call = item.call
        if isinstance(call, SetDid) and (item.issuer_id, call.document_hash) not in kept:
            yield find("issuer_changed", _former(call.document_hash), "none", Where(addresses.get(item.issuer_id)))
    yield from unread


def _former(digest: bytes) -> str:
    return f"a former DID document with SHA-256 {digest.hex()}"


def _ends(stored: Iterable[StoredBatch]) -> dict[bytes, int]:
    """Where each issuer's last batch ends."""
    found: dict[bytes, int] = defaultdict(int)
    for batch in stored:
        found[batch.key.issuer] = max(found[batch.key.issuer], batch.key.first + batch.size)
    return found


def _issuers(
    connection: Connection,
    read: StoredIssuers,
    stored: Iterable[StoredBatch],
    strangers: Mapping[bytes, bytes],
    said: Mapping[int, Said],
) -> Iterator[StoredIssuer]:
    reached = _ends(stored)
    calls = operations.table.c
    gave_keys = set(connection.scalars(select(calls.issuer_id).where(calls.kind == operations.SET_KEY)))
    for issuer in read.good:
        mixed_up = []
        if issuer.mode == SELF and issuer.id in gave_keys:
            mixed_up.append(("hosted: it gave this registry a key", issuer.mode))
        if not issuer.status_base.endswith(f"/issuers/{issuer.name}/status"):  # neither ever changes
            expected = f"the issuer whose status lists are below {short(issuer.status_base, 200)}"
            mixed_up.append((expected, issuer.name))
        for (base, signed), index in said.get(issuer.id, {}).items():
            credential = f"as its credential at index {index} says"
            if base != issuer.status_base:
                mixed_up.append(
                    (f"status lists below {short(base, 200)}, {credential}", short(issuer.status_base, 200))
                )
            if signed and issuer.signs != SIGNS_HERE:
                mixed_up.append((f"signed here, {credential}", "not signed here"))
        anchors = strangers.get(issuer.address)
        end = reached[issuer.address]
        yield StoredIssuer(issuer.address, issuer.did, issuer.next_index, end, anchors, tuple(mixed_up))


def _batches(
    connection: Connection, addresses: Mapping[int, bytes], lost: list[Finding]
) -> tuple[list[tuple[int, int, StoredBatch]], frozenset[bytes]]:
    """Id, issuer and the rest of each batch that counts; and the issuers of whom there may be others, which cannot be
    read. ``lost`` is added to.
    """
    names = (
        "id", "issuer_id", "first", "size", "root", "state", "anchored_at", "block_number", "block_hash", "transaction",
    )  # fmt: skip
    found, before = [], len(lost)
    everyone = frozenset(addresses.values())
    rows = rows_of(connection, batches, names, lost, batches.c.state != BatchState.DISPLACED)
    doubtful = everyone if len(lost) > before else frozenset()
    for row in rows:
        address = addresses.get(row.issuer_id)
        if address is None:  # nobody's, or of an issuer that cannot be read: both are told elsewhere
            doubtful = everyone
            continue
        try:
            found.append((row.id, row.issuer_id, _batch(row, address)))
        except Unreadable as error:
            doubtful |= {address}
            lost.append(fault(error, Where(address)))
    return sorted(found, key=lambda item: (item[1], item[2].key.first)), doubtful


def _batch(row: AnyRow, address: bytes) -> StoredBatch:
    """Raises Unreadable."""
    place = f"batch {row.id}"
    if row.state not in list(BatchState):
        raise Unreadable(f"{place}: its state is none")
    size = number_of(row.size, place)
    if not 0 < size <= _LARGEST_BATCH:
        raise Unreadable(f"{place}: it has {size} leaves")
    return StoredBatch(
        BatchKey(address, number_of(row.first, place), bytes_of(row.root, 32, place)),
        size,
        row.state in _ANCHORED,
        None if row.transaction is None else bytes_of(row.transaction, 32, place),
        None if row.block_number is None else number_of(row.block_number, place),
        None if row.block_hash is None else bytes_of(row.block_hash, 32, place),
        None if row.anchored_at is None else number_of(row.anchored_at, place),
        row.state == BatchState.FINAL,
    )


def _rows(connection: Connection, batch: int | None, issuer: int, lost: list[Finding]) -> Iterator[StoredCredential]:
    """Those of a batch, or of an issuer's that are in none. ``lost`` is added to: those that cannot be read."""
    columns = credentials.c
    names = (
        "id", "issuer_id", "credential_index", "state", "form", "reserved_until", "external_id", "content", "salt",
        "leaf",
    )  # fmt: skip
    is_open = columns.batch_id.is_(None)
    rows = connection.execution_options(yield_per=_PAGE).execute(
        select(*as_they_are(credentials, *names))
        .where(columns.batch_id == batch if batch is not None else (columns.issuer_id == issuer) & is_open)
        .order_by(columns.credential_index, columns.id)
    )
    for row in rows:
        try:
            found = _credential(row, batch, issuer)
        except (Unreadable, *FAULTS) as error:
            lost.append(fault(error))
            if is_number(row.credential_index):  # it is there, so that nothing is missing, and says nothing
                leaf = None if batch is not None else bytes(32)
                yield StoredCredential(
                    str(row.id), row.credential_index, erased=True, content=None, salt=None, leaf=leaf
                )
        else:
            yield found


def _credential(row: AnyRow, batch: int | None, issuer: int) -> StoredCredential:
    """Raises Unreadable."""
    place = f"credential {row.id}"
    if row.state not in _STATES:
        raise Unreadable(f"{place}: its state is none")
    index = number_of(row.credential_index, place)
    content, salt = any_bytes(row.content), any_bytes(row.salt)
    # Only for a reserved index a commitment comes alone, and without a name.
    bare = row.form == COMMITMENT and row.reserved_until is not None and row.external_id is None
    empty = row.state in TOMBSTONES or (bare and content is None) or (batch is None and row.state == "RESERVED")
    document = _parsed(content) if content is not None and row.form in _FORMS else None
    mixed_up = None
    if row.issuer_id != issuer:
        mixed_up = (f"issuer {issuer}", f"issuer {short(str(row.issuer_id), 50)}")
    elif content is not None and row.state == "RESERVED":
        mixed_up = ("a credential that was handed in", "an index that is reserved for one")
    elif content is not None and row.form not in _FORMS:
        mixed_up = ("a form of credentials that are stored", f"the form {short(str(row.form), 50)}")
    elif document is not None and not empty:
        mixed_up = _other_name(document, row.external_id)
    says = _says(document, row.form) if document is not None and row.form in _MADE_HERE else None
    return StoredCredential(str(row.id), index, empty, content, salt, any_bytes(row.leaf), mixed_up, says)


def _parsed(content: bytes) -> dict[str, Any] | None:
    """None for another content than the anchored one, which its leaf says."""
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _says(document: Mapping[str, Any], form: str) -> tuple[str, bool] | None:
    """Where the issuer's status lists are, and whether it was signed here: see ``Securing.secure``."""
    entry = document.get("credentialStatus")
    place = entry.get("statusListCredential") if isinstance(entry, dict) else None
    if not isinstance(place, str):
        return None
    return place.rsplit("/", 2)[0], form != UNSIGNED and "proof" in document


def _other_name(document: Mapping[str, Any], name: object) -> tuple[str, str] | None:
    """What a row is found by, where that is not its credential's own id: what is done to it is done to another one."""
    said = document.get("id")
    if said == name or not isinstance(said, str) or said.startswith("data:"):
        return None  # an envelope: the credential's id is within it
    return f"id {short(said, 200)}, as in the credential", f"id {short(str(name), 200)}"


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
