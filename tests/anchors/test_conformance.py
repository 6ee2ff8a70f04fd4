"""What every back-end does alike: the embedded chain within the process and over HTTP, and anvil."""

import time
from typing import Any

import pytest

from anchors.base import (
    AcceptController,
    AnchorBatch,
    BatchAnchored,
    BatchRevoked,
    Call,
    CallReverted,
    Chain,
    ChainUnreachable,
    ControllerChanged,
    DidClaimed,
    EvidenceQuery,
    Fees,
    IssuerState,
    KeySet,
    ProposeController,
    Refusal,
    Revoke,
    RevokeBatch,
    SetDid,
    SetKey,
    SetSuspension,
    StatusRevoked,
    SuspensionChanged,
    TransactionRefused,
)
from registry.core.model import BatchRecord, BlockRef, Claim, StatusWords

ROOT = b"\x11" * 32
OTHER = b"\x22" * 32


def test_it_is_a_chain(backend: Any) -> None:
    assert isinstance(backend.chain, Chain)
    (evidence,) = backend.chain.read_evidence([EvidenceQuery(b"\1" * 20, ROOT, 0, ())])
    assert backend.chain.check() == evidence.code_hash


def test_an_unknown_issuer_controls_itself_and_has_nothing(backend: Any) -> None:
    issuer = b"\x77" * 20
    assert backend.chain.read_issuer(issuer) == IssuerState(0, 0, issuer, 0)
    assert backend.chain.read_record(issuer, ROOT, 0) is None
    assert backend.chain.read_words(issuer, [5, 0]) == {0: StatusWords(0, 0), 5: StatusWords(0, 0)}
    assert backend.chain.read_words(issuer, []) == {}


def test_what_is_anchored_is_read_back(backend: Any) -> None:
    me = backend.signer.address
    state = backend.send(AnchorBatch(me, ROOT, 0, 1000))
    block = backend.chain.block(state.block_number)
    assert block is not None
    assert block.hash == state.block_hash
    assert backend.chain.read_record(me, ROOT, 0) == BatchRecord(1000, block.timestamp, 0, block.number)
    assert backend.chain.read_issuer(me).next_index == 1000


def test_state_is_read_at_the_block_asked_for(backend: Any) -> None:
    me, chain = backend.signer.address, backend.chain
    before = chain.head()
    backend.send(AnchorBatch(me, ROOT, 0, 10))
    after = chain.head()
    backend.send(Revoke(me, (0,), (3,)))
    assert chain.read_record(me, ROOT, 0, at=before) is None
    assert chain.read_issuer(me, at=before).next_index == 0
    assert chain.read_words(me, [0], at=after) == {0: StatusWords(0, 0)}
    assert chain.read_words(me, [0]) == {0: StatusWords(3, 0)}
    assert chain.next_nonce(me, at=after) == chain.next_nonce(me) - 1


def test_many_are_read_as_each_one_is(backend: Any) -> None:
    me, other, chain = backend.signer.address, b"\x77" * 20, backend.chain
    backend.send(AnchorBatch(me, ROOT, 0, 300))
    before = chain.head()
    backend.send(AnchorBatch(me, OTHER, 300, 5))
    backend.send(Revoke(me, (0, 1), (3, 4)))
    backend.send(SetDid(me, "did:web:example.org", b"\x33" * 32))
    assert chain.read_next_indexes([other, me]) == [0, 305]
    assert chain.read_next_indexes([other, me], before) == [0, 300]
    batches = [(me, OTHER, 300), (other, ROOT, 0), (me, ROOT, 0)]
    assert chain.read_records(batches) == [chain.read_record(*batch) for batch in batches]
    assert [record is None for record in chain.read_records(batches, before)] == [True, True, False]
    claims = [(me, "did:web:example.org", b"\x55" * 32), (me, "did:web:example.org", b"\x33" * 32)]
    assert chain.read_claims(claims) == [0, chain.read_claim(*claims[1])] != [0, 0]
    wanted = [(me, [1, 0]), (other, [7]), (me, []), (me, range(600))]
    assert chain.read_words_of(wanted) == [chain.read_words(issuer, words) for issuer, words in wanted]
    assert chain.read_words_of(wanted[:1]) == [{0: StatusWords(3, 0), 1: StatusWords(4, 0)}]
    assert chain.read_words_of(wanted[:1], before) == [{0: StatusWords(0, 0), 1: StatusWords(0, 0)}]


