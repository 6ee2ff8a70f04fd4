"""Public keys: as multikeys (Controlled Identifiers 1.0 section 2.2.2), as JWKs (RFC 7517), and what they verify."""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry.core.errors import InputError
from registry.core.notation import base64url_text, parse_base64url
from registry.standards.proofs.multibase import base58_text, parse_base58

__all__ = ["KeyKind", "PublicKey", "PublicKeyError", "UnsupportedKey", "ed25519_key"]

_MIN_RSA_BITS, _MAX_RSA_BITS = 2048, 8192


class PublicKeyError(InputError):
    """Not a public key of a kind that is used here."""


class UnsupportedKey(PublicKeyError):
    """A public key of a kind that others use and that is not used here: nothing can be said of what it signed."""


class KeyKind(StrEnum):
    ED25519 = "Ed25519"
    P256 = "P-256"
    P384 = "P-384"
    RSA = "RSA"


# Multicodec prefixes (as varints) and the lengths of what follows them.
_CODECS = {
    KeyKind.ED25519: (bytes.fromhex("ed01"), 32),
    KeyKind.P256: (bytes.fromhex("8024"), 33),
    KeyKind.P384: (bytes.fromhex("8124"), 49),
}
# Of the multicodec registry, as varints: other keys.
_OTHER_CODECS = {
    bytes.fromhex("e701"): "secp256k1", bytes.fromhex("ec01"): "X25519", bytes.fromhex("ea01"): "BLS12-381 G1",
    bytes.fromhex("eb01"): "BLS12-381 G2", bytes.fromhex("ee01"): "BLS12-381", bytes.fromhex("8224"): "P-521",
    bytes.fromhex("8324"): "Ed448", bytes.fromhex("8424"): "X448", bytes.fromhex("8524"): "RSA",
    bytes.fromhex("8624"): "SM2", bytes.fromhex("9024"): "ML-DSA-44", bytes.fromhex("9124"): "ML-DSA-65",
    bytes.fromhex("9224"): "ML-DSA-87", bytes.fromhex("d1d603"): "JWK",
}  # fmt: skip
_OTHER_KEY_TYPES = frozenset({"EC", "OKP", "AKP"})
_CURVES: dict[KeyKind, tuple[ec.EllipticCurve, hashes.HashAlgorithm, int]] = {
    KeyKind.P256: (ec.SECP256R1(), hashes.SHA256(), 32),
    KeyKind.P384: (ec.SECP384R1(), hashes.SHA384(), 48),
}
_Key = Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that is known to be one: points are on their curves, RSA moduli have 2,048 to 8,192 bits."""

    kind: KeyKind
    _key: _Key

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether the signature is this key's. ECDSA signatures are r ‖ s of fixed length; RSA is RSASSA-PKCS1-v1_5."""
        try:
            if isinstance(self._key, Ed25519PublicKey):
                self._key.verify(signature, message)
            elif isinstance(self._key, rsa.RSAPublicKey):
                self._key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
            else:
                _, algorithm, size = _CURVES[self.kind]
                if len(signature) != 2 * size:
                    return False
                pair = encode_dss_signature(int.from_bytes(signature[:size]), int.from_bytes(signature[size:]))
                self._key.verify(pair, message, ec.ECDSA(algorithm))
        except InvalidSignature:
            return False
        return True

    @property
    def multikey(self) -> str:
        """``publicKeyMultibase`` of a Multikey. Raises PublicKeyError for RSA, which has none."""
        if self.kind not in _CODECS:
            raise PublicKeyError("an RSA key has no multikey form")
        return base58_text(_CODECS[self.kind][0] + self.raw)

    @property
    def raw(self) -> bytes:
        """Ed25519: 32 bytes; P-256 and P-384: the compressed point. Raises PublicKeyError for RSA."""
        if isinstance(self._key, Ed25519PublicKey):
            return self._key.public_bytes_raw()
        if isinstance(self._key, ec.EllipticCurvePublicKey):
            return self._key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        raise PublicKeyError("an RSA key has no raw form")

    @property
    def digest(self) -> bytes:
        """SHA-256 of the key as SubjectPublicKeyInfo (RFC 5280), in whatever form it was written."""
        return sha256(self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()

    @classmethod
    def from_multikey(cls, text: str) -> "PublicKey":
        """Reads ``publicKeyMultibase``. Raises MultibaseError, UnsupportedKey, PublicKeyError."""
        data = parse_base58(text)
        for kind, (prefix, length) in _CODECS.items():
            if data.startswith(prefix):
                raw = data[len(prefix) :]
                if len(raw) != length:
                    raise PublicKeyError(f"a public key of the kind {kind} has {length} bytes, not {len(raw)}")
                return cls(kind, _from_raw(kind, raw))
        for prefix, name in _OTHER_CODECS.items():
            if data.startswith(prefix):
                raise UnsupportedKey(f"keys of the kind {name} are not used here (Ed25519, P-256 and P-384 are)")
        raise PublicKeyError("not a multikey of the kinds Ed25519, P-256 or P-384")

    @classmethod
    def from_jwk(cls, jwk: object) -> "PublicKey":
        """Reads an RFC 7517 key: OKP Ed25519 (RFC 8037), EC P-256 and P-384, RSA.

        Raises UnsupportedKey, PublicKeyError.
        """
        if not isinstance(jwk, dict):
            raise PublicKeyError("a JWK is an object")
        if "d" in jwk:
            raise PublicKeyError("the JWK carries a private key")
        kind, curve = jwk.get("kty"), jwk.get("crv")
        if not isinstance(kind, str):
            raise PublicKeyError('the JWK has no "kty"')
        if (kind, curve) == ("OKP", "Ed25519"):
            return cls(KeyKind.ED25519, _from_raw(KeyKind.ED25519, _member(jwk, "x", 32)))
        if kind == "EC" and isinstance(curve, str) and curve in (KeyKind.P256, KeyKind.P384):
            name = KeyKind(curve)
            size = _CURVES[name][2]
            return cls(name, _from_raw(name, b"\x04" + _member(jwk, "x", size) + _member(jwk, "y", size)))
        if kind == "RSA":
            return cls(KeyKind.RSA, _rsa(_integer(jwk, "n"), _integer(jwk, "e")))
        other = kind in _OTHER_KEY_TYPES and (kind == "AKP" or isinstance(curve, str))
        message = "the JWK is of a kind that is not used here (Ed25519, P-256, P-384, RSA are)"
        raise UnsupportedKey(message) if other else PublicKeyError(message)

    def jwk(self) -> dict[str, Any]:
        """The public JWK. Raises PublicKeyError for RSA, which is only ever read."""
        if isinstance(self._key, Ed25519PublicKey):
            return {"kty": "OKP", "crv": "Ed25519", "x": base64url_text(self.raw)}
        if isinstance(self._key, ec.EllipticCurvePublicKey):
            point, size = self._key.public_numbers(), _CURVES[self.kind][2]
            x, y = (base64url_text(number.to_bytes(size)) for number in (point.x, point.y))
            return {"kty": "EC", "crv": str(self.kind), "x": x, "y": y}
        raise PublicKeyError("RSA keys are only read")

    def __repr__(self) -> str:
        return f"PublicKey({self.kind})"


def ed25519_key(raw: bytes) -> PublicKey:
    """A public key from its 32 bytes. Raises PublicKeyError."""
    return PublicKey(KeyKind.ED25519, _from_raw(KeyKind.ED25519, raw))


def _from_raw(kind: KeyKind, raw: bytes) -> _Key:
    try:
        if kind is KeyKind.ED25519:
            return Ed25519PublicKey.from_public_bytes(raw)
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[kind][0], raw)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PublicKeyError(f"these bytes are no public key of the kind {kind}") from error


def _rsa(modulus: int, exponent: int) -> rsa.RSAPublicKey:
    if not _MIN_RSA_BITS <= modulus.bit_length() <= _MAX_RSA_BITS:
        raise PublicKeyError(f"an RSA key of {modulus.bit_length()} bits is not accepted ({_MIN_RSA_BITS} or more are)")
    if exponent.bit_length() > 32:
        raise PublicKeyError("the RSA key's public exponent is too large")
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError as error:
        raise PublicKeyError("these numbers are no RSA key") from error


def _member(jwk: dict[str, Any], name: str, length: int) -> bytes:
    text = jwk.get(name)
    if not isinstance(text, str):
        raise PublicKeyError(f'the JWK has no "{name}"')
    try:
        return parse_base64url(text, length)
    except InputError as error:
        raise PublicKeyError(f'the JWK\'s "{name}": {error}') from error


def _integer(jwk: dict[str, Any], name: str) -> int:
    text = jwk.get(name)
    if not isinstance(text, str) or len(text) > _MAX_RSA_BITS // 6 + 2:
        raise PublicKeyError(f'the JWK has no "{name}", or one that is too long')
    return int.from_bytes(_member(jwk, name, len(text) * 3 // 4))
