"""Keys: made, opened, used, and never shown."""

import copy
import json
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from pydantic import SecretStr

from anchors.base import (
    AcceptController,
    AnchorBatch,
    Call,
    Fees,
    ProposeController,
    Revoke,
    RevokeBatch,
    SetDid,
    SetKey,
    SetSuspension,
    Signature,
)
from anchors.ethereum import KeystoreSigner, create_keystore, recover_signer, signed_by
from registry.core.errors import InputError

PASSWORD = b"correct horse"
KEY = bytes(range(1, 33))
CONTRACT = b"\xcc" * 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "issuer.json"


@pytest.fixture
def known(tmp_path: Path) -> KeystoreSigner:
    """A signer whose key the test knows, to look for it."""
    path = tmp_path / "known.json"
    path.write_text(json.dumps(Account.encrypt(KEY, PASSWORD.decode(), kdf="scrypt", iterations=2)))
    return KeystoreSigner(path, PASSWORD)


def test_what_was_made_can_be_opened(path: Path) -> None:
    address = create_keystore(path, PASSWORD, scrypt_n=2)
    assert KeystoreSigner(path, PASSWORD).address == address
    assert KeystoreSigner(path, SecretStr(PASSWORD.decode())).address == address
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_another_program_can_open_it(path: Path) -> None:
    address = create_keystore(path, "pässwörd".encode(), scrypt_n=2)
    key = Account.decrypt(path.read_text(), "pässwörd")
    assert Account.from_key(key).address.lower() == "0x" + address.hex()


def test_the_default_cost_is_that_of_keystores_at_rest(path: Path) -> None:
    create_keystore(path, PASSWORD)
    assert json.loads(path.read_text())["crypto"]["kdfparams"]["n"] == 2**18


def test_a_key_is_never_overwritten(path: Path) -> None:
    create_keystore(path, PASSWORD, scrypt_n=2)
    before = path.read_bytes()
    with pytest.raises(InputError, match="never overwritten"):
        create_keystore(path, PASSWORD, scrypt_n=2)
    assert path.read_bytes() == before


def test_a_race_for_the_same_name_has_one_winner(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_keystore(path, PASSWORD, scrypt_n=2)
    before = path.read_bytes()
    monkeypatch.setattr(Path, "exists", lambda _: False)
    with pytest.raises(InputError, match="never overwritten"):
        create_keystore(path, PASSWORD, scrypt_n=2)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_an_empty_password_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match="password"):
        create_keystore(path, b"", scrypt_n=2)
    assert not path.exists()


def test_the_wrong_password(path: Path) -> None:
    create_keystore(path, PASSWORD, scrypt_n=2)
    with pytest.raises(InputError, match="wrong password"):
        KeystoreSigner(path, b"wrong")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"version": 3}',
        b'{"version": 1, "crypto": {}}',
        b'{"version": 3, "crypto": {}}',
        b'{"version": 3, "crypto": 7}',
        b'{"version": 3, "crypto": {"kdf": "md5"}}',
        b'{"version": 3, "crypto": {"kdf": "scrypt", "kdfparams": {"n": 3, "r": 1, "p": 1, "dklen": 32, "salt": ""}}}',
        b"[" * 100_000,
    ],
)
def test_files_that_are_no_keystores(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"issuer\.json"):
        KeystoreSigner(path, PASSWORD)


