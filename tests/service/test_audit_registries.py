"""Several publications: different registries on one contract, and copies of one registry's."""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from registry.core.canonical import canonicalize
from registry.service.auditing import AuditReport
from registry.service.intake import Submission
from registry.standards.statuslist import decode_list, encode_list
from support.audits import audit, bend, codes, leaf_files, publish
from support.fake_chain import FakeChain
from support.house import Clock, House, document, open_house

DAY = 86_400


@dataclass
class World:
    """Two registries, "a" and "b", on one contract; the folders are a test's own copies."""

    chain: FakeChain
    place: Path
    issuers: dict[str, bytes]

    def published(self, name: str) -> Path:
        return self.place / name

    def copy_of(self, name: str, other: str) -> Path:
        return shutil.copytree(self.published(name), self.place / other)

    def audit(self, *names: str | Path, **more: Any) -> AuditReport:
        return audit(self.chain, *(self.place / name for name in names), **more)

    def bundles(self) -> list[Path]:
        return sorted((self.place / "bundles").iterdir(), key=lambda path: path.name)


def fill(house: House, names: tuple[str, ...], place: Path, label: str) -> None:
    """Each issuer gets two batches; the first credential of each is promised."""
    for name in names:
        issuer = house.hosting.create(name)
        for number in range(2):
            given = house.promising.promise(
                issuer, house.issuing.take(issuer, Submission(document(f"urn:{name}:{number}")))
            )
            (place / "promises" / f"{label}-{name}-{number}.json").write_text(json.dumps(given))
            house.issue(issuer, 2, f"{name}:{number}")
            house.batching.seal(issuer)
            house.settle()
    for _ in range(4):
        house.settle()
    publish(house, place / label)
    for identifier, data in house.bundles.all():
        (place / "bundles" / f"{label}-{identifier}.json").write_bytes(data)


@pytest.fixture(scope="module", params=["https://second.example", "https://registry.example"])
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """With addresses of their own, and with the same one: the one that nobody set."""
    place = tmp_path_factory.mktemp("registries")
    for name in ("promises", "bundles", "second"):
        (place / name).mkdir()
    first = open_house(place)
    (place / "second/registry.db").write_bytes((place / "registry.db").read_bytes())
    keys = first.chain.__dict__.pop("rings")
    second = House(f"sqlite:///{place / 'second/registry.db'}", first.chain, first.clock, seed=9)
    first.chain.__dict__["rings"] = keys
    object.__setattr__(second.context.rules, "public_url", request.param)
    fill(first, ("uni", "school"), place, "a")
    fill(second, ("college",), place, "b")
    for _ in range(3):
        first.settle()
        second.settle()
    issuers = {issuer.name: issuer.address for house in (first, second) for issuer in house.issuers.all()}
    yield World(first.chain, place, issuers)
    first.close()
    second.close()


@pytest.fixture
def world(prepared: World, tmp_path: Path) -> World:
    for name in ("a", "b", "promises", "bundles"):
        shutil.copytree(prepared.place / name, tmp_path / name)
    chain = copy.copy(prepared.chain)
    chain.blocks, chain.mempool = copy.deepcopy(prepared.chain.blocks), {}
    chain.clock = Clock(prepared.chain.clock.now)  # type: ignore[attr-defined]
    return World(chain, tmp_path, prepared.issuers)


def sources(report: AuditReport) -> set[str | None]:
    return {Path(item.where.source).name if item.where.source else None for item in report.findings}


# --- different registries -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_two_registries_on_one_contract_are_clean_together(world: World, names: tuple[str, str]) -> None:
    more = {"bundles": world.bundles(), "promises": world.place / "promises"}
    report = world.audit(*names, **more)
    assert (report.findings, report.incomplete, report.exit_code) == ((), (), 0)
    counts = (report.issuers, report.batches, report.credentials, report.leaves, report.bundles, report.promises)
    assert counts == (3, 6, 18, 18, 18, 6)
    assert report.figures is not None
    assert sum(report.figures.accepted) == 18


def test_the_digest_names_all_of_the_material(world: World) -> None:
    alone, both = world.audit("a").material, world.audit("a", "b").material
    leaf_files(world.published("b"))[0].unlink()
    assert len({alone, both, world.audit("a", "b").material, None}) == 4
    assert world.audit("a").material == alone


def test_what_nobody_publishes_is_nobodys_fault(world: World) -> None:
    world.chain.foreign_anchor(b"\x77" * 20, b"\x55" * 32, 3)
    report = world.audit("a", "b")
    assert (codes(report), report.exit_code) == (["issuer_elsewhere"], 0)


