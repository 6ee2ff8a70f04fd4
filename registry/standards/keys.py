"""Signing keys of an issuer: Ed25519, encrypted at rest, rotated, with the times between which each is valid.

One file for each issuer (docs/spec/signatures.md). Public halves and intervals stay for ever, since old credentials are
checked against them; the private half of a key that was replaced is gone with the rotation.
"""

import os
import re
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from registry.core.canonical import canonicalize, parse_json
from registry.core.errors import InputError, JsonError, ShapeError
from registry.core.notation import base64url_text, parse_base64url, parse_time, time_text
from registry.core.shape import Shape
from registry.standards.did.key import did_key
from registry.standards.proofs.publickey import KeyKind, PublicKey, PublicKeyError, ed25519_key

__all__ = [
    "DID_KEY",
    "SCRYPT_N",
    "KeyRing",
    "KeyRingError",
    "LocalSigner",
    "Signer",
    "SigningKey",
    "create_key_ring",
    "load_key_ring",
    "method_of",
]

# In place of a DID: the did:key of the key that is made for it.
DID_KEY = "did:key"

# RFC 7914 with r = 8, p = 1: 128 MiB and about a third of a second.
SCRYPT_N = 1 << 17
_SCRYPT_R, _SCRYPT_P = 8, 1
_MAX_SCRYPT_N = 1 << 20
_MAX_KEYS = 1_000
_NAME = re.compile(r"key-[1-9][0-9]{0,3}")
_DID = re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._:%-]{1,1000}")


class KeyRingError(ShapeError):
    """The file of signing keys is missing, not readable, not one, or does not open with this password."""


class Signer(Protocol):
    """Signs in an issuer's name with one Ed25519 key. Several threads may use one; its repr tells no secret."""

    @property
    def verification_method(self) -> str:
        """The DID URL under which the issuer's DID document has the key."""

    @property
    def public_key(self) -> PublicKey: ...

    def sign(self, data: bytes) -> bytes:
        """64 bytes, RFC 8032."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The public half of a key: its fragment in the DID document, and the Unix seconds between which it is valid.

    It counts from ``valid_from`` up to, and not at, ``valid_until`` (None: no end is set).
    """

    name: str
    public_key: PublicKey
    valid_from: int
    valid_until: int | None = None
    compromised: bool = False


class LocalSigner:
    """A ``Signer`` whose private key is in this process."""

    __slots__ = ("_key", "_method", "_public")

    def __init__(self, verification_method: str, private_key: Ed25519PrivateKey) -> None:
        self._method = verification_method
        self._key = private_key
        self._public = ed25519_key(private_key.public_key().public_bytes_raw())

    @property
    def verification_method(self) -> str:
        return self._method

    @property
    def public_key(self) -> PublicKey:
        return self._public

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)

    def __repr__(self) -> str:
        return f"LocalSigner({self._method})"

    def __reduce__(self) -> str:
        raise TypeError("a private key does not leave its process")


@dataclass(frozen=True, slots=True)
class _Locked:
    """The current private key, as the file has it."""

    scrypt_n: int
    salt: bytes
    nonce: bytes
    ciphertext: bytes


