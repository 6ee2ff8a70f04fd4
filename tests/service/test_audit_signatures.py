"""Audits of credentials' proofs: credentials that were anchored with a proof that is none."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anchors.base import Revoke
from registry.core.bundle import parse_bundle
from registry.service.auditing import AuditReport
from registry.standards.proofs.creating import add_proofs
from support.audits import Prepared, anchored_past, audit, codes, copied, prepare, publish
from support.house import House


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def house(prepared: Prepared, tmp_path: Path) -> Iterator[House]:
    opened = copied(prepared, tmp_path)
    opened.settle()
    yield opened
    opened.close()


@pytest.fixture
def folder(house: House, tmp_path: Path) -> Path:
    place = tmp_path / "published"
    publish(house, place)
    return place


def one_of(house: House, name: str = "uni") -> dict[str, Any]:
    """A signed credential of the registry's, under another id and without a place."""
    did = house.issuers.look_up(name).did
    found = (parse_bundle(data).credential for _, data in house.bundles.all())
    credential = next(dict(item) for item in found if item is not None and item["issuer"] in (did, {"id": did}))
    credential.pop("credentialStatus")
    return {**credential, "id": f"{credential['id']}:again"}


def signed(house: House, credential: dict[str, Any], created: int) -> dict[str, Any]:
    unsigned = {name: value for name, value in credential.items() if name != "proof"}
    return add_proofs(unsigned, house.rings.signer("uni"), created)


def anchor(house: House, folder: Path, credential: dict[str, Any], name: str = "uni", **more: Any) -> Path:
    path = folder.with_name("bundle.json")
    path.write_bytes(anchored_past(house, folder, credential, name, **more))
    return path


def judged(house: House, folder: Path, path: Path, **more: Any) -> AuditReport:
    return audit(house.chain, folder, bundles=[path], **more)


def test_a_proof_that_is_right(house: House, folder: Path) -> None:
    path = anchor(house, folder, signed(house, one_of(house), house.clock()))
    report = judged(house, folder, path)
    assert (report.findings, report.incomplete, report.bundles) == ((), (), 1)


def changed(credential: dict[str, Any]) -> None:
    credential["credentialSubject"] = {**credential["credentialSubject"], "id": "did:example:somebody-else"}


def unknown_key(credential: dict[str, Any]) -> None:
    for proof in credential["proof"]:
        proof["verificationMethod"] = proof["verificationMethod"].replace("#key-1", "#key-7")


@pytest.mark.parametrize("change", [changed, unknown_key])
def test_a_proof_that_does_not_fit(house: House, folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    credential = json.loads(json.dumps(one_of(house)))
    change(credential)
    report = judged(house, folder, anchor(house, folder, credential))
    assert codes(report) == ["signature_invalid"]
    assert codes(judged(house, folder, folder.with_name("bundle.json"), signatures=False)) == []


def test_a_proof_that_is_younger_than_its_anchor(house: House, folder: Path) -> None:
    credential = signed(house, one_of(house), house.clock() + 3_600)
    assert codes(judged(house, folder, anchor(house, folder, credential))) == ["proof_after_anchor"]


def test_a_key_that_had_ended(house: House, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.rings, "rings", dict(house.rings.rings))  # the other tests have them, too
    credential = signed(house, one_of(house), house.clock())
    house.clock.advance(60)
    house.hosting.rotate(house.issuers.look_up("uni"), compromised=True)
    for _ in range(3):
        house.settle()
    publish(house, folder)
    path = anchor(house, folder, credential)
    assert codes(judged(house, folder, path)) == ["key_outside_interval"]
    # The remedy of who seals a batch and then learns that its key is somebody else's, too.
    bundle = json.loads(path.read_bytes())
    index = bundle["anchors"][0]["firstIndex"] + bundle["inclusion"]["leafIndex"]
    issuer = house.issuers.look_up("uni").address
    house.chain._send_foreign(issuer, house.chain.encode(Revoke(issuer, (0,), (1 << index - 1,))))
    assert codes(judged(house, folder, path)) == ["key_outside_interval"]  # another one
    house.chain._send_foreign(issuer, house.chain.encode(Revoke(issuer, (0,), (1 << index,))))
    assert codes(judged(house, folder, path)) == []


def test_a_credential_that_another_ones_address_anchored(house: House, folder: Path) -> None:
    credential = signed(house, one_of(house), house.clock())
    path = anchor(house, folder, credential, "school")
    assert codes(judged(house, folder, path)) == ["credential_issuer_differs"]


def test_keys_that_nobody_publishes_are_not_clean(house: House, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_bytes(next(house.bundles.all())[1])
    bundle = json.loads(path.read_bytes())
    bundle.pop("issuerDocument", None)
    path.write_text(json.dumps(bundle))
    report = audit(house.chain, bundles=[path])
    assert (report.findings, report.exit_code) == ((), 3)
    assert "speaks for" in report.incomplete[0]
    assert "key_unreachable" in report.incomplete[1]
    report = audit(house.chain, bundles=[path], signatures=False)
    assert (len(report.incomplete), report.exit_code) == (1, 3)


def test_a_document_that_was_claimed_and_comes_along_is_enough_for_proofs(house: House, tmp_path: Path) -> None:
    """And not for whom they are: anybody can claim a name and write a document for it."""
    path = tmp_path / "own.json"
    path.write_bytes(next(house.bundles.all())[1])
    assert "issuerDocument" in path.read_text()
    report = audit(house.chain, bundles=[path])
    assert (report.findings, report.exit_code, len(report.incomplete)) == ((), 3, 1)
    assert "speaks for" in report.incomplete[0]


def test_other_processes_find_the_same(house: House, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credential = json.loads(json.dumps(one_of(house)))
    changed(credential)
    path = anchor(house, folder, credential)
    alone = judged(house, folder, path, processes=1)
    monkeypatch.setattr("registry.service.auditbundles._MANY_SIGNED", 0)
    together = judged(house, folder, path, processes=2)
    assert together.findings == alone.findings != ()
