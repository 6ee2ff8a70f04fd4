"""The contract as data: ABI, bytecode and code hash, from the repository or from the installed package."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from registry.core.errors import InputError

__all__ = ["Artifact", "contract_files", "load_artifact"]

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Artifact:
    """``bytecode`` creates the contract, ``code_hash`` is the keccak-256 of what then stands on the chain."""

    name: str
    abi: Sequence[Mapping[str, Any]]
    bytecode: bytes
    deployed_bytecode: bytes
    code_hash: bytes


def contract_files(kind: str) -> Path:
    """The folder "artifacts" or "deployments": beside the sources in a checkout, inside the package in a wheel."""
    packaged = _HERE / "_contracts" / kind
    return packaged if packaged.is_dir() else _HERE.parent / "contracts" / kind


@cache
def load_artifact(name: str = "CredentialRegistry") -> Artifact:
    """Raises ``InputError`` if the artifact is missing or damaged: the installation is not complete."""
    path = contract_files("artifacts") / f"{name}.json"
    try:
        fields = json.loads(path.read_bytes())
        return Artifact(
            name=name,
            abi=tuple(fields["abi"]),
            bytecode=bytes.fromhex(fields["bytecode"].removeprefix("0x")),
            deployed_bytecode=bytes.fromhex(fields["deployedBytecode"].removeprefix("0x")),
            code_hash=bytes.fromhex(fields["codeHash"].removeprefix("0x")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"the contract's artifact {path} is missing or damaged; install the package again") from error
