"""Credentials that others may hold before their batch is sealed: their status has to reach the lists all the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from registry.core.bundle import parse_bundle
from registry.core.model import Status
from registry.core.status import word_and_mask
from registry.service.errors import GoneError
from registry.service.intake import Submission
from registry.service.issuers import Issuer
from registry.standards.did.key import did_key
from registry.standards.keys import LocalSigner
from registry.standards.proofs.creating import add_proofs
from registry.standards.proofs.publickey import ed25519_key
from registry.store.tables import credentials
from support.cli import document as badge
from support.house import House, document, open_house

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
DID = did_key(ed25519_key(KEY.public_key().public_bytes_raw()))
SIGNER = LocalSigner(f"{DID}#{DID.removeprefix('did:key:')}", KEY)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = open_house(tmp_path)
    yield house
    house.close()


@pytest.fixture
def outsider(house: House) -> Issuer:
    issuer = house.hosting.create("outside", DID)
    house.settle()
    return issuer


def secured(house: House, number: int, **more: Any) -> dict[str, Any]:
    unsigned = {**badge(number), "issuer": {"id": DID, "type": ["Profile"], "name": "Outside"}, **more}
    return add_proofs(unsigned, SIGNER, house.clock() - 5)


def revoked(house: House, issuer: Issuer, index: int) -> bool:
    word, mask = word_and_mask(index)
    return bool(house.chain.read_words(issuer.address, [word], house.chain.head())[word].revoked & mask)


def finish(house: House, issuer: Issuer) -> None:
    house.batching.seal_all(issuer, release_reserved=True)
    house.settle()
    house.settle()


def take_out(house: House, issuer: Issuer, form: str) -> str:
    """One credential at index 0 that somebody may have already."""
    if form == "issued":
        house.issuing.issue(issuer, document("urn:example:1", issuer=issuer.did))
        with house.database.read() as connection:
            return str(connection.execute(select(credentials.c.id)).scalar_one())
    [place] = house.reserving.reserve(issuer, 1)
    if form == "secured":
        return house.issuing.submit(issuer, secured(house, 1, credentialStatus=place.status)).id
    return house.issuing.take(issuer, Submission(commitment=b"\x05" * 32, reservation=place.id)).id


@pytest.fixture(params=["issued", "secured", "commitment"])
def out(request: pytest.FixtureRequest, house: House) -> tuple[Issuer, str]:
    issuer = house.hosting.create("acme", *([DID] if request.param == "secured" else []))
    house.settle()
    return issuer, take_out(house, issuer, request.param)


def test_a_revocation_before_sealing_reaches_the_chain(house: House, out: tuple[Issuer, str]) -> None:
    issuer, credential_id = out
    assert house.status.request(issuer, credential_id, "revoke").state == "WAITING"
    finish(house, issuer)
    assert revoked(house, issuer, 0)


def test_erasing_before_sealing_does_not_take_the_revocation_back(house: House, out: tuple[Issuer, str]) -> None:
    issuer, credential_id = out
    house.status.request(issuer, credential_id, "revoke", "a reason")
    house.status.erase(issuer, credential_id)
    finish(house, issuer)
    assert revoked(house, issuer, 0)
    with pytest.raises(GoneError):
        house.bundles.get(credential_id)


def test_what_was_erased_before_sealing_can_be_revoked_after_it(house: House, out: tuple[Issuer, str]) -> None:
    issuer, credential_id = out
    house.status.erase(issuer, credential_id)
    assert house.status.request(issuer, credential_id, "revoke").state == "WAITING"
    finish(house, issuer)
    assert revoked(house, issuer, 0)


def test_what_has_no_entry_in_a_list_here_is_withdrawn(house: House, outsider: Issuer) -> None:
    credential_id = house.issuing.submit(outsider, secured(house, 1)).id
    assert house.status.request(outsider, credential_id, "revoke").state == "WITHDRAWN"


def test_displaced_it_is_handed_in_again_under_its_own_id(house: House, outsider: Issuer) -> None:
    [place] = house.reserving.reserve(outsider, 1)
    house.issuing.submit(outsider, secured(house, 1, credentialStatus=place.status))
    house.chain.foreign_anchor(outsider.address, b"\x66" * 32, 10)
    house.chain.mine(3)
    house.settle()
    [other] = house.reserving.reserve(outsider, 1)
    again = house.issuing.submit(outsider, secured(house, 1, credentialStatus=other.status)).id
    finish(house, outsider)
    assert house.verify(again).status is Status.VALID


def test_a_compromised_keys_proofs_are_replaced_on_what_was_given_out(house: House) -> None:
    issuer = house.hosting.create("acme")
    house.settle()
    credential_id = take_out(house, issuer, "issued")
    house.clock.advance(10)
    assert house.hosting.rotate(issuer, compromised=True).resigned == 1
    finish(house, issuer)
    credential = parse_bundle(house.bundles.get(credential_id)).credential
    assert credential is not None
    assert {proof["verificationMethod"] for proof in credential["proof"]} == {f"{issuer.did}#key-2"}
