"""What an audit costs, as ratios in one run: published leaves, bundles on one core, bundles on all of them.

    .venv/bin/python scripts/bench_audit.py [--leaves N] [--bundles N] [--batches N]

CPU time of this process, but for "on all cores", which is by the clock. The chain is made up: no node is asked.
"""

import argparse
import hashlib
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import jiter

from registry.core.audit import BatchKey
from registry.core.audit_chain import AnchoredBatch, ChainView
from registry.core.audit_credentials import Lists
from registry.core.audit_issuers import Speakers
from registry.core.audit_published import PublishedAudit, PublishedBatch, packed_root, repeated_leaves
from registry.core.model import Anchor, BatchRecord, BlockRef
from registry.service.auditbundles import BundleAudit

ISSUER, CONTRACT, CODE = b"\1" * 20, b"\2" * 20, b"\3" * 32
MOMENT = 1_800_000_000


def view_of(sizes: list[tuple[BatchKey, int]]) -> ChainView:
    history = tuple(AnchoredBatch(key, size, 5, b"\5" * 32, b"\6" * 32) for key, size in sizes)
    records = {key: BatchRecord(size, MOMENT, 0, 5) for key, size in sizes}
    end = sum(size for _, size in sizes)
    return ChainView(31337, CONTRACT, CODE, BlockRef(9, b"\7" * 32, MOMENT), history, records, {ISSUER: end})


def show(what: str, value: float, unit: str, base: float | None = None, than: str = "") -> None:
    against = "" if base is None else f"{value / base:8.2f} x {than}"
    print(f"{what:<52}{value:>12,.2f} {unit:<10}{against}", flush=True)


def measure_leaves(leaves: int, batches: int) -> None:
    size = leaves // batches
    published, sizes = [], []
    for number in range(batches):
        packed = b"".join(hashlib.sha256(at.to_bytes(8)).digest() for at in range(number * size, (number + 1) * size))
        key = BatchKey(ISSUER, number * size, packed_root(packed))
        published.append((PublishedBatch(key, size, revoked=False), packed))
        sizes.append((key, size))
    view = view_of(sizes)
    started = time.process_time()
    for _, packed in published:
        for at in range(0, len(packed), 32):
            hashlib.sha256(packed[at : at + 32] * 2).digest()
    loop = time.process_time() - started
    show(f"hash {leaves:,} nodes in a plain loop", loop, "s")
    started = time.process_time()
    audit = PublishedAudit(view)
    found = [finding for item in published for finding in audit.add(*item)] + audit.finish()
    found += repeated_leaves(audit.anchored_leaves(), {}, view.batches())
    show(f"{leaves:,} leaves in {batches} batches", time.process_time() - started, "s", loop, "that loop")
    show("memory of all this", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB")
    if found:
        raise SystemExit(f"a clean publication gave findings: {found[:3]}")


def measure_bundles(count: int, folder: Path) -> None:
    # Here, as what signs takes memory, which was measured before.
    from bench_bundles import DID, PLACE, write_bundles

    anchor = Anchor(31337, CONTRACT, ISSUER, 0, MOMENT, b"\6" * 32, 5, b"\5" * 32)
    root, packed, paths = write_bundles(count, anchor, folder)
    key = BatchKey(ISSUER, 0, root)
    view = view_of([(key, count)])
    started = time.process_time()
    data = [Path(path).read_bytes() for path in paths]
    show("read a file", (time.process_time() - started) / count * 1e6, "us")
    show("a file", sum(map(len, data)) / count / 1000, "kB")
    started = time.process_time()
    for item in data:
        jiter.from_json(item, allow_inf_nan=False, cache_mode="none", catch_duplicate_keys=True)
    parse = (time.process_time() - started) / count * 1e6
    show("parse a bundle's JSON, nothing else", parse, "us")
    del data
    lists = Lists({ISSUER: PLACE}, frozenset({"registry.example"}), {PLACE: frozenset({ISSUER})})
    speakers = Speakers({ISSUER: {DID: ""}})

    def run(processes: int, leaves: dict[BatchKey, bytes]) -> tuple[float, float]:
        audit = BundleAudit(view, leaves, None, processes, lists=lists, speakers=speakers)
        clock, cpu = time.perf_counter(), time.process_time()
        found = list(audit.run(paths))
        if found or audit.incomplete or audit.count != count:
            raise SystemExit(f"clean bundles gave findings: {found[:3]} {list(audit.incomplete)[:3]}")
        return time.perf_counter() - clock, time.process_time() - cpu

    alone, cpu = run(1, {key: packed})
    show("audit a bundle, its leaf at hand", cpu / count * 1e6, "us", parse, "parsing it")
    show("that is, a second and core", count / cpu, "bundles")
    _, with_proof = run(1, {})
    show("audit a bundle by its own proof", with_proof / count * 1e6, "us", cpu / count * 1e6, "with its leaf at hand")
    together, _ = run(0, {key: packed})
    show(f"on all {os.cpu_count()} cores, by the clock", count / together, "bundles/s", count / alone, "one process")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--bundles", type=int, default=20_000)
    arguments = parser.parse_args()
    measure_leaves(arguments.leaves, arguments.batches)
    with tempfile.TemporaryDirectory() as folder:
        measure_bundles(arguments.bundles, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
