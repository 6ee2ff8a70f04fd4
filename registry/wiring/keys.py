"""Keystore files in the data folder: the paying account's, and controllers' keys of hosted issuers.

A keystore is opened when something is to be signed, and not before: most commands need neither the password nor the
second that it takes.
"""

import json
import secrets
import threading
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock
from pydantic import SecretStr

from anchors.base import Call, ContractCall, Fees, Signature, SignedTransaction, Signer
from anchors.ethereum.keystore import SCRYPT_N, KeystoreSigner, create_keystore
from registry.core.errors import InputError
from registry.settings import ENV_PREFIX, Settings
from registry.standards.keys import DID_KEY, KeyRing, LocalSigner, create_key_ring, load_key_ring
from registry.standards.keys import SCRYPT_N as RING_SCRYPT_N

__all__ = [
    "ControllerFiles",
    "KeystoreFile",
    "SigningKeyFiles",
    "find_password",
    "make_password",
    "operator_file",
    "read_password",
]

# On a development chain the password lies beside the keystore: a higher cost would protect nothing.
_DEV_SCRYPT_N = 1 << 10

_WHERE = f"Set {ENV_PREFIX}KEYSTORE_PASSWORD_FILE (a file with the password) or {ENV_PREFIX}KEYSTORE_PASSWORD"


class KeystoreFile:
    """A ``Signer`` whose key stays encrypted on disk until it is needed. Its repr names the file only."""

    def __init__(self, path: Path, password: Callable[[], SecretStr]) -> None:
        """Raises InputError if there is no keystore that names its address."""
        self._path = path
        self._password = password
        self._address = _address_in(path)
        self._signer: KeystoreSigner | None = None
        self._lock = threading.Lock()

    @property
    def address(self) -> bytes:
        return self._address

    def unlock(self) -> KeystoreSigner:
        """Opens the keystore, once. Raises InputError: no password, or not the right one."""
        with self._lock:
            if self._signer is None:
                signer = KeystoreSigner(self._path, self._password())
                if signer.address != self._address:
                    raise InputError(f"The keystore {self._path} holds another key than the address that it names.")
                self._signer = signer
            return self._signer

    def sign_transaction(self, *, chain_id: int, nonce: int, call: Call, gas: int, fees: Fees) -> SignedTransaction:
        return self.unlock().sign_transaction(chain_id=chain_id, nonce=nonce, call=call, gas=gas, fees=fees)

    def sign_call(self, *, chain_id: int, contract: bytes, call: ContractCall, deadline: int) -> Signature:
        return self.unlock().sign_call(chain_id=chain_id, contract=contract, call=call, deadline=deadline)

    def __repr__(self) -> str:
        return f"KeystoreFile({self._path})"


