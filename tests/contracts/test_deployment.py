"""The artifact, the deterministic address, the interface and the EIP-712 domain. All literals are on purpose: what they
name cannot change after the first deployment."""

import pytest
from contract_evm import (
    ARTIFACT,
    CHAIN_ID,
    CONTRACTS,
    DEPLOYER,
    FUNCTIONS,
    RELAY,
    TYPES,
    MiniEVM,
    Registry,
    Reverted,
    account,
    address_of,
    deploy,
    digest_of,
    selector,
    typed_data,
)
from eth_abi import encode
from eth_utils import keccak

CODE = bytes.fromhex(ARTIFACT["deployedBytecode"][2:])


def test_the_deployed_code_is_the_artifacts(registry: Registry) -> None:
    assert registry.evm.code(registry.address) == CODE
    assert keccak(CODE).hex() == ARTIFACT["codeHash"][2:]


def test_the_address_follows_from_the_code_and_nothing_else(registry: Registry) -> None:
    creation = keccak(bytes.fromhex(ARTIFACT["bytecode"][2:]))
    assert registry.address == keccak(b"\xff" + DEPLOYER + bytes(32) + creation)[12:]
    assert deploy().address == registry.address


def test_the_code_is_the_same_wherever_it_is_deployed() -> None:
    evm = MiniEVM()
    evm.chain_id, evm.time = 1, 5
    at = evm.create(bytes.fromhex(ARTIFACT["bytecode"][2:]), RELAY)
    assert evm.code(at) == CODE


def test_the_code_leaves_room_below_the_limit() -> None:
    assert len(CODE) < 24576


def test_the_code_cannot_destroy_itself_or_be_replaced() -> None:
    """No DELEGATECALL, CALLCODE, SELFDESTRUCT, CREATE, CREATE2 or CALL among the instructions."""
    position, found = 0, set()
    while position < len(CODE):
        opcode = CODE[position]
        found.add(opcode)
        position += 1 + (opcode - 0x5F if 0x60 <= opcode <= 0x7F else 0)
    assert found.isdisjoint({0xF0, 0xF1, 0xF2, 0xF4, 0xF5, 0xFF})
    assert 0xFA in found  # STATICCALL


def test_the_artifact_is_of_the_sources_beside_it() -> None:
    """Whoever changes a source runs scripts/build_contracts; CI compares the bytecode too."""
    sources = {f"src/{p.name}": "0x" + keccak(p.read_bytes()).hex() for p in (CONTRACTS / "src").glob("*.sol")}
    assert ARTIFACT["sourceHashes"] == sources


def test_the_compiler_settings_are_the_decided_ones() -> None:
    settings = ARTIFACT["compiler"]["settings"]
    assert ARTIFACT["compiler"]["version"].startswith("0.8.37+")
    assert (settings["viaIR"], settings["evmVersion"]) == (True, "prague")
    assert settings["optimizer"]["enabled"] is True
    assert settings["metadata"] == {"appendCBOR": False, "bytecodeHash": "none"}


INTERFACE = """
acceptController(address) nonpayable
acceptControllerWithSignature(address,uint64,address,uint256,bytes) nonpayable
anchor(address,bytes32,uint64,uint32) nonpayable
anchorWithSignature(address,bytes32,uint64,uint32,address,uint256,bytes) nonpayable
batchOf(address,bytes32,uint64) view
candidateOf(address) view
check(address,bytes32,uint64,bytes32,uint256,bytes32[]) view
claimedAt(address,string,bytes32) view
controllerOf(address) view
domainSeparator() view
eip712Domain() view
epochOf(address) view
nextIndexOf(address) view
nonceOf(address) view
proposeController(address,address) nonpayable
proposeControllerWithSignature(address,address,uint64,address,uint256,bytes) nonpayable
revoke(address,uint256[],uint256[]) nonpayable
revokeBatch(address,bytes32,uint64) nonpayable
revokeBatchWithSignature(address,bytes32,uint64,uint64,address,uint256,bytes) nonpayable
revokeWithSignature(address,uint256[],uint256[],address,uint256,bytes) nonpayable
revokedWord(address,uint256) view
rolesOf(address,address) view
setDid(address,string,bytes32) nonpayable
setDidWithSignature(address,string,bytes32,uint64,address,uint256,bytes) nonpayable
setKey(address,address,uint8) nonpayable
setKeyWithSignature(address,address,uint8,uint64,address,uint256,bytes) nonpayable
setSuspension(address,uint64,uint256[],uint256[],uint256[]) nonpayable
setSuspensionWithSignature(address,uint64,uint256[],uint256[],uint256[],address,uint256,bytes) nonpayable
statusWordsOf(address,uint256[]) view
suspendedWord(address,uint256) view
"""
EVENTS = """
BatchAnchored(address indexed issuer,bytes32 indexed root,uint64 first,uint32 size)
BatchRevoked(address indexed issuer,bytes32 indexed root,uint64 first)
ControllerChanged(address indexed issuer,address indexed former,address indexed controller,uint32 epoch)
ControllerProposed(address indexed issuer,address indexed candidate)
DidClaimed(address indexed issuer,string did,bytes32 documentHash,uint64 claimedAt)
KeySet(address indexed issuer,address indexed key,uint8 roles,uint32 epoch)
StatusRevoked(address indexed issuer,uint256[] words,uint256[] masks)
SuspensionChanged(address indexed issuer,uint64 nonce,uint256[] words,uint256[] setMasks,uint256[] clearMasks)
"""


