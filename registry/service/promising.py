"""Signed promises: what an issuer holds from the moment a credential is accepted (docs/spec/promise.md).

A promise is made when it is given out, from what is stored: nothing but the acceptance itself has to be kept, and a
repeated request, or one after the credential moved, gets one over today's leaf.
"""

from typing import Any

from sqlalchemy import select

from registry.core.errors import InputError
from registry.core.promise import Promise, promise_to_json, signed_bytes
from registry.service.context import Context
from registry.service.errors import NotFoundError
from registry.service.issuers import Issuer
from registry.service.issuing import Accepted
from registry.standards.did.errors import DidUnsupported
from registry.standards.did.hosted import build_did_document, build_did_key_document
from registry.standards.did.web import did_from_url
from registry.standards.keys import DID_KEY, KeyRing
from registry.store.tables import credentials

__all__ = ["RING", "Promising"]

RING = "_registry"  # no issuer can have this name
_PATH = "registry"


class Promising:
    """Gives promises, signed with the registry's own key. Threads and processes may use it at once."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def promise(self, issuer: Issuer, accepted: Accepted) -> dict[str, Any]:
        """The signed promise for what was accepted. Raises RegistryError (no password for the key)."""
        self.ensure()
        signer, context = self._context.keys.signer(RING), self._context
        promise = Promise(
            registry=context.rules.public_url,
            chain_id=context.chain.chain_id,
            contract=context.chain.contract,
            issuer=issuer.address,
            id=accepted.id,
            leaf=accepted.leaf,
            accepted_at=accepted.accepted_at,
            anchored_before=accepted.promised_at,
            signed_at=context.clock(),
            key=signer.verification_method,
        )
        return promise_to_json(promise, signer.sign(signed_bytes(promise)))

    def again(self, issuer: Issuer, identifier: str) -> dict[str, Any]:
        """The promise for a credential, over the leaf that it has now. Raises NotFoundError, RegistryError."""
        columns = credentials.c
        with self._context.database.read() as connection:
            row = connection.execute(
                select(columns.id, columns.leaf, columns.accepted_at, columns.promised_at).where(
                    columns.id == identifier,
                    columns.issuer_id == issuer.id,
                    columns.state.not_in(("RESERVED", "UNUSED")),
                )
            ).one_or_none()
        if row is None:
            raise NotFoundError("no_such_credential", f"{issuer.name} has no credential {identifier!r} here.")
        accepted = Accepted(row.id, row.promised_at, repeated=True, leaf=row.leaf, accepted_at=row.accepted_at)
        return self.promise(issuer, accepted)

    def unlock(self) -> None:
        """Opens the key, before anything is accepted that is promised then. Raises RegistryError (no password)."""
        self.ensure()
        self._context.keys.signer(RING)

    def ensure(self) -> KeyRing:
        """The registry's keys, made where there are none yet. Raises RegistryError (no password)."""
        keys = self._context.keys
        try:
            return keys.ring(RING)
        except InputError:
            return keys.create(RING, self._did(), self._context.clock())

    def document(self) -> dict[str, Any]:
        """The registry's DID document: its keys of now and before. Raises NotFoundError where there are none yet."""
        try:
            ring = self._context.keys.ring(RING)
        except InputError as error:
            raise NotFoundError("no_did_document", "This registry has made no promise yet, and has no key.") from error
        if ring.did.startswith(f"{DID_KEY}:"):
            return build_did_key_document(ring.did, ring.current.public_key)
        return build_did_document(ring.did, ring.keys, (), self._context.rules.public_url)

    def rotate(self, *, compromised: bool = False) -> KeyRing:
        """A new key signs from now on; the former one ends. Raises RegistryError (no password, or a did:key)."""
        self.ensure()
        return self._context.keys.rotate(RING, self._context.clock(), overlap_seconds=0, compromised=compromised)

    def _did(self) -> str:
        """A did:web below the registry's own address; where that is no name on the web, the key names itself."""
        try:
            return did_from_url(f"{self._context.rules.public_url}/{_PATH}")
        except DidUnsupported:
            return DID_KEY
