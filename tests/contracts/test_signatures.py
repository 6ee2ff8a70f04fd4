"""The signed twins: who signed, what, for which contract and chain, until when; ECDSA, EIP-1271, EIP-7702."""

from dataclasses import dataclass
from typing import Any

import pytest
from contract_evm import (
    ANCHOR,
    DEPLOYER,
    FUNCTIONS,
    RELAY,
    REVOKE,
    SUSPEND,
    TYPES,
    ZERO,
    Registry,
    Reverted,
    account,
    address_of,
    digest_of,
    typed_data,
)
from eth_utils import keccak

ISSUER, KEY, STRANGER, HEIR = account(1), account(2), account(3), account(4)
ISSUER_ADDRESS, KEY_ADDRESS = address_of(ISSUER), address_of(KEY)
ROOT, NEXT_ROOT = keccak(b"root"), keccak(b"next root")
NONCE = 2  # after the setup below
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@dataclass(frozen=True)
class Operation:
    """One call: arguments of the signed form, arguments of the direct form, and the values to change one by one."""

    name: str
    values: tuple[Any, ...]
    direct: tuple[Any, ...]
    changed: tuple[Any, ...]
    signer: Any = ISSUER
    refusal: str = "NotController"

    @property
    def primary(self) -> str:
        return self.name[0].upper() + self.name[1:]

    @property
    def has_nonce(self) -> bool:
        return "nonce" in TYPES[self.primary]


def operation(name: str, *values: Any, changed: tuple[Any, ...], **options: Any) -> Operation:
    names = [p["name"] for p in FUNCTIONS[f"{name}WithSignature"]["inputs"]]
    keep_nonce = name == "setSuspension"
    direct = tuple(v for n, v in zip(names, values, strict=False) if n != "nonce" or keep_nonce)
    return Operation(name, values, direct, changed, **options)


OTHER = address_of(account(9))
OPERATIONS = [
    operation("anchor", ISSUER_ADDRESS, NEXT_ROOT, 1000, 7, changed=(OTHER, ROOT, 0, 8), refusal="NotEntitled"),
    operation("revoke", ISSUER_ADDRESS, [1, 2], [3, 4], changed=(OTHER, [1, 3], [3, 5]), refusal="NotEntitled"),
    operation("revokeBatch", ISSUER_ADDRESS, ROOT, 0, NONCE, changed=(OTHER, NEXT_ROOT, 1, NONCE + 1)),
    operation(
        "setSuspension", ISSUER_ADDRESS, NONCE, [1], [3], [4],
        changed=(OTHER, NONCE + 1, [2], [1], [8]), refusal="NotEntitled",
    ),
    operation("setKey", ISSUER_ADDRESS, address_of(STRANGER), ANCHOR, NONCE, changed=(OTHER, OTHER, 7, NONCE + 1)),
    operation("proposeController", ISSUER_ADDRESS, address_of(STRANGER), NONCE, changed=(OTHER, OTHER, NONCE + 1)),
    operation(
        "acceptController", ISSUER_ADDRESS, NONCE, changed=(OTHER, NONCE + 1), signer=HEIR, refusal="NotCandidate"
    ),
    operation(
        "setDid", ISSUER_ADDRESS, "did:web:example.edu", ROOT, NONCE,
        changed=(OTHER, "did:web:example.com", NEXT_ROOT, NONCE + 1),
    ),
]  # fmt: skip
EACH = pytest.mark.parametrize("op", OPERATIONS, ids=lambda op: op.name)
CHANGES = [(op, i) for op in OPERATIONS for i in range(len(op.values))]


@pytest.fixture(scope="module")
def prepared(deployed: Registry) -> Registry:
    registry = deployed.copy()
    registry.send(ISSUER, "anchor", ISSUER_ADDRESS, ROOT, 0, 1000)
    registry.send(ISSUER, "setKey", ISSUER_ADDRESS, KEY_ADDRESS, ANCHOR | REVOKE | SUSPEND)
    registry.send(ISSUER, "proposeController", ISSUER_ADDRESS, address_of(HEIR))
    assert registry.nonceOf(ISSUER_ADDRESS) == NONCE
    return registry


