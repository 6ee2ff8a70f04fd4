"""What the VC API answers about credentials and presentations of anybody (docs/vc-api.md).

It answers true or false, and nothing between: what could not be found out is not verified, with an error that says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from registry.core.credential import issuer_did
from registry.core.model import Check, Outcome
from registry.service.judging import Judging, Session, open_credential
from registry.standards.contexts import ContextError
from registry.standards.datamodel import find_vc_faults, is_enveloped
from registry.standards.proofs.jsonld import JsonLdFault
from registry.standards.proofs.rdfc import TooComplex
from registry.standards.proofs.report import ProofCode, ProofOutcome, ProofStatus, ResolveKey
from registry.standards.proofs.verifying import find_unmapped, verify_proofs

__all__ = ["MAX_HELD", "Answer", "Finding", "Options", "VcApi"]

MAX_HELD = 32  # credentials in one presentation

_DATA_MODEL = "https://www.w3.org/TR/vc-data-model#"
_SECURITY = "https://w3id.org/security#"
_STATUS = "https://www.w3.org/ns/credentials/status-list#"
_STATUS_TYPES = {
    "status_malformed": "MALFORMED_VALUE_ERROR",
    "status_list_malformed": "MALFORMED_VALUE_ERROR",
    "status_list_multibase": "MALFORMED_VALUE_ERROR",
    "status_list_gzip": "MALFORMED_VALUE_ERROR",
    "status_list_too_short": "STATUS_LIST_LENGTH_ERROR",
    "status_index_out_of_range": "RANGE_ERROR",
    "status_list_unreachable": "STATUS_RETRIEVAL_ERROR",
}
_MAX_LOST = 20
_PURPOSES = ("authentication", "assertionMethod")
# What a VC-JWT says of itself, in the words of a proof: it is a claim, for nobody's challenge.
_TOKEN = {"proof": {"proofPurpose": "assertionMethod"}}
_STATUS_CHECKS = frozenset({"status", "credentialStatus"})
_KNOWN_CHECKS = _STATUS_CHECKS | {"proof", "validityPeriod", "credentialSchema"}


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller asks for. ``checks``: () for all; proofs, data model and period are always looked at.

    ``purpose``, ``challenge`` and ``domains``: what every proof has to say; None and () where it does not matter.
    """

    checks: tuple[str, ...] = ()
    purpose: str | None = None
    challenge: str | None = None
    domains: tuple[str, ...] = ()

    @property
    def wants_status(self) -> bool:
        return not self.checks or bool(_STATUS_CHECKS & set(self.checks))


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong: an RFC 9457 type, a code for programs, a sentence, a JSON pointer into what was handed in."""

    type: str
    code: str
    detail: str
    pointer: str = ""

    def within(self, prefix: str) -> "Finding":
        return Finding(self.type, self.code, self.detail, prefix + self.pointer)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was looked at, and what was found. ``warnings`` do not count against it."""

    checks: tuple[str, ...]
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    @property
    def verified(self) -> bool:
        return not self.errors