def test_a_missing_file(path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        KeystoreSigner(path, PASSWORD)


# --- never shown ------------------------------------------------------------------------------------------------------


def _shows_key(text: str) -> bool:
    return KEY.hex() in text.lower() or repr(KEY) in text or str(int.from_bytes(KEY, "big")) in text


def test_the_key_is_not_in_any_text(known: KeystoreSigner) -> None:
    assert not _shows_key(f"{known!r} {known!s} {known} {vars(type(known))}")
    assert known.address.hex() in repr(known)
    with pytest.raises(TypeError):
        vars(known)


def test_a_signer_is_not_copied_or_pickled(known: KeystoreSigner) -> None:
    for attempt in (lambda: pickle.dumps(known), lambda: copy.copy(known), lambda: copy.deepcopy(known)):
        with pytest.raises(TypeError, match="not copied or pickled"):
            attempt()


def test_a_failed_signature_does_not_show_the_key(known: KeystoreSigner) -> None:
    with pytest.raises(InputError, match="out of range") as caught:
        known.sign_transaction(chain_id=1, nonce=-1, call=Call(CONTRACT, b""), gas=1, fees=Fees(1, 1))
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert not _shows_key("".join(shown.format()))
    assert caught.value.__cause__ is None


def test_a_wrong_password_shows_neither_password_nor_key(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps(Account.encrypt(KEY, "right", kdf="scrypt", iterations=2)))
    wrong = SecretStr(f"{2**70} is wrong")
    with pytest.raises(InputError) as caught:
        KeystoreSigner(path, wrong)
    text = "".join(traceback.format_exception(caught.value))
    assert wrong.get_secret_value() not in text
    assert not _shows_key(text)


# --- signatures -------------------------------------------------------------------------------------------------------


def test_a_transaction_is_the_one_that_was_meant(known: KeystoreSigner) -> None:
    from eth_account.typed_transactions import TypedTransaction
    from hexbytes import HexBytes

    signed = known.sign_transaction(
        chain_id=560048, nonce=7, call=Call(CONTRACT, b"\1\2"), gas=90_000, fees=Fees(30, 2)
    )
    fields = TypedTransaction.from_bytes(HexBytes(signed.raw)).as_dict()
    assert (fields["type"], fields["chainId"], fields["nonce"], fields["value"]) == (2, 560048, 7, 0)
    assert (bytes(fields["to"]), bytes(fields["data"]), fields["gas"]) == (CONTRACT, b"\1\2", 90_000)
    assert (fields["maxFeePerGas"], fields["maxPriorityFeePerGas"]) == (30, 2)
    assert bytes.fromhex(Account.recover_transaction(signed.raw)[2:]) == known.address


ISSUER = b"\xaa" * 20
CALLS: list[Any] = [
    AnchorBatch(ISSUER, b"\1" * 32, 5, 6),
    Revoke(ISSUER, (1, 2), (3, 4)),
    RevokeBatch(ISSUER, b"\1" * 32, 5, nonce=9),
    SetSuspension(ISSUER, 9, (1,), (2,), (3,)),
    SetKey(ISSUER, b"\xbb" * 20, 5, nonce=9),
    ProposeController(ISSUER, b"\xbb" * 20, nonce=9),
    AcceptController(ISSUER, nonce=9),
    SetDid(ISSUER, "did:web:example.org", b"\1" * 32, nonce=9),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: type(call).__name__)
def test_a_signature_is_good_for_nothing_else(known: KeystoreSigner, call: Any) -> None:
    import dataclasses

    good = known.sign_call(chain_id=5, contract=CONTRACT, call=call, deadline=1000)
    assert (good.signer, good.deadline, len(good.signature)) == (known.address, 1000, 65)
    assert recover_signer(good, call, chain_id=5, contract=CONTRACT) == known.address
    assert signed_by(good, call, chain_id=5, contract=CONTRACT)
    assert not signed_by(good, call, chain_id=6, contract=CONTRACT)
    assert not signed_by(good, call, chain_id=5, contract=b"\xcd" * 20)
    assert not signed_by(dataclasses.replace(good, deadline=1001), call, chain_id=5, contract=CONTRACT)
    assert not signed_by(dataclasses.replace(good, signer=ISSUER), call, chain_id=5, contract=CONTRACT)
    for field in dataclasses.fields(call):
        value = getattr(call, field.name)
        other = (
            value + 1 if isinstance(value, int)
            else b"\xee" * len(value) if isinstance(value, bytes)
            else (*value, 1) if isinstance(value, tuple)
            else value + "x"
        )  # fmt: skip
        changed = dataclasses.replace(call, **{field.name: other})
        assert not signed_by(good, changed, chain_id=5, contract=CONTRACT), field.name
    for other_call in CALLS:
        if other_call is not call:
            assert not signed_by(good, other_call, chain_id=5, contract=CONTRACT)


def test_only_the_canonical_form_of_a_signature_counts(known: KeystoreSigner) -> None:
    call = CALLS[0]
    good = known.sign_call(chain_id=5, contract=CONTRACT, call=call, deadline=1000)
    raw = good.signature
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    flipped = raw[:32] + (order - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big") + bytes([55 - raw[64]])
    for bad in (b"", raw[:64], raw + b"\0", raw[:64] + bytes([raw[64] - 27]), flipped, bytes(65), b"\xff" * 65):
        assert recover_signer(Signature(known.address, 1000, bad), call, chain_id=5, contract=CONTRACT) is None