def test_a_block_that_is_not_the_chains_is_out_of_reach(backend: Any) -> None:
    head = backend.chain.head()
    with pytest.raises(ChainUnreachable):
        backend.chain.read_issuer(b"\1" * 20, at=BlockRef(head.number, b"\x99" * 32, head.timestamp))


def test_blocks(backend: Any) -> None:
    head = backend.chain.head()
    assert backend.chain.block(head.number) == head
    assert backend.chain.block(head.number + 1) is None
    final = backend.chain.finalized()
    assert final is not None
    assert final.number <= head.number


def test_all_calls_their_events_and_their_traces_in_state(node_backend: Any, new_signer: Any) -> None:
    me, chain = node_backend.signer.address, node_backend.chain
    heir = new_signer("heir").address
    first = chain.head().number + 1
    node_backend.send(AnchorBatch(me, ROOT, 0, 300))
    node_backend.send(AnchorBatch(me, OTHER, 300, 300))
    node_backend.send(SetKey(me, heir, 3))
    node_backend.send(Revoke(me, (0, 1), (0b101, 1)))
    node_backend.send(SetSuspension(me, 1, (0, 2), (0b110, 1), (0, 0)))
    node_backend.send(SetDid(me, "did:web:example.org", b"\x33" * 32))
    node_backend.send(RevokeBatch(me, ROOT, 0))
    node_backend.send(ProposeController(me, me))
    node_backend.send(AcceptController(me))
    events = chain.read_events(first, chain.head().number)
    assert [type(event) for event in events] == [
        *(BatchAnchored, BatchAnchored, KeySet, StatusRevoked, SuspensionChanged, DidClaimed, BatchRevoked),
        ControllerChanged,  # the proposal before it is nobody's business
    ]
    assert all(event.issuer == me for event in events)
    assert [event.block_number for event in events] == [first + step for step in (0, 1, 2, 3, 4, 5, 6, 8)]
    for event in events:
        block = chain.block(event.block_number)
        assert block is not None
        assert block.hash == event.block_hash
        assert chain.transaction(event.transaction) is not None
    anchored, _, key, revoked, suspended, did, voided, changed = events
    assert isinstance(anchored, BatchAnchored)
    assert (anchored.root, anchored.first, anchored.size) == (ROOT, 0, 300)
    assert isinstance(key, KeySet)
    assert (key.key, key.roles, key.epoch) == (heir, 3, 0)
    assert isinstance(revoked, StatusRevoked)
    assert (revoked.words, revoked.masks) == ((0, 1), (0b101, 1))
    assert isinstance(suspended, SuspensionChanged)
    assert (suspended.nonce, suspended.words) == (1, (0, 2))
    assert (suspended.set_masks, suspended.clear_masks) == ((0b110, 1), (0, 0))
    assert isinstance(did, DidClaimed)
    assert (did.did, did.document_hash) == ("did:web:example.org", b"\x33" * 32)
    assert chain.read_claim(me, did.did, did.document_hash) == did.claimed_at
    assert isinstance(voided, BatchRevoked)
    assert (voided.root, voided.first) == (ROOT, 0)
    assert isinstance(changed, ControllerChanged)
    assert (changed.former, changed.controller, changed.epoch) == (me, me, 1)
    assert chain.read_words(me, [2, 0, 1]) == {
        0: StatusWords(0b101, 0b110),
        1: StatusWords(1, 0),
        2: StatusWords(0, 1),
    }
    assert chain.read_roles(me, heir) == 0
    assert chain.read_roles(me, me) == 7


