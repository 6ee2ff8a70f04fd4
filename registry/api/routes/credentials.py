"""One credential at a time: accepting, looking up, changing its status, erasing; and the bundle, for anybody."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from registry.api.bodies import JsonBody, takes
from registry.api.caching import answer
from registry.api.cursors import decode_cursor, encode_cursor
from registry.api.openapi import errors
from registry.api.paths import CredentialId
from registry.api.ports import RegistryDep
from registry.api.problems import RequestError, problem_of
from registry.api.schemas import CredentialIn, CredentialOut, CredentialPage, ProofOut, Receipt, StatusIn, StatusOut
from registry.api.security import AnyIssuer, IssueScope, StatusScope
from registry.api.views import Views
from registry.core.bundle import MEDIA_TYPE
from registry.core.errors import ShapeError
from registry.service.catalogue import Catalogue
from registry.service.errors import InvalidError
from registry.service.intake import Submission
from registry.service.templaterecords import template_version
from registry.service.templates import fill_template

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
    """Takes a credential in one of four forms; answers with an id and the time before which it will be anchored.

    Unsigned, secured by its issuer (the proofs are verified, and it is never altered), a template with a learner's
    data, or a bare commitment. The same request with the same Idempotency-Key gets the same answer.
    """
    submission, inside = _submission(body, idempotency_key)
    registry.promising.unlock()
    with _inside(inside):
        if body.supersedes is None:
            accepted = registry.issuing.take(issuer, submission)
        else:
            accepted = registry.correcting.supersede(issuer, body.supersedes, submission, body.reason)
    receipt = Views(registry).receipt(issuer, accepted)
    response.headers["Location"] = receipt.links["self"]
    return receipt


def _submission(body: CredentialIn, key: str | None) -> tuple[Submission, str]:
    """What was sent, and the JSON pointer of the credential in it."""
    given = [name for name in ("credential", "template", "commitment") if getattr(body, name) is not None]
    if len(given) != 1 or (body.template is None) != (body.data is None):
        message = "Send exactly one of credential, template (with data), and commitment (with reservation)."
        raise RequestError(422, "invalid_body", message)
    if body.template is None and body.template_name is not None:
        raise RequestError(422, "invalid_body", "There is no template that it could name.", "/templateName")
    if body.template is not None:
        try:
            filled = fill_template(body.template, body.data or {})
            version = template_version(body.template, body.template_name)
        except ShapeError as error:
            raise _refusal(error, "/template") from error
        return Submission(filled, key, reservation=body.reservation, template=version), "/template"
    if body.commitment is not None:
        return Submission(None, key, commitment=bytes.fromhex(body.commitment), reservation=body.reservation), ""
    return Submission(body.credential, key, reservation=body.reservation), "/credential"


@contextmanager
def _inside(prefix: str) -> Iterator[None]:
    """The service points into the credential; the client sent it inside of a document."""
    try:
        yield
    except InvalidError as error:
        raise _refusal(error, prefix) from error


def _refusal(error: InvalidError | ShapeError, prefix: str) -> RequestError:
    problem = problem_of(error, prefix)
    return RequestError(problem.status, problem.code, problem.detail, problem.pointer, problem.errors)


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


@router.get("/{id}/promise", responses=errors(401, 403, 404))
def read_promise(registry: RegistryDep, issuer: AnyIssuer, credential_id: CredentialId) -> dict[str, Any]:
    """The registry's signed promise for one of the caller's credentials, over the leaf that it has now."""
    return registry.promising.again(issuer, credential_id)


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

    Revoking before sealing withdraws the credential, unless others may have it already: no bundle will ever be given
    out. Repeating the last request gives its state.
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


@router.get("/{id}/proof", tags=["public"], responses=errors(404, 409, 410))
def read_proof(registry: RegistryDep, credential_id: CredentialId) -> ProofOut:
    """Inclusion and anchors alone, once final: whoever has the credential and its salt completes the bundle."""
    proof = registry.bundles.proof(credential_id)
    return ProofOut(inclusion=proof["inclusion"], anchors=proof["anchors"], issuer_document=proof.get("issuerDocument"))
