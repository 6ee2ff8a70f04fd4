"""What the command line prints: one JSON object, or text for people; never both on the same stream."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Output", "counted", "mark_of"]

_PLAIN_SECONDS = 5.0  # between lines of progress, where there is no terminal
_PLAIN_WIDTH = 200
# Names and file names are other people's: nothing of them may move the cursor, or turn the direction of the text.
_CONTROL = dict.fromkeys(
    [
        *(code for code in range(0x20) if code != 0x0A),
        *range(0x7F, 0xA0),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    ]
)
_STYLES = {"VALID": "bold green", "INVALID": "bold red", "REFUSED": "bold red", "INDETERMINATE": "bold yellow"}


class Output:
    """``as_json``: stdout gets exactly one JSON object, by ``result``; all else keeps silent, warnings go to stderr."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def result(self, document: dict[str, Any]) -> None:
        """The JSON object; nothing for people."""
        if self.as_json:
            sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
            sys.stdout.flush()

    def say(self, text: str, style: str = "") -> None:
        if self.as_json:
            return
        if sys.stdout.isatty():
            _console().print(_clean(text), style=style, soft_wrap=True, markup=False, highlight=False)
        else:
            sys.stdout.write(f"{_clean(text)}\n")

    def heading(self, text: str) -> None:
        self.say(f"\n{text}", "bold")

    def verdict(self, what: str, status: str, reason: str) -> None:
        """One line: the verdict, what it is about, and why."""
        if not sys.stdout.isatty():
            self.say(f"{status:<14}{what}: {reason}")
        elif not self.as_json:
            from rich.text import Text

            line = Text.assemble((f"{status:<14}", _STYLES.get(status, "")), _clean(f"{what}: {reason}"))
            _console().print(line, soft_wrap=True, highlight=False)

    def warn(self, text: str) -> None:
        """To stderr, also with ``--json``."""
        _console(stderr=True).print(
            _clean(f"Warning: {text}"), style="yellow", soft_wrap=True, markup=False, highlight=False
        )

    def explain(self, text: str) -> None:
        """To stderr, also with ``--json``: what somebody has to know who answers questions, or mends a file."""
        sys.stderr.write(f"{_clean(text)}\n")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
        if self.as_json:
            return
        if not rows:
            self.say(empty)
            return
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text(_clean("" if cell is None else str(cell))) for cell in row))
        _console().print(table)

    @contextmanager
    def stages(self) -> Iterator[Callable[[str], None]]:
        """What is done at the moment, on stderr where that is a terminal; nothing is left of it."""
        if self.as_json or not sys.stderr.isatty():
            yield lambda _: None
            return
        from rich.text import Text

        with _console(stderr=True).status("") as status:
            yield lambda text: status.update(Text(_clean(text)))

    @contextmanager
    def track(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """A progress bar on stderr; plain lines now and then where that is no terminal. Yields "so many more"."""
        if self.as_json:
            yield lambda _: None
        elif sys.stderr.isatty():
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TimeRemainingColumn(),
                console=_console(stderr=True),
                transient=True,
            )
            with bar:
                task = bar.add_task(label, total=max(total, 1))
                yield lambda more: bar.advance(task, more)
        else:
            yield _PlainProgress(label, total)


class _PlainProgress:
    def __init__(self, label: str, total: int) -> None:
        self._label = label
        self._total = max(total, 1)
        self._done = 0
        self._said_at = time.monotonic()

    def __call__(self, more: int) -> None:
        self._done += more
        if time.monotonic() - self._said_at >= _PLAIN_SECONDS:
            self._said_at = time.monotonic()
            sys.stderr.write(f"{self._label}: {100 * self._done // self._total} %\n")
            sys.stderr.flush()


def counted(number: int, one: str, many: str = "") -> str:
    """A number and what it counts; ``many`` where an "s" is not enough."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def mark_of(chain_class: str, name: str) -> str | None:
    """What has to be said wherever an anchor is shown; None on a production chain."""
    if chain_class == "test":
        return f"TEST NETWORK {name}: it can end or be rewritten; its anchors prove little to a stranger."
    if chain_class == "dev":
        return f"DEVELOPMENT CHAIN {name}, NO real one: whoever runs it can write anything into it."
    return None


def _console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else _PLAIN_WIDTH, emoji=False)


def _clean(text: str) -> str:
    return text.translate(_CONTROL)