@pytest.fixture
def registry(prepared: Registry) -> Registry:
    return prepared.copy()


def send_as_signed(registry: Registry, op: Operation, signature: tuple[bytes, int, bytes], *values: Any) -> Any:
    return registry.send(RELAY, f"{op.name}WithSignature", *(values or op.values), *signature)


def refusal_of(registry: Registry, op: Operation, signature: tuple[bytes, int, bytes], *values: Any) -> Reverted:
    with pytest.raises(Reverted) as refused:
        send_as_signed(registry, op, signature, *values)
    return refused.value


def test_every_twin_is_tested() -> None:
    assert {op.name for op in OPERATIONS} == {n.removesuffix("WithSignature") for n in FUNCTIONS if "WithSig" in n}
    assert {op.primary for op in OPERATIONS} == set(TYPES)


@EACH
def test_the_fields_of_the_type_are_the_parameters_of_the_twin(op: Operation) -> None:
    parameters = FUNCTIONS[f"{op.name}WithSignature"]["inputs"]
    assert parameters[-1]["name"] == "signature"
    assert TYPES[op.primary] == ",".join(f"{p['type']} {p['name']}" for p in parameters[:-1])


@EACH
def test_the_twin_does_what_the_direct_call_does(registry: Registry, op: Operation) -> None:
    direct = registry.copy()
    expected = direct.events(direct.send(op.signer, op.name, *op.direct))
    assert len(expected) == 1
    assert registry.events(send_as_signed(registry, op, registry.sign(op.signer, op.primary, *op.values))) == expected
    assert state_of(registry) == state_of(direct)
    assert state_of(registry) != {}
    assert registry.nonceOf(ISSUER_ADDRESS) == NONCE + op.has_nonce


def state_of(registry: Registry) -> dict[str, Any]:
    return {
        "next": registry.nextIndexOf(ISSUER_ADDRESS),
        "nonce": registry.nonceOf(ISSUER_ADDRESS),
        "epoch": registry.epochOf(ISSUER_ADDRESS),
        "controller": registry.controllerOf(ISSUER_ADDRESS),
        "candidate": registry.candidateOf(ISSUER_ADDRESS),
        "roles": [registry.rolesOf(ISSUER_ADDRESS, address_of(account(n))) for n in range(1, 5)],
        "batches": [registry.batchOf(ISSUER_ADDRESS, r, f) for r, f in ((ROOT, 0), (NEXT_ROOT, 1000))],
        "words": registry.statusWordsOf(ISSUER_ADDRESS, [0, 1, 2, 3]),
        "claim": registry.claimedAt(ISSUER_ADDRESS, "did:web:example.edu", ROOT),
    }


@pytest.mark.parametrize(("op", "position"), CHANGES, ids=[f"{op.name}-{i}" for op, i in CHANGES])
def test_a_signature_holds_for_no_other_data(registry: Registry, op: Operation, position: int) -> None:
    signature = registry.sign(op.signer, op.primary, *op.values)
    values = list(op.values)
    assert values[position] != op.changed[position]
    values[position] = op.changed[position]
    assert refusal_of(registry, op, signature, *values).name == "InvalidSignature"


@EACH
def test_a_signature_holds_for_no_other_deadline(registry: Registry, op: Operation) -> None:
    signer, deadline, signature = registry.sign(op.signer, op.primary, *op.values)
    refused = refusal_of(registry, op, (signer, deadline + 1, signature))
    assert (refused.name, refused.values) == ("InvalidSignature", (signer,))


