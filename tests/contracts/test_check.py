"""check(): RFC 9162 inclusion on chain, against a reference written from the RFC's definitions and nothing else."""

from hashlib import sha256

import pytest
from contract_evm import Registry, account, address_of
from eth_utils import keccak

ISSUER = account(1)
ISSUER_ADDRESS = address_of(ISSUER)
NO = (False, False, False)
YES = (True, False, False)


def split(size: int) -> int:
    """The largest power of two below size."""
    return 1 << ((size - 1).bit_length() - 1)


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, over leaf hashes."""
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return sha256(b"\x01" + root_of(leaves[:k]) + root_of(leaves[k:])).digest()


def path_of(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 9162 section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*path_of(index, leaves[:k]), root_of(leaves[k:])]
    return [*path_of(index - k, leaves[k:]), root_of(leaves[:k])]


def leaves_of(size: int) -> list[bytes]:
    return [sha256(b"\x00" + sha256(b"leaf %d" % i).digest()).digest() for i in range(size)]


def anchor(registry: Registry, leaves: list[bytes]) -> tuple[bytes, int]:
    root, first = root_of(leaves), registry.nextIndexOf(ISSUER_ADDRESS)
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, root, first, len(leaves))
    return root, first


@pytest.mark.parametrize("size", [*range(1, 18), 31, 32, 33, 64, 65])
def test_every_leaf_is_included_and_only_at_its_place(registry: Registry, size: int) -> None:
    leaves = leaves_of(size)
    root, first = anchor(registry, leaves)
    for index in range(size) if size < 18 else (0, 1, size // 2, size - 2, size - 1):
        path = path_of(index, leaves)
        assert registry.check(ISSUER_ADDRESS, root, first, leaves[index], index, path) == YES
        for other in {index ^ 1, index + 1, size - 1, size, 0} - {index}:
            assert registry.check(ISSUER_ADDRESS, root, first, leaves[index], other, path) == NO


@pytest.fixture
def eleven(registry: Registry) -> tuple[Registry, list[bytes], bytes, int]:
    """A batch of 11 leaves behind another batch of 250: credentials 250 to 260, in status words 0 and 1."""
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, keccak(b"before"), 0, 250)
    leaves = leaves_of(11)
    return registry, leaves, *anchor(registry, leaves)


Eleven = tuple[Registry, list[bytes], bytes, int]


@pytest.mark.parametrize("index", [11, 12, 2**32, 2**53, 2**64, 2**255, 2**256 - 1])
def test_an_index_beyond_the_size_is_not_included(eleven: Eleven, index: int) -> None:
    registry, leaves, root, first = eleven
    for path in ([], path_of(10, leaves), path_of(index % 11, leaves)):
        assert registry.check(ISSUER_ADDRESS, root, first, leaves[index % 11], index, path) == NO


def test_a_path_of_another_length_is_refused(eleven: Eleven) -> None:
    registry, leaves, root, first = eleven
    for index in range(11):
        path = path_of(index, leaves)
        for wrong in ([], path[:-1], path[1:], [*path, bytes(32)], [*path, root], [bytes(32), *path], path * 100):
            assert registry.check(ISSUER_ADDRESS, root, first, leaves[index], index, wrong) == NO


def test_a_changed_leaf_or_path_is_refused(eleven: Eleven) -> None:
    registry, leaves, root, first = eleven
    path = path_of(5, leaves)
    assert registry.check(ISSUER_ADDRESS, root, first, leaves[6], 5, path) == NO
    for position in range(len(path)):
        changed = [*path]
        changed[position] = bytes(31) + b"\x01"
        assert registry.check(ISSUER_ADDRESS, root, first, leaves[5], 5, changed) == NO
    assert registry.check(ISSUER_ADDRESS, root, first, leaves[5], 5, path[::-1]) == NO


def test_an_inner_node_and_the_root_are_no_leaves(eleven: Eleven) -> None:
    registry, leaves, root, first = eleven
    node = sha256(b"\x01" + leaves[0] + leaves[1]).digest()
    for index in range(11):
        assert registry.check(ISSUER_ADDRESS, root, first, node, index, path_of(0, leaves)[1:]) == NO
        assert registry.check(ISSUER_ADDRESS, root, first, root, index, []) == NO


def test_the_size_comes_from_the_record(registry: Registry) -> None:
    """Some proofs of a tree of 6 also verify for a tree of 5 or 7: the record decides which size counts."""
    leaves = leaves_of(6)
    root = root_of(leaves)
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, root, 0, 4)  # anchored with a wrong size
    assert [registry.check(ISSUER_ADDRESS, root, 0, leaves[i], i, path_of(i, leaves))[0] for i in range(6)] == [
        False
    ] * 6


def test_an_absent_batch_includes_nothing(eleven: Eleven) -> None:
    registry, leaves, root, first = eleven
    path = path_of(0, leaves)
    assert registry.check(ISSUER_ADDRESS, root, first + 1, leaves[0], 0, path) == NO
    assert registry.check(ISSUER_ADDRESS, keccak(b"no"), first, leaves[0], 0, path) == NO
    assert registry.check(address_of(account(2)), root, first, leaves[0], 0, path) == NO
    assert registry.check(ISSUER_ADDRESS, bytes(32), 0, bytes(32), 0, []) == NO


def test_status_is_that_of_the_credential(eleven: Eleven) -> None:
    registry, leaves, root, first = eleven
    revoked, suspended = first + 4, first + 8  # 254 in word 0, 258 in word 1
    registry.send(ISSUER, "revoke", ISSUER_ADDRESS, [revoked >> 8], [1 << (revoked & 255)])
    registry.send(ISSUER, "setSuspension", ISSUER_ADDRESS, 0, [suspended >> 8], [1 << (suspended & 255)], [0])
    found = [registry.check(ISSUER_ADDRESS, root, first, leaves[i], i, path_of(i, leaves)) for i in range(11)]
    expected = [YES] * 11
    expected[4], expected[8] = (True, True, False), (True, False, True)
    assert found == expected
    assert (
        registry.check(ISSUER_ADDRESS, root, first, leaves[3], 4, path_of(4, leaves)) == NO
    )  # not included: no status


def test_a_revoked_batch_revokes_every_credential_of_it_and_no_other(eleven: Eleven) -> None:
    registry, leaves, root, first = eleven
    again_root, again_first = anchor(registry, leaves)
    registry.send(ISSUER, "revokeBatch", ISSUER_ADDRESS, root, first)
    assert {registry.check(ISSUER_ADDRESS, root, first, leaves[i], i, path_of(i, leaves)) for i in range(11)} == {
        (True, True, False)
    }
    assert again_root == root
    assert registry.check(ISSUER_ADDRESS, root, again_first, leaves[0], 0, path_of(0, leaves)) == YES
    assert registry.revokedWord(ISSUER_ADDRESS, 0) == 0


def test_the_largest_batch_takes_a_path_of_24(registry: Registry) -> None:
    """A tree of 2^24 leaves, known only along one path."""
    index, node = 0b101010101010101010101010, leaves_of(1)[0]
    path = [keccak(b"sibling %d" % level) for level in range(24)]
    for level, sibling in enumerate(path):
        pair = sibling + node if index >> level & 1 else node + sibling
        node = sha256(b"\x01" + pair).digest()
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, node, 0, 2**24)
    assert registry.check(ISSUER_ADDRESS, node, 0, leaves_of(1)[0], index, path) == YES
    assert registry.check(ISSUER_ADDRESS, node, 0, leaves_of(1)[0], index, path[:-1]) == NO
    assert registry.check(ISSUER_ADDRESS, node, 0, leaves_of(1)[0], index + 1, path) == NO
