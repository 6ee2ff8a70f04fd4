"""Issuers' DID documents: built from their keys and account, claimed on chain, kept so that bundles can carry them.

A document changes with every rotation of keys, and each one has a hash of its own. The claim on chain (`setDid`) says
since when the issuer's address stands behind a document; only the controller can make it.
"""

from typing import Any

from sqlalchemy import Connection, insert, select

from registry.core import canonical
from registry.core.errors import InputError
from registry.service.context import Context
from registry.service.errors import InvalidError, NotFoundError
from registry.service.issuers import SIGNS_HERE, Issuer, Issuers
from registry.standards.did.document import Account, DidDocument, document_hash, parse_did_document
from registry.standards.did.hosted import build_did_document
from registry.store.tables import chain_claims, did_documents, issuers

__all__ = ["Identities", "read_handed_document"]


class Identities:
    """Safe to use from several threads."""

    def __init__(self, context: Context, issuers_: Issuers) -> None:
        self._context = context
        self._issuers = issuers_

    def document(self, issuer: Issuer) -> dict[str, Any]:
        """The DID document as it is now. Raises NotFoundError if none is known here."""
        if issuer.signs == SIGNS_HERE:
            ring = self._context.keys.ring(issuer.name)
            chain = self._context.chain
            return build_did_document(
                issuer.did, ring.keys, [Account(chain.chain_id, issuer.address)], self.registry_url(issuer)
            )
        with self._context.database.read() as connection:
            content = connection.execute(select(issuers.c.document).where(issuers.c.id == issuer.id)).scalar_one()
        if content is None:
            raise NotFoundError(
                "no_did_document", f"{issuer.name} publishes its DID document itself; none is kept here."
            )
        document: dict[str, Any] = canonical.parse_json(content)
        return document

    def registry_url(self, issuer: Issuer) -> str:
        """What auditors read about this issuer."""
        return f"{self._context.rules.public_url}/issuers/{issuer.name}"

    def pinned(self, did: str) -> DidDocument | None:
        """The document of an issuer of this registry, for verdicts that should ask nobody; None for all others."""
        issuer = self._issuers.by_did(did)
        if issuer is None:
            return None
        try:
            return parse_did_document(self.document(issuer), did)
        except NotFoundError:
            return None

    def keep(self, connection: Connection, issuer: Issuer) -> bytes:
        """Records the document of today unless it is on record; returns its hash."""
        content = canonical.canonicalize(self.document(issuer))
        found = document_hash(canonical.parse_json(content))
        known = connection.execute(
            select(did_documents.c.id).where(did_documents.c.issuer_id == issuer.id, did_documents.c.hash == found)
        ).scalar()
        if known is None:
            connection.execute(
                insert(did_documents).values(
                    issuer_id=issuer.id, hash=found, content=content, created_at=self._context.clock()
                )
            )
        return found

    def document_at(self, issuer: Issuer, anchored_at: int) -> dict[str, Any] | None:
        """The newest document whose claim the chain showed by then; None if there is none."""
        with self._context.database.read() as connection:
            content = connection.execute(
                select(did_documents.c.content)
                .join(
                    chain_claims,
                    (chain_claims.c.document_hash == did_documents.c.hash) & (chain_claims.c.issuer == issuer.address),
                )
                .where(
                    did_documents.c.issuer_id == issuer.id,
                    chain_claims.c.did == issuer.did,
                    chain_claims.c.claimed_at <= anchored_at,
                )
                .order_by(chain_claims.c.claimed_at.desc(), did_documents.c.id.desc())
                .limit(1)
            ).scalar()
        return None if content is None else canonical.parse_json(content)


def read_handed_document(content: object, did: str) -> bytes:
    """The canonical bytes of a DID document that an issuer hands over. Raises InvalidError."""
    try:
        parse_did_document(content, did)
        return canonical.canonicalize(content)
    except InputError as error:
        raise InvalidError("did_document", f"The DID document cannot be used: {error}.", "/didDocument") from error
