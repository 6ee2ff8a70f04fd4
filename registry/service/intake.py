"""What is handed in is looked at before anything is stored: everything that needs neither an index nor the database.

Four kinds come in. An unsigned credential is completed and checked strictly, since it will go out under the issuer's
name; one that the issuer secured itself has its proofs verified and is never altered; a template with a learner's data
becomes an unsigned credential; of a bare commitment nothing is known, and nothing is asked. A fifth kind is given back
at once (docs/adr/145): any credential of the VC Data Model, perhaps with a status entry of another registry.
"""

import datetime as dt
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.core import canonical
from registry.core.credential import issuer_did, unix_time
from registry.core.errors import JsonError
from registry.core.status import ENTRIES_PER_LIST
from registry.service.context import Context
from registry.service.errors import ConflictError, InvalidError
from registry.service.issuers import SIGNS_HERE, Issuer
from registry.service.securing import Securing, credential_status
from registry.service.templaterecords import TemplateVersion
from registry.standards import openbadges
from registry.standards.contexts import ContextError
from registry.standards.datamodel import find_vc_faults
from registry.standards.identity import hide_identities
from registry.standards.proofs.creating import PROOF_SET
from registry.standards.proofs.jose import envelope, open_envelope, verify_jwt
from registry.standards.proofs.jsonld import JsonLdFault
from registry.standards.proofs.rdfc import TooComplex
from registry.standards.proofs.report import ProofReport, ProofStatus, ResolveKey
from registry.standards.proofs.verifying import find_unmapped, verify_proofs

__all__ = [
    "COMMITMENT",
    "ISSUED",
    "SECURED",
    "SIGNED",
    "UNSIGNED",
    "Intake",
    "Prepared",
    "Submission",
    "claimed_index",
    "is_out",
]

SIGNED, UNSIGNED, SECURED, COMMITMENT = "signed", "unsigned", "secured", "commitment"
ISSUED = "issued"  # signed, and given out before it was anchored

