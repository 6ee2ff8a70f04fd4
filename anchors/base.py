"""What the service needs of an anchoring chain: values, errors, and the two Protocols ``Chain`` and ``Signer``.

Addresses are 20 ``bytes``, hashes 32, amounts of money in wei, gas in units, times in whole Unix seconds.

Durability and concurrency: a ``Chain`` keeps nothing. Each call asks the node anew; reads can be repeated and made from
several threads. ``send`` may be repeated with the same bytes: a transaction that the node already has, or that is
already in a block, is no error. After ``send`` raised ``ChainUnreachable`` the transaction may or may not have arrived:
the caller must have stored it before, and decides from the contract's state, never from the answer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntFlag, StrEnum
from typing import Protocol, runtime_checkable

from registry.core.errors import RegistryError
from registry.core.model import AnchorEvidence, BatchRecord, BlockRef, ChainClass, StatusWords

__all__ = [
    "AcceptController", "AnchorBatch", "BatchAnchored", "BatchRevoked", "Call", "CallReverted", "Chain", "ChainError",
    "ChainEvent", "ChainUnreachable", "ContractCall", "ControllerChanged", "DidClaimed", "EvidenceQuery", "Fees",
    "HistoryPruned", "IssuerState", "KeySet", "Network", "ProposeController", "Refusal", "Revoke", "RevokeBatch",
    "Role", "SetDid", "SetKey", "SetSuspension", "Signature", "SignedTransaction", "Signer", "StatusRevoked",
    "SuspensionChanged", "TransactionRefused", "TransactionState", "WrongChain", "WrongContract",
]  # fmt: skip


# --- errors ---------------------------------------------------------------------------------------------------------


class ChainError(RegistryError):
    """A chain could not do what was asked of it."""


class ChainUnreachable(ChainError):
    """No answer, or none that makes sense (down, slow, rate limited, not JSON). Nothing was learnt."""


class HistoryPruned(ChainUnreachable):
    """The node says that it no longer has the events of such old blocks. Newer ones may be there."""


class WrongChain(ChainError):
    """The node answers for another chain id than the one that was configured."""


class WrongContract(ChainError):
    """There is no contract at the address, or its code is not the registry contract's.

    ``what`` says just that; the whole text also what a registry's operator can do.
    """

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(f"{what}: {advice}" if advice else what)
        self.what = what


class CallReverted(ChainError):
    """The contract refuses a call. ``error`` is the name of its custom error ("" if unknown)."""

    def __init__(self, message: str, error: str = "") -> None:
        super().__init__(message)
        self.error = error


class Refusal(StrEnum):
    """Why a node did not take a transaction."""

    NONCE_TOO_LOW = "nonce_too_low"  # another transaction with this nonce is already in a block
    UNDERPRICED = "underpriced"  # a transaction with this nonce waits, and the new fee is not enough above it
    INSUFFICIENT_FUNDS = "insufficient_funds"
    FEE_TOO_LOW = "fee_too_low"  # below the block's base fee, or the node's own minimum
    OTHER = "other"


class TransactionRefused(ChainError):
    """The node answered, and did not take the transaction."""

    def __init__(self, message: str, refusal: Refusal) -> None:
        super().__init__(message)
        self.refusal = refusal


# --- calls of the contract ------------------------------------------------------------------------------------------


class Role(IntFlag):
    """Rights of a key, to be added up: ANCHOR = 1, REVOKE = 2, SUSPEND = 4."""

    ANCHOR = 1
    REVOKE = 2
    SUSPEND = 4


@dataclass(frozen=True, slots=True)
class AnchorBatch:
    issuer: bytes
    root: bytes
    first: int
    size: int


@dataclass(frozen=True, slots=True)
class Revoke:
    """Set the bits of ``masks[i]`` in revocation word ``words[i]``."""

    issuer: bytes
    words: tuple[int, ...]
    masks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RevokeBatch:
    issuer: bytes
    root: bytes
    first: int
    nonce: int = 0  # of the issuer's counter; only the signed form carries it


@dataclass(frozen=True, slots=True)
class SetSuspension:
    issuer: bytes
    nonce: int
    words: tuple[int, ...]
    set_masks: tuple[int, ...]
    clear_masks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SetKey:
    issuer: bytes
    key: bytes
    roles: int
    nonce: int = 0


@dataclass(frozen=True, slots=True)
class ProposeController:
    issuer: bytes
    candidate: bytes
    nonce: int = 0


@dataclass(frozen=True, slots=True)
class AcceptController:
    issuer: bytes
    nonce: int = 0


@dataclass(frozen=True, slots=True)
class SetDid:
    issuer: bytes
    did: str
    document_hash: bytes
    nonce: int = 0


ContractCall = (
    AnchorBatch | Revoke | RevokeBatch | SetSuspension | SetKey | ProposeController | AcceptController | SetDid
)


@dataclass(frozen=True, slots=True)
class Signature:
    """An EIP-712 signature over a ContractCall, by ``signer``, good until ``deadline`` (at most an hour ahead)."""

    signer: bytes
    deadline: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction's target and input. ``to`` is the contract; a self-transfer without data cancels a nonce."""

    to: bytes
    data: bytes


