"""Deploying: once, twice, interrupted, without money, and where something else stands."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from anchors.artifact import load_artifact
from anchors.base import ChainUnreachable, Refusal, TransactionRefused, WrongContract
from anchors.deployments import Deployment, find_deployment, load_deployments, save_deployment
from anchors.devchain import DevChain
from anchors.ethereum import deploy as module
from anchors.ethereum.codec import keccak
from anchors.ethereum.deploy import contract_address, deploy
from registry.core.errors import InputError


def test_the_artifact_is_what_it_says() -> None:
    artifact = load_artifact()
    assert keccak(artifact.deployed_bytecode) == artifact.code_hash
    assert artifact.deployed_bytecode in artifact.bytecode


def test_deploying_twice_ends_in_the_same(devchain: DevChain) -> None:
    said: list[str] = []
    first = deploy([devchain], devchain.chain_id, devchain.account, report=said.append)
    second = deploy([devchain], devchain.chain_id, devchain.account, report=said.append)
    assert first == second
    assert first.address == contract_address()
    assert first.code_hash == load_artifact().code_hash
    assert first.block_number == 3
    assert first.transaction is not None
    assert any("already" in line for line in said)


@pytest.mark.parametrize("requests", range(1, 40, 3))
@pytest.mark.parametrize("kind", ["drop", "drop_after"])
def test_interrupted_anywhere_and_repeated_it_ends_in_the_same(
    devchain: DevChain, faulty_node: Any, kind: str, requests: int
) -> None:
    node = faulty_node(devchain)
    node.fail(kind, skip=requests)
    try:
        deploy([node.url], devchain.chain_id, devchain.account, sleep=lambda _: None)
    except ChainUnreachable:
        deployment = deploy([node.url], devchain.chain_id, devchain.account, sleep=lambda _: None)
        assert deployment.block_number == 3
        assert deployment.transaction is not None


def test_without_money(devchain: DevChain, new_signer: Any) -> None:
    with pytest.raises(TransactionRefused) as caught:
        deploy([devchain], devchain.chain_id, new_signer("poor"))
    assert caught.value.refusal is Refusal.INSUFFICIENT_FUNDS
    assert "send money" in str(caught.value)


def test_something_else_at_the_address(devchain: DevChain, faulty_node: Any) -> None:
    node = faulty_node(devchain)
    node.fail("result", "eth_getCode", result="0x6001", times=None)
    with pytest.raises(WrongContract, match="has the code hash"):
        deploy([node.url], devchain.chain_id, devchain.account)


def test_something_else_in_the_deployers_place(devchain: DevChain, faulty_node: Any) -> None:
    node = faulty_node(devchain)
    node.fail("result", "eth_getCode", result="0x6001", skip=1, times=None)
    with pytest.raises(WrongContract, match="not the deterministic deployer"):
        deploy([node.url], devchain.chain_id, devchain.account)


def test_a_transaction_that_gets_into_no_block(devchain: DevChain, faulty_node: Any) -> None:
    node = faulty_node(devchain)
    node.fail("result", "eth_getCode", result="0x", times=None)
    waited: list[float] = []
    with pytest.raises(ChainUnreachable, match="run the same command again"):
        deploy([node.url], devchain.chain_id, devchain.account, wait=5, sleep=waited.append)
    assert sum(waited) == 5


def test_a_node_without_old_state_cannot_name_the_block(local: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    node.fail("error", "eth_getCode", message="missing trie node", skip=2, times=None)
    deployment = deploy([node.url], local.chain.chain_id, local.signer)
    assert (deployment.block_number, deployment.transaction) == (None, None)


@pytest.mark.anvil
def test_one_that_waits_already_is_waited_for(anvil: Any, new_signer: Any) -> None:
    node, signer = anvil(560048), new_signer("payer")
    node.fund(signer.address)
    node.rpc("evm_setAutomine", False)
    with pytest.raises(ChainUnreachable):
        deploy([node.url], 560048, signer, wait=1, sleep=lambda _: None)
    said: list[str] = []
    deployment = deploy([node.url], 560048, signer, report=said.append, sleep=lambda _: node.rpc("evm_mine"))
    assert deployment.address == contract_address()
    assert deployment.transaction is not None


# --- records ----------------------------------------------------------------------------------------------------------

RECORD = Deployment(4711, b"\xaa" * 20, b"\xbb" * 32, 7, b"\xcc" * 32)


def test_what_was_recorded_is_found(tmp_path: Path) -> None:
    path = save_deployment(RECORD, tmp_path / "deployments")
    assert path.name == "4711.json"
    assert find_deployment(4711, tmp_path / "deployments") == RECORD
    assert find_deployment(4712, tmp_path / "deployments") is None
    save_deployment(Deployment(4711, b"\xaa" * 20, b"\xbb" * 32, None, None), tmp_path / "deployments")
    assert load_deployments(tmp_path / "deployments")[4711].transaction is None
    assert [entry.name for entry in path.parent.iterdir()] == ["4711.json"]


def test_without_a_folder_the_shipped_ones_count(tmp_path: Path) -> None:
    assert load_deployments(tmp_path / "missing") == load_deployments()


def test_a_failed_write_leaves_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_deployment(RECORD, tmp_path)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_deployment(Deployment(4711, b"\xdd" * 20, b"\xbb" * 32, None, None), tmp_path)
    assert load_deployments(tmp_path)[4711] == RECORD
    assert [entry.name for entry in tmp_path.iterdir()] == ["4711.json"]


@pytest.mark.parametrize(
    "change",
    [
        {"chainId": "4711"},
        {"chainId": -1},
        {"address": "0x12"},
        {"address": 7},
        {"codeHash": None},
        {"blockNumber": "7"},
    ],
)
def test_a_damaged_record_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    path = save_deployment(RECORD, tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=r"4711\.json"):
        load_deployments(tmp_path)


def test_a_record_under_another_name_is_refused(tmp_path: Path) -> None:
    shutil.move(save_deployment(RECORD, tmp_path), tmp_path / "1.json")
    with pytest.raises(InputError, match=r"1\.json is about chain 4711"):
        load_deployments(tmp_path)


def test_an_incomplete_installation_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import anchors.artifact

    monkeypatch.setattr(anchors.artifact, "contract_files", lambda _: tmp_path)
    with pytest.raises(InputError, match="install the package again"):
        load_artifact.__wrapped__()


def test_the_presigned_transaction_is_nobodys(devchain: DevChain) -> None:
    from eth_account import Account

    assert Account.recover_transaction(module._DEPLOYER_TRANSACTION).lower() == "0x" + module._DEPLOYER_SENDER.hex()
