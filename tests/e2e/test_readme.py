"""What the README shows is what happens."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.cli import document

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BIN = Path(sys.executable).parent


def blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    environment["PATH"] = f"{BIN}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.slow
def test_a_registry_of_your_own(tmp_path: Path) -> None:
    [script] = [block for block in blocks() if "registry issue " in block]
    lines = [json.dumps(document(f"urn:example:{number}")) for number in range(3)]
    (tmp_path / "learners.ndjson").write_text("\n".join(lines))
    done = shell(script, tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    assert len(re.findall(r"^VALID ", done.stdout, re.MULTILINE)) == 3
    assert "DEVELOPMENT CHAIN" in done.stdout.upper()


def test_every_command_and_script_in_the_readme_exists() -> None:
    used = {match for block in blocks() for match in re.findall(r"\bregistry ([a-z]+)", block)}
    assert {"init", "issue", "verify", "deploy"} <= used
    for command in sorted(used):
        done = shell(f"registry {command} --help", ROOT)
        assert done.returncode == 0, done.stderr
    scripts = {match for block in blocks() for match in re.findall(r"\bscripts/([a-z_]+)", block)}
    assert {"demo", "test"} <= scripts
    for script in scripts:
        assert os.access(ROOT / "scripts" / script, os.X_OK), script


def test_every_option_of_verify_that_the_readme_shows_exists() -> None:
    shown = {option for block in blocks() for option in re.findall(r"registry verify.*?(--[a-z-]+)", block)}
    text = shell("COLUMNS=200 registry verify --help", ROOT).stdout
    for option in shown:
        assert option in text


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (ROOT / target).exists(), target
