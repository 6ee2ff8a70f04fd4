"""JSON-RPC over HTTP for the embedded chain, on loopback only."""

import ipaddress
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from anchors.devchain.methods import Methods
from registry.core.errors import InputError

__all__ = ["RpcServer"]

MAX_BODY = 8 * 1024 * 1024
IDLE_SECONDS = 30

_log = logging.getLogger(__name__)


class RpcServer:
    """Serves until ``stop``. Whoever can reach it can only send signed transactions: it holds no keys."""

    def __init__(self, methods: Methods, host: str, port: int) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise InputError(f"the development chain listens on loopback only, not on {host}")
        self._server = _Server((host, port), methods)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="devchain-rpc", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    # Handlers are joined by hand after their connections are closed, so that none outlives stop().
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], methods: Methods) -> None:
        self.methods = methods
        self._handlers: set[_Handler] = set()
        self._handlers_lock = threading.Lock()
        super().__init__(address, _Handler)

    def add(self, handler: "_Handler") -> None:
        with self._handlers_lock:
            self._handlers.add(handler)

    def remove(self, handler: "_Handler") -> None:
        with self._handlers_lock:
            self._handlers.discard(handler)

    def close_connections(self) -> None:
        with self._handlers_lock:
            handlers = list(self._handlers)
        for handler in handlers:
            handler.hang_up()
        for handler in handlers:
            handler.done.wait(5)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "devchain"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.done = threading.Event()
        self.server.add(self)

    def finish(self) -> None:
        super().finish()
        self.server.remove(self)
        self.done.set()

    def hang_up(self) -> None:
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            _log.debug("a connection was already closed")

    def do_POST(self) -> None:  # the name that http.server calls
        length = self.headers.get("Content-Length", "")
        if not self._from_here():
            self._answer(403, b'{"error": "the development chain answers local programs only"}')
        elif not length.isdecimal() or int(length) > MAX_BODY:
            self._answer(413, b'{"error": "a request needs a Content-Length of at most 8 MiB"}')
        else:
            self._answer(200, self.server.methods.handle(self.rfile.read(int(length))))

    def _from_here(self) -> bool:
        """A foreign Host on a loopback socket is a web page that had its name point here (DNS rebinding)."""
        host = self.headers.get("Host", "").rsplit(":", 1)[0].strip("[]")
        return host in {"127.0.0.1", "localhost", "::1"}

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status != 200:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        _log.debug("%s", format % args)
