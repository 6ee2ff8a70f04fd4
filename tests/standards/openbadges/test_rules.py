"""What is said about each fault, and what strict checking asks beyond the schema (docs/spec/open-badges.md)."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.canonical import parse_json
from registry.standards.openbadges import MAX_FAULTS, Fault, Rule, class_of, find_faults
from support import badges


def _only(document: Any) -> Fault:
    (fault,) = find_faults(document)
    return fault


def _at(document: Any, *path: Any) -> Any:
    for key in path:
        document = document[key]
    return document


def test_a_fault_says_where_and_what_to_do() -> None:
    document = badges.badge()
    del document["credentialSubject"]["achievement"]["criteria"]
    fault = _only(document)
    assert fault == Fault(
        "/credentialSubject/achievement/criteria",
        "missing",
        'Achievement needs "criteria": an object of the class Criteria. Add it.',
        Rule.SCHEMA,
    )


def test_all_faults_are_named_at_once() -> None:
    document = badges.badge()
    document["name"] = 1
    document["evidence"][0]["type"] = "Evidence"
    document["issuer"]["image"]["width"] = 3
    assert sorted((fault.pointer, fault.code) for fault in find_faults(document)) == [
        ("/evidence/0/type", "type"),
        ("/issuer/image/width", "not_allowed"),
        ("/name", "type"),
    ]


def test_pointers_are_escaped() -> None:
    document = badges.badge()
    document["image"]["a/b~c"] = 1
    assert _only(document).pointer == "/image/a~1b~0c"


def test_a_single_item_without_its_array() -> None:
    document = badges.badge()
    document["proof"] = document["proof"][0]
    assert _only(document).message == (
        "An array, written [ … ] also around a single item, belongs here, not an object."
    )


@pytest.mark.parametrize(
    ("path", "value", "pointer", "code"),
    [
        (("id",), "credentials/1", "/id", "uri"),
        (("id",), "https://badges.example/a b", "/id", "uri"),
        (("issuer",), "Example University", "/issuer", "uri"),
        (("issuer", "id"), "badges.example", "/issuer/id", "uri"),
        (("issuer", "address", "addressCountryCode"), "ie", "/issuer/address/addressCountryCode", "country"),
        (("issuer", "dateOfBirth"), "1990-02-30", "/issuer/dateOfBirth", "date"),
        (("validFrom",), "2026-03-01T12:00:00", "/validFrom", "date_time"),
        (("validFrom",), "2026-02-30T12:00:00Z", "/validFrom", "date_time"),
        (("validFrom",), "2026-12-31T23:59:60Z", "/validFrom", "date_time"),
        (("validUntil",), "2026-03-01T11:59:59.9Z", "/validUntil", "period"),
        (("validUntil",), "2026-03-01T12:00:00+01:00", "/validUntil", "period"),
        (("@context", 2), "context.json", "/@context/2", "uri"),
        (("credentialSubject", "identifier", 0, "identityHash"), "a@b.c",
         "/credentialSubject/identifier/0/identityHash", "identity_hash"),
        (("credentialStatus", "statusListIndex"), 7, "/credentialStatus/statusListIndex", "status"),
        (("credentialStatus", "statusListIndex"), "07", "/credentialStatus/statusListIndex", "status"),
        (("credentialStatus", "statusPurpose"), None, "/credentialStatus/statusPurpose", "status"),
        (("credentialStatus", "statusListCredential"), "list", "/credentialStatus/statusListCredential", "uri"),
        (("credentialStatus", "id"), "https://badges.example/status/revocation/0", "/credentialStatus/id", "status"),
    ],
)  # fmt: skip
def test_stricter_than_the_schema(path: tuple[Any, ...], value: Any, pointer: str, code: str) -> None:
    document = badges.badge()
    _at(document, *path[:-1])[path[-1]] = value
    fault = _only(document)
    assert (fault.pointer, fault.code) == (pointer, code)
    assert fault.rule is not Rule.SCHEMA
    assert find_faults(document, strict=False) == ()


def test_somebody_must_have_achieved_it() -> None:
    document = badges.badge()
    del document["credentialSubject"]["id"], document["credentialSubject"]["identifier"]
    assert _only(document).pointer == "/credentialSubject/identifier"
    assert find_faults(document, strict=False) == ()


def test_another_kind_of_status_entry_is_left_alone() -> None:
    document = badges.badge()
    document["credentialStatus"] = {"id": "https://badges.example/r", "type": "1EdTechRevocationList"}
    assert find_faults(document) == ()


@pytest.mark.parametrize("edge", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999999-23:59"])
def test_times_at_the_ends_of_the_calendar(edge: str) -> None:
    document = badges.badge()
    document["validFrom"] = document["validUntil"] = edge
    assert find_faults(document) == ()


def test_the_number_of_faults_is_bounded() -> None:
    document = badges.badge()
    document["credentialSubject"]["achievement"]["tag"] = [0] * 200_000
    document["evidence"] = [{}] * 200_000
    started = time.process_time()
    assert len(find_faults(document)) == MAX_FAULTS
    assert time.process_time() - started < 5


def test_as_deep_as_core_reads() -> None:
    deepest = b'{"parentOrg":' * 60 + b"{}" + b"}" * 60
    assert find_faults(parse_json(deepest), "Profile")


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["VerifiableCredential", "OpenBadgeCredential"], "AchievementCredential"),
        (["AchievementCredential"], "AchievementCredential"),
        (["VerifiableCredential", "EndorsementCredential"], "EndorsementCredential"),
        ("Profile", "Profile"),
        (["VerifiableCredential"], None),
        (None, None),
    ],
)
def test_the_class_of_a_document(types: Any, expected: str | None) -> None:
    assert class_of({"type": types}) == expected


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*badges.badge(), "x"]), inner),
    max_leaves=12,
)


@given(_JSON, st.sampled_from([*badges.badge()]))
@settings(max_examples=150, deadline=None)
def test_never_raises(value: Any, name: str) -> None:
    assert find_faults(value)
    find_faults({**badges.badge(), name: value})
