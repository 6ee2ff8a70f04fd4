"""`registry audit` and `publish` on the embedded chain."""

import errno
import json
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from anchors.devchain import CHAIN_ID
from registry.wiring.embedded import EmbeddedNode
from support.cli import Answer, Cli, run


@pytest.fixture
def folder(cli: Cli, tmp_path: Path) -> Path:
    place = tmp_path / "published"
    answer = cli("publish", place, "--json")
    assert answer.exit_code == 0, answer
    assert answer.json == {"folder": str(place), "batches": 1, "written": 1, "changed": True}
    return place


def test_a_clean_registry(cli: Cli, folder: Path, data: Path) -> None:
    answer = cli("audit", "--published", folder, "--credentials", data / "bundles", "--database", "--cross-check")
    assert (answer.exit_code, answer.stderr) == (0, ""), answer
    assert "12 credentials in 1 batch of 1 issuer." in answer.stdout
    assert "12 leaves are the anchored ones." in answer.stdout
    assert "12 bundles" in answer.stdout
    assert answer.stdout.rstrip().endswith("Clean.")


def test_the_same_command_gives_the_same_bytes(cli: Cli, folder: Path) -> None:
    first, second = (cli("audit", "--published", folder, "--json") for _ in range(2))
    before = [answer.stdout.rpartition('"reportedAt"')[0] for answer in (first, second)]
    assert before[0] == before[1] != ""
    assert first.json["result"] == "clean"
    assert first.json["audited"] == {"issuers": 1, "batches": 1, "credentials": 12, "leaves": 12, "bundles": 0}
    assert len(first.json["material"]) == 64
    assert first.json["block"]["number"] > 0


def test_without_material_it_says_that_no_leaves_were_audited(cli: Cli) -> None:
    answer = cli("audit")
    assert answer.exit_code == 0
    assert "no leaves were audited" in answer.stdout


def test_publishing_again_changes_nothing(cli: Cli, folder: Path) -> None:
    listing = (folder / "registry.json").read_bytes()
    assert cli("publish", folder, "--json").json["written"] == 0
    assert (folder / "registry.json").read_bytes() == listing  # status lists are made anew every five minutes
    assert "1 batch in" in cli("publish", folder).stdout
    assert (folder / "registry.json").stat().st_mode & 0o777 == 0o644


def test_findings_end_with_1(cli: Cli, folder: Path) -> None:
    [leaves] = (folder / "leaves").rglob("*.bin")
    leaves.write_bytes(leaves.read_bytes()[::-1])
    answer = cli("audit", "--published", folder)
    assert answer.exit_code == 1
    assert "CRITICAL root_mismatch" in answer.stdout
    assert "1 finding." in answer.stdout
    [finding] = cli("audit", "--published", folder, "--json").json["findings"]
    assert (finding["code"], finding["where"]["first"]) == ("root_mismatch", 0)


def test_a_changed_database_ends_with_1(cli: Cli, data: Path) -> None:
    with sqlite3.connect(data / "registry.sqlite") as connection:
        connection.execute("UPDATE credentials SET salt = zeroblob(32) WHERE credential_index = 3")
    connection.close()
    answer = cli("audit", "--database", "--json")
    assert answer.exit_code == 1
    assert [item["code"] for item in answer.json["findings"]] == ["row_changed"]
    assert answer.json["findings"][0]["where"]["index"] == 3


def test_what_cannot_be_read_ends_with_3(cli: Cli, tmp_path: Path) -> None:
    answer = cli("audit", "--published", tmp_path / "nowhere")
    assert answer.exit_code == 3
    assert "this is not clean" in answer.stdout
    assert run("audit", "--data", tmp_path / "empty").exit_code == 3
    assert cli("audit", "--credentials", tmp_path).exit_code == 3
    assert cli("audit", "--rpc", "http://127.0.0.1:9", "--chain-id", 1).exit_code == 3


def test_from_outside_with_a_node_and_a_folder_only(data: Path, folder: Path, tmp_path: Path) -> None:
    policy = json.loads(run("policy", "--data", data).stdout)
    contract = next(item["contract"] for item in policy["chains"] if item["chain"] == f"eip155:{CHAIN_ID}")
    node = EmbeddedNode(data / "chain")
    try:
        url = node.url()
        outside = ("--data", tmp_path / "elsewhere", "--rpc", url, "--contract", contract)
        answer = run("audit", *outside, "--published", folder, "--json")
        assert (answer.exit_code, answer.json["audited"]["leaves"]) == (0, 12)
        assert not (tmp_path / "elsewhere").exists()
        twice = run("audit", *outside, "--rpc", url.replace("127.0.0.1", "localhost"), "--published", folder)
        assert twice.exit_code == 0, twice
        shutil.rmtree(folder / "leaves")
        assert run("audit", *outside, "--published", folder).exit_code == 1
        wrong = run("audit", *outside, "--code-hash", "0x" + "00" * 32, "--json")
        assert [item["code"] for item in wrong.json["findings"]] == ["code_hash_differs"]
        assert wrong.exit_code == 1
    finally:
        node.stop()


