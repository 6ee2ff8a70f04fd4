"""DID documents and status lists over HTTP, as verifiers of the world read them, who know nothing of this registry."""

from typing import Any
from urllib.parse import unquote

import pytest

from anchors import base
from registry.core.canonical import parse_json
from registry.core.notation import time_text
from registry.standards.did.document import parse_did_document
from registry.standards.proofs.report import ProofStatus
from registry.standards.proofs.verifying import verify_proofs
from registry.standards.statuslist import check_status
from support.served import Api, Client, fresh, problem

PUBLIC = "https://registry.example"


class Outsider:
    """Knows nothing but a credential, and asks what it names; ``PUBLIC`` leads to the test's server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get(self, url: str, **parameters: Any) -> Any:
        assert url.startswith(f"{PUBLIC}/")
        response = self._api.public.get(url.removeprefix(PUBLIC), params=parameters)
        assert response.status_code == 200, response.text
        return parse_json(response.content)

    def resolve(self, did: str) -> Any:
        """did:web method specification, section 3.2."""
        host, *path = did.removeprefix("did:web:").split(":")
        return self.get("/".join([f"https://{unquote(host)}", *path, "did.json"]))

    def status(self, credential: Any, **parameters: Any) -> str:
        """The check's code, after the proofs of credential and list were found good."""
        issuer = credential["issuer"]
        document = parse_did_document(self.resolve(issuer), issuer)
        entry = credential["credentialStatus"]
        status_list = self.get(entry["statusListCredential"], **parameters)
        now = self._api.house.clock()
        for secured in (credential, status_list):
            assert verify_proofs(secured, document.key, now, controller=issuer).status is ProofStatus.GOOD
        return str(check_status(entry, status_list, credential_issuer=issuer, now=now).code)


def settle(api: Api) -> None:
    """Lets so much time pass that the chain's clock, which counts at least a second for each block, is behind again."""
    api.house.settle()
    api.house.clock.advance(60)


def anchored(api: Api, client: Client, count: int = 1) -> list[tuple[str, Any]]:
    """Credentials on chain: their ids here, and what holders have."""
    ids = [client.submit() for _ in range(count)]
    client.seal()
    settle(api)
    return [(each, api.public.get(f"/v1/credentials/{each}/bundle").json()["credential"]) for each in ids]


def test_an_outsider_sees_a_revocation_when_it_is_on_chain(api: Api, issuer: Client) -> None:
    outsider = Outsider(api)
    (one, credential), (_, other) = anchored(api, issuer, 2)
    assert outsider.status(credential) == "ok"
    assert issuer.post(f"/v1/credentials/{one}/status", json={"action": "revoke"}).status_code == 202
    assert outsider.status(credential) == "ok"  # announced is not on chain
    settle(api)
    assert outsider.status(credential) == "revoked"
    assert outsider.status(other) == "ok"


def test_an_outsider_sees_a_voided_batch(api: Api, issuer: Client) -> None:
    assert issuer.issuer
    outsider = Outsider(api)
    [(_, kept)] = anchored(api, issuer)
    void = anchored(api, issuer, 3)
    batch = api.public.get("/v1/batches", params={"issuer": issuer.issuer.name}).json()["batches"][-1]
    assert [outsider.status(credential) for _, credential in void] == ["ok"] * 3
    call = base.RevokeBatch(issuer.issuer.address, bytes.fromhex(batch["root"]), batch["first"])
    api.house.chain._send_foreign(issuer.issuer.address, api.house.chain.encode(call))
    settle(api)
    assert [outsider.status(credential) for _, credential in void] == ["revoked"] * 3
    assert outsider.status(kept) == "ok"


def test_an_outsider_can_ask_about_the_past(api: Api, issuer: Client) -> None:
    outsider = Outsider(api)
    [(one, credential)] = anchored(api, issuer)
    before = time_text(api.house.clock())
    api.house.clock.advance(100)
    issuer.post(f"/v1/credentials/{one}/status", json={"action": "revoke"})
    settle(api)
    url = credential["credentialStatus"]["statusListCredential"]
    then = outsider.get(url, timestamp=before)
    entry = credential["credentialStatus"]
    at = api.house.clock() - 200
    assert check_status(entry, then, credential_issuer=credential["issuer"], now=at).code == "ok"
    assert outsider.status(credential) == "revoked"
    east = before.replace("Z", "+00:00")
    assert outsider.get(url, timestamp=east) == then


