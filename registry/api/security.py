"""Who is asking: API keys, sent as ``Authorization: Bearer crk_…`` and in no other way."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from registry.api.ports import RegistryDep
from registry.service.errors import ForbiddenError
from registry.service.issuers import OPERATOR_SCOPE, Caller, Issuer

__all__ = ["AnyIssuer", "CallerDep", "IssueScope", "Operator", "StatusScope", "VcIssueScope", "VcStatusScope"]

_bearer = HTTPBearer(
    scheme_name="ApiKey",
    bearerFormat="crk_…",
    description="An API key of an issuer (scopes `issue`, `status`) or of the operator (scope `operator`).",
    auto_error=False,
)


def _caller(
    registry: RegistryDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    return registry.issuers.authenticate(credentials.credentials if credentials else None)


CallerDep = Annotated[Caller, Depends(_caller)]


def _operator(caller: CallerDep) -> Caller:
    caller.require(OPERATOR_SCOPE)
    return caller


def _issuer(registry: RegistryDep, caller: CallerDep) -> Issuer:
    if caller.issuer_id is None:
        raise ForbiddenError("scope", "This is for issuers; the operator's API key is not.")
    return registry.issuers.by_id(caller.issuer_id)


def _issuer_with(scope: str) -> Callable[[RegistryDep, CallerDep], Issuer]:
    def issuer_with_scope(registry: RegistryDep, caller: CallerDep) -> Issuer:
        caller.require(scope)
        return _issuer(registry, caller)

    return issuer_with_scope


def _vc_issuer_with(scope: str) -> Callable[..., Issuer]:
    """For the VC API: without any key, whoever asks may be the issuer of VC_API_ISSUER, where that is set."""

    def vc_issuer(
        registry: RegistryDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Issuer:
        name = registry.settings.vc_api_issuer
        if credentials is None and name is not None:
            return registry.issuers.look_up(name)
        caller = _caller(registry, credentials)
        caller.require(scope)
        return _issuer(registry, caller)

    return vc_issuer


Operator = Annotated[Caller, Depends(_operator)]
AnyIssuer = Annotated[Issuer, Depends(_issuer)]
IssueScope = Annotated[Issuer, Depends(_issuer_with("issue"))]
StatusScope = Annotated[Issuer, Depends(_issuer_with("status"))]
VcIssueScope = Annotated[Issuer, Depends(_vc_issuer_with("issue"))]
VcStatusScope = Annotated[Issuer, Depends(_vc_issuer_with("status"))]
