"""The parts of the service that rest on locks and transactions, on SQLite and on PostgreSQL."""

import threading

import pytest
from sqlalchemy import select

from registry.core.model import Status
from registry.service.errors import BusyError, ConflictError
from registry.service.issuing import Accepted
from registry.service.worker import only_worker
from registry.store.database import Database
from registry.store.tables import credentials
from support.house import House, document


@pytest.fixture
def house(both: House) -> House:
    return both


def test_the_main_path(house: House) -> None:
    issuer = house.hosting.create("acme")
    ids = house.issue(issuer, 300)
    house.batching.seal(issuer)
    house.settle()
    house.status.request(issuer, ids[0], "revoke")
    house.status.request(issuer, ids[1], "suspend")
    house.status.erase(issuer, ids[2])
    house.settle()
    statuses = [house.verify(i).status for i in (ids[0], ids[1], ids[3])]
    assert statuses == [Status.INVALID, Status.INVALID, Status.VALID]


def test_a_foreign_anchor_is_renumbered_around(house: House) -> None:
    issuer = house.hosting.create("acme")
    house.settle()
    ids = house.issue(issuer, 5)
    house.batching.seal(issuer)
    house.chain.foreign_anchor(issuer.address, b"\x66" * 32, 3)
    house.settle()
    house.batching.seal(issuer)
    house.settle()
    assert {house.verify(i).status for i in ids} == {Status.VALID}


def test_submitting_at_once_from_many_threads_gives_each_index_once(house: House) -> None:
    issuer = house.hosting.create("acme")
    accepted: list[Accepted] = []
    refused: list[ConflictError] = []

    def submit(thread: int) -> None:
        mine = [f"urn:example:{thread}:{number}" for number in range(10)]
        accepted.extend(house.issuing.submit(issuer, document(name), name) for name in mine)
        try:
            accepted.append(house.issuing.submit(issuer, document("urn:example:same"), None))
        except ConflictError as error:
            refused.append(error)

    threads = [threading.Thread(target=submit, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(accepted), len(refused)) == (51, 4)
    with house.database.read() as connection:
        indexes = list(connection.scalars(select(credentials.c.credential_index)))
    assert sorted(indexes) == list(range(51))


def test_one_worker_for_each_database(house: House) -> None:
    other = Database(house.url)
    with only_worker(house.database), pytest.raises(BusyError), only_worker(other):
        pass
    with only_worker(other):
        pass
    other.close()
