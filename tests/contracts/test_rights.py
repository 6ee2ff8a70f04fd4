"""setKey, proposeController, acceptController, setDid."""

import pytest
from contract_evm import ANCHOR, GENESIS_TIME, REVOKE, SUSPEND, ZERO, Registry, Reverted, account, address_of
from eth_utils import keccak

ISSUER, KEY, STRANGER, HEIR = account(1), account(2), account(3), account(4)
ISSUER_ADDRESS, HEIR_ADDRESS = address_of(ISSUER), address_of(HEIR)
ROOT = keccak(b"root")
DID = "did:web:example.edu:issuers:%C3%A9cole"


def hand_over(registry: Registry) -> None:
    registry.send(ISSUER, "proposeController", ISSUER_ADDRESS, HEIR_ADDRESS)
    registry.send(HEIR, "acceptController", ISSUER_ADDRESS)


def test_an_address_controls_itself_from_the_start(registry: Registry) -> None:
    assert registry.controllerOf(ISSUER_ADDRESS) == ISSUER_ADDRESS
    assert registry.candidateOf(ISSUER_ADDRESS) == ZERO
    assert registry.rolesOf(ISSUER_ADDRESS, ISSUER_ADDRESS) == 7
    assert registry.rolesOf(ISSUER_ADDRESS, address_of(STRANGER)) == 0
    assert (registry.epochOf(ISSUER_ADDRESS), registry.nonceOf(ISSUER_ADDRESS)) == (0, 0)


@pytest.mark.parametrize("roles", range(8))
def test_set_key_gives_exactly_the_roles_and_tells_it(registry: Registry, roles: int) -> None:
    registry.send(ISSUER, "setKey", ISSUER_ADDRESS, address_of(KEY), 7 - roles)
    receipt = registry.send(ISSUER, "setKey", ISSUER_ADDRESS, address_of(KEY), roles)
    assert registry.events(receipt) == [("KeySet", ISSUER_ADDRESS, address_of(KEY), roles, 0)]
    assert registry.rolesOf(ISSUER_ADDRESS, address_of(KEY)) == roles
    assert registry.rolesOf(address_of(KEY), ISSUER_ADDRESS) == 0
    assert registry.nonceOf(ISSUER_ADDRESS) == 2


@pytest.mark.parametrize("roles", [8, 15, 128, 255])
def test_set_key_refuses_unknown_roles(registry: Registry, roles: int) -> None:
    with pytest.raises(Reverted) as refused:
        registry.send(ISSUER, "setKey", ISSUER_ADDRESS, address_of(KEY), roles)
    assert (refused.value.name, refused.value.values) == ("UnknownRoles", (roles,))


def test_set_key_refuses_the_zero_address(registry: Registry) -> None:
    with pytest.raises(Reverted) as refused:
        registry.send(ISSUER, "setKey", ISSUER_ADDRESS, ZERO, ANCHOR)
    assert (refused.value.name, refused.value.values) == ("ZeroKey", (ISSUER_ADDRESS,))


CONTROLLER_CALLS = [
    ("setKey", (ISSUER_ADDRESS, address_of(KEY), 7)),
    ("proposeController", (ISSUER_ADDRESS, address_of(KEY))),
    ("setDid", (ISSUER_ADDRESS, DID, ROOT)),
]


@pytest.mark.parametrize(("name", "values"), CONTROLLER_CALLS, ids=lambda v: v if isinstance(v, str) else "")
@pytest.mark.parametrize("who", [KEY, STRANGER], ids=["key", "stranger"])
def test_only_the_controller_may(registry: Registry, name: str, values: tuple[object, ...], who: object) -> None:
    registry.send(ISSUER, "setKey", ISSUER_ADDRESS, address_of(KEY), 7)
    with pytest.raises(Reverted) as refused:
        registry.send(who, name, *values)  # type: ignore[arg-type]
    assert (refused.value.name, refused.value.values) == ("NotController", (ISSUER_ADDRESS, address_of(who)))  # type: ignore[arg-type]


