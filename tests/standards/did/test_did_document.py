"""DID documents: what hosted issuers publish, and how anybody's are read."""

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.canonical import canonicalize
from registry.core.errors import InputError
from registry.standards.did.document import Account, document_hash, parse_did_document
from registry.standards.did.errors import DidDocumentError, DidUnsupported
from registry.standards.did.hosted import build_did_document
from registry.standards.did.key import did_key, resolve_did_key
from registry.standards.keys import SigningKey
from registry.standards.proofs.multibase import base58_text
from registry.standards.proofs.publickey import PublicKey, ed25519_key
from registry.standards.proofs.report import KeyProblem, ProofCode, VerificationKey

DID = "did:web:example.edu:issuers:demo"
ACCOUNT = Account(11155111, bytes(range(20)))
MULTIKEY = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
KEY = PublicKey.from_multikey(MULTIKEY)
Json = dict[str, Any]


def hosted() -> Json:
    keys = [
        SigningKey("key-1", KEY, 1_700_000_000, 1_750_000_000),
        SigningKey("key-2", KEY, 1_740_000_000, 1_760_000_000, compromised=True),
        SigningKey("key-3", KEY, 1_760_000_000),
    ]
    return build_did_document(DID, keys, [ACCOUNT], "https://example.edu/issuers/demo")


def test_what_is_built_is_read() -> None:
    document = parse_did_document(hosted(), DID)
    assert document.names(ACCOUNT)
    assert not document.names(Account(1, ACCOUNT.address))
    assert document.also_known_as == (f"did:pkh:eip155:11155111:0x{ACCOUNT.address.hex()}",)
    found = [document.key(f"{DID}#key-{number}") for number in (1, 2, 3)]
    assert all(isinstance(key, VerificationKey) and key.purposes == {"assertionMethod"} for key in found)
    assert [(key.valid_from, key.valid_until) for key in found if isinstance(key, VerificationKey)] == [
        (1_700_000_000, 1_750_000_000), (1_740_000_000, 1_760_000_000), (1_760_000_000, None),
    ]  # fmt: skip
    assert {key.controller for key in found if isinstance(key, VerificationKey)} == {DID}


def test_built_document() -> None:
    document = hosted()
    methods = document["verificationMethod"]
    assert [method["type"] for method in methods] == ["Multikey"] * 3 + ["EcdsaSecp256k1RecoveryMethod2020"]
    assert methods[3]["blockchainAccountId"] == "eip155:11155111:0x000102030405060708090a0b0c0d0e0f10111213"
    assert ("expires" in methods[0], "revoked" in methods[1], "expires" in methods[2]) == (True, True, False)
    assert document["service"][0]["serviceEndpoint"] == "https://example.edu/issuers/demo"
    assert document["@context"][0] == "https://www.w3.org/ns/did/v1"


def test_hash() -> None:
    document = hosted()
    assert document_hash(document) == hashlib.sha256(canonicalize(document)).digest()
    assert document_hash(document) == parse_did_document(dict(reversed(document.items())), DID).hash


def minimal(**changes: Any) -> Json:
    method = {"id": "#k", "type": "Multikey", "controller": DID, "publicKeyMultibase": MULTIKEY}
    document = {"id": DID, "verificationMethod": [method], "assertionMethod": ["#k"], **changes}
    return {key: value for key, value in document.items() if value is not None}


def test_relative_ids() -> None:
    key = parse_did_document(minimal(), DID).key(f"{DID}#k")
    assert isinstance(key, VerificationKey)
    assert key.public_key.raw == KEY.raw


def test_embedded_method() -> None:
    method = {"id": f"{DID}#k", "type": "JsonWebKey", "controller": DID, "publicKeyJwk": KEY.jwk()}
    key = parse_did_document(minimal(verificationMethod=None, assertionMethod=[method]), DID).key(f"{DID}#k")
    assert isinstance(key, VerificationKey)
    assert (key.public_key.raw, key.purposes) == (KEY.raw, {"assertionMethod"})


def test_method_that_is_not_listed_is_for_nothing() -> None:
    key = parse_did_document(minimal(assertionMethod=[]), DID).key(f"{DID}#k")
    assert isinstance(key, VerificationKey)
    assert not key.purposes


METHOD = {"id": "#k", "type": "Multikey", "controller": DID, "publicKeyMultibase": MULTIKEY}


@pytest.mark.parametrize(
    "document",
    [
        None, [], "x", {}, {"id": "did:web:other.example"}, minimal(id=[DID]),
        minimal(verificationMethod={}), minimal(verificationMethod=["x"]), minimal(verificationMethod=[{}]),
        minimal(verificationMethod=[METHOD, METHOD]), minimal(assertionMethod=[METHOD]), minimal(assertionMethod="#k"),
        minimal(verificationMethod=[{**METHOD, "id": "k"}]), minimal(verificationMethod=[{**METHOD, "id": DID}]),
        minimal(verificationMethod=[{**METHOD, "controller": [DID]}]), minimal(assertionMethod=[5]),
        minimal(verificationMethod=[{**METHOD, "id": f"#k{i}"} for i in range(201)]), minimal(alsoKnownAs={}),
    ],
)  # fmt: skip
def test_refused(document: object) -> None:
    with pytest.raises(DidDocumentError):
        parse_did_document(document, DID)


