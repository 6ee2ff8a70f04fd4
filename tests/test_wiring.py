"""Putting the parts together: the embedded chain between processes, keys, and what a database belongs to."""

import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from anchors.base import ChainUnreachable
from registry.core.errors import InputError
from registry.core.model import IssuerPin, Policy
from registry.service.errors import ConflictError, NotReadyError
from registry.settings import Settings, load_settings
from registry.store.database import DatabaseError
from registry.wiring import open_registry
from registry.wiring.embedded import EmbeddedNode
from registry.wiring.files import write_if_changed
from registry.wiring.installation import initialise
from registry.wiring.keys import find_password, make_password, operator_file
from registry.wiring.trust import with_pins

CHAIN_ID = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path / "data", environment={})


# --- the embedded chain -----------------------------------------------------------------------------------------------


def test_the_first_one_has_the_chain_and_answers_the_second(tmp_path: Path) -> None:
    first, second = EmbeddedNode(tmp_path), EmbeddedNode(tmp_path)

    assert b"result" in first.post(CHAIN_ID, 5)
    assert b"result" in second.post(CHAIN_ID, 5)
    assert first.url() == second.url()
    second.stop()
    first.stop()


def test_the_second_one_goes_on_when_the_first_one_ends(tmp_path: Path) -> None:
    first, second = EmbeddedNode(tmp_path), EmbeddedNode(tmp_path)
    first.post(CHAIN_ID, 5)
    second.post(CHAIN_ID, 5)

    first.stop()

    assert b"result" in second.post(CHAIN_ID, 5)
    second.stop()
    assert not (tmp_path / "rpc-url").exists()


def test_a_stale_address_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "rpc-url").write_text("http://127.0.0.1:9")
    node = EmbeddedNode(tmp_path)

    assert b"result" in node.post(CHAIN_ID, 5)
    node.stop()


@pytest.mark.parametrize("content", ["http://127.0.0.1:9", "http://elsewhere.example", None])
def test_a_holder_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None) -> None:
    monkeypatch.setattr("registry.wiring.embedded._PATIENCE_SECONDS", 0.2)
    first, second = EmbeddedNode(tmp_path), EmbeddedNode(tmp_path)
    first.open()
    if content is None:
        (tmp_path / "rpc-url").unlink()
    else:
        (tmp_path / "rpc-url").write_text(content)

    with pytest.raises(ChainUnreachable):
        second.post(CHAIN_ID, 1)
    second.stop()
    first.stop()


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_made_up_password_stays(settings: Settings) -> None:
    path = make_password(settings)

    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
    assert make_password(settings) is None
    assert find_password(settings).get_secret_value() == path.read_text().strip()


def test_a_password_file_may_end_with_a_line_feed(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b" with spaces \r\n")

    found = find_password(settings.model_copy(update={"keystore_password_file": tmp_path / "password"}))

    assert found.get_secret_value() == " with spaces "


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff"])
def test_a_password_file_that_cannot_be_used(settings: Settings, tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "password").write_bytes(content)

    with pytest.raises(InputError, match="KEYSTORE_PASSWORD_FILE"):
        find_password(settings.model_copy(update={"keystore_password_file": tmp_path / "password"}))


