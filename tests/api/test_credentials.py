"""One credential at a time: accepting, looking up, status, erasing, bundles."""

import json
from typing import Any

import pytest
from sqlalchemy import update

from registry.core.bundle import parse_bundle
from registry.core.errors import InputError
from registry.core.promise import parse_promise, signed_bytes
from registry.standards.did.document import parse_did_document
from registry.standards.proofs.report import VerificationKey
from registry.store.tables import issuers
from support.served import Api, Client, fresh, problem

UNKNOWN = "A" * 22


def final(api: Api, issuer: Client) -> str:
    credential_id = issuer.submit()
    issuer.seal()
    api.house.settle()
    return credential_id


def test_an_accepted_credential_has_an_id_a_promise_and_links_but_no_index(api: Api, issuer: Client) -> None:
    response = issuer.post("/v1/credentials", json={"credential": fresh()})
    assert response.status_code == 202
    body = response.json()
    assert set(body) == {"id", "anchoredBefore", "repeated", "unmapped", "promise", "links"}
    assert response.headers["location"] == body["links"]["self"]
    assert body["links"]["bundle"] == f"https://registry.example/v1/credentials/{body['id']}/bundle"


def test_the_same_request_gets_the_same_answer(issuer: Client) -> None:
    credential = fresh()
    answers = [
        issuer.post("/v1/credentials", json={"credential": credential}, headers={"Idempotency-Key": "once"}).json()
        for _ in range(2)
    ]
    assert answers[0]["id"] == answers[1]["id"]
    assert [answer["repeated"] for answer in answers] == [False, True]
    other = issuer.post("/v1/credentials", json={"credential": fresh()}, headers={"Idempotency-Key": "once"})
    problem(other, 409, "idempotency_key_reused")
    problem(issuer.post("/v1/credentials", json={"credential": credential}), 409, "id_reused")


@pytest.mark.parametrize("key", ["", "a#1", "with space", "x" * 201])
def test_an_idempotency_key_that_cannot_be_one_is_refused(issuer: Client, key: str) -> None:
    response = issuer.post("/v1/credentials", json={"credential": fresh()}, headers={"Idempotency-Key": key})
    problem(response, 422, "invalid_parameter")


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"@context": []}, "context", "/credential/@context"),
        ({"@context": 5}, "context", "/credential/@context"),
        ({"type": "Badge"}, "type", "/credential/type"),
        ({"credentialSubject": []}, "subject", "/credential/credentialSubject"),
        ({"credentialSubject": "x"}, "subject", "/credential/credentialSubject"),
        ({"id": 5}, "id", "/credential/id"),
        ({"id": "urn:a\0b"}, "id", "/credential/id"),
        ({"id": "no colon"}, "id", "/credential/id"),
        ({"validFrom": "yesterday"}, "date_time", "/credential/validFrom"),
        ({"validUntil": "2026-01-01"}, "date_time", "/credential/validUntil"),
        # Python reads all of these; a verdict does not, and a credential that can never be VALID is not accepted.
        ({"validFrom": "20240101T000000Z"}, "date_time", "/credential/validFrom"),
        ({"validFrom": "2024-01-01T00:00Z"}, "date_time", "/credential/validFrom"),
        ({"validFrom": "2024-W01-1T00:00:00Z"}, "date_time", "/credential/validFrom"),
        ({"validFrom": "2024-01-01T00:00:00+0100"}, "date_time", "/credential/validFrom"),
        ({"validUntil": "9999-12-31T23:59:59-23:59"}, "date_time", "/credential/validUntil"),
        ({"expirationDate": "x"}, "date_time", "/credential/expirationDate"),
        ({"issuer": "did:web:somebody.else"}, "issuer", "/credential/issuer"),
        ({"issuer": ["x"]}, "issuer", "/credential/issuer"),
        ({"proof": {}}, "proof_unverified", "/credential/proof"),
        ({"credentialStatus": {}}, "not_allowed", "/credential/credentialStatus"),
    ],
)
def test_a_credential_that_is_none_is_refused_where_it_is_wrong(
    issuer: Client, change: dict[str, Any], code: str, pointer: str
) -> None:
    answer = problem(issuer.post("/v1/credentials", json={"credential": {**fresh(), **change}}), 422, code)
    assert answer["pointer"] == pointer
    assert "(at " not in answer["detail"]


def test_a_credential_that_is_too_large_is_refused(issuer: Client) -> None:
    problem(issuer.post("/v1/credentials", json={"credential": fresh(name="x" * 300_000)}), 422, "too_large")


@pytest.mark.parametrize("body", [{}, [], {"credential": 5}, {"credential": fresh(), "more": 1}, {"credential": None}])
def test_a_body_of_another_shape_is_refused(issuer: Client, body: object) -> None:
    problem(issuer.post("/v1/credentials", json=body), 422, "invalid_body")


