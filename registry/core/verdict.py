"""The vocabulary of verdicts: the checks in their order, their codes, and a verdict as JSON (docs/spec/verdict.md)."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from registry.core.model import Check, Outcome, Status, Verdict
from registry.core.notation import LAST_SECOND, chain_text, hex_text, time_text

__all__ = ["INFORMATIONAL", "Code", "fail", "passed", "skipped", "status_of", "unknown", "verdict_to_json"]


class Code(StrEnum):
    """Why a check came out as it did; programs may rely on these.

    `signature` has the codes of proofs beside these, `revocation` and `suspension` those of status lists
    (registry.standards).
    """

    OK = "ok"
    # what does not apply
    DIGEST_ONLY = "digest_only"
    NO_BUNDLE = "no_bundle"
    NO_PROOF = "no_proof"
    NO_SCHEMA = "no_schema"
    SCHEMA_NOT_KNOWN = "schema_not_known"
    NO_CREDENTIAL_STATUS = "no_credential_status"
    # the credential and its leaf
    NOT_A_CREDENTIAL = "not_a_credential"
    ENVELOPE_UNREADABLE = "envelope_unreadable"
    NOT_CANONICAL = "not_canonical"
    PROOF_MALFORMED = "proof_malformed"
    NOT_INCLUDED = "not_included"
    OWN_ROOT = "own_root"
    # the anchor
    TEST_CHAIN = "test_chain"
    DEV_CHAIN = "dev_chain"
    CHAIN_NOT_TRUSTED = "chain_not_trusted"
    CONTRACT_NOT_TRUSTED = "contract_not_trusted"
    CODE_NOT_TRUSTED = "code_not_trusted"
    NOT_ANCHORED = "not_anchored"
    NOT_ANCHORED_YET = "not_anchored_yet"
    SIZE_DIFFERS = "size_differs"
    TIME_DIFFERS = "time_differs"
    BLOCK_DIFFERS = "block_differs"
    ANCHORS_DISAGREE = "anchors_disagree"
    CHAIN_UNREACHABLE = "chain_unreachable"
    EVIDENCE_MISMATCH = "evidence_mismatch"
    EVIDENCE_INCONSISTENT = "evidence_inconsistent"
    EVIDENCE_STALE = "evidence_stale"
    # the issuer, and what binds the credential to its place
    ISSUER_MISSING = "issuer_missing"
    ISSUER_MISMATCH = "issuer_mismatch"
    ISSUER_NOT_PINNED = "issuer_not_pinned"
    ISSUER_UNREACHABLE = "issuer_unreachable"
    ISSUER_NOT_NAMED = "issuer_not_named"
    ISSUER_NOT_CLAIMED = "issuer_not_claimed"
    DOCUMENTS_AGREE = "documents_agree"
    HOST_VOUCHES = "host_vouches"
    STATUS_MALFORMED = "status_malformed"
    STATUS_TYPE_UNKNOWN = "status_type_unknown"
    STATUS_PURPOSE_UNKNOWN = "status_purpose_unknown"
    STATUS_INDEX_DIFFERS = "status_index_differs"
    STATUS_LIST_DIFFERS = "status_list_differs"
    STATUS_ELSEWHERE = "status_elsewhere"
    # the signature (and every code of a proof) and the schema
    NOT_JUDGED = "not_judged"
    ANCHOR_TIME_UNKNOWN = "anchor_time_unknown"
    KEY_OWNER_UNKNOWN = "key_owner_unknown"
    SCHEMA_FAULTS = "schema_faults"
    # validity and status
    DATE_MALFORMED = "date_malformed"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    BATCH_REVOKED = "batch_revoked"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    REVOCATION_PENDING = "revocation_pending"
    STATUS_UNKNOWN = "status_unknown"
    REVOKED_LATER = "revoked_later"
    SUSPENDED_LATER = "suspended_later"
    HISTORY_UNKNOWN = "history_unknown"
    STATUS_LIST_NOT_PROVEN = "status_list_not_proven"
    # where the anchor stands in the chain's history
    BLOCK_HASH_DIFFERS = "block_hash_differs"
    TRANSACTION_DIFFERS = "transaction_differs"
    EVIDENCE_PRUNED = "evidence_pruned"


# A FAIL of these makes the verdict INVALID as any other does; UNKNOWN or SKIPPED does not keep it from VALID.
INFORMATIONAL = frozenset({"schema", "locator"})


def passed(name: str, detail: str, code: Code = Code.OK) -> Check:
    return Check(name, Outcome.PASS, code, detail)


def fail(name: str, code: str, detail: str) -> Check:
    return Check(name, Outcome.FAIL, code, detail)


def unknown(name: str, code: str, detail: str) -> Check:
    return Check(name, Outcome.UNKNOWN, code, detail)


def skipped(name: str, code: Code, detail: str) -> Check:
    return Check(name, Outcome.SKIPPED, code, detail)


def status_of(checks: Iterable[Check]) -> Status:
    """Any FAIL is INVALID; else any UNKNOWN of a required check is INDETERMINATE; else VALID."""
    worst = Status.VALID
    for check in checks:
        if check.outcome is Outcome.FAIL:
            return Status.INVALID
        if check.outcome is Outcome.UNKNOWN and check.name not in INFORMATIONAL:
            worst = Status.INDETERMINATE
    return worst


def verdict_to_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict as API and command line print it; every key is always there."""
    chain, issuer, block = verdict.chain, verdict.issuer, verdict.block
    return {
        "status": verdict.status.value,
        "about": verdict.about,
        "basis": verdict.basis,
        "asOf": None if verdict.as_of is None else time_text(verdict.as_of),
        "final": verdict.final,
        "checks": [
            {"name": check.name, "outcome": check.outcome.value, "code": str(check.code), "detail": check.detail}
            for check in verdict.checks
        ],
        "chain": chain
        and {
            "chain": chain_text(chain.chain_id),
            "contract": hex_text(chain.contract),
            "class": chain.chain_class.value,
            "name": chain.name,
        },
        "issuer": issuer
        and {"did": issuer.did, "address": None if issuer.address is None else hex_text(issuer.address)},
        "anchoredAt": None if verdict.anchored_at is None else time_text(verdict.anchored_at),
        "block": block
        and {
            "number": block.number,
            "hash": hex_text(block.hash),
            # A chain for trying out may say anything.
            "timestamp": time_text(min(block.timestamp, LAST_SECOND)),
        },
        "facts": dict(verdict.facts),
        "subject": {"matches": verdict.subject_matches} if verdict.subject_asked else None,
    }
