"""Audits from inside of tables that hold what they cannot hold: each such row is told, and the others are audited."""

import json
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from registry.core.audit import Finding
from registry.core.errors import InputError
from registry.service.auditing import Auditing, AuditReport, NamedChain, report_to_json
from registry.service.auditrows import readable
from registry.service.selfauditing import SelfAudit
from registry.service.worker import Worker
from support.audits import Prepared, codes, copied, prepare
from support.house import House

UNREADABLE = "database_unreadable"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def house(prepared: Prepared, tmp_path: Path) -> Iterator[House]:
    opened = copied(prepared, tmp_path)
    yield opened
    opened.close()


def inside(house: House) -> AuditReport:
    report = Auditing([NamedChain("node", house.chain)]).run(house.own_audit)
    assert orjson.dumps(report_to_json(report))
    assert report.incomplete == ()
    return report


def change(house: House, statement: str, *values: object) -> None:
    with house.database.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        assert connection.exec_driver_sql(statement, values).rowcount
        connection.commit()


# --- calls -----------------------------------------------------------------------------------------------------------

DEEP = "[" * 200_000
NULL_HASH = '{"call":"SetDid","issuer":"0x00","did":"x","document_hash":null,"nonce":"1"}'


def revoke(**members: object) -> str:
    return json.dumps({"call": "Revoke", "issuer": "0x00", "words": ["0"], "masks": ["1"], **members})


def suspend(**members: object) -> str:
    lists = {"words": ["0"], "set_masks": ["2"], "clear_masks": ["0"]}
    return json.dumps({"call": "SetSuspension", "issuer": "0x00", "nonce": "0", **lists, **members})


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        ("set_did", NULL_HASH),
        ("set_did", NULL_HASH.replace("null", '"5"')),
        ("set_did", DEEP),
        ("set_did", b"\xff"),
        ("set_did", 5),
        ("set_did", revoke()),
        ("revoke", revoke(issuer=5)),
        ("revoke", revoke(words="3")),
        ("revoke", revoke(words=[None])),
        ("revoke", revoke(words=[])),
        ("revoke", revoke(words=[2**60])),
        ("revoke", revoke(masks=["-1"])),
        ("revoke", revoke(masks=[float("inf")])),
        ("revoke", DEEP),
        ("revoke", "[]"),
        ("suspend", suspend(nonce=None)),
        ("suspend", suspend(set_masks="0x00")),
        ("suspend", suspend(clear_masks=["0", "0"])),
        ("suspend", DEEP),
    ],
)
def test_a_call_that_cannot_be_read(house: House, kind: str, call: object) -> None:
    uni = house.issuers.look_up("uni")
    house.status.request(uni, next(iter(house.bundles.all(uni)))[0], "suspend")
    for _ in range(3):
        house.settle()
    assert codes(inside(house)) == []
    change(house, "DELETE FROM did_documents WHERE issuer_id = 2")
    change(
        house, "UPDATE operations SET call = ? WHERE id = (SELECT min(id) FROM operations WHERE kind = ?)", call, kind
    )
    found = inside(house)
    assert codes(found) == [UNREADABLE, "issuer_changed"]
    assert found.findings[0].observed.startswith("operation ")


@pytest.mark.parametrize("error", [AttributeError(), RecursionError(), OverflowError(), InputError("none")])
def test_whatever_reading_raises_is_a_finding(error: Exception) -> None:
    def fail() -> Iterator[Finding]:
        raise error
        yield

    [finding] = readable(fail())
    assert (finding.code, finding.observed) == (UNREADABLE, f"else: {type(error).__name__}")


@pytest.mark.parametrize("error", [AttributeError, RecursionError, OverflowError])
def test_what_cannot_be_made_of_the_tables_ends_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(*_: object) -> bytes:
        raise error

    monkeypatch.setattr(type(house.own_audit.identities), "published", fail)
    assert codes(inside(house)).count("material_malformed") == 2  # one for each issuer


# --- the worker ------------------------------------------------------------------------------------------------------


def step(house: House) -> SelfAudit:
    audit = SelfAudit(house.context, house.issuers, house.batching, house.own_audit, 100)
    assert Worker(house.context, house.issuers, house.batching, house.status, 0, audit).run_once().error is None
    return audit


def test_the_worker_outlives_a_call_that_cannot_be_read(house: House) -> None:
    change(house, "UPDATE operations SET call = ? WHERE kind = 'set_did'", NULL_HASH)
    document = step(house).last()
    assert document is not None
    assert {item["code"] for item in document["findings"]} == {UNREADABLE}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE batches SET issuer_id = 999 WHERE id = 1",
        "UPDATE batches SET root = 5 WHERE id = 1",
        "UPDATE batches SET root = 'x' WHERE id = 1",
        "UPDATE batches SET size = 'x' WHERE id = 1",
        "UPDATE batches SET leaves = 'x' WHERE id = 1",
        "UPDATE batches SET leaves = 99999999999999 WHERE id = 1",  # so many bytes
        "UPDATE issuers SET address = 5 WHERE id = 1",
        "UPDATE issuers SET did = CAST(x'fffe' AS TEXT) WHERE id = 1",
    ],
)
def test_what_the_registry_would_publish_hides_nothing_of_its_tables(house: House, statement: str) -> None:
    audit = SelfAudit(house.context, house.issuers, house.batching, house.own_audit, 100)
    change(house, statement)
    change(house, "UPDATE credentials SET salt = ? WHERE issuer_id = 2", b"\7" * 32)
    assert audit.run_if_due()
    document = audit.last()
    assert document is not None
    assert {"row_changed"} < {item["code"] for item in document["findings"]}