class VcApi:
    """Several threads may use one. Nothing is fetched but what ``judging`` and ``resolve_key`` fetch."""

    def __init__(self, judging: Judging, resolve_key: ResolveKey, clock: Callable[[], int]) -> None:
        self._judging = judging
        self._resolve_key = resolve_key
        self._clock = clock

    def verify_credential(self, credential: Mapping[str, Any] | str, options: Options) -> Answer:
        """``credential``: an object as ``parse_json`` returns it, an envelope too, or a VC-JWT. Never raises."""
        errors, warnings = _credential(self._judging.session(), credential, options)
        return Answer(_looked_at(options), tuple(errors), (*_unknown_checks(options), *warnings))

    def verify_presentation(self, presentation: Mapping[str, Any], options: Options) -> Answer:
        """The presentation's own proofs, and every credential in it. Never raises.

        A credential without a proof of its own is its holder's word: it has to be issued by the holder, whose proof
        covers it (VC Data Model 2.0 section 4.13.4).
        """
        errors = _faults(presentation, "presentation")
        warnings = list(_unknown_checks(options))
        if not errors:
            errors += self._presentation_proofs(presentation, options)
            warnings += _unproven_holder(presentation)
            more, also = self._held(presentation, options)
            errors, warnings = errors + more, warnings + also
        return Answer(_looked_at(options), tuple(errors), tuple(warnings))

    def _presentation_proofs(self, presentation: Mapping[str, Any], options: Options) -> list[Finding]:
        if is_enveloped(presentation, "presentation"):
            detail = "Enveloped presentations are not read here; send the presentation with a Data Integrity proof."
            return [Finding(f"{_DATA_MODEL}PARSING_ERROR", "envelope_unreadable", detail)]
        holder = _holder(presentation)
        controller = holder if holder is not None and holder.startswith("did:") else None
        purpose = options.purpose or _purpose_of(presentation)
        report = verify_proofs(presentation, self._resolve_key, self._clock(), controller=controller, purpose=purpose)
        if report.status is ProofStatus.NONE:
            detail = "The presentation carries no proof: anybody can have made it."
            return [Finding(f"{_SECURITY}PROOF_VERIFICATION_ERROR", "no_proof", detail, "/proof")]
        errors = [_of_proof(item) for item in report.outcomes if item.status is report.status is not ProofStatus.GOOD]
        return errors + _bound(presentation, options)

    def _held(self, presentation: Mapping[str, Any], options: Options) -> tuple[list[Finding], list[Finding]]:
        held = presentation.get("verifiableCredential", [])
        listed = held if isinstance(held, list) else [held]
        if len(listed) > MAX_HELD:
            detail = f"At most {MAX_HELD} credentials in one presentation are looked at."
            return [Finding(f"{_DATA_MODEL}PARSING_ERROR", "too_many", detail, "/verifiableCredential")], []
        session, holder = self._judging.session(), _holder(presentation)
        inner = Options(options.checks)
        errors: list[Finding] = []
        warnings: list[Finding] = []
        for place, credential in enumerate(listed):
            pointer = f"/verifiableCredential/{place}" if isinstance(held, list) else "/verifiableCredential"
            found, told = self._one_held(session, credential, holder, inner)
            errors += [finding.within(pointer) for finding in found]
            warnings += [finding.within(pointer) for finding in told]
        return errors, warnings

    def _one_held(
        self, session: Session, credential: Mapping[str, Any] | str, holder: str | None, options: Options
    ) -> tuple[list[Finding], list[Finding]]:
        if isinstance(credential, str) or "proof" in credential or is_enveloped(credential, "credential"):
            return _credential(session, credential, options)
        # Only of a DID it is known whose key made the presentation's proof.
        if holder is None or not holder.startswith("did:") or issuer_did(credential) != holder:
            detail = "A credential without a proof of its own has to be issued by the presentation's holder, a DID."
            return [Finding(f"{_SECURITY}PROOF_VERIFICATION_ERROR", "not_self_asserted", detail)], []
        return _credential(session, credential, options, covered=True)


def _credential(
    session: Session, credential: Mapping[str, Any] | str, options: Options, *, covered: bool = False
) -> tuple[list[Finding], list[Finding]]:
    """Errors and warnings. ``covered``: the proof of the presentation covers it, it needs none of its own."""
    clear, _ = open_credential(credential)
    errors = [] if isinstance(credential, str) else _faults(credential, "credential")
    if clear is not None and clear is not credential:
        errors += _faults(clear, "credential")
    if not errors and clear is not None:
        errors += _lost(clear)
    if errors:
        return errors, []
    report = session.judge(credential)
    judged = [(report.format, f"{_DATA_MODEL}MALFORMED_VALUE_ERROR")]
    if not covered:
        wanted = report.proofs.status
        errors += [_of_proof(item) for item in report.proofs.outcomes if item.status is wanted is not ProofStatus.GOOD]
        if not errors:
            judged.append((report.signature, f"{_SECURITY}PROOF_VERIFICATION_ERROR"))
        errors += _bound(credential if clear is credential else _TOKEN, options)
    judged.append((report.validity, f"{_DATA_MODEL}VALIDITY_PERIOD_ERROR"))
    errors += [_of_check(check, type_) for check, type_ in judged if check.outcome is not Outcome.PASS]
    if options.wants_status:
        errors += [_of_status(check) for check in report.statuses if check.outcome is not Outcome.PASS]
    schema = report.schema
    told = (
        [_of_check(schema, f"{_DATA_MODEL}SCHEMA_ERROR")] if schema.outcome in (Outcome.FAIL, Outcome.UNKNOWN) else []
    )
    return errors, told


