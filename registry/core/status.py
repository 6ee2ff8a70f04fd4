"""Where a credential's status bit stands: on chain, and in the W3C Bitstring Status List.

Both are found from the credential's index in its issuer's sequence. The contract keeps words of 256 bits, least
significant first; a status list has 131,072 entries, of which entry 0 is the leftmost bit (the most significant bit of
the first byte), so that a list is made of exactly 512 words, each with its bits reversed.
"""

from collections.abc import Iterator, Mapping

__all__ = [
    "ENTRIES_PER_LIST", "ENTRIES_PER_WORD", "LIST_BYTES", "WORDS_PER_LIST", "is_set", "list_and_entry", "list_bytes",
    "list_words", "range_words", "word_and_mask",
]  # fmt: skip

ENTRIES_PER_WORD = 256
ENTRIES_PER_LIST = 131072  # the specification's minimum, for the privacy of the herd
WORDS_PER_LIST = ENTRIES_PER_LIST // ENTRIES_PER_WORD
LIST_BYTES = ENTRIES_PER_LIST // 8

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def word_and_mask(index: int) -> tuple[int, int]:
    """The number of the contract's word that holds a credential's bit, and the bit in it."""
    return index >> 8, 1 << (index & 255)


def range_words(first: int, end: int) -> Iterator[tuple[int, int]]:
    """The words of the indexes from ``first`` up to, and not including, ``end``, each with the mask of their bits."""
    for word in range(first >> 8, (end + 255) >> 8):
        low, high = max(first - (word << 8), 0), min(end - (word << 8), ENTRIES_PER_WORD)
        if low < high:
            yield word, (1 << high) - (1 << low)


def list_and_entry(index: int) -> tuple[int, int]:
    """The number of the status list that holds a credential's bit, and its statusListIndex there."""
    return divmod(index, ENTRIES_PER_LIST)


def list_words(list_number: int) -> range:
    """The contract's word numbers that make up one status list."""
    return range(list_number * WORDS_PER_LIST, (list_number + 1) * WORDS_PER_LIST)


def list_bytes(list_number: int, words: Mapping[int, int]) -> bytes:
    """The 16,384 bytes of one status list, from the contract's words by word number; a word not named is 0."""
    return b"".join(words.get(word, 0).to_bytes(32, "little").translate(_REVERSED) for word in list_words(list_number))


def is_set(bits: bytes, entry: int) -> bool:
    """The bit of one entry in the bytes of a status list. Entries beyond its end raise IndexError."""
    return bool(bits[entry >> 3] & (0x80 >> (entry & 7)))
