"""An audit's report as one HTML file that needs nothing else: to be opened from a disk, printed, or sent by e-mail.

All that is shown is somebody else's text and may be hostile: everything is escaped, characters that turn text around
are taken out, there is no script, and the page's own policy forbids to load anything.
"""

from collections.abc import Iterable, Iterator
from html import escape

from registry.core.audit import Finding, Severity, finding_to_json
from registry.core.notation import LAST_SECOND, chain_text, hex_text, time_text
from registry.service.auditcharts import delays_chart, series_chart, severity_chart
from registry.service.auditreport import RESULTS, AuditReport

__all__ = ["report_to_html"]

_SHOWN = 2_000  # findings on a page that a browser still opens; the JSON report has them all
_LONGEST = 2_000  # characters of one text
_INVISIBLE = dict.fromkeys(
    [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)
_HEADLINES = {
    0: "Clean",
    1: "There are findings",
    3: "The audit could not finish: this is not clean",
}
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --critical: #b3261e; --warning: #9a6700; --info: #0b62a4; }
@media (prefers-color-scheme: dark) { :root { --critical: #ff8a80; --warning: #ffca62; --info: #7cc4ff; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .5rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.result { border: 2px solid; border-radius: .5rem; padding: .75rem 1rem; font-weight: 600; }
.r0 { color: #1a7f37; } .r1, .critical { color: var(--critical); } .r3, .warning { color: var(--warning); }
.info { color: var(--info); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 0; }
dt { opacity: .75; } dd { margin: 0; overflow-wrap: anywhere; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem; }
figure { margin: 0; border: 1px solid var(--line); border-radius: .5rem; padding: .75rem; break-inside: avoid; }
figcaption { font-weight: 600; margin-bottom: .25rem; } .none { opacity: .75; margin: 0; }
svg { width: 100%; height: auto; display: block; } svg text { font-size: 20px; fill: currentColor; }
svg .unit { font-size: 18px; opacity: .8; }
.axis { stroke: var(--line); } .bar { fill: #4f7fc4; }
.bar.critical { fill: var(--critical); } .bar.warning { fill: var(--warning); } .bar.info { fill: var(--info); }
article { border: 1px solid var(--line); border-radius: .5rem; margin: .75rem 0; padding: .75rem; break-inside: avoid; }
article h3 { font-size: 1rem; margin: 0 0 .25rem; overflow-wrap: anywhere; } article p { margin: .25rem 0; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } }
@media print { body { max-width: none; font-size: 11pt; } }
"""


def report_to_html(report: AuditReport, made_at: int) -> str:
    """``made_at``: Unix seconds, stands in the one element ``time``. All else follows from block and material."""
    title = f"Audit of {hex_text(report.contract)} on {chain_text(report.chain_id)}"
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">',
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{_text(title)}</h1>",
        f'<p class="result r{report.exit_code}" data-result="{RESULTS[report.exit_code]}">{_headline(report)}</p>',
        *_facts(report),
        *_incomplete(report.incomplete),
        *_charts(report),
        *_findings(report.findings),
        f"<p>Reported at <time>{time_text(made_at)}</time>.</p>",
        "<p>The same audit at the same block of the same material gives the same page, but for this time.</p>",
        "</body></html>",
    ]
    return "\n".join(lines) + "\n"


def _headline(report: AuditReport) -> str:
    parts = [f"{report.count(severity):,} {severity.value}" for severity in Severity if report.count(severity)]
    counts = f" ({', '.join(parts)})" if parts else ""
    unfinished = " The audit could not finish." if report.incomplete and report.exit_code == 1 else ""
    return _text(f"{_HEADLINES[report.exit_code]}{counts}.{unfinished}")


def _facts(report: AuditReport) -> Iterator[str]:
    block = report.block
    rows = [
        ("Chain", chain_text(report.chain_id)),
        ("Contract", hex_text(report.contract)),
        ("Code hash", hex_text(report.code_hash) if report.code_hash else "not read"),
        ("Block", f"{block.number} ({hex_text(block.hash)})" if block else "not read"),
        ("Block's time", time_text(min(block.timestamp, LAST_SECOND)) if block else "not read"),
        ("Published material (SHA-256)", report.material.hex() if report.material else "none was read"),
        ("Issuers", f"{report.issuers:,}"),
        ("Batches", f"{report.batches:,}"),
        ("Credentials", f"{report.credentials:,}"),
        ("Leaves that are the anchored ones", f"{report.leaves:,}"),
        ("Bundles", f"{report.bundles:,}"),
    ]
    if report.promises is not None:
        rows.append(("Promises", f"{report.promises:,}"))
    yield "<h2>What was audited</h2><dl>"
    yield from (f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in rows)
    yield "</dl>"


def _incomplete(reasons: Iterable[str]) -> Iterator[str]:
    items = [f"<li>{_text(reason)}</li>" for reason in reasons]
    if items:
        yield f"<h2>What could not be audited</h2><ul>{''.join(items)}</ul>"


def _charts(report: AuditReport) -> Iterator[str]:
    counts = [(severity.value, report.count(severity)) for severity in Severity]
    yield '<h2>Figures</h2><div class="charts">'
    yield severity_chart(counts, "Findings by severity")
    if report.figures is not None:
        yield series_chart(report.figures.issuance, "Credentials anchored over time")
        yield series_chart(report.figures.revocations, "Credentials revoked over time")
        yield delays_chart(report.figures.accepted, "Delay from acceptance to anchor")
        yield delays_chart(report.figures.valid_from, "Delay from validFrom to anchor, credentials handed in")
    yield "</div>"


def _findings(findings: tuple[Finding, ...]) -> Iterator[str]:
    yield "<h2>Findings</h2>"
    if not findings:
        yield "<p>None.</p>"
    for finding in findings[:_SHOWN]:
        where = finding_to_json(finding)["where"]
        places = "".join(
            f"<dt>{_text(name)}</dt><dd><code>{_text(str(value))}</code></dd>" for name, value in where.items()
        )
        kind = finding.severity.value.lower()
        yield (
            f'<article><h3><span class="{kind}">{finding.severity.value}</span> <code>{_text(finding.code)}</code></h3>'
            f"<p>{_text(finding.meaning)}</p><dl><dt>expected</dt><dd>{_text(finding.expected)}</dd>"
            f"<dt>observed</dt><dd>{_text(finding.observed)}</dd>{places}</dl></article>"
        )
    if len(findings) > _SHOWN:
        yield f"<p>… and {len(findings) - _SHOWN:,} more: the JSON report lists them all.</p>"


def _text(text: str) -> str:
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return escape(shown.translate(_INVISIBLE).encode("utf-8", "replace").decode())
