"""Credentials without a bundle against the chain: what their place tells."""

from collections.abc import Mapping
from typing import Any

import pytest

from registry.core.audit import BatchKey
from registry.core.audit_chain import ChainView
from registry.core.audit_credentials import CredentialAudit
from registry.core.audit_plain import PlainAudit
from registry.core.declared import Declared
from registry.core.errors import InputError
from registry.core.model import BatchRecord, BlockRef

UNI, SCHOOL = b"\1" * 20, b"\2" * 20
DID, BASE = "did:web:uni.example", "https://uni.example/status"
BASES = {BASE: (UNI, DID), "https://school.example/status": (SCHOOL, "did:web:school.example")}
MOMENT = 1_800_000_000
LIST = 131_072
SIZES = (LIST, 5)


def view(voided: int | None = None) -> ChainView:
    records: dict[BatchKey, BatchRecord | None] = {}
    first = 0
    for number, size in enumerate(SIZES):
        revoked = MOMENT + 9 if number == voided else 0
        records[BatchKey(UNI, first, bytes([number]) * 32)] = BatchRecord(size, MOMENT + number, revoked, 5)
        first += size
    return ChainView(31337, b"\3" * 20, b"\4" * 32, BlockRef(9, b"\5" * 32, MOMENT), (), records, {UNI: first})


def entry(index: int, purpose: str = "revocation", base: str = BASE) -> dict[str, Any]:
    return {
        "type": "BitstringStatusListEntry", "statusPurpose": purpose, "statusListIndex": str(index % LIST),
        "statusListCredential": f"{base}/{purpose}/{index // LIST}",
    }  # fmt: skip


def credential(index: int, **more: Any) -> dict[str, Any]:
    document = {
        "id": f"urn:example:{index}", "issuer": {"id": DID}, "validFrom": "2026-01-01T00:00:00Z",
        "credentialStatus": entry(index),
    }  # fmt: skip
    return document | more


def codes(document: Mapping[str, Any], **more: Any) -> list[str]:
    return [finding.code for finding in PlainAudit(view(**more), BASES).examine(document, "x").findings]


@pytest.mark.parametrize(("index", "batch"), [(0, 0), (LIST - 1, 0), (LIST, 1), (LIST + 4, 1)])
def test_a_credential_has_the_place_that_its_status_names(index: int, batch: int) -> None:
    found = PlainAudit(view(), BASES).examine(credential(index), "a.json")
    where = found.where
    assert (where.issuer, where.root, where.first, where.index) == (UNI, bytes([batch]) * 32, batch * LIST, index)
    assert (found.findings, where.source) == ((), "a.json")
    assert found.identifier is not None


def test_a_place_that_no_batch_has() -> None:
    assert codes(credential(LIST + 5)) == ["credential_not_anchored"]
    school = credential(0, issuer="did:web:school.example")
    school["credentialStatus"] = entry(0, base="https://school.example/status")
    assert codes(school) == ["credential_not_anchored"]


def test_the_list_of_another_issuer() -> None:
    assert codes(credential(1, issuer="did:web:school.example")) == ["credential_issuer_differs"]
    document = credential(1)
    del document["issuer"]
    assert codes(document) == ["credential_issuer_differs"]


def test_entries_that_name_different_places() -> None:
    assert codes(credential(1, credentialStatus=[entry(1), entry(1, "suspension")])) == []
    assert codes(credential(1, credentialStatus=[entry(1), entry(2, "suspension")])) == ["status_index_differs"]


def test_a_batch_that_was_voided() -> None:
    assert codes(credential(LIST), voided=1) == ["voided_batch_credential"]
    assert codes(credential(LIST), voided=0) == []


def test_anchored_later_than_was_declared() -> None:
    plain = PlainAudit(view(), BASES, Declared(everybody=60))
    assert [item.code for item in plain.examine(credential(1), "x").findings] == ["anchored_late"]
    assert PlainAudit(view(), BASES).examine(credential(1), "x").delay == MOMENT - 1_767_225_600


def test_an_identifier_at_two_places_is_seen_together_with_bundles() -> None:
    plain, all_of_them = PlainAudit(view(), BASES), CredentialAudit(view())
    first = plain.examine(credential(1, id="urn:example:twice"), "a")
    second = plain.examine(credential(2, id="urn:example:twice"), "b")
    assert all_of_them.note(first) == all_of_them.note(first) == []
    assert [finding.code for finding in all_of_them.note(second)] == ["credential_id_repeated"]


@pytest.mark.parametrize("status", [
    None, [], {}, "x", [None], {**entry(1), "statusListIndex": 1}, {**entry(1), "statusListIndex": "01"},
    {**entry(1), "statusListIndex": "-1"}, {**entry(1), "statusListIndex": str(LIST)}, {**entry(1), "type": "other"},
    {**entry(1), "statusListIndex": "٣"}, {**entry(1), "statusListCredential": f"{BASE}/revocation/x"},
    {**entry(1), "statusListCredential": f"{BASE}/revocation/" + "9" * 400}, {**entry(1), "statusListCredential": ""},
    entry(1, base="https://elsewhere.example/status"),
])  # fmt: skip
def test_a_credential_whose_place_cannot_be_told(status: Any) -> None:
    with pytest.raises(InputError, match="names no place"):
        PlainAudit(view(), BASES).examine(credential(1, credentialStatus=status), "x")