def test_a_batch_of_its_own_issuer_is_its_own_fault(world: World) -> None:
    world.chain.foreign_anchor(world.issuers["college"], b"\x55" * 32, 3)
    report = world.audit("a", "b")
    assert (codes(report), sources(report)) == (["leaves_missing"], {"b"})


def test_all_batches_of_an_issuer_that_it_still_names(world: World) -> None:
    address = "0x" + world.issuers["school"].hex()
    bend(world.published("a"), lambda listing: drop(listing["batches"], address))
    report = world.audit("a", "b")
    assert (codes(report), sources(report)) == (["leaves_missing"] * 2, {"a"})


def drop(entries: list[Any], address: str) -> None:
    entries[:] = [item for item in entries if item["issuer"] != address]


def test_one_that_does_not_answer_is_no_reason_to_allege_anything(world: World) -> None:
    shutil.rmtree(world.published("b"))
    more = {"bundles": world.bundles(), "signatures": False, "promises": world.place / "promises"}
    report = world.audit("a", "b", **more)
    assert (report.findings, report.exit_code, report.bundles) == ((), 3, 18)
    assert any("2 promises by other keys could not be checked" in reason for reason in report.incomplete)


def test_one_of_another_chain_does_not_count(world: World) -> None:
    bend(world.published("a"), lambda listing: listing.update(chain="eip155:1"))
    report = world.audit("a", "b", promises=world.place / "promises")
    found = codes(report)
    assert found.count("other_chain") == 1
    assert found.count("issuer_elsewhere") == 1  # what those are of whom it tells, cannot be known
    assert "leaves_missing" not in found


def test_who_names_somebody_elses_issuer_has_to_have_its_batches(world: World) -> None:
    batch = json.loads((world.published("b") / "registry.json").read_bytes())["batches"][0]
    bend(world.published("a"), lambda listing: listing["batches"].append(batch))
    path = next(file for file in leaf_files(world.published("b")) if batch["root"] in file.name)
    place = world.published("a") / path.relative_to(world.published("b"))
    place.parent.mkdir()
    shutil.copy(path, place)
    report = world.audit("b", "a")
    own = {"did_document_differs"} if one_address(world) else set()
    assert set(codes(report)) == {"leaves_missing", "mirrors_differ", "issuer_unpublished"} | own
    assert sources(report) == {"a"}


def test_who_claims_somebody_elses_did_spoils_its_own_things_only(world: World) -> None:
    [entry] = [item for item in issuers_of(world, "a") if item["issuer"] == "0x" + world.issuers["uni"].hex()]
    bend_issuers(world, "b", lambda issuers: issuers[0].update(did=entry["did"]))
    report = world.audit("b", "a", bundles=world.bundles())
    assert sources(report) == {"b"}
    assert "material_malformed" in codes(report)  # the document and the lists are not those of that DID


def issuers_of(world: World, name: str) -> Any:
    return json.loads((world.published(name) / "issuers.json").read_bytes())["issuers"]


def bend_issuers(world: World, name: str, change: Callable[[list[Any]], Any]) -> None:
    path = world.published(name) / "issuers.json"
    content = json.loads(path.read_bytes())
    change(content["issuers"])
    path.write_text(json.dumps(content))


def test_a_document_for_somebody_elses_did_judges_no_bundles_of_others(world: World) -> None:
    """The stranger's document is read first, and has other keys under the same names."""
    owner = "0x" + world.issuers["uni"].hex()
    [entry] = [item for item in issuers_of(world, "a") if item["issuer"] == owner]
    [own] = issuers_of(world, "b")
    place = world.published("b") / "documents" / own["issuer"][2:]
    text = next(place.iterdir()).read_text().replace(own["did"], entry["did"])
    hashed = canonical_hash(text)
    (place / f"{hashed}.json").write_text(text)
    bend_issuers(world, "b", lambda issuers: issuers[0].update(did=entry["did"], document=hashed))
    report = world.audit("b", "a", bundles=world.bundles())
    assert {str(source)[0] for source in sources(report)} == {"b"}
    assert "did_not_claimed" in codes(report)


def canonical_hash(text: str) -> str:
    return sha256(canonicalize(json.loads(text))).hexdigest()


def test_a_leaf_that_two_registries_published(world: World) -> None:
    leaf = leaf_files(world.published("a"))[0].read_bytes()[:32]
    address, first = world.issuers["college"], world.chain.read_issuer(world.issuers["college"]).next_index
    world.chain.foreign_anchor(address, leaf, 1)
    entry = {"issuer": "0x" + address.hex(), "first": first, "size": 1, "root": leaf.hex(), "state": "anchored"}
    bend(world.published("b"), lambda listing: listing["batches"].append(entry))
    (world.published("b") / "leaves" / address.hex() / f"{first}-{leaf.hex()}.bin").write_bytes(leaf)
    assert codes(world.audit("a", "b")) == ["leaf_repeated"]
    assert codes(world.audit("b")).count("leaf_repeated") == 0


