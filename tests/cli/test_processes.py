"""Real processes beside each other: a server with its worker, and commands on the same folder."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from support.cli import document

COMMAND = [sys.executable, "-c", "from registry.cli import main; main()"]
PATIENCE = 60


def run_process(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@contextmanager
def process(*arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """A command that runs until it is told to end; its first JSON object is waited for."""
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()


def first_object(running: "subprocess.Popen[str]") -> dict[str, str]:
    assert running.stdout is not None
    text = ""
    for line in running.stdout:
        text += line
        if line.startswith("}"):
            break
    found: dict[str, str] = json.loads(text)
    return found


def wait_for(path: Path, *arguments: object) -> dict[str, object]:
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = json.loads(run_process(*arguments, "--data", path, "--json").stdout)
        if all(batch["state"] == "FINAL" for batch in answer["batches"]) and len(answer["batches"]) == 2:
            return dict(answer)
        assert time.monotonic() < deadline, answer


@pytest.mark.slow
def test_a_server_anchors_what_other_processes_hand_in(data: Path, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(document(100)))
    with process("serve", "--port", 0, "--data", data, "--json") as server:
        where = first_object(server)
        with urlopen(f"{where['url']}/healthz") as answer:  # noqa: S310 - loopback
            assert answer.status == 200
        assert run_process("issue", tmp_path / "one.json", "--data", data).returncode == 0
        assert run_process("seal", "--data", data).returncode == 0

        refused = run_process("worker", "--once", "--data", data)
        assert refused.returncode == 1
        assert "Another worker runs" in refused.stderr

        wait_for(data, "batches")
        assert run_process("bundle", "urn:example:100", "--out", tmp_path / "b.json", "--data", data).returncode == 0
        assert run_process("verify", tmp_path / "b.json", "--data", data).returncode == 0

        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE) == 0
    assert not (data / "chain" / "rpc-url").exists()


@pytest.mark.slow
def test_a_worker_ends_when_it_is_told_to(data: Path) -> None:
    with process("worker", "--data", data, "--json") as worker:
        assert first_object(worker)["worker"] == "running"
        worker.send_signal(signal.SIGINT)
        assert worker.wait(PATIENCE) == 0


@pytest.mark.slow
def test_a_killed_server_leaves_a_folder_that_works(data: Path, bundle: Path) -> None:
    with process("serve", "--port", 0, "--data", data, "--json") as server:
        first_object(server)
        server.kill()
        server.wait(PATIENCE)

    assert (data / "chain" / "rpc-url").exists()  # it points nowhere now
    assert run_process("verify", bundle, "--data", data).returncode == 0


@pytest.mark.slow
def test_the_demo_goes_on_serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.json").write_text(json.dumps(document(1)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("REGISTRY_PORT", str(port))
    with process("demo", "--serve", "--json", "--input", tmp_path / "one.json", "--data", tmp_path / "d") as server:
        assert first_object(server)["ok"] is True
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
                    assert answer.status == 200
                break
            except URLError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE) == 0
        assert server.stdout is not None
        assert server.stdout.read() == ""


def test_a_port_that_is_taken(data: Path) -> None:
    with process("serve", "--port", 0, "--data", data, "--json") as server:
        port = first_object(server)["url"].rpartition(":")[2]
        answer = run_process("serve", "--port", port, "--data", data)

        assert answer.returncode == 1
        assert "--port" in answer.stderr
        server.terminate()
        server.wait(PATIENCE)


def test_help_is_there_and_imports_nothing_slow() -> None:
    code = "import sys, registry.cli; print([m for m in ('web3', 'sqlalchemy', 'pydantic', 'eth') if m in sys.modules])"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"
