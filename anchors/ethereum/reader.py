"""Reads of one node: blocks, state pinned to a block, and the contract's views."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from anchors.base import CallReverted, WrongContract
from anchors.ethereum.answers import Nonsense, parse_block, parse_data
from anchors.ethereum.codec import Codec, keccak
from anchors.ethereum.rpc import Node, Request, RpcError, Unavailable, usable
from registry.core.model import BatchRecord, BlockRef, StatusWords

__all__ = ["Reader", "Views", "hex_data", "word_parts", "words_of"]

WORDS_AT_ONCE = 500  # two storage reads each: some two million gas of a simulated call, far below any node's limit
_REVERTED = re.compile(
    r"revert|invalid opcode|VM (execution|Exception)|out of gas|stack (under|over)flow", re.IGNORECASE
)
_NO_PIN = re.compile(
    r"invalid (argument|param|block|type)|unmarshal|unknown (field|block tag|variant)|expected|deserializ"
    r"|not supported|unsupported|parse|missing 0x|hex string",
    re.IGNORECASE,
)
_NO_TAG = re.compile(r"finalized|unknown block|not supported|unsupported|invalid|not found|missing", re.IGNORECASE)


def hex_data(value: bytes) -> str:
    return "0x" + value.hex()


class Reader:
    """Reads of one node that need no contract."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def block(self, number: int) -> BlockRef | None:
        answer = self.node.read("eth_getBlockByNumber", hex(number), False)
        return None if answer is None else parse_block(answer, number=number)

    def blocks(self, numbers: Iterable[int]) -> dict[int, BlockRef]:
        wanted = sorted(set(numbers))
        answers = self.node.ask_all([Request("eth_getBlockByNumber", (hex(number), False)) for number in wanted])
        found = zip(wanted, map(usable, answers), strict=True)
        return {number: parse_block(answer, number=number) for number, answer in found if answer is not None}

    def finalized(self) -> BlockRef | None:
        try:
            answer = self.node.ask("eth_getBlockByNumber", "finalized", False)
        except RpcError as error:
            return self.no_tag(error)
        return None if answer is None else parse_block(answer)

    @staticmethod
    def no_tag(error: RpcError) -> None:
        if not _NO_TAG.search(error.message):
            raise error.unusable() from None

    def code(self, address: bytes, at: BlockRef | None) -> bytes:
        return parse_data(self.at_block("eth_getCode", [hex_data(address)], at), "a contract's code")

    def at_block(self, method: str, params: Sequence[Any], at: BlockRef | None) -> Any:
        """A call whose last parameter is the block; errors count as no answer."""
        return usable(self.all_at_block([(method, params)], at)[0])

    def all_at_block(self, calls: Sequence[tuple[str, Sequence[Any]]], at: BlockRef | None) -> list[Any]:
        """All calls on the state of exactly that block (None: the newest); results, or ``RpcError`` in their places.

        Pinned by block hash (EIP-1898). A node that does not know that form is asked by number, and whether the block
        of that number is still the same one is looked up afterwards.
        """
        if at is None:
            return self.node.ask_all([Request(method, (*params, "latest")) for method, params in calls])
        if self.node.pins_by_hash:
            pin = {"blockHash": hex_data(at.hash), "requireCanonical": True}
            answers = self.node.ask_all([Request(method, (*params, pin)) for method, params in calls])
            if not any(_refuses_pin(answer) for answer in answers):
                return answers
        answers = self.node.ask_all([Request(method, (*params, hex(at.number))) for method, params in calls])
        self.expect_canonical(at)
        self.node.pins_by_hash = False  # only now: a node that is merely out of order fails here as well
        return answers

    def expect_canonical(self, block: BlockRef) -> None:
        """Raises ``Unavailable`` if the chain at that height is another block by now."""
        if self.block(block.number) != block:
            raise Unavailable(f"{self.node.name} reorganised its chain at block {block.number} while it was read")

    @staticmethod
    def revert_of(error: RpcError, codec: Codec) -> CallReverted | None:
        """The revert that an error of a simulated call stands for; None if it stands for something else."""
        data = _revert_data(error.data)
        if data is None and error.code != 3 and not _REVERTED.search(error.message):
            return None
        return codec.reverted(data or b"", error.message)


