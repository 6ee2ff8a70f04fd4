"""Two registries with issuers of their own on one contract, published at different places and audited together."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from outside import ARTIFACT, Node, World, found_registry, sha

pytestmark = [pytest.mark.anvil, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def founded(anvil_for_module: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, World]:
    """Neither has been given an address, so that their issuers' and their own DIDs are the same."""
    node = Node(anvil_for_module(31337).url)
    place = tmp_path_factory.mktemp("registries")
    first = found_registry(node, place / "first", sizes=(12, 5))
    second = found_registry(node, place / "second", sizes=(7,))
    assert first.contract == second.contract
    assert not set(first.issuers.values()) & set(second.issuers.values())
    return first, second


@pytest.fixture
def worlds(founded: tuple[World, World], tmp_path: Path) -> Iterator[tuple[World, World]]:
    """Copies, and all that people hand in of both in one folder each."""
    node = founded[0].node
    snapshot = node.rpc("evm_snapshot")
    made = []
    for number, world in enumerate(founded):
        place = tmp_path / f"{number}"
        for name in ("data", "published"):
            shutil.copytree(getattr(world, name), place / name)
        for name in ("bundles", "promises"):
            (tmp_path / name).mkdir(exist_ok=True)
            for path in getattr(world, name).iterdir():
                shutil.copy(path, tmp_path / name / f"{number}-{path.name}")
        folders = (place / "data", place / "published", tmp_path / "bundles")
        made.append(World(node, *folders, dict(world.issuers), world.contract, tmp_path / "promises"))
    first, second = made
    yield first, second
    node.rpc("evm_revert", snapshot)


def audited(worlds: tuple[World, World], *more: Any) -> tuple[int, Any]:
    first, second = worlds
    handed_in = ("--credentials", first.bundles, "--promises", first.promises)
    return first.audit("--published", first.published, "--published", second.published, *handed_in, *more)


def found(report: Any) -> set[tuple[str, str]]:
    return {(item["code"], item["where"].get("source", "")) for item in report["findings"]}


def test_together_they_are_clean(worlds: tuple[World, World], tmp_path: Path) -> None:
    once = audited(worlds)
    assert (once[0], once[1]["findings"], once[1]["incomplete"]) == (0, [], [])
    assert once[1]["audited"] == {
        "issuers": 4, "batches": 5, "credentials": 26, "leaves": 26, "bundles": 26, "promises": 26,
    }  # fmt: skip
    for more in ((), (), ("--full",)):
        code, report = audited(worlds, "--state", tmp_path / "state.json", *more)
        assert ({**report, "reportedAt": ""}, code) == ({**once[1], "reportedAt": ""}, 0)


def test_the_order_does_not_matter(worlds: tuple[World, World]) -> None:
    first, second = worlds
    assert audited((second, first))[1]["findings"] == []


def test_copies_of_both_are_clean_too(worlds: tuple[World, World]) -> None:
    more: list[Any] = []
    for world in worlds:
        more += ["--published", shutil.copytree(world.published, world.published.with_name("mirror"))]
    code, report = audited(worlds, *more)
    assert (code, report["findings"], report["incomplete"]) == (0, [], [])


def test_each_has_to_answer_for_its_own_issuers(worlds: tuple[World, World]) -> None:
    first, second = worlds
    second.leaves_file(second.batch()).unlink()
    first.anchor([sha(b"secret")])
    code, report = audited(worlds)
    assert (code, found(report)) == (1, {("leaves_missing", str(place.published)) for place in worlds})


def test_a_batch_of_somebody_else_is_nobodys(worlds: tuple[World, World]) -> None:
    first, _ = worlds
    stranger = "0x" + "77" * 20
    made = first.node.web3.eth.contract(abi=[entry for entry in ARTIFACT["abi"] if entry.get("name") == "anchor"])
    to = first.node.web3.to_checksum_address(first.contract)
    data = made.encode_abi("anchor", [first.node.web3.to_checksum_address(stranger), sha(b"1"), 0, 1])
    first.node.send(stranger, to=to, data=data)
    code, report = audited(worlds)
    assert (code, found(report)) == (0, {("issuer_elsewhere", "")})
    assert [item["where"]["issuer"] for item in report["findings"]] == [stranger]


def test_one_that_cannot_be_asked_is_not_alleged_anything(worlds: tuple[World, World]) -> None:
    _, second = worlds
    shutil.rmtree(second.published)
    code, report = audited(worlds, "--no-signatures")
    assert (code, report["findings"]) == (3, [])
    assert any("8 promises by other keys could not be checked" in reason for reason in report["incomplete"])


def test_a_promise_of_the_second_that_is_broken(worlds: tuple[World, World]) -> None:
    _, second = worlds
    path, promise = second.accept("lost")
    assert audited(worlds)[0] == 0
    second.later(3)
    code, report = audited(worlds)
    broken = [item for item in report["findings"] if item["code"] == "promise_broken"]
    assert (code, [item["where"]["source"] for item in broken]) == (1, [path.name])
    assert promise["leaf"] in broken[0]["expected"]
    late = {"promise_broken", "revocation_shown_late"}
    assert {item["code"] for item in report["findings"]} <= late


def test_a_copied_batch_makes_nobody_else_guilty(worlds: tuple[World, World]) -> None:
    """The second one lists a batch of the first's: then it has to have all of that issuer's."""
    first, second = worlds
    batch = first.batch()
    second.bend(lambda batches: batches.append(batch))
    target = second.leaves_file(batch)
    target.parent.mkdir(exist_ok=True)
    shutil.copy(first.leaves_file(batch), target)
    _, report = audited(worlds)
    assert {source for _, source in found(report)} == {str(second.published)}


def test_the_registrys_own_audit_says_nothing_of_the_other(worlds: tuple[World, World]) -> None:
    for world in worlds:
        code, report = world.audit(inside=True)
        assert (code, report["findings"]) == (0, [])


def test_a_document_of_the_other_ones_did(worlds: tuple[World, World]) -> None:
    """Both have the same DIDs here; each is judged by what is published for its own address."""
    names = [json.loads((world.published / "issuers.json").read_bytes())["issuers"] for world in worlds]
    assert {item["did"] for item in names[0]} == {item["did"] for item in names[1]}
    assert audited(worlds)[0] == 0
