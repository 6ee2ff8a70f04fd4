"""Publications against one view of the chain, against each other, and against what an earlier audit saw of them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.audit_figures import Delays
from registry.core.audit_over_time import compare_mirrors, compare_with_earlier
from registry.core.audit_published import PublishedAudit, PublishedBatch, missing_batch
from registry.core.merkle import HASH_BYTES
from registry.core.model import BatchRecord
from registry.core.notation import chain_text, hex_text, short
from registry.service.auditstate import AuditState, Listed, StateFile
from registry.service.oracle import merklelib_root
from registry.service.published import Listing, Material, MaterialMalformed, MaterialUnavailable
from registry.service.publishedissuers import IssuerMaterial

__all__ = ["MaterialAudit"]

_LATER = 1_000  # batches that may turn out to be anchored behind the audited block
_SHOWN = 10  # issuers that are named one by one
_AGAIN = 16  # batches whose leaves are known already and read again in each audit


@dataclass(frozen=True, slots=True)
class _Read:
    """One publication: what it lists, and the SHA-256 of the leaves that it was found to serve."""

    name: str
    audit: PublishedAudit
    listed: dict[BatchKey, PublishedBatch]
    leaves: dict[BatchKey, bytes | None]


class MaterialAudit:
    """``add`` each publication with its listing, then ``finish`` once.

    ``is_newer`` tells whether a batch was anchored behind the audited block. ``incomplete`` is added to. ``grace``: for
    so many seconds what the chain learnt may be missing from what is published. ``named``: the view holds only issuers
    that the auditor named.
    """

    def __init__(
        self,
        view: ChainView,
        is_newer: Callable[[BatchKey], bool],
        incomplete: list[str],
        state: AuditState | None = None,
        file: StateFile | None = None,
        *,
        cross_check: bool = False,
        grace: int = 0,
        named: bool = False,
    ) -> None:
        self._view = view
        self._is_newer = is_newer
        self._incomplete = incomplete
        self._state = state
        self._file = file
        self._cross_check = cross_check
        self._since = view.block.timestamp - grace
        self._named = named
        self._read: list[_Read] = []
        self.first: PublishedAudit | None = None
        self.declared: dict[BatchKey, PublishedBatch] = {}
        self.delays = Delays()

    def add(self, material: Material, listing: Listing, scope: Collection[bytes] | None = None) -> Iterator[Finding]:
        """``scope``: the issuers that the publication is about, besides those of its batches; None: all there are."""
        view = self._view
        if (listing.chain_id, listing.contract) != (view.chain_id, view.contract):
            expected = f"{chain_text(view.chain_id)}, {hex_text(view.contract)}"
            observed = f"{chain_text(listing.chain_id)}, {hex_text(listing.contract)}"
            yield find("other_chain", expected, observed, Where(source=material.name))
            return
        audit = PublishedAudit(view, material.name, scope, self._since)
        if self.first is None:
            self.first = audit
            self.declared = {batch.key: batch for batch in listing.batches}
            self._count_delays(listing.batches)
        read = _Read(material.name, audit, {}, {})
        self._read.append(read)
        known = self._state.materials.get(material.name, {}) if self._state else {}
        again = self._again(known)
        on_chain = view.batches()
        later = 0
        for batch in [*listing.batches, *_placed(listing, view)]:
            record = on_chain.get(batch.key)
            if record is None and batch.claimed and later < _LATER:
                later += 1
                if self._is_newer(batch.key):
                    continue
            if batch.claimed or record is not None:
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

    def finish(self) -> Iterator[Finding]:
        """The publications against each other, each further one against the first; and what is in none of them."""
        batches = self._view.batches()
        for other in self._read[1:]:
            first = self._read[0]
            both = {
                key: record
                for key, record in batches.items()
                if first.audit.covers(key.issuer) and other.audit.covers(key.issuer)
            }
            yield from compare_mirrors(
                (first.name, first.listed, first.leaves), (other.name, other.listed, other.leaves), both, self._since
            )
        if self._read:
            yield from self._elsewhere(batches)

    def covers(self, issuer: bytes) -> bool:
        """Whether one of the publications is about this issuer."""
        return any(read.audit.covers(issuer) for read in self._read)

    def anchored_leaves(self) -> dict[BatchKey, bytes]:
        """Packed, by batch, of all batches of which some publication has the anchored ones."""
        found: dict[BatchKey, bytes] = {}
        for read in reversed(self._read):
            found |= read.audit.anchored_leaves()
        return found

    def _elsewhere(self, batches: Mapping[BatchKey, BatchRecord]) -> Iterator[Finding]:
        """Batches of issuers that no publication is about."""
        others: dict[bytes, dict[BatchKey, BatchRecord]] = {}
        for key, record in sorted(batches.items(), key=lambda item: item[0]):
            if not self.covers(key.issuer):
                others.setdefault(key.issuer, {})[key] = record
        if self._named:
            for found in others.values():
                for key, record in found.items():
                    if record.anchored_at <= self._since:
                        yield missing_batch(key, record, None)
        elif others:
            count = sum(map(len, others.values()))
            size = sum(record.size for found in others.values() for record in found.values())
            names = ", ".join(map(hex_text, list(others)[:_SHOWN])) + (", …" if len(others) > _SHOWN else "")
            observed = f"{len(others)} more (batches: {count}, credentials: {size}): {names}"
            yield find("issuer_elsewhere", "the issuers that are published", observed, Where())

    def _remember(
        self, name: str, read: _Read, known: dict[BatchKey, Listed], audit: PublishedAudit
    ) -> Iterator[Finding]:
        if self._state is None:
            return
        before = {key: (item.revoked, item.leaves) for key, item in known.items()}
        yield from compare_with_earlier(name, before, read.listed, read.leaves, self._view)
        # What was once seen stays the yardstick until the chain itself has lost the batch.
        on_chain = self._view.batches()
        now = {key: item for key, item in known.items() if key in on_chain or key.issuer not in self._view.next_index}
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
