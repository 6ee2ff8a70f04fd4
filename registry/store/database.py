"""Opens the database, brings its schema up to date, and hands out transactions.

SQLite runs in WAL mode: readers see the last commit and never wait; one writer at a time, which ``write`` waits for.
``synchronous=FULL`` makes a commit survive a power cut, which is what "accepted" promises.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Row, create_engine, event, make_url
from sqlalchemy.exc import DataError, DBAPIError, OperationalError, ProgrammingError

from registry.core.errors import RegistryError

__all__ = ["AnyRow", "Database", "DatabaseError", "unreadable"]

_BUSY_SECONDS = 30
# Of SQLite's: no such table or column, a damaged file, none of its files; text that is none has no code.
_BROKEN = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_MIGRATIONS = str(Path(__file__).parent / "migrations")

# A row whose columns the type checker does not follow.
AnyRow = Row[*tuple[Any, ...]]


class DatabaseError(RegistryError):
    """The database cannot be opened, or is of another version. The message says what to do."""


def unreadable(error: DBAPIError) -> str | None:
    """In the driver's own words, what is wrong with what the database holds; None where it could not be asked."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    broken = isinstance(error.orig, sqlite3.Error) and (code is None or code & 0xFF in _BROKEN)
    if not broken and not isinstance(error, ProgrammingError | DataError):
        return None
    return str(error.orig).partition(" with text")[0]  # which may be anybody's


class Database:
    """A pool of connections. ``read`` gives a consistent snapshot, ``write`` a transaction that commits at its end."""

    def __init__(self, url: str) -> None:
        """Opens ``url`` (SQLAlchemy's form: ``sqlite:///file`` or ``postgresql+psycopg://…``); changes nothing."""
        self.engine = _create_engine(url)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self.engine.connect().execution_options(**options) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: all of it is committed on leaving, or nothing if an exception leaves it."""
        with self.engine.connect().execution_options(registry_write=True) as connection, connection.begin():
            yield connection

    def migrate(self) -> None:
        """Brings the schema to the newest version; forward only, each step in a transaction of its own."""
        config = Config()
        config.set_main_option("script_location", _MIGRATIONS)
        try:
            with self.write() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except OperationalError as error:
            raise DatabaseError(
                f"The database cannot be opened: {error.orig}. Check DATABASE_URL and the rights on its folder."
            ) from error

    def is_current(self) -> bool:
        """Whether the schema is the one that this version of the software works with. Raises what the driver raises."""
        config = Config()
        config.set_main_option("script_location", _MIGRATIONS)
        wanted = set(ScriptDirectory.from_config(config).get_heads())
        with self.read() as connection:
            return set(MigrationContext.configure(connection).get_current_heads()) == wanted

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; None for a server, or in memory."""
        name = self.engine.url.database
        return Path(name) if self.is_sqlite and name and name != ":memory:" else None

    def close(self) -> None:
        self.engine.dispose()


def _create_engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True, hide_parameters=True)
    if parsed.database and parsed.database != ":memory:":
        # Credentials are personal data: nobody else on the machine may read the file that SQLite is about to make.
        try:
            os.close(os.open(parsed.database, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise DatabaseError(
                f"The database file {parsed.database} cannot be opened ({error.strerror}). Check DATABASE_URL, the "
                "folder and its rights."
            ) from error
    # hide_parameters: an error that is logged must not hold somebody's credential.
    engine = create_engine(parsed, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin below, not where the driver guesses
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")  # what is erased does not stay in the file's free space

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("registry_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine
