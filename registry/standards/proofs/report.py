"""What came of verifying the proofs of one document: an outcome for each, with a code that programs may rely on."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from registry.standards.proofs.publickey import PublicKey

__all__ = [
    "KeyProblem", "ProofCode", "ProofOutcome", "ProofReport", "ProofStatus", "ResolveKey", "VerificationKey",
]  # fmt: skip


class ProofCode(StrEnum):
    """Why a proof came out as it did."""

    OK = "ok"
    # could not be judged
    UNKNOWN_SUITE = "unknown_suite"
    KEY_UNREACHABLE = "key_unreachable"
    KEY_UNSUPPORTED = "key_unsupported"
    KEY_UNPROVEN = "key_unproven"
    CONTEXT_UNKNOWN = "context_unknown"
    TOO_COMPLEX = "too_complex"
    # the proof itself
    MALFORMED_PROOF = "malformed_proof"
    TOO_MANY_PROOFS = "too_many_proofs"
    BAD_MULTIBASE = "bad_multibase"
    BAD_DATE = "bad_date"
    WRONG_PURPOSE = "wrong_purpose"
    CREATED_IN_FUTURE = "created_in_future"
    PROOF_EXPIRED = "proof_expired"
    PREVIOUS_PROOF_MISSING = "previous_proof_missing"
    ALGORITHM_REFUSED = "algorithm_refused"
    # the key
    KEY_UNKNOWN = "key_unknown"
    KEY_MALFORMED = "key_malformed"
    KEY_WRONG_KIND = "key_wrong_kind"
    KEY_NOT_AUTHORIZED = "key_not_authorized"
    KEY_OUT_OF_INTERVAL = "key_out_of_interval"
    WRONG_CONTROLLER = "wrong_controller"
    # what is signed
    NOT_CANONICAL = "not_canonical"
    NOT_JSON_LD = "not_json_ld"
    CONTEXT_DIFFERS = "context_differs"
    UNMAPPED_TERMS = "unmapped_terms"
    CLAIMS_DIFFER = "claims_differ"
    SIGNATURE_INVALID = "signature_invalid"


_UNDECIDED = frozenset(
    {
        ProofCode.UNKNOWN_SUITE, ProofCode.KEY_UNREACHABLE, ProofCode.KEY_UNSUPPORTED, ProofCode.KEY_UNPROVEN,
        ProofCode.CONTEXT_UNKNOWN, ProofCode.TOO_COMPLEX,
    }
)  # fmt: skip


class ProofStatus(StrEnum):
    """Of the proofs together: any bad one is BAD; else one good one is GOOD; else UNKNOWN. NONE: there is no proof."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ProofOutcome:
    """One proof: its place in the document, cryptosuite, verification method, code, and a sentence for people.

    ``pointers`` are JSON pointers of what the proof does not cover (``unmapped_terms``).
    """

    place: int
    suite: str
    verification_method: str
    code: ProofCode
    detail: str
    pointers: tuple[str, ...] = ()

    @property
    def status(self) -> ProofStatus:
        if self.code is ProofCode.OK:
            return ProofStatus.GOOD
        return ProofStatus.UNKNOWN if self.code in _UNDECIDED else ProofStatus.BAD


@dataclass(frozen=True, slots=True)
class ProofReport:
    """The outcomes of all proofs of a document, in its order."""

    outcomes: tuple[ProofOutcome, ...]

    @property
    def status(self) -> ProofStatus:
        """The rule of docs/adr/061."""
        found = {outcome.status for outcome in self.outcomes}
        for status in (ProofStatus.BAD, ProofStatus.GOOD, ProofStatus.UNKNOWN):
            if status in found:
                return status
        return ProofStatus.NONE


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """What a resolver knows about a verification method.

    ``purposes``: verification relationships that name it ("assertionMethod"). The key counts from ``valid_from`` up to,
    and not at, ``valid_until`` (Unix seconds; None: without limit).
    """

    public_key: PublicKey
    controller: str
    purposes: frozenset[str]
    valid_from: int | None = None
    valid_until: int | None = None


@dataclass(frozen=True, slots=True)
class KeyProblem:
    """Why there is no key: KEY_UNREACHABLE (could not be asked), KEY_UNSUPPORTED, KEY_UNKNOWN, KEY_MALFORMED."""

    code: ProofCode
    detail: str


# verificationMethod, a URL as the proof has it → the key. Never raises for any string.
ResolveKey = Callable[[str], VerificationKey | KeyProblem]