# --- transactions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fees:
    """EIP-1559 fees in wei per gas."""

    max_fee: int
    priority_fee: int


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    raw: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class TransactionState:
    """A transaction that is in a block."""

    block_number: int
    block_hash: bytes
    succeeded: bool


class Signer(Protocol):
    """Holds one private key and signs with it; the key never leaves it, and its repr names the address only."""

    @property
    def address(self) -> bytes: ...

    def sign_transaction(self, *, chain_id: int, nonce: int, call: Call, gas: int, fees: Fees) -> SignedTransaction: ...

    def sign_call(self, *, chain_id: int, contract: bytes, call: ContractCall, deadline: int) -> Signature: ...


# --- what a chain answers -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IssuerState:
    next_index: int
    nonce: int
    controller: bytes
    epoch: int


@dataclass(frozen=True, slots=True)
class EvidenceQuery:
    """Asks for one batch: its record, the status words named, and the issuer's claims of (DID, document hash)."""

    issuer: bytes
    root: bytes
    first_index: int
    words: tuple[int, ...]
    claims: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class _Event:
    """Where an event stands. ``log_index`` orders the events of a block."""

    block_number: int
    block_hash: bytes
    transaction: bytes
    log_index: int
    issuer: bytes


@dataclass(frozen=True, slots=True)
class BatchAnchored(_Event):
    root: bytes
    first: int
    size: int


@dataclass(frozen=True, slots=True)
class BatchRevoked(_Event):
    root: bytes
    first: int


@dataclass(frozen=True, slots=True)
class StatusRevoked(_Event):
    words: tuple[int, ...]
    masks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SuspensionChanged(_Event):
    nonce: int
    words: tuple[int, ...]
    set_masks: tuple[int, ...]
    clear_masks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeySet(_Event):
    key: bytes
    roles: int
    epoch: int


@dataclass(frozen=True, slots=True)
class ControllerChanged(_Event):
    former: bytes
    controller: bytes
    epoch: int


@dataclass(frozen=True, slots=True)
class DidClaimed(_Event):
    did: str
    document_hash: bytes
    claimed_at: int


ChainEvent = BatchAnchored | BatchRevoked | StatusRevoked | SuspensionChanged | KeySet | ControllerChanged | DidClaimed


@dataclass(frozen=True, slots=True)
class Network:
    """A chain as data (anchors/networks). ``finality`` is "finalized" or a number of confirmations.

    ``expected_end`` is an ISO date on which the network is expected to stop, None if unknown. ``notes`` is for people.
    """

    name: str
    chain_id: int
    chain_class: ChainClass
    finality: str | int
    explorer: str | None
    expected_end: str | None
    notes: str | None = None