def test_an_outsider_still_accepts_what_a_replaced_key_signed(api: Api, issuer: Client) -> None:
    assert issuer.issuer
    outsider = Outsider(api)
    [(_, credential)] = anchored(api, issuer)
    rotated = api.operator.post(f"/v1/issuers/{issuer.issuer.name}/rotate", json={})
    assert (rotated.status_code, rotated.json()["key"], rotated.json()["claimed"]) == (202, "key-2", True)
    settle(api)
    assert outsider.status(credential) == "ok"
    methods = outsider.resolve(issuer.issuer.did)["verificationMethod"]
    assert [method["id"].partition("#")[2] for method in methods][:2] == ["key-1", "key-2"]
    assert "expires" in methods[0]


# --- what it says, how it is cached ---


def test_a_did_document_names_keys_account_and_where_auditors_read_on(api: Api, issuer: Client) -> None:
    assert issuer.issuer
    response = api.public.get(f"/issuers/{issuer.issuer.name}/did.json")
    assert response.headers["content-type"] == "application/did+json"
    [service] = response.json()["service"]
    assert service["type"] == "CredentialRegistry"
    about = Outsider(api).get(service["serviceEndpoint"])
    assert about["did"] == issuer.issuer.did
    assert Outsider(api).get(about["links"]["didDocument"]) == response.json()
    assert Outsider(api).get(about["links"]["revocation"])["issuer"] == issuer.issuer.did


def list_path(api: Api, client: Client) -> str:
    assert client.issuer
    anchored(api, client)
    return f"/issuers/{client.issuer.name}/status/revocation/0"


def test_answers_can_be_cached_read_by_pages_and_asked_for_by_head(api: Api, issuer: Client) -> None:
    assert issuer.issuer
    for path in (list_path(api, issuer), f"/issuers/{issuer.issuer.name}/did.json"):
        response = api.public.get(path)
        assert response.status_code == 200
        assert response.headers["cache-control"] == "public, max-age=60"
        assert response.headers["access-control-allow-origin"] == "*"
        again = api.public.get(path, headers={"If-None-Match": response.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        head = api.public.head(path)
        assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", response.headers["etag"])
        assert head.headers["content-length"] == str(len(response.content))


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/vc"),
        ("*/*", "application/vc"),
        ("application/vc", "application/vc"),
        ("application/vc, application/json", "application/vc"),
        ("application/json", "application/json"),
        ("application/ld+json, application/json;q=0.9", "application/ld+json"),
        ("text/html", "application/vc"),
        (",;,=", "application/vc"),
    ],
)
def test_a_list_has_the_type_that_is_asked_for(api: Api, issuer: Client, accept: str | None, media_type: str) -> None:
    path = list_path(api, issuer)
    response = api.public.get(path, headers={"Accept": accept} if accept else {})
    assert response.headers["content-type"] == media_type
    assert response.headers["vary"] == "Accept"
    assert response.json()["type"] == ["VerifiableCredential", "BitstringStatusListCredential"]


# --- what is not there ---


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/issuers/nobody/did.json", "no_such_issuer"),
        ("/issuers/nobody/status/revocation/0", "no_such_issuer"),
        ("/issuers/{name}/status/refresh/0", "no_such_list"),
        ("/issuers/{name}/status/revocation/1", "no_such_list"),
        ("/issuers/{name}/status/revocation/01", "no_such_list"),
        ("/issuers/{name}/status/revocation/-1", "no_such_list"),
        ("/issuers/{name}/status/revocation/x", "no_such_list"),
        ("/issuers/{name}/status/revocation/99999999999", "no_such_list"),
        ("/issuers/{name}/status/revocation/999999999999", "no_such_list"),
        ("/issuers/{name}/status/%00/0", "no_such_list"),
        ("/issuers/{name}/status/revocation", "no_such_resource"),
        ("/.well-known/did.json", "no_did_document"),
    ],
)
def test_what_is_not_there_is_not_found(api: Api, issuer: Client, path: str, code: str) -> None:
    assert issuer.issuer
    settle(api)
    problem(api.public.get(path.replace("{name}", issuer.issuer.name)), 404, code)


@pytest.mark.parametrize(
    "timestamp",
    ["", "yesterday", "1800000000", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00 01:00",
     "2026-13-01T00:00:00Z", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "\0"],
)  # fmt: skip
def test_a_time_that_is_none_or_cannot_be_told(api: Api, issuer: Client, timestamp: str) -> None:
    path = list_path(api, issuer)
    problem(api.public.get(path, params={"timestamp": timestamp}), 400, "timestamp")


