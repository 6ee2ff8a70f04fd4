"""What goes wrong is one clear sentence; never a traceback, never a secret."""

import json
from pathlib import Path

import pytest

from support.cli import Cli, run


def test_a_folder_without_a_registry_says_how_to_make_one(tmp_path: Path) -> None:
    answer = run("batches", "--data", tmp_path / "nothing")

    assert answer.exit_code == 1
    assert answer.stdout == ""
    assert answer.stderr.startswith("Error: There is no registry in ")
    assert "registry init --data" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_with_json_it_is_a_problem_object(tmp_path: Path) -> None:
    answer = run("batches", "--data", tmp_path / "nothing", "--json")

    assert answer.json == {
        "type": "urn:credential-registry:problem:not_initialised",
        "code": "not_initialised",
        "detail": answer.json["detail"],
        "status": 409,
    }


@pytest.mark.parametrize("arguments", [("seal", "--no-such-option"), ("verify",), ("sign",)])
def test_wrong_usage_is_one_too(arguments: tuple[str, ...]) -> None:
    answer = run(*arguments, "--json")

    assert answer.exit_code == 2
    assert answer.json["code"] == "usage"
    assert answer.json["detail"]
    assert "Usage: registry" in answer.stderr
    assert run(*arguments).stdout == ""


def test_a_files_name_is_said_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("key.json").write_text("no keystore")
    Path("requests.json").write_text('{"requests": []}')

    answer = run("sign", "requests.json", "--keystore", "key.json", "--password-file", "key.json")

    assert answer.stderr.startswith("Error: key.json is not a keystore")


def test_an_unknown_setting_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_RPC_URL", "http://127.0.0.1:1/secret-key")

    answer = cli("batches")

    assert answer.exit_code == 1
    assert "REGISTRY_RPC_URL" in answer.stderr
    assert "secret-key" not in answer.stderr


def test_another_chain_than_the_databases(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_RPC_URLS", "http://127.0.0.1:1/secret-key")
    monkeypatch.setenv("REGISTRY_CHAIN_ID", "560048")

    answer = cli("batches", "--json")

    assert answer.json["code"] == "other_chain"
    assert "secret-key" not in answer.stdout + answer.stderr


def test_another_contract_than_the_databases(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_CONTRACT", "0x" + "11" * 20)

    assert cli("batches", "--json").json["code"] == "other_contract"


def test_a_chain_without_a_node(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_CHAIN_ID", "560048")

    answer = cli("batches")

    assert answer.exit_code == 1
    assert "No node is set for hoodi" in answer.stderr
    assert "REGISTRY_RPC_URLS" in answer.stderr


def test_a_wrong_password(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_KEYSTORE_PASSWORD", "not the password")

    answer = cli("worker", "--once")

    assert answer.exit_code == 1
    assert "wrong password" in answer.stderr
    assert "not the password" not in answer.stderr


def test_the_password_is_not_needed_where_nothing_is_signed(cli: Cli, data: Path, bundle: Path) -> None:
    (data / "keystores" / "password").unlink()

    assert cli("verify", bundle).exit_code == 0
    assert cli("batches").exit_code == 0
    answer = cli("worker", "--once")
    assert answer.exit_code == 1
    assert "REGISTRY_KEYSTORE_PASSWORD_FILE" in answer.stderr


def test_a_real_chain_wants_a_password_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_RPC_URLS", "http://127.0.0.1:9")

    answer = run("init", "--data", tmp_path / "new")

    assert answer.exit_code == 1
    assert "REGISTRY_KEYSTORE_PASSWORD_FILE" in answer.stderr


def test_a_node_that_is_down_at_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_RPC_URLS", "http://127.0.0.1:9/secret-key")
    monkeypatch.setenv("REGISTRY_KEYSTORE_PASSWORD", "long enough")

    answer = run("init", "--data", tmp_path / "new", "--json")

    assert answer.exit_code == 1
    assert answer.json["code"] in ("chain_unreachable", "node_failure")
    assert "secret-key" not in answer.stdout + answer.stderr


def test_a_damaged_database(cli: Cli, data: Path) -> None:
    (data / "registry.sqlite").write_bytes(b"not a database" * 100)
    for rest in ("registry.sqlite-wal", "registry.sqlite-shm"):
        (data / rest).unlink(missing_ok=True)

    answer = cli("batches")

    assert answer.exit_code == 1
    assert "database" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_fault_of_the_program_shows_no_data(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("with the name of Learner 7 in it")

    monkeypatch.setattr("registry.wiring.open_registry", broken)

    answer = cli("batches", "--json")

    assert answer.exit_code == 1
    assert answer.json["code"] == "internal"
    assert "Learner 7" not in answer.stdout + answer.stderr


def test_ctrl_c_says_that_it_can_be_repeated(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("registry.wiring.open_registry", interrupted)

    answer = cli("batches")

    assert answer.exit_code == 130
    assert "run it again" in answer.stderr


def test_a_settings_file_in_the_data_folder_counts(cli: Cli, data: Path) -> None:
    (data / "registry.toml").write_text('contract = "0x1111111111111111111111111111111111111111"\n')

    assert cli("batches", "--json").json["code"] == "other_contract"


def test_names_cannot_move_the_cursor(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "\x1b[2Jevil.json"
    path.write_text("{")

    answer = cli("verify", path)

    assert "\x1b" not in answer.stdout
    assert json.loads(cli("verify", path, "--json").stdout)["results"][0]["file"] == str(path)


def test_a_node_that_does_not_answer_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_RPC_URLS", "http://127.0.0.1:1")
    monkeypatch.setenv("REGISTRY_CHAIN_ID", "560048")
    monkeypatch.setenv("REGISTRY_KEYSTORE_PASSWORD", "only for this test")

    answer = run("init", "--data", tmp_path)

    assert answer.exit_code == 1
    assert answer.stderr.endswith("Check RPC_URLS (or --rpc) and the node, or try again later.\n")
