"""What `registry audit` says: text for people, JSON, and an HTML file."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from registry.cli.base import said_of
from registry.cli.output import Output, counted
from registry.core.audit import Severity

if TYPE_CHECKING:
    from registry.core.audit import Finding
    from registry.service.auditreport import AuditReport

__all__ = ["tell_report", "write_html"]

_SHOWN = 200  # findings in the text for people; --json has them all
_PLACES = 3  # of each kind in the table


def tell_report(
    out: Output, report: "AuditReport", html: Path | None, *, published: bool, inside: bool = False
) -> list[str]:
    """Everything about one audit; the time of the report is that of the call. Gives what could not be written."""
    from registry.service.auditreport import report_to_json

    now = int(time.time())
    _tell(out, report, published=published, inside=inside)
    out.result(report_to_json(report, now))
    if html is None:
        return []
    trouble = write_html(html, report, now)
    if not trouble:
        out.say(f"The report is in {html}.")
    return trouble


def write_html(path: Path, report: "AuditReport", now: int) -> list[str]:
    """Gives what went wrong: a page that cannot be written is no reason to lose the report."""
    from registry.service.audithtml import report_to_html
    from registry.wiring.files import write_if_changed

    try:
        write_if_changed(path, report_to_html(report, now).encode(), mode=0o644)
    except OSError as error:
        return [f"The page was not written: {said_of(error)}"]
    return []


def _tell(out: Output, report: "AuditReport", *, published: bool, inside: bool) -> None:
    from registry.core.notation import chain_text, hex_text, time_text

    out.say(f"Contract {hex_text(report.contract)} on {chain_text(report.chain_id)}.")
    if report.block is not None:
        number, when = report.block.number, time_text(report.block.timestamp)
        out.say(f"Read at block {number} ({hex_text(report.block.hash)}, {when}).")
        batches, issuers = counted(report.batches, "batch", "batches"), counted(report.issuers, "issuer")
        out.say(f"{counted(report.credentials, 'credential')} in {batches} of {issuers}.")
    if report.material is not None:
        leaves = (
            f"{counted(report.leaves, 'leaf is', 'leaves are')} the anchored {'one' if report.leaves == 1 else 'ones'}"
        )
        out.say(f"Published material {report.material.hex()}: {leaves}.")
    elif not published:
        out.say("No published material was named (--published), so no leaves were audited.")
    if report.bundles:
        out.say(f"{counted(report.bundles, 'bundle was', 'bundles were')} held against them.")
    if report.promises:
        out.say(f"{counted(report.promises, 'promise was', 'promises were')} checked.")
    if inside and report.block is not None:
        out.say("The registry's own tables were held against the chain.")
    if report.findings:
        out.say("")
        out.table(["severity", "finding", "level", "times", "where"], _summary(report.findings), empty="")
    for finding in report.findings[:_SHOWN]:
        for line in _lines(finding):
            out.say(line)
    if len(report.findings) > _SHOWN:
        out.say(f"… and {counted(len(report.findings) - _SHOWN, 'more finding')}: --json lists them all.")
    for reason in report.incomplete:
        out.say(f"Not audited: {reason}")
    out.heading(_heading(report))


def _heading(report: "AuditReport") -> str:
    notes = report.count(Severity.INFO)
    beside = f"{counted(notes, 'note')} for information" if notes else ""
    if report.exit_code == 0:
        return f"Clean, with {beside}." if notes else "Clean."
    if report.exit_code == 1:
        found = counted(len(report.findings) - notes, "finding") + (f", and {beside}" if notes else "")
        return f"{found}." + (" The audit could not finish." if report.incomplete else "")
    return "The audit could not finish: this is not clean."


def _summary(findings: "tuple[Finding, ...]") -> list[list[str]]:
    """One row for each kind, worst first, with the first places."""
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(finding.code, []).append(finding)
    rows = []
    for code, found in kinds.items():
        places = "; ".join(_place(finding) for finding in found[:_PLACES])
        more = "; …" if len(found) > _PLACES else ""
        rows.append([found[0].severity.value, code, found[0].level.value, f"{len(found):,}", places + more])
    return rows


def _place(finding: "Finding") -> str:
    where = finding.where
    if where.index is not None:
        return f"index {where.index}"
    if where.first is not None:
        return f"batch from {where.first}"
    return where.source or ""


def _lines(finding: "Finding") -> Iterator[str]:
    from registry.core.audit import finding_to_json

    where = ", ".join(f"{name} {value}" for name, value in finding_to_json(finding)["where"].items())
    yield f"\n{finding.severity.value:<9}{finding.code}: {where}"
    yield f"         expected {finding.expected}; observed {finding.observed}"
    yield f"         {finding.meaning}"
