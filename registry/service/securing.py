"""Binding a credential to its index: the status entry, the issuer's proofs, canonical bytes, leaf."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from registry.core import canonical, leaf
from registry.core.errors import InputError
from registry.core.status import list_and_entry
from registry.service.context import Context
from registry.service.errors import BusyError
from registry.service.issuers import SIGNS_HERE, Issuer
from registry.standards.keys import Signer
from registry.standards.proofs.creating import PROOF_SET, add_proofs

__all__ = ["Securing", "credential_status", "leaf_of", "unsecured"]

_log = logging.getLogger(__name__)
_MANY = 200  # documents that are worth being handed to other processes


class Securing:
    """Signs with the issuer's current key. Safe to use from several threads."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def secure(
        self, issuer: Issuer, document: Mapping[str, Any], index: int, suites: Sequence[str] = PROOF_SET
    ) -> bytes:
        """The canonical bytes of the credential at this index, signed if this installation signs for the issuer.

        Raises BusyError (the key cannot be opened), InputError (the document cannot be signed).
        """
        bound = {**document, "credentialStatus": credential_status(issuer.status_base, index)}
        if issuer.signs == SIGNS_HERE:
            return self.sign(issuer, bound, suites)
        return canonical.canonicalize(bound)

    def secure_many(
        self, issuer: Issuer, documents: Sequence[Mapping[str, Any]], indexes: Sequence[int], suites: Sequence[str]
    ) -> list[bytes]:
        """``secure`` for many documents at once, on all cores where that pays. Raises as ``secure``."""
        pool = self._context.batch_signer
        if pool is not None and issuer.signs == SIGNS_HERE and len(documents) >= _MANY:
            self._signer(issuer)  # a key that does not open is told as everywhere
            bound = [
                {**document, "credentialStatus": credential_status(issuer.status_base, index)}
                for document, index in zip(documents, indexes, strict=True)
            ]
            allowed = self._context.rules.allow_unmapped
            signed = pool.sign(issuer.name, bound, self._context.clock(), suites, allowed)
            if signed is not None:
                return signed
        return [
            self.secure(issuer, document, index, suites) for document, index in zip(documents, indexes, strict=True)
        ]

    def sign(self, issuer: Issuer, document: Mapping[str, Any], suites: Sequence[str] = PROOF_SET) -> bytes:
        """The canonical bytes of the document with the issuer's proofs. Raises as ``secure``."""
        signer = self._signer(issuer)
        allowed = self._context.rules.allow_unmapped
        signed = add_proofs(document, signer, self._context.clock(), suites=suites, allow_unmapped=allowed)
        return canonical.canonicalize(signed)

    def _signer(self, issuer: Issuer) -> Signer:
        try:
            return self._context.keys.signer(issuer.name)
        except InputError as error:  # its words are for the operator
            _log.error("Nothing can be signed for %s: %s", issuer.name, error)
            message = f"The key that signs for {issuer.name} cannot be opened just now; the operator's log says why."
            raise BusyError("key_unavailable", message) from error


def leaf_of(content: bytes, salt: bytes) -> bytes:
    """The leaf hash of a credential's canonical bytes."""
    return leaf.leaf_hash(leaf.commit(salt, leaf.digest(content)))


def unsecured(content: bytes) -> dict[str, Any]:
    """The document as it was before ``secure``, to be secured at another index."""
    document = canonical.parse_json(content)
    return {name: value for name, value in document.items() if name not in ("credentialStatus", "proof")}


def credential_status(status_base: str, index: int) -> dict[str, str]:
    """The status entry of a credential (Bitstring Status List v1.0 section 2.1): one object, with an ``id``."""
    number, entry = list_and_entry(index)
    url = f"{status_base}/revocation/{number}"
    return {
        "id": f"{url}#{entry}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": str(entry),
        "statusListCredential": url,
    }
