"""The worker in a thread of the server, for small installations.

Another worker on the same database is no error: the server serves without, looks again now and then, and takes over
when the place is free.
"""

import logging
import threading
from dataclasses import dataclass

from registry.api.ports import Registry
from registry.service.errors import BusyError
from registry.service.worker import only_worker

__all__ = ["BackgroundWorker"]

_LOOK_AGAIN_SECONDS = 30.0
_STOP_SECONDS = 60.0  # the longest step, with a node that does not answer

_log = logging.getLogger(__name__)


@dataclass
class BackgroundWorker:
    """``start`` once, ``stop`` once. ``state``: stopped, starting, running, waiting (for another worker), failed."""

    registry: Registry
    state: str = "stopped"

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        # A daemon: a node that never answers must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="registry-worker", daemon=True)

    def start(self) -> None:
        self.state = "starting"
        self._thread.start()

    def stop(self) -> None:
        """Lets the step under way end, and waits for that."""
        self._stop.set()
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            _log.warning("The worker did not end its step in time; the next start goes on from there.")
        self.state = "stopped"

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with only_worker(self.registry.context.database):
                    worker = self.registry.worker()
                    self.state = "running"
                    _log.info("The worker runs in this process.")
                    worker.run(self._stop, self.registry.settings.poll_seconds)
            except BusyError:
                if self.state != "waiting":
                    _log.warning("Another worker runs on this database; this server serves without one of its own.")
                self.state = "waiting"
            except Exception:
                # The database may be gone for a while; whatever it is, the server goes on and says so (/readyz).
                _log.exception("The worker stopped; it starts again in %.0f s.", _LOOK_AGAIN_SECONDS)
                self.state = "failed"
            self._stop.wait(_LOOK_AGAIN_SECONDS)
