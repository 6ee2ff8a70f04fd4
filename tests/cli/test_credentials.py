"""Sealing, batches, bundles, status and erasure."""

import json
from pathlib import Path

from registry.core.bundle import parse_bundle
from support.cli import Cli, document


def issue_one(cli: Cli, tmp_path: Path, number: int) -> None:
    (tmp_path / "one.json").write_text(json.dumps(document(number)))
    assert cli("issue", tmp_path / "one.json").exit_code == 0


def test_seal_makes_a_batch_and_the_worker_anchors_it(cli: Cli, tmp_path: Path) -> None:
    issue_one(cli, tmp_path, 100)

    sealed = cli("seal", "--json")
    assert [batch["size"] for batch in sealed.json["batches"]] == [1]
    worked = cli("worker", "--once", "--json")
    assert worked.exit_code == 0
    assert worked.json["batches"] == {"FINAL": 2}
    assert worked.json["chainProblem"] is None


def test_seal_with_nothing_open(cli: Cli) -> None:
    answer = cli("seal")

    assert answer.exit_code == 0
    assert "Nothing is open" in answer.stdout


def test_batches_are_marked_as_on_a_development_chain(cli: Cli) -> None:
    answer = cli("batches")

    assert answer.exit_code == 0
    assert "DEVELOPMENT CHAIN" in answer.stdout
    assert "FINAL" in answer.stdout


def test_batches_as_json_page_by_number(cli: Cli) -> None:
    [batch] = cli("batches", "--json").json["batches"]

    assert (batch["issuer"], batch["first"], batch["size"], batch["state"]) == ("uni", 0, 12, "FINAL")
    assert cli("batches", "--after", batch["number"], "--json").json["batches"] == []


def test_a_bundle_by_either_id(cli: Cli, bundle: Path) -> None:
    own_id = json.loads(bundle.read_text())["credential"]["id"]

    assert cli("bundle", bundle.stem).stdout.encode() == bundle.read_bytes()
    assert parse_bundle(cli("bundle", own_id).stdout.encode()) == parse_bundle(bundle.read_bytes())


def test_a_bundle_to_a_file(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    answer = cli("bundle", bundle.stem, "--out", tmp_path / "mine.json", "--json")

    assert answer.json == {"id": bundle.stem, "file": str(tmp_path / "mine.json")}
    assert (tmp_path / "mine.json").read_bytes() == bundle.read_bytes()


def test_all_bundles_skips_those_that_are_there(cli: Cli, data: Path, bundle: Path) -> None:
    bundle.write_text("half a bund")

    answer = cli("bundle", "--all", data / "bundles", "--json")

    assert (answer.json["written"], answer.json["unchanged"]) == (1, 11)
    assert not list((data / "bundles").glob(".*"))


def test_a_bundle_that_is_not_final_yet(cli: Cli, tmp_path: Path) -> None:
    issue_one(cli, tmp_path, 100)

    answer = cli("bundle", "urn:example:100", "--json")

    assert answer.exit_code == 1
    assert answer.json["code"] == "not_final"


def test_an_unknown_credential(cli: Cli) -> None:
    answer = cli("bundle", "nothing-like-it")

    assert answer.exit_code == 1
    assert "Is --data the right folder?" in answer.stderr


def test_bundle_needs_an_id_or_all(cli: Cli) -> None:
    assert cli("bundle").exit_code == 2


def test_revoke_suspend_and_reinstate(cli: Cli, data: Path) -> None:
    first, second, *_ = sorted((data / "bundles").glob("*.json"))

    assert cli("revoke", first.stem, "--reason", "withdrawn", "--json").json["requests"][0]["state"] == "WAITING"
    assert cli("verify", first, "--json").json["results"][0]["status"] == "INDETERMINATE"
    assert cli("suspend", second.stem).exit_code == 0
    cli("worker", "--once")
    assert cli("verify", first).exit_code == 1
    assert cli("verify", second).exit_code == 1
    assert cli("reinstate", second.stem).exit_code == 0
    cli("worker", "--once")
    assert cli("verify", second).exit_code == 0
    assert cli("reinstate", first.stem, "--json").json["code"] == "revoked"


def test_several_are_revoked_at_once_or_none(cli: Cli, data: Path) -> None:
    first, second, *_ = sorted((data / "bundles").glob("*.json"))

    assert cli("revoke", first.stem, "no-such-id").exit_code == 1
    answer = cli("revoke", first.stem, second.stem, "--json")

    assert [item["state"] for item in answer.json["requests"]] == ["WAITING", "WAITING"]


def test_erasing_asks_first(cli: Cli, bundle: Path) -> None:
    answer = cli("erase", bundle.stem)

    assert answer.exit_code == 2
    assert cli("bundle", bundle.stem).exit_code == 0


def test_what_is_erased_is_gone(cli: Cli, bundle: Path) -> None:
    answer = cli("erase", bundle.stem, "--yes", "--json")

    assert answer.json == {"id": bundle.stem, "issuer": "uni", "erased": True}
    assert cli("bundle", bundle.stem, "--json").json["code"] == "erased"


def test_a_second_worker_refuses(cli: Cli, data: Path) -> None:
    from registry.service.worker import only_worker
    from registry.store.database import Database

    database = Database(f"sqlite:///{data / 'registry.sqlite'}")
    with only_worker(database):
        answer = cli("worker", "--once", "--json")
    database.close()

    assert answer.exit_code == 1
    assert answer.json["code"] == "worker_runs"