def test_a_halted_issuer_is_told_why(api: Api, issuer: Client) -> None:
    assert issuer.issuer
    with api.house.database.write() as connection:
        connection.execute(
            update(issuers).where(issuers.c.id == issuer.issuer.id).values(halted="Chain and database disagree.")
        )
    response = issuer.post("/v1/credentials", json={"credential": fresh()})
    assert problem(response, 409, "issuer_halted")["detail"] == "Chain and database disagree."
    assert "retry-after" in response.headers
    imported = issuer.post(
        "/v1/credentials/import", content=json.dumps(fresh()), headers={"Content-Type": "application/x-ndjson"}
    )
    problem(imported, 409, "issuer_halted")


# --- looking up ---


def test_a_credential_is_followed_from_accepted_to_final(api: Api, issuer: Client) -> None:
    credential_id = issuer.submit()
    body = issuer.get(f"/v1/credentials/{credential_id}").json()
    assert (body["state"], body["index"], body["batch"]) == ("ACCEPTED", None, None)
    issuer.seal()
    body = issuer.get(f"/v1/credentials/{credential_id}").json()
    assert (body["state"], body["index"], body["batch"]["anchor"]) == ("SEALED", None, None)
    api.house.settle()
    body = issuer.get(f"/v1/credentials/{credential_id}").json()
    assert (body["state"], body["index"]) == ("FINAL", 0)
    anchor = body["batch"]["anchor"]
    assert anchor["final"] is True
    assert anchor["network"]["class"] == "dev"
    assert anchor["network"]["mark"]


def test_a_credential_is_found_by_its_own_id(issuer: Client) -> None:
    credential = fresh()
    credential_id = issuer.post("/v1/credentials", json={"credential": credential}).json()["id"]
    found = issuer.get("/v1/credentials", params={"credentialId": credential["id"]}).json()
    assert [item["id"] for item in found["credentials"]] == [credential_id]
    for other in ("urn:nobody", "\0", "urn:%00", "'; DROP TABLE credentials; --"):
        assert issuer.get("/v1/credentials", params={"credentialId": other}).json()["credentials"] == []


def test_the_listing_gives_each_own_credential_once(api: Api, issuer: Client) -> None:
    api.new_issuer().submit()
    ids = {issuer.submit() for _ in range(7)}
    seen: list[str] = []
    cursor = None
    while True:
        page = issuer.get("/v1/credentials", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        seen += [item["id"] for item in page["credentials"]]
        cursor = page["next"]
        if cursor is None:
            break
        issuer.submit()  # new ones come at the end
        if len(seen) > 30:
            pytest.fail("the listing does not end")
    assert len(seen) == len(set(seen))
    assert ids <= set(seen)


@pytest.mark.parametrize(
    "cursor", ["x", "%00", "YmF0Y2hlczow", "Y3JlZGVudGlhbHM6LTE", "Y3JlZGVudGlhbHM6MA==", "💥", "A" * 90]
)
def test_a_cursor_from_elsewhere_is_refused(issuer: Client, cursor: str) -> None:
    problem(issuer.get("/v1/credentials", params={"cursor": cursor}), 400, "bad_cursor")


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "1.5", "9" * 5000, "NaN", ""])
def test_a_limit_out_of_bounds_is_refused(issuer: Client, limit: str) -> None:
    answer = problem(issuer.get("/v1/credentials", params={"limit": limit}), 422, "invalid_parameter")
    assert answer["errors"][0]["parameter"] == "limit"


# --- another issuer's, and ids that name nothing ---


def test_another_issuers_credential_is_not_found(api: Api, issuer: Client) -> None:
    credential_id = api.new_issuer().submit()
    path = f"/v1/credentials/{credential_id}"
    problem(issuer.get(path), 404, "no_such_credential")
    problem(issuer.delete(path), 404, "no_such_credential")
    problem(issuer.post(f"{path}/status", json={"action": "revoke"}), 404, "no_such_credential")


@pytest.mark.parametrize(
    "identifier", [UNKNOWN, "1", "%00" * 22, "..%2F..%2Fetc%2Fpasswd", "x" * 4000, "%ED%A0%80", "ü" * 22]
)
def test_an_id_that_names_nothing_is_not_found(issuer: Client, identifier: str) -> None:
    path = f"/v1/credentials/{identifier}"
    for response in (
        issuer.get(path),
        issuer.delete(path),
        issuer.get(f"{path}/bundle"),
        issuer.post(f"{path}/status", json={"action": "revoke"}),
    ):
        assert response.status_code == 404, response.text
        assert response.headers["content-type"] == "application/problem+json"


# --- status ---


