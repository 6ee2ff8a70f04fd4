"""Bulk import: streaming, partial failures, repeats, clients that leave."""

import json
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from registry.api import importing
from registry.api.importing import Imports, split_lines
from registry.service import issuing
from support.served import Api, Client, fresh, problem

NDJSON = {"Content-Type": "application/x-ndjson"}


def lines(count: int) -> list[bytes]:
    return [json.dumps(fresh()).encode() + b"\n" for _ in range(count)]


def post(issuer: Client, content: Any, **headers: str) -> tuple[list[Any], Any]:
    response = issuer.post("/v1/credentials/import", content=content, headers={**NDJSON, **headers})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    answers = [json.loads(line) for line in response.text.splitlines()]
    return answers[:-1], answers[-1]["summary"]


def stored(issuer: Client) -> int:
    total, cursor = 0, None
    while True:
        query = {"limit": 1000} | ({"cursor": cursor} if cursor else {})
        page = issuer.get("/v1/credentials", params=query).json()
        total += len(page["credentials"])
        cursor = page["next"]
        if cursor is None:
            return total


def test_of_many_thousand_lines_the_broken_one_is_named_and_the_rest_taken(issuer: Client) -> None:
    body = lines(6_000)
    body[5_000] = b'{"@context": broken\n'
    answers, summary = post(issuer, iter(body))  # without Content-Length, in chunks
    assert summary == {"lines": 6_000, "accepted": 5_999, "repeated": 0, "refused": 1, "complete": True}
    assert [answer["line"] for answer in answers] == list(range(1, 6_001))
    [broken] = [answer for answer in answers if "error" in answer]
    assert broken["line"] == 5_001
    assert broken["error"]["code"] == "not_json"
    assert len({answer["id"] for answer in answers if "id" in answer}) == 5_999
    assert all(answer["anchoredBefore"] for answer in answers if "id" in answer)
    assert all(answer["promise"]["id"] == answer["id"] for answer in answers if "id" in answer)
    assert stored(issuer) == 5_999


def test_a_repeated_import_takes_nothing_twice(issuer: Client) -> None:
    body = lines(50)
    first, _ = post(issuer, b"".join(body[:30]), **{"Idempotency-Key": "spring"})
    again, summary = post(issuer, b"".join(body), **{"Idempotency-Key": "spring"})
    assert (summary["accepted"], summary["repeated"]) == (20, 30)
    assert [answer["id"] for answer in again[:30]] == [answer["id"] for answer in first]
    without_key, summary = post(issuer, b"".join(body))
    assert summary["refused"] == 50
    assert {answer["error"]["code"] for answer in without_key} == {"id_reused"}


def test_every_kind_of_bad_line_is_named(issuer: Client) -> None:
    good = json.dumps(fresh()).encode()
    bad: dict[bytes, str] = {
        b"[]": "not_an_object",
        b"null": "not_an_object",
        b"{}": "context",
        b'{"a": 1, "a": 2}': "not_json",
        b"NaN": "not_json",
        b'{"a": ' * 70 + b"1" + b"}" * 70: "not_json",
        b'{"a": 123456789012345678901234567890}': "not_json",
        b'{"a": "\\ud800"}': "not_json",
        b"\xff\xfe": "not_json",
        b"\x00": "not_json",
        good + b" " + good: "not_json",
        b" " * 300_000 + good: "too_large",
        good + b" " * 300_000 + b"junk": "too_large",
        json.dumps(fresh(name="x" * 300_000)).encode(): "too_large",
    }
    answers, summary = post(issuer, b"\r\n\n  \n".join([good, *bad, json.dumps(fresh()).encode()]))
    assert [answer["error"]["code"] for answer in answers[1:-1]] == list(bad.values())
    assert (summary["accepted"], summary["refused"]) == (2, len(bad))
    assert "id" in answers[-1]


def test_an_empty_import_is_an_import_of_nothing(issuer: Client) -> None:
    for body in (b"", b"\n\n \r\n"):
        assert post(issuer, body) == ([], {"lines": 0, "accepted": 0, "repeated": 0, "refused": 0, "complete": True})


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-Type": "application/json"}, "media_type"),
        ({"Content-Type": "text/csv"}, "media_type"),
        ({"Content-Type": ""}, "media_type"),
        ({"Content-Type": "application/x-ndjson; charset=latin-1"}, "media_type"),
        ({**NDJSON, "Content-Encoding": "gzip"}, "content_encoding"),
        ({**NDJSON, "Content-Encoding": "br, gzip"}, "content_encoding"),
    ],
)
def test_other_media_types_and_compressed_bodies_are_refused(issuer: Client, headers: Any, code: str) -> None:
    problem(issuer.post("/v1/credentials/import", content=b"{}\n", headers=headers), 415, code)


