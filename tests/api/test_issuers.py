"""Issuers and API keys over HTTP."""

import logging

import pytest

from support.served import Api, Client, problem


def test_the_operator_makes_a_hosted_issuer_with_a_key_that_works(api: Api) -> None:
    response = api.operator.post("/v1/issuers", json={"name": "hosted"})
    assert response.status_code == 201
    body = response.json()
    assert body["issuer"]["mode"] == "hosted"
    assert body["issuer"]["did"] == "did:web:registry.example:issuers:hosted"
    assert response.headers["location"].endswith("/v1/issuers/hosted")
    assert response.headers["cache-control"] == "no-store"
    api.client(body["apiKey"]["secret"]).submit()


def test_an_issuer_that_signs_itself_brings_its_address(api: Api) -> None:
    address = "0x" + "Ab" * 20
    response = api.operator.post(
        "/v1/issuers", json={"name": "selfsigning", "mode": "self", "address": address, "did": "did:web:uni.example"}
    )
    assert response.status_code == 201
    assert response.json()["issuer"]["address"] == address.lower()
    assert response.json()["issuer"]["policyPin"]["did"] == "did:web:uni.example"


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({}, "invalid_body", "/name"),
        ({"name": 5}, "invalid_body", "/name"),
        ({"name": "Upper"}, "name", "/name"),
        ({"name": "a/../b"}, "name", "/name"),
        ({"name": "a\0b"}, "name", "/name"),
        ({"name": "x", "colour": "red"}, "invalid_body", "/colour"),
        ({"name": "x", "mode": "other"}, "invalid_body", "/mode"),
        ({"name": "x", "mode": "self"}, "address", "/address"),
        ({"name": "x", "mode": "self", "address": "0x12"}, "invalid_body", "/address"),
        ({"name": "x", "mode": "self", "address": "0x" + "00" * 20}, "address", "/address"),
        ({"name": "x", "address": "0x" + "11" * 20}, "address", "/address"),
        ({"name": "x", "did": "no did"}, "did", "/did"),
        ({"name": "x", "did": "did:web:a\0b"}, "did", "/did"),
    ],
)
def test_an_issuer_that_cannot_be_is_refused(api: Api, body: object, code: str, pointer: str) -> None:
    answer = problem(api.operator.post("/v1/issuers", json=body), 422, code)
    assert answer["pointer"] == pointer


def test_a_name_is_given_once(api: Api) -> None:
    assert api.operator.post("/v1/issuers", json={"name": "twice"}).status_code == 201
    problem(api.operator.post("/v1/issuers", json={"name": "twice"}), 409, "issuer_exists")


def test_anybody_may_read_who_an_issuer_is(api: Api, issuer: Client) -> None:
    assert issuer.issuer
    body = api.public.get(f"/v1/issuers/{issuer.issuer.name}").json()
    assert body["policyPin"] == {
        "did": issuer.issuer.did,
        "address": "0x" + issuer.issuer.address.hex(),
        "statusBase": issuer.issuer.status_base,
    }
    assert body["network"]["class"] == "dev"
    assert "DEVELOPMENT" in body["network"]["mark"]


@pytest.mark.parametrize("name", ["nobody", "%00", "..%2F..%2Fetc", "ÄÖ", "x" * 3000])
def test_an_issuer_that_is_not_there_is_not_found(api: Api, name: str) -> None:
    assert api.public.get(f"/v1/issuers/{name}").status_code == 404


def test_keys_are_made_narrow_and_ended(api: Api, issuer: Client) -> None:
    assert issuer.issuer
    path = f"/v1/issuers/{issuer.issuer.name}/keys"
    made = api.operator.post(path, json={"scopes": ["status"], "label": "registrar"})
    assert made.status_code == 201
    narrow = api.client(made.json()["secret"])
    problem(narrow.post("/v1/batches/seal"), 403, "scope")
    assert narrow.get("/v1/credentials").status_code == 200
    assert api.operator.delete(f"{path}/{made.json()['id']}").status_code == 204
    problem(narrow.get("/v1/credentials"), 401, "unknown_api_key")
    problem(api.operator.delete(f"{path}/{made.json()['id']}"), 404, "no_such_key")


@pytest.mark.parametrize(
    "body",
    [{}, {"scopes": []}, {"scopes": ["operator"]}, {"scopes": "issue"}, {"scopes": ["issue"], "label": "a\0b"}, []],
)
def test_a_key_with_other_scopes_is_refused(api: Api, issuer: Client, body: object) -> None:
    assert issuer.issuer
    problem(api.operator.post(f"/v1/issuers/{issuer.issuer.name}/keys", json=body), 422, "invalid_body")


@pytest.mark.parametrize("key_id", ["0", "-1", "x", "9" * 400, "1e3", "%00"])
def test_a_key_that_is_not_there_cannot_be_ended(api: Api, issuer: Client, key_id: str) -> None:
    assert issuer.issuer
    problem(api.operator.delete(f"/v1/issuers/{issuer.issuer.name}/keys/{key_id}"), 404, "no_such_key")


