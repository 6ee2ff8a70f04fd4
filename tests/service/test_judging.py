"""Verdicts on signatures, documents, lists and schemas: what people hand in is hostile until shown otherwise."""

import gzip
import json
import re
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest

from anchors.base import ChainUnreachable, Revoke, SetSuspension
from registry.core.canonical import parse_json
from registry.core.model import IssuerPin, Outcome, Status
from registry.core.notation import time_text
from registry.core.verdict import verdict_to_json
from registry.service.verifying import FutureTimeError, Verifier
from registry.standards.did.document import parse_did_document
from registry.standards.proofs.jose import envelope
from registry.standards.proofs.report import ProofCode
from registry.standards.statuslist import ListCode, encode_list
from support.fake_chain import CONTRACT
from support.signed import DID, LIST, START, Scene, badge, entry, outcome, private_key, signer_of, signing_key

SPEC = Path(__file__).parents[2] / "docs/spec/verdict.md"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def token(credential: dict[str, Any], seed: int = 1, **header: Any) -> str:
    def part(value: Any) -> str:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        return urlsafe_b64encode(data).rstrip(b"=").decode()

    signed = f"{part({'alg': 'EdDSA', 'typ': 'vc+jwt', 'kid': f'{DID}#key-1'} | header)}.{part(credential)}"
    return f"{signed}.{part(private_key(seed).sign(signed.encode()))}"


# --- proofs -----------------------------------------------------------------------------------------------------------


def test_a_signed_and_anchored_badge_is_valid_and_the_detail_names_suite_and_key(scene: Scene) -> None:
    verdict = scene.verify_anchored(scene.sign(badge()))
    assert verdict.status is Status.VALID, verdict.checks
    assert outcome(verdict, "schema") == "PASS ok"
    [check] = [check for check in verdict.checks if check.name == "signature"]
    assert check.detail == f"Signed: eddsa-rdfc-2022 by {DID}#key-1; eddsa-jcs-2022 by {DID}#key-1."


def change(proof: int, **changes: Any) -> Any:
    def changed(signed: dict[str, Any]) -> dict[str, Any]:
        proofs = [dict(item) for item in signed["proof"]]
        proofs[proof] = {name: value for name, value in (proofs[proof] | changes).items() if value is not None}
        return {**signed, "proof": proofs}

    return changed


def swap(signed: dict[str, Any]) -> dict[str, Any]:
    one, two = signed["proof"]
    return {**signed, "proof": [one | {"proofValue": two["proofValue"]}, two | {"proofValue": one["proofValue"]}]}


