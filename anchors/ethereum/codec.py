"""ABI coding by web3: calls to bytes, answers and events to values, revert data to the names of the contract's errors.

Importing web3 takes a second, so it happens when the first thing is coded, not when this module is imported.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from anchors.artifact import Artifact
from anchors.base import CallReverted, ContractCall, Signature
from anchors.ethereum.answers import Nonsense
from anchors.ethereum.calls import arguments, form_of, twin_arguments
from anchors.imports import recursion_limit_kept
from registry.core.errors import InputError

__all__ = ["Codec", "keccak"]

_ERROR_STRING = bytes.fromhex("08c379a0")  # Error(string), what require() and revert("…") give
_PANIC = bytes.fromhex("4e487b71")  # Panic(uint256)
_MAX_REVERT_DATA = 4096


def keccak(data: bytes) -> bytes:
    from eth_utils.crypto import keccak as eth_keccak

    return bytes(eth_keccak(data))


class Codec:
    """Codes for one contract. Pure; may be used from several threads."""

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact

    @cached_property
    def _codec(self) -> Any:
        with recursion_limit_kept():
            from web3 import Web3

        # Web3's contract object would look through the whole ABI, and hash all of it, at each call.
        return Web3().codec

    def _entries(self, kind: str) -> list[Mapping[str, Any]]:
        return [entry for entry in self._artifact.abi if entry["type"] == kind]

    @cached_property
    def _inputs(self) -> dict[str, tuple[bytes, list[str]]]:
        """Selector and types of each function. None is overloaded: a test looks."""
        return {
            entry["name"]: (keccak(_signature(entry))[:4], [part["type"] for part in entry["inputs"]])
            for entry in self._entries("function")
        }

    @cached_property
    def _outputs(self) -> dict[str, list[str]]:
        return {entry["name"]: [part["type"] for part in entry["outputs"]] for entry in self._entries("function")}

    @cached_property
    def _errors(self) -> dict[bytes, Mapping[str, Any]]:
        return {keccak(_signature(entry))[:4]: entry for entry in self._entries("error")}

    @cached_property
    def _events(self) -> dict[bytes, Mapping[str, Any]]:
        return {self.topic(entry["name"]): entry for entry in self._entries("event")}

    # calls

    def encode(self, name: str, values: Sequence[object]) -> bytes:
        """Input of a call of that function. Raises ``InputError`` if a value does not fit its type."""
        from eth_abi.exceptions import EncodingError

        selector, types = self._inputs[name]
        try:
            return selector + bytes(self._codec.encode(types, list(values)))
        except (EncodingError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"{name}: an argument does not fit the contract's types") from error

    def encode_call(self, call: ContractCall, signature: Signature | None) -> bytes:
        name = form_of(call).function
        if signature is None:
            return self.encode(name, arguments(call))
        return self.encode(f"{name}WithSignature", twin_arguments(call, signature))

    def decode_result(self, name: str, data: bytes) -> tuple[Any, ...]:
        """What a view returned. Raises ``Nonsense``."""
        return self._decode(self._outputs[name], data, f"the answer of {name}")

    def _decode(self, types: Sequence[str], data: bytes, what: str) -> tuple[Any, ...]:
        from eth_abi.exceptions import DecodingError

        try:
            return tuple(self._codec.decode(list(types), data))
        except (DecodingError, ValueError, OverflowError) as error:
            raise Nonsense(f"{what} is not what the contract returns") from error

    # events

    def topic(self, name: str) -> bytes:
        """The first topic of an event."""
        entry = next(entry for entry in self._entries("event") if entry["name"] == name)
        return keccak(_signature(entry))

    def decode_event(self, topics: Sequence[bytes], data: bytes) -> tuple[str, dict[str, Any]] | None:
        """An event's name and fields (addresses and hashes as bytes); None if it is none of this contract's."""
        entry = self._events.get(topics[0]) if topics else None
        if entry is None:
            return None
        name = entry["name"]
        indexed = [part for part in entry["inputs"] if part["indexed"]]
        plain = [part for part in entry["inputs"] if not part["indexed"]]
        if len(topics) != len(indexed) + 1:
            raise Nonsense(f"an event {name} has {len(topics)} topics")
        fields: dict[str, Any] = {}
        for part, topic in zip(indexed, topics[1:], strict=True):
            fields[part["name"]] = _value(part["type"], self._decode([part["type"]], topic, f"an event {name}")[0])
        values = self._decode([part["type"] for part in plain], data, f"an event {name}")
        for part, value in zip(plain, values, strict=True):
            fields[part["name"]] = _value(part["type"], value)
        return name, fields

    # reverts

    def reverted(self, data: bytes, reason: str) -> CallReverted:
        """The error that a revert stands for; ``reason`` is what the node says where the data say nothing."""
        selector = data[:4]
        try:
            if selector == _ERROR_STRING:
                return CallReverted(f"reverted: {self._decode(['string'], data[4:_MAX_REVERT_DATA], 'a revert')[0]}")
            if selector == _PANIC:
                code = self._decode(["uint256"], data[4:_MAX_REVERT_DATA], "a revert")[0]
                return CallReverted(f"reverted: panic 0x{code:02x}", "Panic")
            entry = self._errors.get(selector)
            if entry is not None:
                values = self._decode([part["type"] for part in entry["inputs"]], data[4:], "a revert")
                shown = ", ".join(
                    f"{part['name']}={_show(_value(part['type'], value))}"
                    for part, value in zip(entry["inputs"], values, strict=True)
                )
                return CallReverted(f"the contract refuses: {entry['name']}({shown})", entry["name"])
        except Nonsense:
            return CallReverted(f"reverted with unreadable data: {reason}")
        return CallReverted(f"reverted: {reason}" if reason else "reverted without a reason")


def _signature(entry: Mapping[str, Any]) -> bytes:
    return f"{entry['name']}({','.join(part['type'] for part in entry['inputs'])})".encode()


def _value(kind: str, value: Any) -> Any:
    if kind == "address":
        return bytes.fromhex(value[2:])
    return tuple(value) if kind.endswith("[]") else value


def _show(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
