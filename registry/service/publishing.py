"""Publishing batches as static files that any web server can serve (docs/spec/published.md).

Leaves are written once and never change; the listing is written last, so that it never names what is not there. Killed
at any line, the next run goes on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.core.audit import BatchKey
from registry.core.audit_published import packed_root
from registry.core.canonical import canonicalize
from registry.core.merkle import HASH_BYTES
from registry.core.notation import chain_text, hex_text, time_text
from registry.service.batching import Batch, Batching, BatchState
from registry.service.context import Context
from registry.service.declaring import Declaration, Declarations, erased_in
from registry.service.errors import ConflictError, NotFoundError
from registry.service.issuers import Issuers
from registry.service.promising import Promising
from registry.service.published import DOCUMENT, LISTING, STATES, TYPE, leaves_path

__all__ = ["Publication", "Publishing"]

_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Publication:
    """What one run did: batches in the listing, those whose leaves were new, and whether the listing changed."""

    batches: int
    written: int
    changed: bool


class Publishing:
    """``write(path, content)`` writes a file as a whole or not at all, and returns whether it had to."""

    def __init__(
        self, context: Context, issuers: Issuers, batching: Batching, write: Callable[[Path, bytes], bool]
    ) -> None:
        self._context = context
        self._issuers = issuers
        self._batching = batching
        self._write = write

    def publish(self, folder: Path) -> Publication:
        """Brings a folder up to date with all final batches; reads the leaves of new ones only.

        Raises ConflictError if the leaves in the database are not those that were anchored: they are not published.
        """
        addresses = {issuer.id: issuer.address for issuer in self._issuers.all()}
        listed: list[dict[str, Any]] = []
        written = 0
        final = list(self._final())
        declared = Declarations(self._context).of(final)
        with self._context.database.read() as connection:
            erased = erased_in(connection, declared)
        for batch in final:
            key = BatchKey(addresses[batch.issuer_id], batch.first, batch.root)
            written += self._write_leaves(folder / leaves_path(key), batch)
            listed.append(
                {
                    "issuer": hex_text(key.issuer),
                    "first": key.first,
                    "size": batch.size,
                    "root": key.root.hex(),
                    "state": STATES[declared[batch.id].voided],
                    "erased": erased.get(batch.id, 0),
                    **_declared(declared[batch.id]),
                }
            )
        listed.sort(key=lambda item: (item["issuer"], item["first"]))
        chain = self._context.chain
        listing = {
            "type": TYPE,
            "version": 1,
            "chain": chain_text(chain.chain_id),
            "contract": hex_text(chain.contract),
            "batches": listed,
        }
        folder.mkdir(parents=True, exist_ok=True)
        self._write_document(folder / DOCUMENT)
        return Publication(len(listed), written, self._write(folder / LISTING, canonicalize(listing)))

    def _final(self) -> Iterator[Batch]:
        after = 0
        while page := self._batching.page(None, after, _PAGE):
            after = page[-1].id
            yield from (batch for batch in page if batch.state is BatchState.FINAL)

    def _write_document(self, path: Path) -> None:
        """The keys that signed promises; a registry that has made none yet has none."""
        try:
            document = Promising(self._context).document()
        except NotFoundError:
            return
        self._write(path, canonicalize(document))

    def _write_leaves(self, path: Path, batch: Batch) -> bool:
        if path.is_file() and path.stat().st_size == batch.size * HASH_BYTES:
            return False
        leaves = self._batching.leaves(batch)
        if len(leaves) != batch.size * HASH_BYTES or packed_root(leaves) != batch.root:
            raise ConflictError(
                "stored_leaves_differ",
                f"The leaves of the batch from index {batch.first} on are not those that were anchored: the database "
                "was changed. Run `registry audit --database`.",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write(path, leaves)
        return True


def _declared(declaration: Declaration) -> dict[str, Any]:
    if declaration.accepted_from is None:
        return {}
    return {
        "acceptedFrom": time_text(declaration.accepted_from),
        "declaredDelaySeconds": declaration.declared_delay,
    }
