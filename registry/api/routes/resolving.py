"""What identifiers and addresses lead to for good, outside /v1: DID documents, status lists, templates."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from registry.api.caching import answer, entity_tag
from registry.api.openapi import errors
from registry.api.paths import ListNumber, TemplateKey
from registry.api.ports import RegistryDep
from registry.core.canonical import canonicalize
from registry.core.credential import unix_time
from registry.service.errors import BadRequestError
from registry.service.templaterecords import TemplateRecords

router = APIRouter(tags=["public"])

# did:web wants JSON; this is DID Core's name for it, and whoever looks for "json" in it finds it.
_DID = "application/did+json"
_VC = "application/vc"
_JSON = "application/json"
# Widely used loaders read an answer as JSON only if its type says so, and say what they want.
_OTHERS = ("application/ld+json", _JSON)
# Well below the lists' ttl, which a verifier counts from when it got its copy.
_CACHED = {"Cache-Control": "public, max-age=60"}


def _answers(*types: str) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"content": {name: {"schema": {"type": "object"}} for name in types}},
        304: {"description": "Not Modified"},
    }


@router.get("/issuers/{name}/did.json", response_class=Response, responses={**_answers(_DID), **errors(404)})
def read_did_document(registry: RegistryDep, name: str, request: Request) -> Response:
    """The issuer's DID document, as its did:web leads here: keys of now and before, its account, and this registry."""
    issuer = registry.issuers.look_up(name)
    return answer(request, registry.identities.published(issuer), _DID, dict(_CACHED))


@router.get("/.well-known/did.json", response_class=Response, responses={**_answers(_DID), **errors(404)})
def read_root_document(registry: RegistryDep, request: Request) -> Response:
    """The DID document of the issuer whose did:web is this host alone."""
    return answer(request, registry.identities.published(registry.identities.root()), _DID, dict(_CACHED))


@router.get("/registry/did.json", response_class=Response, responses={**_answers(_DID), **errors(404)})
def read_registry_document(registry: RegistryDep, request: Request) -> Response:
    """The DID document of the registry itself: the keys, of now and before, with which it signs promises."""
    return answer(request, canonicalize(registry.promising.document()), _DID, dict(_CACHED))


@router.get(
    "/issuers/{name}/status/{purpose}/{list}",
    response_class=Response,
    responses={**_answers(_VC, *_OTHERS), **errors(400, 404, 422)},
)
def read_status_list(
    registry: RegistryDep,
    name: str,
    purpose: str,
    number: ListNumber,
    request: Request,
    timestamp: Annotated[
        str | None, Query(max_length=100, description="RFC 3339: the list as it stood then; without it, as it is")
    ] = None,
) -> Response:
    """A signed BitstringStatusListCredential for `revocation` or `suspension`, from the state of the chain."""
    issuer = registry.issuers.look_up(name)
    if timestamp is None:
        content = registry.status_lists.current(issuer, purpose, number)
    else:
        content = registry.status_lists.at(issuer, purpose, number, _moment(timestamp))
    media_type = _preferred(request.headers.get("accept", ""))
    tag = entity_tag(content, media_type.encode())
    return answer(request, content, media_type, {**_CACHED, "Vary": "Accept"}, tag)


@router.get(
    "/issuers/{name}/templates/{template}/{sha256}",
    response_class=Response,
    responses={**_answers(_JSON), **errors(404, 409)},
)
def read_template(registry: RegistryDep, name: str, key: TemplateKey, request: Request) -> Response:
    """One version of a template, in the form that the digest in its address is taken over. It can never change."""
    issuer = registry.issuers.look_up(name)
    content = TemplateRecords(registry.context).content(issuer, *key)
    return answer(request, content, _JSON, {"Cache-Control": "public, max-age=31536000, immutable"})


def _moment(text: str) -> int:
    """RFC 3339 section 5.6: with its offset."""
    moment = unix_time(text)
    if moment is None or not (text.endswith("Z") or text[-6:-5] in ("+", "-")):
        message = (
            "timestamp is a date and time with its offset, such as 2026-11-22T20:00:00Z; a + in it is sent as %2B."
        )
        raise BadRequestError("timestamp", message)
    return moment


def _preferred(accept: str) -> str:
    """The type of credentials, unless one of the others is named and that one is not."""
    named = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    return next((other for other in _OTHERS if other in named), _VC) if _VC not in named else _VC
