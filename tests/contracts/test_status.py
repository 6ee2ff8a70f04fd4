"""revoke and setSuspension: bits, bounds, rights, the order of changes."""

import pytest
from contract_evm import ANCHOR, REVOKE, SUSPEND, Registry, Reverted, account, address_of
from eth_utils import keccak

ISSUER, KEY, STRANGER = account(1), account(2), account(3)
ISSUER_ADDRESS = address_of(ISSUER)
ALL_BITS = 2**256 - 1


@pytest.fixture
def anchored(registry: Registry) -> Registry:
    """1000 credentials: words 0 to 2 are full, word 3 has 232 bits."""
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, keccak(b"root"), 0, 1000)
    registry.send(ISSUER, "setKey", ISSUER_ADDRESS, address_of(KEY), REVOKE | SUSPEND)
    return registry


def revoke(registry: Registry, words: list[int], masks: list[int], who: object = ISSUER) -> object:
    return registry.send(who, "revoke", ISSUER_ADDRESS, words, masks)  # type: ignore[arg-type]


def suspend(registry: Registry, words: list[int], set_masks: list[int], clear_masks: list[int]) -> object:
    nonce = registry.nonceOf(ISSUER_ADDRESS)
    return registry.send(ISSUER, "setSuspension", ISSUER_ADDRESS, nonce, words, set_masks, clear_masks)


def test_revoke_sets_the_bit_of_the_credential_and_tells_it(anchored: Registry) -> None:
    index = 777
    receipt = anchored.send(KEY, "revoke", ISSUER_ADDRESS, [index >> 8], [1 << (index & 255)])
    assert anchored.events(receipt) == [("StatusRevoked", ISSUER_ADDRESS, (3,), (1 << 9,))]
    assert anchored.revokedWord(ISSUER_ADDRESS, 3) == 1 << 9
    assert anchored.suspendedWord(ISSUER_ADDRESS, 3) == 0
    assert anchored.nonceOf(ISSUER_ADDRESS) == 1  # from setKey; revoke has none


def test_revoke_adds_to_what_is_set(anchored: Registry) -> None:
    revoke(anchored, [1, 2], [0b0110, 1 << 255])
    receipt = anchored.send(ISSUER, "revoke", ISSUER_ADDRESS, [1], [0b1100])
    assert anchored.events(receipt) == [("StatusRevoked", ISSUER_ADDRESS, (1,), (0b1100,))]  # as given
    assert anchored.revokedWord(ISSUER_ADDRESS, 1) == 0b1110
    assert anchored.revokedWord(ISSUER_ADDRESS, 2) == 1 << 255


def test_revoke_repeated_succeeds(anchored: Registry) -> None:
    revoke(anchored, [1], [3])
    revoke(anchored, [1], [3])
    assert anchored.revokedWord(ISSUER_ADDRESS, 1) == 3


def test_revoke_takes_a_word_twice(anchored: Registry) -> None:
    revoke(anchored, [1, 1], [1, 2])
    assert anchored.revokedWord(ISSUER_ADDRESS, 1) == 3


def test_status_of_one_issuer_is_not_another_ones(anchored: Registry) -> None:
    revoke(anchored, [0], [1])
    suspend(anchored, [0], [1], [0])
    assert anchored.statusWordsOf(address_of(STRANGER), [0]) == ((0,), (0,))


def test_revoke_reaches_the_last_anchored_credential(anchored: Registry) -> None:
    revoke(anchored, [0, 3], [ALL_BITS, (1 << 232) - 1])
    assert anchored.revokedWord(ISSUER_ADDRESS, 3) == (1 << 232) - 1


BEYOND = [(3, 1 << 232), (3, ALL_BITS), (4, 1), (2**45, 1), (2**256 - 1, 1)]


@pytest.mark.parametrize(("word", "mask"), BEYOND)
def test_revoke_refuses_credentials_not_anchored(anchored: Registry, word: int, mask: int) -> None:
    with pytest.raises(Reverted) as refused:
        revoke(anchored, [0, word], [1, mask])
    assert (refused.value.name, refused.value.values) == ("NotAnchored", (word, mask, 1000))
    assert anchored.revokedWord(ISSUER_ADDRESS, 0) == 0


@pytest.mark.parametrize(("word", "mask"), BEYOND)
@pytest.mark.parametrize("clear", [False, True])
def test_suspension_refuses_credentials_not_anchored(anchored: Registry, word: int, mask: int, clear: bool) -> None:
    with pytest.raises(Reverted) as refused:
        suspend(anchored, [word], [0 if clear else mask], [mask if clear else 0])
    assert (refused.value.name, refused.value.values) == ("NotAnchored", (word, mask, 1000))


def test_bounds_at_a_full_word(registry: Registry) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, keccak(b"root"), 0, 256)
    revoke(registry, [0], [ALL_BITS])
    with pytest.raises(Reverted) as refused:
        revoke(registry, [1], [1])
    assert (refused.value.name, refused.value.values) == ("NotAnchored", (1, 1, 256))


def test_nothing_can_be_revoked_before_the_first_batch(registry: Registry) -> None:
    with pytest.raises(Reverted) as refused:
        revoke(registry, [0], [1])
    assert (refused.value.name, refused.value.values) == ("NotAnchored", (0, 1, 0))


def test_revoke_refuses_no_words(anchored: Registry) -> None:
    with pytest.raises(Reverted) as refused:
        revoke(anchored, [], [])
    assert (refused.value.name, refused.value.values) == ("NoWords", (ISSUER_ADDRESS,))


