"""Audits of published status lists and their proofs."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anchors.base import RevokeBatch
from registry.core.status import LIST_BYTES
from registry.service.auditing import Auditing, NamedChain
from registry.service.published import FolderMaterial
from registry.standards.statuslist import decode_list, encode_list
from support.audits import Prepared, audit, codes, copied, prepare, publish
from support.house import House
from support.issuers import (
    address,
    audit_again,
    bend_issuers,
    bend_list,
    flip,
    list_file,
    revoke,
    sign_again,
    suspend,
)

DAY = 86_400


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


def test_lists_are_published_and_clean(house: House, folder: Path) -> None:
    bits = decode_list(json.loads(list_file(house, folder).read_bytes())["credentialSubject"]["encodedList"])
    assert [entry for entry in range(8) if bits[0] & 0x80 >> entry] == [2]
    assert len(list((folder / "status").rglob("*.json"))) == 4
    assert (audit(house.chain, folder).findings, audit(house.chain, folder).incomplete) == ((), ())


def test_a_list_of_the_past_is_no_finding(house: House, folder: Path) -> None:
    """It says what the chain said then, and has not run out."""
    revoke(house, 4)
    suspend(house, 0, on=True)
    assert codes(audit(house.chain, folder)) == []
    publish(house, folder)
    suspend(house, 0, on=False)
    assert codes(audit(house.chain, folder)) == []


@pytest.mark.parametrize(("change", "purpose"), [(revoke, "revocation"), (suspend, "suspension")])
def test_a_list_that_has_run_out_and_lacks_something(
    house: House, folder: Path, change: Callable[..., None], purpose: str
) -> None:
    change(house, 4, **({"on": True} if purpose == "suspension" else {}))
    house.clock.advance(2 * DAY)
    house.chain.mine()
    report = audit(house.chain, folder)
    [finding] = report.findings
    assert (finding.code, finding.where.index) == ("revocation_shown_late", 4)
    assert purpose in finding.expected


def test_a_list_that_has_run_out_and_shows_what_has_ended(house: House, folder: Path) -> None:
    suspend(house, 4, on=True)
    publish(house, folder)
    suspend(house, 4, on=False)
    assert codes(audit(house.chain, folder)) == []
    house.clock.advance(2 * DAY)
    house.chain.mine()
    [finding] = audit(house.chain, folder).findings
    assert (finding.code, finding.where.index) == ("revocation_shown_late", 4)
    assert "1 that have ended" in finding.observed


def test_a_list_that_says_that_it_counts_for_a_century(house: House, folder: Path) -> None:
    def change(credential: Any) -> None:
        credential["validUntil"] = "2127-01-01T00:00:00Z"

    sign_again(house, list_file(house, folder), change)
    revoke(house, 4)
    house.clock.advance(6 * DAY)
    house.chain.mine()
    assert codes(audit(house.chain, folder)) == []
    house.clock.advance(DAY)
    house.chain.mine()
    assert codes(audit(house.chain, folder)) == ["revocation_shown_late"]


def test_an_old_list_that_lacks_nothing(house: House, folder: Path) -> None:
    house.clock.advance(2 * DAY)
    house.chain.mine()
    assert codes(audit(house.chain, folder)) == []


@pytest.mark.parametrize(("entry", "purpose"), [(2, "revocation"), (3, "revocation"), (3, "suspension")])
def test_a_signed_list_that_differs(house: House, folder: Path, entry: int, purpose: str) -> None:
    """A revocation that is left out, one that was never sent, and a suspension that was never sent."""
    sign_again(house, list_file(house, folder, purpose), flip(entry))
    [finding] = audit(house.chain, folder).findings
    assert (finding.code, finding.where.index) == ("status_list_differs", entry)


def test_a_list_that_dates_itself_back_is_late(house: House, folder: Path) -> None:
    """A revocation cannot be hidden for long by an early date: the list runs out by its own date."""
    revoke(house, 4)
    publish(house, folder)

    def backdated(credential: Any) -> None:
        flip(4)(credential)
        credential.update(validFrom="2027-01-15T08:00:01Z", validUntil="2027-01-15T08:00:02Z")

    sign_again(house, list_file(house, folder), backdated)
    assert set(codes(audit(house.chain, folder))) >= {"revocation_shown_late"}


def test_a_list_that_is_newer_than_the_audit(house: House, folder: Path) -> None:
    """The chain is read first: what is revoked and published meanwhile is no fraud."""
    material = FolderMaterial(folder)
    before = material.listing

    def publishes_meanwhile() -> Any:
        revoke(house, 4)
        publish(house, folder)
        return before()

    material.listing = publishes_meanwhile  # type: ignore[method-assign]
    assert Auditing([NamedChain("node", house.chain)], [material]).run().findings == ()


def test_a_list_that_is_not_there(house: House, folder: Path) -> None:
    list_file(house, folder).unlink()
    assert codes(audit(house.chain, folder)) == ["status_list_missing"]


def test_a_list_without_a_proof(house: House, folder: Path) -> None:
    bend_list(list_file(house, folder), lambda credential: credential.pop("proof"))
    assert codes(audit(house.chain, folder)) == ["status_list_unsigned"]


def test_a_list_that_was_changed_after_signing(house: House, folder: Path) -> None:
    bend_list(list_file(house, folder), flip(2))
    assert codes(audit(house.chain, folder)) == ["status_list_differs", "status_list_signature"]


def test_a_list_by_somebody_else(house: House, folder: Path) -> None:
    sign_again(house, list_file(house, folder), lambda _: None, house.rings.signer("school"))
    [finding] = audit(house.chain, folder).findings
    assert finding.code == "status_list_signature"


def test_a_list_by_a_key_that_had_ended(house: House, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.rings, "rings", dict(house.rings.rings))  # the other tests have them, too
    former = house.rings.signer("uni")
    house.clock.advance(60)
    house.hosting.rotate(house.issuers.look_up("uni"), compromised=True)
    for _ in range(3):
        house.settle()
    publish(house, folder)
    assert codes(audit(house.chain, folder)) == []
    sign_again(house, list_file(house, folder), lambda _: None, former)
    [finding] = audit(house.chain, folder).findings
    assert (finding.code, "key_out_of_interval" in finding.observed) == ("status_list_signature", True)


@pytest.mark.parametrize(
    "change",
    [
        lambda credential: credential.update(id="https://elsewhere.example/0"),
        lambda credential: credential.update(issuer="did:web:elsewhere.example"),
        lambda credential: credential.pop("validFrom"),
        lambda credential: credential["credentialSubject"].update(statusPurpose="suspension"),
        lambda credential: credential["credentialSubject"].update(encodedList="u" + "A" * 100),
        lambda credential: credential["credentialSubject"].update(encodedList=encode_list(bytes(2 * LIST_BYTES))),
    ],
)
def test_lists_that_are_none(house: House, folder: Path, change: Callable[[Any], None]) -> None:
    bend_list(list_file(house, folder), change)
    assert codes(audit(house.chain, folder)) == ["material_malformed"]


def test_mirrors_with_other_lists(house: House, folder: Path, tmp_path: Path) -> None:
    mirror = shutil.copytree(folder, tmp_path / "mirror")
    assert codes(audit(house.chain, folder, mirror)) == []
    sign_again(house, list_file(house, mirror), flip(2))
    assert codes(audit(house.chain, folder, mirror)) == ["status_list_differs", "mirrors_differ"]


def void(house: House) -> None:
    batch = house.batching.page(house.issuers.look_up("uni").id)[0]
    call = RevokeBatch(address(house), batch.root, batch.first)
    house.chain._send_foreign(address(house), house.chain.encode(call))
    for _ in range(2):
        house.settle()


def test_a_voided_batch_is_revoked_over_its_whole_range(house: House, folder: Path) -> None:
    old = list_file(house, folder).read_bytes()
    void(house)
    publish(house, folder)
    assert codes(audit(house.chain, folder)) == []
    sign_again(house, list_file(house, folder), flip(0))
    assert codes(audit(house.chain, folder)) == ["status_list_differs"]
    list_file(house, folder).write_bytes(old)
    assert codes(audit(house.chain, folder)) == []
    house.clock.advance(2 * DAY)
    house.chain.mine()
    [finding] = audit(house.chain, folder).findings
    assert (finding.code, finding.where.index) == ("revocation_shown_late", 0)


def test_lists_that_moved_away_from_where_credentials_look(house: House, folder: Path, tmp_path: Path) -> None:
    """They are the issuer's, well signed and right; and nobody looks at them."""
    original = (folder / "issuers.json").read_bytes()
    lists = {path: path.read_bytes() for path in (list_file(house, folder), list_file(house, folder, "suspension"))}
    assert codes(audit_again(house, folder, tmp_path)) == []

    def entry(listed: list[dict[str, Any]]) -> dict[str, Any]:
        [found] = [item for item in listed if item["issuer"] == "0x" + address(house).hex()]
        return found

    for path in lists:
        purpose = path.parent.name
        sign_again(house, path, lambda list_, purpose=purpose: list_.update(id=f"https://else.example/{purpose}/0"))
    bend_issuers(folder, lambda listed: entry(listed).update(statusBase="https://else.example"))
    assert codes(audit(house.chain, folder)) == []
    for _ in range(2):
        [finding] = audit_again(house, folder, tmp_path).findings
        assert (finding.code, finding.where.issuer) == ("status_list_missing", address(house))
    (folder / "issuers.json").write_bytes(original)
    for path, content in lists.items():
        path.write_bytes(content)
    assert codes(audit_again(house, folder, tmp_path)) == []


