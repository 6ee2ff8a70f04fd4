"""Which program this is: what an audit concluded by other rules need not be what these would conclude."""

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable

__all__ = ["program_digest"]

_DECIDING = ("cryptography", "jiter", "openbadgeslib", "orjson", "pyld")  # other people's code that judges credentials


@cache
def program_digest() -> bytes:
    """SHA-256 over the source of this package, and the versions of what it judges credentials with."""
    total = sha256()
    for name in _DECIDING:
        total.update(f"{name} {version(name)}\n".encode())
    for part in _sources(files("registry")):
        total.update(part)
    return total.digest()


def _sources(folder: Traversable) -> Iterator[bytes]:
    for item in sorted(folder.iterdir(), key=lambda each: each.name):
        if item.is_dir():
            yield from _sources(item)
        elif item.name.endswith(".py"):
            yield item.name.encode() + b"\n" + sha256(item.read_bytes()).digest()