def _faults(document: object, kind: Any) -> list[Finding]:
    return [
        Finding(f"{_DATA_MODEL}MALFORMED_VALUE_ERROR", fault.code, fault.message, fault.pointer)
        for fault in find_vc_faults(document, kind)
    ]


def _lost(document: Mapping[str, Any]) -> list[Finding]:
    """What no context defines, so that whoever reads the credential as JSON-LD would not see it."""
    try:
        found = find_unmapped(document)
    except (ContextError, JsonLdFault, TooComplex):  # a proof that needs them says so itself
        return []
    detail = "No context defines this: whoever reads the credential as JSON-LD does not see it."
    return [
        Finding(f"{_SECURITY}DATA_LOSS_DETECTION_ERROR", str(ProofCode.UNMAPPED_TERMS), detail, place)
        for place in found[:_MAX_LOST]
    ]


def _bound(document: Mapping[str, Any], options: Options) -> list[Finding]:
    """Whether every proof is for the purpose, challenge and domain that the verifier wanted."""
    proofs = document.get("proof")
    errors = []
    for place, proof in enumerate(proofs if isinstance(proofs, list) else [proofs]):
        said = proof if isinstance(proof, dict) else {}
        domain = said.get("domain")
        domains = domain if isinstance(domain, list) else [domain]
        tests = (
            ("proofPurpose", "PROOF_VERIFICATION_ERROR", options.purpose in (None, said.get("proofPurpose"))),
            ("challenge", "INVALID_CHALLENGE_ERROR", options.challenge in (None, said.get("challenge"))),
            ("domain", "INVALID_DOMAIN_ERROR", not options.domains or any(name in options.domains for name in domains)),
        )
        for name, type_, good in tests:
            if not good:
                detail = f"The proof's {name} is not the one that was asked for."
                errors.append(Finding(f"{_SECURITY}{type_}", f"wrong_{name.lower()}", detail, f"/proof/{place}/{name}"))
    return errors


def _of_proof(item: ProofOutcome) -> Finding:
    return Finding(f"{_SECURITY}PROOF_VERIFICATION_ERROR", str(item.code), item.detail, f"/proof/{item.place}")


def _of_check(check: Check, type_: str) -> Finding:
    return Finding(type_, str(check.code), check.detail)


def _of_status(check: Check) -> Finding:
    type_ = _STATUS_TYPES.get(str(check.code), "STATUS_VERIFICATION_ERROR")
    return Finding(f"{_STATUS}{type_}", str(check.code), check.detail, "/credentialStatus")


def _looked_at(options: Options) -> tuple[str, ...]:
    return ("proof", "validityPeriod", *(("credentialStatus",) if options.wants_status else ()))


def _unknown_checks(options: Options) -> list[Finding]:
    return [
        Finding("about:blank", "unknown_check", f"There is no check {name!r}; it was not made.", "/options/checks")
        for name in options.checks
        if name not in _KNOWN_CHECKS
    ]


def _holder(presentation: Mapping[str, Any]) -> str | None:
    value = presentation.get("holder")
    named = value.get("id") if isinstance(value, dict) else value
    return named if isinstance(named, str) else None


def _unproven_holder(presentation: Mapping[str, Any]) -> list[Finding]:
    holder = _holder(presentation)
    if holder is None or holder.startswith("did:"):
        return []
    detail = "The holder is no DID: that the proof was made with the holder's key cannot be told."
    return [Finding(f"{_SECURITY}PROOF_VERIFICATION_ERROR", "key_owner_unknown", detail, "/holder")]


def _purpose_of(presentation: Mapping[str, Any]) -> str:
    """Presentations are mostly proofs of a holder's presence, but may be claims."""
    proofs = presentation.get("proof")
    first = proofs[0] if isinstance(proofs, list) and proofs else proofs
    said = first.get("proofPurpose") if isinstance(first, dict) else None
    return said if said in _PURPOSES else _PURPOSES[0]