@pytest.mark.parametrize(("words", "masks"), [([1], []), ([1], [1, 1]), ([1, 2], [1])])
def test_revoke_refuses_arrays_of_different_length(anchored: Registry, words: list[int], masks: list[int]) -> None:
    with pytest.raises(Reverted) as refused:
        revoke(anchored, words, masks)
    assert (refused.value.name, refused.value.values) == ("LengthMismatch", (len(words), len(masks)))


def test_revoke_refuses_an_empty_mask(anchored: Registry) -> None:
    with pytest.raises(Reverted) as refused:
        revoke(anchored, [1, 2], [1, 0])
    assert (refused.value.name, refused.value.values) == ("EmptyMask", (2,))


@pytest.mark.parametrize("roles", [0, ANCHOR, SUSPEND, ANCHOR | SUSPEND])
def test_revoke_needs_its_role(anchored: Registry, roles: int) -> None:
    anchored.send(ISSUER, "setKey", ISSUER_ADDRESS, address_of(KEY), roles)
    with pytest.raises(Reverted) as refused:
        revoke(anchored, [0], [1], KEY)
    assert (refused.value.name, refused.value.values) == ("NotEntitled", (ISSUER_ADDRESS, address_of(KEY), REVOKE))


def test_suspension_sets_and_clears_and_tells_it(anchored: Registry) -> None:
    receipt = anchored.send(KEY, "setSuspension", ISSUER_ADDRESS, 1, [0, 2], [0b111, 1 << 255], [0, 0])
    assert anchored.events(receipt) == [("SuspensionChanged", ISSUER_ADDRESS, 1, (0, 2), (0b111, 1 << 255), (0, 0))]
    assert anchored.suspendedWord(ISSUER_ADDRESS, 0) == 0b111
    assert anchored.nonceOf(ISSUER_ADDRESS) == 2
    suspend(anchored, [0], [0b1000], [0b0010])
    assert anchored.statusWordsOf(ISSUER_ADDRESS, [2, 0, 1]) == ((0, 0, 0), (1 << 255, 0b1101, 0))
    assert anchored.revokedWord(ISSUER_ADDRESS, 0) == 0


def test_suspension_entries_apply_one_after_the_other(anchored: Registry) -> None:
    suspend(anchored, [0, 0, 0], [1, 2, 4], [0, 1, 2])
    assert anchored.suspendedWord(ISSUER_ADDRESS, 0) == 4


@pytest.mark.parametrize("nonce", [0, 2, 2**64 - 1])
def test_suspension_refuses_another_nonce(anchored: Registry, nonce: int) -> None:
    with pytest.raises(Reverted) as refused:
        anchored.send(ISSUER, "setSuspension", ISSUER_ADDRESS, nonce, [0], [1], [0])
    assert (refused.value.name, refused.value.values) == ("InvalidNonce", (ISSUER_ADDRESS, 1, nonce))


def test_suspension_refuses_no_words(anchored: Registry) -> None:
    with pytest.raises(Reverted) as refused:
        suspend(anchored, [], [], [])
    assert (refused.value.name, refused.value.values) == ("NoWords", (ISSUER_ADDRESS,))


@pytest.mark.parametrize(("set_masks", "clear_masks", "wrong"), [([1], [0, 0], 1), ([1, 1], [0], 1), ([1], [0], 1)])
def test_suspension_refuses_arrays_of_different_length(
    anchored: Registry, set_masks: list[int], clear_masks: list[int], wrong: int
) -> None:
    with pytest.raises(Reverted) as refused:
        suspend(anchored, [0, 1], set_masks, clear_masks)
    assert (refused.value.name, refused.value.values) == ("LengthMismatch", (2, wrong))


def test_suspension_refuses_an_entry_without_bits(anchored: Registry) -> None:
    with pytest.raises(Reverted) as refused:
        suspend(anchored, [2], [0], [0])
    assert (refused.value.name, refused.value.values) == ("EmptyMask", (2,))


def test_suspension_refuses_overlapping_masks(anchored: Registry) -> None:
    with pytest.raises(Reverted) as refused:
        suspend(anchored, [2], [0b0111], [0b1110])
    assert (refused.value.name, refused.value.values) == ("OverlappingMasks", (2, 0b0110))


@pytest.mark.parametrize("roles", [0, ANCHOR, REVOKE, ANCHOR | REVOKE])
def test_suspension_needs_its_role(anchored: Registry, roles: int) -> None:
    anchored.send(ISSUER, "setKey", ISSUER_ADDRESS, address_of(KEY), roles)
    with pytest.raises(Reverted) as refused:
        anchored.send(KEY, "setSuspension", ISSUER_ADDRESS, 2, [0], [1], [0])
    assert (refused.value.name, refused.value.values) == ("NotEntitled", (ISSUER_ADDRESS, address_of(KEY), SUSPEND))


def test_revoked_and_suspended_are_apart(anchored: Registry) -> None:
    revoke(anchored, [0], [0b01])
    suspend(anchored, [0], [0b11], [0])
    suspend(anchored, [0], [0], [0b11])
    assert anchored.statusWordsOf(ISSUER_ADDRESS, [0, 0]) == ((1, 1), (0, 0))
    assert anchored.statusWordsOf(ISSUER_ADDRESS, []) == ((), ())
