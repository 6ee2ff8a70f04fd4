"""What things cost. Every figure stands beside another one of the same run: the ratio is what can be compared.

CPU time of this process, the smallest of several runs where a run is short. The database is SQLite on the disk that
holds the temporary folder, the chain is the embedded one.
"""

import argparse
import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import rfc8785

from registry.core import canonical, leaf, merkle
from registry.core.bundle import parse_bundle
from registry.core.model import Status
from registry.service.oracle import merklelib_root
from registry.settings import Settings
from registry.wiring import open_registry
from registry.wiring.installation import deploy_contract, initialise


class Table:
    """Rows of (what, figure, unit, ratio, to what)."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, what: str, value: float, unit: str, base: float | None = None, than: str = "") -> None:
        ratio = None if base is None else value / base
        self.rows.append({"what": what, "value": round(value, 3), "unit": unit, "ratio": ratio, "than": than})
        against = "" if ratio is None else f"{ratio:8.2f} x {than}"
        print(f"{what:<58}{value:>12,.2f} {unit:<18}{against}", file=sys.stderr, flush=True)


def cpu(work: Callable[[], object], repeat: int = 3) -> float:
    """Seconds of CPU, the best of several runs."""
    best = float("inf")
    for _ in range(repeat):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def badge(number: int) -> dict[str, Any]:
    """About 1.6 kB of JSON, as a typical badge has."""
    return {
        "@context": [
            "https://www.w3.org/ns/credentials/v2",
            "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
        ],
        "id": f"https://issuer.example/credentials/{number}",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": "Data Literacy",
        "validFrom": "2026-01-01T00:00:00Z",
        "credentialSubject": {
            "type": ["AchievementSubject"],
            "identifier": [{"type": "IdentityObject", "hashed": True, "identityHash": f"sha256${number:064x}"}],
            "achievement": {
                "id": "https://issuer.example/achievements/data-literacy",
                "type": ["Achievement"],
                "name": "Data Literacy",
                "description": "Reads, questions and presents data. " * 6,
                "criteria": {"narrative": "Passed the written examination and presented a project. " * 8},
                "creditsAvailable": 5,
            },
        },
    }


def measure_core(table: Table, leaves: int) -> None:
    document = badge(1)
    text = json.dumps(document).encode()
    rounds = 2_000
    reference = cpu(lambda: [rfc8785.dumps(document) for _ in range(rounds)]) / rounds * 1e6
    table.add("canonicalize a badge, the rfc8785 package", reference, "us")
    own = cpu(lambda: [canonical.canonicalize(document) for _ in range(rounds)]) / rounds * 1e6
    table.add("canonicalize a badge, ours", own, "us", reference, "the rfc8785 package")
    table.add(
        "parse a badge strictly",
        cpu(lambda: [canonical.parse_json(text) for _ in range(rounds)]) / rounds * 1e6,
        "us",
        own,
        "canonicalizing it",
    )
    packed = b"".join(hashlib.sha256(number.to_bytes(8)).digest() for number in range(leaves))
    pieces = [packed[start : start + 32] for start in range(0, len(packed), 32)]
    loop = cpu(lambda: [hashlib.sha256(b"\x01" + piece + piece).digest() for piece in pieces], 1)
    table.add(f"hash {leaves:,} nodes in a plain loop", loop, "s")
    table.add(
        f"tree of {leaves:,} leaves", cpu(lambda: merkle.MerkleTree.from_packed(packed), 1), "s", loop, "that loop"
    )
    few = pieces[: leaves // 20]
    ours = cpu(lambda: merkle.MerkleTree(few), 1)
    table.add(f"root of {len(few):,} leaves, merklelib", cpu(lambda: merklelib_root(few), 1), "s", ours, "ours")
    tree = merkle.MerkleTree.from_packed(packed)
    proof = tree.inclusion_proof(leaves // 3)
    table.add(
        f"verify one of {leaves:,} leaves",
        cpu(
            lambda: [
                merkle.verify_inclusion(pieces[leaves // 3], leaves // 3, leaves, proof, tree.root)
                for _ in range(1_000)
            ]
        )
        * 1e3,
        "us",
        loop / leaves * 1e6,
        "hashing one node",
    )


def measure_service(table: Table, credentials: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), batch_max_size=max(1, credentials // 4))
        initialise(settings)
        deploy_contract(settings, lambda _: None, record=False)
        with open_registry(settings) as registry:
            issuer = registry.hosting.create("bench")
            worker = registry.worker()
            worker.run_once()

            def lines() -> Iterator[bytes]:
                for number in range(credentials):
                    yield json.dumps(badge(number)).encode()

            hashed = cpu(
                lambda: [
                    leaf.leaf_hash(leaf.commit(os.urandom(32), leaf.digest(canonical.canonicalize(badge(n)))))
                    for n in range(1_000)
                ]
            )
            base = hashed * 1e3
            table.add("make a badge and hash it into a leaf", base, "us")
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            cost = cpu(lambda: sum(1 for r in registry.issuing.import_lines(issuer, lines(), "k") if r.accepted), 1)
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            table.add("import, each credential", cost / credentials * 1e6, "us", base, "hashing it")
            table.add(f"import of {credentials:,}, memory that it added", (after - before) / 1024, "MB")
            cost = cpu(lambda: registry.batching.seal_all(issuer), 1)
            table.add("seal, each credential", cost / credentials * 1e6, "us", base, "hashing it")
            started = time.perf_counter()
            worker.run_once()
            table.add("anchor four batches until they are final, by the clock", time.perf_counter() - started, "s")
            bundles: list[bytes] = []
            cost = cpu(lambda: bundles.extend(data for _, data in registry.bundles.all()), 1)
            table.add("make a bundle", cost / credentials * 1e6, "us", base, "hashing it")
            parsed: list[Any] = []
            cost = cpu(lambda: parsed.extend(map(parse_bundle, bundles)), 1)
            table.add("parse a bundle", cost / credentials * 1e6, "us", base, "hashing it")
            verdicts: list[Any] = []

            def verify() -> None:
                for start in range(0, len(parsed), 500):
                    verdicts.extend(registry.verifier.verify(parsed[start : start + 500]))

            cost = cpu(verify, 1)
            table.add("verify a bundle, 500 at a time", cost / credentials * 1e6, "us", base, "hashing it")
            if {verdict.status for verdict in verdicts} != {Status.VALID}:
                raise SystemExit("a credential that was just issued is not VALID: these figures mean nothing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--credentials", type=int, default=20_000, help="how many go through the service")
    parser.add_argument("--leaves", type=int, default=1_000_000, help="how large the tree is")
    parser.add_argument("--json", action="store_true", help="print the rows as one JSON object")
    arguments = parser.parse_args()
    table = Table()
    measure_core(table, arguments.leaves)
    measure_service(table, arguments.credentials)
    if arguments.json:
        print(json.dumps({"rows": table.rows}))


if __name__ == "__main__":
    main()
