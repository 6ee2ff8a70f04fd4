"""Auditing a registry's rows of credentials: against the leaves that were anchored, or that wait for it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from registry.core import leaf as leaves
from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_database import Lookups
from registry.core.audit_published import packed_root
from registry.core.errors import ProofError
from registry.core.merkle import HASH_BYTES

__all__ = ["StoredCredential", "audit_open_rows", "audit_rows"]


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A row; ``name`` is the registry's own id. ``erased``: the row says erased or withdrawn. ``leaf``: as it stands in
    the row. ``mixed_up``: what else of the row contradicts its batch or its content: what is expected, what is there.
    ``says``: what its content says of its issuer, where this registry made it: where the status lists are, and whether
    it was signed here.
    """

    name: str
    index: int
    erased: bool
    content: bytes | None
    salt: bytes | None
    leaf: bytes | None = None
    mixed_up: tuple[str, str] | None = None
    says: tuple[str, bool] | None = None


def audit_rows(
    key: BatchKey,
    size: int,
    stored_leaves: bytes | None,
    rows: Iterable[StoredCredential],
    said: dict[tuple[str, bool], int] | None = None,
) -> Iterator[Finding]:
    """One batch: the rows that the database counts to it, in any order, against the leaves that hash to its root.

    Leaves that do not are named; what the rows should be is then not known, and nothing is said of their content.
    ``said`` is added to: what rows with the right content say of their issuer, each with the first index.
    """
    packed = stored_leaves or b""
    trusted = len(packed) == size * HASH_BYTES and packed_root(packed) == key.root
    if not trusted:
        observed = "none" if stored_leaves is None else f"{len(stored_leaves) // HASH_BYTES} others"
        yield find("stored_leaves_differ", f"{size} leaves with the root {key.root.hex()}", observed, Where.batch(key))
    filled = bytearray(size)
    for row in rows:
        where = Where.batch(key, index=row.index, source=f"row {row.name}")
        position = row.index - key.first
        if 0 <= position < size:
            if filled[position]:
                yield find("row_index_changed", f"one row at index {row.index}", "another one", where)
            filled[position] = 1
        wrong = list(_row(row, key, packed if trusted else b"", where))
        yield from wrong
        if said is not None and row.says is not None and trusted and not wrong:
            said.setdefault(row.says, row.index)
    missing = filled.count(0)
    if missing:
        where = Where.batch(key, index=key.first + filled.index(0))
        yield find("row_missing", f"{size} rows", f"{missing} places without a row", where)


def audit_open_rows(
    issuer: bytes,
    next_index: int,
    rows: Iterable[StoredCredential],
    end: int | None = None,
    lookups: Lookups | None = None,
) -> Iterator[Finding]:
    """What stands in no batch yet, in any order: each row has the leaf of its content, and together they have the last
    indexes that were given out, without a gap. ``end``: where the issuer's last batch ends, None if that is not known;
    what lies between is somebody else's, which the chain tells.
    """
    places = []
    for row in rows:
        where = Where(issuer, index=row.index, source=f"row {row.name}")
        places.append(row.index)
        if row.leaf is None or len(row.leaf) != HASH_BYTES:
            yield find("row_changed", f"a leaf of {HASH_BYTES} bytes", "something else", where)
        else:
            yield from _row(row, BatchKey(issuer, row.index, b""), row.leaf, where)
    places.sort()
    given = [index for index in places if index < next_index]
    first = given[0] if given else next_index
    if end is not None and lookups is not None and first > end:
        first = min(first, max(end, lookups.next_index(issuer)))
    missing = next_index - first - len(given)
    if missing > 0:
        gap = next((at for at, index in enumerate(given, first) if at != index), first + len(given))
        where = Where(issuer, index=gap)
        yield find("row_missing", "a row for each index that was given out", f"{missing} without a row", where)
    elif len(given) < len(places):
        yield find("issuer_changed", f"next index {places[-1] + 1}", f"next index {next_index}", Where(issuer))


def _row(row: StoredCredential, key: BatchKey, packed: bytes, where: Where) -> Iterator[Finding]:
    """``packed``: the leaves of its batch, b"" if they are not known."""
    if row.mixed_up is not None:
        yield find("row_changed", *row.mixed_up, where)
    if row.erased:
        if row.content is not None or row.salt is not None:
            yield find("erasure_incomplete", "neither content nor salt", "content or salt", where)
        if packed and row.leaf is not None:
            yield from _place(row.leaf, row, key, packed, where)
    elif row.content is None or row.salt is None:
        yield find("erased_without_tombstone", "content and salt, or a tombstone", "neither", where)
    elif packed:
        yield from _content(row.content, row.salt, row, key, packed, where)


def _content(
    content: bytes, salt: bytes, row: StoredCredential, key: BatchKey, packed: bytes, where: Where
) -> Iterator[Finding]:
    try:
        leaf_hash = leaves.leaf_hash(leaves.commit(salt, leaves.digest(content)))
    except ProofError as error:
        yield find("row_changed", "the leaf that was anchored", str(error), where)
        return
    wrong = list(_place(leaf_hash, row, key, packed, where))
    yield from wrong
    if not wrong and row.leaf not in (None, leaf_hash):
        yield find("row_changed", f"leaf {leaf_hash.hex()}", f"leaf {(row.leaf or b'').hex()} in the row", where)


def _place(leaf_hash: bytes, row: StoredCredential, key: BatchKey, packed: bytes, where: Where) -> Iterator[Finding]:
    """Whether a leaf is the anchored one at the index of its row."""
    position, size = row.index - key.first, len(packed) // HASH_BYTES
    anchored = packed[position * HASH_BYTES : (position + 1) * HASH_BYTES] if 0 <= position < size else b""
    if leaf_hash == anchored:
        return
    at = _position(packed, leaf_hash)
    if at is not None:
        yield find("row_index_changed", f"index {key.first + at}", f"index {row.index}", where)
    elif not anchored:
        expected = f"an index from {key.first} to {key.first + size - 1}"
        yield find("row_index_changed", expected, f"index {row.index}", where)
    else:
        yield find("row_changed", f"leaf {anchored.hex()}", f"leaf {leaf_hash.hex()}", where)


def _position(packed: bytes, leaf_hash: bytes) -> int | None:
    at = packed.find(leaf_hash)
    while at >= 0 and at % HASH_BYTES:
        at = packed.find(leaf_hash, at + 1)
    return at // HASH_BYTES if at >= 0 else None
