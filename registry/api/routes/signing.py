"""Issuers that sign for themselves: what waits for their signature, and handing it in."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from anchors.base import Signature
from registry.api.bodies import JsonBody, takes
from registry.api.openapi import errors
from registry.api.paths import RequestId
from registry.api.ports import RegistryDep
from registry.api.schemas import SignatureIn, SigningRequests
from registry.api.security import AnyIssuer
from registry.api.views import Views

router = APIRouter(prefix="/v1/signing-requests", tags=["signing"])


@router.get("", responses=errors(401, 403))
def list_signing_requests(registry: RegistryDep, issuer: AnyIssuer) -> SigningRequests:
    """The contract calls that wait for the caller's signature, oldest first."""
    views = Views(registry)
    requests = [views.signing_request(request) for request in registry.signing.requests(issuer)]
    return SigningRequests(network=views.network(), requests=requests)


@router.post(
    "/{id}",
    status_code=202,
    response_class=Response,
    openapi_extra=takes(SignatureIn),
    responses=errors(400, 401, 403, 404, 408, 409, 413, 415, 422),
)
def submit_signature(
    registry: RegistryDep,
    issuer: AnyIssuer,
    request_id: RequestId,
    body: Annotated[SignatureIn, Depends(JsonBody(SignatureIn))],
) -> Response:
    """Takes an EIP-712 signature over the call; the operator sends it and pays."""
    signature = Signature(bytes.fromhex(body.signer[2:]), body.deadline, bytes.fromhex(body.signature[2:]))
    registry.signing.submit(request_id, signature, issuer)
    return Response(status_code=202)
