"""Signed promises: given on acceptance, published with their keys, and held against the chain by an auditor."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anchors.base import RevokeBatch
from registry.core.canonical import canonicalize
from registry.core.errors import InputError
from registry.core.promise import parse_promise, promise_to_json, signed_bytes
from registry.service.auditing import AuditReport, report_to_json
from registry.service.auditpromises import promise_files
from registry.service.errors import NotFoundError
from registry.service.intake import Submission
from registry.service.issuers import Issuer
from registry.service.promising import RING
from registry.standards.did.document import parse_did_document
from registry.standards.proofs.report import VerificationKey
from support.audits import audit, codes, leaf_files, publish
from support.house import House, document, open_house

DAY = 86_400


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = open_house(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def issuer(house: House) -> Issuer:
    created = house.hosting.create("uni")
    house.settle()
    return created


def promised(house: House, issuer: Issuer, identifier: str, key: str | None = None) -> dict[str, Any]:
    return house.promising.promise(issuer, house.issuing.take(issuer, Submission(document(identifier), key)))


def anchored(house: House, issuer: Issuer) -> None:
    house.batching.seal(issuer)
    for _ in range(3):
        house.settle()


def audited(house: House, tmp_path: Path, *promises: Any, bend: Callable[[Path], object] | None = None) -> AuditReport:
    """With the registry's publication, and the promises each in a file."""
    place, folder = tmp_path / "promises", tmp_path / "published"
    place.mkdir(exist_ok=True)
    for number, promise in enumerate(promises):
        data = promise if isinstance(promise, bytes) else json.dumps(promise, indent=2).encode()
        (place / f"{number}.json").write_bytes(data)
    publish(house, folder)
    if bend is not None:
        bend(folder)
    house.chain.mine(1)
    return audit(house.chain, folder, promises=promise_files(place))


# --- given ----------------------------------------------------------------------------------------------------------


def test_a_promise_is_over_the_stored_leaf_and_signed_with_the_published_key(house: House, issuer: Issuer) -> None:
    given = promised(house, issuer, "urn:example:1")
    promise, signature = parse_promise(json.loads(json.dumps(given)))
    published = parse_did_document(house.promising.document(), "did:web:registry.example:registry")
    key = published.key(promise.key)
    assert isinstance(key, VerificationKey)
    assert key.public_key.verifies(signature, signed_bytes(promise))
    assert (promise.issuer, promise.registry) == (issuer.address, "https://registry.example")
    assert promise.anchored_before == promise.accepted_at + DAY
    anchored(house, issuer)
    assert house.batching.leaves(house.batching.page()[0]) == promise.leaf


def test_a_repeated_request_gets_the_same_promise_signed_later(house: House, issuer: Issuer) -> None:
    first = promised(house, issuer, "urn:example:1", "key")
    house.clock.advance(5)
    again = promised(house, issuer, "urn:example:1", "key")
    changed = {name for name in first if first[name] != again[name]}
    assert changed == {"signedAt", "signature"}
    assert house.promising.again(issuer, first["id"]) == again


def test_nobody_elses_credential_is_promised(house: House, issuer: Issuer) -> None:
    given = promised(house, issuer, "urn:example:1")
    other = house.hosting.create("school")
    with pytest.raises(NotFoundError):
        house.promising.again(other, given["id"])
    with pytest.raises(NotFoundError):
        house.promising.again(issuer, house.reserving.reserve(issuer, 1)[0].id)