def test_what_is_about_issuers_that_are_left_out_is_not_audited(world: World) -> None:
    world.chain.clock.advance(2 * DAY)  # type: ignore[attr-defined]
    world.chain.mine(1)
    report = world.audit(
        "a", "b", issuers={world.issuers["uni"]}, bundles=world.bundles(), promises=world.place / "promises"
    )
    assert (codes(report), report.bundles, report.exit_code, report.incomplete) == ([], 6, 0, ())


# --- promises -------------------------------------------------------------------------------------------------------


def test_a_promise_is_held_against_the_keys_of_whoever_signed_it(world: World) -> None:
    for name in ("a", "b"):
        report = world.audit(name, promises=world.place / "promises")
        refused = "promise_forged" if one_address(world) else "promise_other_registry"
        assert codes(report).count(refused) == {"a": 2, "b": 4}[name]
    assert world.audit("a", "b", promises=world.place / "promises").exit_code == 0


def one_address(world: World) -> bool:
    dids = {json.loads((world.published(name) / "did.json").read_bytes())["id"] for name in ("a", "b")}
    return len(dids) == 1


def test_a_leaf_that_any_copy_has_keeps_the_promise(world: World) -> None:
    world.copy_of("b", "c")
    for name, file in zip(("b", "c"), leaf_files(world.published("b")), strict=True):
        (world.published(name) / file.relative_to(world.published("b"))).unlink()
    world.chain.clock.advance(2 * DAY)  # type: ignore[attr-defined]
    world.chain.mine(1)
    report = world.audit("b", "c", "a", promises=world.place / "promises")
    assert (set(codes(report)), report.incomplete) == ({"leaves_missing", "mirrors_differ"}, ())


def test_promises_of_a_registry_whose_keys_are_not_there_are_not_audited(world: World) -> None:
    shared = one_address(world)
    (world.published("b") / "did.json").unlink()
    report = world.audit("a", "b", promises=world.place / "promises")
    if shared:
        assert codes(report) == ["promise_forged"] * 2
        return
    assert (report.findings, report.exit_code) == ((), 3)
    assert report.incomplete[0].startswith("2 promises by other keys could not be checked: ")
    (world.published("a") / "did.json").write_text("[]")
    report = world.audit("a", "b", promises=world.place / "promises")
    assert codes(report) == ["material_malformed"]
    assert "No promise could be checked" in report.incomplete[0]


def test_a_key_that_one_copy_took_away(world: World) -> None:
    path = world.copy_of("b", "c") / "did.json"
    path.write_text(path.read_text().replace("#key-1", "#key-2"))
    report = world.audit("a", "b", "c", promises=world.place / "promises")
    assert (codes(report), sources(report)) == (["did_document_differs"], {"c"})
    report = world.audit("a", "c", promises=world.place / "promises")
    assert codes(report) == ["promise_forged"] * 2


# --- copies ---------------------------------------------------------------------------------------------------------


def test_copies_of_one_beside_another(world: World) -> None:
    world.copy_of("a", "c")
    world.copy_of("b", "d")
    report = world.audit("a", "b", "c", "d", bundles=world.bundles(), promises=world.place / "promises")
    assert (report.findings, report.exit_code, report.leaves) == ((), 0, 18)


def test_a_copy_without_one_of_the_issuers(world: World) -> None:
    place, address = world.copy_of("a", "c"), "0x" + world.issuers["school"].hex()
    bend(place, lambda listing: drop(listing["batches"], address))
    bend_issuers(world, "c", lambda issuers: drop(issuers, address))
    report = world.audit("a", "b", "c")
    assert (codes(report), sources(report)) == (["mirrors_differ"] * 2, {"c"})
    assert all(item.where.issuer == world.issuers["school"] for item in report.findings)


def test_a_copy_of_everything_is_no_copy_of_either(world: World) -> None:
    """Somebody who gathers what several registries publish: none of them has to have the others' batches."""
    place = world.copy_of("a", "c")
    shutil.copytree(world.published("b"), place, dirs_exist_ok=True)
    both = [json.loads((world.published(name) / "registry.json").read_bytes())["batches"] for name in ("a", "b")]
    bend(place, lambda listing: listing.update(batches=[*both[0], *both[1]]))
    both = [issuers_of(world, name) for name in ("a", "b")]
    bend_issuers(world, "c", lambda issuers: issuers.__setitem__(slice(None), [*both[0], *both[1]]))
    (place / "did.json").unlink()
    assert world.audit("a", "b", "c").findings == ()


