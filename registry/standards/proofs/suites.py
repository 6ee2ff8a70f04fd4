"""Cryptosuites: how a document and a proof's options become the bytes that are signed.

eddsa-jcs-2022, eddsa-rdfc-2022, Ed25519Signature2020 (vc-di-eddsa sections 3.1 to 3.3); ecdsa-rdfc-2019, ecdsa-jcs-2019
(vc-di-ecdsa sections 3.2, 3.3): all are hash(options) ‖ hash(document), each after its transformation. eddsa-2022 and
ecdsa-2019 are what drafts called the RDF ones. Ed25519Signature2018 and JsonWebSignature2020 (W3C CCG) have that as
the payload of a detached JWS; credentials of the VC Data Model 1.1 carry them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from registry.core.canonical import canonicalize
from registry.standards.contexts.pins import JWS_2020, SECURITY_V2
from registry.standards.proofs.expanding import Expander
from registry.standards.proofs.publickey import KeyKind
from registry.standards.proofs.rdfc import canonicalize_quads

__all__ = [
    "DATA_INTEGRITY",
    "SUITES",
    "Suite",
    "Transformation",
    "Transformed",
    "signed_bytes",
    "suite_of",
    "transform",
]

DATA_INTEGRITY = "DataIntegrityProof"


class Transformation(StrEnum):
    JCS = "JCS"  # RFC 8785
    RDFC = "RDFC-1.0"


@dataclass(frozen=True, slots=True)
class Suite:
    """One cryptosuite: the proof ``type``, the kinds of keys it takes, how it transforms.

    ``jws``: the contexts for the proof's options, of a suite whose signature is a JWS; of the others they are the
    document's.
    """

    name: str
    type: str
    transformation: Transformation
    kinds: frozenset[KeyKind]
    jws: tuple[str, ...] | None = None


_EDWARDS, _NIST = frozenset({KeyKind.ED25519}), frozenset({KeyKind.P256, KeyKind.P384})
SUITES = {
    suite.name: suite
    for suite in (
        Suite("eddsa-rdfc-2022", DATA_INTEGRITY, Transformation.RDFC, _EDWARDS),
        Suite("eddsa-jcs-2022", DATA_INTEGRITY, Transformation.JCS, _EDWARDS),
        Suite("ecdsa-rdfc-2019", DATA_INTEGRITY, Transformation.RDFC, _NIST),
        Suite("ecdsa-jcs-2019", DATA_INTEGRITY, Transformation.JCS, _NIST),
        Suite("eddsa-2022", DATA_INTEGRITY, Transformation.RDFC, _EDWARDS),
        Suite("ecdsa-2019", DATA_INTEGRITY, Transformation.RDFC, _NIST),
        Suite("Ed25519Signature2020", "Ed25519Signature2020", Transformation.RDFC, _EDWARDS),
        Suite("Ed25519Signature2018", "Ed25519Signature2018", Transformation.RDFC, _EDWARDS, (SECURITY_V2,)),
        Suite(
            "JsonWebSignature2020",
            "JsonWebSignature2020",
            Transformation.RDFC,
            _EDWARDS | _NIST,
            (SECURITY_V2, JWS_2020),
        ),
    )
}
SIGNATURE_BYTES = {KeyKind.ED25519: 64, KeyKind.P256: 64, KeyKind.P384: 96}


def suite_of(proof: Mapping[str, Any]) -> Suite | None:
    """The cryptosuite of a proof, None for one that is not known here."""
    name = proof.get("cryptosuite") if proof.get("type") == DATA_INTEGRITY else proof.get("type")
    suite = SUITES.get(name) if isinstance(name, str) else None
    return suite if suite is not None and suite.type == proof.get("type") else None


@dataclass(frozen=True, slots=True)
class Transformed:
    """Canonical bytes of a JSON object, and the JSON pointers of what is not in them."""

    data: bytes
    unmapped: tuple[str, ...] = ()


def hash_name(suite: Suite, kind: KeyKind) -> str:
    """P-384 goes with SHA-384, also inside RDFC-1.0 (vc-di-ecdsa section 3.2.3); all others with SHA-256."""
    return "sha384" if kind is KeyKind.P384 and suite.jws is None else "sha256"


def transform(suite: Suite, value: Mapping[str, Any], kind: KeyKind, expander: Expander) -> Transformed:
    """The canonical form. Raises JsonError, UnknownContext, JsonLdFault, TooComplex."""
    if suite.transformation is Transformation.JCS:
        return Transformed(canonicalize(value))
    expansion = expander.expand(value)
    return Transformed(canonicalize_quads(expansion.quads, hash_name(suite, kind)), expansion.unmapped)


def signed_bytes(suite: Suite, options: bytes, document: bytes, kind: KeyKind) -> bytes:
    """What is signed, from the canonical forms of options and document: 64 bytes, 96 for P-384.

    For a suite with a JWS it is the payload of that.
    """
    name = hash_name(suite, kind)
    return hashlib.new(name, options).digest() + hashlib.new(name, document).digest()
