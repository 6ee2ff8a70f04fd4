"""The JSON-RPC methods of the embedded chain: bytes in, bytes out, the same over HTTP and within the process.

Only what a wallet, an explorer or our own back-end asks of a node; error codes and messages as go-ethereum gives them.
"""

import json
import logging
import re
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

import jiter

from anchors.devchain.evm import GAS_LIMIT, Evm, Execution, Header, MinedTransaction, Refused
from anchors.devchain.storage import LogRow

__all__ = ["CLIENT_VERSION", "Methods"]

CLIENT_VERSION = "credential-registry-devchain/1 (development chain: no value, no consensus, no proof for anybody)"
MAX_BATCH = 1000
_log = logging.getLogger(__name__)
MAX_LOGS = 10_000
_ZERO_ADDRESS = bytes(20)
_QUANTITY = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})")
_DATA = re.compile(r"0x([0-9a-fA-F]{2})*")


class _RpcError(Exception):
    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


class Methods:
    """Answers JSON-RPC requests and batches of them."""

    def __init__(self, evm: Evm) -> None:
        self._evm = evm
        self._methods: dict[str, Callable[..., Any]] = {
            "eth_accounts": list,
            "eth_blockNumber": lambda: _quantity(evm.head.block_number),
            "eth_call": self._call,
            "eth_chainId": lambda: _quantity(evm.chain_id),
            "eth_estimateGas": self._estimate_gas,
            "eth_feeHistory": self._fee_history,
            "eth_gasPrice": lambda: _quantity(evm.next_base_fee() + _TIP),
            "eth_getBalance": lambda address, block="latest": _quantity(
                evm.balance(_address(address), self._at(block))
            ),
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getCode": lambda address, block="latest": _data(evm.code(_address(address), self._at(block))),
            "eth_getLogs": self._logs,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionCount": lambda address, block="latest": _quantity(
                evm.nonce(_address(address), self._at(block))
            ),
            "eth_getTransactionReceipt": self._receipt,
            "eth_maxPriorityFeePerGas": lambda: _quantity(_TIP),
            "eth_sendRawTransaction": self._send,
            "eth_syncing": lambda: False,
            "net_version": lambda: str(evm.chain_id),
            "web3_clientVersion": lambda: CLIENT_VERSION,
        }

    def handle(self, payload: bytes) -> bytes:
        """One request, or a batch of them (JSON-RPC 2.0)."""
        try:
            request = jiter.from_json(payload)
        except ValueError:
            return json.dumps(_failure(None, -32700, "parse error")).encode()
        if not isinstance(request, list):
            answer: Any = self._answer(request)
        elif not request:
            answer = _failure(None, -32600, "empty batch")
        elif len(request) > MAX_BATCH:
            answer = _failure(None, -32600, "batch too large")
        else:
            with self._evm.locked():  # a batch sees one state
                answer = [self._answer(part) for part in request]
        return json.dumps(answer).encode()

    def _answer(self, request: object) -> dict[str, Any]:
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return _failure(None, -32600, "invalid request")
        key, name, params = request.get("id"), request["method"], request.get("params", [])
        method = self._methods.get(name)
        if method is None:
            return _failure(key, -32601, f"the method {name} does not exist/is not available")
        if not isinstance(params, list):
            return _failure(key, -32602, "non-array args")
        try:
            with self._evm.locked():
                return {"jsonrpc": "2.0", "id": key, "result": method(*params)}
        except _RpcError as error:
            return _failure(key, error.code, error.message, error.data)
        except Refused as error:
            return _failure(key, -32000, str(error))
        except (sqlite3.Error, OSError):
            # Disk full, or closed below us. Nothing of a block that could not be written is there.
            _log.exception("the development chain could not answer %s", name)
            return _failure(key, -32603, "internal error")
        except TypeError:  # the only one that a wrong number of arguments makes
            return _failure(key, -32602, f"invalid arguments for {name}")

    # blocks

    def _tagged(self, tag: object) -> Header | None:
        if tag in {"latest", "pending", "safe", "finalized"}:
            return self._evm.head  # every block is final: there is nobody to disagree
        if tag == "earliest":
            return self._evm.header(0)
        return self._evm.header(_number(tag))

    def _at(self, block: object) -> Header:
        """A block by tag, number, or EIP-1898 object."""
        if not isinstance(block, dict):
            header = self._tagged(block)
        elif "blockHash" in block:
            header = self._evm.header_of_hash(_bytes(block["blockHash"], 32))
        elif "blockNumber" in block:
            header = self._tagged(block["blockNumber"])
        else:
            raise _RpcError(-32602, "invalid block: neither blockHash nor blockNumber")
        if header is None:
            raise _RpcError(-32000, "header not found")
        return header

    def _at_most_head(self, tag: object) -> int:
        if isinstance(tag, str) and tag.startswith("0x"):
            return min(_number(tag), int(self._evm.head.block_number))
        return int(self._at(tag).block_number)

    def _block_by_number(self, tag: object, full: object = False) -> dict[str, Any] | None:
        return self._block(self._tagged(tag), bool(full))

    def _block_by_hash(self, block_hash: object, full: object = False) -> dict[str, Any] | None:
        return self._block(self._evm.header_of_hash(_bytes(block_hash, 32)), bool(full))

    def _block(self, header: Header | None, full: bool) -> dict[str, Any] | None:
        if header is None:
            return None
        block = self._evm.block_of(header)
        transactions: list[Any] = [_data(transaction.hash) for transaction in block.transactions]
        if full:
            mined = [self._evm.mined(transaction.hash) for transaction in block.transactions]
            transactions = [_transaction_json(entry) for entry in mined if entry is not None]
        return {
            "number": _quantity(header.block_number),
            "hash": _data(header.hash),
            "parentHash": _data(header.parent_hash),
            "timestamp": _quantity(header.timestamp),
            "stateRoot": _data(header.state_root),
            "transactionsRoot": _data(header.transaction_root),
            "receiptsRoot": _data(header.receipt_root),
            "withdrawalsRoot": _data(header.withdrawals_root),
            "requestsHash": _data(header.requests_hash),
            "parentBeaconBlockRoot": _data(header.parent_beacon_block_root),
            "logsBloom": _data(header.bloom.to_bytes(256, "big")),
            "gasLimit": _quantity(header.gas_limit),
            "gasUsed": _quantity(header.gas_used),
            "baseFeePerGas": _quantity(header.base_fee_per_gas),
            "blobGasUsed": _quantity(header.blob_gas_used),
            "excessBlobGas": _quantity(header.excess_blob_gas),
            "extraData": _data(header.extra_data),
            "miner": _data(header.coinbase),
            "mixHash": _data(header.mix_hash),
            "nonce": _data(header.nonce),
            "difficulty": "0x0",
            "sha3Uncles": _data(header.uncles_hash),
            "size": "0x0",
            "uncles": [],
            "withdrawals": [],
            "transactions": transactions,
        }

    # calls

    def _call(self, call: object, block: object = "latest") -> str:
        run = self._evm.call(self._at(block), **_call_fields(call))
        _raise_failure(run)
        return _data(run.output)

    def _estimate_gas(self, call: object, block: object = "latest") -> str:
        # Simulated in the block that would come next, so that deadlines are judged by the clock, not by an old block.
        self._at(block)
        estimate = self._evm.estimate(**_call_fields(call))
        if isinstance(estimate, Execution):
            _raise_failure(estimate)
            raise _RpcError(-32000, "execution failed")
        return _quantity(estimate)

    def _fee_history(self, count: object, newest: object, percentiles: object = None) -> dict[str, Any]:
        head = self._at(newest).block_number
        wanted = min(_number(count) if isinstance(count, str) else int(str(count)), 1024, head + 1)
        headers = [header for n in range(head + 1 - wanted, head + 1) if (header := self._evm.header(n)) is not None]
        following = self._evm.header(head + 1)
        fees = [header.base_fee_per_gas for header in headers]
        fees.append(self._evm.next_base_fee() if following is None else following.base_fee_per_gas)
        answer: dict[str, Any] = {
            "oldestBlock": _quantity(head + 1 - wanted),
            "baseFeePerGas": [_quantity(fee) for fee in fees],
            "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
        }
        if isinstance(percentiles, list) and percentiles:
            answer["reward"] = [[_quantity(_TIP)] * len(percentiles) for _ in headers]
        return answer

    # transactions and logs

    def _send(self, raw: object) -> str:
        return _data(self._evm.send(_bytes(raw)))

    def _transaction(self, transaction_hash: object) -> dict[str, Any] | None:
        mined = self._evm.mined(_bytes(transaction_hash, 32))
        return None if mined is None else _transaction_json(mined)

    def _receipt(self, transaction_hash: object) -> dict[str, Any] | None:
        mined = self._evm.mined(_bytes(transaction_hash, 32))
        if mined is None:
            return None
        header, receipt = mined.block, mined.receipt
        logs = self._evm.logs(header.block_number, header.block_number, (), ())
        return {
            **_transaction_place(mined),
            "transactionHash": _data(mined.transaction.hash),
            "from": _data(mined.transaction.sender),
            "to": _data(mined.transaction.to) if mined.transaction.to else None,
            "status": "0x1" if receipt.state_root == b"\x01" else "0x0",
            "gasUsed": _quantity(receipt.gas_used),  # one transaction a block: the sum is its own
            "cumulativeGasUsed": _quantity(receipt.gas_used),
            "effectiveGasPrice": _quantity(_price(mined)),
            "contractAddress": None,
            "logsBloom": _data(receipt.bloom.to_bytes(256, "big")),
            "type": _quantity(getattr(mined.transaction, "type_id", None) or 0),
            "logs": [_log_json(log) for log in logs if log.tx_hash == mined.transaction.hash],
        }

    def _logs(self, wanted: object) -> list[dict[str, Any]]:
        if not isinstance(wanted, dict):
            raise _RpcError(-32602, "invalid filter")
        addresses = wanted.get("address")
        addresses = [] if addresses is None else addresses if isinstance(addresses, list) else [addresses]
        topics = [
            [] if entry is None else [_bytes(item, 32) for item in (entry if isinstance(entry, list) else [entry])]
            for entry in wanted.get("topics") or []
        ]
        if "blockHash" in wanted:
            if "fromBlock" in wanted or "toBlock" in wanted:
                raise _RpcError(-32602, "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other")
            header = self._evm.header_of_hash(_bytes(wanted["blockHash"], 32))
            if header is None:
                raise _RpcError(-32000, "unknown block")
            first = last = header.block_number
        else:
            first = self._at(wanted.get("fromBlock", "latest")).block_number
            last = self._at_most_head(wanted.get("toBlock", "latest"))
        if first > last:
            raise _RpcError(-32602, "invalid block range params")
        rows = self._evm.logs(first, last, [_address(address) for address in addresses], topics)
        if len(rows) > MAX_LOGS:
            raise _RpcError(-32005, f"query returned more than {MAX_LOGS} results")
        return [_log_json(row) for row in rows]


