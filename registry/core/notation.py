"""How bytes, times and chains are written in our JSON: exactly one text for each value, and nothing else is read."""

import binascii
import re
from datetime import UTC, datetime

from registry.core.errors import InputError

__all__ = [
    "LAST_SECOND", "LOWER_HEX", "base64url_text", "chain_text", "hex_text", "moment_text", "parse_base64url",
    "parse_chain", "parse_hex", "parse_time", "short", "time_text",
]  # fmt: skip

LAST_SECOND = 253402300799  # 9999-12-31T23:59:59Z

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_CHAIN = re.compile(r"eip155:([1-9][0-9]{0,15})")
LOWER_HEX = re.compile(r"[0-9a-f]*")
_FROM_URL, _TO_URL = bytes.maketrans(b"-_", b"+/"), bytes.maketrans(b"+/", b"-_")


def hex_text(value: bytes) -> str:
    """Lower-case hex behind "0x", as everything that lives on a chain is written."""
    return f"0x{value.hex()}"


def parse_hex(text: str, length: int, prefix: str = "0x") -> bytes:
    """Reads exactly ``length`` bytes of lower-case hex behind ``prefix``. Raises InputError."""
    if not text.startswith(prefix):
        raise InputError(f'hex starts with "{prefix}" here')
    digits = text[len(prefix) :]
    if not LOWER_HEX.fullmatch(digits):
        raise InputError(
            "hex is written with the digits 0-9 and a-f, in lower case" + ("" if prefix else ', without "0x"')
        )
    if len(digits) != 2 * length:
        raise InputError(f"{length} bytes are {2 * length} hex digits, not {len(digits)}")
    return bytes.fromhex(digits)


def base64url_text(value: bytes) -> str:
    """base64url without padding (RFC 4648 section 5)."""
    return binascii.b2a_base64(value, newline=False).translate(_TO_URL).rstrip(b"=").decode()


def parse_base64url(text: str, length: int) -> bytes:
    """Reads exactly ``length`` bytes of base64url without padding; unused last bits are zero. Raises InputError."""
    try:
        padded = text.encode("ascii").translate(_FROM_URL) + b"=" * (-len(text) % 4)
        value = binascii.a2b_base64(padded, strict_mode=True)
    except ValueError as error:
        raise InputError("not base64url") from error
    if base64url_text(value) != text:
        raise InputError("not base64url as it is written here: without padding, unused bits zero, only A-Z a-z 0-9 - _")
    if len(value) != length:
        raise InputError(f"{length} bytes are expected, not {len(value)}")
    return value


def time_text(seconds: int) -> str:
    """Unix seconds, 0 to ``LAST_SECOND``, as YYYY-MM-DDTHH:MM:SSZ."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_text(seconds: int) -> str:
    """The same for any number of seconds: what no calendar has is named by its number."""
    return time_text(seconds) if 0 <= seconds <= LAST_SECOND else f"second {seconds}"


def parse_time(text: str) -> int:
    """Reads YYYY-MM-DDTHH:MM:SSZ, from 1970 on, as Unix seconds. Raises InputError."""
    if not _TIME.fullmatch(text):
        raise InputError("a time is written as YYYY-MM-DDTHH:MM:SSZ")
    try:
        seconds = int(datetime.fromisoformat(text).timestamp())
    except ValueError as error:
        raise InputError(f"there is no such time: {error}") from error
    if seconds < 0:
        raise InputError("times start with the year 1970")
    return seconds


def chain_text(chain_id: int) -> str:
    """The CAIP-2 name of an EVM chain: eip155:<decimal>."""
    return f"eip155:{chain_id}"


def parse_chain(text: str) -> int:
    """Reads eip155:<decimal, no leading zero, below 10^16> as a chain id. Raises InputError."""
    match = _CHAIN.fullmatch(text)
    if match is None:
        raise InputError('a chain is written as "eip155:" and its number, without leading zeros')
    return int(match[1])


def short(text: str, length: int = 80) -> str:
    """Somebody else's text, cut for use in a message."""
    return text if len(text) <= length else f"{text[:length]}…"
