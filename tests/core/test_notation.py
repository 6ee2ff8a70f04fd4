"""One text for each value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core import notation
from registry.core.errors import InputError


@given(st.binary(max_size=40))
def test_bytes_come_back(value: bytes) -> None:
    assert notation.parse_hex(notation.hex_text(value), len(value)) == value
    assert notation.parse_hex(value.hex(), len(value), prefix="") == value
    assert notation.parse_base64url(notation.base64url_text(value), len(value)) == value


@given(st.text(max_size=50))
def test_no_two_texts_give_the_same_bytes(text: str) -> None:
    for length in range(3):
        try:
            value = notation.parse_base64url(text, length)
        except InputError:
            continue
        assert notation.base64url_text(value) == text


@given(st.integers(0, notation.LAST_SECOND))
def test_times_come_back(seconds: int) -> None:
    assert notation.parse_time(notation.time_text(seconds)) == seconds


def test_ends_of_time() -> None:
    assert notation.time_text(0) == "1970-01-01T00:00:00Z"
    assert notation.time_text(notation.LAST_SECOND) == "9999-12-31T23:59:59Z"


@given(st.integers(1, 10**16 - 1))
def test_chains_come_back(chain_id: int) -> None:
    assert notation.parse_chain(notation.chain_text(chain_id)) == chain_id


@pytest.mark.parametrize("text", ["", "AA==", "A", "AB", "A A", "+/8"])
def test_base64url_has_one_form(text: str) -> None:
    with pytest.raises(InputError):
        notation.parse_base64url(text, 1)


def test_long_text_is_cut() -> None:
    assert notation.short("abc", 3) == "abc"
    assert notation.short("abcd", 3) == "abc…"