def test_a_time_of_endless_length(api: Api, issuer: Client) -> None:
    assert issuer.issuer
    path = f"/issuers/{issuer.issuer.name}/status/revocation/0"
    problem(api.public.get(path, params={"timestamp": "2" * 1_000}), 422, "invalid_parameter")


def test_without_the_chain_the_past_is_not_told_and_the_present_is(api: Api, issuer: Client) -> None:
    path = list_path(api, issuer)
    api.house.chain.unreachable = True
    try:
        response = api.public.get(path, params={"timestamp": time_text(api.house.clock() - 30)})
        problem(response, 503, "chain_unavailable")
        assert api.public.get(path).status_code == 200
    finally:
        api.house.chain.unreachable = False


def test_who_signs_itself_publishes_itself_unless_it_hands_its_document_over(api: Api) -> None:
    own = {"mode": "self", "address": "0x" + "31" * 20, "did": "did:web:own.example"}
    assert api.operator.post("/v1/issuers", json={"name": "own", **own}).json()["issuer"]["signs"] == "none"
    settle(api)
    problem(api.public.get("/issuers/own/did.json"), 404, "no_did_document")
    problem(api.public.get("/issuers/own/status/revocation/0"), 404, "list_not_signed_here")

    document = {"id": "did:web:handed.example", "verificationMethod": []}
    handed = {"mode": "self", "address": "0x" + "32" * 20, "did": document["id"], "didDocument": document}
    assert api.operator.post("/v1/issuers", json={"name": "handed", **handed}).status_code == 201
    assert api.public.get("/issuers/handed/did.json").json() == document


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"signs": "everywhere"}, "invalid_body", "/signs"),
        ({"signs": "hosted", "did": "did:key:z6Mk"}, "signs", "/signs"),
        ({"signs": "hosted", "didDocument": {"id": "did:web:registry.example:issuers:odd"}}, "signs", "/signs"),
        ({"didDocument": {"id": "did:web:other.example"}}, "did_document", "/didDocument"),
        ({"didDocument": []}, "invalid_body", "/didDocument"),
    ],
)
def test_an_issuer_whose_signing_cannot_be_is_refused(api: Api, body: Any, code: str, pointer: str) -> None:
    answer = problem(api.operator.post("/v1/issuers", json={"name": "odd", **body}), 422, code)
    assert answer["pointer"] == pointer


def test_the_issuer_that_is_the_host_itself(api: Api) -> None:
    body = {"name": "root", "did": "did:web:registry.example", "signs": "hosted"}
    assert api.operator.post("/v1/issuers", json=body).status_code == 201
    assert Outsider(api).get(f"{PUBLIC}/.well-known/did.json")["id"] == "did:web:registry.example"
    assert api.public.get("/.well-known/did.json").content == api.public.get("/issuers/root/did.json").content


def test_claims_and_rotations_are_the_operators(api: Api, issuer: Client) -> None:
    assert issuer.issuer
    settle(api)
    path = f"/v1/issuers/{issuer.issuer.name}"
    problem(api.operator.post(f"{path}/claim"), 409, "already_claimed")
    problem(api.operator.post(f"{path}/rotate", json={"compromised": "yes"}), 422, "invalid_body")
    rotated = api.operator.post(f"{path}/rotate", json={"compromised": True})
    assert rotated.json() == {"key": "key-2", "claimed": True, "resigned": 0, "note": None}
    problem(api.operator.post(f"{path}/rotate", json={}), 409, "just_rotated")
    assert api.operator.post(f"{path}/claim").status_code == 202  # again, instead of the one under way
    problem(api.operator.post("/v1/issuers/nobody/rotate", json={}), 404, "no_such_issuer")
    problem(issuer.post(f"{path}/rotate", json={}), 403, "scope")


def test_a_self_signing_issuer_finds_its_claim_among_its_signing_requests(api: Api) -> None:
    body = {"name": "selfclaim", "mode": "self", "address": "0x" + "33" * 20, "signs": "hosted"}
    made = api.operator.post("/v1/issuers", json=body).json()
    client = api.client(made["apiKey"]["secret"])
    [request] = client.get("/v1/signing-requests").json()["requests"]
    assert request["kind"] == "set_did"
    assert client.post("/v1/credentials", json={"credential": fresh()}).status_code == 202