def test_evidence_is_one_blocks(backend: Any) -> None:
    me, chain = backend.signer.address, backend.chain
    state = backend.send(AnchorBatch(me, ROOT, 0, 300))
    backend.send(Revoke(me, (1,), (1,)))
    backend.send(RevokeBatch(me, ROOT, 0))
    queries = [EvidenceQuery(me, ROOT, 0, (1, 0)), EvidenceQuery(me, ROOT, 7, ()), EvidenceQuery(me, OTHER, 0, (0,))]
    found, absent, unknown = chain.read_evidence(queries)
    head = chain.head()
    assert {entry.block for entry in (found, absent, unknown)} == {head}
    assert (found.chain_id, found.contract) == (chain.chain_id, chain.contract)
    assert found.code_hash == chain.check()
    assert found.finalized is not None
    assert (found.issuer, found.root, found.first_index) == (me, ROOT, 0)
    assert found.record is not None
    assert (found.record.size, found.record.block_number) == (300, state.block_number)
    assert found.record.revoked_at == head.timestamp
    assert found.words == {0: StatusWords(0, 0), 1: StatusWords(1, 0)}
    assert found.location.block_hash == state.block_hash
    assert found.location.transaction is not None
    located = chain.transaction(found.location.transaction)
    assert located == state
    assert (absent.record, absent.words) == (None, {})
    assert (absent.location.block_hash, absent.location.transaction) == (None, None)
    assert (unknown.record, unknown.words) == (None, {0: StatusWords(0, 0)})
    assert chain.read_evidence([]) == []


def test_claims_are_read_with_the_evidence(backend: Any) -> None:
    me, chain = backend.signer.address, backend.chain
    did = "did:web:example.org"
    backend.send(AnchorBatch(me, ROOT, 0, 300))
    state = backend.send(SetDid(me, did, b"\x33" * 32))
    block = chain.block(state.block_number)
    backend.send(SetDid(me, did, b"\x44" * 32))
    backend.send(SetDid(me, did, b"\x33" * 32))  # a repeat keeps the first time
    asked = ((did, b"\x33" * 32), (did, b"\x55" * 32), ("did:web:other.example", b"\x33" * 32))
    claimed, others = chain.read_evidence(
        [EvidenceQuery(me, ROOT, 0, (0,), asked), EvidenceQuery(b"\x66" * 20, ROOT, 0, (), asked[:1])]
    )
    assert claimed.claims == (Claim(*asked[0], block.timestamp), Claim(*asked[1], 0), Claim(*asked[2], 0))
    assert claimed.words == {0: StatusWords(0, 0)}
    assert others.claims == (Claim(*asked[0], 0),)


def test_more_queries_than_a_batch_takes(backend: Any) -> None:
    me = backend.signer.address
    backend.send(AnchorBatch(me, ROOT, 0, 300))
    answers = backend.chain.read_evidence([EvidenceQuery(me, ROOT, 0, (0, 1))] * 120)
    assert len(answers) == 120
    assert len(set(map(str, answers))) == 1


def test_a_signed_call_is_relayed(node_backend: Any, new_signer: Any) -> None:
    issuer = new_signer("issuer")
    chain = node_backend.chain
    deadline = int(time.time()) + 1800
    nonce = 0
    for call in (
        AnchorBatch(issuer.address, ROOT, 0, 300),
        Revoke(issuer.address, (0, 0), (1, 2)),
        SetSuspension(issuer.address, 0, (0, 1), (1, 1), (2, 0)),
        SetKey(issuer.address, b"\x05" * 20, 1, nonce=1),
        SetDid(issuer.address, "did:web:example.org", b"\x33" * 32, nonce=2),
        RevokeBatch(issuer.address, ROOT, 0, nonce=3),
        ProposeController(issuer.address, issuer.address, nonce=4),
        AcceptController(issuer.address, nonce=5),
    ):
        signature = issuer.sign_call(chain_id=chain.chain_id, contract=chain.contract, call=call, deadline=deadline)
        node_backend.send(call, signature)
        nonce += not isinstance(call, AnchorBatch | Revoke)
        assert chain.read_issuer(issuer.address).nonce == nonce
    assert chain.read_record(issuer.address, ROOT, 0).size == 300


def test_a_revert_carries_the_contracts_error(backend: Any) -> None:
    me, chain = backend.signer.address, backend.chain
    with pytest.raises(CallReverted, match="UnexpectedFirst") as caught:
        chain.estimate_gas(me, chain.encode(AnchorBatch(me, ROOT, 5, 10)))
    assert caught.value.error == "UnexpectedFirst"
    with pytest.raises(CallReverted) as caught:
        chain.estimate_gas(b"\x66" * 20, chain.encode(AnchorBatch(me, ROOT, 0, 10)))
    assert caught.value.error == "NotEntitled"


