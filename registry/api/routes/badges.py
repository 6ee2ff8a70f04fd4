"""The bundle as a picture, for anybody: a baked PNG or SVG badge (docs/spec/baking.md)."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response

from registry.api.caching import answer
from registry.api.openapi import errors
from registry.api.paths import CredentialId
from registry.api.ports import Registry, RegistryDep
from registry.api.problems import RequestError
from registry.standards.baking import BakingError, build_badge

router = APIRouter(prefix="/v1/credentials", tags=["public"])

_PNG, _SVG = "image/png", "image/svg+xml"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_NO_BADGE: dict[int | str, dict[str, Any]] = {304: {"description": "Not Modified"}, **errors(404, 409, 410)}


@router.get(
    "/{id}/badge.png",
    response_class=Response,
    responses={200: {"content": {_PNG: _BINARY}}, **_NO_BADGE},
)
def read_png_badge(registry: RegistryDep, credential_id: CredentialId, request: Request) -> Response:
    """The bundle in a PNG image: the achievement's own, if it brings one along, or a medal."""
    return _badge(registry, credential_id, request, "png", _PNG)


@router.get(
    "/{id}/badge.svg",
    response_class=Response,
    responses={200: {"content": {_SVG: _BINARY}}, **_NO_BADGE},
)
def read_svg_badge(registry: RegistryDep, credential_id: CredentialId, request: Request) -> Response:
    """The bundle in an SVG image: the achievement's own, if it brings one along, or a medal."""
    return _badge(registry, credential_id, request, "svg", _SVG)


def _badge(
    registry: Registry, credential_id: str, request: Request, form: Literal["png", "svg"], media_type: str
) -> Response:
    headers = {
        # As for the bundle, which it holds.
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'attachment; filename="{credential_id}.badge.{form}"',
        # The issuer's own SVG may bring scripts along; from this address none of them runs.
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    try:
        content = build_badge(registry.bundles.get(credential_id), form)
    except BakingError as error:  # a credential that grew too large in its canonical form
        raise RequestError(409, "refused", str(error)) from error
    return answer(request, content, media_type, headers)
