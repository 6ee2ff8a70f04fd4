"""anvil for a whole module: one registry is founded, and each fraud gets a copy of it."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

NPM = Path(__file__).parents[3] / "contracts/node_modules/@foundry-rs"


@dataclass
class Running:
    url: str
    process: subprocess.Popen[str]


@pytest.fixture(scope="module")
def anvil_for_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Running]]:
    found = sorted(NPM.glob("anvil-*/bin/anvil*"))
    if not found:
        message = "no anvil: run `npm ci` in contracts/"
        if os.environ.get("REQUIRE_NPM") == "1":
            pytest.fail(message)
        pytest.skip(message)
    running: list[Running] = []

    def start(chain_id: int) -> Running:
        log = tmp_path_factory.mktemp("anvil") / "log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [found[0], "--host", "127.0.0.1", "--port", "0", "--chain-id", str(chain_id)],
                stdout=output, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
        while not (match := re.search(r"Listening on (127\.0\.0\.1:\d+)", log.read_text())):
            assert process.poll() is None, log.read_text()
        running.append(Running(f"http://{match[1]}", process))
        return running[-1]

    yield start
    for item in running:
        item.process.kill()
        item.process.wait()
