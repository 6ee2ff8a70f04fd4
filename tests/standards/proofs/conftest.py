"""Badges, keys and resolvers for the tests of proofs."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.standards.did.errors import DidUnsupported
from registry.standards.did.key import did_key, resolve_did_key
from registry.standards.keys import LocalSigner
from registry.standards.proofs.publickey import ed25519_key
from registry.standards.proofs.report import KeyProblem, ProofCode, VerificationKey

REFERENCE = Path(__file__).parents[4] / "shared" / "reference"

BADGE: dict[str, Any] = {
    "@context": [
        "https://www.w3.org/ns/credentials/v2",
        "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
    ],
    "id": "urn:uuid:6a1676b8-b51f-11ed-937b-d76685a20ff5",
    "type": ["VerifiableCredential", "OpenBadgeCredential"],
    "name": "Data literacy",
    "issuer": {"id": "did:example:issuer", "type": ["Profile"], "name": "Example University"},
    "validFrom": "2026-01-01T00:00:00Z",
    "credentialSubject": {
        "type": ["AchievementSubject"],
        "identifier": [
            {
                "type": "IdentityObject",
                "hashed": True,
                "identityHash": "sha256$b5809d8a92f8858436d7e6b87c12ebc0ae1eac4baecc2c0b913aee2c922ef399",
                "identityType": "emailAddress",
                "salt": "Kosher",
            }
        ],
        "achievement": {
            "id": "https://example.edu/achievements/1",
            "type": ["Achievement"],
            "name": "Data literacy",
            "description": "Reads data and doubts it.",
            "criteria": {"narrative": "An examination of two hours."},
            "creditsAvailable": 5,
            "alignment": [
                {"type": ["Alignment"], "targetName": "EQF 6", "targetUrl": "https://example.org/eqf/6"},
                {"type": ["Alignment"], "targetName": "ESCO", "targetUrl": "https://example.org/esco/1"},
            ],
        },
    },
    "credentialStatus": {
        "id": "https://example.edu/status/revocation/0#7",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "7",
        "statusListCredential": "https://example.edu/status/revocation/0",
    },
}


@pytest.fixture
def badge() -> dict[str, Any]:
    return copy.deepcopy(BADGE)


@pytest.fixture
def make_signer() -> Callable[[int], LocalSigner]:
    """The signer of a did:key, from a number."""

    def make(seed: int = 1) -> LocalSigner:
        private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        did = did_key(ed25519_key(private.public_key().public_bytes_raw()))
        return LocalSigner(f"{did}#{did.removeprefix('did:key:')}", private)

    return make


@pytest.fixture
def signer(make_signer: Callable[[int], LocalSigner]) -> LocalSigner:
    return make_signer(1)


@pytest.fixture
def did_keys() -> Callable[[str], VerificationKey | KeyProblem]:
    """Resolves did:key and nothing else."""

    def resolve(url: str) -> VerificationKey | KeyProblem:
        try:
            return resolve_did_key(url)
        except DidUnsupported as error:
            return KeyProblem(ProofCode.KEY_UNREACHABLE, str(error))

    return resolve


@pytest.fixture(scope="session")
def eddsa_vectors() -> Path:
    folder = REFERENCE / "di-eddsa" / "TestVectors"
    if not folder.is_dir():
        pytest.skip("the W3C test vectors are not there (../shared/reference beside the checkout)")
    return folder


@pytest.fixture(scope="session")
def reference_contexts() -> Path:
    if not REFERENCE.is_dir():
        pytest.skip("the published contexts are not there (../shared/reference beside the checkout)")
    return REFERENCE
