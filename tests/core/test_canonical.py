"""Strict JSON and RFC 8785."""

import json
import math
import re
import struct
from enum import StrEnum
from pathlib import Path
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from registry.core.canonical import MAX_BYTES, MAX_DEPTH, MAX_INTEGER, canonicalize, canonicalize_purely, parse_json
from registry.core.errors import JsonError

REFERENCE = Path(__file__).parents[3] / "shared/reference/jcs/testdata"

REFUSED = {
    "nothing at all": (b"", "EOF"),
    "a key twice": (b'{"a":1,"a":2}', "duplicate key"),
    "a key twice, once escaped": (b'{"a":1,"\\u0061":2}', "duplicate key"),
    "a key twice, far inside": (b'[[{"x":{"a":1,"b":{"c":1,"c":1}}}]]', "duplicate key"),
    "NaN": (b"[NaN]", "expected value"),
    "Infinity": (b"[Infinity]", "expected value"),
    "minus Infinity": (b"[-Infinity]", "invalid number"),
    "a number that overflows": (b"[1e400]", "too large"),
    "a negative number that overflows": (b'{"a":[-1e400]}', "too large"),
    "an integer of 2^53": (b"[9007199254740992]", "9007199254740992 is beyond"),
    "an integer of -2^53": (b"[-9007199254740992]", "beyond"),
    "an integer of many digits": (b'{"a":' + b"1" * 3000 + b"}", "1{80}… is beyond"),
    "an integer of too many digits": (b"[" + b"1" * 10_000 + b"]", "out of range"),
    "trailing data": (b"{} {}", "trailing characters"),
    "a trailing comma": (b"[1,]", "trailing comma"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "expected value"),
    "UTF-16": ("{}".encode("utf-16-le"), "not strict JSON"),
    "a lone high surrogate": (b'["\\ud800"]', "not strict JSON"),
    "a lone low surrogate": (b'["\\udc00"]', "surrogate"),
    "surrogates in the wrong order": (b'["\\udc00\\ud800"]', "surrogate"),
    "a surrogate in UTF-8": (b'["\xed\xa0\x80"]', "invalid unicode"),
    "an overlong form": (b'["\xc0\x80"]', "invalid unicode"),
    "no UTF-8": (b'["\xff"]', "invalid unicode"),
    "a control character": (b'["a\tb"]', "control character"),
    "a NUL": (b'["\x00"]', "control character"),
    "an unknown escape": (b'["\\x41"]', "invalid escape"),
    "a leading zero": (b"[01]", "invalid number"),
    "a leading plus": (b"[+1]", "expected value"),
    "a point without digits": (b"[1.]", "invalid number"),
    "single quotes": (b"['a']", "expected value"),
    "a comment": (b"[1] // one", "trailing characters"),
    "a no-break space": (b"[\xc2\xa01]", "expected value"),
    "a form feed": (b"\x0c[]", "expected value"),
    "a very long key twice": (b'{"' + b"k" * 500 + b'":1,"' + b"k" * 500 + b'":1}', "…"),
    "nesting beyond the limit": (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "deeper than 64"),
    "nesting of objects beyond the limit": (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), "deeper"),
    "nesting far beyond the limit": (b"[" * 100_000, "recursion limit"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name: str) -> None:
    document, reason = REFUSED[name]
    with pytest.raises(JsonError, match=reason) as caught:
        parse_json(document)
    assert len(str(caught.value)) < 300


def test_refuses_more_bytes_than_asked_for() -> None:
    assert parse_json(b"[1]", max_bytes=3) == [1]
    with pytest.raises(JsonError, match="4 bytes; at most 3"):
        parse_json(b"[12]", max_bytes=3)
    with pytest.raises(JsonError, match=f"at most {MAX_BYTES}"):
        parse_json(b" " * (MAX_BYTES + 1))


def test_reads_what_is_allowed() -> None:
    assert parse_json(b' {"a": [1, -1.5e3, "\\ud83d\\ude00\\/", true, false, null, -0.0, 1e-400]} \n') == {
        "a": [1, -1500.0, "😀/", True, False, None, 0.0, 0.0]
    }
    deep = parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    assert canonicalize(deep) == canonicalize_purely(deep) == b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert parse_json(b"[9007199254740991,-9007199254740991]") == [MAX_INTEGER, -MAX_INTEGER]


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["%r", "%.25e", "%.17g"]))
def test_reads_floats_exactly(value: float, form: str) -> None:
    text = form % value
    if not re.search("[.e]", text):
        text += ".0"  # an integer's digits alone would be refused beyond 2^53
    assert parse_json(text.encode()) == float(text)


# RFC 8785 appendix B.
NUMBERS = {
    "0000000000000000": "0", "8000000000000000": "0", "0000000000000001": "5e-324", "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308", "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992", "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000", "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23", "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000", "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21", "3eb0c6f7a0b5ed8c": "9.999999999999997e-7", "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332", "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333", "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343", "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}  # fmt: skip


@pytest.mark.parametrize("bits", NUMBERS)
def test_writes_numbers_as_ecmascript_does(bits: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonicalize(value).decode() == NUMBERS[bits]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-7, "1e-7"),
        (1.5e-7, "1.5e-7"),
        (123e-8, "0.00000123"),
        (1e16, "10000000000000000"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (3.0, "3"),
        (-3.25, "-3.25"),
        (True, "true"),
        (1, "1"),
        (-MAX_INTEGER, "-9007199254740991"),
    ],
)
def test_writes_numbers(value: float, text: str) -> None:
    assert canonicalize([value]).decode() == f"[{text}]"