def test_a_page_for_people(cli: Cli, folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    answer = cli("audit", "--published", folder, "--html", page)
    assert answer.exit_code == 0
    assert f"The report is in {page}." in answer.stdout
    assert 'data-result="clean"' in page.read_text()


@pytest.mark.parametrize("lost", [False, True])
def test_a_page_that_cannot_be_written_loses_no_report(cli: Cli, folder: Path, tmp_path: Path, lost: bool) -> None:
    if lost:
        shutil.rmtree(folder / "leaves")
    answer = cli("audit", "--published", folder, "--html", tmp_path, "--json")
    assert (answer.json["result"], answer.exit_code) == (("findings", 1) if lost else ("clean", 3))
    assert f"The page was not written: The system refuses: Is a directory ({tmp_path})." in answer.stderr


@pytest.mark.parametrize("lost", [False, True])
def test_a_state_that_cannot_be_written_loses_no_report(
    cli: Cli, folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    def full(path: Path, content: bytes) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("registry.wiring.auditing.write_if_changed", full)
    if lost:
        shutil.rmtree(folder / "leaves")
    state = tmp_path / "audit.state"
    answer = cli("audit", "--published", folder, "--credentials", data / "bundles", "--state", state, "--json")
    assert (answer.json["result"], answer.exit_code) == (("findings", 1) if lost else ("clean", 3))
    assert f"No space left on device ({state}). Make room there" in answer.stderr


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_full_disk_behind_stdout_is_no_finding(data: Path, folder: Path, options: list[str]) -> None:
    command = [Path(sys.executable).parent / "registry", "audit", "--published", folder, "--data", data, *options]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, "Traceback" in done.stderr, "No space left" in done.stderr) == (3, False, True)


def test_the_cron_line_of_the_docs_raises_the_alarm(tmp_path: Path) -> None:
    document = (Path(__file__).parents[2] / "docs/auditing.md").read_text("utf-8")
    [block] = re.findall(r"```cron\n(.*?)```", document, re.DOTALL)
    path, line = block.strip().splitlines()
    assert path.startswith("PATH=")
    command = line.split(maxsplit=5)[5].replace("/var/lib/audit", str(tmp_path))
    command = command.replace("https://node.example", "http://127.0.0.1:9").replace("0x…", "0x" + "11" * 20)
    mail = tmp_path / "bin" / "mail"
    mail.parent.mkdir()
    mail.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/sent; cat >> {tmp_path}/sent\n')
    mail.chmod(0o755)
    environment = {"PATH": f"{Path(sys.executable).parent}:{mail.parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    subject, body = (tmp_path / "sent").read_text().split("\n", 1)
    assert subject == "-s audit: 3 you@example.org"
    assert "No node says on which chain it is" in json.loads(body)["detail"]


def test_the_summary_counts_by_kind(cli: Cli, folder: Path) -> None:
    shutil.rmtree(folder / "leaves")
    answer = cli("audit", "--published", folder)
    assert any(
        line.split()[:4] == ["CRITICAL", "leaves_missing", "published", "1"] for line in answer.stdout.splitlines()
    )


def test_a_state_makes_the_next_audit_shorter_and_remembers(cli: Cli, folder: Path, tmp_path: Path) -> None:
    state = tmp_path / "state" / "audit.json"
    first = cli("audit", "--published", folder, "--state", state, "--json")
    again = cli("audit", "--published", folder, "--state", state, "--json")
    assert (first.exit_code, again.exit_code, again.json["material"]) == (0, 0, first.json["material"])
    document = json.loads((folder / "registry.json").read_bytes())
    document["batches"].clear()
    (folder / "registry.json").write_text(json.dumps(document))
    found = cli("audit", "--published", folder, "--state", state, "--json").json["findings"]
    assert [item["code"] for item in found] == ["leaves_missing", "batch_unlisted"]
    state.write_text("{}")
    broken = cli("audit", "--published", folder, "--state", state)
    assert (broken.exit_code, "Delete it" in broken.stderr) == (3, True)


def test_a_state_remembers_bundles_and_full_reads_them_again(
    cli: Cli,
    folder: Path,
    data: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("registry.service.stamps._YOUNG_NS", 0)
    everything = ("audit", "--published", folder, "--credentials", data / "bundles", "--json")
    expected = without_time(cli(*everything))
    state = ("--state", tmp_path / "state.json")
    for more in (state, state, (*state, "--full"), state):
        answer = cli(*everything, *more)
        assert (answer.exit_code, answer.stderr, without_time(answer)) == (0, "", expected)
    memory = tmp_path / "state.json.bundles"
    memory.write_bytes(memory.read_bytes()[:-1])
    answer = cli(*everything, *state)
    assert without_time(answer) == expected
    assert "All bundles are read again." in caplog.text


def without_time(answer: Answer) -> str:
    return answer.stdout.rpartition('"reportedAt"')[0]


def test_switches_of_watching_belong_to_it(cli: Cli) -> None:
    assert cli("audit", "--metrics-port", 0).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (["--did", "uni"], 2, "--did needs a did:web"),
        (["--published", ""], 3, "place of a publication is empty"),
        (["--rpc", "http://127.0.0.1:1"], 3, "No node says on which chain it is: 127.0.0.1:1: connection refused"),
        (["--published", "http://127.0.0.1:1"], 3, "http://127.0.0.1:1 cannot be reached"),
    ],
)
def test_a_mistake_is_named(cli: Cli, arguments: list[str], exit_code: int, says: str) -> None:
    done = cli("audit", *arguments)
    assert done.exit_code == exit_code
    assert says in " ".join((done.stdout + done.stderr).replace("│", " ").split())


def test_events_from_a_block_that_is_not_there_yet_are_not_clean(cli: Cli, folder: Path) -> None:
    answer = cli("audit", "--published", folder, "--from-block", "1000000", "--json")
    assert answer.exit_code == 3
    assert "block 1000000 is above the audited one" in answer.json["incomplete"][0]
    assert "--from-block" in answer.json["incomplete"][0]


def test_a_port_that_is_taken_is_named(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = cli("audit", "--watch", "--metrics-port", port)
    assert done.exit_code == 3
    assert f"--metrics-port {port} cannot be used" in done.stderr


def test_it_says_that_the_tables_were_audited(cli: Cli, folder: Path) -> None:
    words = "The registry's own tables were held against the chain."
    assert words in cli("audit", "--published", folder, "--database").stdout
    assert words not in cli("audit", "--published", folder).stdout


def test_watching_a_folder_of_bundles(data: Path, folder: Path, bundle: Path, tmp_path: Path) -> None:
    """What is put there meanwhile is seen."""
    place = tmp_path / "handed in"
    place.mkdir()
    (place / "first.json").write_text(bundle.read_text().replace("Statistics", "Cooking"))
    arguments = ["--published", folder, "--credentials", place, "--watch", "--every", "1", "--json"]
    executable = Path(sys.executable).parent / "registry"
    process = subprocess.Popen(
        [executable, "audit", "--data", data, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    events = [json.loads(process.stdout.readline())]
    (place / "first.json").rename(place / "second.json")
    events += [json.loads(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=60)
    told = [(event["event"], event["finding"]["code"], event["finding"]["where"]["source"]) for event in events]
    code = "credential_not_in_batch"
    assert told == [("new", code, "first.json"), ("new", code, "second.json"), ("gone", code, "first.json")]
    assert (process.returncode, rest, errors) == (1, "", "")


def test_watching_until_it_is_stopped(data: Path, folder: Path, tmp_path: Path) -> None:
    """Another process: JSON lines of what is new, metrics, and the last audit's exit code at the end."""
    shutil.rmtree(folder / "leaves")
    arguments = ["--published", folder, "--state", tmp_path / "state.json", "--watch", "--every", "1", "--json"]
    executable = Path(sys.executable).parent / "registry"
    process = subprocess.Popen(
        [executable, "audit", "--data", data, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    event = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=60)
    assert (event["event"], event["finding"]["code"]) == ("new", "leaves_missing")
    assert (process.returncode, rest, errors) == (1, "", "")
    assert json.loads((tmp_path / "state.json").read_bytes())["findings"]


def test_one_issuer_alone(cli: Cli, folder: Path) -> None:
    address = cli("issuer", "show", "uni", "--json").json["address"]
    answer = cli("audit", "--published", folder, "--issuer", address, "--json")
    assert (answer.exit_code, answer.json["audited"]["leaves"]) == (0, 12)
    answer = cli("audit", "--published", folder, "--issuer", "0x" + "55" * 20)
    assert answer.exit_code == 3
    assert f"Not audited: 0x{'55' * 20} has anchored nothing" in answer.stdout
    assert cli("audit", "--issuer", "uni").exit_code == 2


def test_a_publication_may_be_behind_by_the_grace(cli: Cli, folder: Path) -> None:
    listing = json.loads((folder / "registry.json").read_bytes())
    (folder / "registry.json").write_text(json.dumps({**listing, "batches": []}))
    assert cli("audit", "--published", folder).exit_code == 1
    answer = cli("audit", "--published", folder, "--grace", "86400")
    assert answer.exit_code == 0
    assert "publication_behind" in answer.stdout
    assert "Clean, with 1 note for information." in answer.stdout


def test_from_inside_it_sees_what_the_registry_would_publish(cli: Cli, data: Path) -> None:
    """Without the password of the keys that sign it."""
    shutil.move(data / "keystores/password", data / "elsewhere")
    answer = cli("audit", "--database", "--json")
    assert (answer.exit_code, answer.json["findings"], answer.json["incomplete"]) == (0, [], [])
    with sqlite3.connect(data / "registry.sqlite") as connection:
        connection.execute("UPDATE issuers SET did = 'did:web:elsewhere.example'")
    connection.close()
    answer = cli("audit", "--database", "--json")
    assert answer.exit_code == 1
    published = [item for item in answer.json["findings"] if item["where"].get("source") == "this registry"]
    assert {item["code"] for item in published} == {"did_not_claimed", "status_list_signature"}