def test_handover_takes_an_offer_and_an_acceptance(registry: Registry) -> None:
    offered = registry.send(ISSUER, "proposeController", ISSUER_ADDRESS, HEIR_ADDRESS)
    assert registry.events(offered) == [("ControllerProposed", ISSUER_ADDRESS, HEIR_ADDRESS)]
    assert registry.candidateOf(ISSUER_ADDRESS) == HEIR_ADDRESS
    assert registry.controllerOf(ISSUER_ADDRESS) == ISSUER_ADDRESS
    assert registry.rolesOf(ISSUER_ADDRESS, HEIR_ADDRESS) == 0

    accepted = registry.send(HEIR, "acceptController", ISSUER_ADDRESS)
    assert registry.events(accepted) == [("ControllerChanged", ISSUER_ADDRESS, ISSUER_ADDRESS, HEIR_ADDRESS, 1)]
    assert registry.candidateOf(ISSUER_ADDRESS) == ZERO
    assert registry.controllerOf(ISSUER_ADDRESS) == HEIR_ADDRESS
    assert registry.rolesOf(ISSUER_ADDRESS, HEIR_ADDRESS) == 7
    assert (registry.epochOf(ISSUER_ADDRESS), registry.nonceOf(ISSUER_ADDRESS)) == (1, 2)


@pytest.mark.parametrize("who", [ISSUER, STRANGER], ids=["controller", "stranger"])
def test_only_the_candidate_may_accept(registry: Registry, who: object) -> None:
    registry.send(ISSUER, "proposeController", ISSUER_ADDRESS, HEIR_ADDRESS)
    with pytest.raises(Reverted) as refused:
        registry.send(who, "acceptController", ISSUER_ADDRESS)  # type: ignore[arg-type]
    assert (refused.value.name, refused.value.values) == ("NotCandidate", (ISSUER_ADDRESS, address_of(who)))  # type: ignore[arg-type]


def test_without_an_offer_nobody_may_accept(registry: Registry) -> None:
    for who in (ISSUER_ADDRESS, HEIR_ADDRESS, ZERO):
        with pytest.raises(Reverted) as refused:
            registry.send(who, "acceptController", ISSUER_ADDRESS)
        assert (refused.value.name, refused.value.values) == ("NotCandidate", (ISSUER_ADDRESS, who))


def test_a_withdrawn_offer_cannot_be_accepted(registry: Registry) -> None:
    registry.send(ISSUER, "proposeController", ISSUER_ADDRESS, HEIR_ADDRESS)
    receipt = registry.send(ISSUER, "proposeController", ISSUER_ADDRESS, ZERO)
    assert registry.events(receipt) == [("ControllerProposed", ISSUER_ADDRESS, ZERO)]
    with pytest.raises(Reverted) as refused:
        registry.send(HEIR, "acceptController", ISSUER_ADDRESS)
    assert refused.value.name == "NotCandidate"


def test_a_later_offer_replaces_an_earlier_one(registry: Registry) -> None:
    registry.send(ISSUER, "proposeController", ISSUER_ADDRESS, HEIR_ADDRESS)
    registry.send(ISSUER, "proposeController", ISSUER_ADDRESS, address_of(STRANGER))
    with pytest.raises(Reverted):
        registry.send(HEIR, "acceptController", ISSUER_ADDRESS)
    registry.send(STRANGER, "acceptController", ISSUER_ADDRESS)
    assert registry.controllerOf(ISSUER_ADDRESS) == address_of(STRANGER)


def test_an_offer_can_be_accepted_once(registry: Registry) -> None:
    hand_over(registry)
    with pytest.raises(Reverted) as refused:
        registry.send(HEIR, "acceptController", ISSUER_ADDRESS)
    assert refused.value.name == "NotCandidate"


