"""Bundles as pictures: the same rules as for the bundle itself."""

import base64
from typing import Any

import pytest

from registry.core.bundle import parse_bundle, serialize_bundle
from registry.standards.baking import extract, extract_companion, image_format, join_bundle
from registry.standards.openbadges import OB_CONTEXT
from support.served import Api, Client, problem

FORMS = pytest.mark.parametrize("form", ["png", "svg"])
OWN = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def final(api: Api, issuer: Client, **more: Any) -> str:
    credential_id = issuer.submit(**more)
    issuer.seal()
    api.house.settle()
    return f"/v1/credentials/{credential_id}"


def bundle_in(image: bytes) -> bytes:
    companion = extract_companion(image)
    assert companion is not None
    return join_bundle(extract(image), companion)


@FORMS
def test_a_badge_holds_the_bundle_and_is_valid(api: Api, issuer: Client, form: str) -> None:
    path = final(api, issuer)
    badge = api.public.get(f"{path}/badge.{form}")
    assert badge.status_code == 200
    assert badge.headers["content-type"] == {"png": "image/png", "svg": "image/svg+xml"}[form]
    assert image_format(badge.content) == form
    bundle = bundle_in(badge.content)
    assert bundle == api.public.get(f"{path}/bundle").content == serialize_bundle(parse_bundle(bundle))
    verdict = api.public.post("/v1/verify", content=bundle, headers={"Content-Type": "application/json"}).json()
    assert verdict["status"] == "VALID"


@FORMS
def test_a_badge_is_kept_by_the_asker_only(api: Api, issuer: Client, form: str) -> None:
    path = f"{final(api, issuer)}/badge.{form}"
    response = api.public.get(path)
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["content-disposition"].startswith("attachment; ")
    again = api.public.get(path, headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = api.public.head(path)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", response.headers["etag"])


def test_an_issuers_picture_is_used_and_none_of_its_scripts_runs(api: Api, issuer: Client) -> None:
    image = {"id": f"data:image/svg+xml;base64,{base64.b64encode(OWN).decode()}", "type": "Image"}
    achievement = {"type": ["Achievement"], "name": "A", "image": image}
    contexts = ["https://www.w3.org/ns/credentials/v2", OB_CONTEXT]
    subject = {"type": ["AchievementSubject"], "achievement": achievement}
    path = final(api, issuer, **{"@context": contexts, "credentialSubject": subject})
    response = api.public.get(f"{path}/badge.svg")
    assert response.content.endswith(b"<script>alert(1)</script></svg>")
    assert {"default-src 'none'", "sandbox"} <= set(response.headers["content-security-policy"].split("; "))
    assert response.headers["x-content-type-options"] == "nosniff"
    assert image_format(api.public.get(f"{path}/badge.png").content) == "png"


@FORMS
def test_a_badge_waits_for_its_anchor(api: Api, issuer: Client, form: str) -> None:
    response = api.public.get(f"/v1/credentials/{issuer.submit()}/badge.{form}")
    problem(response, 409, "not_final")
    assert int(response.headers["retry-after"]) > 0


@FORMS
def test_a_badge_of_what_is_gone_or_never_was(api: Api, issuer: Client, form: str) -> None:
    path = final(api, issuer)
    assert issuer.delete(path).status_code == 204
    problem(api.public.get(f"{path}/badge.{form}"), 410, "erased")
    problem(api.public.get(f"/v1/credentials/{'A' * 22}/badge.{form}"), 404, "no_such_credential")
    problem(api.public.get(f"/v1/credentials/x/badge.{form}"), 404, "no_such_credential")
    problem(api.public.get(f"{path}/badge.gif"), 404, "no_such_resource")


@FORMS
def test_a_credential_too_large_for_an_image(api: Api, issuer: Client, form: str, monkeypatch: Any) -> None:
    """Its canonical form can be longer than what was submitted."""
    path = final(api, issuer)
    monkeypatch.setattr("registry.standards.baking.content.MAX_BYTES", 100)
    problem(api.public.get(f"{path}/badge.{form}"), 409, "refused")
