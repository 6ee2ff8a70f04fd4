"""merklelib as a second opinion on Merkle roots: independent code that has to come to the same root as ours.

Only its roots are used, never its verifier, which accepts inner nodes as leaves (docs/adr/021).
"""

import collections.abc
import functools
import importlib
import warnings
from collections.abc import Sequence
from hashlib import sha256
from types import ModuleType, SimpleNamespace

from registry.core.errors import ProofError
from registry.core.merkle import HASH_BYTES

__all__ = ["merklelib_root"]


def merklelib_root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root over leaves that are already hashed, 32 bytes each, at least one: 32 bytes. About 6 µs a leaf.

    Raises ProofError for no leaves, or a leaf hash of another length.
    """
    if not leaf_hashes or any(len(leaf_hash) != HASH_BYTES for leaf_hash in leaf_hashes):
        raise ProofError(f"the root of at least one leaf hash, each of {HASH_BYTES} bytes, can be computed")
    merklelib = _load()
    hasher = merklelib.Hasher(lambda data: sha256(data).hexdigest())
    hasher.hash_leaf = lambda leaf_hash: leaf_hash  # hashed already
    return bytes.fromhex(merklelib.MerkleTree(list(leaf_hashes), hasher).merkle_root)


@functools.cache
def _load() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sources of 2019
        module = importlib.import_module("merklelib.merkle")
    # It uses collections.Iterable, which Python 3.10 removed. Restored for this one module, not for the process.
    restored = SimpleNamespace(Iterable=collections.abc.Iterable, OrderedDict=collections.OrderedDict)
    vars(module)["collections"] = restored
    return module
