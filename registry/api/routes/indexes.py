"""Reserving indexes, for credentials that their issuer secures itself."""

from typing import Annotated

from fastapi import APIRouter, Depends

from registry.api.bodies import JsonBody, takes
from registry.api.openapi import errors
from registry.api.ports import RegistryDep
from registry.api.schemas import IndexesIn, IndexesOut, ReservationOut
from registry.api.security import IssueScope
from registry.core.notation import time_text

router = APIRouter(prefix="/v1/indexes", tags=["credentials"])


@router.post(
    "",
    status_code=201,
    openapi_extra=takes(IndexesIn),
    responses=errors(400, 401, 403, 408, 409, 413, 415, 422),
)
def reserve_indexes(
    registry: RegistryDep, issuer: IssueScope, body: Annotated[IndexesIn, Depends(JsonBody(IndexesIn))]
) -> IndexesOut:
    """Reserves indexes, so that a credential can carry its status entry under the issuer's own signature.

    Hand the credential in before ``until``; what is not used by then becomes a tombstone.
    """
    return IndexesOut(
        reservations=[
            ReservationOut(id=item.id, index=item.index, until=time_text(item.until), credential_status=item.status)
            for item in registry.reserving.reserve(issuer, body.count)
        ]
    )
