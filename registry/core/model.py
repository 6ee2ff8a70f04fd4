"""Frozen value types. Hashes and addresses are ``bytes`` (32 and 20 long), times are whole Unix seconds (UTC)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = [
    "Anchor", "AnchorEvidence", "AnchorLocation", "BatchRecord", "BlockRef", "Bundle", "ChainClass", "ChainUnavailable",
    "Check", "Claim", "Evidence", "Findings", "Inclusion", "IssuerPin", "Leaf", "LiveDocument", "Outcome", "Policy",
    "Status", "StatusChange", "StatusWords", "TrustedChain", "Verdict",
]  # fmt: skip


# --- what a holder hands in -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leaf:
    """How the credential becomes a leaf: canonicalization ("JCS") and a salt of 32 bytes."""

    canonicalization: str
    salt: bytes


@dataclass(frozen=True, slots=True)
class Inclusion:
    """An inclusion proof, RFC 9162 section 2.1.3: ``path`` runs from the leaf's sibling up to below the root."""

    leaf_index: int
    tree_size: int
    root: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the batch is said to be anchored: selects among the chains that a policy names, and proves nothing."""

    chain_id: int
    contract: bytes
    issuer: bytes
    first_index: int
    anchored_at: int
    transaction: bytes
    block_number: int
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    """A credential (or only its digest) with all that is needed to prove it. Exactly one of the first two is set."""

    credential: Mapping[str, Any] | None
    digest: bytes | None
    leaf: Leaf
    inclusion: Inclusion
    anchors: tuple[Anchor, ...]
    issuer_document: Mapping[str, Any] | None = None


# --- what a chain says ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BlockRef:
    """One block: number, hash, and its own timestamp."""

    number: int
    hash: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """The contract's record of one batch; ``revoked_at`` is 0 while the batch is not voided."""

    size: int
    anchored_at: int
    revoked_at: int
    block_number: int


@dataclass(frozen=True, slots=True)
class StatusWords:
    """256 status bits of each kind; bit ``index & 255`` (least significant first) belongs to the credential's index."""

    revoked: int
    suspended: int


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One event of the contract: bits of a status word that were set or cleared, and the time of its block."""

    time: int
    word: int
    revoked: int = 0
    suspended: int = 0
    reinstated: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """An issuer's claim on chain of a DID and a document's hash; ``claimed_at`` is 0 where there is none."""

    did: str
    document_hash: bytes
    claimed_at: int


@dataclass(frozen=True, slots=True)
class AnchorLocation:
    """What the node's history holds about the anchoring, in the block that the record names.

    ``block_hash`` is None where the node no longer has that block, ``transaction`` where it no longer has its logs.
    """

    block_hash: bytes | None
    transaction: bytes | None


@dataclass(frozen=True, slots=True)
class AnchorEvidence:
    """What one chain says about one batch, all of it read at one block of one node.

    ``issuer, root, first_index`` name the batch that was asked about; ``record`` is None if the contract has none.
    ``words`` holds the status words that were asked for, by word number (credential index >> 8).
    ``finalized`` is the number of the node's own finalized block, None if the node names none. ``claims`` are those
    that were asked for. ``history``: all changes of these words from the anchor's block up to ``block``, in order; None
    where it was not read, or not all of it.
    """

    chain_id: int
    contract: bytes
    code_hash: bytes
    block: BlockRef
    finalized: int | None
    issuer: bytes
    root: bytes
    first_index: int
    record: BatchRecord | None
    words: Mapping[int, StatusWords]
    location: AnchorLocation
    claims: tuple[Claim, ...] = ()
    history: tuple[StatusChange, ...] | None = None


@dataclass(frozen=True, slots=True)
class ChainUnavailable:
    """A chain that could not be asked, and why (for people to read)."""

    chain_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class LiveDocument:
    """The DID document at the issuer's own host, now: its hash, and the accounts (chain id, address) that it names.

    ``problem``: why it could not be had, for people; hash and accounts are empty then.
    """

    did: str
    hash: bytes
    accounts: frozenset[tuple[int, bytes]]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found out about a credential itself, with standards that core does not know.

    ``credential``: in clear, from within an envelope; None if there is nothing to be read. ``keys_at``: at which time
    ``signature`` asked keys to be good (None: it was not judged). ``lists``: what the lists of status entries say now,
    by (statusListCredential, statusListIndex, statusPurpose).
    """

    credential: Mapping[str, Any] | None
    signature: "Check"
    keys_at: int | None
    schema: "Check"
    lists: Mapping[tuple[str, str, str], "Check"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was read to judge one bundle: one entry for each of its anchors, in their order.

    ``revocation_announced``: the issuer told the registry that it revokes this credential (or its batch), and the chain
    does not show it yet. ``findings``: None where nobody looked. ``live``: None where nobody asked the issuer's host,
    or there is none to be asked.
    """

    anchors: tuple[AnchorEvidence | ChainUnavailable, ...]
    revocation_announced: bool = False
    findings: Findings | None = None
    live: LiveDocument | None = None


# --- whom a verifier trusts -----------------------------------------------------------------------------------------


class ChainClass(StrEnum):
    """How much a chain is worth: only a production chain is evidence for strangers."""

    PRODUCTION = "production"
    TEST = "test"
    DEV = "dev"


@dataclass(frozen=True, slots=True)
class TrustedChain:
    """A contract that the verifier accepts: on this chain, at this address, with exactly this code (keccak-256)."""

    chain_id: int
    contract: bytes
    code_hash: bytes
    chain_class: ChainClass
    name: str


@dataclass(frozen=True, slots=True)
class IssuerPin:
    """Identifier and issuer address are one: the verifier's own knowledge, or a list that it trusts.

    ``did`` is a DID or another absolute URI, as credentials name their issuer. Without an ``address`` the issuer is
    trusted for credentials that are not anchored, and no anchor is taken for its. ``status_base`` is the address below
    which the issuer publishes its status lists, without a trailing slash.
    """

    did: str
    address: bytes | None
    status_base: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What a verifier trusts. A bundle only selects among what stands here."""

    chains: tuple[TrustedChain, ...]
    issuers: tuple[IssuerPin, ...]
    clock_skew_seconds: int = 300
    max_evidence_age_seconds: int = 3600


# --- what comes out -------------------------------------------------------------------------------------------------


class Status(StrEnum):
    """The verdict in one word."""

    VALID = "VALID"
    INVALID = "INVALID"
    INDETERMINATE = "INDETERMINATE"


class Outcome(StrEnum):
    """The result of one check. UNKNOWN means that it could not be found out; it is never a PASS."""

    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, outcome, a stable code for programs, and a sentence for people."""

    name: str
    outcome: Outcome
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer: a status and the checks that led to it, in order.

    ``about`` is "credential" or "digest" (the verifier kept the credential to itself), ``basis`` "anchor" or
    "signature" (a credential without a bundle). ``chain`` names the chain of the policy that counted, None if none did;
    ``final`` says whether that node holds the anchor's block for finalized. ``anchored_at`` and ``issuer`` come from
    the chain, the policy and the issuer's host, never from the bundle. ``as_of`` is the time that was asked about, None
    for now.
    ``subject_matches`` is whether it names the learner that was asked about, None if that cannot be told;
    ``subject_asked`` whether one was.
    """

    status: Status
    checks: tuple[Check, ...]
    about: str
    final: bool
    chain: TrustedChain | None = None
    issuer: IssuerPin | None = None
    anchored_at: int | None = None
    block: BlockRef | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    basis: str = "anchor"
    as_of: int | None = None
    subject_asked: bool = False
    subject_matches: bool | None = None
