"""Frauds planted from outside, in a registry that runs against anvil: what is found, missed, alleged wrongly."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from frauds import FRAUDS, Fraud
from outside import TEMPLATE, Node, World, found_registry, fraud_in, sha

pytestmark = [pytest.mark.anvil, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def node(anvil_for_module: Any) -> Node:
    return Node(anvil_for_module(31337).url)


@pytest.fixture(scope="module")
def registry(node: Node, tmp_path_factory: pytest.TempPathFactory) -> World:
    return found_registry(node, tmp_path_factory.mktemp("registry"))


@pytest.fixture
def world(registry: World, tmp_path: Path) -> Iterator[World]:
    with fraud_in(registry, tmp_path) as made:
        yield made


@pytest.mark.parametrize("fraud", FRAUDS, ids=lambda fraud: fraud.name)
def test_a_fraud_is_found_and_no_other_alleged(world: World, fraud: Fraud) -> None:
    code, report = fraud.plant(world)
    found = {finding["code"] for finding in report["findings"]}
    assert (found, code) == (fraud.expected, fraud.exit_code), report["findings"] + report["incomplete"]


def test_the_registry_that_they_are_planted_in_is_clean(world: World) -> None:
    everything = (
        "--published", world.published, "--credentials", world.bundles, "--promises", world.promises, "--cross-check",
    )  # fmt: skip
    for inside in (False, True):
        code, report = world.audit(*everything, inside=inside)
        assert (code, report["findings"], report["incomplete"]) == (0, [], [])
        assert report["audited"] == {
            "issuers": 2, "batches": 3, "credentials": 66, "leaves": 66, "bundles": 66, "promises": 66,
        }  # fmt: skip


def test_a_registry_that_goes_on_with_a_changed_template_is_clean(world: World, tmp_path: Path) -> None:
    def audited() -> Any:
        return world.audit(
            "--published", world.published, "--state", tmp_path / "state.json", "--database", inside=True
        )

    assert audited()[0] == 0
    world.issue_with(TEMPLATE, "again")
    world.issue_with({**TEMPLATE, "name": "Statistics, second edition"}, "changed")
    world.registry("publish", world.published)
    first, second = world.templates(world.issuers_listing)
    assert (first["name"], second["name"]) == ("course", "course")
    for entry, name in ((first, "Statistics"), (second, "Statistics, second edition")):
        content = world.template_file(entry["sha256"]).read_bytes()
        assert (sha(content).hex(), json.loads(content)["name"]) == (entry["sha256"], name)
        assert "Ada" not in content.decode()
    for _ in range(2):
        code, report = audited()
        assert (code, report["findings"], report["incomplete"]) == (0, [], [])


def test_nothing_is_alleged_of_an_honest_registry_in_odd_circumstances(world: World, tmp_path: Path) -> None:
    """Others on the contract, statuses set past the registry, a thief's batch that was voided, another key."""
    world.node.catch_up()  # a chain that was put back has the time of then, and a new key would be too young for it
    stranger = "0x" + "77" * 20
    world.call("anchor", sha(b"theirs"), 0, 1, issuer=stranger)
    world.call("revoke", [0], [1 << 20])
    [(suspended,)] = world.ask("SELECT external_id FROM credentials WHERE credential_index = 5")
    world.registry("suspend", suspended, "--issuer", "uni")
    settle(world)
    world.call("setSuspension", world.view("nonceOf"), [0], [0], [1 << 5])
    first, root, _ = world.anchor([sha(b"stolen")])
    world.call("revokeBatch", root, first)
    batch = world.batch()
    world.call("revokeBatch", bytes.fromhex(batch["root"]), batch["first"])
    world.registry("issuer", "rotate", "uni")
    settle(world)
    world.accept("after")
    settle(world)
    world.registry("publish", world.published)
    world.registry("bundle", "--all", world.bundles)
    (world.bundles / "package.json").write_text("{}")
    handed = ("--credentials", world.bundles, "--promises", world.promises)
    everything = ("--published", world.published, *handed, "--state", tmp_path / "state.json")
    outside = {
        "issuer_elsewhere", "voided_batch_credential", "voided_batch_unpublished", "not_a_bundle", "promise_voided",
    }  # fmt: skip
    ours = [part for issuer in world.issuers.values() for part in ("--issuer", issuer)]
    for more, inside, expected in (
        ((), False, outside),
        ((), True, outside | {"foreign_batch_voided", "status_set_elsewhere"}),
        (ours, False, outside - {"issuer_elsewhere"}),
    ):
        code, report = world.audit(*everything, *more, inside=inside)
        found = {finding["code"] for finding in report["findings"]}
        assert (code, found, report["incomplete"]) == (0, expected, []), report["findings"]


def settle(world: World) -> None:
    for _ in range(3):
        world.registry("worker", "--once")
        world.node.rpc("anvil_mine", hex(2))
    world.registry("worker", "--once")


def test_a_clean_registry_of_ten_thousand(anvil_for_module: Any, tmp_path: Path) -> None:
    world = found_registry(Node(anvil_for_module(31337).url), tmp_path, sizes=(9_000, 999), batch=500)
    everything = ("--published", world.published, "--credentials", world.bundles, "--state", tmp_path / "state.json")
    for _ in range(2):
        code, report = world.audit(*everything, inside=True)
        assert (code, report["findings"], report["incomplete"]) == (0, [], [])
        audited = report["audited"]
        assert (audited["credentials"], audited["leaves"], audited["bundles"]) == (10_000, 10_000, 10_000)
