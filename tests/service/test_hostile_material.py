"""Material that means harm: a finding or "incomplete", never a crash, never clean; bounded memory and time."""

import gzip
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from registry.service.auditing import Auditing, AuditReport, NamedChain
from registry.service.deadlines import Deadline
from registry.service.published import WebMaterial
from support.audits import Prepared, audit, bend, codes, copied, leaf_files, prepare, publish
from support.house import House


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def house(prepared: Prepared, tmp_path: Path) -> Iterator[House]:
    opened = copied(prepared, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def folder(house: House, tmp_path: Path) -> Path:
    place = tmp_path / "published"
    publish(house, place)
    return place


def is_not_clean(report: AuditReport) -> bool:
    return report.exit_code in (1, 3) and all(report.incomplete) and bool(report.findings or report.incomplete)


# --- in a folder ----------------------------------------------------------------------------------------------------


def replace_by(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


KINDS: dict[str, Callable[[Path], object]] = {
    "a pipe": lambda path: os.mkfifo(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link": lambda path: path.symlink_to("/etc/passwd"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a folder": lambda path: path.mkdir(),
    "empty": lambda path: path.write_bytes(b""),
    "a hole of a terabyte": lambda path: (path.touch(), os.truncate(path, 1 << 40)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["listing", "leaves"])
def test_files_that_are_none(house: House, folder: Path, kind: str, what: str) -> None:
    path = folder / "registry.json" if what == "listing" else leaf_files(folder)[0]
    replace_by(path, KINDS[kind])
    assert is_not_clean(audit(house.chain, folder))


@pytest.mark.parametrize("kind", KINDS)
def test_bundles_that_are_no_files(house: House, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bundle.json"
    path.touch()
    replace_by(path, KINDS[kind])
    assert is_not_clean(audit(house.chain, bundles=[path]))


LISTINGS = {
    "not UTF-8": b'{"type":"\xff\xfe"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "lines": b'{"type":"PublishedBatches"}\n{"type":"PublishedBatches"}\n',
    "deep": b'{"batches":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "not closed": b'{"batches":' + b"[" * 1_000_000,
    "a number of a million digits": b'{"version":' + b"9" * 1_000_000 + b"}",
    "NaN": b'{"version":NaN}',
    "a key twice": b'{"type":"x","type":"PublishedBatches"}',
    "zeros": b"\0" * 1_000_000,
}


@pytest.mark.parametrize("name", LISTINGS)
def test_listings_that_are_none(house: House, folder: Path, name: str) -> None:
    (folder / "registry.json").write_bytes(LISTINGS[name])
    assert codes(audit(house.chain, folder)) == ["material_malformed"]


@pytest.mark.parametrize("name", [*LISTINGS, "names"])
def test_bundles_that_are_none(house: House, tmp_path: Path, name: str) -> None:
    path = tmp_path / os.fsdecode(b"\xff\x1b[2J.json") if name == "names" else tmp_path / "bundle.json"
    path.write_bytes(LISTINGS.get(name, b"{"))
    report = audit(house.chain, bundles=[path])
    assert codes(report) == ["credential_unreadable"]
    json.dumps(str(report.findings[0].where.source)).encode()
    str(report.findings[0].where.source).encode()


@pytest.mark.parametrize(
    "change",
    [
        {"size": 2**53}, {"size": 2**24 + 1}, {"size": 0}, {"size": -1}, {"size": 1e3}, {"size": True},
        {"first": 2**53}, {"first": -1}, {"first": "0"}, {"root": "AA" * 32}, {"root": "../../../etc/passwd"},
        {"issuer": "0x../" + "0" * 37}, {"state": "fine"}, {"acceptedFrom": "yesterday"}, {"acceptedFrom": 5},
        {"declaredDelaySeconds": 2**53}, {"declaredDelaySeconds": -1}, {"erased": 2**24 + 1}, {"more": 1},
    ],
    ids=str,
)  # fmt: skip
def test_sizes_and_members_that_cannot_be(house: House, folder: Path, change: dict[str, Any]) -> None:
    bend(folder, lambda listing: listing["batches"][0].update(change))
    assert codes(audit(house.chain, folder)) == ["material_malformed"]


def test_the_largest_numbers_that_can_be(house: House, folder: Path) -> None:
    bend(folder, lambda listing: listing["batches"][0].update(first=2**53 - 1, size=2**24))
    assert "not_on_chain" in codes(audit(house.chain, folder)) or "first_differs" in codes(audit(house.chain, folder))


# --- from a server --------------------------------------------------------------------------------------------------

Handler = Callable[[http.server.BaseHTTPRequestHandler], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], str]]:
    servers = []

    def start(handle: Handler) -> str:
        class Request(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.close_connection = True
                with suppress(OSError):  # the auditor had enough
                    handle(self)

            def log_message(self, *_: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Request)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def sending(*parts: bytes, **headers: str) -> Handler:
    def handle(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        for part in parts:
            request.wfile.write(part)

    return handle


ANSWERS: dict[str, Handler] = {
    "compressed": sending(gzip.compress(b"{}"), Content_Encoding="gzip"),
    "compressed, and it does not say so": sending(gzip.compress(b"{}" * 1_000)),
    "longer than it is": sending(b"{}", Content_Length="1000000"),
    "a length below zero": sending(b"{}", Content_Length="-5"),
    "a length that is none": sending(b"{}", Content_Length="many"),
    "a chunk that is none": sending(b"zz\r\n{}\r\n", Transfer_Encoding="chunked"),
    "a chunk of 2^63": sending(b"7fffffffffffffff\r\n{}", Transfer_Encoding="chunked"),
    "cut off in a chunk": sending(b"10\r\n{", Transfer_Encoding="chunked"),
    "nothing": sending(),
    "no HTTP": lambda request: request.wfile.write(b"SSH-2.0-OpenSSH_9.9\r\n") and None,
    "a thousand headers": lambda request: request.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000) and None,
    "one endless header": lambda request: request.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000) and None,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_that_are_none(house: House, serve: Callable[[Handler], str], name: str) -> None:
    report = audit(house.chain, serve(ANSWERS[name]))
    assert is_not_clean(report), report


def endless(chunked: bool) -> Handler:
    def handle(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        if chunked:
            request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        part = b" " * 65_536
        while True:
            request.wfile.write(b"10000\r\n" + part + b"\r\n" if chunked else part)

    return handle


@pytest.mark.parametrize("chunked", [True, False])
def test_bodies_without_an_end(
    house: House, serve: Callable[[Handler], str], chunked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.service.published.MAX_LISTING_BYTES", 1 << 20)
    report = audit(house.chain, serve(endless(chunked)))
    assert codes(report) == ["material_malformed"]


def test_leaves_without_an_end(house: House, folder: Path, serve: Callable[[Handler], str]) -> None:
    listing = (folder / "registry.json").read_bytes()
    flood = endless(True)
    report = audit(
        house.chain,
        serve(lambda request: sending(listing)(request) if request.path == "/registry.json" else flood(request)),
    )
    assert codes(report) == ["leaves_malformed"] * 3 + ["material_malformed"] * 2  # of issuers.json and did.json


def test_chunks_of_one_byte(house: House, serve: Callable[[Handler], str]) -> None:
    """A byte at a time, each in time: together they are too slow."""

    def handle(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        while True:
            request.wfile.write(b"1\r\n \r\n")

    material = WebMaterial(serve(handle), timeout=0.2)
    started = time.monotonic()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("registry.service.published._BYTES_PER_SECOND", 1 << 30)
            report = Auditing([NamedChain("node", house.chain)], [material]).run()
    finally:
        material.close()
    assert report.exit_code == 3
    assert time.monotonic() - started < 10


def test_headers_that_trickle(house: House, serve: Callable[[Handler], str]) -> None:
    gone = threading.Event()

    def handle(request: http.server.BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-A: ")
        while not gone.wait(0.05):
            request.wfile.write(b"b")

    material = WebMaterial(serve(handle), timeout=0.2)
    started = time.monotonic()  # what a listing of full size would take is not granted before anything of it is there
    report = Auditing([NamedChain("node", house.chain)], [material]).run()
    gone.set()
    material.close()
    assert report.exit_code == 3
    assert "too slow" in report.incomplete[0]
    assert time.monotonic() - started < 5


def test_a_time_that_is_up_before_there_is_a_connection(serve: Callable[[Handler], str]) -> None:
    def handle(request: http.server.BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-A: ")
        for _ in range(100):
            time.sleep(0.05)
            request.wfile.write(b"b")

    with requests.Session() as session:
        deadline, url = Deadline(session), serve(handle)
        started = time.monotonic()

        def late() -> None:
            with deadline.within(0.001):
                time.sleep(0.1)
                session.get(url, timeout=10)

        with pytest.raises(TimeoutError):
            late()
    assert time.monotonic() - started < 3


# --- how much memory ------------------------------------------------------------------------------------------------

LIMITED = """
import json, resource, sys
from registry.service.published import FolderMaterial, MaterialMalformed
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]) << 20,) * 2)
from pathlib import Path
try:
    FolderMaterial(Path(sys.argv[1])).listing()
except MaterialMalformed as error:
    print("malformed", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_ten_million_entries_cost_no_more_than_they_may(tmp_path: Path) -> None:
    item = b'{"issuer":"0x","first":0}'
    with (tmp_path / "registry.json").open("wb") as file:
        file.write(b'{"batches":[' + item)
        for _ in range(1_000):
            file.write((b"," + item) * 10_000)
        file.write(b"]}")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path, "1500"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.startswith("malformed"), done.stderr[-500:]
