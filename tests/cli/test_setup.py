"""`registry init`, `deploy`, `networks`, `policy`."""

import stat
from pathlib import Path

from registry.core.policy import parse_policy
from support.cli import Cli, run


def test_init_makes_folder_keystore_and_contract(tmp_path: Path) -> None:
    answer = run("init", "--data", tmp_path / "new", "--json")

    assert answer.exit_code == 0
    assert set(answer.json) == {
        "data", "network", "chain", "class", "mark", "contract", "codeHash", "firstBlock", "operator", "passwordFile",
        "records",
    }  # fmt: skip
    assert answer.json["class"] == "dev"
    assert "NO real one" in answer.json["mark"]
    assert answer.json["contract"].startswith("0x")


def test_what_init_makes_is_for_its_owner_only(tmp_path: Path) -> None:
    run("init", "--data", tmp_path / "new")

    for name in ("keystores/operator.json", "keystores/password", "registry.sqlite"):
        assert stat.S_IMODE((tmp_path / "new" / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_init_again_changes_nothing(cli: Cli, data: Path) -> None:
    before = (data / "keystores" / "operator.json").read_bytes()

    answer = cli("init", "--json")

    assert answer.exit_code == 0
    assert answer.json["passwordFile"] is None
    assert (data / "keystores" / "operator.json").read_bytes() == before


def test_init_says_what_to_do_next_and_that_the_chain_is_not_real(tmp_path: Path) -> None:
    answer = run("init", "--data", tmp_path / "new")

    assert "DEVELOPMENT CHAIN" in answer.stdout
    assert "registry issuer create" in answer.stdout


def test_deploy_on_the_embedded_chain_is_what_init_did(cli: Cli) -> None:
    answer = cli("deploy", "--json")

    assert answer.exit_code == 0
    assert answer.json["network"] == "devchain"


def test_networks_are_listed_with_their_class_and_end(tmp_path: Path) -> None:
    answer = run("networks", "--json")

    assert answer.exit_code == 0
    by_name = {item["name"]: item for item in answer.json["networks"]}
    assert by_name["hoodi"]["default"] is True
    assert by_name["hoodi"]["class"] == "test"
    assert by_name["mainnet"]["mark"] is None
    assert by_name["sepolia"]["expectedEnd"] == "2026-09-30"


def test_a_network_near_its_end_is_a_warning(tmp_path: Path) -> None:
    answer = run("networks")

    assert answer.exit_code == 0
    assert "hoodi" in answer.stdout
    assert "Warning: the network sepolia" in answer.stderr


def test_the_policy_names_the_own_chain_and_the_own_issuers(cli: Cli) -> None:
    answer = cli("policy")

    found = parse_policy(answer.stdout.encode())
    assert [pin.did for pin in found.issuers] == ["did:web:127.0.0.1%3A8000:issuers:uni"]
    assert found.chains[0].name == "devchain"


def test_without_a_data_folder_the_policy_is_the_shipped_one(tmp_path: Path) -> None:
    answer = run("policy")

    assert answer.exit_code == 0
    assert parse_policy(answer.stdout.encode()).issuers == ()
