"""Settings: where they come from, and what is refused."""

from pathlib import Path

import pytest

from registry.core.errors import InputError
from registry.settings import Settings, load_settings

OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"


def test_every_setting_is_documented() -> None:
    text = OPERATING.read_text(encoding="utf-8")

    assert [name for name in Settings.model_fields if f"| `{name.upper()}` |" not in text] == []


def test_no_setting_is_documented_that_is_not_there() -> None:
    rows = [line for line in OPERATING.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    settings = [row.split("`")[1] for row in rows if row.split("`")[1].isupper()]

    assert sorted(settings) == sorted(name.upper() for name in Settings.model_fields)


def test_the_command_line_wins_over_the_environment_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.toml").write_text('port = 1\nhost = "::1"\npublic_url = "https://a.example/x/"\n')
    monkeypatch.setenv("REGISTRY_PORT", "2")
    monkeypatch.setenv("REGISTRY_DATA_DIR", "elsewhere")

    settings = load_settings(tmp_path, tmp_path / "a.toml")

    assert (settings.port, settings.host, settings.data_dir) == (2, "::1", tmp_path)
    assert settings.public_url == "https://a.example/x"


def test_urls_of_nodes_are_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_RPC_URLS", "https://a.example/key-one, https://b.example/key-two")
    monkeypatch.setenv("REGISTRY_DATABASE_URL", "postgresql+psycopg://user:key-three@db/registry")

    settings = load_settings()

    assert [url.get_secret_value() for url in settings.rpc_urls] == [
        "https://a.example/key-one", "https://b.example/key-two",
    ]  # fmt: skip
    assert "key-" not in repr(settings)
    assert "key-" not in settings.model_dump_json()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "http"),
        ("CONTRACT", "0x12"),
        ("PUBLIC_URL", "example.org"),
        ("PUBLIC_URL", "https://example.org/?a=b"),
        ("BATCH_MAX_SIZE", "0"),
        ("BATCH_MAX_SIZE", str(2**24 + 1)),
        ("CONFIRMATIONS", "-1"),
        ("CHAIN_ID", "0"),
        ("LOG_LEVEL", "LOUD"),
        ("POLL_SECONDS", "nan"),
        ("MAX_FEE_GWEI", "-1"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"REGISTRY_{name}", value)

    with pytest.raises(InputError, match=f"REGISTRY_{name}"):
        load_settings()


def test_a_promise_that_sealing_cannot_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_PROMISE_SECONDS", "60")

    with pytest.raises(InputError, match="PROMISE_SECONDS"):
        load_settings()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_issuing_without_a_key_is_for_this_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("REGISTRY_VC_API_ISSUER", "suite")
    monkeypatch.setenv("REGISTRY_HOST", host)

    assert load_settings().vc_api_issuer == "suite"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "registry.example", "localhost.example", ""])  # noqa: S104
def test_issuing_without_a_key_is_for_no_other_machine(host: str) -> None:
    with pytest.raises(ValueError, match="loopback HOST only"):
        Settings(vc_api_issuer="suite", host=host)


def test_an_unknown_name_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "registry.toml").write_text("prot = 1\n")

    with pytest.raises(InputError, match="'prot'"):
        load_settings(tmp_path)


def test_a_file_that_is_not_toml(tmp_path: Path) -> None:
    (tmp_path / "registry.toml").write_text("port 1\n")

    with pytest.raises(InputError, match=r"registry\.toml"):
        load_settings(tmp_path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.toml"):
        load_settings(tmp_path, tmp_path / "nothing.toml")


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1  # type: ignore[misc]
