"""Reading published batches: from a folder, from any web server, or from a registry's API (docs/spec/published.md).

Whoever serves them may be the one who is audited. So sizes are bounded, no redirect and no symbolic link is followed,
and nothing is believed: what cannot be read is MaterialMalformed, what does not answer MaterialUnavailable, and neither
is ever taken for "nothing there".
"""

import os
import stat
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable
from urllib.parse import quote, urlsplit

import requests
import urllib3

from registry.core.audit import BatchKey
from registry.core.errors import InputError
from registry.core.merkle import HASH_BYTES
from registry.core.notation import short
from registry.service.deadlines import Deadline
from registry.service.publishedissuers import (
    ISSUERS,
    MAX_DOCUMENT_BYTES,
    MAX_ISSUERS_BYTES,
    MAX_LIST_BYTES,
    MAX_TEMPLATE_BYTES,
    PublishedIssuer,
    PublishedIssuers,
    PublishedTemplate,
    document_path,
    list_path,
    parse_issuers,
    parse_issuers_page,
    parse_templates_page,
    template_path,
)
from registry.service.publishedlisting import (
    LISTING,
    MAX_LISTING_BYTES,
    MAX_PAGE_BYTES,
    STATES,
    TYPE,
    Listing,
    MaterialMalformed,
    MaterialUnavailable,
    Unplaced,
    listing_of_pages,
    parse_listing,
)
from registry.service.stamps import stamp_of

__all__ = [
    "DOCUMENT", "LISTING", "MAX_DOCUMENT_BYTES", "MAX_LISTING_BYTES", "STATES", "TYPE", "FolderMaterial", "Listing",
    "LocalMaterial", "Material", "MaterialMalformed", "MaterialUnavailable", "Unplaced", "WebMaterial", "leaves_path",
    "open_material",
]  # fmt: skip

T = TypeVar("T")

DOCUMENT = "did.json"
_CHUNK = 1 << 16
_TIMEOUT_SECONDS = 30.0  # without a byte
_PATIENCE = 3  # requests in a row that a server may leave unanswered
_BYTES_PER_SECOND = 20_000  # slower than that is a refusal
_OWN_MACHINE = ("localhost", "127.0.0.1", "::1")


class Material(Protocol):
    """One publication. ``name`` is what a report calls it."""

    @property
    def name(self) -> str: ...

    def listing(self) -> Listing:
        """Raises MaterialMalformed, MaterialUnavailable."""
        ...

    def leaves(self, key: BatchKey, size: int) -> bytes | None:
        """The packed leaves, as they are served, of a batch of ``size``; None if there are none. At most a byte more
        than they should have is read. Raises MaterialMalformed, MaterialUnavailable.
        """
        ...

    def own_document(self) -> bytes | None:
        """The registry's own DID document; None if there is none. Raises MaterialMalformed, MaterialUnavailable."""
        ...


@runtime_checkable
class LocalMaterial(Protocol):
    """A publication in files of this machine."""

    def stamp(self, key: BatchKey) -> bytes | None:
        """What the file system says of a batch's leaves, without reading them; None if nothing can be told from it.
        Raises as ``leaves`` does.
        """
        ...


def leaves_path(key: BatchKey) -> str:
    """Where the leaves of a batch are, relative to the listing."""
    return f"leaves/{key.issuer.hex()}/{key.first}-{key.root.hex()}.bin"


def open_material(place: str) -> "FolderMaterial | WebMaterial":
    """``place``: a folder, or the address of one on the web, or of a registry. Asks nothing yet. Raises InputError."""
    if not place:
        raise InputError("The place of a publication is empty: name a folder, or an address on the web.")
    if "://" in place:
        return WebMaterial(place)
    return FolderMaterial(Path(place))


