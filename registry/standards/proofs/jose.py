"""VC-JWT: a credential in a JSON Web Signature (RFC 7515).

Three ways of putting it in: VC-JOSE-COSE section 3.1 (the payload is the credential, ``typ`` is ``vc+jwt``), Open
Badges 3.0 section 8.2.4 (the same with registered claims beside it), and the VC Data Model 1.1 section 6.3.1 (a ``vc``
claim, with registered claims that stand for members of it). EdDSA, ES256, ES384 and RS256 (RFC 7518, RFC 8037) are
verified; ``none`` and HMAC never are. The key is the resolver's: one that the header brings along proves nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.core.canonical import parse_json
from registry.core.credential import unix_time
from registry.core.errors import InputError, JsonError
from registry.core.notation import LAST_SECOND, short, time_text
from registry.standards.proofs.jws import JwsRefused, parse_part, read_algorithm
from registry.standards.proofs.publickey import KeyKind, PublicKey, PublicKeyError, UnsupportedKey
from registry.standards.proofs.report import KeyProblem, ProofCode, ProofOutcome, ProofReport, ResolveKey
from registry.standards.proofs.verifying import check_key

__all__ = ["MEDIA_TYPE", "JwtReport", "envelope", "open_envelope", "verify_jwt"]

MEDIA_TYPE = "application/vc+jwt"
_ENVELOPED = "EnvelopedVerifiableCredential"
_CONTEXT = "https://www.w3.org/ns/credentials/v2"
_PREFIX = f"data:{MEDIA_TYPE},"
# What earlier drafts and the VC Data Model's own tests put in its place; one draft had a semicolon for the comma.
_ENVELOPE = re.compile(
    r"data:application/(?:vc\+jwt,|vc-ld\+jwt,|jwt,|vc\+ld\+json\+jwt[,;])(.*)", re.DOTALL | re.IGNORECASE
)
_MAX_LENGTH = 1 << 20
_REGISTERED = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf"})


@dataclass(frozen=True, slots=True)
class JwtReport(ProofReport):
    """The outcome of the one signature. ``credential`` is None where the payload holds none.

    It is what the payload says, whatever the outcome: look at ``status`` first.
    """

    credential: Mapping[str, Any] | None = None


class _Fault(Exception):
    """Ends the judgement. Stays within this module."""

    def __init__(self, code: ProofCode, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def envelope(token: str) -> dict[str, Any]:
    """An EnvelopedVerifiableCredential (VC Data Model 2.0 section 4.13) around a JWT."""
    return {"@context": _CONTEXT, "id": f"{_PREFIX}{token}", "type": _ENVELOPED}


def open_envelope(document: object) -> str | None:
    """The JWT in an EnvelopedVerifiableCredential, None if the document is none, or holds something else."""
    if not isinstance(document, dict):
        return None
    types, address = document.get("type"), document.get("id")
    if _ENVELOPED not in (types if isinstance(types, list) else [types]) or not isinstance(address, str):
        return None
    match = _ENVELOPE.fullmatch(address)
    return match[1] if match else None


def verify_jwt(
    token: str,
    resolve_key: ResolveKey,
    at: int,
    *,
    now: int | None = None,
    check_controller: bool = True,
    purpose: str = "assertionMethod",
    skew: int = 300,
) -> JwtReport:
    """Judges a VC-JWT; ``at``, ``now`` and ``skew`` as in ``verify_proofs``. Never raises, whatever ``token`` is.

    ``check_controller``: the key has to be the credential's issuer's.
    """
    header: dict[str, Any] = {}
    credential: dict[str, Any] | None = None
    try:
        header, claims, signature, message = _split(token)
        credential, issuer = _credential(claims)
        kind = _kind(header)
        _check_times(claims, at, at if now is None else now, skew)
        key = check_key(resolve_key(_method(header, issuer)), at, purpose, issuer if check_controller else None)
        if isinstance(key, KeyProblem):
            if "kid" not in header and key.code in (ProofCode.KEY_UNKNOWN, ProofCode.KEY_UNREACHABLE):
                key = _judge_unnamed(header, kind, signature, message)
            raise _Fault(key.code, key.detail)
        if key.public_key.kind is not kind:
            raise _Fault(ProofCode.KEY_WRONG_KIND, f"The header's alg does not go with a key of {key.public_key.kind}.")
        if not key.public_key.verifies(signature, message):
            raise _Fault(ProofCode.SIGNATURE_INVALID, "The signature is not this key's over this token.")
        code, detail = ProofCode.OK, "The signature is the key's."
    except _Fault as fault:
        code, detail = fault.code, fault.detail
    algorithm, method = (value if isinstance(value, str) else "" for value in (header.get("alg"), header.get("kid")))
    outcome = ProofOutcome(0, f"vc-jwt {short(algorithm, 40)}".strip(), short(method, 200), code, detail)
    return JwtReport((outcome,), credential)


def _split(token: object) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Header, claims, signature and what is signed (RFC 7515 section 5.2), read strictly."""
    if not isinstance(token, str) or len(token) > _MAX_LENGTH or not token.isascii():
        raise _Fault(ProofCode.MALFORMED_PROOF, "Not a JWT, or too long for one.")
    parts = token.split(".")
    if len(parts) != 3:
        raise _Fault(ProofCode.MALFORMED_PROOF, "A JWT has three parts with points between them.")
    try:
        header, claims, signature = (parse_part(part) for part in parts)
        objects = parse_json(header), parse_json(claims)
    except (InputError, JsonError) as error:
        raise _Fault(ProofCode.MALFORMED_PROOF, f"The JWT cannot be read: {error}.") from error
    if not all(isinstance(value, dict) for value in objects):
        raise _Fault(ProofCode.MALFORMED_PROOF, "Header and payload of a JWT are JSON objects.")
    return *objects, signature, f"{parts[0]}.{parts[1]}".encode()


