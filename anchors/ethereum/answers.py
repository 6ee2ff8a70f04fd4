"""Reads a node's JSON strictly: whatever is not exactly what the method should return raises ``Nonsense``."""

import re
from collections.abc import Mapping
from typing import Any

from anchors.base import ChainUnreachable
from registry.core.model import BlockRef

__all__ = ["Nonsense", "parse_block", "parse_data", "parse_mapping", "parse_quantity"]

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
MAX_TIME = 1 << 40  # in seconds: some 35,000 years; anything later is no time


class Nonsense(ChainUnreachable):
    """An answer of the wrong type or shape, or one that contradicts what was asked or answered before."""


def parse_quantity(value: object, what: str, *, maximum: int = 2**256 - 1) -> int:
    """A hex quantity. Leading zeros are let pass: several nodes write them."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise Nonsense(f"{what} is not a number")
    number = int(value, 16)
    if number > maximum:
        raise Nonsense(f"{what} is out of range")
    return number


def parse_data(value: object, what: str, *, length: int | None = None) -> bytes:
    """Hex data, of exactly ``length`` bytes if given."""
    if not isinstance(value, str) or not _DATA.fullmatch(value):
        raise Nonsense(f"{what} is not hex data")
    data = bytes.fromhex(value[2:])
    if length is not None and len(data) != length:
        raise Nonsense(f"{what} has {len(data)} bytes instead of {length}")
    return data


def parse_mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Nonsense(f"{what} is not an object")
    return value


def parse_block(value: object, *, number: int | None = None) -> BlockRef:
    """A block's number, hash and timestamp; ``number``: the one that was asked for."""
    block = parse_mapping(value, "a block")
    reference = BlockRef(
        number=parse_quantity(block.get("number"), "a block's number", maximum=2**63 - 1),
        hash=parse_data(block.get("hash"), "a block's hash", length=32),
        timestamp=parse_quantity(block.get("timestamp"), "a block's timestamp", maximum=MAX_TIME),
    )
    if number is not None and reference.number != number:
        raise Nonsense(f"asked for block {number}, got {reference.number}")
    return reference
