"""Many bundles in a row: the quick reader and the careful one say the same of everything."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.bundle import parse_bundle
from registry.core.bundle_reading import BundleReader
from registry.core.canonical import canonicalize
from registry.core.errors import InputError

GOOD: dict[str, Any] = {
    "type": "AnchoredCredentialBundle",
    "version": 1,
    "credential": {"id": "urn:example:1", "name": "Zoë", "n": 1},
    "leaf": {"canonicalization": "JCS", "salt": "A" * 43},
    "inclusion": {
        "algorithm": "RFC9162_SHA256", "leafIndex": 1, "treeSize": 4, "root": "ab" * 32, "path": ["cd" * 32, "ef" * 32],
    },
    "anchors": [
        {
            "chain": "eip155:31337", "contract": "0x" + "01" * 20, "issuer": "0x" + "02" * 20, "firstIndex": 0,
            "anchoredAt": "2026-01-01T00:00:00Z", "transaction": "0x" + "03" * 32, "blockNumber": 5,
            "blockHash": "0x" + "04" * 32,
        }
    ],
}  # fmt: skip
PLACES = [
    ("type",), ("version",), ("credential",), ("credential", "n"), ("leaf",), ("leaf", "salt"),
    ("leaf", "canonicalization"), ("inclusion",), ("inclusion", "algorithm"), ("inclusion", "leafIndex"),
    ("inclusion", "treeSize"), ("inclusion", "root"), ("inclusion", "path"), ("inclusion", "path", 0), ("anchors",),
    ("anchors", 0), ("anchors", 0, "blockNumber"), ("issuerDocument",), ("digest",), ("inclusion", "more"),
]  # fmt: skip
VALUES = [
    None, True, False, 0, 1, 1.0, -1, 2**53, 3.5, 1e300, "", "JCS", "RAW", "A" * 42 + "B", "A" * 44, "ab" * 32,
    "AB" * 32, "ab" * 31, "ab" * 33, [], {}, ["ab" * 32] * 64, ["ab" * 32] * 65, ["ab" * 31, "ab" * 33], [1],
    {"é": 1}, {"a": 1e-9}, "\ud800", {"deep": [[[[[]]]]]},
]  # fmt: skip


def outcome(work: Any, data: bytes) -> Any:
    try:
        return work(data)
    except InputError as error:
        return type(error), str(error)


def careful(data: bytes) -> Any:
    bundle = parse_bundle(data)
    return bundle, None if bundle.credential is None else canonicalize(bundle.credential)


def bent(place: tuple[Any, ...], value: Any) -> bytes:
    document: Any = copy.deepcopy(GOOD)
    at = document
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_the_quick_reader_says_what_the_careful_one_says(place: tuple[Any, ...]) -> None:
    reader = BundleReader()
    good = json.dumps(GOOD).encode()
    assert reader.read(good) == careful(good)  # from now on the anchors are known
    for value in VALUES:
        data = bent(place, value)
        assert outcome(reader.read, data) == outcome(careful, data), value


@given(st.binary(max_size=200) | st.sampled_from([json.dumps(GOOD).encode()]).flatmap(
    lambda good: st.integers(0, len(good) - 1).flatmap(
        lambda at: st.binary(max_size=3).map(lambda part: good[:at] + part + good[at + 1 :])
    )
))  # fmt: skip
def test_also_of_bytes_that_were_changed_anywhere(data: bytes) -> None:
    reader = BundleReader()
    reader.read(json.dumps(GOOD).encode())
    assert outcome(reader.read, data) == outcome(careful, data)


def test_missing_members() -> None:
    reader = BundleReader()
    reader.read(json.dumps(GOOD).encode())
    for name in GOOD:
        data = json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()
        assert outcome(reader.read, data) == outcome(careful, data)