@pytest.mark.parametrize(
    "change",
    [
        {"acceptedFrom": "2020-01-01T00:00:00Z"},
        {"declaredDelaySeconds": 10**9},
    ],
)
def test_second_and_third_differ_where_the_first_says_nothing(world: World, change: dict[str, Any]) -> None:
    """The first one declares nothing, so that the others cannot contradict it."""
    for name in ("c", "d"):
        world.copy_of("b", name)
    bend(
        world.published("b"), lambda listing: [batch.pop(name, None) for batch in listing["batches"] for name in change]
    )
    bend(world.published("d"), lambda listing: listing["batches"][0].update(change))
    report = world.audit("a", "b", "c", "d")
    found = [item for item in report.findings if item.code == "mirrors_differ"]
    assert [Path(item.where.source or "").name for item in found] == ["d"]
    assert str(world.published("c")) in found[0].expected


def test_leaves_that_the_first_cannot_serve(world: World) -> None:
    for name in ("c", "d"):
        world.copy_of("b", name)
    for name in ("b", "d"):
        file = leaf_files(world.published(name))[0]
        file.unlink()
        if name == "b":
            file.mkdir()
        else:
            file.write_bytes(b"\5" * 96)
    report = world.audit("a", "b", "c", "d")
    assert sorted(codes(report)) == ["material_malformed", "mirrors_differ", "root_mismatch"]
    assert {Path(item.where.source or "").name for item in report.findings if item.code != "material_malformed"} == {
        "d"
    }


def test_every_version_is_named(world: World) -> None:
    for number, name in enumerate(("c", "d", "e")):
        place = world.copy_of("b", name)
        bend(place, lambda listing, number=number: listing["batches"][0].update(state="anchored", size=4 + number // 2))
    report = world.audit("a", "b", "c", "d", "e")
    assert {Path(item.where.source or "").name for item in report.findings if item.code == "mirrors_differ"} == {
        "c",
        "d",
        "e",
    }


def test_lists_of_the_same_time_in_the_second_and_the_third(world: World) -> None:
    for name in ("c", "d"):
        world.copy_of("b", name)
    for name in ("c", "d"):
        for path in (world.published(name) / "status").rglob("0.json"):
            content = json.loads(path.read_bytes())
            content["validFrom"] = "2027-01-15T09:00:00Z"
            if name == "d":
                content["credentialSubject"]["encodedList"] = flipped(content["credentialSubject"]["encodedList"])
            path.write_text(json.dumps(content))
    report = world.audit("a", "b", "c", "d")
    found = [item for item in report.findings if item.code == "mirrors_differ"]
    assert [Path(item.where.source or "").name for item in found] == ["d", "d"]
    assert str(world.published("c")) in found[0].expected


def flipped(text: str) -> str:
    bits = bytearray(decode_list(text))
    bits[0] ^= 1
    return encode_list(bytes(bits))


@pytest.mark.parametrize("change", [{"statusBase": "https://elsewhere.example"}, {"did": "did:web:elsewhere.example"}])
def test_entries_that_differ(world: World, change: dict[str, str]) -> None:
    world.copy_of("b", "c")
    bend_issuers(world, "c", lambda issuers: issuers[0].update(change))
    report = world.audit("a", "b", "c")
    assert ("mirrors_differ", "c") in {(item.code, Path(item.where.source or "").name) for item in report.findings}
    assert sources(report) == {"c"}


def test_contexts_that_differ_between_copies(world: World) -> None:
    for name in ("b", "c"):
        if name == "c":
            world.copy_of("b", "c")
        path = world.published(name) / "issuers.json"
        content = json.loads(path.read_bytes())
        content["contexts"].append({"url": "https://example.org/own", "sha256": ("55" if name == "c" else "44") * 32})
        path.write_text(json.dumps(content))
    path = world.published("c") / "issuers.json"
    content = json.loads(path.read_bytes())
    content["contexts"] = [item for item in content["contexts"] if item["sha256"] != "44" * 32]
    path.write_text(json.dumps(content))
    report = world.audit("a", "b", "c")
    assert codes(report) == ["context_changed"]
    assert "https://example.org/own" in str(report.findings[0].where.source)


def test_issuers_that_are_expected_have_to_be_published(world: World) -> None:
    assert set(codes(world.audit("a"))) - {"issuer_left_out"} == {"issuer_elsewhere"}
    assert set(codes(world.audit("a", expected={world.issuers["college"]}))) == {"leaves_missing"}
    assert codes(world.audit("a", "b", expected={world.issuers["college"]})) == []


def test_the_keys_of_the_two_are_different(world: World) -> None:
    """Else the tests above would show nothing."""
    documents = [json.loads((world.published(name) / "did.json").read_bytes()) for name in ("a", "b")]
    keys = [document["verificationMethod"][0]["publicKeyMultibase"] for document in documents]
    assert keys[0] != keys[1]
