"""Registries that do nothing wrong, in circumstances that can look as if they did: nothing is alleged of them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from anchors.base import AnchorBatch, ContractCall, Revoke, RevokeBatch, SetDid, SetSuspension
from registry.core.audit import KINDS, Severity
from registry.core.canonical import canonicalize, parse_json
from registry.core.credential import unix_time
from registry.core.notation import hex_text
from registry.service.anchoring import Anchoring
from registry.service.auditing import Auditing, AuditReport, NamedChain
from registry.service.auditstate import AuditState, StateFile
from registry.service.errors import BusyError, InvalidError
from registry.service.intake import Submission
from registry.service.issuers import Issuer
from registry.service.published import open_material
from registry.standards.did.document import Account
from registry.standards.did.hosted import build_did_document
from registry.standards.proofs.creating import add_proofs
from registry.store.tables import credentials, status_requests
from registry.wiring.files import write_if_changed
from support.audits import Prepared, audit, bend, codes, copied, listing, prepare, publish
from support.fake_chain import FakeSigner
from support.house import House, document, open_house
from support.signed import signer_of, signing_key

STRANGER, LEAF = b"\x77" * 20, b"\x55" * 32


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


def address(house: House, name: str = "uni") -> bytes:
    return house.issuers.look_up(name).address


def send(house: House, sender: bytes, call: ContractCall) -> None:
    """Past the registry."""
    house.chain._send_foreign(sender, house.chain.encode(call))
    house.clock.advance(60)


def anchor(house: House, issuer: bytes, leaf: bytes = LEAF) -> int:
    """A batch of one leaf; its first index."""
    first = house.chain.read_issuer(issuer).next_index
    send(house, issuer, AnchorBatch(issuer, leaf, first, 1))
    return first


def inside(house: House, *places: Path) -> AuditReport:
    auditing = Auditing([NamedChain("node", house.chain)], [open_material(str(place)) for place in places])
    return auditing.run(house.own_audit)


def bend_issuers(folder: Path, change: Any) -> None:
    path = folder / "issuers.json"
    document = json.loads(path.read_bytes())
    change(document["issuers"])
    path.write_text(json.dumps(document))


# --- others on the same contract ---


def test_other_issuers_on_the_contract_are_no_fault_of_this_registry(house: House, folder: Path) -> None:
    anchor(house, STRANGER)
    report = audit(house.chain, folder)
    assert (codes(report), report.exit_code, report.incomplete) == (["issuer_elsewhere"], 0, ())
    assert report.findings[0].observed == f"1 more (batches: 1), the first being {hex_text(STRANGER)}"
    ours = frozenset((address(house), address(house, "school")))
    report = audit(house.chain, folder, issuers=ours)
    assert (codes(report), report.issuers, report.credentials) == ([], 2, 13)


def test_two_registries_on_one_contract(house: House, folder: Path, tmp_path: Path) -> None:
    """Neither has to publish what the other one does."""
    first = anchor(house, STRANGER)
    theirs = tmp_path / "theirs"
    (theirs / "leaves" / STRANGER.hex()).mkdir(parents=True)
    (theirs / "leaves" / STRANGER.hex() / f"{first}-{LEAF.hex()}.bin").write_bytes(LEAF)
    batch = {"issuer": hex_text(STRANGER), "first": first, "size": 1, "root": LEAF.hex(), "state": "anchored"}
    (theirs / "registry.json").write_text(json.dumps({**listing(folder), "batches": [batch]}))
    issuer = {"issuer": hex_text(STRANGER), "did": "did:web:elsewhere.example"}
    (theirs / "issuers.json").write_text(json.dumps({"type": "PublishedIssuers", "version": 1, "issuers": [issuer]}))
    assert codes(audit(house.chain, folder, theirs)) == ["lists_unpublished"]  # theirs, and for information
    report = audit(house.chain, theirs, folder)
    assert (codes(report), report.incomplete, report.exit_code) == (["lists_unpublished"], (), 0)


def test_an_issuer_that_the_auditor_names_has_to_be_published(house: House, folder: Path) -> None:
    anchor(house, STRANGER)
    report = audit(house.chain, folder, issuers=frozenset((STRANGER,)))
    assert (codes(report), report.exit_code, report.credentials) == (["leaves_missing"], 1, 1)
    assert report.findings[0].where.issuer == STRANGER


def test_a_name_for_nobody_is_not_clean(house: House, folder: Path) -> None:
    report = audit(house.chain, folder, issuers=frozenset((STRANGER,)))
    assert (report.findings, report.exit_code) == ((), 3)
    assert hex_text(STRANGER) in report.incomplete[0]


def test_a_publication_that_names_nobody_is_about_everybody(house: House, folder: Path) -> None:
    """Otherwise the simplest way to hide all would be to list nothing."""
    bend(folder, lambda document: document["batches"].clear())
    bend_issuers(folder, list.clear)
    assert codes(audit(house.chain, folder)) == ["leaves_missing"] * 3
    (folder / "issuers.json").unlink()
    assert codes(audit(house.chain, folder)) == ["leaves_missing"] * 3


def test_an_issuer_that_was_taken_out_of_everything(house: House, folder: Path) -> None:
    """Its claim on chain is to a DID of this very registry."""
    gone = hex_text(address(house, "school"))
    bend(folder, lambda document: document.update(batches=[b for b in document["batches"] if b["issuer"] != gone]))
    bend_issuers(folder, lambda found: found.pop([item["issuer"] for item in found].index(gone)))
    report = audit(house.chain, folder)
    assert (codes(report), report.exit_code) == (["issuer_left_out", "issuer_elsewhere"], 1)
    assert "did:web:registry.example:issuers:school" in report.findings[0].observed


def test_a_stranger_who_takes_an_issuers_name(house: House, folder: Path) -> None:
    """Nothing was left out: the DID's own document says that she is somebody else."""
    uni = house.issuers.look_up("uni")
    anchor(house, STRANGER)
    send(house, STRANGER, SetDid(STRANGER, uni.did, b"\5" * 32, house.chain.read_issuer(STRANGER).nonce))
    house.settle()
    report = audit(house.chain, folder)
    assert codes(report) == ["did_names_other_account", "issuer_elsewhere"]
    assert report.findings[0].where.issuer == STRANGER
    assert codes(audit(house.chain, folder, issuers=frozenset((uni.address,)))) == []


