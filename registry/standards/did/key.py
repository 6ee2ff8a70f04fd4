"""did:key: the key is the identifier (https://w3c-ccg.github.io/did-method-key/). Nothing is asked, nothing rotates."""

from registry.core.errors import InputError
from registry.standards.did.errors import DidUnsupported
from registry.standards.proofs.publickey import PublicKey
from registry.standards.proofs.report import KeyProblem, ProofCode, VerificationKey

__all__ = ["did_key", "resolve_did_key"]

_PREFIX = "did:key:"
_PURPOSES = frozenset({"assertionMethod", "authentication", "capabilityDelegation", "capabilityInvocation"})


def did_key(public_key: PublicKey) -> str:
    """The did:key of a key; its one verification method is that, "#", and the multikey."""
    return f"{_PREFIX}{public_key.multikey}"


def resolve_did_key(url: str) -> VerificationKey | KeyProblem:
    """The key of a did:key verification method, ``did:key:z…#z…``. Raises DidUnsupported for another method's URL."""
    did, _, fragment = url.partition("#")
    if not did.startswith(_PREFIX):
        raise DidUnsupported("not a did:key")
    multikey = did.removeprefix(_PREFIX)
    try:
        public_key = PublicKey.from_multikey(multikey)
    except InputError as error:
        return KeyProblem(ProofCode.KEY_MALFORMED, f"The did:key holds no key that is used here: {error}.")
    if fragment != multikey:
        return KeyProblem(ProofCode.KEY_UNKNOWN, "A did:key has one verification method, named like its key.")
    return VerificationKey(public_key, did, _PURPOSES)
