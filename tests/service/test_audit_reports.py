"""The audit's reports: JSON against its published schema, and one HTML file that needs nothing else."""

import html.parser
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from registry.core.audit import Where, find
from registry.core.audit_figures import Delays, Series, figures_of
from registry.service.auditcharts import delays_chart, series_chart, severity_chart
from registry.service.audithtml import report_to_html
from registry.service.auditing import AuditReport, report_to_json
from registry.service.chainreading import read_chain, read_history
from support.audits import Prepared, audit, bend, copied, leaf_files, prepare, publish
from support.house import House

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/spec/audit-report.schema.json").read_bytes())
HOSTILE = '"><script>alert(1)</script>\u202e\x1b[2J<img src=https://evil.example/x onerror=alert(1)>'


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def house(prepared: Prepared, tmp_path: Path) -> Iterator[House]:
    opened = copied(prepared, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def reports(house: House, tmp_path: Path) -> list[AuditReport]:
    """Clean, with findings, and incomplete."""
    folder = tmp_path / "published"
    publish(house, folder)
    clean = audit(house.chain, folder)
    leaf_files(folder)[0].write_bytes(b"\0" * 160)
    bend(folder, lambda listing: listing["batches"].pop())
    bent = audit(house.chain, folder)
    missing = audit(house.chain, tmp_path / "nowhere")
    house.chain.unreachable = True
    return [clean, bent, missing, audit(house.chain, folder)]


def test_real_reports_are_what_the_schema_says(reports: list[AuditReport]) -> None:
    validator = jsonschema_rs.validator_for(SCHEMA)
    assert [report.exit_code for report in reports] == [0, 1, 3, 3]
    for report in reports:
        for document in (report_to_json(report), report_to_json(report, 1_800_000_000)):
            assert [str(error) for error in validator.iter_errors(document)] == []


def test_the_schema_refuses_what_is_no_report(reports: list[AuditReport]) -> None:
    validator = jsonschema_rs.validator_for(SCHEMA)
    good = report_to_json(reports[1])
    for change in (
        {"result": "fine"}, {"more": 1}, {"block": {}}, {"findings": [{}]}, {"contract": "0x"}, {"figures": {}},
        {"findings": [{**good["findings"][0], "where": {"elsewhere": 1}}]},
    ):  # fmt: skip
        assert not validator.is_valid({**good, **change}), change


def test_only_the_time_differs_and_it_stands_in_one_place(house: House, reports: list[AuditReport]) -> None:
    early, late = (report_to_html(reports[1], now) for now in (1_800_000_000, 1_900_000_000))
    assert early != late
    assert re.sub("<time>[^<]*</time>", "", early, count=1) == re.sub("<time>[^<]*</time>", "", late, count=1)
    first, second = (report_to_json(reports[1], now) for now in (1_800_000_000, 1_900_000_000))
    assert list(first)[-1] == "reportedAt"
    assert first.pop("reportedAt") != second.pop("reportedAt")
    assert json.dumps(first) == json.dumps(second)


class _Page(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> _Page:
    page = _Page()
    page.feed(text)
    page.close()
    return page


def test_the_page_needs_nothing_else(reports: list[AuditReport]) -> None:
    for report in reports:
        text = report_to_html(report, 0)
        page = read(text)
        assert not {"script", "link", "img", "iframe", "object", "embed", "form", "a"} & set(page.tags)
        assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href", "style")]
        assert "url(" not in text
        assert "@import" not in text
        assert ("content", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'") in (
            page.attributes
        )


def test_hostile_text_stays_text(reports: list[AuditReport]) -> None:
    where = Where(source=HOSTILE, index=5)
    hostile = replace(
        reports[0], findings=(find("material_malformed", HOSTILE, "\ud800" + HOSTILE, where),), incomplete=(HOSTILE,)
    )
    text = report_to_html(hostile, 0)
    text.encode()  # no lone surrogates
    page = read(text)
    assert not {"script", "img"} & set(page.tags)
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in text
    assert "\x1b" not in text


def test_charts_show_what_happened(reports: list[AuditReport]) -> None:
    page = read(report_to_html(reports[0], 0))
    for title in ("Findings by severity", "Credentials anchored over time", "Credentials revoked over time",
                  "Delay from acceptance to anchor"):  # fmt: skip
        assert title in page.text
    assert page.tags.count("svg") == 3  # there are no findings, and no bundles were handed in
    figures = report_to_json(reports[0])["figures"]
    assert sum(column["credentials"] for column in figures["issuance"]) == 13
    assert sum(column["credentials"] for column in figures["revocations"]) == 1
    assert sum(figures["anchoringDelay"]["fromAcceptance"]) == 13
    assert sum(figures["anchoringDelay"]["fromValidFrom"]) == 0


def test_a_chain_that_lies_about_times_costs_no_memory(house: House, reports: list[AuditReport]) -> None:
    house.chain.unreachable = False
    at = house.chain.head()
    view = read_chain(house.chain, at, read_history(house.chain, at, 0))
    records: Any = {
        key: replace(record, anchored_at=moment)
        for moment, (key, record) in zip((0, 250_000_000_000, 2**64 - 1), view.batches().items(), strict=True)
    }
    figures = figures_of(replace(view, records=records), {})
    assert len(figures.issuance.counts) <= 60
    assert sum(figures.issuance.counts) < 13  # the impossible one is left out
    assert series_chart(figures.issuance, "x").count("<rect") == 2


def test_delays_are_counted_by_class() -> None:
    delays = Delays()
    for seconds in (0, 59, 60, 10**9):
        delays.add(seconds, 2)
    delays.merge([1] * 8)
    assert delays.counts == [5, 3, 1, 1, 1, 1, 1, 3]


@pytest.mark.parametrize(
    ("period", "unit"), [(3600, "hour"), (86_400, "day"), (7 * 86_400, "week"), (60 * 86_400, "60 days")]
)
def test_charts_name_what_they_count_and_by_what(period: int, unit: str) -> None:
    chart = series_chart(Series(0, period, (1, 0, 7000)), "Issued")
    assert f">credentials per {unit}</text>" in chart
    assert ">time (UTC)</text>" in chart
    assert f'aria-label="Issued: 7,001 in all, 7,000 credentials per {unit} at most"' in chart
    assert ">credentials</text>" in delays_chart([1] * 8, "Delay")
    assert ">findings</text>" in severity_chart([("INFO", 2)], "Findings")


def test_numbers_that_would_run_into_each_other_are_not_written() -> None:
    small, large = (delays_chart([count] * 8, "Delay") for count in (9_999, 1_000_000))
    assert (small.count(">9,999</text>"), "at most</text>" in small) == (8, False)
    assert (large.count(">1,000,000</text>"), ">credentials, 1,000,000 at most</text>" in large) == (0, True)


def test_a_chart_of_nothing_says_so() -> None:
    assert "Nothing to show" in series_chart(Series(0, 3600, (0,)), "x")
