"""Verifying, for anybody. Nothing that is sent here is stored or logged."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request, Response

from registry.api.bodies import JsonBody, check_media_type, is_json, read_body, takes
from registry.api.openapi import errors
from registry.api.ports import Registry, RegistryDep
from registry.api.problems import RequestError, problem_of
from registry.api.questions import OTHER_MEDIA_TYPES, max_body, read_question, read_time
from registry.api.schemas import BundlesIn, VerdictOut, VerdictsOut
from registry.core.bundle import MEDIA_TYPE
from registry.core.errors import BundleError
from registry.core.model import Bundle, Verdict
from registry.core.verdict import verdict_to_json
from registry.service.presenting import Alone, read_value
from registry.service.verifying import FutureTimeError

router = APIRouter(prefix="/v1/verify", tags=["public"])

MAX_BATCH_BYTES = 16 << 20
# Threads of their own: while a node hangs, strangers who verify must not use up those that answer everybody else.
MAX_VERIFYING = 16
_TAKES = {
    "requestBody": {
        "required": True,
        "content": {
            **{
                name: {"schema": {"anyOf": [{"$ref": "#/components/schemas/BundleIn"}, {"type": "object"}]}}
                for name in (MEDIA_TYPE, "application/vc")
            },
            "application/json": {
                "schema": {
                    "anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("BundleIn", "QuestionIn")]
                    + [{"type": "object", "required": ["@context"]}]
                }
            },
            **{name: {"schema": {"type": "string"}} for name in OTHER_MEDIA_TYPES},
        },
    }
}


@router.post(
    "",
    response_model=VerdictOut,
    openapi_extra=_TAKES,
    responses=errors(400, 408, 413, 415, 422),
)
async def verify_presented(registry: RegistryDep, request: Request) -> Response:
    """The verdict on one bundle, credential or baked image, under this registry's policy.

    VALID, INVALID and INDETERMINATE all come with 200. `at` and `subjectEmail` go into the body (QuestionIn).
    """
    check_media_type(request, _is_taken, "application/json")
    kind = _media_type(request)
    data = await read_body(request, max_body(kind))

    def work() -> dict[str, Any]:
        question = read_question(data, as_json=is_json(kind))
        [verdict] = _verify(registry, [question.item], question.at, question.subject)
        return verdict_to_json(verdict)

    return await _answer(request, work)


@router.post(
    "/batch",
    response_model=VerdictsOut,
    openapi_extra=takes(BundlesIn),
    responses=errors(400, 408, 413, 415, 422),
)
async def verify_several(
    registry: RegistryDep, body: Annotated[BundlesIn, Depends(JsonBody(BundlesIn, MAX_BATCH_BYTES))], request: Request
) -> Response:
    """Verdicts on up to 100 bundles or credentials, in their order; a malformed one gets an error in its place."""
    at = read_time(body.at)

    def work() -> dict[str, Any]:
        read = [_read(item, place) for place, item in enumerate(body.bundles)]
        wanted = [item for item in read if not isinstance(item, dict)]
        verdicts = iter(_verify(registry, wanted, at))
        return {
            "results": [
                {"error": item} if isinstance(item, dict) else {"verdict": verdict_to_json(next(verdicts))}
                for item in read
            ]
        }

    return await _answer(request, work)


def _verify(
    registry: Registry, items: Sequence[Bundle | Alone], at: int | None, subject: str | None = None
) -> list[Verdict]:
    try:
        return registry.verifier.verify(items, at=at, subject=subject)
    except FutureTimeError as error:
        raise RequestError(422, "invalid_body", str(error), "/at") from error


def _read(value: Any, place: int) -> Bundle | Alone | dict[str, Any]:
    try:
        return read_value(value)
    except BundleError as error:
        return problem_of(error, f"/bundles/{place}").to_json()


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def _is_taken(name: str) -> bool:
    return is_json(name) or name in OTHER_MEDIA_TYPES


async def _answer(request: Request, work: Callable[[], dict[str, Any]]) -> Response:
    limiter: CapacityLimiter = request.app.state.verifying
    value = await to_thread.run_sync(work, limiter=limiter)
    return Response(orjson.dumps(value), media_type="application/json")
