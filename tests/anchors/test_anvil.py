"""What only a node with a mempool and forks can show: waiting, replaced and dropped transactions, reorganisations."""

from typing import Any

import pytest

from anchors.base import AnchorBatch, ChainUnreachable, EvidenceQuery, Fees, Refusal, TransactionRefused, WrongChain
from anchors.ethereum import EthereumChain
from anchors.ethereum.deploy import contract_address, deploy

pytestmark = pytest.mark.anvil
ROOT = b"\x11" * 32
GWEI = 10**9
FEES = Fees(20 * GWEI, GWEI)


@pytest.fixture
def node(anvil: Any, new_signer: Any) -> Any:
    node = anvil(560048)
    node.signer = new_signer("payer")
    node.fund(node.signer.address)
    deploy([node.url], 560048, node.signer)
    with EthereumChain([node.url], 560048, contract_address()) as chain:
        node.chain = chain
        yield node


def _sign(node: Any, *, nonce: int | None = None, fees: Fees = FEES, first: int = 0) -> Any:
    chain, me = node.chain, node.signer.address
    return node.signer.sign_transaction(
        chain_id=chain.chain_id,
        nonce=chain.next_nonce(me) if nonce is None else nonce,
        call=chain.encode(AnchorBatch(me, ROOT, first, 10)),
        gas=150_000,
        fees=fees,
    )


def _anchor(node: Any, wait_until: Any) -> Any:
    """Anchors a batch, and returns the block that it is in."""
    signed = _sign(node)
    node.chain.send(signed.raw)
    wait_until(lambda: node.chain.transaction(signed.hash) is not None)
    return node.chain.head()


def test_a_reorganisation_takes_an_anchor_away(node: Any, wait_until: Any) -> None:
    chain, me = node.chain, node.signer.address
    before = chain.head()
    anchored = _anchor(node, wait_until)
    assert chain.read_record(me, ROOT, 0, at=anchored) is not None
    node.rpc("anvil_reorg", 1, [])
    with pytest.raises(ChainUnreachable):
        chain.read_record(me, ROOT, 0, at=anchored)
    with pytest.raises(ChainUnreachable):
        chain.next_nonce(me, at=anchored)
    assert chain.read_record(me, ROOT, 0) is None
    (evidence,) = chain.read_evidence([EvidenceQuery(me, ROOT, 0, (0,))])
    assert evidence.record is None
    assert evidence.block.hash != anchored.hash
    assert chain.block(before.number) == before
    assert chain.read_events(before.number, chain.head().number) == []


def test_a_reorganisation_while_evidence_is_read(node: Any, faulty_node: Any, wait_until: Any) -> None:
    me = node.signer.address
    _anchor(node, wait_until)
    between = faulty_node(node.url)
    with EthereumChain([between.url], 560048, contract_address(), sleep=lambda _: None) as chain:
        forward, reorganised = between._forward, []

        def reorganise(payload: bytes) -> bytes:
            # After the state was read, before the last look.
            if b"eth_getLogs" in payload and not reorganised:
                reorganised.append(node.rpc("anvil_reorg", 1, []))
            return forward(payload)

        between._forward = reorganise
        with pytest.raises(ChainUnreachable):
            chain.read_evidence([EvidenceQuery(me, ROOT, 0, (0,))])
        (evidence,) = chain.read_evidence([EvidenceQuery(me, ROOT, 0, (0,))])
        assert evidence.record is None


def test_waiting_transactions_count_for_nothing_and_are_replaced_for_a_better_fee(node: Any) -> None:
    chain, me = node.chain, node.signer.address
    node.rpc("evm_setAutomine", False)
    nonce = chain.next_nonce(me)
    first, dearer = _sign(node, nonce=nonce), _sign(node, nonce=nonce, fees=Fees(30 * GWEI, 2 * GWEI))
    cheaper = _sign(node, nonce=nonce, fees=Fees(19 * GWEI, GWEI))
    chain.send(first.raw)
    chain.send(first.raw)
    assert chain.next_nonce(me) == nonce
    assert chain.transaction(first.hash) is None
    with pytest.raises(TransactionRefused) as caught:
        chain.send(cheaper.raw)
    assert caught.value.refusal is Refusal.UNDERPRICED
    chain.send(dearer.raw)
    node.rpc("evm_mine")
    assert chain.transaction(first.hash) is None
    state = chain.transaction(dearer.hash)
    assert state is not None
    assert state.succeeded
    chain.send(dearer.raw)
    with pytest.raises(TransactionRefused) as caught:
        chain.send(first.raw)
    assert caught.value.refusal is Refusal.NONCE_TOO_LOW


def test_a_fee_below_the_base_fee_is_refused(node: Any) -> None:
    node.rpc("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
    signed = _sign(node, fees=Fees(1, 1))
    with pytest.raises(TransactionRefused) as caught:
        node.chain.send(signed.raw)
    assert caught.value.refusal is Refusal.FEE_TOO_LOW
    assert node.chain.transaction(signed.hash) is None


def test_a_transaction_that_was_dropped_is_nowhere(node: Any) -> None:
    chain = node.chain
    node.rpc("evm_setAutomine", False)
    signed = _sign(node)
    chain.send(signed.raw)
    node.rpc("anvil_dropTransaction", "0x" + signed.hash.hex())
    node.rpc("evm_mine")
    assert chain.transaction(signed.hash) is None
    assert chain.read_issuer(node.signer.address).next_index == 0


def test_final_lags_behind(node: Any) -> None:
    node.rpc("anvil_mine", hex(100))
    final, head = node.chain.finalized(), node.chain.head()
    assert final is not None
    assert 0 < final.number < head.number
    (evidence,) = node.chain.read_evidence([EvidenceQuery(b"\1" * 20, ROOT, 0, ())])
    assert evidence.finalized == final.number


def test_an_anvil_of_another_chain(anvil: Any) -> None:
    with (
        EthereumChain([anvil(31337).url], 560048, contract_address()) as chain,
        pytest.raises(WrongChain, match="is on chain 31337, not on chain 560048"),
    ):
        chain.check()


def test_a_node_that_was_restarted_empty_is_noticed(node: Any, anvil: Any, faulty_node: Any) -> None:
    from anchors.base import WrongContract

    between = faulty_node(node.url)
    with EthereumChain([between.url], 560048, contract_address()) as chain:
        chain.check()
        between._target = anvil(560048).url
        with pytest.raises(WrongContract, match="registry deploy"):
            chain.check()


def test_killed_node(node: Any) -> None:
    node.chain.head()
    node.stop()
    with pytest.raises(ChainUnreachable):
        node.chain.head()


def test_the_deployer_is_there_already_and_the_address_is_the_embedded_chains(node: Any, local: Any) -> None:
    assert node.chain.check() == local.chain.check()
    assert node.chain.contract == local.chain.contract
