"""anchor and revokeBatch: who may, in which order, once."""

import pytest
from contract_evm import ANCHOR, GENESIS_TIME, REVOKE, SUSPEND, Registry, Reverted, account, address_of
from eth_utils import keccak

ISSUER, KEY, STRANGER = account(1), account(2), account(3)
ISSUER_ADDRESS = address_of(ISSUER)
ROOT, OTHER_ROOT = keccak(b"root"), keccak(b"other root")


def test_anchor_records_the_batch_and_tells_it(registry: Registry) -> None:
    registry.evm.time, registry.evm.number = GENESIS_TIME + 77, 42
    receipt = registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 1000)
    assert registry.events(receipt) == [("BatchAnchored", ISSUER_ADDRESS, ROOT, 0, 1000)]
    assert registry.batchOf(ISSUER_ADDRESS, ROOT, 0) == (1000, GENESIS_TIME + 77, 0, 42)
    assert registry.nextIndexOf(ISSUER_ADDRESS) == 1000
    assert registry.nonceOf(ISSUER_ADDRESS) == 0


def test_anchor_continues_where_the_last_batch_ended(registry: Registry) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, OTHER_ROOT, 10, 1)
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 11, 5)  # the same root again is another batch
    assert registry.nextIndexOf(ISSUER_ADDRESS) == 16
    assert registry.batchOf(ISSUER_ADDRESS, ROOT, 0)[0] == 10
    assert registry.batchOf(ISSUER_ADDRESS, ROOT, 11)[0] == 5


@pytest.mark.parametrize("first", [0, 9, 11, 2**64 - 1])
def test_anchor_refuses_another_first_index(registry: Registry, first: int) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    with pytest.raises(Reverted) as refused:
        registry.send(ISSUER, "anchor", ISSUER_ADDRESS, OTHER_ROOT, first, 1)
    assert (refused.value.name, refused.value.values) == ("UnexpectedFirst", (ISSUER_ADDRESS, 10, first))


def test_anchor_repeated_changes_nothing_and_says_nothing(registry: Registry) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    before = registry.batchOf(ISSUER_ADDRESS, ROOT, 0)
    registry.evm.time += 1000
    registry.evm.number += 10
    receipt = registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    assert receipt.logs == ()
    assert registry.batchOf(ISSUER_ADDRESS, ROOT, 0) == before
    assert registry.nextIndexOf(ISSUER_ADDRESS) == 10


def test_anchor_repeated_after_later_batches_still_succeeds(registry: Registry) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, OTHER_ROOT, 10, 10)
    assert registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10).logs == ()
    assert registry.nextIndexOf(ISSUER_ADDRESS) == 20


def test_anchor_repeated_by_somebody_without_the_right_is_refused(registry: Registry) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    with pytest.raises(Reverted) as refused:
        registry.send(STRANGER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    assert (refused.value.name, refused.value.values) == (
        "NotEntitled",
        (ISSUER_ADDRESS, address_of(STRANGER), ANCHOR),
    )


@pytest.mark.parametrize("size", [1, 9, 11])
def test_anchor_refuses_a_recorded_batch_with_another_size(registry: Registry, size: int) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    with pytest.raises(Reverted) as refused:
        registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, size)
    assert (refused.value.name, refused.value.values) == ("BatchExists", (ISSUER_ADDRESS, ROOT, 0, 10))


def test_anchor_of_a_revoked_batch_succeeds_and_leaves_it_revoked(registry: Registry) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    registry.send(ISSUER, "revokeBatch", ISSUER_ADDRESS, ROOT, 0)
    before = registry.batchOf(ISSUER_ADDRESS, ROOT, 0)
    assert before[2] != 0
    registry.evm.time += 5
    assert registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10).logs == ()
    assert registry.batchOf(ISSUER_ADDRESS, ROOT, 0) == before


def test_anchor_refuses_the_zero_root(registry: Registry) -> None:
    with pytest.raises(Reverted) as refused:
        registry.send(ISSUER, "anchor", ISSUER_ADDRESS, bytes(32), 0, 10)
    assert (refused.value.name, refused.value.values) == ("ZeroRoot", (ISSUER_ADDRESS,))


@pytest.mark.parametrize("size", [0, 2**24 + 1, 2**32 - 1])
def test_anchor_refuses_a_size_out_of_range(registry: Registry, size: int) -> None:
    with pytest.raises(Reverted) as refused:
        registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, size)
    assert (refused.value.name, refused.value.values) == ("InvalidSize", (size,))


def test_anchor_takes_the_largest_size(registry: Registry) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 2**24)
    assert registry.nextIndexOf(ISSUER_ADDRESS) == 2**24


