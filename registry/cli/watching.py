"""`registry audit --watch`: goes on until it is stopped, and reports what is new or gone."""

import json
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from registry.cli.auditreporting import write_html
from registry.cli.output import Output, counted
from registry.core.errors import InputError

if TYPE_CHECKING:
    from registry.service.auditing import Auditing, Inside
    from registry.service.watching import Round

__all__ = ["watch_audit"]

_COULD_NOT_FINISH = 3


def watch_audit(
    out: Output,
    auditing: "Auditing",
    inside: "Inside | None",
    place: Path | None,
    every: float,
    webhook: str | None,
    metrics_port: int | None,
    html: Path | None,
) -> NoReturn:
    """Ends with the last audit's exit code, on SIGINT or SIGTERM. Without ``place`` it forgets all at the end."""
    from registry.service.watching import Watch, Webhook
    from registry.wiring.auditing import locked_state

    chain = auditing.chains[0].chain
    with ExitStack() as stack:
        stop = stack.enter_context(_stopped_by_signals())
        hook = Webhook(webhook, stop.wait) if webhook else None
        if place is None:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="audit-"))) / "state.json"
        file = stack.enter_context(locked_state(place))
        state = file.load(chain.chain_id, chain.contract)
        seen = [_teller(out, html)]
        if metrics_port is not None:
            from registry.service.auditmetrics import AuditMetrics

            metrics = AuditMetrics(lambda: int(time.time()))
            try:
                port, end = metrics.serve(metrics_port)
            except OSError as error:
                raise InputError(f"--metrics-port {metrics_port} cannot be used: {error.strerror}.") from error
            stack.callback(end)
            seen.append(metrics.observe)
            out.say(f"Metrics: http://127.0.0.1:{port}/metrics")

        def on_round(done: "Round") -> None:
            for each in seen:
                each(done)

        watch = Watch(
            lambda known: replace(auditing, state=known, file=file).run(inside),
            state,
            file,
            lambda event: _tell_event(out, event),
            hook,
        )
        last = watch.run(stop, every, on_round)
    raise typer.Exit(_COULD_NOT_FINISH if last is None else last.exit_code)


def _teller(out: Output, html: Path | None) -> Any:
    def tell(done: "Round") -> None:
        report = done.report
        if html is not None:
            for trouble in write_html(html, report, int(time.time())):
                out.warn(trouble)
        block = f"block {report.block.number}" if report.block else "no block"
        out.say(f"{block}: {counted(len(report.findings), 'finding')}, {len(done.events):,} new or gone.")
        for reason in report.incomplete:
            out.warn(f"Not audited: {reason}")

    return tell


def _tell_event(out: Output, event: dict[str, Any]) -> None:
    finding = event["finding"]
    if out.as_json:
        sys.stdout.write(json.dumps(event, ensure_ascii=True) + "\n")
        sys.stdout.flush()
        return
    where = ", ".join(f"{name} {value}" for name, value in finding["where"].items())
    kind = event["event"].upper() if "reason" not in event else f"GONE ({event['reason']})"
    out.say(f"{kind} {finding['severity']} {finding['code']}: {where}")
    out.say(f"    expected {finding['expected']}; observed {finding['observed']}")


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, where this is the main thread; a round is always carried to its end."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    former = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
