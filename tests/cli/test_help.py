"""Every command and option explains itself, and docs/operating.md knows every command."""

import re
from pathlib import Path

import pytest
import typer

from registry.cli import app
from support.cli import run

OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"


def commands(group: object, prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        if hasattr(command, "commands"):
            found |= commands(command, f"{prefix}{name} ")
        else:
            found[f"{prefix}{name}"] = command
    return found


COMMANDS = commands(typer.main.get_command(app))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_of_every_command(name: str) -> None:
    answer = run(*name.split(), "--help")

    assert answer.exit_code == 0
    assert "--json" in answer.stdout
    assert "--data" in answer.stdout
    assert "--config" in answer.stdout


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_is_explained(name: str) -> None:
    unexplained = [
        parameter.name
        for parameter in COMMANDS[name].params  # type: ignore[attr-defined]
        if not getattr(parameter, "help", None)
    ]

    assert unexplained == []


def test_every_command_is_documented() -> None:
    text = OPERATING.read_text(encoding="utf-8")

    assert [name for name in COMMANDS if not re.search(rf"`registry {name}[ `]", text)] == []


def test_no_command_is_documented_that_is_not_there() -> None:
    table = [line for line in OPERATING.read_text(encoding="utf-8").splitlines() if line.startswith("| `registry ")]
    named = {match for line in table for match in re.findall(r"`registry ([a-z ]+)", line.split("|")[1])}

    assert {name.strip() for name in named} == set(COMMANDS)


def test_without_arguments_it_shows_the_commands() -> None:
    answer = run()

    assert "issue" in answer.stdout
