"""Signing on all cores: processes that open the issuers' keys themselves. No key is ever sent from one to another."""

import logging
import multiprocessing
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from registry.core.canonical import canonicalize
from registry.core.errors import InputError, RegistryError
from registry.settings import Settings
from registry.standards.proofs.creating import add_proofs
from registry.wiring.keys import SigningKeyFiles

__all__ = ["SigningPool"]

_WORTH = 2_000  # a process takes a second or two to start: as long as signing so many takes without it

_log = logging.getLogger(__name__)
_keys: SigningKeyFiles | None = None  # in a process of the pool


class SigningPool:
    """A ``BatchSigner``. The processes start when so much is signed that they pay, and stop with ``close``."""

    def __init__(self, settings: Settings, worth: int = _WORTH) -> None:
        self._settings = settings
        self._count = settings.signing_processes or os.cpu_count() or 1
        self._worth = worth
        self._seen = 0
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    def sign(
        self,
        name: str,
        documents: Sequence[Mapping[str, Any]],
        created: int,
        suites: Sequence[str],
        allow_unmapped: bool,
    ) -> list[bytes] | None:
        pool = self._started(len(documents))
        if pool is None:
            return None
        size = -(-len(documents) // self._count)
        parts = [documents[start : start + size] for start in range(0, len(documents), size)]
        try:
            waiting = [pool.submit(_sign, name, part, created, tuple(suites), allow_unmapped) for part in parts]
            answers = [each.result() for each in waiting]
        except BrokenProcessPool:
            _log.warning("A process that signs was killed; credentials are signed in one process from now on.")
            self._count = 1
            self.close()
            return None
        for answer in answers:
            if isinstance(answer, str):
                raise InputError(answer)
        return [content for answer in answers for content in answer if isinstance(content, bytes)]

    def close(self) -> None:
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def _started(self, count: int) -> ProcessPoolExecutor | None:
        with self._lock:
            self._seen += count
            if self._count < 2 or self._seen <= self._worth:
                return None
            if self._pool is None:
                # Not forked: threads may hold locks, and a connection to the database cannot be shared.
                self._pool = ProcessPoolExecutor(
                    self._count, multiprocessing.get_context("spawn"), _open, (self._settings,)
                )
            return self._pool


def _open(settings: Settings) -> None:
    global _keys  # noqa: PLW0603 - what a process of the pool has for its whole life
    _keys = SigningKeyFiles(settings)


def _sign(
    name: str, documents: Sequence[Mapping[str, Any]], created: int, suites: Sequence[str], allow_unmapped: bool
) -> list[bytes] | str:
    """Runs in a process of the pool. Errors go back as words: not all of them survive the way as objects."""
    try:
        if _keys is None:
            raise AssertionError("the process was not opened")
        signer = _keys.signer(name)
        return [
            canonicalize(add_proofs(document, signer, created, suites=suites, allow_unmapped=allow_unmapped))
            for document in documents
        ]
    except RegistryError as error:
        return str(error)
