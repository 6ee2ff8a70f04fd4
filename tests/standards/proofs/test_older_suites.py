"""Suites that older credentials carry: signatures as detached JWS, and names that drafts gave to the RDF suites."""

import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from registry.core.errors import InputError
from registry.core.notation import base64url_text
from registry.standards.contexts import UnknownContext
from registry.standards.contexts.pins import JWS_2020, SECURITY_V2
from registry.standards.did.key import did_key, resolve_did_key
from registry.standards.keys import LocalSigner
from registry.standards.proofs.creating import add_proofs
from registry.standards.proofs.expanding import default_expander
from registry.standards.proofs.multibase import base58_text
from registry.standards.proofs.publickey import PublicKey, ed25519_key
from registry.standards.proofs.rdfc import canonicalize_quads
from registry.standards.proofs.report import ProofCode, ProofReport, ProofStatus
from registry.standards.proofs.verifying import verify_proofs

AT = 1_790_000_000
Json = dict[str, Any]
EDWARDS = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
ED_DID = did_key(ed25519_key(EDWARDS.public_key().public_bytes_raw()))
CREDENTIAL: Json = {
    "@context": ["https://www.w3.org/2018/credentials/v1", "https://www.w3.org/2018/credentials/examples/v1"],
    "type": ["VerifiableCredential", "UniversityDegreeCredential"],
    "issuer": ED_DID,
    "issuanceDate": "2021-05-01T10:00:00Z",
    "credentialSubject": {
        "id": "did:example:learner",
        "degree": {"type": "BachelorDegree", "name": "Bachelor of Doubt"},
    },
}  # fmt: skip


class Nist:
    """An ECDSA key that makes the signatures of a JWS."""

    def __init__(self, curve: ec.EllipticCurve, algorithm: hashes.HashAlgorithm, size: int) -> None:
        self._key, self._algorithm, self._size = ec.derive_private_key(12345, curve), algorithm, size
        point = self._key.public_key().public_numbers()
        jwk = {"kty": "EC", "crv": f"P-{8 * size}",
               "x": base64url_text(point.x.to_bytes(size)), "y": base64url_text(point.y.to_bytes(size))}  # fmt: skip
        self.did = did_key(PublicKey.from_jwk(jwk))

    def sign(self, data: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(data, ec.ECDSA(self._algorithm)))
        return r.to_bytes(self._size) + s.to_bytes(self._size)


P256, P384 = Nist(ec.SECP256R1(), hashes.SHA256(), 32), Nist(ec.SECP384R1(), hashes.SHA384(), 48)


def _hash(document: Json) -> bytes:
    return hashlib.sha256(canonicalize_quads(default_expander().expand(document).quads)).digest()


def with_jws(
    suite: str, context: list[str], sign: Callable[[bytes], bytes], did: str, header: Json | None = None, **more: Any
) -> Json:
    document = {**copy.deepcopy(CREDENTIAL), "issuer": did}
    proof = {"type": suite, "created": "2021-05-01T10:00:00Z", "proofPurpose": "assertionMethod",
             "verificationMethod": f"{did}#{did.removeprefix('did:key:')}", **more}  # fmt: skip
    payload = _hash({"@context": context, **proof}) + _hash(document)
    fields = {"alg": "EdDSA", "b64": False, "crit": ["b64"]} if header is None else header
    first = base64url_text(json.dumps(fields).encode())
    body = payload if fields.get("b64") is False else base64url_text(payload).encode()
    jws = f"{first}..{base64url_text(sign(first.encode() + b'.' + body))}"
    return {**document, "proof": {**proof, "jws": jws}}


def judge(document: Json) -> ProofReport:
    return verify_proofs(document, resolve_did_key, AT, controller=document["issuer"])


def code(document: Json) -> ProofCode:
    return judge(document).outcomes[0].code


@pytest.mark.parametrize(
    ("suite", "context", "sign", "did", "header"),
    [
        ("Ed25519Signature2018", [SECURITY_V2], EDWARDS.sign, ED_DID, None),
        ("JsonWebSignature2020", [SECURITY_V2, JWS_2020], EDWARDS.sign, ED_DID, None),
        ("JsonWebSignature2020", [SECURITY_V2, JWS_2020], EDWARDS.sign, ED_DID, {"alg": "EdDSA"}),
        (
            "JsonWebSignature2020",
            [SECURITY_V2, JWS_2020],
            P256.sign,
            P256.did,
            {"alg": "ES256", "b64": False, "crit": ["b64"]},
        ),
        (
            "JsonWebSignature2020",
            [SECURITY_V2, JWS_2020],
            P384.sign,
            P384.did,
            {"alg": "ES384", "b64": False, "crit": ["b64"]},
        ),
    ],
)
def test_detached_signatures(
    suite: str, context: list[str], sign: Callable[[bytes], bytes], did: str, header: Json | None
) -> None:
    signed = with_jws(suite, context, sign, did, header, domain="school.example")
    assert code(signed) is ProofCode.OK
    tampered = copy.deepcopy(signed)
    tampered["credentialSubject"]["degree"]["name"] = "Master of Doubt"
    assert code(tampered) is ProofCode.SIGNATURE_INVALID
    signed["proof"]["domain"] = "other.example"
    assert code(signed) is ProofCode.SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"alg": "none"}, ProofCode.ALGORITHM_REFUSED),
        ({"alg": "HS256"}, ProofCode.ALGORITHM_REFUSED),
        ({"alg": "ES256K", "b64": False, "crit": ["b64"]}, ProofCode.UNKNOWN_SUITE),
        ({"alg": "ES256", "b64": False, "crit": ["b64"]}, ProofCode.KEY_WRONG_KIND),
        ({"alg": "EdDSA", "b64": False}, ProofCode.ALGORITHM_REFUSED),
        ({"alg": "EdDSA", "crit": ["exp"]}, ProofCode.ALGORITHM_REFUSED),
        ({"alg": "EdDSA", "b64": "false", "crit": ["b64"]}, ProofCode.ALGORITHM_REFUSED),
    ],
)
def test_headers(header: Json, expected: ProofCode) -> None:
    assert code(with_jws("JsonWebSignature2020", [SECURITY_V2, JWS_2020], EDWARDS.sign, ED_DID, header)) is expected


