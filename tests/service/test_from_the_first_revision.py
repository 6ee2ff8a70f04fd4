"""A database of the first revision with everything under way in it: after the migration all of it goes on."""

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

import registry.store
from registry.core.model import Status
from registry.store.database import Database
from support.house import House, open_house


def at_revision(path: Path, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(registry.store.__file__).parent / "migrations"))
    database = Database(f"sqlite:///{path}")
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    database.close()


def as_the_first(house: House, path: Path) -> House:
    """The same registry, in a database of revision 0001, which is then migrated."""
    at_revision(path, "0001")
    house.close()
    with sqlite3.connect(path) as old:
        old.execute("ATTACH ? AS new", (house.url.removeprefix("sqlite:///"),))
        tables = [row[0] for row in old.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")]
        for table in tables:
            if table == "alembic_version" or table.startswith("sqlite_"):
                continue
            names = ", ".join(f'"{row[1]}"' for row in old.execute(f'PRAGMA main.table_info("{table}")'))
            old.execute(f'INSERT INTO main."{table}" ({names}) SELECT {names} FROM new."{table}"')  # noqa: S608
    old.close()
    migrated = House(f"sqlite:///{path}", house.chain, house.clock, house.seed + 1, house.confirmations)
    migrated.database.migrate()
    return migrated


@pytest.mark.parametrize("displaced", [False, True])
def test_it_goes_on(tmp_path: Path, displaced: bool) -> None:
    before = open_house(tmp_path, confirmations=3)
    issuer = before.hosting.create("acme", signs="none")
    for _ in range(4):
        before.settle()
        before.chain.mine()
    final = before.issue(issuer, 2, "final")
    before.batching.seal(issuer)
    for _ in range(4):
        before.settle()
        before.chain.mine()
    before.status.request(issuer, final[0], "revoke")
    before.chain.automine = False
    sealed = before.issue(issuer, 2, "sealed")
    before.batching.seal(issuer)
    open_ = before.issue(issuer, 3, "open")
    house = as_the_first(before, tmp_path / "first.db")
    house.chain.automine = True
    if displaced:
        house.chain.foreign_anchor(issuer.address, b"\x66" * 32, 10)
    for _ in range(8):
        house.settle()
        house.chain.mine()
    issuer = house.issuers.look_up("acme")
    house.batching.seal_all(issuer)
    more = house.issue(issuer, 1, "more")
    house.batching.seal_all(issuer)
    for _ in range(8):
        house.settle()
        house.chain.mine()
    assert house.verify(final[0]).status is Status.INVALID
    assert {house.verify(each).status for each in (final[1], *sealed, *open_, *more)} == {Status.VALID}
    house.close()