BAD = {
    "content changed": (lambda signed: {**signed, "name": "Data mastery"}, "FAIL signature_invalid"),
    "a field that no context has": (lambda signed: {**signed, "grade_": "A"}, "FAIL unmapped_terms"),
    "unknown suite alone": (
        lambda signed: {**signed, "proof": [signed["proof"][0] | {"cryptosuite": "bbs-2099"}]},
        "UNKNOWN unknown_suite",
    ),
    "unknown suite beside a good one": (change(0, cryptosuite="bbs-2099"), "PASS ok"),
    "wrong purpose": (change(0, proofPurpose="authentication"), "FAIL wrong_purpose"),
    "expired": (change(0, expires=time_text(START)), "FAIL proof_expired"),
    "made after it was anchored": (change(1, created="2099-01-01T00:00:00Z"), "FAIL created_in_future"),
    "a date that is none": (change(1, created="yesterday"), "FAIL bad_date"),
    "one bad member in the set": (change(1, proofValue="z" + "2" * 88), "FAIL signature_invalid"),
    "wrong multibase": (change(0, proofValue="uAAAA"), "FAIL bad_multibase"),
    "swapped": (swap, "FAIL signature_invalid"),
    "no value": (change(0, proofValue=None), "FAIL malformed_proof"),
    "a key that is not there": (change(0, verificationMethod=f"{DID}#key-9"), "FAIL key_unknown"),
    "somebody else's key": (
        change(0, verificationMethod="did:web:evil.example#key-1"),
        "FAIL wrong_controller",
    ),
    "a proof that is no object": (lambda signed: {**signed, "proof": ["x"]}, "FAIL malformed_proof"),
    "no proof in a list": (lambda signed: {**signed, "proof": []}, "FAIL too_many_proofs"),
    "a thousand proofs": (lambda signed: {**signed, "proof": signed["proof"] * 500}, "FAIL too_many_proofs"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("anchored", [True, False])
def test_bad_proofs_have_a_name(scene: Scene, name: str, anchored: bool) -> None:
    spoil, expected = BAD[name]
    credential = spoil(scene.sign(badge()))
    verdict = scene.verify_anchored(credential) if anchored else scene.verify(credential)
    assert outcome(verdict, "signature") == expected
    assert (verdict.status is Status.INVALID) == expected.startswith("FAIL")
    assert set(scene.web.asked) <= {"https://uni.example/.well-known/did.json"}  # nobody else was asked


def test_a_strangers_document_that_names_the_issuer_as_controller_proves_nothing(scene: Scene) -> None:
    # Nobody but the issuer says whose keys are the issuer's.
    evil = scene.make_document(signing_key(9))
    evil = json.loads(json.dumps(evil).replace(f'"{DID}#key-1"', '"did:web:evil.example#key-1"'))
    evil["id"] = "did:web:evil.example"
    scene.web.serve("https://evil.example/.well-known/did.json", evil)
    signed = scene.sign(badge(), signer=signer_of("did:web:evil.example", 9))
    assert outcome(scene.verify_anchored(signed), "signature") == "FAIL wrong_controller"
    document = parse_did_document(evil, "did:web:evil.example")
    assert document.key("did:web:evil.example#key-1").code == "wrong_controller"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ({"valid_until": START + 2_000}, "PASS ok"),  # it ended after the anchoring
        ({"valid_until": START + 1_000}, "FAIL key_out_of_interval"),
        ({"valid_until": START + 1_000, "compromised": True}, "FAIL key_out_of_interval"),
        ({"valid_from": START + 10_000}, "FAIL key_out_of_interval"),
    ],
)
def test_keys_are_judged_at_the_anchors_time(scene: Scene, key: dict[str, Any], expected: str) -> None:
    scene.serve_document(scene.make_document(signing_key(**key), signing_key(2, "key-2")))
    [bundle] = scene.anchor(scene.sign(badge()))
    scene.clock.advance(100_000)
    assert outcome(scene.verify(bundle), "signature") == expected


def test_alone_a_key_that_ended_is_not_good_any_more_whatever_time_is_asked_about(scene: Scene) -> None:
    scene.serve_document(scene.make_document(signing_key(valid_until=START + 2_000), signing_key(2, "key-2")))
    signed = scene.sign(badge())
    assert scene.verify(signed).status is Status.VALID
    scene.clock.advance(100_000)
    assert outcome(scene.verify(signed), "signature") == "FAIL key_out_of_interval"
    assert outcome(scene.verify(signed, at=START + 1_500), "signature") == "FAIL key_out_of_interval"


def test_expires_is_looked_at_as_of_the_time(scene: Scene) -> None:
    [bundle] = scene.anchor(scene.sign(badge(), expires=START + 5_000))
    assert outcome(scene.verify(bundle), "signature") == "PASS ok"
    scene.clock.advance(100_000)
    assert outcome(scene.verify(bundle), "signature") == "FAIL proof_expired"
    assert outcome(scene.verify(bundle, at=START + 1_200), "signature") == "PASS ok"


def test_while_the_host_is_gone_the_signature_is_unknown(scene: Scene) -> None:
    scene.web.pages.clear()
    verdict = scene.verify_anchored(scene.sign(badge()))
    assert (verdict.status, outcome(verdict, "signature")) == (Status.INDETERMINATE, "UNKNOWN key_unreachable")


def test_the_claimed_document_of_the_bundle_gives_keys_when_the_host_is_gone(scene: Scene) -> None:
    scene.claim(scene.document)
    [bundle] = scene.anchor(scene.sign(badge()), document=scene.document)
    scene.web.pages.clear()
    assert scene.verify(bundle).status is Status.VALID
    assert scene.web.asked == []