@pytest.mark.parametrize("jws", [None, 5, "", "a.b.c", "e30..AAAA.", "!..AAAA", "WyJhIl0..AAAA", "e30..a", "a" * 5_000])
def test_jws_that_is_none(jws: object) -> None:
    signed = with_jws("Ed25519Signature2018", [SECURITY_V2], EDWARDS.sign, ED_DID)
    if jws is None:
        del signed["proof"]["jws"]
    else:
        signed["proof"]["jws"] = jws
    assert code(signed) is ProofCode.MALFORMED_PROOF


def test_header_without_algorithm() -> None:
    signed = with_jws("Ed25519Signature2018", [SECURITY_V2], EDWARDS.sign, ED_DID, {})
    assert code(signed) is ProofCode.ALGORITHM_REFUSED


def test_terms_in_no_context_are_not_covered() -> None:
    signed = with_jws("Ed25519Signature2018", [SECURITY_V2], EDWARDS.sign, ED_DID)
    signed["proof"]["grade"] = "A"
    assert code(signed) is ProofCode.UNMAPPED_TERMS


def test_name_of_a_draft(badge: Json, signer: LocalSigner) -> None:
    badge["issuer"]["id"] = signer.verification_method.partition("#")[0]
    proof = {"type": "DataIntegrityProof", "cryptosuite": "eddsa-2022", "created": "2026-01-01T00:00:00Z",
             "proofPurpose": "assertionMethod", "verificationMethod": signer.verification_method}  # fmt: skip
    message = _hash({"@context": badge["@context"], **proof}) + _hash(badge)
    signed = {**badge, "proof": {**proof, "proofValue": base58_text(signer.sign(message))}}
    assert verify_proofs(signed, resolve_did_key, AT).status is ProofStatus.GOOD
    with pytest.raises(InputError, match="not made here"):
        add_proofs(badge, signer, AT, suites=["eddsa-2022"])


def test_contexts_of_the_proof() -> None:
    """Proofs of Ed25519Signature2020 bring the context of their suite along where the document lacks it."""
    suite = "https://w3id.org/security/suites/ed25519-2020/v1"
    proof = {"type": "Ed25519Signature2020", "created": "2021-05-01T10:00:00Z", "proofPurpose": "assertionMethod",
             "verificationMethod": f"{ED_DID}#{ED_DID.removeprefix('did:key:')}"}  # fmt: skip
    message = _hash({"@context": [*CREDENTIAL["@context"], suite], **proof}) + _hash(CREDENTIAL)
    proof["proofValue"] = base58_text(EDWARDS.sign(message))
    assert code({**CREDENTIAL, "proof": {**proof, "@context": suite}}) is ProofCode.OK
    assert code({**CREDENTIAL, "proof": {**proof, "@context": [suite, suite]}}) is ProofCode.OK
    assert code({**CREDENTIAL, "proof": proof}) is ProofCode.UNMAPPED_TERMS
    assert code({**CREDENTIAL, "proof": {**proof, "@context": "https://words.example/v1"}}) is ProofCode.CONTEXT_UNKNOWN
    reworded = {"authentication": "https://w3id.org/security#assertionMethod"}
    assert code({**CREDENTIAL, "proof": {**proof, "@context": [suite, reworded]}}) is ProofCode.CONTEXT_DIFFERS


def test_an_unknown_context_leaves_the_signature_over_json(badge: Json, signer: LocalSigner) -> None:
    badge["@context"].append("https://words.example/v1")
    with pytest.raises(UnknownContext):
        add_proofs(badge, signer, AT)
    signed = add_proofs(badge, signer, AT, allow_unmapped=True)
    assert [proof["cryptosuite"] for proof in signed["proof"]] == ["eddsa-jcs-2022"]
    assert verify_proofs(signed, resolve_did_key, AT).status is ProofStatus.GOOD
    with pytest.raises(UnknownContext):
        add_proofs(badge, signer, AT, suites=["eddsa-rdfc-2022"], allow_unmapped=True)
