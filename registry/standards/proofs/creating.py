"""Making Data Integrity proofs: a set of eddsa-rdfc-2022 and eddsa-jcs-2022 on one document.

The Open Badges ecosystem wants the first, whoever has no RDF reads the second (docs/spec/signatures.md).
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from registry.core.errors import InputError
from registry.core.notation import short, time_text
from registry.standards.contexts import UnknownContext
from registry.standards.proofs.expanding import Expander, default_expander
from registry.standards.proofs.multibase import base58_text
from registry.standards.proofs.publickey import KeyKind
from registry.standards.proofs.suites import SUITES, Transformation, signed_bytes, transform

__all__ = ["PROOF_SET", "ProofSigner", "UnmappedTerms", "add_proofs"]

PROOF_SET = ("eddsa-rdfc-2022", "eddsa-jcs-2022")


class UnmappedTerms(InputError):
    """A signature over RDF would not cover all of the document; ``pointers`` are JSON pointers of what is left out."""

    def __init__(self, pointers: tuple[str, ...]) -> None:
        listed = short(", ".join(pointer or "(the document)" for pointer in pointers), 300)
        super().__init__(f"these are in no context, so that a signature over the RDF does not cover them: {listed}")
        self.pointers = pointers


class ProofSigner(Protocol):
    """An Ed25519 key and its place in its controller's document. Safe to use from several threads."""

    @property
    def verification_method(self) -> str:
        """The DID URL of the verification method."""

    def sign(self, data: bytes) -> bytes:
        """64 bytes, RFC 8032."""


def add_proofs(
    document: Mapping[str, Any],
    signer: ProofSigner,
    created: int,
    *,
    suites: Sequence[str] = PROOF_SET,
    expires: int | None = None,
    purpose: str = "assertionMethod",
    allow_unmapped: bool = False,
    expander: Expander | None = None,
) -> dict[str, Any]:
    """The document with one more proof for each suite, always in an array; ``document`` stays as it is.

    ``created`` and ``expires`` in Unix seconds. ``allow_unmapped``: terms that no context maps are signed as far as a
    suite covers them; where a context is not known here, the suites over RDF are left out, if one over JCS remains.
    Raises JsonError, UnknownContext, JsonLdFault, TooComplex, UnmappedTerms, InputError for a suite that is not made
    here.
    """
    known = document.get("proof", [])
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    proofs = list(known) if isinstance(known, list) else [known]
    if allow_unmapped:
        suites = _possible(suites, unsecured, expander or default_expander())
    for name in suites:
        suite = SUITES.get(name) if name in PROOF_SET else None
        if suite is None:
            raise InputError(f"proofs of the suite {short(name)!r} are not made here")
        options: dict[str, Any] = {
            "type": suite.type,
            "cryptosuite": suite.name,
            "created": time_text(created),
            "verificationMethod": signer.verification_method,
            "proofPurpose": purpose,
        }
        if expires is not None:
            options["expires"] = time_text(expires)
        if "@context" in unsecured:
            options["@context"] = copy.deepcopy(unsecured["@context"])
        used = expander or default_expander()
        form = transform(suite, unsecured, KeyKind.ED25519, used)
        if form.unmapped and not allow_unmapped:
            raise UnmappedTerms(form.unmapped)
        config = transform(suite, options, KeyKind.ED25519, used)
        if config.unmapped and not allow_unmapped:
            raise UnmappedTerms(tuple(f"/proof{pointer}" for pointer in config.unmapped))
        signature = signer.sign(signed_bytes(suite, config.data, form.data, KeyKind.ED25519))
        if suite.transformation is Transformation.RDFC:
            # vc-di-eddsa section 3.2.1: only the JCS suite puts the contexts into the proof.
            options.pop("@context", None)
        proofs.append({**options, "proofValue": base58_text(signature)})
    return {**unsecured, "proof": proofs}


def _possible(suites: Sequence[str], document: Mapping[str, Any], expander: Expander) -> Sequence[str]:
    """Without the suites over RDF where a context is not known; unchanged where nothing would be left."""
    over_json = [name for name in suites if name in SUITES and SUITES[name].transformation is Transformation.JCS]
    if not over_json or len(over_json) == len(suites):
        return suites
    try:
        expander.expand(document)
    except UnknownContext:
        return over_json
    return suites