@runtime_checkable
class Chain(Protocol):
    """The registry contract on one chain, through one or more nodes.

    Every method but ``encode`` may raise ``ChainUnreachable`` and ``WrongChain``, those that read the contract
    ``WrongContract``; ``encode`` raises ``InputError`` for values that do not fit the contract's types. Methods that
    take ``at`` read the state at exactly that block, and raise ``ChainUnreachable`` if the node does not have it (any
    more); None means the node's newest block.
    """

    @property
    def chain_id(self) -> int: ...

    @property
    def contract(self) -> bytes: ...

    def check(self) -> bytes:
        """Asks the node for its chain id and the contract's code; returns the code's keccak-256.

        Raises ``WrongChain`` or ``WrongContract``.
        """
        ...

    # reading

    def head(self) -> BlockRef: ...

    def finalized(self) -> BlockRef | None:
        """The node's own finalized block; None if it names none."""
        ...

    def block(self, number: int) -> BlockRef | None:
        """The canonical block of that number; None if it is above the head or pruned."""
        ...

    def read_blocks(self, numbers: Iterable[int]) -> dict[int, BlockRef]:
        """As ``block``, many at once; those that the node has not got are left out."""
        ...

    def read_issuer(self, issuer: bytes, at: BlockRef | None = None) -> IssuerState: ...

    def read_roles(self, issuer: bytes, key: bytes, at: BlockRef | None = None) -> int: ...

    def read_record(self, issuer: bytes, root: bytes, first: int, at: BlockRef | None = None) -> BatchRecord | None: ...

    def read_words(self, issuer: bytes, words: Sequence[int], at: BlockRef | None = None) -> dict[int, StatusWords]: ...

    def read_claim(self, issuer: bytes, did: str, document_hash: bytes, at: BlockRef | None = None) -> int:
        """When the issuer first claimed that DID with that document, 0 if never."""
        ...

    # Many at once, in the order of what is asked, in as few requests as the node takes.

    def read_next_indexes(self, issuers: Sequence[bytes], at: BlockRef | None = None) -> list[int]: ...

    def read_records(
        self, batches: Sequence[tuple[bytes, bytes, int]], at: BlockRef | None = None
    ) -> list[BatchRecord | None]:
        """Of each issuer, root and first index, as ``read_record``."""
        ...

    def read_claims(self, claims: Sequence[tuple[bytes, str, bytes]], at: BlockRef | None = None) -> list[int]:
        """Of each issuer, DID and document hash, as ``read_claim``."""
        ...

    def read_words_of(
        self, wanted: Sequence[tuple[bytes, Sequence[int]]], at: BlockRef | None = None
    ) -> list[dict[int, StatusWords]]:
        """Of each issuer, as ``read_words``."""
        ...

    def read_evidence(self, queries: Sequence[EvidenceQuery]) -> list[AnchorEvidence]:
        """Answers all queries at one block, pinned by its hash; a call or two for each batch, none for a credential."""
        ...

    def read_events(self, first_block: int, last_block: int) -> list[ChainEvent]:
        """The contract's events of these blocks (both included), in order; splits ranges that a node finds too long.

        Raises HistoryPruned if the node says that it has given up old ones of them.
        """
        ...

    # writing

    def encode(self, call: ContractCall, signature: Signature | None = None) -> Call:
        """The transaction input of a call; with a signature, of its signed twin. Pure."""
        ...

    def estimate_gas(self, sender: bytes, call: Call) -> int:
        """Simulates the call where the node simulates by itself: on the newest block, or (anvil, the embedded chain) in
        the one that comes next, after what waits. Raises ``CallReverted`` with the contract's error name.
        """
        ...

    def suggest_fees(self) -> Fees:
        """Fees of the moment, capped by configuration; raises ``TransactionRefused`` (FEE_TOO_LOW) above the cap."""
        ...

    def next_nonce(self, sender: bytes, at: BlockRef | None = None) -> int:
        """How many of the sender's transactions are in blocks (at that block): waiting ones do not count."""
        ...

    def balance(self, sender: bytes) -> int: ...

    def send(self, raw: bytes) -> None:
        """Hands a signed transaction to the node. Raises ``TransactionRefused``."""
        ...

    def transaction(self, transaction_hash: bytes) -> TransactionState | None:
        """Where a transaction is; None while it is in no block that the node knows."""
        ...
