"""What the calls cost in steady state, on Prague, with calldata and the 21,000 of the transaction.

The numbers are promises to those who pay. They are never regenerated: a change that breaks one is a wrong change.
"""

import random

import pytest
from contract_evm import ANCHOR, CHAIN_ID, REVOKE, SUSPEND, Registry, account, address_of
from eth_utils import keccak

ISSUER, KEY = account(1), account(2)
ISSUER_ADDRESS = address_of(ISSUER)
SIZE = 100_000


@pytest.fixture
def steady(registry: Registry) -> Registry:
    """An issuer with batches, keys and changes of status behind it."""
    assert registry.evm.chain_id == CHAIN_ID
    for number in range(4):
        root = keccak(b"batch %d" % number)
        registry.send(ISSUER, "anchor", ISSUER_ADDRESS, root, number * SIZE, SIZE)
    registry.send(ISSUER, "setKey", ISSUER_ADDRESS, address_of(KEY), ANCHOR | REVOKE | SUSPEND)
    registry.send(ISSUER, "revoke", ISSUER_ADDRESS, [0], [1])
    registry.send(ISSUER, "setSuspension", ISSUER_ADDRESS, 1, [0], [1], [0])
    return registry


def hundred_bits() -> int:
    return sum(1 << bit for bit in random.Random(1).sample(range(256), 100))


def test_anchor_by_the_controller(steady: Registry) -> None:
    assert steady.send(ISSUER, "anchor", ISSUER_ADDRESS, keccak(b"next"), 4 * SIZE, SIZE).gas_used <= 55_000


def test_anchor_by_a_key(steady: Registry) -> None:
    assert steady.send(KEY, "anchor", ISSUER_ADDRESS, keccak(b"next"), 4 * SIZE, SIZE).gas_used <= 57_500


@pytest.mark.parametrize("signer", [ISSUER, KEY], ids=["controller", "key"])
def test_anchor_with_a_signature(steady: Registry, signer: object) -> None:
    receipt = steady.send_signed(signer, "anchor", ISSUER_ADDRESS, keccak(b"next"), 4 * SIZE, SIZE)  # type: ignore[arg-type]
    assert receipt.gas_used <= 65_000


def test_anchor_after_a_handover(steady: Registry) -> None:
    heir = account(5)
    steady.send(ISSUER, "proposeController", ISSUER_ADDRESS, address_of(heir))
    steady.send(heir, "acceptController", ISSUER_ADDRESS)
    assert steady.send(heir, "anchor", ISSUER_ADDRESS, keccak(b"next"), 4 * SIZE, SIZE).gas_used <= 55_000


def test_a_hundred_revocations_in_one_word(steady: Registry) -> None:
    assert steady.send(ISSUER, "revoke", ISSUER_ADDRESS, [1500], [hundred_bits()]).gas_used <= 53_000


def test_a_hundred_revocations_in_one_word_by_a_key(steady: Registry) -> None:
    assert steady.send(KEY, "revoke", ISSUER_ADDRESS, [1500], [hundred_bits()]).gas_used <= 55_500


@pytest.mark.parametrize("count", [40, 100, 400])
@pytest.mark.parametrize("who", [ISSUER, KEY], ids=["controller", "key"])
def test_scattered_revocations(steady: Registry, count: int, who: object) -> None:
    rng = random.Random(2)
    words = rng.sample(range(1, 4 * SIZE // 256), count)
    masks = [1 << rng.randrange(256) for _ in words]
    assert steady.send(who, "revoke", ISSUER_ADDRESS, words, masks).gas_used <= 26_500 * count  # type: ignore[arg-type]