def test_before_the_first_promise_there_are_no_keys(house: House, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        house.promising.document()
    publish(house, tmp_path / "published")
    assert not (tmp_path / "published/did.json").exists()


def test_a_registry_without_a_name_on_the_web_signs_with_a_did_key(house: House, issuer: Issuer) -> None:
    object.__setattr__(house.context.rules, "public_url", "https://10.0.0.1")
    given = promised(house, issuer, "urn:example:1")
    found = house.promising.document()
    assert given["key"].startswith("did:key:z")
    assert given["key"] == found["verificationMethod"][0]["id"]


# --- audited --------------------------------------------------------------------------------------------------------


def test_a_promise_that_was_kept_or_is_not_due_is_no_finding(house: House, issuer: Issuer, tmp_path: Path) -> None:
    kept = promised(house, issuer, "urn:example:1")
    anchored(house, issuer)
    house.clock.advance(2 * DAY)
    waiting = promised(house, issuer, "urn:example:2")
    report = audited(house, tmp_path, kept, waiting)
    assert (report.findings, report.incomplete, report.promises) == ((), (), 2)
    assert report_to_json(report)["audited"]["promises"] == 2


def test_a_promise_that_was_broken(house: House, issuer: Issuer, tmp_path: Path) -> None:
    given = promised(house, issuer, "urn:example:1")
    house.clock.advance(DAY + 1)
    report = audited(house, tmp_path, given)
    assert (codes(report), report.exit_code) == (["promise_broken"], 1)
    assert (report.findings[0].where.issuer, report.findings[0].where.source) == (issuer.address, "0.json")


def test_a_promise_that_was_kept_late(house: House, issuer: Issuer, tmp_path: Path) -> None:
    given = promised(house, issuer, "urn:example:1")
    house.clock.advance(DAY + 1)
    anchored(house, issuer)
    report = audited(house, tmp_path, given)
    assert (codes(report), report.exit_code) == (["batch_anchored_late", "promise_late"], 0)


def test_a_promise_that_was_kept_in_a_batch_that_counts_for_nothing(
    house: House, issuer: Issuer, tmp_path: Path
) -> None:
    given = promised(house, issuer, "urn:example:1")
    anchored(house, issuer)
    [batch] = house.batching.page()
    house.chain._send_foreign(issuer.address, house.chain.encode(RevokeBatch(issuer.address, batch.root, batch.first)))
    for _ in range(3):
        house.settle()
    report = audited(house, tmp_path, given)
    assert (codes(report), report.exit_code) == (["promise_voided"], 0)


def test_one_leaf_that_was_promised_for_two_credentials(house: House, issuer: Issuer, tmp_path: Path) -> None:
    first, second = promised(house, issuer, "urn:example:1"), promised(house, issuer, "urn:example:2")
    other, _ = parse_promise(second | {"leaf": first["leaf"]})
    given = promise_to_json(other, house.rings.signer(RING).sign(signed_bytes(other)))
    anchored(house, issuer)
    report = audited(house, tmp_path, first, first, given)
    assert [(item.code, item.where.source) for item in report.findings] == [("promise_leaf_shared", "2.json")]


def test_a_promise_that_a_registry_gives_again_at_another_address(house: House, issuer: Issuer, tmp_path: Path) -> None:
    """It moved, and kept its DID: that is no second credential."""
    first = promised(house, issuer, "urn:example:1")
    other, _ = parse_promise(first | {"registry": "https://new.example"})
    again = promise_to_json(other, house.rings.signer(RING).sign(signed_bytes(other)))
    anchored(house, issuer)
    report = audited(house, tmp_path, first, again)
    assert (codes(report), report.exit_code) == ([], 0)


def test_a_leaf_of_another_issuer_keeps_no_promise(house: House, issuer: Issuer, tmp_path: Path) -> None:
    given = promised(house, issuer, "urn:example:1")
    house.chain.foreign_anchor(b"\x77" * 20, bytes.fromhex(given["leaf"]), 1)
    house.clock.advance(DAY + 1)

    def publish_it(folder: Path) -> None:
        listing = json.loads((folder / "registry.json").read_bytes())
        listing["batches"].append(
            {"issuer": "0x" + "77" * 20, "first": 0, "size": 1, "root": given["leaf"], "state": "anchored"}
        )
        (folder / "registry.json").write_bytes(canonicalize(listing))
        path = folder / "leaves" / ("77" * 20) / f"0-{given['leaf']}.bin"
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes.fromhex(given["leaf"]))

    found = codes(audited(house, tmp_path, given, bend=publish_it))
    assert [code for code in found if code.startswith("promise_")] == ["promise_broken"]


def test_a_displaced_credential_has_a_second_promise(house: House, issuer: Issuer, tmp_path: Path) -> None:
    first = promised(house, issuer, "urn:example:1")
    house.chain.foreign_anchor(issuer.address, b"\x66" * 32, 1)
    house.chain.mine(3)
    house.settle()
    second = house.promising.again(issuer, first["id"])
    assert second["leaf"] != first["leaf"]
    assert second["anchoredBefore"] == first["anchoredBefore"]
    anchored(house, issuer)
    house.clock.advance(2 * DAY)

    def publish_the_foreign(folder: Path) -> None:
        listing = json.loads((folder / "registry.json").read_bytes())
        address = issuer.address.hex()
        listing["batches"].insert(
            0, {"issuer": f"0x{address}", "first": 0, "size": 1, "root": "66" * 32, "state": "anchored"}
        )
        (folder / "registry.json").write_bytes(canonicalize(listing))
        (folder / "leaves" / address / f"0-{'66' * 32}.bin").write_bytes(b"\x66" * 32)

    report = audited(house, tmp_path, first, second, bend=publish_the_foreign)
    assert [(finding.code, finding.where.source) for finding in report.findings] == [("promise_replaced", "0.json")]
    (tmp_path / "promises/1.json").unlink()
    assert codes(audited(house, tmp_path, first, bend=publish_the_foreign)) == ["promise_broken"]