@pytest.mark.parametrize("claimed", ["never", "later", "another"])
def test_a_document_that_was_not_claimed_in_time_gives_no_keys(scene: Scene, claimed: str) -> None:
    brought = scene.make_document(signing_key(9))
    if claimed == "another":
        scene.claim(scene.document)
    [bundle] = scene.anchor(scene.sign(badge(), signer=signer_of(DID, 9)), document=brought)
    if claimed == "later":
        scene.claim(brought)
    assert outcome(scene.verify(bundle), "signature") == "FAIL signature_invalid"  # by the host's own key


@pytest.mark.parametrize("document", [{}, {"id": "did:web:other.example"}, {"id": DID, "verificationMethod": 5}])
def test_a_document_that_is_none_is_nobodys_matter(scene: Scene, document: dict[str, Any]) -> None:
    [bundle] = scene.anchor(scene.sign(badge()), document=document)
    assert scene.verify(bundle).status is Status.VALID


def test_a_document_too_deep_for_a_hash_is_nobodys_matter(scene: Scene) -> None:
    deep: Any = []
    for _ in range(70):
        deep = [deep]
    [bundle] = scene.anchor(scene.sign(badge()), document={"id": DID, "x": deep})
    assert scene.verify(bundle).status is Status.VALID


def test_pinned_documents_count_before_all_others(scene: Scene) -> None:
    scene.pinned[DID] = parse_did_document(scene.document, DID)
    scene.serve_document(scene.make_document(signing_key(9)))
    assert scene.verify_anchored(scene.sign(badge())).status is Status.VALID
    assert scene.web.asked == []


def test_an_issuer_that_is_no_did_may_be_pinned_and_its_key_is_nobodys(scene: Scene) -> None:
    url = "https://uni.example/issuers/1"
    key = f"did:key:{signing_key().public_key.multikey}"
    signer = signer_of(key, 1, key.removeprefix("did:key:"))
    scene.pins = (IssuerPin(url, scene.address),)
    signed = scene.sign(badge(issuer=url), signer=signer)
    verdict = scene.verify_anchored(signed)
    assert (outcome(verdict, "issuer"), outcome(verdict, "signature")) == ("PASS ok", "UNKNOWN key_owner_unknown")
    assert outcome(scene.verify_anchored(signed | {"name": "x"}), "signature") == "FAIL signature_invalid"
    assert scene.verify_anchored(badge(issuer=url)).status is Status.VALID  # without a proof the anchor speaks for it


# --- envelopes --------------------------------------------------------------------------------------------------------


def test_a_jwt_is_judged_alone_and_in_an_envelope(scene: Scene) -> None:
    jwt = token(badge())
    for item in (jwt, envelope(jwt)):
        verdict = scene.verify(item)
        assert (verdict.status, verdict.basis) == (Status.VALID, "signature"), verdict.checks
        assert verdict.facts["achievement"] == "Data literacy"
    verdict = scene.verify_anchored(envelope(jwt))
    assert (verdict.status, verdict.basis, verdict.facts["issuer"]) == (Status.VALID, "anchor", "Example University")


@pytest.mark.parametrize(
    ("item", "format_", "signature"),
    [
        (lambda: token(badge(), seed=2), "PASS ok", "FAIL signature_invalid"),
        (lambda: token(badge(), alg="none"), "PASS ok", "FAIL algorithm_refused"),
        (lambda: token(badge(), kid="did:web:evil.example#key-1"), "PASS ok", "FAIL wrong_controller"),
        (lambda: "a.b.c", "FAIL envelope_unreadable", "FAIL malformed_proof"),
        (lambda: envelope("a.b.c"), "FAIL envelope_unreadable", "FAIL malformed_proof"),
        (
            lambda: {"type": "EnvelopedVerifiableCredential", "id": "data:application/vc+cose;base64,AA"},
            "UNKNOWN envelope_unreadable",
            "UNKNOWN unknown_suite",
        ),
    ],
)
def test_bad_envelopes(scene: Scene, item: Any, format_: str, signature: str) -> None:
    verdict = scene.verify(item())
    assert (outcome(verdict, "format"), outcome(verdict, "signature")) == (format_, signature)
    assert verdict.status is (Status.INDETERMINATE if signature.startswith("UNKNOWN") else Status.INVALID)
    json.dumps(verdict_to_json(verdict))


# --- the issuer -------------------------------------------------------------------------------------------------------


