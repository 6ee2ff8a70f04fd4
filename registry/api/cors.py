"""CORS for the public routes: any web page may ask them, without credentials. No other route answers other origins."""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["PublicCors", "public_method"]

_PUBLIC = (
    (re.compile(r"/(credentials|presentations)/verify"), "POST"),
    (re.compile(r"/v1/credentials/[^/]+/(bundle|proof|badge\.png|badge\.svg)"), "GET"),
    (re.compile(r"/v1/verify(/batch)?"), "POST"),
    (re.compile(r"/v1/issuers(/[^/]+(/templates)?)?"), "GET"),
    (re.compile(r"/v1/batches(/[^/]+/[^/]+(/leaves)?)?"), "GET"),
    (re.compile(r"/v1/audit"), "GET"),
    (re.compile(r"/v1/policy"), "GET"),
    (re.compile(r"/issuers/[^/]+/did\.json"), "GET"),
    (re.compile(r"/issuers/[^/]+/status/[^/]+/[^/]+"), "GET"),
    (re.compile(r"/issuers/[^/]+/templates/[^/]+/[^/]+"), "GET"),
    (re.compile(r"/\.well-known/did\.json"), "GET"),
    (re.compile(r"/registry/did\.json"), "GET"),
    (re.compile(r"/openapi\.json"), "GET"),
)
_EXPOSED = "ETag, Link, Retry-After, X-Request-Id"


def public_method(path: str) -> str | None:
    """The method with which anybody may use this path; None if there is none."""
    return next((method for pattern, method in _PUBLIC if pattern.fullmatch(path)), None)


class PublicCors:
    """ASGI middleware. Errors of public routes carry the headers too, so that pages can read them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        public = public_method(scope["path"]) if scope["type"] == "http" else None
        if public is None or (scope["method"] not in (public, "OPTIONS")):
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS" and "access-control-request-method" in Headers(scope=scope):
            response = Response(
                status_code=204,
                headers={
                    "Access-Control-Allow-Origin": "*",
                    "Access-Control-Allow-Methods": public,
                    "Access-Control-Allow-Headers": "Accept, Content-Type, If-None-Match, X-Request-Id",
                    "Access-Control-Max-Age": "86400",
                },
            )
            await response(scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = "*"
                headers["Access-Control-Expose-Headers"] = _EXPOSED
                headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            await send(message)

        await self._app(scope, receive, send_on)
