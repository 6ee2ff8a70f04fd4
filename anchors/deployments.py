"""Where the contract has been deployed, as data: one JSON file for each chain.

The repository's own deployments ship with the package; an operator's are written into a data folder and come first.
"""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from anchors.artifact import contract_files
from registry.core.errors import InputError

__all__ = ["Deployment", "find_deployment", "load_deployments", "save_deployment"]


@dataclass(frozen=True, slots=True)
class Deployment:
    """The contract on one chain. ``block_number`` and ``transaction`` are None where no node could tell (any more)."""

    chain_id: int
    address: bytes
    code_hash: bytes
    block_number: int | None
    transaction: bytes | None


def load_deployments(folder: Path | None = None) -> dict[int, Deployment]:
    """All recorded deployments by chain id; those in ``folder`` (if given) before the shipped ones.

    Raises ``InputError`` naming the file that cannot be read.
    """
    found: dict[int, Deployment] = {}
    for place in (contract_files("deployments"), folder):
        for path in sorted(place.glob("*.json")) if place is not None and place.is_dir() else ():
            deployment = _parse(path)
            found[deployment.chain_id] = deployment
    return found


def find_deployment(chain_id: int, folder: Path | None = None) -> Deployment | None:
    """The deployment on that chain, None if none is recorded."""
    return load_deployments(folder).get(chain_id)


def save_deployment(deployment: Deployment, folder: Path) -> Path:
    """Writes ``<chain id>.json``; killed at any line, the old file or the new one is there."""
    fields = {
        "contractName": "CredentialRegistry",
        "chainId": deployment.chain_id,
        "address": "0x" + deployment.address.hex(),
        "codeHash": "0x" + deployment.code_hash.hex(),
        "blockNumber": deployment.block_number,
        "transaction": None if deployment.transaction is None else "0x" + deployment.transaction.hex(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{deployment.chain_id}.json"
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(fields, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def _parse(path: Path) -> Deployment:
    try:
        fields = json.loads(path.read_bytes())
        deployment = Deployment(
            chain_id=_number(fields["chainId"]),
            address=_bytes(fields["address"], 20),
            code_hash=_bytes(fields["codeHash"], 32),
            block_number=None if fields.get("blockNumber") is None else _number(fields["blockNumber"]),
            transaction=None if fields.get("transaction") is None else _bytes(fields["transaction"], 32),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a record of a deployment ({error}): remove it, or deploy again") from error
    if path.stem != str(deployment.chain_id):
        raise InputError(f"{path} is about chain {deployment.chain_id}: its name has to be {deployment.chain_id}.json")
    return deployment


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        msg = f"{value!r} is not a number"
        raise ValueError(msg)
    return value


def _bytes(value: str, length: int) -> bytes:
    decoded = bytes.fromhex(value.removeprefix("0x"))
    if len(decoded) != length:
        msg = f"{value!r} does not have {length} bytes"
        raise ValueError(msg)
    return decoded
