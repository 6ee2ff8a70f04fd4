"""What was promised is kept, whatever is reserved before it; and the same request gets the same answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.service.errors import ConflictError, InvalidError
from registry.service.intake import Submission
from registry.service.issuers import Issuer
from support.cli import document as badge
from support.house import House, document, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = open_house(tmp_path)
    yield house
    house.close()


@pytest.fixture
def issuer(house: House) -> Issuer:
    issuer = house.hosting.create("acme", signs="none")
    house.settle()
    return issuer


def test_a_reservation_that_is_used_late_delays_nobody(house: House, issuer: Issuer) -> None:
    [place] = house.reserving.reserve(issuer, 1)
    house.issuing.submit(issuer, document("urn:example:1"))
    house.clock.advance(3_500)
    house.issuing.take(issuer, Submission(document("urn:example:2"), reservation=place.id))
    assert house.batching.due() == []
    house.clock.advance(100)  # BATCH_MAX_AGE after the one that was not reserved
    assert house.batching.due() == [issuer.id]


def test_reservations_that_wait_do_not_make_batches_of_one(house: House, issuer: Issuer) -> None:
    places = house.reserving.reserve(issuer, 3)
    house.clock.advance(3_000)
    house.issuing.take(issuer, Submission(document("urn:example:1"), reservation=places[0].id))
    assert house.batching.due() == []
    house.clock.advance(600)  # the others have run out
    assert house.batching.due() == [issuer.id]


def test_a_correction_of_what_was_withdrawn_can_be_repeated(house: House, issuer: Issuer) -> None:
    house.issue(issuer, 1, "b")
    for former in (house.issue(issuer, 1, "a")[0], "urn:example:b:0"):
        key = f"key-{former}"
        corrected = {**badge(1), "id": f"urn:new:{former}", "issuer": issuer.did}
        first = house.correcting.supersede(issuer, former, Submission(corrected, key))
        again = house.correcting.supersede(issuer, former, Submission(corrected, key))
        assert (again.id, again.repeated) == (first.id, True)
        with pytest.raises(ConflictError) as caught:
            house.correcting.supersede(issuer, former, Submission({**corrected, "name": "Another"}, key))
        assert caught.value.code == "idempotency_key_reused"


def test_a_reason_that_cannot_be_kept_is_refused_before_anything_is_taken(house: House, issuer: Issuer) -> None:
    [former] = house.issue(issuer, 1)
    with pytest.raises(InvalidError):
        house.correcting.supersede(issuer, former, Submission(badge(9)), "\ud800")
    house.correcting.supersede(issuer, former, Submission(badge(9)), "a typing error")
