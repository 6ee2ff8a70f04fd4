"""Puts the contract on a chain through the deterministic deployer: the same address on every chain.

Everything here looks at what is on the chain and does what is missing. So it can be killed at any line, and repeated,
by one person or by several, and ends in the same: the address depends on nothing but the contract's bytecode.
"""

import time
from collections.abc import Callable, Sequence

from anchors.artifact import Artifact, load_artifact
from anchors.base import (
    Call,
    CallReverted,
    ChainError,
    ChainUnreachable,
    Fees,
    Refusal,
    SignedTransaction,
    TransactionRefused,
    WrongContract,
)
from anchors.deployments import Deployment
from anchors.ethereum.chain import DEFAULT_FEE_CAP, DEFAULT_TIMEOUT_SECONDS, EthereumChain
from anchors.ethereum.codec import keccak
from anchors.ethereum.keystore import KeystoreSigner
from anchors.ethereum.transport import Transport
from registry.core.model import BlockRef

__all__ = ["DEPLOYER", "contract_address", "deploy", "find_origin"]

DEPLOYER = bytes.fromhex("4e59b44847b379578588920ca78fbf26c0b4956c")
"""https://github.com/Arachnid/deterministic-deployment-proxy: input is a salt of 32 bytes, then the init code."""
DEPLOYER_CODE_HASH = bytes.fromhex("2fa86add0aed31f33a762c9d88e807c475bd51d0f52bd0955754b2608f7e4989")
SALT = bytes(32)

# Where the deployer is missing: a transaction whose signature was chosen, not computed. Its sender is whatever address
# that signature recovers to, so that nobody has its key, and the deployer gets the same address on every chain.
_DEPLOYER_SENDER = bytes.fromhex("3fab184622dc19b6109349b94811493bf2a45362")
_DEPLOYER_TRANSACTION = bytes.fromhex(
    "f8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf31ba0"
    + "22" * 32
    + "a0"
    + "22" * 32
)
_DEPLOYER_COST = 100_000 * 100 * 10**9  # its gas limit at its gas price: 0.01 ether

POLL_SECONDS = 1.0
WAIT_SECONDS = 600.0
_GAS_MARGIN_PERCENT = 20


def contract_address(artifact: Artifact | None = None) -> bytes:
    """The address of the contract on every chain (EIP-1014)."""
    code = (artifact or load_artifact()).bytecode
    return keccak(b"\xff" + DEPLOYER + SALT + keccak(code))[12:]


