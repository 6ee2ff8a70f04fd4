"""The registry contract on an Ethereum chain, through any JSON-RPC node: ``anchors.base.Chain`` for real."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from anchors.artifact import load_artifact
from anchors.base import (
    Call,
    ChainEvent,
    ContractCall,
    EvidenceQuery,
    Fees,
    IssuerState,
    Refusal,
    Signature,
    TransactionRefused,
    TransactionState,
    WrongContract,
)
from anchors.ethereum.answers import Nonsense, parse_block, parse_data, parse_mapping, parse_quantity
from anchors.ethereum.codec import Codec, keccak
from anchors.ethereum.events import read_events
from anchors.ethereum.evidence import read_evidence
from anchors.ethereum.reader import Reader, Views, hex_data, word_parts, words_of
from anchors.ethereum.refusals import KNOWN, refusal_of
from anchors.ethereum.rpc import Node, Nodes, RpcError
from anchors.ethereum.transport import HttpTransport, Transport
from registry.core.errors import InputError
from registry.core.model import AnchorEvidence, BatchRecord, BlockRef, StatusWords

__all__ = ["EthereumChain"]

_T = TypeVar("_T")

GWEI = 10**9
DEFAULT_FEE_CAP = 100 * GWEI
DEFAULT_TIMEOUT_SECONDS = 15.0
MINIMUM_TIP = 10**6  # a thousandth of a gwei: some test networks report zero, and some nodes refuse that
MAXIMUM_GAS = 100_000_000
FEE_HISTORY_BLOCKS = 10


class EthereumChain:
    """One contract on one chain. Keeps nothing but open connections; may be used from several threads."""

    def __init__(
        self,
        nodes: Sequence[str | Transport],
        chain_id: int,
        contract: bytes,
        *,
        code_hash: bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        fee_cap: int = DEFAULT_FEE_CAP,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Asks nothing yet: see ``check``.

        ``nodes`` are URLs, or transports such as an open ``DevChain``, tried in turn. ``contract`` is the contract's
        address (20 bytes), ``code_hash`` the keccak-256 that its code must have (None: the artifact's own), ``timeout``
        in seconds for each HTTP request, ``fee_cap`` in wei per gas. Raises ``InputError`` for values of no use.
        """
        if not nodes:
            raise InputError(f"no node is configured for chain {chain_id}: set REGISTRY_RPC_URLS")
        if len(contract) != 20:
            raise InputError(f"a contract address has 20 bytes, not {len(contract)}")
        artifact = load_artifact()
        self._chain_id = chain_id
        self._contract = contract
        self._code_hash = artifact.code_hash if code_hash is None else code_hash
        self._fee_cap = fee_cap
        self._codec = Codec(artifact)
        transports = [HttpTransport(node) if isinstance(node, str) else node for node in nodes]
        self._nodes = Nodes([Node(transport, chain_id, timeout) for transport in transports], sleep)

    def close(self) -> None:
        """Closes the connections that are kept open. Using the chain again opens new ones."""
        self._nodes.close()

    def __enter__(self) -> "EthereumChain":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"EthereumChain(chain {self._chain_id}, contract 0x{self._contract.hex()})"

    @property
    def chain_id(self) -> int:
        return self._chain_id

    @property
    def contract(self) -> bytes:
        return self._contract

    def check(self) -> bytes:
        """Asks the node for its chain id and the contract's code; returns the code's keccak-256."""
        code = self.code(self._contract)
        if not code:
            raise WrongContract(
                f"there is no contract at 0x{self._contract.hex()} on chain {self._chain_id}",
                "deploy it with `registry deploy`, or set REGISTRY_CONTRACT to where it is",
            )
        found = keccak(code)
        if found != self._code_hash:
            raise WrongContract(
                f"the contract at 0x{self._contract.hex()} on chain {self._chain_id} has the code hash "
                f"0x{found.hex()}, not the registry contract's 0x{self._code_hash.hex()}",
                "set REGISTRY_CONTRACT to the right address",
            )
        return found

    # reading

    def head(self) -> BlockRef:
        return self._nodes.run(lambda node: parse_block(node.read("eth_getBlockByNumber", "latest", False)))

    def finalized(self) -> BlockRef | None:
        """The node's own finalized block; None if it names none."""
        return self._nodes.run(lambda node: Reader(node).finalized())

    def block(self, number: int) -> BlockRef | None:
        """The canonical block of that number; None if it is above the head or pruned."""
        return self._nodes.run(lambda node: Reader(node).block(number))

    def read_blocks(self, numbers: Iterable[int]) -> dict[int, BlockRef]:
        """As ``block``, many at once; those that the node has not got are left out."""
        return self._nodes.run(lambda node: Reader(node).blocks(numbers))

    def code(self, address: bytes, at: BlockRef | None = None) -> bytes:
        """The code at any address; empty if there is none."""
        return self._nodes.run(lambda node: Reader(node).code(address, at))

    def read_issuer(self, issuer: bytes, at: BlockRef | None = None) -> IssuerState:
        def read(views: Views) -> IssuerState:
            (next_index,), (nonce,), (controller,), (epoch,) = views.read_all(
                [("nextIndexOf", [issuer]), ("nonceOf", [issuer]), ("controllerOf", [issuer]), ("epochOf", [issuer])],
                at,
            )
            return IssuerState(next_index, nonce, bytes.fromhex(controller[2:]), epoch)

        return self._views(read)

    def read_roles(self, issuer: bytes, key: bytes, at: BlockRef | None = None) -> int:
        return self._views(lambda views: int(views.read("rolesOf", [issuer, key], at)[0]))

    def read_record(self, issuer: bytes, root: bytes, first: int, at: BlockRef | None = None) -> BatchRecord | None:
        return self._views(lambda views: views.record(views.read("batchOf", [issuer, root, first], at)))

    def read_words(self, issuer: bytes, words: Sequence[int], at: BlockRef | None = None) -> dict[int, StatusWords]:
        return self._views(lambda views: views.status_words(issuer, sorted(set(words)), at))

    def read_claim(self, issuer: bytes, did: str, document_hash: bytes, at: BlockRef | None = None) -> int:
        """When the issuer first claimed that DID with that document, 0 if never."""
        return self._views(lambda views: int(views.read("claimedAt", [issuer, did, document_hash], at)[0]))

    def read_next_indexes(self, issuers: Sequence[bytes], at: BlockRef | None = None) -> list[int]:
        return [int(index) for (index,) in self._all("nextIndexOf", [[issuer] for issuer in issuers], at)]

    def read_records(
        self, batches: Sequence[tuple[bytes, bytes, int]], at: BlockRef | None = None
    ) -> list[BatchRecord | None]:
        return [Views.record(fields) for fields in self._all("batchOf", batches, at)]

    def read_claims(self, claims: Sequence[tuple[bytes, str, bytes]], at: BlockRef | None = None) -> list[int]:
        return [int(claimed_at) for (claimed_at,) in self._all("claimedAt", claims, at)]

    def read_words_of(
        self, wanted: Sequence[tuple[bytes, Sequence[int]]], at: BlockRef | None = None
    ) -> list[dict[int, StatusWords]]:
        parts = [
            (place, issuer, part)
            for place, (issuer, words) in enumerate(wanted)
            for part in word_parts(sorted(set(words)))
        ]
        answers = self._all("statusWordsOf", [[issuer, part] for _, issuer, part in parts], at)
        found: list[dict[int, StatusWords]] = [{} for _ in wanted]
        for (place, _, part), answer in zip(parts, answers, strict=True):
            found[place].update(words_of([part], [answer]))
        return found

    def _all(self, view: str, questions: Sequence[Sequence[object]], at: BlockRef | None) -> list[tuple[Any, ...]]:
        """What one view returns to each question, all at one block."""
        if not questions:
            return []
        return self._views(lambda views: views.read_all([(view, values) for values in questions], at))

    def read_evidence(self, queries: Sequence[EvidenceQuery]) -> list[AnchorEvidence]:
        """All answers from one block of one node: three or four HTTP requests, however many queries."""
        if not queries:
            return []
        return self._views(lambda views: read_evidence(views, queries))

    def read_events(self, first_block: int, last_block: int) -> list[ChainEvent]:
        """Raises ``ChainUnreachable`` if the node has not got ``last_block`` (yet), rather than return less."""
        if first_block > last_block:
            return []
        return self._views(lambda views: read_events(views, first_block, last_block))

    def _views(self, work: Callable[[Views], _T]) -> _T:
        return self._nodes.run(
            lambda node: work(Views(node, self._codec, self._chain_id, self._contract, self._code_hash))
        )

    # writing

    def encode(self, call: ContractCall, signature: Signature | None = None) -> Call:
        """The transaction input of a call; with a signature, of its signed twin. Raises ``InputError``."""
        return Call(self._contract, self._codec.encode_call(call, signature))

    def estimate_gas(self, sender: bytes, call: Call, *, tag: str | None = None) -> int:
        """Simulates the call; raises ``CallReverted`` with the contract's error name.

        Without a ``tag`` in the block that the node takes by itself. A local node that makes no blocks of its own takes
        the next one: on its newest block, which may be hours old, a signature's deadline would be too far ahead.
        """
        block = [] if tag is None else [tag]
        fields = {"from": hex_data(sender), "to": hex_data(call.to), "data": hex_data(call.data)}

        def estimate(node: Node) -> int:
            try:
                answer = node.ask("eth_estimateGas", fields, *block)
            except RpcError as error:
                reader = Reader(node)
                revert = reader.revert_of(error, self._codec)
                if revert is not None:
                    raise revert from None
                if refusal_of(error.message) is Refusal.INSUFFICIENT_FUNDS:
                    raise _refused(error) from None
                raise error.unusable() from None
            gas = parse_quantity(answer, "the gas estimate", maximum=MAXIMUM_GAS)
            if gas < 21_000:
                raise Nonsense("the gas estimate is below what any transaction costs")
            return gas

        return self._nodes.run(estimate)

    def suggest_fees(self) -> Fees:
        """Fees of the moment: room for the base fee to double, and the median tip of the last blocks."""
        base, tip = self._nodes.run(_fee_market)
        if base + tip > self._fee_cap:
            tip = max(self._fee_cap - base, 0)
            if tip < MINIMUM_TIP:
                raise TransactionRefused(
                    f"chain {self._chain_id} asks for {base / GWEI:.3f} gwei per gas, above the cap of "
                    f"{self._fee_cap / GWEI:.3f} gwei: wait, or raise the cap",
                    Refusal.FEE_TOO_LOW,
                )
        return Fees(min(2 * base + tip, self._fee_cap), tip)

    def next_nonce(self, sender: bytes, at: BlockRef | None = None) -> int:
        """How many of the sender's transactions are in blocks (at that block): waiting ones do not count."""

        def read(node: Node) -> int:
            answer = Reader(node).at_block("eth_getTransactionCount", [hex_data(sender)], at)
            return parse_quantity(answer, "a nonce", maximum=2**64 - 1)

        return self._nodes.run(read)

    def balance(self, sender: bytes) -> int:
        """The sender's money, in wei."""

        def read(node: Node) -> int:
            return parse_quantity(node.read("eth_getBalance", hex_data(sender), "latest"), "a balance")

        return self._nodes.run(read)

    def send(self, raw: bytes) -> None:
        """Hands a signed transaction to the node. One that it has already, or that is in a block, is no error."""
        expected = keccak(raw)

        def send(node: Node) -> None:
            try:
                answer = node.ask("eth_sendRawTransaction", hex_data(raw))
            except RpcError as error:
                if KNOWN.search(error.message) or _has(node, expected):
                    return
                if refusal_of(error.message) is Refusal.OTHER and not _about_the_transaction(error):
                    raise error.unusable() from None
                raise _refused(error) from None
            if parse_data(answer, "the transaction's hash", length=32) != expected:
                raise Nonsense("the node names another transaction than the one it was sent")

        self._nodes.run(send)

    def transaction(self, transaction_hash: bytes) -> TransactionState | None:
        """Where a transaction is; None while it is in no block that the node knows."""
        return self._nodes.run(lambda node: _transaction(node, transaction_hash))

    def find_transaction(self, call: Call, block_number: int) -> bytes | None:
        """The hash of a successful transaction of that block which makes exactly that call; None if there is none."""
        return self._nodes.run(lambda node: _find_transaction(node, call, block_number))


