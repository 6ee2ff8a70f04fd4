"""digest → commitment → leaf hash."""

from hashlib import sha256

import pytest

from registry.core import leaf
from registry.core.errors import ProofError


def test_the_way_to_a_leaf() -> None:
    salt = bytes(range(32))
    digest = leaf.digest(b'{"a":1}')
    commitment = leaf.commit(salt, digest)
    assert digest == sha256(b'{"a":1}').digest()
    assert commitment == sha256(salt + digest).digest()
    assert leaf.leaf_hash(commitment) == sha256(b"\x00" + commitment).digest()


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_lengths_are_exact(length: int) -> None:
    wrong = b"x" * length
    with pytest.raises(ProofError, match=f"salt has 32 bytes, not {length}"):
        leaf.commit(wrong, bytes(32))
    with pytest.raises(ProofError, match=f"digest has 32 bytes, not {length}"):
        leaf.commit(bytes(32), wrong)
    with pytest.raises(ProofError, match=f"commitment has 32 bytes, not {length}"):
        leaf.leaf_hash(wrong)
