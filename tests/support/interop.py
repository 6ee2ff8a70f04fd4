"""An issuer on loopback with everything that a verifier asks it for, and the outside libraries that ask."""

import copy
import ipaddress
import json
import os
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.core.notation import time_text
from registry.standards.did.hosted import build_did_document
from registry.standards.did.key import did_key
from registry.standards.keys import LocalSigner, create_key_ring
from registry.standards.proofs.creating import PROOF_SET, ProofSigner, add_proofs
from registry.standards.statuslist import build_status_list, encode_list

SCRIPTS = Path(__file__).parents[1] / "interop"
DAY = 86_400
CLEAR, REVOKED, SUSPENDED = 7, 300, 8  # places in the lists

Json = dict[str, Any]


def find_node() -> str:
    """Where node is. Skips the test if it or the libraries are not there; REQUIRE_NPM=1 makes that a failure."""
    node = shutil.which("node")
    if node is not None and (SCRIPTS / "node_modules" / "@digitalbazaar" / "vc").is_dir():
        return node
    message = "no outside libraries: run `npm ci --ignore-scripts` in tests/interop/ (Node.js 20 or newer)"
    if os.environ.get("REQUIRE_NPM") == "1":
        pytest.fail(message)
    pytest.skip(message)


@dataclass(frozen=True)
class Answers:
    """What a script made of its cases, and the hosts that its libraries asked for and did not get."""

    results: dict[str, Any]
    refused: list[str]