def test_without_a_pin_host_and_chain_settle_it(scene: Scene) -> None:
    scene.pins = ()
    scene.claim(scene.document)
    [bundle] = scene.anchor(scene.sign(badge()))
    verdict = scene.verify(bundle)
    assert (verdict.status, outcome(verdict, "issuer")) == (Status.VALID, "PASS documents_agree")
    assert verdict.issuer == IssuerPin(DID, scene.address)


def test_without_a_pin_and_claim_or_host_it_stays_unknown(scene: Scene) -> None:
    scene.pins = ()
    [bundle] = scene.anchor(scene.sign(badge()))
    assert outcome(scene.verify(bundle), "issuer") == "UNKNOWN issuer_not_claimed"
    scene.serve_document(scene.make_document(accounts=()))
    scene.clock.advance(1_000)
    assert outcome(scene.verify(bundle), "issuer") == "UNKNOWN issuer_not_named"
    scene.serve_document(scene.make_document(accounts=(b"\x09" * 20,)))
    scene.clock.advance(1_000)
    assert outcome(scene.verify(bundle), "issuer") == "FAIL issuer_mismatch"
    scene.web.pages.clear()
    scene.clock.advance(1_000)
    assert outcome(scene.verify(bundle), "issuer") == "UNKNOWN issuer_unreachable"


def test_an_impostor_with_a_claimed_copy_of_a_name_is_not_the_issuer(scene: Scene) -> None:
    scene.pins = ()
    impostor = Scene(address=b"\x66" * 20)
    impostor.chain = scene.chain
    forged = impostor.make_document(signing_key(9))
    impostor.claim(forged)
    [bundle] = impostor.anchor(impostor.sign(badge(), signer=signer_of(DID, 9)), document=forged)
    assert outcome(scene.verify(bundle), "issuer") == "FAIL issuer_mismatch"
    scene.web.pages.clear()
    scene.clock.advance(1_000)
    verdict = scene.verify(bundle)
    assert (verdict.status, outcome(verdict, "issuer")) == (Status.INDETERMINATE, "UNKNOWN issuer_unreachable")


# --- status lists at other hosts --------------------------------------------------------------------------------------


def listed(scene: Scene, **changes: Any) -> dict[str, Any]:
    return scene.sign(badge(credentialStatus=entry(**changes)))


def test_a_list_elsewhere_is_asked_once(scene: Scene) -> None:
    scene.web.serve(LIST, scene.status_list(3))
    bundles = scene.anchor(*(listed(scene, index=index) for index in (7, 3, 8)))
    verdicts = scene.verifier.verify(bundles)
    assert [outcome(verdict, "revocation") for verdict in verdicts] == ["PASS ok", "FAIL revoked", "PASS ok"]
    assert {outcome(verdict, "binding") for verdict in verdicts} == {"SKIPPED status_elsewhere"}
    assert [verdict.status for verdict in verdicts] == [Status.VALID, Status.INVALID, Status.VALID]
    assert scene.web.asked.count(LIST) == 1
    assert len(scene.web.asked) == 2  # and the DID document once


def _with_bits(encoded: Any) -> Any:
    def make(scene: Scene) -> Any:
        made = scene.status_list()
        subject = made["credentialSubject"] | {"encodedList": encoded}
        return scene.sign({**{name: value for name, value in made.items() if name != "proof"},
                           "credentialSubject": subject})  # fmt: skip

    return make


def _unsigned(scene: Scene) -> dict[str, Any]:
    return {name: value for name, value in scene.status_list().items() if name != "proof"}


