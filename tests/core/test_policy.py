"""Policies: what a verifier trusts, as a file."""

import json
from typing import Any

import core_world as w
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.errors import InputError, JsonError, PolicyError
from registry.core.model import ChainClass, IssuerPin, Policy, TrustedChain
from registry.core.policy import parse_policy, serialize_policy

FINE = json.loads(serialize_policy(w.POLICY))

POLICIES = st.builds(
    Policy,
    st.lists(
        st.builds(
            TrustedChain,
            st.integers(1, 10**16 - 1),
            st.binary(min_size=20, max_size=20),
            st.binary(min_size=32, max_size=32),
            st.sampled_from(ChainClass),
            st.text("abc é", min_size=1, max_size=9),
        ),
        max_size=3,
        unique_by=lambda chain: chain.chain_id,
    ).map(tuple),
    st.lists(
        st.builds(
            IssuerPin,
            st.sampled_from(["did:web:a.example", "did:key:z6Mk", "https://a.example/issuers/1?b=c", "urn:uuid:5c7f"]),
            st.binary(min_size=20, max_size=20),
            st.sampled_from([None, "https://a.example/status", "http://localhost:8000/issuers/b/status"]),
        ),
        max_size=3,
        unique_by=lambda pin: pin.address,
    ).map(tuple),
    st.integers(0, 86400),
    st.integers(1, 366 * 86400),
)


@given(POLICIES)
def test_what_is_written_is_read_back(policy: Policy) -> None:
    assert parse_policy(serialize_policy(policy)) == policy


def test_one_did_may_have_several_addresses() -> None:
    pins = [FINE["issuers"][0], {**FINE["issuers"][0], "address": "0x" + "ab" * 20}]
    assert len(parse_policy(json.dumps({**FINE, "issuers": pins}).encode()).issuers) == 2


REFUSED: list[tuple[str, Any, str]] = [
    ("/version", 2, "1 is expected here"),
    ("/more", 1, "unknown field"),
    ("/chains", {}, "an array belongs here"),
    ("/chains", FINE["chains"] * 2, "listed twice"),
    ("/chains/0", "eip155:1", "a JSON object belongs here"),
    ("/chains/0/chain", "eip155:01", "eip155"),
    ("/chains/0/contract", "0x" + "AB" * 20, "lower case"),
    ("/chains/0/codeHash", "0x" + "ab" * 20, "32 bytes"),
    ("/chains/0/class", "main", "production"),
    ("/chains/0/class", None, "a string belongs here, not null"),
    ("/chains/0/name", "", "1 to 100"),
    ("/chains/0/name", "x" * 101, "1 to 100"),
    ("/chains/0/name", "a\nb", "printable"),
    ("/chains/0/more", 1, "unknown field"),
    ("/issuers", FINE["issuers"] * 2, "listed twice"),
    ("/issuers/0/did", "https://example.edu/#key", "not a DID"),
    ("/issuers/0/did", "example.edu", "not a DID"),
    ("/issuers/0/did", "did:web:example.edu/path", "not a DID"),
    ("/issuers/0/did", "did:web:example.edu#key", "not a DID"),
    ("/issuers/0/did", "did:web:example.edu\n", "not a DID"),
    ("/issuers/0/address", "0x" + "ab" * 32, "20 bytes"),
    ("/issuers/0/statusBase", "https://example.edu/", "http"),
    ("/issuers/0/statusBase", "https://example.edu/status?x=1", "http"),
    ("/issuers/0/statusBase", "ftp://example.edu", "http"),
    ("/issuers/0/statusBase", "https://example.edu/" + "x" * 2000, "http"),
    ("/issuers/0/statusBase", None, "a string belongs here"),
    ("/issuers/0/more", 1, "unknown field"),
    ("/clockSkewSeconds", -1, "not between"),
    ("/clockSkewSeconds", True, "a boolean"),
    ("/clockSkewSeconds", 1.5, "a float"),
    ("/maxEvidenceAgeSeconds", 0, "not between"),
]


@pytest.mark.parametrize(("pointer", "value", "message"), REFUSED)
def test_refuses(pointer: str, value: object, message: str) -> None:
    with pytest.raises(PolicyError, match=message) as caught:
        parse_policy(json.dumps(w.changed(FINE, pointer, value)).encode())
    assert caught.value.pointer == pointer


def test_an_issuer_without_address_stands_once_and_beside_one_with() -> None:
    alone = {"did": FINE["issuers"][0]["did"]}
    document = {**FINE, "issuers": [*FINE["issuers"], alone, {"did": "https://example.edu"}]}
    policy = parse_policy(json.dumps(document).encode())
    assert [pin.address for pin in policy.issuers[2:]] == [None, None]
    assert parse_policy(serialize_policy(policy)) == policy
    with pytest.raises(PolicyError, match="without address is listed twice"):
        parse_policy(json.dumps({**FINE, "issuers": [alone, alone]}).encode())


def test_same_address_for_two_dids_is_refused() -> None:
    pins = [FINE["issuers"][0], {**FINE["issuers"][1], "address": FINE["issuers"][0]["address"]}]
    with pytest.raises(PolicyError, match="belongs to one DID"):
        parse_policy(json.dumps({**FINE, "issuers": pins}).encode())


@pytest.mark.parametrize("field", FINE)
def test_every_field_is_needed(field: str) -> None:
    with pytest.raises(PolicyError, match=f'"{field}" is missing'):
        parse_policy(json.dumps({key: value for key, value in FINE.items() if key != field}).encode())


def test_is_strict_json() -> None:
    with pytest.raises(JsonError, match="duplicate key"):
        parse_policy(b'{"version":1,' + serialize_policy(w.POLICY)[1:])


@given(st.binary(max_size=30))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        parse_policy(data)
