"""The VC API, with the requests that the W3C test suites make: their shapes and codes, our own inputs."""

import base64
import copy
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.standards.did.key import did_key
from registry.standards.keys import DID_KEY, LocalSigner
from registry.standards.proofs.creating import add_proofs
from registry.standards.proofs.jose import envelope
from registry.standards.proofs.publickey import ed25519_key
from support.served import Api, Client, problem

V2 = "https://www.w3.org/ns/credentials/v2"
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
SUITES = ("eddsa-rdfc-2022", "eddsa-jcs-2022")
SUITE = pytest.mark.parametrize("suite", SUITES)


def credential(**more: Any) -> dict[str, Any]:
    return {
        "@context": [V2],
        "id": f"urn:uuid:{uuid4()}",
        "type": ["VerifiableCredential"],
        "credentialSubject": {"id": "did:example:subject", "name": "Zoë"},
        **more,
    }


def without(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}


@pytest.fixture
def did_issuer(api: Api) -> Client:
    issuer = api.house.hosting.create(f"key-{uuid4().hex[:8]}", DID_KEY)
    return api.client(api.house.issuers.create_key(issuer, ["issue", "status"], "").secret, issuer)


def post_issue(client: Client, document: Any, **options: Any) -> Any:
    return client.post("/credentials/issue", json={"credential": document, **({"options": options} if options else {})})


def issue(client: Client, document: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    response = post_issue(client, document or credential(), **options)
    assert response.status_code == 201, response.text
    secured: dict[str, Any] = response.json()["verifiableCredential"]
    return secured


def verify(api: Api, document: Any, *, kind: str = "credential", **options: Any) -> Any:
    member = f"verifiable{kind.capitalize()}"
    body = {member: document, **({"options": options} if options else {})}
    return api.public.post(f"/{kind}s/verify", json=body)


def refused(api: Api, document: Any, code: str | None = None, *, kind: str = "credential", **options: Any) -> Any:
    body = problem(verify(api, document, kind=kind, **options), 400, "not_verified")
    assert body["verified"] is False
    assert body["errors"]
    if code is not None:
        assert code in [error["code"] for error in body["errors"]], body["errors"]
    return body


# --- issuing ----------------------------------------------------------------------------------------------------------


def test_a_credential_comes_back_secured_at_once(api: Api, did_issuer: Client) -> None:
    posted = credential()
    secured = issue(did_issuer, posted)
    assert secured["issuer"] == did_issuer.issuer.did
    assert {name: secured[name] for name in posted} == posted
    assert "validFrom" not in secured
    assert [proof["cryptosuite"] for proof in secured["proof"]] == list(SUITES)
    answer = verify(api, secured, checks=["proof"])
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"verified": True, "checks": ["proof", "validityPeriod"], "warnings": [], "errors": []}


@SUITE
def test_a_suite_can_be_asked_for(api: Api, did_issuer: Client, suite: str) -> None:
    secured = issue(did_issuer, cryptosuite=suite)
    [proof] = secured["proof"]
    method = did_issuer.issuer.did + "#" + did_issuer.issuer.did.removeprefix("did:key:")
    assert (proof["type"], proof["cryptosuite"], proof["proofPurpose"]) == (
        "DataIntegrityProof", suite, "assertionMethod",
    )  # fmt: skip
    assert proof["verificationMethod"] == method
    assert verify(api, secured, checks=["proof"]).json()["verified"] is True


def test_an_unknown_suite_is_refused_and_other_options_do_no_harm(did_issuer: Client) -> None:
    problem(post_issue(did_issuer, credential(), cryptosuite="ecdsa-sd-2023"), 400, "invalid_body")
    issue(did_issuer, anything="else", type="DataIntegrityProof")


def test_the_credential_is_anchored_like_any_other(api: Api, did_issuer: Client) -> None:
    secured = issue(did_issuer)
    did_issuer.seal()
    api.house.settle()
    [found] = did_issuer.get("/v1/credentials", params={"credentialId": secured["id"]}).json()["credentials"]
    bundle = api.public.get(f"/v1/credentials/{found['id']}/bundle").json()
    assert bundle["credential"] == secured
    assert secured["credentialStatus"]["statusListIndex"] == str(found["index"])


