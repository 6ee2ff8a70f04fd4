"""The development chain in the data folder, for several processes at once.

Whoever comes first holds the chain's lock, has it in its process, and answers the others over JSON-RPC on loopback; its
address is left in a file beside the chain. When that process ends, the next request of any other one opens the chain.
"""

import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from anchors.base import ChainError, ChainUnreachable

if TYPE_CHECKING:
    from anchors.devchain import DevChain
    from anchors.ethereum.transport import HttpTransport

__all__ = ["EmbeddedNode"]

_PATIENCE_SECONDS = 10.0  # how long a process may hold the lock before its address has to answer
_PAUSE_SECONDS = 0.1

_log = logging.getLogger(__name__)


class EmbeddedNode:
    """A transport for ``EthereumChain``: to the chain in this process, or to the process that has it. Threads may share
    it. Nothing is opened before the first request."""

    name = "the development chain"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._url_file = folder / "rpc-url"
        self._lock = threading.Lock()
        self._own: DevChain | None = None
        self._url: str | None = None
        self._other: tuple[str, HttpTransport] | None = None

    def post(self, payload: bytes, timeout: float) -> bytes:
        """One JSON-RPC request or batch. Raises ChainUnreachable if the process that has the chain does not answer."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            target = self._target()
            try:
                if target is not None:
                    return target.post(payload, timeout)
            except ChainUnreachable:
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                raise ChainUnreachable(
                    f"The development chain in {self._folder} is held by another process, which does not answer. "
                    "Stop that process, or wait for it."
                )
            time.sleep(_PAUSE_SECONDS)

    def open(self) -> "DevChain":
        """The chain in this process. Raises ChainError if another process has it."""
        with self._lock:
            return self._open()

    def url(self) -> str:
        """Where the chain answers, in whatever process it is. Raises ChainError."""
        with self._lock:
            try:
                self._open()
            except ChainError:
                address = self._read_url()
                if address is None:
                    raise
                return address
            assert self._url is not None  # noqa: S101 - _open() set it
            return self._url

    def close(self) -> None:
        """The end of one back-end that talks to the chain is not the end of the chain: see ``stop``."""

    def stop(self) -> None:
        """Gives the chain back, so that another process can have it."""
        with self._lock:
            if self._other is not None:
                self._other[1].close()
                self._other = None
            if self._own is not None:
                # The file first: nobody should be sent to a port that is about to be somebody else's.
                self._url_file.unlink(missing_ok=True)
                self._own.stop()
                self._own = None

    def _target(self) -> "DevChain | HttpTransport | None":
        with self._lock:
            if self._own is not None:
                return self._own
            try:
                return self._open()
            except ChainError:
                return self._elsewhere()

    def _open(self) -> "DevChain":
        if self._own is None:
            from anchors.devchain import DevChain

            own = DevChain(self._folder).open()
            try:
                self._url = own.start()
                temporary = self._url_file.with_suffix(".new")
                temporary.write_text(self._url, encoding="ascii")
                temporary.replace(self._url_file)
            except BaseException:
                own.stop()
                raise
            self._own = own
        return self._own

    def _elsewhere(self) -> "HttpTransport | None":
        url = self._read_url()
        if url is None:
            return None
        if self._other is None or self._other[0] != url:
            from anchors.ethereum.transport import HttpTransport

            if self._other is not None:
                self._other[1].close()
            self._other = (url, HttpTransport(url))
            _log.info("The development chain runs in another process, at %s.", url)
        return self._other[1]

    def _read_url(self) -> str | None:
        try:
            url = self._url_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return url if url.startswith("http://127.0.0.1:") else None
