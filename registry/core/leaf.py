"""From a credential's canonical bytes to its leaf in the Merkle tree (docs/spec/leaf.md).

The salt keeps a leaf from telling anything about a person to somebody who can only guess at the credential.
"""

from hashlib import sha256

from registry.core.errors import ProofError
from registry.core.merkle import hash_leaf

__all__ = ["DIGEST_BYTES", "SALT_BYTES", "commit", "digest", "leaf_hash"]

SALT_BYTES = 32
DIGEST_BYTES = 32


def digest(canonical: bytes) -> bytes:
    """SHA-256 of the canonical bytes: 32 bytes."""
    return sha256(canonical).digest()


def commit(salt: bytes, digest: bytes) -> bytes:
    """SHA-256(salt ‖ digest), both 32 bytes long: 32 bytes. Raises ProofError for other lengths."""
    if len(salt) != SALT_BYTES:
        raise ProofError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    if len(digest) != DIGEST_BYTES:
        raise ProofError(f"a digest has {DIGEST_BYTES} bytes, not {len(digest)}")
    return sha256(salt + digest).digest()


def leaf_hash(commitment: bytes) -> bytes:
    """SHA-256(0x00 ‖ commitment), 32 bytes each (RFC 9162 section 2.1.1). Raises ProofError for another length."""
    if len(commitment) != DIGEST_BYTES:
        raise ProofError(f"a commitment has {DIGEST_BYTES} bytes, not {len(commitment)}")
    return hash_leaf(commitment)
