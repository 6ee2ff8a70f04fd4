"""The demo is run once for all tests of a process."""

import os
import pickle
from pathlib import Path

import pytest
from filelock import FileLock

from registry.demo.narration import Silence
from registry.demo.result import DemoResult
from registry.demo.run import run_demo
from registry.settings import load_settings


@pytest.fixture(autouse=True)
def _clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("REGISTRY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> DemoResult:
    """What the demo finds on its own input; one process of a parallel run finds it out, the others wait for it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    answer = shared / "demo-result"
    with FileLock(shared / "demo-result.lock"), pytest.MonkeyPatch.context() as patch:
        if not answer.exists():
            for name in list(os.environ):
                if name.startswith("REGISTRY_"):
                    patch.delenv(name)
            answer.write_bytes(pickle.dumps(run_demo(load_settings(shared / "demo-data"), Silence())))
        result: DemoResult = pickle.loads(answer.read_bytes())
    return result
