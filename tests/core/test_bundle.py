"""Bundles: written, read back, and only built where they can prove something. Refusals are in the vectors."""

import contextlib
import json
from dataclasses import replace

import core_world as w
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.bundle import MAX_ANCHORS, build_bundle, parse_bundle, read_bundle, serialize_bundle
from registry.core.canonical import canonicalize, parse_json
from registry.core.errors import BundleError, InputError, JsonError, ProofError
from registry.core.leaf import commit, digest, leaf_hash
from registry.core.merkle import MerkleTree

HASHES = st.binary(min_size=32, max_size=32)
ADDRESSES = st.binary(min_size=20, max_size=20)
INDEXES = st.integers(0, 2**53 - 1)
ANCHORS = st.builds(
    w.Anchor, st.integers(1, 10**16 - 1), ADDRESSES, ADDRESSES, INDEXES, st.integers(0, 253402300799), HASHES, INDEXES,
    HASHES,
)  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=8), JSON, max_size=4)


@given(st.data())
def test_what_is_written_is_read_back(data: st.DataObject) -> None:
    credential = data.draw(OBJECTS | st.none())
    bundle = w.Bundle(
        credential,
        data.draw(HASHES) if credential is None else None,
        replace(w.world().bundle.leaf, salt=data.draw(HASHES)),
        replace(
            w.world().bundle.inclusion,
            leaf_index=data.draw(INDEXES),
            tree_size=data.draw(st.integers(1, 2**53 - 1)),
            root=data.draw(HASHES),
            path=tuple(data.draw(st.lists(HASHES, max_size=64))),
        ),
        tuple(data.draw(st.lists(ANCHORS, min_size=1, max_size=MAX_ANCHORS, unique_by=lambda a: a.chain_id))),
        data.draw(OBJECTS | st.none()),
    )
    written = serialize_bundle(bundle)
    read = parse_bundle(written)
    assert read == bundle
    assert canonicalize(read.credential) == canonicalize(bundle.credential)
    assert serialize_bundle(read) == written


def test_white_space_and_order_do_not_matter() -> None:
    bundle = w.world().bundle
    document = w.as_json(bundle)
    backwards = {key: document[key] for key in reversed(document)}
    assert parse_bundle(b" \n" + json.dumps(backwards).encode() + b"\n") == bundle
    assert read_bundle(parse_json(serialize_bundle(bundle))) == bundle


def test_reads_no_more_bytes_than_asked_for() -> None:
    written = serialize_bundle(w.world().bundle)
    assert parse_bundle(written, max_bytes=len(written))
    with pytest.raises(JsonError, match="at most"):
        parse_bundle(written, max_bytes=len(written) - 1)


@pytest.mark.parametrize("leaf", ["[" * 62 + "1e15," * 1000 + "1e15" + "]" * 62, '"' + "é" * 500_000 + '"'])
def test_what_is_accepted_can_be_bundled(leaf: str) -> None:
    # As deep and as long as a credential may be.
    document = parse_json(b'{"a":[%b]}' % leaf.encode())
    bundle = replace(w.world().bundle, credential=document)
    assert canonicalize(parse_bundle(serialize_bundle(bundle)).credential) == canonicalize(document)


def test_a_line_for_each_part() -> None:
    lines = serialize_bundle(w.world().bundle).decode().splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "{", '"type"', '"version"', '"credential"', '"leaf"', '"inclusion"', '"anchors"', "}",
    ]  # fmt: skip


def test_a_document_of_the_issuer_travels_along() -> None:
    bundle = replace(w.world().bundle, issuer_document={"id": w.DID})
    assert parse_bundle(serialize_bundle(bundle)).issuer_document == {"id": w.DID}


def test_no_bundle_for_another_leaf() -> None:
    bundle = w.world().bundle
    salt = bundle.leaf.salt
    document = w.credential()
    tree = MerkleTree([w.sha("another leaf"), leaf_hash(commit(salt, digest(canonicalize(document))))])
    built = build_bundle(document, salt, tree, 1, bundle.anchors)
    assert (built.inclusion.root, built.inclusion.path) == (tree.root, (w.sha("another leaf"),))
    with pytest.raises(ProofError, match="leaf 0 of the tree is not this credential's"):
        build_bundle(document, salt, tree, 0, bundle.anchors)
    with pytest.raises(ProofError, match="outside a tree of 2"):
        build_bundle(document, salt, tree, 2, bundle.anchors)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, "\ud800", (1,)])
def test_writes_nothing_that_would_not_come_back(value: object) -> None:
    bundle = replace(w.world().bundle, credential={"a": value})
    with pytest.raises(JsonError):
        serialize_bundle(bundle)


@given(st.binary(max_size=30) | OBJECTS.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        parse_bundle(data)


@given(st.data())
def test_any_value_anywhere_is_read_or_refused_with_its_place(data: st.DataObject) -> None:
    document = w.as_json(w.world().bundle)
    pointer = data.draw(st.sampled_from([pointer for pointer in POINTERS if not pointer.startswith("/credential/")]))
    damaged = w.changed(document, pointer, data.draw(JSON))
    with contextlib.suppress(JsonError):  # a float that is written as a large integer
        fault = _fault(json.dumps(damaged).encode())
        assert fault is None or fault.startswith(pointer)


def _fault(data: bytes) -> str | None:
    try:
        parse_bundle(data)
    except BundleError as error:
        return error.pointer
    return None


def pointers(value: object, prefix: str = "") -> list[str]:
    found = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        found.append(f"{prefix}/{name}")
        found += pointers(inner, f"{prefix}/{name}")
    return found


POINTERS = pointers(w.as_json(w.world().bundle))
