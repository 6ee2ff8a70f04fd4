"""The VC API (VCALM): issuing, verifying and status in the shapes that other software and the W3C test suites use.

docs/vc-api.md has the shapes, and what is different from /v1.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request, Response

from registry.api import problems
from registry.api.bodies import JsonBody, takes
from registry.api.openapi import errors
from registry.api.ports import Registry, RegistryDep
from registry.api.problems import Problem, RequestError
from registry.api.security import VcIssueScope, VcStatusScope
from registry.api.vcschemas import (
    VcIssued,
    VcIssueIn,
    VcNotVerified,
    VcStatusIn,
    VcStatusOut,
    VcVerified,
    VcVerifyIn,
    VcVerifyOptions,
    VpVerifyIn,
)
from registry.core.bundle import MAX_BUNDLE_BYTES
from registry.service.catalogue import Catalogue, CredentialState
from registry.service.errors import InvalidError, NotFoundError
from registry.service.intake import claimed_index
from registry.service.issuers import Issuer
from registry.service.keysofothers import KeyFinder
from registry.service.vcapi import Answer, Finding, Options, VcApi
from registry.standards.proofs.creating import PROOF_SET

router = APIRouter(tags=["vc-api"])

_NOT_VERIFIED: dict[int | str, dict[str, Any]] = {
    400: {
        "description": "Not verified, or not readable",
        "content": {problems.MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{VcNotVerified.__name__}"}}},
    }
}
_ACTIONS = {("revocation", True): "revoke", ("suspension", True): "suspend", ("suspension", False): "reinstate"}


@router.post(
    "/credentials/issue",
    status_code=201,
    openapi_extra=takes(VcIssueIn),
    responses=errors(400, 401, 403, 404, 408, 409, 410, 413, 415),
)
def issue(
    registry: RegistryDep, issuer: VcIssueScope, body: Annotated[VcIssueIn, Depends(JsonBody(VcIssueIn, invalid=400))]
) -> VcIssued:
    """Signs any credential of the VC Data Model 2.0 and gives it back at once; it is anchored later.

    The same request again gives the same credential.
    """
    suite = body.options.cryptosuite if body.options is not None else None
    with _invalid_is_400("/credential"):
        secured = registry.issuing.issue(issuer, body.credential, PROOF_SET if suite is None else (suite,))
    return VcIssued(verifiable_credential=secured)


@router.post(
    "/credentials/verify",
    tags=["public"],
    response_model=VcVerified,
    openapi_extra=takes(VcVerifyIn),
    responses={**errors(400, 408, 413, 415), **_NOT_VERIFIED},
)
async def verify_credential(
    registry: RegistryDep,
    body: Annotated[VcVerifyIn, Depends(JsonBody(VcVerifyIn, MAX_BUNDLE_BYTES, invalid=400))],
    request: Request,
) -> Response:
    """Whether a credential of anybody is good: its proofs, data model, period and status lists."""
    options = _options(body.options)
    return await _answer(
        request,
        lambda: _vc_api(registry).verify_credential(body.verifiable_credential, options),
        "/verifiableCredential",
        body.options,
    )


@router.post(
    "/presentations/verify",
    tags=["public"],
    response_model=VcVerified,
    openapi_extra=takes(VpVerifyIn),
    responses={**errors(400, 408, 413, 415), **_NOT_VERIFIED},
)
async def verify_presentation(
    registry: RegistryDep,
    body: Annotated[VpVerifyIn, Depends(JsonBody(VpVerifyIn, MAX_BUNDLE_BYTES, invalid=400))],
    request: Request,
) -> Response:
    """Whether a presentation is good, with all credentials in it."""
    options = _options(body.options)
    return await _answer(
        request,
        lambda: _vc_api(registry).verify_presentation(body.verifiable_presentation, options),
        "/verifiablePresentation",
        body.options,
    )


@router.post(
    "/credentials/status",
    openapi_extra=takes(VcStatusIn),
    responses=errors(400, 401, 403, 404, 408, 409, 410, 413, 415),
)
def change_status(
    registry: RegistryDep,
    issuer: VcStatusScope,
    body: Annotated[VcStatusIn, Depends(JsonBody(VcStatusIn, invalid=400))],
) -> VcStatusOut:
    """Revokes (for good), suspends or reinstates a credential of the caller. It stands on chain some minutes later."""
    entry = body.credential_status
    with _invalid_is_400(""):
        action = _ACTIONS.get((entry.status_purpose, body.status))
        if action is None:
            raise InvalidError("revocation_is_final", "A revocation cannot be taken back.", "/status")
        found = _find(registry, issuer, body.credential_id)
        claimed = claimed_index(entry.model_dump(by_alias=True), issuer.status_base)
        if entry.status_list_credential is not None and claimed != found.index:
            message = "This status entry is not the credential's. Leave the list and the index out, or name its own."
            raise InvalidError("status_index", message, "/credentialStatus")
        request = registry.status.request(issuer, found.id, action)
    return VcStatusOut(credential_id=body.credential_id, action=request.action, state=request.state)  # type: ignore[arg-type] # pydantic checks it


def _find(registry: Registry, issuer: Issuer, credential_id: str) -> CredentialState:
    """By the credential's own "id", or the registry's."""
    catalogue = Catalogue(registry.context)
    if not credential_id.isprintable():
        raise NotFoundError("no_such_credential", f"{issuer.name} has no credential with this id.")
    found = catalogue.find(issuer, credential_id)
    return found[0] if found else catalogue.look_up(issuer, credential_id)


@contextmanager
def _invalid_is_400(prefix: str) -> Iterator[None]:
    """The VC API says 400 to whatever is wrong with a request; the service points into what it was handed."""
    try:
        yield
    except InvalidError as error:
        problem = problems.problem_of(error, prefix)
        faults = tuple({"pointer": prefix + pointer, "detail": detail} for pointer, detail in error.faults)
        raise RequestError(400, error.code, problem.detail, problem.pointer, faults) from error


def _vc_api(registry: Registry) -> VcApi:
    keys = KeyFinder(registry.identities, registry.judging.resolver)
    return VcApi(registry.judging, keys, registry.context.clock)


def _options(given: VcVerifyOptions | None) -> Options:
    if given is None:
        return Options()
    domain = given.domain
    return Options(
        tuple(given.checks or ()),
        given.expected_proof_purpose,
        given.challenge,
        (domain,) if isinstance(domain, str) else tuple(domain or ()),
    )


async def _answer(
    request: Request, work: Callable[[], Answer], prefix: str, options: VcVerifyOptions | None
) -> Response:
    limiter: CapacityLimiter = request.app.state.verifying
    answer = await to_thread.run_sync(work, limiter=limiter)
    ignored = [
        Finding("about:blank", "unknown_option", f"There is no option {name!r}; it was ignored.", "/options")
        for name in sorted(options.model_extra or {} if options is not None else {})[:20]
    ]
    content: dict[str, Any] = {
        "verified": answer.verified,
        "checks": list(answer.checks),
        "warnings": [_problem(item, prefix) for item in (*ignored, *answer.warnings)],
        "errors": [_problem(item, prefix) for item in answer.errors],
    }
    if answer.verified:
        return Response(orjson.dumps(content), media_type="application/json")
    problem = Problem(400, "not_verified", f"Not verified: {answer.errors[0].detail}")
    content = problem.to_json(request.scope.get("request_id")) | content
    return Response(orjson.dumps(content), 400, media_type=problems.MEDIA_TYPE)


def _problem(finding: Finding, prefix: str) -> dict[str, str]:
    pointer = finding.pointer if finding.pointer.startswith("/options") else prefix + finding.pointer
    title = finding.type.rpartition("#")[2] if "#" in finding.type else finding.code
    return {
        "type": finding.type,
        "title": title,
        "detail": finding.detail,
        "code": finding.code,
        "pointer": pointer,
    }