@EACH
def test_a_signature_holds_for_no_other_signer(registry: Registry, op: Operation) -> None:
    _, deadline, signature = registry.sign(op.signer, op.primary, *op.values)
    for other in (KEY_ADDRESS, ZERO, RELAY):
        assert refusal_of(registry, op, (other, deadline, signature)).name == "InvalidSignature"


@EACH
def test_a_signature_holds_on_no_other_chain(registry: Registry, op: Operation) -> None:
    signature = registry.sign(op.signer, op.primary, *op.values, chain_id=1)
    assert refusal_of(registry, op, signature).name == "InvalidSignature"
    registry.evm.chain_id = 1  # a fork of the chain: the same code, the other id
    assert registry.domainSeparator() != registry.copy().domainSeparator()
    send_as_signed(registry, op, signature)


@EACH
def test_a_signature_holds_for_no_other_contract(registry: Registry, op: Operation) -> None:
    signature = registry.sign(op.signer, op.primary, *op.values, contract=DEPLOYER)
    assert refusal_of(registry, op, signature).name == "InvalidSignature"


@EACH
def test_a_signature_for_one_call_holds_for_no_other(registry: Registry, op: Operation) -> None:
    for other in OPERATIONS:
        if other is not op:
            signature = registry.sign(op.signer, other.primary, *other.values)
            assert refusal_of(registry, op, signature).name == "InvalidSignature"


@EACH
def test_a_valid_signature_of_somebody_without_the_right_is_refused(registry: Registry, op: Operation) -> None:
    refused = refusal_of(registry, op, registry.sign(STRANGER, op.primary, *op.values))
    assert refused.name == op.refusal
    assert refused.values[:2] == (ISSUER_ADDRESS, address_of(STRANGER))


@EACH
def test_the_deadline_may_be_now_and_at_most_an_hour_ahead(registry: Registry, op: Operation) -> None:
    now = registry.evm.time
    refused = refusal_of(registry, op, registry.sign(op.signer, op.primary, *op.values, deadline=now - 1))
    assert (refused.name, refused.values) == ("SignatureExpired", (now - 1, now))
    refused = refusal_of(registry, op, registry.sign(op.signer, op.primary, *op.values, deadline=now + 3601))
    assert (refused.name, refused.values) == ("DeadlineTooFar", (now + 3601, now + 3600))
    for deadline in (now, now + 3600):
        send_as_signed(registry.copy(), op, registry.sign(op.signer, op.primary, *op.values, deadline=deadline))


def test_an_endless_deadline_is_refused(registry: Registry) -> None:
    op = OPERATIONS[0]
    refused = refusal_of(registry, op, registry.sign(op.signer, op.primary, *op.values, deadline=2**256 - 1))
    assert refused.name == "DeadlineTooFar"


# --- nonces and repeats ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", [op for op in OPERATIONS if op.has_nonce], ids=lambda op: op.name)
@pytest.mark.parametrize("off", [-1, 1])
def test_another_nonce_is_refused(registry: Registry, op: Operation, off: int) -> None:
    position = [f.split(" ")[1] for f in TYPES[op.primary].split(",")].index("nonce")
    values = list(op.values)
    values[position] = NONCE + off
    refused = refusal_of(registry, op, registry.sign(op.signer, op.primary, *values), *values)
    assert (refused.name, refused.values) == ("InvalidNonce", (ISSUER_ADDRESS, NONCE, NONCE + off))


REPLAYABLE = {"setSuspension": "InvalidNonce", "setKey": "InvalidNonce", "proposeController": "InvalidNonce",
              "acceptController": "NotCandidate", "setDid": "InvalidNonce"}  # fmt: skip


@pytest.mark.parametrize("op", [op for op in OPERATIONS if op.name in REPLAYABLE], ids=lambda op: op.name)
def test_a_nonce_is_used_once(registry: Registry, op: Operation) -> None:
    signature = registry.sign(op.signer, op.primary, *op.values)
    send_as_signed(registry, op, signature)
    assert refusal_of(registry, op, signature).name == REPLAYABLE[op.name]


