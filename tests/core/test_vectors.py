"""The vectors below tests/vectors: one file for each attack or accident, with the answer that it must get."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import core_cases
import core_world
import make_vectors
import pytest

from registry.core import errors
from registry.core.bundle import parse_bundle
from registry.core.errors import InputError, ProofError
from registry.core.merkle import verify_inclusion
from registry.core.policy import parse_policy
from registry.core.verify import verify

VECTORS = Path(__file__).parents[1] / "vectors"


def names(kind: str) -> list[str]:
    return sorted(path.stem for path in (VECTORS / kind).glob("*.json"))


def load(kind: str, name: str) -> dict[str, Any]:
    vector: dict[str, Any] = json.loads((VECTORS / kind / f"{name}.json").read_bytes())
    return vector


def test_files_are_what_the_script_writes() -> None:
    assert make_vectors.differences() == [], "run scripts/make_vectors"


@pytest.mark.parametrize("name", names("verdict"))
def test_verdict(name: str) -> None:
    vector = load("verdict", name)
    verdict = verify(
        parse_bundle(json.dumps(vector["bundle"]).encode()),
        core_world.evidence_from_json(vector["evidence"]),
        parse_policy(json.dumps(vector["policy"]).encode()),
        vector["now"],
        vector.get("at"),
    )
    found = {check.name: f"{check.outcome} {check.code}" for check in verdict.checks}
    assert found == vector["expect"]["checks"]
    assert verdict.status == vector["expect"]["status"]
    assert list(found) == list(core_cases.FINE)


@pytest.mark.parametrize("name", names("refused"))
def test_refused(name: str) -> None:
    vector = load("refused", name)
    data = base64.b64decode(vector["base64"]) if "base64" in vector else vector["text"].encode()
    expect = vector["expect"]
    with pytest.raises(InputError, match=re.escape(expect["message"])) as caught:
        parse_bundle(data)
    assert type(caught.value) is getattr(errors, expect["error"])
    assert getattr(caught.value, "pointer", None) == expect.get("pointer")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", names("proof"))
def test_proof(name: str) -> None:
    vector = load("proof", name)
    arguments = (
        bytes.fromhex(vector["leafHash"]),
        vector["leafIndex"],
        vector["treeSize"],
        [bytes.fromhex(sibling) for sibling in vector["path"]],
        bytes.fromhex(vector["root"]),
    )
    message = vector["expect"]["error"]
    if message is None:
        verify_inclusion(*arguments)
    else:
        with pytest.raises(ProofError, match=re.escape(message)):
            verify_inclusion(*arguments)
