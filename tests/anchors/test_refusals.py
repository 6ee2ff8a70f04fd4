"""The words in which nodes refuse transactions and reverts, collected from their sources and from running them."""

import pytest

from anchors.artifact import load_artifact
from anchors.base import Refusal
from anchors.ethereum.codec import Codec, keccak
from anchors.ethereum.reader import Reader
from anchors.ethereum.refusals import KNOWN, refusal_of
from anchors.ethereum.rpc import RpcError
from registry.core.errors import InputError


@pytest.mark.parametrize(
    ("message", "refusal"),
    [
        # go-ethereum, reth, anvil
        ("nonce too low: next nonce 5, tx nonce 4", Refusal.NONCE_TOO_LOW),
        ("nonce too low: address 0xab, tx: 4 state: 5", Refusal.NONCE_TOO_LOW),
        ("replacement transaction underpriced", Refusal.UNDERPRICED),
        ("replacement transaction underpriced: new tx gas fee cap 1 < 2", Refusal.UNDERPRICED),
        ("transaction underpriced", Refusal.FEE_TOO_LOW),
        ("transaction underpriced: gas tip cap 0, minimum needed 1", Refusal.FEE_TOO_LOW),
        ("max fee per gas less than block base fee: address 0xab, maxFeePerGas: 1, baseFee: 7", Refusal.FEE_TOO_LOW),
        ("insufficient funds for gas * price + value", Refusal.INSUFFICIENT_FUNDS),
        ("insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1", Refusal.INSUFFICIENT_FUNDS),
        ("Insufficient funds for gas * price + value", Refusal.INSUFFICIENT_FUNDS),
        ("gas required exceeds allowance (0)", Refusal.INSUFFICIENT_FUNDS),
        ("max fee per gas less than block base fee", Refusal.FEE_TOO_LOW),
        ("exceeds block gas limit", Refusal.OTHER),
        ("intrinsic gas too low: gas 1, minimum needed 21000", Refusal.OTHER),
        ("invalid chain id for signer: have 1 want 5", Refusal.OTHER),
        ("invalid sender", Refusal.OTHER),
        ("txpool is full", Refusal.OTHER),
        # nethermind
        ("OldNonce, Current nonce: 5, nonce of rejected tx: 4", Refusal.NONCE_TOO_LOW),
        ("ReplacementNotAllowed", Refusal.UNDERPRICED),
        ("InsufficientFunds, Balance is 0 less than sending value + gas 1", Refusal.INSUFFICIENT_FUNDS),
        ("FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1, BaseFee: 7", Refusal.FEE_TOO_LOW),
        ("FeeTooLowToCompete", Refusal.FEE_TOO_LOW),
        # besu
        ("Nonce too low", Refusal.NONCE_TOO_LOW),
        ("Upfront cost exceeds account balance", Refusal.INSUFFICIENT_FUNDS),
        ("Gas price below configured minimum gas price", Refusal.FEE_TOO_LOW),
        ("Replacement transaction underpriced", Refusal.UNDERPRICED),
        ("TRANSACTION_REPLACEMENT_UNDERPRICED", Refusal.UNDERPRICED),
        # erigon
        ("could not replace existing tx", Refusal.UNDERPRICED),
        ("underpriced", Refusal.FEE_TOO_LOW),
        ("fee too low", Refusal.OTHER),
        # the embedded chain
        ("nonce too high: next nonce 5, tx nonce 6", Refusal.OTHER),
        ("", Refusal.OTHER),
    ],
)
def test_what_a_message_means(message: str, refusal: Refusal) -> None:
    assert refusal_of(message) is refusal
    assert not KNOWN.search(message)


@pytest.mark.parametrize(
    "message",
    [
        "already known",  # geth, reth, erigon
        "AlreadyKnown",  # nethermind
        "Known transaction",  # besu
        "transaction already imported",  # anvil
        "existing tx with same hash",  # erigon
    ],
)
def test_a_known_transaction_is_no_refusal(message: str) -> None:
    assert KNOWN.search(message)