@pytest.mark.parametrize("op", [op for op in OPERATIONS if op.name not in REPLAYABLE], ids=lambda op: op.name)
def test_a_relayed_duplicate_succeeds_and_changes_nothing(registry: Registry, op: Operation) -> None:
    signature = registry.sign(op.signer, op.primary, *op.values)
    send_as_signed(registry, op, signature)
    before = state_of(registry)
    registry.evm.time += 60
    events = registry.events(send_as_signed(registry, op, signature))
    assert [e[0] for e in events] == (["StatusRevoked"] if op.name == "revoke" else [])
    assert state_of(registry) == before


DIRECT_CALLS = [
    ("revokeBatch", (ISSUER_ADDRESS, ROOT, 0)),
    ("setSuspension", (ISSUER_ADDRESS, NONCE, [0], [1], [0])),
    ("setKey", (ISSUER_ADDRESS, KEY_ADDRESS, 0)),
    ("proposeController", (ISSUER_ADDRESS, ZERO)),
    ("setDid", (ISSUER_ADDRESS, "did:web:example.edu", ROOT)),
]


@pytest.mark.parametrize(("name", "values"), DIRECT_CALLS, ids=[c[0] for c in DIRECT_CALLS])
def test_a_direct_call_ends_what_is_signed_and_not_sent(registry: Registry, name: str, values: tuple[Any, ...]) -> None:
    op = next(op for op in OPERATIONS if op.name == "setKey")
    signature = registry.sign(op.signer, op.primary, *op.values)
    registry.send(ISSUER, name, *values)
    refused = refusal_of(registry, op, signature)
    assert (refused.name, refused.values) == ("InvalidNonce", (ISSUER_ADDRESS, NONCE + 1, NONCE))


@pytest.mark.parametrize(
    ("name", "values"), [("anchor", (ISSUER_ADDRESS, NEXT_ROOT, 1000, 1)), ("revoke", (ISSUER_ADDRESS, [0], [1]))]
)
def test_anchor_and_revoke_leave_the_counter_alone(registry: Registry, name: str, values: tuple[Any, ...]) -> None:
    registry.send(ISSUER, name, *values)
    assert registry.nonceOf(ISSUER_ADDRESS) == NONCE


def test_an_acceptance_signed_before_the_offer_was_withdrawn_is_void(registry: Registry) -> None:
    signature = registry.sign(HEIR, "AcceptController", ISSUER_ADDRESS, NONCE)
    registry.send(ISSUER, "proposeController", ISSUER_ADDRESS, ZERO)
    registry.send(ISSUER, "proposeController", ISSUER_ADDRESS, address_of(HEIR))
    op = next(op for op in OPERATIONS if op.name == "acceptController")
    assert refusal_of(registry, op, signature).name == "InvalidNonce"


def test_after_a_handover_signatures_of_the_former_side_are_void(registry: Registry) -> None:
    signed = [
        (op, registry.sign(ISSUER, op.primary, *op.values), op.values) for op in OPERATIONS if op.signer is ISSUER
    ]
    signed += [
        (op, registry.sign(KEY, op.primary, *op.values), op.values) for op in OPERATIONS if op.refusal == "NotEntitled"
    ]
    assert len(signed) == 10
    registry.send(HEIR, "acceptController", ISSUER_ADDRESS)
    for op, signature, values in signed:
        assert refusal_of(registry, op, signature, *values).name == op.refusal


def test_a_key_may_sign_what_it_may_do(registry: Registry) -> None:
    registry.send_signed(KEY, "anchor", ISSUER_ADDRESS, NEXT_ROOT, 1000, 5)
    registry.send_signed(KEY, "revoke", ISSUER_ADDRESS, [0], [1])
    registry.send_signed(KEY, "setSuspension", ISSUER_ADDRESS, NONCE, [0], [1], [0])
    assert registry.nextIndexOf(ISSUER_ADDRESS) == 1005
    assert registry.statusWordsOf(ISSUER_ADDRESS, [0]) == ((1,), (1,))


