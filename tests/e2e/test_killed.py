"""Real processes, a real node, and SIGKILL at seeded random moments: nothing is lost, doubled or wrong.

An importer and a worker run side by side against anvil, which makes a block each second. Both are killed again and
again; the importer's file is simply handed in again, as an operator would do.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anchors.base import BatchAnchored
from registry.core.bundle import parse_bundle
from registry.core.model import Status
from registry.settings import Settings
from registry.wiring import Registry, open_registry
from support.cli import document

pytestmark = [pytest.mark.anvil, pytest.mark.slow, pytest.mark.timeout(600)]

COMMAND = Path(sys.executable).with_name("registry")
CHAIN_ID = 560048
ROUNDS = 6
LINES = 400


class Installation:
    """A data folder on a node, and the processes that work on it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")},
            "REGISTRY_DATA_DIR": str(folder / "data"),
            "REGISTRY_RPC_URLS": url,
            "REGISTRY_CHAIN_ID": str(CHAIN_ID),
            "REGISTRY_KEYSTORE_PASSWORD": "only for this test",
            "REGISTRY_CONFIRMATIONS": "1",
            "REGISTRY_POLL_SECONDS": "0.2",
            "REGISTRY_BATCH_MAX_SIZE": "150",
            "REGISTRY_BATCH_MAX_AGE_SECONDS": "1",
            "REGISTRY_STUCK_SECONDS": "5",
        }
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self.folder / "log").open("ab")
        process = subprocess.Popen([COMMAND, *arguments], env=self.environment, stdout=log, stderr=log)
        log.close()
        self.running.append(process)
        return process

    def run(self, *arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            [COMMAND, *arguments, "--json"],
            env=self.environment,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def open(self) -> Registry:
        values = {
            name.removeprefix("REGISTRY_").lower(): value
            for name, value in self.environment.items()
            if name.startswith("REGISTRY_")
        }
        return open_registry(Settings(**values))

    def kill_all(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()
        self.running.clear()


@pytest.fixture
def installation(tmp_path: Path, anvil: Callable[..., Any]) -> Iterator[Installation]:
    node = anvil(CHAIN_ID, "--block-time", "1")
    installation = Installation(tmp_path, node.url)
    made = installation.run("init")
    node.fund(bytes.fromhex(made["operator"][2:]))
    installation.run("deploy", "--no-record")
    installation.run("issuer", "create", "acme")
    yield installation
    installation.kill_all()


def write_file(folder: Path, number: int) -> Path:
    file = folder / f"import-{number}.ndjson"
    with file.open("w") as lines:
        for line in range(LINES):
            lines.write(json.dumps({**document(0), "id": f"urn:example:{number}:{line}"}) + "\n")
    return file


def test_workers_and_importers_that_are_killed_at_random_lose_and_double_nothing(installation: Installation) -> None:
    source = random.Random(20261123)
    files = [write_file(installation.folder, number) for number in range(ROUNDS)]
    for number, file in enumerate(files):
        installation.start(*(("worker",) if number % 2 else ("serve", "--port", "0")))
        installation.start("issue", str(file), "--issuer", "acme")
        time.sleep(source.uniform(1.0, 6.0))
        installation.kill_all()
    for file in files:
        installation.run("issue", str(file), "--issuer", "acme")
    with installation.open() as registry:
        worker = registry.worker()
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert worker.step().error is None
            states = {batch.state for batch in registry.batching.page(limit=1_000)}
            if not registry.batching.due() and states == {"FINAL"} and open_credentials(registry) == 0:
                break
            time.sleep(0.2)
        check(registry)


def open_credentials(registry: Registry) -> int:
    batched = sum(batch.size for batch in registry.batching.page(limit=1_000) if batch.state != "DISPLACED")
    return registry.issuers.look_up("acme").next_index - batched


def check(registry: Registry) -> None:
    batches = registry.batching.page(limit=1_000)
    assert {batch.state for batch in batches} == {"FINAL"}
    # the chain has each index once, in batches that tile the sequence
    head = registry.context.chain.head()
    events = [e for e in registry.context.chain.read_events(0, head.number) if isinstance(e, BatchAnchored)]
    assert sorted((e.first, e.size) for e in events) == sorted((b.first, b.size) for b in batches)
    ends = [0]
    for event in sorted(events, key=lambda event: event.first):
        assert event.first == ends[-1]
        ends.append(event.first + event.size)
    assert ends[-1] == ROUNDS * LINES == registry.issuers.look_up("acme").next_index
    # every credential that was handed in has one bundle, and each of them proves it
    bundles = [parse_bundle(data) for _, data in registry.bundles.all()]
    ids = [bundle.credential["id"] for bundle in bundles if bundle.credential]
    assert len(ids) == len(set(ids)) == ROUNDS * LINES
    assert {verdict.status for verdict in registry.verifier.verify(bundles)} == {Status.VALID}
