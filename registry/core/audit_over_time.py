"""What no single look shows: publications beside each other, and beside what an earlier audit saw."""

from collections.abc import Iterable, Iterator, Mapping

from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import AnchoredBatch, ChainView
from registry.core.audit_published import PublishedBatch
from registry.core.model import BatchRecord

__all__ = ["compare_mirrors", "compare_with_earlier", "gone_anchors"]

_Publication = tuple[str, Mapping[BatchKey, PublishedBatch], Mapping[BatchKey, bytes | None]]
_SHOWN = 100  # batches of one copy that are named one by one


def compare_mirrors(
    first: _Publication, other: _Publication, batches: Mapping[BatchKey, BatchRecord], since: int
) -> Iterator[Finding]:
    """Each publication: its name, what it lists, and the SHA-256 of the leaves that it serves (None: it has none).

    ``batches``: those of the contract that both are about: what is not on chain is a finding by itself. What could not
    be read is in neither mapping, and nothing is said about it. What the chain learnt after ``since`` (Unix seconds)
    may be missing from one of them.
    """
    name, ours, our_leaves = first
    source, theirs, their_leaves = other
    differing = list(_differences(ours, our_leaves, theirs, their_leaves, batches, since))
    for key, file, expected, observed in differing[:_SHOWN]:
        where = Where.batch(key, source=source)
        yield find("mirrors_differ", f"{file}: {expected}, as {name} says", f"{file}: {observed}", where)
    if len(differing) > _SHOWN:
        observed = f"{len(differing) - _SHOWN} more batches that differ"
        yield find("mirrors_differ", f"the same as {name}", observed, Where(source=source))


def _differences(
    ours: Mapping[BatchKey, PublishedBatch],
    our_leaves: Mapping[BatchKey, bytes | None],
    theirs: Mapping[BatchKey, PublishedBatch],
    their_leaves: Mapping[BatchKey, bytes | None],
    batches: Mapping[BatchKey, BatchRecord],
    since: int,
) -> Iterator[tuple[BatchKey, str, str, str]]:
    for key, record in sorted(batches.items(), key=lambda item: item[0]):
        a, b = ours.get(key), theirs.get(key)
        if a is None and b is None:
            continue
        if a is None or b is None:
            if record.anchored_at <= since:
                yield key, "listing", _presence(a), _presence(b)
        elif a.size != b.size:
            yield key, "listing", f"{a.size} leaves", f"{b.size} leaves"
        elif None not in (a.revoked, b.revoked) and a.revoked != b.revoked and record.revoked_at <= since:
            yield key, "listing", _voided(a.revoked), _voided(b.revoked)
        elif _contradict(a.accepted_from, b.accepted_from) or _contradict(a.declared_delay, b.declared_delay):
            observed = f"accepted from {b.accepted_from}, delay {b.declared_delay}"
            yield key, "listing", f"accepted from {a.accepted_from}, delay {a.declared_delay}", observed
        elif key in our_leaves and key in their_leaves and our_leaves[key] != their_leaves[key]:
            yield key, "leaves", _digest(our_leaves[key]), _digest(their_leaves[key])


def compare_with_earlier(
    source: str,
    before: Mapping[BatchKey, tuple[bool | None, bytes | None]],
    listed: Mapping[BatchKey, PublishedBatch],
    leaves: Mapping[BatchKey, bytes | None],
    view: ChainView,
) -> Iterator[Finding]:
    """``before``: whether a batch was called voided, and the SHA-256 of its leaves, once they were the right ones."""
    on_chain = view.batches()
    for key, (revoked, digest) in sorted(before.items()):
        if key not in on_chain:
            continue
        where = Where.batch(key, source=source)
        batch = listed.get(key)
        if batch is None:
            yield find("batch_unlisted", "a batch that stays listed", "none", where)
            continue
        if revoked and batch.revoked is False:
            yield find("void_taken_back", "voided, as an earlier audit saw", "not voided", where)
        if digest is not None and key in leaves and leaves[key] != digest:
            yield find("leaves_changed", f"leaves with {_digest(digest)}", _digest(leaves[key]), where)


def gone_anchors(lost: Iterable[AnchoredBatch]) -> Iterator[Finding]:
    """``lost``: anchors that an earlier audit held for final, and that the contract does not have."""
    for batch in lost:
        where = Where.batch(batch.key, transaction=batch.transaction, block_number=batch.block_number)
        yield find("final_anchor_gone", f"a record since block {batch.block_number}", "none", where)


def _presence(batch: PublishedBatch | None) -> str:
    return "not listed" if batch is None else "listed"


def _voided(revoked: bool | None) -> str:
    return "voided" if revoked else "not voided"


def _contradict(ours: int | None, theirs: int | None) -> bool:
    return ours is not None and theirs is not None and ours != theirs


def _digest(leaves: bytes | None) -> str:
    return "none" if leaves is None else f"SHA-256 {leaves.hex()}"
