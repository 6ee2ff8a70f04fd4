"""Reading one JSON object strictly: every field has its type and its bounds, and none is left over."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from registry.core.errors import InputError, ShapeError
from registry.core.notation import LOWER_HEX, parse_hex, short

__all__ = ["Shape"]

T = TypeVar("T")


class Shape:
    """One JSON object while it is read. Faults raise ``error`` with the JSON pointer of where they are.

    A field is taken once; ``finish`` refuses what nobody took. So a field that is forgotten here is refused everywhere.
    """

    def __init__(self, value: object, error: type[ShapeError], pointer: str = "") -> None:
        self._error = error
        self._pointer = pointer
        if not isinstance(value, dict):
            raise error(f"a JSON object belongs here, not {_kind(value)}", pointer)
        self._left: dict[str, Any] = dict(value)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def fail(self, message: str, name: str | None = None) -> ShapeError:
        """The error to raise about one field, or about the object."""
        return self._error(message, self._pointer if name is None else self._at(name))

    def text(self, name: str, parse: Callable[[str], T]) -> T:
        """A string that ``parse`` reads; its InputError becomes ours."""
        value = self._take(name, str, "a string")
        try:
            result = parse(value)
        except InputError as error:
            raise self.fail(str(error), name) from error
        return result

    def constant(self, name: str, expected: str | int) -> None:
        value = self._take(name, type(expected), "a string" if isinstance(expected, str) else "an integer")
        if value != expected:
            raise self.fail(f"{expected!r} is expected here, not {short(repr(value))}", name)

    def integer(self, name: str, lowest: int, highest: int) -> int:
        """Neither a boolean nor a float: 5.0 is refused."""
        value: int = self._take(name, int, "an integer")
        if not lowest <= value <= highest:
            raise self.fail(f"{value} is not between {lowest} and {highest}", name)
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        """An object whose content is somebody else's matter."""
        value: dict[str, Any] = self._take(name, dict, "an object")
        return value

    def inner(self, name: str) -> "Shape":
        return Shape(self._take(name, dict, "an object"), self._error, self._at(name))

    def inners(self, name: str, lowest: int, highest: int) -> "list[Shape]":
        """An array of objects."""
        items = self._array(name, lowest, highest)
        return [Shape(item, self._error, f"{self._at(name)}/{position}") for position, item in enumerate(items)]

    def texts(self, name: str, highest: int, parse: Callable[[str], T]) -> tuple[T, ...]:
        """An array of strings that ``parse`` reads."""
        items = self._array(name, 0, highest)
        at = Shape(dict(zip(map(str, range(len(items))), items, strict=True)), self._error, self._at(name))
        return tuple(at.text(str(position), parse) for position in range(len(items)))

    def hashes(self, name: str, highest: int) -> tuple[bytes, ...]:
        """An array of 32-byte hashes in bare lower-case hex. One look at all of them: audits read millions."""
        items = self._left.get(name)
        if type(items) is list and 0 < len(items) <= highest and all(type(item) is str for item in items):
            joined = "".join(items)
            same = max(map(len, items)) == 64 and len(joined) == 64 * len(items)
            if same and LOWER_HEX.fullmatch(joined):
                del self._left[name]
                packed = bytes.fromhex(joined)
                return tuple([packed[at : at + 32] for at in range(0, len(packed), 32)])
        return self.texts(name, highest, partial(parse_hex, length=32, prefix=""))  # which says what is wrong

    def finish(self) -> None:
        for name in self._left:
            raise self.fail("unknown field", name)

    def _array(self, name: str, lowest: int, highest: int) -> Sequence[Any]:
        items: list[Any] = self._take(name, list, "an array")
        if not lowest <= len(items) <= highest:
            raise self.fail(f"{lowest} to {highest} items are expected here, not {len(items)}", name)
        return items

    def _take(self, name: str, kind: type, described: str) -> Any:
        if name not in self._left:
            raise self.fail(f'the field "{name}" is missing')
        value = self._left.pop(name)
        if type(value) is not kind:  # not isinstance: a bool is no int here
            raise self.fail(f"{described} belongs here, not {_kind(value)}", name)
        return value

    def _at(self, name: str) -> str:
        return f"{self._pointer}/{short(name).replace('~', '~0').replace('/', '~1')}"


def _kind(value: object) -> str:
    names = {
        dict: "an object",
        list: "an array",
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a float",
    }
    return names.get(type(value), "null")
