"""One backend after the other for the conformance tests: what holds for one node holds for all."""

import importlib.util
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anchors.base import Call, ContractCall, Signature, SignedTransaction, TransactionState
from anchors.devchain import DevChain
from anchors.ethereum import EthereumChain, KeystoreSigner, create_keystore
from anchors.ethereum.deploy import contract_address, deploy

PASSWORD = b"correct horse"
NODES = ["devchain", "devchain-http", pytest.param("anvil", marks=pytest.mark.anvil)]


@dataclass
class Backend:
    """A chain with the contract on it, and an account that can pay."""

    node: Any
    chain: Any
    signer: Any
    fund: Callable[[bytes, int], None]

    def send(self, call: ContractCall | Call, signature: Signature | None = None) -> TransactionState:
        """Signs, sends and returns where it went; the caller has seen to it that it does not revert."""
        encoded = call if isinstance(call, Call) else self.chain.encode(call, signature)
        gas = self.chain.estimate_gas(self.signer.address, encoded) * 12 // 10
        signed = self.signer.sign_transaction(
            chain_id=self.chain.chain_id,
            nonce=self.chain.next_nonce(self.signer.address),
            call=encoded,
            gas=gas,
            fees=self.chain.suggest_fees(),
        )
        state = self.mined(signed)
        assert state.succeeded
        return state

    def mined(self, signed: SignedTransaction) -> TransactionState:
        """Sends it and waits: anvil answers before it has made the block."""
        self.chain.send(signed.raw)
        end = time.monotonic() + 20
        while (state := self.chain.transaction(signed.hash)) is None:
            assert time.monotonic() < end, "not in a block after twenty seconds"
            time.sleep(0.01)
        return state


@pytest.fixture
def new_signer(tmp_path: Path) -> Callable[[str], KeystoreSigner]:
    def make(name: str) -> KeystoreSigner:
        path = tmp_path / f"{name}.json"
        create_keystore(path, PASSWORD, scrypt_n=2)
        return KeystoreSigner(path, PASSWORD)

    return make


@pytest.fixture(params=["fake", *NODES])
def backend(request: pytest.FixtureRequest, new_signer: Callable[[str], KeystoreSigner]) -> Iterator[Backend]:
    """All back-ends, and the fake that the service is tested with: what it does, it does alike."""
    if request.param == "fake":
        fake = _fake_chain()
        chain = fake.FakeChain(lambda: int(time.time()))
        yield Backend(None, chain, fake.FakeSigner(b"\x0f" * 20), chain.balances.__setitem__)
    else:
        yield from _node(request, new_signer)


@pytest.fixture(params=NODES)
def node_backend(request: pytest.FixtureRequest, new_signer: Callable[[str], KeystoreSigner]) -> Iterator[Backend]:
    """All nodes, for what the fake leaves out."""
    yield from _node(request, new_signer)


def _fake_chain() -> Any:
    path = Path(__file__).parent.parent / "support" / "fake_chain.py"
    spec = importlib.util.spec_from_file_location("fake_chain_of_conformance", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def _node(request: pytest.FixtureRequest, new_signer: Callable[[str], KeystoreSigner]) -> Iterator[Backend]:
    if request.param == "anvil":
        anvil = request.getfixturevalue("anvil")(560048)
        signer = new_signer("payer")
        anvil.fund(signer.address)
        node, fund = anvil.url, anvil.fund
    else:
        devchain: DevChain = request.getfixturevalue("devchain")
        signer, fund = devchain.account, devchain.fund
        node = devchain.start() if request.param == "devchain-http" else devchain
    chain_id = 560048 if request.param == "anvil" else devchain.chain_id
    deployment = deploy([node], chain_id, signer)
    with EthereumChain([node], chain_id, deployment.address) as chain:
        yield Backend(node, chain, signer, fund)


@pytest.fixture(scope="session")
def deployed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A development chain that has the contract; tests work on copies."""
    folder = tmp_path_factory.mktemp("deployed") / "devchain"
    with DevChain(folder) as devchain:
        deploy([devchain], devchain.chain_id, devchain.account)
    return folder


@pytest.fixture
def local(deployed_folder: Path, tmp_path: Path) -> Iterator[Backend]:
    """The embedded chain within the process, where a test is about our side of the line only."""
    shutil.copytree(deployed_folder, tmp_path / "local")
    with (
        DevChain(tmp_path / "local") as devchain,
        EthereumChain([devchain], devchain.chain_id, contract_address()) as chain,
    ):
        yield Backend(devchain, chain, devchain.account, devchain.fund)
