"""Learners by salted hashes of their identifiers: Open Badges 3.0, classes IdentityObject and IdentityHash.

An IdentityHash is an algorithm, "$" and the hexadecimal digest of identifier followed by salt, both UTF-8. It keeps an
address from being read off a credential, not from being guessed: whoever holds the credential can try addresses.

The specification says nothing on capitals. E-mail addresses are hashed here trimmed and in lower case, because people
do not write their own address one way; others' credentials are tried both so and as written.
"""

import hashlib
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["EMAIL", "hash_identity", "hide_identities", "identity_object", "matches_identity"]

EMAIL = "emailAddress"


def hash_identity(value: str, salt: str = "", identity_type: str = EMAIL) -> str:
    """The IdentityHash of an identifier: "sha256$" and 64 lower-case hexadecimal digits."""
    return f"sha256${_digest('sha256', _usual(value, identity_type), salt)}"


def identity_object(value: str, salt: str, identity_type: str = EMAIL) -> dict[str, Any]:
    """The hashed IdentityObject of an identifier. ``salt`` is 16 random bytes or more as text, new for each learner."""
    return {
        "type": "IdentityObject",
        "hashed": True,
        "identityHash": hash_identity(value, salt, identity_type),
        "identityType": identity_type,
        "salt": salt,
    }


def hide_identities(
    credential: Mapping[str, Any], new_salt: Callable[[], str], identity_types: frozenset[str] = frozenset({EMAIL})
) -> dict[str, Any]:
    """The credential with every identifier of these types, that still stands there in clear, hashed.

    Takes objects as Open Badges has them and leaves everything else as it is, whatever it is.
    """

    def hidden(item: Any) -> Any:
        if not isinstance(item, dict) or item.get("hashed") is not False:
            return item
        value, kind = item.get("identityHash"), item.get("identityType")
        if not isinstance(value, str) or not isinstance(kind, str) or kind not in identity_types:
            return item
        return identity_object(value, new_salt(), kind)

    def of_subject(subject: Any) -> Any:
        identifiers = subject.get("identifier") if isinstance(subject, dict) else None
        if identifiers is None:
            return subject
        several = isinstance(identifiers, list)
        return {**subject, "identifier": [hidden(item) for item in identifiers] if several else hidden(identifiers)}

    subject = credential.get("credentialSubject")
    changed = [of_subject(item) for item in subject] if isinstance(subject, list) else of_subject(subject)
    return {**credential, "credentialSubject": changed} if "credentialSubject" in credential else dict(credential)


def matches_identity(credential: Mapping[str, Any], value: str, identity_type: str = EMAIL) -> bool | None:
    """Whether the credential names this e-mail address (or other identifier) as its learner's.

    None means that it names none of this type, or only with hashes that cannot be read: nothing was learnt. An address
    in a subject's id ("mailto:…") counts. Never raises, whatever the credential holds.
    """
    outcomes = [outcome for outcome in _outcomes(credential, value, identity_type) if outcome is not None]
    return any(outcomes) if outcomes else None


def _outcomes(credential: Mapping[str, Any], value: str, identity_type: str) -> Iterator[bool | None]:
    for subject in _listed(credential.get("credentialSubject")):
        if not isinstance(subject, dict):
            continue
        identifier = subject.get("id")
        if identity_type == EMAIL and isinstance(identifier, str) and identifier.lower().startswith("mailto:"):
            yield _usual(identifier[7:], EMAIL) == _usual(value, EMAIL)
        for item in _listed(subject.get("identifier")):
            if isinstance(item, dict) and item.get("identityType") == identity_type:
                yield _matches(item, value, identity_type)


def _matches(item: Mapping[str, Any], value: str, identity_type: str) -> bool | None:
    stated, salt = item.get("identityHash"), item.get("salt", "")
    if not isinstance(stated, str) or not isinstance(salt, str):
        return None
    if item.get("hashed") is not True:
        return _usual(stated, identity_type) == _usual(value, identity_type)
    algorithm, separator, digest = stated.partition("$")
    if not separator or algorithm not in ("sha256", "md5"):
        return None
    # As we hash, as written, and as written without the white space that copying brings along.
    ways = {_usual(value, identity_type), value, value.strip()}
    return digest.lower() in [_digest(algorithm, way, salt) for way in ways]


def _digest(algorithm: str, value: str, salt: str) -> str:
    # MD5 is one of the two algorithms that the specification knows. It is read, never written. Lone surrogates,
    # which no address has, become "?": a hash of them matches nothing that was meant.
    text = (value + salt).encode("utf-8", "replace")
    return hashlib.new(algorithm, text, usedforsecurity=False).hexdigest()


def _usual(value: str, identity_type: str) -> str:
    """One form for each identifier: NFC, trimmed; e-mail addresses in lower case."""
    text = unicodedata.normalize("NFC", value.strip())
    return text.lower() if identity_type == EMAIL else text


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