@pytest.mark.parametrize(
    "change",
    [
        {"publicKeyMultibase": 5},
        {"publicKeyMultibase": None, "publicKeyBase58": "0OIl", "type": "Ed25519VerificationKey2018"},
        {"publicKeyMultibase": None, "publicKeyBase58": MULTIKEY[1:], "type": "Ed25519VerificationKey2018"},
        {"publicKeyMultibase": MULTIKEY[:-1]},
        {"publicKeyMultibase": "z" + MULTIKEY[2:]},
        {"publicKeyMultibase": "u7QE"},
        {"publicKeyJwk": {"kty": "OKP", "crv": "Ed25519", "x": "AA"}},
        {"publicKeyMultibase": None, "publicKeyJwk": {"kty": "oct", "k": "AA"}},
        {"publicKeyMultibase": None, "publicKeyJwk": {**KEY.jwk(), "d": "AA"}},
        {"publicKeyMultibase": None, "publicKeyJwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}},
        {"publicKeyMultibase": None, "publicKeyJwk": {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}},
        {"expires": "soon"},
        {"revoked": 5},
    ],
)
def test_method_that_spoils_itself_only(change: Json) -> None:
    method = {key: value for key, value in {**METHOD, **change}.items() if value is not None}
    other = {**METHOD, "id": "#other"}
    document = parse_did_document(minimal(verificationMethod=[method, other]), DID)
    found = document.key(f"{DID}#k")
    assert isinstance(found, KeyProblem)
    assert found.code is ProofCode.KEY_MALFORMED
    assert isinstance(document.key(f"{DID}#other"), VerificationKey)


def test_account_that_may_not_assert() -> None:
    document = hosted()
    document["assertionMethod"] = document["assertionMethod"][:3]
    assert not parse_did_document(document, DID).names(ACCOUNT)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from([DID, "#k", MULTIKEY]),
        lambda below: (
            st.lists(below, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["id", "verificationMethod", "assertionMethod", "type", "controller", "publicKeyMultibase"]
                ),
                below,
                max_size=6,
            )
        ),
        max_leaves=30,
    )
)
def test_any_json(value: object) -> None:
    try:
        parse_did_document(value, DID)
        if isinstance(value, dict):
            parse_did_document({**value, "id": DID}, DID)
    except InputError:
        pass


# --- did:key --------------------------------------------------------------------------------------------------------


def test_did_key() -> None:
    url = f"did:key:{MULTIKEY}#{MULTIKEY}"
    found = resolve_did_key(url)
    assert isinstance(found, VerificationKey)
    assert (found.controller, did_key(found.public_key)) == (f"did:key:{MULTIKEY}", f"did:key:{MULTIKEY}")


@pytest.mark.parametrize(
    ("multikey", "kind"),
    [
        (MULTIKEY, "Ed25519"),
        ("zDnaepBuvsQ8cpsWrVKw8fbpGpvPeNSjVPTWoq6cRqaYzBKVP", "P-256"),
        ("z82LkuBieyGShVBhvtE2zoiD6Kma4tJGFtkAhxR5pfkp5QPw4LutoYWhvQCnGjdVn14kujQ", "P-384"),
    ],
)
def test_kinds(multikey: str, kind: str) -> None:
    key = PublicKey.from_multikey(multikey)
    assert (key.kind, key.multikey, PublicKey.from_jwk(key.jwk()).raw) == (kind, multikey, key.raw)


def test_another_method() -> None:
    with pytest.raises(DidUnsupported):
        resolve_did_key("did:web:example.edu#k")


def test_ed25519_length() -> None:
    with pytest.raises(InputError):
        ed25519_key(b"\0" * 31)


@pytest.mark.parametrize(
    "change",
    [
        {"publicKeyMultibase": "zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"},  # secp256k1
        {"publicKeyMultibase": "z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc"},  # X25519
        {"publicKeyMultibase": None, "publicKeyJwk": {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}},
        {"publicKeyMultibase": None, "publicKeyJwk": {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}},
        {"publicKeyMultibase": None, "publicKeyBase58": "2" * 44, "type": "EcdsaSecp256k1VerificationKey2019"},
        {"publicKeyMultibase": None, "publicKeyPem": "-----BEGIN PUBLIC KEY-----"},
        {"publicKeyMultibase": None},
    ],
)
def test_keys_of_other_kinds_are_not_wrong(change: Json) -> None:
    method = {key: value for key, value in {**METHOD, **change}.items() if value is not None}
    found = parse_did_document(minimal(verificationMethod=[method]), DID).key(f"{DID}#k")
    assert isinstance(found, KeyProblem)
    assert found.code is ProofCode.KEY_UNSUPPORTED


def test_the_key_of_2018() -> None:
    text = base58_text(KEY.raw).removeprefix("z")
    method = {"id": "#k", "type": "Ed25519VerificationKey2018", "controller": DID, "publicKeyBase58": text}
    found = parse_did_document(minimal(verificationMethod=[method]), DID).key(f"{DID}#k")
    assert isinstance(found, VerificationKey)
    assert found.public_key.multikey == MULTIKEY
