"""Reading what people type: addresses, hashes, DIDs with addresses, JSON files."""

import re
from pathlib import Path
from typing import Any

import typer

from registry.core.canonical import parse_json
from registry.core.errors import InputError
from registry.core.model import IssuerPin

__all__ = ["parse_address", "parse_hash", "parse_pin", "read_file", "read_json"]

_DID = re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._:%-]{1,2000}")


def parse_address(text: str, option: str) -> bytes:
    """Any case is taken: wallets write addresses in mixed case."""
    return _hex(text, 20, option)


def parse_hash(text: str, option: str) -> bytes:
    return _hex(text, 32, option)


def parse_pin(text: str) -> IssuerPin:
    """``did:web:example.org=0x…``"""
    did, separator, address = text.rpartition("=")
    if not separator or not _DID.fullmatch(did):
        raise typer.BadParameter("--pin is written as DID=0xADDRESS, such as did:web:example.org=0x1234….")
    return IssuerPin(did, parse_address(address, "--pin"))


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