def test_a_revocation_is_answered_at_once_and_ends_on_chain(api: Api, issuer: Client) -> None:
    credential_id = final(api, issuer)
    path = f"/v1/credentials/{credential_id}"
    bundle = api.public.get(f"{path}/bundle").json()
    response = issuer.post(f"{path}/status", json={"action": "revoke", "reason": "by mistake"})
    assert response.status_code == 202
    assert response.json() == {"id": credential_id, "action": "revoke", "state": "WAITING"}
    assert api.public.post("/v1/verify", json=bundle).json()["status"] == "INDETERMINATE"
    api.house.settle()
    assert api.public.post("/v1/verify", json=bundle).json()["status"] == "INVALID"
    [request] = issuer.get(path).json()["statusRequests"]
    assert (request["action"], request["state"], request["reason"]) == ("revoke", "FINAL", "by mistake")
    problem(issuer.post(f"{path}/status", json={"action": "suspend"}), 409, "revoked")


def test_revoking_before_sealing_withdraws(issuer: Client) -> None:
    path = f"/v1/credentials/{issuer.submit()}"
    assert issuer.post(f"{path}/status", json={"action": "revoke"}).json()["state"] == "WITHDRAWN"
    assert issuer.get(path).json()["state"] == "WITHDRAWN"
    problem(issuer.get(f"{path}/bundle"), 410, "withdrawn")
    problem(issuer.post(f"{path}/status", json={"action": "revoke"}), 410, "withdrawn")


@pytest.mark.parametrize(
    "body",
    [{}, {"action": "destroy"}, {"action": 1}, {"action": "revoke", "reason": 5}, {"action": "revoke", "reason": "a\0"},
     {"action": "revoke", "reason": "x" * 1001}, {"action": "revoke", "when": "now"}, "revoke"],
)  # fmt: skip
def test_a_status_request_of_another_shape_is_refused(issuer: Client, body: object) -> None:
    problem(issuer.post(f"/v1/credentials/{issuer.submit()}/status", json=body), 422, "invalid_body")


def test_what_is_not_suspended_cannot_be_reinstated(issuer: Client) -> None:
    response = issuer.post(f"/v1/credentials/{issuer.submit()}/status", json={"action": "reinstate"})
    problem(response, 409, "not_suspended")


# --- erasing ---


def test_an_erased_credential_is_gone_and_the_holders_copy_stays_valid(api: Api, issuer: Client) -> None:
    credential_id = final(api, issuer)
    path = f"/v1/credentials/{credential_id}"
    kept = api.public.get(f"{path}/bundle").json()
    assert issuer.delete(path).status_code == 204
    problem(api.public.get(f"{path}/bundle"), 410, "erased")
    problem(issuer.delete(path), 410, "erased")
    state = issuer.get(path).json()
    assert (state["state"], state["credentialId"]) == ("ERASED", None)
    assert api.public.post("/v1/verify", json=kept).json()["status"] == "VALID"


# --- bundles ---


def test_a_bundle_waits_for_its_anchor(api: Api, issuer: Client) -> None:
    response = api.public.get(f"/v1/credentials/{issuer.submit()}/bundle")
    problem(response, 409, "not_final")
    assert int(response.headers["retry-after"]) > 0


def test_a_bundle_is_given_to_whoever_knows_the_id_and_only_once_if_it_is_kept(api: Api, issuer: Client) -> None:
    path = f"/v1/credentials/{final(api, issuer)}/bundle"
    response = api.public.get(path)
    assert response.headers["content-type"] == "application/vnd.credential-bundle+json"
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["access-control-allow-origin"] == "*"
    parse_bundle(response.content)
    again = api.public.get(path, headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = api.public.head(path)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", response.headers["etag"])


# --- promises ---------------------------------------------------------------------------------------------------------


def test_the_promise_is_signed_with_a_key_that_anybody_can_read(api: Api, issuer: Client) -> None:
    body = issuer.post("/v1/credentials", json={"credential": fresh()}).json()
    promise, signature = parse_promise(body["promise"])
    assert (promise.id, body["promise"]["anchoredBefore"]) == (body["id"], body["anchoredBefore"])
    response = api.public.get("/registry/did.json")
    assert response.headers["content-type"] == "application/did+json"
    key = parse_did_document(response.json(), "did:web:registry.example:registry").key(promise.key)
    assert isinstance(key, VerificationKey)
    assert key.public_key.verifies(signature, signed_bytes(promise))


def test_the_promise_can_be_had_again_by_its_issuer_only(api: Api, issuer: Client) -> None:
    body = issuer.post("/v1/credentials", json={"credential": fresh()}).json()
    path = body["links"]["promise"].removeprefix("https://registry.example")
    assert issuer.get(path).json()["leaf"] == body["promise"]["leaf"]
    problem(api.new_issuer().get(path), 404, "no_such_credential")
    problem(api.public.get(path), 401, "no_api_key")


def test_nothing_is_accepted_that_cannot_be_promised(api: Api, issuer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise InputError("The password of the keystores is not set.")

    monkeypatch.setattr(api.house.promising, "unlock", refuse)
    assert issuer.post("/v1/credentials", json={"credential": fresh()}).status_code >= 400
    assert issuer.get("/v1/credentials").json()["credentials"] == []
