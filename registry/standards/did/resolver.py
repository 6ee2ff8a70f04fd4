"""Resolving DIDs: did:key and did:jwk from themselves, did:web from what the policy pins, a cache, or the host."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping

from registry.core.canonical import parse_json
from registry.core.errors import JsonError
from registry.core.notation import short
from registry.standards.did.document import DidDocument, parse_did_document
from registry.standards.did.errors import DidDocumentError, DidError, DidUnreachable, DidUnsupported
from registry.standards.did.fetching import MAX_DOCUMENT_BYTES, Fetcher
from registry.standards.did.key import is_own_key, resolve_did_key
from registry.standards.did.web import url_of
from registry.standards.proofs.report import KeyProblem, ProofCode, VerificationKey

__all__ = ["DidResolver"]

_MAX_CACHED = 1_000
_MAX_URL = 2_000


class DidResolver:
    """Resolves did:web, did:key and did:jwk. Several threads may use one.

    ``pinned`` documents are used without asking anybody: our own issuers', or a bundle's ``issuerDocument`` whose hash
    was found on chain. ``fetcher`` None: nothing is fetched, whatever a document names.
    """

    def __init__(
        self,
        fetcher: Fetcher | None,
        clock: Callable[[], int],
        *,
        pinned: Mapping[str, DidDocument] | None = None,
        allow_loopback: bool = False,
        cache_seconds: int = 300,
        failure_seconds: int = 30,
    ) -> None:
        """``clock`` gives Unix seconds; failures are remembered for ``failure_seconds``, documents longer."""
        self._fetcher = fetcher
        self._clock = clock
        self._pinned = dict(pinned or {})
        self._allow_loopback = allow_loopback
        self._seconds = cache_seconds
        self._failure_seconds = failure_seconds
        self._cache: OrderedDict[str, tuple[int, DidDocument | DidError]] = OrderedDict()
        self._lock = threading.Lock()

    def resolve(self, did: str) -> DidDocument:
        """The document of a did:web. Raises DidUnsupported, DidUnreachable, DidDocumentError."""
        if did in self._pinned:
            return self._pinned[did]
        url = url_of(did, allow_loopback=self._allow_loopback)
        now = self._clock()
        with self._lock:
            until, known = self._cache.get(did, (0, None))
        if known is None or now >= until:
            known = self._ask(did, url)
            seconds = self._failure_seconds if isinstance(known, DidError) else self._seconds
            with self._lock:
                self._cache[did] = (now + seconds, known)
                self._cache.move_to_end(did)
                while len(self._cache) > _MAX_CACHED:
                    self._cache.popitem(last=False)
        if isinstance(known, DidError):
            raise known.with_traceback(None)
        return known

    def key(self, url: str) -> VerificationKey | KeyProblem:
        """A ``ResolveKey``: the verification method with this DID URL. Never raises."""
        did, _, fragment = url.partition("#")
        if len(url) > _MAX_URL:
            return KeyProblem(ProofCode.KEY_UNKNOWN, f"{short(url, 200)!r} is too long for a verification method.")
        try:
            if is_own_key(did):
                return resolve_did_key(url)
            if not fragment:
                return KeyProblem(ProofCode.KEY_UNKNOWN, f"{short(url, 200)!r} names no verification method.")
            return self.resolve(did).key(url)
        except (DidUnreachable, DidUnsupported) as error:
            return KeyProblem(ProofCode.KEY_UNREACHABLE, f"The key could not be had: {error}.")
        except DidDocumentError as error:
            return KeyProblem(ProofCode.KEY_UNKNOWN, f"The issuer's DID document is none: {error}.")

    def _ask(self, did: str, url: str) -> DidDocument | DidError:
        if self._fetcher is None:
            return DidUnreachable(f"{short(did, 200)} is not known here, and nothing is fetched")
        try:
            return parse_did_document(parse_json(self._fetcher.fetch(url), max_bytes=MAX_DOCUMENT_BYTES), did)
        except JsonError as error:
            return DidDocumentError(f"what {url} serves is no strict JSON: {error}")
        except DidError as error:
            return error
