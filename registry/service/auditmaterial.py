"""Publications against one view of the chain, against each other, and against what an earlier audit saw of them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.audit_figures import Delays
from registry.core.audit_over_time import compare_mirrors, compare_with_earlier
from registry.core.audit_published import PublishedAudit, PublishedBatch
from registry.core.merkle import HASH_BYTES
from registry.core.notation import chain_text, hex_text, short
from registry.service.auditstate import AuditState, Listed, StateFile
from registry.service.oracle import merklelib_root
from registry.service.published import Listing, Material, MaterialMalformed, MaterialUnavailable
from registry.service.publishedissuers import IssuerMaterial

__all__ = ["MaterialAudit"]

_LATER = 1_000  # batches that may turn out to be anchored behind the audited block
_AGAIN = 16  # batches whose leaves are known already and read again in each audit


@dataclass(frozen=True, slots=True)
class _Read:
    """One publication: whose batches it has to have, what it lists, and the SHA-256 of the leaves that it serves."""

    name: str
    issuers: frozenset[bytes] | None
    listed: dict[BatchKey, PublishedBatch]
    leaves: dict[BatchKey, bytes | None]


class MaterialAudit:
    """``add`` each publication with its listing, then ``finish`` once.

    ``is_newer`` tells whether a batch was anchored behind the audited block, ``is_voided_since`` whether one was voided
    there. ``incomplete`` is added to.
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
    ) -> None:
        self._view = view
        self._is_newer = is_newer
        self._is_voided_since = is_voided_since
        self._incomplete = incomplete
        self._state = state
        self._file = file
        self._cross_check = cross_check
        self._read: list[_Read] = []
        self.first: PublishedAudit | None = None
        self.declared: dict[BatchKey, PublishedBatch] = {}
        self.delays = Delays()

    def add(self, material: Material, listing: Listing, issuers: Collection[bytes] | None = None) -> Iterator[Finding]:
        """``issuers``: whose batches have to be in it; None: all that the chain has."""
        view = self._view
        if (listing.chain_id, listing.contract) != (view.chain_id, view.contract):
            expected = f"{chain_text(view.chain_id)}, {hex_text(view.contract)}"
            observed = f"{chain_text(listing.chain_id)}, {hex_text(listing.contract)}"
            yield find("other_chain", expected, observed, Where(source=material.name))
            return
        audit = PublishedAudit(view, material.name, issuers)
        if self.first is None:
            self.first = audit
            self.declared = {batch.key: batch for batch in listing.batches}
            self._count_delays(listing.batches)
        read = _Read(material.name, frozenset(issuers) if issuers is not None else None, {}, {})
        self._read.append(read)
        known = self._state.materials.get(material.name, {}) if self._state else {}
        again = self._again(known)
        on_chain = view.batches()
        later = 0
        for said in [*listing.batches, *_placed(listing, view)]:
            record = on_chain.get(said.key)
            batch = self._not_newer(said) if record is not None and not record.revoked_at else said
            if record is None and batch.claimed and later < _LATER:
                later += 1
                if self._is_newer(batch.key):
                    continue
            if batch.claimed:
                read.listed[batch.key] = batch
            size = None if record is None else record.size
            before = known.get(batch.key)
            try:
                leaves = None
                if size is not None:
                    leaves = None if batch.key in again or before is None else self._kept(batch.key, size, before)
                    leaves = material.leaves(batch.key, size) if leaves is None else leaves
            except MaterialMalformed as error:
                audit.add_unread(batch)
                yield malformed(material, error, batch.key)
                continue
            except MaterialUnavailable as error:
                audit.add_unread(batch)
                self._incomplete.append(str(error))
                continue
            yield from audit.add(batch, leaves)
            if size is not None:
                read.leaves[batch.key] = None if leaves is None else sha256(leaves).digest()
            if leaves is not None and audit.leaves_of(batch.key) is leaves:
                if self._cross_check:
                    yield from _cross_check(batch.key, leaves, material)
                if self._file is not None and (before is None or before.leaves is None):
                    self._file.keep_leaves(batch.key, leaves)
        yield from audit.finish()
        yield from self._remember(material.name, read, known, audit)

    def _not_newer(self, batch: PublishedBatch) -> PublishedBatch:
        """What is said of a batch that was not voided yet: that it is, may be newer than the audited block."""
        return replace(batch, revoked=None) if batch.revoked and self._is_voided_since(batch.key) else batch

    def finish(self) -> Iterator[Finding]:
        """The publications against each other: each further one against the first, unless it is of other issuers."""
        for other in self._read[1:]:
            first = self._read[0]
            if first.issuers is not None and other.issuers is not None and not first.issuers & other.issuers:
                continue
            yield from compare_mirrors(
                (first.name, first.listed, first.leaves), (other.name, other.listed, other.leaves), self._view
            )

    def _remember(
        self, name: str, read: _Read, known: dict[BatchKey, Listed], audit: PublishedAudit
    ) -> Iterator[Finding]:
        if self._state is None:
            return
        before = {key: (item.revoked, item.leaves) for key, item in known.items()}
        yield from compare_with_earlier(name, before, read.listed, read.leaves, self._view)
        # What was once seen stays the yardstick until the chain itself has lost the batch.
        on_chain = self._view.batches()
        asked = self._view.next_index
        now = {key: item for key, item in known.items() if key in on_chain or key.issuer not in asked}
        for key, batch in read.listed.items():
            if key not in on_chain:
                continue
            old = now.get(key)
            leaves = read.leaves.get(key) if audit.leaves_of(key) is not None else None
            revoked = True if old is not None and old.revoked else batch.revoked
            now[key] = Listed(batch.size, revoked, old.leaves if old is not None and old.leaves else leaves)
        self._state.materials[name] = now

    def _kept(self, key: BatchKey, size: int, before: Listed) -> bytes | None:
        if self._file is None or before.leaves is None:
            return None
        return self._file.leaves(key, size, before.leaves)

    def _again(self, known: Iterable[BatchKey]) -> set[BatchKey]:
        """A sample that nobody can know before the audited block is there."""
        seed = self._view.block.hash
        return set(sorted(known, key=lambda key: sha256(seed + key.issuer + key.root).digest())[:_AGAIN])

    def _count_delays(self, batches: Sequence[PublishedBatch]) -> None:
        on_chain = self._view.batches()
        for batch in batches:
            record = on_chain.get(batch.key)
            if record is not None and batch.accepted_from is not None:
                self.delays.add(max(record.anchored_at - batch.accepted_from, 0), record.size)


def malformed(material: Material | IssuerMaterial, error: MaterialMalformed, key: BatchKey | None = None) -> Finding:
    where = Where(source=material.name) if key is None else Where.batch(key, source=material.name)
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