def _signed(backend: Any, nonce: int, fees: Fees | None = None, call: Call | None = None, gas: int = 200_000) -> Any:
    me = backend.signer.address
    return backend.signer.sign_transaction(
        chain_id=backend.chain.chain_id,
        nonce=nonce,
        call=call or backend.chain.encode(AnchorBatch(me, ROOT, 0, 10)),
        gas=gas,
        fees=fees or backend.chain.suggest_fees(),
    )


def test_sending_twice_is_no_error(backend: Any) -> None:
    nonce = backend.chain.next_nonce(backend.signer.address)
    signed = _signed(backend, nonce)
    assert backend.mined(signed).succeeded
    backend.chain.send(signed.raw)
    assert backend.chain.next_nonce(backend.signer.address) == nonce + 1


def test_another_transaction_with_a_used_nonce_is_refused(backend: Any) -> None:
    nonce = backend.chain.next_nonce(backend.signer.address)
    backend.mined(_signed(backend, nonce))
    with pytest.raises(TransactionRefused) as caught:
        backend.chain.send(_signed(backend, nonce, gas=200_001).raw)
    assert caught.value.refusal is Refusal.NONCE_TOO_LOW


def test_a_sender_without_money_is_refused(node_backend: Any, new_signer: Any) -> None:
    poor = new_signer("poor")
    signed = poor.sign_transaction(
        chain_id=node_backend.chain.chain_id,
        nonce=0,
        call=Call(poor.address, b""),
        gas=21_000,
        fees=node_backend.chain.suggest_fees(),
    )
    with pytest.raises(TransactionRefused) as caught:
        node_backend.chain.send(signed.raw)
    assert caught.value.refusal is Refusal.INSUFFICIENT_FUNDS
    assert node_backend.chain.balance(poor.address) == 0
    node_backend.fund(poor.address, 10**18)
    assert node_backend.chain.balance(poor.address) == 10**18
    node_backend.mined(signed)
    assert node_backend.chain.next_nonce(poor.address) == 1


def test_nonsense_for_a_transaction_is_refused(node_backend: Any) -> None:
    with pytest.raises(TransactionRefused):
        node_backend.chain.send(b"\x02nonsense")


def test_a_transaction_of_another_chain_is_refused(node_backend: Any) -> None:
    signed = node_backend.signer.sign_transaction(
        chain_id=5, nonce=0, call=Call(b"\1" * 20, b""), gas=21_000, fees=Fees(10**11, 1)
    )
    with pytest.raises(TransactionRefused):
        node_backend.chain.send(signed.raw)


def test_a_reverted_transaction_is_in_a_block_and_did_not_succeed(backend: Any) -> None:
    me, chain = backend.signer.address, backend.chain
    signed = _signed(backend, chain.next_nonce(me), call=chain.encode(AnchorBatch(me, ROOT, 5, 10)))
    assert not backend.mined(signed).succeeded
    assert chain.read_issuer(me).next_index == 0


def test_a_transaction_that_nobody_sent_is_nowhere(backend: Any) -> None:
    assert backend.chain.transaction(b"\x42" * 32) is None


def test_a_nonce_is_cancelled_by_a_transfer_to_oneself(backend: Any) -> None:
    me = backend.signer.address
    nonce = backend.chain.next_nonce(me)
    signed = _signed(backend, nonce, call=Call(me, b""), gas=21_000)
    backend.mined(signed)
    assert backend.chain.next_nonce(me) == nonce + 1


def test_fees_leave_room_for_the_base_fee_to_double(backend: Any) -> None:
    fees = backend.chain.suggest_fees()
    assert fees.max_fee >= fees.priority_fee > 0


def test_an_empty_range_has_no_events_and_a_future_one_is_out_of_reach(node_backend: Any) -> None:
    head = node_backend.chain.head()
    assert node_backend.chain.read_events(head.number + 1, head.number) == []
    with pytest.raises(ChainUnreachable, match="has not got block"):
        node_backend.chain.read_events(0, head.number + 1)
