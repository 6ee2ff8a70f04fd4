"""What is published of issuers: their DIDs, DID documents and status lists (docs/spec/published.md).

Read as carefully as batches are: whoever serves it may be the one who is audited.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

from registry.core.canonical import parse_json
from registry.core.errors import InputError, ShapeError
from registry.core.notation import parse_hex
from registry.core.shape import Shape
from registry.standards.proofs.publickey import PublicKey

__all__ = [
    "ISSUERS", "ISSUERS_TYPE", "MAX_DOCUMENT_BYTES", "MAX_ISSUERS_BYTES", "MAX_LIST_BYTES", "IssuerMaterial",
    "ListSigner", "PublishedIssuer", "PublishedIssuers", "UnsignedLists", "document_path", "list_path", "parse_issuers",
    "parse_issuers_page",
]  # fmt: skip

ISSUERS = "issuers.json"
ISSUERS_TYPE = "PublishedIssuers"
MAX_ISSUERS_BYTES = 8 << 20
MAX_DOCUMENT_BYTES = 256 << 10
MAX_LIST_BYTES = 4 << 20
_MAX_ISSUERS = 10_000
_MAX_CONTEXTS = 1_000
_TEXT = 1_000
_NAME = re.compile(r"[a-z0-9-]{1,63}")

_hash = partial(parse_hex, length=32, prefix="")
_address = partial(parse_hex, length=20)


@dataclass(frozen=True, slots=True)
class PublishedIssuer:
    """``status_base``: below which its status lists are, None where it has none here. ``document``: SHA-256 of its DID
    document, None where none is kept here. ``name``: what a registry's API calls it.
    """

    address: bytes
    did: str
    status_base: str | None
    document: bytes | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class PublishedIssuers:
    """``contexts``: SHA-256 of the RFC 8785 form of each JSON-LD context that credentials are read with, by URL."""

    issuers: tuple[PublishedIssuer, ...]
    contexts: Mapping[str, bytes]


@runtime_checkable
class IssuerMaterial(Protocol):
    """A publication that tells of issuers, too. ``live``: it is made when it is asked for, and no copy."""

    @property
    def name(self) -> str: ...
    @property
    def live(self) -> bool: ...

    def issuers(self) -> PublishedIssuers | None:
        """None if nothing is said of any. Raises MaterialMalformed, MaterialUnavailable."""
        ...

    def document(self, issuer: PublishedIssuer) -> bytes | None:
        """The DID document, None if there is none. Raises as ``issuers``."""
        ...

    def status_list(self, issuer: PublishedIssuer, purpose: str, number: int) -> bytes | None:
        """The signed list, None if there is none. Raises as ``issuers``."""
        ...


@dataclass(frozen=True, slots=True)
class ListSigner:
    """The key that signs an issuer's lists: its DID URL and public half, and since when it does (Unix seconds)."""

    method: str
    public_key: PublicKey
    since: int


@runtime_checkable
class UnsignedLists(Protocol):
    """Material whose lists get their proofs only when they are served."""

    def list_signer(self, issuer: PublishedIssuer) -> ListSigner:
        """Raises MaterialUnavailable."""
        ...


def document_path(issuer: bytes, document: bytes) -> str:
    """Where a DID document is, relative to the listing."""
    return f"documents/{issuer.hex()}/{document.hex()}.json"


def list_path(issuer: bytes, purpose: str, number: int) -> str:
    """Where a status list is, relative to the listing."""
    return f"status/{issuer.hex()}/{purpose}/{number}.json"


def parse_issuers(data: bytes) -> PublishedIssuers:
    """The issuers of issuers.json. Raises InputError."""
    shape = Shape(parse_json(data, MAX_ISSUERS_BYTES), ShapeError)
    shape.constant("type", ISSUERS_TYPE)
    shape.constant("version", 1)
    issuers = tuple(_issuer(item) for item in shape.inners("issuers", 0, _MAX_ISSUERS))
    contexts = (
        dict(_context(item) for item in shape.inners("contexts", 0, _MAX_CONTEXTS)) if "contexts" in shape else {}
    )
    shape.finish()
    return PublishedIssuers(issuers, contexts)


def _context(shape: Shape) -> tuple[str, bytes]:
    found = shape.text("url", _short), shape.text("sha256", _hash)
    shape.finish()
    return found


def _issuer(shape: Shape) -> PublishedIssuer:
    issuer = PublishedIssuer(
        shape.text("issuer", _address),
        shape.text("did", _short),
        shape.text("statusBase", _short) if "statusBase" in shape else None,
        shape.text("document", _hash) if "document" in shape else None,
    )
    shape.finish()
    return issuer


def _short(text: str) -> str:
    if not 0 < len(text) <= _TEXT or not text.isprintable():
        raise InputError(f"it has 1 to {_TEXT} printable characters")
    return text


def parse_issuers_page(data: bytes) -> PublishedIssuers:
    """What GET /v1/issuers answers; members that mean nothing to an auditor may come and go. Raises InputError."""
    page = parse_json(data, MAX_ISSUERS_BYTES)
    found = page.get("issuers") if isinstance(page, Mapping) else None
    if not isinstance(found, list) or len(found) > _MAX_ISSUERS:
        raise InputError("a list of issuers is expected")
    return PublishedIssuers(tuple(_from_api(item) for item in found), {})


def _from_api(item: Any) -> PublishedIssuer:
    pin = item.get("policyPin") if isinstance(item, Mapping) else None
    if not isinstance(pin, Mapping):
        raise InputError("an issuer without policyPin")
    found = [item.get("name"), item.get("did"), item.get("address"), pin.get("statusBase")]
    name, did, address, base = (text if isinstance(text, str) else "" for text in found)
    if not _NAME.fullmatch(name):
        raise InputError("an issuer without a name")
    signed_here = item.get("signs") == "hosted"
    return PublishedIssuer(_address(address), _short(did), _short(base) if signed_here else None, None, name)
