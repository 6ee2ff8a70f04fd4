"""Verifying over HTTP."""

import base64
import json
import threading
from typing import Any

import httpx
import pytest

from anchors.base import ChainUnreachable
from registry.standards.baking import bake, default_png, default_svg, split_bundle
from registry.standards.proofs.creating import add_proofs
from support.served import Api, problem
from support.signed import badge, signer_of, signing_key

KEY = f"did:key:{signing_key().public_key.multikey}"


@pytest.fixture(scope="module")
def bundle(api: Api) -> Any:
    issuer = api.new_issuer()
    credential_id = issuer.submit()
    issuer.seal()
    api.house.settle()
    return api.public.get(f"/v1/credentials/{credential_id}/bundle").json()


def test_a_good_bundle_is_valid_and_the_verdict_names_the_chain(api: Api, bundle: Any) -> None:
    response = api.public.post("/v1/verify", json=bundle)
    verdict = response.json()
    assert (response.status_code, verdict["status"], verdict["about"]) == (200, "VALID", "credential")
    assert verdict["chain"]["class"] == "dev"
    assert "dev_chain" in [check["code"] for check in verdict["checks"]]
    assert response.headers["cache-control"] == "no-store"


def test_a_bundle_under_its_own_media_type_is_taken(api: Api, bundle: Any) -> None:
    response = api.public.post(
        "/v1/verify",
        content=json.dumps(bundle),
        headers={"Content-Type": "application/vnd.credential-bundle+json; charset=UTF-8"},
    )
    assert response.json()["status"] == "VALID"


def test_a_changed_credential_is_invalid_which_is_an_answer_and_no_error(api: Api, bundle: Any) -> None:
    changed = {**bundle, "credential": {**bundle["credential"], "name": "Somebody Else"}}
    response = api.public.post("/v1/verify", json=changed)
    assert (response.status_code, response.json()["status"]) == (200, "INVALID")


def test_a_digest_in_place_of_the_credential_keeps_it_private(api: Api, bundle: Any) -> None:
    detail = api.public.post("/v1/verify", json=bundle).json()["checks"][1]["detail"]
    digest = detail.removeprefix("Its digest is ").rstrip(".")
    without = {name: value for name, value in bundle.items() if name != "credential"} | {"digest": digest}
    verdict = api.public.post("/v1/verify", json=without).json()
    assert (verdict["status"], verdict["about"]) == ("VALID", "digest")


def test_while_the_chain_is_unreachable_the_verdict_is_indeterminate(api: Api, bundle: Any) -> None:
    def fault(_name: str, when: str) -> None:
        if when == "before":
            raise ChainUnreachable("The node does not answer.")

    api.house.chain.fault = fault
    try:
        response = api.public.post("/v1/verify", json=bundle)
        several = api.public.post("/v1/verify/batch", json={"bundles": [bundle, bundle]})
    finally:
        api.house.chain.fault = lambda _name, _when: None
    assert (response.status_code, response.json()["status"]) == (200, "INDETERMINATE")
    assert "chain_unreachable" in [check["code"] for check in response.json()["checks"]]
    assert [item["verdict"]["status"] for item in several.json()["results"]] == ["INDETERMINATE"] * 2


def test_a_node_that_hangs_keeps_only_those_waiting_who_verify(api: Api, bundle: Any) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def fault(_name: str, when: str) -> None:
        if when == "before":
            asked.set()
            go_on.wait(20)

    def verify() -> None:
        with httpx.Client(base_url=api.server.url, timeout=30, trust_env=False) as client:
            assert client.post("/v1/verify", json=bundle).json()["status"] == "VALID"

    api.house.chain.fault = fault
    threads = [threading.Thread(target=verify) for _ in range(48)]  # more than the server has threads for everything
    try:
        for thread in threads:
            thread.start()
        assert asked.wait(20)
        assert api.public.get("/v1/batches").status_code == 200
    finally:
        go_on.set()
        api.house.chain.fault = lambda _name, _when: None
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"type": "Other"}, "/type"),
        ({"version": 2}, "/version"),
        ({"version": True}, "/version"),
        ({"more": 1}, "/more"),
        ({"leaf": {"canonicalization": "JCS", "salt": "short"}}, "/leaf/salt"),
        ({"inclusion": {}}, "/inclusion"),
        ({"anchors": []}, "/anchors"),
        ({"anchors": [{}] * 9}, "/anchors"),
        ({"credential": "text"}, "/credential"),
    ],
)
def test_a_malformed_bundle_is_refused_with_the_place(api: Api, bundle: Any, change: Any, pointer: str) -> None:
    answer = problem(api.public.post("/v1/verify", json={**bundle, **change}), 400, "malformed_bundle")
    assert answer["pointer"] == pointer


def test_in_a_batch_a_malformed_bundle_harms_only_itself(api: Api, bundle: Any) -> None:
    changed = {**bundle, "credential": {**bundle["credential"], "name": "Somebody Else"}}
    bad_salt = {**bundle, "leaf": {"canonicalization": "JCS", "salt": "!"}}
    response = api.public.post("/v1/verify/batch", json={"bundles": [bundle, 5, changed, bad_salt, bundle]})
    assert response.status_code == 200
    results = response.json()["results"]
    assert [item["verdict"]["status"] if "verdict" in item else item["error"]["code"] for item in results] == [
        "VALID", "malformed_bundle", "INVALID", "malformed_bundle", "VALID",
    ]  # fmt: skip
    assert results[3]["error"]["pointer"] == "/bundles/3/leaf/salt"


