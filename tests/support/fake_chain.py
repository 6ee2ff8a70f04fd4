"""An in-memory chain behind the real ``Chain`` Protocol: the contract's rules as a small model, blocks, a mempool,
reorganisations, foreign transactions, and a hook at which a test can cut the line before or after any call.

It passes the same conformance tests as the real back-ends (tests/anchors). It is fast, and it proves nothing about
Ethereum.
"""

import copy
import hashlib
import pickle
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from anchors import base
from anchors.base import (
    Call,
    CallReverted,
    ChainEvent,
    ChainUnreachable,
    ContractCall,
    EvidenceQuery,
    Fees,
    IssuerState,
    Refusal,
    Signature,
    SignedTransaction,
    TransactionRefused,
    TransactionState,
)
from registry.core.model import AnchorEvidence, AnchorLocation, BatchRecord, BlockRef, Claim, StatusWords

CONTRACT = b"\xc0" * 20
CODE_HASH = b"\xcd" * 32
GWEI = 10**9

_ROLE = {base.AnchorBatch: 1, base.Revoke: 2, base.SetSuspension: 4}


@dataclass
class Transaction:
    sender: bytes
    nonce: int
    call: Call
    gas: int
    fees: Fees
    hash: bytes


class FakeSigner:
    """Signs by saying so."""

    def __init__(self, address: bytes) -> None:
        self.address = address

    def sign_transaction(self, *, chain_id: int, nonce: int, call: Call, gas: int, fees: Fees) -> SignedTransaction:
        body = pickle.dumps((self.address, chain_id, nonce, call.to, call.data, gas, fees.max_fee, fees.priority_fee))
        return SignedTransaction(body, hashlib.sha256(body).digest())

    def sign_call(self, *, chain_id: int, contract: bytes, call: ContractCall, deadline: int) -> Signature:
        body = pickle.dumps((chain_id, contract, call, deadline))
        return Signature(self.address, deadline, hashlib.sha256(self.address + body).digest() * 2 + b"\x1b")


@dataclass
class State:
    """What the contract stores."""

    next_index: dict[bytes, int] = field(default_factory=dict)
    nonce: dict[bytes, int] = field(default_factory=dict)
    roles: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    records: dict[tuple[bytes, bytes, int], BatchRecord] = field(default_factory=dict)
    revoked: dict[tuple[bytes, int], int] = field(default_factory=dict)
    suspended: dict[tuple[bytes, int], int] = field(default_factory=dict)
    claims: dict[tuple[bytes, str, bytes], int] = field(default_factory=dict)
    account_nonce: dict[bytes, int] = field(default_factory=dict)


@dataclass
class Block:
    ref: BlockRef
    state: State
    events: list[Any] = field(default_factory=list)
    transactions: dict[bytes, TransactionState] = field(default_factory=dict)
    bodies: list[Transaction] = field(default_factory=list)


def _asked(method: Any) -> Any:
    """Marks a question to the node: it can fail before it arrives, and after it was carried out."""

    @wraps(method)
    def ask(self: "FakeChain", *args: Any, **kwargs: Any) -> Any:
        self.fault(method.__name__, "before")
        if self.unreachable:
            raise ChainUnreachable("The node does not answer.")
        result = method(self, *args, **kwargs)
        self.fault(method.__name__, "after")
        return result

    return ask


