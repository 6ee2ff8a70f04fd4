"""VC-JWT: the three forms, four algorithms, and what is refused."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from registry.standards.did.key import did_key, resolve_did_key
from registry.standards.proofs.jose import envelope, open_envelope, verify_jwt
from registry.standards.proofs.publickey import PublicKey, ed25519_key
from registry.standards.proofs.report import KeyProblem, ProofCode, ProofStatus, VerificationKey
from registry.standards.proofs.verifying import verify_proofs

ISSUER = "did:web:example.edu"
AT = 1_790_000_000
CREDENTIAL = {
    "@context": ["https://www.w3.org/ns/credentials/v2"],
    "id": "urn:uuid:1",
    "type": ["VerifiableCredential"],
    "issuer": {"id": ISSUER},
    "validFrom": "2026-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:learner"},
}
Json = dict[str, Any]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8))


def raw_ecdsa(key: ec.EllipticCurvePrivateKey, data: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    size = (key.curve.key_size + 7) // 8
    return b"".join(part.to_bytes(size) for part in decode_dss_signature(key.sign(data, ec.ECDSA(algorithm))))


@pytest.fixture(scope="module")
def keys() -> dict[str, tuple[PublicKey, Callable[[bytes], bytes]]]:
    edwards = Ed25519PrivateKey.generate()
    p256, p384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
    big = rsa.generate_private_key(65537, 2048)
    numbers = big.public_key().public_numbers()

    def point(key: ec.EllipticCurvePrivateKey, curve: str, size: int) -> PublicKey:
        at = key.public_key().public_numbers()
        return PublicKey.from_jwk(
            {"kty": "EC", "crv": curve, "x": b64(at.x.to_bytes(size)), "y": b64(at.y.to_bytes(size))}
        )

    return {
        "EdDSA": (ed25519_key(edwards.public_key().public_bytes_raw()), edwards.sign),
        "ES256": (point(p256, "P-256", 32), lambda data: raw_ecdsa(p256, data, hashes.SHA256())),
        "ES384": (point(p384, "P-384", 48), lambda data: raw_ecdsa(p384, data, hashes.SHA384())),
        "RS256": (
            PublicKey.from_jwk({"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}),
            lambda data: big.sign(data, padding.PKCS1v15(), hashes.SHA256()),
        ),
    }


@pytest.fixture
def make(keys: Any) -> Callable[..., str]:
    def token(claims: Json, alg: str = "EdDSA", signed_as: str = "", **header: Any) -> str:
        first = {"alg": alg, "typ": "vc+jwt", "kid": f"{ISSUER}#key-1", **header}
        message = f"{b64(json.dumps(first).encode())}.{b64(json.dumps(claims).encode())}"
        return f"{message}.{b64(keys[signed_as or alg][1](message.encode()))}"

    return token


@pytest.fixture
def resolve(keys: Any) -> Callable[..., Any]:
    def resolver(alg: str = "EdDSA") -> Callable[[str], VerificationKey | KeyProblem]:
        key = VerificationKey(keys[alg][0], ISSUER, frozenset({"assertionMethod"}))
        unknown = KeyProblem(ProofCode.KEY_UNKNOWN, "no such method")
        return lambda url: key if url == f"{ISSUER}#key-1" else unknown

    return resolver


@pytest.mark.parametrize("alg", ["EdDSA", "ES256", "ES384", "RS256"])
def test_algorithms(make: Callable[..., str], resolve: Callable[..., Any], alg: str) -> None:
    token = make(CREDENTIAL, alg)
    report = verify_jwt(token, resolve(alg), AT)
    assert (report.status, report.credential) == (ProofStatus.GOOD, CREDENTIAL)
    head, _, signature = token.split(".")
    other = b64(json.dumps({**CREDENTIAL, "name": "x"}).encode())
    assert verify_jwt(f"{head}.{other}.{signature}", resolve(alg), AT).outcomes[0].code is ProofCode.SIGNATURE_INVALID
    assert open_envelope(envelope(token)) == token


def test_claims_beside_the_credential(make: Callable[..., str], resolve: Callable[..., Any]) -> None:
    claims = {**CREDENTIAL, "iss": ISSUER, "jti": "urn:uuid:1", "sub": "did:example:learner", "nbf": AT, "exp": AT + 5}
    report = verify_jwt(make(claims), resolve(), AT)
    assert (report.status, report.credential) == (ProofStatus.GOOD, CREDENTIAL)


def test_vc_claim(make: Callable[..., str], resolve: Callable[..., Any]) -> None:
    inner = {"@context": ["https://www.w3.org/2018/credentials/v1"], "type": ["VerifiableCredential"],
             "credentialSubject": {"name": "Zoë"}}  # fmt: skip
    claims = {"vc": inner, "iss": ISSUER, "jti": "urn:uuid:1", "sub": "did:example:learner", "nbf": 1_767_225_600,
              "exp": AT + 400}  # fmt: skip
    report = verify_jwt(make(claims), resolve(), AT)
    assert report.status is ProofStatus.GOOD
    assert report.credential == {
        **inner,
        "id": "urn:uuid:1",
        "issuer": ISSUER,
        "issuanceDate": "2026-01-01T00:00:00Z",
        "expirationDate": "2026-09-21T14:20:00Z",
        "credentialSubject": {"name": "Zoë", "id": "did:example:learner"},
    }


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({**CREDENTIAL, "iss": "did:web:evil.example"}, ProofCode.CLAIMS_DIFFER),
        ({**CREDENTIAL, "jti": "urn:uuid:2"}, ProofCode.CLAIMS_DIFFER),
        ({**CREDENTIAL, "sub": "did:example:other"}, ProofCode.CLAIMS_DIFFER),
        ({"vc": CREDENTIAL, "nbf": 5}, ProofCode.CLAIMS_DIFFER),
        ({"vc": 5}, ProofCode.MALFORMED_PROOF),
        ({}, ProofCode.MALFORMED_PROOF),
        ({**CREDENTIAL, "exp": AT - 3_600}, ProofCode.PROOF_EXPIRED),
        ({**CREDENTIAL, "iat": AT + 3_600}, ProofCode.CREATED_IN_FUTURE),
        ({**CREDENTIAL, "nbf": AT + 3_600}, ProofCode.CREATED_IN_FUTURE),
        ({**CREDENTIAL, "exp": "soon"}, ProofCode.BAD_DATE),
        ({**CREDENTIAL, "exp": True}, ProofCode.BAD_DATE),
        ({**CREDENTIAL, "issuer": "did:web:evil.example"}, ProofCode.WRONG_CONTROLLER),
    ],
)
def test_claims(make: Callable[..., str], resolve: Callable[..., Any], claims: Json, code: ProofCode) -> None:
    assert verify_jwt(make(claims), resolve(), AT).outcomes[0].code is code


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"alg": "none"}, ProofCode.ALGORITHM_REFUSED),
        ({"alg": "None"}, ProofCode.ALGORITHM_REFUSED),
        ({"alg": "HS256"}, ProofCode.ALGORITHM_REFUSED),
        ({"alg": "ES256K"}, ProofCode.UNKNOWN_SUITE),
        ({"alg": ["EdDSA"]}, ProofCode.ALGORITHM_REFUSED),
        ({"alg": "ES256"}, ProofCode.KEY_WRONG_KIND),
        ({"crit": ["b64"], "b64": False}, ProofCode.ALGORITHM_REFUSED),
        ({"kid": "did:web:example.edu#key-2"}, ProofCode.KEY_UNKNOWN),
        ({"kid": None}, ProofCode.KEY_UNKNOWN),
        ({"kid": 5}, ProofCode.KEY_UNKNOWN),
    ],
)
def test_header(make: Callable[..., str], resolve: Callable[..., Any], header: Json, code: ProofCode) -> None:
    token = make(CREDENTIAL, signed_as="EdDSA", **{"alg": "EdDSA", **header})
    assert verify_jwt(token, resolve(), AT).outcomes[0].code is code


@pytest.mark.parametrize("kid", ["key-1", "#key-1"])
def test_kid_within_the_issuers_document(make: Callable[..., str], resolve: Callable[..., Any], kid: str) -> None:
    assert verify_jwt(make(CREDENTIAL, kid=kid), resolve(), AT).status is ProofStatus.GOOD


def test_public_key_as_hmac_secret(keys: Any, resolve: Callable[..., Any]) -> None:
    head = b64(json.dumps({"alg": "HS256", "kid": f"{ISSUER}#key-1"}).encode())
    message = f"{head}.{b64(json.dumps(CREDENTIAL).encode())}"
    mac = hmac.new(keys["EdDSA"][0].raw, message.encode(), hashlib.sha256).digest()
    report = verify_jwt(f"{message}.{b64(mac)}", resolve(), AT)
    assert report.outcomes[0].code is ProofCode.ALGORITHM_REFUSED


@pytest.fixture
def unnamed(keys: Any) -> Callable[..., str]:
    """A token whose header has no kid."""

    def token(claims: Json, **header: Any) -> str:
        first = {"alg": "EdDSA", **header}
        message = f"{b64(json.dumps(first).encode())}.{b64(json.dumps(claims).encode())}"
        return f"{message}.{b64(keys['EdDSA'][1](message.encode()))}"

    return token


def test_key_in_the_header_proves_nothing(keys: Any, unnamed: Callable[..., str], resolve: Callable[..., Any]) -> None:
    own, other = keys["EdDSA"][0].jwk(), keys["ES256"][0].jwk()
    for header, code in (
        ({"jwk": own}, ProofCode.KEY_UNPROVEN),
        ({}, ProofCode.KEY_UNPROVEN),
        ({"jwk": other}, ProofCode.SIGNATURE_INVALID),
        ({"jwk": {**own, "x": b64(bytes(32))}}, ProofCode.SIGNATURE_INVALID),
        ({"jwk": {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}}, ProofCode.KEY_UNSUPPORTED),
        ({"jwk": {"kty": "oct", "k": "AA"}}, ProofCode.KEY_MALFORMED),
        ({"jwk": own, "kid": "key-2"}, ProofCode.KEY_UNKNOWN),
    ):
        assert verify_jwt(unnamed(CREDENTIAL, **header), resolve(), AT).outcomes[0].code is code, header


def test_issuers_that_are_their_key(keys: Any, unnamed: Callable[..., str]) -> None:
    jwk = keys["EdDSA"][0].jwk()
    for issuer in (did_key(keys["EdDSA"][0]), f"did:jwk:{b64(json.dumps(jwk).encode())}"):
        token = unnamed({**CREDENTIAL, "issuer": issuer}, jwk=jwk)
        assert verify_jwt(token, resolve_did_key, AT).status is ProofStatus.GOOD
    other = did_key(keys["ES256"][0])
    token = unnamed({**CREDENTIAL, "issuer": other}, jwk=jwk)
    assert verify_jwt(token, resolve_did_key, AT).outcomes[0].code is ProofCode.KEY_WRONG_KIND


@pytest.mark.parametrize(
    "change", [lambda t: t + "=", lambda t: t + ".", lambda t: "." + t, lambda t: t.replace(".", ". ", 1)]
)
def test_not_a_jwt(make: Callable[..., str], resolve: Callable[..., Any], change: Callable[[str], str]) -> None:
    assert verify_jwt(change(make(CREDENTIAL)), resolve(), AT).outcomes[0].code is ProofCode.MALFORMED_PROOF


def test_duplicate_keys_in_the_payload(keys: Any, resolve: Callable[..., Any]) -> None:
    body = json.dumps(CREDENTIAL)[:-1] + ', "id": "urn:uuid:2"}'
    head = b64(json.dumps({"alg": "EdDSA", "kid": f"{ISSUER}#key-1"}).encode())
    message = f"{head}.{b64(body.encode())}"
    token = f"{message}.{b64(keys['EdDSA'][1](message.encode()))}"
    assert verify_jwt(token, resolve(), AT).outcomes[0].code is ProofCode.MALFORMED_PROOF


@pytest.mark.parametrize("media_type", ["vc+jwt,", "VC+JWT,", "jwt,", "vc-ld+jwt,", "vc+ld+json+jwt;"])
def test_envelopes_of_drafts(media_type: str) -> None:
    document = {"type": ["EnvelopedVerifiableCredential"], "id": f"data:application/{media_type}a.b.c"}
    assert open_envelope(document) == "a.b.c"


def test_an_envelope_of_something_else_is_not_known() -> None:
    document = {**envelope("a.b.c"), "id": "data:application/vc+sd-jwt,a.b.c~d~"}
    assert open_envelope(document) is None
    report = verify_proofs(document, resolve_did_key, AT)
    assert [outcome.code for outcome in report.outcomes] == [ProofCode.UNKNOWN_SUITE]
    assert report.status is ProofStatus.UNKNOWN
