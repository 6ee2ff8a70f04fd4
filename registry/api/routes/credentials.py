"""One credential at a time: accepting, looking up, changing its status, erasing; and the bundle, for anybody."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from registry.api.bodies import JsonBody, takes
from registry.api.caching import answer
from registry.api.cursors import decode_cursor, encode_cursor
from registry.api.openapi import errors
from registry.api.paths import CredentialId
from registry.api.ports import RegistryDep
from registry.api.problems import RequestError
from registry.api.schemas import CredentialIn, CredentialOut, CredentialPage, Receipt, StatusIn, StatusOut
from registry.api.security import AnyIssuer, IssueScope, StatusScope
from registry.api.views import Views
from registry.core.bundle import MEDIA_TYPE
from registry.service.catalogue import Catalogue
from registry.service.errors import InvalidError

router = APIRouter(prefix="/v1/credentials", tags=["credentials"])

# Without "#", which stands between an import's key and the number of a line.
IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200, pattern=r"^[!\"$-~]+$")
]
_LISTING = "credentials"


@router.post(
    "",
    status_code=202,
    openapi_extra=takes(CredentialIn),
    responses=errors(400, 401, 403, 408, 409, 413, 415, 422),
)
def submit_credential(
    registry: RegistryDep,
    issuer: IssueScope,
    body: Annotated[CredentialIn, Depends(JsonBody(CredentialIn))],
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Receipt:
    """Takes an unsigned credential; answers with an id and the time before which it will be anchored.

    The same request with the same Idempotency-Key gets the same answer.
    """
    with _inside("/credential"):
        accepted = registry.issuing.submit(issuer, body.credential, idempotency_key)
    receipt = Views(registry).receipt(accepted)
    response.headers["Location"] = receipt.links["self"]
    return receipt


@contextmanager
def _inside(prefix: str) -> Iterator[None]:
    """The service points into the credential; the client sent it inside of a document."""
    try:
        yield
    except InvalidError as error:
        message = str(error).removesuffix(f" (at {error.pointer})")
        raise RequestError(error.status, error.code, message, prefix + error.pointer) from error


@router.get("", responses=errors(400, 401, 403, 422))
def list_credentials(
    registry: RegistryDep,
    issuer: AnyIssuer,
    credential_id: Annotated[
        str | None, Query(alias="credentialId", max_length=2_048, description='only the one whose own "id" is this')
    ] = None,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> CredentialPage:
    """The caller's own credentials, in the order of their indexes.

    One that moves (its batch was displaced) can be seen twice, but none is missed.
    """
    catalogue, views = Catalogue(registry.context), Views(registry)
    if credential_id is not None:
        found = catalogue.find(issuer, credential_id) if credential_id.isprintable() else []
        return CredentialPage(credentials=[views.credential(item) for item in found], next=None)
    after = decode_cursor(_LISTING, cursor) if cursor else -1
    page = catalogue.page(issuer, after, limit + 1)
    following = encode_cursor(_LISTING, page[limit - 1].index) if len(page) > limit else None
    return CredentialPage(credentials=[views.credential(item) for item in page[:limit]], next=following)


@router.get("/{id}", responses=errors(401, 403, 404))
def read_credential(registry: RegistryDep, issuer: AnyIssuer, credential_id: CredentialId) -> CredentialOut:
    """How far one of the caller's own credentials has come."""
    return Views(registry).credential(Catalogue(registry.context).look_up(issuer, credential_id))


@router.post(
    "/{id}/status",
    status_code=202,
    openapi_extra=takes(StatusIn),
    responses=errors(400, 401, 403, 404, 408, 409, 410, 413, 415, 422),
)
def change_status(
    registry: RegistryDep,
    issuer: StatusScope,
    credential_id: CredentialId,
    body: Annotated[StatusIn, Depends(JsonBody(StatusIn))],
) -> StatusOut:
    """Revokes (for good), suspends or reinstates a credential. It stands on chain some minutes later.

    Revoking before sealing withdraws the credential: no bundle will ever be given out. Repeating the last request gives
    its state.
    """
    request = registry.status.request(issuer, credential_id, body.action, body.reason)
    return StatusOut(id=credential_id, action=request.action, state=request.state)  # type: ignore[arg-type]


@router.delete("/{id}", status_code=204, responses=errors(401, 403, 404, 410))
def erase_credential(registry: RegistryDep, issuer: StatusScope, credential_id: CredentialId) -> None:
    """Deletes a credential and its salt for good. The leaf stays; bundles that others hold stay verifiable."""
    registry.status.erase(issuer, credential_id)


@router.get(
    "/{id}/bundle",
    tags=["public"],
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/BundleIn"}}}},
        304: {"description": "Not Modified"},
        **errors(404, 409, 410),
    },
)
def read_bundle(registry: RegistryDep, credential_id: CredentialId, request: Request) -> Response:
    """The bundle, once its anchor is final. Whoever knows the id may have it."""
    headers = {
        # Personal data: kept by the asker only, who asks again each time, so that erasing shows at once.
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'attachment; filename="{credential_id}.bundle.json"',
    }
    return answer(request, registry.bundles.get(credential_id), MEDIA_TYPE, headers)
