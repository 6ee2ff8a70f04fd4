"""DID documents: read strictly, hashed, and what their verification methods are good for.

DID Core 1.0 sections 4 and 5; Controlled Identifiers 1.0 section 2.2 (Multikey, ``expires``, ``revoked``).
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from registry.core.canonical import canonicalize
from registry.core.credential import unix_time
from registry.core.errors import InputError
from registry.core.notation import short
from registry.standards.did.errors import DidDocumentError
from registry.standards.proofs.multibase import parse_base58
from registry.standards.proofs.publickey import PublicKey, PublicKeyError, UnsupportedKey, ed25519_key
from registry.standards.proofs.report import KeyProblem, ProofCode, VerificationKey

__all__ = ["RELATIONSHIPS", "Account", "DidDocument", "document_hash", "parse_did_document"]

RELATIONSHIPS = (
    "assertionMethod", "authentication", "capabilityDelegation", "capabilityInvocation", "keyAgreement",
)  # fmt: skip
_MAX_METHODS = 200
_ACCOUNT = re.compile(r"eip155:([1-9][0-9]{0,15}):0x([0-9a-fA-F]{40})")
_URL = re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._:%-]+#[A-Za-z0-9._~!$&'()*+,;=:@/?%-]+")


@dataclass(frozen=True, slots=True)
class Account:
    """An address on an EVM chain, as CAIP-10 names it."""

    chain_id: int
    address: bytes


@dataclass(frozen=True, slots=True)
class DidDocument:
    """A DID document that was read. ``hash`` is SHA-256 of its RFC 8785 form, as a ``setDid`` claim has it.

    ``accounts`` are the accounts of verification methods under ``assertionMethod``; ``also_known_as`` proves nothing.
    """

    did: str
    hash: bytes
    also_known_as: tuple[str, ...]
    accounts: frozenset[Account]
    content: Mapping[str, Any]
    _keys: Mapping[str, VerificationKey | KeyProblem]

    def key(self, url: str) -> VerificationKey | KeyProblem:
        """The verification method with this id; KEY_UNKNOWN, KEY_MALFORMED, WRONG_CONTROLLER if it cannot be used."""
        found = self._keys.get(url)
        if found is None:
            return KeyProblem(ProofCode.KEY_UNKNOWN, f"{self.did} has no verification method {short(url, 200)}.")
        if isinstance(found, VerificationKey) and found.controller != self.did:
            # Anybody may write that: only the controller's own document could confirm it.
            detail = f"{self.did} says that {short(found.controller, 200)} controls the key; it speaks for itself only."
            return KeyProblem(ProofCode.WRONG_CONTROLLER, detail)
        return found

    def names(self, account: Account) -> bool:
        """Whether the document says that this account speaks for the DID."""
        return account in self.accounts


def document_hash(document: Mapping[str, Any]) -> bytes:
    """SHA-256 over the RFC 8785 form. Raises JsonError."""
    return hashlib.sha256(canonicalize(document)).digest()


def parse_did_document(document: object, did: str) -> DidDocument:
    """Reads the document of ``did``. Raises DidDocumentError, JsonError.

    A method whose key cannot be read is kept as such: it spoils itself and not the others.
    """
    if not isinstance(document, dict):
        raise DidDocumentError("a DID document is a JSON object")
    if document.get("id") != did:
        raise DidDocumentError(f"the document is for {short(str(document.get('id')), 200)}, not for {did}")
    methods: dict[str, dict[str, Any]] = {}
    for method in _list(document, "verificationMethod"):
        _add(methods, method, did)
    purposes: dict[str, set[str]] = {}
    for relationship in RELATIONSHIPS:
        for entry in _list(document, relationship):
            url = _absolute(entry, did) if isinstance(entry, str) else _add(methods, entry, did)
            purposes.setdefault(url, set()).add(relationship)
    keys = {url: _key(method, frozenset(purposes.get(url, ()))) for url, method in methods.items()}
    accounts = {
        _account(methods[url]) for url, names in purposes.items() if url in methods and "assertionMethod" in names
    }
    names = [name for name in _list(document, "alsoKnownAs") if isinstance(name, str)]
    return DidDocument(
        did, document_hash(document), tuple(names), frozenset(filter(None, accounts)), MappingProxyType(document),
        MappingProxyType(keys),
    )  # fmt: skip


def _list(document: Mapping[str, Any], name: str) -> list[Any]:
    value = document.get(name, [])
    if not isinstance(value, list) or len(value) > _MAX_METHODS:
        raise DidDocumentError(f"{name} of a DID document is an array of at most {_MAX_METHODS} entries")
    return value


def _add(methods: dict[str, dict[str, Any]], method: object, did: str) -> str:
    if not isinstance(method, dict):
        raise DidDocumentError("a verification method is an object")
    if not all(isinstance(method.get(name), str) for name in ("id", "type", "controller")):
        raise DidDocumentError("a verification method has id, type and controller, all of them strings")
    url = _absolute(method["id"], did)
    if url in methods:
        raise DidDocumentError(f"two verification methods have the id {short(url, 200)}")
    methods[url] = method
    return url


def _absolute(url: str, did: str) -> str:
    """DID Core section 3.2.2: a URL that starts with "#" is relative to the document's DID."""
    absolute = f"{did}{url}" if url.startswith("#") else url
    if not _URL.fullmatch(absolute):
        raise DidDocumentError(f"{short(url, 200)!r} is no DID URL with a fragment")
    return absolute


