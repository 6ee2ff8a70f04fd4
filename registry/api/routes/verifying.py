"""Verifying, for anybody. Nothing that is sent here is stored or logged."""

from collections.abc import Callable
from typing import Annotated, Any

import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request, Response

from registry.api.bodies import JsonBody, takes
from registry.api.openapi import errors
from registry.api.ports import RegistryDep
from registry.api.problems import problem_of
from registry.api.schemas import BundleIn, BundlesIn, VerdictOut, VerdictsOut
from registry.core.bundle import MEDIA_TYPE, read_bundle
from registry.core.errors import BundleError
from registry.core.model import Bundle
from registry.core.verdict import verdict_to_json

router = APIRouter(prefix="/v1/verify", tags=["public"])

MAX_BATCH_BYTES = 16 << 20
# Threads of their own: while a node hangs, strangers who verify must not use up those that answer everybody else.
MAX_VERIFYING = 16


@router.post(
    "",
    response_model=VerdictOut,
    openapi_extra=takes(BundleIn, MEDIA_TYPE),
    responses=errors(400, 408, 413, 415, 422),
)
async def verify_bundle(
    registry: RegistryDep, body: Annotated[BundleIn, Depends(JsonBody(BundleIn))], request: Request
) -> Response:
    """The verdict on one bundle, under this registry's policy. VALID, INVALID and INDETERMINATE all come with 200."""

    def work() -> dict[str, Any]:
        [verdict] = registry.verifier.verify([read_bundle(body.root)])
        return verdict_to_json(verdict)

    return await _answer(request, work)


@router.post(
    "/batch",
    response_model=VerdictsOut,
    openapi_extra=takes(BundlesIn),
    responses=errors(400, 408, 413, 415, 422),
)
async def verify_bundles(
    registry: RegistryDep, body: Annotated[BundlesIn, Depends(JsonBody(BundlesIn, MAX_BATCH_BYTES))], request: Request
) -> Response:
    """Verdicts on up to 100 bundles, in their order; a malformed one gets an error in its place."""

    def work() -> dict[str, Any]:
        read = [_read(item, place) for place, item in enumerate(body.bundles)]
        verdicts = iter(registry.verifier.verify([item for item in read if isinstance(item, Bundle)]))
        return {
            "results": [
                {"verdict": verdict_to_json(next(verdicts))} if isinstance(item, Bundle) else {"error": item}
                for item in read
            ]
        }

    return await _answer(request, work)


def _read(value: Any, place: int) -> Bundle | dict[str, Any]:
    try:
        return read_bundle(value)
    except BundleError as error:
        return problem_of(error, f"/bundles/{place}").to_json()


async def _answer(request: Request, work: Callable[[], dict[str, Any]]) -> Response:
    limiter: CapacityLimiter = request.app.state.verifying
    value = await to_thread.run_sync(work, limiter=limiter)
    return Response(orjson.dumps(value), media_type="application/json")
