"""Audits of published DID documents and of the claims on them."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anchors.base import DidClaimed, SetDid
from registry.core.notation import hex_text
from support.audits import Prepared, audit, codes, copied, prepare, publish
from support.house import House
from support.issuers import (
    address,
    audit_again,
    bend_issuers,
    document_file,
    put_document,
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
    ("content", "code"),
    [
        (b"[]", "material_malformed"),
        (b'{"id": 7}', "material_malformed"),
        (b'{"id": "did:web:elsewhere.example"}', "did_document_differs"),
    ],
)
def test_documents_that_are_none(house: House, folder: Path, content: bytes, code: str) -> None:
    document_file(house, folder).write_bytes(content)
    report = audit(house.chain, folder)
    assert [(item.code, item.where.issuer) for item in report.findings] == [(code, address(house))]
    assert "could not be judged" in " ".join(report.incomplete)


def test_a_did_that_is_another_one_than_the_address_claims(house: House, folder: Path) -> None:
    bend_issuers(folder, lambda issuers: issuers[0].update(did="did:web:elsewhere.example"))
    assert {"did_not_claimed", "did_document_differs"} <= set(codes(audit(house.chain, folder)))


def test_mirrors_with_other_documents(house: House, folder: Path, tmp_path: Path) -> None:
    mirror = shutil.copytree(folder, tmp_path / "mirror")
    put_document(house, mirror, lambda document: document.update(alsoKnownAs=[]))
    assert codes(audit(house.chain, folder, mirror)) == ["did_document_differs", "did_document_unclaimed"]


def test_a_document_that_names_another_account(house: House, folder: Path) -> None:
    def other(document: Any) -> None:
        document["verificationMethod"][-1]["blockchainAccountId"] = "eip155:31337:0x" + "55" * 20

    put_document(house, folder, other)
    assert codes(audit(house.chain, folder)) == ["did_names_other_account", "did_document_unclaimed"]


def test_a_document_that_names_the_account_on_another_chain(house: House, folder: Path) -> None:
    put_document(
        house,
        folder,
        lambda document: document["verificationMethod"][-1].update(
            blockchainAccountId=f"eip155:1:0x{address(house).hex()}"
        ),
    )
    found = next(item for item in audit(house.chain, folder).findings if item.code == "did_names_other_account")
    assert found.expected.startswith(f"eip155:31337:0x{address(house).hex()},")
    assert found.observed == f"eip155:1:0x{address(house).hex()}"


def test_a_document_that_is_not_the_named_one(house: House, folder: Path) -> None:
    path = document_file(house, folder)
    path.write_text(path.read_text().replace("CredentialRegistry", "Other"))
    assert codes(audit(house.chain, folder)) == ["did_document_differs", "did_document_unclaimed"]


def test_a_document_that_is_withheld(house: House, folder: Path) -> None:
    document_file(house, folder).unlink()
    report = audit(house.chain, folder)
    assert codes(report) == ["did_document_differs"]
    assert "could not be judged" in " ".join(report.incomplete)


def test_a_did_that_was_never_claimed(house: House, folder: Path) -> None:
    for block in house.chain.blocks:
        block.events[:] = [event for event in block.events if not isinstance(event, DidClaimed)]
        block.state.claims.clear()
    assert codes(audit(house.chain, folder)) == ["did_not_claimed"] * 2


def test_a_did_of_somebody_else_whose_document_is_said_to_be_elsewhere(house: House, folder: Path) -> None:
    def elsewhere(issuers: list[dict[str, Any]]) -> None:
        for issuer in issuers:
            issuer.pop("document")
            issuer.pop("statusBase")
        issuers[0]["did"] = "did:web:elsewhere.example"

    bend_issuers(folder, elsewhere)
    report = audit(house.chain, folder)
    assert codes(report) == ["did_not_claimed", "lists_unpublished", "lists_unpublished"]
    for block in house.chain.blocks:  # an issuer may have claimed nothing at all
        block.events[:] = [event for event in block.events if not isinstance(event, DidClaimed)]
        block.state.claims.clear()
    assert codes(audit(house.chain, folder)) == ["lists_unpublished"] * 2


def test_a_claim_of_another_issuers_did(house: House, folder: Path) -> None:
    """Beside the claim of its own; a stranger's claims are nobody's matter."""
    uni = house.issuers.look_up("uni")
    [other] = [issuer.address for issuer in house.issuers.all() if issuer.name != "uni"]
    for who, found in ((b"\x77" * 20, []), (other, [("did_names_other_account", other)])):
        chain = house.chain
        chain._send_foreign(who, chain.encode(SetDid(who, uni.did, b"\5" * 32, chain.read_issuer(who).nonce)))
        house.settle()
        report = audit(chain, folder)
        assert [(item.code, item.where.issuer) for item in report.findings] == found
    assert hex_text(uni.address) in report.findings[0].observed


def test_a_claim_counts_without_its_event(house: House, folder: Path) -> None:
    """Nodes drop events; the contract's state keeps the claim."""
    for block in house.chain.blocks:
        block.events[:] = [event for event in block.events if not isinstance(event, DidClaimed)]
    assert codes(audit(house.chain, folder)) == []