def test_bundles_and_rows_of_others_do_not_count_where_one_is_named(house: House, folder: Path, tmp_path: Path) -> None:
    bundles = tmp_path / "bundles"
    bundles.mkdir()
    for name, data in house.bundles.all():
        (bundles / f"{name}.json").write_bytes(data)
    with house.database.write() as connection:
        connection.execute(update(credentials).values(salt=b"\7" * 32))
    auditing = Auditing(
        [NamedChain("node", house.chain)],
        [open_material(str(folder))],
        sorted(bundles.iterdir()),
        issuers=frozenset((address(house, "school"),)),
    )
    report = auditing.run(house.own_audit)
    assert codes(report) == ["row_changed"] * 5
    assert {finding.where.issuer for finding in report.findings} == {address(house, "school")}
    assert (report.bundles, report.leaves, report.batches) == (5, 5, 1)


# --- publications that are behind the chain ---


def test_copies_of_different_age_tell_of_other_erasures(house: House, folder: Path, tmp_path: Path) -> None:
    mirror = shutil.copytree(folder, tmp_path / "older")
    bend(folder, lambda listing: listing["batches"][0].update(erased=1))
    assert codes(audit(house.chain, folder, mirror)) == ["mirrors_differ"]
    assert audit(house.chain, folder, mirror, grace=600).findings == ()