def test_without_all_leaves_nothing_is_called_broken(house: House, issuer: Issuer, tmp_path: Path) -> None:
    given = promised(house, issuer, "urn:example:1")
    anchored(house, issuer)
    house.clock.advance(2 * DAY)
    report = audited(house, tmp_path, given, bend=lambda folder: leaf_files(folder)[0].unlink())
    assert codes(report) == ["leaves_missing"]
    assert any("1 promises are due" in text for text in report.incomplete)


@pytest.mark.parametrize(
    "change",
    [
        {"leaf": "11" * 32},
        {"anchoredBefore": "2020-01-01T00:00:00Z"},
        {"signature": "A" * 86},
        {"key": "did:web:registry.example:registry#key-2"},
        {"signedAt": "2020-01-01T00:00:00Z"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_promise_that_the_registry_never_gave(
    house: House, issuer: Issuer, tmp_path: Path, change: dict[str, str]
) -> None:
    report = audited(house, tmp_path, promised(house, issuer, "urn:example:1") | change)
    assert codes(report) == ["promise_forged"]


def test_a_former_key_counts_in_its_time_only(house: House, issuer: Issuer, tmp_path: Path) -> None:
    before = promised(house, issuer, "urn:example:1")
    former = house.rings.signer(RING)
    house.clock.advance(10)
    house.promising.rotate()
    after = promised(house, issuer, "urn:example:2")
    stolen, _ = parse_promise(after | {"key": former.verification_method})
    forged = promise_to_json(stolen, former.sign(signed_bytes(stolen)))
    report = audited(house, tmp_path, before, after, forged)
    assert [(finding.code, finding.where.source) for finding in report.findings] == [("promise_forged", "2.json")]
    assert "outside the time" in report.findings[0].observed


@pytest.mark.parametrize(
    "change",
    [{"chain": "eip155:1"}, {"contract": "0x" + "11" * 20}, {"key": "did:web:other.example:registry#key-1"}],
    ids=lambda change: next(iter(change)),
)
def test_a_promise_of_another_registry(house: House, issuer: Issuer, tmp_path: Path, change: dict[str, str]) -> None:
    report = audited(house, tmp_path, promised(house, issuer, "urn:example:1") | change)
    assert codes(report) == ["promise_other_registry"]


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"\xff", b'{"type": 1}', b"[" * 8_000, b" " * 8_193 + b"{}", b'{"a":1,"a":1}'],
    ids=["empty", "cut", "array", "bytes", "shape", "deep", "long", "twice"],
)
def test_what_is_no_promise(house: House, issuer: Issuer, tmp_path: Path, data: bytes) -> None:
    report = audited(house, tmp_path, promised(house, issuer, "urn:example:1"), data)
    assert codes(report) == ["promise_unreadable"]
    assert report.exit_code == 1


def test_lines_of_one_file_are_named_by_number(house: House, issuer: Issuer, tmp_path: Path) -> None:
    given = canonicalize(promised(house, issuer, "urn:example:1"))
    lines = [given, b"", b"x" * 9_000, given.replace(b"eip155:", b"eip155:9"), given]
    report = audited(house, tmp_path, b"\n".join(lines))
    assert [(finding.code, finding.where.source) for finding in report.findings] == [
        ("promise_unreadable", "0.json:3"),
        ("promise_other_registry", "0.json:4"),
    ]
    assert report.promises == 4


def test_without_keys_or_publication_nothing_is_clean(house: House, issuer: Issuer, tmp_path: Path) -> None:
    given = promised(house, issuer, "urn:example:1")
    report = audited(house, tmp_path, given, bend=lambda folder: (folder / "did.json").unlink())
    assert (report.findings, report.exit_code) == ((), 3)
    report = audit(house.chain, promises=promise_files(tmp_path / "promises"))
    assert (report.findings, report.exit_code) == ((), 3)
    report = audited(house, tmp_path, given, bend=lambda folder: (folder / "did.json").write_bytes(b"{}"))
    assert codes(report) == ["material_malformed"]
    assert report.incomplete


def test_a_folder_without_promises_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        promise_files(tmp_path)
