"""Bundles: a credential with all that is needed to prove it, read strictly and written (docs/spec/bundle.md).

A parsed bundle has the right shape and nothing else: whether it proves anything is for ``verify`` to say.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import orjson

from registry.core import leaf as leaves
from registry.core.canonical import MAX_DEPTH, MAX_INTEGER, canonicalize, parse_json
from registry.core.errors import BundleError, InputError, ProofError
from registry.core.merkle import MerkleTree
from registry.core.model import Anchor, Bundle, Inclusion, Leaf
from registry.core.notation import (
    base64url_text,
    chain_text,
    hex_text,
    parse_base64url,
    parse_chain,
    parse_hex,
    parse_time,
    time_text,
)
from registry.core.shape import Shape

__all__ = [
    "ALGORITHM", "MAX_ANCHORS", "MAX_BUNDLE_BYTES", "MAX_PATH", "MEDIA_TYPE", "TYPE", "build_bundle", "parse_bundle",
    "proof_to_json",
    "read_bundle", "serialize_bundle",
]  # fmt: skip

MEDIA_TYPE = "application/vnd.credential-bundle+json"
MAX_BUNDLE_BYTES = 1 << 23  # whatever credential parse_json takes, its bundle is no longer than that
MAX_ANCHORS = 8
MAX_PATH = 64

TYPE = "AnchoredCredentialBundle"
ALGORITHM = "RFC9162_SHA256"
_bare_hash = partial(parse_hex, length=32, prefix="")
_hash = partial(parse_hex, length=32)
_address = partial(parse_hex, length=20)
_salt = partial(parse_base64url, length=leaves.SALT_BYTES)


def parse_bundle(data: bytes, max_bytes: int = MAX_BUNDLE_BYTES) -> Bundle:
    """Reads a bundle from JSON. Raises JsonError if it is not strict JSON, BundleError if it is not a bundle."""
    return read_bundle(parse_json(data, max_bytes, MAX_DEPTH + 1))


def read_bundle(value: object, known: tuple[Anchor, ...] | None = None) -> Bundle:
    """The same, from what ``parse_json`` returned (a bundle inside a larger document). Raises BundleError.

    ``known``: the anchors, where the same ones were read before.
    """
    shape = Shape(value, BundleError)
    shape.constant("type", TYPE)
    shape.constant("version", 1)
    if ("credential" in shape) == ("digest" in shape):
        raise BundleError('exactly one of "credential" and "digest" is expected')
    credential = shape.mapping("credential") if "credential" in shape else None
    digest = None if credential is not None else shape.text("digest", _bare_hash)
    leaf = _read_leaf(shape.inner("leaf"))
    inclusion = _read_inclusion(shape.inner("inclusion"))
    anchors = _read_anchors(shape, known)
    document = shape.mapping("issuerDocument") if "issuerDocument" in shape else None
    shape.finish()
    return Bundle(credential, digest, leaf, inclusion, anchors, document)


def _read_anchors(shape: Shape, known: tuple[Anchor, ...] | None) -> tuple[Anchor, ...]:
    inners = shape.inners("anchors", 1, MAX_ANCHORS)
    if known is not None:
        return known
    anchors = tuple(_read_anchor(inner) for inner in inners)
    if len({(anchor.chain_id, anchor.contract) for anchor in anchors}) < len(anchors):
        raise BundleError("two anchors name the same contract on the same chain", "/anchors")
    return anchors


def _read_leaf(shape: Shape) -> Leaf:
    leaf = Leaf(shape.text("canonicalization", _canonicalization), shape.text("salt", _salt))
    shape.finish()
    return leaf


def _canonicalization(text: str) -> str:
    if text == "RAW":
        raise InputError('the canonicalization "RAW" is reserved for a later version; this one reads "JCS"')
    if text != "JCS":
        raise InputError('the canonicalization is "JCS"')
    return text


def _read_inclusion(shape: Shape) -> Inclusion:
    shape.constant("algorithm", ALGORITHM)
    inclusion = Inclusion(
        leaf_index=shape.integer("leafIndex", 0, MAX_INTEGER),
        tree_size=shape.integer("treeSize", 1, MAX_INTEGER),
        root=shape.text("root", _bare_hash),
        path=shape.hashes("path", MAX_PATH),
    )
    shape.finish()
    return inclusion


def _read_anchor(shape: Shape) -> Anchor:
    anchor = Anchor(
        chain_id=shape.text("chain", parse_chain),
        contract=shape.text("contract", _address),
        issuer=shape.text("issuer", _address),
        first_index=shape.integer("firstIndex", 0, MAX_INTEGER),
        anchored_at=shape.text("anchoredAt", parse_time),
        transaction=shape.text("transaction", _hash),
        block_number=shape.integer("blockNumber", 0, MAX_INTEGER),
        block_hash=shape.text("blockHash", _hash),
    )
    shape.finish()
    return anchor


def build_bundle(
    credential: Mapping[str, Any],
    salt: bytes,
    tree: MerkleTree,
    leaf_index: int,
    anchors: Sequence[Anchor],
    issuer_document: Mapping[str, Any] | None = None,
) -> Bundle:
    """The bundle of a credential that stands at ``leaf_index`` of a batch's tree.

    Raises ProofError if another leaf stands there (so that no bundle goes out that cannot prove anything), JsonError if
    the credential has no canonical form.
    """
    commitment = leaves.commit(salt, leaves.digest(canonicalize(credential)))
    if tree.leaf_hash(leaf_index) != leaves.leaf_hash(commitment):
        raise ProofError(f"leaf {leaf_index} of the tree is not this credential's")
    inclusion = Inclusion(leaf_index, tree.size, tree.root, tuple(tree.inclusion_proof(leaf_index)))
    return Bundle(credential, None, Leaf("JCS", salt), inclusion, tuple(anchors), issuer_document)


def serialize_bundle(bundle: Bundle) -> bytes:
    """The bundle as JSON, a line for each part, always the same bytes; ``parse_bundle`` reads them back.

    Raises JsonError if the credential or the issuer's document has no canonical form.
    """
    document: dict[str, Any] = {"type": TYPE, "version": 1}
    if bundle.credential is not None:
        document["credential"] = bundle.credential
    if bundle.digest is not None:
        document["digest"] = bundle.digest.hex()
    document["leaf"] = {"canonicalization": bundle.leaf.canonicalization, "salt": base64url_text(bundle.leaf.salt)}
    document |= proof_to_json(bundle.inclusion, bundle.anchors, bundle.issuer_document)
    for foreign in (bundle.credential, bundle.issuer_document):
        canonicalize(foreign)  # orjson would write NaN as null, and the leaf would be another one
    lines = [b'"%b": %b' % (name.encode(), orjson.dumps(value)) for name, value in document.items()]
    return b"{\n" + b",\n".join(lines) + b"\n}\n"


def proof_to_json(
    inclusion: Inclusion, anchors: Sequence[Anchor], issuer_document: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The part of a bundle that says nothing of the credential: whoever has that and its salt completes it."""
    proof: dict[str, Any] = {
        "inclusion": {
            "algorithm": ALGORITHM,
            "leafIndex": inclusion.leaf_index,
            "treeSize": inclusion.tree_size,
            "root": inclusion.root.hex(),
            "path": [sibling.hex() for sibling in inclusion.path],
        },
        "anchors": [_anchor(anchor) for anchor in anchors],
    }
    if issuer_document is not None:
        proof["issuerDocument"] = issuer_document
    return proof


def _anchor(anchor: Anchor) -> dict[str, Any]:
    return {
        "chain": chain_text(anchor.chain_id),
        "contract": hex_text(anchor.contract),
        "issuer": hex_text(anchor.issuer),
        "firstIndex": anchor.first_index,
        "anchoredAt": time_text(anchor.anchored_at),
        "transaction": hex_text(anchor.transaction),
        "blockNumber": anchor.block_number,
        "blockHash": hex_text(anchor.block_hash),
    }
