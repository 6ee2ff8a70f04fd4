"""One issuer on loopback for each test module that asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.interop import Issuer, Loopback


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    folder: Path = tmp_path_factory.mktemp("loopback")
    host = Loopback(folder)
    try:
        yield Issuer(host)
    finally:
        host.stop()
