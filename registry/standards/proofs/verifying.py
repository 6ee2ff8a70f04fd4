"""Verifying the Data Integrity proofs of a document (Data Integrity 1.0 section 4.4, verify proof sets and chains).

Nothing is fetched here: keys come from the caller, contexts from what is pinned. Bad input is an outcome, never an
exception. A key is judged at ``at``, the time at which the document is proven to have existed: ``created`` is only what
the signer says.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.core.canonical import canonicalize
from registry.core.credential import unix_time
from registry.core.errors import InputError, JsonError
from registry.core.notation import short
from registry.standards.contexts import ContextError
from registry.standards.proofs.expanding import Expander, default_expander
from registry.standards.proofs.jsonld import JsonLdFault
from registry.standards.proofs.jws import JwsRefused, parse_detached
from registry.standards.proofs.multibase import parse_base58
from registry.standards.proofs.publickey import KeyKind
from registry.standards.proofs.rdfc import TooComplex
from registry.standards.proofs.report import (
    KeyProblem,
    ProofCode,
    ProofOutcome,
    ProofReport,
    ResolveKey,
    VerificationKey,
)
from registry.standards.proofs.suites import (
    SIGNATURE_BYTES,
    Suite,
    Transformation,
    Transformed,
    hash_name,
    signed_bytes,
    suite_of,
    transform,
)

__all__ = ["MAX_PROOFS", "check_key", "find_unmapped", "verify_proofs"]

MAX_PROOFS = 16
_ENVELOPED = "EnvelopedVerifiableCredential"
_SKEW_SECONDS = 300


def verify_proofs(
    document: object,
    resolve_key: ResolveKey,
    at: int,
    *,
    now: int | None = None,
    controller: str | None = None,
    purpose: str = "assertionMethod",
    skew: int = _SKEW_SECONDS,
    allow_unmapped: bool = False,
    expander: Expander | None = None,
) -> ProofReport:
    """Judges every proof of a document.

    ``at``: when keys have to be valid, and by when proofs have to be made (the anchor's time). ``now``: at which time
    ``expires`` is looked at (``at`` if None). Both in Unix seconds, with ``skew`` seconds of tolerance.
    ``controller``: whose keys count (the credential's issuer); None only where the caller compares it.
    ``allow_unmapped``: what a signature does not cover is reported and does not make it bad.
    Never raises, whatever ``document`` is.
    """
    judge = _Judge(
        document, resolve_key, _Times(at, at if now is None else now, skew), controller, purpose, allow_unmapped,
        expander or default_expander(),
    )  # fmt: skip
    return ProofReport(tuple(judge.outcomes()))


def find_unmapped(document: Mapping[str, Any], expander: Expander | None = None) -> tuple[str, ...]:
    """JSON pointers of what is in no RDF, its proofs left out: terms of no context, relative IRIs.

    Raises UnknownContext, JsonLdFault, TooComplex, JsonError.
    """
    canonicalize(document)
    unsecured = {key: value for key, value in document.items() if key != "proof"}
    return (expander or default_expander()).expand(unsecured).unmapped


@dataclass(frozen=True, slots=True)
class _Times:
    at: int
    now: int
    skew: int


class _Fault(Exception):
    """Ends the judgement of one proof. Stays within this module."""

    def __init__(self, code: ProofCode, detail: str, pointers: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.code, self.detail, self.pointers = code, detail, pointers


class _Judge:
    """One document while its proofs are judged; transforms it once for each way of transforming."""

    def __init__(
        self, document: object, resolve_key: ResolveKey, times: _Times, controller: str | None, purpose: str,
        allow_unmapped: bool, expander: Expander,
    ) -> None:  # fmt: skip
        self._document = document if isinstance(document, dict) else {}
        self._resolve_key = resolve_key
        self._times = times
        self._controller = controller
        self._purpose = purpose
        self._allow_unmapped = allow_unmapped
        self._expander = expander
        self._transformed: dict[tuple[object, ...], Transformed | _Fault] = {}

    def outcomes(self) -> list[ProofOutcome]:
        if "proof" not in self._document:
            return self._envelope()
        found = self._document["proof"]
        proofs = found if isinstance(found, list) else [found]
        if not 0 < len(proofs) <= MAX_PROOFS:
            detail = f"The document has {len(proofs)} proofs; 1 to {MAX_PROOFS} are looked at."
            return [ProofOutcome(0, "", "", ProofCode.TOO_MANY_PROOFS, detail)]
        try:
            canonicalize(self._document)  # from here on it is JSON of bounded depth
        except JsonError as error:
            return [ProofOutcome(0, "", "", ProofCode.NOT_CANONICAL, f"The document has no canonical form: {error}.")]
        return [self._outcome(place, proof, proofs) for place, proof in enumerate(proofs)]

    def _envelope(self) -> list[ProofOutcome]:
        """Enveloped ones have their proof inside: JWTs are ``verify_jwt``'s matter, SD-JWT and COSE are not known."""
        if _ENVELOPED not in _listed(self._document.get("type")):
            return []
        media_type, _, _ = _label(self._document.get("id")).removeprefix("data:").partition(",")
        detail = f"What is enveloped as {short(media_type)!r} is not judged as a document with proofs."
        return [ProofOutcome(0, short(media_type), "", ProofCode.UNKNOWN_SUITE, detail)]

    def _outcome(self, place: int, proof: object, proofs: Sequence[object]) -> ProofOutcome:
        if not isinstance(proof, dict):
            return ProofOutcome(place, "", "", ProofCode.MALFORMED_PROOF, "A proof is an object.")
        name = proof.get("cryptosuite", proof.get("type"))
        method = proof.get("verificationMethod")
        try:
            pointers = self._judge(place, proof, proofs)
            detail = "The signature is the key's."
            if pointers:
                detail = "The signature is the key's; it does not cover what stands in no context."
            code = ProofCode.OK
        except _Fault as fault:
            code, detail, pointers = fault.code, fault.detail, fault.pointers
        return ProofOutcome(place, _label(name), _label(method), code, detail, pointers)

    def _judge(self, place: int, proof: dict[str, Any], proofs: Sequence[object]) -> tuple[str, ...]:
        suite = suite_of(proof)
        if suite is None:
            label = _label(proof.get("cryptosuite", proof.get("type")))
            raise _Fault(ProofCode.UNKNOWN_SUITE, f"The cryptosuite {label!r} is not known here.")
        self._check_options(proof)
        signature, header, named = _signature(proof) if suite.jws is None else _detached(proof)
        previous = _previous(proof, proofs)
        method = proof.get("verificationMethod")
        if not isinstance(method, str) or not method:
            raise _Fault(ProofCode.MALFORMED_PROOF, "The proof names no verificationMethod.")
        key = check_key(self._resolve_key(method), self._times.at, self._purpose, self._controller)
        if isinstance(key, KeyProblem):
            raise _Fault(key.code, key.detail)
        kind = key.public_key.kind
        if kind not in suite.kinds or (named is not None and named is not kind):
            raise _Fault(ProofCode.KEY_WRONG_KIND, f"{suite.name} does not go with a key of the kind {kind}.")
        if len(signature) != SIGNATURE_BYTES[kind]:
            raise _Fault(ProofCode.BAD_MULTIBASE, f"A signature of the kind {kind} has {SIGNATURE_BYTES[kind]} bytes.")
        options, document, pointers = self._forms(suite, proof, previous, kind, place if len(proofs) > 1 else None)
        if pointers and not self._allow_unmapped:
            listed = short(", ".join(pointer or "(the document)" for pointer in pointers), 200)
            raise _Fault(ProofCode.UNMAPPED_TERMS, f"The signature does not cover {listed}: in no context.", pointers)
        message = header(signed_bytes(suite, options, document, kind))
        if not key.public_key.verifies(signature, message):
            raise _Fault(ProofCode.SIGNATURE_INVALID, "The signature is not this key's over this document.")
        return pointers

    def _check_options(self, proof: dict[str, Any]) -> None:
        if proof.get("proofPurpose") != self._purpose:
            detail = f"The proof's purpose is {_label(proof.get('proofPurpose'))!r}, not {self._purpose!r}."
            raise _Fault(ProofCode.WRONG_PURPOSE, detail)
        moments = {}
        for name in ("created", "expires"):
            if name in proof:
                moments[name] = unix_time(proof[name])
                if moments[name] is None:
                    raise _Fault(ProofCode.BAD_DATE, f"{name} is no date and time (xsd:dateTimeStamp).")
        created, expires = moments.get("created"), moments.get("expires")
        if created is not None and created > self._times.at + self._times.skew:
            detail = f"The proof says it was created at {proof['created']}, after the document is proven to exist."
            raise _Fault(ProofCode.CREATED_IN_FUTURE, detail)
        if expires is not None and expires <= self._times.now - self._times.skew:
            raise _Fault(ProofCode.PROOF_EXPIRED, f"The proof expired at {proof['expires']}.")

    def _forms(
        self, suite: Suite, proof: dict[str, Any], previous: list[Any], kind: KeyKind, place: int | None
    ) -> tuple[bytes, bytes, tuple[str, ...]]:
        """Canonical options and document, and the pointers of what neither covers."""
        options = {name: value for name, value in proof.items() if name not in ("proofValue", "jws")}
        context = self._document.get("@context")
        added: tuple[str, ...] = ()
        if suite.transformation is Transformation.RDFC:
            options["@context"] = _contexts_of_options(suite, proof, context)
        elif "@context" in options:
            # vc-di-eddsa section 3.3.2 step 4: what the proof names has to be how the document's contexts begin.
            context = options["@context"]
            if not _begins_with(self._document.get("@context"), context):
                raise _Fault(ProofCode.CONTEXT_DIFFERS, "The proof was made for other contexts than the document's.")
            added = _contexts_after(self._document.get("@context"), context)
        document = self._transform(suite, kind, context, previous)
        made = self._guard(suite, options, kind)
        if isinstance(made, _Fault):
            raise made
        root = "/proof" if place is None else f"/proof/{place}"
        pointers = tuple(f"{root}{pointer}" for pointer in made.unmapped if pointer != "/@context")
        return made.data, document.data, document.unmapped + pointers + added

    def _transform(self, suite: Suite, kind: KeyKind, context: object, previous: list[Any]) -> Transformed:
        rdfc = suite.transformation is Transformation.RDFC
        key = (suite.transformation, rdfc and hash_name(suite, kind), repr(context), repr(previous))
        found = self._transformed.get(key)
        if found is None:
            unsecured = {name: value for name, value in self._document.items() if name != "proof"}
            if context is not None:
                unsecured["@context"] = context
            if previous:
                unsecured["proof"] = previous
            found = self._transformed[key] = self._guard(suite, unsecured, kind)
        if isinstance(found, _Fault):
            raise _Fault(found.code, found.detail)
        return found

    def _guard(self, suite: Suite, value: dict[str, Any], kind: KeyKind) -> Transformed | _Fault:
        try:
            return transform(suite, value, kind, self._expander)
        except ContextError as error:
            return _Fault(ProofCode.CONTEXT_UNKNOWN, f"Its RDF cannot be told: {error}.")
        except TooComplex as error:
            return _Fault(ProofCode.TOO_COMPLEX, f"Its RDF is not worked out: {error}.")
        except JsonLdFault as error:
            return _Fault(ProofCode.NOT_JSON_LD, f"It has no RDF: {error}.")
        except JsonError as error:
            return _Fault(ProofCode.NOT_CANONICAL, f"It has no canonical form: {error}.")


def check_key(
    key: VerificationKey | KeyProblem, at: int, purpose: str, controller: str | None
) -> VerificationKey | KeyProblem:
    """Whether a key may be used: whose it is, for what, and when. ``at`` in Unix seconds."""
    if isinstance(key, KeyProblem):
        return key
    if controller is not None and key.controller != controller:
        detail = f"The key is {short(key.controller, 200)}'s, the document is {short(controller, 200)}'s."
        return KeyProblem(ProofCode.WRONG_CONTROLLER, detail)
    if purpose not in key.purposes:
        return KeyProblem(ProofCode.KEY_NOT_AUTHORIZED, f"The key's controller does not list it under {purpose}.")
    if (key.valid_from is not None and at < key.valid_from) or (key.valid_until is not None and at >= key.valid_until):
        return KeyProblem(ProofCode.KEY_OUT_OF_INTERVAL, "The key was not valid at the time that counts.")
    return key


# The signature, what is done to the bytes before they are signed, and the kind of key that the proof itself names.
_Signature = tuple[bytes, Callable[[bytes], bytes], KeyKind | None]


def _signature(proof: Mapping[str, Any]) -> _Signature:
    value = proof.get("proofValue")
    if not isinstance(value, str):
        raise _Fault(ProofCode.MALFORMED_PROOF, "The proof has no proofValue.")
    try:
        return parse_base58(value), bytes, None
    except InputError as error:
        raise _Fault(ProofCode.BAD_MULTIBASE, f"proofValue: {error}.") from error


def _detached(proof: Mapping[str, Any]) -> _Signature:
    """A JWS whose payload stands elsewhere (RFC 7515 appendix F), as it is or, with ``b64`` true, in base64url."""
    try:
        found = parse_detached(proof.get("jws"))
    except JwsRefused as error:
        raise _Fault(error.code, str(error)) from error
    return found.signature, found.message, found.kind


def _previous(proof: Mapping[str, Any], proofs: Sequence[object]) -> list[Any]:
    """The proofs that this one was made over (Data Integrity 1.0 section 4.3 step 4)."""
    if "previousProof" not in proof:
        return []
    found: list[Any] = []
    for name in _listed(proof["previousProof"]):
        match = [
            other for other in proofs if isinstance(other, dict) and isinstance(name, str) and other.get("id") == name
        ]
        if len(match) != 1 or match[0] is proof:
            raise _Fault(ProofCode.PREVIOUS_PROOF_MISSING, f"The proof builds on {_label(name)!r}, which is not there.")
        found += match
    return found


def _contexts_of_options(suite: Suite, proof: Mapping[str, Any], context: object) -> object:
    """The document's, and where the proof names more, as those of Ed25519Signature2020 may, these too.

    Named ones only, which are pinned: one written out could give the signed options another wording.
    """
    if suite.jws is not None:
        return list(suite.jws)
    if "@context" not in proof:
        return context
    own = _listed(proof["@context"])
    if not all(isinstance(item, str) or item in _listed(context) for item in own):
        raise _Fault(ProofCode.CONTEXT_DIFFERS, "The proof has a context of its own making.")
    return _listed(context) + own


def _begins_with(contexts: object, beginning: object) -> bool:
    whole, first = _listed(contexts), _listed(beginning)
    return [canonicalize(item) for item in whole[: len(first)]] == [canonicalize(item) for item in first]


def _contexts_after(contexts: object, beginning: object) -> tuple[str, ...]:
    """Contexts that were added behind the signed ones: the suite allows them, and the signature does not cover them."""
    return tuple(f"/@context/{place}" for place in range(len(_listed(beginning)), len(_listed(contexts))))


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _label(value: object) -> str:
    return short(value, 200) if isinstance(value, str) else ""
