"""Issuers' DID documents: built from their keys and account, claimed on chain, kept so that bundles can carry them.

A document changes with every rotation of keys, and each one has a hash of its own. The claim on chain (`setDid`) says
since when the issuer's address stands behind a document; only the controller can make it.
"""

import logging
from typing import Any
from urllib.parse import quote, urlsplit

from sqlalchemy import Connection, func, insert, select

from registry.core import canonical
from registry.core.errors import InputError
from registry.service.context import Context
from registry.service.errors import BusyError, InvalidError, NotFoundError
from registry.service.issuers import SIGNS_HERE, Issuer, Issuers
from registry.standards.did.document import Account, DidDocument, document_hash, parse_did_document
from registry.standards.did.hosted import build_did_document, build_did_key_document
from registry.standards.keys import DID_KEY
from registry.store.tables import chain_claims, did_documents, issuers

__all__ = ["Identities", "read_handed_document"]

_log = logging.getLogger(__name__)


class Identities:
    """Safe to use from several threads."""

    def __init__(self, context: Context, issuers_: Issuers) -> None:
        self._context = context
        self._issuers = issuers_

    def document(self, issuer: Issuer) -> dict[str, Any]:
        """The DID document as it is now. Raises NotFoundError if none is known here."""
        if issuer.signs == SIGNS_HERE:
            ring = self._context.keys.ring(issuer.name)
            if issuer.did.startswith(f"{DID_KEY}:"):
                return build_did_key_document(issuer.did, ring.current.public_key)
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

    def published(self, issuer: Issuer) -> bytes:
        """The DID document for everybody, canonical. Raises NotFoundError, BusyError (the keys cannot be read)."""
        try:
            return canonical.canonicalize(self.document(issuer))
        except InputError as error:  # its words are for the operator
            _log.error("The DID document of %s cannot be made: %s", issuer.name, error)
            raise BusyError("key_unavailable", "The keys that this document names cannot be read just now.") from error

    def root(self) -> Issuer:
        """The issuer whose DID is this installation's host, without a path. Raises NotFoundError."""
        host = quote(urlsplit(self._context.rules.public_url).netloc, safe="")
        issuer = self._issuers.by_did(f"did:web:{host}")
        if issuer is None:
            raise NotFoundError("no_did_document", f"No issuer here is did:web:{host}.")
        return issuer

    def registry_url(self, issuer: Issuer) -> str:
        """What auditors read about this issuer; it leads on to batches and status lists."""
        return f"{self._context.rules.public_url}/v1/issuers/{issuer.name}"

    def pinned(self, did: str) -> DidDocument | None:
        """The document of an issuer of this registry, for verdicts that should ask nobody.

        None for all others, and while its keys cannot be read: then its host is asked as anybody's, and has no answer.
        """
        issuer = self._issuers.by_did(did)
        if issuer is None:
            return None
        try:
            return parse_did_document(self.document(issuer), did)
        except NotFoundError:
            return None
        except InputError as error:
            _log.error("The DID document of %s cannot be made: %s", issuer.name, error)
            return None

    def keep(self, connection: Connection, issuer: Issuer, handed: bytes | None = None) -> bytes:
        """Records the document of today unless it is on record; returns its hash.

        ``handed``: the one that the issuer is just handing over, canonical.
        """
        content = canonical.canonicalize(self.document(issuer)) if handed is None else handed
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

    def claimed_at(self, connection: Connection, issuer: Issuer, hashed: bytes) -> int | None:
        """Since when the chain shows the issuer's claim of the document with this hash; None if it does not."""
        found: int | None = connection.execute(
            select(func.min(chain_claims.c.claimed_at)).where(
                chain_claims.c.issuer == issuer.address,
                chain_claims.c.did == issuer.did,
                chain_claims.c.document_hash == hashed,
            )
        ).scalar()
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
