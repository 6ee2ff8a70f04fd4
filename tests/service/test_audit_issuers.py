"""Audits of what is published of issuers: status lists, their proofs, DID documents and the claims on them."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anchors.base import DidClaimed, Revoke, RevokeBatch, SetDid, SetSuspension
from registry.core.notation import hex_text, parse_time
from registry.core.status import LIST_BYTES
from registry.service.auditing import Auditing, AuditReport, NamedChain
from registry.service.auditstate import StateFile
from registry.service.delays import DelayRecords
from registry.service.published import FolderMaterial
from registry.standards.contexts.pins import FIRST_DIGEST, OPEN_BADGES_3_0_3
from registry.standards.proofs.creating import add_proofs
from registry.standards.statuslist import decode_list, encode_list
from registry.wiring.files import write_if_changed
from support.audits import Prepared, audit, codes, copied, prepare, publish
from support.house import House

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


def address(house: House) -> bytes:
    return house.issuers.look_up("uni").address


def list_file(house: House, folder: Path, purpose: str = "revocation") -> Path:
    return folder / "status" / address(house).hex() / purpose / "0.json"


def document_file(house: House, folder: Path) -> Path:
    [path] = (folder / "documents" / address(house).hex()).iterdir()
    return path


def bend_list(path: Path, change: Callable[[Any], None]) -> None:
    """Without signing it again."""
    credential = json.loads(path.read_bytes())
    change(credential)
    path.write_text(json.dumps(credential))


def sign_again(house: House, path: Path, change: Callable[[Any], None], signer: Any = None) -> None:
    """As the issuer itself could."""
    credential = json.loads(path.read_bytes())
    proofs = credential.pop("proof")
    change(credential)
    created = max(parse_time(proofs[0]["created"]), parse_time(credential["validFrom"]))
    path.write_text(json.dumps(add_proofs(credential, signer or house.rings.signer("uni"), created)))


def flip(entry: int) -> Callable[[Any], None]:
    def change(credential: Any) -> None:
        subject = credential["credentialSubject"]
        bits = bytearray(decode_list(subject["encodedList"]))
        bits[entry >> 3] ^= 0x80 >> (entry & 7)
        subject["encodedList"] = encode_list(bytes(bits))

    return change


def revoke(house: House, index: int) -> None:
    """By the issuer itself, past the registry."""
    chain = house.chain
    chain._send_foreign(address(house), chain.encode(Revoke(address(house), (0,), (1 << index,))))
    house.clock.advance(60)
    house.settle()


def suspend(house: House, index: int, on: bool) -> None:
    chain = house.chain
    nonce = chain.read_issuer(address(house)).nonce
    masks = ((1 << index,), (0,)) if on else ((0,), (1 << index,))
    chain._send_foreign(address(house), chain.encode(SetSuspension(address(house), nonce, (0,), *masks)))
    house.clock.advance(60)
    house.settle()


# --- status lists ---------------------------------------------------------------------------------------------------


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


def bend_issuers(folder: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    listing = json.loads((folder / "issuers.json").read_bytes())
    change(listing["issuers"])
    (folder / "issuers.json").write_text(json.dumps(listing))


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


def test_an_issuer_that_is_listed_twice(house: House, folder: Path) -> None:
    bend_issuers(folder, lambda issuers: issuers.append({**issuers[0], "did": "did:web:elsewhere.example"}))
    assert "material_malformed" in codes(audit(house.chain, folder))


def test_mirrors_with_other_documents(house: House, folder: Path, tmp_path: Path) -> None:
    mirror = shutil.copytree(folder, tmp_path / "mirror")
    put_document(house, mirror, lambda document: document.update(alsoKnownAs=[]))
    assert codes(audit(house.chain, folder, mirror)) == ["did_document_differs", "did_document_unclaimed"]


def test_a_publication_that_says_nothing_of_its_issuers(house: House, folder: Path) -> None:
    (folder / "issuers.json").unlink()
    assert codes(audit(house.chain, folder)) == ["issuer_unpublished"] * 2


# --- DIDs -----------------------------------------------------------------------------------------------------------


def put_document(house: House, folder: Path, change: Callable[[Any], None]) -> None:
    """As its owner could: the listing names the changed document."""
    from registry.standards.did.document import document_hash

    path = document_file(house, folder)
    document = json.loads(path.read_bytes())
    change(document)
    path.unlink()
    hashed = document_hash(document).hex()
    (path.parent / f"{hashed}.json").write_text(json.dumps(document))
    listing = json.loads((folder / "issuers.json").read_bytes())
    [entry] = [item for item in listing["issuers"] if item["issuer"] == "0x" + address(house).hex()]
    entry["document"] = hashed
    (folder / "issuers.json").write_text(json.dumps(listing))


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
    for address, found in ((b"\x77" * 20, []), (other, [("did_names_other_account", other)])):
        chain = house.chain
        chain._send_foreign(
            address, chain.encode(SetDid(address, uni.did, b"\5" * 32, chain.read_issuer(address).nonce))
        )
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


# --- contexts -------------------------------------------------------------------------------------------------------


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


# --- over time ------------------------------------------------------------------------------------------------------


def audit_again(house: House, folder: Path, place: Path) -> AuditReport:
    file = StateFile(place / "state.json", write_if_changed)
    state = file.load(house.chain.chain_id, house.chain.contract)
    report = Auditing([NamedChain("node", house.chain)], [FolderMaterial(folder)], state=state, file=file).run()
    file.save(state)
    return report


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


# --- declared delays --------------------------------------------------------------------------------------------------


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
