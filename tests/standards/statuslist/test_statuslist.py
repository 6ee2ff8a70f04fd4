"""Bitstring status lists: ours are right to the bit, others' can do no harm."""

import base64
import gzip
import random
import time
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.model import Check, Outcome
from registry.core.status import ENTRIES_PER_LIST, list_and_entry, word_and_mask
from registry.standards.statuslist import (
    MAX_LIST_BYTES,
    ListCode,
    StatusListError,
    build_status_list,
    check_status,
    decode_list,
    encode_list,
    parse_status_list,
)

ISSUER = "did:web:badges.example"
URL = "https://badges.example/status/revocation/0"
NOW = 1_800_000_000


def _list(words: dict[int, int] | None = None, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "url": URL,
        "issuer": ISSUER,
        "purpose": "revocation",
        "list_number": 0,
        "words": words or {},
        "valid_from": NOW,
    }
    return build_status_list(**{**arguments, **changes})


def _entry(index: int | str, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"{URL}#{index}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": str(index),
        "statusListCredential": URL,
        **changes,
    }


def _check(entry: Any, status_list: Any, **changes: Any) -> Check:
    return check_status(entry, status_list, **{"credential_issuer": ISSUER, "now": NOW, **changes})


def _with_subject(**changes: Any) -> dict[str, Any]:
    found = _list()
    found["credentialSubject"].update(changes)
    return found


def _multibase(packed: bytes) -> str:
    return "u" + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


# --- ours -----------------------------------------------------------------------------------------------------------


def test_the_document() -> None:
    found = _list(valid_until=NOW + 86400, ttl_seconds=300)
    encoded = found["credentialSubject"].pop("encodedList")
    assert found == {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "id": URL,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": ISSUER,
        "validFrom": "2027-01-15T08:00:00Z",
        "validUntil": "2027-01-16T08:00:00Z",
        "credentialSubject": {
            "id": f"{URL}#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "ttl": 300_000,
        },
    }
    assert decode_list(encoded) == bytes(16384)


def test_entry_0_is_the_leftmost_bit() -> None:
    bits = decode_list(_list({0: 1, 511: 1 << 255})["credentialSubject"]["encodedList"])
    assert (bits[0], bits[-1], sum(bits)) == (0x80, 0x01, 0x81)


def test_other_programs_unpack_it() -> None:
    encoded = _list({0: 1})["credentialSubject"]["encodedList"]
    packed = base64.urlsafe_b64decode(encoded[1:] + "=" * (-len(encoded[1:]) % 4))
    assert gzip.decompress(packed) == b"\x80" + bytes(16383)


def test_the_same_words_give_the_same_bytes() -> None:
    words = {number: random.Random(number).getrandbits(256) for number in range(512)}
    assert _list(words) == _list(dict(reversed(words.items())))
    encoded = _list(words)["credentialSubject"]["encodedList"]
    header = base64.urlsafe_b64decode(encoded[1:17])[:10]
    assert header.hex() == "1f8b08000000000002ff"  # no time, no system


def test_a_million_credentials_in_eight_lists() -> None:
    chance = random.Random(5)
    revoked = set(chance.sample(range(1_000_000), 3000)) | {0, 131_071, 131_072, 999_999}
    words: dict[int, int] = {}
    for index in revoked:
        word, mask = word_and_mask(index)
        words[word] = words.get(word, 0) | mask
    started = time.process_time()
    lists = [_list(words, list_number=number) for number in range(8)]
    assert time.process_time() - started < 5
    parsed = [parse_status_list(item) for item in lists]
    for index in [*revoked, *chance.sample(range(1_000_000), 3000)]:
        number, entry = list_and_entry(index)
        assert parsed[number].is_set(entry) is (index in revoked)
    assert sum(bits.bit_count() for item in parsed for bits in item.bits) == len(revoked)