class Views(Reader):
    """The contract's views, as one node answers them."""

    def __init__(self, node: Node, codec: Codec, chain_id: int, contract: bytes, code_hash: bytes) -> None:
        super().__init__(node)
        self.codec = codec
        self.chain_id = chain_id
        self.contract = contract
        self.code_hash = code_hash

    def read(self, name: str, values: Sequence[object], at: BlockRef | None) -> tuple[Any, ...]:
        """What one view returns at that block."""
        return self.read_all([(name, values)], at)[0]

    def read_all(self, views: Sequence[tuple[str, Sequence[object]]], at: BlockRef | None) -> list[tuple[Any, ...]]:
        """What many views return, all at that block; None: all at one block, the newest."""
        if at is None and len(views) > 1:
            at = parse_block(self.node.read("eth_getBlockByNumber", "latest", False))
        answers = self.all_at_block([self.call(name, values) for name, values in views], at)
        return [self.result(name, answer) for (name, _), answer in zip(views, answers, strict=True)]

    def call(self, name: str, values: Sequence[object]) -> tuple[str, list[Any]]:
        data = self.codec.encode(name, values)
        return "eth_call", [{"to": hex_data(self.contract), "data": hex_data(data)}]

    def result(self, name: str, answer: Any) -> tuple[Any, ...]:
        """Decodes what eth_call returned. Views never revert: one that does is another contract's."""
        if isinstance(answer, RpcError):
            if self.revert_of(answer, self.codec) is not None:
                raise self._wrong()
            raise answer.unusable()
        data = parse_data(answer, f"the answer of {name}")
        if not data:
            raise self._wrong()
        try:
            return self.codec.decode_result(name, data)
        except Nonsense:
            # Another contract, or a node that talks nonsense? The code tells.
            if keccak(self.code(self.contract, None)) != self.code_hash:
                raise self._wrong() from None
            raise

    def _wrong(self) -> WrongContract:
        return WrongContract(
            f"there is no registry contract at {hex_data(self.contract)} on chain {self.chain_id} "
            f"(asked at {self.node.name})",
            "set REGISTRY_CONTRACT to the right address",
        )

    @staticmethod
    def record(fields: tuple[Any, ...]) -> BatchRecord | None:
        size, anchored_at, revoked_at, block_number = fields
        return BatchRecord(size, anchored_at, revoked_at, block_number) if size else None

    def status_words(self, issuer: bytes, words: Sequence[int], at: BlockRef | None) -> dict[int, StatusWords]:
        parts = word_parts(words)
        answers = self.read_all([("statusWordsOf", [issuer, part]) for part in parts], at)
        return words_of(parts, answers)


def word_parts(words: Sequence[int]) -> list[list[int]]:
    return [list(words[start : start + WORDS_AT_ONCE]) for start in range(0, len(words), WORDS_AT_ONCE)]


def words_of(parts: Sequence[Sequence[int]], answers: Sequence[tuple[Any, ...]]) -> dict[int, StatusWords]:
    found: dict[int, StatusWords] = {}
    for part, (revoked, suspended) in zip(parts, answers, strict=True):
        if len(revoked) != len(part) or len(suspended) != len(part):
            raise Nonsense(f"asked for {len(part)} status words, got {len(revoked)} and {len(suspended)}")
        found.update((word, StatusWords(*pair)) for word, *pair in zip(part, revoked, suspended, strict=True))
    return found


def _refuses_pin(answer: Any) -> bool:
    """Whether an error is about the form of the block parameter, not about the block."""
    return (
        isinstance(answer, RpcError)
        and _revert_data(answer.data) is None
        and (answer.code == -32602 or bool(_NO_PIN.search(answer.message)))
        and not isinstance(answer.unusable(), Unavailable)
    )


def _revert_data(data: object) -> bytes | None:
    """Revert data lie in different places of the error, by node: plain, after a word, or one level down."""
    if isinstance(data, dict):
        data = data.get("data", data.get("result"))
        if isinstance(data, dict):
            data = data.get("data")
    if not isinstance(data, str):
        return None
    found = re.fullmatch(r"(?:Reverted )?(0x(?:[0-9a-fA-F]{2})*)", data.strip())
    return bytes.fromhex(found[1][2:]) if found else None
