"""Cursors of listings: opaque to clients, bound to the listing that gave them out."""

import base64
import binascii
import re

from registry.api.problems import RequestError

__all__ = ["decode_cursor", "encode_cursor"]

_TEXT = re.compile(r"([a-z]+):(0|[1-9][0-9]{0,17})")


def encode_cursor(listing: str, position: int) -> str:
    return base64.urlsafe_b64encode(f"{listing}:{position}".encode()).rstrip(b"=").decode()


def decode_cursor(listing: str, cursor: str) -> int:
    """The position after which to go on. Raises RequestError (400)."""
    try:
        text = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        match = _TEXT.fullmatch(text.decode("ascii"))
    except (ValueError, binascii.Error):
        match = None
    if match is None or match[1] != listing or encode_cursor(listing, int(match[2])) != cursor:
        raise RequestError(400, "bad_cursor", "This cursor is not from this listing; begin again without one.")
    return int(match[2])
