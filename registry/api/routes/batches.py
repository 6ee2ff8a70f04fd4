"""Batches: public, with all that an auditor needs to recompute their roots."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from registry.api.caching import answer, entity_tag, is_known
from registry.api.cursors import decode_cursor, encode_cursor
from registry.api.openapi import errors
from registry.api.paths import BatchKey
from registry.api.ports import Registry, RegistryDep
from registry.api.schemas import BatchOut, BatchPage, Sealed
from registry.api.security import IssueScope
from registry.api.views import Views
from registry.core.policy import serialize_policy
from registry.service.batching import Batch, BatchState

router = APIRouter(prefix="/v1", tags=["batches"])

_LISTING = "batches"
_PACKED = "application/octet-stream"
_LEAF_BYTES = 32
_LEAVES_AT_ONCE = 1_000


@router.post("/batches/seal", responses=errors(401, 403, 422))
def seal_batches(
    registry: RegistryDep,
    issuer: IssueScope,
    release_reserved: Annotated[
        bool, Query(alias="releaseReserved", description="reservations that wait are given up and become tombstones")
    ] = False,
) -> Sealed:
    """Seals all that the caller has submitted so far, without waiting for size or age; none if nothing is open.

    A batch ends before the first reservation that still waits for its credential, unless those are released.
    """
    sealed = registry.batching.seal_all(issuer, release_reserved=release_reserved)
    return Sealed(batches=Views(registry).batches(sealed))


@router.get("/batches", tags=["public"], responses=errors(400, 404, 422))
def list_batches(
    registry: RegistryDep,
    issuer: Annotated[str | None, Query(max_length=63, description="only this issuer's, by name")] = None,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> BatchPage:
    """All batches, in the order in which they were sealed."""
    issuer_id = registry.issuers.look_up(issuer).id if issuer is not None else None
    after = decode_cursor(_LISTING, cursor) if cursor else 0
    page = registry.batching.page(issuer_id, after, limit + 1)
    views = Views(registry)
    return BatchPage(
        network=views.network(),
        batches=views.batches(page[:limit]),
        next=encode_cursor(_LISTING, page[limit - 1].id) if len(page) > limit else None,
    )


@router.get("/batches/{root}/{first}", tags=["public"], responses=errors(404))
def read_batch(registry: RegistryDep, key: BatchKey) -> BatchOut:
    """One batch, and where it is anchored."""
    return Views(registry).batch(_look_up(registry, key))


@router.get(
    "/batches/{root}/{first}/leaves",
    tags=["public"],
    response_class=Response,
    responses={
        200: {
            "content": {
                _PACKED: {"schema": {"type": "string", "format": "binary"}},
                "application/json": {"schema": {"$ref": "#/components/schemas/LeavesOut"}},
            }
        },
        304: {"description": "Not Modified"},
        **errors(404),
    },
)
def read_leaves(registry: RegistryDep, key: BatchKey, request: Request) -> Response:
    """The leaf hashes in order: 32 bytes each, packed; or as a list of hex, for `Accept: application/json`.

    Their root is the batch's root, so they can never change.
    """
    batch = _look_up(registry, key)
    as_json = _prefers_json(request.headers.get("accept", ""))
    tag = entity_tag(batch.root, b"json" if as_json else b"packed")
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept", "ETag": tag}
    if not as_json:
        return answer(request, registry.batching.leaves(batch), _PACKED, headers, tag)
    if is_known(request, tag):
        return Response(status_code=304, headers=headers)
    return StreamingResponse(_as_json(registry.batching.leaves(batch)), media_type="application/json", headers=headers)


def _look_up(registry: Registry, key: tuple[bytes, int]) -> Batch:
    """Two batches share root and first index only if they are the same; a displaced one counts last."""
    return min(registry.batching.look_up(*key), key=lambda batch: batch.state is BatchState.DISPLACED)


def _prefers_json(accept: str) -> bool:
    """Packed, unless JSON is named and packed is not."""
    named = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    return "application/json" in named and _PACKED not in named


def _as_json(packed: bytes) -> Iterator[bytes]:
    """In pieces: as text the leaves of a large batch take more than twice their bytes."""
    yield b'{"leaves":['
    step = _LEAVES_AT_ONCE * _LEAF_BYTES
    for start in range(0, len(packed), step):
        piece = packed[start : start + step]
        texts = (f'"{piece[at : at + _LEAF_BYTES].hex()}"' for at in range(0, len(piece), _LEAF_BYTES))
        yield ((b"," if start else b"") + ",".join(texts).encode())
    yield b"]}"


@router.get(
    "/policy",
    tags=["public"],
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}, **errors()},
)
def read_policy(registry: RegistryDep, request: Request) -> Response:
    """What this registry's own verdicts trust, as a policy file for `registry verify --policy`.

    Trusting it is the reader's choice: a verifier with a list of its own should use that.
    """
    return answer(
        request, serialize_policy(registry.policy()), "application/json", {"Cache-Control": "public, no-cache"}
    )