def test_what_is_newer_than_the_grace_may_be_missing(house: House, folder: Path) -> None:
    first = anchor(house, address(house))
    house.chain.mine()
    for grace, expected, exit_code in ((0, "leaves_missing", 1), (600, "publication_behind", 0)):
        report = audit(house.chain, folder, grace=grace)
        assert (codes(report), report.exit_code) == ([expected], exit_code)
    assert f"the batch from {first} on of {hex_text(address(house))} was anchored since" in report.findings[0].observed
    house.clock.advance(601)
    house.chain.mine()
    assert codes(audit(house.chain, folder, grace=600)) == ["leaves_missing"]


def test_a_batch_that_was_just_voided(house: House, folder: Path) -> None:
    batch = next(item for item in listing(folder)["batches"] if item["issuer"] == hex_text(address(house)))
    send(house, address(house), RevokeBatch(address(house), bytes.fromhex(batch["root"]), batch["first"]))
    house.chain.mine()
    assert codes(audit(house.chain, folder)) == ["voided_batch_served"]
    report = audit(house.chain, folder, grace=600)
    assert (codes(report), report.exit_code) == (["publication_behind"], 0)
    assert f"the batch from {batch['first']} on of {batch['issuer']} was voided since" in report.findings[0].observed


def test_a_mirror_that_is_behind(house: House, folder: Path, tmp_path: Path) -> None:
    mirror = shutil.copytree(folder, tmp_path / "mirror")
    issuer = house.issuers.look_up("uni")
    house.issue(issuer, 2, "new")
    house.batching.seal(issuer)
    for _ in range(3):
        house.settle()
    publish(house, folder)
    assert set(codes(audit(house.chain, folder, mirror))) == {"leaves_missing", "mirrors_differ"}
    report = audit(house.chain, folder, mirror, grace=3_600)
    assert (codes(report), report.exit_code) == (["publication_behind"], 0)
    assert report.findings[0].where.source == str(mirror)


def test_leaves_that_are_listed_and_not_there_have_no_grace(house: House, folder: Path) -> None:
    next((folder / "leaves").rglob("*.bin")).unlink()
    assert codes(audit(house.chain, folder, grace=10**9)) == ["leaves_missing"]


# --- batches of others in the issuer's name ---


def test_a_foreign_batch_that_the_issuer_has_voided(house: House, folder: Path) -> None:
    """Whatever was issued with it is revoked: after a theft a registry can be clean again."""
    first = anchor(house, address(house))
    house.settle()
    publish(house, folder)
    assert codes(inside(house, folder)) == ["leaves_missing", "foreign_batch"]
    send(house, address(house), RevokeBatch(address(house), LEAF, first))
    house.settle()
    publish(house, folder)
    report = inside(house, folder)
    assert (codes(report), report.exit_code) == (["voided_batch_unpublished", "foreign_batch_voided"], 0)


# --- statuses that the issuer sets by itself ---


def revoke(house: House, index: int) -> None:
    send(house, address(house), Revoke(address(house), (0,), (1 << index,)))


def suspend(house: House, index: int, on: bool) -> None:
    nonce = house.chain.read_issuer(address(house)).nonce
    masks = ((1 << index,), (0,)) if on else ((0,), (1 << index,))
    send(house, address(house), SetSuspension(address(house), nonce, (0,), *masks))


def request(house: House, index: int, action: str) -> None:
    """Through the registry."""
    issuer = house.issuers.look_up("uni")
    with house.database.read() as connection:
        rows = connection.execute(credentials.select().where(credentials.c.issuer_id == issuer.id)).all()
    house.status.request(issuer, next(row.id for row in rows if row.credential_index == index), action)
    for _ in range(4):
        house.settle()


def test_a_revocation_past_the_registry_is_for_information(house: House) -> None:
    revoke(house, 4)
    assert codes(inside(house)) == ["status_not_recorded"]  # nobody has looked at the chain since
    house.settle()
    report = inside(house)
    assert (codes(report), report.exit_code, report.findings[0].where.index) == (["status_set_elsewhere"], 0, 4)


def test_a_suspension_that_the_issuer_ended_by_itself(house: House) -> None:
    request(house, 4, "suspend")
    assert codes(inside(house)) == []
    suspend(house, 4, on=False)
    house.settle()
    assert codes(inside(house)) == ["status_set_elsewhere"]
    suspend(house, 4, on=True)
    house.settle()
    assert codes(inside(house)) == []


