"""Bars as inline SVG: no script, no font, no picture from anywhere; colours follow the page (currentColor, classes)."""

from collections.abc import Sequence
from html import escape

from registry.core.audit_figures import DELAYS, Series
from registry.core.notation import time_text

__all__ = ["delays_chart", "series_chart", "severity_chart"]

_WIDTH, _HEIGHT, _BASE, _TOP = 600, 250, 182, 58
_CHARACTER = 12  # wide, at most
_PERIODS = {3_600: "hour", 86_400: "day", 7 * 86_400: "week"}


def series_chart(series: Series, title: str) -> str:
    """Counts of credentials over time."""
    labels = [time_text(series.start + at * series.period)[:16].replace("T", " ") for at in range(len(series.counts))]
    if series.period % 86_400 == 0:
        labels = [label[:10] for label in labels]
    period = _PERIODS.get(series.period, f"{series.period // 86_400:,} days")
    return _bars(title, labels, series.counts, f"credentials per {period}", "time (UTC)", sparse=True)


def delays_chart(counts: Sequence[int], title: str) -> str:
    labels = [*(_duration(bound) for bound in DELAYS), "more"]
    return _bars(title, labels, counts, "credentials", "delay of less than …")


def severity_chart(counts: Sequence[tuple[str, int]], title: str) -> str:
    names, numbers = [name for name, _ in counts], [count for _, count in counts]
    return _bars(title, names, numbers, "findings", "severity", kinds=names)


def _bars(
    title: str,
    labels: Sequence[str],
    counts: Sequence[int],
    unit: str,
    axis: str,
    *,
    sparse: bool = False,
    kinds: Sequence[str] = (),
) -> str:
    """``unit``: what is counted; ``axis``: what the labels say. ``sparse``: only the first, the middle and the last
    label are written; every bar has its own as a tooltip.
    """
    highest = max(counts, default=0)
    if not highest:
        return f'<figure><figcaption>{escape(title)}</figcaption><p class="none">Nothing to show.</p></figure>'
    step = _WIDTH / len(counts)
    written = len(f"{highest:,}") * _CHARACTER <= step  # beside each other
    parts = [f'<line x1="0" y1="{_BASE}" x2="{_WIDTH}" y2="{_BASE}" class="axis"/>']
    for at, count in enumerate(counts):
        height = max((_BASE - _TOP) * count / highest, 1.0)
        left, width = at * step + step * 0.1, step * 0.8
        kind = f" {escape(kinds[at].lower())}" if kinds else ""
        if count:
            parts.append(
                f'<rect x="{left:.1f}" y="{_BASE - height:.1f}" width="{width:.1f}" height="{height:.1f}" '
                f'class="bar{kind}"><title>{escape(labels[at])}: {count:,}</title></rect>'
            )
        if count and written:
            parts.append(_text(at * step + step / 2, _BASE - height - 7, f"{count:,}", "middle"))
        if not sparse:
            parts.append(_text(at * step + step / 2, _BASE + 28, labels[at], "middle"))
    if sparse:
        parts.append(_text(0, _BASE + 28, labels[0], "start"))
        if len(labels) > 1:
            parts.append(_text(_WIDTH, _BASE + 28, labels[-1], "end"))
        if len(labels) > 2 and len(labels) % 2:  # there is a bar in the middle
            parts.append(_text(_WIDTH / 2, _BASE + 28, labels[len(labels) // 2], "middle"))
    most = f"{unit}, {highest:,} at most" if not written else unit
    parts.append(_text(0, 22, most, "start", "unit"))
    parts.append(_text(_WIDTH / 2, _BASE + 58, axis, "middle", "unit"))
    said = f"{title}: {sum(counts):,} in all, {highest:,} {unit} at most"
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(said)}">{"".join(parts)}</svg></figure>'
    )


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'


def _duration(seconds: int) -> str:
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"
