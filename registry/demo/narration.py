"""How the demo tells what it does: the command line shows it, ``--json`` and tests keep silent."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = ["Narrator", "Silence"]


class Narrator(Protocol):
    """``track`` gives a function that is told how many more are done."""

    def heading(self, text: str) -> None: ...

    def say(self, text: str) -> None: ...

    def verdict(self, what: str, status: str, reason: str) -> None: ...

    def track(self, label: str, total: int) -> AbstractContextManager[Callable[[int], None]]: ...


class Silence:
    """Says nothing."""

    def heading(self, text: str) -> None:
        pass

    def say(self, text: str) -> None:
        pass

    def verdict(self, what: str, status: str, reason: str) -> None:
        pass

    @contextmanager
    def track(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda _: None
