"""The registry's audits of itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from registry.service.selfauditing import SelfAudit
from registry.service.worker import Worker
from registry.store.tables import credentials
from support.audits import Prepared, copied, prepare
from support.house import House


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def house(prepared: Prepared, tmp_path: Path) -> Iterator[House]:
    opened = copied(prepared, tmp_path)
    yield opened
    opened.close()


def audits(house: House, every: int = 100) -> SelfAudit:
    return SelfAudit(house.context, house.issuers, house.batching, 0, every)


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


def test_one_that_fails_does_not_begin_again_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = audits(house)
    calls = []

    def fail(*_: object) -> None:
        calls.append(1)
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr("registry.service.selfauditing.audit_database", fail)
    with pytest.raises(RuntimeError):
        worker(house, audit).run_once()
    worker(house, audit).run_once()
    assert len(calls) == 1
    assert audit.last() is None


def test_a_chain_that_is_silent_makes_no_report_clean(house: House) -> None:
    audit = audits(house)
    house.chain.unreachable = True
    assert worker(house, audit).run_once().error is not None
    assert audit.last() is None
