"""What may be baked into an image: one credential, as JSON or as a compact JWS (VC-JWT)."""

import re
from dataclasses import dataclass
from typing import Literal

from registry.core.canonical import MAX_BYTES, parse_json
from registry.core.errors import JsonError
from registry.standards.baking.errors import BakingError

__all__ = ["Content", "is_jws", "parse_content"]

_JWS = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+")
_JSON_SPACE = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Content:
    """``data`` is UTF-8: a JSON object, or a compact JWS. Nothing of it is verified."""

    form: Literal["json", "jws"]
    data: bytes


def parse_content(data: bytes) -> Content:
    """White space around it is cut off, the rest stays byte by byte. Raises BakingError."""
    trimmed = data.strip(_JSON_SPACE)
    if len(trimmed) > MAX_BYTES:
        raise BakingError("too_large", f"The credential has more than {MAX_BYTES:,} bytes.")
    if is_jws(trimmed):
        return Content("jws", trimmed)
    try:
        value = parse_json(trimmed)
    except JsonError as error:
        raise BakingError("not_a_credential", f"Neither a JSON credential nor a compact JWS: {error}") from error
    if not isinstance(value, dict):
        raise BakingError("not_a_credential", "A credential is a JSON object or a compact JWS.")
    return Content("json", trimmed)


def is_jws(data: bytes) -> bool:
    """Whether it has the form of a compact JWS (RFC 7515 section 7.1)."""
    return _JWS.fullmatch(data) is not None
