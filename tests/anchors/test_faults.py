"""A node that is down, slow, talks nonsense, lies, limits the rate, or is not the node that was meant."""

import base64
import logging
import socket
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from anchors.base import (
    AnchorBatch,
    CallReverted,
    ChainUnreachable,
    EvidenceQuery,
    HistoryPruned,
    Refusal,
    TransactionRefused,
    WrongChain,
    WrongContract,
)
from anchors.ethereum import EthereumChain
from registry.core.errors import InputError

ROOT = b"\x11" * 32
SECRET = "key0123456789abcdef"


@pytest.fixture
def waited() -> list[float]:
    return []


@pytest.fixture
def open_chain(local: Any, waited: list[float]) -> Any:
    """Opens a chain with the contract through the given nodes; closes it after the test."""
    chains: list[EthereumChain] = []

    def start(*nodes: Any, **options: Any) -> EthereumChain:
        options = {"timeout": 2.0, "sleep": waited.append, **options}
        chain_id = options.pop("chain_id", local.chain.chain_id)
        contract = options.pop("contract", local.chain.contract)
        chains.append(EthereumChain(nodes, chain_id, contract, **options))
        return chains[-1]

    yield start
    for chain in chains:
        chain.close()


def everything(local: Any, chain: EthereumChain) -> list[Callable[[], Any]]:
    """Each method that asks a node."""
    me = local.signer.address
    head = local.chain.head()
    return [
        chain.check,
        chain.head,
        chain.finalized,
        lambda: chain.block(0),
        lambda: chain.read_issuer(me),
        lambda: chain.read_issuer(me, at=head),
        lambda: chain.read_roles(me, me),
        lambda: chain.read_record(me, ROOT, 0),
        lambda: chain.read_records([(me, ROOT, 0)] * 2),
        lambda: chain.read_next_indexes([me]),
        lambda: chain.read_words(me, [0]),
        lambda: chain.read_evidence([EvidenceQuery(me, ROOT, 0, (0,))]),
        lambda: chain.read_events(0, head.number),
        lambda: chain.estimate_gas(me, chain.encode(AnchorBatch(me, ROOT, 0, 1))),
        chain.suggest_fees,
        lambda: chain.next_nonce(me),
        lambda: chain.balance(me),
        lambda: chain.send(b"\x02"),
        lambda: chain.transaction(ROOT),
    ]


# --- no answer, or none that makes sense ------------------------------------------------------------------------------

FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("drop", {}, "closed the connection"),
    ("drop_after", {}, "closed the connection"),
    ("status", {"status": 500}, "HTTP 500"),
    ("status", {"status": 502, "body": b"<html>"}, "HTTP 502"),
    ("status", {"status": 401}, "API key"),
    ("status", {"status": 404}, "HTTP 404"),
    ("status", {"status": 302}, "HTTP 302"),
    ("html", {}, "a web page"),
    ("garbage", {}, "not JSON"),
    ("empty", {}, "not JSON"),
    ("body", {"body": b"[" * 10_000}, "not JSON"),
    ("body", {"body": b'{"jsonrpc":"2.0","id":1,"id":1,"result":"0x1"}'}, "not JSON"),
    ("body", {"body": b"null"}, "JSON-RPC"),
    ("body", {"body": b"7"}, "JSON-RPC"),
    ("body", {"body": b"[]"}, "JSON-RPC"),
    ("body", {"body": b'{"jsonrpc":"2.0","id":1}'}, "JSON-RPC|no result"),
    ("body", {"body": b'{"jsonrpc":"2.0","id":null,"result":null}'}, "JSON-RPC|no result"),
    ("body", {"body": b'{"jsonrpc":"2.0","id":1,"error":"broken"}'}, "JSON-RPC"),
    ("body", {"body": b'{"jsonrpc":"2.0","id":1,"error":{"code":"x","message":7}}'}, "JSON-RPC"),
]


@pytest.mark.parametrize(("kind", "options", "says"), FAULTS)
def test_without_a_usable_answer_nothing_is_learnt(
    local: Any, open_chain: Any, faulty_node: Any, kind: str, options: dict[str, Any], says: str
) -> None:
    node = faulty_node(local.node)
    node.fail(kind, times=None, **options)
    chain = open_chain(f"{node.url}/v3/{SECRET}?token={SECRET}")
    for ask in everything(local, chain):
        with pytest.raises(ChainUnreachable, match=says) as caught:
            ask()
        assert "127.0.0.1" in str(caught.value)
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None or SECRET not in repr(caught.value.__cause__)


