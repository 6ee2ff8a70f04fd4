"""Cut off at every call to the chain and at every commit, before and after it was carried out: the next start goes on.

The same story is run once to count the places, then once for each place with the plug pulled there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from anchors.base import BatchAnchored
from registry.core.bundle import parse_bundle
from registry.core.model import Status
from registry.store.tables import attempts, credentials, outbox
from support.house import House, document, open_house


class PulledPlug(BaseException):
    """Nothing catches it: the process is gone."""


class Plug:
    """Counts the places, and pulls the plug at one of them."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.places: list[str] = []

    def pass_(self, place: str) -> None:
        self.places.append(place)
        if self.at is not None and len(self.places) == self.at + 1:
            raise PulledPlug(place)

    def connect(self, house: House) -> None:
        house.chain.fault = lambda name, when: self.pass_(f"{when} {name}")
        original = house.database.write

        @contextmanager
        def write() -> Iterator[Connection]:
            with original() as connection:
                yield connection
                self.pass_("before commit")  # raising here rolls back, as a crash would
            self.pass_("after commit")

        house.database.write = write  # type: ignore[method-assign]

    @staticmethod
    def disconnect(house: House) -> None:
        house.chain.fault = lambda _name, _when: None


CREDENTIALS = 6
REVOKED, SUSPENDED = 0, 1


def tell(house: House) -> dict[int, str]:
    """What people do, each of whom repeats their request after a crash; returns number -> registry id."""
    issuer = house.issuers.look_up("acme") if house.issuers.exists("acme") else house.hosting.create("acme")
    ids: dict[int, str] = {}

    def submit(numbers: range) -> None:
        for number in numbers:
            ids[number] = house.issuing.submit(issuer, document(f"urn:example:{number}"), f"key-{number}").id

    submit(range(3))
    house.batching.seal_all(issuer)
    house.worker.run_once()
    house.status.request(issuer, ids[REVOKED], "revoke")
    house.status.request(issuer, ids[SUSPENDED], "suspend")
    submit(range(3, CREDENTIALS))
    house.worker.run_once()
    house.batching.seal_all(issuer)
    house.worker.run_once()
    house.clock.advance(60)
    house.worker.run_once()
    return ids


def check(house: House, ids: dict[int, str]) -> None:
    assert set(house.batch_states()) == {"FINAL"}
    # every index once, without a gap, each in exactly one batch of the chain
    with house.database.read() as connection:
        indexes = list(
            connection.scalars(select(credentials.c.credential_index).order_by(credentials.c.credential_index))
        )
        rows = connection.execute(select(outbox.c.state, func.count().label("count")).group_by(outbox.c.state))
        states = {row.state: row._mapping["count"] for row in rows}
        sent = connection.scalar(select(func.count()).select_from(attempts))
    assert indexes == list(range(CREDENTIALS))
    anchored = [e for block in house.chain.blocks for e in block.events if isinstance(e, BatchAnchored)]
    assert sum(e.size for e in anchored) == CREDENTIALS
    assert [e.first for e in anchored] == [sum(e.size for e in anchored[:n]) for n in range(len(anchored))]
    # nothing was paid for twice: one transaction for each call, none replaced, none reverted
    assert set(states) == {"DONE"}
    assert sent == states["DONE"] == sum(len(block.bodies) for block in house.chain.blocks)
    for number, credential_id in ids.items():
        verdict = house.verify(credential_id)
        expected = Status.INVALID if number in (REVOKED, SUSPENDED) else Status.VALID
        assert verdict.status is expected, (number, verdict)


def run(folder: Path, at: int | None) -> Plug:
    house = open_house(folder)
    plug = Plug(at)
    plug.connect(house)
    try:
        ids = tell(house)
        house.settle()
    except PulledPlug:
        Plug.disconnect(house)
        house = house.reopen()  # with a database of its own, whose commits nobody counts
        ids = tell(house)
        house.settle()
    Plug.disconnect(house)
    check(house, ids)
    house.close()
    return plug


def count_places(folder: Path) -> int:
    return len(run(folder, None).places)


def test_the_story_without_a_crash(tmp_path: Path) -> None:
    plug = run(tmp_path, None)
    assert {"before send", "after send", "before commit", "after commit"} <= set(plug.places)


@pytest.mark.parametrize("part", range(8))
def test_a_crash_at_any_place_loses_and_doubles_nothing(tmp_path: Path, part: int) -> None:
    """In eight parts, so that they can run side by side."""
    folder = tmp_path / "count"
    folder.mkdir()
    places = count_places(folder)
    assert places > 150
    for at in range(part, places, 8):
        folder = tmp_path / str(at)
        folder.mkdir()
        plug = run(folder, at)
        assert len(plug.places) == at + 1, "the plug was not pulled"


def test_bundles_of_the_second_start_equal_those_of_the_first(tmp_path: Path) -> None:
    house = open_house(tmp_path)
    ids = tell(house)
    before = [house.bundles.get(ids[2]), house.bundles.get(ids[3])]
    house = house.reopen()
    tell(house)
    assert [house.bundles.get(ids[2]), house.bundles.get(ids[3])] == before
    assert parse_bundle(before[0]).inclusion.tree_size == 3
    house.close()
