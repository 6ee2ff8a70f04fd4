"""From an issuer's DID to its registry."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from registry.api.app import create_app
from registry.service.discovering import Discovered, discover
from registry.standards.did.document import Account
from registry.standards.did.errors import DidDocumentError, DidUnreachable
from registry.standards.did.hosted import build_did_document
from registry.standards.did.resolver import DidResolver
from support.house import open_house
from support.served import FakeRegistry, Server

DID = "did:web:uni.example"
ENDPOINT = "https://registry.example/base/v1/issuers/uni"
ADDRESS = b"\x11" * 20
CONTRACT = b"\xc0" * 20


class Web:
    def __init__(self) -> None:
        document = build_did_document(DID, [], [Account(31337, ADDRESS)], ENDPOINT)
        network = {"chain": "eip155:31337", "contract": "0x" + CONTRACT.hex()}
        self.pages: dict[str, Any] = {
            "https://uni.example/.well-known/did.json": document,
            ENDPOINT: {"did": DID, "address": "0x" + ADDRESS.hex(), "network": network},
        }

    def fetch(self, url: str) -> bytes:
        if url not in self.pages:
            raise DidUnreachable(f"{url} does not answer")
        return json.dumps(self.pages[url]).encode()

    @property
    def document(self) -> Any:
        return self.pages["https://uni.example/.well-known/did.json"]

    def discover(self) -> Discovered:
        return discover(DID, DidResolver(self, lambda: 0), self)


def test_a_did_leads_to_its_registry() -> None:
    assert Web().discover() == Discovered(31337, CONTRACT, ADDRESS, "https://registry.example/base")


@pytest.mark.parametrize("gone", ["https://uni.example/.well-known/did.json", ENDPOINT])
def test_who_does_not_answer(gone: str) -> None:
    web = Web()
    del web.pages[gone]
    with pytest.raises(DidUnreachable):
        web.discover()


@pytest.mark.parametrize(
    "change",
    [
        {"did": "did:web:other.example"}, {"address": "0x" + "55" * 20}, {"address": 5}, {"network": None},
        {"network": {"chain": "eip155:1", "contract": "0x" + "55" * 20}}, {"network": {"chain": "eip155:31337"}},
    ],
)  # fmt: skip
def test_registries_that_do_not_fit(change: dict[str, Any]) -> None:
    web = Web()
    web.pages[ENDPOINT].update(change)
    with pytest.raises(DidDocumentError):
        web.discover()


@pytest.mark.parametrize(
    "service",
    [
        [], {}, [5], [{"type": "Other", "serviceEndpoint": ENDPOINT}], [{"type": "CredentialRegistry"}],
        [{"type": "CredentialRegistry", "serviceEndpoint": "https://registry.example/"}],
        [{"type": "CredentialRegistry", "serviceEndpoint": "file:///v1/issuers/uni"}],
    ],
)  # fmt: skip
def test_documents_that_lead_nowhere(service: Any) -> None:
    web = Web()
    web.document["service"] = service
    with pytest.raises(DidDocumentError):
        web.discover()


def test_a_registry_as_it_is(tmp_path: Path) -> None:
    """The host of its DIDs is a name; what it serves comes from its real API."""
    house = open_house(tmp_path)
    issuer = house.hosting.create("uni")
    server = Server(create_app(FakeRegistry(house), run_worker=False))

    class Names:
        def fetch(self, url: str) -> bytes:
            answer = requests.get(url.replace("https://registry.example", server.url), timeout=10)
            answer.raise_for_status()
            return answer.content

    try:
        found = discover(issuer.did, DidResolver(Names(), lambda: 0), Names())
    finally:
        server.stop()
        house.close()
    assert found == Discovered(house.chain.chain_id, house.chain.contract, issuer.address, "https://registry.example")
