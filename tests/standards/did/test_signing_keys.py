"""Signing keys: at rest, rotated, and silent about themselves."""

import json
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest

from registry.standards.keys import KeyRing, KeyRingError, create_key_ring, load_key_ring

DID = "did:web:example.edu:issuers:demo"
NOW = 1_790_000_000
FAST = 1 << 4


def password() -> str:
    return "correct horse"


def wrong() -> str:
    return "battery staple"


@pytest.fixture
def ring() -> KeyRing:
    return create_key_ring(DID, password, NOW, scrypt_n=FAST)


def test_there_and_back(ring: KeyRing, tmp_path: Path) -> None:
    path = tmp_path / "keys" / "demo.json"
    ring.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    again = load_key_ring(path)
    assert (again.did, again.keys) == (ring.did, ring.keys)
    signer = again.unlock(password)
    assert signer.verification_method == f"{DID}#key-1"
    assert ring.current.public_key.verifies(signer.sign(b"data"), b"data")
    assert [item.name for item in path.parent.iterdir()] == ["demo.json"]


def test_wrong_password(ring: KeyRing) -> None:
    with pytest.raises(KeyRingError, match="password"):
        ring.unlock(wrong)
    with pytest.raises(KeyRingError):
        create_key_ring(DID, lambda: "", NOW, scrypt_n=FAST)


def test_rotation(ring: KeyRing, tmp_path: Path) -> None:
    later = ring.rotated(password, NOW + 100, overlap_seconds=50)
    assert [(key.name, key.valid_from, key.valid_until, key.compromised) for key in later.keys] == [
        ("key-1", NOW, NOW + 150, False), ("key-2", NOW + 100, None, False),
    ]  # fmt: skip
    last = later.rotated(wrong, NOW + 200, overlap_seconds=0, compromised=True)
    assert last.unlock(wrong).verification_method == f"{DID}#key-3"
    assert (last.keys[1].valid_until, last.keys[1].compromised) == (NOW + 200, True)
    last.save(tmp_path / "ring.json")
    assert load_key_ring(tmp_path / "ring.json").keys == last.keys
    assert ring.current.valid_until is None  # a ring is a value


def test_rotation_that_cannot_be(ring: KeyRing) -> None:
    for options in ({"overlap_seconds": -1}, {"overlap_seconds": 5, "compromised": True}):
        with pytest.raises(KeyRingError):
            ring.rotated(password, NOW + 100, **options)  # type: ignore[arg-type]
    with pytest.raises(KeyRingError, match="later"):
        ring.rotated(password, NOW, overlap_seconds=0)


def test_nothing_secret_is_told(ring: KeyRing, tmp_path: Path) -> None:
    path = tmp_path / "ring.json"
    ring.save(path)
    signer = ring.unlock(password)
    secret = signer._key.private_bytes_raw()
    content = path.read_text()
    told = [repr(ring), repr(signer), repr(ring.keys), content]
    try:
        ring.unlock(wrong)
    except KeyRingError:
        told.append(traceback.format_exc())
    for text in told:
        assert secret.hex() not in text
        assert password() not in text
        assert wrong() not in text
    with pytest.raises(TypeError):
        pickle.dumps(signer)


def test_crash_while_writing(ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ring.json"
    ring.save(path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        ring.rotated(password, NOW + 1, overlap_seconds=0).save(path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["ring.json"]


def change(content: dict[str, Any], pointer: str, value: object) -> None:
    *parents, last = pointer.split("/")
    at: Any = content
    for name in parents:
        at = at[int(name) if isinstance(at, list) else name]
    if value is None:
        del at[last]
    else:
        at[last] = value


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("type", "Other"), ("version", 2), ("version", True), ("did", "x"), ("keys", []), ("more", 1), ("did", None),
        ("keys/0/name", "key-2"), ("keys/0/validUntil", "2030-01-01T00:00:00Z"), ("keys/0/publicKeyMultibase", "z"),
        ("keys/0/publicKeyMultibase", "zDnaepBuvsQ8cpsWrVKw8fbpGpvPeNSjVPTWoq6cRqaYzBKVP"),
        ("current/n", 3), ("current/n", 1 << 30), ("current/salt", "AA"), ("current/kdf", "none"), ("current/r", 1),
    ],
)  # fmt: skip
def test_file_that_is_none(ring: KeyRing, tmp_path: Path, pointer: str, value: object) -> None:
    path = tmp_path / "ring.json"
    ring.save(path)
    content = json.loads(path.read_bytes())
    change(content, pointer, value)
    path.write_text(json.dumps(content))
    with pytest.raises(KeyRingError):
        load_key_ring(path)


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("did", "did:web:evil.example"),
        ("keys/0/publicKeyMultibase", "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"),
        ("current/ciphertext", "A" * 64),
        ("current/nonce", "A" * 16),
        ("current/n", 32),
    ],
)
def test_file_that_was_changed(ring: KeyRing, tmp_path: Path, pointer: str, value: object) -> None:
    path = tmp_path / "ring.json"
    ring.save(path)
    content = json.loads(path.read_bytes())
    change(content, pointer, value)
    path.write_text(json.dumps(content))
    with pytest.raises(KeyRingError):
        load_key_ring(path).unlock(password)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyRingError, match="no file"):
        load_key_ring(tmp_path / "none.json")
    (tmp_path / "text").write_text("{")
    with pytest.raises(KeyRingError, match="cannot be read"):
        load_key_ring(tmp_path / "text")