FORMER_CALLS = [
    ("anchor", (ISSUER_ADDRESS, ROOT, 10, 1), "NotEntitled"),
    ("anchor", (ISSUER_ADDRESS, ROOT, 0, 10), "NotEntitled"),  # even the identical repeat
    ("revoke", (ISSUER_ADDRESS, [0], [1]), "NotEntitled"),
    ("setSuspension", (ISSUER_ADDRESS, 3, [0], [1], [0]), "NotEntitled"),
    ("revokeBatch", (ISSUER_ADDRESS, ROOT, 0), "NotController"),
    ("setKey", (ISSUER_ADDRESS, address_of(STRANGER), 1), "NotController"),
    ("proposeController", (ISSUER_ADDRESS, ISSUER_ADDRESS), "NotController"),
    ("acceptController", (ISSUER_ADDRESS,), "NotCandidate"),
    ("setDid", (ISSUER_ADDRESS, DID, ROOT), "NotController"),
]


@pytest.mark.parametrize("who", [ISSUER, KEY], ids=["former controller", "former key"])
@pytest.mark.parametrize(("name", "values", "error"), FORMER_CALLS, ids=[c[0] for c in FORMER_CALLS])
def test_after_a_handover_the_former_side_is_powerless(
    registry: Registry, name: str, values: tuple[object, ...], error: str, who: object
) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    registry.send(ISSUER, "setKey", ISSUER_ADDRESS, address_of(KEY), 7)
    hand_over(registry)
    assert registry.rolesOf(ISSUER_ADDRESS, address_of(who)) == 0  # type: ignore[arg-type]
    with pytest.raises(Reverted) as refused:
        registry.send(who, name, *values)  # type: ignore[arg-type]
    assert refused.value.name == error


def test_a_new_controller_carries_on_where_the_former_stopped(registry: Registry) -> None:
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 10)
    registry.send(ISSUER, "revoke", ISSUER_ADDRESS, [0], [1])
    hand_over(registry)
    registry.send(HEIR, "anchor", ISSUER_ADDRESS, ROOT, 10, 10)
    receipt = registry.send(HEIR, "setKey", ISSUER_ADDRESS, address_of(KEY), ANCHOR)
    assert registry.events(receipt) == [("KeySet", ISSUER_ADDRESS, address_of(KEY), ANCHOR, 1)]
    registry.send(KEY, "anchor", ISSUER_ADDRESS, ROOT, 20, 10)
    assert registry.nextIndexOf(ISSUER_ADDRESS) == 30
    assert registry.revokedWord(ISSUER_ADDRESS, 0) == 1


def test_control_can_go_back_and_old_keys_stay_ended(registry: Registry) -> None:
    registry.send(ISSUER, "setKey", ISSUER_ADDRESS, address_of(KEY), 7)
    hand_over(registry)
    registry.send(HEIR, "proposeController", ISSUER_ADDRESS, ISSUER_ADDRESS)
    receipt = registry.send(ISSUER, "acceptController", ISSUER_ADDRESS)
    assert registry.events(receipt) == [("ControllerChanged", ISSUER_ADDRESS, HEIR_ADDRESS, ISSUER_ADDRESS, 2)]
    assert registry.controllerOf(ISSUER_ADDRESS) == ISSUER_ADDRESS
    assert registry.rolesOf(ISSUER_ADDRESS, address_of(KEY)) == 0
    assert registry.rolesOf(ISSUER_ADDRESS, HEIR_ADDRESS) == 0
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 1)


def test_a_controller_that_accepts_its_own_offer_ends_all_keys(registry: Registry) -> None:
    registry.send(ISSUER, "setKey", ISSUER_ADDRESS, address_of(KEY), 7)
    registry.send(ISSUER, "proposeController", ISSUER_ADDRESS, ISSUER_ADDRESS)
    registry.send(ISSUER, "acceptController", ISSUER_ADDRESS)
    assert registry.rolesOf(ISSUER_ADDRESS, address_of(KEY)) == 0
    assert registry.controllerOf(ISSUER_ADDRESS) == ISSUER_ADDRESS
    assert registry.epochOf(ISSUER_ADDRESS) == 1


def test_a_handed_over_issuer_that_controls_another_is_unmoved(registry: Registry) -> None:
    """Control is not inherited: the heir of A is not the heir of what A controls."""
    other = address_of(STRANGER)
    registry.send(STRANGER, "proposeController", other, ISSUER_ADDRESS)
    registry.send(ISSUER, "acceptController", other)
    hand_over(registry)
    assert registry.rolesOf(other, HEIR_ADDRESS) == 0
    assert registry.rolesOf(other, ISSUER_ADDRESS) == 7


