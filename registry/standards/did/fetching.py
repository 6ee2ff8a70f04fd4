"""Fetching a DID document, or a status list: HTTPS from public addresses, within limits of size and time, no redirect.

The name is looked up once and the connection goes to the address that was checked, so that a second answer of the name
server cannot lead elsewhere (DNS rebinding). Certificates are checked against the name.
"""

import http.client
import io
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

from registry.standards.did.errors import DidUnreachable

__all__ = ["MAX_DOCUMENT_BYTES", "Fetcher", "HttpsFetcher", "is_public"]

MAX_DOCUMENT_BYTES = 256 * 1024
_TIMEOUT_SECONDS = 10.0
_CHUNK = 16 * 1024
_ACCEPT = "application/did+json, application/did+ld+json, application/json"
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

_Lookup = Callable[[str, int], list[str]]


class Fetcher(Protocol):
    """Gets one document. Keeps nothing; may be used by several threads at once."""

    def fetch(self, url: str) -> bytes:
        """The body, within the fetcher's limits. Raises DidUnreachable: nothing was learnt."""


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody may be asked to connect to; those inside IPv6 ones count, too."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified


class HttpsFetcher:
    """``Fetcher`` over the network. ``allow_loopback`` admits http to this machine, for tests and local trials."""

    def __init__(
        self,
        *,
        allow_loopback: bool = False,
        timeout: float = _TIMEOUT_SECONDS,
        max_bytes: int = MAX_DOCUMENT_BYTES,
        accept: str = _ACCEPT,
        look_up: _Lookup | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``timeout``: seconds for all of it, name look-up included. ``accept``: the media types to ask for."""
        self._allow_loopback = allow_loopback
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._accept = accept
        self._look_up = look_up or _system_look_up
        self._tls = tls or ssl.create_default_context()

    def fetch(self, url: str) -> bytes:
        deadline = time.monotonic() + self._timeout
        parts = urlsplit(url)
        try:
            host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise DidUnreachable("the address has a port that there is not") from error
        local = self._allow_loopback and parts.scheme == "http"
        if parts.scheme != "https" and not local:
            raise DidUnreachable("documents are fetched over HTTPS only")
        address = self._checked_address(host, port, local, deadline)
        target = f"{parts.path or '/'}{parts.query and f'?{parts.query}'}"
        try:
            with _connect(address, port, deadline) as plain:
                if parts.scheme == "https":
                    with self._tls.wrap_socket(plain, server_hostname=host) as secured:
                        return self._get(secured, parts.netloc, target, deadline)
                return self._get(plain, parts.netloc, target, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DidUnreachable(f"{host} did not serve the document ({type(error).__name__})") from error

    def _checked_address(self, host: str, port: int, local: bool, deadline: float) -> str:
        answer: queue.Queue[list[str] | OSError | UnicodeError] = queue.Queue()

        def ask() -> None:
            try:
                answer.put(self._look_up(host, port))
            except (OSError, UnicodeError) as error:  # the latter for labels that are empty or too long
                answer.put(error)

        # The system's look-up knows no time limit of ours; a thread that is late is left behind.
        threading.Thread(target=ask, daemon=True).start()
        try:
            found = answer.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty:
            raise DidUnreachable(f"the name {host} was not resolved in time") from None
        if isinstance(found, OSError | UnicodeError):
            raise DidUnreachable(f"the name {host} is not known") from found
        if not found:
            raise DidUnreachable(f"the name {host} has no address")
        for address in found:
            # One address that is not public spoils the name: no host of the open web has such a one.
            if local:
                if not ipaddress.ip_address(address).is_loopback:
                    raise DidUnreachable(f"{host} is not this machine; plain http is for this machine only")
            elif not is_public(address):
                raise DidUnreachable(f"{host} has an address that is not public; it is not asked")
        return found[0]

    def _get(self, connection: socket.socket, netloc: str, target: str, deadline: float) -> bytes:
        """One GET over an open connection. A redirect is an answer that is not 200."""
        connection.settimeout(_left(deadline))
        client = http.client.HTTPConnection(netloc)
        client.sock = _Deadline(connection, deadline, 2 * self._max_bytes)
        client.putrequest("GET", target, skip_accept_encoding=True)
        client.putheader("Accept", self._accept)
        client.putheader("Accept-Encoding", "identity")
        client.putheader("Connection", "close")
        client.endheaders()
        response = client.getresponse()
        if response.status != 200:
            hint = "; redirects are not followed" if 300 <= response.status < 400 else ""
            raise DidUnreachable(f"{netloc} answered with status {response.status}{hint}")
        if response.getheader("Content-Encoding", "identity").lower() != "identity":
            raise DidUnreachable(f"{netloc} sent a compressed document, which was not asked for")
        body = bytearray()
        while chunk := response.read1(_CHUNK):
            body += chunk
            if len(body) > self._max_bytes:
                raise DidUnreachable(f"{netloc} serves more than {self._max_bytes} bytes")
        return bytes(body)


def _system_look_up(host: str, port: int) -> list[str]:
    return list(dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def _connect(address: str, port: int, deadline: float) -> socket.socket:
    return socket.create_connection((address, port), timeout=_left(deadline))


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Deadline:
    """A socket whose every read has only what is left of the time: a trickle of bytes does not extend it."""

    def __init__(self, connection: socket.socket, deadline: float, limit: int) -> None:
        self._connection = connection
        self._deadline = deadline
        self._limit = limit

    def sendall(self, data: bytes) -> None:
        self._connection.settimeout(_left(self._deadline))
        self._connection.sendall(data)

    def makefile(self, *_arguments: object, **_named: object) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._connection, self._deadline, self._limit))

    def close(self) -> None:
        """The fetcher closes it."""


class _Reader(io.RawIOBase):
    """Counts the bytes, too, since headers can be endless."""

    def __init__(self, connection: socket.socket, deadline: float, limit: int) -> None:
        super().__init__()
        self._connection = connection
        self._deadline = deadline
        self._left = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self._connection.settimeout(_left(self._deadline))
        count = self._connection.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise OSError("more than any DID document has")
        return count
