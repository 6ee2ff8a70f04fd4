#!/usr/bin/env python3
"""What signing costs: credentials a second in one process, canonicalization included.

    scripts/bench signing [--count 2000] [--json]

Times are processor time, so that other work on the machine shows less; of one_process and all_cores by the clock.
"""

import argparse
import copy
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from registry.core.canonical import canonicalize
from registry.settings import Settings
from registry.standards.contexts import pinned_contexts
from registry.standards.keys import LocalSigner
from registry.standards.proofs.creating import PROOF_SET, add_proofs
from registry.standards.proofs.expanding import Expander
from registry.standards.proofs.jsonld import to_quads
from registry.standards.proofs.rdfc import canonicalize_quads
from registry.standards.proofs.report import VerificationKey
from registry.standards.proofs.verifying import verify_proofs
from registry.wiring.keys import SigningKeyFiles
from registry.wiring.signing_pool import SigningPool

DID = "did:web:example.edu:issuers:demo"
CREATED = 1_790_000_000
BADGE: dict[str, Any] = {
    "@context": ["https://www.w3.org/ns/credentials/v2", "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],
    "id": "",
    "type": ["VerifiableCredential", "OpenBadgeCredential"],
    "name": "Data literacy",
    "issuer": {"id": DID, "type": ["Profile"], "name": "Example University", "address": {"type": ["Address"],
               "addressCountryCode": "AT"}},
    "validFrom": "2026-01-01T00:00:00Z",
    "credentialSubject": {
        "type": ["AchievementSubject"],
        "identifier": [{"type": "IdentityObject", "hashed": True, "identityHash": "", "identityType": "emailAddress",
                        "salt": ""}],
        "achievement": {
            "id": "https://example.edu/achievements/1",
            "type": ["Achievement"],
            "name": "Data literacy",
            "description": "Reads data and doubts it. " * 8,
            "criteria": {"narrative": "An examination of two hours. " * 8},
            "creditsAvailable": 5,
            "alignment": [
                {"type": ["Alignment"], "targetName": "EQF 6", "targetUrl": "https://example.org/eqf/6",
                 "targetType": "ext:EQF"},
                {"type": ["Alignment"], "targetName": "ESCO", "targetUrl": "https://example.org/esco/1"},
            ],
        },
    },
    "credentialStatus": {"id": "", "type": "BitstringStatusListEntry", "statusPurpose": "revocation",
                         "statusListIndex": "", "statusListCredential": "https://example.edu/status/revocation/0"},
}  # fmt: skip


def badges(count: int) -> Iterator[dict[str, Any]]:
    for index in range(count):
        badge = copy.deepcopy(BADGE)
        badge["id"] = f"urn:uuid:00000000-0000-0000-0000-{index:012d}"
        badge["credentialSubject"]["identifier"][0] |= {"identityHash": f"sha256${index:064x}", "salt": f"s{index}"}
        badge["credentialStatus"] |= {"id": f"https://example.edu/status/revocation/0#{index}",
                                      "statusListIndex": str(index)}  # fmt: skip
        yield badge


def rate(work: Callable[[Any], object], items: list[Any]) -> float:
    work(items[0])
    start = time.process_time()
    for item in items:
        work(item)
    return len(items) / (time.process_time() - start)


def measure(count: int = 2_000) -> dict[str, float]:
    """Credentials a second, by what is done."""
    contexts = pinned_contexts()
    expander = Expander(contexts)
    signer = LocalSigner(f"{DID}#key-1", Ed25519PrivateKey.generate())
    key = VerificationKey(signer.public_key, DID, frozenset({"assertionMethod"}))
    plain = list(badges(count))
    for badge in plain[:3]:
        expander.expand(badge)

    def sign(*suites: str) -> Callable[[Any], object]:
        return lambda badge: add_proofs(badge, signer, CREATED, suites=suites, expander=expander)

    def verify(document: Any) -> object:
        return verify_proofs(document, lambda _: key, CREATED, controller=DID, expander=expander)

    signed = [add_proofs(badge, signer, CREATED, expander=expander) for badge in plain]
    few = max(count // 20, 10)
    return {
        "sign_jcs": rate(sign("eddsa-jcs-2022"), plain),
        "sign_rdfc": rate(sign("eddsa-rdfc-2022"), plain),
        "sign_set": rate(sign(*PROOF_SET), plain),
        "verify_set": rate(verify, signed),
        "expand_without_plan": rate(lambda badge: to_quads(badge, contexts), plain[:few]),
        "expand_with_plan": rate(expander.expand, plain),
        "canonicalize_rdf": rate(canonicalize_quads, [expander.expand(badge).quads for badge in plain]),
    }


def measure_pool(count: int) -> dict[str, float]:
    """Credentials a second by the clock: in this process, and in as many as there are cores, already started."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), keystore_password=SecretStr("password"))
        keys = SigningKeyFiles(settings)
        keys.create("demo", DID, CREATED)
        signer = keys.signer("demo")
        plain = list(badges(count))
        pool = SigningPool(settings, worth=0)
        try:
            for _ in range(3):  # so that each process knows its plans
                pool.sign("demo", plain[: 16 * (os.cpu_count() or 1)], CREATED, PROOF_SET, False)
            start = time.perf_counter()
            spread = pool.sign("demo", plain, CREATED, PROOF_SET, False)
            middle = time.perf_counter()
            alone = [canonicalize(add_proofs(badge, signer, CREATED)) for badge in plain]
            end = time.perf_counter()
        finally:
            pool.close()
    if spread is None:
        return {"one_process": count / (end - middle)}  # there is one core
    if spread != alone:
        raise AssertionError("the processes did not sign what one signs")
    return {"one_process": count / (end - middle), "all_cores": count / (middle - start)}


def main() -> None:
    parser = argparse.ArgumentParser(description="What signing costs.")
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = measure(arguments.count) | measure_pool(arguments.count)
    if arguments.json:
        print(json.dumps({name: round(value, 1) for name, value in found.items()}))
        return
    for name, value in found.items():
        print(f"{name:24} {value:10,.0f} a second {1000 / value:8.3f} ms")


if __name__ == "__main__":
    main()