BOMB = "u" + urlsafe_b64encode(gzip.compress(bytes(64 << 20))).rstrip(b"=").decode()
LISTS: dict[str, tuple[Any, str]] = {
    "good": (lambda scene: scene.status_list(), "PASS ok"),
    "set": (lambda scene: scene.status_list(7), "FAIL revoked"),
    "not there": (lambda _: None, "UNKNOWN status_list_unreachable"),
    "not JSON": (lambda _: b"<html>", "UNKNOWN status_list_unreachable"),
    "no list": (lambda scene: scene.sign(badge()), "UNKNOWN status_list_malformed"),
    "not signed": (_unsigned, "UNKNOWN status_list_not_proven"),
    "changed": (lambda scene: {**scene.status_list(), "validFrom": "2026-01-01T00:00:00Z"},
                "UNKNOWN status_list_not_proven"),
    "signed by a stranger": (
        lambda scene: scene.sign(_unsigned(scene), signer=signer_of("did:web:evil.example", 9)),
        "UNKNOWN status_list_not_proven",
    ),
    "of another issuer": (
        lambda scene: {**scene.status_list(), "issuer": "did:web:evil.example"},
        "UNKNOWN status_list_issuer_differs",
    ),
    "of another address": (
        lambda scene: scene.sign({**_unsigned(scene), "id": "https://lists.example/2"}),
        "UNKNOWN status_list_id_differs",
    ),
    "over": (
        lambda scene: scene.sign({**_unsigned(scene), "validUntil": "2026-02-01T00:00:00Z"}),
        "UNKNOWN status_list_out_of_date",
    ),
    "too short": (_with_bits(encode_list(bytes(16_383))), "UNKNOWN status_list_too_short"),
    "a gzip bomb": (_with_bits(BOMB), "UNKNOWN status_list_too_large"),
    "not gzip": (_with_bits("uAAAA"), "UNKNOWN status_list_gzip"),
    "wrong multibase": (_with_bits("zAAAA"), "UNKNOWN status_list_multibase"),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("anchored", [True, False])
def test_whatever_a_list_is_the_answer_has_a_name(scene: Scene, name: str, anchored: bool) -> None:
    make, expected = LISTS[name]
    served = make(scene)
    if served is not None:
        scene.web.serve(LIST, served)
    credential = listed(scene)
    verdict = scene.verify_anchored(credential) if anchored else scene.verify(credential)
    assert outcome(verdict, "revocation") == expected
    assert not any("evil" in url for url in scene.web.asked)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"statusListIndex": "131072"}, "UNKNOWN status_index_out_of_range"),
        ({"statusListIndex": "-1"}, "UNKNOWN status_malformed"),
        ({"statusListIndex": 7}, "UNKNOWN status_malformed"),
        ({"statusPurpose": "message"}, "UNKNOWN status_purpose_unknown"),
        ({"statusSize": 2}, "UNKNOWN status_size_unsupported"),
        ({"type": "StatusList2021Entry"}, "UNKNOWN status_list_malformed"),  # the list is of the other kind
        ({"type": "1EdTechRevocationList"}, "UNKNOWN status_type_unknown"),
    ],
)
def test_entries_that_cannot_be_followed(scene: Scene, changes: dict[str, Any], expected: str) -> None:
    scene.web.serve(LIST, scene.status_list())
    verdict = scene.verify_anchored(badge(credentialStatus=entry(**changes)))
    found = {outcome(verdict, "revocation"), outcome(verdict, "binding")}
    assert any(item.startswith(expected) for item in found), found
    assert verdict.status is not Status.VALID


@pytest.mark.parametrize(
    "address",
    ["http://lists.example/1", "https://lists.example:99999/1", "https://[::1]/1", "https://user@lists.example/1",
     "https://lists.example/1#x", "https://lists.example/\r\nHost: x", "file:///etc/passwd"],
)  # fmt: skip
def test_odd_addresses_make_no_exception(scene: Scene, address: str) -> None:
    verdict = scene.verify(badge(credentialStatus=entry(statusListCredential=address)))
    assert outcome(verdict, "revocation").startswith("UNKNOWN status_list_unreachable")
    assert [url for url in scene.web.asked if not url.startswith(("https://uni", "http"))] == []


@pytest.mark.parametrize("indexes", [(7, 8), (8, 7), (7, "8"), ("8", 7)])
def test_of_two_entries_that_are_numbers_each_is_looked_up(scene: Scene, indexes: tuple[Any, Any]) -> None:
    old = scene.status_list(7)
    subject = old["credentialSubject"] | {
        "type": "StatusList2021",
        "encodedList": old["credentialSubject"]["encodedList"][1:],
    }
    old = {name: value for name, value in old.items() if name not in ("proof", "validFrom")} | {
        "type": ["VerifiableCredential", "StatusList2021Credential"], "credentialSubject": subject,
    }  # fmt: skip
    scene.web.serve(LIST, scene.sign(old, suites=("eddsa-jcs-2022",), allow_unmapped=True))
    entries = [entry(type="StatusList2021Entry", statusListIndex=index) for index in indexes]
    signed = scene.sign(badge(credentialStatus=entries), suites=("eddsa-jcs-2022",), allow_unmapped=True)
    verdict = scene.verify(signed)
    assert (verdict.status, outcome(verdict, "revocation")) == (Status.INVALID, "FAIL revoked")


