"""Publications against one view of the chain, against each other, and against what an earlier audit saw of them."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.audit_figures import Delays
from registry.core.audit_over_time import PublishedCopy, SeenBatch, compare_mirrors, compare_with_earlier
from registry.core.audit_published import PublishedAudit, PublishedBatch, repeated_leaves
from registry.core.merkle import HASH_BYTES
from registry.core.notation import chain_text, hex_text, short
from registry.service.auditstate import AuditState, Listed, StateFile
from registry.service.oracle import merklelib_root
from registry.service.published import Listing, LocalMaterial, Material, MaterialMalformed, MaterialUnavailable
from registry.service.publishedissuers import IssuerMaterial

__all__ = ["MaterialAudit"]

_LATER = 1_000  # batches that may turn out to be anchored behind the audited block
_AGAIN = 16  # batches whose leaves are known already and read again in each audit, by chance
_ROUNDS = 64  # audits after which all of them were read again, by turns


@dataclass(frozen=True, slots=True)
class _Read:
    """One publication: whose batches it has to have, what it lists, and the SHA-256 of the leaves that it serves."""

    name: str
    audit: PublishedAudit
    listed: dict[BatchKey, PublishedBatch]
    leaves: dict[BatchKey, bytes | None]


class MaterialAudit:
    """``add`` each publication with its listing, then ``finish`` once.

    ``is_newer`` tells whether a batch was anchored behind the audited block, ``is_voided_since`` whether one was voided
    there. ``incomplete`` is added to. ``full``: no leaves are taken for known. ``leaves`` are those of each batch of
    which any publication has the anchored ones, ``declared`` what the first one that lists a batch says of it.
    ``grace``: for so many seconds what the chain learnt may be missing from what is published.
    """

    def __init__(
        self,
        view: ChainView,
        is_newer: Callable[[BatchKey], bool],
        is_voided_since: Callable[[BatchKey], bool],
        incomplete: list[str],
        state: AuditState | None = None,
        file: StateFile | None = None,
        *,
        cross_check: bool = False,
        full: bool = False,
        grace: int = 0,
    ) -> None:
        self._view = view
        self._is_newer = is_newer
        self._is_voided_since = is_voided_since
        self._incomplete = incomplete
        self._state = state
        self._file = file
        self._cross_check = cross_check
        self._full = full
        self._since = view.block.timestamp - grace
        self._read: list[_Read] = []
        self._sources: dict[BatchKey, str] = {}
        self.leaves: dict[BatchKey, bytes] = {}
        self.declared: dict[BatchKey, PublishedBatch] = {}
        self.delays = Delays()

    @property
    def digest(self) -> bytes | None:
        """Names the material: one publication's own digest, or SHA-256 over those of several, in their order."""
        digests = [read.audit.digest for read in self._read]
        return sha256(b"".join(digests)).digest() if len(digests) > 1 else next(iter(digests), None)

    @property
    def size(self) -> int:
        """The number of leaves that were found to be the anchored ones."""
        return sum(map(len, self.leaves.values())) // HASH_BYTES

    def elsewhere(self, material: Material, listing: Listing) -> Finding | None:
        """Whether it is about another chain or contract: then it is not to be added."""
        view = self._view
        if (listing.chain_id, listing.contract) == (view.chain_id, view.contract):
            return None
        expected = f"{chain_text(view.chain_id)}, {hex_text(view.contract)}"
        observed = f"{chain_text(listing.chain_id)}, {hex_text(listing.contract)}"
        return find("other_chain", expected, observed, Where(source=material.name))

    def add(
        self, material: Material, listing: Listing, tell: Callable[[str], None] = lambda _: None
    ) -> Iterator[Finding]:
        view = self._view
        audit = PublishedAudit(view, material.name, self._since)
        read = _Read(material.name, audit, {}, {})
        self._read.append(read)
        known = self._state.materials.get(material.name, {}) if self._state else {}
        again = self._again(material.name, known)
        local = material if isinstance(material, LocalMaterial) else None
        stamps: dict[BatchKey, bytes | None] = {}
        on_chain = view.batches()
        later = 0
        batches = [*listing.batches, *_placed(listing, view)]
        for number, said in enumerate(batches, 1):
            tell(f"Leaves of batch {number:,} of {len(batches):,} in {material.name}")
            record = on_chain.get(said.key)
            batch = self._not_newer(said) if record is not None and not record.revoked_at else said
            if record is None and batch.claimed and later < _LATER:
                later += 1
                if self._is_newer(batch.key):
                    continue
            if batch.claimed or record is not None:
                read.listed[batch.key] = batch
                self._declare(batch)
            size = None if record is None else record.size
            before = known.get(batch.key)
            try:
                leaves, fresh = None, False
                if size is not None:
                    stamps[batch.key] = stamp = None if local is None else local.stamp(batch.key)
                    if before is not None and batch.key not in again and (local is None or stamp is not None):
                        leaves = self._kept(batch.key, size, before, stamp)
                    if leaves is None:
                        leaves, fresh = material.leaves(batch.key, size), True
            except MaterialMalformed as error:
                audit.add_unread(batch)
                yield malformed(material, error, batch.key)
                continue
            except MaterialUnavailable as error:
                audit.add_unread(batch)
                self._incomplete.append(str(error))
                continue
            if leaves is not None and leaves == self.leaves.get(batch.key):
                leaves = self.leaves[batch.key]  # copies need no memory of their own
            yield from audit.add(batch, leaves)
            if size is not None:
                read.leaves[batch.key] = None if leaves is None else sha256(leaves).digest()
            if leaves is not None and audit.leaves_of(batch.key) is leaves:
                if self._cross_check:
                    yield from _cross_check(batch.key, leaves, material)
                if self._file is not None and fresh:
                    self._file.keep_leaves(batch.key, leaves)
                self._sources.setdefault(batch.key, material.name)
                self.leaves.setdefault(batch.key, leaves)
        yield from self._remember(material.name, read, known, stamps)

    def _not_newer(self, batch: PublishedBatch) -> PublishedBatch:
        """What is said of a batch that was not voided yet: that it is, may be newer than the audited block."""
        return replace(batch, revoked=None) if batch.revoked and self._is_voided_since(batch.key) else batch

    def issuers(self, named: Mapping[str, set[bytes]]) -> dict[str, set[bytes]]:
        """Those that each publication is about, by its name. ``named``: what it tells of besides its batches."""
        on_chain = self._view.batches()
        return {
            read.name: {key.issuer for key in read.listed if key in on_chain} | named.get(read.name, set())
            for read in self._read
        }

    def finish(
        self, issuers: Mapping[str, set[bytes]], copies: Mapping[str, list[str]], expected: Collection[bytes] = ()
    ) -> Iterator[Finding]:
        """What each publication lacks, and all of them beside each other.

        ``issuers`` as above; ``copies``: by name, the publications of the same registry. ``expected``: issuers whose
        batches have to be in one of them.
        """
        if not self._read:
            return
        nobodys = set(expected).difference(*issuers.values())
        others = {key.issuer for key in self._view.batches()}.difference(*issuers.values())
        only = len(self._read) == 1
        for read in self._read:
            named = issuers[read.name] or others  # who names nobody would otherwise have nothing to show
            yield from read.audit.finish(named | (nobodys if only else set()))
        if not only:
            yield from PublishedAudit(self._view, since=self._since).finish(nobodys)
        yield from repeated_leaves(self.leaves, self._sources, self._view.batches())
        made = []
        for read in self._read:
            expected = set[bytes]().union(*(issuers[name] for name in copies[read.name]))
            made.append(PublishedCopy(read.name, read.listed, read.leaves, expected))
        yield from compare_mirrors(made, self._view, self._since)

    def _remember(
        self, name: str, read: _Read, known: dict[BatchKey, Listed], stamps: Mapping[BatchKey, bytes | None]
    ) -> Iterator[Finding]:
        if self._state is None:
            return
        before = {
            key: SeenBatch(item.revoked, item.leaves, item.accepted_from, item.declared_delay)
            for key, item in known.items()
        }
        yield from compare_with_earlier(name, before, read.listed, read.leaves, self._view)
        # What was once seen stays the yardstick until the chain itself has lost the batch.
        on_chain = self._view.batches()
        asked = self._view.next_index
        now = {key: item for key, item in known.items() if key in on_chain or key.issuer not in asked}
        for key, batch in read.listed.items():
            if key not in on_chain:
                continue
            old = now.get(key)
            right = read.audit.leaves_of(key) is not None
            leaves = read.leaves.get(key) if right else None
            revoked = True if old is not None and old.revoked else batch.revoked
            yardstick = old.leaves if old is not None and old.leaves else leaves
            said = batch if old is None or old.declared_delay is None else old
            now[key] = Listed(
                batch.size,
                revoked,
                yardstick,
                stamps.get(key) if right else None,
                said.accepted_from,
                said.declared_delay,
            )
        self._state.materials[name] = now

    def _kept(self, key: BatchKey, size: int, before: Listed, stamp: bytes | None) -> bytes | None:
        if self._file is None or before.leaves is None or before.stamp != stamp:
            return None
        return self._file.leaves(key, size, before.leaves)

    def _again(self, name: str, known: Collection[BatchKey]) -> set[BatchKey]:
        """Whose leaves are read again: some by chance, which nobody knows before the audited block is there, and some
        by turns, so that none is left out for long.
        """
        if self._full or self._state is None:
            return set(known)
        seed = self._view.block.hash
        drawn = sorted(known, key=lambda key: sha256(seed + key.issuer + key.root).digest())[:_AGAIN]
        order = sorted(known)
        start = bisect_right(order, self._state.turns[name]) if name in self._state.turns else 0
        turn = [*order[start:], *order[:start]][: _turn(len(order))]
        if turn:
            self._state.turns[name] = turn[-1]
        return {*drawn, *turn}

    def _declare(self, batch: PublishedBatch) -> None:
        if batch.key in self.declared:
            return
        self.declared[batch.key] = batch
        record = self._view.records.get(batch.key)
        if record is not None and batch.accepted_from is not None:
            self.delays.add(max(record.anchored_at - batch.accepted_from, 0), record.size)


