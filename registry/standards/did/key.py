"""did:key and did:jwk: the key is the identifier. Nothing is asked, nothing rotates.

https://w3c-ccg.github.io/did-method-key/ and https://github.com/quartzjer/did-jwk. Each has one verification method, so
that the DID without a fragment names its key, too, as many a published proof does.
"""

from registry.core.canonical import parse_json
from registry.core.errors import InputError
from registry.core.notation import parse_base64url
from registry.standards.did.errors import DidUnsupported
from registry.standards.proofs.publickey import PublicKey, UnsupportedKey
from registry.standards.proofs.report import KeyProblem, ProofCode, VerificationKey

__all__ = ["did_key", "is_own_key", "resolve_did_key"]

_PREFIX = "did:key:"
_JWK_PREFIX = "did:jwk:"
_PURPOSES = frozenset({"assertionMethod", "authentication", "capabilityDelegation", "capabilityInvocation"})


def did_key(public_key: PublicKey) -> str:
    """The did:key of a key; its one verification method is that, "#", and the multikey."""
    return f"{_PREFIX}{public_key.multikey}"


def is_own_key(did: str) -> bool:
    """Whether a DID, or a URL of it, is of one of the two methods."""
    return did.startswith((_PREFIX, _JWK_PREFIX))


def resolve_did_key(url: str) -> VerificationKey | KeyProblem:
    """The key of ``did:key:z…#z…`` or ``did:jwk:…#0``. Raises DidUnsupported for another method's URL."""
    did, separator, fragment = url.partition("#")
    if not is_own_key(did):
        raise DidUnsupported("neither a did:key nor a did:jwk")
    try:
        if did.startswith(_PREFIX):
            name = did.removeprefix(_PREFIX)
            public_key = PublicKey.from_multikey(name)
        else:
            text, name = did.removeprefix(_JWK_PREFIX), "0"
            public_key = PublicKey.from_jwk(parse_json(parse_base64url(text, len(text) * 3 // 4)))
    except UnsupportedKey as error:
        return KeyProblem(ProofCode.KEY_UNSUPPORTED, f"The DID's key is not used here: {error}.")
    except InputError as error:
        return KeyProblem(ProofCode.KEY_MALFORMED, f"The DID holds no key that is used here: {error}.")
    if separator and fragment != name:
        return KeyProblem(ProofCode.KEY_UNKNOWN, f"This DID has one verification method, #{name}.")
    return VerificationKey(public_key, did, _PURPOSES)
