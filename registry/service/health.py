"""What the worker last learnt about the chain, kept where other processes can read it."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from registry.store.database import Database
from registry.store.tables import properties

__all__ = ["ChainHealth", "Health", "chain_read", "get_property", "set_property"]

_NAME = "chain_health"
_SEEN = "worker_seen"
_SEEN_SECONDS = 15  # how often the worker writes that it is alive, at most
_READ = "chain_read"
_READ_SECONDS = 60  # how often it writes up to when it has read the chain, at most


@dataclass(frozen=True, slots=True)
class ChainHealth:
    """``message`` says what is wrong and what to do; None while the chain answers. ``since``: Unix seconds."""

    message: str | None
    since: int


class Health:
    """Written by the one worker, read by anybody."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    def worker_stepped(self) -> None:
        """Notes that the worker is alive; writes only now and then."""
        now, seen = self._clock(), self.worker_seen()
        if seen is None or not 0 <= now - seen < _SEEN_SECONDS:
            with self._database.write() as connection:
                set_property(connection, _SEEN, str(now))

    def worker_seen(self) -> int | None:
        """When a worker last took a step, in Unix seconds; None if none ever did."""
        with self._database.read() as connection:
            value = get_property(connection, _SEEN)
        return None if value is None else int(value)

    def chain_was_read(self, asked_at: int) -> None:
        """Notes that all that the chain had at this time (Unix seconds) is read; writes once a minute at most."""
        before = self.chain_read()
        if before is None or before // _READ_SECONDS != asked_at // _READ_SECONDS:
            with self._database.write() as connection:
                set_property(connection, _READ, str(asked_at))

    def chain_read(self) -> int | None:
        """Up to which time the chain was read; None if it never was."""
        with self._database.read() as connection:
            return chain_read(connection)

    def chain_failed(self, message: str) -> None:
        self._set(message)

    def chain_answered(self) -> None:
        self._set(None)

    def read(self) -> ChainHealth | None:
        """None before a worker has looked for the first time."""
        with self._database.read() as connection:
            value = get_property(connection, _NAME)
        if value is None:
            return None
        parsed = json.loads(value)
        return ChainHealth(parsed["message"], parsed["since"])

    def _set(self, message: str | None) -> None:
        current = self.read()
        if current is not None and current.message == message:
            return
        with self._database.write() as connection:
            set_property(connection, _NAME, json.dumps({"message": message, "since": self._clock()}))


def chain_read(connection: Connection) -> int | None:
    """Up to which time (Unix seconds) all that the chain had was read and seen to; None if it never was."""
    value = get_property(connection, _READ)
    return None if value is None else int(value)


def get_property(connection: Connection, name: str) -> str | None:
    return connection.execute(select(properties.c.value).where(properties.c.name == name)).scalar()


def set_property(connection: Connection, name: str, value: str | None) -> None:
    """Stores one fact about the whole database; None takes it away."""
    if value is None:
        connection.execute(delete(properties).where(properties.c.name == name))
    elif connection.execute(update(properties).where(properties.c.name == name).values(value=value)).rowcount == 0:
        connection.execute(insert(properties).values(name=name, value=value))