def test_an_entry_does_not_hide_another_one_of_the_same_place(scene: Scene) -> None:
    scene.web.serve(LIST, scene.status_list())
    for entries in ([entry(), entry(statusSize=2)], [entry(statusSize=2), entry()]):
        verdict = scene.verify(scene.sign(badge(credentialStatus=entries)))
        assert outcome(verdict, "revocation") == "UNKNOWN status_size_unsupported"


def test_a_credential_with_many_entries_makes_few_requests(scene: Scene) -> None:
    entries = [entry(statusListCredential=f"https://lists.example/{number}") for number in range(40)]
    verdict = scene.verify(scene.sign(badge(credentialStatus=entries)))
    assert outcome(verdict, "revocation").startswith("UNKNOWN")
    assert len(scene.web.asked) <= 9


def test_without_a_fetcher_nothing_is_asked(scene: Scene) -> None:
    [bundle] = scene.anchor(listed(scene))
    [verdict] = Verifier({(31337, CONTRACT): scene.chain}, scene.policy, scene.clock).verify([bundle])
    assert outcome(verdict, "signature") == "UNKNOWN key_unreachable"
    assert outcome(verdict, "revocation") == "UNKNOWN status_list_unreachable"
    assert scene.web.asked == []


# --- schema, subject, time --------------------------------------------------------------------------------------------


def test_faults_against_the_schema_are_named_and_do_not_spoil_it(scene: Scene) -> None:
    document = badge()
    del document["credentialSubject"]["achievement"]["criteria"]
    verdict = scene.verify_anchored(scene.sign(document))
    assert (verdict.status, outcome(verdict, "schema")) == (Status.VALID, "UNKNOWN schema_faults")
    [check] = [check for check in verdict.checks if check.name == "schema"]
    assert "/credentialSubject/achievement/criteria (missing)" in check.detail


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"id": "https://other.example/s.json", "type": "JsonSchema"}, "SKIPPED schema_not_known"),
        ({"id": "https://purl.imsglobal.org/spec/ob/v3p0/schema/json/ob_v3p0_achievementcredential_schema.json",
          "type": "1EdTechJsonSchemaValidator2019"}, "UNKNOWN schema_faults"),
        (5, "SKIPPED schema_not_known"),
    ],
)  # fmt: skip
def test_schemas_of_others(scene: Scene, schema: Any, expected: str) -> None:
    verdict = scene.verify(badge(type=["VerifiableCredential"], credentialSchema=schema))
    assert outcome(verdict, "schema") == expected


@pytest.mark.parametrize(("address", "matches"), [("Zoe@example.org ", True), ("eve@example.org", False)])
def test_whose_it_is(scene: Scene, address: str, matches: bool) -> None:
    [bundle] = scene.anchor(scene.sign(badge()))
    verdict = scene.verify(bundle, subject=address)
    assert (verdict.status, verdict.subject_matches) == (Status.VALID, matches)
    assert verdict_to_json(verdict)["subject"] == {"matches": matches}
    assert verdict_to_json(scene.verify(bundle))["subject"] is None


def test_micro_credentials_show_their_facts(scene: Scene) -> None:
    document = badge()
    document["credentialSubject"]["achievement"]["creditsAvailable"] = 2.5
    assert scene.verify(scene.sign(document)).facts["workload"] == "2.5 credits"


def test_the_future_is_not_judged(scene: Scene) -> None:
    with pytest.raises(FutureTimeError):
        scene.verify(badge(), at=scene.clock.now + 301)