def test_a_suspension_that_the_issuer_took_up_again_by_itself(house: House) -> None:
    request(house, 4, "suspend")
    request(house, 4, "reinstate")
    suspend(house, 4, on=True)
    house.settle()
    report = inside(house)
    assert (codes(report), report.exit_code) == (["status_set_elsewhere"], 0)


def test_a_suspension_that_never_was(house: House) -> None:
    """The row says so, the history does not."""
    request(house, 4, "suspend")
    with house.database.write() as connection:
        connection.execute(
            update(status_requests).where(status_requests.c.action == "suspend").values(credential_id=other(house))
        )
    assert set(codes(inside(house))) == {"status_not_on_chain", "status_not_recorded"}


def other(house: House) -> str:
    with house.database.read() as connection:
        row = connection.execute(
            credentials.select().where(
                credentials.c.credential_index == 3, credentials.c.issuer_id == house.issuers.look_up("uni").id
            )
        ).one()
    return str(row.id)


@pytest.mark.parametrize("action", ["revoke", "suspend"])
def test_a_request_that_was_deleted_is_no_status_of_the_issuers_own(house: House, action: str) -> None:
    """The registry's own call is still there."""
    request(house, 4, action)
    with house.database.write() as connection:
        connection.execute(delete(status_requests).where(status_requests.c.action == action, status_requests.c.id > 1))
    report = inside(house)
    assert (codes(report), report.exit_code) == (["status_not_recorded"], 1)


def test_a_request_that_was_turned_into_another(house: House) -> None:
    request(house, 4, "suspend")
    with house.database.write() as connection:
        connection.execute(
            update(status_requests).where(status_requests.c.action == "suspend").values(action="reinstate")
        )
    assert codes(inside(house)) == ["status_not_recorded"]


def test_a_revocation_that_waits_for_the_issuers_own_signature(house: House) -> None:
    """What the issuer does not sign, the registry cannot send."""
    issuer = house.hosting.create_self("alone", STRANGER)
    [name] = house.issue(issuer, 1, "alone")
    house.batching.seal(issuer)
    sign_all(house)
    house.status.request(issuer, name, "revoke")
    house.settle()
    house.clock.advance(3 * 86_400)
    house.chain.mine()
    assert [item.kind for item in house.signing.requests()] == ["revoke"]
    assert codes(inside(house)) == []


# --- lists ---


def test_a_list_is_not_dated_later_than_the_chain_was_read(house: House, folder: Path) -> None:
    """A development chain has no age: the clock counts, but only as long as somebody looks."""
    house.settle()
    revoke(house, 4)
    house.clock.advance(3_600)
    publish(house, folder)
    path = folder / "status" / address(house).hex() / "revocation" / "0.json"
    made = unix_time(json.loads(path.read_bytes())["validFrom"])
    assert made is not None
    assert made < house.chain.tip.ref.timestamp
    house.chain.mine()
    assert codes(audit(house.chain, folder)) == []


# --- bundles among other files ---


def test_other_files_among_bundles(house: House, folder: Path, tmp_path: Path) -> None:
    _, data = next(iter(house.bundles.all()))
    (tmp_path / "bundle.json").write_bytes(data)
    (tmp_path / "report.json").write_text('{"type": "AuditReport", "version": 1}')
    (tmp_path / "package.json").write_text('{"name": "x"}')
    report = audit(house.chain, folder, bundles=sorted(tmp_path.glob("*.json")))
    assert (codes(report), report.exit_code, report.bundles) == (["not_a_bundle"] * 2, 0, 1)
    (tmp_path / "bent.json").write_bytes(data.replace(b"AnchoredCredentialBundle", b"Other"))
    assert codes(audit(house.chain, bundles=[tmp_path / "bent.json"])) == ["credential_unreadable"]


