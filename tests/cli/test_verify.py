"""`registry verify`: sentences, exit codes, and whom it asks and trusts."""

import json
import shutil
from pathlib import Path

import pytest

from registry.settings import load_settings
from registry.standards.baking import bake, default_png
from registry.standards.proofs.creating import add_proofs
from registry.wiring.embedded import EmbeddedNode
from support.cli import Cli, run
from support.signed import badge, signer_of, signing_key

KEY = f"did:key:{signing_key().public_key.multikey}"


@pytest.fixture
def facts(cli: Cli) -> dict[str, str]:
    """What a verifier elsewhere has to know."""
    issuer = cli("issuer", "list", "--json").json["issuers"][0]
    batch = cli("batches", "--json").json["batches"][0]
    return {"pin": f"{issuer['did']}={issuer['address']}", "contract": batch["contract"]}


@pytest.fixture
def rpc(data: Path):
    node = EmbeddedNode(load_settings(data).chain_dir)
    yield node.url()
    node.stop()


def tampered(bundle: Path, to: Path) -> Path:
    document = json.loads(bundle.read_text())
    document["credential"]["credentialSubject"]["name"] = "Somebody Else"
    to.write_text(json.dumps(document))
    return to


def test_valid_says_so_in_a_sentence_with_the_mark(cli: Cli, bundle: Path) -> None:
    answer = cli("verify", bundle)

    assert answer.exit_code == 0
    assert answer.stdout.startswith("VALID ")
    assert "Learner" in answer.stdout
    assert "DEVELOPMENT CHAIN" in answer.stdout
    assert len(answer.stdout.splitlines()) == 2


def test_verbose_lists_the_checks(cli: Cli, bundle: Path) -> None:
    answer = cli("verify", "-v", bundle)

    for name in ("format", "integrity", "inclusion", "anchor", "issuer", "binding", "revocation", "suspension"):
        assert f" {name}: " in answer.stdout, name


def test_json_has_every_check(cli: Cli, bundle: Path) -> None:
    answer = cli("verify", bundle, "--json")

    [result] = answer.json["results"]
    assert result["status"] == "VALID"
    assert result["file"] == str(bundle)
    assert len(result["checks"]) == 12
    assert answer.json["exitCode"] == 0
    assert "DEVELOPMENT CHAIN" in answer.json["marks"][0]