@pytest.mark.parametrize(
    "body", [{}, {"bundles": []}, {"bundles": {}}, {"bundles": [1] * 101}, {"bundles": [1], "x": 1}, []]
)
def test_a_batch_of_another_shape_is_refused(api: Api, body: Any) -> None:
    problem(api.public.post("/v1/verify/batch", json=body), 422, "invalid_body")


def test_a_hundred_bundles_are_verified_at_once(api: Api, bundle: Any) -> None:
    results = api.public.post("/v1/verify/batch", json={"bundles": [bundle] * 100}).json()["results"]
    assert {item["verdict"]["status"] for item in results} == {"VALID"}


def test_verifying_from_any_web_page_is_possible(api: Api, bundle: Any) -> None:
    preflight = api.public.options(
        "/v1/verify",
        headers={
            "Origin": "https://employer.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
    )
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "Content-Type" in preflight.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in preflight.headers
    for body in (bundle, {}):  # errors can be read as well
        response = api.public.post("/v1/verify", json=body, headers={"Origin": "https://employer.example"})
        assert response.headers["access-control-allow-origin"] == "*"
        assert "Authorization" not in preflight.headers["access-control-allow-headers"]


# --- more than bundles ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alone(api: Api) -> Any:
    """A signed credential without a bundle, by a did:key that the policy does not know."""
    return add_proofs(badge(issuer=KEY), signer_of(KEY, 1, KEY.removeprefix("did:key:")), api.house.clock.now)


def codes(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 200, response.text
    return {check["name"]: f"{check['outcome']} {check['code']}" for check in response.json()["checks"]}


def test_a_credential_alone_says_that_nothing_proves_its_time(api: Api, alone: Any) -> None:
    for response in (
        api.public.post("/v1/verify", json=alone),
        api.public.post("/v1/verify", json={"credential": alone}),
        api.public.post("/v1/verify", content=json.dumps(alone), headers={"Content-Type": "application/vc"}),
    ):
        found = codes(response)
        assert (response.json()["basis"], response.json()["anchoredAt"]) == ("signature", None)
        assert (found["signature"], found["anchor"], found["issuer"]) == (
            "PASS ok", "SKIPPED no_bundle", "UNKNOWN issuer_not_pinned",
        )  # fmt: skip


def test_a_jwt_is_taken_as_text_and_in_a_question(api: Api) -> None:
    for response in (
        api.public.post("/v1/verify", content="a.b.c", headers={"Content-Type": "application/vc+jwt"}),
        api.public.post("/v1/verify", json={"credential": "a.b.c"}),
    ):
        assert codes(response)["format"] == "FAIL envelope_unreadable"


@pytest.mark.parametrize(("make", "kind"), [(default_png, "image/png"), (default_svg, "image/svg+xml")])
def test_a_baked_image_is_verified(api: Api, bundle: Any, alone: Any, make: Any, kind: str) -> None:
    plain = make("Uni") if kind == "image/png" else make("Badge", "Uni")
    credential, companion = split_bundle(json.dumps(bundle).encode())
    whole, single = bake(plain, credential, companion), bake(plain, json.dumps(alone).encode())
    response = api.public.post("/v1/verify", content=whole, headers={"Content-Type": kind})
    assert (response.json()["status"], response.json()["basis"]) == ("VALID", "anchor")
    response = api.public.post("/v1/verify", content=single, headers={"Content-Type": kind})
    assert (response.json()["status"], response.json()["basis"]) == ("INDETERMINATE", "signature")
    response = api.public.post("/v1/verify", json={"image": base64.b64encode(single).decode()})
    assert response.json()["basis"] == "signature"
    problem(api.public.post("/v1/verify", content=plain, headers={"Content-Type": kind}), 400, "bad_input")


def test_as_of_a_time_and_whose_it_is(api: Api, bundle: Any) -> None:
    anchored = bundle["anchors"][0]["anchoredAt"]
    question = {"bundle": bundle, "at": anchored, "subjectEmail": "eve@example.org"}
    answer = api.public.post("/v1/verify", json=question).json()
    assert (answer["status"], answer["asOf"], answer["subject"]) == ("VALID", anchored, {"matches": None})
    response = api.public.post("/v1/verify", json={"bundle": bundle, "at": "2026-01-01T00:00:00Z"})
    assert codes(response)["anchor"] == "FAIL not_anchored_yet"
    several = api.public.post("/v1/verify/batch", json={"bundles": [bundle], "at": anchored})
    assert several.json()["results"][0]["verdict"]["asOf"] == anchored


@pytest.mark.parametrize(
    ("question", "pointer"),
    [
        ({"at": "2099-01-01T00:00:00Z"}, "/at"),
        ({"at": "yesterday"}, "/at"),
        ({"at": 5}, "/at"),
        ({"subjectEmail": 5}, "/subjectEmail"),
        ({"credential": {}}, None),
        ({"bundle": None}, None),
        ({"bundle": None, "image": "§"}, "/image"),
    ],
)
def test_questions_that_cannot_be_answered(api: Api, bundle: Any, question: Any, pointer: str | None) -> None:
    answer = problem(api.public.post("/v1/verify", json={"bundle": bundle} | question), 422, "invalid_body")
    assert answer.get("pointer") == pointer


def test_other_media_types_are_refused(api: Api) -> None:
    problem(api.public.post("/v1/verify", content=b"x", headers={"Content-Type": "text/plain"}), 415, "media_type")


@pytest.mark.parametrize("path", ["/v1/credentials", "/v1/issuers/uni/keys", "/v1/batches/seal", "/metrics"])
def test_private_routes_answer_no_other_origin(api: Api, path: str) -> None:
    preflight = api.operator.options(
        path, headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    )
    assert preflight.status_code == 405
    assert "access-control-allow-origin" not in preflight.headers
