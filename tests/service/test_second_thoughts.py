"""What a chain takes back after others have built on it, and what two hands at once make of one thing."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from anchors.base import ChainUnreachable, Signature
from registry.core.bundle import parse_bundle
from registry.core.model import Status
from registry.service import operations
from registry.service.errors import ConflictError, InvalidError
from registry.service.issuers import SELF, Issuer
from registry.store.tables import attempts, outbox, status_requests
from support.fake_chain import GWEI, FakeSigner
from support.house import PAYER, House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = open_house(tmp_path, confirmations=3)
    yield house
    house.close()


@pytest.fixture
def issuer(house: House) -> Issuer:
    issuer = house.hosting.create("acme", signs="none")
    finish(house)
    return issuer


def finish(house: House) -> None:
    for _ in range(6):
        house.settle()
        house.chain.mine()
    house.settle()


def anchored(house: House, issuer: Issuer, count: int) -> list[str]:
    ids = house.issue(issuer, count)
    house.batching.seal(issuer)
    finish(house)
    return ids


def test_a_revocation_that_a_reorganisation_removes_is_pending_at_once(house: House, issuer: Issuer) -> None:
    """Not only when the worker has seen it: in between the verdict would be VALID."""
    [credential_id] = anchored(house, issuer, 1)
    house.status.request(issuer, credential_id, "revoke")
    house.settle()
    assert house.verify(credential_id).status is Status.INVALID
    house.chain.reorganise(1, keep=False)
    assert house.verify(credential_id).status is Status.INDETERMINATE


def test_a_foreign_anchor_that_is_not_final_yet_moves_nothing(house: House, issuer: Issuer) -> None:
    """Were it counted, and then gone, there would be a gap in the sequence for ever."""
    ids = house.issue(issuer, 2)
    house.chain.foreign_anchor(issuer.address, b"\x66" * 32, 10)
    house.chain.mine(2)
    house.chain.foreign_anchor(issuer.address, b"\x67" * 32, 10)
    house.settle()
    house.chain.mempool.clear()
    house.chain.reorganise(1, keep=False)
    finish(house)
    house.batching.seal(issuer)
    finish(house)
    assert [(b.first, str(b.state)) for b in house.batching.page()] == [(10, "FINAL")]
    assert {house.verify(i).status for i in ids} == {Status.VALID}


def test_a_foreign_anchor_that_vanishes_after_it_was_renumbered_around(house: House, issuer: Issuer) -> None:
    ids = house.issue(issuer, 2)
    withdrawn = house.issue(issuer, 1, "w")
    house.status.request(issuer, withdrawn[0], "revoke")
    house.chain.foreign_anchor(issuer.address, b"\x66" * 32, 10)
    finish(house)
    house.chain.reorganise(8, keep=False)  # deeper than final
    finish(house)
    house.batching.seal(issuer)
    finish(house)
    assert [(b.first, str(b.state)) for b in house.batching.page()] == [(0, "FINAL")]
    assert {house.verify(i).status for i in ids} == {Status.VALID}


def test_a_batch_of_tombstones_can_come_back_to_its_first_index(house: House, issuer: Issuer) -> None:
    [credential_id] = house.issue(issuer, 1)
    house.status.request(issuer, credential_id, "revoke")
    house.chain.automine = False
    house.batching.seal(issuer)
    house.chain.foreign_anchor(issuer.address, b"\x66" * 32, 1)
    house.chain.mine(3)
    house.worker.step()
    house.chain.mempool.clear()
    house.chain.reorganise(4, keep=False)
    house.chain.automine = True
    finish(house)
    house.batching.seal(issuer)
    finish(house)
    assert house.batch_states() == ["DISPLACED", "FINAL"]


def test_a_nonce_that_a_vanished_foreign_transaction_had_is_filled(house: House, issuer: Issuer) -> None:
    house.chain.foreign_transaction(PAYER)
    house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.settle()
    assert house.batch_states() == ["ANCHORED"]
    house.chain.reorganise(2, keep=False)
    for _ in range(3):  # nobody sends the foreign one again, and ours waits behind its nonce
        finish(house)
    assert house.batch_states() == ["FINAL"]


def test_a_chain_that_stands_still_does_not_drive_the_fee_up(house: House, issuer: Issuer) -> None:
    house.chain.automine = False
    house.issue(issuer, 1)
    house.batching.seal(issuer)
    for _ in range(100):
        house.settle()
    with house.database.read() as connection:
        fees = [int(fee) for fee in connection.scalars(select(attempts.c.max_fee))]
    assert max(fees) <= 2 * GWEI
    assert len(fees) == 2  # the key, the batch


def test_a_revert_is_decided_anew_only_when_it_is_final(house: House, issuer: Issuer) -> None:
    """Otherwise a reorganisation makes the same call go through twice."""
    house.chain.automine = False
    house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.worker.run_once()
    house.chain.tip.state.roles.clear()
    house.chain.mine()
    house.settle()
    house.chain.reorganise(2)  # on this branch the key was never taken away
    house.chain.automine = True
    finish(house)
    assert house.batch_states() == ["FINAL"]
    with house.database.read() as connection:
        assert list(connection.scalars(select(outbox.c.state))) == ["DONE", "DONE"]  # the key, the batch


def test_a_suspension_that_lost_its_nonce_does_not_overtake_the_reinstatement(house: House, issuer: Issuer) -> None:
    [credential_id] = anchored(house, issuer, 1)
    house.status.request(issuer, credential_id, "suspend")
    house.chain.automine = False
    house.worker.run_once()
    house.status.request(issuer, credential_id, "reinstate")
    house.chain.foreign_transaction(PAYER)
    house.chain.automine = True
    finish(house)
    with house.database.read() as connection:
        states = list(connection.scalars(select(status_requests.c.state).order_by(status_requests.c.id)))
    assert states == ["SUPERSEDED", "FINAL"]
    assert house.verify(credential_id).status is Status.VALID


def test_a_suspension_that_the_issuer_lifted_by_itself_is_no_request_that_waits_for_ever(
    house: House, issuer: Issuer
) -> None:
    [credential_id] = anchored(house, issuer, 1)
    house.status.request(issuer, credential_id, "suspend")
    house.worker.step()
    house.chain.tip.state.suspended.clear()
    finish(house)
    assert house.status.counts() == {"FINAL": 1}


def test_a_gift_whose_counter_an_older_gift_used_is_done(house: House) -> None:
    house.chain.automine = False
    issuer = house.hosting.create("acme", signs="none")
    house.worker.step()
    house.hosting.authorize(issuer)  # while the first one is under way, which then arrives
    house.chain.mine()
    house.chain.automine = True
    finish(house)
    with house.database.read() as connection:
        assert [operation.state for operation in operations.load(connection)] == ["CANCELLED", "DONE"]


def test_news_of_the_chain_survive_its_falling_silent(house: House, issuer: Issuer) -> None:
    house.chain.foreign_anchor(issuer.address, b"\x66" * 32, 10)

    def fail(name: str, when: str) -> None:
        if (name, when) == ("next_nonce", "before") or name == "read_issuer":
            raise ChainUnreachable("gone")

    house.chain.fault = fail
    assert house.worker.step().error
    house.chain.fault = lambda _name, _when: None
    finish(house)
    assert house.issuers.look_up("acme").next_index == 10


def test_transactions_of_the_operators_former_account_are_never_signed_by_the_new_one(
    house: House, issuer: Issuer
) -> None:
    house.chain.automine = False
    house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.worker.run_once()
    house.context = replace(house.context, payer=FakeSigner(b"\xbb" * 20))
    house.worker = house.new_worker()
    house.chain.base_fee = 10 * GWEI
    house.settle()
    house.clock.advance(300)
    house.settle()
    assert {sender for sender, _ in house.chain.mempool} == {PAYER}
    house.chain.base_fee = GWEI
    house.chain.mine(4)
    house.settle()
    assert house.batch_states() == ["FINAL"]


def test_a_call_that_changed_since_it_was_read_is_not_taken(house: House) -> None:
    signer = FakeSigner(b"\x51" * 20)
    issuer = house.issuers.create("self", signer.address, SELF)
    house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.settle()
    with house.database.read() as connection:
        [operation] = operations.load(connection)
    authority = Signature(signer.address, house.clock.now + 600, b"\x01")
    with house.database.write() as connection:
        assert operations.set_authority(connection, operation, authority)
        assert not operations.take(connection, operation)  # it was read without a signature
        assert operations.take(connection, replace(operation, authority=authority))
        assert not operations.set_authority(connection, operation, None)


@pytest.mark.parametrize("reason", ["\0", "\ud800", "x" * 1_001])
def test_reasons_that_no_database_takes_are_refused(house: House, issuer: Issuer, reason: str) -> None:
    [credential_id] = house.issue(issuer, 1)
    with pytest.raises(InvalidError):
        house.status.request(issuer, credential_id, "suspend", reason)


def test_what_is_erased_is_not_left_in_the_database_file(house: House, issuer: Issuer) -> None:
    [credential_id] = house.issue(issuer, 1, credentialSubject={"id": "did:example:learner", "name": "Rumpelstiltskin"})
    path = house.database.file
    assert path is not None
    with house.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"Rumpelstiltskin" in path.read_bytes()
    house.status.erase(issuer, credential_id)
    with house.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"Rumpelstiltskin" not in path.read_bytes()


def test_status_requests_while_batches_are_sealed(both: House) -> None:
    """On PostgreSQL each row has its own lock: taken in another order, the two would wait for each other."""
    issuer = both.hosting.create("acme")
    ids = both.issue(issuer, 60)
    failed: list[BaseException] = []

    def run(work: list[str], action: str) -> None:
        for credential_id in work:
            try:
                both.status.request(issuer, credential_id, action)
            except ConflictError:
                pass
            except BaseException as error:
                failed.append(error)

    threads = [
        threading.Thread(target=run, args=(ids[:30], "suspend")),
        threading.Thread(target=run, args=(ids[30:], "revoke")),
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        both.batching.seal(issuer)
    for thread in threads:
        thread.join()
    assert not failed
    both.batching.seal_all(issuer)
    both.settle()
    both.settle()
    with both.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(outbox)).scalar_one() > 1
    for credential_id in ids[:30]:
        assert parse_bundle(both.bundles.get(credential_id))
        assert both.verify(credential_id).status is Status.INVALID


def test_a_reading_transaction_sees_one_moment(both: House) -> None:
    issuer = both.hosting.create("acme")
    query = select(func.count()).select_from(operations.table)
    with both.database.read() as connection:
        before = connection.execute(query).scalar_one()
        both.issue(issuer, 1)
        both.batching.seal(issuer)
        assert connection.execute(query).scalar_one() == before


def test_only_the_issuers_own_and_open_credentials_are_due(both: House) -> None:
    one, two = both.hosting.create("one"), both.hosting.create("two")
    both.issue(one, 3)
    both.issue(two, 1)
    both.batching.seal(one)
    both.issue(one, 1, "later")
    assert both.batching.due() == []
    both.clock.advance(3_601)
    assert both.batching.due() == [one.id, two.id]
