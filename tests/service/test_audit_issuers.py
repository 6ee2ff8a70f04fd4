"""Audits of what publications say of issuers: who they are, contexts, and declared delays."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anchors.base import SetDid
from registry.core.notation import hex_text
from registry.service.delays import DelayRecords
from registry.service.published import FolderMaterial, MaterialUnavailable
from registry.standards.contexts.pins import FIRST_DIGEST, OPEN_BADGES_3_0_3
from registry.standards.did.document import document_hash
from support.audits import Prepared, audit, codes, copied, prepare, publish
from support.house import House
from support.issuers import (
    address,
    audit_again,
    bend_issuers,
    document_file,
    list_file,
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def house(prepared: Prepared, tmp_path: Path) -> Iterator[House]:
    opened = copied(prepared, tmp_path)
    opened.settle()
    yield opened
    opened.close()


@pytest.fixture
def folder(house: House, tmp_path: Path) -> Path:
    place = tmp_path / "published"
    publish(house, place)
    return place


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{", b'{"type":"PublishedIssuers","version":2,"issuers":[]}',
        b'{"type":"PublishedIssuers","version":1,"issuers":[{"issuer":"0x00","did":"did:web:x"}]}',
        b'{"type":"PublishedIssuers","version":1,"issuers":[],"contexts":[{"url":"","sha256":"00"}]}',
        b'{"type":"PublishedIssuers","version":1,"issuers":[],"more":1}',
    ],
)  # fmt: skip
def test_a_list_of_issuers_that_is_none(house: House, folder: Path, content: bytes) -> None:
    (folder / "issuers.json").write_bytes(content)
    assert codes(audit(house.chain, folder)) == ["material_malformed"]


@pytest.mark.parametrize("name", ["issuers.json", "did.json", "list", "document"])
def test_links_are_not_followed(house: House, folder: Path, tmp_path: Path, name: str) -> None:
    places = {"list": list_file(house, folder), "document": document_file(house, folder)}
    path = places.get(name, folder / name)
    shutil.copy(places["document"], folder / "did.json")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert codes(audit(house.chain, folder)) == ["material_malformed"]


def test_folders_that_are_links_are_not_followed(house: House, folder: Path, tmp_path: Path) -> None:
    (folder / "documents").rename(tmp_path / "elsewhere")
    (folder / "documents").symlink_to(tmp_path / "elsewhere")
    findings = audit(house.chain, folder).findings
    assert {(item.code, item.observed) for item in findings} == {
        ("material_malformed", "documents is a symbolic link; links are not followed")
    }


def test_an_issuer_that_is_listed_twice(house: House, folder: Path) -> None:
    bend_issuers(folder, lambda issuers: issuers.append({**issuers[0], "did": "did:web:elsewhere.example"}))
    assert "material_malformed" in codes(audit(house.chain, folder))


def test_a_publication_that_says_nothing_of_its_issuers(house: House, folder: Path) -> None:
    (folder / "issuers.json").unlink()
    assert codes(audit(house.chain, folder)) == ["issuer_unpublished"] * 2


def put_context(folder: Path, url: str, digest: str) -> None:
    path = folder / "issuers.json"
    listing = json.loads(path.read_bytes())
    listing["contexts"] = [item for item in listing["contexts"] if item["url"] != url]
    listing["contexts"].append({"url": url, "sha256": digest})
    path.write_text(json.dumps(listing))


def test_a_context_with_another_content(house: House, folder: Path) -> None:
    put_context(folder, "https://www.w3.org/ns/credentials/v2", "55" * 32)
    assert codes(audit(house.chain, folder)) == ["context_changed"]


def test_both_contexts_of_open_badges_count(house: House, folder: Path) -> None:
    put_context(folder, OPEN_BADGES_3_0_3, FIRST_DIGEST)
    assert codes(audit(house.chain, folder)) == []


def test_a_context_that_changes_under_its_address(house: House, folder: Path, tmp_path: Path) -> None:
    put_context(folder, "https://terms.example/v1", "44" * 32)
    assert codes(audit_again(house, folder, tmp_path)) == []
    put_context(folder, "https://terms.example/v1", "55" * 32)
    for _ in range(2):
        assert codes(audit_again(house, folder, tmp_path)) == ["context_changed"]


def declare(house: House, seconds: int | None) -> None:
    house.clock.advance(1)
    assert DelayRecords(house.context).declare(house.issuers.look_up("uni"), seconds)


def issued_bundle(house: House, place: Path) -> Path:
    """Of a credential that is anchored now, long after its validFrom."""
    issuer = house.issuers.look_up("uni")
    [identifier] = house.issue(issuer, 1, f"late:{house.clock.now}")
    house.batching.seal(issuer)
    for _ in range(3):
        house.settle()
    place.mkdir(exist_ok=True)
    (place / f"{identifier}.json").write_bytes(house.bundles.get(identifier))
    return place


def test_what_is_late_is_what_was_declared_at_its_time(house: House, folder: Path, tmp_path: Path) -> None:
    bundles = issued_bundle(house, tmp_path / "bundles")  # before anything is declared
    declare(house, 60)
    issued_bundle(house, bundles)
    declare(house, None)
    issued_bundle(house, bundles)
    publish(house, folder)
    found = audit(house.chain, folder, bundles=bundles)
    assert codes(found) == ["anchored_late"]
    assert found.findings[0].expected == "anchored within 60 seconds of validFrom"
    assert codes(audit(house.chain, folder, bundles=bundles, delay=1 << 40)) == []
    assert codes(audit(house.chain, folder, bundles=bundles, delay=0)) == ["anchored_late"] * 3


def test_declarations_are_never_changed(house: House, folder: Path, tmp_path: Path) -> None:
    declare(house, 60)
    publish(house, folder)
    original = (folder / "issuers.json").read_bytes()
    assert codes(audit_again(house, folder, tmp_path)) == []
    declare(house, 3_600)
    publish(house, folder)
    assert codes(audit_again(house, folder, tmp_path)) == []  # a further one is no change
    further = json.loads((folder / "issuers.json").read_bytes())

    def declared(document: Any) -> list[Any]:
        [found] = [item["declaredDelays"] for item in document["issuers"] if "declaredDelays" in item]
        listed: list[Any] = found
        return listed

    for change in (
        lambda listed: listed[0].update(seconds=5),
        lambda listed: listed[0].pop("seconds"),
        lambda listed: listed[0].update(since="2020-01-01T00:00:00Z"),
        lambda listed: listed.pop(0),
        lambda listed: listed.clear(),
    ):
        document = json.loads(json.dumps(further))
        change(declared(document))
        (folder / "issuers.json").write_text(json.dumps(document))
        for _ in range(2):  # it stays the yardstick
            assert codes(audit_again(house, folder, tmp_path)) == ["declaration_changed"]
    (folder / "issuers.json").write_bytes(original)  # without the last one
    assert codes(audit_again(house, folder, tmp_path)) == ["declaration_changed"]


def test_copies_may_lack_the_last_declarations_only(house: House, folder: Path, tmp_path: Path) -> None:
    declare(house, 60)
    publish(house, folder)
    older = tmp_path / "older"
    shutil.copytree(folder, older)
    declare(house, 3_600)
    publish(house, folder)
    assert codes(audit(house.chain, older, folder)) == codes(audit(house.chain, folder, older)) == []
    text = (older / "issuers.json").read_text()
    (older / "issuers.json").write_text(text.replace('"seconds":60', '"seconds":61'))
    for places in ((older, folder), (folder, older)):
        [finding] = audit(house.chain, *places).findings
        assert (finding.code, "declared delays" in finding.observed) == ("mirrors_differ", True)


@pytest.mark.parametrize(
    "delays",
    [
        [{"since": "2026-01-01T00:00:00Z", "seconds": -1}],
        [{"since": "2026-01-01T00:00:00Z", "seconds": True}],
        [{"since": "2026-01-01T00:00:00Z", "seconds": None}],
        [{"since": "yesterday"}],
        [{"seconds": 1}],
        [{"since": "2026-01-01T00:00:00Z"}, {"since": "2026-01-01T00:00:00Z", "seconds": 1}],
        [{"since": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}],
        {},
        [5],
    ],
)
def test_declarations_that_cannot_be_read(house: House, folder: Path, delays: Any) -> None:
    document = json.loads((folder / "issuers.json").read_bytes())
    document["issuers"][0]["declaredDelays"] = delays
    (folder / "issuers.json").write_text(json.dumps(document))
    assert "material_malformed" in codes(audit(house.chain, folder))


STRANGER = b"\x77" * 20


def claim_and_anchor(house: House, did: str) -> None:
    chain = house.chain
    claim = SetDid(STRANGER, did, b"\x44" * 32, chain.read_issuer(STRANGER).nonce)
    chain._send_foreign(STRANGER, chain.encode(claim))
    house.settle()
    chain.foreign_anchor(STRANGER, b"\x55" * 32, 1)
    house.settle()


def test_who_claims_a_did_that_a_registry_serves(
    house: House, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names its own accounts there. But a publication that cannot be read may be hers, as well."""
    claim_and_anchor(house, str(json.loads(document_file(house, folder).read_bytes())["id"]))
    assert "did_names_other_account" in codes(audit(house.chain, folder))
    second = tmp_path / "second"
    shutil.copytree(folder, second)
    read = FolderMaterial.issuers

    def issuers(material: FolderMaterial) -> Any:
        if str(second) in material.name:
            raise MaterialUnavailable("issuers.json was not sent in time")
        return read(material)

    assert "did_names_other_account" in codes(audit(house.chain, folder, second))
    monkeypatch.setattr(FolderMaterial, "issuers", issuers)
    report = audit(house.chain, folder, second)
    assert "did_names_other_account" not in codes(report)
    assert report.incomplete == ("issuers.json was not sent in time",)


def test_who_claims_a_did_of_another_host_may_be_in_another_registry(house: House, folder: Path) -> None:
    """One issuer, two registries, an address in each: the document that was handed to this one may be older."""
    did, path = "did:web:uni.example", document_file(house, folder)
    document = json.loads(path.read_bytes())
    document = json.loads(json.dumps(document).replace(document["id"], did))
    digest = document_hash(document)
    path.unlink()
    (path.parent / f"{digest.hex()}.json").write_text(json.dumps(document))

    def move(issuers: list[dict[str, Any]]) -> None:
        [entry] = [item for item in issuers if item["issuer"] == hex_text(address(house))]
        entry.update(did=did, document=digest.hex())
        entry.pop("statusBase")

    shutil.rmtree(folder / "status" / address(house).hex())
    bend_issuers(folder, move)
    before = codes(audit(house.chain, folder))
    claim_and_anchor(house, did)
    assert sorted(codes(audit(house.chain, folder))) == sorted([*before, "issuer_elsewhere"])
    assert "did_names_other_account" not in before
