"""A registry on a fake chain behind a real HTTP server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.api.app import create_app
from support.house import open_house
from support.served import Api, Client, FakeRegistry, Server

OpenApi = Callable[..., Api]


@pytest.fixture(scope="module")
def open_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenApi]:
    """Opens registries; ``run_worker`` and the house's options are passed on."""
    opened: list[Api] = []

    def open_(run_worker: bool = False, folder: Path | None = None, **options: Any) -> Api:
        house = open_house(folder or tmp_path_factory.mktemp("registry"), **options)
        registry = FakeRegistry(house)
        app = create_app(registry, run_worker=run_worker)
        opened.append(Api(house, registry, app, Server(app)))
        return opened[-1]

    yield open_
    for api in opened:
        api.close()


@pytest.fixture(scope="module")
def api(open_api: OpenApi) -> Api:
    """One registry for all tests of a module; each test makes issuers of its own."""
    return open_api()


@pytest.fixture
def issuer(api: Api) -> Client:
    return api.new_issuer()
