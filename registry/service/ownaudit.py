"""What only the registry itself can audit: its tables, and what it would publish of its issuers at this moment."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from anchors.base import Chain
from registry.core.audit import BatchKey, Finding
from registry.core.audit_chain import ChainView
from registry.core.audit_published import PublishedBatch
from registry.service.auditissuers import IssuerAudit
from registry.service.context import Context
from registry.service.identities import Identities
from registry.service.issuers import Issuers
from registry.service.ownissuers import OwnIssuers
from registry.service.selfaudit import audit_database
from registry.service.statuslists import StatusLists
from registry.store.database import unreadable

__all__ = ["OwnAudit"]


@dataclass(frozen=True, slots=True)
class OwnAudit:
    """An ``Inside``. Takes no password. ``first_block``: where the contract was deployed."""

    context: Context
    issuers: Issuers
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
        material = OwnIssuers(self.context, self.issuers, self.identities, self.lists)
        audit = IssuerAudit(view, chain, self.first_block, incomplete)
        try:
            yield from audit.add(material, material.issuers(), set())
        except DBAPIError as error:
            reason = unreadable(error)
            if reason is None:
                raise
            incomplete.append(f"What this registry tells of its issuers was not audited: {reason}.")