def _kind(header: Mapping[str, Any]) -> KeyKind:
    try:
        kind = read_algorithm(header)
    except JwsRefused as error:
        raise _Fault(error.code, str(error)) from error
    if "crit" in header or header.get("b64", True) is not True:
        raise _Fault(ProofCode.ALGORITHM_REFUSED, "The header asks for extensions (crit) that are not known here.")
    return kind


def _method(header: Mapping[str, Any], issuer: str) -> str:
    """The verification method: ``kid`` as a DID URL, or the fragment of one of the issuer's.

    Without ``kid`` the issuer itself, which is enough for the DIDs that are a key (did:key, did:jwk).
    """
    if "kid" not in header:
        return issuer
    kid = header["kid"]
    if not isinstance(kid, str) or not kid:
        raise _Fault(ProofCode.KEY_UNKNOWN, "The header's kid names no key.")
    if ":" in kid:
        return kid
    return f"{issuer}#{kid.removeprefix('#')}"


def _judge_unnamed(header: Mapping[str, Any], kind: KeyKind, signature: bytes, message: bytes) -> KeyProblem:
    """A token that does not say which of its issuer's keys made it.

    The key that it may bring along (jwk, Open Badges 3.0 section 8.2.4.1) can only prove that the token is broken.
    """
    if "jwk" not in header:
        return KeyProblem(ProofCode.KEY_UNPROVEN, "The header does not say which of the issuer's keys it is (kid).")
    try:
        own = PublicKey.from_jwk(header["jwk"])
    except UnsupportedKey as error:
        return KeyProblem(ProofCode.KEY_UNSUPPORTED, f"The header's jwk: {error}.")
    except PublicKeyError as error:
        return KeyProblem(ProofCode.KEY_MALFORMED, f"The header's jwk: {error}.")
    if own.kind is not kind or not own.verifies(signature, message):
        return KeyProblem(ProofCode.SIGNATURE_INVALID, "The signature is not even that of the key in the header.")
    detail = "The token brings its key along (jwk), and nothing says that it is the issuer's."
    return KeyProblem(ProofCode.KEY_UNPROVEN, detail)


def _check_times(claims: Mapping[str, Any], at: int, now: int, skew: int) -> None:
    times = {}
    for name in ("exp", "iat", "nbf"):
        if name in claims:
            value = claims[name]
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LAST_SECOND:
                raise _Fault(ProofCode.BAD_DATE, f"{name} is no time (RFC 7519 section 2, NumericDate).")
            times[name] = int(value)
    if times.get("iat", at) > at + skew:
        raise _Fault(ProofCode.CREATED_IN_FUTURE, "The token says it was made after it is proven to exist.")
    if "vc" not in claims and times.get("nbf", now) > now + skew:
        raise _Fault(ProofCode.CREATED_IN_FUTURE, "The token is not valid yet (nbf).")
    if times.get("exp", now + 1) <= now - skew:
        raise _Fault(ProofCode.PROOF_EXPIRED, "The token has expired.")


def _credential(claims: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The credential and its issuer. What registered claims and members say twice has to be the same."""
    inner = claims.get("vc")
    if inner is None:
        credential = {name: value for name, value in claims.items() if name not in _REGISTERED}
    elif isinstance(inner, dict):
        credential = dict(inner)
    else:
        raise _Fault(ProofCode.MALFORMED_PROOF, "The claim vc is an object.")
    old = inner is not None
    issuer, subject = credential.get("issuer"), credential.get("credentialSubject")
    name = issuer.get("id") if isinstance(issuer, dict) else issuer
    if old and issuer is None and "iss" in claims:
        name = credential["issuer"] = claims["iss"]
    _same(claims, "iss", name)
    if not isinstance(name, str) or not name:
        raise _Fault(ProofCode.MALFORMED_PROOF, "The token holds no credential with an issuer.")
    if old and "id" not in credential and "jti" in claims:
        credential["id"] = claims["jti"]
    _same(claims, "jti", credential.get("id"))
    if isinstance(subject, dict):
        if old and "id" not in subject and "sub" in claims:
            subject = credential["credentialSubject"] = {**subject, "id": claims["sub"]}
        if "id" in subject:
            _same(claims, "sub", subject["id"])
    if old:
        # Elsewhere exp and nbf are about the signature and not about the credential (VC-JOSE-COSE section 3.3).
        _same_time(claims, "nbf", credential, ("issuanceDate", "validFrom"))
        _same_time(claims, "exp", credential, ("expirationDate", "validUntil"))
    return credential, name


def _same(claims: Mapping[str, Any], claim: str, value: object) -> None:
    if claim in claims and claims[claim] != value:
        raise _Fault(ProofCode.CLAIMS_DIFFER, f"The claim {claim} and the credential say different things.")


def _same_time(claims: Mapping[str, Any], claim: str, credential: dict[str, Any], names: tuple[str, str]) -> None:
    value = claims.get(claim)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LAST_SECOND:
        return  # _check_times says so
    present = [name for name in names if name in credential]
    if not present:
        credential[names[0]] = time_text(int(value))
    for name in present:
        moment = unix_time(credential[name])
        if moment is not None and moment != int(value):
            raise _Fault(ProofCode.CLAIMS_DIFFER, f"The claim {claim} and {name} are different times.")
