"""The parts of a JSON Web Signature (RFC 7515) that VC-JWT and the older proof suites share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.core.canonical import parse_json
from registry.core.errors import InputError
from registry.core.notation import base64url_text, parse_base64url, short
from registry.standards.proofs.publickey import KeyKind
from registry.standards.proofs.report import ProofCode

__all__ = ["DetachedJws", "JwsRefused", "parse_detached", "parse_part", "read_algorithm"]

ALGORITHMS = {"EdDSA": KeyKind.ED25519, "Ed25519": KeyKind.ED25519, "ES256": KeyKind.P256, "ES384": KeyKind.P384,
              "RS256": KeyKind.RSA}  # fmt: skip
# Signatures that others can judge. Everything else, "none" and HMAC above all, is no signature of an issuer.
_UNJUDGED = frozenset({"ES256K", "ES512", "Ed448", "PS256", "PS384", "PS512", "RS384", "RS512",
                       "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"})  # fmt: skip
_MAX_LENGTH = 4_000


class JwsRefused(InputError):
    """Not a JWS that is verified here; ``code`` says why."""

    def __init__(self, code: ProofCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class DetachedJws:
    """``signature``, and the kind of key that it asks for."""

    signature: bytes
    kind: KeyKind
    _header: str
    _encoded: bool

    def message(self, payload: bytes) -> bytes:
        """What is signed: header and payload (RFC 7515 section 5.1, RFC 7797 section 3)."""
        return f"{self._header}.".encode() + (base64url_text(payload).encode() if self._encoded else payload)


def parse_part(text: str) -> bytes:
    """One part of a JWS: base64url of any length. Raises InputError."""
    return parse_base64url(text, len(text) * 3 // 4)


def read_algorithm(header: Mapping[str, Any]) -> KeyKind:
    """The kind of key that ``alg`` asks for. Raises JwsRefused."""
    algorithm = header.get("alg")
    kind = ALGORITHMS.get(algorithm) if isinstance(algorithm, str) else None
    if kind is not None:
        return kind
    taken = f"alg is {short(repr(algorithm), 40)}; {', '.join(ALGORITHMS)} are taken."
    known = isinstance(algorithm, str) and algorithm in _UNJUDGED
    raise JwsRefused(ProofCode.UNKNOWN_SUITE if known else ProofCode.ALGORITHM_REFUSED, taken)


def parse_detached(text: object) -> DetachedJws:
    """Reads ``header..signature``; the only extension that is taken is ``b64``. Raises JwsRefused."""
    if not isinstance(text, str) or len(text) > _MAX_LENGTH or not text.isascii():
        raise JwsRefused(ProofCode.MALFORMED_PROOF, "The proof has no jws, or one that is too long.")
    parts = text.split(".")
    if len(parts) != 3 or parts[1]:
        raise JwsRefused(ProofCode.MALFORMED_PROOF, "The jws of a proof has a header and a signature, and no payload.")
    try:
        header, signature = parse_json(parse_part(parts[0])), parse_part(parts[2])
    except InputError as error:
        raise JwsRefused(ProofCode.MALFORMED_PROOF, f"The jws cannot be read: {error}.") from error
    if not isinstance(header, dict):
        raise JwsRefused(ProofCode.MALFORMED_PROOF, "The header of a jws is a JSON object.")
    kind = read_algorithm(header)
    encoded, critical = header.get("b64", True), header.get("crit", [])
    if type(encoded) is not bool or critical != (["b64"] if "b64" in header else []):
        message = "The header of the jws asks for extensions (crit) that are not known here, or has b64 without crit."
        raise JwsRefused(ProofCode.ALGORITHM_REFUSED, message)
    return DetachedJws(signature, kind, parts[0], encoded)
