"""The test vectors of vc-di-eddsa, step by step and byte by byte."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.core.canonical import canonicalize
from registry.standards.contexts import pinned_contexts
from registry.standards.keys import LocalSigner
from registry.standards.proofs.creating import add_proofs
from registry.standards.proofs.expanding import Expander
from registry.standards.proofs.multibase import base58_text, parse_base58
from registry.standards.proofs.publickey import KeyKind
from registry.standards.proofs.report import ProofCode, ProofStatus
from registry.standards.proofs.suites import SUITES, signed_bytes, transform
from registry.standards.proofs.verifying import verify_proofs

AT = 1_800_000_000
CITIZENSHIP = "https://w3id.org/citizenship/v4rc1"
STEPS = {
    "eddsa-rdfc-2022": ("eddsa-rdfc-2022", "unsigned.json", "DataInt", "proofCanonDataInt.txt", "canonDocDataInt.txt"),
    "eddsa-rdfc-2022/employ": (
        "eddsa-rdfc-2022", "employmentAuth.json", "DataInt", "proofCanonDataInt.txt", "canonDocDataInt.txt",
    ),
    "eddsa-jcs-2022": ("eddsa-jcs-2022", "unsigned.json", "JCS", "proofCanonJCS.txt", "canonDocJCS.txt"),
    "Ed25519Signature2020": (
        "Ed25519Signature2020", "unsigned.json", "EdSig", "proofCanonEdSig.txt", "canonDocEdSig.txt",
    ),
}  # fmt: skip
CHAIN = ("signedProofSet1", "signedProofSet2", "signedProofChain1", "signedProofChain2")


@pytest.fixture(scope="module")
def expander() -> Expander:
    data = (Path(__file__).parent / "data" / "citizenship-v4rc1.json").read_bytes()
    contexts = pinned_contexts().extended({CITIZENSHIP: data}, {CITIZENSHIP: hashlib.sha256(data).hexdigest()})
    return Expander(contexts)


def read(path: Path) -> Any:
    return json.loads(path.read_bytes())


def private_key(pair: dict[str, str]) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(parse_base58(pair["privateKeyMultibase"]).removeprefix(b"\x80\x26"))


@pytest.mark.parametrize("folder", STEPS)
def test_every_step(eddsa_vectors: Path, folder: str, expander: Expander) -> None:
    name, source, suffix, canonical_options, canonical_document = STEPS[folder]
    at = eddsa_vectors / folder
    suite = SUITES[name]
    signed = read(at / f"signed{suffix}.json")
    document = {key: value for key, value in signed.items() if key != "proof"}
    unsigned = read(eddsa_vectors / source)
    # Ed25519Signature2020 adds its own context to the document.
    assert {**unsigned, "@context": None} == {**document, "@context": None}
    options = read(at / f"proofConfig{suffix}.json")

    def text(stem: str) -> str:
        return (at / f"{stem}{suffix}.txt").read_text().strip()

    form, config = (transform(suite, value, KeyKind.ED25519, expander) for value in (document, options))
    assert form.data.decode().strip() == (at / canonical_document).read_text().strip()
    expected = canonicalize(read(at / canonical_options)) if suffix == "JCS" else (at / canonical_options).read_bytes()
    assert config.data.decode().strip() == expected.decode().strip()
    assert form.unmapped == config.unmapped == ()
    assert hashlib.sha256(form.data).hexdigest() == text("docHash")
    assert hashlib.sha256(config.data).hexdigest() == text("proofHash")
    message = signed_bytes(suite, config.data, form.data, KeyKind.ED25519)
    assert message.hex() == text("combinedHash")
    signature = private_key(read(eddsa_vectors / "keyPair.json")).sign(message)
    assert signature.hex() == text("sigHex")
    assert base58_text(signature) == text("sigBTC58") == signed["proof"]["proofValue"]


@pytest.mark.parametrize("folder", STEPS)
def test_signed_document(eddsa_vectors: Path, folder: str, expander: Expander, did_keys: Callable[[str], Any]) -> None:
    signed = read(eddsa_vectors / folder / f"signed{STEPS[folder][2]}.json")
    assert verify_proofs(signed, did_keys, AT, expander=expander).status is ProofStatus.GOOD
    for change in ({"name": "Another"}, {"id": "urn:uuid:00000000-0000-0000-0000-000000000000"}):
        report = verify_proofs({**signed, **change}, did_keys, AT, expander=expander)
        assert [outcome.code for outcome in report.outcomes] == [ProofCode.SIGNATURE_INVALID]


@pytest.mark.parametrize(
    ("folder", "suite"), [("eddsa-rdfc-2022", "eddsa-rdfc-2022"), ("eddsa-jcs-2022", "eddsa-jcs-2022")]
)
def test_creating_gives_the_same_proof(eddsa_vectors: Path, folder: str, suite: str) -> None:
    signed = read(eddsa_vectors / folder / f"signed{STEPS[folder][2]}.json")
    signer = LocalSigner(signed["proof"]["verificationMethod"], private_key(read(eddsa_vectors / "keyPair.json")))
    made = add_proofs(read(eddsa_vectors / "unsigned.json"), signer, 1677281798, suites=[suite])
    assert made == {**signed, "proof": [signed["proof"]]}


@pytest.mark.parametrize("name", CHAIN)
def test_sets_and_chains(eddsa_vectors: Path, name: str, did_keys: Callable[[str], Any]) -> None:
    signed = read(eddsa_vectors / "proof-set-chain" / f"{name}.json")
    report = verify_proofs(signed, did_keys, AT)
    assert {outcome.code for outcome in report.outcomes} == {ProofCode.OK}


P256, P384 = (
    "zDnaepBuvsQ8cpsWrVKw8fbpGpvPeNSjVPTWoq6cRqaYzBKVP",
    ("z82LkuBieyGShVBhvtE2zoiD6Kma4tJGFtkAhxR5pfkp5QPw4LutoYWhvQCnGjdVn14kujQ"),
)
# vc-di-ecdsa, test vectors (W3C Software and Document License): over the same unsigned document.
ECDSA = {
    "rdfc-p256": (
        "ecdsa-rdfc-2019",
        P256,
        "zaHXrr7AQdydBk3ahpCDpWbxfLokDqmCToYm2dyWvpcFVyWooC2he63w1f7UNQoAMKdhaRtcnaE2KTo5o5vTCcfw",
    ),
    "rdfc-p384": (
        "ecdsa-rdfc-2019",
        P384,
        "z967Mvv5bxtmLNqTzPZ8KmJjFmFXaAKeQNzq7GWnQkMcLtaGSSmuozE5WtJ8PipMe178B1tE28K1vsJur9bGVJhz6jgSJsRHFSQeqgH8hhjcg8gZDFJC1b9FsR5ggNmDBqHv",
    ),
    "jcs-p256": (
        "ecdsa-jcs-2019",
        P256,
        "zq6PrUMCtqY5obCSsrQxuFJdGffCDxvFuopdZiBPUBRTFEs1VVsBZi8YiEwVWgHYrXxoV93gBHqGDBtQLPFxpZxz",
    ),
    "jcs-p384": (
        "ecdsa-jcs-2019",
        P384,
        "zR3krc7pt9Dpn1PY2u8HWPePggtzAG2SuH2ZGNrzw8Ku3QrFLWgDTjS5mCWy65ShixJEtpMwfviAFfh5xTgd5FGN1sSbpPJ5djqSZQLqQkY8KLBPNswuqKtq3bS8f9vEHm8w",
    ),
}


@pytest.mark.parametrize("name", ECDSA)
def test_ecdsa(eddsa_vectors: Path, name: str, did_keys: Callable[[str], Any]) -> None:
    suite, key, signature = ECDSA[name]
    proof = {
        "type": "DataIntegrityProof",
        "cryptosuite": suite,
        "created": "2023-02-24T23:36:38Z",
        "verificationMethod": f"did:key:{key}#{key}",
        "proofPurpose": "assertionMethod",
        "proofValue": signature,
    }
    signed = {**read(eddsa_vectors / "unsigned.json"), "proof": proof}
    assert verify_proofs(signed, did_keys, AT).status is ProofStatus.GOOD
    assert verify_proofs({**signed, "name": "Another"}, did_keys, AT).status is ProofStatus.BAD


def test_chain_without_a_link(eddsa_vectors: Path, did_keys: Callable[[str], Any]) -> None:
    signed = read(eddsa_vectors / "proof-set-chain" / "signedProofChain1.json")
    del signed["proof"][0]
    report = verify_proofs(signed, did_keys, AT)
    assert [outcome.code for outcome in report.outcomes] == [ProofCode.OK, ProofCode.PREVIOUS_PROOF_MISSING]


def test_chain_with_a_changed_link(eddsa_vectors: Path, did_keys: Callable[[str], Any]) -> None:
    signed = read(eddsa_vectors / "proof-set-chain" / "signedProofChain1.json")
    signed["proof"][0]["created"] = "2023-02-24T23:36:39Z"
    report = verify_proofs(signed, did_keys, AT)
    assert [outcome.code for outcome in report.outcomes] == [
        ProofCode.SIGNATURE_INVALID, ProofCode.OK, ProofCode.SIGNATURE_INVALID,
    ]  # fmt: skip