def test_the_same_request_gives_the_same_credential(did_issuer: Client) -> None:
    posted = credential()
    first = issue(did_issuer, posted)
    assert issue(did_issuer, posted) == first
    response = post_issue(did_issuer, {**posted, "name": "another"})
    problem(response, 409, "id_reused")


def test_an_id_is_given_where_there_is_none(did_issuer: Client) -> None:
    posted = without(credential(), "id")
    first, second = issue(did_issuer, posted), issue(did_issuer, posted)
    assert first["id"].startswith("urn:uuid:")
    assert first["id"] != second["id"]


@pytest.mark.parametrize("named", ["did:example:someone", {"id": "did:example:someone", "name": "Someone"}])
def test_it_issues_in_its_own_name_only(did_issuer: Client, named: Any) -> None:
    secured = issue(did_issuer, credential(issuer=named))
    own = did_issuer.issuer.did
    assert secured["issuer"] == ({**named, "id": own} if isinstance(named, dict) else own)


@pytest.mark.parametrize(
    "more",
    [
        {"@context": [V2, EXAMPLES], "type": ["VerifiableCredential", "ExampleAlumniCredential"]},
        {"@context": [V2, {"Thing": "https://example.org/vocab#Thing"}], "type": ["VerifiableCredential", "Thing"]},
        {"validFrom": "2023-02-26T00:37:06Z", "validUntil": "2124-01-01T00:00:00+02:00"},
        {"validUntil": "2020-01-01T00:00:00Z"},
        {"credentialSubject": [{"id": "did:example:a"}, {"id": "did:example:b"}]},
        {"name": {"@value": "Titel", "@language": "de"}, "description": "what it is"},
        {"credentialSchema": {"id": "https://example.org/schema.json", "type": "JsonSchema"}},
    ],
)
def test_any_conforming_credential_is_issued(did_issuer: Client, more: dict[str, Any]) -> None:
    issue(did_issuer, credential(**more))


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"@context": [EXAMPLES, V2]}, "/credential/@context"),
        ({"@context": []}, "/credential/@context"),
        ({"type": ["ExampleAlumniCredential"]}, "/credential/type"),
        ({"type": ["VerifiableCredential", "UnmappedType"]}, "/credential/type"),
        ({"id": "no url"}, "/credential/id"),
        ({"id": ["urn:a:b", "urn:a:c"]}, "/credential/id"),
        ({"issuer": "no url"}, "/credential/issuer"),
        ({"issuer": None}, "/credential/issuer"),
        ({"issuer": {"id": None}}, "/credential/issuer"),
        ({"issuer": {"name": "nobody"}}, "/credential/issuer"),
        ({"credentialSubject": {}}, "/credential/credentialSubject"),
        ({"credentialSubject": []}, "/credential/credentialSubject"),
        ({"credentialSubject": "did:example:subject"}, "/credential/credentialSubject"),
        ({"validFrom": "yesterday"}, "/credential/validFrom"),
        ({"validFrom": "2024-01-02T00:00:00Z", "validUntil": "2024-01-01T00:00:00Z"}, "/credential/validUntil"),
        ({"credentialStatus": {"id": "urn:a:b"}}, "/credential/credentialStatus"),
        ({"credentialSchema": {"id": "https://example.org/"}}, "/credential/credentialSchema"),
        ({"statusEntry": {"type": "BitstringStatusListEntry", "statusListIndex": True}}, "/credential/statusEntry"),
        ({"proof": {"type": "DataIntegrityProof"}}, "/credential/proof"),
        ({"evidence": {"id": "urn:a:b"}}, "/credential/evidence"),
    ],
)
def test_what_does_not_conform_is_refused_where_it_does_not(
    did_issuer: Client, more: dict[str, Any], pointer: str
) -> None:
    response = post_issue(did_issuer, credential(**more))
    assert response.status_code == 400, response.text
    body = response.json()
    told = [body.get("pointer", "")] + [error["pointer"] for error in body.get("errors", [])]
    assert any(place.startswith(pointer) for place in told), body


@pytest.mark.parametrize("name", ["@context", "type", "credentialSubject"])
def test_what_is_missing_is_refused(did_issuer: Client, name: str) -> None:
    assert post_issue(did_issuer, without(credential(), name)).status_code == 400