@given(st.dictionaries(st.integers(0, 511), st.integers(0, 2**256 - 1), max_size=20), st.integers(0, 131_071))
@settings(max_examples=50, deadline=None)
def test_what_the_words_say_is_what_the_list_says(words: dict[int, int], index: int) -> None:
    word, mask = word_and_mask(index)
    outcome = Outcome.FAIL if words.get(word, 0) & mask else Outcome.PASS
    assert _check(_entry(index), _list(words)).outcome is outcome


# --- look-ups -------------------------------------------------------------------------------------------------------


def test_clear() -> None:
    assert _check(_entry(7), _list({0: 1 << 8})) == Check(
        "revocation", Outcome.PASS, "ok", f"Not set in the issuer's list {URL}."
    )


def test_revoked() -> None:
    found = _check(_entry(7), _list({0: 1 << 7}))
    assert (found.name, found.outcome, found.code) == ("revocation", Outcome.FAIL, "revoked")


def test_suspended() -> None:
    found = _check(_entry(7, statusPurpose="suspension"), _list({0: 1 << 7}, purpose="suspension"))
    assert (found.name, found.outcome, found.code) == ("suspension", Outcome.FAIL, "suspended")


def test_a_list_for_several_purposes() -> None:
    found = _with_subject(statusPurpose=["suspension", "revocation"])
    assert _check(_entry(7), found).outcome is Outcome.PASS


def test_a_longer_list_of_somebody_else() -> None:
    found = _with_subject(encodedList=encode_list(bytes(20_000) + b"\x01"))
    assert _check(_entry(160_007), found).code == "revoked"
    assert _check(_entry(160_006), found).code == "ok"
    assert _check(_entry(160_008), found).code == ListCode.RANGE


def _list_of_2021(words: dict[int, int] | None = None, **changes: Any) -> dict[str, Any]:
    found = _list(words)
    subject = {**found["credentialSubject"], "type": "StatusList2021", **changes}
    subject.setdefault("encodedList", "")
    if "encodedList" not in changes:
        subject["encodedList"] = subject["encodedList"][1:]
    return {**found, "type": ["VerifiableCredential", "StatusList2021Credential"], "credentialSubject": subject}


@pytest.mark.parametrize("index", [5, "5"])
def test_a_list_of_2021(index: int | str) -> None:
    entry = _entry(5, type="StatusList2021Entry", statusListIndex=index)
    word, mask = word_and_mask(5)
    assert _check(entry, _list_of_2021()).outcome is Outcome.PASS
    assert _check(entry, _list_of_2021({word: mask})).code == ListCode.REVOKED
    padded = base64.b64encode(gzip.compress(bytes(16_384))).decode()
    assert _check(entry, _list_of_2021(encodedList=padded)).outcome is Outcome.PASS


def test_lists_of_the_two_kinds_are_not_mixed() -> None:
    old, word = _entry(5, type="StatusList2021Entry"), ListCode.NOT_A_LIST
    assert (_check(old, _list()).outcome, _check(old, _list()).code) == (Outcome.UNKNOWN, word)
    assert _check(_entry(5), _list_of_2021()).code == word
    assert _check(_entry(5, statusListIndex=5), _list()).code == ListCode.ENTRY
    assert _check(old, _list_of_2021(encodedList="=" * 5)).code == ListCode.MULTIBASE


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"type": "RevocationList2020Status"}, ListCode.TYPE),
        ({"type": None}, ListCode.TYPE),
        ({"statusListIndex": 7}, ListCode.ENTRY),
        ({"statusListIndex": "-7"}, ListCode.ENTRY),
        ({"statusListIndex": "07"}, ListCode.ENTRY),
        ({"statusListIndex": "\u0667"}, ListCode.ENTRY),
        ({"statusListIndex": "9" * 5000}, ListCode.ENTRY),
        ({"statusListCredential": None}, ListCode.ENTRY),
        ({"statusListCredential": "https://badges.example/other"}, ListCode.ADDRESS),
        ({"statusPurpose": "message"}, ListCode.OTHER_PURPOSE),
        ({"statusPurpose": ["revocation"]}, ListCode.OTHER_PURPOSE),
        ({"statusPurpose": "suspension"}, ListCode.PURPOSE),
        ({"statusSize": 2}, ListCode.SIZE),
        ({"statusListIndex": "131072"}, ListCode.RANGE),
    ],
)
def test_an_entry_that_cannot_be_followed(changes: dict[str, Any], code: ListCode) -> None:
    found = _check(_entry(7, **changes), _list({0: 1 << 7}))
    assert (found.outcome, found.code) == (Outcome.UNKNOWN, code)


