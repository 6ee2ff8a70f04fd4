"""What an audit counts beside its findings: issuance and revocations over time, and delays of anchoring."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.core.audit_chain import ChainView
from registry.core.notation import LAST_SECOND, time_text

__all__ = ["DELAYS", "Delays", "Figures", "Series", "figures_of", "figures_to_json"]

_HOUR, _DAY = 3_600, 86_400
_UNITS = (_HOUR, _DAY, 7 * _DAY, 30 * _DAY, 365 * _DAY)
_COLUMNS = 60  # of a series at most
DELAYS = (60, 600, _HOUR, 6 * _HOUR, _DAY, 7 * _DAY, 30 * _DAY)  # seconds; upper bounds, the last class has none


class Delays:
    """A histogram of seconds, one class for each bound of ``DELAYS`` and one for what is longer. Can be added up."""

    def __init__(self) -> None:
        self.counts = [0] * (len(DELAYS) + 1)

    @staticmethod
    def place(seconds: int) -> int:
        """The number of the class."""
        return bisect_right(DELAYS, seconds)

    def add(self, seconds: int, count: int = 1) -> None:
        self.counts[self.place(seconds)] += count

    def merge(self, counts: Sequence[int]) -> None:
        self.counts = [ours + theirs for ours, theirs in zip(self.counts, counts, strict=True)]


@dataclass(frozen=True, slots=True)
class Series:
    """Counts of equal periods: ``start`` in Unix seconds, ``period`` in seconds, one count after the other."""

    start: int
    period: int
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """``accepted``: from a batch's first acceptance, as published, to its anchor, counted by credentials.

    ``valid_from``: from the credentials' own validFrom, of those that were handed in. All zeros where nothing is known.
    """

    issuance: Series
    revocations: Series
    accepted: tuple[int, ...]
    valid_from: tuple[int, ...]


def figures_of(
    view: ChainView, times: Mapping[int, int], accepted: Delays | None = None, valid_from: Delays | None = None
) -> Figures:
    """``times``: the timestamps of blocks with revocations; those of other blocks are estimated between them."""
    records = list(view.batches().values())
    issued = [(record.anchored_at, record.size) for record in records]
    revoked = [(record.revoked_at, record.size) for record in records if record.revoked_at]
    known = {**times, **{record.block_number: record.anchored_at for record in records}}
    known[view.block.number] = view.block.timestamp
    numbers = sorted(known)
    revoked += [(_time_of(block, numbers, known), count) for block, count in view.revocations]
    moments = [moment for moment, _ in issued + revoked if moment <= LAST_SECOND]
    start, end = min(moments, default=0), max(moments, default=0)
    period = next((unit for unit in _UNITS if end // unit - start // unit < _COLUMNS), _UNITS[-1])
    while end // period - start // period >= _COLUMNS:
        period *= 2
    return Figures(
        _series(issued, start, end, period),
        _series(revoked, start, end, period),
        tuple((accepted or Delays()).counts),
        tuple((valid_from or Delays()).counts),
    )


def figures_to_json(figures: Figures) -> dict[str, Any]:
    """Periods in which nothing happened are left out; bounds of delays are in seconds, the last class has none."""
    return {
        "periodSeconds": figures.issuance.period,
        "issuance": _columns(figures.issuance),
        "revocations": _columns(figures.revocations),
        "anchoringDelay": {
            "below": list(DELAYS),
            "fromAcceptance": list(figures.accepted),
            "fromValidFrom": list(figures.valid_from),
        },
    }


def _columns(series: Series) -> list[dict[str, Any]]:
    return [
        {"from": time_text(series.start + at * series.period), "credentials": count}
        for at, count in enumerate(series.counts)
        if count
    ]


def _series(events: Iterable[tuple[int, int]], start: int, end: int, period: int) -> Series:
    first = start // period
    counts = [0] * (end // period - first + 1)
    for moment, count in events:
        if start <= moment <= end:
            counts[moment // period - first] += count
    return Series(first * period, period, tuple(counts))


def _time_of(block: int, numbers: Sequence[int], known: Mapping[int, int]) -> int:
    """The block's own time, or one between its nearest neighbours, as blocks come in order. ``numbers``: not empty."""
    at = bisect_left(numbers, block)
    after = numbers[min(at, len(numbers) - 1)]
    before = numbers[max(at - 1, 0)]
    if after in (block, before):
        return known[after]
    return known[before] + (known[after] - known[before]) * (block - before) // (after - before)
