"""Fixtures of the contract tests. Each test gets the contract freshly deployed, in an EVM of its own."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from contract_evm import Registry, deploy


@pytest.fixture(scope="session")
def deployed() -> Registry:
    return deploy()


@pytest.fixture
def registry(deployed: Registry) -> Registry:
    return deployed.copy()