def test_a_client_that_leaves_midway_leaves_what_was_committed(api: Api, issuer: Client) -> None:
    body = lines(1_500)
    with socket.create_connection(("127.0.0.1", api.server.port)) as connection:
        head = (
            "POST /v1/credentials/import HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
            f"Authorization: {issuer.http.headers['authorization']}\r\nContent-Length: 100000000\r\n\r\n"
        )
        connection.sendall(head.encode() + b"".join(body) + b'{"half a li')
        deadline = time.monotonic() + 20
        while stored(issuer) < 1_000 and time.monotonic() < deadline:
            time.sleep(0.02)
    assert stored(issuer) == 1_000  # the whole first transaction, nothing of the second
    _, summary = post(issuer, b"".join(body))
    assert (summary["accepted"], summary["refused"]) == (500, 1_000)


def test_an_issuer_halted_on_the_way_keeps_what_was_taken(
    api: Api, issuer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from registry.service.errors import NotReadyError

    original = type(api.house.issuing)._submit_chunk
    calls = 0

    def halting(self: Any, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise NotReadyError("issuer_halted", "Chain and database disagree.")
        return original(self, *args)

    monkeypatch.setattr(type(api.house.issuing), "_submit_chunk", halting)
    answers, summary = post(issuer, b"".join(lines(1_500)))
    assert len(answers) == summary["accepted"] == 1_000
    assert summary["complete"] is False
    assert summary["error"]["code"] == "issuer_halted"


def test_a_failure_nobody_foresaw_after_something_was_taken_cuts_nothing_off_silently(
    api: Api, issuer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = type(api.house.issuing)._submit_chunk
    calls = 0

    def failing(self: Any, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise RuntimeError("disk on fire")
        return original(self, *args)

    monkeypatch.setattr(type(api.house.issuing), "_submit_chunk", failing)
    answers, summary = post(issuer, b"".join(lines(1_500)))
    assert len(answers) == 1_000
    assert summary["complete"] is False
    assert summary["error"]["code"] == "internal"
    assert "fire" not in json.dumps(summary)


def test_too_many_imports_at_once_are_told_to_come_back(open_api: Callable[[], Api]) -> None:
    api = open_api()
    issuer = api.new_issuer()
    api.app.state.imports = Imports(1)
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> Iterator[bytes]:
        yield lines(1)[0]
        begun.set()
        go_on.wait(20)

    def first() -> None:
        with httpx.Client(base_url=api.server.url, headers=issuer.http.headers, trust_env=False) as client:
            client.post("/v1/credentials/import", content=slow(), headers=NDJSON, timeout=30)

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert begun.wait(20)
        deadline = time.monotonic() + 20
        while api.app.state.imports._limiter.available_tokens > 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        response = issuer.post("/v1/credentials/import", content=b"{}\n", headers=NDJSON)
    finally:
        go_on.set()
        thread.join()
    problem(response, 503, "too_many_imports")
    assert "retry-after" in response.headers


@pytest.mark.slow
def test_memory_does_not_grow_with_the_body(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the lines, about the same peak. The client makes its lines while it sends them."""
    monkeypatch.setattr(issuing, "_CHUNK", 100)  # so that few lines are many transactions

    def peak(count: int) -> int:
        issuer = api.new_issuer()
        template = json.dumps(fresh(name="x" * 2_000))

        def body() -> Iterator[bytes]:
            for number in range(count):
                yield template.replace("urn:example:", f"urn:example:{count}-{number}:").encode() + b"\n"

        tracemalloc.start()
        with issuer.http.stream("POST", "/v1/credentials/import", content=body(), headers=NDJSON) as response:
            for piece in response.iter_bytes():  # not kept
                last = piece
        assert b'"complete":true' in last
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    small = peak(400)
    large = peak(4_000)
    assert large < 1.5 * small + (1 << 20), (small, large)


# --- the splitter ---


def split(pieces: list[bytes], max_line: int = 10) -> list[bytes]:
    iterator = iter(pieces)
    return list(split_lines(lambda: next(iterator, None), max_line))


def test_lines_are_the_same_however_the_pieces_are_cut() -> None:
    body = b"one\n\ntwo\r\nthree is too long\nfour\n" + b"y" * 50 + b"\nlast"
    expected = [b"one", b"", b"two\r", b"three is to", b"four", b"y" * 11, b"last"]
    for size in range(1, len(body) + 1):
        assert split([body[at : at + size] for at in range(0, len(body), size)]) == expected


def test_a_line_of_exactly_the_limit_is_whole() -> None:
    assert split([b"x" * 10 + b"\n" + b"x" * 11 + b"\n" + b"x" * 12]) == [b"x" * 10, b"x" * 11, b"x" * 11]


def test_a_last_line_needs_no_line_feed() -> None:
    assert split([]) == []
    assert split([b"\n"]) == [b""]
    assert split([b"a", b"", b"b"]) == [b"ab"]


def test_the_spool_is_closed_when_the_answer_is_not_wanted_any_more() -> None:
    import asyncio
    from io import BytesIO

    spool = BytesIO(b"line\n" * 100)

    async def send(_message: Any) -> None:
        raise OSError("gone")

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def main() -> None:
        response = importing.SpoolResponse(spool, "application/x-ndjson")
        with pytest.raises(BaseException):  # noqa: B017, PT011 - what the server makes of it does not matter here
            await response({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)

    asyncio.run(main())
    assert spool.closed
