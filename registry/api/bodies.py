"""Request bodies: read within limits while they arrive, parsed strictly, and checked against a schema.

Nothing trusts Content-Length: a body that turns out to be longer than allowed is refused at that byte. A compressed
body is refused, because a small one can hold a very large one.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any, Generic, TypeVar

from anyio import fail_after
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from registry.api.problems import RequestError
from registry.core.canonical import MAX_BYTES, parse_json
from registry.core.notation import short

__all__ = ["JsonBody", "check_media_type", "is_json", "read_body", "read_chunks", "takes"]

# Between two pieces of a body; a client that is slower holds a connection (and an import a thread) for nothing.
_PATIENCE_SECONDS = 60
# So much of a refused body is still read and thrown away: most clients read the answer only after they sent everything.
_DISCARD_BYTES = 8 << 20
# Above this, parsing would keep the event loop, and with it everybody else, waiting.
_INLINE_BYTES = 16 << 10

M = TypeVar("M", bound=BaseModel)


class JsonBody(Generic[M]):
    """A dependency: the body as a model. Raises RequestError (400, 408, 413, 415, 422) and JsonError.

    ``invalid``: the status where the body does not fit the model.
    """

    def __init__(self, model: type[M], max_bytes: int = MAX_BYTES, *, invalid: int = 422) -> None:
        self._model = model
        self._max_bytes = max_bytes
        self._invalid = invalid

    async def __call__(self, request: Request) -> M:
        check_media_type(request, is_json, "application/json")
        data = await read_body(request, self._max_bytes)
        if len(data) <= _INLINE_BYTES:
            return self._parse(data)
        return await run_in_threadpool(self._parse, data)

    def _parse(self, data: bytes) -> M:
        if not data:
            raise RequestError(400, "not_json", "The request has no body; a JSON document is expected.")
        value = parse_json(data, self._max_bytes)
        try:
            return self._model.model_validate(value)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
        errors = tuple({"pointer": _pointer(item["loc"]), "detail": item["msg"]} for item in found)
        first = errors[0]
        more = errors if len(errors) > 1 else ()
        raise RequestError(self._invalid, "invalid_body", first["detail"], first["pointer"], more)


def takes(model: type[BaseModel], *more_media_types: str) -> dict[str, Any]:
    """What a route with such a body adds to the OpenAPI document."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    media_types = ("application/json", *more_media_types)
    return {"requestBody": {"required": True, "content": {name: {"schema": schema} for name in media_types}}}


def check_media_type(request: Request, accepts: Any, example: str) -> None:
    """Refuses other media types, other charsets than UTF-8, and compressed bodies. Raises RequestError (415)."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise RequestError(
            415,
            "content_encoding",
            "Compressed bodies are not taken; send it as it is.",
            headers={"Accept-Encoding": "identity"},
        )
    name, *parameters = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    charsets = [value.split("=", 1)[1].strip('"') for value in parameters if value.startswith("charset=")]
    if not accepts(name) or any(charset not in ("utf-8", "us-ascii") for charset in charsets):
        raise RequestError(
            415, "media_type", f"Send Content-Type: {example} (in UTF-8), not {short(name) or 'nothing'!r}."
        )


def is_json(name: str) -> bool:
    return name == "application/json" or (name.startswith("application/") and name.endswith("+json"))


async def read_chunks(request: Request, max_bytes: int | None = None) -> AsyncIterator[bytes]:
    """The body piece by piece, not more than ``max_bytes``. Raises RequestError (408, 413), ClientDisconnect."""
    declared = request.headers.get("content-length", "")
    if max_bytes is not None and declared.isdecimal() and int(declared[:20]) > max_bytes + _DISCARD_BYTES:
        raise _too_large(max_bytes, {"Connection": "close"})
    size = 0
    stream = request.stream()
    while True:
        try:
            with fail_after(_PATIENCE_SECONDS):
                chunk = await anext(stream, None)
        except TimeoutError as error:
            message = f"Nothing more of the body arrived for {_PATIENCE_SECONDS} seconds."
            raise RequestError(408, "body_timeout", message, headers={"Connection": "close"}) from error
        if chunk is None:
            break
        size += len(chunk)
        if max_bytes is None or size <= max_bytes:
            yield chunk
        elif size > max_bytes + _DISCARD_BYTES:
            raise _too_large(max_bytes, {"Connection": "close"})  # otherwise the server would read on, for nothing
    if max_bytes is not None and size > max_bytes:
        raise _too_large(max_bytes)


async def read_body(request: Request, max_bytes: int) -> bytes:
    """All of the body. Raises as ``read_chunks``."""
    return b"".join([chunk async for chunk in read_chunks(request, max_bytes)])


def _too_large(max_bytes: int, headers: Mapping[str, str] | None = None) -> RequestError:
    message = f"The body has more than the {max_bytes:,} bytes that are taken here. Split it."
    return RequestError(413, "body_too_large", message, headers=headers)


def _pointer(location: Collection[str | int]) -> str:
    return "".join(f"/{short(str(part)).replace('~', '~0').replace('/', '~1')}" for part in location)
