"""From a submission to a verdict, on the fake chain."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.core.bundle import parse_bundle
from registry.core.model import Outcome, Status
from registry.service.errors import GoneError, NotReadyError
from support.house import House, document, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = open_house(tmp_path)
    yield house
    house.close()


def test_an_issued_credential_is_sealed_anchored_and_valid(house: House) -> None:
    issuer = house.hosting.create("acme")
    ids = house.issue(issuer, 5)
    house.batching.seal(issuer)
    house.settle()
    assert house.batch_states() == ["FINAL"]
    for credential_id in ids:
        verdict = house.verify(credential_id)
        assert verdict.status is Status.VALID, verdict
        assert verdict.final


def test_no_bundle_leaves_before_its_batch_is_final(house: House) -> None:
    issuer = house.hosting.create("acme")
    [credential_id] = house.issue(issuer, 1)
    with pytest.raises(NotReadyError, match="OPEN"):
        house.bundles.get(credential_id)
    house.chain.automine = False
    house.batching.seal(issuer)
    house.worker.run_once()
    with pytest.raises(NotReadyError, match="SEALED"):
        house.bundles.get(credential_id)


def test_batches_of_one_issuer_are_anchored_in_order(house: House) -> None:
    issuer = house.hosting.create("acme")
    ids = []
    for number in range(4):
        ids += house.issue(issuer, 3, f"b{number}")
        house.batching.seal(issuer)
    house.settle()
    assert house.batch_states() == ["FINAL"] * 4
    assert [batch.first for batch in house.batching.page()] == [0, 3, 6, 9]
    assert {house.verify(credential_id).status for credential_id in ids} == {Status.VALID}


def test_a_revoked_credential_is_pending_then_invalid_for_ever(house: House) -> None:
    issuer = house.hosting.create("acme")
    ids = house.issue(issuer, 3)
    house.batching.seal(issuer)
    house.settle()
    house.status.request(issuer, ids[1], "revoke", "issued by mistake")
    verdict = house.verify(ids[1])
    assert verdict.status is Status.INDETERMINATE
    assert [c.code for c in verdict.checks if c.outcome is Outcome.UNKNOWN] == ["revocation_pending"]
    house.settle()
    assert house.verify(ids[1]).status is Status.INVALID
    assert house.verify(ids[0]).status is Status.VALID
    assert house.status.counts() == {"FINAL": 1}


def test_a_suspension_can_be_lifted(house: House) -> None:
    issuer = house.hosting.create("acme")
    [credential_id] = house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.settle()
    for action, expected in (("suspend", Status.INVALID), ("reinstate", Status.VALID), ("suspend", Status.INVALID)):
        house.status.request(issuer, credential_id, action)
        house.settle()
        assert house.verify(credential_id).status is expected
    assert house.status.counts() == {"SUPERSEDED": 2, "FINAL": 1}


def test_of_several_waiting_suspensions_the_last_one_counts(house: House) -> None:
    issuer = house.hosting.create("acme")
    [credential_id] = house.issue(issuer, 1)
    for action in ("suspend", "reinstate"):
        house.status.request(issuer, credential_id, action)
    house.batching.seal(issuer)
    house.settle()
    assert house.verify(credential_id).status is Status.VALID


def test_revoking_before_sealing_withdraws_and_leaves_a_tombstone(house: House) -> None:
    issuer = house.hosting.create("acme")
    ids = house.issue(issuer, 3)
    assert house.status.request(issuer, ids[0], "revoke").state == "WITHDRAWN"
    house.batching.seal(issuer)
    house.settle()
    with pytest.raises(GoneError):
        house.bundles.get(ids[0])
    assert house.verify(ids[2]).status is Status.VALID


def test_an_erased_credential_is_gone_and_its_neighbours_stay_provable(house: House) -> None:
    issuer = house.hosting.create("acme")
    ids = house.issue(issuer, 3)
    house.batching.seal(issuer)
    house.settle()
    kept = house.bundles.get(ids[0])
    house.status.erase(issuer, ids[0])
    with pytest.raises(GoneError):
        house.bundles.get(ids[0])
    assert house.verify(ids[1]).status is Status.VALID
    assert house.verifier.verify([parse_bundle(kept)])[0].status is Status.VALID  # the holder's own copy


def test_an_import_takes_the_good_lines_and_names_the_broken_one(house: House) -> None:
    import json

    issuer = house.hosting.create("acme")
    lines = [json.dumps(document(f"urn:example:{n}")).encode() + b"\n" for n in range(1, 2_501)]
    lines[1_200] = b'{"@context": [\n'
    results = list(house.issuing.import_lines(issuer, lines, "key"))
    assert [r.line for r in results if r.error] == [1_201]
    assert sum(1 for r in results if r.accepted) == 2_499
    again = list(house.issuing.import_lines(issuer, lines, "key"))
    assert [r.accepted.id for r in again if r.accepted] == [r.accepted.id for r in results if r.accepted]
    assert all(r.accepted.repeated for r in again if r.accepted)


def test_an_import_is_shuffled(house: House) -> None:
    import json

    issuer = house.hosting.create("acme")
    lines = [json.dumps(document(f"urn:example:{n}")).encode() for n in range(100)]
    ids = [r.accepted.id for r in house.issuing.import_lines(issuer, lines, None) if r.accepted]
    house.batching.seal(issuer)
    house.settle()
    places = [parse_bundle(house.bundles.get(i)).inclusion.leaf_index for i in ids]
    assert sorted(places) == list(range(100))
    assert places != sorted(places)


def test_the_followed_words_equal_the_contracts_and_can_be_rebuilt(house: House) -> None:
    issuer = house.hosting.create("acme")
    ids = house.issue(issuer, 300)
    house.batching.seal(issuer)
    house.settle()
    for credential_id in ids[::7]:
        house.status.request(issuer, credential_id, "revoke")
    house.status.request(issuer, ids[1], "suspend")
    house.settle()
    before = house.worker.follower.words(issuer.address, range(2))
    assert before == house.chain.read_words(issuer.address, range(2))
    verdicts = [house.verify(credential_id) for credential_id in ids[:10]]
    house.worker.follower.rebuild()
    house.settle()
    assert house.worker.follower.words(issuer.address, range(2)) == before
    assert [(v.status, v.checks) for v in verdicts] == [
        (v.status, v.checks) for v in (house.verify(credential_id) for credential_id in ids[:10])
    ]