def test_empty_arrays_hash_as_nothing(registry: Registry) -> None:
    with pytest.raises(Reverted) as refused:
        registry.send_signed(ISSUER, "revoke", ISSUER_ADDRESS, [], [])
    assert refused.value.name == "NoWords"  # so the signature was right


def test_bits_cannot_move_between_the_arrays(registry: Registry) -> None:
    """words=[1, 2] masks=[3, 4] and words=[1, 2, 3] masks=[4] are not the same data."""
    op = OPERATIONS[1]
    signature = registry.sign(ISSUER, op.primary, ISSUER_ADDRESS, [1, 2], [3, 4])
    assert refusal_of(registry, op, signature, ISSUER_ADDRESS, [1, 2, 3], [4]).name == "InvalidSignature"


# --- ECDSA ----------------------------------------------------------------------------------------------------------


def malleated(signature: bytes) -> bytes:
    s = ORDER - int.from_bytes(signature[32:64])
    return signature[:32] + s.to_bytes(32) + bytes([55 - signature[64]])


MANGLED = {
    "empty": lambda s: b"",
    "short": lambda s: s[:64],
    "long": lambda s: s + b"\x00",
    "compact (EIP-2098)": lambda s: s[:32] + (int.from_bytes(s[32:64]) | (s[64] - 27) << 255).to_bytes(32),
    "malleated": malleated,
    "v 0 or 1": lambda s: s[:64] + bytes([s[64] - 27]),
    "v of EIP-155": lambda s: s[:64] + bytes([s[64] + 10]),
    "other v": lambda s: s[:64] + bytes([55 - s[64]]),
    "r zero": lambda s: bytes(32) + s[32:],
    "s zero": lambda s: s[:32] + bytes(32) + s[64:],
    "all zero": lambda s: bytes(65),
    "s of the order": lambda s: s[:32] + ORDER.to_bytes(32) + s[64:],
}


@pytest.mark.parametrize("how", MANGLED)
@pytest.mark.parametrize("who", ["the signer", "zero"])
def test_a_mangled_signature_is_refused(registry: Registry, how: str, who: str) -> None:
    signer, deadline, signature = registry.sign(ISSUER, "Anchor", ISSUER_ADDRESS, NEXT_ROOT, 1000, 7)
    named = signer if who == "the signer" else ZERO
    refused = refusal_of(registry, OPERATIONS[0], (named, deadline, MANGLED[how](signature)))
    assert (refused.name, refused.values) == ("InvalidSignature", (named,))


def test_the_zero_address_cannot_anchor_as_issuer_zero(registry: Registry) -> None:
    """A failing ecrecover gives zero, and zero is the controller of the issuer zero."""
    deadline = registry.evm.time
    refused = refusal_of(registry, OPERATIONS[0], (ZERO, deadline, bytes(65)), ZERO, ROOT, 0, 1)
    assert (refused.name, refused.values) == ("InvalidSignature", (ZERO,))


# --- EIP-1271 -------------------------------------------------------------------------------------------------------

WALLET = keccak(b"a wallet")[:20]
MAGIC = bytes.fromhex("631626ba7e60e01b5f52")  # PUSH4 0x1626ba7e PUSH1 224 SHL PUSH0 MSTORE: the answer, in memory
RETURN_WORD = bytes.fromhex("60205ff3")
YES = MAGIC + RETURN_WORD
# answers yes for the one digest in its storage slot 0: CALLDATALOAD(4) == SLOAD(0), times the magic value
APPROVES_ONE = bytes.fromhex("6004355f5414631626ba7e60e01b025f52") + RETURN_WORD
# passes on its whole input to be hashed, and answers yes if that is the hash in storage slot 0
EXPECTS_INPUT = bytes.fromhex("365f5f37365f205f5414631626ba7e60e01b025f52") + RETURN_WORD

