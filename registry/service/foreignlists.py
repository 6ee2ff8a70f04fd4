"""Status lists of other issuers: fetched within limits, and kept for as long as they may be.

What is read here is hostile until it was judged (registry.service.judging, registry.standards.statuslist).
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from registry.core.canonical import parse_json
from registry.core.errors import InputError
from registry.core.notation import short
from registry.standards.did.errors import DidUnreachable
from registry.standards.did.fetching import Fetcher, HttpsFetcher

__all__ = ["MAX_LIST_RESPONSE_BYTES", "FetchedList", "ForeignLists", "ListReader", "list_fetcher"]

MAX_LIST_RESPONSE_BYTES = 4 << 20  # the largest list that can be read, in base64 twice (JWT), is below that
_ACCEPT = "application/vc, application/vc+jwt, application/ld+json, application/json"
_MAX_CACHED = 32  # of up to 4 MiB
_JWT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@/%-]*)?(?:\?[!-\"$-;=?-~]*)?")


@dataclass(frozen=True, slots=True)
class FetchedList:
    """What was read at an address: JSON or a VC-JWT, None where nothing could be had, and why; and when."""

    content: dict[str, Any] | str | None
    problem: str
    fetched_at: int


class ListReader(Protocol):
    """Where status lists come from. Several threads may use one."""

    def read(self, url: str) -> FetchedList:
        """Never raises: what could not be had has a ``problem``."""


def list_fetcher(*, allow_loopback: bool = False, timeout: float = 5.0) -> Fetcher:
    """A fetcher with limits that fit status lists: HTTPS from public hosts, no redirect; ``timeout`` in seconds."""
    return HttpsFetcher(
        allow_loopback=allow_loopback, timeout=timeout, max_bytes=MAX_LIST_RESPONSE_BYTES, accept=_ACCEPT
    )


class ForeignLists:
    """A ``ListReader`` over a fetcher (None: nothing is fetched), with a cache.

    ``local`` gives a list that this process serves itself, so that it does not ask itself over the network; None for
    every other address.
    """

    def __init__(
        self,
        fetcher: Fetcher | None,
        clock: Callable[[], int],
        *,
        local: Callable[[str], dict[str, Any] | None] | None = None,
        cache_seconds: int = 300,
        failure_seconds: int = 30,
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._local = local
        self._seconds = cache_seconds
        self._failure_seconds = failure_seconds
        self._cache: OrderedDict[str, tuple[int, FetchedList]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, url: str) -> FetchedList:
        now = self._clock()
        own = self._local(url) if self._local is not None else None
        if own is not None:
            return FetchedList(own, "", now)
        with self._lock:
            until, known = self._cache.get(url, (0, None))
        if known is None or now >= until:
            known = self._fetch(url, now)
            with self._lock:
                self._cache[url] = (now + self._lifetime(known), known)
                self._cache.move_to_end(url)
                while len(self._cache) > _MAX_CACHED:
                    self._cache.popitem(last=False)
        return known

    def _lifetime(self, found: FetchedList) -> int:
        """A list's ttl, in milliseconds there, can make it shorter than ours."""
        if found.content is None:
            return self._failure_seconds
        subject = found.content.get("credentialSubject") if isinstance(found.content, dict) else None
        ttl = subject.get("ttl") if isinstance(subject, dict) else None
        if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 <= ttl <= 1000 * self._seconds:
            return self._seconds
        return int(ttl / 1000)

    def _fetch(self, url: str, now: int) -> FetchedList:
        if self._fetcher is None:
            return FetchedList(None, "nothing is fetched here", now)
        if len(url) > 2_000 or not _URL.fullmatch(url):
            return FetchedList(None, f"{short(url, 200)!r} is no address that is asked", now)
        try:
            body = self._fetcher.fetch(url)
            if _JWT.fullmatch(body.strip()):
                return FetchedList(body.strip().decode("ascii"), "", now)
            content = parse_json(body, MAX_LIST_RESPONSE_BYTES)
        except DidUnreachable as error:
            return FetchedList(None, str(error), now)
        except InputError as error:
            return FetchedList(None, f"what is served there is no strict JSON: {error}", now)
        if not isinstance(content, dict):
            return FetchedList(None, "what is served there is no JSON object", now)
        return FetchedList(content, "", now)
