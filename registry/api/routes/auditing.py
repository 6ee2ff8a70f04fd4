"""The registry's own last audit of itself."""

from fastapi import APIRouter, Response

from registry.api.openapi import errors
from registry.api.ports import RegistryDep
from registry.api.schemas import SelfAuditOut

router = APIRouter(prefix="/v1", tags=["public"])

_STATEMENT = (
    "This is the registry's own word about itself: made by its worker, with its own node, of its own tables. It proves "
    "nothing to anybody else. Run `registry audit` with a node of your own choice."
)


@router.get("/audit", responses=errors())
def read_audit(registry: RegistryDep, response: Response) -> SelfAuditOut:
    """What the registry found when it last audited itself. It is kept: asking makes no audit.

    At most 1,000 findings are listed; `counts` counts all of them.
    """
    response.headers["Cache-Control"] = "public, max-age=60"
    return SelfAuditOut(
        statement=_STATEMENT, levels=["chain", "published", "database"], report=registry.self_audit.last()
    )