def test_a_credential_alone_is_held_against_its_place(house: House, folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.json"
    alone.write_text(json.dumps(json.loads(next(iter(house.bundles.all()))[1])["credential"]))
    report = audit(house.chain, folder, bundles=[alone])
    assert (report.findings, report.incomplete, report.bundles) == ((), (), 1)
    report = audit(house.chain, bundles=[alone])  # whose lists are whose is not known here
    assert (report.findings, report.exit_code) == ((), 3)
    assert "alone.json was not audited: it comes without its salt" in report.incomplete[0]


def test_a_credential_alone_that_was_changed(house: House, folder: Path, tmp_path: Path) -> None:
    credential = json.loads(next(iter(house.bundles.all()))[1])["credential"]
    changes = {
        "changed.json": {"name": "Another course"},
        "unsigned.json": {"proof": None},
        "nowhere.json": {"credentialStatus": place_of(credential["credentialStatus"], 100_000)},
    }
    for name, change in changes.items():
        bent = {key: value for key, value in (credential | change).items() if value is not None}
        (tmp_path / name).write_text(json.dumps(bent))
    found = {name: audit(house.chain, folder, bundles=[tmp_path / name]) for name in changes}
    assert codes(found["changed.json"]) == ["signature_invalid"]
    assert (codes(found["unsigned.json"]), found["unsigned.json"].exit_code) == ([], 3)
    assert "unsigned.json carries no proof and comes without its bundle" in found["unsigned.json"].incomplete[0]
    assert codes(found["nowhere.json"]) == ["credential_not_anchored"]


def place_of(entries: Any, index: int) -> Any:
    listed = entries if isinstance(entries, list) else [entries]
    return [entry | {"statusListIndex": str(index)} for entry in listed]


def test_what_an_honest_registry_cannot_help_is_for_information() -> None:
    names = (
        "publication_behind", "issuer_elsewhere", "voided_batch_unpublished", "foreign_batch_voided", "not_a_bundle",
        "status_set_elsewhere",
    )  # fmt: skip
    assert {KINDS[name].severity for name in names} == {Severity.INFO}


def test_a_claim_by_a_stranger_who_anchors_nothing(house: House, folder: Path) -> None:
    send(house, STRANGER, SetDid(STRANGER, "did:web:registry.example:issuers:uni", b"\1" * 32))
    house.chain.mine()
    assert codes(audit(house.chain, folder)) == []


# --- issuers with documents of their own ---

OWN = "did:web:hochschule.example"


def own_document(seed: int, *accounts: Account) -> dict[str, Any]:
    made = build_did_document(OWN, [signing_key(seed)], accounts, "https://registry.example/v1/issuers/hochschule")
    found: dict[str, Any] = parse_json(canonicalize(made))
    return found


def issue_secured(house: House, issuer: Issuer, seed: int, number: int) -> None:
    credential = document(f"urn:example:own:{number}", issuer={"id": OWN, "name": "Höchschule"})
    signed = add_proofs(credential, signer_of(OWN, seed), house.clock())
    house.issuing.submit(issuer, parse_json(canonicalize(signed)))
    house.batching.seal(issuer)
    for _ in range(4):
        house.settle()


def everything(house: House, folder: Path, bundles: Path) -> AuditReport:
    publish(house, folder)
    bundles.mkdir(exist_ok=True)
    for name, data in house.bundles.all():
        (bundles / f"{name}.json").write_bytes(data)
    auditing = Auditing(
        [NamedChain("node", house.chain)],
        [open_material(str(folder))],
        sorted(bundles.iterdir()),
        state=house.parts["s"],
    )
    return auditing.run(house.own_audit)


@pytest.mark.parametrize("mode", ["hosted", "self"])
def test_an_issuer_hands_over_its_document_and_another_one_later(house: House, tmp_path: Path, mode: str) -> None:
    """Of a hosted one nobody knows the address before it is made; and whoever signs replaces keys now and then."""
    house.parts["s"] = AuditState(house.chain.chain_id, house.chain.contract)
    folder, bundles = tmp_path / "published", tmp_path / "bundles"
    if mode == "hosted":
        issuer = house.hosting.create("hochschule", OWN, document=own_document(1))
        assert not house.hosting.names_its_account(issuer)
    else:
        issuer = house.hosting.create_self("hochschule", STRANGER, OWN, document=own_document(1))
    account = Account(house.chain.chain_id, issuer.address)
    assert everything(house, folder, bundles).findings == ()
    house.hosting.hand_over(issuer, own_document(1, account))
    assert house.hosting.names_its_account(issuer)
    sign_all(house)
    issue_secured(house, issuer, 1, 1)
    sign_all(house)
    report = everything(house, folder, bundles)
    assert (codes(report), report.incomplete, report.bundles) == (["lists_unpublished"], (), 14)
    assert report.exit_code == 0
    former = signing_key(1, valid_until=house.clock() + 1)
    later = build_did_document(
        OWN,
        [former, signing_key(2, "key-2", house.clock())],
        [account],
        "https://registry.example/v1/issuers/hochschule",
    )
    house.hosting.hand_over(issuer, parse_json(canonicalize(later)))
    sign_all(house)
    credential = document("urn:example:own:2", issuer=OWN)
    signed = add_proofs(credential, signer_of(OWN, 2, "key-2"), house.clock())
    house.issuing.submit(issuer, parse_json(canonicalize(signed)))
    house.batching.seal(issuer)
    sign_all(house)
    report = everything(house, folder, bundles)
    assert (codes(report), report.incomplete, report.bundles) == (["lists_unpublished"], (), 15)
    assert report.exit_code == 0


def sign_all(house: House) -> None:
    """What waits for an issuer's signature, if it signs for itself, and all that follows from it."""
    for _ in range(4):
        house.settle()
        for item in house.signing.requests():
            signer = FakeSigner(item.issuer.address)
            signed = signer.sign_call(
                chain_id=item.chain_id, contract=item.contract, call=item.call, deadline=house.clock() + 600
            )
            house.signing.submit(item.id, signed)
        house.settle()


def test_a_document_made_here_is_not_handed_over(house: House) -> None:
    with pytest.raises(InvalidError, match="made here"):
        house.hosting.hand_over(house.issuers.look_up("uni"), own_document(1))
    issuer = house.hosting.create("hochschule", OWN, document=own_document(1))
    with pytest.raises(InvalidError, match="cannot be used"):
        house.hosting.hand_over(issuer, {"id": "did:web:other.example"})


def test_a_list_of_a_branch_that_was_taken_back_is_no_yardstick(house: House, folder: Path, tmp_path: Path) -> None:
    """The chain's time goes back with it, and what follows is older than what was seen."""
    house.clock.advance(600)
    house.chain.mine()
    house.settle()
    publish(house, folder)
    file = StateFile(tmp_path / "state.json", write_if_changed)

    def found() -> list[str]:
        state = file.load(house.chain.chain_id, house.chain.contract)
        report = audit(house.chain, folder, state=state, file=file)
        file.save(state)
        return codes(report)

    assert found() == []
    house.clock.advance(-400)
    house.chain.reorganise(1)
    house.settle()
    publish(house, folder)
    for _ in range(3):
        assert found() == []


def test_a_list_of_a_branch_that_the_registry_has_not_left_yet(house: House, folder: Path, tmp_path: Path) -> None:
    """Audited between the reorganisation and the moment at which the registry reads of it."""
    house.clock.advance(600)
    house.chain.mine()
    house.settle()
    publish(house, folder)
    file = StateFile(tmp_path / "state.json", write_if_changed)

    def found() -> list[str]:
        state = file.load(house.chain.chain_id, house.chain.contract)
        report = audit(house.chain, folder, state=state, file=file)
        file.save(state)
        return codes(report)

    assert found() == []
    house.clock.advance(-400)
    house.chain.reorganise(1)
    for _ in range(2):
        assert found() == []
    house.settle()
    publish(house, folder)
    for _ in range(3):
        assert found() == []


def test_a_reorganisation_is_no_excuse_for_a_list_of_long_before(house: House, folder: Path, tmp_path: Path) -> None:
    """What the chain had settled by then, it has on both branches."""
    house.chain.finalized_lag = 10
    path = folder / "status" / address(house).hex() / "revocation" / "0.json"
    publish(house, folder)
    old = path.read_bytes()
    house.clock.advance(7_200)
    house.chain.mine(100)
    house.settle()
    publish(house, folder)
    file = StateFile(tmp_path / "state.json", write_if_changed)

    def found() -> list[str]:
        state = file.load(house.chain.chain_id, house.chain.contract)
        report = audit(house.chain, folder, state=state, file=file)
        file.save(state)
        return codes(report)

    assert found() == []
    house.chain.reorganise(1)
    path.write_bytes(old)
    assert found() == ["status_list_rolled_back"]


def test_a_backup_that_is_restored_and_the_worker_then_runs(house: House, tmp_path: Path) -> None:
    """The chain went on without it. Not even days without a worker say that a batch was made to wait."""
    issuer = house.issuers.look_up("uni")
    ids = house.issue(issuer, 3, "new")
    house.reserving.reserve(issuer, 2)
    house.status.erase(issuer, ids[1])
    house.batching.seal(issuer)
    assert codes(inside(house)) == []
    with house.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    backup = (tmp_path / "registry.db").read_bytes()
    for _ in range(4):
        house.settle()
        assert codes(inside(house)) == []
    house.status.request(issuer, ids[0], "suspend")
    for _ in range(4):
        house.settle()
        assert codes(inside(house)) == []
    house.close()
    for end in ("-wal", "-shm"):
        (tmp_path / f"registry.db{end}").unlink(missing_ok=True)
    (tmp_path / "registry.db").write_bytes(backup)
    house.clock.advance(3 * 86_400)
    house.chain.mine()
    restored = house.reopen()
    # Its lists are days old, and the request is lost: the chain has what nobody here asked for.
    assert codes(inside(restored)) == ["revocation_shown_late", "status_not_recorded"]
    for _ in range(3):
        restored.settle()
        assert codes(inside(restored)) == ["status_set_elsewhere"]
    restored.close()


def test_indexes_that_are_reserved_and_credentials_that_were_given_up(house: House) -> None:
    issuer = house.issuers.look_up("uni")
    places = house.reserving.reserve(issuer, 3)
    [withdrawn, erased, _] = house.issue(issuer, 3, "new")
    for change in (
        lambda: house.status.request(issuer, withdrawn, "revoke"),
        lambda: house.status.erase(issuer, erased),
        lambda: house.status.request(issuer, places[0].id, "revoke"),
        lambda: house.issuing.take(issuer, Submission(commitment=b"\5" * 32, reservation=places[1].id)),
        lambda: house.batching.seal(issuer),
        lambda: house.clock.advance(100_000),
        lambda: house.batching.seal_all(issuer),
    ):
        change()
        assert codes(inside(house)) == []
    for _ in range(4):
        house.settle()
        assert codes(inside(house)) == []


def test_a_foreign_batch_that_is_gone_again_while_nothing_can_be_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits stands behind it until it can be signed for its former place: nothing is missing there."""
    house = open_house(tmp_path)
    issuer = house.hosting.create("uni")
    house.issue(issuer, 3, "a")
    house.batching.seal(issuer)
    for _ in range(4):
        house.settle()
    house.issue(issuer, 2, "open")
    house.chain.foreign_anchor(issuer.address, LEAF, 1)
    house.chain.mine()
    for _ in range(3):
        house.settle()
    blocks = house.chain.blocks
    at = next(
        n for n, block in enumerate(blocks) if any(getattr(event, "root", None) == LEAF for event in block.events)
    )
    house.chain.reorganise(len(blocks) - at, keep=False)

    def locked(*_: Any) -> None:
        raise BusyError("key_unavailable", "The keys are locked.")

    monkeypatch.setattr(Anchoring, "_displace", locked)
    house.settle()
    assert house.issuers.look_up("uni").halted is not None
    assert "row_missing" not in codes(inside(house))
    house.close()