ANSWERS = {
    "nothing": b"\x00",
    "zero": bytes.fromhex("5f5f52") + RETURN_WORD,
    "one": bytes.fromhex("60015f52") + RETURN_WORD,
    "the magic value in four bytes": MAGIC + bytes.fromhex("60045ff3"),
    "the magic value in 31 bytes": MAGIC + bytes.fromhex("601f5ff3"),
    "the magic value at the right end": bytes.fromhex("631626ba7e5f52") + RETURN_WORD,
    "the magic value and more": MAGIC + bytes.fromhex("6001601f53") + RETURN_WORD,
    "revert with the magic value": MAGIC + bytes.fromhex("60205ffd"),
    "revert": bytes.fromhex("5f5ffd"),
    "invalid": b"\xfe",
    "writes": bytes.fromhex("60015f55") + YES,
    "one megabyte of zeros": bytes.fromhex("621000005ff3"),
    "reverts with one megabyte": MAGIC + bytes.fromhex("621000005ffd"),
}


def wallet_signature(registry: Registry, signature: bytes = b"") -> tuple[bytes, int, bytes]:
    return WALLET, registry.evm.time + 60, signature


@pytest.fixture
def with_wallet(registry: Registry) -> Registry:
    registry.send(ISSUER, "setKey", ISSUER_ADDRESS, WALLET, ANCHOR)
    return registry


@pytest.mark.parametrize("signature", [b"", b"x", bytes(64), bytes(65), bytes(66), bytes(1000)], ids=len)
def test_a_wallet_may_take_a_signature_of_any_length(with_wallet: Registry, signature: bytes) -> None:
    with_wallet.evm.set_code(WALLET, YES)
    receipt = send_as_signed(with_wallet, OPERATIONS[0], wallet_signature(with_wallet, signature))
    assert with_wallet.events(receipt) == [("BatchAnchored", ISSUER_ADDRESS, NEXT_ROOT, 1000, 7)]


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_wallet_that_does_not_say_yes_is_refused(with_wallet: Registry, answer: str) -> None:
    with_wallet.evm.set_code(WALLET, ANSWERS[answer])
    refused = refusal_of(with_wallet, OPERATIONS[0], wallet_signature(with_wallet))
    assert (refused.name, refused.values) == ("InvalidSignature", (WALLET,))


def test_an_answer_longer_than_a_word_is_read_by_its_first_word(with_wallet: Registry) -> None:
    with_wallet.evm.set_code(WALLET, MAGIC + bytes.fromhex("621000005ff3"))
    send_as_signed(with_wallet, OPERATIONS[0], wallet_signature(with_wallet))


def test_a_long_answer_costs_the_wallet_and_not_the_registry(with_wallet: Registry) -> None:
    """One megabyte of memory costs 2.2 million gas; copying it would cost it again."""
    gas = []
    for code in (YES, MAGIC + bytes.fromhex("621000005ff3")):
        evm = with_wallet.copy()
        evm.evm.set_code(WALLET, code)
        gas.append(send_as_signed(evm, OPERATIONS[0], wallet_signature(evm)).gas_used)
    assert 2_000_000 < gas[1] - gas[0] < 2_300_000


def test_an_address_without_code_is_no_wallet(with_wallet: Registry) -> None:
    assert refusal_of(with_wallet, OPERATIONS[0], wallet_signature(with_wallet)).name == "InvalidSignature"


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_precompile_is_no_wallet(registry: Registry, number: int) -> None:
    precompile = number.to_bytes(20)
    registry.send(ISSUER, "setKey", ISSUER_ADDRESS, precompile, ANCHOR)
    signature = (precompile, registry.evm.time, bytes.fromhex("1626ba7e") + bytes(61))
    assert refusal_of(registry, OPERATIONS[0], signature).name == "InvalidSignature"


