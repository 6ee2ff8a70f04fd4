"""What a watching audit tells Prometheus, on the own machine only."""

from collections.abc import Callable
from threading import Thread
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from registry.core.audit import Severity
from registry.service.watching import Round

__all__ = ["AuditMetrics"]

_HOST = "127.0.0.1"


class AuditMetrics:
    """``clock`` gives Unix seconds."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.registry = CollectorRegistry()
        self._rounds = Counter("registry_audit_rounds", "audits made", ["result"], registry=self.registry)
        self._events = Counter("registry_audit_events", "findings reported", ["event"], registry=self.registry)
        self._findings = Gauge("registry_audit_findings", "findings open", ["severity"], registry=self.registry)
        self._block = self._gauge("block", "number of the audited block")
        self._finished = self._gauge("finished_timestamp_seconds", "end of the last audit that could finish")
        self._credentials = self._gauge("credentials", "credentials anchored")
        self._leaves = self._gauge("leaves", "published leaves that are the anchored")
        self._webhook = self._gauge("webhook_ok", "1: the webhook took everything")

    def _gauge(self, name: str, what: str) -> Callable[[float], None]:
        """It is there from its first value on: a 0 before that would be an alarm."""
        made: list[Gauge] = []

        def set_(value: float) -> None:
            if not made:
                made.append(Gauge(f"registry_audit_{name}", what, registry=self.registry))
            made[0].set(value)

        return set_

    def observe(self, done: Round) -> None:
        report = done.report
        self._rounds.labels({0: "clean", 1: "findings", 3: "incomplete"}[report.exit_code]).inc()
        for event in done.events:
            self._events.labels(event["event"]).inc()
        for severity in Severity:
            self._findings.labels(severity.value.lower()).set(done.open[severity])
        if report.block is not None:
            self._block(report.block.number)
        if not report.incomplete:
            self._finished(self._clock())
        if report.code_hash is not None:  # otherwise the chain was not read, and nothing is known of either
            self._credentials(report.credentials)
            self._leaves(report.leaves)
        self._webhook(done.delivered)

    def serve(self, port: int) -> tuple[int, Callable[[], None]]:
        """Serves them on loopback; the port (0: a free one), and how to stop. Raises OSError if the port is taken."""
        server: Any
        thread: Thread
        server, thread = start_http_server(port, _HOST, self.registry)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return server.server_address[1], stop
