"""The files of signing keys, with several hands on them."""

import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from registry.settings import Settings
from registry.standards.keys import KeyRingError
from registry.wiring.keys import SigningKeyFiles

DID = "did:web:registry.example:issuers:acme"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, keystore_password=SecretStr("password"))


def test_of_two_that_make_a_ring_at_once_both_find_the_same(settings: Settings) -> None:
    gate, found = threading.Barrier(4), list[bytes]()

    def make() -> None:
        gate.wait()
        found.append(SigningKeyFiles(settings).create("acme", DID, 1).current.public_key.raw)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert set(found) == {SigningKeyFiles(settings).ring("acme").current.public_key.raw}


def test_a_mistyped_password_does_not_replace_the_key(settings: Settings) -> None:
    keys = SigningKeyFiles(settings)
    keys.create("acme", DID, 1)
    mistyped = SigningKeyFiles(settings.model_copy(update={"keystore_password": SecretStr("pasword")}))
    with pytest.raises(KeyRingError):
        mistyped.rotate("acme", 2, overlap_seconds=0)
    assert keys.signer("acme").verification_method == f"{DID}#key-1"
    mistyped.rotate("acme", 2, overlap_seconds=0, compromised=True)  # the way on where the password is lost
    assert mistyped.signer("acme").verification_method == f"{DID}#key-2"
