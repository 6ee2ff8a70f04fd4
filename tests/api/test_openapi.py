"""The OpenAPI document, and docs/http.md beside the code: no route, no error code is missing in either."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from registry.api.app import ROUTERS
from registry.api.cors import public_method
from registry.service import errors as service_errors
from support.served import Api, Client, fresh

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "http.md"
METHODS = ("get", "post", "put", "delete", "patch")
# These name their code at run time.
CODES_BY_STATE = {"withdrawn", "erased", "unused", "needs_resubmit"}
# For the command line; the API never calls them.
NOT_BEHIND_THE_API = {"publishing.py"}


@pytest.fixture(scope="module")
def document(api: Api) -> Any:
    response = api.public.get("/openapi.json")
    assert response.headers["access-control-allow-origin"] == "*"
    return response.json()


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def test_every_route_is_in_the_document_and_in_the_docs(document: Any) -> None:
    routes = {
        (method, route.path)
        for router in ROUTERS
        for route in router.routes
        for method in route.methods  # type: ignore[attr-defined]
    }
    assert {(method, path) for method, path, _ in operations(document)} == routes
    documented = set(re.findall(r"`(GET|POST|PUT|DELETE) (/[^`\s?]*)", DOCS.read_text()))
    assert documented >= routes
    assert documented - routes <= {("GET", "/openapi.json")}


def test_every_reference_leads_somewhere(document: Any) -> None:
    names = document["components"]["schemas"].keys()
    for name in re.findall(r"#/components/schemas/(\w+)", str(document)):
        assert name in names
    assert "HTTPValidationError" not in names


def test_every_operation_documents_its_errors_and_body(document: Any) -> None:
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert operation["description"] or operation["summary"], where
        assert {"405", "500", "503"} <= operation["responses"].keys(), where
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"], (where, status)
        if method == "POST" and "requestBody" in operation:
            wrong = {"415"} if "vc-api" in operation["tags"] else {"415", "422"}  # the VC API says 400
            assert wrong <= operation["responses"].keys(), where
        if "{" in path:
            assert "404" in operation["responses"], where


def test_public_means_without_a_key_and_with_cors(document: Any) -> None:
    """Three lists that have to agree: routes without security, routes with CORS, and what operators keep inside."""
    inside = {"/healthz", "/readyz", "/metrics"}
    for method, path, operation in operations(document):
        public = "security" not in operation
        assert public == (public_method(re.sub(r"\{\w+\}", "x", path)) == method or path in inside), (method, path)
        assert public == ("401" not in operation["responses"]), (method, path)


def test_the_security_scheme_is_a_bearer_key(document: Any) -> None:
    assert document["components"]["securitySchemes"]["ApiKey"]["scheme"] == "bearer"


def raised_codes() -> set[str]:
    """First arguments of the errors that are raised anywhere behind the API."""
    names = {*service_errors.__all__, "RequestError", "Problem"}
    found: set[str] = set(CODES_BY_STATE)
    for folder in ("service", "api"):
        for file in (ROOT / "registry" / folder).rglob("*.py"):
            if file.name in NOT_BEHIND_THE_API:
                continue
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and _class_called(node.func) in names:
                    texts = [item.value for item in node.args[:2] if isinstance(item, ast.Constant)]
                    found |= {text for text in texts[:2] if isinstance(text, str) and re.fullmatch(r"[a-z_]+", text)}
    return found | {"malformed_bundle", "malformed"}


def _class_called(function: ast.expr) -> str:
    """The class in ``Class(…)`` and ``Class.of(…)``."""
    if isinstance(function, ast.Attribute) and function.attr == "of":
        function = function.value
    return function.id if isinstance(function, ast.Name) else ""


def test_every_error_code_is_in_the_docs_and_no_other() -> None:
    table = DOCS.read_text().split("## Error codes", 1)[1].split("\n## ", 1)[0]
    documented = set(re.findall(r"^\| `([a-z_]+)`", table, re.MULTILINE))
    assert documented == raised_codes()


def test_what_is_answered_is_what_the_document_says(api: Api, document: Any) -> None:
    """Once through the life of a credential; every answer has exactly the documented members."""
    schemas = document["components"]["schemas"]

    def check(name: str, value: Any) -> None:
        schema = schemas[name]
        assert set(value) == set(schema["properties"]), name
        assert set(schema.get("required", [])) <= set(value), name

    issuer: Client = api.new_issuer()
    receipt = issuer.post("/v1/credentials", json={"credential": fresh()}).json()
    check("Receipt", receipt)
    [sealed] = issuer.seal()
    check("BatchOut", sealed)
    api.house.settle()
    path = f"/v1/credentials/{receipt['id']}"
    check("CredentialOut", issuer.get(path).json())
    check("AnchorOut", issuer.get(path).json()["batch"]["anchor"])
    check("NetworkOut", issuer.get(path).json()["batch"]["anchor"]["network"])
    check("CredentialPage", issuer.get("/v1/credentials").json())
    check("BatchPage", api.public.get("/v1/batches").json())
    bundle = api.public.get(f"{path}/bundle").json()
    check("VerdictOut", api.public.post("/v1/verify", json=bundle).json())
    check("VerdictsOut", api.public.post("/v1/verify/batch", json={"bundles": [bundle]}).json())
    check("StatusOut", issuer.post(f"{path}/status", json={"action": "revoke"}).json())
    check("StatusRequestOut", issuer.get(path).json()["statusRequests"][0])
    check("SigningRequests", issuer.get("/v1/signing-requests").json())
    assert issuer.issuer
    check("IssuerOut", api.public.get(f"/v1/issuers/{issuer.issuer.name}").json())
