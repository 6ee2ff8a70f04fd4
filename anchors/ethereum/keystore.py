"""Private keys in encrypted V3 keystores (Web3 Secret Storage), and the ``Signer`` that holds one."""

import json
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any, NoReturn, Protocol

import jiter

from anchors.base import Call, ContractCall, Fees, Signature, SignedTransaction
from anchors.ethereum.signing import typed_message
from anchors.imports import recursion_limit_kept
from registry.core.errors import InputError

__all__ = ["KeystoreSigner", "Password", "create_keystore"]

SCRYPT_N = 1 << 18
"""The cost that go-ethereum takes for keystores at rest: about a second and 256 MiB each time one is opened."""


class SecretValue(Protocol):
    """pydantic's SecretStr and SecretBytes, without depending on them."""

    def get_secret_value(self) -> str | bytes: ...


Password = bytes | SecretValue


class KeystoreSigner:
    """A ``Signer`` whose key came out of a keystore file. Its repr names the address; it is not copied or pickled."""

    __slots__ = ("__account", "_address")

    def __init__(self, path: Path, password: Password) -> None:
        """Raises ``InputError`` if there is no such file, it is no V3 keystore, or the password is not its password."""
        with recursion_limit_kept():
            from eth_account import Account

        key = _decrypt(path, password)
        # The account object is the only place that keeps the key; its own repr does not show it.
        self.__account = Account.from_key(key)
        self._address = bytes.fromhex(self.__account.address[2:])

    @property
    def address(self) -> bytes:
        return self._address

    def sign_transaction(self, *, chain_id: int, nonce: int, call: Call, gas: int, fees: Fees) -> SignedTransaction:
        """An EIP-1559 transaction (type 2) without value."""
        return self._sign_transfer(chain_id=chain_id, nonce=nonce, call=call, gas=gas, fees=fees, value=0)

    def sign_transfer(
        self, *, chain_id: int, nonce: int, to: bytes, value: int, gas: int, fees: Fees
    ) -> SignedTransaction:
        """An EIP-1559 transaction that only moves ``value`` wei."""
        return self._sign_transfer(chain_id=chain_id, nonce=nonce, call=Call(to, b""), gas=gas, fees=fees, value=value)

    def _sign_transfer(
        self, *, chain_id: int, nonce: int, call: Call, gas: int, fees: Fees, value: int
    ) -> SignedTransaction:
        fields = {
            "type": 2,
            "chainId": chain_id,
            "nonce": nonce,
            "to": call.to,
            "value": value,
            "data": call.data,
            "gas": gas,
            "maxFeePerGas": fees.max_fee,
            "maxPriorityFeePerGas": fees.priority_fee,
            "accessList": [],
        }
        signed = _without_traceback(lambda: self.__account.sign_transaction(fields))
        return SignedTransaction(bytes(signed.raw_transaction), bytes(signed.hash))

    def sign_call(self, *, chain_id: int, contract: bytes, call: ContractCall, deadline: int) -> Signature:
        message = typed_message(
            chain_id=chain_id, contract=contract, call=call, signer=self._address, deadline=deadline
        )
        signed = _without_traceback(lambda: self.__account.sign_message(message))
        return Signature(self._address, deadline, bytes(signed.signature))

    def __repr__(self) -> str:
        return f"KeystoreSigner(0x{self._address.hex()})"

    def __reduce__(self) -> NoReturn:
        msg = "a signer is not copied or pickled: its key would go along"
        raise TypeError(msg)

    def __copy__(self) -> NoReturn:
        self.__reduce__()

    def __deepcopy__(self, memo: object) -> NoReturn:
        self.__reduce__()


def create_keystore(path: Path, password: Password, *, scrypt_n: int = SCRYPT_N) -> bytes:
    """Makes a new key, writes it encrypted to ``path`` (mode 0600), and returns its address.

    A smaller ``scrypt_n`` is for development chains and tests only. Raises ``InputError`` if the file is there already:
    a key is never overwritten. Killed at any line, there is a whole file under that name or none.
    """
    with recursion_limit_kept():
        from eth_account import Account

    secret = _password_bytes(password)
    if not secret:
        raise InputError(f"the keystore {path} needs a password that is not empty")
    if path.exists():
        raise InputError(f"there is already a keystore at {path}; keys are never overwritten")
    while True:
        key = secrets.token_bytes(32)
        try:
            keystore = Account.encrypt(
                key, secret.decode("utf-8", "surrogateescape"), kdf="scrypt", iterations=scrypt_n
            )
        except ValueError:  # not a number below the curve's order: once in 2^128
            continue
        break
    _write_new(path, json.dumps(keystore).encode())
    return bytes.fromhex(str(keystore["address"]).removeprefix("0x"))


def _write_new(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)  # unlike rename, fails if somebody else was quicker
        except FileExistsError:
            raise InputError(f"there is already a keystore at {path}; keys are never overwritten") from None
    finally:
        temporary.unlink()
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _decrypt(path: Path, password: Password) -> bytes:
    with recursion_limit_kept():
        from eth_account import Account

    try:
        keystore = jiter.from_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read the keystore {path}: {error.strerror}") from error
    except ValueError:
        raise InputError(f"{path} is not a keystore (V3 JSON)") from None
    if not isinstance(keystore, dict) or keystore.get("version") != 3 or "crypto" not in keystore:
        raise InputError(f"{path} is not a keystore (V3 JSON)")
    secret = _password_bytes(password).decode("utf-8", "surrogateescape")
    try:
        return bytes(Account.decrypt(keystore, secret))
    except ValueError as error:
        reason = "wrong password" if "MAC" in str(error) else "damaged or unknown format"
        raise InputError(f"cannot open the keystore {path}: {reason}") from None
    except (KeyError, TypeError, AttributeError, NotImplementedError):
        raise InputError(f"cannot open the keystore {path}: damaged or unknown format") from None


def _password_bytes(password: Password) -> bytes:
    value = password if isinstance(password, bytes) else password.get_secret_value()
    return value.encode() if isinstance(value, str) else value


def _without_traceback(sign: Any) -> Any:
    """Calls into eth-account; an error comes out without the frames that hold the key."""
    try:
        return sign()
    except Exception as error:
        reason = type(error).__name__
    raise InputError(f"cannot sign: a value is out of range ({reason})")