class FolderMaterial:
    """A folder that `registry publish` wrote, or a copy of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = str(folder)

    def listing(self) -> Listing:
        data = self._read(LISTING, MAX_LISTING_BYTES)
        if data is None:
            raise MaterialUnavailable(f"There is no {LISTING} in {self._folder}: name the folder that holds it.")
        return parse_listing(data)

    def leaves(self, key: BatchKey, size: int) -> bytes | None:
        return self._read(leaves_path(key), size * HASH_BYTES)

    def own_document(self) -> bytes | None:
        return self._read(DOCUMENT, MAX_DOCUMENT_BYTES)

    @property
    def live(self) -> bool:
        return False

    def issuers(self) -> PublishedIssuers | None:
        data = self._read(ISSUERS, MAX_ISSUERS_BYTES)
        return None if data is None else _parse_issuers(data)

    def document(self, issuer: PublishedIssuer) -> bytes | None:
        found = issuer.document
        return None if found is None else self._read(document_path(issuer.address, found), MAX_DOCUMENT_BYTES)

    def status_list(self, issuer: PublishedIssuer, purpose: str, number: int) -> bytes | None:
        return self._read(list_path(issuer.address, purpose, number), MAX_LIST_BYTES)

    def templates(self, issuer: PublishedIssuer) -> tuple[PublishedTemplate, ...] | None:
        return issuer.templates

    def template(self, issuer: PublishedIssuer, template: PublishedTemplate) -> bytes | None:
        return self._read(template_path(issuer.address, template.digest), MAX_TEMPLATE_BYTES)

    def stamp(self, key: BatchKey) -> bytes | None:
        now = time.time_ns()
        return self._use(leaves_path(key), lambda file: stamp_of(os.fstat(file), now))

    def _read(self, name: str, limit: int) -> bytes | None:
        """At most ``limit + 1`` bytes of a plain file below the folder."""

        def read(descriptor: int) -> bytes:
            size = os.fstat(descriptor).st_size
            if name == LISTING and size > limit:
                raise MaterialMalformed(f"{name} has {size} bytes; at most {limit} are read")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(limit + 1)

        return self._use(name, read)

    def _use(self, name: str, use: Callable[[int], T]) -> T | None:
        """What ``use`` makes of the descriptor of a plain file below the folder; None if there is none."""
        descriptor = None
        directory = os.O_RDONLY | os.O_DIRECTORY
        opened = []
        try:
            *folders, last = name.split("/")
            opened.append(os.open(self._folder, directory))
            for part in folders:  # step by step: none of them may be a link to somewhere else
                opened.append(os.open(part, directory | os.O_NOFOLLOW, dir_fd=opened[-1]))
            # O_NONBLOCK: opening a pipe must not wait for somebody to write into it.
            descriptor = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened[-1])
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise MaterialMalformed(f"{name} is not a plain file")
            return use(descriptor)
        except FileNotFoundError:
            if not opened:
                raise MaterialUnavailable(f"There is no folder {self._folder}.") from None
            return None
        except OSError as error:
            place = self._folder / name
            parts = (place, *place.parents[: name.count("/")])
            # Path.is_symlink would raise where the folder may not be searched.
            link = next((part for part in parts if os.path.islink(part)), None)  # noqa: PTH114
            if opened and link is not None:
                raise MaterialMalformed(
                    f"{link.relative_to(self._folder)} is a symbolic link; links are not followed"
                ) from error
            raise MaterialUnavailable(f"{name} in {self._folder} cannot be read: {error.strerror}.") from error
        finally:
            for number in opened if descriptor is None else [*opened, descriptor]:
                os.close(number)


class WebMaterial:
    """The same folder behind a web server, or a registry's API: whichever is found at the address."""

    def __init__(self, url: str, *, timeout: float = _TIMEOUT_SECONDS) -> None:
        """Raises InputError if it is no HTTP URL."""
        try:
            parts = urlsplit(url)
            host = parts.hostname
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
            raise InputError("A publication's address begins with http:// or https:// and has no query: " + short(url))
        self._base = url.rstrip("/")
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._timeout = timeout
        self._static = True
        self._waited = 0  # requests in a row that ended without an answer in time
        self._session = requests.Session()
        self._deadline = Deadline(self._session)
        self._session.trust_env = host not in _OWN_MACHINE  # a proxy is for the world outside
        self._session.headers.update({"User-Agent": "credential-registry", "Accept-Encoding": "identity"})

    def close(self) -> None:
        self._session.close()

    def listing(self) -> Listing:
        data = self._get(LISTING, MAX_LISTING_BYTES)
        self._static = data is not None
        return parse_listing(data) if data is not None else listing_of_pages(self._page)

    def leaves(self, key: BatchKey, size: int) -> bytes | None:
        path = leaves_path(key) if self._static else f"v1/batches/{key.root.hex()}/{key.first}/leaves"
        return self._get(path, size * HASH_BYTES)

    def own_document(self) -> bytes | None:
        return self._get(DOCUMENT if self._static else f"registry/{DOCUMENT}", MAX_DOCUMENT_BYTES)

    @property
    def live(self) -> bool:
        return not self._static

    def issuers(self) -> PublishedIssuers | None:
        data = self._get(ISSUERS if self._static else "v1/issuers", MAX_ISSUERS_BYTES)
        if data is None or self._static:
            return None if data is None else _parse_issuers(data)
        try:
            return parse_issuers_page(data)
        except InputError as error:
            raise MaterialMalformed(f"/v1/issuers cannot be read: {error}") from error

    def document(self, issuer: PublishedIssuer) -> bytes | None:
        if not self._static:
            return self._get(f"issuers/{issuer.name}/did.json", MAX_DOCUMENT_BYTES)
        found = issuer.document
        return None if found is None else self._get(document_path(issuer.address, found), MAX_DOCUMENT_BYTES)

    def status_list(self, issuer: PublishedIssuer, purpose: str, number: int) -> bytes | None:
        place = list_path(issuer.address, purpose, number)
        return self._get(place if self._static else f"issuers/{issuer.name}/status/{purpose}/{number}", MAX_LIST_BYTES)

    def templates(self, issuer: PublishedIssuer) -> tuple[PublishedTemplate, ...] | None:
        if self._static:
            return issuer.templates
        path = f"v1/issuers/{issuer.name}/templates"
        data = self._get(path, MAX_ISSUERS_BYTES)
        try:
            return None if data is None else parse_templates_page(data)
        except InputError as error:
            raise MaterialMalformed(f"{path} cannot be read: {error}") from error

    def template(self, issuer: PublishedIssuer, template: PublishedTemplate) -> bytes | None:
        live = f"issuers/{issuer.name}/templates/{template.name}/{template.digest.hex()}"
        path = template_path(issuer.address, template.digest) if self._static else live
        return self._get(path, MAX_TEMPLATE_BYTES)

    def _page(self, cursor: str | None, size: int) -> bytes:
        query = f"?limit={size}" + (f"&cursor={quote(cursor, safe='')}" if cursor else "")
        data = self._get(f"v1/batches{query}", MAX_PAGE_BYTES)
        if data is None:
            raise MaterialUnavailable(f"{self.name} has neither {LISTING} nor /v1/batches.")
        return data

    def _get(self, path: str, limit: int) -> bytes | None:
        """The body, at most ``limit + 1`` bytes of it; None if there is nothing (404, 410).

        A server that lets us wait several times in a row is not asked any more: it could go on for as long as it likes.
        """
        if self._waited >= _PATIENCE:
            raise MaterialUnavailable(f"{self.name} did not answer in time {_PATIENCE} times, and was asked no more.")
        begun = time.monotonic()
        try:
            found = self._asked(path, limit)
        except MaterialUnavailable:
            self._waited = self._waited + 1 if time.monotonic() - begun >= self._timeout else 0
            raise
        self._waited = 0
        return found

    def _asked(self, path: str, limit: int) -> bytes | None:
        headers = {"Accept": "application/json" if path.partition("?")[0].endswith((".json", "batches")) else "*/*"}
        try:
            with self._deadline.within(self._timeout), closing(self._ask(path, headers)) as response:
                if response.status_code in (404, 410):
                    return None
                if response.is_redirect or 300 <= response.status_code < 400:
                    raise MaterialUnavailable(f"{self.name} redirects {short(path)}; redirects are not followed.")
                if response.status_code != 200:
                    raise MaterialUnavailable(f"{self.name} answers {short(path)} with HTTP {response.status_code}.")
                if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                    raise MaterialMalformed(f"{short(path)} came compressed, which was not asked for")
                return self._read(response, limit)
        except TimeoutError as error:
            raise MaterialUnavailable(f"{self.name} is too slow to be read.") from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if error.args and isinstance(getattr(error.args[0], "reason", None), urllib3.exceptions.NewConnectionError):
                message = f"{self.name} cannot be reached: look at the address, or try again later."
                raise MaterialUnavailable(message) from error
            kind = type(error).__name__
            raise MaterialUnavailable(f"{self.name} did not serve {short(path)} to its end ({kind}).") from error

    def _ask(self, path: str, headers: dict[str, str]) -> requests.Response:
        return self._session.get(
            f"{self._base}/{path}", headers=headers, timeout=self._timeout, stream=True, allow_redirects=False
        )

    def _read(self, response: requests.Response, limit: int) -> bytes:
        """What has come puts the end off: who sends nothing is not waited for as if it were a large file."""
        body = bytearray()
        while len(body) <= limit and (chunk := response.raw.read1(_CHUNK)):
            body += chunk
            self._deadline.extend(len(chunk) / _BYTES_PER_SECOND)
        return bytes(memoryview(body)[: limit + 1])


def _parse_issuers(data: bytes) -> PublishedIssuers:
    try:
        return parse_issuers(data)
    except InputError as error:
        raise MaterialMalformed(f"{ISSUERS} cannot be read: {error}") from error
