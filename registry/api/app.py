"""The HTTP API of one registry, as an ASGI app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from registry.api import problems
from registry.api.background import BackgroundWorker
from registry.api.cors import PublicCors
from registry.api.importing import Imports
from registry.api.metrics import Metrics
from registry.api.observing import Observing
from registry.api.openapi import build_openapi
from registry.api.ports import Registry
from registry.api.routes import (
    auditing,
    badges,
    batches,
    credentials,
    health,
    imports,
    indexes,
    issuers,
    resolving,
    signing,
    verifying,
)
from registry.api.routes.vcapi import router as vc_api_router
from registry.api.routes.verifying import MAX_VERIFYING

__all__ = ["ROUTERS", "create_app"]

# The import stands before what could take "import" for an id.
ROUTERS = (
    issuers.router,
    resolving.router,
    imports.router,
    credentials.router,
    indexes.router,
    badges.router,
    batches.router,
    signing.router,
    verifying.router,
    vc_api_router,
    auditing.router,
    health.router,
)


def create_app(registry: Registry, *, run_worker: bool = False) -> FastAPI:
    """The app. ``run_worker``: while it serves, it also runs the worker, unless another process does.

    The caller made the registry and closes it, after the app has stopped.
    """
    worker = BackgroundWorker(registry) if run_worker else None
    metrics = Metrics(registry)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if worker is not None:
            worker.start()
        try:
            yield
        finally:
            if worker is not None:
                await run_in_threadpool(worker.stop)

    app = FastAPI(
        title="Credential registry",
        lifespan=lifespan,
        docs_url=None,  # both load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # one address for one thing; and a redirect would leave out /v1's errors
    )
    app.state.registry = registry
    app.state.imports = Imports()
    app.state.verifying = CapacityLimiter(MAX_VERIFYING)
    app.state.metrics = metrics
    app.state.methods = _methods
    app.state.worker_state = lambda: worker.state if worker is not None else "none"
    for router in ROUTERS:
        app.include_router(router)
    for error in problems.HANDLED:
        app.add_exception_handler(error, problems.handle)
    app.add_middleware(PublicCors)
    app.add_middleware(Observing, observe=metrics.observe)  # the last one added is the outermost
    _document(app, registry.context.rules.public_url)
    return app


def _methods(path: str) -> list[str]:
    """What can be done at a path, over all routes: the framework names the first route's methods only."""
    found: set[str] = set()
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.path_regex.match(path):
                found |= route.methods or set()
    if "GET" in found or not found:  # not found: /openapi.json
        found |= {"GET", "HEAD"}
    return sorted(found)


def _document(app: FastAPI, public_url: str) -> None:
    """Replaces the OpenAPI document that FastAPI would make; made once, when it is first asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build_openapi(app, public_url)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