def _refused(error: RpcError) -> TransactionRefused:
    refusal = refusal_of(error.message)
    hint = {
        Refusal.INSUFFICIENT_FUNDS: ": send money to the sending account",
        Refusal.OTHER: ": see docs/chains.md for what nodes refuse",
    }.get(refusal, "")
    return TransactionRefused(f"{error.node} refuses the transaction: {error.message}{hint}", refusal)


def _about_the_transaction(error: RpcError) -> bool:
    """These codes are about what was sent (EIP-1474, and what nodes make of it); others are about the node itself."""
    return error.code in {-32000, -32003, -32010, -32602, 3} and not error.is_transient


def _has(node: Node, transaction_hash: bytes) -> bool:
    """Whether the node has this transaction, in a block or waiting."""
    try:
        answer = node.ask("eth_getTransactionByHash", hex_data(transaction_hash))
    except RpcError:
        return False
    if answer is None:
        return False
    return parse_data(parse_mapping(answer, "a transaction").get("hash"), "a hash", length=32) == transaction_hash


def _transaction(node: Node, transaction_hash: bytes) -> TransactionState | None:
    answer = node.read("eth_getTransactionReceipt", hex_data(transaction_hash))
    if answer is None:
        return None
    receipt = parse_mapping(answer, "a receipt")
    if parse_data(receipt.get("transactionHash"), "a transaction's hash", length=32) != transaction_hash:
        raise Nonsense("the receipt is another transaction's")
    if receipt.get("blockHash") is None:
        return None  # some nodes write receipts for what waits
    status = parse_quantity(receipt.get("status"), "a receipt's status", maximum=1)
    return TransactionState(
        block_number=parse_quantity(receipt.get("blockNumber"), "a block's number", maximum=2**63 - 1),
        block_hash=parse_data(receipt["blockHash"], "a block's hash", length=32),
        succeeded=status == 1,
    )