def test_a_badge_is_checked_as_strictly_as_elsewhere(did_issuer: Client) -> None:
    contexts = [V2, "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"]
    badge = credential(**{"@context": contexts, "type": ["VerifiableCredential", "OpenBadgeCredential"]})
    problem(post_issue(did_issuer, badge), 400, "open_badge")


def test_another_registrys_status_entry_stays_alone(api: Api, did_issuer: Client) -> None:
    url = "https://status.example/1"
    entry = {
        "id": f"{url}#5", "type": "BitstringStatusListEntry", "statusPurpose": "revocation",
        "statusListIndex": "5", "statusListCredential": url,
    }  # fmt: skip
    secured = issue(did_issuer, credential(credentialStatus=entry))
    assert secured["credentialStatus"] == entry
    assert verify(api, secured, checks=["proof"]).status_code == 200
    refused(api, secured, "status_list_unreachable", checks=["proof", "credentialStatus"])


def test_an_entry_of_our_own_lists_is_ours_to_give(did_issuer: Client) -> None:
    url = f"{did_issuer.issuer.status_base}/revocation/0"
    entry = {
        "type": "BitstringStatusListEntry", "statusPurpose": "revocation", "statusListIndex": "5",
        "statusListCredential": url,
    }  # fmt: skip
    problem(post_issue(did_issuer, credential(credentialStatus=entry)), 400, "not_allowed")


def test_an_issuer_that_signs_elsewhere_cannot_issue_here(api: Api) -> None:
    issuer = api.house.hosting.create(f"else-{uuid4().hex[:8]}", f"did:example:{uuid4().hex}")
    client = api.client(api.house.issuers.create_key(issuer, ["issue"], "").secret, issuer)
    problem(post_issue(client, credential()), 409, "not_signed_here")


def test_a_did_key_cannot_be_rotated(api: Api, did_issuer: Client) -> None:
    with pytest.raises(Exception, match="named by its key") as caught:
        api.house.hosting.rotate(did_issuer.issuer)
    assert caught.value.code == "did_key"  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="no other one"):
        api.house.rings.rotate(did_issuer.issuer.name, api.house.clock.now + 10, overlap_seconds=0)


# --- who may ----------------------------------------------------------------------------------------------------------


def test_issuing_takes_a_key_with_the_scope(api: Api) -> None:
    problem(post_issue(api.public, credential()), 401, "no_api_key")
    problem(post_issue(api.new_issuer("status"), credential()), 403, "scope")
    problem(post_issue(api.operator, credential()), 403, "scope")


@pytest.fixture
def trial(api: Api, did_issuer: Client) -> Iterator[Client]:
    api.registry.settings.vc_api_issuer = did_issuer.issuer.name
    yield did_issuer
    api.registry.settings.vc_api_issuer = None


def test_the_trial_issuer_needs_no_key(api: Api, trial: Client) -> None:
    secured = issue(api.public)
    assert secured["issuer"] == trial.issuer.did
    body = {
        "credentialId": secured["id"],
        "credentialStatus": {"type": "BitstringStatusListEntry", "statusPurpose": "suspension"},
    }
    assert api.public.post("/credentials/status", json=body).status_code == 200


def test_a_wrong_key_is_no_missing_key(api: Api, trial: Client) -> None:
    problem(post_issue(api.client("crk_wrong"), credential()), 401, "unknown_api_key")
    problem(post_issue(api.new_issuer("status"), credential()), 403, "scope")
    problem(api.public.post("/v1/credentials", json={"credential": credential()}), 401, "no_api_key")


# --- verifying --------------------------------------------------------------------------------------------------------


