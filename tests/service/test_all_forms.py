"""Every form of credential in one sequence: displaced twice, sealed, and audited from inside."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from registry.core.model import Status
from registry.service.auditing import Auditing, NamedChain
from registry.service.intake import Submission
from registry.service.issuers import Issuer
from registry.service.selfaudit import audit_database
from registry.store.tables import credentials
from support.cli import document as badge
from support.house import House, document, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = open_house(tmp_path, confirmations=3, batch_max_size=3)
    yield house
    house.close()


def finish(house: House) -> None:
    for _ in range(8):
        house.settle()
        house.chain.mine()
    house.settle()


def fill(house: House, issuer: Issuer) -> dict[str, str]:
    """Two of each that can move, and what stands still."""
    places = house.reserving.reserve(issuer, 4)
    ids = {
        "reserved": places[0].id,
        "commitment": house.issuing.take(issuer, Submission(commitment=b"\x05" * 32, reservation=places[1].id)).id,
        "placed": house.issuing.take(issuer, Submission(badge(11), reservation=places[2].id)).id,
        "given up": places[3].id,
        "signed": house.issuing.submit(issuer, badge(12)).id,
        "withdrawn": house.issuing.submit(issuer, badge(13)).id,
        "erased": house.issuing.submit(issuer, badge(14)).id,
    }
    house.issuing.issue(issuer, document("urn:example:issued", issuer=issuer.did))
    foreign = {"id": "https://other.example/1#3", "type": "BitstringStatusListEntry", "statusPurpose": "revocation",
               "statusListIndex": "3", "statusListCredential": "https://other.example/1"}  # fmt: skip
    house.issuing.issue(issuer, document("urn:example:foreign", issuer=issuer.did, credentialStatus=foreign))
    for name in ("issued", "foreign"):
        with house.database.read() as connection:
            query = select(credentials.c.id).where(credentials.c.external_id == f"urn:example:{name}")
            ids[name] = str(connection.execute(query).scalar_one())
    house.status.request(issuer, ids["given up"], "revoke")
    house.status.request(issuer, ids["withdrawn"], "revoke")
    house.status.erase(issuer, ids["erased"])
    house.status.request(issuer, ids["issued"], "revoke")
    return ids


@pytest.mark.parametrize("displaced", [0, 1, 2])
def test_displaced_and_back_it_is_whole(house: House, displaced: int) -> None:
    issuer = house.hosting.create("acme")
    finish(house)
    ids = fill(house, issuer)
    for number in range(displaced):
        house.chain.automine = False
        house.batching.seal_all(issuer, release_reserved=True)
        house.worker.step()
        house.chain.mempool.clear()
        house.chain.automine = True
        house.chain.foreign_anchor(issuer.address, bytes([0x66 + number]) * 32, 5)
        finish(house)
    house.batching.seal_all(issuer, release_reserved=True)
    finish(house)
    states = {str(batch.state) for batch in house.batching.page()}
    assert states <= {"FINAL", "DISPLACED"}
    for name in ("placed", "signed"):
        assert house.verify(ids[name]).status is Status.VALID, name
    assert house.verify(ids["issued"]).status is Status.INVALID
    assert house.verify(ids["foreign"]).status is Status.INDETERMINATE  # its list cannot be reached
    report = Auditing([NamedChain("node", house.chain)]).run(
        lambda chain, view, declared, _: audit_database(house.database, chain, view, declared)
    )
    # Anchors that nobody here knows are a finding, as they should be: every one of them, and nothing else.
    assert [finding.code for finding in report.findings] == ["foreign_batch"] * displaced
