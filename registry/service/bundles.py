"""Bundles: what a holder keeps. None leaves before its batch's anchor is final."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import select

from registry.core import canonical, notation
from registry.core.bundle import build_bundle, proof_to_json, serialize_bundle
from registry.core.merkle import MerkleTree
from registry.core.model import Anchor, Bundle, Inclusion
from registry.service.anchoring import waits_for_finality
from registry.service.batching import Batch, Batching, BatchState, load_batches
from registry.service.context import Context
from registry.service.errors import ConflictError, GoneError, NotFoundError, NotReadyError
from registry.service.identities import Identities
from registry.service.issuers import Issuer, Issuers
from registry.store.database import AnyRow
from registry.store.tables import batches, credentials

__all__ = ["Bundles"]

_TREES = 4  # trees kept in memory: 64 bytes a leaf each
_PAGE = 1_000
_GONE = {
    "WITHDRAWN": "The credential was withdrawn.",
    "ERASED": "The credential was erased.",
    "UNUSED": "The index was reserved, and no credential was handed in for it in time.",
    "NEEDS_RESUBMIT": "Somebody else took the index it was secured for: reserve another one, and hand it in again.",
}


class Bundles:
    """Builds bundles from the database. Safe to use from several threads."""

    def __init__(self, context: Context, issuers: Issuers, identities: Identities, batching: Batching) -> None:
        self._context = context
        self._issuers = issuers
        self._identities = identities
        self._batching = batching
        self._trees: OrderedDict[int, MerkleTree] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, credential_id: str) -> bytes:
        """One bundle, as it is served. Raises NotFoundError, GoneError, NotReadyError (not final yet)."""
        row, batch = self._final(credential_id)
        if row.content is None:
            message = "Only its hash was handed in: the issuer has the credential. GET …/proof gives what completes it."
            raise ConflictError("hash_only", message)
        issuer = self._issuers.by_id(batch.issuer_id)
        return serialize_bundle(self._build(row, batch, issuer, self._tree(batch), self._document(batch, issuer)))

    def proof(self, credential_id: str) -> dict[str, Any]:
        """Inclusion and anchors alone, as in a bundle: whoever has the credential and its salt makes one of them.

        Raises as ``get``.
        """
        row, batch = self._final(credential_id)
        issuer, tree = self._issuers.by_id(batch.issuer_id), self._tree(batch)
        leaf_index = row.credential_index - batch.first
        inclusion = Inclusion(leaf_index, tree.size, tree.root, tuple(tree.inclusion_proof(leaf_index)))
        return proof_to_json(inclusion, [self._anchor(batch, issuer)], self._document(batch, issuer))

    def complete(self, credential_id: str, credential: Mapping[str, Any], salt: bytes) -> bytes:
        """The bundle of a credential whose hash alone is here. Raises as ``get``, and ProofError: it is another one."""
        row, batch = self._final(credential_id)
        issuer, leaf_index = self._issuers.by_id(batch.issuer_id), row.credential_index - batch.first
        anchors = (self._anchor(batch, issuer),)
        document = self._document(batch, issuer)
        return serialize_bundle(build_bundle(credential, salt, self._tree(batch), leaf_index, anchors, document))

    def _final(self, credential_id: str) -> tuple[AnyRow, Batch]:
        """A credential whose proof may leave, and its batch."""
        with self._context.database.read() as connection:
            row = connection.execute(select(credentials).where(credentials.c.id == credential_id)).one_or_none()
            found = load_batches(connection, batches.c.id == row.batch_id) if row is not None else []
        if row is None:
            raise NotFoundError("no_such_credential", "This registry has no credential with this id.")
        if row.state == "RESERVED":
            raise NotReadyError("not_submitted", "The index is reserved; its credential has not been handed in yet.")
        if row.state != "LIVE":
            raise GoneError(row.state.lower(), _GONE[row.state])
        if not found or found[0].state is not BatchState.FINAL:
            state = found[0].state if found else "OPEN"
            when = f"It is promised to be anchored by {notation.time_text(row.promised_at)}: ask again then."
            if state == BatchState.ANCHORED:
                when = found[0].note or waits_for_finality(self._context)
            raise NotReadyError(
                "not_final", f"The credential's batch is {state}; the bundle is given out when it is FINAL. {when}"
            )
        return row, found[0]

    def all(self, issuer: Issuer | None = None) -> Iterator[tuple[str, bytes]]:
        """Every bundle that may leave, as (registry id, bytes), batch by batch; reads a page at a time."""
        after = 0
        while page := self._batching.page(issuer.id if issuer else None, after):
            after = page[-1].id
            for batch in page:
                if batch.state is BatchState.FINAL:
                    yield from self._of_batch(batch)

    def count(self) -> int:
        """How many bundles ``all`` gives at most."""
        return sum(batch.size for batch in self._final_batches())

    def _final_batches(self) -> list[Batch]:
        with self._context.database.read() as connection:
            return load_batches(connection, batches.c.state == BatchState.FINAL)

    def _of_batch(self, batch: Batch) -> Iterator[tuple[str, bytes]]:
        issuer, tree = self._issuers.by_id(batch.issuer_id), self._tree(batch)
        document = self._document(batch, issuer)
        for start in range(batch.first, batch.end, _PAGE):
            with self._context.database.read() as connection:
                rows = connection.execute(
                    select(credentials)
                    .where(
                        credentials.c.batch_id == batch.id,
                        credentials.c.credential_index >= start,
                        credentials.c.credential_index < start + _PAGE,
                        credentials.c.state == "LIVE",
                        credentials.c.content.is_not(None),  # of a bare commitment the issuer has the rest
                    )
                    .order_by(credentials.c.credential_index)
                ).all()
            for row in rows:
                yield row.id, serialize_bundle(self._build(row, batch, issuer, tree, document))

    def _build(
        self, row: AnyRow, batch: Batch, issuer: Issuer, tree: MerkleTree, document: dict[str, Any] | None
    ) -> Bundle:
        return build_bundle(
            credential=canonical.parse_json(row.content),
            salt=row.salt,
            tree=tree,
            leaf_index=row.credential_index - batch.first,
            anchors=(self._anchor(batch, issuer),),
            issuer_document=document,
        )

    def _anchor(self, batch: Batch, issuer: Issuer) -> Anchor:
        if batch.anchored_at is None or batch.block_number is None or not batch.block_hash or not batch.transaction:
            raise AssertionError(f"batch {batch.id} is FINAL and has no anchor")
        return Anchor(
            chain_id=self._context.chain.chain_id,
            contract=self._context.chain.contract,
            issuer=issuer.address,
            first_index=batch.first,
            anchored_at=batch.anchored_at,
            transaction=batch.transaction,
            block_number=batch.block_number,
            block_hash=batch.block_hash,
        )

    def _document(self, batch: Batch, issuer: Issuer) -> dict[str, Any] | None:
        """The issuer's DID document that counted when the batch was anchored."""
        return None if batch.anchored_at is None else self._identities.document_at(issuer, batch.anchored_at)

    def _tree(self, batch: Batch) -> MerkleTree:
        with self._lock:
            if batch.id in self._trees:
                self._trees.move_to_end(batch.id)
                return self._trees[batch.id]
        tree = MerkleTree.from_packed(self._batching.leaves(batch))
        with self._lock:
            self._trees[batch.id] = tree
            while len(self._trees) > _TREES:
                self._trees.popitem(last=False)
        return tree
