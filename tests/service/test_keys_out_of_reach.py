"""A file of signing keys that is gone, or does not open, stops its issuer and nobody else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.core.bundle import parse_bundle
from registry.core.model import Outcome, Status
from registry.service.errors import BusyError
from registry.service.issuers import Issuer
from registry.service.keysofothers import KeyFinder
from registry.standards.proofs.report import KeyProblem
from support.cli import document as badge
from support.house import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = open_house(tmp_path)
    yield house
    house.close()


@pytest.fixture
def issuer(house: House) -> Issuer:
    issuer = house.hosting.create("acme")
    house.hosting.create("other")
    house.settle()
    return issuer


def test_the_worker_goes_on_with_everybody_else(house: House, issuer: Issuer) -> None:
    kept = house.issuing.submit(issuer, badge(1)).id
    house.chain.foreign_anchor(issuer.address, b"\x66" * 32, 10)
    house.chain.mine(3)
    ring = house.rings.rings.pop("acme")
    other = house.issuers.look_up("other")
    theirs = house.issuing.submit(other, badge(2)).id
    house.batching.seal_all(other)
    house.settle()
    assert house.verify(theirs).status is Status.VALID
    halted = house.issuers.look_up("acme").halted
    assert halted is not None
    assert "signed again" in halted
    house.rings.rings["acme"] = ring
    house.settle()
    assert house.issuers.look_up("acme").halted is None
    house.batching.seal_all(issuer)
    house.settle()
    assert house.verify(kept).status is Status.VALID


def test_taking_in_says_so_and_keeps_nothing(house: House, issuer: Issuer) -> None:
    ring = house.rings.rings.pop("acme")
    with pytest.raises(BusyError):
        house.issuing.submit(issuer, badge(1), "key")
    house.rings.rings["acme"] = ring
    assert not house.issuing.submit(issuer, badge(1), "key").repeated


def test_what_it_issued_is_judged_by_the_claimed_document_or_not_at_all(house: House, issuer: Issuer) -> None:
    accepted = house.issuing.submit(issuer, badge(1)).id
    house.batching.seal_all(issuer)
    house.settle()
    house.rings.rings.pop("acme")
    finder = KeyFinder(house.identities, house.resolver)
    assert isinstance(finder(f"{issuer.did}#key-1"), KeyProblem)
    assert house.verify(accepted).status is Status.VALID
    credential = parse_bundle(house.bundles.get(accepted)).credential
    assert credential is not None
    assert house.judging.session().judge(credential).signature.outcome is Outcome.UNKNOWN