_TIP = 1_000_000_000


def _call_fields(call: object) -> dict[str, Any]:
    if not isinstance(call, dict):
        raise _RpcError(-32602, "invalid call")
    data = call.get("input", call.get("data"))
    fields: dict[str, Any] = {
        "sender": _address(call["from"]) if call.get("from") is not None else _ZERO_ADDRESS,
        "to": _address(call["to"]) if call.get("to") is not None else b"",
        "data": _bytes(data) if data is not None else b"",
        "value": _number(call["value"]) if call.get("value") is not None else 0,
        "gas": GAS_LIMIT,
    }
    if call.get("gas") is not None:
        fields["gas"] = _number(call["gas"])
    return fields


def _raise_failure(run: Execution) -> None:
    if run.reverted:
        raise _RpcError(3, "execution reverted", _data(run.output))
    if run.error is not None:
        raise _RpcError(-32000, run.error)


def _price(mined: MinedTransaction) -> int:
    base = mined.block.base_fee_per_gas
    transaction = mined.transaction
    return int(base + min(transaction.max_priority_fee_per_gas, transaction.max_fee_per_gas - base))


def _transaction_place(mined: MinedTransaction) -> dict[str, Any]:
    return {
        "blockHash": _data(mined.block.hash),
        "blockNumber": _quantity(mined.block.block_number),
        "transactionIndex": _quantity(mined.index),
    }


