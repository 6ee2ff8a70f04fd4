"""The embedded chain's one file: SQLite, below py-evm's key-value interface, and an index of the logs.

Durability: everything that one block brings is written in one SQLite transaction, synced once. Killed at any line
before the commit, the file reopens at the block before; what the kill leaves behind in the WAL is SQLite's to settle.
Concurrency: one process (the file lock is held by ``DevChain``), one thread at a time (the lock is held by ``Evm``).
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth.db.backends.base import BaseDB

from anchors.base import ChainError

__all__ = ["LogRow", "Storage"]

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE kv (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE logs (
    block_number INTEGER NOT NULL, log_index INTEGER NOT NULL, block_hash BLOB NOT NULL, tx_hash BLOB NOT NULL,
    tx_index INTEGER NOT NULL, address BLOB NOT NULL,
    topic0 BLOB, topic1 BLOB, topic2 BLOB, topic3 BLOB, data BLOB NOT NULL,
    PRIMARY KEY (block_number, log_index)
) WITHOUT ROWID;
CREATE INDEX logs_by_topic ON logs (address, topic0, topic1, block_number);
"""


@dataclass(frozen=True, slots=True)
class LogRow:
    """One log entry as it stands in a block."""

    block_number: int
    log_index: int
    block_hash: bytes
    tx_hash: bytes
    tx_index: int
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


class Storage(BaseDB):
    """Keys and values for py-evm. Outside of ``block()`` it only reads."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._pending: dict[bytes, bytes | None] = {}
        self._writing = False
        try:
            self._prepare(path)
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self, path: Path) -> None:
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")  # one sync a commit, so one a block
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        except sqlite3.DatabaseError as error:
            raise ChainError(f"{path} cannot be used as a development chain ({error}): move it away") from error
        if version not in {0, SCHEMA_VERSION}:
            raise ChainError(
                f"{path} is a development chain of format {version}; this version reads {SCHEMA_VERSION}: move it away"
            )

    def close(self) -> None:
        self._connection.close()

    # py-evm's side

    def __getitem__(self, key: bytes) -> bytes:
        if key in self._pending:
            value = self._pending[key]
        else:
            row = self._connection.execute("SELECT value FROM kv WHERE key = ?", (key,)).fetchone()
            value = None if row is None else row[0]
        if value is None:
            raise KeyError(key)
        return value

    def _exists(self, key: bytes) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._require_block()
        self._pending[key] = value

    def __delitem__(self, key: bytes) -> None:
        self._require_block()
        if key not in self:
            raise KeyError(key)
        self._pending[key] = None

    def _require_block(self) -> None:
        if not self._writing:
            msg = "the embedded chain writes only while it makes a block"
            raise RuntimeError(msg)

    @contextmanager
    def block(self) -> Iterator[list[LogRow]]:
        """Everything written inside, and the logs put into the list, is committed together, or nothing of it."""
        logs: list[LogRow] = []
        self._writing = True
        try:
            yield logs
            self._commit(logs)
        finally:
            self._writing = False
            self._pending.clear()

    def _commit(self, logs: Sequence[LogRow]) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(
                "INSERT OR REPLACE INTO kv VALUES (?, ?)",
                [(key, value) for key, value in self._pending.items() if value is not None],
            )
            connection.executemany(
                "DELETE FROM kv WHERE key = ?", [(key,) for key, value in self._pending.items() if value is None]
            )
            connection.executemany(
                "INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(log.block_number, log.log_index, log.block_hash, log.tx_hash, log.tx_index, log.address),
                        *(log.topics[i] if i < len(log.topics) else None for i in range(4)),
                        log.data,
                    )
                    for log in logs
                ],
            )
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    # our own side

    def find_logs(
        self, first: int, last: int, addresses: Sequence[bytes], topics: Sequence[Sequence[bytes]]
    ) -> list[LogRow]:
        """Logs of the blocks ``first`` to ``last``, in order. Empty sequences match everything, as in eth_getLogs."""
        where = ["block_number BETWEEN ? AND ?"]
        values: list[int | bytes] = [first, last]
        for column, wanted in (("address", addresses), *((f"topic{i}", topic) for i, topic in enumerate(topics))):
            if wanted:
                where.append(f"{column} IN ({', '.join('?' * len(wanted))})")
                values.extend(wanted)
        if len(topics) > 0:  # a position that is named has to be there, even if it matches anything
            where.append(f"topic{len(topics) - 1} IS NOT NULL")
        rows = self._connection.execute(
            f"SELECT * FROM logs WHERE {' AND '.join(where)} ORDER BY block_number, log_index",  # noqa: S608 - our own names
            values,
        )
        return [_log_row(row) for row in rows]


def _log_row(row: tuple[Any, ...]) -> LogRow:
    number, index, block_hash, tx_hash, tx_index, address, *topics, data = row
    present = tuple(topic for topic in topics if topic is not None)
    return LogRow(number, index, block_hash, tx_hash, tx_index, address, present, data)
