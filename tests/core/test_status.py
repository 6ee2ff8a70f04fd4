"""Status bits on chain and in status lists are the same bits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core import status


@pytest.mark.parametrize(
    ("index", "word", "bit"), [(0, 0, 0), (255, 0, 255), (256, 1, 0), (41005, 160, 45), (2**53 - 1, 2**45 - 1, 255)]
)
def test_position_on_chain(index: int, word: int, bit: int) -> None:
    assert status.word_and_mask(index) == (word, 1 << bit)


@pytest.mark.parametrize(
    ("index", "list_number", "entry"), [(0, 0, 0), (131071, 0, 131071), (131072, 1, 0), (41005, 0, 41005)]
)
def test_position_in_a_list(index: int, list_number: int, entry: int) -> None:
    assert status.list_and_entry(index) == (list_number, entry)


def test_entry_0_is_the_leftmost_bit() -> None:
    bits = status.list_bytes(0, {0: 1, 1: 1 << 9, 511: 1 << 255})
    assert len(bits) == status.LIST_BYTES == 16384
    assert bits[0] == 0x80
    assert bits[33] == 0x40
    assert bits[-1] == 0x01
    assert [entry for entry in range(131072) if status.is_set(bits, entry)] == [0, 256 + 9, 131071]


@given(st.integers(0, 3_000), st.integers(0, 3_000))
def test_the_words_of_a_range_hold_its_bits_and_no_other(first: int, size: int) -> None:
    found = [
        256 * word + bit
        for word, mask in status.range_words(first, first + size)
        for bit in range(mask.bit_length())
        if mask >> bit & 1
    ]
    assert found == list(range(first, first + size))


def test_a_list_has_an_end() -> None:
    with pytest.raises(IndexError):
        status.is_set(status.list_bytes(0, {}), 131072)


@given(st.lists(st.integers(0, 3 * 131072 - 1), max_size=30), st.integers(0, 2))
def test_both_places_say_the_same(indexes: list[int], list_number: int) -> None:
    words: dict[int, int] = {}
    for index in indexes:
        word, mask = status.word_and_mask(index)
        words[word] = words.get(word, 0) | mask
    bits = status.list_bytes(list_number, words)
    expected = {entry for number, entry in map(status.list_and_entry, indexes) if number == list_number}
    assert int.from_bytes(bits, "big").bit_count() == len(expected)
    assert all(status.is_set(bits, entry) for entry in expected)
