"""Bytes to a node and back, over HTTP. Everything that can go wrong on the way is a ``NodeFailure``.

A node's URL often carries an API key, in its path, its query or as a password. So nothing here, and nothing that it
lets out (errors, logs of the HTTP library), shows more of a URL than its host.
"""

import base64
import http.cookiejar
import ipaddress
import logging
import re
import time
from contextlib import closing
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
import urllib3

from anchors.base import ChainUnreachable
from registry.core.errors import InputError

__all__ = ["HttpTransport", "NodeFailure", "TooLarge", "Transport"]

MAX_RESPONSE_BYTES = 32 * 1024 * 1024
MAX_RETRY_AFTER_SECONDS = 3600.0
_USER_AGENT = "credential-registry"


class NodeFailure(ChainUnreachable):
    """One node gave no usable answer. ``retry_after`` in seconds where the node asked for patience (HTTP 429, 503)."""

    def __init__(self, node: str, reason: str, retry_after: float | None = None) -> None:
        super().__init__(f"{node}: {reason}")
        self.retry_after = retry_after


class TooLarge(NodeFailure):
    """The answer is longer than what we read, or than what the node sends: ask for less."""


class Transport(Protocol):
    """Carries one JSON-RPC payload to one node. May be used from several threads."""

    @property
    def name(self) -> str:
        """What errors and logs call the node: never a secret."""
        ...

    def post(self, payload: bytes, timeout: float) -> bytes:
        """Raises ``NodeFailure`` (or ``ChainUnreachable``) within about ``timeout`` seconds."""
        ...

    def close(self) -> None: ...


class HttpTransport:
    """POST over HTTP(S), connections kept alive, proxies and CA bundle from the environment as usual."""

    def __init__(self, url: str, *, max_response_bytes: int = MAX_RESPONSE_BYTES) -> None:
        """Raises ``InputError`` if ``url`` is no HTTP URL."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise InputError("a node's URL cannot be read (its text is not shown, it may hold a key)") from None
        if parts.scheme not in {"http", "https"} or not host:
            raise InputError(
                "a node's URL must begin with http:// or https:// and name a host (only HTTP is supported)"
            )
        self._name = f"{host}:{port}" if port else host
        self._url = url
        self._secrets = _secret_parts(url)
        self._limit = max_response_bytes
        self._session = requests.Session()
        # A proxy is for the world outside: few people remember NO_PROXY for their own machine.
        self._session.trust_env = not _is_loopback(host)
        self._session.headers.update(
            {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": _USER_AGENT}
        )
        self._session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=32, max_retries=0))
        _silence_urls()

    @property
    def name(self) -> str:
        return self._name

    def close(self) -> None:
        self._session.close()

    def post(self, payload: bytes, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        try:
            response = self._session.post(self._url, data=payload, timeout=timeout, stream=True, allow_redirects=False)
            with closing(response):
                body = self._read(response, deadline)
                self._check(response, body)
                return body
        except requests.exceptions.Timeout:
            raise NodeFailure(self._name, f"no answer within {timeout:g} seconds") from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            # Chained exceptions would show the URL: only the kind of the failure gets out.
            reason = _reason(error)
        raise NodeFailure(self._name, reason)

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        # read1 returns what has arrived, so that a node that trickles its answer is held to the deadline too.
        while chunk := response.raw.read1(65536, decode_content=True):
            parts.append(chunk)
            size += len(chunk)
            if size > self._limit:
                raise TooLarge(self._name, f"answer of more than {self._limit} bytes")
            if time.monotonic() > deadline:
                raise NodeFailure(self._name, "the answer takes too long")
        return b"".join(parts)

    def _check(self, response: requests.Response, body: bytes) -> None:
        status = response.status_code
        if status == 200:
            return
        # Some nodes send JSON-RPC errors with status 400 or 500; those are answers.
        if status in {400, 404, 500} and body.lstrip()[:1] in {b"{", b"["} and b'"jsonrpc"' in body[:4096]:
            return
        if status == 413:
            raise TooLarge(self._name, "HTTP 413, too much asked at once")
        if status in {429, 503}:
            raise NodeFailure(
                self._name,
                "HTTP 429, too many requests" if status == 429 else "HTTP 503, unavailable",
                retry_after=_retry_after(response.headers.get("Retry-After")),
            )
        hint = {401: ", is the API key right?", 403: ", is the API key right?"}.get(status, "")
        raise NodeFailure(self._name, f"HTTP {status}{hint}")

    def redact(self, text: str) -> str:
        """Takes the secret parts of the URL out of something that the node said."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _secret_parts(url: str) -> tuple[str, ...]:
    """What of a URL could be a key: path segments, query values, user and password, also as they are sent."""
    parts = urlsplit(url)
    found = {parts.path, parts.query, parts.username or "", parts.password or "", *parts.path.split("/")}
    found |= {value for _, value in parse_qsl(parts.query)}
    found |= {unquote(entry) for entry in found}
    if parts.username is not None:  # as the header Authorization has it
        userinfo = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        found.add(base64.b64encode(userinfo.encode("latin-1", "replace")).decode())
    return tuple(sorted((entry for entry in found if len(entry) >= 4), key=len, reverse=True))


def _retry_after(header: str | None) -> float:
    """Seconds; RFC 9110 section 10.2.3 allows a number and a date. One second if the node names neither."""
    if header is None:
        return 1.0
    if header.strip().isdecimal():
        return min(float(header.strip()[:9]), MAX_RETRY_AFTER_SECONDS)
    try:
        wanted = parsedate_to_datetime(header).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 1.0
    return min(max(wanted, 0.0), MAX_RETRY_AFTER_SECONDS)


def _reason(error: BaseException) -> str:
    text = f"{error!r}"
    for mark, reason in (
        ("NameResolution", "its host name cannot be resolved"),
        ("CertificateError", "its TLS certificate is not valid"),
        ("SSL", "TLS failed"),
        ("Proxy", "the proxy failed"),
        ("Connection refused", "connection refused"),
        ("imed out", "no answer in time"),
        ("RemoteDisconnected", "closed the connection without an answer"),
        ("ConnectionReset", "closed the connection without an answer"),
        ("IncompleteRead", "closed the connection within its answer"),
        ("ProtocolError", "closed the connection within its answer"),
    ):
        if mark in text:
            return reason
    return f"connection failed ({type(error).__name__})"


class _UrlFilter(logging.Filter):
    """urllib3 logs the path and query of each request at DEBUG: keys. The rest of its lines may stay."""

    _path = re.compile(r"/\S+")

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                "/…" if isinstance(arg, str) and self._path.fullmatch(arg) else arg for arg in record.args
            )
        return True


_URL_FILTER = _UrlFilter()


def _silence_urls() -> None:
    logger = logging.getLogger("urllib3.connectionpool")
    if _URL_FILTER not in logger.filters:
        logger.addFilter(_URL_FILTER)
