"""What only the registry itself can audit: its tables, and what it would publish of its issuers at this moment."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from anchors.base import Chain
from registry.core.audit import BatchKey, Finding
from registry.core.audit_chain import ChainView
from registry.core.audit_published import PublishedBatch
from registry.service.auditissuers import IssuerAudit
from registry.service.auditrows import StoredIssuers, read_issuers
from registry.service.context import Context
from registry.service.identities import Identities
from registry.service.ownissuers import OwnIssuers
from registry.service.selfaudit import audit_database
from registry.service.statuslists import StatusLists

__all__ = ["OwnAudit"]


@dataclass(frozen=True, slots=True)
class OwnAudit:
    """An ``Inside``. Takes no password. ``first_block``: where the contract was deployed."""

    context: Context
    identities: Identities
    lists: StatusLists
    first_block: int

    def __call__(
        self,
        chain: Chain,
        view: ChainView,
        declared: Mapping[BatchKey, PublishedBatch],
        incomplete: list[str],
    ) -> Iterator[Finding]:
        """``declared``: what is published of batches. Raises ChainError."""
        yield from audit_database(self.context.database, chain, view, declared)
        material = OwnIssuers(self.context, self._issuers().good, self.identities, self.lists)
        audit = IssuerAudit(view, chain, self.first_block, incomplete)
        yield from audit.add(material, material.issuers(), set())

    def addresses(self) -> set[bytes]:
        """Those that this registry issues for, as far as its tables can be read."""
        return set(self._issuers().addresses.values())

    def _issuers(self) -> StoredIssuers:
        with self.context.database.read() as connection:
            return read_issuers(connection, [])  # what cannot be read is told with the tables
