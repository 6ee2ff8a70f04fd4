"""Where the keys lie with which credentials are signed: one ring for each issuer that this installation signs for."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from registry.standards.keys import KeyRing, Signer

__all__ = ["BatchSigner", "CredentialKeys"]


class CredentialKeys(Protocol):
    """Threads and processes may use it at once; what another process rotated is seen at the next call."""

    def create(self, name: str, did: str, now: int) -> KeyRing:
        """The ring of a new issuer; made at the first call, so that repeating after a crash finds the same key.

        ``did`` may be ``DID_KEY``: then the ring says which DID it became.

        Raises RegistryError (no password, or a ring of another DID under this name).
        """
        ...

    def ring(self, name: str) -> KeyRing:
        """The public half: keys and intervals. Raises RegistryError if there is none."""
        ...

    def signer(self, name: str) -> Signer:
        """The current key, opened. Raises RegistryError: no ring, no password, or the wrong one."""
        ...

    def rotate(self, name: str, now: int, *, overlap_seconds: int, compromised: bool = False) -> KeyRing:
        """A new current key, written before this returns. Raises RegistryError."""
        ...


class BatchSigner(Protocol):
    """Signs many documents at once, on all cores. Several threads may use one."""

    def sign(
        self,
        name: str,
        documents: Sequence[Mapping[str, Any]],
        created: int,
        suites: Sequence[str],
        allow_unmapped: bool,
    ) -> list[bytes] | None:
        """The canonical bytes of each document with the issuer's proofs, in order, made as ``add_proofs`` makes them.

        None: it is not worth starting, or could not; sign them here. Raises RegistryError as ``add_proofs``.
        """
        ...
