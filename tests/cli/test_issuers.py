"""`registry issuer …`."""

import json
from pathlib import Path
from typing import Any

from anchors.devchain import CHAIN_ID
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


def test_an_issuer_that_is_named_by_its_key(cli: Cli) -> None:
    answer = cli("issuer", "create", "college", "--did-key", "--json")
    assert answer.json["did"].startswith("did:key:z6Mk")

    rotated = cli("issuer", "rotate", "college", "--json")
    assert (rotated.exit_code, rotated.json["code"]) == (1, "did_key")
    assert cli("issuer", "create", "school", "--did-key", "--did", "did:web:a.example").exit_code == 2
    assert cli("issuer", "create", "school", "--did", "did:key", "--signs", "none", "--json").json["code"] == "did"


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


def test_what_an_issuer_is_and_how_far_its_claim_is(cli: Cli) -> None:
    shown = cli("issuer", "show", "uni", "--json").json

    assert [(key["name"], key["validUntil"], key["compromised"]) for key in shown["keys"]] == [("key-1", None, False)]
    assert shown["document"]["id"] == shown["did"]
    assert shown["claim"]["claimedAt"] is not None
    assert "on chain since" in cli("issuer", "show", "uni").stdout


def test_a_new_issuers_claim_is_pending(cli: Cli) -> None:
    cli("issuer", "create", "college")

    claim = cli("issuer", "show", "college", "--json").json["claim"]
    assert (claim["claimedAt"], claim["underWay"]) == (None, True)
    assert "pending" in cli("issuer", "show", "college").stdout


def test_a_rotation_and_its_claim(cli: Cli, data: Path) -> None:
    ring = (data / "keystores" / "signing" / "uni.json").read_bytes()
    rotated = cli("issuer", "rotate", "uni", "--json").json

    assert (rotated["key"], rotated["claimed"], rotated["note"]) == ("key-2", True, None)
    assert (data / "keystores" / "signing" / "uni.json").read_bytes() != ring
    assert cli("worker", "--once").exit_code == 0
    shown = cli("issuer", "show", "uni", "--json").json
    assert [key["name"] for key in shown["keys"]] == ["key-1", "key-2"]
    assert shown["keys"][0]["validUntil"] is not None
    assert shown["claim"]["claimedAt"] is not None
    assert cli("issuer", "claim", "uni", "--json").json["code"] == "already_claimed"


def test_a_rotation_without_the_controllers_key_says_what_is_left(cli: Cli, data: Path, tmp_path: Path) -> None:
    keystore = data / "keystores" / "controllers" / "uni.json"
    away = tmp_path / "uni.json"
    keystore.rename(away)
    answer = cli("issuer", "rotate", "uni", "--compromised")

    assert answer.exit_code == 0
    assert "registry issuer claim uni" in answer.stdout
    assert "none yet" in cli("issuer", "show", "uni").stdout
    assert cli("issuer", "claim", "uni").exit_code == 1
    away.rename(keystore)
    assert cli("issuer", "claim", "uni").exit_code == 0
    assert "pending" in cli("issuer", "show", "uni").stdout


def test_an_issuer_that_brings_its_did_document(cli: Cli, data: Path, tmp_path: Path) -> None:
    document = tmp_path / "did.json"
    document.write_text('{"id": "did:web:college.example", "verificationMethod": []}')
    options = ("--did", "did:web:college.example", "--did-document", document)

    created = cli("issuer", "create", "college", *options, "--json").json
    assert created["signs"] == "none"
    shown = cli("issuer", "show", "college", "--json").json
    assert (shown["keys"], shown["document"]["id"]) == ([], "did:web:college.example")
    assert not (data / "keystores" / "signing" / "college.json").exists()
    assert cli("issuer", "rotate", "college", "--json").json["code"] == "not_signed_here"
    assert cli("issuer", "claim", "college").exit_code == 0

    document.write_text('{"id": "did:web:other.example"}')
    answer = cli("issuer", "create", "second", "--did", "did:web:second.example", "--did-document", document, "--json")
    assert answer.json["code"] == "did_document"
    document.write_text("no json")
    assert cli("issuer", "create", "third", "--did-document", document).exit_code == 1
    assert cli("issuer", "create", "third", "--signs", "everywhere", "--json").json["code"] == "signs"


def test_an_issuer_whose_document_is_elsewhere(cli: Cli) -> None:
    cli("issuer", "create", "own", "--address", "0x" + "ab" * 20)

    assert "none is kept here" in cli("issuer", "show", "own").stdout
    assert cli("issuer", "show", "own", "--json").json["claim"] is None
    assert cli("issuer", "claim", "own", "--json").json["code"] == "no_did_document"


def test_a_document_that_an_issuer_hands_over(cli: Cli, tmp_path: Path) -> None:
    """Of a hosted issuer the account is known only now, so its document cannot name it before."""
    did, file = "did:web:college.example", tmp_path / "did.json"
    document: dict[str, Any] = {"id": did, "verificationMethod": [], "assertionMethod": []}
    file.write_text(json.dumps(document))
    made = cli("issuer", "create", "college", "--did", did, "--did-document", file, "--json")
    assert made.exit_code == 0
    account = f"eip155:{CHAIN_ID}:{made.json['address']}"
    assert f"does not name the account {account}" in made.stderr
    method = {"id": f"{did}#a", "type": "EcdsaSecp256k1RecoveryMethod2020", "controller": did}
    document["verificationMethod"] = [{**method, "blockchainAccountId": account}]
    document["assertionMethod"] = [f"{did}#a"]
    file.write_text(json.dumps(document))
    answer = cli("issuer", "document", "college", file)
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert "The worker sends it" in answer.stdout
    shown = cli("issuer", "show", "college", "--json").json
    assert (shown["document"], shown["claim"]["underWay"]) == (document, True)
    assert cli("issuer", "document", "uni", file, "--json").json["code"] == "signs"


def test_declaring_delays(cli: Cli) -> None:
    answer = cli("issuer", "declare", "uni", "--anchored-within", "3600", "--json")
    [declared] = answer.json["declaredDelays"]
    assert (answer.exit_code, declared["seconds"]) == (0, 3_600)
    assert "as before" in cli("issuer", "declare", "uni", "--anchored-within", "3600").stdout
    assert cli("issuer", "show", "uni", "--json").json["declaredDelays"] == [declared]
    assert cli("issuer", "declare", "uni").exit_code == 2
    assert cli("issuer", "declare", "uni", "--nothing", "--anchored-within", "1").exit_code == 2
