"""Every code and element that the document standards give out stands in its page under docs/spec."""

import re
from pathlib import Path

from registry.standards.baking import BakingError
from registry.standards.eu import ELEMENTS, FACT_NAMES
from registry.standards.statuslist import ListCode

ROOT = Path(__file__).parents[3]


def _page(name: str) -> str:
    return (ROOT / "docs/spec" / name).read_text(encoding="utf-8")


def _first_cells(name: str) -> set[str]:
    return set(re.findall(r"^\| `([a-z_0-9]+)` \|", _page(name), re.MULTILINE))


def _codes_in_source(folder: str, pattern: str) -> set[str]:
    sources = (ROOT / "registry/standards" / folder).glob("*.py")
    return {code for source in sources for code in re.findall(pattern, source.read_text(encoding="utf-8"))}


def test_codes_of_badge_faults() -> None:
    found = _codes_in_source("openbadges", r'(?:faults\.add\(.*?, (?="[a-z_]+", )|Rule\.[A-Z_]+, )"([a-z_]+)"')
    assert "missing" in found
    assert "country" in found
    assert _first_cells("open-badges.md") - {"pointer", "code", "message", "rule"} == found


def test_codes_of_status_lists() -> None:
    page = _page("status-list.md")
    assert all(f"`{code}`" in page for code in ListCode)


def test_codes_of_baking() -> None:
    found = _codes_in_source("baking", r'BakingError\(\s*"([a-z_0-9]+)"')
    assert _first_cells("baking.md") == found
    assert BakingError.__doc__ is not None
    assert all(code in BakingError.__doc__ for code in found)


def test_elements_and_facts_of_micro_credentials() -> None:
    assert _first_cells("eu-micro-credential.md") == {element.name for element in ELEMENTS}
    assert all(f"`{name}`" in _page("eu-micro-credential.md") for name in FACT_NAMES)
