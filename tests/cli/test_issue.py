"""`registry issue`: whatever file it is, every line gets an answer, and repeating it changes nothing."""

import json
from pathlib import Path

from support.cli import Cli, document, run

_BADGE = document(0)
TEMPLATE = {
    **_BADGE,
    "id": "urn:example:csv:{{no}}",
    "credentialSubject": {
        **_BADGE["credentialSubject"],
        "identifier": [{"type": "IdentityObject", "identityHash": "{{name}}", "identityType": "name", "hashed": False}],
        "creditsEarned": "{{ects?:number}}",
    },
}


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def lines(*numbers: int) -> str:
    return "".join(json.dumps(document(number)) + "\n" for number in numbers)


def test_ndjson(cli: Cli, tmp_path: Path) -> None:
    answer = cli("issue", write(tmp_path / "a.ndjson", lines(100, 101)), "--json")

    assert answer.exit_code == 0
    assert answer.json["accepted"] == 2
    assert answer.json["issuer"] == "uni"
    assert answer.json["anchoredBefore"]


def test_a_repeated_import_accepts_nothing_twice(cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path / "a.ndjson", lines(100, 101))
    cli("issue", file)

    answer = cli("issue", file, "--json")

    assert answer.exit_code == 0
    assert (answer.json["accepted"], answer.json["repeated"], answer.json["refused"]) == (0, 2, 0)


def test_a_broken_line_is_named_and_the_rest_is_taken(cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path / "a.ndjson", lines(100) + "{broken\n\n" + lines(101))

    answer = cli("issue", file, "--json")

    assert answer.exit_code == 1
    assert (answer.json["accepted"], answer.json["refused"]) == (2, 1)
    assert [(item["line"], item["code"]) for item in answer.json["refusedLines"]] == [(2, "not_json")]


def test_refused_lines_are_shown_to_people(cli: Cli, tmp_path: Path) -> None:
    answer = cli("issue", write(tmp_path / "a.ndjson", lines(0)))

    assert answer.exit_code == 1
    assert "line 1: This issuer already has a credential with the id 'urn:example:0'" in answer.stdout


def test_a_json_array(cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", json.dumps([document(100), document(101)], indent=2))

    assert cli("issue", file, "--json").json["accepted"] == 2


def test_one_credential_over_several_lines(cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", json.dumps(document(100), indent=2))

    assert cli("issue", file, "--json").json["accepted"] == 1


def test_csv_with_a_template(cli: Cli, tmp_path: Path) -> None:
    template = write(tmp_path / "template.json", json.dumps(TEMPLATE))
    file = write(tmp_path / "a.csv", "no,name,ects\n1,Ana,2.5\n2,,5\n3,Bo,\n")

    answer = cli("issue", file, "--template", template, "--json")

    assert answer.exit_code == 1
    assert answer.json["accepted"] == 2
    assert [(item["line"], item["code"]) for item in answer.json["refusedLines"]] == [(3, "blank")]


def test_csv_without_a_template_says_what_is_missing(cli: Cli, tmp_path: Path) -> None:
    answer = cli("issue", write(tmp_path / "a.csv", "no,name\n1,Ana\n"))

    assert answer.exit_code == 1
    assert "--template" in answer.stderr


def test_a_missing_column_is_named_before_anything_is_taken(cli: Cli, tmp_path: Path) -> None:
    template = write(tmp_path / "template.json", json.dumps(TEMPLATE))
    file = write(tmp_path / "a.csv", "no,ects\n1,5\n")

    answer = cli("issue", file, "--template", template, "--json")

    assert answer.exit_code == 1
    assert answer.json["code"] == "column_missing"
    assert "'name'" in answer.json["detail"]


def test_results_has_the_answer_to_every_line(cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path / "a.ndjson", lines(100, 0))

    cli("issue", file, "--results", tmp_path / "results.ndjson")

    answers = [json.loads(line) for line in (tmp_path / "results.ndjson").read_text().splitlines()]
    assert [answer["line"] for answer in answers] == [1, 2]
    assert "id" in answers[0]
    assert answers[1]["code"] == "id_reused"


def test_a_file_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    answer = cli("issue", tmp_path / "nothing.ndjson")

    assert answer.exit_code == 1
    assert "nothing.ndjson" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_several_issuers_have_to_be_told_apart(cli: Cli, tmp_path: Path) -> None:
    cli("issuer", "create", "college")
    file = write(tmp_path / "a.ndjson", lines(100))

    assert cli("issue", file).exit_code == 2
    assert cli("issue", file, "--issuer", "college", "--json").json["issuer"] == "college"


def test_an_issuer_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    answer = cli("issue", write(tmp_path / "a.ndjson", lines(1)), "--issuer", "nobody")

    assert answer.exit_code == 1
    assert "no issuer named 'nobody'" in answer.stderr


def test_without_any_issuer_it_says_how_to_make_one(tmp_path: Path) -> None:
    run("init", "--data", tmp_path / "new")

    answer = run("issue", write(tmp_path / "a.ndjson", lines(1)), "--data", tmp_path / "new")

    assert answer.exit_code == 1
    assert "registry issuer create" in answer.stderr


def test_a_correction_revokes_what_it_supersedes(cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", json.dumps({**document(100), "name": "Statistics, corrected"}))

    answer = cli("issue", file, "--supersedes", "urn:example:3", "--json")

    assert answer.json["supersedes"] == "urn:example:3"
    assert cli("seal").exit_code == 0
    assert cli("worker", "--once").exit_code == 0
    assert cli("bundle", answer.json["id"]).json["credential"]["evidence"][0]["id"] == "urn:example:3"
    assert cli("bundle", "urn:example:3", "--out", tmp_path / "former.json").exit_code == 0
    assert cli("verify", tmp_path / "former.json").exit_code == 1
    assert cli("issue", write(tmp_path / "two.ndjson", lines(5, 6)), "--supersedes", "urn:example:4").exit_code == 2
