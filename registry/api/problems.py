"""Errors as RFC 9457 problems: one shape for all of them, whoever raised them.

Every problem has a ``code`` that programs may rely on; docs/http.md lists all of them, and a test compares. What nobody
foresaw is a 500 that says nothing but the request's id: the log has the rest.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from anchors.base import ChainError
from registry.core.errors import BundleError, InputError, JsonError, RegistryError, ShapeError
from registry.core.notation import short
from registry.service.errors import BusyError, NotReadyError, ServiceError, UnauthorizedError
from registry.store.database import DatabaseError

__all__ = ["HANDLED", "MEDIA_TYPE", "Problem", "RequestError", "handle", "problem_of", "respond"]

MEDIA_TYPE = "application/problem+json"
_RETRY_SECONDS = 30
_MAX_ERRORS = 20

_log = logging.getLogger(__name__)


class RequestError(ServiceError):
    """The request cannot be taken as it was sent; raised by the API itself."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        pointer: str = "",
        errors: tuple[Mapping[str, str], ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code, message)
        self.status = status
        self.pointer = pointer
        self.errors = errors[:_MAX_ERRORS]
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. ``pointer`` is the JSON pointer (RFC 6901) into what was sent, "" if there is none to give."""

    status: int
    code: str
    detail: str
    pointer: str = ""
    errors: tuple[Mapping[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_json(self, request_id: str | None = None) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": f"urn:credential-registry:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.pointer:
            result["pointer"] = self.pointer
        if self.errors:
            result["errors"] = [dict(error) for error in self.errors]
        if request_id is not None:
            result["requestId"] = request_id
        return result


def problem_of(error: Exception, prefix: str = "") -> Problem:
    """The problem that tells of an error; ``prefix`` is where in the request its document stood."""
    if isinstance(error, ServiceError):
        return _of_service(error, prefix)
    if isinstance(error, JsonError):
        return Problem(400, "not_json", str(error))
    if isinstance(error, ShapeError):
        code = "malformed_bundle" if isinstance(error, BundleError) else "malformed"
        return Problem(400, code, _without_pointer(error, error.pointer), prefix + error.pointer)
    if isinstance(error, InputError):
        return Problem(400, "bad_input", str(error))
    if isinstance(error, ChainError):
        return Problem(503, "chain_unavailable", str(error), headers=_retry())
    if isinstance(error, DatabaseError | OperationalError | PoolTimeout):
        return Problem(503, "database_unavailable", "The database does not answer; ask again later.", headers=_retry())
    if isinstance(error, RegistryError):
        return Problem(409, "refused", str(error))
    return Problem(500, "internal", "Something went wrong in here. The log knows more, by the request's id.")


def _of_service(error: ServiceError, prefix: str) -> Problem:
    pointer: str = getattr(error, "pointer", "")
    headers = dict(getattr(error, "headers", {}))
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = 'Bearer realm="credential registry"'
    elif isinstance(error, NotReadyError | BusyError):
        headers |= _retry()
    full = prefix + pointer if pointer else ""
    errors: tuple[Mapping[str, str], ...] = getattr(error, "errors", ())
    faults: tuple[tuple[str, str], ...] = getattr(error, "faults", ())
    if faults:
        errors = tuple({"pointer": prefix + place, "detail": text} for place, text in faults)
        return Problem(error.status, error.code, faults[0][1], full, errors, headers)
    return Problem(error.status, error.code, _without_pointer(error, pointer), full, errors, headers)


def _without_pointer(error: Exception, pointer: str) -> str:
    """The pointer is a member of its own here."""
    return str(error).removesuffix(f" (at {pointer})") if pointer else str(error)


def _retry() -> dict[str, str]:
    return {"Retry-After": str(_RETRY_SECONDS)}


def _of_framework(error: HTTPException, request: Request) -> Problem:
    path = short(request.url.path, 100)
    if error.status_code == 404:
        return Problem(404, "no_such_resource", f"There is nothing at {path}.")
    if error.status_code == 405:
        allowed = request.app.state.methods(request.url.path)
        detail = f"{request.method[:20]} is not possible here. Possible: {', '.join(allowed)}."
        return Problem(405, "method_not_allowed", detail, headers={"Allow": ", ".join(allowed)})
    return Problem(error.status_code, "bad_request", str(error.detail), headers=error.headers or {})


def _of_parameters(error: RequestValidationError) -> Problem:
    """Query, path and header parameters; bodies are read elsewhere. What was sent is not repeated."""
    errors = tuple(
        {"parameter": short(str(item["loc"][-1])), "detail": str(item["msg"])} for item in error.errors()[:_MAX_ERRORS]
    )
    first = errors[0]
    return Problem(422, "invalid_parameter", f"{first['parameter']}: {first['detail']}", errors=errors)


def respond(problem: Problem, request_id: str | None) -> Response:
    return Response(
        orjson.dumps(problem.to_json(request_id)),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **problem.headers},
    )


async def handle(request: Request, error: Exception) -> Response:
    """The one exception handler of the app."""
    if isinstance(error, RequestValidationError):
        problem = _of_parameters(error)
    elif isinstance(error, HTTPException):
        problem = _of_framework(error, request)
    else:
        problem = problem_of(error)
    request_id = request.scope.get("request_id")
    if problem.status >= 500:
        # By its class only: a driver's message may hold what was sent.
        _log.warning("%s: %s (request %s)", problem.code, type(error).__name__, request_id)
    return respond(problem, request_id)


# What ``handle`` is registered for; everything else is a 500 (registry.api.observing).
HANDLED: tuple[type[Exception], ...] = (
    RegistryError,
    RequestValidationError,
    HTTPException,
    OperationalError,
    PoolTimeout,
)