_SELECTOR = keccak(b"NotController(address,address)")[:4]
_DATA = "0x" + (_SELECTOR + bytes(12) + b"\x0a" * 20 + bytes(12) + b"\x0b" * 20).hex()
_STRING = (
    "0x08c379a0" + (32).to_bytes(32, "big").hex() + (5).to_bytes(32, "big").hex() + b"sorry".ljust(32, b"\0").hex()
)
_PANIC = "0x4e487b71" + (0x11).to_bytes(32, "big").hex()


@pytest.mark.parametrize(
    ("code", "message", "data"),
    [
        (3, "execution reverted", _DATA),  # geth, erigon, reth, the embedded chain
        (3, "execution reverted: custom error 0x1234", _DATA),  # anvil
        (-32000, "Execution reverted", _DATA),  # besu
        (-32015, "VM execution error.", f"Reverted {_DATA}"),  # parity, openethereum, nethermind of old
        (-32603, "Error: VM Exception while processing transaction", {"message": "reverted", "data": _DATA}),  # hardhat
        (-32603, "execution reverted", {"data": {"data": _DATA}}),
    ],
)
def test_reverts_are_recognised_wherever_the_data_lie(code: int, message: str, data: object) -> None:
    revert = Reader.revert_of(RpcError("node", code, message, data), Codec(load_artifact()))
    assert revert is not None
    assert revert.error == "NotController"
    assert str(revert) == f"the contract refuses: NotController(issuer=0x{'0a' * 20}, caller=0x{'0b' * 20})"


@pytest.mark.parametrize(
    ("data", "text", "error"),
    [
        (_STRING, "reverted: sorry", ""),
        (_PANIC, "reverted: panic 0x11", "Panic"),
        ("0x", "reverted: execution reverted", ""),
        ("0x12345678", "reverted: execution reverted", ""),
        ("0x12", "reverted: execution reverted", ""),
        (_DATA[:40], "reverted with unreadable data: execution reverted", ""),
        (None, "reverted: execution reverted", ""),
        ("nonsense", "reverted: execution reverted", ""),
        (7, "reverted: execution reverted", ""),
    ],
)
def test_other_reverts(data: object, text: str, error: str) -> None:
    revert = Reader.revert_of(RpcError("node", 3, "execution reverted", data), Codec(load_artifact()))
    assert revert is not None
    assert (str(revert), revert.error) == (text, error)


def test_other_errors_are_no_reverts() -> None:
    for code, message in ((-32000, "header not found"), (-32603, "internal error"), (-32005, "limit exceeded")):
        assert Reader.revert_of(RpcError("node", code, message), Codec(load_artifact())) is None


def test_every_error_of_the_contract_can_be_named() -> None:
    codec = Codec(load_artifact())
    errors = [entry for entry in load_artifact().abi if entry["type"] == "error"]
    assert len(errors) > 10
    for entry in errors:
        types = [part["type"] for part in entry["inputs"]]
        selector = keccak(f"{entry['name']}({','.join(types)})".encode())[:4]
        assert codec.reverted(selector + bytes(32 * len(types)), "").error == entry["name"]


def test_no_function_is_overloaded() -> None:
    names = [entry["name"] for entry in load_artifact().abi if entry["type"] == "function"]
    assert len(names) == len(set(names)) > 20


@pytest.mark.parametrize(
    "values",
    [
        [b"\1" * 19, bytes(32), 0, 1],
        [b"\1" * 20, bytes(33), 0, 1],
        [b"\1" * 20, bytes(32), -1, 1],
        [b"\1" * 20, bytes(32), 2**64, 1],
        [b"\1" * 20, bytes(32), 0, 2**32],
        [b"\1" * 20, bytes(32), 0, 1.5],
        [b"\1" * 20, bytes(32), 0, None],
        [b"\1" * 20, bytes(32), 0],
    ],
)
def test_values_that_do_not_fit_are_refused(values: list[object]) -> None:
    with pytest.raises(InputError, match="anchor: an argument does not fit"):
        Codec(load_artifact()).encode("anchor", values)


def test_our_coding_is_web3s_own() -> None:
    from web3 import Web3

    contract = Web3().eth.contract(abi=list(load_artifact().abi))
    values = [b"\1" * 20, bytes(32), 7, 9]
    assert "0x" + Codec(load_artifact()).encode("anchor", values).hex() == contract.encode_abi("anchor", args=values)
