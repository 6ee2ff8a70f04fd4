"""A whole registry on a fake chain, served by a real HTTP server on loopback, and clients for it."""

import threading
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from registry.core.model import Policy
from registry.service.health import Health
from registry.service.issuers import Issuer
from registry.service.selfauditing import SelfAudit
from registry.service.worker import Worker
from support.house import House, document

_numbers = count()


@dataclass
class _Settings:
    poll_seconds: float = 0.02
    vc_api_issuer: str | None = None


@dataclass
class FakeRegistry:
    """What the wiring makes, from the parts of a house."""

    house: House
    settings: _Settings = field(default_factory=_Settings)

    def __post_init__(self) -> None:
        self.health = Health(self.house.database, self.house.clock)
        self.self_audit = SelfAudit(
            self.house.context, self.house.issuers, self.house.batching, self.house.own_audit, 3_600
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self.house, name)

    def policy(self) -> Policy:
        return self.house.policy()

    def worker(self) -> Worker:
        return self.house.new_worker()


class Server:
    """uvicorn in a thread, on a free port."""

    def __init__(self, app: FastAPI) -> None:
        config = uvicorn.Config(
            app, port=0, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=5
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the server did not start")
            self._thread.join(0.01)
        self.port: int = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


@dataclass
class Client:
    """An HTTP client with an API key (or without); ``issuer`` is whose key it is."""

    http: httpx.Client
    issuer: Issuer | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.http, name)

    def submit(self, **more: Any) -> str:
        response = self.http.post("/v1/credentials", json={"credential": fresh(**more)})
        assert response.status_code == 202, response.text
        identifier: str = response.json()["id"]
        return identifier

    def seal(self) -> list[Any]:
        response = self.http.post("/v1/batches/seal")
        assert response.status_code == 200, response.text
        batches: list[Any] = response.json()["batches"]
        return batches


@dataclass
class Api:
    """``client(secret)`` gives a client; ``operator`` and ``public`` are there, ``new_issuer`` makes more."""

    house: House
    registry: FakeRegistry
    app: FastAPI
    server: Server
    clients: list[httpx.Client] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.operator_secret = self.house.issuers.create_key(None, ["operator"], "test").secret
        self.operator = self.client(self.operator_secret)
        self.public = self.client(None)

    def client(self, secret: str | None, issuer: Issuer | None = None) -> Client:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        http = httpx.Client(base_url=self.server.url, headers=headers, timeout=60, trust_env=False)
        self.clients.append(http)
        return Client(http, issuer)

    def new_issuer(self, *scopes: str) -> Client:
        issuer = self.house.hosting.create(f"issuer-{next(_numbers)}")
        key = self.house.issuers.create_key(issuer, scopes or ("issue", "status"), "test")
        return self.client(key.secret, issuer)

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.server.stop()
        self.house.close()


def fresh(**more: Any) -> dict[str, Any]:
    """A credential with an id that no other has."""
    return document(f"urn:example:{next(_numbers)}", **more)


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Checks that an answer is that problem, in the one form that all have."""
    assert response.status_code == status, (response.status_code, response.text)
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["code"] == code, body
    assert body["status"] == status
    assert body["type"] == f"urn:credential-registry:problem:{code}"
    assert body["title"]
    assert body["detail"]
    assert body["requestId"] == response.headers["x-request-id"]
    return body
