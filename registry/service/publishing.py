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
from registry.core.canonical import canonicalize, parse_json
from registry.core.merkle import HASH_BYTES
from registry.core.notation import chain_text, hex_text, time_text
from registry.core.status import ENTRIES_PER_LIST
from registry.service import pinned
from registry.service.batching import Batch, Batching, BatchState
from registry.service.context import Context
from registry.service.declaring import Declaration, Declarations, erased_in
from registry.service.delays import DelayRecords
from registry.service.errors import ConflictError, NotFoundError
from registry.service.identities import Identities
from registry.service.issuers import SIGNS_HERE, Issuer, Issuers
from registry.service.promising import Promising
from registry.service.published import DOCUMENT, LISTING, STATES, TYPE, leaves_path
from registry.service.publishedissuers import (
    ISSUERS,
    ISSUERS_TYPE,
    MAX_ISSUERS_BYTES,
    document_path,
    list_path,
    template_path,
)
from registry.service.statuslists import StatusLists
from registry.service.templaterecords import TemplateRecords
from registry.standards.did.document import document_hash
from registry.standards.statuslist import PURPOSES

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
        self,
        context: Context,
        issuers: Issuers,
        batching: Batching,
        identities: Identities,
        lists: StatusLists,
        write: Callable[[Path, bytes], bool],
    ) -> None:
        self._context = context
        self._issuers = issuers
        self._batching = batching
        self._identities = identities
        self._lists = lists
        self._write = write
        self._templates = TemplateRecords(context)
        self._delays = DelayRecords(context)

    def publish(self, folder: Path) -> Publication:
        """Brings a folder up to date with all final batches; reads the leaves of new ones only.

        Raises ConflictError if the leaves in the database are not those that were anchored, or a template not the one
        that was used: they are not published.
        After the batches, so that these are there all the same, come the status lists: BusyError if their key cannot be
        opened, ChainUnreachable if the chain was not read yet.
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
        changed = self._write(folder / LISTING, canonicalize(listing))
        ends: dict[bytes, int] = {}
        for batch in final:
            address = addresses[batch.issuer_id]
            ends[address] = max(ends.get(address, 0), batch.first + batch.size)
        changed |= self._publish_issuers(folder, ends)
        return Publication(len(listed), written, changed)

    def _publish_issuers(self, folder: Path, ends: dict[bytes, int]) -> bool:
        """Documents, lists and templates first, then the listing that names them."""
        listed: list[dict[str, Any]] = []
        changed = False
        delays = self._delays.all()
        for issuer in sorted(self._issuers.all(), key=lambda item: item.address):
            entry: dict[str, Any] = {"issuer": hex_text(issuer.address), "did": issuer.did}
            try:
                document = self._identities.published(issuer)
            except NotFoundError:  # it publishes its document itself
                pass
            else:
                found = document_hash(parse_json(document))
                self._write_below(folder / document_path(issuer.address, found), document)
                entry["document"] = found.hex()
            if issuer.signs == SIGNS_HERE:
                entry["statusBase"] = issuer.status_base
                for number in range(-(-ends.get(issuer.address, 0) // ENTRIES_PER_LIST)):
                    for purpose in PURPOSES:
                        path = folder / list_path(issuer.address, purpose, number)
                        changed |= self._write_below(path, self._lists.current(issuer, purpose, number))
            entry["templates"] = self._publish_templates(folder, issuer)
            if issuer.id in delays:
                entry["declaredDelays"] = [
                    {"since": time_text(since)} | ({} if seconds is None else {"seconds": seconds})
                    for since, seconds in delays[issuer.id]
                ]
            listed.append(entry)
        listing = canonicalize(
            {
                "type": ISSUERS_TYPE,
                "version": 1,
                "issuers": listed,
                "contexts": pinned.listed(pinned.CONTEXTS),
                "schemas": pinned.listed(pinned.SCHEMAS),
            }
        )
        if len(listing) > MAX_ISSUERS_BYTES:
            raise ConflictError("too_large", f"{ISSUERS} would have {len(listing):,} bytes, more than auditors read.")
        return self._write(folder / ISSUERS, listing) or changed

    def _publish_templates(self, folder: Path, issuer: Issuer) -> list[dict[str, Any]]:
        """A file that is there in its size is what it was: only new ones are read."""
        listed = []
        for item in self._templates.of(issuer):
            path = folder / template_path(issuer.address, item.digest)
            if not path.is_file() or path.stat().st_size != item.size:
                self._write_below(path, self._templates.content(issuer, item.name, item.digest))
            listed.append(
                {
                    "name": item.name,
                    "url": item.url,
                    "sha256": item.digest.hex(),
                    "firstUsed": time_text(item.first_used_at),
                }
            )
        return listed

    def _write_below(self, path: Path, content: bytes) -> bool:
        path.parent.mkdir(parents=True, exist_ok=True)
        return self._write(path, content)

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