class KeyRing:
    """An issuer's keys: the public ones, oldest first, and the last one's private half, which opens with a password.

    A value: rotating gives another one. ``save`` writes it.
    """

    def __init__(self, did: str, keys: tuple[SigningKey, ...], locked: _Locked) -> None:
        self.did = did
        self.keys = keys
        self._locked = locked

    @property
    def current(self) -> SigningKey:
        """The key that signs now."""
        return self.keys[-1]

    @property
    def verification_method(self) -> str:
        """The DID URL of the key that signs now."""
        return method_of(self.did, self.current)

    def unlock(self, password: Callable[[], str]) -> LocalSigner:
        """Opens the current key. Raises KeyRingError for a wrong password or a changed file; takes scrypt's time."""
        secret = _derive(password(), self._locked.salt, self._locked.scrypt_n)
        try:
            raw = AESGCM(secret).decrypt(self._locked.nonce, self._locked.ciphertext, _bound(self.did, self.current))
        except InvalidTag:
            raise KeyRingError("The signing key does not open: a wrong password, or the file was changed.") from None
        signer = LocalSigner(self.verification_method, Ed25519PrivateKey.from_private_bytes(raw))
        if signer.public_key.raw != self.current.public_key.raw:
            raise KeyRingError("The signing key is not the one that the file names.")
        return signer

    def rotated(
        self, password: Callable[[], str], now: int, *, overlap_seconds: int, compromised: bool = False
    ) -> "KeyRing":
        """A ring with a new current key from ``now`` on; the former one ends after ``overlap_seconds``.

        The overlap is for credentials that are signed and not anchored yet: their key is judged at the anchor's time.
        For a compromised key it is 0: whatever it signed and is not anchored by now has to be signed again.
        """
        if self.did.startswith(f"{DID_KEY}:"):
            raise KeyRingError("A did:key is its key: it has no other one. Make a new issuer.")
        if overlap_seconds < 0 or (compromised and overlap_seconds):
            raise KeyRingError("The overlap is not negative, and none where the former key is compromised.")
        if now <= self.current.valid_from:
            raise KeyRingError("The current key became valid only now; a new one has to start later.")
        if len(self.keys) >= _MAX_KEYS:
            raise KeyRingError(f"A ring holds {_MAX_KEYS} keys at most.")
        former = replace(self.current, valid_until=now + overlap_seconds, compromised=compromised)
        name = f"key-{int(self.current.name.removeprefix('key-')) + 1}"
        _, key, locked = _make(self.did, name, now, password(), self._locked.scrypt_n)
        return KeyRing(self.did, (*self.keys[:-1], former, key), locked)

    def save(self, path: Path) -> None:
        """Writes the file, readable by its owner only. A crash leaves the old file or the new one."""
        content = canonicalize(self._content()) + b"\n"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        # Without this the rename itself may be lost with the power, and with it the only copy of a new key.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _content(self) -> dict[str, Any]:
        keys = []
        for key in self.keys:
            entry: dict[str, Any] = {
                "name": key.name,
                "publicKeyMultibase": key.public_key.multikey,
                "validFrom": time_text(key.valid_from),
            }
            if key.valid_until is not None:
                entry |= {"validUntil": time_text(key.valid_until), "compromised": int(key.compromised)}
            keys.append(entry)
        locked = self._locked
        return {
            "type": "SigningKeyRing",
            "version": 1,
            "did": self.did,
            "keys": keys,
            "current": {
                "kdf": "scrypt",
                "n": locked.scrypt_n,
                "r": _SCRYPT_R,
                "p": _SCRYPT_P,
                "salt": base64url_text(locked.salt),
                "cipher": "AES-256-GCM",
                "nonce": base64url_text(locked.nonce),
                "ciphertext": base64url_text(locked.ciphertext),
            },
        }

    def __repr__(self) -> str:
        return f"KeyRing({self.did}, {len(self.keys)} keys)"


def create_key_ring(did: str, password: Callable[[], str], now: int, *, scrypt_n: int = SCRYPT_N) -> KeyRing:
    """A ring with one new key, valid from ``now`` (Unix seconds). Not written yet. Raises KeyRingError.

    ``did`` may be ``DID_KEY``: then the DID follows from the key.
    """
    if did != DID_KEY and not _DID.fullmatch(did):
        raise KeyRingError("Signing keys belong to a DID.")
    if scrypt_n < 2 or scrypt_n > _MAX_SCRYPT_N or scrypt_n & (scrypt_n - 1):
        raise KeyRingError("scrypt's cost is a power of two, 2^20 at most.")
    named, key, locked = _make(did, "key-1", now, password(), scrypt_n)
    return KeyRing(named, (key,), locked)


