"""Reading what people type: addresses, hashes, DIDs with addresses, JSON files."""

import re
from pathlib import Path
from typing import Any

import typer

from registry.core.canonical import parse_json
from registry.core.credential import unix_time
from registry.core.errors import InputError
from registry.core.model import IssuerPin
from registry.core.notation import LAST_SECOND
from registry.core.policy import parse_issuer

__all__ = ["parse_address", "parse_hash", "parse_moment", "parse_pin", "read_file", "read_json"]


def parse_address(text: str, option: str) -> bytes:
    """Any case is taken: wallets write addresses in mixed case."""
    return _hex(text, 20, option)


def parse_hash(text: str, option: str) -> bytes:
    return _hex(text, 32, option)


def parse_pin(text: str) -> IssuerPin:
    """``did:web:example.org=0x…``, or the identifier alone: trusted for credentials that are not anchored."""
    identifier, separator, address = text.rpartition("=0x")
    try:
        return IssuerPin(
            parse_issuer(identifier if separator else text),
            parse_address(f"0x{address}", "--pin") if separator else None,
        )
    except InputError as error:
        message = "--pin is written as DID=0xADDRESS, such as did:web:example.org=0x1234…, or as an identifier alone."
        raise typer.BadParameter(message) from error


def parse_moment(text: str, option: str) -> int:
    """YYYY-MM-DDTHH:MM:SSZ, or with another offset (RFC 3339), as Unix seconds."""
    seconds = unix_time(text)
    if seconds is None or not 0 <= seconds <= LAST_SECOND:
        raise typer.BadParameter(f"{option} is a time such as 2026-11-27T12:00:00Z, with its offset.")
    return seconds


def read_json(path: Path, what: str) -> Any:
    """Raises InputError that names the file."""
    try:
        return parse_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"The {what} {path} cannot be read: {error.strerror}.") from error
    except InputError as error:
        raise InputError(f"The {what} {path} cannot be used: {error}.") from error


def read_file(path: Path, max_bytes: int, what: str) -> bytes:
    """At most one byte more than is read at all, so that the reader can say that it is too large. Raises InputError."""
    try:
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise InputError(f"The {what} {path} cannot be read: {error.strerror}.") from error


def _hex(text: str, length: int, option: str) -> bytes:
    digits = text.removeprefix("0x")
    if text == digits or not re.fullmatch(f"[0-9a-fA-F]{{{2 * length}}}", digits):
        raise typer.BadParameter(f"{option} needs 0x and {2 * length} hexadecimal digits.")
    return bytes.fromhex(digits)