@SUITE
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda vc: vc.pop("proof"), "no_proof"),
        (lambda vc: vc.update(proof=None), None),
        (lambda vc: vc["proof"].pop("type"), None),
        (lambda vc: vc["proof"].update(type="UnknownProofType"), "unknown_suite"),
        (lambda vc: vc["proof"].pop("verificationMethod"), None),
        (lambda vc: vc["proof"].update(verificationMethod="did:key:invalidVm"), None),
        (lambda vc: vc["proof"].pop("proofPurpose"), None),
        (lambda vc: vc["proof"].update(proofPurpose="invalidPurpose"), None),
        (lambda vc: vc["proof"].pop("proofValue"), None),
        (lambda vc: vc["proof"].update(proofValue=None), None),
        (lambda vc: vc["proof"].update(proofValue=vc["proof"]["proofValue"][1:]), "bad_multibase"),
        (lambda vc: vc["proof"].update(proofValue=vc["proof"]["proofValue"] + "11111"), None),
        (lambda vc: vc["proof"].update(created="invalidDate"), None),
        (lambda vc: vc["proof"].update(cryptosuite="UnknownCryptosuite"), "unknown_suite"),
        (lambda vc: vc["proof"].update(cryptosuite=SUITES[vc["proof"]["cryptosuite"] == SUITES[0]]), None),
        (lambda vc: vc["credentialSubject"].update(name="Mallory"), "signature_invalid"),
        (lambda vc: vc.update(issuer="did:example:someone"), "wrong_controller"),
        (lambda vc: vc.update({"@context": []}), None),
    ],
)
def test_what_is_wrong_with_a_proof_is_refused(
    api: Api, did_issuer: Client, suite: str, change: Any, code: str | None
) -> None:
    secured = issue(did_issuer, cryptosuite=suite)
    [secured["proof"]] = secured["proof"]
    assert verify(api, secured, checks=["proof"]).status_code == 200
    changed = copy.deepcopy(secured)
    change(changed)
    refused(api, changed, code, checks=["proof"])


def test_the_purpose_challenge_and_domain_that_were_asked_for_are_compared(api: Api, did_issuer: Client) -> None:
    secured = issue(did_issuer)
    assert verify(api, secured, checks=["proof"], expectedProofPurpose="assertionMethod").status_code == 200
    refused(api, secured, "wrong_proofpurpose", checks=["proof"], expectedProofPurpose="authentication")
    refused(api, secured, "wrong_challenge", checks=["proof"], challenge="abc")
    refused(api, secured, "wrong_domain", checks=["proof"], domain="domain.example")


def test_a_token_is_a_claim_and_for_nobodys_challenge(api: Api) -> None:
    holder = Holder()
    token = _token(holder, credential(issuer=holder.did))
    for item in (token, envelope(token)):
        assert verify(api, item, expectedProofPurpose="assertionMethod").status_code == 200
        refused(api, item, "wrong_proofpurpose", expectedProofPurpose="authentication")
        refused(api, item, "wrong_challenge", challenge="abc")


def _token(holder: "Holder", content: dict[str, Any]) -> str:
    header = {"alg": "EdDSA", "typ": "vc+jwt", "kid": holder.signer.verification_method}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, content)]
    signature = holder.signer.sign(".".join(parts).encode())
    return ".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=").decode()])


def test_what_was_not_looked_at_is_told(api: Api, did_issuer: Client) -> None:
    answer = verify(api, issue(did_issuer), checks=["proof", "horoscope"], moon="full").json()
    assert answer["verified"] is True
    assert [(item["code"], item["pointer"]) for item in answer["warnings"]] == [
        ("unknown_option", "/options"),
        ("unknown_check", "/options/checks"),
    ]


def test_a_list_that_nobody_can_read_is_not_verified(api: Api, did_issuer: Client) -> None:
    secured = issue(did_issuer, credential(validUntil="2020-01-01T00:00:00Z"))
    body = refused(api, secured, "expired")
    [found] = [error for error in body["errors"] if error["pointer"] == "/verifiableCredential/credentialStatus"]
    assert found["type"] == "https://www.w3.org/ns/credentials/status-list#STATUS_RETRIEVAL_ERROR"


@pytest.mark.parametrize("document", [{}, {"type": "EnvelopedVerifiableCredential", "id": "data:x"}, "a.b.c", "", "…"])
def test_what_is_no_credential_is_not_verified(api: Api, document: Any) -> None:
    refused(api, document)


@pytest.mark.parametrize("body", [{}, [], 1, {"verifiableCredential": 1}, {"verifiableCredential": {}, "x": 1}])
def test_what_is_no_request_is_a_400(api: Api, body: Any) -> None:
    for path in ("/credentials/verify", "/presentations/verify"):
        problem(api.public.post(path, json=body), 400, "invalid_body")


def test_any_page_may_verify_and_none_may_issue(api: Api) -> None:
    headers = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    assert api.public.options("/credentials/verify", headers=headers).headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in api.public.options("/credentials/issue", headers=headers).headers


