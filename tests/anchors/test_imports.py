"""What importing this package does, and does not do, to a process."""

import subprocess
import sys

import pytest


def _run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("module", ["anchors.ethereum", "anchors.networks", "anchors.artifact", "anchors.deployments"])
def test_the_slow_libraries_are_imported_late(module: str) -> None:
    slow = _run(
        f"import sys, {module}; print([name for name in ('web3', 'eth_account', 'eth') if name in sys.modules])"
    )
    assert slow == "[]"


def test_the_recursion_limit_stays_where_it_was() -> None:
    code = """
import sys, tempfile
from pathlib import Path
before = sys.getrecursionlimit()
from anchors.devchain import DevChain
from anchors.ethereum import EthereumChain
from anchors.base import AnchorBatch
with DevChain(Path(tempfile.mkdtemp())) as chain:
    chain.account.sign_call(
        chain_id=1, contract=bytes(20), call=AnchorBatch(bytes(20), bytes(32), 0, 1), deadline=1
    )
    EthereumChain([chain], 1, bytes(20)).encode(AnchorBatch(bytes(20), bytes(32), 0, 1))
print(sys.getrecursionlimit() == before, "py_ecc" in sys.modules)
"""
    assert _run(code) == "True True"
