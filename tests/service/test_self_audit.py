"""The registry's audits of itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Executable, delete, event, update

from anchors.base import AnchorBatch, Revoke
from registry.core.canonical import canonicalize
from registry.service.auditing import Auditing, NamedChain
from registry.service.selfauditing import SelfAudit
from registry.service.worker import Worker
from registry.standards.keys import Signer, create_key_ring
from registry.store.tables import chain_batches, chain_status, credentials, issuers
from support.audits import Prepared, copied, prepare
from support.house import House, open_house


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def house(prepared: Prepared, tmp_path: Path) -> Iterator[House]:
    opened = copied(prepared, tmp_path)
    yield opened
    opened.close()


def audits(house: House, every: int = 100) -> SelfAudit:
    return SelfAudit(house.context, house.issuers, house.batching, house.own_audit, every)


def worker(house: House, audit: SelfAudit) -> Worker:
    return Worker(house.context, house.issuers, house.batching, house.status, 0, audit)


def test_the_worker_makes_one_now_and_then(house: House) -> None:
    audit = audits(house)
    assert audit.last() is None
    running = worker(house, audit)
    running.run_once()
    first = audit.last()
    assert first is not None
    assert (first["result"], first["audited"]["leaves"]) == ("clean", 13)
    house.clock.advance(99)
    running.run_once()
    assert audit.last() == first
    house.clock.advance(1)
    running.run_once()
    again = audit.last()
    assert again is not None
    assert again["reportedAt"] > first["reportedAt"]


def test_none_where_it_is_switched_off(house: House) -> None:
    audit = audits(house, every=0)
    worker(house, audit).run_once()
    assert audit.last() is None


def test_its_own_faults_are_said_and_no_ids(house: House) -> None:
    """Who knows a row's id gets its bundle."""
    names = [name for issuer in house.issuers.all() for name, _ in house.bundles.all(issuer)]
    with house.database.write() as connection:
        connection.execute(update(credentials).values(salt=b"\7" * 32))
    audit = audits(house)
    worker(house, audit).run_once()
    document = audit.last()
    assert document is not None
    assert (document["result"], document["counts"]["CRITICAL"]) == ("findings", 13)
    assert {finding["code"] for finding in document["findings"]} == {"row_changed"}
    assert [name for name in names if name in str(document)] == []
    assert len(names) == 13


def test_one_that_fails_is_told_and_does_not_begin_again_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And the worker goes on."""
    audit = audits(house)
    calls = []

    def fail(*_: object) -> None:
        calls.append(1)
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr("registry.service.ownaudit.audit_database", fail)
    for _ in range(2):
        assert worker(house, audit).run_once().error is None
    assert len(calls) == 1
    assert "a fault of the program" in caplog.text
    document = audit.last()
    assert document is not None
    assert (document["result"], document["findings"], document["block"]) == ("incomplete", [], None)
    assert document["incomplete"] == [
        "The audit failed (RuntimeError), and nothing was audited: the worker's log tells more."
    ]


def test_a_chain_that_is_silent_makes_no_report_clean(house: House) -> None:
    audit = audits(house)
    house.chain.unreachable = True
    assert worker(house, audit).run_once().error is not None
    assert audit.last() is None


# --- what is published of issuers ---


def found_in(house: House) -> dict[str, str]:
    """Codes of the registry's audit of itself, with what was observed; the same as from inside on the command line."""
    audit = audits(house)
    assert audit.run_if_due()
    document = audit.last()
    assert document is not None
    inside = Auditing([NamedChain("node", house.chain)]).run(house.own_audit)
    assert {item.code for item in inside.findings} <= {item["code"] for item in document["findings"]}
    assert list(inside.incomplete) == document["incomplete"]
    return {item["code"]: item["observed"] for item in document["findings"]}


def tamper(house: House, statement: Executable) -> None:
    with house.database.write() as connection:
        assert connection.execute(statement).rowcount == 1


def test_a_revocation_that_the_tables_lost(house: House) -> None:
    tamper(house, delete(chain_status))
    found = found_in(house)
    assert found["status_list_differs"].startswith("1 of them not set")


def test_a_revocation_that_the_tables_made_up(house: House) -> None:
    tamper(house, update(chain_status).values(set_mask=((1 << 2) | (1 << 4)).to_bytes(32)))
    assert found_in(house)["status_list_differs"].startswith(
        "1 bits that the chain does not have, the first at index 4"
    )


def test_another_did(house: House) -> None:
    """The keys are those of the former one, and so are the claims."""
    tamper(house, update(issuers).where(issuers.c.name == "uni").values(did="did:web:elsewhere.example"))
    assert set(found_in(house)) == {"did_not_claimed", "issuer_changed", "status_list_signature"}


