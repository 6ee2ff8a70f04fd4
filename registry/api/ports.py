"""What the API is given: the parts of one registry, put together elsewhere (registry.wiring)."""

from typing import Annotated, Protocol

from fastapi import Depends, Request

from registry.core.model import Policy
from registry.service.batching import Batching
from registry.service.bundles import Bundles
from registry.service.context import Context
from registry.service.correcting import Correcting
from registry.service.health import Health
from registry.service.hosting import Hosting
from registry.service.identities import Identities
from registry.service.issuers import Issuers
from registry.service.issuing import Issuing
from registry.service.judging import Judging
from registry.service.promising import Promising
from registry.service.reserving import Reserving
from registry.service.selfauditing import SelfAudit
from registry.service.signing import Signing
from registry.service.status import StatusService
from registry.service.statuslists import StatusLists
from registry.service.verifying import Verifier
from registry.service.worker import Worker

__all__ = ["Registry", "RegistryDep", "Settings"]


class Settings(Protocol):
    """The settings that the API reads."""

    @property
    def poll_seconds(self) -> float: ...
    @property
    def vc_api_issuer(self) -> str | None: ...


class Registry(Protocol):
    """All parts may be called from several threads at once; the worker is for one thread."""

    @property
    def settings(self) -> Settings: ...
    @property
    def context(self) -> Context: ...
    @property
    def issuers(self) -> Issuers: ...
    @property
    def identities(self) -> Identities: ...
    @property
    def hosting(self) -> Hosting: ...
    @property
    def signing(self) -> Signing: ...
    @property
    def issuing(self) -> Issuing: ...
    @property
    def promising(self) -> Promising: ...
    @property
    def reserving(self) -> Reserving: ...
    @property
    def correcting(self) -> Correcting: ...
    @property
    def batching(self) -> Batching: ...
    @property
    def status(self) -> StatusService: ...
    @property
    def status_lists(self) -> StatusLists: ...
    @property
    def bundles(self) -> Bundles: ...
    @property
    def verifier(self) -> Verifier: ...
    @property
    def judging(self) -> Judging: ...
    @property
    def health(self) -> Health: ...

    @property
    def self_audit(self) -> SelfAudit: ...

    def policy(self) -> Policy: ...

    def worker(self) -> Worker: ...


async def _registry(request: Request) -> Registry:  # async: it needs no thread
    registry: Registry = request.app.state.registry
    return registry


RegistryDep = Annotated[Registry, Depends(_registry)]