class FakeChain:
    def __init__(self, clock: Callable[[], int], chain_id: int = 31337) -> None:
        self.chain_id = chain_id
        self.contract = CONTRACT
        self.code_hash = CODE_HASH
        self.clock = clock
        self.automine = True
        self.unreachable = False
        self.pruned = False  # no logs any more
        self.events_since = 0  # it refuses to tell events of older blocks
        self.finalized_lag: int | None = 0
        self.base_fee = GWEI
        self.fee_cap = 1_000 * GWEI
        self.balances: dict[bytes, int] = {}
        self.mempool: dict[tuple[bytes, int], Transaction] = {}
        self.fault: Callable[[str, str], None] = lambda _name, _when: None
        self._branch = 0
        self.blocks = [Block(BlockRef(0, b"\x00" * 32, clock()), State())]

    # --- a test's levers ---

    @property
    def tip(self) -> Block:
        return self.blocks[-1]

    def mine(self, count: int = 1) -> None:
        """New blocks; the first takes what waits in the mempool and pays enough."""
        for _ in range(count):
            state = copy.deepcopy(self.tip.state)
            number = self.tip.ref.number + 1
            timestamp = max(self.clock(), self.tip.ref.timestamp + 1)
            seed = self.tip.ref.hash + number.to_bytes(8) + self._branch.to_bytes(8) + timestamp.to_bytes(8)
            block = Block(BlockRef(number, hashlib.sha256(seed).digest(), timestamp), state)
            for key in sorted(self.mempool):
                transaction = self.mempool[key]
                if transaction.nonce == state.account_nonce.get(transaction.sender, 0):
                    if transaction.fees.max_fee < self.base_fee:
                        continue
                    del self.mempool[key]
                    self._execute(block, transaction)
            self.blocks.append(block)
            # what can never be in a block any more is dropped
            nonces = state.account_nonce
            self.mempool = {key: waits for key, waits in self.mempool.items() if key[1] >= nonces.get(key[0], 0)}

    def reorganise(self, depth: int, *, keep: bool = True, blocks: int | None = None) -> None:
        """Replaces the last ``depth`` blocks by others; ``keep`` puts their transactions back into the mempool."""
        gone = self.blocks[len(self.blocks) - depth :]
        del self.blocks[len(self.blocks) - depth :]
        self._branch += 1
        if keep:
            for block in gone:
                for transaction in block.bodies:
                    self.mempool.setdefault((transaction.sender, transaction.nonce), transaction)
        self.mine(depth + 1 if blocks is None else blocks)

    def foreign_anchor(self, issuer: bytes, root: bytes, size: int) -> None:
        """Somebody else who holds the issuer's key anchors something."""
        call = base.AnchorBatch(issuer, root, self.tip.state.next_index.get(issuer, 0), size)
        self._send_foreign(issuer, self.encode(call))

    def foreign_transaction(self, sender: bytes) -> None:
        """Another program with the paying account's key uses its next nonce."""
        self._send_foreign(sender, Call(b"\xee" * 20, b""))

    def _send_foreign(self, sender: bytes, call: Call) -> None:
        """In the next block; a reorganisation takes it along as it does any other transaction."""
        nonce = self.tip.state.account_nonce.get(sender, 0)
        seed = pickle.dumps(("foreign", sender, nonce, call.to, call.data, len(self.blocks), self._branch))
        fees = Fees(self.fee_cap, GWEI)
        self.mempool[sender, nonce] = Transaction(sender, nonce, call, 60_000, fees, hashlib.sha256(seed).digest())
        self.mine()

    # --- the Chain Protocol ---

    @_asked
    def check(self) -> bytes:
        return self.code_hash

    @_asked
    def head(self) -> BlockRef:
        return self.tip.ref

    @_asked
    def finalized(self) -> BlockRef | None:
        if self.finalized_lag is None:
            return None
        return self.blocks[max(0, len(self.blocks) - 1 - self.finalized_lag)].ref

    @_asked
    def block(self, number: int) -> BlockRef | None:
        return self.blocks[number].ref if 0 <= number < len(self.blocks) else None

    @_asked
    def read_blocks(self, numbers: Iterable[int]) -> dict[int, BlockRef]:
        return {number: self.blocks[number].ref for number in numbers if 0 <= number < len(self.blocks)}

    @_asked
    def read_claim(self, issuer: bytes, did: str, document_hash: bytes, at: BlockRef | None = None) -> int:
        return self._state(at).claims.get((issuer, did, document_hash), 0)

    @_asked
    def read_issuer(self, issuer: bytes, at: BlockRef | None = None) -> IssuerState:
        state = self._state(at)
        return IssuerState(state.next_index.get(issuer, 0), state.nonce.get(issuer, 0), issuer, 0)

    @_asked
    def read_roles(self, issuer: bytes, key: bytes, at: BlockRef | None = None) -> int:
        return 7 if issuer == key else self._state(at).roles.get((issuer, key), 0)

    @_asked
    def read_record(self, issuer: bytes, root: bytes, first: int, at: BlockRef | None = None) -> BatchRecord | None:
        return self._state(at).records.get((issuer, root, first))

    @_asked
    def read_words(self, issuer: bytes, words: Sequence[int], at: BlockRef | None = None) -> dict[int, StatusWords]:
        return self._words(self._state(at), issuer, words)

    # Each one counts as a question, as it does for a node.

    def read_next_indexes(self, issuers: Sequence[bytes], at: BlockRef | None = None) -> list[int]:
        return [self.read_issuer(issuer, at).next_index for issuer in issuers]

    def read_records(
        self, batches: Sequence[tuple[bytes, bytes, int]], at: BlockRef | None = None
    ) -> list[BatchRecord | None]:
        return [self.read_record(*batch, at) for batch in batches]

    def read_claims(self, claims: Sequence[tuple[bytes, str, bytes]], at: BlockRef | None = None) -> list[int]:
        return [self.read_claim(*claim, at) for claim in claims]

    def read_words_of(
        self, wanted: Sequence[tuple[bytes, Sequence[int]]], at: BlockRef | None = None
    ) -> list[dict[int, StatusWords]]:
        return [self.read_words(issuer, words, at) for issuer, words in wanted]

    @_asked
    def read_evidence(self, queries: Sequence[EvidenceQuery]) -> list[AnchorEvidence]:
        final = None if self.finalized_lag is None else max(0, len(self.blocks) - 1 - self.finalized_lag)
        return [
            AnchorEvidence(
                chain_id=self.chain_id,
                contract=self.contract,
                code_hash=self.code_hash,
                block=self.tip.ref,
                finalized=final,
                issuer=query.issuer,
                root=query.root,
                first_index=query.first_index,
                record=self.tip.state.records.get((query.issuer, query.root, query.first_index)),
                words=self._words(self.tip.state, query.issuer, query.words),
                location=self._location(query),
                claims=tuple(
                    Claim(*claim, self.tip.state.claims.get((query.issuer, *claim), 0)) for claim in query.claims
                ),
            )
            for query in queries
        ]

    @_asked
    def read_events(self, first_block: int, last_block: int) -> list[ChainEvent]:
        if first_block < self.events_since:
            raise base.HistoryPruned(f"no events of block {first_block} any more")
        if self.pruned:
            return []
        return [event for block in self.blocks[first_block : last_block + 1] for event in block.events]

    def encode(self, call: ContractCall, signature: Signature | None = None) -> Call:
        return Call(self.contract, pickle.dumps((call, signature)))

    @_asked
    def estimate_gas(self, sender: bytes, call: Call) -> int:
        trial = Block(
            BlockRef(self.tip.ref.number + 1, b"\x11" * 32, max(self.clock(), self.tip.ref.timestamp + 1)),
            copy.deepcopy(self.tip.state),
        )
        self._run(trial, sender, call, b"\x00" * 32)
        return 60_000

    @_asked
    def suggest_fees(self) -> Fees:
        if self.base_fee * 2 > self.fee_cap:
            raise TransactionRefused("Gas is dearer than MAX_FEE_GWEI allows.", Refusal.FEE_TOO_LOW)
        return Fees(self.base_fee * 2, GWEI)

    @_asked
    def next_nonce(self, sender: bytes, at: BlockRef | None = None) -> int:
        return self._state(at).account_nonce.get(sender, 0)

    @_asked
    def balance(self, sender: bytes) -> int:
        return self.balances.get(sender, 10**18)

    @_asked
    def send(self, raw: bytes) -> None:
        sender, chain_id, nonce, to, data, gas, max_fee, priority_fee = pickle.loads(raw)
        assert chain_id == self.chain_id
        transaction = Transaction(
            sender, nonce, Call(to, data), gas, Fees(max_fee, priority_fee), hashlib.sha256(raw).digest()
        )
        if any(transaction.hash in block.transactions for block in self.blocks):
            return
        if nonce < self.tip.state.account_nonce.get(sender, 0):
            raise TransactionRefused("nonce too low", Refusal.NONCE_TOO_LOW)
        if self.balances.get(sender, 10**18) < gas * max_fee:
            raise TransactionRefused(
                f"The account 0x{sender.hex()} has too little money; send it some.", Refusal.INSUFFICIENT_FUNDS
            )
        waiting = self.mempool.get((sender, nonce))
        if waiting is not None and waiting.hash != transaction.hash and waiting.fees.max_fee * 11 // 10 > max_fee:
            raise TransactionRefused("replacement transaction underpriced", Refusal.UNDERPRICED)
        self.mempool[sender, nonce] = transaction
        if self.automine:
            self.mine()

    @_asked
    def transaction(self, transaction_hash: bytes) -> TransactionState | None:
        for block in self.blocks:
            if transaction_hash in block.transactions:
                return block.transactions[transaction_hash]
        return None

    # --- the contract ---

    def _state(self, at: BlockRef | None) -> State:
        if at is None:
            return self.tip.state
        if at.number >= len(self.blocks) or self.blocks[at.number].ref.hash != at.hash:
            raise ChainUnreachable(f"The node does not have block {at.number} any more.")
        return self.blocks[at.number].state

    def _execute(self, block: Block, transaction: Transaction) -> None:
        block.state.account_nonce[transaction.sender] = transaction.nonce + 1
        before = copy.deepcopy(block.state)
        succeeded = True
        try:
            self._run(block, transaction.sender, transaction.call, transaction.hash)
        except CallReverted:
            block.state = before
            succeeded = False
        block.transactions[transaction.hash] = TransactionState(block.ref.number, block.ref.hash, succeeded)
        block.bodies.append(transaction)

    def _run(self, block: Block, sender: bytes, call: Call, transaction_hash: bytes) -> None:
        if call.to != self.contract:
            return
        contract_call, signature = pickle.loads(call.data)
        caller = sender
        if signature is not None:
            caller = signature.signer
            expected = FakeSigner(caller).sign_call(
                chain_id=self.chain_id, contract=self.contract, call=contract_call, deadline=signature.deadline
            )
            if signature.deadline < block.ref.timestamp:
                raise CallReverted("SignatureExpired", "SignatureExpired")
            if signature.deadline > block.ref.timestamp + 3_600:
                raise CallReverted("DeadlineTooFar", "DeadlineTooFar")
            if expected.signature != signature.signature:
                raise CallReverted("InvalidSignature", "InvalidSignature")
        self._apply(block, contract_call, caller, transaction_hash, signed=signature is not None)

    def _apply(
        self, block: Block, call: ContractCall, caller: bytes, transaction_hash: bytes, *, signed: bool = False
    ) -> None:
        state, issuer = block.state, call.issuer
        place = (block.ref.number, block.ref.hash, transaction_hash, len(block.events), issuer)
        roles = 7 if caller == issuer else state.roles.get((issuer, caller), 0)
        needed = _ROLE.get(type(call))
        if needed is not None and not roles & needed:
            raise CallReverted("NotEntitled", "NotEntitled")
        if needed is None and caller != issuer:
            raise CallReverted("NotController", "NotController")
        next_index = state.next_index.get(issuer, 0)
        if isinstance(call, base.AnchorBatch):
            key = (issuer, call.root, call.first)
            if key in state.records and state.records[key].size == call.size:
                return
            if not any(call.root):
                raise CallReverted("ZeroRoot", "ZeroRoot")
            if not 0 < call.size <= 1 << 24:
                raise CallReverted("InvalidSize", "InvalidSize")
            if call.first != next_index:
                raise CallReverted(f"UnexpectedFirst({next_index}, {call.first})", "UnexpectedFirst")
            state.records[key] = BatchRecord(call.size, block.ref.timestamp, 0, block.ref.number)
            state.next_index[issuer] = next_index + call.size
            block.events.append(base.BatchAnchored(*place, call.root, call.first, call.size))
        elif isinstance(call, base.Revoke):
            self._check_bounds(next_index, call.words, call.masks)
            for word, mask in zip(call.words, call.masks, strict=True):
                state.revoked[issuer, word] = state.revoked.get((issuer, word), 0) | mask
            block.events.append(base.StatusRevoked(*place, call.words, call.masks))
        elif isinstance(call, base.SetSuspension):
            self._use_nonce(state, issuer, call.nonce)
            either = [
                set_mask | clear_mask for set_mask, clear_mask in zip(call.set_masks, call.clear_masks, strict=True)
            ]
            self._check_bounds(next_index, call.words, either)
            if any(
                set_mask & clear_mask for set_mask, clear_mask in zip(call.set_masks, call.clear_masks, strict=True)
            ):
                raise CallReverted("OverlappingMasks", "OverlappingMasks")
            for word, set_mask, clear_mask in zip(call.words, call.set_masks, call.clear_masks, strict=True):
                state.suspended[issuer, word] = (state.suspended.get((issuer, word), 0) | set_mask) & ~clear_mask
            block.events.append(
                base.SuspensionChanged(*place, call.nonce, call.words, call.set_masks, call.clear_masks)
            )
        elif isinstance(call, base.SetKey):
            self._use_nonce(state, issuer, call.nonce if signed else state.nonce.get(issuer, 0))
            state.roles[issuer, call.key] = call.roles
            block.events.append(base.KeySet(*place, call.key, call.roles, 0))
        elif isinstance(call, base.RevokeBatch):
            key = (issuer, call.root, call.first)
            record = state.records.get(key)
            if record is None:
                raise CallReverted("UnknownBatch", "UnknownBatch")
            if record.revoked_at:
                return
            self._use_nonce(state, issuer, call.nonce if signed else state.nonce.get(issuer, 0))
            state.records[key] = BatchRecord(record.size, record.anchored_at, block.ref.timestamp, record.block_number)
            block.events.append(base.BatchRevoked(*place, call.root, call.first))
        elif isinstance(call, base.SetDid):
            self._use_nonce(state, issuer, call.nonce if signed else state.nonce.get(issuer, 0))
            claim = (issuer, call.did, call.document_hash)
            since = state.claims.setdefault(claim, block.ref.timestamp)
            block.events.append(base.DidClaimed(*place, call.did, call.document_hash, since))
        else:
            raise TypeError(f"the fake contract does not know {call}")

    def _use_nonce(self, state: State, issuer: bytes, nonce: int) -> None:
        if state.nonce.get(issuer, 0) != nonce:
            raise CallReverted("InvalidNonce", "InvalidNonce")
        state.nonce[issuer] = nonce + 1

    def _check_bounds(self, next_index: int, words: Sequence[int], masks: Sequence[int]) -> None:
        if not words:
            raise CallReverted("NoWords", "NoWords")
        for word, mask in zip(words, masks, strict=True):
            if not mask:
                raise CallReverted("EmptyMask", "EmptyMask")
            if word * 256 + mask.bit_length() > next_index:
                raise CallReverted("NotAnchored", "NotAnchored")

    def _words(self, state: State, issuer: bytes, words: Sequence[int]) -> dict[int, StatusWords]:
        return {
            word: StatusWords(state.revoked.get((issuer, word), 0), state.suspended.get((issuer, word), 0))
            for word in words
        }

    def _location(self, query: EvidenceQuery) -> AnchorLocation:
        if self.pruned:
            return AnchorLocation(None, None)
        for block in self.blocks:
            for event in block.events:
                if isinstance(event, base.BatchAnchored) and (event.issuer, event.root, event.first) == (
                    query.issuer,
                    query.root,
                    query.first_index,
                ):
                    return AnchorLocation(block.ref.hash, event.transaction)
        return AnchorLocation(None, None)
