"""Hashed identifiers of learners."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.standards.identity import EMAIL, hash_identity, hide_identities, identity_object, matches_identity
from registry.standards.openbadges import find_faults
from support import badges

# The specification's own example: "a@example.com" salted with "Kosher".
SPEC = "sha256$b5809d8a92f8858436d7e6b87c12ebc0ae1eac4baecc2c0b913aee2c922ef399"


def _credential(*identifiers: Any, **subject: Any) -> dict[str, Any]:
    return {"credentialSubject": {"identifier": list(identifiers), **subject}}


def test_the_example_of_the_specification() -> None:
    assert hash_identity("a@example.com", "Kosher") == SPEC


@pytest.mark.parametrize("written", ["a@example.com", "A@Example.COM", "  a@example.com\n"])
def test_an_address_is_hashed_one_way(written: str) -> None:
    assert hash_identity(written, "Kosher") == SPEC
    assert matches_identity(badges.badge(), written) is True


def test_other_identifiers_keep_their_capitals() -> None:
    assert hash_identity("S-1", "x", "systemId") != hash_identity("s-1", "x", "systemId")


def test_another_address_does_not_match() -> None:
    assert matches_identity(badges.badge(), "b@example.com") is False


def test_another_salt_does_not_match() -> None:
    item = {**identity_object("a@example.com", "one"), "salt": "two"}
    assert matches_identity(_credential(item), "a@example.com") is False


def test_an_identity_object_fits_the_schema() -> None:
    document = badges.badge()
    document["credentialSubject"]["identifier"] = [identity_object("a@example.com", "0123456789abcdef")]
    assert find_faults(document) == ()


@pytest.mark.parametrize(
    "item",
    [
        {"identityType": EMAIL, "hashed": True, "identityHash": "md5$" + "00" * 16},
        {"identityType": EMAIL, "hashed": True, "identityHash": SPEC.upper().replace("SHA256", "sha256")},
    ],
)
def test_md5_and_capital_digits_are_read(item: dict[str, Any]) -> None:
    assert matches_identity(_credential(item), "a@example.comKosher") is (item["identityHash"][:3] == "sha")


def test_hashed_as_written_by_somebody_else() -> None:
    item = {"identityType": EMAIL, "hashed": True, "salt": "s", "identityHash": ""}
    item["identityHash"] = hash_identity("Jo@Example.org", "s", "userName")  # keeps the capitals
    assert matches_identity(_credential(item), "Jo@Example.org") is True
    assert matches_identity(_credential(item), "jo@example.org") is False


def test_in_clear() -> None:
    item = {"identityType": EMAIL, "hashed": False, "identityHash": "Jo@example.org"}
    assert matches_identity(_credential(item), "jo@EXAMPLE.org") is True
    assert matches_identity(_credential(item), "io@example.org") is False


def test_in_the_subject_s_id() -> None:
    assert matches_identity(_credential(id="mailto:Jo@example.org"), "jo@example.org") is True
    assert matches_identity(_credential(id="did:example:1"), "jo@example.org") is None


def test_one_of_several_is_enough() -> None:
    items = [identity_object(f"{name}@example.org", name) for name in "abc"]
    assert matches_identity(_credential(*items), "c@example.org") is True


@pytest.mark.parametrize(
    "credential",
    [
        {},
        {"credentialSubject": None},
        {"credentialSubject": [1, {"identifier": {"identityType": EMAIL}}]},
        _credential({"identityType": "name", "hashed": False, "identityHash": "a@example.com"}),
        _credential({"identityType": EMAIL, "hashed": True, "identityHash": "sha512$00"}),
        _credential({"identityType": EMAIL, "hashed": True, "identityHash": "00"}),
        _credential({"identityType": EMAIL, "hashed": True, "identityHash": 5}),
        _credential({"identityType": EMAIL, "hashed": True, "identityHash": SPEC, "salt": 5}),
    ],
)
def test_nothing_to_compare_with(credential: dict[str, Any]) -> None:
    assert matches_identity(credential, "a@example.com") is None


def test_hiding_takes_addresses_and_leaves_names() -> None:
    name = {"type": "IdentityObject", "identityType": "name", "hashed": False, "identityHash": "Jo"}
    email = {"type": "IdentityObject", "identityType": EMAIL, "hashed": False, "identityHash": "jo@example.org"}
    before = {"id": "urn:x:1", **_credential(name, email, "odd")}
    after = hide_identities(before, lambda: "salt")
    assert after == {"id": "urn:x:1", **_credential(name, identity_object("jo@example.org", "salt"), "odd")}
    assert before["credentialSubject"]["identifier"][1] is email
    assert matches_identity(after, "jo@example.org") is True
    assert hide_identities(after, lambda: "other") == after


@pytest.mark.parametrize("subject", [None, [], [{"identifier": 1}], "x", {"identifier": {"hashed": False}}])
def test_hiding_leaves_odd_credentials_alone(subject: Any) -> None:
    assert hide_identities({"credentialSubject": subject}, lambda: "s") == {"credentialSubject": subject}
    assert hide_identities({}, lambda: "s") == {}


@given(st.text(), st.text(), st.sampled_from([EMAIL, "name", "ext:x"]))
def test_what_was_hashed_is_found(value: str, salt: str, kind: str) -> None:
    assert matches_identity(_credential(identity_object(value, salt, kind)), value, kind) is True


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_can_be_asked_for(value: str) -> None:
    assert matches_identity(badges.badge(), value) in (True, False)


def test_an_address_in_clear_that_stands_alone_is_hashed_as_well() -> None:
    clear = {"type": "IdentityObject", "hashed": False, "identityType": EMAIL, "identityHash": "jo@example.org"}
    after = hide_identities({"credentialSubject": {"identifier": clear}}, lambda: "salt")
    assert after["credentialSubject"]["identifier"] == identity_object("jo@example.org", "salt")


@pytest.mark.parametrize("kind", [[EMAIL], {EMAIL: 1}, None, 5])
def test_types_that_are_none_are_left_as_they_are(kind: object) -> None:
    item = {"type": "IdentityObject", "hashed": False, "identityType": kind, "identityHash": "jo@example.org"}
    before = {"credentialSubject": {"identifier": [item]}}
    assert hide_identities(before, lambda: "salt") == before
