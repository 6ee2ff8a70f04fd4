"""`registry template`: answering questions as a person would, and from a file as a script would."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.cli import Answer, run

BADGE = {
    "title": "First Aid",
    "description": "Helping until help comes.",
    "achievement_id": "https://badges.example/first-aid",
    "criteria": "The learner shows the recovery position.",
    "issuer_name": "Example School",
    "issuer_url": "https://badges.example",
}
# What a person types, and what it is for. In the order of the questions; a second try follows a first one that fails.
TYPED = [
    "3", "Data Literacy", "Finding and judging data.", "badges.example", "https://badges.example/data", "", "Ireland",
    "ie", "IE", "Example University", "https://badges.example", "The learner judges open data.", "", "", "5 ECTS", "5",
    "9", "five", "5", "3", "online", "n/a", "Accredited by the Example Agency", "https://agency.example/1", "", "", "3",
    "",
]  # fmt: skip
REASONS = [
    "Answer with a web address", "'Ireland' is no country code", "Write IE.", "Answer with a number above 0",
    "Answer with one of: 1, 2, 3", "Answer in words.",
]  # fmt: skip


def _typed(*options: object, lines: list[str] = TYPED) -> Answer:
    return run("template", "new", *options, input_text="".join(f"{line}\n" for line in lines))


def test_a_person_answers_one_question_after_the_other(tmp_path: Path) -> None:
    file = tmp_path / "template.json"

    answer = _typed("--out", file)

    assert answer.exit_code == 0, answer
    assert "learner,name" not in answer.stdout
    assert "\ncompleted_on,name,email,certificate_no\n" in answer.stdout
    for reason in REASONS:
        assert reason in answer.stderr
    template = json.loads(file.read_text("utf-8"))
    achievement = template["credentialSubject"]["achievement"]
    assert template["issuer"]["address"]["addressCountryCode"] == "IE"
    assert achievement["creditsAvailable"] == 5
    assert [item["targetName"] for item in achievement["alignment"]] == [
        "EQF level 5", "Project work", "Online", "Accredited by the Example Agency",
        "Supervised online with identity verification",
    ]  # fmt: skip
    assert run("template", "check", file).exit_code == 0


def test_what_it_makes_is_what_issue_takes(tmp_path: Path) -> None:
    (tmp_path / "answers.json").write_text(json.dumps(BADGE))
    template, table, data = tmp_path / "template.json", tmp_path / "learners.csv", tmp_path / "data"
    made = run("template", "new", "--profile", "open-badge", "--answers", tmp_path / "answers.json", "--out", template,
               "--json").json  # fmt: skip
    table.write_text(f"{made['csvHeader']}\n2026-03-01,Zoë Ångström\n", encoding="utf-8")
    for arguments in (("init",), ("issuer", "create", "school")):
        assert run(*arguments, "--data", data).exit_code == 0

    answer = run("issue", table, "--template", template, "--data", data, "--json")

    assert (answer.json["accepted"], answer.json["refused"]) == (1, 0)


def test_without_a_file_stdout_is_the_template() -> None:
    answer = _typed()

    assert json.loads(answer.stdout)["name"] == "Data Literacy"
    assert "completed_on,name,email,certificate_no" in answer.stderr


def test_as_json(tmp_path: Path) -> None:
    answer = _typed("--json", "--out", tmp_path / "template.json")

    assert answer.json["template"] == json.loads((tmp_path / "template.json").read_text("utf-8"))
    assert (answer.json["profile"], answer.json["file"]) == ("eu-micro-credential", str(tmp_path / "template.json"))
    assert answer.json["csvHeader"] == "completed_on,name,email,certificate_no"


def test_nothing_is_overwritten_and_nobody_asked_in_vain(tmp_path: Path) -> None:
    file = tmp_path / "template.json"
    file.write_text("mine")

    answer = _typed("--out", file)

    assert answer.exit_code == 1
    assert "--force" in answer.stderr
    assert "learner" not in answer.stderr
    assert file.read_text() == "mine"
    assert _typed("--out", file, "--force").exit_code == 0
    assert json.loads(file.read_text("utf-8"))["name"] == "Data Literacy"


def test_answers_that_end_too_early_leave_nothing(tmp_path: Path) -> None:
    answer = _typed("--out", tmp_path / "template.json", lines=TYPED[:7])

    assert answer.exit_code == 1
    assert "'country'" in answer.stderr
    assert not list(tmp_path.iterdir())


_IN_A_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


def test_control_c_leaves_nothing(tmp_path: Path) -> None:
    """In a real terminal, where the key becomes a signal."""
    command = [str(Path(sys.executable).parent / "registry"), "template", "new", "--out", str(tmp_path / "out.json")]
    with subprocess.Popen(
        [sys.executable, "-c", _IN_A_TERMINAL, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path
    ) as terminal:
        assert terminal.stdin is not None
        assert terminal.stdout is not None
        seen = b""
        for awaited, typed in ((b"learner [name]", b"2\n"), (b"title:", b"Data\n"), (b"description:", b"\x03")):
            while awaited not in seen:
                more = terminal.stdout.read1(1)  # type: ignore[attr-defined]
                assert more, seen
                seen += more
            terminal.stdin.write(typed)
            terminal.stdin.flush()
        seen += terminal.stdout.read()
        assert terminal.wait() == 130, seen
    assert b"Stopped." in seen
    assert not list(tmp_path.iterdir())


# --- from a file ------------------------------------------------------------------------------------------------------


def _answers(tmp_path: Path, content: bytes, *options: str) -> Answer:
    (tmp_path / "answers.json").write_bytes(content)
    return run("template", "new", "--profile", "open-badge", "--answers", tmp_path / "answers.json", *options)


def test_numbers_and_truth_values_count_as_typed(tmp_path: Path) -> None:
    answer = _answers(tmp_path, json.dumps({**BADGE, "expires": True, "title": 5, "criteria_url": None}).encode())

    assert answer.exit_code == 0, answer
    assert json.loads(answer.stdout)["name"] == "5"
    assert "validUntil" in json.loads(answer.stdout)


def test_all_faults_of_a_file_at_once(tmp_path: Path) -> None:
    content = json.dumps({**BADGE, "title": "", "issuer_url": "example", "learner": ["name"], "\x1b[2J": "x"}).encode()

    answer = _answers(tmp_path, content, "--out", str(tmp_path / "template.json"))
    as_json = _answers(tmp_path, content, "--json").json

    assert answer.exit_code == 1
    for name in ("title", "issuer_url", "learner"):
        assert f"  /{name}: " in answer.stderr
    assert "\x1b" not in answer.stderr
    assert not (tmp_path / "template.json").exists()
    assert as_json["code"] == "answers"
    assert {error["pointer"] for error in as_json["errors"]} >= {"/title", "/issuer_url", "/learner"}


@pytest.mark.parametrize("content", [
    b"", b"[]", b'"x"', b"{", b'{"title": "a", "title": "b"}', b"\xff", b"[" * 100_000, b'{"title": "\\ud800"}',
    b'{"title": "' + b"x" * (1 << 20) + b'"}', b'{"title": 1e400}',
])  # fmt: skip
def test_a_hostile_file_of_answers(tmp_path: Path, content: bytes) -> None:
    answer = _answers(tmp_path, content)

    assert answer.exit_code == 1
    assert "answers.json" in answer.stderr
    assert len(answer.stderr) < 1_000


def test_very_many_answers_to_nothing(tmp_path: Path) -> None:
    answer = _answers(tmp_path, json.dumps({f"q{number}": "x" for number in range(20_000)}).encode())

    assert answer.exit_code == 1
    assert "20,006 faults" in answer.stderr
    assert answer.stderr.count("\n") < 200


def test_another_profile() -> None:
    answer = run("template", "new", "--profile", "diploma")

    assert answer.exit_code == 2
    assert "open-badge" in answer.stderr


# --- checking ---------------------------------------------------------------------------------------------------------


def test_a_template_with_faults(tmp_path: Path) -> None:
    template = json.loads(_answers(tmp_path, json.dumps(BADGE).encode()).stdout)
    template["validFrom"] = "{{awarded_on}}"
    template["credentialSubject"]["achievement"]["achievementType"] = "MicroCredential"
    (tmp_path / "template.json").write_text(json.dumps(template))

    answer = run("template", "check", tmp_path / "template.json", "--json")

    assert answer.exit_code == 1
    assert answer.json["good"] is False
    found = {(fault["profile"], fault["pointer"]) for fault in answer.json["faults"]}
    assert ("eu-micro-credential", "/issuer/address/addressCountryCode") in found
    assert "/issuer/address/addressCountryCode: " in run("template", "check", tmp_path / "template.json").stdout
    assert run("template", "check", tmp_path / "template.json", "--profile", "open-badge").exit_code == 1


@pytest.mark.parametrize("content", [b"", b"{}", b'{"a": "{{b"}', b"[" * 100_000, b" " * (2 << 20)])
def test_what_is_no_template(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "template.json").write_bytes(content)

    answer = run("template", "check", tmp_path / "template.json")

    assert answer.exit_code == 1
    assert "cannot be used" in answer.stderr