def test_a_forgery_is_invalid(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    answer = cli("verify", tampered(bundle, tmp_path / "forged.json"))

    assert answer.exit_code == 1
    assert answer.stdout.startswith("INVALID ")


def test_the_worst_file_gives_the_exit_code(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    forged = tampered(bundle, tmp_path / "forged.json")
    unreadable = tmp_path / "unreadable.json"
    unreadable.write_text("{")

    assert cli("verify", bundle, forged).exit_code == 1
    assert cli("verify", bundle, forged, unreadable).exit_code == 2
    assert cli("verify", tmp_path / "nothing.json").exit_code == 2


def test_a_folder_stands_for_its_bundles(cli: Cli, data: Path) -> None:
    assert len(cli("verify", data / "bundles", "--json").json["results"]) == 12


def test_an_empty_folder_is_no_success(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert cli("verify", tmp_path / "empty").exit_code == 2


def test_a_revoked_one_beside_an_unknown_one_is_1_not_3(cli: Cli, data: Path) -> None:
    first, second, *_ = sorted((data / "bundles").glob("*.json"))
    cli("revoke", first.stem)
    cli("worker", "--once")
    cli("revoke", second.stem)

    assert cli("verify", second).exit_code == 3
    assert cli("verify", first, second).exit_code == 1


def test_elsewhere_with_node_contract_and_pin(facts: dict[str, str], rpc: str, bundle: Path) -> None:
    answer = run("verify", bundle, "--rpc", rpc, "--contract", facts["contract"], "--pin", facts["pin"], "--json")

    assert answer.exit_code == 0, answer.stdout
    assert answer.json["results"][0]["issuer"]["did"].startswith("did:web:")


def test_elsewhere_without_a_pin_the_issuer_is_not_known(facts: dict[str, str], rpc: str, bundle: Path) -> None:
    answer = run("verify", bundle, "--rpc", rpc, "--contract", facts["contract"], "--json")

    assert answer.exit_code == 3
    assert "issuer_not_pinned" in answer.stdout


def test_elsewhere_with_another_pin_it_is_invalid(facts: dict[str, str], rpc: str, bundle: Path) -> None:
    pin = facts["pin"][:-2] + ("00" if facts["pin"][-2:] != "00" else "11")

    answer = run("verify", bundle, "--rpc", rpc, "--contract", facts["contract"], "--pin", pin)

    assert answer.exit_code == 1


def test_another_contract_than_the_bundle_names_does_not_count(rpc: str, bundle: Path, facts: dict[str, str]) -> None:
    answer = run("verify", bundle, "--rpc", rpc, "--contract", "0x" + "11" * 20, "--pin", facts["pin"], "--json")

    assert answer.exit_code == 1
    assert "contract_not_trusted" in answer.stdout


def test_another_code_than_ours_does_not_count(rpc: str, bundle: Path, facts: dict[str, str]) -> None:
    answer = run(
        "verify", bundle, "--rpc", rpc, "--contract", facts["contract"], "--code-hash", "0x" + "11" * 32,
        "--pin", facts["pin"], "--json",
    )  # fmt: skip

    assert answer.exit_code == 1
    assert "code_not_trusted" in answer.stdout


def test_without_a_node_that_answers_it_is_neither_valid_nor_invalid(facts: dict[str, str], bundle: Path) -> None:
    answer = run(
        "verify", bundle, "--rpc", "http://127.0.0.1:9", "--contract", facts["contract"], "--pin", facts["pin"]
    )

    assert answer.exit_code == 3
    assert answer.stdout.startswith("INDETERMINATE")


def test_the_shipped_policy_does_not_know_a_development_chain(bundle: Path) -> None:
    answer = run("verify", bundle)

    assert answer.exit_code == 1
    assert "does not list the chain" in answer.stdout


def test_a_policy_file_with_a_node(cli: Cli, rpc: str, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text(cli("policy").stdout)

    assert run("verify", bundle, "--rpc", rpc, "--policy", tmp_path / "policy.json").exit_code == 0
    assert run("verify", bundle, "--policy", tmp_path / "policy.json").exit_code == 3


def test_a_policy_file_that_cannot_be_used(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text("{}")

    answer = run("verify", bundle, "--policy", tmp_path / "policy.json", "--json")

    assert answer.exit_code == 2
    assert answer.json["code"] == "policy_error"
    assert "policy.json" in answer.json["detail"]


def test_verifying_leaves_the_folder_as_it_was(cli: Cli, data: Path, bundle: Path, tmp_path: Path) -> None:
    shutil.copy(data / "registry.sqlite", tmp_path / "before")

    cli("verify", bundle)

    assert (data / "registry.sqlite").read_bytes() == (tmp_path / "before").read_bytes()


@pytest.mark.parametrize("pin", ["nobody", "did:web:a.example=0x12", "did:web:a.example/x", "https://a.example/#x"])
def test_a_pin_that_cannot_be_read(bundle: Path, pin: str) -> None:
    assert run("verify", bundle, "--pin", pin).exit_code == 2


# --- more than bundles ------------------------------------------------------------------------------------------------


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """A signed credential without a bundle."""
    signed = add_proofs(badge(issuer=KEY), signer_of(KEY, 1, KEY.removeprefix("did:key:")), 1_700_000_000)
    path = tmp_path / "alone.json"
    path.write_text(json.dumps(signed))
    return path


def test_a_credential_alone_is_called_not_anchored(alone: Path) -> None:
    answer = run("verify", alone, "--pin", KEY)

    assert answer.exit_code == 0, answer.stdout
    assert "Data literacy" in answer.stdout
    assert "NOT ANCHORED: nothing proves when it was issued" in answer.stdout


def test_a_credential_alone_of_somebody_unknown(alone: Path) -> None:
    answer = run("verify", alone, "--json")

    assert answer.exit_code == 3
    [result] = answer.json["results"]
    assert (result["basis"], result["chain"]) == ("signature", None)


def test_a_baked_image_alone(alone: Path, tmp_path: Path) -> None:
    image = tmp_path / "badge.png"
    image.write_bytes(bake(default_png("Uni"), alone.read_bytes()))

    assert run("verify", image, "--pin", KEY).exit_code == 0


def test_whose_it_is_changes_the_exit_code_and_not_the_verdict(alone: Path) -> None:
    own = run("verify", alone, "--pin", KEY, "--subject-email", "zoe@example.org")
    other = run("verify", alone, "--pin", KEY, "--subject-email", "eve@example.org")

    assert (own.exit_code, other.exit_code) == (0, 1)
    assert other.stdout.startswith("VALID")
    assert "SOMEBODY ELSE'S" in other.stdout
    assert "eve@example.org" not in other.stdout + other.stderr


def test_nobodys_credential_is_not_taken_for_everybodys(tmp_path: Path) -> None:
    document = badge(issuer=KEY)
    document["credentialSubject"]["id"] = "urn:example:learner"
    path = tmp_path / "nobodys.json"
    path.write_text(json.dumps(add_proofs(document, signer_of(KEY, 1, KEY.removeprefix("did:key:")), 1_700_000_000)))

    answer = run("verify", path, "--pin", KEY, "--subject-email", "zoe@example.org")
    assert answer.stdout.startswith("VALID")
    assert answer.exit_code == 3
    assert run("verify", path, "--subject-email", "zoe@example.org").exit_code == 3


def test_as_of_a_time(cli: Cli, bundle: Path) -> None:
    anchored = json.loads(bundle.read_text())["anchors"][0]["anchoredAt"]

    answer = cli("verify", bundle, "--at", anchored)

    assert answer.exit_code == 0, answer.stdout
    assert f"As of {anchored}" in answer.stdout
    assert cli("verify", bundle, "--at", "2020-01-01T00:00:00Z").exit_code == 1
    assert cli("verify", bundle, "--at", "2099-01-01T00:00:00Z").exit_code == 2
    assert cli("verify", bundle, "--at", "yesterday").exit_code == 2


def test_pinned_documents_count_without_asking_anybody(
    cli: Cli, data: Path, bundle: Path, facts: dict[str, str], rpc: str, tmp_path: Path
) -> None:
    """As if the bundle carried no document of its own, and the DID's host were gone."""
    alone = tmp_path / "alone.json"
    content = json.loads(bundle.read_text())
    document = content.pop("issuerDocument")
    alone.write_text(json.dumps(content))
    elsewhere = ("verify", alone, "--rpc", rpc, "--contract", facts["contract"], "--pin", facts["pin"], "--json")
    unknown = cli(*elsewhere)
    assert unknown.exit_code == 3
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "uni.json").write_text(json.dumps(document))
    answer = cli(*elsewhere, "--did-documents", tmp_path / "documents")
    assert answer.exit_code == 0, answer.stdout
    (tmp_path / "documents" / "more.json").write_text("[]")
    assert cli(*elsewhere, "--did-documents", tmp_path / "documents").exit_code == 2
