"""A development chain in a folder: a real EVM, no real chain.

It has no consensus, no peers and no value, its operator can rewrite all of it, and so it proves nothing to anybody. It
is there so that the whole system can be tried out, and tested, without a node.
"""

import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from anchors.base import ChainError, ChainUnreachable, Fees
from anchors.ethereum.keystore import KeystoreSigner, create_keystore
from anchors.imports import recursion_limit_kept

with recursion_limit_kept():
    from anchors.devchain.evm import Evm
    from anchors.devchain.methods import CLIENT_VERSION, Methods
    from anchors.devchain.server import RpcServer
    from anchors.devchain.storage import Storage

__all__ = ["CHAIN_ID", "DevChain"]

CHAIN_ID = 0x43524544
"""The default chain id: "CRED" in ASCII, registered by nobody."""

DEV_BALANCE = 1_000_000 * 10**18
_SCRYPT_N = 1 << 10  # the password lies beside the keystore: a higher cost would protect nothing

_log = logging.getLogger(__name__)


class DevChain:
    """The chain in ``folder``, made there if there is none. One process at a time, by a file lock.

    Everything that was in a block when the answer came is there after a restart: same blocks, same hashes, same nonces.
    ``with DevChain(folder) as chain:`` opens it without a server; ``chain.start()`` adds one on loopback.
    """

    def __init__(self, folder: Path, *, chain_id: int = CHAIN_ID, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._chain_id = chain_id
        self._clock = clock
        self._lock = FileLock(folder / "devchain.lock")
        self._storage: Storage | None = None
        self._evm: Evm | None = None
        self._methods: Methods | None = None
        self._server: RpcServer | None = None
        self._account: KeystoreSigner | None = None

    @property
    def name(self) -> str:
        """What errors call this node when it is used within the process."""
        return "devchain"

    @property
    def chain_id(self) -> int:
        return self._chain_id

    @property
    def account(self) -> KeystoreSigner:
        """The prefunded account. Its key is made with the chain and stays in the folder."""
        self.open()
        assert self._account is not None  # noqa: S101 - open() made it
        return self._account

    # a chain in this process

    def open(self) -> Self:
        """Takes the lock and opens the file; does nothing if it is open. Raises ``ChainError`` if another has it."""
        if self._evm is not None:
            return self
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ChainError(
                f"the development chain in {self._folder} is in use by another process (lock {self._lock.lock_file}): "
                "talk to that process over its RPC address, or stop it"
            ) from None
        try:
            self._account = self._open_account()
            self._storage = Storage(self._folder / "devchain.sqlite")
            self._evm = Evm(self._storage, self._chain_id, self._clock, {self._account.address: DEV_BALANCE})
        except BaseException:
            self.stop()
            raise
        self._methods = Methods(self._evm)
        _log.warning(
            "opened the development chain in %s: NOT a real chain, what it anchors proves nothing", self._folder
        )
        return self

    def _open_account(self) -> KeystoreSigner:
        # Password before keystore: killed in between, the next start finds a password that fits the keystore it makes.
        keystore, password_file = self._folder / "dev-account.json", self._folder / "dev-account.password"
        if not password_file.exists():
            password_file.touch(mode=0o600)
        password = password_file.read_bytes()
        if not password:
            password = secrets.token_hex(16).encode()
            password_file.write_bytes(password)
        if not keystore.exists():
            create_keystore(keystore, password, scrypt_n=_SCRYPT_N)
        return KeystoreSigner(keystore, password)

    def post(self, payload: bytes, timeout: float) -> bytes:
        """One JSON-RPC request or batch, without HTTP: an open DevChain can stand where a node's URL stands."""
        methods = self._methods
        if methods is None:
            raise ChainUnreachable(f"the development chain in {self._folder} is not open in this process")
        return methods.handle(payload)

    def close(self) -> None:
        """The end of a back-end that talks to this chain is not the end of the chain: see ``stop``."""

    def fund(self, address: bytes, wei: int) -> None:
        """Sends money from the prefunded account."""
        account = self.account
        assert self._evm is not None  # noqa: S101 - open() made it
        with self._evm.locked():
            nonce = self._evm.nonce(account.address, self._evm.head)
            fee = self._evm.next_base_fee() * 2
            signed = account.sign_transfer(
                chain_id=self._chain_id, nonce=nonce, to=address, value=wei, gas=30_000, fees=Fees(fee, 0)
            )
            self._evm.send(signed.raw)

    # a chain that others can talk to

    def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Serves JSON-RPC on loopback (port 0: a free one) and returns the URL. Does nothing if it is serving."""
        self.open()
        if self._server is None:
            assert self._methods is not None  # noqa: S101 - open() made it
            self._server = RpcServer(self._methods, host, port)
            _log.warning("%s serves on %s", CLIENT_VERSION, self._server.url)
        return self._server.url

    def stop(self) -> None:
        """Stops serving, closes the file and gives the lock back. Can be opened again."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        if self._evm is not None:
            with self._evm.locked():  # a block that is being made is finished first
                self._evm.close()
        elif self._storage is not None:
            self._storage.close()
        self._storage = self._evm = self._methods = self._account = None
        self._lock.release()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
