"""What no single look shows: publications beside each other, and beside what an earlier audit saw."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import AnchoredBatch, ChainView
from registry.core.audit_published import PublishedBatch
from registry.core.model import StatusWords
from registry.core.notation import moment_text
from registry.core.status import ENTRIES_PER_WORD

__all__ = ["PublishedCopy", "SeenBatch", "compare_mirrors", "compare_with_earlier", "gone_anchors", "gone_statuses"]

_SEEN = "revocations that an earlier audit saw final"
_SHOWN = 100  # batches of one copy that are named one by one

_Difference = tuple[BatchKey, str, str, str, str]
_Say = Callable[["PublishedCopy", BatchKey], str | None]


@dataclass(frozen=True, slots=True)
class PublishedCopy:
    """``leaves``: the SHA-256 of what it serves of a batch, None where it has none; what could not be read is left out.

    ``issuers``: those whose batches it has to list as far as others do.
    """

    name: str
    listed: Mapping[BatchKey, PublishedBatch]
    leaves: Mapping[BatchKey, bytes | None]
    issuers: Collection[bytes]


@dataclass(frozen=True, slots=True)
class SeenBatch:
    """What an earlier audit saw published of a batch. ``leaves``: their SHA-256, once they were the anchored ones.

    ``accepted_from`` (Unix seconds) and ``declared_delay`` (seconds): what was declared of it; None: nothing.
    """

    revoked: bool | None
    leaves: bytes | None
    accepted_from: int | None = None
    declared_delay: int | None = None


def compare_mirrors(copies: Sequence[PublishedCopy], view: ChainView, since: int) -> Iterator[Finding]:
    """Each against the first one that says anything of the same thing: so whatever differs anywhere is found.

    Only batches that the chain has count: what is not on chain is a finding by itself. What the chain learnt after
    ``since`` (Unix seconds) may be missing from some; of when something was erased the chain knows nothing.
    """
    graced = since < view.block.timestamp
    differing: dict[str, list[_Difference]] = {copy.name: [] for copy in copies}
    for key, record in sorted(view.batches().items(), key=lambda item: item[0]):
        later = {_presence: record.anchored_at > since, _voided: record.revoked_at > since, _erased: graced}
        involved = [copy for copy in copies if key.issuer in copy.issuers]
        if len(involved) > 1 and any(key in copy.listed for copy in involved):
            for name, difference in _differences(key, involved, {say for say, is_new in later.items() if is_new}):
                differing[name].append(difference)
    for name, found in differing.items():
        for key, file, first, expected, observed in found[:_SHOWN]:
            where = Where.batch(key, source=name)
            yield find("mirrors_differ", f"{file}: {expected}, as {first} says", f"{file}: {observed}", where)
        if len(found) > _SHOWN:
            observed = f"{len(found) - _SHOWN} more differences"
            yield find("mirrors_differ", "the same as other copies", observed, Where(source=name))


def _differences(
    key: BatchKey, copies: Sequence[PublishedCopy], new: Collection[_Say]
) -> Iterator[tuple[str, _Difference]]:
    for file, say in _SAYINGS:
        if say in new:
            continue
        first: tuple[str, str] | None = None
        for copy in copies:
            said = say(copy, key)
            if said is None:
                continue
            if first is None:
                first = copy.name, said
            elif said != first[1]:
                yield copy.name, (key, file, *first, said)


def _presence(copy: PublishedCopy, key: BatchKey) -> str:
    return "listed" if key in copy.listed else "not listed"


def _size(copy: PublishedCopy, key: BatchKey) -> str | None:
    batch = copy.listed.get(key)
    return None if batch is None else f"{batch.size} leaves"


def _voided(copy: PublishedCopy, key: BatchKey) -> str | None:
    batch = copy.listed.get(key)
    return None if batch is None or batch.revoked is None else "voided" if batch.revoked else "not voided"


def _accepted(copy: PublishedCopy, key: BatchKey) -> str | None:
    batch = copy.listed.get(key)
    return None if batch is None or batch.accepted_from is None else f"accepted from {batch.accepted_from}"


def _delay(copy: PublishedCopy, key: BatchKey) -> str | None:
    batch = copy.listed.get(key)
    return None if batch is None or batch.declared_delay is None else f"a delay of {batch.declared_delay} seconds"


def _erased(copy: PublishedCopy, key: BatchKey) -> str | None:
    batch = copy.listed.get(key)
    return None if batch is None or batch.erased is None else f"erased: {batch.erased}"


def _leaves(copy: PublishedCopy, key: BatchKey) -> str | None:
    return _digest(copy.leaves[key]) if key in copy.listed and key in copy.leaves else None


_SAYINGS: tuple[tuple[str, _Say], ...] = (
    ("listing", _presence), ("listing", _size), ("listing", _voided), ("listing", _accepted), ("listing", _delay),
    ("listing", _erased), ("leaves", _leaves),
)  # fmt: skip


def compare_with_earlier(
    source: str,
    before: Mapping[BatchKey, SeenBatch],
    listed: Mapping[BatchKey, PublishedBatch],
    leaves: Mapping[BatchKey, bytes | None],
    view: ChainView,
) -> Iterator[Finding]:
    on_chain = view.batches()
    for key, seen in sorted(before.items(), key=lambda item: item[0]):
        if key not in on_chain:
            continue
        where = Where.batch(key, source=source)
        batch = listed.get(key)
        if batch is None:
            yield find("batch_unlisted", "a batch that stays listed", "none", where)
            continue
        if seen.revoked and batch.revoked is False:
            yield find("void_taken_back", "voided, as an earlier audit saw", "not voided", where)
        served = leaves.get(key)  # where there are none, they are missing, and that is said
        if seen.leaves is not None and served is not None and served != seen.leaves:
            yield find("leaves_changed", f"leaves with {_digest(seen.leaves)}", _digest(served), where)
        if (declared := _declared(seen)) is not None and _declared(batch) != declared:
            yield find("declaration_changed", declared, _declared(batch) or "nothing", where)


def _declared(batch: SeenBatch | PublishedBatch) -> str | None:
    if batch.accepted_from is None or batch.declared_delay is None:
        return None
    return f"accepted from {moment_text(batch.accepted_from)} on, to be anchored within {batch.declared_delay} seconds"


def gone_anchors(lost: Iterable[AnchoredBatch]) -> Iterator[Finding]:
    """``lost``: anchors that an earlier audit held for final, and that the contract does not have."""
    for batch in lost:
        where = Where.batch(batch.key, transaction=batch.transaction, block_number=batch.block_number)
        yield find("final_anchor_gone", f"a record since block {batch.block_number}", "none", where)


def gone_statuses(
    revoked: Mapping[tuple[bytes, int], int], voided: Iterable[BatchKey], view: ChainView
) -> Iterator[Finding]:
    """Revocations that an earlier audit held for final (bits by issuer and word, and whole batches), and that neither
    the history nor the state has: what the history still has is found by ``audit_chain``.
    """
    none = StatusWords(0, 0)
    for (issuer, number), bits in sorted(revoked.items()):
        words, told = view.words.get((issuer, number), none), view.told.get((issuer, number), none)
        start = number * ENTRIES_PER_WORD
        anchored = max(min(view.next_index.get(issuer, 0) - start, ENTRIES_PER_WORD), 0)
        gone = bits & ~words.revoked & ~told.revoked & ((1 << anchored) - 1)
        if gone:
            index = start + (gone & -gone).bit_length() - 1
            observed = f"{gone.bit_count()} clear, the first at index {index}"
            yield find("revocation_undone", _SEEN, observed, Where(issuer, index=index))
    for key in sorted(voided):
        record = view.records.get(key)
        if record is not None and not record.revoked_at and key not in view.voided_in:
            yield find("revocation_undone", _SEEN, "a batch that is not voided", Where.batch(key))


def _digest(leaves: bytes | None) -> str:
    return "none" if leaves is None else f"SHA-256 {leaves.hex()}"
