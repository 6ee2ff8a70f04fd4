"""Merkle trees and inclusion proofs as in RFC 9162 section 2.1 (the same as RFC 6962's), over SHA-256.

A root binds neither the tree's size nor a leaf's index: the caller takes both from a source that it trusts.
"""

from collections.abc import Sequence
from hashlib import sha256

from registry.core.errors import ProofError

__all__ = [
    "EMPTY_ROOT", "HASH_BYTES", "MerkleTree", "hash_leaf", "hash_node", "proof_length", "root_from_inclusion_proof",
    "verify_inclusion",
]  # fmt: skip

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

_LEAF = b"\x00"
_NODE = b"\x01"


def hash_leaf(data: bytes) -> bytes:
    """SHA-256(0x00 ‖ data): 32 bytes; data may have any length (RFC 9162 section 2.1.1)."""
    return sha256(_LEAF + data).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right): 32 bytes. Raises ProofError unless both children have 32."""
    _check_hash("left node", left)
    _check_hash("right node", right)
    return sha256(_NODE + left + right).digest()


class MerkleTree:
    """The tree over leaves that are already hashed (32 bytes each), with all its levels packed: 64 bytes a leaf.

    An empty tree has the RFC's root, SHA-256 of nothing, and no inclusion proofs. Raises ProofError for a leaf hash of
    another length.
    """

    __slots__ = ("_levels",)

    def __init__(self, leaf_hashes: Sequence[bytes]) -> None:
        for leaf_index, leaf_hash in enumerate(leaf_hashes):
            _check_hash(f"leaf {leaf_index}", leaf_hash)
        self._levels = _levels(b"".join(leaf_hashes))

    @classmethod
    def from_packed(cls, leaf_hashes: bytes | bytearray | memoryview) -> "MerkleTree":
        """The same, from all leaf hashes in one piece. Raises ProofError unless its length is a multiple of 32."""
        packed = bytes(leaf_hashes)
        if len(packed) % HASH_BYTES:
            raise ProofError(f"packed leaf hashes have a multiple of {HASH_BYTES} bytes, not {len(packed)}")
        tree = cls.__new__(cls)
        tree._levels = _levels(packed)  # noqa: SLF001 - its own class
        return tree

    @property
    def size(self) -> int:
        """The number of leaves."""
        return len(self._levels[0]) // HASH_BYTES

    @property
    def root(self) -> bytes:
        """32 bytes (RFC 9162 section 2.1.1)."""
        return bytes(self._levels[-1]) or EMPTY_ROOT

    def leaf_hash(self, leaf_index: int) -> bytes:
        """The 32 bytes of one leaf hash. Raises ProofError if there is no such leaf."""
        self._check_index(leaf_index)
        return _node(self._levels[0], leaf_index)

    def inclusion_proof(self, leaf_index: int) -> list[bytes]:
        """From the leaf's sibling up to below the root (RFC 9162 section 2.1.3.1).

        Raises ProofError if there is no such leaf.
        """
        self._check_index(leaf_index)
        path = []
        index = leaf_index
        for level in self._levels[:-1]:
            sibling = index ^ 1
            # The last node of an odd level has no sibling and stands for itself one level up.
            if sibling * HASH_BYTES < len(level):
                path.append(_node(level, sibling))
            index >>= 1
        return path

    def _check_index(self, leaf_index: int) -> None:
        if not 0 <= leaf_index < self.size:
            raise ProofError(f"leaf index {leaf_index} is outside a tree of {self.size}")


def proof_length(leaf_index: int, tree_size: int) -> int:
    """How many hashes the inclusion proof of a leaf has. Raises ProofError unless 0 ≤ leaf_index < tree_size."""
    if not 0 <= leaf_index < tree_size:
        raise ProofError(f"leaf index {leaf_index} is outside a tree of {tree_size}")
    # Below the level at which the leaf's way and the last leaf's meet, every node has a sibling; above it, the leaf
    # stands on the tree's right edge, where only left siblings exist: one for each bit that is set.
    inner = (leaf_index ^ (tree_size - 1)).bit_length()
    return inner + (leaf_index >> inner).bit_count()


def root_from_inclusion_proof(leaf_hash: bytes, leaf_index: int, tree_size: int, path: Sequence[bytes]) -> bytes:
    """The root that a proof leads to (RFC 9162 section 2.1.3.2): 32 bytes.

    Raises ProofError, before anything is hashed, for an index outside the tree, a path that is not exactly as long as
    this leaf's in a tree of this size, and hashes that have not 32 bytes.
    """
    length = proof_length(leaf_index, tree_size)
    _check_hash("leaf hash", leaf_hash)
    if len(path) != length:
        raise ProofError(
            f"the proof of leaf {leaf_index} in a tree of {tree_size} has {length} hashes, not {len(path)}"
        )
    for position, sibling in enumerate(path):
        _check_hash(f"path[{position}]", sibling)
    node, index, last = leaf_hash, leaf_index, tree_size - 1
    for sibling in path:
        # Levels where this node is last and has no sibling add nothing to the path.
        while index == last and not index & 1:
            index >>= 1
            last >>= 1
        node = hash_node(sibling, node) if index & 1 else hash_node(node, sibling)
        index >>= 1
        last >>= 1
    return node


def verify_inclusion(leaf_hash: bytes, leaf_index: int, tree_size: int, path: Sequence[bytes], root: bytes) -> None:
    """Returns if the proof leads from the leaf to the root; raises ProofError if not, or if it has the wrong shape."""
    _check_hash("root", root)
    if root_from_inclusion_proof(leaf_hash, leaf_index, tree_size, path) != root:
        raise ProofError(f"the proof of leaf {leaf_index} in a tree of {tree_size} leads to another root")


def _levels(packed: bytes) -> list[bytes | bytearray]:
    """All levels, leaves first, each one packed; the last one is the root (empty for an empty tree)."""
    levels: list[bytes | bytearray] = [packed]
    prefixed = sha256(_NODE).copy
    while len(levels[-1]) > HASH_BYTES:
        level = memoryview(levels[-1])
        paired = len(level) - len(level) % (2 * HASH_BYTES)
        above = bytearray()
        for start in range(0, paired, 2 * HASH_BYTES):
            node = prefixed()
            node.update(level[start : start + 2 * HASH_BYTES])
            above += node.digest()
        above += level[paired:]  # the last node of an odd level, if any, goes up as it is
        levels.append(above)
    return levels


def _node(level: bytes | bytearray, index: int) -> bytes:
    return bytes(level[index * HASH_BYTES : (index + 1) * HASH_BYTES])


def _check_hash(name: str, value: bytes) -> None:
    if len(value) != HASH_BYTES:
        raise ProofError(f"{name} has {len(value)} bytes, not {HASH_BYTES}")
