"""Auditing the published batches against the chain, leaf by leaf.

Batches are handed in one at a time, each with its leaves packed. What stays in memory is 32 bytes for each leaf; no
Python object is kept for a single one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import ChainView, misplaced
from registry.core.merkle import HASH_BYTES, MerkleTree
from registry.core.model import Anchor, BatchRecord
from registry.core.notation import hex_text, moment_text

__all__ = ["PublishedAudit", "PublishedBatch", "issuers_elsewhere", "missing_batch", "packed_root", "repeated_leaves"]

_CLOCKS = 300  # seconds by which a registry's clock may be ahead of the chain's
_CHUNK = HASH_BYTES << 15  # a power of two of leaves
_SHOWN = 20  # batches that are named one by one


@dataclass(frozen=True, slots=True)
class PublishedBatch:
    """What a publication says of one batch.

    ``revoked`` is None where it says nothing about that; ``claimed`` tells whether it says that the batch is on chain.
    ``accepted_from`` (Unix time of the first acceptance), ``declared_delay`` (seconds from there to the anchor) and
    ``erased`` (how many of its credentials are withdrawn or erased) are None where nothing is declared; ``anchor`` is
    None where it does not say where the batch was anchored for good.
    """

    key: BatchKey
    size: int
    claimed: bool = True
    revoked: bool | None = None
    accepted_from: int | None = None
    declared_delay: int | None = None
    erased: int | None = None
    anchor: Anchor | None = None


def packed_root(packed: bytes) -> bytes:
    """The root of packed leaf hashes, as ``MerkleTree.from_packed(packed).root``, with memory for one chunk's tree.

    Whole chunks are complete subtrees, so their roots are the nodes of one level of the tree.
    """
    if len(packed) <= _CHUNK:
        return MerkleTree.from_packed(packed).root
    view = memoryview(packed)
    roots = [MerkleTree.from_packed(view[at : at + _CHUNK]).root for at in range(0, len(packed), _CHUNK)]
    return MerkleTree(roots).root


class PublishedAudit:
    """One publication against one view of the chain. Call ``add`` for each batch, then ``finish`` once.

    ``since``: what the chain learnt after this time (Unix seconds) may be missing yet; None: nothing may.
    """

    def __init__(
        self,
        view: ChainView,
        source: str | None = None,
        since: int | None = None,
    ) -> None:
        self._view = view
        self._source = source
        self._since = view.block.timestamp if since is None else since
        self._behind: list[str] = []
        self._on_chain = view.batches()
        self._told = {item.key: item for item in view.history}
        self._by_root = {(key.issuer, key.root): key for key in self._on_chain}
        self._seen: dict[BatchKey, int] = {}  # size, of what was published
        self._leaves: dict[BatchKey, bytes] = {}
        self._digests: dict[tuple[BatchKey, int], bytes] = {}

    def add(self, batch: PublishedBatch, leaves: bytes | None) -> list[Finding]:
        """``leaves``: packed, in order; None where they are not to be had. Keeps them until the end."""
        return list(self._add(batch, leaves))

    def add_unread(self, batch: PublishedBatch) -> None:
        """A batch that is listed, and whose leaves could not be asked for: nothing is found for or against it."""
        self._seen.setdefault(batch.key, batch.size)
        self._digests[batch.key, batch.size] = bytes(HASH_BYTES)

    def leaves_of(self, key: BatchKey) -> bytes | None:
        """The leaves of a batch that is on chain, if the right ones were published."""
        return self._leaves.get(key)

    def anchored_leaves(self) -> dict[BatchKey, bytes]:
        """All of them, by batch."""
        return self._leaves

    def finish(self, issuers: Collection[bytes] | None = None) -> list[Finding]:
        """What only all batches show. ``issuers``: whose batches it has to list; None: all of the contract's."""
        found = [*self._missing(issuers), *self._overlaps()]
        if self._behind:
            observed = "; ".join(self._behind[:_SHOWN]) + ("; …" if len(self._behind) > _SHOWN else "")
            where = Where(source=self._source)
            found.append(
                find("publication_behind", f"what the chain had at {moment_text(self._since)}", observed, where)
            )
        return found

    @property
    def digest(self) -> bytes:
        """SHA-256 over all that was handed in, in the order of issuer and index: names the material of a report."""
        total = sha256()
        for (key, size), leaves in sorted(self._digests.items()):
            total.update(key.issuer + key.first.to_bytes(8) + size.to_bytes(8) + key.root + leaves)
        return total.digest()

    @property
    def size(self) -> int:
        """The number of leaves that were found to be the anchored ones."""
        return sum(len(leaves) for leaves in self._leaves.values()) // HASH_BYTES

    def _add(self, batch: PublishedBatch, leaves: bytes | None) -> Iterator[Finding]:
        key = batch.key
        where = Where.batch(key, source=self._source)
        self._digests[key, batch.size] = sha256(leaves).digest() if leaves is not None else bytes(HASH_BYTES)
        record = self._on_chain.get(key)
        if record is None and not batch.claimed:
            return
        if key in self._seen:
            yield find("published_twice", "one entry for each batch", "another one", where)
        self._seen.setdefault(key, batch.size)
        if record is None:
            moved = self._by_root.get((key.issuer, key.root))
            if moved is not None:
                yield find("first_differs", f"first index {moved.first}", f"first index {key.first}", where)
            else:
                yield find("not_on_chain", "a record in the contract", "none", where)
            return  # no leaves belong to it
        if record.size != batch.size:
            yield find("size_differs", f"{record.size} leaves", f"{batch.size} leaves", where)
        if record.revoked_at and batch.claimed and not batch.revoked:
            if record.revoked_at > self._since:
                self._behind.append(f"the batch from {key.first} on of {hex_text(key.issuer)} was voided since")
            else:
                said = "nothing of that" if batch.revoked is None else "not voided"
                yield find("voided_batch_served", f"voided at {moment_text(record.revoked_at)}", said, where)
        if not record.revoked_at and batch.revoked and key not in self._view.voided_in:
            yield find("voided_not_on_chain", "a batch that nobody voided on chain", "voided", where)
        yield from _late(batch, record, where)
        if batch.anchor is not None and record.anchored_at <= self._since:
            for ours, theirs in misplaced(batch.anchor, record, self._told.get(key)):
                yield find("published_location_differs", ours, theirs, where)
        if key in self._leaves:
            return
        if leaves is None:
            yield find("leaves_missing", f"{record.size} leaves", "none", where)
        elif len(leaves) != record.size * HASH_BYTES:
            expected = record.size * HASH_BYTES
            observed = f"{len(leaves)} bytes" if len(leaves) < expected else "more"  # and how many, nobody has read
            yield find("leaves_malformed", f"{expected} bytes", observed, where)
        elif (root := packed_root(leaves)) != key.root:
            yield find("root_mismatch", f"root {key.root.hex()}", f"leaves with the root {root.hex()}", where)
        else:
            self._leaves[key] = leaves

    def _missing(self, issuers: Collection[bytes] | None) -> Iterable[Finding]:
        for key, record in sorted(self._on_chain.items(), key=lambda item: item[0]):
            if key in self._seen or (issuers is not None and key.issuer not in issuers):
                continue
            if record.anchored_at > self._since:
                self._behind.append(f"the batch from {key.first} on of {hex_text(key.issuer)} was anchored since")
            else:
                yield missing_batch(key, record, self._source)

    def _overlaps(self) -> Iterable[Finding]:
        issuer, reached = b"", 0
        for key, size in sorted(self._seen.items()):
            if key.issuer != issuer:
                issuer, reached = key.issuer, 0
            if key.first < reached:
                expected = f"a batch from {reached} on, or later"
                where = Where.batch(key, source=self._source)
                yield find("published_overlap", expected, f"one from {key.first} on", where)
            reached = max(reached, key.first + size)


