"""Verifying, for anybody. Nothing that is sent here is stored or logged."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Response

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


@router.post(
    "",
    response_model=VerdictOut,
    openapi_extra=takes(BundleIn, MEDIA_TYPE),
    responses=errors(400, 408, 413, 415, 422),
)
def verify_bundle(registry: RegistryDep, body: Annotated[BundleIn, Depends(JsonBody(BundleIn))]) -> Response:
    """The verdict on one bundle, under this registry's policy. VALID, INVALID and INDETERMINATE all come with 200."""
    [verdict] = registry.verifier.verify([read_bundle(body.root)])
    return _json(verdict_to_json(verdict))


@router.post(
    "/batch",
    response_model=VerdictsOut,
    openapi_extra=takes(BundlesIn),
    responses=errors(400, 408, 413, 415, 422),
)
def verify_bundles(
    registry: RegistryDep, body: Annotated[BundlesIn, Depends(JsonBody(BundlesIn, MAX_BATCH_BYTES))]
) -> Response:
    """Verdicts on up to 100 bundles, in their order; a malformed one gets an error in its place."""
    read = [_read(item, place) for place, item in enumerate(body.bundles)]
    verdicts = iter(registry.verifier.verify([item for item in read if isinstance(item, Bundle)]))
    results = [
        {"verdict": verdict_to_json(next(verdicts))} if isinstance(item, Bundle) else {"error": item} for item in read
    ]
    return _json({"results": results})


def _read(value: Any, place: int) -> Bundle | dict[str, Any]:
    try:
        return read_bundle(value)
    except BundleError as error:
        return problem_of(error, f"/bundles/{place}").to_json()


def _json(value: dict[str, Any]) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
