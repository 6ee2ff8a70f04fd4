"""Whatever is sent, the answer is a problem and never a 500."""

import json
import socket
from typing import Any

import httpx
import pytest

from support.served import Api, fresh, problem

JSON_ROUTES = [
    ("operator", "/v1/issuers"),
    ("operator", "/v1/issuers/acme/keys"),
    ("issuer", "/v1/credentials"),
    ("issuer", f"/v1/credentials/{'a' * 22}/status"),
    ("issuer", "/v1/signing-requests/1"),
    ("public", "/v1/verify"),
    ("public", "/v1/verify/batch"),
]
NOT_JSON = {
    "nothing": b"",
    "white space": b"  \n",
    "half": b'{"name": ',
    "two documents": b"{}{}",
    "duplicate key": b'{"name": "a", "name": "b"}',
    "duplicate key, escaped": b'{"name": 1, "n\\u0061me": 2}',
    "NaN": b'{"name": NaN}',
    "Infinity": b"-Infinity",
    "huge integer": b'{"name": ' + b"9" * 5_000 + b"}",
    "beyond 2^53": b'{"name": 9007199254740993}',
    "huge float": b'{"name": 1e400}',
    "lone surrogate": b'{"name": "\\ud800"}',
    "lone surrogate as a key": b'{"\\udfff": 1}',
    "not UTF-8": b'{"name": "\xff"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"name": "a"}',
    "too deep": b'{"a":' * 100 + b"1" + b"}" * 100,
    "far too deep": b"[" * 100_000,
    "NUL": b"\0",
    "single quotes": b"{'name': 'a'}",
    "comment": b'{"name": "a" /* why */}',
}


@pytest.fixture(scope="module")
def clients(api: Api) -> dict[str, Any]:
    api.operator.post("/v1/issuers", json={"name": "acme"})
    return {"operator": api.operator, "public": api.public, "issuer": api.new_issuer()}


@pytest.mark.parametrize("what", NOT_JSON)
def test_what_is_not_strict_json_is_refused_everywhere(clients: dict[str, Any], what: str) -> None:
    for who, path in JSON_ROUTES:
        response = clients[who].post(path, content=NOT_JSON[what], headers={"Content-Type": "application/json"})
        problem(response, 400, "not_json")


@pytest.mark.parametrize("value", [None, True, 0, -1.5, "text", [], [[]], {"": {}}, {"\0": "\0"}, {"/~": 1}])
def test_json_of_another_shape_is_refused_everywhere(clients: dict[str, Any], value: Any) -> None:
    for who, path in JSON_ROUTES:
        content = json.dumps(value)
        response = clients[who].post(path, content=content, headers={"Content-Type": "application/json"})
        assert response.status_code in (400, 422), (path, response.text)
        assert response.json()["code"] in ("invalid_body", "malformed_bundle"), response.text


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application",
        "application/jsonx",
        "\xff",
    ],
)
def test_other_media_types_are_refused_everywhere(clients: dict[str, Any], media_type: str) -> None:
    for who, path in JSON_ROUTES:
        headers = {"Content-Type": media_type.encode("latin-1")}
        problem(clients[who].post(path, content=b"{}", headers=headers), 415, "media_type")


def test_compressed_bodies_are_refused_everywhere(clients: dict[str, Any]) -> None:
    for who, path in JSON_ROUTES:
        response = clients[who].post(path, json={}, headers={"Content-Encoding": "gzip"})
        problem(response, 415, "content_encoding")
        assert response.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused_also_when_nobody_says_so(clients: dict[str, Any], chunked: bool) -> None:
    body = json.dumps({"credential": fresh(name="x" * 1_100_000)}).encode()
    content: Any = iter([body[at : at + 65_536] for at in range(0, len(body), 65_536)]) if chunked else body
    response = clients["issuer"].post("/v1/credentials", content=content, headers={"Content-Type": "application/json"})
    problem(response, 413, "body_too_large")


def test_an_endless_body_is_cut_off(clients: dict[str, Any]) -> None:
    """The server stops reading; whether the client still sees the answer is up to its network."""
    sent = 0

    def endless() -> Any:
        nonlocal sent
        while sent < 500 << 20:
            sent += 65_536
            yield b" " * 65_536

    try:
        response = clients["public"].post("/v1/verify", content=endless(), headers={"Content-Type": "application/json"})
    except httpx.TransportError:
        pass
    else:
        problem(response, 413, "body_too_large")
    assert sent < 100 << 20


def test_a_very_large_declared_length_is_refused_at_once(clients: dict[str, Any], api: Api) -> None:
    answer = raw(
        api,
        b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 99999999999\r\n\r\n{",
    )
    assert answer.startswith(b"HTTP/1.1 413 ")


def raw(api: Api, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", api.server.port), timeout=20) as connection:
        connection.sendall(request)
        return connection.recv(65_536)


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/credentials HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\x00b\r\n\r\n",
    ],
)
def test_what_is_no_http_is_no_500(api: Api, request_: bytes) -> None:
    answer = raw(api, request_)
    assert answer.startswith(b"HTTP/1.1 4"), answer


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/", "/v2/credentials", "/v1/credentials/", "/v1/verify/", "/docs", "/redoc", "/v1/../v1/x", "/%00",
     "/v1/%2e%2e", "/issuers/acme/nothing", "/v1/credentials/x/y/z", "//v1/policy", "/v1/issuers/"],
)  # fmt: skip
def test_what_is_not_there_is_a_problem_too(api: Api, path: str) -> None:
    assert raw(api, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).startswith(b"HTTP/1.1 404 ")
    problem(api.public.get("/v1/nothing"), 404, "no_such_resource")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", f"/v1/credentials/{'a' * 22}", {"GET", "HEAD", "DELETE"}),
        ("PATCH", "/v1/credentials", {"GET", "HEAD", "POST"}),
        ("GET", "/v1/verify", {"POST"}),
        ("DELETE", "/v1/policy", {"GET", "HEAD"}),
        ("BREW", "/healthz", {"GET", "HEAD"}),
        ("TRACE", "/v1/issuers", {"GET", "HEAD", "POST"}),
        ("POST", "/openapi.json", {"GET", "HEAD"}),
    ],
)
def test_another_method_is_told_which_are_possible(api: Api, method: str, path: str, allowed: set[str]) -> None:
    response = api.operator.request(method, path)
    problem(response, 405, "method_not_allowed")
    assert set(response.headers["allow"].split(", ")) == allowed


def test_every_answer_has_the_security_headers_and_no_cookie(api: Api) -> None:
    for response in (api.public.get("/healthz"), api.public.get("/nope"), api.public.post("/v1/verify", json={})):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["cache-control"] == "no-store"
        assert "set-cookie" not in response.headers


def test_a_request_id_is_kept_if_it_can_be_logged(api: Api) -> None:
    kept = api.public.get("/healthz", headers={"X-Request-Id": "trace-12345678"})
    assert kept.headers["x-request-id"] == "trace-12345678"
    for bad in ("short", "with space in it", "x" * 65, "<script>12345678"):
        assert api.public.get("/healthz", headers={"X-Request-Id": bad}).headers["x-request-id"] != bad


def test_what_nobody_foresaw_is_a_500_without_internals(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode() -> Any:
        raise RuntimeError("postgresql://user:hunter2@host")

    monkeypatch.setattr(api.house, "policy", explode)
    response = api.public.get("/v1/policy")
    body = problem(response, 500, "internal")
    assert "hunter2" not in response.text
    assert body["requestId"] in caplog.text