@pytest.mark.parametrize("entry", [None, [], "x", 5])
def test_no_entry_at_all(entry: Any) -> None:
    assert _check(entry, _list()).code == ListCode.ENTRY


def test_unreachable() -> None:
    found = _check(_entry(7), None)
    assert (found.outcome, found.code) == (Outcome.UNKNOWN, ListCode.UNREACHABLE)


def test_the_list_of_another_issuer() -> None:
    assert _check(_entry(7), _list(issuer="did:web:other.example")).code == ListCode.ISSUER
    assert _check(_entry(7), {**_list(), "issuer": {"id": ISSUER}}).code == "ok"


@pytest.mark.parametrize(
    ("changes", "now", "code"),
    [
        ({"validFrom": "2027-01-15T08:05:00Z"}, NOW, "ok"),  # within the skew of clocks
        ({"validFrom": "2027-01-15T08:05:01Z"}, NOW, ListCode.NOT_IN_TIME),
        ({"validUntil": "2027-01-15T07:55:00Z"}, NOW, "ok"),
        ({"validUntil": "2027-01-15T07:54:59Z"}, NOW, ListCode.NOT_IN_TIME),
        ({"validUntil": "tomorrow"}, NOW, ListCode.NOT_IN_TIME),
    ],
)
def test_the_list_s_own_period(changes: dict[str, Any], now: int, code: str) -> None:
    assert _check(_entry(7), {**_list(), **changes}, now=now).code == code


def test_time_to_live() -> None:
    found = _list(ttl_seconds=60)
    assert _check(_entry(7), found, fetched_at=NOW - 360).code == "ok"
    assert _check(_entry(7), found, fetched_at=NOW - 361).code == ListCode.NOT_IN_TIME
    assert _check(_entry(7), _list(), fetched_at=0).code == "ok"


# --- hostile lists --------------------------------------------------------------------------------------------------

_ZEROS = bytes(16384)


_BROKEN: list[tuple[Any, ListCode]] = [
    (None, ListCode.MULTIBASE),
    ("", ListCode.MULTIBASE),
    ("z" + encode_list(_ZEROS)[1:], ListCode.MULTIBASE),
    (encode_list(_ZEROS)[1:], ListCode.MULTIBASE),  # as Status List 2021 had it
    (encode_list(_ZEROS) + "=", ListCode.MULTIBASE),
    (encode_list(_ZEROS) + "\n", ListCode.MULTIBASE),
    ("uA", ListCode.MULTIBASE),
    ("u+/+/", ListCode.MULTIBASE),
    ("u", ListCode.GZIP),
    (_multibase(_ZEROS), ListCode.GZIP),
    (_multibase(zlib.compress(_ZEROS)), ListCode.GZIP),
    (_multibase(gzip.compress(_ZEROS)[:-9]), ListCode.GZIP),
    (_multibase(gzip.compress(_ZEROS)[:-8] + bytes(8)), ListCode.GZIP),  # wrong checksum
    (_multibase(gzip.compress(_ZEROS) * 2), ListCode.GZIP),
    (_multibase(gzip.compress(_ZEROS) + b"x"), ListCode.GZIP),
    (encode_list(bytes(16383)), ListCode.TOO_SHORT),
    (encode_list(b""), ListCode.TOO_SHORT),
    (encode_list(bytes(MAX_LIST_BYTES + 1)), ListCode.TOO_LARGE),
    ("u" + "A" * (2 * MAX_LIST_BYTES), ListCode.TOO_LARGE),
]


