"""An Ethereum virtual machine (py-evm, Prague rules) with one block for each transaction. No consensus, no peers.

Block times follow the clock, but are strictly increasing, as Ethereum demands: many transactions within a second run
ahead of the clock by a second each.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import rlp  # type: ignore[import-untyped]
from eth.chains.base import Chain
from eth.db.atomic import AtomicDB
from eth.exceptions import CanonicalHeadNotFound, HeaderNotFound, Revert, TransactionNotFound, VMError
from eth.vm.chain_context import ChainContext
from eth.vm.forks.prague import PragueVM
from eth.vm.spoof import SpoofTransaction
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from anchors.base import ChainError
from anchors.devchain.storage import LogRow, Storage

__all__ = ["Evm", "Execution", "Header", "MinedTransaction", "Refused"]

# py-evm's interfaces leave out what later forks have added to headers and transactions.
Header = Any
Transaction = Any
Receipt = Any
Block = Any


GAS_LIMIT = 30_000_000
GENESIS_BASE_FEE = 1_000_000_000
_ZERO_ADDRESS = bytes(20)
_TOO_DEEP = "call depth beyond what this development chain can run"
_CHAIN_ID_KEY = b"registry:chain-id"


class Refused(Exception):
    """A transaction or call that the node does not take; the message is worded as go-ethereum words it."""


@dataclass(frozen=True, slots=True)
class Execution:
    """What a simulated call came to. ``reverted`` with data, or ``error`` (out of gas, invalid opcode)."""

    output: bytes
    gas_used: int
    reverted: bool
    error: str | None


@dataclass(frozen=True, slots=True)
class MinedTransaction:
    transaction: Transaction
    receipt: Receipt
    block: Header
    index: int


class Evm:
    """The chain: reads at any block that it ever made, and makes a block of each transaction it is handed."""

    def __init__(self, storage: Storage, chain_id: int, clock: Callable[[], float], genesis: dict[bytes, int]) -> None:
        """``genesis`` maps addresses to balances; it counts only where the storage is still empty.

        Raises ``ChainError`` if what is stored is a chain of another chain id.
        """
        self.chain_id = chain_id
        self._storage = storage
        self._clock = clock
        self._lock = threading.RLock()
        self._database = AtomicDB(storage)
        self._class: Any = Chain.configure(
            __name__="DevelopmentChain", vm_configuration=((0, PragueVM),), chain_id=chain_id
        )
        try:
            self._chain: Any = self._class(self._database)
            self._head: Header = self._chain.get_canonical_head()
        except CanonicalHeadNotFound:
            self._create(genesis)
        found = int.from_bytes(storage[_CHAIN_ID_KEY], "big")
        if found != chain_id:
            raise ChainError(
                f"the folder holds the development chain {found}, not chain {chain_id}: use another folder"
            )

    def _create(self, genesis: dict[bytes, int]) -> None:
        with self._storage.block():
            self._storage[_CHAIN_ID_KEY] = self.chain_id.to_bytes(32, "big")
            self._chain = self._class.from_genesis(
                self._database,
                {
                    "difficulty": 0,
                    "gas_limit": GAS_LIMIT,
                    "timestamp": int(self._clock()),
                    "base_fee_per_gas": GENESIS_BASE_FEE,
                    "extra_data": b"development chain, no value",
                    "nonce": bytes(8),
                },
                {
                    address: {"balance": balance, "nonce": 0, "code": b"", "storage": {}}
                    for address, balance in genesis.items()
                },
            )
        self._head = self._chain.get_canonical_head()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the chain still, so that several reads see one head."""
        with self._lock:
            yield

    def close(self) -> None:
        self._storage.close()

    # blocks

    @property
    def head(self) -> Header:
        return self._head

    def header(self, number: int) -> Header | None:
        with self._lock:
            if not 0 <= number <= self._head.block_number:
                return None
            return self._chain.get_canonical_block_header_by_number(number)

    def header_of_hash(self, block_hash: bytes) -> Header | None:
        with self._lock:
            try:
                return self._chain.get_block_header_by_hash(block_hash)
            except (HeaderNotFound, ValidationError):
                return None

    def block_of(self, header: Header) -> Block:
        with self._lock:
            return self._chain.get_block_by_header(header)

    def next_base_fee(self) -> int:
        return int(self._next_header().base_fee_per_gas)

    def _next_header(self) -> Header:
        create: Any = PragueVM.create_header_from_parent
        return create(
            self._head,
            timestamp=max(int(self._clock()), self._head.timestamp + 1),
            gas_limit=self._head.gas_limit,
            difficulty=0,
            coinbase=_ZERO_ADDRESS,
        )

    # state

    def balance(self, address: bytes, header: Header) -> int:
        with self._lock:
            return int(self._state(header).get_balance(address))

    def nonce(self, address: bytes, header: Header) -> int:
        with self._lock:
            return int(self._state(header).get_nonce(address))

    def code(self, address: bytes, header: Header) -> bytes:
        with self._lock:
            return bytes(self._state(header).get_code(address))

    def _state(self, header: Header) -> Any:
        vm: Any = PragueVM
        previous = vm.get_prev_hashes(header.parent_hash, self._chain.chaindb)
        return vm.build_state(self._database, header, ChainContext(self.chain_id), previous)

    # calls

    def call(
        self,
        header: Header | None,
        *,
        sender: bytes,
        to: bytes,
        data: bytes,
        value: int = 0,
        gas: int = GAS_LIMIT,
    ) -> Execution:
        """Runs a call on the state after that block and forgets it. None: inside the block that would come next."""
        with self._lock:
            return self._run(header, sender, to, data, value, min(gas, GAS_LIMIT))

    def _run(self, header: Header | None, sender: bytes, to: bytes, data: bytes, value: int, gas: int) -> Execution:
        context = self._next_header() if header is None else header
        state = self._state(context.copy(base_fee_per_gas=0))
        vm: Any = PragueVM
        unsigned = vm.create_unsigned_transaction(
            nonce=state.get_nonce(sender), gas_price=0, gas=gas, to=to, value=value, data=data
        )
        if gas < unsigned.intrinsic_gas:
            raise Refused(f"intrinsic gas too low: gas {gas}, minimum needed {unsigned.intrinsic_gas}")
        balance = state.get_balance(sender)
        if balance < value:
            raise Refused(f"insufficient funds for transfer: address {_hex(sender)}")
        fields: dict[str, Any] = {"from_": sender, "max_fee_per_gas": 0, "max_priority_fee_per_gas": 0}
        spoof = SpoofTransaction(unsigned, **fields, v=27, r=1, s=1, y_parity=0, type_id=None, access_list=())
        try:
            computation = state.apply_transaction(spoof)
        except RecursionError:
            raise Refused(_TOO_DEEP) from None
        error = computation.error if computation.is_error else None
        used = gas - computation.get_gas_remaining()
        if isinstance(error, Revert):
            return Execution(bytes(computation.output), used, reverted=True, error=None)
        if isinstance(error, VMError):
            return Execution(b"", used, reverted=False, error=_vm_message(error))
        return Execution(bytes(computation.output), max(used, _floor_gas(data)), reverted=False, error=None)

    def estimate(
        self, *, sender: bytes, to: bytes, data: bytes, value: int = 0, gas: int = GAS_LIMIT
    ) -> int | Execution:
        """The least gas (within a hundredth) with which the call succeeds in the next block, or its failure."""
        with self._lock:
            gas = min(gas, GAS_LIMIT)
            first = self._run(None, sender, to, data, value, gas)
            if first.reverted or first.error:
                return first
            # Gas that is refunded, or held back from inner calls, has to be there all the same.
            low, high = first.gas_used - 1, first.gas_used
            while not self._succeeds(sender, to, data, value, high):
                low, high = high, min(high * 65 // 64 + 1, gas)
            while high - low > max(high // 100, 1) and low >= first.gas_used:
                middle = (low + high) // 2
                if self._succeeds(sender, to, data, value, middle):
                    high = middle
                else:
                    low = middle
            return high

    def _succeeds(self, sender: bytes, to: bytes, data: bytes, value: int, gas: int) -> bool:
        run = self._run(None, sender, to, data, value, gas)
        return not run.reverted and run.error is None

    # transactions

    def send(self, raw: bytes) -> bytes:
        """Checks a signed transaction as a node would, makes a block of it, and returns its hash."""
        with self._lock:
            transaction = _decode(raw, self.chain_id)
            header = self._next_header()
            self._check(transaction, header)
            self._mine(transaction, header)
            return bytes(transaction.hash)

    def _check(self, transaction: Transaction, header: Header) -> None:
        sender, state = transaction.sender, self._state(self._head)
        nonce = state.get_nonce(sender)
        if transaction.nonce < nonce:
            raise Refused(f"nonce too low: next nonce {nonce}, tx nonce {transaction.nonce}")
        if transaction.nonce > nonce:
            # A real node would let it wait for the ones before; here nothing ever waits.
            raise Refused(f"nonce too high: next nonce {nonce}, tx nonce {transaction.nonce}")
        if transaction.gas > header.gas_limit:
            raise Refused("exceeds block gas limit")
        if transaction.gas < transaction.intrinsic_gas:
            raise Refused(f"intrinsic gas too low: gas {transaction.gas}, minimum needed {transaction.intrinsic_gas}")
        if transaction.gas < _floor_gas(transaction.data):
            raise Refused(f"insufficient gas for floor data gas cost: minimum needed {_floor_gas(transaction.data)}")
        if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
            raise Refused("max priority fee per gas higher than max fee per gas")
        if transaction.max_fee_per_gas < header.base_fee_per_gas:
            raise Refused(
                f"max fee per gas less than block base fee: address {_hex(sender)}, maxFeePerGas: "
                f"{transaction.max_fee_per_gas}, baseFee: {header.base_fee_per_gas}"
            )
        cost = transaction.gas * transaction.max_fee_per_gas + transaction.value
        balance = state.get_balance(sender)
        if balance < cost:
            raise Refused(
                f"insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, "
                f"overshot {cost - balance}"
            )

    def _mine(self, transaction: Transaction, header: Header) -> None:
        try:
            with self._storage.block() as logs:
                vm = self._chain.get_vm(header)
                receipt, _ = vm.apply_transaction(header, transaction)
                filled = vm.add_receipt_to_header(header, receipt)
                block = vm.set_block_transactions_and_withdrawals(vm.get_block(), filled, [transaction], [receipt])
                final = vm.finalize_block(block).block
                self._chain.chaindb.persist_block(final)
                logs.extend(_log_rows(final.header, transaction, receipt))
        except ValidationError as error:
            raise Refused(str(error)) from error
        except RecursionError:
            raise Refused(_TOO_DEEP) from None
        finally:
            # Whatever happened, go on from what the file says: a failed block has left nothing there.
            self._chain = self._class(self._database)
            self._head = self._chain.get_canonical_head()

    def mined(self, transaction_hash: bytes) -> MinedTransaction | None:
        with self._lock:
            try:
                number, index = self._chain.get_canonical_transaction_index(transaction_hash)
            except TransactionNotFound:
                return None
            return MinedTransaction(
                self._chain.get_canonical_transaction_by_index(number, index),
                self._chain.get_transaction_receipt_by_index(number, index),
                self._chain.get_canonical_block_header_by_number(number),
                index,
            )

    def logs(
        self, first: int, last: int, addresses: Sequence[bytes], topics: Sequence[Sequence[bytes]]
    ) -> list[LogRow]:
        with self._lock:
            return self._storage.find_logs(first, last, addresses, topics)


def _decode(raw: bytes, chain_id: int) -> Transaction:
    try:
        transaction = PragueVM.get_transaction_builder().decode(raw)
        transaction.validate()
        _ = transaction.sender
    except (
        *(rlp.DecodingError, rlp.DeserializationError, ValidationError, BadSignature),
        *(ValueError, TypeError, IndexError, AttributeError),
    ) as error:
        raise Refused(f"invalid transaction: {type(error).__name__}") from error
    if transaction.chain_id is not None and transaction.chain_id != chain_id:
        raise Refused(f"invalid chain id for signer: have {transaction.chain_id} want {chain_id}")
    if getattr(transaction, "type_id", None) == 3:
        raise Refused("transaction type not supported")
    return transaction


def _log_rows(header: Header, transaction: Transaction, receipt: Receipt) -> Iterator[LogRow]:
    for index, log in enumerate(receipt.logs):
        topics = tuple(topic.to_bytes(32, "big") for topic in log.topics)
        yield LogRow(header.block_number, index, header.hash, transaction.hash, 0, log.address, topics, log.data)


def _floor_gas(data: bytes) -> int:
    """EIP-7623: what a transaction pays at least for its data."""
    zeros = data.count(0)
    return 21_000 + 10 * (zeros + 4 * (len(data) - zeros))


def _vm_message(error: VMError) -> str:
    name = type(error).__name__
    return {"OutOfGas": "out of gas", "InvalidInstruction": "invalid opcode"}.get(name, name)


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
