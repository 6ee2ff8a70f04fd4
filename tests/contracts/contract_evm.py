"""An EVM without a chain around it, and the contract in it: fast, and independent of ``registry`` and ``anchors``."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth.constants import BLANK_ROOT_HASH
from eth.db.atomic import AtomicDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks import PragueVM
from eth.vm.spoof import SpoofTransaction
from eth_abi import decode, encode
from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils import keccak, to_canonical_address

CONTRACTS = Path(__file__).parents[2] / "contracts"
# scripts/mutate_contracts names another artifact, with a planted bug.
ARTIFACT: dict[str, Any] = json.loads(
    Path(os.environ.get("CONTRACT_ARTIFACT") or CONTRACTS / "artifacts" / "CredentialRegistry.json").read_text("utf-8")
)

CHAIN_ID = 560048
GAS_LIMIT = 30_000_000
GENESIS_TIME = 1_800_000_000
ZERO = bytes(20)
ANCHOR, REVOKE, SUSPEND, ALL_ROLES = 1, 2, 4, 7

# The deterministic CREATE2 deployer, and the transaction that creates it on any chain: nobody has its key.
DEPLOYER = bytes.fromhex("4e59b44847b379578588920ca78fbf26c0b4956c")
DEPLOYER_TRANSACTION = bytes.fromhex(
    "f8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf31ba0222222222222222222"
    "2222222222222222222222222222222222222222222222a02222222222222222222222222222222222222222222222222222222222222222"
)

# The typed data, field by field, as docs/spec/contract.md has it.
TYPES = {
    "Anchor": "address issuer,bytes32 root,uint64 first,uint32 size,address signer,uint256 deadline",
    "Revoke": "address issuer,uint256[] words,uint256[] masks,address signer,uint256 deadline",
    "RevokeBatch": "address issuer,bytes32 root,uint64 first,uint64 nonce,address signer,uint256 deadline",
    "SetSuspension": "address issuer,uint64 nonce,uint256[] words,uint256[] setMasks,uint256[] clearMasks,"
    "address signer,uint256 deadline",
    "SetKey": "address issuer,address key,uint8 roles,uint64 nonce,address signer,uint256 deadline",
    "ProposeController": "address issuer,address candidate,uint64 nonce,address signer,uint256 deadline",
    "AcceptController": "address issuer,uint64 nonce,address signer,uint256 deadline",
    "SetDid": "address issuer,string did,bytes32 documentHash,uint64 nonce,address signer,uint256 deadline",
}


def account(number: int) -> LocalAccount:
    """A key pair that is the same in every run."""
    return Account.from_key(keccak(b"test account %d" % number))


def address_of(who: "LocalAccount | bytes") -> bytes:
    return who if isinstance(who, bytes) else to_canonical_address(who.address)


class Reverted(Exception):
    """A call was reverted: name and arguments of the custom error ("" if it has none)."""

    def __init__(self, name: str, values: tuple[Any, ...]) -> None:
        super().__init__(f"{name}{values}")
        self.name = name
        self.values = values


@dataclass(frozen=True, slots=True)
class Log:
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    gas_used: int
    logs: tuple[Log, ...]
    output: bytes


class MiniEVM:
    """A Prague state to which transactions are applied one by one; the senders need neither ether nor signatures."""

    def __init__(self, database: AtomicDB | None = None, root: bytes = BLANK_ROOT_HASH) -> None:
        self.time = GENESIS_TIME
        self.number = 1
        self.chain_id = CHAIN_ID
        self._database = AtomicDB() if database is None else database
        self._state = PragueVM.get_state_class()(self._database, self._context(), root)

    def copy(self) -> "MiniEVM":
        """The same state, in an EVM of its own. Cheap."""
        self._state.lock_changes()
        root = self._state.make_state_root()
        self._state.persist()
        return MiniEVM(self._database, root)

    def fund(self, who: bytes, wei: int) -> None:
        self._state.set_balance(who, wei)

    def code(self, who: bytes) -> bytes:
        return bytes(self._state.get_code(who))

    def set_code(self, who: bytes, code: bytes) -> None:
        self._state.set_code(who, code)

    def storage(self, who: bytes, slot: int) -> int:
        return int(self._state.get_storage(who, slot))

    def set_storage(self, who: bytes, slot: int, value: int) -> None:
        self._state.set_storage(who, slot, value)

    def create(self, code: bytes, sender: bytes) -> bytes:
        return bytes(self._execute(sender, b"", code).msg.storage_address)

    def send(self, sender: bytes, to: bytes, data: bytes, *, value: int = 0) -> Receipt:
        computation = self._execute(sender, to, data, value=value)
        logs = tuple(
            Log(at, tuple(t.to_bytes(32) for t in topics), data) for at, topics, data in computation.get_log_entries()
        )
        return Receipt(self._gas_used(GAS_LIMIT, computation), logs, computation.output)

    def send_raw(self, raw: bytes) -> Receipt:
        """A transaction with its own signature, nonce and gas price; its sender is given the ether for it."""
        transaction = PragueVM.get_transaction_builder().decode(raw)
        self._state.set_balance(transaction.sender, 10**18)
        self._state.execution_context = self._context()
        computation = self._state.apply_transaction(transaction)
        computation.raise_if_error()
        self._state.lock_changes()
        return Receipt(self._gas_used(transaction.gas, computation), (), computation.output)

    def call(self, to: bytes, data: bytes, sender: bytes = ZERO) -> bytes:
        snapshot = self._state.snapshot()
        try:
            return bytes(self._execute(sender, to, data, keep=False).output)
        finally:
            self._state.revert(snapshot)

    def _context(self) -> ExecutionContext:
        return ExecutionContext(ZERO, self.time, self.number, 0, bytes(32), 100_000_000, [], self.chain_id, 0, 0)

    def _execute(self, sender: bytes, to: bytes, data: bytes, *, value: int = 0, keep: bool = True) -> Any:
        unsigned = PragueVM.get_transaction_builder().create_unsigned_transaction(
            nonce=self._state.get_nonce(sender), gas_price=0, gas=GAS_LIMIT, to=to, value=value, data=data
        )
        self._state.execution_context = self._context()
        computation = self._state.apply_transaction(SpoofTransaction(unsigned, from_=sender))
        if keep:
            self._state.lock_changes()  # what the next transaction touches is cold again
        if computation.is_error:
            raise _reverted(computation)
        return computation

    @staticmethod
    def _gas_used(gas: int, computation: Any) -> int:
        spent = gas - computation.get_gas_remaining()
        refund = min(computation.get_gas_refund(), spent // 5)
        return int(spent - refund + computation.data_floor_gas)


def _type(parameter: dict[str, Any]) -> str:
    return str(parameter["type"])


def _types(parameters: Sequence[dict[str, Any]]) -> list[str]:
    return [_type(p) for p in parameters]


def selector(entry: dict[str, Any]) -> bytes:
    return keccak(text=f"{entry['name']}({','.join(_types(entry['inputs']))})")


FUNCTIONS = {e["name"]: e for e in ARTIFACT["abi"] if e["type"] == "function"}
EVENTS = {selector(e): e for e in ARTIFACT["abi"] if e["type"] == "event"}
ERRORS = {selector(e)[:4]: e for e in ARTIFACT["abi"] if e["type"] == "error"}


def _normal(kind: str, value: Any) -> Any:
    """Addresses as 20 bytes, arrays as tuples."""
    if kind == "address":
        return to_canonical_address(value)
    return tuple(value) if isinstance(value, list | tuple) else value


def _decode(parameters: Sequence[dict[str, Any]], data: bytes) -> tuple[Any, ...]:
    values = decode(_types(parameters), data)
    return tuple(_normal(_type(p), v) for p, v in zip(parameters, values, strict=True))


def _reverted(computation: Any) -> Reverted:
    output = bytes(computation.output)
    entry = ERRORS.get(output[:4])
    if entry is None:
        return Reverted("", (output or str(computation.error),))
    return Reverted(entry["name"], _decode(entry["inputs"], output[4:]))


def encode_call(name: str, *values: Any) -> bytes:
    entry = FUNCTIONS[name]
    return selector(entry)[:4] + encode(_types(entry["inputs"]), values)


def typed_data(primary: str, values: Sequence[Any], *, chain_id: int, contract: bytes) -> SignableMessage:
    """EIP-712, from the literal type strings above."""
    fields = [dict(zip(("type", "name"), f.split(" "), strict=True)) for f in TYPES[primary].split(",")]
    return encode_typed_data(
        full_message={
            "types": {
                "EIP712Domain": [
                    {"name": "name", "type": "string"},
                    {"name": "version", "type": "string"},
                    {"name": "chainId", "type": "uint256"},
                    {"name": "verifyingContract", "type": "address"},
                ],
                primary: fields,
            },
            "primaryType": primary,
            "domain": {
                "name": "CredentialRegistry",
                "version": "1",
                "chainId": chain_id,
                "verifyingContract": "0x" + contract.hex(),
            },
            "message": {f["name"]: v for f, v in zip(fields, values, strict=True)},
        }
    )


def digest_of(message: SignableMessage) -> bytes:
    return keccak(b"\x19" + message.version + message.header + message.body)


class Registry:
    """The contract at one address of one EVM."""

    def __init__(self, evm: MiniEVM, address: bytes) -> None:
        self.evm = evm
        self.address = address

    def copy(self) -> "Registry":
        return Registry(self.evm.copy(), self.address)

    def __getattr__(self, name: str) -> Any:
        """Views by their names: ``registry.nextIndexOf(issuer)``."""
        entry = FUNCTIONS.get(name)
        if entry is None:
            raise AttributeError(name)

        def view(*values: Any) -> Any:
            result = _decode(entry["outputs"], self.evm.call(self.address, encode_call(name, *values)))
            return result[0] if len(result) == 1 else result

        return view

    def send(self, sender: LocalAccount | bytes, name: str, *values: Any) -> Receipt:
        return self.evm.send(address_of(sender), self.address, encode_call(name, *values))

    def sign(
        self,
        signer: LocalAccount,
        primary: str,
        *values: Any,
        wallet: bytes | None = None,
        deadline: int | None = None,
        chain_id: int | None = None,
        contract: bytes | None = None,
    ) -> tuple[bytes, int, bytes]:
        """(signer, deadline, signature), as the twins take them; ``wallet`` is named as the signer instead."""
        named = wallet or address_of(signer)
        until = self.evm.time + 600 if deadline is None else deadline
        message = typed_data(
            primary, [*values, named, until], chain_id=chain_id or self.evm.chain_id, contract=contract or self.address
        )
        return named, until, bytes(signer.sign_message(message).signature)

    def send_signed(self, signer: LocalAccount, name: str, *values: Any, **options: Any) -> Receipt:
        """Signs with ``signer``, sends as somebody who has no rights at all."""
        primary = name[0].upper() + name[1:]
        return self.send(RELAY, f"{name}WithSignature", *values, *self.sign(signer, primary, *values, **options))

    def events(self, receipt: Receipt) -> list[tuple[Any, ...]]:
        """(name, argument, …) for every event, arguments in the order of the declaration."""
        found: list[tuple[Any, ...]] = []
        for log in receipt.logs:
            assert log.address == self.address
            entry = EVENTS[log.topics[0]]
            indexed = [p for p in entry["inputs"] if p["indexed"]]
            plain = [p for p in entry["inputs"] if not p["indexed"]]
            values = dict(zip([p["name"] for p in plain], _decode(plain, log.data), strict=True))
            for parameter, topic in zip(indexed, log.topics[1:], strict=True):
                values[parameter["name"]] = _normal(_type(parameter), decode([_type(parameter)], topic)[0])
            found.append((entry["name"], *(values[p["name"]] for p in entry["inputs"])))
        return found


RELAY = keccak(b"a relay")[:20]


def deploy() -> Registry:
    """Puts the contract where ``registry deploy`` puts it: through the deterministic deployer, with salt zero."""
    evm = MiniEVM()
    evm.send_raw(DEPLOYER_TRANSACTION)
    address = evm.send(RELAY, DEPLOYER, bytes(32) + bytes.fromhex(ARTIFACT["bytecode"][2:])).output
    return Registry(evm, address)
