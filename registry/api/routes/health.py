"""Whether the service lives, whether it can do its work, and its figures."""

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError

from registry.api.openapi import errors
from registry.api.ports import Registry, RegistryDep
from registry.api.problems import RequestError
from registry.api.schemas import HealthOut, ReadyOut
from registry.api.views import Views
from registry.core.notation import time_text

router = APIRouter(tags=["operating"])

# A step with a node that does not answer takes its time.
_UNSEEN_SECONDS = 300


@router.get("/healthz", responses=errors())
def read_health() -> HealthOut:
    """The process answers; nothing else is asked."""
    return HealthOut(status="ok")


@router.get("/readyz", responses=errors())
def read_readiness(registry: RegistryDep, request: Request) -> ReadyOut:
    """Whether database, worker and chain do their part; 503 says what does not, and what to do."""
    worker: str = request.app.state.worker_state()
    try:
        reasons = _reasons(registry, worker)
        seen = registry.health.worker_seen()
    except SQLAlchemyError:
        reasons, seen = ["The database does not answer. Check DATABASE_URL, and that it runs."], None
    if reasons or seen is None:
        faults = tuple({"detail": reason} for reason in reasons)
        raise RequestError(503, "not_ready", " ".join(reasons), errors=faults, headers={"Retry-After": "10"})
    return ReadyOut(ready=True, network=Views(registry).network(), worker=worker, worker_seen_at=time_text(seen))


def _reasons(registry: Registry, worker: str) -> list[str]:
    if not registry.context.database.is_current():
        return ["The database has another schema than this version needs. Run `registry init` to bring it up to date."]
    reasons = []
    if worker == "failed":
        reasons.append("The worker of this process stopped; the log says why. It starts again by itself.")
    seen = registry.health.worker_seen()
    elsewhere = " Another one holds its place." if worker == "waiting" else ""
    if seen is None:
        reasons.append(f"No worker has been at work yet.{elsewhere} Start one: `registry worker`, or `registry serve`.")
    elif registry.context.clock() - seen > _UNSEEN_SECONDS:
        reasons.append(f"No worker has been seen since {time_text(seen)}.{elsewhere} Nothing is anchored until one is.")
    chain = registry.health.read()
    if chain is not None and chain.message is not None:
        reasons.append(f"The chain cannot be used since {time_text(chain.since)}: {chain.message}")
    return reasons


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **errors()},
)
def read_metrics(request: Request) -> Response:
    """Figures for Prometheus. Keep it from the public at the reverse proxy."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)
