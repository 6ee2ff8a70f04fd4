"""Importing the Ethereum libraries without what they do to the whole process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["recursion_limit_kept"]


@contextmanager
def recursion_limit_kept() -> Iterator[None]:
    """Undoes what imports within do to Python's recursion limit.

    py-ecc (below eth-account, web3 and py-evm) raises it to 100,000 for everybody. Then some kilobytes of "[[[[…" that
    anything in the process hands to ``json.loads`` end it by a segmentation fault, instead of a RecursionError.
    """
    before = sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