def test_an_index_beyond_all_bounds(house: House) -> None:
    """Far more than 64 bits."""
    change(house, "UPDATE chain_status SET word = ?", b"\xff" * 32)
    audit = SelfAudit(house.context, house.issuers, house.batching, house.own_audit, 100)
    assert audit.run_if_due()
    document = audit.last()
    assert document is not None
    assert "chain_copy_differs" in {item["code"] for item in document["findings"]}


def test_a_start_that_is_no_time(house: House) -> None:
    change(house, "INSERT INTO properties (name, value) VALUES ('self_audit_started', 'x')")
    assert step(house).last() is not None


# --- rows ------------------------------------------------------------------------------------------------------------


def test_a_row_of_a_batch_hides_none_of_the_others(house: House) -> None:
    change(house, "UPDATE credentials SET salt = ?", b"\7" * 32)
    change(house, "UPDATE credentials SET state = 'X' WHERE credential_index = 0")
    found = codes(inside(house))
    assert (found.count(UNREADABLE), found.count("row_changed"), len(found)) == (2, 11, 13)


def test_a_row_that_waits_hides_none_of_the_others(house: House) -> None:
    house.issue(house.issuers.look_up("uni"), 3, "open")
    change(house, "UPDATE credentials SET salt = ? WHERE batch_id IS NULL", b"\7" * 32)
    change(house, "UPDATE credentials SET state = 'X' WHERE issuer_id = 1 AND credential_index = 8")
    assert codes(inside(house)) == [UNREADABLE, "row_changed", "row_changed"]


def test_a_row_without_an_index_is_none_at_its_place(house: House) -> None:
    change(house, "UPDATE credentials SET credential_index = 'x' WHERE issuer_id = 1 AND credential_index = 1")
    change(house, "UPDATE credentials SET salt = ? WHERE issuer_id = 1 AND credential_index = 3", b"\7" * 32)
    assert codes(inside(house)) == [UNREADABLE, "row_changed", "row_missing"]


ASK = (
    "INSERT INTO status_requests (issuer_id, credential_id, action, state, final_block, requested_at) "
    "SELECT issuer_id, id, 'revoke', ?, ?, ? FROM credentials WHERE issuer_id = ? AND credential_index = 4"
)


@pytest.mark.parametrize("odd", [("nonsense", None, 1), ("FINAL", "x", 1), ("WAITING", None, "x")])
def test_a_request_hides_none_of_the_others(house: House, odd: tuple[object, ...]) -> None:
    """Two revocations that never were on chain, and a row of nonsense beside them."""
    for issuer in (1, 2):
        change(house, ASK, "FINAL", 1, 1, issuer)
    assert codes(inside(house)) == ["status_not_on_chain"] * 2
    change(house, ASK, *odd, 1)
    assert codes(inside(house)) == [UNREADABLE, "status_not_on_chain", "status_not_on_chain"]


def test_a_request_that_cannot_be_read_is_not_said_to_be_missing(house: House) -> None:
    change(house, "UPDATE status_requests SET state = 'nonsense'")
    [finding] = inside(house).findings
    assert (finding.code, finding.where.index) == (UNREADABLE, 2)


def test_a_request_for_an_index_that_is_none(house: House) -> None:
    """Of another issuer's, besides: so that it is told in two places."""
    change(house, "UPDATE issuers SET address = x'00' WHERE id = 2")
    change(
        house,
        "UPDATE credentials SET issuer_id = 2, credential_index = CAST('zz' AS BLOB) "
        "WHERE id IN (SELECT credential_id FROM status_requests)",
    )
    found = [item for item in inside(house).findings if item.expected.startswith("a request of issuer")]
    assert [(item.code, item.where.index) for item in found] == [("row_changed", None)]


def test_a_digest_hides_none_of_the_other_documents(house: House) -> None:
    change(house, "UPDATE did_documents SET content = x'00' WHERE issuer_id = 2")
    change(house, "UPDATE did_documents SET hash = x'00' WHERE issuer_id = 1")
    assert codes(inside(house)) == [UNREADABLE, "issuer_changed"]


def test_a_digest_hides_none_of_the_other_templates(house: House) -> None:
    for name in "ab":
        change(
            house,
            "INSERT INTO templates (issuer_id, name, digest, content, first_used_at) VALUES (1, ?, ?, x'00', 1)",
            name,
            b"\7" * (1 if name == "a" else 32),
        )
    assert sorted(codes(inside(house))) == [UNREADABLE, "stored_template_differs"]


@pytest.mark.parametrize("table", ["chain_batches", "chain_claims"])
def test_a_copy_of_an_event_hides_none_of_the_others(house: House, table: str) -> None:
    uni, school = (house.issuers.look_up(name).address for name in ("uni", "school"))
    column = "root" if table == "chain_batches" else "document_hash"
    change(house, f"UPDATE {table} SET {column} = x'07' WHERE issuer = ?", uni)  # noqa: S608 - constants
    change(house, f"UPDATE {table} SET {column} = ? WHERE issuer = ?", b"\7" * 32, school)  # noqa: S608 - constants
    found = [item.where.issuer for item in inside(house).findings if item.code == "chain_copy_differs"]
    assert found == sorted((uni, school))


def test_a_copy_of_a_status_hides_none_of_the_others(house: House) -> None:
    school = house.issuers.look_up("school")
    house.status.request(school, next(iter(house.bundles.all(school)))[0], "revoke")
    for _ in range(3):
        house.settle()
    assert codes(inside(house)) == []
    change(house, "UPDATE chain_status SET purpose = 'x' WHERE issuer <> ?", school.address)
    change(house, "UPDATE chain_status SET set_mask = ? WHERE issuer = ?", b"\7" * 32, school.address)
    found = [item.where.issuer for item in inside(house).findings if item.code == "chain_copy_differs"]
    assert school.address in found
