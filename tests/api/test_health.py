"""Health, readiness, metrics, and the worker beside the server."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from registry.service.worker import only_worker
from support.served import Api, problem

OpenApi = Callable[..., Api]


def wait_for(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen within twenty seconds"
        time.sleep(0.02)
    return found


def test_a_living_process_says_so(api: Api) -> None:
    assert api.public.get("/healthz").json() == {"status": "ok"}


def test_without_a_worker_it_is_not_ready(api: Api) -> None:
    body = problem(api.public.get("/readyz"), 503, "not_ready")
    assert "No worker" in body["detail"]


def test_with_its_own_worker_it_anchors_and_is_ready(open_api: OpenApi) -> None:
    api = open_api(run_worker=True)
    issuer = api.new_issuer()
    wait_for(lambda: api.public.get("/readyz").status_code == 200)
    body = api.public.get("/readyz").json()
    assert body["worker"] == "running"
    assert body["network"]["mark"]
    credential_id = issuer.submit()
    issuer.seal()
    wait_for(lambda: issuer.get(f"/v1/credentials/{credential_id}").json()["state"] == "FINAL")
    api.house.clock.advance(3_600)
    wait_for(lambda: api.public.get("/readyz").status_code == 200)  # the worker says again that it is alive


def test_a_worker_that_was_not_seen_for_long_is_a_reason(open_api: OpenApi) -> None:
    api = open_api()
    api.registry.health.worker_stepped()
    assert api.public.get("/readyz").status_code == 200
    api.house.clock.advance(301)
    assert "seen since" in problem(api.public.get("/readyz"), 503, "not_ready")["detail"]


def test_beside_another_worker_it_serves_without_and_takes_over(
    open_api: OpenApi, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr("registry.api.background._LOOK_AGAIN_SECONDS", 0.05)
    folder = tmp_path_factory.mktemp("busy")
    first = open_api(run_worker=True, folder=folder)
    wait_for(lambda: first.app.state.worker_state() == "running")
    from registry.api.app import create_app
    from support.served import FakeRegistry, Server

    second_app = create_app(FakeRegistry(first.house), run_worker=True)
    second = Server(second_app)
    try:
        wait_for(lambda: second_app.state.worker_state() == "waiting")
        assert first.client(None).get(f"{second.url}/readyz").json()["worker"] == "waiting"
        first.server.stop()
        wait_for(lambda: second_app.state.worker_state() == "running")
    finally:
        second.stop()
    assert second_app.state.worker_state() == "stopped"
    with only_worker(first.house.database):
        pass  # the place is free again


def test_a_worker_that_fails_starts_again_and_the_reason_is_shown(
    open_api: OpenApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = open_api()
    broken = True
    original = api.house.new_worker

    def worker() -> Any:
        if broken:
            raise RuntimeError("no disk")
        return original()

    monkeypatch.setattr(api.house, "new_worker", worker)
    monkeypatch.setattr("registry.api.background._LOOK_AGAIN_SECONDS", 0.05)
    from registry.api.background import BackgroundWorker

    background = BackgroundWorker(api.registry)
    background.start()
    try:
        wait_for(lambda: background.state == "failed")
        api.app.state.worker_state = lambda: background.state
        assert "worker of this process" in problem(api.public.get("/readyz"), 503, "not_ready")["detail"]
        broken = False
        wait_for(lambda: background.state == "running")
    finally:
        background.stop()


def test_a_chain_that_fails_is_a_reason(open_api: OpenApi) -> None:
    api = open_api()
    api.registry.health.worker_stepped()
    api.registry.health.chain_failed("The node does not answer. Check RPC_URLS.")
    assert "Check RPC_URLS" in problem(api.public.get("/readyz"), 503, "not_ready")["detail"]
    assert "registry_chain_up 0.0" in api.public.get("/metrics").text
    api.registry.health.chain_answered()
    assert api.public.get("/readyz").status_code == 200


def test_an_old_schema_is_a_reason(open_api: OpenApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api = open_api()
    with api.house.database.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'old'")
        connection.commit()
    assert "schema" in problem(api.public.get("/readyz"), 503, "not_ready")["detail"]


def test_a_database_that_does_not_answer_is_a_503(open_api: OpenApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api = open_api()

    def fail(*_args: Any) -> Any:
        raise OperationalError("SELECT", {}, Exception("password=hunter2"))

    monkeypatch.setattr(api.house.database, "read", fail)
    for path in ("/v1/batches", "/v1/policy", "/v1/issuers/acme"):
        response = api.public.get(path)
        problem(response, 503, "database_unavailable")
        assert "hunter2" not in response.text
        assert "retry-after" in response.headers
    problem(api.public.get("/readyz"), 503, "not_ready")
    assert "registry_database_up 0.0" in api.public.get("/metrics").text
    assert api.public.get("/healthz").status_code == 200


def test_the_metrics_count_by_state_and_name_no_ids(api: Api) -> None:
    issuer = api.new_issuer()
    credential_id = issuer.submit()
    issuer.submit()
    issuer.get(f"/v1/credentials/{credential_id}")
    text = api.public.get("/metrics").text
    assert 'registry_credentials{state="OPEN"} 2.0' in text
    issuer.seal()
    api.house.settle()
    text = api.public.get("/metrics").text
    assert 'registry_credentials{state="OPEN"} 0.0' in text
    assert 'registry_credentials{state="FINAL"} 2.0' in text
    assert 'registry_batches{state="FINAL"} 1.0' in text
    assert "registry_chain_up 1.0" in text
    assert 'route="/v1/credentials/{id}"' in text
    assert credential_id not in text