def issuers_elsewhere(view: ChainView, issuers: Collection[bytes]) -> Iterator[Finding]:
    """``issuers``: those of publications. Anybody may anchor in the contract, so that others are no fault by itself."""
    others = {key.issuer for key in view.batches() if key.issuer not in issuers}
    if others:
        batches = sum(key.issuer in others for key in view.batches())
        observed = f"{len(others)} more (batches: {batches}), the first being 0x{min(others).hex()}"
        yield find("issuer_elsewhere", "issuers that are published here", observed, Where(min(others)))


def missing_batch(key: BatchKey, record: BatchRecord, source: str | None) -> Finding:
    """A batch that the contract has and no publication that was to have it."""
    where = Where.batch(key, block_number=record.block_number, source=source)
    if record.revoked_at:
        return find(
            "voided_batch_unpublished", "a published batch", f"none; voided at {moment_text(record.revoked_at)}", where
        )
    expected = f"a published batch of {record.size} leaves, anchored at {moment_text(record.anchored_at)}"
    return find("leaves_missing", expected, "none", where)


def _late(batch: PublishedBatch, record: BatchRecord, where: Where) -> Iterator[Finding]:
    if batch.accepted_from is None or batch.declared_delay is None:
        return
    late = record.anchored_at - batch.accepted_from
    if late < -_CLOCKS:
        expected = f"accepted before it was anchored at {record.anchored_at} (Unix time)"
        yield find("accepted_after_anchor", expected, f"accepted from {batch.accepted_from} on", where)
    if late > batch.declared_delay:
        expected = f"anchored within {batch.declared_delay} seconds of the first acceptance"
        yield find("batch_anchored_late", expected, f"after {late} seconds", where)


def repeated_leaves(
    leaves: Mapping[BatchKey, bytes], sources: Mapping[BatchKey, str], records: Mapping[BatchKey, BatchRecord]
) -> Iterator[Finding]:
    """Leaves that occur more than once: one finding for each batch that holds repeats of what was anchored before.

    ``leaves``: packed, of every batch whose anchored ones were published; ``sources``: by whom; ``records``: of each.
    """
    keys = sorted(leaves, key=lambda key: (records[key].block_number, key))
    suspects = _repeated_heads([leaves[key] for key in keys])
    if not suspects:
        return
    first_seen: dict[bytes, tuple[BatchKey, int]] = {}
    for key in keys:
        packed = leaves[key]
        count, example = 0, None
        for position, head in enumerate(_heads(packed)):
            if head not in suspects:
                continue
            leaf = packed[position * HASH_BYTES : (position + 1) * HASH_BYTES]
            if leaf not in first_seen:
                first_seen[leaf] = (key, key.first + position)
                continue
            count += 1
            if example is None:
                example = (key.first + position, *first_seen[leaf])
        if example is not None:
            index, earlier, at = example
            whose = "" if earlier.issuer == key.issuer else f" of issuer 0x{earlier.issuer.hex()}"
            observed = f"{count} repeated; the first stands at index {at}{whose} as well"
            where = Where.batch(key, index=index, source=sources.get(key))
            yield find("leaf_repeated", "every leaf once", observed, where)


def _heads(packed: bytes) -> memoryview:
    """The first eight bytes of each leaf, as numbers."""
    return memoryview(packed).cast("Q")[:: HASH_BYTES // 8]


def _repeated_heads(packed: Sequence[bytes]) -> set[int]:
    heads: list[int] = []
    for part in packed:
        heads += _heads(part)
    heads.sort()
    return {heads[at] for at in range(1, len(heads)) if heads[at] == heads[at - 1]}
