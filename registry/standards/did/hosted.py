"""The did:web documents of hosted issuers: built from their keys and their account, and from nothing else."""

from collections.abc import Sequence
from typing import Any

from registry.core.notation import chain_text, hex_text, time_text
from registry.standards.did.document import Account
from registry.standards.keys import SigningKey
from registry.standards.proofs.publickey import PublicKey

__all__ = ["build_did_document", "build_did_key_document"]

_CONTEXT = [
    "https://www.w3.org/ns/did/v1",
    "https://w3id.org/security/multikey/v1",
    "https://w3id.org/security/suites/secp256k1recovery-2020/v2",
    {"created": {"@id": "http://purl.org/dc/terms/created", "@type": "http://www.w3.org/2001/XMLSchema#dateTime"}},
]


def build_did_document(
    did: str, keys: Sequence[SigningKey], accounts: Sequence[Account], registry_url: str | None = None
) -> dict[str, Any]:
    """The document that a hosted issuer publishes. The same arguments always give the same document.

    Former keys stay, also under ``assertionMethod``: what they signed in their time goes on to be checked. ``expires``
    ends a key that was replaced, ``revoked`` one that was compromised. ``registry_url``: what auditors read.
    """
    methods: list[dict[str, Any]] = []
    for key in keys:
        method: dict[str, Any] = {
            "id": f"{did}#{key.name}",
            "type": "Multikey",
            "controller": did,
            "created": time_text(key.valid_from),
        }
        if key.valid_until is not None:
            method["revoked" if key.compromised else "expires"] = time_text(key.valid_until)
        methods.append({**method, "publicKeyMultibase": key.public_key.multikey})
    for account in accounts:
        chain, address = chain_text(account.chain_id), hex_text(account.address)
        methods.append(
            {
                "id": f"{did}#{chain.replace(':', '-')}-{address}",
                "type": "EcdsaSecp256k1RecoveryMethod2020",
                "controller": did,
                "blockchainAccountId": f"{chain}:{address}",
            }
        )
    document: dict[str, Any] = {"@context": _CONTEXT, "id": did}
    if accounts:
        document["alsoKnownAs"] = [
            f"did:pkh:{chain_text(account.chain_id)}:{hex_text(account.address)}" for account in accounts
        ]
    document["verificationMethod"] = methods
    document["assertionMethod"] = [method["id"] for method in methods]
    if registry_url is not None:
        document["service"] = [
            {"id": f"{did}#registry", "type": "CredentialRegistry", "serviceEndpoint": registry_url},
        ]
    return document


def build_did_key_document(did: str, key: PublicKey) -> dict[str, Any]:
    """The document that a did:key stands for: it follows from the key, so that nothing of ours can be in it."""
    url = f"{did}#{key.multikey}"
    method = {"id": url, "type": "Multikey", "controller": did, "publicKeyMultibase": key.multikey}
    relationships = ("authentication", "assertionMethod", "capabilityDelegation", "capabilityInvocation")
    return {
        "@context": _CONTEXT[:2],
        "id": did,
        "verificationMethod": [method],
        **{name: [url] for name in relationships},
    }