def lines(text: str) -> list[str]:
    return text.strip().split("\n")


def test_the_functions_are_these() -> None:
    found = [
        f"{e['name']}({','.join(p['type'] for p in e['inputs'])}) {e['stateMutability']}"
        for e in ARTIFACT["abi"]
        if e["type"] == "function"
    ]
    assert sorted(found) == sorted(lines(INTERFACE))


def test_the_events_are_these() -> None:
    found = [
        f"{e['name']}({','.join(p['type'] + ' indexed' * p['indexed'] + ' ' + p['name'] for p in e['inputs'])})"
        for e in ARTIFACT["abi"]
        if e["type"] == "event"
    ]
    assert sorted(found) == lines(EVENTS)


def test_there_is_no_constructor_fallback_or_receive() -> None:
    assert {e["type"] for e in ARTIFACT["abi"]} == {"function", "event", "error"}


def test_unknown_calls_are_refused(registry: Registry) -> None:
    for data in (b"", b"\x12\x34\x56\x78", bytes(32)):
        with pytest.raises(Reverted) as refused:
            registry.evm.send(RELAY, registry.address, data)
        assert refused.value.name == ""


@pytest.mark.parametrize("name", [n for n, e in FUNCTIONS.items() if e["stateMutability"] != "view"])
def test_no_call_takes_ether(registry: Registry, name: str) -> None:
    data = selector(FUNCTIONS[name])[:4] + bytes(640)
    with pytest.raises(Reverted) as refused:
        registry.evm.send(RELAY, registry.address, data)
    assert refused.value.name != ""  # a rule of the contract
    registry.evm.fund(RELAY, 1)
    with pytest.raises(Reverted) as refused:
        registry.evm.send(RELAY, registry.address, data, value=1)
    assert refused.value.name == ""  # not even looked at


def test_the_domain_is_told_as_in_eip_5267(registry: Registry) -> None:
    assert registry.eip712Domain() == (
        b"\x0f", "CredentialRegistry", "1", CHAIN_ID, registry.address, bytes(32), (),
    )  # fmt: skip


def test_the_domain_separator_is_the_hash_of_the_domain(registry: Registry) -> None:
    kind = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    parts = [kind, b"CredentialRegistry", b"1"]
    expected = b"".join(keccak(p) for p in parts) + CHAIN_ID.to_bytes(32) + bytes(12) + registry.address
    assert registry.domainSeparator() == keccak(expected)
    registry.evm.chain_id = 1
    assert registry.domainSeparator() != keccak(expected)


# --- storage, as docs/spec/contract.md lays it out -----------------------------------------------------------------


