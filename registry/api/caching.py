"""Answers that do not change: entity tags and conditional requests (RFC 9110 sections 8.8.3 and 13.1.2)."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["answer", "entity_tag", "is_known"]


def entity_tag(*parts: bytes) -> str:
    return '"' + hashlib.sha256(b"\0".join(parts)).hexdigest()[:32] + '"'


def is_known(request: Request, tag: str) -> bool:
    """Whether the client has this very version already."""
    known = [value.strip().removeprefix("W/") for value in request.headers.get("if-none-match", "").split(",")]
    return tag in known or "*" in known


def answer(
    request: Request, content: bytes, media_type: str, headers: dict[str, str], tag: str | None = None
) -> Response:
    """The content, or 304 if the client has it."""
    tag = tag or entity_tag(content)
    headers = {**headers, "ETag": tag}
    if is_known(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)
