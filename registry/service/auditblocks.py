"""Finding the blocks of a moment: what a status list says is held against the chain at the list's own time."""

from anchors.base import Chain, ChainUnreachable
from registry.core.model import BlockRef

__all__ = ["BlocksByTime"]

_SAME_TIME = 64  # blocks that are looked at for having the same time


class BlocksByTime:
    """Up to ``last``; each block is asked for once. ``first_block``: the contract's."""

    def __init__(self, chain: Chain, last: BlockRef, first_block: int) -> None:
        self._chain = chain
        self._last = last
        self._first = min(first_block, last.number)
        self._times: dict[int, int] = {last.number: last.timestamp}
        self._found: dict[int, tuple[int, int]] = {}

    def of(self, moment: int) -> tuple[int, int]:
        """The last block made by then, behind the first one of the same time. Raises ChainError."""
        if moment not in self._found:
            self._found[moment] = self._search(moment)
        return self._found[moment]

    def _search(self, moment: int) -> tuple[int, int]:
        low, high = self._first, self._last.number
        while low < high:
            middle = (low + high + 1) // 2
            if self._time(middle) <= moment:
                low = middle
            else:
                high = middle - 1
        first = low
        while low - first < _SAME_TIME and first > self._first and self._time(first) == self._time(first - 1) == moment:
            first -= 1
        return first, low

    def _time(self, number: int) -> int:
        if number not in self._times:
            block = self._chain.block(number)
            if block is None:
                raise ChainUnreachable(f"The node has no block {number}, so that lists cannot be held against it.")
            self._times[number] = block.timestamp
        return self._times[number]
