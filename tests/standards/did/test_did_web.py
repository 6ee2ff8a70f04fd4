"""did:web: which URL, which address, and what a host may do to whoever asks it."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from registry.standards.did.errors import DidDocumentError, DidUnreachable, DidUnsupported
from registry.standards.did.fetching import MAX_DOCUMENT_BYTES, HttpsFetcher, is_public
from registry.standards.did.resolver import DidResolver
from registry.standards.did.web import did_from_url, url_of
from registry.standards.proofs.report import KeyProblem, ProofCode

GOOD = {
    "did:web:example.com": "https://example.com/.well-known/did.json",
    "did:web:Example.COM": "https://example.com/.well-known/did.json",
    "did:web:example.com%3A3000": "https://example.com:3000/.well-known/did.json",
    "did:web:example.com%3a3000:u:alice": "https://example.com:3000/u/alice/did.json",
    "did:web:w3c-ccg.github.io:user:alice": "https://w3c-ccg.github.io/user/alice/did.json",
}
BAD = [
    "did:web:", "did:web:example", "did:web:127.0.0.1", "did:web:10.0.0.1", "did:web:localhost", "did:web:1",
    "did:web:0x7f.1", "did:web:example.com:..", "did:web:example.com:.", "did:web:example.com:a%2Fb",
    "did:web:example.com:%2e%2e", "did:web:example.com:", "did:web:example.com::a", "did:web:user@example.com",
    "did:web:example.com%3A0", "did:web:example.com%3A99999", "did:web:example.com%3A80%3A80", "did:web:example.com/a",
    "did:web:example.com?x", "did:web:example.com:a b", "did:web:-a.example", "did:web:[::1]", "did:web:exämple.com",
    "did:key:z6Mk", "did:web:example.com:" + "a" * 1000, "did:web:example.com\n", "did:web:.example.com",
]  # fmt: skip


@pytest.mark.parametrize("did", GOOD)
def test_url(did: str) -> None:
    assert url_of(did) == GOOD[did]


@pytest.mark.parametrize("did", BAD)
def test_no_url(did: str) -> None:
    with pytest.raises(DidUnsupported):
        url_of(did)


def test_there_and_back() -> None:
    assert did_from_url("https://example.com:3000/issuers/demo/") == "did:web:example.com%3A3000:issuers:demo"
    assert did_from_url("http://localhost:8000/issuers/demo") == "did:web:localhost%3A8000:issuers:demo"
    for url in ("ftp://example.com", "https://example.com/?a", "https://u@example.com/", "https://example.com:x/"):
        with pytest.raises(DidUnsupported):
            did_from_url(url)


def test_loopback_is_for_policies_that_say_so() -> None:
    assert url_of("did:web:localhost%3A8000:a", allow_loopback=True) == "http://localhost:8000/a/did.json"
    assert url_of("did:web:example.com", allow_loopback=True).startswith("https://")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",  # noqa: S104
     "255.255.255.255", "::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
     "2002:7f00:1::", "ff02::1", "::", "192.0.2.1", "2001:db8::1", "198.18.0.1", "240.0.0.1"],
)  # fmt: skip
def test_private_addresses(address: str) -> None:
    assert not is_public(address)
    fetcher = HttpsFetcher(look_up=lambda _host, _port: ["93.184.216.34", address])
    with pytest.raises(DidUnreachable, match="not public"):
        fetcher.fetch("https://example.com/did.json")


def test_public_addresses() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")


def test_https_only() -> None:
    for fetcher in (HttpsFetcher(), HttpsFetcher(look_up=lambda _host, _port: ["93.184.216.34"], allow_loopback=True)):
        with pytest.raises(DidUnreachable):
            fetcher.fetch("http://example.com/did.json")


class Host:
    """Answers every connection with the same bytes."""

    def __init__(self, answer: bytes, *, pause: float = 0, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._pause = pause
        self._tls = tls
        self._ending = threading.Event()
        self.asked = 0
        self.request = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.asked += 1
            with connection, suppress(OSError):
                self.request = connection.recv(4096)
                if not self._pause:
                    connection.sendall(self._answer)
                    continue
                for byte in self._answer:
                    if self._ending.wait(self._pause):
                        return
                    connection.sendall(bytes([byte]))

    def stop(self) -> None:
        self._ending.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def host() -> Iterator[Callable[..., Host]]:
    running: list[Host] = []

    def start(answer: bytes, **options: Any) -> Host:
        running.append(Host(answer, **options))
        return running[-1]

    yield start
    for server in running:
        server.stop()


def answer(body: bytes, head: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return head + b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body


def fetch(server: Host, timeout: float = 5) -> bytes:
    return HttpsFetcher(allow_loopback=True, timeout=timeout).fetch(f"http://127.0.0.1:{server.port}/a/did.json")


def test_fetching(host: Callable[..., Host]) -> None:
    server = host(answer(b'{"id": 1}'))
    assert fetch(server) == b'{"id": 1}'
    assert server.request.startswith(b"GET /a/did.json HTTP/1.1\r\n")
    assert b"Accept-Encoding: identity\r\n" in server.request


@pytest.mark.parametrize(
    "reply",
    [
        answer(b"", b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/"),
        answer(b"", b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/"),
        answer(b"{}", b"HTTP/1.1 404 Not Found"),
        answer(b"{}", b"HTTP/1.1 500 Oops"),
        answer(b"{}", b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip"),
        answer(b"x" * (MAX_DOCUMENT_BYTES + 1)),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_DOCUMENT_BYTES * 3),
        b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 50_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 40_000,
        b"garbage\r\n\r\n",
        b"",
    ],
)
def test_answers_that_are_none(host: Callable[..., Host], reply: bytes) -> None:
    with pytest.raises(DidUnreachable):
        fetch(host(reply))


@pytest.mark.parametrize("reply", [answer(b"x" * 500), b"HTTP/1.1 200 OK\r\nX: " + b"a" * 5_000])
def test_trickle_ends_at_the_deadline(host: Callable[..., Host], reply: bytes) -> None:
    with pytest.raises(DidUnreachable, match="Timeout"):
        fetch(host(reply, pause=0.02), timeout=0.3)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(DidUnreachable):
        HttpsFetcher(allow_loopback=True).fetch(f"http://127.0.0.1:{port}/did.json")


def test_plain_answer_to_tls(host: Callable[..., Host], monkeypatch: pytest.MonkeyPatch) -> None:
    server = host(answer(b"{}"))
    monkeypatch.setattr("registry.standards.did.fetching.is_public", lambda _address: True)
    with pytest.raises(DidUnreachable, match="SSL"):
        HttpsFetcher(look_up=lambda _host, _port: ["127.0.0.1"]).fetch(f"https://example.com:{server.port}/did.json")


def test_name_server_that_does_not_answer() -> None:
    ending = threading.Event()

    def look_up(_host: str, _port: int) -> list[str]:
        ending.wait(20)
        return ["93.184.216.34"]

    with pytest.raises(DidUnreachable, match="in time"):
        HttpsFetcher(timeout=0.1, look_up=look_up).fetch("https://example.com/did.json")
    ending.set()


def test_name_that_is_not_known() -> None:
    def look_up(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(-2, "unknown")

    with pytest.raises(DidUnreachable, match="not known"):
        HttpsFetcher(look_up=look_up).fetch("https://example.com/did.json")


@pytest.mark.parametrize("host", ["a..example", "a" * 64 + ".example", "."])
def test_name_that_no_name_server_is_asked_for(host: str) -> None:
    with pytest.raises(DidUnreachable, match="not known"):
        HttpsFetcher().fetch(f"https://{host}/did.json")


def test_port_that_there_is_not() -> None:
    with pytest.raises(DidUnreachable, match="port"):
        HttpsFetcher().fetch("https://example.com:99999/did.json")


# --- the resolver ---------------------------------------------------------------------------------------------------


class Answers:
    def __init__(self, **bodies: bytes) -> None:
        self.bodies = bodies
        self.asked: list[str] = []

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        body = self.bodies.get(url.split("/")[2].partition(".")[0])
        if body is None:
            raise DidUnreachable("no answer")
        return body


def test_cached_and_asked_again() -> None:
    now = [1000]
    answers = Answers(a=b'{"id": "did:web:a.example"}')
    resolver = DidResolver(answers, lambda: now[0], cache_seconds=60, failure_seconds=5)
    first = resolver.resolve("did:web:a.example")
    assert resolver.resolve("did:web:a.example") is first
    now[0] += 60
    assert resolver.resolve("did:web:a.example") == first
    assert len(answers.asked) == 2
    for _ in range(2):
        with pytest.raises(DidUnreachable):
            resolver.resolve("did:web:b.example")
    assert len(answers.asked) == 3
    now[0] += 5
    with pytest.raises(DidUnreachable):
        resolver.resolve("did:web:b.example")
    assert len(answers.asked) == 4


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"id": "did:web:evil.example"}', b'{"id": "did:web:a.example", "id": "did:web:a.example"}'],
)
def test_documents_that_are_none(body: bytes) -> None:
    resolver = DidResolver(Answers(a=body), lambda: 0)
    with pytest.raises(DidDocumentError):
        resolver.resolve("did:web:a.example")
    found = resolver.key("did:web:a.example#k")
    assert isinstance(found, KeyProblem)
    assert found.code is ProofCode.KEY_UNKNOWN


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("did:web:a.example", ProofCode.KEY_UNKNOWN),
        ("did:web:b.example#k", ProofCode.KEY_UNREACHABLE),
        ("did:web:localhost#k", ProofCode.KEY_UNREACHABLE),
        ("did:ion:abc#k", ProofCode.KEY_UNREACHABLE),
        ("https://example.com/#k", ProofCode.KEY_UNREACHABLE),
        ("did:key:zzz#zzz", ProofCode.KEY_MALFORMED),
        ("did:key:z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2#other", ProofCode.KEY_UNKNOWN),
        ("did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme#k", ProofCode.KEY_UNSUPPORTED),
        ("did:jwk:e30#0", ProofCode.KEY_MALFORMED),
        ("did:jwk:!#0", ProofCode.KEY_MALFORMED),
        ("did:jwk:eyJrdHkiOiJPS1AiLCJjcnYiOiJYMjU1MTkiLCJ4IjoiQUEifQ#0", ProofCode.KEY_UNSUPPORTED),
        ("", ProofCode.KEY_UNKNOWN),
        ("#", ProofCode.KEY_UNKNOWN),
        ("did:web:" + "a" * 2_000 + "#k", ProofCode.KEY_UNKNOWN),
    ],
)
def test_keys_that_are_none(url: str, code: ProofCode) -> None:
    answers = Answers()
    found = DidResolver(answers, lambda: 0).key(url)
    assert isinstance(found, KeyProblem)
    assert found.code is code
    assert len(answers.asked) == (url == "did:web:b.example#k")


def test_pinned_documents_are_not_asked_for(tmp_path: Path) -> None:
    answers = Answers(a=b'{"id": "did:web:a.example"}')
    known = DidResolver(answers, lambda: 0).resolve("did:web:a.example")
    assert DidResolver(None, lambda: 0, pinned={"did:web:a.example": known}).resolve("did:web:a.example") is known
    with pytest.raises(DidUnreachable):
        DidResolver(None, lambda: 0).resolve("did:web:a.example")