# --- presentations ----------------------------------------------------------------------------------------------------


class Holder:
    def __init__(self) -> None:
        key = Ed25519PrivateKey.generate()
        self.did = did_key(ed25519_key(key.public_key().public_bytes_raw()))
        self.signer = LocalSigner(f"{self.did}#{self.did.removeprefix('did:key:')}", key)

    def present(self, api: Api, held: Any = (), purpose: str = "authentication", **more: Any) -> dict[str, Any]:
        document = {"@context": [V2], "type": ["VerifiablePresentation"], "verifiableCredential": list(held), **more}
        made = add_proofs(document, self.signer, api.house.clock.now, suites=SUITES[:1], purpose=purpose)
        [made["proof"]] = made["proof"]
        return made


@pytest.mark.parametrize("purpose", ["authentication", "assertionMethod"])
def test_a_presentation_is_verified_with_what_is_in_it(api: Api, did_issuer: Client, purpose: str) -> None:
    holder = Holder()
    held = [issue(did_issuer), issue(did_issuer)]
    for more in ({}, {"holder": holder.did}, {"holder": {"id": holder.did}}, {"id": "urn:example:vp"}):
        made = holder.present(api, held, purpose, **more)
        answer = verify(api, made, kind="presentation", checks=["proof"])
        assert answer.status_code == 200, answer.text
    assert verify(api, holder.present(api), kind="presentation", checks=[]).status_code == 200


def test_a_bad_credential_spoils_a_presentation(api: Api, did_issuer: Client) -> None:
    secured = issue(did_issuer)
    secured["credentialSubject"]["name"] = "Mallory"
    body = refused(api, Holder().present(api, [secured]), "signature_invalid", kind="presentation", checks=["proof"])
    assert body["errors"][0]["pointer"] == "/verifiablePresentation/verifiableCredential/0/proof/0"


def test_a_holders_own_word_has_to_be_the_holders(api: Api) -> None:
    holder = Holder()
    said = credential(issuer=holder.did)
    assert verify(api, holder.present(api, [said], holder=holder.did), kind="presentation").status_code == 200
    refused(api, holder.present(api, [said]), "not_self_asserted", kind="presentation")
    refused(api, holder.present(api, [said], holder="did:example:acme"), "wrong_controller", kind="presentation")
    other = credential(issuer="did:example:acme")
    refused(api, holder.present(api, [other], holder=holder.did), "not_self_asserted", kind="presentation")


def test_a_holder_that_is_no_did_cannot_speak_for_itself(api: Api) -> None:
    # Anybody's key makes such a proof: it would be a credential of any issuer that has an https address for a name.
    somebody, name = Holder(), "https://university.example"
    said = credential(issuer=name)
    refused(api, somebody.present(api, [said], holder=name), "not_self_asserted", kind="presentation")
    answer = verify(api, somebody.present(api, holder=name), kind="presentation")
    assert answer.status_code == 200
    assert [(item["code"], item["pointer"]) for item in answer.json()["warnings"]] == [
        ("key_owner_unknown", "/verifiablePresentation/holder")
    ]


def test_a_presentation_has_to_be_proven_and_conform(api: Api) -> None:
    holder = Holder()
    made = holder.present(api)
    refused(api, without(made, "proof"), "no_proof", kind="presentation")
    refused(api, {**made, "id": "urn:example:later"}, "signature_invalid", kind="presentation")
    refused(api, holder.present(api, holder={"name": "nobody"}), kind="presentation")
    refused(api, holder.present(api, ["https://example.org/vc"]), kind="presentation")
    refused(api, made, "wrong_challenge", kind="presentation", challenge="abc")
    refused(api, {**made, "verifiableCredential": [{}] * 33}, kind="presentation")
    enveloped = {"@context": [V2], "type": "EnvelopedVerifiablePresentation", "id": "data:application/vp+jwt,a.b.c"}
    refused(api, enveloped, "envelope_unreadable", kind="presentation")


# --- status -----------------------------------------------------------------------------------------------------------


def change(client: Client, credential_id: str, purpose: str, **more: Any) -> Any:
    entry = {"type": "BitstringStatusListEntry", "statusPurpose": purpose}
    return client.post("/credentials/status", json={"credentialId": credential_id, "credentialStatus": entry, **more})


