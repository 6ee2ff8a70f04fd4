"""Multibase strings, as Controlled Identifiers 1.0 section 2.4 allows them: base58btc ("z") and base64url ("u")."""

from registry.core.errors import InputError
from registry.core.notation import base64url_text, parse_base64url

__all__ = ["MultibaseError", "base58_text", "parse_base58", "parse_multibase"]

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {character: value for value, character in enumerate(_ALPHABET)}
# Decoding takes time that grows with the square of the length; no key or signature of ours is longer.
_MAX_LENGTH = 1_500


class MultibaseError(InputError):
    """Not a multibase string, or one of another base."""


def base58_text(value: bytes) -> str:
    """base58btc with the "z" of multibase before it. Leading zero bytes become leading ones."""
    number = int.from_bytes(value)
    digits: list[str] = []
    while number:
        number, rest = divmod(number, 58)
        digits.append(_ALPHABET[rest])
    zeros = len(value) - len(value.lstrip(b"\0"))
    return "z" + "1" * zeros + "".join(reversed(digits))


def parse_base58(text: str) -> bytes:
    """Reads multibase base58btc. Raises MultibaseError."""
    if not text.startswith("z"):
        raise MultibaseError('multibase base58btc starts with "z"')
    if len(text) > _MAX_LENGTH:
        raise MultibaseError(f"{len(text)} characters are too many for a key or a signature")
    number = 0
    for character in text[1:]:
        digit = _DIGITS.get(character)
        if digit is None:
            raise MultibaseError(f"{character!r} is no base58btc character")
        number = number * 58 + digit
    zeros = len(text) - 1 - len(text[1:].lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8)


def parse_multibase(text: str) -> bytes:
    """Reads base58btc ("z") or base64url without padding ("u"). Raises MultibaseError."""
    if text.startswith("z"):
        return parse_base58(text)
    if not text.startswith("u"):
        raise MultibaseError('a multibase string starts with "z" (base58btc) or "u" (base64url) here')
    length = (len(text) - 1) * 3 // 4
    try:
        value = parse_base64url(text[1:], length)
    except InputError as error:
        raise MultibaseError(str(error)) from error
    if len(value) > _MAX_LENGTH or base64url_text(value) != text[1:]:
        raise MultibaseError("too long for a key or a signature")
    return value
