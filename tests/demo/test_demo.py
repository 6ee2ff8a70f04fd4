"""The demo on its own input, on a user's, and when something does not come out as it should."""

import json
import unicodedata
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from registry.core.bundle import parse_bundle
from registry.demo.result import DemoResult
from registry.demo.run import _Demo
from registry.demo.tampering import forgeries
from support.cli import document, run

DATA = files("registry.demo") / "data"


# --- on its own input -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_everything_comes_out_as_it_has_to(shipped: DemoResult) -> None:
    assert shipped.failures() == []
    assert shipped.issued == shipped.written == shipped.verified == 1_000
    assert shipped.batches == shipped.anchored == 4
    assert shipped.revoked == shipped.revoked_detected == 5
    assert shipped.suspended == shipped.suspended_detected == shipped.reinstated == shipped.reinstated_valid == 3
    assert shipped.tampered == shipped.tampered_detected == 25


@pytest.mark.slow
def test_the_rows_that_cannot_be_used_are_named(shipped: DemoResult) -> None:
    assert [entry["line"] for entry in shipped.rejected_lines] == [252, 403, 605, 806]


@pytest.mark.slow
def test_it_takes_less_than_a_minute(shipped: DemoResult) -> None:
    assert shipped.seconds < 60


@pytest.mark.slow
def test_it_leaves_bundles_that_later_commands_work_on(shipped: DemoResult) -> None:
    assert len(list(shipped.bundles.glob("*.json"))) == 1_000
    assert run("verify", shipped.example, "--data", shipped.data).exit_code == 0
    assert run("verify", shipped.revoked_example, "--data", shipped.data).exit_code == 1


@pytest.mark.slow
def test_what_it_publishes_is_clean_and_names_no_learner(shipped: DemoResult, tmp_path: Path) -> None:
    assert run("publish", tmp_path / "published", "--data", shipped.data).exit_code == 0
    [template] = (tmp_path / "published" / "templates").rglob("*.json")
    assert json.loads(template.read_bytes()) == json.loads((DATA / "template.json").read_bytes())
    audited = run("audit", "--published", tmp_path / "published", "--data", shipped.data, "--json")
    assert (audited.exit_code, audited.json["findings"]) == (0, [])


@pytest.mark.slow
def test_every_name_of_the_file_is_in_a_bundle(shipped: DemoResult) -> None:
    learners = {
        parse_bundle(path.read_bytes()).credential["credentialSubject"]["identifier"][0]["identityHash"]  # type: ignore[index]
        for path in shipped.bundles.glob("*.json")
    }

    assert "Zoe\u0308 O'Brien-Ó Súilleabháin" in learners
    assert "{{certificate_no}} Little Bobby Tables'); DROP TABLE learners;--" in learners
    assert any(unicodedata.bidirectional(name[0]) in ("R", "AL") for name in learners)


def test_the_input_looks_like_life() -> None:
    text = (DATA / "learners.csv").read_text(encoding="utf-8")

    assert not unicodedata.is_normalized("NFC", text)
    assert any(unicodedata.combining(character) for character in text)
    assert "\n\n" in text
    assert any(len(line) > 200 for line in text.splitlines())
    for script in ("GREEK", "CYRILLIC", "ARABIC", "HEBREW", "CJK", "HIRAGANA", "DEVANAGARI", "THAI", "GEORGIAN"):
        assert any(unicodedata.name(character, "").startswith(script) for character in set(text)), script


# --- forgeries --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_kind_of_forgery_is_another_bundle(shipped: DemoResult) -> None:
    one, two = (json.loads(path.read_text()) for path in sorted(shipped.bundles.glob("*.json"))[:2])

    made = list(forgeries(one, two))

    assert len({json.dumps(forgery.bundle) for forgery in made}) == len(made) == 25
    assert len({forgery.kind for forgery in made}) == len(made)


# --- on a user's input ------------------------------------------------------------------------------------------------


def demo(data: Path, *arguments: object) -> Any:
    return run("demo", "--data", data, *arguments)


def test_a_users_ndjson_and_then_again_on_the_same_folder(tmp_path: Path) -> None:
    file = tmp_path / "mine.ndjson"
    file.write_text("".join(json.dumps(document(number)) + "\n" for number in range(9)))

    first = demo(tmp_path / "data", "--input", file, "--json")
    again = demo(tmp_path / "data", "--input", file, "--json")

    assert first.exit_code == again.exit_code == 0
    for key in (
        "issued", "batches", "anchored", "verified", "revoked", "revoked_detected", "tampered", "tampered_detected",
        "seconds", "suspended", "suspended_detected", "rejected", "rejected_lines",
    ):  # fmt: skip
        assert key in first.json
    assert (first.json["issuer"], again.json["issuer"]) == ("demo", "demo-2")
    assert (first.json["issued"], first.json["batches"], first.json["revoked"]) == (9, 3, 2)


def test_a_single_credential(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(document(1)))

    answer = demo(tmp_path / "data", "--input", tmp_path / "one.json", "--json")

    assert answer.exit_code == 0, answer.stdout
    assert (answer.json["issued"], answer.json["revoked"]) == (1, 0)
    assert answer.json["tampered"] == answer.json["tampered_detected"] > 15


def test_a_users_csv_with_the_shipped_template_for_people(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(
        "certificate_no,name,email,completed_on,ects,term,grade\n1,Ana,ana@example.org,2024-01-02,5,,\n"
    )

    answer = demo(tmp_path / "data", "--input", tmp_path / "mine.csv")

    assert answer.exit_code == 0, answer.stderr
    for words in ("DEVELOPMENT chain, NO real one", "Summary", "forgeries, found out", "registry verify "):
        assert words in answer.stdout


def test_a_file_of_which_nothing_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "mine.ndjson").write_text("{\n")

    answer = demo(tmp_path / "data", "--input", tmp_path / "mine.ndjson", "--json")

    assert answer.exit_code == 1
    assert answer.json["failures"] == ["nothing was accepted"]
    assert answer.json["rejected_lines"][0]["line"] == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    answer = demo(tmp_path / "data", "--input", tmp_path / "nothing.csv")

    assert answer.exit_code == 1
    assert "nothing.csv" in answer.stderr


def test_a_forgery_that_goes_through_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.json").write_text(json.dumps(document(1)))
    monkeypatch.setattr(_Demo, "_judge", lambda *_: ("VALID", "all checks passed"))

    answer = demo(tmp_path / "data", "--input", tmp_path / "one.json", "--json")

    assert answer.exit_code == 1
    assert answer.json["failures"] == ["a forgery was not refused"]
