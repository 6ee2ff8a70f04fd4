"""A whole registry on the embedded chain, served on loopback: outside verifiers read what it issues and publishes.

In front of it is what an operator would put there, something that speaks HTTPS.
"""

import copy
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from registry.api.app import create_app
from registry.core.notation import time_text
from registry.settings import load_settings
from registry.standards.proofs.creating import PROOF_SET
from registry.wiring import open_registry
from support.cli import run
from support.interop import DAY, Json, Loopback, badge, run_node
from support.served import Server

ldp = pytest.importorskip("openbadgeslib.ob3.ldp")
util = pytest.importorskip("openbadgeslib.util")

NAMES = ("good", "revoked", "expired")  # by index


@dataclass(frozen=True)
class Issued:
    """What bundles hold, by name; "tampered" is the good one, changed."""

    host: Loopback
    credentials: dict[str, Json]


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issued]:
    folder = tmp_path_factory.mktemp("registry")
    host = Loopback(folder)
    documents = [badge("") | {"id": f"urn:example:{name}", "name": name} for name in NAMES]
    for document in documents:
        del document["issuer"]
    documents[-1]["validUntil"] = time_text(int(time.time()) - DAY)
    (folder / "lines.ndjson").write_text("\n".join(map(json.dumps, documents)))
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("REGISTRY_")]:
                patch.delenv(name)
            patch.setenv("REGISTRY_PUBLIC_URL", host.url)
            for arguments in (
                ("init",),
                ("issuer", "create", "demo"),
                ("issue", folder / "lines.ndjson", "--issuer", "demo"),
                ("seal",),
                ("worker", "--once"),
                ("revoke", "urn:example:revoked"),
                ("worker", "--once"),
                ("bundle", "--all", folder / "bundles"),
            ):
                answer = run(*arguments, "--data", folder / "data")
                assert answer.exit_code == 0, answer
            settings = load_settings(folder / "data")
        bundles = [json.loads(path.read_bytes()) for path in (folder / "bundles").glob("*.json")]
        credentials = {bundle["credential"]["name"]: bundle["credential"] for bundle in bundles}
        credentials["tampered"] = copy.deepcopy(credentials["good"])
        credentials["tampered"]["credentialSubject"]["achievement"]["name"] = "Brain surgery"
        with open_registry(settings) as registry:
            server = Server(create_app(registry))
            host.upstream = server.url
            try:
                yield Issued(host, credentials)
            finally:
                server.stop()
    finally:
        host.stop()


def test_digitalbazaar(issued: Issued) -> None:
    cases = {
        f"{name} {suite}": {"credential": credential, "suites": [suite]}
        for name, credential in issued.credentials.items()
        for suite in PROOF_SET
    }
    answers = run_node("digitalbazaar.mjs", cases, issued.host.authority)
    assert answers.refused == []
    for suite in PROOF_SET:
        found = {name: answers.results[f"{name} {suite}"] for name in issued.credentials}
        assert found["good"] == {"verified": True, "errors": [], "statuses": {"revocation": False}}
        assert found["revoked"] == {"verified": True, "errors": [], "statuses": {"revocation": True}}
        assert not found["tampered"]["verified"]
        assert found["tampered"]["errors"][-1]["message"] == "Invalid signature."
        assert not found["expired"]["verified"]
        assert 'is after "validUntil"' in found["expired"]["errors"][0]["message"]


def test_verifier_core(issued: Issued) -> None:
    found = run_node("verifier-core.mjs", issued.credentials, issued.host.authority).results
    steps = {"valid_signature": True, "expiration": True, "registered_issuer": False, "revocation_status": True}
    assert found["good"] == {"errors": [], "log": steps}
    assert found["revoked"] == {"errors": [], "log": steps | {"revocation_status": False}}
    assert found["expired"] == {"errors": [], "log": steps | {"expiration": False}}
    assert [error["name"] for error in found["tampered"]["errors"]] == ["invalid_signature"]


def test_openbadgeslib(issued: Issued, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(issued.host.authority))
    verifier = ldp.OB3LdpVerifier.for_issuer_did(f"did:web:127.0.0.1%3A{issued.host.port}:issuers:demo")
    verify = partial(
        verifier.verify,
        check_status=True,
        download=partial(util.download_file, allow_private=True),
        verify_status_list=False,
    )
    assert verify(issued.credentials["good"]).achievement.name == "Data literacy"
    for name, message in (
        ("revoked", "Credential status 'revocation' is set at index"),
        ("expired", r"Credential has expired \(validUntil"),
        ("tampered", r"Invalid Data Integrity proof \(signature mismatch\)"),
    ):
        with pytest.raises(ldp.OB3VerificationError, match=message):
            verify(issued.credentials[name])
