"""Many credentials at once, as NDJSON; of any number, in a fixed amount of memory."""

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from registry.api.bodies import check_media_type, read_chunks
from registry.api.importing import Imports, SpoolResponse
from registry.api.openapi import errors
from registry.api.ports import RegistryDep
from registry.api.routes.credentials import IdempotencyKey
from registry.api.security import IssueScope

router = APIRouter(prefix="/v1/credentials", tags=["credentials"])

NDJSON = "application/x-ndjson"
_ACCEPTED = (NDJSON, "application/ndjson", "application/jsonl", "application/x-jsonlines")


@router.post(
    "/import",
    response_class=StreamingResponse,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {NDJSON: {"schema": {"type": "string", "description": "one unsigned credential a line"}}},
        }
    },
    responses={
        200: {"content": {NDJSON: {"schema": {"$ref": "#/components/schemas/ImportLine"}}}},
        **errors(401, 403, 408, 409, 415, 422),
    },
)
async def import_credentials(
    registry: RegistryDep, issuer: IssueScope, request: Request, idempotency_key: IdempotencyKey = None
) -> StreamingResponse:
    """Takes one credential a line; answers with one line for each, and a summary as the last one.

    A broken line is named and the rest taken. Repeated with the same Idempotency-Key, what was taken before is not
    taken again. The answer begins when the last line was read.
    """
    check_media_type(request, _ACCEPTED.__contains__, NDJSON)
    imports: Imports = request.app.state.imports
    max_line = registry.context.rules.max_credential_bytes
    spool = await imports.run(
        registry.issuing, registry.promising, issuer, read_chunks(request), idempotency_key, max_line
    )
    return SpoolResponse(spool, NDJSON)
