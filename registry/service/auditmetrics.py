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
        self._block = Gauge("registry_audit_block", "number of the audited block", registry=self.registry)
        self._finished = Gauge(
            "registry_audit_finished_timestamp_seconds",
            "end of the last audit that could finish",
            registry=self.registry,
        )
        self._credentials = Gauge("registry_audit_credentials", "credentials anchored", registry=self.registry)
        self._leaves = Gauge("registry_audit_leaves", "published leaves that are the anchored", registry=self.registry)
        self._webhook = Gauge("registry_audit_webhook_ok", "1: the webhook took everything", registry=self.registry)

    def observe(self, done: Round) -> None:
        report = done.report
        self._rounds.labels({0: "clean", 1: "findings", 3: "incomplete"}[report.exit_code]).inc()
        for event in done.events:
            self._events.labels(event["event"]).inc()
        for severity in Severity:
            self._findings.labels(severity.value.lower()).set(report.count(severity))
        if report.block is not None:
            self._block.set(report.block.number)
        if not report.incomplete:
            self._finished.set(self._clock())
        self._credentials.set(report.credentials)
        self._leaves.set(report.leaves)
        self._webhook.set(done.delivered)

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
