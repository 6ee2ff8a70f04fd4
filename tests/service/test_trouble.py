"""What goes wrong on a chain, and what the service makes of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from anchors.base import AnchorBatch, BatchAnchored, WrongContract
from registry.core.bundle import parse_bundle
from registry.core.model import Outcome, Status
from registry.service import operations
from registry.service.errors import BusyError, ForbiddenError, NotReadyError
from registry.service.issuers import SELF, Issuer
from registry.service.worker import only_worker
from registry.store.tables import attempts, outbox
from support.fake_chain import GWEI, FakeSigner
from support.house import PAYER, House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = open_house(tmp_path, confirmations=3)
    yield house
    house.close()


@pytest.fixture
def issuer(house: House) -> Issuer:
    """An issuer whose key the operator has, for good."""
    issuer = house.hosting.create("acme", signs="none")
    house.settle()
    house.chain.mine(3)
    house.settle()
    return issuer


def outbox_states(house: House) -> list[str]:
    with house.database.read() as connection:
        return list(connection.scalars(select(outbox.c.state).order_by(outbox.c.nonce)))


def note(house: House) -> str:
    return house.batching.page()[-1].note or ""


def finish(house: House) -> None:
    for _ in range(6):
        house.settle()
        house.chain.mine()
    house.settle()


# --- finality and reorganisations ---


def test_a_batch_is_final_after_the_confirmations_and_not_before(house: House, issuer: Issuer) -> None:
    [credential_id] = house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.settle()
    assert house.batch_states() == ["ANCHORED"]
    house.chain.mine()
    house.settle()
    assert house.batch_states() == ["ANCHORED"]
    assert "3 confirmations" in note(house)
    with pytest.raises(NotReadyError, match="3 confirmations"):
        house.bundles.get(credential_id)
    house.chain.mine()
    house.settle()
    assert house.batch_states() == ["FINAL"]


def test_an_anchor_that_a_reorganisation_removes_is_sent_again(house: House, issuer: Issuer) -> None:
    [credential_id] = house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.settle()
    house.chain.automine = False
    house.chain.reorganise(1, keep=False, blocks=0)
    house.chain.mine()  # the same height, another block, without the anchor
    assert not [e for b in house.chain.blocks for e in b.events if isinstance(e, BatchAnchored)]
    house.worker.step()
    assert house.batch_states() == ["SUBMITTED"]
    house.chain.automine = True
    finish(house)
    assert house.batch_states() == ["FINAL"]
    assert house.verify(credential_id).status is Status.VALID
    assert outbox_states(house) == ["DONE", "DONE"]


def test_an_anchor_that_moves_to_another_block_gets_that_blocks_bundle(house: House, issuer: Issuer) -> None:
    [credential_id] = house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.settle()
    before = house.batching.page()[0].block_number
    house.chain.reorganise(2)
    house.chain.mine(3)
    house.settle()
    batch = house.batching.page()[0]
    assert (batch.state, batch.block_number == before) == ("FINAL", False)
    anchor = parse_bundle(house.bundles.get(credential_id)).anchors[0]
    assert anchor.block_hash == house.chain.blocks[anchor.block_number].ref.hash
    assert house.verify(credential_id).status is Status.VALID


def test_even_a_final_anchor_that_vanishes_is_noticed_and_sent_again(house: House, issuer: Issuer) -> None:
    [credential_id] = house.issue(issuer, 1)
    house.batching.seal(issuer)
    finish(house)
    assert house.batch_states() == ["FINAL"]
    house.chain.reorganise(7, keep=False)
    house.worker.step()
    assert house.batch_states() != ["FINAL"]
    finish(house)
    assert house.batch_states() == ["FINAL"]
    assert house.verify(credential_id).status is Status.VALID


def test_a_revocation_that_a_reorganisation_removes_is_sent_again(house: House, issuer: Issuer) -> None:
    ids = house.issue(issuer, 2)
    house.batching.seal(issuer)
    finish(house)
    house.status.request(issuer, ids[0], "revoke")
    house.settle()
    assert house.verify(ids[0]).status is Status.INVALID
    house.chain.reorganise(1, keep=False)
    assert house.chain.read_words(issuer.address, [0])[0].revoked == 0
    finish(house)
    assert house.verify(ids[0]).status is Status.INVALID
    assert house.status.counts() == {"FINAL": 1}


# --- a foreign anchor in the issuer's sequence ---


def test_a_foreign_anchor_displaces_what_is_not_anchored(house: House, issuer: Issuer) -> None:
    first = house.issue(issuer, 2, "a")
    house.batching.seal(issuer)
    finish(house)
    second = house.issue(issuer, 3, "b")
    house.status.request(issuer, second[1], "revoke")  # withdrawn before it is sealed
    house.batching.seal(issuer)
    third = house.issue(issuer, 2, "c")
    house.chain.foreign_anchor(issuer.address, b"\x66" * 32, 10)
    house.settle()
    assert house.batch_states() == ["FINAL", "SEALED"]
    with pytest.raises(NotReadyError, match="somebody else"):
        house.issue(issuer, 1, "d")
    house.chain.mine(3)
    house.settle()
    assert house.batch_states() == ["FINAL", "DISPLACED"]
    more = house.issue(issuer, 1, "d")  # accepted again
    house.batching.seal(issuer)
    finish(house)
    assert house.batch_states() == ["FINAL", "DISPLACED", "FINAL"]
    assert house.batching.page()[-1].first == 12
    for credential_id in [*first, second[0], second[2], *third, *more]:
        assert house.verify(credential_id).status is Status.VALID


def test_a_displaced_revocation_follows_its_credential(house: House, issuer: Issuer) -> None:
    ids = house.issue(issuer, 3)
    house.batching.seal(issuer)
    house.settle()
    house.status.request(issuer, ids[2], "revoke")
    house.settle()
    house.chain.automine = False
    house.chain.reorganise(2, keep=False, blocks=0)
    house.chain.mempool.clear()
    house.chain.foreign_anchor(issuer.address, b"\x66" * 32, 1)
    house.chain.mine(3)
    house.chain.automine = True
    finish(house)
    house.batching.seal(issuer)
    finish(house)
    assert [house.verify(i).status for i in ids] == [Status.VALID, Status.VALID, Status.INVALID]
    assert "CANCELLED" in operation_states(house)


def operation_states(house: House) -> list[str]:
    with house.database.read() as connection:
        return [operation.state for operation in operations.load(connection)]


def test_a_database_behind_the_chain_stops_accepting_until_they_agree(house: House, issuer: Issuer) -> None:
    house.issue(issuer, 2)
    house.batching.seal(issuer)
    finish(house)
    kept = list(house.chain.blocks)
    del house.chain.blocks[3:]  # the chain was lost, as when a development chain is deleted
    house.worker.follower.rebuild()  # and nothing is left that would tell a reorganisation
    house.worker = house.new_worker()
    house.worker.step()
    with pytest.raises(NotReadyError, match="check RPC_URLS"):
        house.issue(issuer, 1, "later")
    house.chain.blocks = kept
    house.worker.step()
    house.issue(issuer, 1, "later")


# --- transactions ---


def test_a_stuck_transaction_is_replaced_with_the_same_call_and_a_higher_fee(house: House, issuer: Issuer) -> None:
    house.chain.automine = False
    house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.worker.run_once()
    house.chain.base_fee = 10 * GWEI
    house.clock.advance(121)
    house.worker.step()
    with house.database.read() as connection:
        rows = connection.execute(select(attempts).order_by(attempts.c.id.desc()).limit(2)).all()
    assert int(rows[0].max_fee) > int(rows[1].max_fee)
    assert rows[0].outbox_id == rows[1].outbox_id
    house.chain.automine = True
    finish(house)
    assert house.batch_states() == ["FINAL"]
    assert len(outbox_states(house)) == 2  # the key, the batch


def test_a_transaction_that_blocks_pass_over_pays_more_within_bounds(house: House, issuer: Issuer) -> None:
    house.chain.automine = False
    house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.worker.run_once()
    fees = []
    for _ in range(20):
        house.chain.mempool.clear()  # the miners do not take it, whatever it pays
        house.clock.advance(121)
        house.chain.mine()
        house.worker.step()
        with house.database.read() as connection:
            newest = connection.execute(select(attempts).order_by(attempts.c.id.desc()).limit(1)).one()
        fees.append(int(newest.max_fee))
    suggested = house.chain.suggest_fees().max_fee
    assert fees[0] > suggested
    assert fees[-1] == fees[-2] <= 4 * suggested
    house.chain.automine = True
    finish(house)
    assert house.batch_states() == ["FINAL"]


def test_the_first_attempt_may_still_win_after_a_replacement(house: House, issuer: Issuer) -> None:
    house.chain.automine = False
    house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.worker.run_once()
    [first] = house.chain.mempool.values()
    house.clock.advance(121)
    house.worker.step()
    house.chain.mempool[first.sender, first.nonce] = first
    house.chain.mine(4)
    house.settle()
    assert house.batch_states() == ["FINAL"]
    assert outbox_states(house)[-1] == "DONE"


def test_a_transaction_that_the_node_forgot_is_handed_over_again(house: House, issuer: Issuer) -> None:
    house.chain.automine = False
    house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.worker.run_once()
    house.chain.mempool.clear()
    house.clock.advance(20)
    house.worker.step()
    assert len(house.chain.mempool) == 1
    assert len(outbox_states(house)) == 2


def test_out_of_funds_waits_with_a_message_and_goes_on(house: House, issuer: Issuer) -> None:
    house.chain.balances[PAYER] = 1
    house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.worker.run_once()
    assert house.batch_states() == ["SUBMITTED"]
    assert "too little money" in note(house)
    house.chain.balances[PAYER] = 10**18
    finish(house)
    assert house.batch_states() == ["FINAL"]


def test_a_fee_above_the_cap_waits_with_a_message(house: House, issuer: Issuer) -> None:
    house.chain.base_fee = 900 * GWEI
    house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.settle()
    assert house.batch_states() == ["SEALED"]
    assert "MAX_FEE_GWEI" in note(house)
    house.chain.base_fee = GWEI
    finish(house)
    assert house.batch_states() == ["FINAL"]


def test_a_foreign_transaction_at_our_nonce_means_a_new_nonce_once_final(house: House, issuer: Issuer) -> None:
    house.chain.automine = False
    house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.worker.run_once()
    house.chain.foreign_transaction(PAYER)
    house.clock.advance(20)
    house.worker.step()
    assert outbox_states(house)[-1] == "OPEN"  # the branch may go again
    house.chain.automine = True
    finish(house)
    assert outbox_states(house)[1:] == ["LOST", "DONE"]
    assert house.batch_states() == ["FINAL"]


def test_a_reverted_transaction_is_decided_anew(house: House, issuer: Issuer) -> None:
    house.chain.automine = False
    house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.worker.run_once()
    house.chain.tip.state.roles.clear()  # the controller takes the key away before the anchor is mined
    house.chain.mine()
    house.clock.advance(20)
    house.worker.step()
    assert "REVERTED" not in outbox_states(house)  # the branch may go again
    assert "once that is final" in note(house)
    house.chain.mine(2)
    house.worker.step()
    assert "REVERTED" in outbox_states(house)
    assert "NotEntitled" in note(house)
    house.chain.tip.state.roles[issuer.address, PAYER] = 7
    house.chain.automine = True
    finish(house)
    assert house.batch_states() == ["FINAL"]


def test_somebody_relaying_our_anchor_first_does_no_harm(house: House, issuer: Issuer) -> None:
    house.chain.automine = False
    [credential_id] = house.issue(issuer, 1)
    batch = house.batching.seal(issuer)
    assert batch is not None
    house.worker.run_once()
    house.chain.mempool.clear()
    house.chain.mine()
    call = AnchorBatch(issuer.address, batch.root, batch.first, batch.size)
    house.chain._apply(house.chain.tip, call, issuer.address, b"\x77" * 32)
    house.chain.automine = True
    finish(house)
    assert house.batch_states() == ["FINAL"]
    assert parse_bundle(house.bundles.get(credential_id)).anchors[0].transaction == b"\x77" * 32
    assert house.verify(credential_id).status is Status.VALID


# --- the node ---


def test_while_the_node_is_down_verdicts_are_indeterminate(house: House, issuer: Issuer) -> None:
    ids = house.issue(issuer, 2)
    house.batching.seal(issuer)
    finish(house)
    house.status.request(issuer, ids[0], "revoke")
    finish(house)
    assert house.verify(ids[0]).status is Status.INVALID
    house.chain.unreachable = True
    for credential_id in ids:
        verdict = house.verify(credential_id)
        assert verdict.status is Status.INDETERMINATE
        assert not [check for check in verdict.checks if check.outcome is Outcome.FAIL]


def test_while_the_node_is_down_credentials_are_accepted_and_anchored_later(house: House, issuer: Issuer) -> None:
    house.chain.unreachable = True
    [credential_id] = house.issue(issuer, 1)
    house.batching.seal(issuer)
    step = house.worker.run_once()
    assert step.error
    house.chain.unreachable = False
    finish(house)
    assert house.verify(credential_id).status is Status.VALID


def test_a_node_without_history_holds_the_bundle_back_with_a_message(house: House, issuer: Issuer) -> None:
    [credential_id] = house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.chain.pruned = True
    finish(house)
    assert house.batch_states() == ["ANCHORED"]
    assert "history" in note(house)
    house.chain.pruned = False
    finish(house)
    assert house.verify(credential_id).status is Status.VALID


def test_pruned_history_leaves_verdicts_as_they_are(house: House, issuer: Issuer) -> None:
    [credential_id] = house.issue(issuer, 1)
    house.batching.seal(issuer)
    finish(house)
    house.chain.pruned = True
    verdict = house.verify(credential_id)
    assert verdict.status is Status.VALID
    assert [c.outcome for c in verdict.checks if c.name == "locator"] == [Outcome.SKIPPED]


def test_two_workers_on_one_database(house: House) -> None:
    with only_worker(house.database), pytest.raises(BusyError), only_worker(house.database):
        pass
    with only_worker(house.database):
        pass


# --- issuers that sign for themselves ---


@pytest.fixture
def signer() -> FakeSigner:
    return FakeSigner(b"\x51" * 20)


def test_an_issuer_that_signs_itself_lets_the_operator_pay(house: House, signer: FakeSigner) -> None:
    issuer = house.issuers.create("self", signer.address, SELF)
    [credential_id] = house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.settle()
    assert house.batch_states() == ["AWAITING_SIGNATURE"]
    [request] = house.signing.requests(issuer)
    deadline = house.clock.now + 3_000
    good = signer.sign_call(chain_id=request.chain_id, contract=request.contract, call=request.call, deadline=deadline)
    house.signing.submit(request.id, good, issuer)
    assert house.signing.requests(issuer) == []
    finish(house)
    assert house.verify(credential_id).status is Status.VALID


def test_a_signature_by_another_key_or_over_another_call_is_refused(house: House, signer: FakeSigner) -> None:
    issuer = house.issuers.create("self", signer.address, SELF)
    house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.settle()
    [request] = house.signing.requests(issuer)
    deadline = house.clock.now + 3_000
    other = FakeSigner(b"\x52" * 20)
    for who, chain_id in ((other, request.chain_id), (signer, request.chain_id + 1)):
        bad = who.sign_call(chain_id=chain_id, contract=request.contract, call=request.call, deadline=deadline)
        with pytest.raises(ForbiddenError):
            house.signing.submit(request.id, bad, issuer)


def test_a_signature_that_runs_out_while_it_waits_is_cancelled_and_asked_for_again(
    house: House, signer: FakeSigner
) -> None:
    issuer = house.issuers.create("self", signer.address, SELF)
    [credential_id] = house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.settle()
    house.chain.automine = False
    for attempt in range(2):
        [request] = house.signing.requests(issuer)
        deadline = house.clock.now + 600
        house.signing.submit(
            request.id,
            signer.sign_call(
                chain_id=request.chain_id, contract=request.contract, call=request.call, deadline=deadline
            ),
            issuer,
        )
        house.worker.run_once()
        if attempt == 0:
            house.clock.advance(700)  # it was stuck for too long
            house.worker.step()
            assert [transaction.call.data for transaction in house.chain.mempool.values()] == [b""]
            house.chain.mine(3)
            house.settle()
            assert house.batch_states() == ["AWAITING_SIGNATURE"]
            assert "sign" in note(house)
    house.chain.automine = True
    finish(house)
    assert house.verify(credential_id).status is Status.VALID


def test_a_self_signing_issuers_revocation_and_suspension_wait_for_signatures(house: House, signer: FakeSigner) -> None:
    issuer = house.issuers.create("self", signer.address, SELF)
    ids = house.issue(issuer, 2)
    house.batching.seal(issuer)

    def sign_all() -> None:
        finish(house)
        for request in house.signing.requests(issuer):
            authority = signer.sign_call(
                chain_id=request.chain_id,
                contract=request.contract,
                call=request.call,
                deadline=house.clock.now + 3_000,
            )
            house.signing.submit(request.id, authority, issuer)
        finish(house)

    sign_all()
    house.status.request(issuer, ids[0], "revoke")
    house.status.request(issuer, ids[1], "suspend")
    sign_all()
    assert [house.verify(i).status for i in ids] == [Status.INVALID, Status.INVALID]
    house.status.request(issuer, ids[1], "reinstate")
    sign_all()
    assert [house.verify(i).status for i in ids] == [Status.INVALID, Status.VALID]


def test_the_gift_of_a_key_that_ran_out_can_be_signed_again(house: House) -> None:
    house.chain.unreachable = True
    issuer = house.hosting.create("late")
    house.clock.advance(4_000)
    house.chain.unreachable = False
    house.issue(issuer, 1)
    house.batching.seal(issuer)
    finish(house)
    assert "NotEntitled" in note(house)
    house.hosting.authorize(issuer)
    finish(house)
    assert house.batch_states() == ["FINAL"]


def test_another_chain_under_the_same_address_gets_nothing(house: House, issuer: Issuer) -> None:
    """As when a development node was started anew while the worker ran."""
    house.issue(issuer, 1)
    house.batching.seal(issuer)

    def refuse() -> bytes:
        raise WrongContract("There is no contract at that address.")

    house.chain.check = refuse  # type: ignore[method-assign]
    before = len(house.chain.blocks)
    step = house.worker.step()
    assert step.error == "There is no contract at that address."
    assert len(house.chain.blocks) == before
    assert outbox_states(house) == ["DONE"]  # the key; the batch was not sent


def test_a_reorganisation_while_events_are_read_keeps_nothing_of_them(house: House, issuer: Issuer) -> None:
    [credential_id] = house.issue(issuer, 1)
    house.batching.seal(issuer)
    finish(house)
    house.status.request(issuer, credential_id, "revoke")
    house.worker.step()
    before = house.worker.follower.position()

    def reorganise_once(name: str, when: str) -> None:
        if (name, when) == ("read_events", "after"):
            house.chain.fault = lambda _name, _when: None
            house.chain.reorganise(1, keep=False)

    house.chain.fault = reorganise_once
    step = house.worker.step()
    assert step.error is not None
    assert "reorganised" in step.error
    assert house.worker.follower.position() == before
    finish(house)
    assert house.worker.follower.words(issuer.address, [0]) == house.chain.read_words(issuer.address, [0])
    assert house.verify(credential_id).status is Status.INVALID
