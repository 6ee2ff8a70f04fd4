"""HTTP with an end: a server that sends a byte now and then, in headers, TLS or body, cannot hold a reader for ever.

requests knows a time-out between two bytes only. Here a timer ends the connection itself, whatever it is doing.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

__all__ = ["Deadline"]


class Deadline:
    """For one session that is used by one thread at a time: one connection is used at once."""

    def __init__(self, session: requests.Session) -> None:
        self._socket: socket.socket | None = None
        self._was_cut = False
        self._end = 0.0
        self._lock = threading.Lock()
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(self))

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """After so many seconds the connection is cut. Raises TimeoutError then: what was read may be cut off too."""
        self._was_cut = False
        self._end = time.monotonic() + seconds
        done = threading.Event()
        guard = threading.Thread(target=self._guard, args=(done,), daemon=True)
        guard.start()
        try:
            yield
        except Exception as error:
            if self._was_cut:
                raise TimeoutError from error
            raise
        finally:
            done.set()
            guard.join()
        if self._was_cut:
            raise TimeoutError

    def extend(self, seconds: float) -> None:
        """Puts the end off by so many seconds."""
        self._end += seconds

    def _guard(self, done: threading.Event) -> None:
        while (left := self._end - time.monotonic()) > 0:
            if done.wait(left):
                return
        self._cut()

    def watch(self, connection: socket.socket | None) -> None:
        with self._lock:
            self._socket = connection
            if self._was_cut:  # the time was up before there was anything to cut
                self._shut()

    def _cut(self) -> None:
        with self._lock:
            self._was_cut = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # the other side may be first
                self._socket.shutdown(socket.SHUT_RDWR)


class _Watched:
    """A connection that tells its deadline what to cut."""

    sock: Any

    def __init__(self, *arguments: Any, deadline: Deadline, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline = deadline
        self._copy: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        """TLS takes the socket over before it shakes hands: until that is done, a second handle on it is watched."""
        connection: socket.socket = super()._new_conn()  # type: ignore[misc] # of urllib3's class beside this one
        self._copy = socket.socket(fileno=os.dup(connection.fileno()))
        self._deadline.watch(self._copy)
        return connection

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
        finally:
            self._deadline.watch(self.sock)
            if self._copy is not None:
                self._copy.close()


class _Plain(_Watched, HTTPConnection):
    pass


class _Secured(_Watched, HTTPSConnection):
    pass


class _Adapter(HTTPAdapter):
    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(HTTPConnectionPool, _Plain, self._deadline),
            "https": _pool(HTTPSConnectionPool, _Secured, self._deadline),
        }


def _pool(kind: Any, connection: Any, deadline: Deadline) -> Any:
    return type("_Pool", (kind,), {"ConnectionCls": staticmethod(partial(connection, deadline=deadline))})