def set_next_index(registry: Registry, value: int) -> None:
    """Writes the issuer's first account slot, as docs/spec/contract.md lays it out."""
    slot = int.from_bytes(keccak(bytes(12) + ISSUER_ADDRESS + bytes(32)))
    registry.evm.set_storage(registry.address, slot, value << 160)
    assert registry.nextIndexOf(ISSUER_ADDRESS) == value


def test_anchor_fills_the_sequence_to_its_end_and_no_further(registry: Registry) -> None:
    set_next_index(registry, 2**53 - 10)
    with pytest.raises(Reverted) as refused:
        registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 2**53 - 10, 11)
    assert (refused.value.name, refused.value.values) == ("SequenceExhausted", (ISSUER_ADDRESS, 2**53 - 10, 11))
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 2**53 - 10, 10)
    assert registry.nextIndexOf(ISSUER_ADDRESS) == 2**53
    assert registry.controllerOf(ISSUER_ADDRESS) == ISSUER_ADDRESS
    assert registry.epochOf(ISSUER_ADDRESS) == 0


def test_issuers_do_not_see_each_other(registry: Registry) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    registry.send(STRANGER, "anchor", address_of(STRANGER), ROOT, 0, 3)
    assert registry.batchOf(ISSUER_ADDRESS, ROOT, 0)[0] == 10
    assert registry.batchOf(address_of(STRANGER), ROOT, 0)[0] == 3
    assert registry.nextIndexOf(address_of(STRANGER)) == 3


def test_batch_of_what_is_not_there_is_zero(registry: Registry) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    assert registry.batchOf(ISSUER_ADDRESS, ROOT, 1) == (0, 0, 0, 0)
    assert registry.batchOf(ISSUER_ADDRESS, OTHER_ROOT, 0) == (0, 0, 0, 0)
    assert registry.batchOf(address_of(STRANGER), ROOT, 0) == (0, 0, 0, 0)


def test_a_key_with_the_role_may_anchor(registry: Registry) -> None:
    registry.send(ISSUER, "setKey", ISSUER_ADDRESS, address_of(KEY), ANCHOR)
    registry.send(KEY, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    assert registry.nextIndexOf(ISSUER_ADDRESS) == 10


def test_a_key_with_all_other_roles_may_not_anchor(registry: Registry) -> None:
    registry.send(ISSUER, "setKey", ISSUER_ADDRESS, address_of(KEY), REVOKE | SUSPEND)
    with pytest.raises(Reverted) as refused:
        registry.send(KEY, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    assert refused.value.name == "NotEntitled"


def test_revoke_batch_stamps_the_record_and_tells_it(registry: Registry) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    registry.evm.time += 100
    registry.evm.number += 7
    receipt = registry.send(ISSUER, "revokeBatch", ISSUER_ADDRESS, ROOT, 0)
    assert registry.events(receipt) == [("BatchRevoked", ISSUER_ADDRESS, ROOT, 0)]
    assert registry.batchOf(ISSUER_ADDRESS, ROOT, 0) == (10, GENESIS_TIME, GENESIS_TIME + 100, 1)
    assert registry.nonceOf(ISSUER_ADDRESS) == 1


def test_revoke_batch_repeated_keeps_the_first_time(registry: Registry) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    registry.send(ISSUER, "revokeBatch", ISSUER_ADDRESS, ROOT, 0)
    before = registry.batchOf(ISSUER_ADDRESS, ROOT, 0)
    registry.evm.time += 100
    assert registry.send(ISSUER, "revokeBatch", ISSUER_ADDRESS, ROOT, 0).logs == ()
    assert registry.batchOf(ISSUER_ADDRESS, ROOT, 0) == before
    assert registry.nonceOf(ISSUER_ADDRESS) == 1


@pytest.mark.parametrize(("root", "first"), [(OTHER_ROOT, 0), (ROOT, 1)])
def test_revoke_batch_refuses_what_was_never_anchored(registry: Registry, root: bytes, first: int) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    with pytest.raises(Reverted) as refused:
        registry.send(ISSUER, "revokeBatch", ISSUER_ADDRESS, root, first)
    assert (refused.value.name, refused.value.values) == ("UnknownBatch", (ISSUER_ADDRESS, root, first))


def test_revoke_batch_is_not_for_keys(registry: Registry) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    registry.send(ISSUER, "setKey", ISSUER_ADDRESS, address_of(KEY), 7)
    with pytest.raises(Reverted) as refused:
        registry.send(KEY, "revokeBatch", ISSUER_ADDRESS, ROOT, 0)
    assert (refused.value.name, refused.value.values) == ("NotController", (ISSUER_ADDRESS, address_of(KEY)))


def test_revoke_batch_repeated_by_a_key_is_refused(registry: Registry) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    registry.send(ISSUER, "revokeBatch", ISSUER_ADDRESS, ROOT, 0)
    with pytest.raises(Reverted) as refused:
        registry.send(KEY, "revokeBatch", ISSUER_ADDRESS, ROOT, 0)
    assert refused.value.name == "NotController"
