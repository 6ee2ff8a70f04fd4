"""From the service's values to what goes over the wire."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from anchors.networks import end_warning
from registry.api import schemas
from registry.api.ports import Registry
from registry.core.declared import DeclaredDelays
from registry.core.model import ChainClass
from registry.core.notation import chain_text, hex_text, time_text
from registry.service import operations, pinned
from registry.service.batching import Batch, BatchState
from registry.service.catalogue import CredentialState
from registry.service.declaring import Declaration, Declarations
from registry.service.delays import DelayRecords
from registry.service.issuers import SIGNS_HERE, ApiKey, Issuer
from registry.service.issuing import Accepted
from registry.service.signing import SigningRequest
from registry.service.templaterecords import TemplateRecords
from registry.standards.statuslist import PURPOSES

__all__ = ["MARKS", "Views"]

MARKS = {
    ChainClass.PRODUCTION: None,
    ChainClass.TEST: "TEST NETWORK: it can end or be rewritten; its anchors prove little to a stranger.",
    ChainClass.DEV: "DEVELOPMENT CHAIN, no real one: whoever runs it can write anything into it.",
}


class Views:
    """Made for one request."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._names: dict[int, Issuer] = {}
        self._declared: dict[int, Declaration] = {}
        self._base = f"{registry.context.rules.public_url}/v1"

    def network(self) -> schemas.NetworkOut:
        context = self._registry.context
        network, chain = context.network, context.chain
        return schemas.NetworkOut(
            chain=chain_text(chain.chain_id),
            contract=hex_text(chain.contract),
            name=network.name,
            network_class=network.chain_class.value,
            mark=MARKS[network.chain_class],
            explorer=network.explorer,
            expected_end=network.expected_end,
            warning=end_warning(network, datetime.fromtimestamp(context.clock(), UTC).date()),
        )

    def issuer(self, issuer: Issuer, delays: Mapping[int, DeclaredDelays] | None = None) -> schemas.IssuerOut:
        """``delays``: what issuers declared, where that was read already."""
        if delays is None:
            delays = DelayRecords(self._registry.context).all()
        return schemas.IssuerOut(
            name=issuer.name,
            did=issuer.did,
            address=hex_text(issuer.address),
            mode="hosted" if issuer.mode == "hosted" else "self",
            signs="hosted" if issuer.signs == "hosted" else "none",
            network=self.network(),
            policy_pin=schemas.PinOut(
                did=issuer.did, address=hex_text(issuer.address), status_base=issuer.pin.status_base
            ),
            declared_delays=[
                schemas.DeclaredDelayOut(since=time_text(since), seconds=seconds)
                for since, seconds in delays.get(issuer.id, ())
            ],
            created_at=time_text(issuer.created_at),
            links=self._issuer_links(issuer),
        )

    def issuers(self, issuers: Sequence[Issuer]) -> schemas.IssuersOut:
        delays = DelayRecords(self._registry.context).all()
        return schemas.IssuersOut(
            issuers=[self.issuer(issuer, delays) for issuer in issuers],
            contexts=[schemas.PinnedOut(**item) for item in pinned.listed(pinned.CONTEXTS)],
            schemas=[schemas.PinnedOut(**item) for item in pinned.listed(pinned.SCHEMAS)],
        )

    def templates(self, issuer: Issuer) -> schemas.TemplatesOut:
        found = TemplateRecords(self._registry.context).of(issuer)
        return schemas.TemplatesOut(
            templates=[
                schemas.TemplateOut(
                    name=item.name, url=item.url, sha256=item.digest.hex(), first_used=time_text(item.first_used_at)
                )
                for item in found
            ]
        )

    def _issuer_links(self, issuer: Issuer) -> dict[str, str]:
        links = {
            "self": f"{self._base}/issuers/{issuer.name}",
            "batches": f"{self._base}/batches?issuer={issuer.name}",
            "templates": f"{self._base}/issuers/{issuer.name}/templates",
            "didDocument": f"{self._registry.context.rules.public_url}/issuers/{issuer.name}/did.json",
        }
        if issuer.signs == SIGNS_HERE:
            links |= {purpose: f"{issuer.status_base}/{purpose}/0" for purpose in PURPOSES}
        return links

    def api_key(self, key: ApiKey) -> schemas.ApiKeyOut:
        return schemas.ApiKeyOut(id=key.id, secret=key.secret, scopes=list(key.scopes))

    def receipt(self, issuer: Issuer, accepted: Accepted) -> schemas.Receipt:
        return schemas.Receipt(
            id=accepted.id,
            anchored_before=time_text(accepted.promised_at),
            repeated=accepted.repeated,
            unmapped=list(accepted.unmapped),
            promise=self._registry.promising.promise(issuer, accepted),
            links=self.credential_links(accepted.id),
        )

    def credential_links(self, credential_id: str) -> dict[str, str]:
        own = f"{self._base}/credentials/{credential_id}"
        return {"self": own, "status": f"{own}/status", "bundle": f"{own}/bundle", "promise": f"{own}/promise"}

    def credential(self, state: CredentialState) -> schemas.CredentialOut:
        batch = state.batch
        live = batch.state.value if batch else "ACCEPTED"
        return schemas.CredentialOut(
            id=state.id,
            credential_id=state.external_id,
            state=live if state.state == "LIVE" else state.state,  # type: ignore[arg-type] # pydantic checks it
            accepted_at=time_text(state.accepted_at),
            anchored_before=time_text(state.promised_at),
            index=state.index if batch and batch.state is BatchState.FINAL else None,
            batch=self.batch(batch) if batch else None,
            waits_for=batch.note if batch else None,
            status_requests=[
                schemas.StatusRequestOut(
                    action=request.action,
                    state=request.state,  # type: ignore[arg-type] # pydantic checks it
                    reason=request.reason,
                    requested_at=time_text(request.requested_at),
                )
                for request in state.requests
            ],
            links=self.credential_links(state.id),
        )

    def batches(self, batches: Sequence[Batch]) -> list[schemas.BatchOut]:
        """With what is declared of them read at once."""
        self._declared |= Declarations(self._registry.context).of(batches)
        return [self.batch(batch) for batch in batches]

    def batch(self, batch: Batch) -> schemas.BatchOut:
        if batch.id not in self._declared:
            self._declared |= Declarations(self._registry.context).of([batch])
        declared = self._declared[batch.id]
        issuer = self._issuer(batch.issuer_id)
        own = f"{self._base}/batches/{batch.root.hex()}/{batch.first}"
        return schemas.BatchOut(
            issuer=issuer.name,
            root=batch.root.hex(),
            first=batch.first,
            size=batch.size,
            state=batch.state.value,
            sealed_at=time_text(batch.sealed_at),
            anchor=self._anchor(batch, issuer),
            voided=declared.voided,
            accepted_from=None if declared.accepted_from is None else time_text(declared.accepted_from),
            declared_delay_seconds=declared.declared_delay,
            links={"self": own, "leaves": f"{own}/leaves", "issuer": f"{self._base}/issuers/{quote(issuer.name)}"},
        )

    def _anchor(self, batch: Batch, issuer: Issuer) -> schemas.AnchorOut | None:
        if batch.anchored_at is None or batch.block_number is None:
            return None
        return schemas.AnchorOut(
            network=self.network(),
            issuer=hex_text(issuer.address),
            anchored_at=time_text(batch.anchored_at),
            block_number=batch.block_number,
            block_hash=hex_text(batch.block_hash) if batch.block_hash else None,
            transaction=hex_text(batch.transaction) if batch.transaction else None,
            final=batch.state is BatchState.FINAL,
        )

    def signing_request(self, request: SigningRequest) -> schemas.SigningRequestOut:
        return schemas.SigningRequestOut(
            id=request.id,
            issuer=request.issuer.name,
            kind=request.kind,
            chain=chain_text(request.chain_id),
            contract=hex_text(request.contract),
            call=operations.call_to_json(request.call),
            note=request.note,
        )

    def _issuer(self, issuer_id: int) -> Issuer:
        if issuer_id not in self._names:
            self._names[issuer_id] = self._registry.issuers.by_id(issuer_id)
        return self._names[issuer_id]
