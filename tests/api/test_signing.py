"""Issuers that sign for themselves, over HTTP."""

from typing import Any

import pytest

from registry.service.operations import call_from_json
from support.fake_chain import CONTRACT, FakeSigner
from support.served import Api, Client, problem

KEY = bytes.fromhex("5e" * 20)


@pytest.fixture(scope="module")
def selfish(api: Api) -> Client:
    issuer = api.house.issuers.create("selfish", KEY, "self")
    return api.client(api.house.issuers.create_key(issuer, ["issue", "status"], "test").secret, issuer)


def sign(api: Api, request: Any, signer: bytes = KEY) -> dict[str, Any]:
    call = call_from_json(request["call"])
    deadline = api.house.clock() + 600
    signature = FakeSigner(signer).sign_call(
        chain_id=api.house.chain.chain_id, contract=CONTRACT, call=call, deadline=deadline
    )
    return {"signer": "0x" + signer.hex(), "deadline": deadline, "signature": "0x" + signature.signature.hex()}


def test_a_batch_is_anchored_with_the_issuers_own_signature(api: Api, selfish: Client) -> None:
    credential_id = selfish.submit()
    [batch] = selfish.seal()
    api.house.worker.run_once()
    body = selfish.get("/v1/signing-requests").json()
    [request] = body["requests"]
    assert request["kind"] == "anchor"
    assert request["call"]["root"] == "0x" + batch["root"]
    assert body["network"]["mark"]
    path = f"/v1/signing-requests/{request['id']}"
    wrong = {**sign(api, request), "signer": "0x" + "11" * 20}
    assert selfish.post(path, json=wrong).status_code in (202, 403)  # 403 where the signature names its signer
    problem(api.new_issuer().post(path, json=sign(api, request)), 404, "no_such_request")
    late = {**sign(api, request), "deadline": api.house.clock() + 7_200}
    problem(selfish.post(path, json=late), 422, "deadline")
    assert selfish.post(path, json=sign(api, request)).status_code == 202
    api.house.settle()
    assert selfish.get(f"/v1/credentials/{credential_id}").json()["state"] == "FINAL"
    assert selfish.get("/v1/signing-requests").json()["requests"] == []
    problem(selfish.post(path, json=sign(api, request)), 409, "not_waiting")


@pytest.mark.parametrize(
    "change",
    [{"signer": "0x"}, {"signer": 5}, {"deadline": "soon"}, {"deadline": -1}, {"deadline": 1.5}, {"signature": "0x"},
     {"signature": "0xabc"}, {"signature": "0x" + "00" * 20_000}, {"more": 1}],
)  # fmt: skip
def test_a_signature_of_another_shape_is_refused(selfish: Client, change: dict[str, Any]) -> None:
    body = {"signer": "0x" + "11" * 20, "deadline": 1, "signature": "0x00", **change}
    problem(selfish.post("/v1/signing-requests/1", json=body), 422, "invalid_body")


@pytest.mark.parametrize("identifier", ["0", "x", "-1", "9" * 16, "9" * 400])
def test_a_request_that_is_not_there_is_not_found(api: Api, selfish: Client, identifier: str) -> None:
    body = {"signer": "0x" + "11" * 20, "deadline": api.house.clock() + 60, "signature": "0x00"}
    problem(selfish.post(f"/v1/signing-requests/{identifier}", json=body), 404, "no_such_request")