def test_set_did_records_and_tells_the_claim(registry: Registry) -> None:
    receipt = registry.send(ISSUER, "setDid", ISSUER_ADDRESS, DID, ROOT)
    assert registry.events(receipt) == [("DidClaimed", ISSUER_ADDRESS, DID, ROOT, GENESIS_TIME)]
    assert registry.claimedAt(ISSUER_ADDRESS, DID, ROOT) == GENESIS_TIME
    assert registry.claimedAt(ISSUER_ADDRESS, DID, bytes(32)) == 0
    assert registry.claimedAt(ISSUER_ADDRESS, DID + "x", ROOT) == 0
    assert registry.claimedAt(address_of(STRANGER), DID, ROOT) == 0
    assert registry.nonceOf(ISSUER_ADDRESS) == 1


def test_set_did_repeated_keeps_the_first_time(registry: Registry) -> None:
    registry.send(ISSUER, "setDid", ISSUER_ADDRESS, DID, ROOT)
    registry.evm.time += 500
    registry.send(ISSUER, "setDid", ISSUER_ADDRESS, DID, bytes(32))  # another document: another claim
    receipt = registry.send(ISSUER, "setDid", ISSUER_ADDRESS, DID, ROOT)
    assert registry.events(receipt) == [("DidClaimed", ISSUER_ADDRESS, DID, ROOT, GENESIS_TIME)]
    assert registry.claimedAt(ISSUER_ADDRESS, DID, ROOT) == GENESIS_TIME
    assert registry.claimedAt(ISSUER_ADDRESS, DID, bytes(32)) == GENESIS_TIME + 500


def test_a_claim_outlives_a_handover(registry: Registry) -> None:
    registry.send(ISSUER, "setDid", ISSUER_ADDRESS, DID, ROOT)
    hand_over(registry)
    registry.evm.time += 500
    registry.send(HEIR, "setDid", ISSUER_ADDRESS, DID, ROOT)
    assert registry.claimedAt(ISSUER_ADDRESS, DID, ROOT) == GENESIS_TIME


@pytest.mark.parametrize("length", [0, 2049])
def test_set_did_refuses_a_did_of_wrong_length(registry: Registry, length: int) -> None:
    with pytest.raises(Reverted) as refused:
        registry.send(ISSUER, "setDid", ISSUER_ADDRESS, "d" * length, ROOT)
    assert (refused.value.name, refused.value.values) == ("InvalidDidLength", (length,))


def test_set_did_takes_the_longest_did(registry: Registry) -> None:
    registry.send(ISSUER, "setDid", ISSUER_ADDRESS, "d" * 2048, ROOT)
    assert registry.claimedAt(ISSUER_ADDRESS, "d" * 2048, ROOT) == GENESIS_TIME


@pytest.mark.parametrize("character", ["\x00", "\n", " ", "\x7f", "é"])
def test_set_did_refuses_what_is_not_printable_ascii(registry: Registry, character: str) -> None:
    with pytest.raises(Reverted) as refused:
        registry.send(ISSUER, "setDid", ISSUER_ADDRESS, "did:web:" + character, ROOT)
    assert (refused.value.name, refused.value.values) == ("InvalidDidCharacter", (8,))


def test_set_did_takes_the_first_and_last_printable_character(registry: Registry) -> None:
    registry.send(ISSUER, "setDid", ISSUER_ADDRESS, "!~", ROOT)
    assert registry.claimedAt(ISSUER_ADDRESS, "!~", ROOT) == GENESIS_TIME


def test_roles_are_apart(registry: Registry) -> None:
    for number, role in enumerate((ANCHOR, REVOKE, SUSPEND)):
        registry.send(ISSUER, "setKey", ISSUER_ADDRESS, address_of(account(10 + number)), role)
    assert [registry.rolesOf(ISSUER_ADDRESS, address_of(account(10 + n))) for n in range(3)] == [1, 2, 4]