def test_orders_keys_by_utf16_code_units() -> None:
    # U+1F600 comes after U+FB33 by code point, before it as a surrogate pair (RFC 8785 section 3.2.3).
    document = {"\ufb33": 1, "😀": 2, "ö": 3, "€": 4, "\x80": 5, "1": 6, "\r": 7}
    assert list(json.loads(canonicalize(document))) == ["\r", "1", "\x80", "ö", "€", "😀", "\ufb33"]


def test_escapes_no_more_than_it_has_to() -> None:
    for code in range(0x20):
        assert canonicalize(chr(code)) == canonicalize_purely(chr(code)) == rfc8785.dumps(chr(code))
    assert (
        canonicalize_purely('\b\t\n\f\r"\\/\x7f\u2028é😀\x1f')
        == '"\\b\\t\\n\\f\\r\\"\\\\/\x7f\u2028é😀\\u001f"'.encode()
    )


class _Text(StrEnum):
    A = "a"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        ({"a": [-math.inf]}, "inf"),
        (MAX_INTEGER + 1, "beyond"),
        (-MAX_INTEGER - 1, "beyond"),
        (-(10**4000), "beyond"),
        ("\ud800", "surrogate"),
        (["\udc00"], "surrogate"),
        ({"\ud800": 1}, "surrogate"),
        ({1: "a"}, "not a Python int"),
        ({None: "a"}, "not a Python NoneType"),
        ((1, 2), "tuple"),
        (b"a", "bytes"),
        ({1, 2}, "set"),
        (UUID(int=0), "UUID"),
        (object(), "object"),
    ],
)
def test_refuses_what_json_has_no_form_for(value: object, reason: str) -> None:
    with pytest.raises(JsonError, match=reason):
        canonicalize(value)


def test_refuses_what_is_too_deep() -> None:
    value: object = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert canonicalize(value)
    with pytest.raises(JsonError, match="deeper than 64"):
        canonicalize([value])
    with pytest.raises(JsonError, match="deeper than 64"):
        canonicalize({"a": value})


def test_kinds_of_strings_are_strings() -> None:
    assert canonicalize({_Text.A: _Text.A}) == b'{"a":"a"}'


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=5),
    max_leaves=20,
)
# What the fast path takes.
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.text()
    | st.floats(1e-3, 1e15, exclude_max=True).filter(lambda value: not value.is_integer()),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=5),
    max_leaves=20,
)


@given(JSON | PLAIN)
def test_fast_path_and_reference_implementation_agree(value: object) -> None:
    assert canonicalize(value) == canonicalize_purely(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(st.floats(1e-4, 1e16) | st.floats(-1e16, -1e-4) | st.decimals(-1000, 1000, places=3).map(float))
def test_fast_path_writes_floats_alike(value: float) -> None:
    assert canonicalize([value]) == canonicalize_purely([value])


@pytest.mark.parametrize(
    "value",
    [2.5, 1e-3, 9.999999999999999e-4, 1e15, 999999999999999.9, 0.1 + 0.2, 3.0, -0.0, 5e-324, 1e16, 123456.75, -1e-3],
)
def test_fast_path_at_its_edges(value: float) -> None:
    assert canonicalize({"a": value}) == canonicalize_purely({"a": value}) == rfc8785.dumps({"a": value})


BEYOND = st.recursive(
    st.integers() | st.floats() | st.text(st.characters(exclude_categories=())) | st.binary(max_size=2) | st.uuids(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=2) | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(BEYOND)
def test_fast_path_refuses_what_the_definition_refuses(value: object) -> None:
    results = []
    for function in (canonicalize, canonicalize_purely):
        try:
            results.append(function(value))
        except JsonError as error:
            results.append(str(error).encode())
    assert results[0] == results[1]


@given(PLAIN)
def test_canonical_form_is_its_own(value: object) -> None:
    canonical = canonicalize(value)
    assert parse_json(canonical) == value
    assert canonicalize(parse_json(canonical)) == canonical


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_canonical_numbers_keep_their_value(value: float) -> None:
    text = canonicalize(value).decode()
    assert float(text) == value
    assert re.fullmatch(r"-?(0|[1-9]\d{0,20})(\.\d+)?(e[+-][1-9]\d*)?", text)


@given(st.binary(max_size=40) | st.text('{}[]",:0123456789.eE+-\\ulnatrfs ', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        value = parse_json(data)
    except JsonError:
        return
    if not _has_large_float(value):
        assert parse_json(canonicalize(value)) == value


def _has_large_float(value: object) -> bool:
    """Floats of 2^53 to 1e21 have a canonical form of digits only, which the parser refuses as an integer."""
    if isinstance(value, float):
        return MAX_INTEGER < abs(value) < 1e21
    if isinstance(value, dict):
        return any(map(_has_large_float, value.values()))
    return isinstance(value, list) and any(map(_has_large_float, value))


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs the JCS test data beside the checkout (../shared/reference)")
@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_published_vectors(name: str) -> None:
    value = parse_json((REFERENCE / f"input/{name}.json").read_bytes())
    expected = bytes.fromhex((REFERENCE / f"outhex/{name}.txt").read_text())
    assert canonicalize(value) == canonicalize_purely(value) == expected
    assert expected == (REFERENCE / f"output/{name}.json").read_bytes().rstrip(b"\n")
