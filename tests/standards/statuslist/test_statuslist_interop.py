"""Others read our lists, and we theirs: openbadgeslib."""

import pytest

from registry.standards.statuslist import build_status_list, decode_list, parse_status_list

theirs = pytest.importorskip("openbadgeslib.ob3.status")
their_lists = pytest.importorskip("openbadgeslib.ob3.status_list")

SET = {0, 1, 7, 8, 300, 131_071}


def test_they_read_ours() -> None:
    words: dict[int, int] = {}
    for index in SET:
        words[index >> 8] = words.get(index >> 8, 0) | 1 << (index & 255)
    credential = build_status_list(
        url="https://badges.example/status/revocation/0",
        issuer="did:web:badges.example",
        purpose="revocation",
        list_number=0,
        words=words,
        valid_from=1_800_000_000,
    )
    assert theirs.set_indices(theirs.decode_encoded_list(credential["credentialSubject"]["encodedList"])) == SET


def test_we_read_theirs() -> None:
    bits = decode_list(their_lists.encode_bitstring(SET))
    assert {index for index in range(8 * len(bits)) if bits[index >> 3] & 0x80 >> (index & 7)} == SET
    document = their_lists.build_status_list_credential(
        "did:web:badges.example", "https://badges.example/status/0", "revocation", SET
    )
    assert parse_status_list(document).is_set(300)
