"""The worked examples of the specification, computed again from their own text."""

import json
import re
from hashlib import sha256
from pathlib import Path

import core_world as w
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.core import leaf
from registry.core.bundle import MAX_ANCHORS, MAX_PATH, parse_bundle, serialize_bundle
from registry.core.canonical import MAX_DEPTH, canonicalize, parse_json
from registry.core.merkle import MerkleTree, hash_node, verify_inclusion
from registry.core.policy import parse_policy, serialize_policy
from registry.core.promise import parse_promise, promise_to_json, signed_bytes
from registry.core.verify import verify

SPEC = Path(__file__).parents[2] / "docs/spec"


def text(name: str) -> str:
    return (SPEC / name).read_text()


def block(name: str, kind: str) -> str:
    (found,) = re.findall(rf"```{kind}\n(.*?)\n```", text(name), re.DOTALL)
    assert isinstance(found, str)
    return found


def hexes(name: str) -> dict[str, bytes]:
    """First column → the hash in the second one."""
    rows = re.findall(r"^\| (.+?) \| `([0-9a-f]{64})` \|$", text(name), re.MULTILINE)
    return {key: bytes.fromhex(value) for key, value in rows}


def test_leaf() -> None:
    value = hexes("leaf.md")
    canonical = canonicalize(parse_json(block("leaf.md", "json").encode()))
    assert canonical.decode() == block("leaf.md", "text")
    assert f"{len(canonical)} bytes of UTF-8" in text("leaf.md")
    assert sha256(canonical).digest() == leaf.digest(canonical) == value["digest"]
    assert sha256(value["salt"] + value["digest"]).digest() == value["commitment"]
    assert sha256(b"\0" + value["commitment"]).digest() == leaf.leaf_hash(value["commitment"]) == value["leaf hash"]
    assert f"nested deeper than {MAX_DEPTH}" in text("leaf.md")


def test_tree() -> None:
    value = hexes("tree.md")
    leaves = [value[str(number)] for number in range(5)]
    assert leaves == [leaf.leaf_hash(sha256(str(number).encode()).digest()) for number in range(5)]
    nodes = {f"leaf {number}": leaf_hash for number, leaf_hash in enumerate(leaves)}
    for row, expected in value.items():
        if match := re.fullmatch(r"(\w+) = node\((.+), (.+)\)", row):
            nodes[match[1]] = hash_node(nodes[match[2]], nodes[match[3]])
            assert nodes[match[1]] == expected
    tree = MerkleTree(leaves)
    assert tree.root == nodes["root"]
    proofs = re.findall(r"^\| leaf (\d) \| ((?:leaf|n)[^`]*?) \|$", text("tree.md"), re.MULTILINE)
    assert len(proofs) == 2
    for number, path in proofs:
        assert tree.inclusion_proof(int(number)) == [nodes[name] for name in path.split(", ")]


def test_bundle() -> None:
    written = block("bundle.md", "json").encode() + b"\n"
    bundle = parse_bundle(written)
    assert parse_json(serialize_bundle(bundle)) == parse_json(written)
    place = bundle.inclusion
    commitment = leaf.commit(bundle.leaf.salt, leaf.digest(canonicalize(bundle.credential)))
    verify_inclusion(leaf.leaf_hash(commitment), place.leaf_index, place.tree_size, place.path, place.root)
    assert f"1 to {MAX_ANCHORS} objects" in text("bundle.md")
    assert f"up to {MAX_PATH} hashes" in text("bundle.md")


def test_every_field_of_a_bundle_is_in_the_table() -> None:
    listed = re.findall(r"^\| `([\w.\[\]]+)` \|", text("bundle.md"), re.MULTILINE)
    document = w.as_json(w.world().bundle)
    inner = {f"leaf.{name}" for name in document["leaf"]} | {f"inclusion.{name}" for name in document["inclusion"]}
    inner |= {f"anchors[].{name}" for name in document["anchors"][0]}
    assert set(listed) == {"type", "version", "credential", "digest", "anchors", "issuerDocument"} | inner


def test_policy() -> None:
    written = block("policy.md", "json").encode() + b"\n"
    policy = parse_policy(written)
    assert serialize_policy(policy) == written
    world = w.world(chains=(w.HOODI,))
    assert verify(world.bundle, world.evidence, policy, w.NOW).status == "VALID"


def test_every_field_of_a_policy_is_in_the_table() -> None:
    listed = re.findall(r"^\| `([\w.\[\]]+)` \|", text("policy.md"), re.MULTILINE)
    document = json.loads(block("policy.md", "json"))
    inner = {f"{name}[].{field}" for name in ("chains", "issuers") for field in document[name][0]}
    assert set(listed) == {"version", "clockSkewSeconds", "maxEvidenceAgeSeconds"} | inner


def test_promise() -> None:
    document = json.loads(block("promise.md", "json"))
    promise, signature = parse_promise(document)
    signed = block("promise.md", "text").encode()
    assert signed_bytes(promise) == signed
    assert f"The {len(signed)} bytes" in text("promise.md")
    assert canonicalize(promise_to_json(promise, signature)).decode() == block("promise.md", "json")
    assert Ed25519PrivateKey.from_private_bytes(bytes(range(32))).sign(signed) == signature
    rows = re.findall(r"^\| `(\w+)` \|", text("promise.md"), re.MULTILINE)
    assert sorted(rows) == sorted(document)