def test_the_storage_is_laid_out_as_specified(registry: Registry) -> None:
    issuer_key, key, heir = account(1), address_of(account(2)), account(3)
    issuer, root = address_of(issuer_key), keccak(b"root")
    registry.send(issuer_key, "anchor", issuer, root, 0, 1000)
    registry.send(issuer_key, "revokeBatch", issuer, root, 0)
    registry.send(issuer_key, "revoke", issuer, [2], [5])
    registry.send(issuer_key, "setSuspension", issuer, 1, [3], [6], [0])
    registry.send(issuer_key, "setDid", issuer, "did:web:example.edu", root)
    registry.send(issuer_key, "proposeController", issuer, address_of(heir))
    registry.send(heir, "acceptController", issuer)
    registry.send(heir, "setKey", issuer, key, 3)
    registry.send(heir, "proposeController", issuer, key)

    def word(value: bytes | int) -> bytes:
        return value.to_bytes(32) if isinstance(value, int) else value.rjust(32, b"\0")

    def slot(*path: bytes | int) -> int:
        at = word(path[0])
        for step in path[1:]:
            at = keccak(word(step) + at)
        return int.from_bytes(at)

    def stored(at: int) -> int:
        return registry.evm.storage(registry.address, at)

    size, anchored, revoked, number = registry.batchOf(issuer, root, 0)
    assert stored(slot(0, issuer)) == int.from_bytes(address_of(heir)) | 1000 << 160 | 1 << 224
    assert stored(slot(0, issuer) + 1) == int.from_bytes(key) | 7 << 160
    assert stored(slot(1, issuer, 1, key)) == 3
    assert stored(slot(2, issuer, keccak(root + word(0)))) == size | anchored << 32 | revoked << 96 | number << 160
    assert stored(slot(3, issuer, 2)) == 5
    assert stored(slot(4, issuer, 3)) == 6
    claim = keccak(encode(["string", "bytes32"], ["did:web:example.edu", root]))
    assert stored(slot(5, issuer, claim)) == anchored


# --- the worked example of docs/spec/contract.md ----------------------------------------------------------------------

EXAMPLE_CONTRACT = bytes.fromhex("c0" * 20)
EXAMPLE = {
    "issuer": bytes.fromhex("11" * 20),
    "key": bytes.fromhex("22" * 20),
    "candidate": bytes.fromhex("22" * 20),
    "root": bytes.fromhex("aa" * 32),
    "first": 41000,
    "size": 1000,
    "words": [160, 161],
    "masks": [256, 1],
    "setMasks": [256, 0],
    "clearMasks": [0, 1],
    "roles": 3,
    "did": "did:web:example.edu",
    "documentHash": bytes.fromhex("dd" * 32),
    "nonce": 5,
    "signer": bytes.fromhex("33" * 20),
    "deadline": 1_800_000_600,
}


def example_message(primary: str) -> tuple[bytes, bytes]:
    values = [EXAMPLE[field.split(" ")[1]] for field in TYPES[primary].split(",")]
    message = typed_data(primary, values, chain_id=CHAIN_ID, contract=EXAMPLE_CONTRACT)
    return keccak(text=f"{primary}({TYPES[primary]})"), digest_of(message)


@pytest.mark.parametrize("primary", TYPES)
def test_the_worked_example_of_the_specification(primary: str) -> None:
    specification = (CONTRACTS.parent / "docs" / "spec" / "contract.md").read_text("utf-8")
    type_hash, digest = example_message(primary)
    assert f"{primary}({TYPES[primary]})" in specification
    assert f"| `{primary}` | `{type_hash.hex()}` | `{digest.hex()}` |" in specification


def test_the_worked_example_byte_by_byte() -> None:
    """Anchor, put together without any EIP-712 library."""
    type_hash, digest = example_message("Anchor")
    encoded = (
        type_hash + bytes(12) + b"\x11" * 20 + b"\xaa" * 32 + (41000).to_bytes(32) + (1000).to_bytes(32)
        + bytes(12) + b"\x33" * 20 + (1_800_000_600).to_bytes(32)
    )  # fmt: skip
    domain = keccak(
        keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
        + keccak(b"CredentialRegistry") + keccak(b"1") + CHAIN_ID.to_bytes(32) + bytes(12) + EXAMPLE_CONTRACT
    )  # fmt: skip
    assert keccak(b"\x19\x01" + domain + keccak(encoded)) == digest
    specification = (CONTRACTS.parent / "docs" / "spec" / "contract.md").read_text("utf-8")
    assert f"`{domain.hex()}`" in specification


def test_every_function_event_and_error_is_in_the_specification() -> None:
    specification = (CONTRACTS.parent / "docs" / "spec" / "contract.md").read_text("utf-8")
    missing = [e["name"] for e in ARTIFACT["abi"] if f"`{e['name']}" not in specification]
    assert missing == []


def test_the_specification_names_the_code_hash_and_the_address(registry: Registry) -> None:
    specification = (CONTRACTS.parent / "docs" / "spec" / "contract.md").read_text("utf-8")
    assert ARTIFACT["codeHash"] in specification
    assert "0x" + registry.address.hex() in specification.lower()