def deploy(
    nodes: Sequence[str | Transport],
    chain_id: int,
    signer: KeystoreSigner,
    *,
    fee_cap: int = DEFAULT_FEE_CAP,
    timeout: float = DEFAULT_TIMEOUT_SECONDS,
    wait: float = WAIT_SECONDS,
    report: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Deployment:
    """Deploys the contract unless it is there, and says where it is.

    ``signer`` pays; ``report`` is told what happens, for people. Raises ``WrongContract`` if something else stands at
    the address, ``TransactionRefused`` if the node does not take a transaction, ``ChainUnreachable`` if it is not in a
    block after ``wait`` seconds: repeat it then, nothing is done twice.
    """
    address = contract_address()
    with EthereumChain(nodes, chain_id, address, timeout=timeout, fee_cap=fee_cap, sleep=sleep) as chain:
        steps = _Steps(chain, signer, report, sleep, wait)
        if chain.code(address):
            report(f"the contract is at 0x{address.hex()} already")
        else:
            steps.need_deployer()
            steps.need_contract(address)
        code_hash = chain.check()
        report("looking for the block that it was made in")
        block_number, transaction = find_origin(chain, address)
        return Deployment(chain_id, address, code_hash, block_number, transaction)


class _Steps:
    def __init__(
        self,
        chain: EthereumChain,
        signer: KeystoreSigner,
        report: Callable[[str], None],
        sleep: Callable[[float], None],
        wait: float,
    ) -> None:
        self._chain = chain
        self._signer = signer
        self._report = report
        self._sleep = sleep
        self._wait = wait

    def need_deployer(self) -> None:
        code = self._chain.code(DEPLOYER)
        if not code:
            self._report("the deterministic deployer is missing here: funding its one-time sender (0.01 ether)")
            # Killed after this, the money waits at the sender for the next run.
            missing = _DEPLOYER_COST - self._chain.balance(_DEPLOYER_SENDER)
            if missing > 0:
                self._send(lambda nonce, fees: self._transfer(missing, nonce, fees))
                self._until("the deployer's funding", lambda: self._chain.balance(_DEPLOYER_SENDER) >= _DEPLOYER_COST)
            self._report("sending the deployer's presigned transaction")
            self._hand_in(_DEPLOYER_TRANSACTION)
            self._until("the deployer", lambda: bool(self._chain.code(DEPLOYER)))
            code = self._chain.code(DEPLOYER)
        if keccak(code) != DEPLOYER_CODE_HASH:
            raise WrongContract(
                f"what stands at 0x{DEPLOYER.hex()} on chain {self._chain.chain_id} is not the deterministic deployer"
            )

    def _transfer(self, value: int, nonce: int, fees: Fees) -> SignedTransaction:
        return self._signer.sign_transfer(
            chain_id=self._chain.chain_id, nonce=nonce, to=_DEPLOYER_SENDER, value=value, gas=21_000, fees=fees
        )

    def need_contract(self, address: bytes) -> None:
        call = _creation()
        try:
            gas = self._chain.estimate_gas(self._signer.address, call) * (100 + _GAS_MARGIN_PERCENT) // 100
        except CallReverted:
            # It cannot be made twice. If it can be made on the newest block, an earlier run's transaction waits.
            self._chain.estimate_gas(self._signer.address, call, tag="latest")
            self._report("an earlier transaction is on its way; waiting for that")
            self._until("the contract", lambda: bool(self._chain.code(address)))
            return
        self._report(f"sending the contract ({len(call.data)} bytes, at most {gas} gas)")
        self._send(
            lambda nonce, fees: self._signer.sign_transaction(
                chain_id=self._chain.chain_id, nonce=nonce, call=call, gas=gas, fees=fees
            )
        )
        self._until("the contract", lambda: bool(self._chain.code(address)))

    def _send(self, sign: Callable[[int, Fees], SignedTransaction]) -> None:
        fees = self._chain.suggest_fees()
        # The nonce counts transactions in blocks only: where an earlier run's transaction still waits, this one has the
        # same nonce and the same effect, and only one of the two gets into a block.
        self._hand_in(sign(self._chain.next_nonce(self._signer.address), fees).raw)

    def _hand_in(self, raw: bytes) -> None:
        try:
            self._chain.send(raw)
        except TransactionRefused as error:
            if error.refusal not in {Refusal.NONCE_TOO_LOW, Refusal.UNDERPRICED}:
                raise
            self._report("an earlier transaction is on its way; waiting for that")

    def _until(self, what: str, done: Callable[[], bool]) -> None:
        waited = 0.0
        while not done():
            if waited >= self._wait:
                raise ChainUnreachable(
                    f"{what} is not in a block of chain {self._chain.chain_id} after {waited:g} seconds; run the same "
                    "command again later, nothing is done twice"
                )
            if waited == 0:
                self._report(f"waiting for {what} to get into a block")
            self._sleep(POLL_SECONDS)
            waited += POLL_SECONDS


def find_origin(chain: EthereumChain, address: bytes) -> tuple[int | None, bytes | None]:
    """Block and transaction that made the contract, found by halving; None where the node lacks old state."""
    low, head = 0, chain.head()
    high = head.number
    try:
        if chain.code(address, at=_block(chain, 0)):
            return 0, None
        while high - low > 1:
            middle = (low + high) // 2
            if chain.code(address, at=_block(chain, middle)):
                high = middle
            else:
                low = middle
    except ChainError:
        return None, None
    return high, chain.find_transaction(_creation(), high)


def _creation() -> Call:
    return Call(DEPLOYER, SALT + load_artifact().bytecode)


def _block(chain: EthereumChain, number: int) -> BlockRef:
    block = chain.block(number)
    if block is None:
        raise ChainUnreachable(f"the node has not got block {number}")
    return block
