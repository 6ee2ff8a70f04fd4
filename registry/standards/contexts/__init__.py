"""JSON-LD contexts: local, pinned by digest, never fetched.

What a context says decides what an RDF signature covers, so each is known by its content. A URL that is not known is
an ``UnknownContext``, and a file that is not what was pinned is never used.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from registry.core.canonical import canonicalize, parse_json
from registry.core.errors import InputError, JsonError
from registry.core.notation import short
from registry.standards.contexts.pins import (
    ADDED_LATER,
    FIRST_DIGEST,
    OPEN_BADGES_3_0_3,
    PINS,
    OpenBadges303,
    Pin,
    Source,
)

__all__ = ["ContextError", "Contexts", "OpenBadges303", "UnknownContext", "pinned_contexts"]

_DATA = Path(__file__).parent / "data"


class ContextError(InputError):
    """A JSON-LD context cannot be used."""


class UnknownContext(ContextError):
    """A document names a context that is not known here. Contexts are never fetched."""

    def __init__(self, url: str, reason: str = "it is not among the pinned ones") -> None:
        super().__init__(f"the JSON-LD context {short(url, 200)} is not known: {reason}")
        self.url = url


class Contexts:
    """A fixed set of contexts, by URL. URLs are compared as they are written."""

    def __init__(self, pins: Mapping[str, Pin], *, open_badges: OpenBadges303 = OpenBadges303.LATER) -> None:
        self._pins = dict(pins)
        self._open_badges = open_badges
        self._loaded: dict[str, dict[str, Any]] = {}

    def __contains__(self, url: object) -> bool:
        return url in self._pins or url in self._loaded

    def load(self, url: str) -> dict[str, Any]:
        """The document behind a URL; not to be changed. Raises UnknownContext, also where its file differs."""
        found = self._loaded.get(url)
        if found is not None:
            return found
        pin = self._pins.get(url)
        if pin is None:
            raise UnknownContext(url)
        document = _read(pin)
        if url == OPEN_BADGES_3_0_3 and self._open_badges is OpenBadges303.FIRST:
            terms = document["@context"]
            document = {**document, "@context": {key: terms[key] for key in terms if key not in ADDED_LATER}}
            _compare(url, document, FIRST_DIGEST)
        self._loaded[url] = document
        return document

    def extended(self, documents: Mapping[str, bytes], digests: Mapping[str, str]) -> "Contexts":
        """These and more, each with its digest (SHA-256 of the RFC 8785 form, hex). Raises ContextError."""
        more = Contexts(self._pins, open_badges=self._open_badges)
        for url, data in documents.items():
            if url in self:
                raise ContextError(f"the context {short(url, 200)} is pinned already and cannot be replaced")
            more._loaded[url] = _parse(url, data, digests.get(url, ""))
        return more


@cache
def pinned_contexts(open_badges: OpenBadges303 = OpenBadges303.LATER) -> Contexts:
    """The contexts of ``pins``, with one of the two documents that are published as Open Badges 3.0.3."""
    return Contexts(PINS, open_badges=open_badges)


def _read(pin: Pin) -> dict[str, Any]:
    if pin.source is Source.OWN:
        folder = _DATA
    else:
        # find_spec of a top-level package runs none of its code.
        spec = find_spec("openbadgeslib")
        if spec is None or not spec.submodule_search_locations:
            raise UnknownContext(pin.url, "install openbadgeslib, which carries it")
        folder = Path(spec.submodule_search_locations[0]) / "ob3" / "contexts"
    try:
        data = (folder / pin.file).read_bytes()
    except OSError as error:
        raise UnknownContext(pin.url, f"the file {pin.file} is missing from {pin.source}") from error
    return _parse(pin.url, data, pin.digest)


def _parse(url: str, data: bytes, digest: str) -> dict[str, Any]:
    try:
        document = parse_json(data)
    except JsonError as error:
        raise ContextError(f"the context {short(url, 200)} cannot be read: {error}") from error
    if not isinstance(document, dict) or "@context" not in document:
        raise ContextError(f"what is known as {short(url, 200)} is no JSON-LD context")
    _compare(url, document, digest)
    return document


def _compare(url: str, document: Mapping[str, Any], digest: str) -> None:
    found = hashlib.sha256(canonicalize(document)).hexdigest()
    if found != digest:
        raise UnknownContext(url, f"its file has the digest {found}, pinned is {digest or 'none'}")
