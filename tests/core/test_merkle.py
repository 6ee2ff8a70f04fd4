"""Trees and inclusion proofs, against the RFC's own recursion and against merklelib."""

import itertools
from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.errors import ProofError
from registry.core.merkle import (
    EMPTY_ROOT,
    MerkleTree,
    hash_leaf,
    hash_node,
    proof_length,
    root_from_inclusion_proof,
    verify_inclusion,
)
from registry.service.oracle import merklelib_root

LEAVES = [hash_leaf(number.to_bytes(4, "big")) for number in range(300)]
TREES = {size: MerkleTree(LEAVES[:size]) for size in range(1, 66)}


def rfc_root(leaf_hashes: Sequence[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word."""
    if not leaf_hashes:
        return sha256(b"").digest()
    if len(leaf_hashes) == 1:
        return leaf_hashes[0]
    split = 1 << (len(leaf_hashes) - 1).bit_length() - 1
    return sha256(b"\x01" + rfc_root(leaf_hashes[:split]) + rfc_root(leaf_hashes[split:])).digest()


def rfc_path(leaf_index: int, leaf_hashes: Sequence[bytes]) -> list[bytes]:
    """RFC 9162 section 2.1.3.1, word for word."""
    if len(leaf_hashes) == 1:
        return []
    split = 1 << (len(leaf_hashes) - 1).bit_length() - 1
    if leaf_index < split:
        return [*rfc_path(leaf_index, leaf_hashes[:split]), rfc_root(leaf_hashes[split:])]
    return [*rfc_path(leaf_index - split, leaf_hashes[split:]), rfc_root(leaf_hashes[:split])]


def test_hashes_are_prefixed() -> None:
    assert hash_leaf(b"") == sha256(b"\x00").digest()
    assert hash_leaf(b"abc") == sha256(b"\x00abc").digest()
    left, right = LEAVES[:2]
    assert hash_node(left, right) == sha256(b"\x01" + left + right).digest()


@pytest.mark.parametrize(("left", "right"), [(b"", b"r" * 32), (b"l" * 32, b"r" * 31), (b"l" * 33, b"r" * 32)])
def test_a_node_has_two_children_of_32_bytes(left: bytes, right: bytes) -> None:
    with pytest.raises(ProofError, match=r"(left|right) node has \d+ bytes, not 32"):
        hash_node(left, right)


def test_empty_tree() -> None:
    tree = MerkleTree([])
    assert (tree.size, tree.root) == (0, EMPTY_ROOT)
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    with pytest.raises(ProofError, match="outside a tree of 0"):
        tree.inclusion_proof(0)


@pytest.mark.parametrize("size", range(1, 301))
def test_root_equals_merklelibs(size: int) -> None:
    assert MerkleTree(LEAVES[:size]).root == merklelib_root(LEAVES[:size])


def test_merklelib_is_asked_about_leaf_hashes_only() -> None:
    for wrong in ([], [b"short"]):
        with pytest.raises(ProofError, match="at least one leaf hash"):
            merklelib_root(wrong)


@pytest.mark.parametrize("size", range(1, 66))
def test_root_and_paths_follow_the_rfc(size: int) -> None:
    tree = TREES[size]
    assert tree.size == size
    assert tree.root == rfc_root(LEAVES[:size])
    for leaf_index in range(size):
        path = tree.inclusion_proof(leaf_index)
        assert path == rfc_path(leaf_index, LEAVES[:size])
        assert len(path) == proof_length(leaf_index, size)
        assert tree.leaf_hash(leaf_index) == LEAVES[leaf_index]
        verify_inclusion(LEAVES[leaf_index], leaf_index, size, path, tree.root)


@given(st.data())
def test_any_leaf_of_any_tree_is_included(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 3000))
    leaf_index = data.draw(st.integers(0, size - 1))
    packed = b"".join(number.to_bytes(32, "big") for number in range(size))
    tree = MerkleTree.from_packed(packed)
    verify_inclusion(leaf_index.to_bytes(32, "big"), leaf_index, size, tree.inclusion_proof(leaf_index), tree.root)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_packed_leaves_give_the_same_tree(kind: type) -> None:
    tree = MerkleTree.from_packed(kind(b"".join(LEAVES[:37])))
    assert (tree.root, tree.size) == (TREES[37].root, 37)
    assert tree.inclusion_proof(36) == TREES[37].inclusion_proof(36)


def test_packed_leaves_are_whole() -> None:
    with pytest.raises(ProofError, match="multiple of 32 bytes, not 33"):
        MerkleTree.from_packed(b"x" * 33)


def test_leaves_have_32_bytes_each() -> None:
    # Together they would pack well.
    with pytest.raises(ProofError, match="leaf 1 has 31 bytes"):
        MerkleTree([b"a" * 32, b"b" * 31, b"c" * 33])


@pytest.mark.parametrize("leaf_index", [-1, 5, 2**64])
def test_no_proof_for_a_leaf_outside(leaf_index: int) -> None:
    for ask in (TREES[5].inclusion_proof, TREES[5].leaf_hash):
        with pytest.raises(ProofError, match="outside a tree of 5"):
            ask(leaf_index)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 8, 13])
def test_every_mutation_of_a_proof_is_refused(size: int) -> None:
    tree = TREES[size]
    for leaf_index in range(size):
        leaf, path = LEAVES[leaf_index], tree.inclusion_proof(leaf_index)
        wrong: list[tuple[bytes, int, int, list[bytes], bytes]] = []
        others = [other for other in range(-1, size + 2) if other != leaf_index]
        wrong += [(leaf, other, size, path, tree.root) for other in others]
        wrong += [(flipped, leaf_index, size, path, tree.root) for flipped in _flips(leaf)]
        wrong += [(leaf, leaf_index, size, path, flipped) for flipped in _flips(tree.root)]
        for position, sibling in enumerate(path):
            for flipped in (*_flips(sibling), b"", sibling[:-1], sibling + b"\x00", leaf if leaf != sibling else b""):
                wrong.append((leaf, leaf_index, size, [*path[:position], flipped, *path[position + 1 :]], tree.root))
            wrong.append((leaf, leaf_index, size, path[:position] + path[position + 1 :], tree.root))
            # An inner node in the place of a leaf, with the rest of its path.
            node = root_from_inclusion_proof(leaf, leaf_index, size, path) if position + 1 == len(path) else sibling
            wrong.append((node, leaf_index >> position + 1, size, path[position + 1 :], tree.root))
        for position in range(len(path) + 1):
            for extra in (leaf, tree.root, bytes(32)):
                wrong.append((leaf, leaf_index, size, [*path[:position], extra, *path[position:]], tree.root))
        for one, two in itertools.combinations(range(len(path)), 2):
            swapped = list(path)
            swapped[one], swapped[two] = swapped[two], swapped[one]
            wrong.append((leaf, leaf_index, size, swapped, tree.root))
        if size > 1:
            wrong.append((tree.root, 0, 1, path, tree.root))
            wrong.append((tree.root, leaf_index, size, [], tree.root))
        wrong.append((leaf, leaf_index, 0, path, tree.root))
        wrong.append((leaf[:-1], leaf_index, size, path, tree.root))
        wrong.append((leaf, leaf_index, size, path, tree.root[:-1]))
        for arguments in wrong:
            with pytest.raises(ProofError):
                verify_inclusion(*arguments)


def _flips(value: bytes) -> list[bytes]:
    number = int.from_bytes(value, "big")
    return [(number ^ 1 << bit).to_bytes(len(value), "big") for bit in (0, 77, 255)]


def test_shape_is_checked_before_anything_is_hashed() -> None:
    path = TREES[5].inclusion_proof(2)
    with pytest.raises(ProofError, match="has 3 hashes, not 2"):
        root_from_inclusion_proof(LEAVES[2], 2, 5, path[:-1])
    with pytest.raises(ProofError, match=r"path\[2\] has 31 bytes"):
        root_from_inclusion_proof(LEAVES[2], 2, 5, [*path[:-1], b"x" * 31])
    with pytest.raises(ProofError, match="leaf hash has 0 bytes"):
        root_from_inclusion_proof(b"", 2, 5, path)


def test_the_root_does_not_bind_the_size() -> None:
    # Why the size has to come from the chain: this proof leads to the root in trees of five to eight leaves alike.
    path = TREES[8].inclusion_proof(1)
    for size in (5, 6, 7, 8):
        verify_inclusion(LEAVES[1], 1, size, path, TREES[8].root)