def load_key_ring(path: Path) -> KeyRing:
    """Reads a ring without opening it. Raises KeyRingError."""
    try:
        content = parse_json(path.read_bytes())
    except FileNotFoundError as error:
        raise KeyRingError(f"There is no file of signing keys {path}.") from error
    except (OSError, JsonError) as error:
        raise KeyRingError(f"The file of signing keys {path} cannot be read.") from error
    return _from_json(content)


def method_of(did: str, key: SigningKey) -> str:
    """The DID URL of a key: a did:key names its only one by the key, all others by its name in the ring."""
    return f"{did}#{key.public_key.multikey if did.startswith(f'{DID_KEY}:') else key.name}"


def _make(did: str, name: str, now: int, password: str, scrypt_n: int) -> tuple[str, SigningKey, _Locked]:
    """A new key, locked, and the DID that it is for."""
    private = Ed25519PrivateKey.generate()
    key = SigningKey(name, ed25519_key(private.public_key().public_bytes_raw()), now)
    did = did_key(key.public_key) if did == DID_KEY else did
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    ciphertext = AESGCM(_derive(password, salt, scrypt_n)).encrypt(nonce, private.private_bytes_raw(), _bound(did, key))
    return did, key, _Locked(scrypt_n, salt, nonce, ciphertext)


def _derive(password: str, salt: bytes, scrypt_n: int) -> bytes:
    if not password:
        raise KeyRingError("An empty password protects nothing.")
    return Scrypt(salt, 32, scrypt_n, _SCRYPT_R, _SCRYPT_P).derive(password.encode())


def _bound(did: str, key: SigningKey) -> bytes:
    """What the encryption is bound to, so that a ciphertext cannot be put under another name."""
    return canonicalize({"did": did, "name": key.name, "publicKeyMultibase": key.public_key.multikey})


def _from_json(content: object) -> KeyRing:
    shape = Shape(content, KeyRingError)
    shape.constant("type", "SigningKeyRing")
    shape.constant("version", 1)
    did = shape.text("did", _did)
    keys = tuple(_key(entry) for entry in shape.inners("keys", 1, _MAX_KEYS))
    current = shape.inner("current")
    current.constant("kdf", "scrypt")
    n = current.integer("n", 2, _MAX_SCRYPT_N)
    current.constant("r", _SCRYPT_R)
    current.constant("p", _SCRYPT_P)
    current.constant("cipher", "AES-256-GCM")
    if n & (n - 1):
        raise current.fail("scrypt's cost is a power of two", "n")
    locked = _Locked(
        n, current.text("salt", _bytes(16)), current.text("nonce", _bytes(12)), current.text("ciphertext", _bytes(48))
    )
    current.finish()
    shape.finish()
    if [key.name for key in keys] != [f"key-{number}" for number in range(1, len(keys) + 1)]:
        raise KeyRingError("keys are numbered from key-1 on", "/keys")
    if keys[-1].valid_until is not None or any(key.valid_until is None for key in keys[:-1]):
        raise KeyRingError("every key but the last one has an end", "/keys")
    return KeyRing(did, keys, locked)


def _key(entry: Shape) -> SigningKey:
    ends = "validUntil" in entry
    key = SigningKey(
        entry.text("name", _name),
        entry.text("publicKeyMultibase", _public),
        entry.text("validFrom", parse_time),
        entry.text("validUntil", parse_time) if ends else None,
        bool(entry.integer("compromised", 0, 1)) if ends else False,
    )
    entry.finish()
    return key


def _public(text: str) -> PublicKey:
    key = PublicKey.from_multikey(text)
    if key.kind is not KeyKind.ED25519:
        raise PublicKeyError("signing keys are Ed25519")
    return key


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise InputError("a key is named key- and a number")
    return text


def _did(text: str) -> str:
    if not _DID.fullmatch(text):
        raise InputError("a DID belongs here")
    return text


def _bytes(length: int) -> Callable[[str], bytes]:
    return lambda text: parse_base64url(text, length)