def _key(method: Mapping[str, Any], purposes: frozenset[str]) -> VerificationKey | KeyProblem:
    moments: dict[str, int] = {}
    for name in ("created", "expires", "revoked"):
        if name in method:
            moment = unix_time(method[name])
            if moment is None:
                return KeyProblem(ProofCode.KEY_MALFORMED, f"{name} of the verification method is no date and time.")
            moments[name] = moment
    forms = {name: method[name] for name in _FORMS if method.get(name) is not None}
    if not forms or (_BASE58 in forms and method["type"] != "Ed25519VerificationKey2018"):
        return KeyProblem(ProofCode.KEY_UNSUPPORTED, "The verification method has no key of a form that is used here.")
    if len(forms) != 1:
        return KeyProblem(ProofCode.KEY_MALFORMED, "The verification method has its key in two forms.")
    ((form, value),) = forms.items()
    try:
        public_key = _FORMS[form](value)
    except UnsupportedKey as error:
        return KeyProblem(ProofCode.KEY_UNSUPPORTED, f"The verification method's key is not used here: {error}.")
    except InputError as error:
        return KeyProblem(ProofCode.KEY_MALFORMED, f"The verification method's key cannot be read: {error}.")
    ends = [moments[name] for name in ("expires", "revoked") if name in moments]
    return VerificationKey(public_key, method["controller"], purposes, moments.get("created"), min(ends, default=None))


def _from_text(read: Callable[[str], PublicKey]) -> Callable[[object], PublicKey]:
    def checked(value: object) -> PublicKey:
        if not isinstance(value, str):
            raise PublicKeyError("the key is no string")
        return read(value)

    return checked


def _from_base58(text: str) -> PublicKey:
    """Ed25519VerificationKey2018: the 32 bytes, without the prefixes of multibase and multicodec."""
    return ed25519_key(parse_base58(f"z{text}"))


_BASE58 = "publicKeyBase58"
_FORMS: Mapping[str, Callable[[object], PublicKey]] = {
    "publicKeyMultibase": _from_text(PublicKey.from_multikey),
    "publicKeyJwk": PublicKey.from_jwk,
    _BASE58: _from_text(_from_base58),
}


def _account(method: Mapping[str, Any]) -> Account | None:
    value = method.get("blockchainAccountId")
    match = _ACCOUNT.fullmatch(value) if isinstance(value, str) else None
    return Account(int(match[1]), bytes.fromhex(match[2])) if match else None
