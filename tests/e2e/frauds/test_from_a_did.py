"""An audit that is given nothing but an issuer's DID and a node, and what the registry's API then shows."""

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from outside import Node, World, found_registry, fraud_in, run, served, sha

pytestmark = [pytest.mark.anvil, pytest.mark.slow, pytest.mark.timeout(900)]

Served = tuple[World, int]


@pytest.fixture(scope="module")
def registry(anvil_for_module: Any, tmp_path_factory: pytest.TempPathFactory) -> Served:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    place = tmp_path_factory.mktemp("registry")
    address = f'public_url = "http://127.0.0.1:{port}"\n'
    return found_registry(Node(anvil_for_module(31337).url), place, sizes=(3, 2), settings=address), port


@pytest.fixture
def world(registry: Served, tmp_path: Path) -> Iterator[Served]:
    with fraud_in(registry[0], tmp_path) as made:
        yield made, registry[1]


def audit(world: World, port: int, *more: str) -> tuple[int, Any]:
    did = f"did:web:127.0.0.1%3A{port}:issuers:uni"
    arguments = ("audit", "--json", "--did", did, "--rpc", world.node.url, *more)
    done = run(world.data / "nowhere", world.node.url, *arguments, REGISTRY_FETCH_LOOPBACK="true")
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_everything_is_found_from_the_did(world: Served) -> None:
    registry, port = world
    with served(registry, port):
        code, report = audit(*world)
    assert (code, report["findings"], report["incomplete"]) == (0, [], [])
    assert (report["contract"], report["audited"]["leaves"]) == (registry.contract, 6)


def test_frauds_in_what_the_api_shows(world: Served) -> None:
    """All in one registry: each costs a second, and starting it costs more."""
    registry, port = world
    registry.anchor([sha(b"secret")])
    changed = sha(b"another") + sha(b"and another")
    assert registry.sql("UPDATE batches SET leaves = ? WHERE first = 3", changed) == 1
    assert registry.sql("DELETE FROM chain_status") == 1
    assert registry.sql("""UPDATE batches SET "transaction" = ? WHERE first = 0 AND size = 3""", b"\5" * 32) == 1
    with served(registry, port):
        code, report = audit(*world)
    found = {(item["code"], item["where"].get("first")) for item in report["findings"]}
    assert (code, found) == (
        1,
        {
            ("leaves_missing", 5), ("root_mismatch", 3), ("status_list_differs", None),
            ("published_location_differs", 0),
        },
    )  # fmt: skip


def test_a_registry_that_is_away_is_not_clean(world: Served) -> None:
    code, answer = audit(*world)
    assert (code, answer["code"]) == (3, "did_unreachable")
