"""The worker: follows the chain, seals what is due, and sends what is wanted, one step after the other.

A step can be cut off anywhere: each part commits what it found out, and the next step begins with asking the chain.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import exists, select, text

from anchors.base import ChainError
from registry.service.anchoring import Anchoring, final_block
from registry.service.batching import UNFINISHED, Batching
from registry.service.context import Context
from registry.service.errors import BusyError
from registry.service.following import Follower
from registry.service.health import Health
from registry.service.issuers import Issuer, Issuers
from registry.service.outbox import Outbox
from registry.service.selfauditing import SelfAudit
from registry.service.status import StatusService
from registry.store.database import Database
from registry.store.tables import batches, credentials, issuers

__all__ = ["Step", "Worker", "only_worker"]

_COMPARE_SECONDS = 3_600  # how often the followed status words are compared with the contract's
_LOCK_NUMBER = 0x6372_6564  # PostgreSQL's advisory lock of the one worker
_MAX_STEPS_ONCE = 10_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """``changed``: there may be more to do at once. ``error``: the chain could not be asked."""

    changed: bool
    error: str | None = None


class Worker:
    """Everything that happens by itself. Run it inside ``only_worker``."""

    def __init__(
        self,
        context: Context,
        issuers: Issuers,
        batching: Batching,
        status: StatusService,
        first_block: int,
        self_audit: SelfAudit | None = None,
    ) -> None:
        self._context = context
        self._issuers = issuers
        self._batching = batching
        self._status = status
        self._self_audit = self_audit
        self._outbox = Outbox(context)
        self._anchoring = Anchoring(context, issuers, self._outbox)
        self._health = Health(context.database, context.clock)
        self.follower = Follower(context, first_block)
        self._touched: set[bytes] | None = None  # None: every issuer is compared with the chain (at the start)
        self._compared_at = 0

    def step(self) -> Step:
        """Does everything that can be done now. A chain that does not answer ends the step; it is no exception."""
        changed = self._seal_due()
        asked_at = self._context.clock()
        try:
            # At every step: what answers under a node's address can be another chain since the last one.
            self._context.chain.check()
            changed |= self._step_chain()
        except ChainError as error:
            self._health.chain_failed(str(error))
            return Step(changed, str(error))
        self._health.chain_answered()
        self._health.chain_was_read(asked_at)
        return Step(changed)

    def run(self, stop: threading.Event, poll_seconds: float, on_step: Callable[[Step], None] | None = None) -> None:
        """Steps until ``stop``; waits between steps that change nothing, longer while the chain does not answer."""
        delay = poll_seconds
        while not stop.is_set():
            self._health.worker_stepped()
            step = self.step()
            if on_step:
                on_step(step)
            if step.error:
                delay = min(delay * 2, 60.0)
                _log.warning("%s. The worker tries again in %.0f s.", step.error.removesuffix("."), delay)
            else:
                delay = poll_seconds
                self._audit_if_idle(step)
            if not step.changed or step.error:
                stop.wait(delay)

    def run_once(self) -> Step:
        """Steps until nothing changes any more, or the chain does not answer."""
        for _ in range(_MAX_STEPS_ONCE):
            step = self.step()
            if step.error or not step.changed:
                self._audit_if_idle(step)
                return step
        return step

    def _audit_if_idle(self, step: Step) -> None:
        if self._self_audit is not None and not step.changed and not step.error:
            self._self_audit.run_if_due()

    def _seal_due(self) -> bool:
        # One that is due may have nothing to seal: its next index is reserved, and waits for its credential.
        sealed = [self._batching.seal(self._issuers.by_id(issuer_id)) for issuer_id in self._batching.due()]
        return any(batch is not None for batch in sealed)

    def _step_chain(self) -> bool:
        head = self._context.chain.head()
        progress = self.follower.sync(head)
        everyone = self._issuers.all()
        if self._touched is not None:  # at once: the follower tells it only this time, and the chain may fall silent
            self._touched |= progress.touched & {issuer.address for issuer in everyone}
        final = final_block(self._context, head)
        changed = progress.events > 0 or progress.forked_at is not None
        changed |= self._outbox.settle(head, final)
        for issuer in self._to_settle(everyone):
            changed |= self._anchoring.settle(issuer, head, final)
            if self._touched is not None:
                self._touched.discard(issuer.address)
        if self._touched is None:
            self._touched = set()
        changed |= self._status.settle(head, final)
        changed |= self._status.collect()
        changed |= self._anchoring.send(head, final)
        changed |= self._compare_now_and_then()
        return changed

    def _to_settle(self, everyone: list[Issuer]) -> list[Issuer]:
        """Issuers with unfinished business, or whose batches the chain has news of; all of them at the start."""
        if self._touched is None:
            return everyone
        with self._context.database.read() as connection:
            busy = set(
                connection.scalars(select(batches.c.issuer_id).where(batches.c.state.in_(UNFINISHED)).distinct())
            ) | set(
                connection.scalars(
                    select(issuers.c.id).where(
                        exists().where(credentials.c.issuer_id == issuers.c.id, credentials.c.batch_id.is_(None))
                    )
                )
            )
        return [item for item in everyone if item.id in busy or item.address in self._touched or item.halted]

    def _compare_now_and_then(self) -> bool:
        """Whether something differed, so that the chain has to be read again."""
        now = self._context.clock()
        if now - self._compared_at < _COMPARE_SECONDS:
            return False
        same = True
        for issuer in self._issuers.all():
            at = self.follower.position()
            if at is not None:
                end = self._context.chain.read_issuer(issuer.address, at).next_index
                same &= self.follower.compare(issuer.address, end)
        self._compared_at = now
        return not same


@contextmanager
def only_worker(database: Database) -> Iterator[None]:
    """Holds the one worker's place for this database. Raises BusyError if another worker has it.

    The place is free again as soon as its holder's process ends, however it ends.
    """
    message = "Another worker runs on this database. One is enough: stop it first, or leave this one out."
    if not database.is_sqlite:
        with database.engine.connect() as connection:
            if not connection.execute(text("SELECT pg_try_advisory_lock(:n)"), {"n": _LOCK_NUMBER}).scalar():
                raise BusyError("worker_runs", message)
            connection.commit()
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:n)"), {"n": _LOCK_NUMBER})
        return
    file = database.file
    if file is None:
        yield
        return
    lock = FileLock(Path(f"{file}.worker"), blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise BusyError("worker_runs", message) from error
    try:
        yield
    finally:
        lock.release()
