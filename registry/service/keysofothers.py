"""Finding the keys of proofs: those of this registry's issuers from what is here, those of others by their DIDs."""

from registry.service.identities import Identities
from registry.standards.did.resolver import DidResolver
from registry.standards.proofs.report import KeyProblem, VerificationKey

__all__ = ["KeyFinder"]


class KeyFinder:
    """A ``ResolveKey``. Several threads may use it; it never raises."""

    def __init__(self, identities: Identities, resolver: DidResolver) -> None:
        self._identities = identities
        self._resolver = resolver

    def __call__(self, url: str) -> VerificationKey | KeyProblem:
        did = url.partition("#")[0]
        document = self._identities.pinned(did)
        return self._resolver.key(url) if document is None else document.key(url)