def test_a_claim_that_only_an_event_tells_of(house: House, folder: Path) -> None:
    for block in house.chain.blocks:
        block.state.claims.clear()
    assert set(codes(audit(house.chain, folder))) == {"claim_differs"}


def test_a_claim_that_cannot_be_asked_for_is_no_finding(house: House, folder: Path) -> None:
    house.chain.pruned = True
    for block in house.chain.blocks:
        block.state.claims.clear()
    report = audit(house.chain, folder)
    assert set(codes(report)) == {"history_incomplete"}
    assert report.exit_code == 3
    assert any("could not be asked" in reason for reason in report.incomplete)


def test_a_document_that_is_said_to_be_elsewhere(house: House, folder: Path, tmp_path: Path) -> None:
    audit_again(house, folder, tmp_path)
    bend_issuers(folder, lambda issuers: [issuer.pop("document") for issuer in issuers])
    assert codes(audit_again(house, folder, tmp_path)) == ["key_removed"] * 2


@pytest.mark.parametrize("content", [b"\xff{", b"[]", b'{"id": 7}', b""])
def test_a_document_of_the_registrys_own_that_is_none(house: House, folder: Path, content: bytes) -> None:
    """Whether anybody hands in promises or not."""
    (folder / "did.json").write_bytes(content)
    assert codes(audit(house.chain, folder)) == ["material_malformed"]


def test_the_registrys_own_key_is_taken_away(house: House, folder: Path, tmp_path: Path) -> None:
    shutil.copy(document_file(house, folder), folder / "did.json")
    audit_again(house, folder, tmp_path)
    (folder / "did.json").unlink()
    [finding] = audit_again(house, folder, tmp_path).findings
    assert (finding.code, finding.where.source) == ("key_removed", str(folder))


def test_a_key_that_is_taken_out_of_the_document(house: House, folder: Path, tmp_path: Path) -> None:
    assert codes(audit_again(house, folder, tmp_path)) == []

    def renamed(document: Any) -> None:
        text = json.dumps(document).replace("#key-1", "#key-9")
        document.clear()
        document.update(json.loads(text))

    put_document(house, folder, renamed)
    assert "key_removed" in codes(audit_again(house, folder, tmp_path))


def first_key(document: Any) -> Any:
    return next(method for method in document["verificationMethod"] if "publicKeyMultibase" in method)


def ended(document: Any) -> None:
    first_key(document)["expires"] = "2040-01-01T00:00:00Z"


def ended_sooner(document: Any) -> None:
    first_key(document)["expires"] = "2039-01-01T00:00:00Z"


def ended_later(document: Any) -> None:
    first_key(document)["expires"] = "2041-01-01T00:00:00Z"


def for_good(document: Any) -> None:
    first_key(document).pop("expires")


def begun_sooner(document: Any) -> None:
    first_key(document)["created"] = "2020-01-01T00:00:00Z"


def exchanged(document: Any) -> None:
    first_key(document)["publicKeyMultibase"] = "z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd"


def not_for_assertions(document: Any) -> None:
    document["assertionMethod"] = [item for item in document["assertionMethod"] if not item.endswith("#key-1")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (ended_sooner, None),
        (ended_later, "key_reopened"),
        (for_good, "key_reopened"),
        (begun_sooner, "key_reopened"),
        (exchanged, "key_removed"),
        (not_for_assertions, "key_removed"),
    ],
)
def test_what_becomes_of_a_key(
    house: House, folder: Path, tmp_path: Path, change: Callable[[Any], None], expected: str | None
) -> None:
    audit_again(house, folder, tmp_path)
    put_document(house, folder, ended)
    assert not {"key_removed", "key_reopened"} & set(codes(audit_again(house, folder, tmp_path)))
    put_document(house, folder, change)
    for _ in range(2):  # what was seen first stays the yardstick
        found = {"key_removed", "key_reopened"} & set(codes(audit_again(house, folder, tmp_path)))
        assert found == ({expected} if expected else set())


def test_a_key_that_was_to_end_sooner_does_not_end_later(house: House, folder: Path, tmp_path: Path) -> None:
    for change in (ended, ended_sooner):
        put_document(house, folder, change)
        audit_again(house, folder, tmp_path)
    put_document(house, folder, ended)
    [finding] = [item for item in audit_again(house, folder, tmp_path).findings if item.code == "key_reopened"]
    assert ("2039-01-01" in finding.expected, "2040-01-01" in finding.observed) == (True, True)
