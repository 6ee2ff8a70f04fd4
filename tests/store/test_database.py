"""The database on both engines: schema, transactions, rights."""

import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, select

from registry.store.database import Database, DatabaseError
from registry.store.tables import metadata, properties


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'registry.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
    database = Database(url)
    database.migrate()
    yield database
    database.close()


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.scalars(select(properties.c.name).order_by(properties.c.name)))


def test_the_migrations_give_exactly_the_tables(database: Database) -> None:
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_again_changes_nothing_and_keeps_the_data(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(properties).values(name="a", value="1"))
    database.migrate()
    assert names(database) == ["a"]


def test_a_failing_transaction_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            connection.execute(insert(properties).values(name="a", value="1"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names(database) == []


def test_a_reader_sees_the_last_commit_while_somebody_writes(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(properties).values(name="a", value="1"))
        assert names(database) == []
    assert names(database) == ["a"]


def test_writers_wait_for_each_other(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(properties).values(name="n", value="0"))

    def count() -> None:
        for _ in range(20):
            with database.write() as connection:
                row = connection.execute(select(properties).with_for_update()).one()
                connection.execute(properties.update().values(value=str(int(row.value) + 1)))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert connection.execute(select(properties.c.value)).scalar_one() == "80"


def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'registry.db'}")
    database.migrate()
    database.close()
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="DATABASE_URL"):
        Database(f"sqlite:///{tmp_path / 'missing' / 'registry.db'}").migrate()


def test_a_server_that_is_not_there_is_named() -> None:
    database = Database("postgresql+psycopg://user:hunter2@127.0.0.1:1/registry")
    with pytest.raises(DatabaseError, match="DATABASE_URL") as caught:
        database.migrate()
    assert "hunter2" not in str(caught.value)
    database.close()
