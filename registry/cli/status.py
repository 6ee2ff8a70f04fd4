"""`registry revoke`, `suspend` and `reinstate`."""

from typing import Annotated

import typer

from registry.cli.base import Command, Config, Data, Json, opened
from registry.cli.credentials import IssuerName, find_credential
from registry.cli.output import Output

__all__ = ["register"]

Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="The registry's ids, or the credentials' own.")]
Reason = Annotated[str | None, typer.Option(help="Kept in the registry, for its people; not published.")]

_SAID = {
    "WITHDRAWN": "withdrawn before it was sealed",
    "WAITING": "noted; the worker puts it on chain as soon as its batch is anchored",
    "SENT": "on its way to the chain",
    "ON_CHAIN": "on chain",
    "FINAL": "on chain, and final",
}


def register(app: typer.Typer) -> None:
    app.command("revoke", cls=Command)(revoke)
    app.command("suspend", cls=Command)(suspend)
    app.command("reinstate", cls=Command)(reinstate)


def revoke(
    ids: Ids,
    issuer_name: IssuerName = None,
    reason: Reason = None,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Revoke credentials, for good."""
    _request("revoke", ids, issuer_name, reason, data, config, as_json)


def suspend(
    ids: Ids,
    issuer_name: IssuerName = None,
    reason: Reason = None,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Suspend credentials, until they are reinstated."""
    _request("suspend", ids, issuer_name, reason, data, config, as_json)


def reinstate(
    ids: Ids,
    issuer_name: IssuerName = None,
    reason: Reason = None,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """End the suspension of credentials."""
    _request("reinstate", ids, issuer_name, reason, data, config, as_json)


def _request(
    action: str, ids: list[str], issuer_name: str | None, reason: str | None, data: Data, config: Config, as_json: bool
) -> None:
    out = Output(as_json)
    with opened(data, config) as registry:
        found = [find_credential(registry, text, issuer_name) for text in ids]  # all of them before the first change
        answers = []
        for issuer, identifier in found:
            answer = registry.status.request(issuer, identifier, action, reason)
            answers.append({"id": identifier, "issuer": issuer.name, "action": action, "state": answer.state})
            out.say(f"{action} {identifier}: {_SAID.get(answer.state, answer.state)}.")
        out.result({"requests": answers})
