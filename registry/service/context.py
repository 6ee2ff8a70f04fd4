"""What every part of the service is given: the database, the chain, the clock, and the rules of this installation."""

from collections.abc import Callable
from dataclasses import dataclass

from anchors.base import Chain, Network, Signer
from registry.service.credentialkeys import BatchSigner, CredentialKeys
from registry.store.database import Database

__all__ = ["Context", "Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The installation's own figures. ``confirmations`` 0 means: final is what the node calls finalized."""

    public_url: str
    confirmations: int
    batch_max_size: int
    batch_max_age_seconds: int
    promise_seconds: int  # "anchored before": accepted_at + this
    stuck_seconds: int  # a transaction that is in no block after this long is sent again with a higher fee
    status_words_per_transaction: int = 200
    max_credential_bytes: int = 256 * 1024
    transactions_in_flight: int = 8
    open_badges_only: bool = True  # what is handed in is an Open Badge; otherwise any W3C credential is taken
    allow_unmapped: bool = False  # terms of no context are reported and not refused
    hide_emails: bool = True  # learners' e-mail addresses are hashed before anything is stored
    reservation_seconds: int = 3_600  # how long a reserved index waits for its credential


@dataclass(frozen=True, slots=True)
class Context:
    """``clock`` gives whole Unix seconds; ``random`` gives that many bytes, unpredictable to anybody.

    ``payer`` is the operator's account: it pays, and holds an anchoring key of every hosted issuer. ``keys`` are the
    rings with which credentials are signed.
    """

    database: Database
    chain: Chain
    network: Network
    payer: Signer
    rules: Rules
    clock: Callable[[], int]
    random: Callable[[int], bytes]
    keys: CredentialKeys
    batch_signer: BatchSigner | None = None