def run_node(script: str, cases: Mapping[str, object], authority: Path | None = None) -> Answers:
    """One process for all cases. ``authority``: the certificate that HTTPS on loopback is trusted by."""
    environment = {"PATH": os.environ["PATH"]}
    if authority is not None:
        environment["NODE_EXTRA_CA_CERTS"] = str(authority)
    done = subprocess.run(
        [find_node(), "--import", "./loopback.mjs", script],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=120,
        cwd=SCRIPTS,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Answers(**json.loads(done.stdout))


class Loopback:
    """HTTPS on a free port of loopback, with a certificate of its own.

    ``documents``: what is there, by path; everything else is asked of ``upstream``, the URL of a server on loopback.
    """

    def __init__(self, folder: Path) -> None:
        self.documents: dict[str, object] = {}
        self.upstream: str | None = None
        self.authority, key = _certificate(folder)
        owner = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                owner._answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority, key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port: int = self._server.server_address[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        status, kind, body = self._find(handler.path)
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _find(self, path: str) -> tuple[int, str, bytes]:
        if path in self.documents or self.upstream is None:
            found = self.documents.get(path)
            return 404 if found is None else 200, "application/json", json.dumps(found).encode()
        with closing(HTTPConnection(self.upstream.removeprefix("http://"), timeout=30)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type", ""), answer.read()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, good for a day, and its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


@dataclass
class Issuer:
    """An issuer whose DID document and status lists are on ``host``: its second key signs, the first was replaced."""

    host: Loopback
    now: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        self.did = f"did:web:127.0.0.1%3A{self.host.port}:issuers:demo"
        password = partial(str, "interop")
        first = create_key_ring(self.did, password, self.now - 30 * DAY, scrypt_n=2)
        self.former_signer = first.unlock(password)
        ring = first.rotated(password, self.now - 2 * DAY, overlap_seconds=3_600)
        self.signer = ring.unlock(password)
        self.host.documents["/issuers/demo/did.json"] = build_did_document(self.did, ring.keys, (), self.host.url)
        for purpose, place in (("revocation", REVOKED), ("suspension", SUSPENDED)):
            self.publish_list(0, {place}, purpose)

    def list_url(self, name: object = 0, purpose: str = "revocation") -> str:
        return f"{self.host.url}/issuers/demo/status/{purpose}/{name}"

    def publish_list(
        self,
        name: object,
        places: set[int],
        purpose: str = "revocation",
        *,
        issuer: str | None = None,
        by: ProofSigner | None = None,
        valid_until: int | None = None,
    ) -> Json:
        """Signs a list and puts it where its entries point to. What is returned is what is served."""
        url = self.list_url(name, purpose)
        words: dict[int, int] = {}
        for place in places:
            words[place >> 8] = words.get(place >> 8, 0) | 1 << (place & 255)
        unsigned = build_status_list(
            url=url,
            issuer=issuer or self.did,
            purpose=purpose,
            list_number=0,
            words=words,
            valid_from=self.now - DAY,
            valid_until=valid_until,
        )
        signed = add_proofs(unsigned, by or self.signer, self.now - DAY)
        self.host.documents[url.removeprefix(self.host.url)] = signed
        return signed

    def credential(self, place: int = CLEAR, name: object = 0, purpose: str = "revocation", **more: Any) -> Json:
        """A whole Open Badges 3.0 credential without proof, whose status is at that place of that list."""
        url = self.list_url(name, purpose)
        return {
            **badge(self.did),
            "validFrom": time_text(self.now - 20 * DAY),
            "credentialStatus": {
                "id": f"{url}#{place}",
                "type": "BitstringStatusListEntry",
                "statusPurpose": purpose,
                "statusListIndex": str(place),
                "statusListCredential": url,
            },
            **more,
        }

    def sign(
        self,
        credential: Json,
        by: ProofSigner | None = None,
        suites: tuple[str, ...] = PROOF_SET,
        created: int | None = None,
    ) -> Json:
        """By the current key, or ``by`` another."""
        return add_proofs(credential, by or self.signer, self.now - DAY if created is None else created, suites=suites)


def make_cases(issuer: Issuer) -> dict[str, Json]:
    """What every outside library is asked about: one good credential, one that is good although its key was replaced,
    and one for each way of being bad."""
    tampered = issuer.sign(issuer.credential())
    tampered["credentialSubject"]["achievement"]["name"] = "Brain surgery"
    # Somebody who writes the issuer's current key into the proof without having it; and with a key of a new name.
    other = Ed25519PrivateKey.generate()
    stranger = LocalSigner(issuer.signer.verification_method, other)
    unlisted = LocalSigner(f"{issuer.did}#key-9", other)
    foreign = did_key(stranger.public_key)

    issuer.publish_list("forged", {CLEAR})["credentialSubject"]["encodedList"] = encode_list(bytes(16_384))
    issuer.publish_list("expired", set(), valid_until=issuer.now - DAY // 2)
    issuer.publish_list(
        "foreign", set(), issuer=foreign, by=LocalSigner(f"{foreign}#{foreign.removeprefix('did:key:')}", other)
    )
    return {
        "good": issuer.sign(issuer.credential()),
        "former key": issuer.sign(issuer.credential(), issuer.former_signer, created=issuer.now - 10 * DAY),
        "tampered": tampered,
        "stranger's key": issuer.sign(issuer.credential(), stranger),
        "unlisted key": issuer.sign(issuer.credential(), unlisted),
        "revoked": issuer.sign(issuer.credential(REVOKED)),
        "suspended": issuer.sign(issuer.credential(SUSPENDED, purpose="suspension")),
        "expired": issuer.sign(issuer.credential(validUntil=time_text(issuer.now - DAY // 2))),
        "not yet valid": issuer.sign(issuer.credential(validFrom=time_text(issuer.now + DAY))),
        "forged list": issuer.sign(issuer.credential(name="forged")),
        "expired list": issuer.sign(issuer.credential(name="expired")),
        "foreign list": issuer.sign(issuer.credential(name="foreign")),
        "missing list": issuer.sign(issuer.credential(name="missing")),
    }


def badge(did: str) -> Json:
    """An AchievementCredential of that issuer, without status and proof."""
    return {
        **copy.deepcopy(_BADGE),
        "issuer": {"id": did, "type": ["Profile"], "name": "Example University"},
        "validFrom": "2026-01-01T00:00:00Z",
    }


_BADGE: Json = {
    "@context": [
        "https://www.w3.org/ns/credentials/v2",
        "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
    ],
    "id": "urn:uuid:6a1676b8-b51f-11ed-937b-d76685a20ff5",
    "type": ["VerifiableCredential", "OpenBadgeCredential"],
    "name": "Data literacy",
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
            "achievementType": "MicroCredential",
            "name": "Data literacy",
            "description": "Reads data and doubts it.",
            "criteria": {"narrative": "An examination of two hours."},
            "creditsAvailable": 5,
            "inLanguage": "en",
            "alignment": [
                {
                    "type": ["Alignment"],
                    "targetName": "EQF 6",
                    "targetUrl": "https://example.org/eqf/6",
                    "targetType": "ext:EQF",
                },
            ],
        },
        "creditsEarned": 5,
    },
}
