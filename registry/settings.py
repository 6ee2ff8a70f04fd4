"""The installation's settings: from the command line, the environment (``REGISTRY_…``), or a TOML file, in this order.

Every setting is described in docs/operating.md; a test keeps the two in step.
"""

import os
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError
from pydantic_settings.sources import InitSettingsSource, TomlConfigSettingsSource

from registry.core.errors import InputError

__all__ = ["ENV_PREFIX", "Settings", "is_loopback", "load_settings"]

ENV_PREFIX = "REGISTRY_"
_LARGEST_BATCH = 1 << 24  # the contract's own limit
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


class Settings(BaseSettings):
    """Frozen; secrets are typed as secrets, so that neither a repr nor an error shows them."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True, env_ignore_empty=True
    )

    data_dir: Path = Path("registry-data")
    config: Path | None = None
    database_url: SecretStr | None = None

    # The chain. URLs of nodes carry API keys.
    rpc_urls: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    chain_id: int | None = Field(None, gt=0, lt=2**53)
    contract: str | None = None
    confirmations: int | None = Field(None, ge=0, le=10_000)
    max_fee_gwei: float = Field(100.0, gt=0, le=1_000_000)
    rpc_timeout_seconds: float = Field(15.0, gt=0, le=600)
    poll_seconds: float = Field(3.0, gt=0, le=3_600)
    stuck_seconds: int = Field(180, ge=1)
    networks_file: Path | None = None
    policy_file: Path | None = None

    # What verification may ask others for: DID documents (did:web) and status lists.
    fetch_documents: bool = True
    fetch_loopback: bool = False
    did_documents: Path | None = None

    # Promises to issuers.
    public_url: str = "http://127.0.0.1:8000"
    batch_max_size: int = Field(10_000, ge=1, le=_LARGEST_BATCH)
    batch_max_age_seconds: int = Field(3_600, ge=0)
    promise_seconds: int = Field(86_400, ge=1)
    reservation_seconds: int = Field(3_600, ge=1)

    # What is taken in.
    open_badges_only: bool = True
    allow_unmapped: bool = False
    hide_emails: bool = True
    signing_processes: int = Field(0, ge=0, le=256)

    # The registry's audits of itself.
    audit_seconds: int = Field(86_400, ge=0)

    # Keys.
    keystore_password: SecretStr | None = None
    keystore_password_file: Path | None = None

    # The server.
    host: str = "127.0.0.1"
    vc_api_issuer: str | None = None
    port: int = Field(8000, ge=0, le=65_535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("rpc_urls", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("contract")
    @classmethod
    def _check_contract(cls, value: str | None) -> str | None:
        if value is not None and not _ADDRESS.fullmatch(value):
            raise ValueError("must be an address: 0x and 40 hexadecimal digits")
        return value.lower() if value else None

    @field_validator("public_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ValueError("must be an http(s) address without query and fragment")
        return value.rstrip("/")

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_together(self) -> "Settings":
        if self.promise_seconds < self.batch_max_age_seconds:
            raise ValueError("PROMISE_SECONDS is below BATCH_MAX_AGE_SECONDS: the promise could not be kept")
        if self.promise_seconds < self.reservation_seconds:
            raise ValueError("PROMISE_SECONDS is below RESERVATION_SECONDS: the promise could not be kept")
        if self.keystore_password is not None and self.keystore_password_file is not None:
            raise ValueError("set KEYSTORE_PASSWORD or KEYSTORE_PASSWORD_FILE, not both")
        if self.vc_api_issuer is not None and not is_loopback(self.host):
            raise ValueError("VC_API_ISSUER lets anybody issue: it is for a loopback HOST only")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = init_settings.init_kwargs.get("config") if isinstance(init_settings, InitSettingsSource) else None
        if file is None:
            return init_settings, env_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=file)

    # where things lie

    @property
    def chain_dir(self) -> Path:
        """The embedded development chain."""
        return self.data_dir / "chain"

    @property
    def keystores_dir(self) -> Path:
        return self.data_dir / "keystores"

    @property
    def deployments_dir(self) -> Path:
        return self.data_dir / "deployments"

    @property
    def contract_address(self) -> bytes | None:
        return bytes.fromhex(self.contract[2:]) if self.contract else None

    @property
    def uses_embedded_chain(self) -> bool:
        """Whether the development chain in the data folder is used, because no node is named."""
        return not self.rpc_urls

    @property
    def database(self) -> str:
        """SQLAlchemy's URL of the database; it may hold a password."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'registry.sqlite'}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server on that host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load_settings(
    data_dir: Path | None = None, config: Path | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Reads the settings; raises InputError that names the setting which cannot be used, and never shows a value.

    ``data_dir`` and ``config`` come from the command line. Without ``config``, REGISTRY_CONFIG names the TOML file, and
    otherwise ``registry.toml`` in the data folder is read if it is there.
    """
    given = os.environ if environment is None else environment
    known = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name in sorted(given):
        if name.startswith(ENV_PREFIX) and name.upper() not in known:
            raise InputError(f"There is no setting {name}. docs/operating.md lists all settings.")
    named = config or (Path(given[f"{ENV_PREFIX}CONFIG"]) if given.get(f"{ENV_PREFIX}CONFIG") else None)
    if named is not None and not named.is_file():
        raise InputError(f"There is no settings file {named} (from --config or {ENV_PREFIX}CONFIG).")
    folder = data_dir or Path(given.get(f"{ENV_PREFIX}DATA_DIR") or Settings.model_fields["data_dir"].default)
    file = named or (folder / "registry.toml" if (folder / "registry.toml").is_file() else None)
    values: dict[str, Any] = {} if data_dir is None else {"data_dir": data_dir}
    if file is not None:
        values["config"] = file
    try:
        return Settings(**values)
    except ValidationError as error:
        raise InputError("; ".join(_explain(item, file) for item in error.errors(include_input=False))) from None
    except SettingsError as error:
        raise InputError(f"The settings cannot be read: {error}.") from None
    except (OSError, ValueError) as error:  # the TOML file
        raise InputError(f"The settings file {file} cannot be read: {error}.") from None


def _explain(error: Any, file: Path | None) -> str:
    where = f" (environment or {file})" if file else ""
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return f"Settings{where}: {message}."
    name = str(error["loc"][0]).upper()
    if error["type"] == "extra_forbidden":
        return f"There is no setting {name.lower()!r} in {file}; docs/operating.md lists all settings."
    return f"The setting {ENV_PREFIX}{name}{where} cannot be used: {message[:1].lower()}{message[1:]}."
