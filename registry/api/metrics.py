"""Figures for Prometheus: what happens over HTTP, and what stands in the database."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from registry.api.ports import Registry
from registry.core.notation import parse_time
from registry.service.catalogue import Catalogue

__all__ = ["Metrics"]

_log = logging.getLogger(__name__)


class Metrics:
    """One set for each app, so that two apps in one process do not mix."""

    def __init__(self, registry: Registry) -> None:
        self._collectors = CollectorRegistry()
        self._requests = prometheus_client.Counter(
            "registry_http_requests", "Requests answered.", ("method", "route", "status"), registry=self._collectors
        )
        self._seconds = Histogram(
            "registry_http_request_seconds", "Time to answer.", ("method", "route"), registry=self._collectors
        )
        self._collectors.register(_Database(registry))

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._collectors)


class _Database(Collector):
    """Asks the database at every scrape; the queries do not grow with the number of credentials."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._catalogue = Catalogue(registry.context)

    def describe(self) -> list[Metric]:
        """Nothing is asked when the app is made."""
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            figures = self._catalogue.figures()
            health, seen = self._registry.health.read(), self._registry.health.worker_seen()
            audit = self._registry.self_audit.last()
        except SQLAlchemyError:
            _log.warning("The database does not answer; its figures are missing.")
            yield GaugeMetricFamily("registry_database_up", "1 while the database answers.", 0)
            return
        yield GaugeMetricFamily("registry_database_up", "1 while the database answers.", 1)
        yield _by_state("registry_credentials", "Credentials by the state of their batch.", figures.credentials)
        yield _by_state("registry_batches", "Batches by state.", figures.batches)
        yield _by_state("registry_status_requests", "Status requests by state.", figures.status_requests)
        yield _by_state("registry_operations", "Contract calls by state.", figures.operations)
        yield _by_state("registry_outbox", "Nonces of the paying account by state.", figures.transactions)
        if health is not None:
            yield GaugeMetricFamily("registry_chain_up", "1 while the chain answers.", int(health.message is None))
        if seen is not None:
            yield GaugeMetricFamily("registry_worker_seen_seconds", "When a worker last took a step, Unix time.", seen)
        if audit is not None:
            yield from _self_audit(audit)


def _self_audit(report: Mapping[str, Any]) -> Iterator[Metric]:
    """The registry's last audit of itself, as GET /v1/audit shows it."""
    found = Counter((finding["severity"], finding["code"]) for finding in report["findings"])
    family = GaugeMetricFamily(
        "registry_self_audit_findings", "What the last audit of itself found.", labels=("severity", "code")
    )
    for labels, count in sorted(found.items()):
        family.add_metric(labels, count)
    yield family
    made = parse_time(report["reportedAt"])
    yield GaugeMetricFamily("registry_self_audit_timestamp_seconds", "When it was made, Unix time.", made)
    complete = int(not report["incomplete"])
    yield GaugeMetricFamily("registry_self_audit_complete", "1 if it could look at everything.", complete)


def _by_state(name: str, help_: str, counts: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_, labels=("state",))
    for state, count in sorted(counts.items()):
        family.add_metric((state,), count)
    return family