def _find_transaction(node: Node, call: Call, block_number: int) -> bytes | None:
    answer = node.read("eth_getBlockByNumber", hex(block_number), True)
    transactions = None if answer is None else parse_mapping(answer, "a block").get("transactions")
    for entry in transactions if isinstance(transactions, list) else []:
        fields = parse_mapping(entry, "a transaction")
        if fields.get("to") is None or parse_data(fields["to"], "an address", length=20) != call.to:
            continue
        if parse_data(fields.get("input"), "a transaction's input") == call.data:
            found = parse_data(fields.get("hash"), "a transaction's hash", length=32)
            state = _transaction(node, found)
            if state is not None and state.succeeded:
                return found
    return None


def _fee_market(node: Node) -> tuple[int, int]:
    """The next block's base fee, and a tip that half of the latest blocks' transactions paid."""
    history = parse_mapping(node.read("eth_feeHistory", hex(FEE_HISTORY_BLOCKS), "latest", [50]), "the fee history")
    fees = history.get("baseFeePerGas")
    if not isinstance(fees, list) or not fees:
        raise Nonsense("the fee history names no base fee")
    base = parse_quantity(fees[-1], "the base fee")
    rewards = history.get("reward")
    tips = [
        parse_quantity(entry[0], "a tip")
        for entry in (rewards if isinstance(rewards, list) else [])
        if isinstance(entry, list) and entry
    ]
    tips = sorted(tip for tip in tips if tip > 0)  # empty blocks report zero
    return base, max(tips[len(tips) // 2] if tips else 0, MINIMUM_TIP)
