"""Generated requests for every operation: no answer is a 500, and every answer is a documented one."""

import json
from typing import Any

import pytest
import requests
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from registry.api.app import ROUTERS
from support.house import document
from support.served import Api, Client

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
QUICK = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,  # the same requests at each run: a failure is the change's fault, not chance's
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

# Lines: anything, JSON of any shape, and credentials with something wrong in one place.
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SPOILED = st.builds(
    lambda name, value: {**document("urn:example:fuzz"), name: value},
    st.sampled_from(["@context", "type", "id", "issuer", "credentialSubject", "validFrom", "validUntil", "name"]),
    VALUE,
)
LINE = st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")) | (VALUE | SPOILED).map(
    lambda value: json.dumps(value).encode()
)

Real = dict[str, str]
SESSION = requests.Session()
OPERATIONS = sorted(
    (method, route.path)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods
    if not route.path.endswith("/import")  # no JSON: below
)


@pytest.fixture(scope="module")
def fuzzed(api: Api) -> tuple[Api, Client, Real]:
    """A registry with something in it, so that not everything is a 404."""
    issuer = api.new_issuer()
    real = {"id": issuer.submit()}
    [batch] = issuer.seal()
    api.house.settle()
    api.registry.health.worker_stepped()
    assert issuer.issuer
    return api, issuer, {**real, "root": batch["root"], "first": "0", "name": issuer.issuer.name}


@pytest.fixture(scope="module")
def schema(fuzzed: tuple[Api, Client, Real]) -> Any:
    return schemathesis.openapi.from_dict(fuzzed[0].app.openapi())


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_generated_requests_get_documented_answers(
    schema: Any, fuzzed: tuple[Api, Client, Real], method: str, path: str, mode: GenerationMode
) -> None:
    api, issuer, real = fuzzed
    client = api.operator if path.startswith("/v1/issuers") else issuer
    headers = {"Authorization": client.http.headers["authorization"]}
    operation = schema[path][method]
    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query or operation.headers):
        return  # nothing to get wrong

    @QUICK
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        # Every other request goes to something that is there; chosen by what was generated, so that it repeats.
        if case.path_parameters and len(repr(case.body)) % 2:
            case.path_parameters = {name: real.get(name, value) for name, value in case.path_parameters.items()}
        case.call_and_validate(base_url=api.server.url, headers=headers, session=SESSION, checks=CHECKS)

    check()


@settings(QUICK, max_examples=60)
@given(body=st.lists(LINE, max_size=8).map(b"\n".join), key=st.none() | st.sampled_from(["k", "\xff", "a#", "-" * 300]))
def test_generated_imports_get_an_answer_for_each_line(
    fuzzed: tuple[Api, Client, Real], body: bytes, key: str | None
) -> None:
    headers = {"Content-Type": "application/x-ndjson"} | ({"Idempotency-Key": key.encode("latin-1")} if key else {})
    response = fuzzed[1].post("/v1/credentials/import", content=body, headers=headers)
    if response.status_code == 422:
        assert response.json()["code"] == "invalid_parameter"
        return
    assert response.status_code == 200, response.text
    *answers, last = [json.loads(line) for line in response.content.splitlines()]
    numbers = [number for number, line in enumerate(body.split(b"\n"), start=1) if line.strip()]
    assert [answer["line"] for answer in answers] == numbers
    assert last["summary"]["complete"] is True
    assert last["summary"]["lines"] == len(numbers)
