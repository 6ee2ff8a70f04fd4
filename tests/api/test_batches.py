"""Batches, leaves and the policy over HTTP."""

from typing import Any

import pytest

from registry.core.merkle import MerkleTree
from registry.core.policy import parse_policy
from support.served import Api, Client, problem


@pytest.fixture
def batch(api: Api, issuer: Client) -> Any:
    for _ in range(5):
        issuer.submit()
    [sealed] = issuer.seal()
    api.house.settle()
    return sealed


def test_sealing_takes_what_is_open_and_nothing_twice(issuer: Client) -> None:
    assert issuer.seal() == []
    issuer.submit()
    [batch] = issuer.seal()
    assert (batch["state"], batch["first"], batch["size"], batch["anchor"]) == ("SEALED", 0, 1, None)
    assert issuer.seal() == []


def test_a_batch_shows_where_it_is_anchored_and_what_that_is_worth(api: Api, batch: Any) -> None:
    body = api.public.get(f"/v1/batches/{batch['root']}/{batch['first']}").json()
    assert body["state"] == "FINAL"
    assert body["anchor"]["final"] is True
    assert body["anchor"]["network"]["chain"] == "eip155:31337"
    assert "DEVELOPMENT" in body["anchor"]["network"]["mark"]
    assert body == api.public.get(f"/v1/batches/0x{batch['root']}/{batch['first']}").json()


@pytest.mark.parametrize(
    "path",
    ["a/b", "00/0", f"{'0' * 64}/0", f"{'0' * 64}/-1", f"{'0' * 64}/{'9' * 99}", f"{'0' * 64}/01", f"{'A' * 64}/0",
     "%00/%00", f"{'0' * 64}/1e1", f"..%2F/{'0' * 64}"],
)  # fmt: skip
@pytest.mark.parametrize("tail", ["", "/leaves"])
def test_a_batch_that_is_not_there_is_not_found(api: Api, path: str, tail: str) -> None:
    response = api.public.get(f"/v1/batches/{path}{tail}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


def test_the_leaves_lead_to_the_root_packed_and_as_json(api: Api, batch: Any) -> None:
    path = f"/v1/batches/{batch['root']}/{batch['first']}/leaves"
    packed = api.public.get(path)
    assert packed.headers["content-type"] == "application/octet-stream"
    assert "immutable" in packed.headers["cache-control"]
    assert packed.headers["vary"] == "Accept"
    assert MerkleTree.from_packed(packed.content).root.hex() == batch["root"]
    listed = api.public.get(path, headers={"Accept": "application/json"})
    assert bytes.fromhex("".join(listed.json()["leaves"])) == packed.content
    assert len({packed.headers["etag"], listed.headers["etag"]}) == 2
    for accept, tag in (("*/*", packed.headers["etag"]), ("application/json", listed.headers["etag"])):
        again = api.public.get(path, headers={"Accept": accept, "If-None-Match": f'"other", W/{tag}'})
        assert (again.status_code, again.content) == (304, b"")


def test_the_listing_pages_through_all_batches_of_an_issuer(api: Api, issuer: Client) -> None:
    assert issuer.issuer
    for _ in range(5):
        issuer.submit()
        issuer.seal()
    seen: list[int] = []
    cursor: str | None = None
    for _ in range(3):
        query = {"issuer": issuer.issuer.name, "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = api.public.get("/v1/batches", params=query).json()
        seen += [item["first"] for item in page["batches"]]
        cursor = page["next"]
    assert (seen, cursor) == ([0, 1, 2, 3, 4], None)
    assert {item["issuer"] for item in page["batches"]} == {issuer.issuer.name}


def test_the_listing_refuses_what_it_does_not_know(api: Api) -> None:
    problem(api.public.get("/v1/batches", params={"issuer": "nobody"}), 404, "no_such_issuer")
    problem(api.public.get("/v1/batches", params={"issuer": "x" * 64}), 422, "invalid_parameter")
    problem(api.public.get("/v1/batches", params={"cursor": "Y3JlZGVudGlhbHM6MA"}), 400, "bad_cursor")
    problem(api.public.get("/v1/batches", params={"limit": "1001"}), 422, "invalid_parameter")


def test_the_policy_is_a_file_that_the_verifier_takes(api: Api, issuer: Client) -> None:
    assert issuer.issuer
    policy = parse_policy(api.public.get("/v1/policy").content)
    assert issuer.issuer.pin in policy.issuers
