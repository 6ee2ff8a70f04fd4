"""The registry audits itself now and then, and keeps the last report where everybody may read it.

It is the registry's own word about itself, made of its own node, tables and leaves: good for finding one's own faults,
and no evidence for anybody else. Row ids stay out of it: knowing one gives the bundle.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from registry.core.audit import BatchKey, Level
from registry.core.audit_published import PublishedBatch
from registry.core.errors import RegistryError
from registry.service.auditing import Auditing, AuditReport, NamedChain, report_to_json
from registry.service.auditrows import any_bytes, as_they_are, bytes_of, number_of
from registry.service.batching import Batch, Batching, BatchState
from registry.service.context import Context
from registry.service.declaring import Declarations
from registry.service.health import get_property, set_property
from registry.service.issuers import Issuers
from registry.service.ownaudit import OwnAudit
from registry.service.ownissuers import made_of_tables
from registry.service.published import Listing
from registry.store.tables import batches

__all__ = ["SelfAudit"]

_REPORT, _STARTED = "self_audit", "self_audit_started"
_SHOWN = 1_000  # findings that are kept; the counts are of all
_PAGE = 1_000

_log = logging.getLogger(__name__)


class OwnMaterial:
    """What this registry would publish now, from its own tables."""

    name = "this registry"

    def __init__(self, context: Context, issuers: Issuers, batching: Batching) -> None:
        self._context = context
        self._issuers = issuers
        self._batching = batching
        self._batches: dict[BatchKey, Batch] = {}

    def listing(self) -> Listing:
        with made_of_tables("the list of batches"):
            listed = tuple(self._listed())
        chain = self._context.chain
        return Listing(chain.chain_id, chain.contract, listed)

    def _listed(self) -> Iterator[PublishedBatch]:
        addresses = {issuer.id: issuer.address for issuer in self._issuers.all()}
        after, final = 0, []
        while page := self._batching.page(None, after, _PAGE):
            after = page[-1].id
            final += [batch for batch in page if batch.state in (BatchState.ANCHORED, BatchState.FINAL)]
        declared = Declarations(self._context).of(final)
        for batch in final:
            place = f"batch {batch.id}"
            address, root = bytes_of(addresses[batch.issuer_id], 20, place), bytes_of(batch.root, 32, place)
            key = BatchKey(address, number_of(batch.first, place), root)
            self._batches[key] = batch
            said = declared[batch.id]
            yield PublishedBatch(
                key,
                number_of(batch.size, place),
                revoked=said.voided,
                accepted_from=said.accepted_from,
                declared_delay=said.declared_delay,
            )

    def leaves(self, key: BatchKey, size: int) -> bytes | None:
        del size  # they are what they are
        batch = self._batches.get(key)
        if batch is None:
            return None
        query = select(*as_they_are(batches, "leaves")).where(batches.c.id == batch.id)
        with made_of_tables("leaves"), self._context.database.read() as connection:
            return any_bytes(connection.execute(query).scalar_one())

    def own_document(self) -> bytes | None:
        return None  # nobody hands in promises here


@dataclass(frozen=True, slots=True)
class SelfAudit:
    """``every``: seconds from one to the next, 0 for never.

    Made by the one worker while it has nothing else to do, read by anybody.
    """

    context: Context
    issuers: Issuers
    batching: Batching
    inside: OwnAudit
    every: int

    def run_if_due(self) -> bool:
        """Whether it made one. The start is noted first: should it fail, it does not begin again at once.

        A fault of it stops no worker: the report says that nothing was audited, and the log says why. What the worker
        has to know itself (no node, no database) is raised.
        """
        if not self.every or not self._due():
            return False
        with self.context.database.write() as connection:
            set_property(connection, _STARTED, str(self.context.clock()))
        try:
            self._keep(self._audit())
        except (RegistryError, DBAPIError):
            raise
        except Exception as error:
            _log.exception("The registry's audit of itself failed. The next one is due in %d s.", self.every)
            self._keep(self._failed(type(error).__name__))
        return True

    def last(self) -> dict[str, Any] | None:
        """The last report as JSON; None if none was made yet."""
        with self.context.database.read() as connection:
            value = get_property(connection, _REPORT)
        found: dict[str, Any] | None = None if value is None else json.loads(value)
        return found

    def _due(self) -> bool:
        with self.context.database.read() as connection:
            started = get_property(connection, _STARTED)
        try:
            return started is None or not 0 <= self.context.clock() - int(started) < self.every
        except ValueError:  # the tables may hold anything
            return True

    def _audit(self) -> dict[str, Any]:
        context = self.context
        auditing = Auditing(
            chains=[NamedChain("this registry's node", context.chain)],
            materials=[OwnMaterial(context, self.issuers, self.batching)],
            first_block=self.inside.first_block,
            issuers=frozenset(self.inside.addresses()),
            named=False,
        )
        report = auditing.run(lambda chain, view, _declared, incomplete: self.inside(chain, view, {}, incomplete))
        document = report_to_json(report, context.clock())
        findings = document["findings"][:_SHOWN]
        for finding in findings:
            if finding["level"] == Level.DATABASE.value:
                finding["where"].pop("source", None)
        return {**document, "findings": findings}

    def _failed(self, reason: str) -> dict[str, Any]:
        chain = self.context.chain
        said = f"The audit failed ({reason}), and nothing was audited: the worker's log tells more."
        report = AuditReport(chain.chain_id, chain.contract, None, None, 0, 0, 0, None, 0, 0, (), (said,))
        return report_to_json(report, self.context.clock())

    def _keep(self, document: dict[str, Any]) -> None:
        with self.context.database.write() as connection:
            set_property(connection, _REPORT, json.dumps(document))  # an index may be any number
