"""We read what @digitalbazaar's suites and jose sign: good as it is, bad for the named reason once it was changed."""

import base64
import json
import time
from typing import Any

import pytest

from registry.standards.did.key import resolve_did_key
from registry.standards.proofs.jose import verify_jwt
from registry.standards.proofs.publickey import PublicKey
from registry.standards.proofs.report import ProofCode, ProofReport, VerificationKey
from registry.standards.proofs.verifying import verify_proofs
from registry.standards.statuslist import check_status
from support.interop import Answers, badge, run_node

OLD_CONTEXT = "https://w3id.org/security/suites/ed25519-2020/v1"
PROOFS = [
    ("eddsa-rdfc-2022", "Ed25519"),
    ("eddsa-jcs-2022", "Ed25519"),
    ("ecdsa-rdfc-2019", "P-256"),
    ("ecdsa-rdfc-2019", "P-384"),
    ("ecdsa-jcs-2019", "P-256"),
    ("ecdsa-jcs-2019", "P-384"),
    ("Ed25519Signature2020", "Ed25519"),
]
ALGORITHMS = ["EdDSA", "ES256", "ES384", "RS256"]
ISSUER = "did:web:badges.example"
LIST_URL = "https://badges.example/status/0"
SET = [0, 7, 255, 256, 131_071]


@pytest.fixture(scope="module")
def answers() -> Answers:
    plain = badge("did:example:replaced")
    old = {**plain, "@context": [*plain["@context"], OLD_CONTEXT]}
    cases: dict[str, Any] = {
        f"{suite} {curve}": {
            "suite": suite, "curve": curve, "credential": old if suite == "Ed25519Signature2020" else plain,
        }
        for suite, curve in PROOFS
    }  # fmt: skip
    cases |= {alg: {"alg": alg, "kid": f"{ISSUER}#key-1", "credential": badge(ISSUER)} for alg in ALGORITHMS}
    cases["list"] = {
        "suite": "eddsa-rdfc-2022", "curve": "Ed25519", "bits": SET, "url": LIST_URL, "credential": {},
    }  # fmt: skip
    return run_node("sign.mjs", cases)


def judge(document: dict[str, Any]) -> list[ProofCode]:
    issuer = document["issuer"]
    did = issuer if isinstance(issuer, str) else issuer["id"]
    return codes(verify_proofs(document, resolve_did_key, int(time.time()), controller=did))


def codes(report: ProofReport) -> list[ProofCode]:
    return [outcome.code for outcome in report.outcomes]


@pytest.mark.parametrize(("suite", "curve"), PROOFS)
def test_data_integrity(answers: Answers, suite: str, curve: str) -> None:
    signed = answers.results[f"{suite} {curve}"]
    assert signed["proof"].get("cryptosuite", signed["proof"]["type"]) == suite
    assert judge(signed) == [ProofCode.OK]
    signed = {**signed, "name": "Brain surgery"}
    assert judge(signed) == [ProofCode.SIGNATURE_INVALID]


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_vc_jwt(answers: Answers, alg: str) -> None:
    token = answers.results[alg]["token"]
    key = VerificationKey(PublicKey.from_jwk(answers.results[alg]["jwk"]), ISSUER, frozenset({"assertionMethod"}))
    now = int(time.time())
    report = verify_jwt(token, lambda _: key, now)
    assert codes(report) == [ProofCode.OK]
    assert report.credential == badge(ISSUER)
    header, _, signature = token.split(".")
    changed = base64.urlsafe_b64encode(json.dumps(badge(ISSUER) | {"name": "Brain surgery"}).encode()).decode()
    report = verify_jwt(f"{header}.{changed.rstrip('=')}.{signature}", lambda _: key, now)
    assert codes(report) == [ProofCode.SIGNATURE_INVALID]


def test_status_list(answers: Answers) -> None:
    found = answers.results["list"]
    assert judge(found) == [ProofCode.OK]
    for place in {*SET, *range(300), *range(131_000, 131_072)}:
        entry = {
            "type": "BitstringStatusListEntry",
            "statusPurpose": "revocation",
            "statusListIndex": str(place),
            "statusListCredential": LIST_URL,
        }
        check = check_status(entry, found, credential_issuer=found["issuer"], now=int(time.time()))
        assert check.code == ("revoked" if place in SET else "ok")


def test_nothing_was_asked_for(answers: Answers) -> None:
    assert answers.refused == []
