"""The OpenAPI document: what FastAPI finds out by itself, plus bodies and problems, which are read and written here."""

from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from registry.api import problems, schemas
from registry.api.vcschemas import VC_ANSWERS, VC_BODIES

__all__ = ["build_openapi", "errors"]

_ANYWHERE = (405, 500, 503)
_DESCRIPTION = """\
Credentials go in, are hashed into batches, anchored on a chain, and can be proven and verified by anybody.

Errors are RFC 9457 problems; `code` is stable, and docs/http.md lists all of them. Times are UTC, hashes and roots bare
hex, addresses and transactions hex behind `0x`.
"""
_BODIES: tuple[type[BaseModel], ...] = (
    schemas.IssuerIn,
    schemas.KeyIn,
    schemas.DelayIn,
    schemas.RotateIn,
    schemas.CredentialIn,
    schemas.IndexesIn,
    schemas.StatusIn,
    schemas.SignatureIn,
    schemas.BundleIn,
    schemas.BundlesIn,
    schemas.QuestionIn,
)
# Routes that answer with a response of their own making.
_ANSWERS: tuple[type[BaseModel], ...] = (schemas.Problem, schemas.ImportLine, schemas.LeavesOut)


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route answers with, for its ``responses``."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({*statuses, *_ANYWHERE})
    }


def build_openapi(app: FastAPI, public_url: str) -> dict[str, Any]:
    document = get_openapi(
        title="Credential registry",
        version=version("credential-registry"),
        description=_DESCRIPTION,
        routes=app.routes,
        servers=[{"url": public_url}],
    )
    _, bodies = models_json_schema(
        [(model, "validation") for model in (*_BODIES, *VC_BODIES)], ref_template="#/components/schemas/{model}"
    )
    _, answers = models_json_schema(
        [(model, "serialization") for model in (*_ANSWERS, *VC_ANSWERS)], ref_template="#/components/schemas/{model}"
    )
    components = document.setdefault("components", {}).setdefault("schemas", {})
    # FastAPI's own error shapes are never sent; where we document no 422, there is none.
    for item in document["paths"].values():
        for operation in item.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    components |= bodies["$defs"] | answers["$defs"]
    document["components"]["schemas"] = dict(sorted(components.items()))
    return document