def test_a_list_that_is_rolled_back(house: House, folder: Path, tmp_path: Path) -> None:
    old = list_file(house, folder).read_bytes()
    revoke(house, 4)
    publish(house, folder)
    for _ in range(2):
        assert codes(audit_again(house, folder, tmp_path)) == []
    list_file(house, folder).write_bytes(old)
    for _ in range(2):  # until what was seen is shown again
        report = audit_again(house, folder, tmp_path)
        assert [(item.code, item.where.index) for item in report.findings] == [("status_list_rolled_back", 4)]
    publish(house, folder)
    assert codes(audit_again(house, folder, tmp_path)) == []


def test_an_older_list_that_lacks_nothing_is_rolled_back_all_the_same(
    house: House, folder: Path, tmp_path: Path
) -> None:
    old = list_file(house, folder).read_bytes()
    suspend(house, 0, on=True)
    publish(house, folder)
    audit_again(house, folder, tmp_path)
    list_file(house, folder).write_bytes(old)
    assert codes(audit_again(house, folder, tmp_path)) == ["status_list_rolled_back"]


def test_a_list_that_is_said_to_be_nowhere(house: House, folder: Path, tmp_path: Path) -> None:
    """It was there once: not naming it any more does not help."""
    audit_again(house, folder, tmp_path)
    listing = json.loads((folder / "issuers.json").read_bytes())
    for entry in listing["issuers"]:
        entry.pop("statusBase")
    (folder / "issuers.json").write_text(json.dumps(listing))
    shutil.rmtree(folder / "status")
    assert codes(audit_again(house, folder, tmp_path)) == ["status_list_missing"] * 4


def test_lists_of_an_issuer_that_has_issued_nothing_may_move(house: House, folder: Path, tmp_path: Path) -> None:
    """No credential names them yet: an operator may have found out that its public address was wrong."""
    entry = {"issuer": "0x" + "33" * 20, "did": "did:web:new.example", "statusBase": "http://127.0.0.1:8000/status"}
    bend_issuers(folder, lambda issuers: issuers.append(entry))
    assert codes(audit_again(house, folder, tmp_path)) == []
    bend_issuers(folder, lambda issuers: issuers[-1].update(statusBase="https://registry.example/status"))
    assert codes(audit_again(house, folder, tmp_path)) == []
