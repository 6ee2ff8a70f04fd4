"""Finding a registry from an issuer's DID: chain, contract, and where its publication is (docs/spec/did.md)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.core.canonical import parse_json
from registry.core.errors import InputError
from registry.core.notation import parse_chain, parse_hex, short
from registry.standards.did.document import Account, DidDocument
from registry.standards.did.errors import DidDocumentError
from registry.standards.did.fetching import MAX_DOCUMENT_BYTES, Fetcher
from registry.standards.did.resolver import DidResolver

__all__ = ["SERVICE_TYPE", "Discovered", "discover"]

SERVICE_TYPE = "CredentialRegistry"
_ENDPOINT = re.compile(r"(https?://[^?#\s]{1,900})/v1/issuers/[a-z0-9-]{1,63}")


@dataclass(frozen=True, slots=True)
class Discovered:
    """``published``: the registry's address. Chain and contract are its own word: the contract's code has to fit."""

    chain_id: int
    contract: bytes
    address: bytes
    published: str


def discover(did: str, resolver: DidResolver, fetcher: Fetcher) -> Discovered:
    """Asks the DID's host, then the registry that its document names.

    Raises DidError (no answer, or no DID document), DidDocumentError if what is named does not fit together.
    """
    document = resolver.resolve(did)
    endpoint = _endpoint(document)
    match = _ENDPOINT.fullmatch(endpoint)
    if match is None:
        raise DidDocumentError(f"the {SERVICE_TYPE} of {short(did, 200)} leads to no issuer: {short(endpoint, 200)}")
    data = fetcher.fetch(endpoint)
    try:
        answer = parse_json(data, MAX_DOCUMENT_BYTES)
        network = _member(answer, "network")
        chain_id = parse_chain(_text(network, "chain"))
        contract, address = parse_hex(_text(network, "contract"), 20), parse_hex(_text(answer, "address"), 20)
        named = _text(answer, "did")
    except InputError as error:
        raise DidDocumentError(f"what {short(endpoint, 200)} answers is no issuer of a registry: {error}") from error
    if named != did:
        raise DidDocumentError(f"the registry at {short(endpoint, 200)} has {short(named, 200)} there, not {did}")
    if not document.names(Account(chain_id, address)):
        raise DidDocumentError(f"{short(did, 200)} does not name the account that the registry says is its own")
    return Discovered(chain_id, contract, address, match[1])


def _endpoint(document: DidDocument) -> str:
    services = document.content.get("service", [])
    for service in services if isinstance(services, list) else []:
        if isinstance(service, Mapping) and service.get("type") == SERVICE_TYPE:
            found = service.get("serviceEndpoint")
            if isinstance(found, str):
                return found
    raise DidDocumentError(f"the document of {document.did} names no {SERVICE_TYPE}; name chain, contract, publication")


def _member(value: Any, name: str) -> Any:
    found = value.get(name) if isinstance(value, Mapping) else None
    if found is None:
        raise InputError(f"it has no {name}")
    return found


def _text(value: Any, name: str) -> str:
    found = _member(value, name)
    if not isinstance(found, str):
        raise InputError(f"its {name} is no text")
    return found
