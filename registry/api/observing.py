"""The outermost layer: request ids, security headers, the access log, latencies, and a 500 for what nobody foresaw.

The log names the route's template, never the path (a credential's id in it opens its bundle), the query, a header or a
body.
"""

import logging
import re
import secrets
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.api.problems import problem_of, respond

__all__ = ["Observer", "Observing"]

# method, route template, status, seconds
Observer = Callable[[str, str, int, float], None]

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CLIENT_LEFT = 499  # never sent: for the log and the metrics only

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}

_access = logging.getLogger("registry.api.access")
_log = logging.getLogger(__name__)


class Observing:
    """ASGI middleware. HEAD is answered as GET without the body. A header that a route sets itself stays."""

    def __init__(self, app: ASGIApp, observe: Observer) -> None:
        self._app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        inner = {**scope, "request_id": request_id, "method": "GET" if scope["method"] == "HEAD" else scope["method"]}
        started = time.perf_counter()
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            elif method == "HEAD" and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(inner, receive, send_on)
        except ClientDisconnect:
            status = _CLIENT_LEFT
        except Exception as error:
            _log.exception("Unforeseen: request %s", request_id)
            if status:  # too late for another answer: the connection is cut, so that nobody takes half for the whole
                raise
            await respond(problem_of(error), request_id)(inner, receive, send_on)
        finally:
            seconds = time.perf_counter() - started
            template = getattr(inner.get("route"), "path", "none")
            self._observe(method, template, status, seconds)
            _access.info("%s %s %d %.0f ms request=%s", method, template, status, seconds * 1_000, request_id)


def _request_id(headers: Headers) -> str:
    """The client's own, where it is one that can be logged; otherwise a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
