"""Nodes to test against: an embedded chain, anvil, and a node that fails in the ways that nodes fail.

Fixtures, all cleaned up at the end of the test:
- ``devchain``: an open ``DevChain`` (a node within the process; ``devchain.start()`` gives it a URL)
- ``devchain``: an open ``DevChain`` (a node within the process; its ``start()`` gives it a URL)
- ``faulty_node(target)``: an HTTP node in front of another (URL or transport) that fails when told: see ``FaultyNode``
"""

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from anchors.devchain import DevChain

CONTRACTS = Path(__file__).parent.parent / "contracts"


# --- the embedded chain -----------------------------------------------------------------------------------------------


@pytest.fixture
def devchain(tmp_path: Path) -> Iterator[DevChain]:
    with DevChain(tmp_path / "devchain") as chain:
        yield chain


# --- anvil ------------------------------------------------------------------------------------------------------------


def anvil_binary() -> Path | None:
    """The native binary that npm installed: npm's own starter would be another process between us and it."""
    found = sorted((CONTRACTS / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil*"))
    return found[0] if found else None


class Anvil:
    """A running anvil on a free port of loopback. Mines a block for each transaction, unless told otherwise."""

    def __init__(self, binary: Path, chain_id: int, arguments: tuple[str, ...]) -> None:
        self.chain_id = chain_id
        self._process = subprocess.Popen(
            [binary, "--host", "127.0.0.1", "--port", "0", "--chain-id", str(chain_id), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r"Listening on (127\.0\.0\.1:\d+)", line):
                self.url = f"http://{found[1]}"
                break
        else:
            self.stop()
            pytest.fail("anvil ended before it listened")
        # Nobody reads what it says later: without a reader it would stop at a full pipe.
        self._reader = threading.Thread(target=self._process.stdout.read, daemon=True)
        self._reader.start()

    def rpc(self, method: str, *params: Any) -> Any:
        return rpc(self.url, method, *params)

    def fund(self, address: bytes, wei: int = 10**20) -> None:
        self.rpc("anvil_setBalance", "0x" + address.hex(), hex(wei))

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        if hasattr(self, "_reader"):
            self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()


def rpc(url: str, method: str, *params: Any) -> Any:
    """One JSON-RPC call without any of our own code."""
    parts = urlsplit(url)
    with closing(HTTPConnection(parts.hostname or "", parts.port, timeout=30)) as connection:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        connection.request("POST", parts.path or "/", body, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
    assert "error" not in answer, answer
    return answer["result"]


@pytest.fixture
def anvil() -> Iterator[Callable[..., Anvil]]:
    binary = anvil_binary()
    if binary is None:
        message = "no anvil: run `npm ci` in contracts/"
        if os.environ.get("REQUIRE_NPM") == "1":
            pytest.fail(message)
        pytest.skip(message)
    running: list[Anvil] = []

    def start(chain_id: int = 31337, *arguments: str) -> Anvil:
        running.append(Anvil(binary, chain_id, arguments))
        return running[-1]

    yield start
    for node in running:
        node.stop()


# --- a node that fails ------------------------------------------------------------------------------------------------


@dataclass
class Fault:
    """One way to fail. ``method``: only requests with that method in them; ``times``: so often, None for ever."""

    kind: str
    method: str | None
    times: int | None
    options: dict[str, Any] = field(default_factory=dict)


class FaultyNode:
    """An HTTP node in front of another that fails when it is told to.

    ``fail(kind, method=None, times=1, skip=0, **options)`` arms a fault; ``skip`` lets so many requests pass before.
    Kinds:
    - "drop": closes the connection, nothing is forwarded
    - "drop_after": forwards, then closes the connection: it has happened, and nobody is told
    - "delay" (seconds=…): forwards, answers late
    - "status" (status=429, retry_after=None, body=b""): answers with that HTTP status, nothing is forwarded
    - "body" (body=b"…"): answers 200 with these bytes, nothing is forwarded
    - "html", "garbage", "empty": such bodies
    - "result" (result=…): the real answer with another ``result`` for that method (or all)
    - "error" (code=-32000, message="…", data=None): a JSON-RPC error for that method (or all), nothing is forwarded
    - "trickle" (seconds=…): a byte at a time, so much time between two
    ``calls`` lists the methods seen, one list for each HTTP request. ``clear()`` disarms everything.
    """

    def __init__(self, target: Any) -> None:
        self._target = target
        self._faults: list[Fault] = []
        self._skips: list[int] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.calls: list[list[str]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            timeout = 10

            def do_POST(self) -> None:
                try:
                    owner.serve(self, self.rfile.read(int(self.headers["Content-Length"])))
                except OSError:
                    self.close_connection = True  # the client did not wait

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

            def handle(self) -> None:
                with owner._lock:
                    owner._open.add(self.connection)
                try:
                    super().handle()
                except OSError:
                    pass
                finally:
                    with owner._lock:
                        owner._open.discard(self.connection)

        self._open: set[Any] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def fail(
        self, kind: str, method: str | None = None, *, times: int | None = 1, skip: int = 0, **options: Any
    ) -> None:
        with self._lock:
            self._faults.append(Fault(kind, method, times, options))
            self._skips.append(skip)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()
            self._skips.clear()

    def _take(self, methods: list[str]) -> Fault | None:
        with self._lock:
            self.calls.append(methods)
            for place, fault in enumerate(self._faults):
                if fault.method is not None and fault.method not in methods:
                    continue
                if self._skips[place] > 0:
                    self._skips[place] -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        del self._faults[place], self._skips[place]
                return fault
        return None

    def serve(self, handler: BaseHTTPRequestHandler, payload: bytes) -> None:
        request = json.loads(payload)
        parts = request if isinstance(request, list) else [request]
        fault = self._take([part["method"] for part in parts])
        kind = fault.kind if fault else None
        options = fault.options if fault else {}
        if kind == "drop":
            handler.close_connection = True
        elif kind == "status":
            self._answer(handler, options.get("body", b""), options.get("status", 429), options.get("retry_after"))
        elif kind in {"body", "html", "garbage", "empty"}:
            bodies = {
                "html": b"<!DOCTYPE html><html><body>Bad gateway</body></html>",
                "garbage": b"\xff{]",
                "empty": b"",
            }
            self._answer(handler, options.get("body", bodies.get(kind or "", b"")))
        elif kind == "error":
            error = {"code": options.get("code", -32000), "message": options["message"]}
            if "data" in options:
                error["data"] = options["data"]
            answers = [
                {"jsonrpc": "2.0", "id": part["id"], "error": error}
                if fault is not None and fault.method in {None, part["method"]}
                else json.loads(self._forward(json.dumps(part).encode()))
                for part in parts
            ]
            self._answer(handler, json.dumps(answers if isinstance(request, list) else answers[0]).encode())
        else:
            answer = self._forward(payload)
            if kind == "drop_after":
                handler.close_connection = True
                return
            if kind == "delay":
                self._stopping.wait(options["seconds"])
            if kind == "result":
                decoded = json.loads(answer)
                for part in parts:
                    for entry in decoded if isinstance(decoded, list) else [decoded]:
                        if entry["id"] == part["id"] and fault is not None and fault.method in {None, part["method"]}:
                            entry.pop("error", None)
                            entry["result"] = options["result"]
                answer = json.dumps(decoded).encode()
            self._answer(handler, answer, slow=options["seconds"] if kind == "trickle" else 0)

    def _forward(self, payload: bytes) -> bytes:
        if not isinstance(self._target, str):
            return bytes(self._target.post(payload, 30))
        parts = urlsplit(self._target)
        with closing(HTTPConnection(parts.hostname or "", parts.port, timeout=30)) as connection:
            connection.request("POST", parts.path or "/", payload, {"Content-Type": "application/json"})
            return connection.getresponse().read()

    def _answer(
        self,
        handler: BaseHTTPRequestHandler,
        body: bytes,
        status: int = 200,
        retry_after: str | int | None = None,
        slow: float = 0,
    ) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        if retry_after is not None:
            handler.send_header("Retry-After", str(retry_after))
        handler.end_headers()
        if not slow:
            handler.wfile.write(body)
            return
        for byte in body:
            if self._stopping.wait(slow):
                return
            handler.wfile.write(bytes([byte]))

    def stop(self) -> None:
        self._stopping.set()
        self._server.shutdown()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(2)
        self._server.server_close()  # joins the handlers
        self._thread.join()


@pytest.fixture
def faulty_node() -> Iterator[Callable[[Any], FaultyNode]]:
    running: list[FaultyNode] = []

    def start(target: Any) -> FaultyNode:
        running.append(FaultyNode(target))
        return running[-1]

    yield start
    for node in running:
        node.stop()


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Polls a condition of another process or thread; fails after ten seconds."""

    def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 10
        while not condition():
            if time.monotonic() > end:
                pytest.fail("what the test waits for did not happen within ten seconds")
            time.sleep(0.01)

    return wait