def test_revoked_suspended_and_reinstated(api: Api, did_issuer: Client) -> None:
    name = issue(did_issuer)["id"]
    for purpose, more, action in (
        ("suspension", {"status": True}, "suspend"),
        ("suspension", {"status": False}, "reinstate"),
        ("revocation", {}, "revoke"),
    ):
        response = change(did_issuer, name, purpose, **more)
        assert response.status_code == 200, response.text
        assert response.json() == {"credentialId": name, "action": action, "state": "WAITING"}
    problem(change(did_issuer, name, "suspension"), 409, "revoked")
    problem(change(did_issuer, name, "revocation", status=False), 400, "revocation_is_final")


def test_revoking_before_the_anchor_is_seen_by_those_who_have_it(api: Api, did_issuer: Client) -> None:
    """It was given out: withdrawing it silently would leave its status entry clear for ever."""
    secured = issue(did_issuer)
    assert change(did_issuer, secured["id"], "revocation").json()["state"] == "WAITING"
    did_issuer.seal()
    api.house.settle()
    api.house.settle()
    [found] = did_issuer.get("/v1/credentials", params={"credentialId": secured["id"]}).json()["credentials"]
    verdict = api.house.verify(found["id"])
    assert [check.code for check in verdict.checks if check.name == "revocation"] == ["revoked"]


def test_the_entry_if_named_has_to_be_the_credentials(did_issuer: Client) -> None:
    secured = issue(did_issuer)
    entry = secured["credentialStatus"]
    body = {"credentialId": secured["id"], "credentialStatus": {**entry, "statusListIndex": "131071"}}
    problem(did_issuer.post("/credentials/status", json=body), 400, "status_index")
    body["credentialStatus"] = entry
    assert did_issuer.post("/credentials/status", json={**body, "indexAllocator": "x"}).status_code == 200


def test_whose_status_it_is(api: Api, did_issuer: Client) -> None:
    secured = issue(did_issuer)
    problem(change(api.new_issuer(), secured["id"], "revocation"), 404, "no_such_credential")
    problem(change(did_issuer, "urn:none", "revocation"), 404, "no_such_credential")
    problem(change(did_issuer, "\0", "revocation"), 404, "no_such_credential")
    problem(change(api.public, secured["id"], "revocation"), 401, "no_api_key")
    problem(change(did_issuer, secured["id"], "message"), 400, "invalid_body")


# --- hostile ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/credentials/issue", "/credentials/verify", "/presentations/verify", "/credentials/status"]
)
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'{"a":1,"a":2}', b"[" * 100_000, b'{"credential":NaN}', b"\xff\xfe",
        b'{"credential":' * 2_000,
    ],
)  # fmt: skip
def test_hostile_bodies_are_client_errors(did_issuer: Client, path: str, body: bytes) -> None:
    response = did_issuer.post(path, content=body, headers={"Content-Type": "application/json"})
    assert 400 <= response.status_code < 500, response.text


def test_hostile_documents_are_client_errors(api: Api, did_issuer: Client) -> None:
    deep: Any = {}
    for _ in range(60):
        deep = {"name": deep}
    nodes = [{"id": f"_:b{number}", "name": f"_:b{(number + 1) % 40}"} for number in range(400)]
    for hostile in (
        {"credentialSubject": deep}, {"credentialSubject": nodes}, {"@context": [V2, {"@import": "https://a.example"}]},
        {"@context": [V2, "https://unknown.example/context"]}, {"type": ["VerifiableCredential"] * 5_000},
        {"name": "\0"}, {"id": "urn:" + "x" * 5_000}, {"proof": [{}] * 200}, {"credentialStatus": [{}] * 200},
    ):  # fmt: skip
        document = credential(**hostile)
        for response in (
            post_issue(did_issuer, document),
            verify(api, document),
            verify(
                api, {**document, "issuer": "did:web:127.0.0.1", "proof": {"verificationMethod": "did:web:localhost#a"}}
            ),
            verify(
                api,
                {"@context": [V2], "type": "VerifiablePresentation", "verifiableCredential": [document]},
                kind="presentation",
            ),
        ):
            assert response.status_code < 500, (hostile, response.text)
    token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"none"}', b"{}", b""))
    refused(api, token)
