"""One prepared data folder for all tests of a process; each test works on its own copy."""

import json
import os
import shutil
from pathlib import Path

import pytest

from support.cli import Cli, document, run

CREDENTIALS = 12


@pytest.fixture(autouse=True)
def _clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("REGISTRY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry on the embedded chain: issuer "uni", credentials in one final batch, bundles in DIR/bundles."""
    folder = tmp_path_factory.mktemp("prepared")
    data = folder / "data"
    lines = folder / "lines.ndjson"
    lines.write_text("".join(json.dumps(document(number)) + "\n" for number in range(CREDENTIALS)))
    for arguments in (
        ("init",),
        ("issuer", "create", "uni"),
        ("issue", lines),
        ("seal",),
        ("worker", "--once"),
        ("bundle", "--all", data / "bundles"),
    ):
        answer = run(*arguments, "--data", data)
        assert answer.exit_code == 0, answer
    return data


@pytest.fixture
def data(_prepared: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "data"
    shutil.copytree(_prepared, copy)
    return copy


@pytest.fixture
def bundle(data: Path) -> Path:
    return sorted((data / "bundles").glob("*.json"))[0]


@pytest.fixture
def cli(data: Path) -> Cli:
    """Runs a command on the prepared folder."""
    return lambda *arguments, **more: run(*arguments, "--data", data, **more)
