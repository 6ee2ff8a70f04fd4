from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.store.database import Database
from support.fake_chain import FakeChain
from support.house import Clock, House, open_house
from support.postgres import postgres_server, postgres_url

__all__ = ["both", "postgres_server", "postgres_url"]


@pytest.fixture(params=["sqlite", "postgresql"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A house on each of the two databases."""
    if request.param == "sqlite":
        house = open_house(tmp_path)
    else:
        clock = Clock()
        url = request.getfixturevalue("postgres_url")
        database = Database(url)
        database.migrate()
        database.close()
        house = House(url, FakeChain(clock), clock)
    yield house
    house.close()
