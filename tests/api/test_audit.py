"""GET /v1/audit and what GET /v1/batches says for auditors."""

import json
from pathlib import Path

import jsonschema_rs

from support.served import Api, Client

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/spec/audit-report.schema.json").read_bytes())


def test_the_registrys_own_audit(api: Api, issuer: Client) -> None:
    before = api.client(None).get("/v1/audit")
    assert (before.status_code, before.json()["report"]) == (200, None)
    assert "own word" in before.json()["statement"]
    issuer.submit()
    issuer.seal()
    for _ in range(3):
        api.house.settle()
    assert api.registry.self_audit.run_if_due()
    answer = api.client(None).get("/v1/audit")
    assert answer.headers["cache-control"] == "public, max-age=60"
    report = answer.json()["report"]
    assert report["result"] == "clean"
    assert list(jsonschema_rs.validator_for(SCHEMA).iter_errors(report)) == []


def test_batches_say_what_auditors_need(api: Api, issuer: Client) -> None:
    issuer.submit()
    [batch] = issuer.seal()
    assert (batch["voided"], batch["declaredDelaySeconds"]) == (False, 86_400)
    assert batch["acceptedFrom"].endswith("Z")
