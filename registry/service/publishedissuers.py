"""What is published of issuers: DIDs, DID documents, status lists and templates (docs/spec/published.md).

Read as carefully as batches are: whoever serves it may be the one who is audited.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

from registry.core.canonical import MAX_INTEGER, parse_json
from registry.core.declared import DeclaredDelays
from registry.core.errors import InputError, ShapeError
from registry.core.notation import parse_hex, parse_time
from registry.core.shape import Shape
from registry.standards.proofs.publickey import PublicKey

__all__ = [
    "ISSUERS", "ISSUERS_TYPE", "MAX_DOCUMENT_BYTES", "MAX_ISSUERS_BYTES", "MAX_LIST_BYTES", "MAX_TEMPLATE_BYTES",
    "IssuerMaterial", "ListSigner", "PublishedIssuer", "PublishedIssuers", "PublishedTemplate", "UnsignedLists",
    "document_path", "list_path", "parse_issuers", "parse_issuers_page", "parse_templates_page", "template_path",
]  # fmt: skip

ISSUERS = "issuers.json"
ISSUERS_TYPE = "PublishedIssuers"
MAX_ISSUERS_BYTES = 32 << 20
MAX_DOCUMENT_BYTES = 256 << 10
MAX_LIST_BYTES = 4 << 20
MAX_TEMPLATE_BYTES = 1 << 20
_MAX_ISSUERS = 10_000
_MAX_TEMPLATES = 10_000  # of one issuer
_MAX_PINNED = 1_000
_MAX_OBJECTS = 120_000  # some 300 bytes each
_MAX_DECLARED = 1_000  # of one issuer
_MEMBERS = ("name", "url", "sha256", "firstUsed")
_TEXT = 1_000
_NAME = re.compile(r"[a-z0-9-]{1,63}")

_hash = partial(parse_hex, length=32, prefix="")
_address = partial(parse_hex, length=20)


@dataclass(frozen=True, slots=True)
class PublishedTemplate:
    """One version of a template: its name, its address, the SHA-256 of its RFC 8785 form, and since when (Unix time)
    credentials are made from it; None where that is not said.
    """

    name: str
    url: str
    digest: bytes
    first_used: int | None = None


@dataclass(frozen=True, slots=True)
class PublishedIssuer:
    """``status_base``: below which its status lists are, None where it has none here. ``document``: SHA-256 of its DID
    document, None where none is kept here. ``name``: what a registry's API calls it. ``templates``: None where nothing
    is said of any. ``delays``: within which time after validFrom it declared to anchor.
    """

    address: bytes
    did: str
    status_base: str | None
    document: bytes | None = None
    name: str | None = None
    templates: tuple[PublishedTemplate, ...] | None = None
    delays: DeclaredDelays = ()


@dataclass(frozen=True, slots=True)
class PublishedIssuers:
    """``contexts``: SHA-256 of the RFC 8785 form of each JSON-LD context that credentials are read with, by URL;
    ``schemas`` the same of each JSON Schema that they are checked with.
    """

    issuers: tuple[PublishedIssuer, ...]
    contexts: Mapping[str, bytes]
    schemas: Mapping[str, bytes]


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

    def templates(self, issuer: PublishedIssuer) -> tuple[PublishedTemplate, ...] | None:
        """Its templates, None if nothing is said of any. Raises as ``issuers``."""
        ...

    def template(self, issuer: PublishedIssuer, template: PublishedTemplate) -> bytes | None:
        """The content of one, None if there is none. Raises as ``issuers``."""
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


def template_path(issuer: bytes, digest: bytes) -> str:
    """Where a template is, relative to the listing."""
    return f"templates/{issuer.hex()}/{digest.hex()}.json"


def parse_issuers(data: bytes) -> PublishedIssuers:
    """The issuers of issuers.json. Raises InputError."""
    if data.count(b"{") > _MAX_OBJECTS or data.count(b"[") > _MAX_OBJECTS:
        # Counted before it is parsed: what is small as text can be large as objects.
        raise InputError(f"it lists more than {_MAX_OBJECTS} issuers, templates, contexts and schemas")
    shape = Shape(parse_json(data, MAX_ISSUERS_BYTES), ShapeError)
    shape.constant("type", ISSUERS_TYPE)
    shape.constant("version", 1)
    issuers: dict[bytes, PublishedIssuer] = {}
    for item in shape.inners("issuers", 0, _MAX_ISSUERS):
        issuer = _issuer(item)
        if issuer.address in issuers:
            raise item.fail("this address is listed before already", "issuer")
        issuers[issuer.address] = issuer
    contexts, schemas = (_pinned(shape, name) if name in shape else {} for name in ("contexts", "schemas"))
    shape.finish()
    return PublishedIssuers(tuple(issuers.values()), contexts, schemas)


def _pinned(shape: Shape, name: str) -> Mapping[str, bytes]:
    """Each address once: whoever lists two digests for it means one of them to be overlooked."""
    found: dict[str, bytes] = {}
    for item in shape.inners(name, 0, _MAX_PINNED):
        url = item.text("url", _short)
        if url in found:
            raise item.fail("this address is listed before already", "url")
        found[url] = item.text("sha256", _hash)
        item.finish()
    return found


def _issuer(shape: Shape) -> PublishedIssuer:
    issuer = PublishedIssuer(
        shape.text("issuer", _address),
        shape.text("did", _short),
        shape.text("statusBase", _short) if "statusBase" in shape else None,
        shape.text("document", _hash) if "document" in shape else None,
        templates=_templates(shape) if "templates" in shape else None,
        delays=_delays(shape),
    )
    shape.finish()
    return issuer


def _delays(shape: Shape) -> DeclaredDelays:
    found: list[tuple[int, int | None]] = []
    for item in shape.inners("declaredDelays", 0, _MAX_DECLARED) if "declaredDelays" in shape else ():
        since = item.text("since", parse_time)
        if found and since <= found[-1][0]:
            raise item.fail("this is not later than the one before", "since")
        found.append((since, item.integer("seconds", 0, MAX_INTEGER) if "seconds" in item else None))
        item.finish()
    return tuple(found)


def _templates(shape: Shape) -> tuple[PublishedTemplate, ...]:
    found: dict[str, PublishedTemplate] = {}
    for item in shape.inners("templates", 0, _MAX_TEMPLATES):
        template = PublishedTemplate(
            item.text("name", _name),
            item.text("url", _short),
            item.text("sha256", _hash),
            item.text("firstUsed", parse_time) if "firstUsed" in item else None,
        )
        item.finish()
        if template.url in found:
            raise item.fail("this address is listed before already", "url")
        found[template.url] = template
    return tuple(found.values())


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise InputError("a name has 1 to 63 lower-case letters, digits and hyphens")
    return text


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
    kept = Shape({name: _known(page[name]) for name in ("contexts", "schemas") if name in page}, ShapeError)
    contexts, schemas = (_pinned(kept, name) if name in kept else {} for name in ("contexts", "schemas"))
    return PublishedIssuers(tuple(_from_api(item) for item in found), contexts, schemas)


def parse_templates_page(data: bytes) -> tuple[PublishedTemplate, ...]:
    """What GET /v1/issuers/{name}/templates answers, as ``parse_issuers_page``. Raises InputError."""
    page = parse_json(data, MAX_ISSUERS_BYTES)
    if not isinstance(page, Mapping) or "templates" not in page:
        raise InputError("a list of templates is expected")
    return _templates(Shape({"templates": _known(page["templates"])}, ShapeError))


def _known(items: object) -> object:
    """Without the members of an API's entries that mean nothing here."""
    if not isinstance(items, list):
        return items
    return [
        {name: item[name] for name in _MEMBERS if name in item} if isinstance(item, Mapping) else item for item in items
    ]


def _from_api(item: Any) -> PublishedIssuer:
    pin = item.get("policyPin") if isinstance(item, Mapping) else None
    if not isinstance(pin, Mapping):
        raise InputError("an issuer without policyPin")
    found = [item.get("name"), item.get("did"), item.get("address"), pin.get("statusBase")]
    name, did, address, base = (text if isinstance(text, str) else "" for text in found)
    if not _NAME.fullmatch(name):
        raise InputError("an issuer without a name")
    signed_here = item.get("signs") == "hosted"
    own_base = _short(base) if signed_here else None
    delays = _delays(Shape({"declaredDelays": _without_null(item.get("declaredDelays", []))}, ShapeError))
    return PublishedIssuer(_address(address), _short(did), own_base, None, name, delays=delays)


def _without_null(items: object) -> object:
    """An API says "nothing" in words; other members of its entries may come and go."""
    if not isinstance(items, list):
        return items
    return [
        {name: item[name] for name in ("since", "seconds") if item.get(name) is not None}
        if isinstance(item, Mapping)
        else item
        for item in items
    ]
