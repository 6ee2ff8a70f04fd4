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


def test_a_clean_registry_of_ten_thousand(anvil_for_module: Any, tmp_path: Path) -> None:
    world = found_registry(Node(anvil_for_module(31337).url), tmp_path, sizes=(9_000, 999), batch=500)
    everything = ("--published", world.published, "--credentials", world.bundles, "--state", tmp_path / "state.json")
    for _ in range(2):
        code, report = world.audit(*everything, inside=True)
        assert (code, report["findings"], report["incomplete"]) == (0, [], [])
        audited = report["audited"]
        assert (audited["credentials"], audited["leaves"], audited["bundles"]) == (10_000, 10_000, 10_000)