def test_the_password_is_in_no_repr_and_no_log(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    secret = "correct horse battery staple"
    given = settings.model_copy(update={"keystore_password": SecretStr(secret)})
    with caplog.at_level(logging.DEBUG):
        initialise(given)
        with open_registry(given) as registry:
            issuer = registry.hosting.create("uni")
            assert secret not in repr((given, registry, registry.operator, registry.hosting, issuer))

    assert secret not in caplog.text
    for path in given.data_dir.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_a_keystore_is_opened_only_to_sign(settings: Settings) -> None:
    initialise(settings)
    (settings.keystores_dir / "password").unlink()

    with open_registry(settings) as registry:
        assert len(registry.operator.address) == 20
        with pytest.raises(InputError, match="password"):
            registry.worker()


def test_a_keystore_that_holds_another_key_than_it_says(settings: Settings) -> None:
    initialise(settings)
    path = settings.keystores_dir / "operator.json"
    keystore = json.loads(path.read_text())
    path.write_text(json.dumps(keystore | {"address": "11" * 20}))

    with pytest.raises(InputError, match="another key"):
        operator_file(settings).unlock()


# --- what a database belongs to ---------------------------------------------------------------------------------------


def test_nothing_there(settings: Settings) -> None:
    with pytest.raises(NotReadyError, match="registry init"):
        open_registry(settings)
    assert not settings.data_dir.exists()


def test_opening_asks_no_node(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    initialise(settings)
    monkeypatch.setattr(EmbeddedNode, "post", lambda *_: pytest.fail("asked"))

    with open_registry(settings) as registry:
        assert registry.policy().chains[0].contract == registry.binding.contract


def test_another_contract_is_refused(settings: Settings) -> None:
    initialise(settings)

    with pytest.raises(ConflictError) as caught:
        open_registry(settings.model_copy(update={"contract": "0x" + "11" * 20}))

    assert caught.value.code == "other_contract"


def test_a_database_that_names_no_contract_any_more(settings: Settings) -> None:
    initialise(settings)
    for value in ("", "[]", '{"chain_id": 1}', '{"chain_id": 1, "contract": 5, "code_hash": "00"}'):
        with closing(sqlite3.connect(settings.data_dir / "registry.sqlite")) as connection, connection:
            assert connection.execute("UPDATE properties SET value = ? WHERE name = 'binding'", (value,)).rowcount
        with pytest.raises(DatabaseError, match="Restore a backup"), open_registry(settings):
            pass


def test_a_node_of_another_chain_is_refused(settings: Settings) -> None:
    initialise(settings)

    with pytest.raises(ConflictError) as caught:
        open_registry(settings.model_copy(update={"rpc_urls": (SecretStr("http://127.0.0.1:9"),), "chain_id": 1}))

    assert caught.value.code == "other_chain"


def test_the_embedded_chain_can_be_used_as_a_node(settings: Settings) -> None:
    initialise(settings)
    node = EmbeddedNode(settings.chain_dir)
    given = settings.model_copy(update={"rpc_urls": (SecretStr(node.url()),)})

    with open_registry(given) as registry:
        assert registry.context.chain.check() == registry.binding.code_hash
    node.stop()


def test_initialising_killed_after_the_keystore_goes_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("registry.wiring.installation._deploy_embedded", _broken)
        with pytest.raises(ZeroDivisionError):
            initialise(settings)
    address = operator_file(settings).address

    made = initialise(settings)

    assert made.operator == address
    assert made.binding is not None


def _broken(*_: object) -> None:
    raise ZeroDivisionError


# --- trust ------------------------------------------------------------------------------------------------------------


def test_a_policy_file_keeps_its_pins(settings: Settings, tmp_path: Path) -> None:
    initialise(settings)
    with open_registry(settings) as registry:
        issuer = registry.hosting.create("uni")
        other = IssuerPin("did:web:pinned.example", issuer.address)
    with open_registry(settings) as registry:
        (tmp_path / "policy.json").write_text(
            '{"version": 1, "chains": [], "issuers": [{"did": "did:web:pinned.example", "address": "0x'
            + issuer.address.hex()
            + '"}], "clockSkewSeconds": 60, "maxEvidenceAgeSeconds": 60}'
        )
    with open_registry(settings.model_copy(update={"policy_file": tmp_path / "policy.json"})) as registry:
        assert registry.policy().issuers == (other,)
        assert registry.policy().chains == ()


def test_pins_on_the_command_line_win() -> None:
    old, new = IssuerPin("did:web:a.example", b"\1" * 20), IssuerPin("did:web:b.example", b"\1" * 20)

    assert with_pins(Policy((), (old,)), [new]).issuers == (old,)
    assert with_pins(Policy((), (old,)), [new], instead=True).issuers == (new,)


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_is_there_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "a.json"
    assert write_if_changed(path, b"one") is True
    assert write_if_changed(path, b"one") is False
    assert path.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(Path, "replace", _broken)

    with pytest.raises(ZeroDivisionError):
        write_if_changed(path, b"two")

    assert path.read_bytes() == b"one"
    assert [item.name for item in path.parent.iterdir()] == ["a.json"]
