"""Bundles to measure with: of credentials as the registry issues them."""

import csv
import hashlib
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.core import leaf
from registry.core.bundle import build_bundle, serialize_bundle
from registry.core.canonical import canonicalize, parse_json
from registry.core.credential import STATUS_ENTRY_TYPE
from registry.core.merkle import MerkleTree
from registry.core.model import Anchor
from registry.core.status import list_and_entry
from registry.service.templates import parse_template
from registry.standards.contexts import pinned_contexts
from registry.standards.did.document import Account
from registry.standards.did.hosted import build_did_document
from registry.standards.keys import LocalSigner, SigningKey
from registry.standards.proofs.creating import add_proofs
from registry.standards.proofs.expanding import Expander

__all__ = ["DID", "PLACE", "write_bundles"]

DID, PLACE = "did:web:registry.example:issuers:bench", "https://registry.example/issuers/bench/status"


def badges(count: int, signer: LocalSigner, created: int) -> Iterator[dict[str, Any]]:
    """The demo's credentials for four achievements, as the registry issues them: 4 kB, a quarter of it two proofs.

    Rows that are faulty on purpose are left out.
    """
    data = Path(str(files("registry.demo") / "data"))
    template = (data / "template.json").read_bytes()
    with (data / "learners.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if all(row.values()) and row["ects"].replace(".", "").isdigit()]
    kinds = [parse_template(template.replace(b"data-literacy", b"data-literacy-%d" % kind)) for kind in range(4)]
    expander, place = Expander(pinned_contexts()), f"{PLACE}/revocation"
    for number in range(count):
        row = rows[number % len(rows)] | {"certificate_no": f"BENCH-{number:07}"}
        document = kinds[number % len(kinds)].fill(row)
        part, entry = list_and_entry(number)
        document["issuer"]["id"] = DID
        document["credentialStatus"] = {
            "id": f"{place}/{part}#{entry}",
            "type": STATUS_ENTRY_TYPE,
            "statusPurpose": "revocation",
            "statusListIndex": str(entry),
            "statusListCredential": f"{place}/{part}",
        }
        yield add_proofs(document, signer, created, expander=expander)


def write_bundles(count: int, anchor: Anchor, folder: Path) -> tuple[bytes, bytes, list[str]]:
    """The root and the leaves of one batch, and the files of its bundles."""
    key = Ed25519PrivateKey.generate()
    signer = LocalSigner(f"{DID}#key-1", key)
    signing = SigningKey("key-1", signer.public_key, anchor.anchored_at, None)
    document = build_did_document(
        DID, [signing], [Account(anchor.chain_id, anchor.issuer)], "https://registry.example/v1/issuers/bench"
    )
    written, salts, packed = [], [], bytearray()
    for number, credential in enumerate(badges(count, signer, anchor.anchored_at)):
        written.append(canonicalize(credential))  # a million objects would not fit
        salts.append(hashlib.sha256(b"%d" % number).digest())
        packed += leaf.leaf_hash(leaf.commit(salts[-1], leaf.digest(written[-1])))
        if number % 5_000 == 4_999:
            print(f"  {number + 1:,} of {count:,} credentials signed", file=sys.stderr, flush=True)
    tree = MerkleTree.from_packed(bytes(packed))
    paths = []
    for number, (salt, text) in enumerate(zip(salts, written, strict=True)):
        path = folder / f"{number:07}.json"
        path.write_bytes(serialize_bundle(build_bundle(parse_json(text), salt, tree, number, [anchor], document)))
        paths.append(str(path))
    return tree.root, bytes(packed), paths
