"""GET /v1/audit and what GET /v1/batches says for auditors."""

import json
from pathlib import Path

import jsonschema_rs
from sqlalchemy import insert

from registry.store.tables import chain_status
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


def test_the_metrics_tell_what_it_found(api: Api, issuer: Client) -> None:
    issuer.submit()
    issuer.seal()
    for _ in range(3):
        api.house.settle()
    api.house.clock.advance(3_600)
    assert api.registry.self_audit.run_if_due()
    text = api.public.get("/metrics").text
    assert "registry_self_audit_complete 1.0" in text
    assert "registry_self_audit_findings{" not in text
    with api.house.database.write() as connection:
        words = {"block_number": 1, "log_index": 99, "position": 0, "purpose": "revocation", "word": bytes(32)}
        masks = {"set_mask": (1).to_bytes(32), "clear_mask": bytes(32)}
        address = api.house.issuers.all()[0].address
        connection.execute(insert(chain_status).values(issuer=address, **words, **masks))
    api.house.clock.advance(3_600)
    assert api.registry.self_audit.run_if_due()
    text = api.public.get("/metrics").text
    assert 'registry_self_audit_findings{code="status_list_differs",severity="CRITICAL"} 1.0' in text
    [line] = [line for line in text.splitlines() if line.startswith("registry_self_audit_timestamp_seconds")]
    assert float(line.split()[1]) == api.house.clock()
