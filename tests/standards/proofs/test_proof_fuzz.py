"""Whatever is handed in: a report, never an exception, and never a good one that nobody signed."""

import copy
import json
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.standards.keys import LocalSigner
from registry.standards.proofs.creating import add_proofs
from registry.standards.proofs.jose import envelope, open_envelope, verify_jwt
from registry.standards.proofs.report import ProofStatus
from registry.standards.proofs.verifying import verify_proofs

OPTIONS = [
    "type", "cryptosuite", "created", "expires", "verificationMethod", "proofPurpose", "proofValue", "@context", "id",
    "previousProof", "domain", "nonce", "https://example.org/x",
]  # fmt: skip
SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KEYWORDS = st.sampled_from(
    ["@context", "@id", "@type", "@graph", "@list", "@set", "@value", "@language", "@reverse", "@included", "@nest",
     "@json", "@index", "@base", "@vocab", "@import", "@propagate", "@protected", "@container", "@version", "id",
     "type", "proof", "issuer", "credentialSubject", "https://www.w3.org/ns/credentials/v2", "https://example.org/x"],
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | KEYWORDS
JSON = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(KEYWORDS | st.text(max_size=4), below, max_size=4),
    max_leaves=25,
)


@SETTINGS
@given(JSON, JSON, JSON)
def test_any_json(did_keys: Callable[[str], Any], value: Any, context: Any, proof: Any) -> None:
    assert verify_proofs(value, did_keys, 0).status is not ProofStatus.GOOD
    document = {"@context": context, "value": value, "proof": proof}
    assert verify_proofs(document, did_keys, 0).status is not ProofStatus.GOOD


@SETTINGS
@given(JSON, st.sampled_from(["@context", "id", "type", "credentialSubject", "extra", "issuer", "@graph", "@reverse"]))
def test_any_json_in_a_badge(
    badge: dict[str, Any], signer: LocalSigner, did_keys: Callable[[str], Any], value: Any, name: str
) -> None:
    signed = add_proofs(badge, signer, 1_790_000_000)
    before = json.dumps(signed.get(name))
    signed[name] = value
    status = verify_proofs(signed, did_keys, 1_790_000_000).status
    assert status is not ProofStatus.GOOD or json.dumps(value) == before


@SETTINGS
@given(st.sampled_from(OPTIONS), JSON)
def test_any_json_in_a_proof(
    badge: dict[str, Any], signer: LocalSigner, did_keys: Callable[[str], Any], name: str, value: Any
) -> None:
    signed = add_proofs(badge, signer, 1_790_000_000)
    for place in (0, 1):
        changed = copy.deepcopy(signed)
        changed["proof"] = [changed["proof"][place]]
        before = copy.deepcopy(changed)
        changed["proof"][0][name] = value
        report = verify_proofs(changed, did_keys, 1_790_000_000)
        # eddsa-rdfc-2022 takes the document's @context in place of the proof's, and null says nothing in RDF.
        silent = place == 0 and (name == "@context" or says_nothing(value))
        assert report.status is not ProofStatus.GOOD or silent or json.dumps(changed) == json.dumps(before)


def says_nothing(value: Any) -> bool:
    if isinstance(value, list):
        return all(says_nothing(item) for item in value)
    return value is None


@SETTINGS
@given(st.text(max_size=60) | st.lists(st.text("AQabz019_-", max_size=20), min_size=3, max_size=3).map(".".join))
def test_any_token(did_keys: Callable[[str], Any], token: str) -> None:
    assert verify_jwt(token, did_keys, 0).status is ProofStatus.BAD
    assert open_envelope(envelope(token)) == token


@SETTINGS
@given(JSON)
def test_any_envelope(value: Any) -> None:
    open_envelope(value)