def test_authorising_again_is_for_hosted_issuers_that_need_it(api: Api, issuer: Client) -> None:
    assert issuer.issuer
    path = f"/v1/issuers/{issuer.issuer.name}/authorize"
    assert api.operator.post(path).status_code == 202
    api.house.settle()
    problem(api.operator.post(path), 409, "already_authorized")
    problem(api.operator.post("/v1/issuers/nobody/authorize"), 404, "no_such_issuer")


# --- who may ---

OPERATORS = [
    ("POST", "/v1/issuers"),
    ("POST", "/v1/issuers/x/keys"),
    ("DELETE", "/v1/issuers/x/keys/1"),
    ("POST", "/v1/issuers/x/authorize"),
    ("POST", "/v1/issuers/x/claim"),
    ("POST", "/v1/issuers/x/rotate"),
]
ISSUERS = [
    ("POST", "/v1/credentials"),
    ("POST", "/v1/credentials/import"),
    ("GET", "/v1/credentials"),
    ("GET", f"/v1/credentials/{'a' * 22}"),
    ("DELETE", f"/v1/credentials/{'a' * 22}"),
    ("POST", f"/v1/credentials/{'a' * 22}/status"),
    ("POST", "/v1/batches/seal"),
    ("GET", "/v1/signing-requests"),
    ("POST", "/v1/signing-requests/1"),
]


@pytest.mark.parametrize(("method", "path"), OPERATORS + ISSUERS)
def test_without_a_key_nothing_private_answers(api: Api, method: str, path: str) -> None:
    response = api.public.request(method, path)
    problem(response, 401, "no_api_key")
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header",
    ["Bearer crk_wrong", "Bearer", "Basic dXNlcjpwYXNz", "crk_x", "Bearer \xff\xfe", "bearer a b c",
     "Bearer " + "x" * 5000],
)  # fmt: skip
def test_a_wrong_key_is_refused_and_never_repeated(api: Api, header: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        response = api.public.get("/v1/credentials", headers={"Authorization": header.encode("latin-1")})
    assert response.status_code == 401
    for secret in header.split()[1:]:
        assert len(secret) < 4 or secret not in response.text + caplog.text


def test_a_key_in_the_address_is_no_key(api: Api) -> None:
    problem(api.public.get(f"/v1/credentials?api_key={api.operator_secret}"), 401, "no_api_key")


@pytest.mark.parametrize(("method", "path"), OPERATORS)
def test_an_issuer_is_no_operator(issuer: Client, method: str, path: str) -> None:
    problem(issuer.request(method, path), 403, "scope")


@pytest.mark.parametrize(("method", "path"), ISSUERS)
def test_the_operator_is_no_issuer(api: Api, method: str, path: str) -> None:
    problem(api.operator.request(method, path), 403, "scope")


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("status", "POST", "/v1/credentials"),
        ("status", "POST", "/v1/credentials/import"),
        ("status", "POST", "/v1/batches/seal"),
        ("issue", "POST", f"/v1/credentials/{'a' * 22}/status"),
        ("issue", "DELETE", f"/v1/credentials/{'a' * 22}"),
    ],
)
def test_a_key_that_is_too_narrow_is_refused(api: Api, scope: str, method: str, path: str) -> None:
    problem(api.new_issuer(scope).request(method, path), 403, "scope")


def test_secrets_and_ids_stay_out_of_the_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        made = api.operator.post("/v1/issuers", json={"name": "discreet"}).json()
        client = api.client(made["apiKey"]["secret"])
        credential_id = client.submit()
        client.get(f"/v1/credentials/{credential_id}")
        client.get("/v1/credentials", params={"credentialId": "urn:secret:thing"})
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("registry"))
    assert "GET /v1/credentials/{id} 200" in ours
    for secret in (made["apiKey"]["secret"], api.operator_secret, credential_id, "urn:secret:thing", "Zoë"):
        assert secret not in ours


def test_what_an_issuer_declares_of_its_delays_is_public(api: Api) -> None:
    own = api.new_issuer()
    assert own.issuer is not None
    name = own.issuer.name
    path = f"/v1/issuers/{name}/delay"
    said = api.operator.post(path, json={"seconds": 86_400})
    assert (said.status_code, [item["seconds"] for item in said.json()["declaredDelays"]]) == (200, [86_400])
    assert api.public.get(f"/v1/issuers/{name}").json()["declaredDelays"] == said.json()["declaredDelays"]
    assert api.operator.post(path, json={"seconds": 86_400}).json() == said.json()  # nothing new
    api.house.clock.advance(1)
    taken_back = api.operator.post(path, json={"seconds": None}).json()["declaredDelays"]
    assert [item["seconds"] for item in taken_back] == [86_400, None]
    again = api.operator.post(path, json={"seconds": 5})
    problem(again, 409, "declared_just_now")
    assert api.operator.post(path, json={"seconds": -1}).status_code == 422
    assert api.operator.post(path, json={}).status_code == 422
    assert own.post(path, json={"seconds": 1}).status_code == 403
