"""Auditing again and again: what is new since the last round, and what is gone.

A round reports before it writes its state. So a crash can report something twice; nothing is lost.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from registry.core.audit import Severity, finding_to_json, fingerprint
from registry.core.errors import InputError
from registry.core.notation import chain_text, hex_text
from registry.service.auditreport import RESULTS, AuditReport
from registry.service.auditstate import AuditState, StateFile
from registry.service.deadlines import Deadline

__all__ = ["Round", "Watch", "Webhook", "changes"]

_AT_ONCE = 500  # events in one POST
_WAITING = 10_000  # events that are kept for a webhook that does not answer; older ones are dropped, and that is said
_TRIES = 3
_TIMEOUT_SECONDS = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """``delivered``: False if the webhook did not take everything; it gets the rest in the next round. ``open``: how
    many findings stand, those among them that an audit that could not finish did not look at.
    """

    report: AuditReport
    events: tuple[dict[str, Any], ...]
    delivered: bool
    open: Mapping[Severity, int]


def changes(state: AuditState, report: AuditReport) -> list[dict[str, Any]]:
    """New findings, and those that are gone; ``state`` then knows them.

    An audit that could not finish says nothing about what it did not find.
    """
    found = {fingerprint(finding): finding_to_json(finding) for finding in report.findings}
    events = [_event("new", name, finding, report) for name, finding in found.items() if name not in state.findings]
    if not report.incomplete:
        reason = "reorganised" if state.reorganised else "resolved"
        gone = [name for name in state.findings if name not in found]
        events += [{**_event("gone", name, state.findings[name], report), "reason": reason} for name in gone]
        for name in gone:
            del state.findings[name]
    state.findings |= found
    return events


def _event(kind: str, name: str, finding: dict[str, Any], report: AuditReport) -> dict[str, Any]:
    block = report.block
    return {
        "type": "AuditEvent",
        "version": 1,
        "event": kind,
        "fingerprint": name,
        "chain": chain_text(report.chain_id),
        "contract": hex_text(report.contract),
        "block": {"number": block.number, "hash": hex_text(block.hash)} if block else None,
        "finding": finding,
    }


class Webhook:
    """POSTs events as JSON. ``wait`` waits between two tries, and returns True if it is time to stop."""

    def __init__(self, url: str, wait: Callable[[float], bool], timeout: float = _TIMEOUT_SECONDS) -> None:
        """Raises InputError if it is no HTTP URL."""
        try:
            parts = urlsplit(url)
            host = parts.hostname
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https"):
            raise InputError("A webhook's address begins with http:// or https://.")
        self._url = url
        self._name = f"The webhook on {host}"  # the rest of the address may be a secret
        self._wait = wait
        self._timeout = timeout
        self._session = requests.Session()
        self._deadline = Deadline(self._session)

    def deliver(self, events: list[dict[str, Any]], report: AuditReport) -> list[dict[str, Any]]:
        """Those that it did not take."""
        while events:
            part = events[:_AT_ONCE]
            body = {"type": "AuditEvents", "version": 1, "result": RESULTS[report.exit_code], "events": part}
            if not self._post(body):
                break
            events = events[_AT_ONCE:]
        return events

    def _post(self, body: dict[str, Any]) -> bool:
        for attempt in range(_TRIES):
            if attempt and self._wait(2.0 ** (attempt - 1)):
                return False
            try:
                with (
                    self._deadline.within(self._timeout),
                    self._session.post(
                        self._url, json=body, timeout=self._timeout, allow_redirects=False, stream=True
                    ) as response,
                ):
                    status = response.status_code
                if 200 <= status < 300:
                    return True
                reason = f"HTTP {status}"
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                reason = type(error).__name__
            _log.warning("%s did not take the events (%s).", self._name, reason)
        return False


class Watch:
    """``audit`` makes one audit with the state; ``tell`` is given each event and gets it to whoever watches."""

    def __init__(
        self,
        audit: Callable[[AuditState], AuditReport],
        state: AuditState,
        file: StateFile,
        tell: Callable[[dict[str, Any]], None],
        webhook: Webhook | None = None,
    ) -> None:
        self._audit = audit
        self._state = state
        self._file = file
        self._tell = tell
        self._webhook = webhook

    def round(self) -> Round:
        """One audit. Where the state cannot be written, the next round tries again; what is new is told once all the
        same, and a second time only if this program ends before.
        """
        state = self._state
        report = self._audit(state)
        events = changes(state, report)
        for event in events:
            self._tell(event)
        if self._webhook is not None:
            state.pending = self._webhook.deliver([*state.pending, *events], report)
            if len(state.pending) > _WAITING:
                _log.error("The webhook missed %d events for good.", len(state.pending) - _WAITING)
                state.pending = state.pending[-_WAITING:]
        try:
            self._file.save(state)
        except OSError as error:
            _log.error("The state cannot be written (%s); the next round tries again.", error)
        found = Counter(str(finding["severity"]) for finding in state.findings.values())
        return Round(
            report, tuple(events), not state.pending, {severity: found[severity.value] for severity in Severity}
        )

    def run(
        self, stop: threading.Event, every: float, on_round: Callable[[Round], None] = lambda _: None
    ) -> AuditReport | None:
        """Rounds until ``stop``, with so many seconds between them. The last report; None if there was none."""
        last = None
        while not stop.is_set():
            done = self.round()
            last = done.report
            on_round(done)
            stop.wait(every)
        return last
