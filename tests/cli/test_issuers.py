"""`registry issuer …`."""

from pathlib import Path

from support.cli import Cli


def test_a_hosted_issuer_gets_a_controller_key(cli: Cli, data: Path) -> None:
    answer = cli("issuer", "create", "college", "--json")

    assert answer.exit_code == 0
    assert answer.json["did"] == "did:web:127.0.0.1%3A8000:issuers:college"
    assert answer.json["mode"] == "hosted"
    assert (data / "keystores" / "controllers" / "college.json").stat().st_mode & 0o777 == 0o600


def test_an_issuer_that_signs_for_itself(cli: Cli, data: Path) -> None:
    address = "0x" + "aB" * 20

    answer = cli("issuer", "create", "college", "--address", address, "--did", "did:web:college.example", "--json")

    assert (answer.json["mode"], answer.json["address"]) == ("self", address.lower())
    assert not (data / "keystores" / "controllers" / "college.json").exists()


def test_a_name_twice(cli: Cli) -> None:
    assert cli("issuer", "create", "uni", "--json").json["code"] == "issuer_exists"


def test_a_bad_name_and_a_bad_address(cli: Cli) -> None:
    assert cli("issuer", "create", "Not A Name", "--json").json["code"] == "name"
    assert cli("issuer", "create", "college", "--address", "0x12").exit_code == 2


def test_issuers_are_listed(cli: Cli) -> None:
    [issuer] = cli("issuer", "list", "--json").json["issuers"]

    assert (issuer["name"], issuer["credentials"], issuer["halted"]) == ("uni", 12, None)
    assert "did:web:127.0.0.1%3A8000:issuers:uni" in cli("issuer", "list").stdout


def test_authorizing_what_is_authorized(cli: Cli) -> None:
    assert cli("issuer", "authorize", "uni", "--json").json["code"] == "already_authorized"


def test_authorizing_again_what_was_never_sent(cli: Cli) -> None:
    cli("issuer", "create", "college")

    assert cli("issuer", "authorize", "college").exit_code == 0


def test_an_api_key_is_shown_once_and_can_be_ended(cli: Cli, data: Path) -> None:
    key = cli("issuer", "key", "create", "uni", "--scope", "issue", "--label", "campus system", "--json").json

    assert key["secret"].startswith("crk_")
    assert key["scopes"] == ["issue"]
    assert key["secret"].encode() not in (data / "registry.sqlite").read_bytes()
    assert cli("issuer", "key", "revoke", key["id"], "uni", "--json").json["ended"] is True
    assert cli("issuer", "key", "revoke", key["id"], "uni", "--json").json["code"] == "no_such_key"


def test_an_operator_key(cli: Cli) -> None:
    assert cli("issuer", "key", "create", "--operator", "--json").json["scopes"] == ["operator"]


def test_a_key_needs_an_owner(cli: Cli) -> None:
    assert cli("issuer", "key", "create").exit_code == 2
    assert cli("issuer", "key", "create", "uni", "--operator").exit_code == 2
    assert cli("issuer", "key", "create", "uni", "--scope", "everything", "--json").json["code"] == "scopes"
