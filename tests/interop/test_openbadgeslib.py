"""openbadgeslib reads ours, and we what it signs. Its downloader fetches, which usually refuses loopback."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from registry.standards.did.key import did_key, resolve_did_key
from registry.standards.proofs.publickey import ed25519_key
from registry.standards.proofs.report import ProofCode, ProofStatus
from registry.standards.proofs.verifying import verify_proofs
from support.interop import Issuer, make_cases

ldp = pytest.importorskip("openbadgeslib.ob3.ldp")
theirs = pytest.importorskip("openbadgeslib.ob3.credential")
util = pytest.importorskip("openbadgeslib.util")

SIGNATURE = r"Invalid Data Integrity proof \(signature mismatch\)"
# Case → the message of its OB3VerificationError; None where there is none.
EXPECTED: dict[str, str | None] = {
    "good": None,
    "former key": None,
    "tampered": SIGNATURE,
    "stranger's key": SIGNATURE,
    "unlisted key": "key-9",
    "revoked": "Credential status 'revocation' is set at index 300",
    "suspended": "Credential status 'suspension' is set at index 8",
    "expired": r"Credential has expired \(validUntil",
    "not yet valid": r"Credential is not yet valid \(validFrom",
    "forged list": None,  # it verifies the signatures of lists that are JWTs, and of no others
    "foreign list": None,
    "expired list": r"status list .* expired \(validUntil",
    "missing list": "could not fetch status list .* 404",
}


@pytest.fixture
def download(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], bytes]:
    monkeypatch.setenv("SSL_CERT_FILE", str(issuer.host.authority))

    def fetch(url: str) -> bytes:
        assert url.startswith(issuer.host.url)
        found: bytes = util.download_file(url, allow_private=True)
        return found

    return fetch


@pytest.mark.parametrize("name", EXPECTED)
def test_says_what_is_wrong(issuer: Issuer, download: Callable[[str], bytes], name: str) -> None:
    verifier = ldp.OB3LdpVerifier.for_issuer_did(issuer.did)
    credential = make_cases(issuer)[name]
    verify = partial(verifier.verify, credential, check_status=True, download=download, verify_status_list=False)
    message = EXPECTED[name]
    if message is None:
        assert verify().achievement.name == "Data literacy"
        return
    with pytest.raises(ldp.OB3VerificationError, match=message):
        verify()


def test_every_case_is_expected(issuer: Issuer) -> None:
    assert set(make_cases(issuer)) == set(EXPECTED)


def test_wants_status_lists_as_jwt_unless_told_otherwise(issuer: Issuer, download: Callable[[str], bytes]) -> None:
    """Ours are Data Integrity documents, as the other libraries want them."""
    verifier = ldp.OB3LdpVerifier.for_issuer_did(issuer.did)
    with pytest.raises(ldp.OB3VerificationError, match="is not a signed JWT-VC"):
        verifier.verify(issuer.sign(issuer.credential()), check_status=True, download=download)


def test_we_read_what_it_signs() -> None:
    private = Ed25519PrivateKey.generate()
    did = did_key(ed25519_key(private.public_key().public_bytes_raw()))
    credential = theirs.OpenBadgeCredential(
        id="urn:uuid:6a1676b8-b51f-11ed-937b-d76685a20ff5",
        issuer=theirs.Issuer(id=did, name="Example University"),
        recipient_id="did:example:learner",
        achievement=theirs.Achievement(
            id="https://example.edu/achievements/1",
            name="Data literacy",
            description="Reads data and doubts it.",
            criteria_narrative="An examination of two hours.",
        ),
        issuance_date=datetime(2026, 1, 1, tzinfo=UTC),
    )
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    signed = ldp.OB3LdpSigner(pem).sign(credential)
    now = int(datetime.now(UTC).timestamp())
    assert verify_proofs(signed, resolve_did_key, now, controller=did).status is ProofStatus.GOOD
    signed["credentialSubject"]["achievement"]["name"] = "Brain surgery"
    codes = [outcome.code for outcome in verify_proofs(signed, resolve_did_key, now, controller=did).outcomes]
    assert codes == [ProofCode.SIGNATURE_INVALID]