def test_the_wallet_is_asked_about_the_digest_and_the_signature_as_given(with_wallet: Registry) -> None:
    evm, signature = with_wallet.evm, b"any bytes, 33 of them in this one"
    _, deadline, _ = wallet_signature(with_wallet)
    message = typed_data(
        "Anchor", [*OPERATIONS[0].values, WALLET, deadline], chain_id=evm.chain_id, contract=with_wallet.address
    )
    asked = (
        bytes.fromhex("1626ba7e") + digest_of(message) + (64).to_bytes(32) + (33).to_bytes(32) + signature + bytes(31)
    )
    evm.set_code(WALLET, EXPECTS_INPUT)
    evm.set_storage(WALLET, 0, int.from_bytes(keccak(asked)))
    send_as_signed(with_wallet, OPERATIONS[0], (WALLET, deadline, signature))
    assert refusal_of(with_wallet, OPERATIONS[0], (WALLET, deadline, signature[1:])).name == "InvalidSignature"


def test_what_one_wallet_of_an_owner_approved_another_cannot_use(with_wallet: Registry) -> None:
    """Both wallets would say yes to the same digest; but the signer stands in the digest."""
    evm, twin_wallet = with_wallet.evm, keccak(b"another wallet")[:20]
    with_wallet.send(ISSUER, "setKey", ISSUER_ADDRESS, twin_wallet, ANCHOR)
    deadline = evm.time + 60
    message = typed_data(
        "Anchor", [*OPERATIONS[0].values, WALLET, deadline], chain_id=evm.chain_id, contract=with_wallet.address
    )
    for wallet in (WALLET, twin_wallet):
        evm.set_code(wallet, APPROVES_ONE)
        evm.set_storage(wallet, 0, int.from_bytes(digest_of(message)))
    assert refusal_of(with_wallet, OPERATIONS[0], (twin_wallet, deadline, b"")).name == "InvalidSignature"
    send_as_signed(with_wallet, OPERATIONS[0], (WALLET, deadline, b""))


def test_a_wallet_can_be_an_issuer_and_its_own_controller(registry: Registry) -> None:
    registry.evm.set_code(WALLET, YES)
    deadline = registry.evm.time
    registry.send(RELAY, "setKeyWithSignature", WALLET, KEY_ADDRESS, 7, 0, WALLET, deadline, b"")
    registry.send(RELAY, "anchorWithSignature", WALLET, ROOT, 0, 1, WALLET, deadline, b"")
    assert registry.nextIndexOf(WALLET) == 1
    assert registry.rolesOf(WALLET, KEY_ADDRESS) == 7


def test_a_wallet_without_the_right_is_refused_whatever_it_says(registry: Registry) -> None:
    registry.evm.set_code(WALLET, YES)
    assert refusal_of(registry, OPERATIONS[0], wallet_signature(registry)).name == "NotEntitled"


# --- EIP-7702 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [b"\xfe", ANSWERS["revert"], ANSWERS["zero"]])
def test_an_account_with_delegated_code_still_signs_with_its_key(with_wallet: Registry, code: bytes) -> None:
    with_wallet.evm.set_code(WALLET, code)
    with_wallet.evm.set_code(ISSUER_ADDRESS, bytes.fromhex("ef0100") + WALLET)
    registry = with_wallet
    signature = registry.sign(ISSUER, "Anchor", *OPERATIONS[0].values)
    send_as_signed(registry, OPERATIONS[0], signature)
    registry.send(ISSUER, "revoke", ISSUER_ADDRESS, [0], [1])
    assert registry.nextIndexOf(ISSUER_ADDRESS) == 1007


def test_delegated_code_may_speak_for_its_account(with_wallet: Registry) -> None:
    with_wallet.evm.set_code(WALLET, YES)
    with_wallet.evm.set_code(ISSUER_ADDRESS, bytes.fromhex("ef0100") + WALLET)
    deadline = with_wallet.evm.time
    send_as_signed(with_wallet, OPERATIONS[0], (ISSUER_ADDRESS, deadline, b""))