def test_another_address(house: House) -> None:
    """Nothing was anchored with it: the rows of its batches tell, as its document names whatever address it has. Whose
    they are sees only who looks at all issuers.
    """
    tamper(house, update(issuers).where(issuers.c.name == "uni").values(address=b"\x77" * 20))
    audit = audits(house)
    assert audit.run_if_due()
    document = audit.last()
    assert document is not None
    assert "anchor_transaction_elsewhere" in {item["code"] for item in document["findings"]}
    inside = Auditing([NamedChain("node", house.chain)]).run(house.own_audit)
    assert [item.observed for item in inside.findings if item.code == "issuer_changed"] == [f"0x{'77' * 20}"]


def test_other_keys(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = create_key_ring("did:web:registry.example:issuers:uni", lambda: "password", house.clock(), scrypt_n=2)
    monkeypatch.setitem(house.rings.rings, "uni", ring)
    assert set(found_in(house)) == {"did_document_unclaimed"}


def test_a_document_that_was_handed_over_and_names_another_account(house: House) -> None:
    issuer = house.issuers.look_up("uni")
    document = house.identities.document(issuer)
    for method in document["verificationMethod"]:
        if "blockchainAccountId" in method:
            method["blockchainAccountId"] = "eip155:31337:0x" + "55" * 20
    values = {"signs": "none", "document": canonicalize(document)}
    tamper(house, update(issuers).where(issuers.c.name == "uni").values(values))
    # The last one, as its credentials were signed here.
    assert set(found_in(house)) == {"did_names_other_account", "did_document_unclaimed", "issuer_changed"}


def test_keys_that_cannot_be_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(house.rings.rings, "uni")
    audit = audits(house)
    assert audit.run_if_due()
    document = audit.last()
    assert document is not None
    assert (document["result"], document["findings"]) == ("incomplete", [])
    assert any("The DID document of uni was not audited" in line for line in document["incomplete"])


def test_no_key_is_opened(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> Signer:
        raise AssertionError("a key was opened")

    monkeypatch.setattr(house.rings, "signer", refuse)
    assert found_in(house) == {}


def test_others_on_the_contract_are_no_matter_of_it(house: House) -> None:
    stranger = b"\x77" * 20
    house.chain._send_foreign(stranger, house.chain.encode(AnchorBatch(stranger, b"\1" * 32, 0, 1)))
    house.clock.advance(60)
    audit = audits(house)
    worker(house, audit).run_once()
    document = audit.last()
    assert document is not None
    assert (document["result"], document["findings"], document["audited"]["credentials"]) == ("clean", [], 13)


def test_one_with_nothing_anchored_is_clean(tmp_path: Path) -> None:
    """Neither before its claim is on chain nor afterwards is there anything to say."""
    house = open_house(tmp_path)
    house.hosting.create("uni")
    for _ in range(2):
        audit = audits(house, every=1)
        assert audit.run_if_due()
        document = audit.last()
        assert document is not None
        assert (document["result"], document["findings"], document["incomplete"]) == ("clean", [], [])
        house.settle()
    house.close()


def test_it_reads_as_often_for_many_credentials_as_for_few(house: House) -> None:
    def statements() -> int:
        counted: list[str] = []
        listener = lambda *args: counted.append(args[2])  # noqa: E731
        event.listen(house.database.engine, "before_cursor_execute", listener)
        Auditing([NamedChain("node", house.chain)]).run(house.own_audit)
        event.remove(house.database.engine, "before_cursor_execute", listener)
        return len(counted)

    issuer = house.issuers.look_up("school")
    counts = []
    for size in (3, 300):
        house.issue(issuer, size, f"more{size}")
        house.batching.seal(issuer)
        for _ in range(3):
            house.settle()
        counts.append(statements())
    batch = 1  # one more to be read
    assert counts[1] - counts[0] <= 2 * batch


def test_what_the_worker_reads_again_is_read_before_the_audit(house: House) -> None:
    """Lost words of the chain's are noticed by the worker itself, now and then."""
    tamper(house, delete(chain_status))
    audit = audits(house)
    worker(house, audit).run_once()
    document = audit.last()
    assert document is not None
    assert (document["result"], document["incomplete"]) == ("clean", [])


def test_tables_that_were_emptied_hide_nothing(house: House) -> None:
    with house.database.write() as connection:
        connection.execute(delete(chain_batches))
    assert "status_list_differs" not in found_in(house)
    with house.database.write() as connection:
        connection.execute(update(credentials).values(salt=b"\7" * 32))
    audit = audits(house, every=1)
    house.clock.advance(2)
    assert audit.run_if_due()
    document = audit.last()
    assert document is not None
    found = [item["code"] for item in document["findings"]]
    assert (found.count("row_changed"), found.count("chain_copy_differs")) == (13, 2)


def test_a_revocation_that_nobody_has_read_yet(house: House) -> None:
    """The list is as old as the last block; that it lacks what came a moment ago is no fault, an hour later it is."""
    house.settle()
    house.clock.advance(3_600)
    issuer = house.issuers.look_up("uni").address
    house.chain._send_foreign(issuer, house.chain.encode(Revoke(issuer, (0,), (1 << 4,))))
    assert set(found_in(house)) == {"status_not_recorded"}
    house.clock.advance(3_600)
    house.chain.mine()
    assert set(found_in(house)) == {"status_not_recorded", "revocation_shown_late"}