class ControllerFiles:
    """``registry.service.hosting.ControllerKeys`` as files, one for each issuer name."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.keystores_dir / "controllers"
        self._settings = settings

    def open_or_create(self, name: str) -> Signer:
        path = self._path(name)
        if not path.exists():
            _make_folder(self._folder)
            create_keystore(path, self._password(), scrypt_n=_scrypt_n(self._settings))
        return KeystoreFile(path, self._password)

    def open(self, name: str) -> Signer:
        path = self._path(name)
        if not path.exists():
            raise InputError(
                f"The controller's keystore of {name} is not in this data folder ({path}). Put it back for this step, "
                "or sign with it where it is."
            )
        return KeystoreFile(path, self._password)

    def _password(self) -> SecretStr:
        return find_password(self._settings)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


class SigningKeyFiles:
    """``registry.service.credentialkeys.CredentialKeys`` as files, one ring for each issuer name."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.keystores_dir / "signing"
        self._settings = settings
        self._lock = threading.Lock()
        self._rings: dict[str, tuple[tuple[int, int], KeyRing]] = {}
        self._signers: dict[str, LocalSigner] = {}

    def create(self, name: str, did: str, now: int) -> KeyRing:
        path = self.path(name)
        _make_folder(self._folder)
        with FileLock(path.with_suffix(".lock")):  # of two at once the second would write over the first one's key
            if not path.exists():
                cost = _DEV_SCRYPT_N if self._settings.uses_embedded_chain else RING_SCRYPT_N
                create_key_ring(did, self._password, now, scrypt_n=cost).save(path)
        ring = self.ring(name)
        if ring.did != did and not (did == DID_KEY and ring.did.startswith(f"{DID_KEY}:")):
            raise InputError(f"The file {path} holds the signing keys of {ring.did}. Move it away first.")
        return ring

    def ring(self, name: str) -> KeyRing:
        path = self.path(name)
        try:
            state = path.stat()
        except OSError as error:
            raise InputError(f"The file of signing keys {path} cannot be read: {error.strerror}.") from error
        version = (state.st_mtime_ns, state.st_ino)  # a rotation, in whatever process, replaces the file
        with self._lock:
            known = self._rings.get(name)
            if known is None or known[0] != version:
                known = self._rings[name] = version, load_key_ring(path)
            return known[1]

    def signer(self, name: str) -> LocalSigner:
        ring = self.ring(name)
        method = ring.verification_method
        with self._lock:
            signer = self._signers.get(name)
            if signer is None or signer.verification_method != method:
                signer = self._signers[name] = ring.unlock(self._password)
            return signer

    def rotate(self, name: str, now: int, *, overlap_seconds: int, compromised: bool = False) -> KeyRing:
        path = self.path(name)
        with FileLock(path.with_suffix(".lock")):  # two rotations at once would lose a key
            former = load_key_ring(path)
            if not compromised:  # that is also the way on from a key that opens no more
                former.unlock(self._password)  # with a mistyped password the new key would open for nobody else
            ring = former.rotated(self._password, now, overlap_seconds=overlap_seconds, compromised=compromised)
            ring.save(path)
        return ring

    def path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _password(self) -> str:
        return find_password(self._settings).get_secret_value()


def operator_file(settings: Settings, *, create: bool = False) -> KeystoreFile:
    """The paying account's keystore. Raises InputError if it is missing and not to be made."""
    path = settings.keystores_dir / "operator.json"
    if create and not path.exists():
        _make_folder(settings.keystores_dir)
        create_keystore(path, find_password(settings), scrypt_n=_scrypt_n(settings))
    return KeystoreFile(path, lambda: find_password(settings))


def find_password(settings: Settings) -> SecretStr:
    """The password of the keystores in the data folder. Raises InputError, which says where to put it."""
    if settings.keystore_password is not None:
        return settings.keystore_password
    path = settings.keystore_password_file
    if path is None:
        path = _own_file(settings)
        if not path.exists():
            raise InputError(f"The password of the keystores is not set. {_WHERE}.")
    return read_password(path)


def read_password(path: Path) -> SecretStr:
    """A password from a file, without its line feed. Raises InputError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The password file {path} cannot be read. {_WHERE}.") from error
    password = text.removesuffix("\n").removesuffix("\r")
    if not password:
        raise InputError(f"The password file {path} is empty. {_WHERE}.")
    return SecretStr(password)


def make_password(settings: Settings) -> Path | None:
    """Development chains only: makes up a password, unless there is one. Returns the file if it was made."""
    path = _own_file(settings)
    if settings.keystore_password is not None or settings.keystore_password_file is not None or path.exists():
        return None
    _make_folder(path.parent)
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_text(secrets.token_urlsafe(24) + "\n", encoding="ascii")
    temporary.replace(path)
    return path


def _own_file(settings: Settings) -> Path:
    return settings.keystores_dir / "password"


def _scrypt_n(settings: Settings) -> int:
    return _DEV_SCRYPT_N if settings.uses_embedded_chain else SCRYPT_N


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def _address_in(path: Path) -> bytes:
    try:
        address = bytes.fromhex(str(json.loads(path.read_bytes())["address"]).removeprefix("0x"))
    except FileNotFoundError as error:
        raise InputError(f"There is no keystore {path}. Run `registry init` first.") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is not a keystore (V3 JSON) that names its address.") from error
    if len(address) != 20:
        raise InputError(f"{path} is not a keystore (V3 JSON) that names its address.")
    return address