def _turn(batches: int) -> int:
    """How many of so many are read again by turns in one audit."""
    return max(_AGAIN, -(-batches // _ROUNDS))


def malformed(
    material: Material | IssuerMaterial,
    error: MaterialMalformed,
    key: BatchKey | None = None,
    issuer: bytes | None = None,
) -> Finding:
    where = Where(issuer, source=material.name) if key is None else Where.batch(key, source=material.name)
    return find("material_malformed", "material as documented", short(str(error), 300), where)


def _cross_check(key: BatchKey, leaves: bytes, material: Material) -> Iterator[Finding]:
    """About 6 µs and 500 bytes a leaf, so it is not done unless asked for."""
    root = merklelib_root([leaves[at : at + HASH_BYTES] for at in range(0, len(leaves), HASH_BYTES)])
    if root != key.root:
        where = Where.batch(key, source=material.name)
        yield find("oracle_disagrees", f"root {key.root.hex()}", f"root {root.hex()}", where)


def _placed(listing: Listing, view: ChainView) -> Iterator[PublishedBatch]:
    """Batches that the registry has not seen on chain yet, where the chain has them already."""
    known = {(key.root, key.first, record.size): key for key, record in view.batches().items()}
    for item in listing.unplaced:
        key = known.get((item.root, item.first, item.size))
        if key is not None:
            yield PublishedBatch(key, item.size, claimed=False)
