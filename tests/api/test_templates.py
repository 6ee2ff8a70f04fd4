"""Templates over HTTP: put on record with the credential, listed, and served for good under an address of their own."""

import hashlib
import json
from typing import Any

import pytest
from sqlalchemy import update

from registry.core.canonical import canonicalize
from registry.core.notation import time_text
from registry.service.pinned import CONTEXTS, SCHEMAS
from registry.store.tables import templates
from support.house import document
from support.served import Api, Client, problem

TEMPLATE = document("urn:example:{{no}}", credentialSubject={"id": "{{who}}", "name": "{{name}}"}, name="Course")


def fill(client: Client, number: str, template: Any = TEMPLATE, **more: Any) -> Any:
    data = {"no": f"{client.issuer.name if client.issuer else ''}:{number}", "who": "did:example:ada", "name": "Ada"}
    return client.post("/v1/credentials", json={"template": template, "data": data, **more})


def listed(api: Api, client: Client) -> list[Any]:
    assert client.issuer
    answer = api.public.get(f"/v1/issuers/{client.issuer.name}/templates")
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    found: list[Any] = answer.json()["templates"]
    return found


def path_of(entry: Any) -> str:
    address: str = entry["url"]
    assert address.startswith("https://registry.example/")
    return address.removeprefix("https://registry.example")


def test_a_template_is_on_record_once(api: Api, issuer: Client) -> None:
    assert listed(api, issuer) == []
    now = api.house.clock()
    for number in ("1", "2"):
        assert fill(issuer, number, templateName="course").status_code == 202
        api.house.clock.advance(1)
    [entry] = listed(api, issuer)
    digest = hashlib.sha256(canonicalize(TEMPLATE)).hexdigest()
    assert issuer.issuer
    assert entry.pop("firstUsed") == time_text(now)
    assert entry == {
        "name": "course",
        "url": f"https://registry.example/issuers/{issuer.issuer.name}/templates/course/{digest}",
        "sha256": digest,
    }


def test_it_is_served_for_good_and_without_the_learners_data(api: Api, issuer: Client) -> None:
    fill(issuer, "1")
    [entry] = listed(api, issuer)
    assert entry["name"] == "template"
    answer = api.public.get(path_of(entry))
    assert answer.content == canonicalize(TEMPLATE)
    assert (answer.headers["content-type"], answer.headers["access-control-allow-origin"]) == ("application/json", "*")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert b"Ada" not in answer.content
    again = api.public.get(path_of(entry), headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_another_content_under_the_same_name_has_another_address(api: Api, issuer: Client) -> None:
    fill(issuer, "1", templateName="course")
    fill(issuer, "2", {**TEMPLATE, "name": "Course, second edition"}, templateName="course")
    first, second = listed(api, issuer)
    assert (first["name"], second["name"]) == ("course", "course")
    assert api.public.get(path_of(first)).json()["name"] == "Course"
    assert api.public.get(path_of(second)).json()["name"] == "Course, second edition"


def test_a_template_that_nothing_was_issued_with_is_not_on_record(api: Api, issuer: Client) -> None:
    assert fill(issuer, "1", {**TEMPLATE, "type": ["Nothing"]}).status_code == 422
    assert listed(api, issuer) == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": "Ada Lovelace", "id": "{{no}}"}, "/template/credentialSubject/name"),
        ({"id": "mailto:ada@example.org"}, "/template/credentialSubject/id"),
        ({"identifier": [{"identityHash": "Ada"}]}, "/template/credentialSubject/identifier/0/identityHash"),
    ],
)
def test_a_template_that_names_a_learner_is_refused(
    api: Api, issuer: Client, change: dict[str, Any], pointer: str
) -> None:
    answer = problem(fill(issuer, "1", {**TEMPLATE, "credentialSubject": change}), 400, "malformed")
    assert answer["pointer"] == pointer
    assert "published" in answer["detail"]
    assert listed(api, issuer) == []


@pytest.mark.parametrize("name", ["", "Course", "a/b", "..", "-a", "x" * 64, "a\n", 5])
def test_names_that_cannot_stand_in_an_address(issuer: Client, name: object) -> None:
    problem(fill(issuer, "1", templateName=name), 422, "invalid_body")


def test_a_name_for_no_template_is_refused(issuer: Client) -> None:
    body = {"credential": document("urn:example:none"), "templateName": "course"}
    answer = problem(issuer.post("/v1/credentials", json=body), 422, "invalid_body")
    assert answer["pointer"] == "/templateName"


@pytest.mark.parametrize("tail", ["course/00", f"course/{'0' * 64}", f"%00/{'0' * 64}", f"Course/{'A' * 64}", "x/y"])
def test_a_template_that_is_not_there(api: Api, issuer: Client, tail: str) -> None:
    assert issuer.issuer
    problem(api.public.get(f"/issuers/{issuer.issuer.name}/templates/{tail}"), 404, "no_such_template")
    problem(api.public.get(f"/issuers/nobody/templates/course/{'0' * 64}"), 404, "no_such_issuer")
    problem(api.public.get("/v1/issuers/nobody/templates"), 404, "no_such_issuer")


def test_what_the_database_no_longer_has_is_not_served(api: Api, issuer: Client) -> None:
    fill(issuer, "1")
    [entry] = listed(api, issuer)
    with api.house.database.write() as connection:
        changed = json.dumps({**TEMPLATE, "name": "Another"}).encode()
        connection.execute(
            update(templates).where(templates.c.digest == bytes.fromhex(entry["sha256"])).values(content=changed)
        )
    problem(api.public.get(path_of(entry)), 409, "stored_template_differs")


def test_contexts_and_schemas_stand_beside_the_issuers(api: Api, issuer: Client) -> None:
    body = api.public.get("/v1/issuers").json()
    assert {item["url"]: item["sha256"] for item in body["contexts"]} == CONTEXTS
    assert {item["url"]: item["sha256"] for item in body["schemas"]} == SCHEMAS
    [own] = [item for item in body["issuers"] if issuer.issuer and item["name"] == issuer.issuer.name]
    assert own["links"]["templates"].endswith(f"/v1/issuers/{own['name']}/templates")