@pytest.mark.parametrize(
    "result", [None, True, 7, -1, 1.5, "", "0x", "0xzz", "latest", [], [None], {}, {"number": "0x1"}]
)
def test_results_of_the_wrong_type_are_no_answer(local: Any, open_chain: Any, faulty_node: Any, result: Any) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    for ask in everything(local, chain):
        node.clear()
        assert chain.head()  # so that the chain id is known and only the call itself is answered wrongly
        node.fail("result", times=None, result=result)
        try:
            answer = ask()
        except (ChainUnreachable, WrongContract):
            continue
        # Three methods may be answered with null (no such block or transaction), one with an empty list (no events).
        assert result in (None, [])
        assert answer is None or answer == []


def test_connection_refused(open_chain: Any) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(ChainUnreachable, match=rf"127\.0\.0\.1:{port}: connection refused"):
        open_chain(f"http://127.0.0.1:{port}").head()


def test_an_unknown_host(open_chain: Any) -> None:
    with pytest.raises(ChainUnreachable, match="resolved"):
        open_chain("http://no-such-host.invalid").head()


def test_a_node_that_is_too_slow(local: Any, open_chain: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    node.fail("delay", seconds=30, times=None)
    began = time.monotonic()
    with pytest.raises(ChainUnreachable, match=r"no answer within 0\.3 seconds"):
        open_chain(node.url, timeout=0.3).head()
    assert time.monotonic() - began < 3


def test_a_node_that_trickles_is_held_to_the_same_deadline(local: Any, open_chain: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    node.fail("trickle", seconds=0.05, times=None)
    began = time.monotonic()
    with pytest.raises(ChainUnreachable, match="takes too long"):
        open_chain(node.url, timeout=0.3).head()
    assert time.monotonic() - began < 3


def test_an_answer_without_end_is_cut_off(
    local: Any, open_chain: Any, faulty_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    chain._nodes._nodes[0]._transport._limit = 100_000
    node.fail("body", body=b" " * 200_000, times=None)
    with pytest.raises(ChainUnreachable, match="more than 100000 bytes"):
        chain.head()


def test_a_proxy_is_not_asked_for_this_machine(
    local: Any, open_chain: Any, faulty_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://192.0.2.1:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert open_chain(faulty_node(local.node).url).head() == local.chain.head()


# --- lies -------------------------------------------------------------------------------------------------------------


def test_a_block_of_another_number(local: Any, open_chain: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    head = chain.head()
    node.fail(
        "result",
        "eth_getBlockByNumber",
        result={"number": hex(head.number), "hash": "0x" + head.hash.hex(), "timestamp": hex(head.timestamp)},
    )
    with pytest.raises(ChainUnreachable, match=f"asked for block 0, got {head.number}"):
        chain.block(0)


@pytest.mark.parametrize(
    ("size", "anchored_at", "block_number"), [(1, 1, 10**9), (1, 2**40, 1), (2**33, 1, 1), (1, 2**65, 1)]
)
def test_a_record_from_the_future(
    local: Any, open_chain: Any, faulty_node: Any, size: int, anchored_at: int, block_number: int
) -> None:
    node = faulty_node(local.node)
    fields = b"".join(value.to_bytes(32, "big") for value in (size, anchored_at, 0, block_number))
    chain = open_chain(node.url)
    node.fail("result", "eth_call", result="0x" + fields.hex())
    with pytest.raises(ChainUnreachable, match="nonsense"):
        chain.read_evidence([EvidenceQuery(b"\1" * 20, ROOT, 0, ())])


def test_too_few_status_words(local: Any, open_chain: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    one = [64, 128, 1, 0, 1, 0]
    node.fail("result", "eth_call", result="0x" + b"".join(value.to_bytes(32, "big") for value in one).hex())
    with pytest.raises(ChainUnreachable, match="asked for 2 status words, got 1"):
        chain.read_words(b"\1" * 20, [0, 1])


@pytest.mark.parametrize("change", ["address", "blockNumber", "blockHash", "topics", "data", "removed"])
def test_a_log_that_was_not_asked_for(local: Any, open_chain: Any, faulty_node: Any, change: str) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    me = local.signer.address
    state = local.send(AnchorBatch(me, ROOT, 0, 10))
    log = {
        "address": "0x" + chain.contract.hex(),
        "blockNumber": hex(state.block_number),
        "blockHash": "0x" + state.block_hash.hex(),
        "transactionHash": "0x" + "00" * 32,
        "logIndex": "0x0",
        "topics": ["0x" + chain._codec.topic("BatchAnchored").hex(), "0x" + "00" * 12 + me.hex(), "0x" + ROOT.hex()],
        "data": "0x" + (0).to_bytes(32, "big").hex() + (10).to_bytes(32, "big").hex(),
        "removed": False,
    }
    node.fail("result", "eth_getLogs", result=[log], times=2)
    assert len(chain.read_events(state.block_number, state.block_number)) == 1
    assert chain.read_evidence([EvidenceQuery(me, ROOT, 0, ())])[0].location.transaction == bytes(32)
    lies = {
        "address": "0x" + "99" * 20,
        "blockNumber": hex(state.block_number + 1),
        "blockHash": "0x12",
        "topics": log["topics"][:2],
        "data": "0x",
        "removed": True,
    }
    node.fail("result", "eth_getLogs", result=[{**log, change: lies[change]}], times=None)
    with pytest.raises(ChainUnreachable):
        chain.read_events(state.block_number, state.block_number)
    if change not in {"blockNumber", "removed"}:  # asked for by block hash, those are not looked at
        with pytest.raises(ChainUnreachable):
            chain.read_evidence([EvidenceQuery(me, ROOT, 0, ())])


def test_a_node_that_names_another_transaction(local: Any, open_chain: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    node.fail("result", "eth_sendRawTransaction", result="0x" + "00" * 32)
    signed = _transfer(local, 0)
    with pytest.raises(ChainUnreachable, match="another transaction"):
        chain.send(signed.raw)


# --- patience ---------------------------------------------------------------------------------------------------------


def test_rate_limits_are_respected(local: Any, open_chain: Any, faulty_node: Any, waited: list[float]) -> None:
    node = faulty_node(local.node)
    node.fail("status", status=429, retry_after=3, times=2)
    assert open_chain(node.url).head() == local.chain.head()
    assert waited == [3.0, 3.0]


def test_patience_has_an_end(local: Any, open_chain: Any, faulty_node: Any, waited: list[float]) -> None:
    node = faulty_node(local.node)
    node.fail("status", status=429, retry_after=2, times=None)
    with pytest.raises(ChainUnreachable, match="too many requests"):
        open_chain(node.url).head()
    assert waited == [2.0, 2.0]


@pytest.mark.parametrize("wish", [3600, "Wed, 21 Oct 2065 07:28:00 GMT"])
def test_a_node_that_asks_for_an_hour_is_not_waited_for(
    local: Any, open_chain: Any, faulty_node: Any, waited: list[float], wish: Any
) -> None:
    node = faulty_node(local.node)
    node.fail("status", status=429, retry_after=wish, times=None)
    with pytest.raises(ChainUnreachable):
        open_chain(node.url).head()
    assert waited == []


@pytest.mark.parametrize("wish", [None, "soon", "", "Wed, 21 Oct 2015 07:28:00 GMT", -5])
def test_an_unreadable_wish_counts_as_a_moment(
    local: Any, open_chain: Any, faulty_node: Any, waited: list[float], wish: Any
) -> None:
    node = faulty_node(local.node)
    node.fail("status", status=429, retry_after=wish)
    open_chain(node.url).head()
    assert len(waited) == 1
    assert waited[0] <= 1


def test_a_rate_limit_within_json_rpc(local: Any, open_chain: Any, faulty_node: Any, waited: list[float]) -> None:
    node = faulty_node(local.node)
    node.fail("error", code=-32005, message="rate limit exceeded, see https://example.org")
    assert open_chain(node.url).head() == local.chain.head()
    assert waited == [1.0]


# --- several nodes ----------------------------------------------------------------------------------------------------


def test_the_next_node_is_asked_and_kept(
    local: Any, open_chain: Any, faulty_node: Any, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = faulty_node(local.node), faulty_node(local.node)
    broken.fail("drop", times=None)
    chain = open_chain(broken.url, sound.url)
    with caplog.at_level(logging.WARNING):
        chain.head()
        chain.head()
    assert len(broken.calls) == 1
    assert "going on with" in caplog.text


def test_each_node_is_named_when_none_answers(local: Any, open_chain: Any, faulty_node: Any) -> None:
    one, other = faulty_node(local.node), faulty_node(local.node)
    one.fail("drop", times=None)
    other.fail("html", times=None)
    with pytest.raises(ChainUnreachable, match=r"closed the connection.*; .*web page"):
        open_chain(one.url, other.url).head()


def test_a_revert_is_an_answer_and_is_not_asked_again(local: Any, open_chain: Any, faulty_node: Any) -> None:
    one, other = faulty_node(local.node), faulty_node(local.node)
    chain = open_chain(one.url, other.url)
    me = local.signer.address
    with pytest.raises(CallReverted, match=r"UnexpectedFirst\(.*expected=0, given=5\)"):
        chain.estimate_gas(me, chain.encode(AnchorBatch(me, ROOT, 5, 1)))
    assert other.calls == []


def test_a_refusal_is_an_answer_and_is_not_sent_elsewhere(local: Any, open_chain: Any, faulty_node: Any) -> None:
    one, other = faulty_node(local.node), faulty_node(local.node)
    chain = open_chain(one.url, other.url)
    one.fail("error", "eth_sendRawTransaction", message="insufficient funds for gas * price + value")
    with pytest.raises(TransactionRefused) as caught:
        chain.send(_transfer(local, 0).raw)
    assert caught.value.refusal is Refusal.INSUFFICIENT_FUNDS
    assert other.calls == []


def test_evidence_is_never_pieced_together_from_two_nodes(local: Any, open_chain: Any, faulty_node: Any) -> None:
    one, other = faulty_node(local.node), faulty_node(local.node)
    chain = open_chain(one.url, other.url)
    local.send(AnchorBatch(local.signer.address, ROOT, 0, 10))
    one.fail("drop", "eth_getLogs", times=None)
    chain.read_evidence([EvidenceQuery(local.signer.address, ROOT, 0, (0,))])
    methods = [method for call in other.calls for method in call]
    assert {"eth_getCode", "eth_call", "eth_getLogs", "eth_chainId"} <= set(methods)


# --- not the node that was meant --------------------------------------------------------------------------------------


def test_a_node_on_another_chain(local: Any, open_chain: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    node.fail("result", "eth_chainId", result="0x1", times=None)
    chain = open_chain(node.url)
    for ask in everything(local, chain):
        with pytest.raises(WrongChain, match=f"is on chain 1, not on chain {local.chain.chain_id}"):
            ask()
    assert {method for call in node.calls for method in call} == {"eth_chainId"}


def test_a_node_on_another_chain_is_passed_over(local: Any, open_chain: Any, faulty_node: Any) -> None:
    wrong, right = faulty_node(local.node), faulty_node(local.node)
    wrong.fail("result", "eth_chainId", result="0x1", times=None)
    assert open_chain(wrong.url, right.url).head() == local.chain.head()
    right.fail("drop", times=None)
    with pytest.raises(ChainUnreachable, match="is on chain 1"):
        open_chain(wrong.url, right.url).head()


def test_the_chain_id_is_asked_again_after_a_failure(local: Any, open_chain: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    chain.head()
    node.fail("drop")
    with pytest.raises(ChainUnreachable):
        chain.head()
    node.fail("result", "eth_chainId", result="0x1", times=None)
    with pytest.raises(WrongChain):
        chain.head()


def test_evidence_asks_for_the_chain_id_each_time(local: Any, open_chain: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    chain.head()
    node.fail("result", "eth_chainId", result="0x1", times=None)
    with pytest.raises(WrongChain):
        chain.read_evidence([EvidenceQuery(b"\1" * 20, ROOT, 0, ())])


def test_no_contract_there(local: Any, open_chain: Any) -> None:
    chain = open_chain(local.node, contract=b"\x88" * 20)
    me = local.signer.address
    for ask in (
        chain.check,
        lambda: chain.read_issuer(me),
        lambda: chain.read_words(me, [0]),
        lambda: chain.read_evidence([EvidenceQuery(me, ROOT, 0, (0,))]),
    ):
        with pytest.raises(WrongContract, match="0x8888888888888888888888888888888888888888"):
            ask()


def test_another_contract_there(local: Any, open_chain: Any) -> None:
    from anchors.ethereum.deploy import DEPLOYER

    chain = open_chain(local.node, contract=DEPLOYER)
    with pytest.raises(WrongContract, match="has the code hash"):
        chain.check()
    # The deployer takes the end of the question for a program; whether that reverts depends on the address.
    for issuer in (bytes(20), b"\xfe" * 20, b"\x01" * 20):
        with pytest.raises(WrongContract):
            chain.read_issuer(issuer)
    with pytest.raises(WrongContract):
        open_chain(local.node, code_hash=b"\1" * 32).check()


# --- nodes that know less, and say it their own way -------------------------------------------------------------------


def test_a_node_without_eip_1898_is_asked_by_number(local: Any, open_chain: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    me = local.signer.address
    local.send(AnchorBatch(me, ROOT, 0, 10))
    head = local.chain.head()
    node.fail("error", "eth_call", code=-32602, message="invalid argument 1: json: cannot unmarshal object")
    assert chain.read_issuer(me, at=head).next_index == 10
    seen = len(node.calls)
    assert chain.read_record(me, ROOT, 0, at=head) is not None
    # Not tried by hash again, but the block's hash is looked up each time.
    assert node.calls[seen:] == [["eth_call"], ["eth_getBlockByNumber"]]


def test_a_thousand_questions_are_ten_requests(local: Any, open_chain: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    me, head = local.signer.address, local.chain.head()
    chain.check()
    for ask in (
        lambda: chain.read_next_indexes([me] * 1000, head),
        lambda: chain.read_records([(me, ROOT, 0)] * 1000, head),
        lambda: chain.read_claims([(me, "did:web:example.org", ROOT)] * 1000, head),
        lambda: chain.read_words_of([(me, [0])] * 1000, head),
    ):
        seen = len(node.calls)
        assert len(ask()) == 1000
        assert len(node.calls) - seen == 10


def test_a_block_that_changes_while_it_is_read_by_number(local: Any, open_chain: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    head = local.chain.head()
    node.fail("error", "eth_call", code=-32602, message="invalid params")
    other = {"number": hex(head.number), "hash": "0x" + "99" * 32, "timestamp": hex(head.timestamp)}
    node.fail("result", "eth_getBlockByNumber", result=other)
    with pytest.raises(ChainUnreachable, match="reorganised"):
        chain.read_record(b"\1" * 20, ROOT, 0, at=head)


@pytest.mark.parametrize(
    "message",
    [
        "header not found",  # geth
        "missing trie node 5b3c (path ) state 0x12 is not available",  # geth
        "hash 0x12 is not currently canonical",  # geth
        "historical state 0x12 is not available",
        "No state available for block 0x12",  # nethermind
        "Block not found",  # besu
        "World state unavailable for block",  # besu
        "block not found: hash 0x12",  # reth
        "state at block #5 is pruned",  # reth
    ],
)
def test_state_that_a_node_has_not_got(local: Any, open_chain: Any, faulty_node: Any, message: str) -> None:
    node, archive = faulty_node(local.node), faulty_node(local.node)
    node.fail("error", "eth_call", message=message, times=None)
    head = local.chain.head()
    with pytest.raises(ChainUnreachable, match="has not got that block"):
        open_chain(node.url).read_record(b"\1" * 20, ROOT, 0, at=head)
    assert open_chain(node.url, archive.url).read_record(b"\1" * 20, ROOT, 0, at=head) is None


def test_without_a_finalized_tag_nothing_is_final(local: Any, open_chain: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    chain.head()
    node.fail("error", "eth_getBlockByNumber", code=-32602, message="invalid block tag: finalized")
    assert chain.finalized() is None


@pytest.mark.parametrize("message", ["pruned history unavailable", "Unknown block", "receipts not available"])
def test_pruned_logs_leave_the_rest_of_the_evidence(
    local: Any, open_chain: Any, faulty_node: Any, message: str
) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    me = local.signer.address
    state = local.send(AnchorBatch(me, ROOT, 0, 10))
    node.fail("error", "eth_getLogs", message=message)
    (evidence,) = chain.read_evidence([EvidenceQuery(me, ROOT, 0, ())])
    assert evidence.record is not None
    assert (evidence.location.block_hash, evidence.location.transaction) == (state.block_hash, None)
    node.fail("result", "eth_getLogs", result=[])
    (evidence,) = chain.read_evidence([EvidenceQuery(me, ROOT, 0, ())])
    assert (evidence.location.block_hash, evidence.location.transaction) == (state.block_hash, None)


@pytest.mark.parametrize(
    ("code", "message"), [(4444, "pruned history unavailable"), (-32000, "old data not available"), (4444, "gone")]
)
def test_events_that_a_node_gave_up_are_told_from_a_node_that_fails(
    local: Any, open_chain: Any, faulty_node: Any, code: int, message: str
) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    node.fail("error", "eth_getLogs", code=code, message=message)
    with pytest.raises(HistoryPruned, match="events of block 0 any more"):
        chain.read_events(0, 0)
    node.fail("error", "eth_getLogs", code=-32603, message="internal error", times=None)
    with pytest.raises(ChainUnreachable) as error:
        chain.read_events(0, 0)
    assert not isinstance(error.value, HistoryPruned)


def test_logs_that_cannot_be_asked_for_are_no_evidence(local: Any, open_chain: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    local.send(AnchorBatch(local.signer.address, ROOT, 0, 10))
    node.fail("error", "eth_getLogs", code=-32603, message="internal error", times=None)
    with pytest.raises(ChainUnreachable, match="internal error"):
        chain.read_evidence([EvidenceQuery(local.signer.address, ROOT, 0, ())])


@pytest.mark.parametrize(
    "message",
    [
        "query returned more than 10000 results",
        "block range is too large",
        "exceed maximum block range: 1000",
        "eth_getLogs is limited to a 10,000 range",
        "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range",
    ],
)
def test_long_ranges_of_events_are_split(local: Any, open_chain: Any, faulty_node: Any, message: str) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    me = local.signer.address
    for first in range(4):
        local.send(AnchorBatch(me, ROOT, first, 1))
    node.fail("error", "eth_getLogs", code=-32005, message=message, times=2)
    events = chain.read_events(0, local.chain.head().number)
    assert [event.first for event in events] == [0, 1, 2, 3]  # type: ignore[union-attr]
    assert sum(call == ["eth_getLogs"] for call in node.calls) > 4


def test_a_node_that_refuses_every_range_ends_the_splitting(local: Any, open_chain: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    node.fail("error", "eth_getLogs", message="block range is too large", times=None)
    with pytest.raises(ChainUnreachable, match="too large"):
        open_chain(node.url).read_events(0, local.chain.head().number)
    assert len(node.calls) < 20


_NO_BATCHES = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch requests are not supported"}}'


@pytest.mark.parametrize(("kind", "options"), [("body", {"body": _NO_BATCHES}), ("status", {"status": 413})])
def test_a_node_without_batches(
    local: Any, open_chain: Any, faulty_node: Any, kind: str, options: dict[str, Any]
) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    chain.head()
    node.fail(kind, **options)
    local.send(AnchorBatch(local.signer.address, ROOT, 0, 10))
    (evidence,) = chain.read_evidence([EvidenceQuery(local.signer.address, ROOT, 0, (0,))])
    assert evidence.record is not None
    assert len(node.calls[2]) > 1
    assert all(len(call) == 1 for call in node.calls[3:])


# --- sending ----------------------------------------------------------------------------------------------------------


def _transfer(local: Any, ahead: int) -> Any:
    from anchors.base import Call

    return local.signer.sign_transaction(
        chain_id=local.chain.chain_id,
        nonce=local.chain.next_nonce(local.signer.address) + ahead,
        call=Call(b"\1" * 20, b""),
        gas=21_000,
        fees=local.chain.suggest_fees(),
    )


def test_sent_and_not_told(local: Any, open_chain: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url)
    signed = _transfer(local, 0)
    node.fail("drop_after", "eth_sendRawTransaction")
    with pytest.raises(ChainUnreachable):
        chain.send(signed.raw)
    chain.send(signed.raw)
    assert chain.transaction(signed.hash) is not None


def test_sent_by_one_node_and_repeated_at_the_next(local: Any, open_chain: Any, faulty_node: Any) -> None:
    one, other = faulty_node(local.node), faulty_node(local.node)
    chain = open_chain(one.url, other.url)
    signed = _transfer(local, 0)
    one.fail("drop_after", "eth_sendRawTransaction")
    chain.send(signed.raw)
    assert chain.transaction(signed.hash) is not None


@pytest.mark.parametrize(
    "message", ["already known", "AlreadyKnown", "Known transaction", "transaction already imported"]
)
def test_a_transaction_that_waits_already(local: Any, open_chain: Any, faulty_node: Any, message: str) -> None:
    node = faulty_node(local.node)
    node.fail("error", "eth_sendRawTransaction", message=message)
    open_chain(node.url).send(_transfer(local, 0).raw)


@pytest.mark.parametrize(
    ("code", "message"), [(-32603, "internal error"), (-32000, "too many requests"), (-32601, "no such method")]
)
def test_a_node_that_cannot_send_just_now(
    local: Any, open_chain: Any, faulty_node: Any, code: int, message: str
) -> None:
    node = faulty_node(local.node)
    node.fail("error", "eth_sendRawTransaction", code=code, message=message, times=None)
    with pytest.raises(ChainUnreachable):
        open_chain(node.url).send(_transfer(local, 0).raw)


def test_fees_above_the_cap(local: Any, open_chain: Any, faulty_node: Any) -> None:
    node = faulty_node(local.node)
    chain = open_chain(node.url, fee_cap=50 * 10**9)
    node.fail("result", "eth_feeHistory", result={"baseFeePerGas": [hex(51 * 10**9)], "reward": [["0x1"]]})
    with pytest.raises(TransactionRefused, match=r"51\.000 gwei.*cap of 50\.000 gwei") as caught:
        chain.suggest_fees()
    assert caught.value.refusal is Refusal.FEE_TOO_LOW
    node.fail("result", "eth_feeHistory", result={"baseFeePerGas": [hex(40 * 10**9)], "reward": [[hex(2 * 10**9)]]})
    fees = chain.suggest_fees()
    assert (fees.max_fee, fees.priority_fee) == (50 * 10**9, 2 * 10**9)
    node.fail("result", "eth_feeHistory", result={"baseFeePerGas": ["0x7"], "reward": [["0x0"], ["0x0"]]})
    assert chain.suggest_fees().priority_fee > 0


# --- no secrets -------------------------------------------------------------------------------------------------------


def test_no_secret_of_a_url_gets_into_errors_or_logs(
    local: Any, open_chain: Any, faulty_node: Any, caplog: pytest.LogCaptureFixture
) -> None:
    node = faulty_node(local.node)
    authority = node.url.removeprefix("http://")
    url = f"http://user:{SECRET}pw@{authority}/v2/{SECRET}?apikey={SECRET}q"
    header = base64.b64encode(f"user:{SECRET}pw".encode()).decode()
    chain = open_chain(url)
    with caplog.at_level(logging.DEBUG):
        chain.head()
        for message in (
            f"project {SECRET} is over its quota, see /v2/{SECRET}?apikey={SECRET}q",
            "x\r\nSet-Cookie: y",
            f"not authorized: Basic {header}",
        ):
            node.fail("error", message=message, times=None)
            with pytest.raises(ChainUnreachable) as caught:
                chain.head()
            assert SECRET not in str(caught.value)
            assert header not in str(caught.value)
            assert "\n" not in str(caught.value)
            node.clear()
    assert SECRET not in caplog.text
    assert SECRET not in repr(chain)


@pytest.mark.parametrize(
    "url",
    ["", "localhost:8545", "ws://x/" + SECRET, "file:///etc/passwd", "http://", "http://[::" + SECRET, "http://h:x/"],
)
def test_urls_of_no_use_are_refused_without_showing_them(open_chain: Any, url: str) -> None:
    with pytest.raises(InputError) as caught:
        open_chain(url)
    assert SECRET not in str(caught.value)


def test_a_chain_needs_a_node_and_an_address(open_chain: Any, local: Any) -> None:
    with pytest.raises(InputError, match="REGISTRY_RPC_URLS"):
        open_chain()
    with pytest.raises(InputError, match="20 bytes"):
        open_chain(local.node, contract=b"\1" * 19)