@pytest.mark.parametrize(("encoded", "code"), _BROKEN, ids=[f"{n}-{code}" for n, (_, code) in enumerate(_BROKEN)])
def test_a_broken_bitstring(encoded: Any, code: ListCode) -> None:
    found = _check(_entry(7), _with_subject(encodedList=encoded))
    assert (found.outcome, found.code) == (Outcome.UNKNOWN, code)


def test_the_largest_list_is_read() -> None:
    bits = random.Random(1).randbytes(MAX_LIST_BYTES)
    assert decode_list(encode_list(bits)) == bits


def test_a_gzip_bomb_is_not_unpacked() -> None:
    """A quarter of a gigabyte of zeros: read in bounded memory, and at once."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
    bomb = b"".join(compressor.compress(bytes(1 << 22)) for _ in range(64)) + compressor.flush()
    started = time.process_time()
    with pytest.raises(StatusListError) as caught:
        decode_list(_multibase(bomb))
    assert caught.value.code is ListCode.TOO_LARGE
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("status_list", "code"),
    [
        ([], ListCode.NOT_A_LIST),
        ("x", ListCode.NOT_A_LIST),
        ({}, ListCode.NOT_A_LIST),
        ({**_list(), "type": ["VerifiableCredential"]}, ListCode.NOT_A_LIST),
        ({**_list(), "type": [[]]}, ListCode.NOT_A_LIST),
        ({**_list(), "issuer": 5}, ListCode.NOT_A_LIST),
        ({**_list(), "credentialSubject": [_list()["credentialSubject"]]}, ListCode.NOT_A_LIST),
        (_with_subject(type="StatusList2021"), ListCode.NOT_A_LIST),
        (_with_subject(statusPurpose=None), ListCode.NOT_A_LIST),
        (_with_subject(statusPurpose=[{}]), ListCode.NOT_A_LIST),
        (_with_subject(statusPurpose="message"), ListCode.PURPOSE),
        (_with_subject(ttl=-1), ListCode.NOT_A_LIST),
        (_with_subject(ttl="1"), ListCode.NOT_A_LIST),
        (_with_subject(ttl=True), ListCode.NOT_A_LIST),
        (_with_subject(ttl=float("nan")), ListCode.NOT_A_LIST),
        (_with_subject(statusSize=2), ListCode.SIZE),
        (_with_subject(statusSize="1"), ListCode.SIZE),
    ],
)
def test_a_broken_list(status_list: Any, code: ListCode) -> None:
    found = _check(_entry(7), status_list)
    assert (found.outcome, found.code) == (Outcome.UNKNOWN, code)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_nothing_raises_and_nothing_odd_passes(data: st.DataObject) -> None:
    """Any one field of the entry or the list may be anything: PASS only if it is what a reader may ignore."""
    entry, found = _entry(7), _list()
    holder = data.draw(st.sampled_from([entry, found, found["credentialSubject"]]))
    name = data.draw(st.sampled_from(sorted(holder)))
    holder[name] = data.draw(_JSON)
    check = _check(entry, found)
    assert check.outcome in (Outcome.PASS, Outcome.UNKNOWN)
    if check.outcome is Outcome.PASS:
        assert name in ("@context", "id")


@given(st.binary(max_size=300))
def test_any_bytes_behind_the_multibase_prefix(packed: bytes) -> None:
    with pytest.raises(StatusListError):
        decode_list(_multibase(packed))


def test_entries_in_a_list_are_as_many_as_core_says() -> None:
    assert 8 * len(decode_list(_list()["credentialSubject"]["encodedList"])) == ENTRIES_PER_LIST
