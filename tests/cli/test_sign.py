"""`registry sign`: the issuer's key signs where it lies; the registry gets signatures, never a key."""

import json
from pathlib import Path

import pytest

from anchors.ethereum import create_keystore
from support.cli import Cli, document, run

PASSWORD = "a password of the issuer's own"


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    path = tmp_path / "cold" / "controller.json"
    create_keystore(path, PASSWORD.encode(), scrypt_n=1 << 10)
    (tmp_path / "cold" / "password").write_text(PASSWORD + "\n")
    return path


@pytest.fixture
def requests(cli: Cli, keystore: Path, tmp_path: Path) -> Path:
    """A sealed batch of an issuer that signs for itself waits for its signature."""
    address = "0x" + json.loads(keystore.read_text())["address"].removeprefix("0x")
    cli("issuer", "create", "college", "--address", address)
    (tmp_path / "one.json").write_text(json.dumps(document(1)))
    cli("issue", tmp_path / "one.json", "--issuer", "college")
    cli("seal")
    cli("worker", "--once")
    (tmp_path / "requests.json").write_text(cli("sign", "--list", "--json").stdout)
    return tmp_path / "requests.json"


def signed(requests: Path, keystore: Path, *more: object) -> Path:
    to = requests.with_name("signatures.json")
    answer = run(
        "sign", requests, "--keystore", keystore, "--password-file", keystore.with_name("password"), "--out", to, *more
    )
    assert answer.exit_code == 0, answer
    return to


def test_signed_offline_submitted_anchored(cli: Cli, requests: Path, keystore: Path) -> None:
    signatures = signed(requests, keystore)

    answer = cli("sign", "--submit", signatures, "--json")

    assert len(answer.json["submitted"]) == 1
    cli("worker", "--once")
    assert [batch["state"] for batch in cli("batches", "--json").json["batches"]] == ["FINAL", "FINAL"]
    assert cli("sign", "--list", "--json").json == {"requests": []}


def test_what_is_signed_is_shown(requests: Path, keystore: Path) -> None:
    answer = run("sign", requests, "--keystore", keystore, "--password-file", keystore.with_name("password"))

    assert answer.exit_code == 0
    assert "AnchorBatch" in answer.stderr
    [signature] = json.loads(answer.stdout)["signatures"]
    assert set(signature) == {"id", "signer", "deadline", "signature"}
    assert PASSWORD not in answer.stdout + answer.stderr


def test_one_request_alone_can_be_signed(requests: Path, keystore: Path) -> None:
    requests.write_text(json.dumps(json.loads(requests.read_text())["requests"][0]))

    assert len(json.loads(signed(requests, keystore).read_text())["signatures"]) == 1


def test_waiting_requests_are_listed_for_people(cli: Cli, requests: Path) -> None:
    answer = cli("sign", "--list")

    assert "anchor" in answer.stdout
    assert "registry sign requests.json --keystore" in answer.stdout


def test_a_wrong_password(requests: Path, keystore: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong")

    answer = run("sign", requests, "--keystore", keystore, "--password-file", tmp_path / "wrong", "--json")

    assert answer.exit_code == 1
    assert "wrong password" in answer.json["detail"]


def test_no_password_and_nobody_to_ask(requests: Path, keystore: Path) -> None:
    answer = run("sign", requests, "--keystore", keystore)

    assert answer.exit_code == 1
    assert "--password-file" in answer.stderr


def test_a_key_that_is_not_entitled_is_refused(cli: Cli, requests: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "key.json"
    create_keystore(other, PASSWORD.encode(), scrypt_n=1 << 10)
    (tmp_path / "other" / "password").write_text(PASSWORD)

    answer = cli("sign", "--submit", signed(requests, other), "--json")

    assert answer.exit_code == 1
    assert answer.json["failed"][0]["code"] == "signature_refused"


@pytest.mark.parametrize(
    "content", ["{}", "[]x", '{"requests": [1]}', '{"requests": [{"id": 1, "call": {"call": "X"}}]}']
)
def test_a_file_that_is_no_request(keystore: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "requests.json").write_text(content)

    answer = run(
        "sign", tmp_path / "requests.json", "--keystore", keystore, "--password-file", keystore.with_name("password")
    )

    assert answer.exit_code == 1
    assert "Unexpected" not in answer.stderr


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        '{"signatures": [{"id": "1"}]}',
        '{"signatures": [{"id": 1, "deadline": 1, "signer": "x", "signature": "0x"}]}',
    ],
)
def test_a_file_that_is_no_signature(cli: Cli, tmp_path: Path, content: str) -> None:
    (tmp_path / "signatures.json").write_text(content)

    answer = cli("sign", "--submit", tmp_path / "signatures.json")

    assert answer.exit_code == 1
    assert "Unexpected" not in answer.stderr


def test_one_thing_at_a_time(cli: Cli, requests: Path) -> None:
    assert cli("sign").exit_code == 2
    assert cli("sign", requests).exit_code == 2
    assert cli("sign", "--list", "--submit", requests).exit_code == 2
