"""Many bundles in a row: the quick reader and the careful one say the same of everything."""

import copy
import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core import bundle_reading
from registry.core.bundle import parse_bundle, serialize_bundle
from registry.core.bundle_reading import BundleReader
from registry.core.canonical import canonicalize
from registry.core.errors import InputError

GOOD: dict[str, Any] = {
    "type": "AnchoredCredentialBundle",
    "version": 1,
    "credential": {"id": "urn:example:1", "n": 1, "name": "Zoë"},
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
ACHIEVEMENT: dict[str, Any] = {"description": "Reads data. " * 20, "hours": 2.5, "id": "urn:a"}
BADGE: dict[str, Any] = {"credentialSubject": {"achievement": ACHIEVEMENT, "name": "Zoë"}, "id": "urn:example:2"}
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


def read(reader: BundleReader, data: bytes) -> Any:
    return reader.read(data) or careful(data)


def written(document: dict[str, Any]) -> bytes:
    """A line for each part, as ``serialize_bundle`` has it, whatever the parts are."""
    parts = {name: json.dumps(value, ensure_ascii=False, separators=(",", ":")) for name, value in document.items()}
    lines = ",\n".join(f'"{name}": {value}' for name, value in parts.items())
    return f"{{\n{lines}\n}}\n".encode("utf-8", "surrogatepass")


WRITTEN = written(GOOD)


def bent(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    document: Any = copy.deepcopy(GOOD)
    at = document
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = value
    return document  # type: ignore[no-any-return]


def knowing() -> BundleReader:
    """A reader that has seen the end of these bundles."""
    reader = BundleReader()
    assert reader.read(WRITTEN) == careful(WRITTEN)
    return reader


def test_what_is_written_is_read_without_the_careful_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    documented = written(GOOD | {"issuerDocument": {"id": "did:example:1"}})
    assert serialize_bundle(parse_bundle(WRITTEN)) == WRITTEN
    reader = knowing()
    expected = [careful(documented), careful(WRITTEN)]
    assert reader.read(documented) == expected[0]
    monkeypatch.setattr(bundle_reading, "parse_bundle", None)
    assert [reader.read(documented), reader.read(WRITTEN)] == expected


def badge(credential: dict[str, Any]) -> bytes:
    return written(GOOD | {"credential": credential})


def knowing_badges() -> BundleReader:
    """A reader that has seen an achievement before, and another one after it."""
    reader = knowing()
    for described in (ACHIEVEMENT, {**ACHIEVEMENT, "id": "urn:b"}):
        data = badge({"credentialSubject": {"achievement": described}, "id": "urn:example:1"})
        assert reader.read(data) == careful(data)
    return reader


def test_what_is_known_of_an_achievement_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = knowing_badges()
    read: list[bytes] = []
    decode = bundle_reading._decode
    monkeypatch.setattr(bundle_reading, "_decode", lambda raw: decode(read.append(raw) or raw))
    for described in (ACHIEVEMENT, {**ACHIEVEMENT, "id": "urn:b"}):
        data = badge({"credentialSubject": {"achievement": described, "name": "Zoë"}, "id": "urn:example:2"})
        assert reader.read(data) == careful(data)
    assert len(read) == 2
    assert not any(b"Reads data" in raw for raw in read)


OTHERS: list[dict[str, Any]] = [
    # The same text where it is no achievement, or not the one that is found first.
    {"a": BADGE, "credentialSubject": {"achievement": None}},
    {"a": BADGE, "credentialSubject": {"achievement": ACHIEVEMENT}},
    {"a": BADGE},
    {"a": [BADGE], "credentialSubject": {"achievement": {}, "id": "x"}},
    {"credentialSubject": {"_": 1, "achievement": ACHIEVEMENT}},
    {"credentialSubject": [{"achievement": ACHIEVEMENT}]},
    {"credentialSubject": {"achievement": [ACHIEVEMENT]}},
    {"a": '"credentialSubject":{"achievement":' + json.dumps(ACHIEVEMENT, separators=(",", ":")), **BADGE},
    {"a": {"credentialSubject": {"achievement": ACHIEVEMENT}}, "credentialSubject": {"achievement": "\x7f"}},
    # And where something else of the badge is unusual.
    BADGE | {"z": 3.0}, BADGE | {"z": 1e-9}, BADGE | {"z": -2.5}, BADGE | {"z": 2**53}, BADGE | {"z": "\ud800"},
    BADGE | {"\uffee": 1, "\U0001f600": 1}, BADGE | {"Z": 1, "A": 2}, BADGE | {"z": [[[[[[[[[[[1]]]]]]]]]]]},
    {"credentialSubject": {"achievement": ACHIEVEMENT | {"hours": 3.0}}},
    {"credentialSubject": {"achievement": ACHIEVEMENT | {"more": 1}}},
    {"credentialSubject": {"achievement": ACHIEVEMENT | {"id": "urn:\U0001f600"}}},
]  # fmt: skip


@pytest.mark.parametrize("credential", OTHERS, ids=range(len(OTHERS)))
def test_where_a_known_achievement_would_mislead(credential: dict[str, Any]) -> None:
    reader = knowing_badges()
    for data in (badge(credential), badge(dict(sorted(credential.items())))):
        for _ in range(2):
            assert outcome(partial(read, reader), data) == outcome(careful, data)


@pytest.mark.parametrize("text", ["}", '"', ",", '"x":1', ' "x":1', "\\", '"id":"urn:a"}', "{}", "null", "[1]"])
@pytest.mark.parametrize("behind", [False, True])
def test_what_stands_around_a_known_achievement(text: str, behind: bool) -> None:
    data, described = badge(BADGE), json.dumps(ACHIEVEMENT, separators=(",", ":")).encode()
    reader = knowing_badges()
    assert described in data
    around = [described, text.encode()] if behind else [text.encode(), described]
    changed = data.replace(described, b"".join(around))
    assert outcome(partial(read, reader), changed) == outcome(careful, changed)


def test_more_achievements_than_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_reading, "_KNOWN_ACHIEVEMENTS", 3)
    reader = knowing()
    for number in [0, 1, 2, 3, 4, 3, 0, 0, 5, 2, 4, 3]:
        described = ACHIEVEMENT | {"id": f"urn:{number}"}
        data = badge({"credentialSubject": {"achievement": described}, "name": "\x7f" if number == 3 else "Zoë"})
        assert reader.read(data) == careful(data)
        texts = [text for text, _ in reader._achievements._known]
        assert len(set(texts)) == len(texts) <= 3


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_the_quick_reader_says_what_the_careful_one_says(place: tuple[Any, ...]) -> None:
    reader = knowing()
    for value in VALUES:
        document = bent(place, value)
        for data in (written(document), json.dumps(document).encode()):
            assert outcome(partial(read, reader), data) == outcome(careful, data), value


@pytest.mark.parametrize("depth", [62, 63, 64, 65, 66])
@pytest.mark.parametrize("inmost", [[], {}, 1, 2.5])
def test_documents_may_be_as_deep_as_for_the_careful_reader(depth: int, inmost: Any) -> None:
    value = inmost
    for _ in range(depth - isinstance(inmost, list | dict) - 1):
        value = [value]
    data = written(GOOD | {"credential": {"deep": value}})
    assert outcome(partial(read, knowing()), data) == outcome(careful, data)


@pytest.mark.parametrize("text", [
    '{"b":1,"a":1}', '{"a":1,"a":1}', '{"a":1,"a":2}', '{"a": 1}', '{"a":1.0}', '{"a":-0}', '{"a":-0.0}', '{"a":1e16}',
    '{"a":1e-6}', '{"a":1e-5}', '{"a":0.000001}', '{"a":1.5e16}', '{"a":1.5e22}', '{"a":123456789012345.6}',
    '{"a":1234567890123456.7}', '{"a":1E2}',
    '{"a":1e-7}', '{"a":0.1}', '{"a":0.00099}', '{"a":[2.5,1e400]}', '{"a":9007199254740993}', '{"a":NaN}',
    '{"a":123456789012345678901234567890}', '{"a":"\\u0041"}', '{"a":"\\/"}', '{"a":"\\ud83d\\ude00"}',
    '{"a":"\\ud83d"}',
    '{"\uffee":1,"\U0001f600":1}', '{"\U0001f600":1,"\uffee":1}', '{"a":"\x7f"}', '{"a":"\t"}', "[]", "1", '""', "",
    '{"a":1}}', '{"a":1},"digest":"1"', '{},"leaf":{}', '{"a":"\u2028"}',
])  # fmt: skip
def test_credentials_that_are_written_otherwise(text: str) -> None:
    plain = written(GOOD | {"credential": 0})
    data = plain.replace(b'"credential": 0', b'"credential": ' + text.encode())
    assert outcome(partial(read, knowing()), data) == outcome(careful, data)


@given(st.binary(max_size=200) | st.sampled_from([WRITTEN, json.dumps(GOOD).encode(), badge(BADGE)]).flatmap(
    lambda good: st.integers(0, len(good) - 1).flatmap(
        lambda at: st.binary(max_size=3).map(lambda part: good[:at] + part + good[at + 1 :])
    )
))  # fmt: skip
def test_also_of_bytes_that_were_changed_anywhere(data: bytes) -> None:
    assert outcome(partial(read, knowing_badges()), data) == outcome(careful, data)


@pytest.mark.parametrize("text", [
    '{"algorithm": "RFC9162_SHA256","leafIndex":1,"treeSize":4,"root":R,"path":[P]}',
    '{"leafIndex":1,"algorithm":"RFC9162_SHA256","treeSize":4,"root":R,"path":[P]}',
    '{"algorithm":"RFC9162_SHA256","leafIndex":1,"leafIndex":2,"treeSize":4,"root":R,"path":[P]}',
    '{"algorithm":"RFC9162_SHA256","leafIndex":1,"treeSize":4,"root":R,"path":[P],"path":[P]}',
    '{"algorithm":"RFC9162_SHA256","leafIndex":1,"treeSize":4,"root":R,"path":[P],"more":1}',
    '{"algorithm":"\\u0052FC9162_SHA256","leafIndex":1,"treeSize":4,"root":R,"path":[P]}',
    '{"algorithm":"RFC9162_SHA256","leafIndex":1.0,"treeSize":4,"root":R,"path":[P]}',
    '{"algorithm":"RFC9162_SHA256","leafIndex":01,"treeSize":4,"root":R,"path":[P]}',
    '{"algorithm":"RFC9162_SHA256","leafIndex":1,"treeSize":4,"root":R,"path":[P ]}',
    '{"algorithm":"RFC9162_SHA256","leafIndex":1,"treeSize":4,"root":R,"path":[""]}',
    '{"algorithm":"RFC9162_SHA256","leafIndex":1,"treeSize":4,"root":"","path":[P,P]}',
    '{"algorithm":"RFC9162_SHA256","leafIndex":1,"treeSize":4,"root":R,"path":[]}',
])  # fmt: skip
def test_inclusions_that_are_written_otherwise(text: str) -> None:
    line = text.replace("R,", f'"{"ab" * 32}",').replace("P", f'"{"cd" * 32}"').encode()
    place = json.dumps(GOOD["inclusion"], separators=(",", ":")).encode()
    data = WRITTEN.replace(place, line)
    assert data != WRITTEN
    assert outcome(partial(read, knowing()), data) == outcome(careful, data)


def test_every_single_byte_counts() -> None:
    reader, good = knowing_badges(), badge(BADGE)
    for at in range(len(good)):
        for other in (b"x", b" ", b"0", b'"', b"\n", b""):
            data = good[:at] + other + good[at + 1 :]
            assert outcome(partial(read, reader), data) == outcome(careful, data), (at, other)


def test_missing_members() -> None:
    reader = knowing()
    for name in GOOD:
        document = {key: value for key, value in GOOD.items() if key != name}
        for data in (written(document), json.dumps(document).encode()):
            assert outcome(partial(read, reader), data) == outcome(careful, data)


def test_an_end_counts_behind_a_right_beginning_only() -> None:
    """What stands before the end of a bundle may make another thing of it."""
    reader = knowing()
    end = WRITTEN[WRITTEN.index(b'"anchors"') :]
    for begin in (b"", b"{\n", WRITTEN[: -len(end)] + b'"digest": "00",\n', WRITTEN[: -len(end) - 2] + b"\n"):
        data = begin + end
        assert outcome(partial(read, reader), data) == outcome(careful, data)