_V2 = "https://www.w3.org/ns/credentials/v2"
_V1 = "https://www.w3.org/2018/credentials/v1"
_LAST_INDEX = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Submission:
    """One credential to be taken in: ``document`` as parsed by core, or only the ``commitment`` to one (32 bytes).

    ``reservation``: the registry's id of the index that was reserved for it. ``line`` is where it stood in an import,
    ``size`` its bytes there. ``at_once``: any unsigned credential, to be given out before it is anchored, with proofs
    of these ``suites``. ``request``: a digest of all that was asked for, where that is more than the document.
    ``template``: what it was made from, to be put on record with it.
    """

    document: Any = None
    idempotency_key: str | None = None
    line: int | None = None
    size: int = 0
    commitment: bytes | None = None
    reservation: str | None = None
    at_once: bool = False
    suites: tuple[str, ...] = PROOF_SET
    request: bytes | None = None
    template: TemplateVersion | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A submission that passed all checks that need no database.

    ``index`` is the one that its own status entry names, where the issuer secured it for a place in this registry.
    ``unmapped``: JSON pointers of what is in no context, where the policy only wants it reported.
    """

    form: str
    document: dict[str, Any]
    content: bytes | None  # canonical, of what is secured already
    external_id: str | None
    index: int | None
    request_digest: bytes
    unmapped: tuple[str, ...]
    submission: Submission


class Intake:
    """Safe to use from several threads. May ask for DID documents, of issuers that sign themselves."""

    def __init__(self, context: Context, resolve_key: ResolveKey) -> None:
        self._context = context
        self._resolve_key = resolve_key
        self._securing = Securing(context)

    def prepare(self, issuer: Issuer, submission: Submission) -> Prepared:
        """Raises InvalidError, with the JSON pointers of all that is wrong."""
        if submission.commitment is not None:
            return self._commitment(submission)
        document = submission.document
        if isinstance(document, str):  # a compact JWS
            document = envelope(document)
        if not isinstance(document, dict):
            raise InvalidError("not_an_object", "A credential is a JSON object, or a VC-JWT in a string.")
        if submission.at_once:
            return self._at_once(issuer, document, submission)
        if "proof" in document or open_envelope(document) is not None:
            return self._secured(issuer, document, submission)
        return self._unsigned(issuer, document, submission)

    def _commitment(self, submission: Submission) -> Prepared:
        if submission.document is not None or submission.reservation is None:
            message = "A bare commitment comes without the credential, and for an index that was reserved before."
            raise InvalidError("commitment", message, "/commitment")
        commitment = submission.commitment or b""
        if len(commitment) != 32:
            raise InvalidError("commitment", "A commitment has 32 bytes: SHA-256(salt ‖ digest).", "/commitment")
        return Prepared(COMMITMENT, {}, None, None, None, hashlib.sha256(commitment).digest(), (), submission)

    # --- what is signed here ---

    def _unsigned(self, issuer: Issuer, document: dict[str, Any], submission: Submission) -> Prepared:
        digest = submission.request or hashlib.sha256(_canonicalize(document)).digest()
        if "credentialStatus" in document:
            message = (
                "credentialStatus must be left out: the registry sets it, because it holds the credential's index."
            )
            raise InvalidError("not_allowed", message, "/credentialStatus")
        _check_shape(document, (_V2,))
        completed = dict(document)
        completed["issuer"] = _with_issuer(document.get("issuer"), issuer)
        completed.setdefault("validFrom", _rfc3339(self._context.clock()))
        if "id" not in document:
            completed["id"] = uuid.UUID(bytes=self._context.random(16), version=4).urn
        if self._context.rules.hide_emails:
            completed = hide_identities(completed, self._new_salt)
        # Checked and measured with the longest status entry, so that giving the index can't fail later.
        bound = {**completed, "credentialStatus": credential_status(issuer.status_base, _LAST_INDEX)}
        self._check_badge(bound, strict=True)
        self._check_size(_canonicalize(bound))
        form = SIGNED if issuer.signs == SIGNS_HERE else UNSIGNED
        unmapped = self._unmapped(bound, form)
        return Prepared(form, completed, None, completed["id"], None, digest, unmapped, submission)

    def _at_once(self, issuer: Issuer, document: dict[str, Any], submission: Submission) -> Prepared:
        """Any credential of the VC Data Model 2.0, issued in this issuer's name whoever it named, otherwise as it is.

        A status entry of another registry is kept, and then none of ours is added: its place is in no list of ours.
        """
        if issuer.signs != SIGNS_HERE:
            raise ConflictError("not_signed_here", f"{issuer.name} signs its credentials itself; there is no key here.")
        if "proof" in document:
            message = "The credential has a proof already. Hand it in with POST /v1/credentials instead."
            raise InvalidError("already_secured", message, "/proof")
        listed = {"credential": document, "suites": list(submission.suites)}
        digest = hashlib.sha256(_canonicalize(listed)).digest()
        completed = {"issuer": issuer.did, **document}
        faults = find_vc_faults(completed, "credential")
        if faults:
            raise InvalidError.of("data_model", [(fault.pointer, fault.message) for fault in faults])
        _check_shape(completed, (_V2,))
        named = completed["issuer"]
        completed["issuer"] = {**named, "id": issuer.did} if isinstance(named, dict) else issuer.did
        if "id" not in document:
            completed["id"] = uuid.UUID(bytes=self._context.random(16), version=4).urn
        if self._context.rules.hide_emails:
            completed = hide_identities(completed, self._new_salt)
        foreign = "credentialStatus" in completed
        if claimed_index(completed.get("credentialStatus"), issuer.status_base) is not None:
            message = "The registry itself adds the entry of its own lists, because it holds the credential's index."
            raise InvalidError("not_allowed", message, "/credentialStatus")
        entry = {} if foreign else {"credentialStatus": credential_status(issuer.status_base, _LAST_INDEX)}
        bound = {**completed, **entry}
        self._check_badge(bound, strict=True, only=False)
        self._check_size(_canonicalize(bound))
        unmapped = self._unmapped(bound, ISSUED)
        content = self._securing.sign(issuer, completed, submission.suites) if foreign else None
        form = SECURED if foreign else ISSUED
        return Prepared(form, completed, content, completed["id"], None, digest, unmapped, submission)

    def _check_badge(self, document: Mapping[str, Any], *, strict: bool, only: bool = True) -> None:
        """``only``: what is no badge is refused, if the policy says so."""
        kind = openbadges.class_of(document)
        rules = self._context.rules
        if kind is None or kind == "Profile":
            if only and rules.open_badges_only:
                message = 'This registry issues Open Badges 3.0: "type" must contain "OpenBadgeCredential".'
                raise InvalidError("not_a_badge", message, "/type")
            return
        if not strict and not rules.open_badges_only:
            return  # what others issued is taken in as it is
        faults = openbadges.find_faults(document, kind, strict=strict)
        if faults:
            raise InvalidError.of("open_badge", [(fault.pointer, fault.message) for fault in faults])

    def _unmapped(self, document: dict[str, Any], form: str) -> tuple[str, ...]:
        """Terms of no context; a signature over the RDF would not cover them."""
        allowed = self._context.rules.allow_unmapped
        try:
            found = find_unmapped(document)
        except ContextError as error:
            if allowed and form in (UNSIGNED, SIGNED):  # signed over its JSON, not over RDF that nobody can tell
                return ("/@context",)
            raise InvalidError(
                "context_unknown", f"{error}. None is fetched; ALLOW_UNMAPPED takes it all the same.", "/@context"
            ) from error
        except TooComplex as error:
            raise InvalidError("too_complex", f"{error}.") from error
        except JsonLdFault as error:
            raise InvalidError("not_json_ld", f"{error}.", "/@context") from error
        found = tuple(pointer for pointer in found if not pointer.startswith("/credentialStatus"))
        if found and not allowed:
            message = "No context defines this: a signature would not cover it. Remove it, add its context, or set "
            message += "ALLOW_UNMAPPED."
            raise InvalidError.of("unmapped_terms", [(pointer, message) for pointer in found])
        return found

    def _new_salt(self) -> str:
        return self._context.random(16).hex()

    # --- what the issuer secured itself ---

    def _secured(self, issuer: Issuer, document: dict[str, Any], submission: Submission) -> Prepared:
        content = _canonicalize(document)
        self._check_size(content)
        token = open_envelope(document)
        now = self._context.clock()
        inner: Mapping[str, Any] = document
        report: ProofReport
        if token is None:
            report = verify_proofs(
                document,
                self._resolve_key,
                now,
                controller=issuer.did,
                allow_unmapped=self._context.rules.allow_unmapped,
            )
        else:
            report = opened = verify_jwt(token, self._resolve_key, now)
            inner = opened.credential or {}
        _check_report(report, listed=isinstance(document.get("proof"), list))
        _check_shape(inner, (_V2, _V1))
        if issuer_did(inner) != issuer.did:
            raise InvalidError("issuer", f"The credential must be issued by {issuer.did}.", "/issuer")
        self._check_badge(inner, strict=False)
        index = claimed_index(inner.get("credentialStatus"), issuer.status_base)
        if index is not None and index < 0:
            message = "Its status entry names no index of this issuer's sequence. Reserve one with POST /v1/indexes."
            raise InvalidError("status_index", message, "/credentialStatus")
        identifier = inner.get("id")
        digest = submission.request or hashlib.sha256(content).digest()
        external = identifier if isinstance(identifier, str) else None
        unmapped = tuple(pointer for outcome in report.outcomes for pointer in outcome.pointers)
        return Prepared(SECURED, document, content, external, index, digest, unmapped, submission)

    def _check_size(self, content: bytes) -> None:
        limit = self._context.rules.max_credential_bytes
        if len(content) > limit:
            raise InvalidError(
                "too_large",
                f"The credential has {len(content):,} bytes; at most {limit:,} are taken. Link to large evidence "
                "instead of embedding it.",
            )


def is_out(form: str, reserved_until: int | None) -> bool:
    """Whether others may hold a credential that names its index in our lists before its batch is sealed."""
    return form in (ISSUED, COMMITMENT) or (form == SECURED and reserved_until is not None)


def _check_report(report: ProofReport, *, listed: bool) -> None:
    """Raises InvalidError unless the proofs are good: what could not be judged is not taken for good."""
    if report.status is ProofStatus.GOOD:
        return
    bad = [item for item in report.outcomes if item.status is not ProofStatus.GOOD]
    faults = [(f"/proof/{item.place}" if listed else "/proof", f"{item.detail} ({item.code})") for item in bad]
    if report.status is ProofStatus.UNKNOWN:
        raise InvalidError.of("proof_unverified", faults)
    raise InvalidError.of("proof_invalid", faults)


def claimed_index(status: object, base: str) -> int | None:
    """The index in this registry that a status entry names; None if none of its lists is here, -1 if it is broken."""
    found: int | None = None
    for entry in status if isinstance(status, list) else [status]:
        if not isinstance(entry, dict):
            continue
        place = entry.get("statusListCredential")
        if not isinstance(place, str) or not place.startswith(f"{base}/"):
            continue
        number, position = place.rpartition("/")[2], entry.get("statusListIndex")
        if not (
            number.isdecimal() and isinstance(position, str) and position.isdecimal() and len(number + position) < 20
        ):
            return -1
        index = int(number) * ENTRIES_PER_LIST + int(position)
        if int(position) >= ENTRIES_PER_LIST or (found is not None and found != index):
            return -1
        found = index
    return found


def _check_shape(document: Mapping[str, Any], first_contexts: Sequence[str]) -> None:
    """What VC Data Model 2.0 section 4 asks of every credential, as far as the registry relies on it."""
    contexts = document.get("@context")
    if not isinstance(contexts, list) or not contexts or contexts[0] not in first_contexts:
        raise InvalidError("context", f"@context must be an array that begins with {first_contexts[0]}.", "/@context")
    types = document.get("type")
    if not (types == "VerifiableCredential" or (isinstance(types, list) and "VerifiableCredential" in types)):
        raise InvalidError("type", 'type must contain "VerifiableCredential".', "/type")
    subject = document.get("credentialSubject")
    subjects = subject if isinstance(subject, list) else [subject]
    if not subjects or not all(isinstance(item, dict) and item for item in subjects):
        raise InvalidError("subject", "credentialSubject must be an object that says something.", "/credentialSubject")
    identifier = document.get("id", "urn:")
    if (
        not isinstance(identifier, str)
        or ":" not in identifier
        or len(identifier) > 2048
        or not identifier.isprintable()  # PostgreSQL's text holds no NUL; nobody's address holds control characters
    ):
        raise InvalidError("id", "id must be a URL or URN of at most 2,048 printable characters.", "/id")
    for name in ("validFrom", "validUntil", "issuanceDate", "expirationDate"):
        if name in document and unix_time(document[name]) is None:  # a verdict would refuse it for good
            raise InvalidError("date_time", f"{name} must be a date and time such as 2026-03-01T12:00:00Z.", f"/{name}")


def _with_issuer(value: Any, issuer: Issuer) -> Any:
    """The credential's issuer; filled in where it is missing, refused where it names somebody else."""
    if value is None:
        return issuer.did
    if isinstance(value, dict):
        completed = {"id": issuer.did, **value}
        named = completed["id"]
    else:
        completed = named = value
    if named != issuer.did:
        raise InvalidError("issuer", f"The credential must be issued by {issuer.did}.", "/issuer")
    return completed


def _canonicalize(document: Any) -> bytes:
    try:
        content = canonical.canonicalize(document)
        canonical.parse_json(content)  # 1e16 is a float that comes back as an integer beyond what JSON holds
    except JsonError as error:
        raise InvalidError("not_json", str(error)) from error
    return content


def _rfc3339(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