def _transaction_json(mined: MinedTransaction) -> dict[str, Any]:
    transaction = mined.transaction
    fields: dict[str, Any] = {
        **_transaction_place(mined),
        "hash": _data(transaction.hash),
        "from": _data(transaction.sender),
        "to": _data(transaction.to) if transaction.to else None,
        "nonce": _quantity(transaction.nonce),
        "gas": _quantity(transaction.gas),
        "gasPrice": _quantity(_price(mined)),
        "value": _quantity(transaction.value),
        "input": _data(transaction.data),
        "type": _quantity(getattr(transaction, "type_id", None) or 0),
        "r": _quantity(transaction.r),
        "s": _quantity(transaction.s),
    }
    if getattr(transaction, "type_id", None):
        fields["chainId"] = _quantity(transaction.chain_id)
        fields["v"] = fields["yParity"] = _quantity(transaction.y_parity)
        fields["maxFeePerGas"] = _quantity(transaction.max_fee_per_gas)
        fields["maxPriorityFeePerGas"] = _quantity(transaction.max_priority_fee_per_gas)
        fields["accessList"] = []
    else:
        fields["v"] = _quantity(transaction.v)
    return fields


def _log_json(log: LogRow) -> dict[str, Any]:
    return {
        "address": _data(log.address),
        "topics": [_data(topic) for topic in log.topics],
        "data": _data(log.data),
        "blockNumber": _quantity(log.block_number),
        "blockHash": _data(log.block_hash),
        "transactionHash": _data(log.tx_hash),
        "transactionIndex": _quantity(log.tx_index),
        "logIndex": _quantity(log.log_index),
        "removed": False,
    }


def _failure(key: object, code: int, message: str, data: str | None = None) -> dict[str, Any]:
    error: Mapping[str, Any] = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return {"jsonrpc": "2.0", "id": key if isinstance(key, int | str) else None, "error": error}


def _quantity(value: int) -> str:
    return hex(value)


def _data(value: bytes) -> str:
    return "0x" + value.hex()


def _number(value: object) -> int:
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise _RpcError(-32602, "invalid argument: not a hex quantity")
    return int(value, 16)


def _bytes(value: object, length: int | None = None) -> bytes:
    if not isinstance(value, str) or not _DATA.fullmatch(value):
        raise _RpcError(-32602, "invalid argument: not hex data")
    decoded = bytes.fromhex(value[2:])
    if length is not None and len(decoded) != length:
        raise _RpcError(-32602, f"invalid argument: expected {length} bytes, got {len(decoded)}")
    return decoded


def _address(value: object) -> bytes:
    return _bytes(value, 20)
