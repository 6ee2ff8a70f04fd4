#!/usr/bin/env python3
"""What published status lists cost: folded from the follower's tables, packed, signed.

    .venv/bin/python scripts/bench_status.py [--credentials 1000000] [--revocations 10000] [--json]

The tables are filled as the follower would fill them; no chain is asked for anything. Times are processor time.
"""

import argparse
import hashlib
import json
import tempfile
import time
from itertools import count as count_up
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from registry.core.status import ENTRIES_PER_LIST, word_and_mask
from registry.settings import Settings
from registry.store.tables import chain_batches, chain_blocks, chain_status
from registry.wiring import open_registry
from registry.wiring.installation import deploy_contract, initialise

_BATCH = 10_000
_WORDS = 200  # in one transaction
_BLOCK = 1_000_000


def measure(credentials: int = 1_000_000, revocations: int = 10_000) -> dict[str, float]:
    """Seconds, by what is done."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        initialise(settings)
        deploy_contract(settings, lambda _: None, record=False)
        with open_registry(settings) as registry:
            issuer = registry.hosting.create("bench")
            registry.context.keys.signer("bench")  # opening the key is no part of it
            lists = range((credentials - 1) // ENTRIES_PER_LIST + 1)
            found: dict[str, float] = {}

            def build(what: str) -> None:
                start = time.process_time()
                size = sum(len(registry.status_lists.current(issuer, "revocation", number)) for number in lists)
                found[what] = time.process_time() - start
                found[f"{what}, kB"] = size / 1_000

            with registry.context.database.write() as connection:
                connection.execute(insert(chain_batches), _batches(issuer.address, credentials))
                connection.execute(insert(chain_blocks), _block(0))
            build(f"{len(lists)} lists without a revocation")
            with registry.context.database.write() as connection:
                connection.execute(insert(chain_status), _revocations(issuer.address, credentials, revocations))
                connection.execute(insert(chain_blocks), _block(1))
            build(f"{len(lists)} lists with {revocations:,} scattered revocations")
            build("the same again")
            with registry.context.database.write() as connection:
                connection.execute(chain_batches.update().values(revoked_block=_BLOCK))
                connection.execute(insert(chain_blocks), _block(2))
            build(f"{len(lists)} lists with every batch voided")
            return found


def _block(number: int) -> dict[str, Any]:
    return {"number": _BLOCK + number, "hash": bytes(31) + bytes([number]), "timestamp": int(time.time())}


def _place(number: int) -> dict[str, Any]:
    return {"block_number": number, "log_index": 0}


def _batches(address: bytes, credentials: int) -> list[dict[str, Any]]:
    hashes = {"block_hash": bytes(32), "transaction": bytes(32)}
    return [
        {**_place(place + 1), **hashes, "issuer": address, "root": first.to_bytes(32), "first": first,
         "size": min(_BATCH, credentials - first)}
        for place, first in enumerate(range(0, credentials, _BATCH))
    ]  # fmt: skip


def _revocations(address: bytes, credentials: int, count: int) -> list[dict[str, Any]]:
    drawn = (int.from_bytes(hashlib.sha256(place.to_bytes(4)).digest()) % credentials for place in count_up())
    chosen = [word_and_mask(index) for index in islice(dict.fromkeys(islice(drawn, 2 * count)), count)]
    return [
        {**_place(10_000 + place // _WORDS), "position": place % _WORDS, "issuer": address, "purpose": "revocation",
         "word": word.to_bytes(32), "set_mask": mask.to_bytes(32), "clear_mask": bytes(32)}
        for place, (word, mask) in enumerate(chosen)
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="What published status lists cost.")
    parser.add_argument("--credentials", type=int, default=1_000_000)
    parser.add_argument("--revocations", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = measure(arguments.credentials, arguments.revocations)
    if arguments.json:
        print(json.dumps(found))
        return
    for what, value in found.items():
        print(f"{what:<55}{value:10.4f}")


if __name__ == "__main__":
    main()
