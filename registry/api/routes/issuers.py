"""Issuers and their API keys: made by the operator, read by anybody."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from registry.api.bodies import JsonBody, takes
from registry.api.openapi import errors
from registry.api.paths import KeyId
from registry.api.ports import RegistryDep
from registry.api.schemas import (
    ApiKeyOut,
    DelayIn,
    IssuerCreated,
    IssuerIn,
    IssuerOut,
    IssuersOut,
    KeyIn,
    RotateIn,
    RotationOut,
    TemplatesOut,
)
from registry.api.security import Operator
from registry.api.views import Views
from registry.service.delays import DelayRecords
from registry.service.errors import InvalidError
from registry.service.issuers import SCOPES, SELF

router = APIRouter(prefix="/v1/issuers", tags=["issuers"])


@router.post(
    "",
    status_code=201,
    openapi_extra=takes(IssuerIn),
    responses=errors(400, 401, 403, 408, 409, 413, 415, 422),
)
def create_issuer(
    registry: RegistryDep,
    _operator: Operator,
    body: Annotated[IssuerIn, Depends(JsonBody(IssuerIn))],
    response: Response,
) -> IssuerCreated:
    """Makes an issuer and its first API key (scopes issue and status), which is shown this once.

    If the answer gets lost, the issuer is there all the same: make it another key.
    """
    if body.mode == SELF:
        if body.address is None:
            raise InvalidError("address", "An issuer that signs itself needs its address.", "/address")
        address = bytes.fromhex(body.address[2:])
        issuer = registry.hosting.create_self(
            body.name, address, body.did, signs=body.signs, document=body.did_document
        )
    else:
        if body.address is not None:
            raise InvalidError("address", "A hosted issuer's address is made here; leave it out.", "/address")
        issuer = registry.hosting.create(body.name, body.did, signs=body.signs, document=body.did_document)
    key = registry.issuers.create_key(issuer, SCOPES, "first")
    views = Views(registry)
    response.headers["Location"] = f"{registry.context.rules.public_url}/v1/issuers/{issuer.name}"
    return IssuerCreated(issuer=views.issuer(issuer), api_key=views.api_key(key))


@router.get("", responses=errors())
def list_issuers(registry: RegistryDep) -> IssuersOut:
    """All issuers, oldest first: auditors look for the DID documents, status lists and templates of each."""
    return Views(registry).issuers(registry.issuers.all())


@router.get("/{name}", responses=errors(404))
def read_issuer(registry: RegistryDep, name: str) -> IssuerOut:
    """Who this issuer is: its DID, its address, and the pin for a verifier's policy that ties the two together."""
    return Views(registry).issuer(registry.issuers.look_up(name))


@router.get("/{name}/templates", responses=errors(404))
def list_templates(registry: RegistryDep, name: str) -> TemplatesOut:
    """All versions of the templates that this issuer's credentials were made from, in the order of their first use."""
    return Views(registry).templates(registry.issuers.look_up(name))


@router.post(
    "/{name}/keys",
    status_code=201,
    openapi_extra=takes(KeyIn),
    responses=errors(400, 401, 403, 404, 408, 413, 415, 422),
)
def create_key(
    registry: RegistryDep, _operator: Operator, name: str, body: Annotated[KeyIn, Depends(JsonBody(KeyIn))]
) -> ApiKeyOut:
    """Makes another API key of an issuer; it is shown this once."""
    key = registry.issuers.create_key(registry.issuers.look_up(name), body.scopes, body.label)
    return Views(registry).api_key(key)


@router.delete("/{name}/keys/{id}", status_code=204, responses=errors(401, 403, 404))
def end_key(registry: RegistryDep, _operator: Operator, name: str, key_id: KeyId) -> None:
    """Ends an API key at once."""
    registry.issuers.revoke_key(key_id, registry.issuers.look_up(name))


@router.post("/{name}/authorize", status_code=202, responses=errors(401, 403, 404, 409))
def authorize_issuer(registry: RegistryDep, _operator: Operator, name: str) -> IssuerOut:
    """Gives the operator's account its key of a hosted issuer again, where the first signature ran out unused."""
    issuer = registry.issuers.look_up(name)
    registry.hosting.authorize(issuer)
    return Views(registry).issuer(issuer)


@router.post("/{name}/claim", status_code=202, responses=errors(400, 401, 403, 404, 409))
def claim_document(registry: RegistryDep, _operator: Operator, name: str) -> IssuerOut:
    """Has the issuer's DID document of today claimed on chain. An issuer that signs itself finds the call to sign."""
    issuer = registry.issuers.look_up(name)
    registry.hosting.claim(issuer)
    return Views(registry).issuer(issuer)


@router.post(
    "/{name}/delay",
    openapi_extra=takes(DelayIn),
    responses=errors(400, 401, 403, 404, 408, 409, 413, 415, 422),
)
def declare_delay(
    registry: RegistryDep, _operator: Operator, name: str, body: Annotated[DelayIn, Depends(JsonBody(DelayIn))]
) -> IssuerOut:
    """Declares within which time after validFrom the issuer anchors, from now on; auditors hold it to that."""
    issuer = registry.issuers.look_up(name)
    DelayRecords(registry.context).declare(issuer, body.seconds)
    return Views(registry).issuer(issuer)


@router.post(
    "/{name}/rotate",
    status_code=202,
    openapi_extra=takes(RotateIn),
    responses=errors(400, 401, 403, 404, 408, 409, 413, 415, 422),
)
def rotate_key(
    registry: RegistryDep, _operator: Operator, name: str, body: Annotated[RotateIn, Depends(JsonBody(RotateIn))]
) -> RotationOut:
    """Replaces the key with which the issuer's credentials are signed, and has the new DID document claimed."""
    rotation = registry.hosting.rotate(registry.issuers.look_up(name), compromised=body.compromised)
    return RotationOut(key=rotation.key, claimed=rotation.claimed, resigned=rotation.resigned, note=rotation.note)