def test_as_of_a_time_from_the_chains_events(scene: Scene) -> None:
    bundles = scene.anchor(scene.sign(badge()), scene.sign(badge(id="urn:example:2")))
    anchored = scene.chain.tip.ref.timestamp
    scene.clock.advance(1_000)
    scene.send(Revoke(scene.address, (0,), (1,)))
    revoked = scene.chain.tip.ref.timestamp
    scene.send(SetSuspension(scene.address, 0, (0,), (2,), (0,)))
    suspended = scene.chain.tip.ref.timestamp
    scene.send(SetSuspension(scene.address, 1, (0,), (0,), (2,)))
    reinstated = scene.chain.tip.ref.timestamp
    scene.clock.advance(1_000)

    def then(at: int | None) -> list[str]:
        one, two = scene.verifier.verify(bundles, at=at)
        return [outcome(one, "revocation"), outcome(two, "suspension")]

    assert then(None) == ["FAIL revoked", "PASS ok"]
    assert then(revoked - 1) == ["PASS revoked_later", "PASS ok"]
    assert then(suspended) == ["FAIL revoked", "FAIL suspended"]
    assert then(reinstated) == ["FAIL revoked", "PASS ok"]
    [one, _] = scene.verifier.verify(bundles, at=anchored - 1)
    assert outcome(one, "anchor") == "FAIL not_anchored_yet"
    scene.chain.pruned = True
    assert then(revoked - 1) == ["UNKNOWN history_unknown", "UNKNOWN history_unknown"]


def test_events_that_cannot_be_read_leave_the_rest_of_the_verdict(scene: Scene) -> None:
    def fault(name: str, when: str) -> None:
        if name == "read_events":
            raise ChainUnreachable("The node does not answer.")

    [bundle] = scene.anchor(scene.sign(badge()))
    scene.chain.fault = fault
    verdict = scene.verify(bundle, at=scene.clock.now)
    assert outcome(verdict, "anchor") == "PASS dev_chain"
    assert outcome(verdict, "suspension") == "UNKNOWN history_unknown"


# --- all of it --------------------------------------------------------------------------------------------------------


def test_a_batch_asks_the_chain_and_the_host_once(scene: Scene) -> None:
    scene.pins = ()
    scene.claim(scene.document)
    bundles = scene.anchor(*(badge(id=f"urn:example:{number}") for number in range(200)), document=scene.document)
    scene.chain_calls.clear()
    verdicts = scene.verifier.verify(bundles)
    assert {verdict.status for verdict in verdicts} == {Status.VALID}
    assert scene.chain_calls == ["read_evidence"]
    assert len(scene.web.asked) == 1


def test_what_is_documented_of_proofs_and_lists_is_all_there_is() -> None:
    section = SPEC.read_text().split("## Codes of proofs and lists")[1].split("## As JSON")[0]
    proofs, lists = section.split("`revocation` and `suspension` have")
    assert set(re.findall(r"`([a-z0-9_]+)`", proofs)) - {"signature"} == set(ProofCode) - {ProofCode.OK}
    assert set(re.findall(r"`([a-z0-9_]+)`", lists)) == set(ListCode) - {
        ListCode.OK, ListCode.REVOKED, ListCode.SUSPENDED,
    }  # fmt: skip


HOSTILE: list[Any] = [
    {}, {"proof": 5}, {"issuer": 5}, {"issuer": {"id": []}}, {"credentialStatus": [[[]]]}, {"proof": {"type": []}},
    {"type": {"a": 1}, "@context": {"x": {"@id": {"@id": 1}}}}, {"credentialSubject": [{"identifier": [{}]}]},
    {"issuer": "did:web:" + "a" * 5_000}, {"issuer": "did:web:127.0.0.1", "proof": {"type": "DataIntegrityProof"}},
    {"credentialSchema": [{}, 5]}, {"type": ["EnvelopedVerifiableCredential"], "id": "data:application/vc+jwt,"},
    {"issuer": "did:key:zzz", "proof": [{"verificationMethod": "did:key:zzz#zzz", "cryptosuite": "eddsa-jcs-2022"}]},
]  # fmt: skip


@pytest.mark.parametrize("document", HOSTILE, ids=str)
def test_nothing_that_is_json_raises(scene: Scene, document: Any) -> None:
    for item in (document, badge() | document):
        read = parse_json(json.dumps(item).encode())
        verdict = scene.verify_anchored(read)
        alone = scene.verify(read)
        for each in (verdict, alone):
            assert each.status is not Status.VALID or Outcome.FAIL not in {check.outcome for check in each.checks}
            json.dumps(verdict_to_json(each))
