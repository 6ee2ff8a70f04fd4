"""`registry promise …`, `issue --promises` and `audit --promises` on the embedded chain."""

import json
import time
from pathlib import Path

import pytest

from support.cli import Cli, document


def issued(cli: Cli, tmp_path: Path) -> Path:
    file, promises = tmp_path / "a.ndjson", tmp_path / "promises.ndjson"
    file.write_text("".join(json.dumps(document(number)) + "\n" for number in (100, 101)), encoding="utf-8")
    assert cli("issue", file, "--promises", promises, "--results", tmp_path / "results.ndjson").exit_code == 0
    return promises


def test_promises_are_written_shown_again_and_audited(cli: Cli, tmp_path: Path) -> None:
    promises = issued(cli, tmp_path)
    written = [json.loads(line) for line in promises.read_text("utf-8").splitlines()]
    answers = [json.loads(line) for line in (tmp_path / "results.ndjson").read_text("utf-8").splitlines()]
    assert [answer["promise"] for answer in answers] == written
    assert cli("promise", "show", written[0]["id"]).json["leaf"] == written[0]["leaf"]

    published = tmp_path / "published"
    assert cli("publish", published).exit_code == 0
    report = cli("audit", "--published", published, "--promises", promises, "--json")
    assert (report.exit_code, report.json["audited"]["promises"]) == (0, 2), report
    promises.write_text(promises.read_text("utf-8").replace(written[0]["leaf"], "11" * 32), encoding="utf-8")
    report = cli("audit", "--published", published, "--promises", promises, "--json")
    assert [item["code"] for item in report.json["findings"]] == ["promise_forged"]
    assert report.exit_code == 1


def test_a_new_key_keeps_the_former_one_known(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    issued(cli, tmp_path)
    [first] = cli("promise", "keys", "--json").json["keys"]
    assert first["validUntil"] is None
    later = int(time.time()) + 10
    monkeypatch.setattr("registry.wiring.registry._clock", lambda: later)
    answer = cli("promise", "rotate", "--compromised", "--json")
    assert answer.exit_code == 0, answer
    former, current = answer.json["keys"]
    assert (former["publicKey"], former["compromised"], current["validUntil"]) == (first["publicKey"], True, None)
    assert "key-2" in cli("promise", "keys").stdout
