"""`registry issuer …`: who issues, and with which API keys."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from registry.cli.base import Command, Config, Data, Json, opened
from registry.cli.output import Output

if TYPE_CHECKING:
    from registry.service.issuers import Issuer
    from registry.wiring import Registry

__all__ = ["register"]

Name = Annotated[str, typer.Argument(metavar="NAME", help="The issuer's name, as in its addresses.")]
OfOperator = Annotated[bool, typer.Option("--operator", help="A key of the operator's, to create issuers over HTTP.")]


def register(app: typer.Typer) -> None:
    issuer_app = typer.Typer(no_args_is_help=True, help="Issuers, and their API keys.")
    key_app = typer.Typer(no_args_is_help=True, help="API keys: made, shown once, ended.")
    issuer_app.command("create", cls=Command)(create)
    issuer_app.command("list", cls=Command)(list_)
    issuer_app.command("authorize", cls=Command)(authorize)
    key_app.command("create", cls=Command)(create_key)
    key_app.command("revoke", cls=Command)(revoke_key)
    issuer_app.add_typer(key_app, name="key")
    app.add_typer(issuer_app, name="issuer")


def create(
    name: Name,
    did: Annotated[str | None, typer.Option(help="Its DID; default: a did:web of this installation.")] = None,
    address: Annotated[
        str | None, typer.Option(metavar="0x…", help="It signs for itself with this address; nothing is hosted.")
    ] = None,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Add an issuer. Without --address its controller key is made here, and the operator's account gets a key of it."""
    out = Output(as_json)
    with opened(data, config) as registry:
        if address is None:
            issuer = registry.hosting.create(name, did)
            path = registry.settings.keystores_dir / "controllers" / f"{name}.json"
            out.say(f"Issuer {issuer.name}: {issuer.did}")
            out.say(f"Its controller key is in {path}. Keep a copy offline: who loses it loses the issuer for good.")
        else:
            from registry.cli.parsing import parse_address

            issuer = registry.hosting.create_self(name, parse_address(address, "--address"), did)
            out.say(f"Issuer {issuer.name}: {issuer.did}, signs for itself (`registry sign`).")
        out.result(_issuer(registry, issuer))


def list_(data: Data = None, config: Config = None, as_json: Json = False) -> None:
    """List the issuers."""
    out = Output(as_json)
    with opened(data, config) as registry:
        found = [_issuer(registry, issuer) for issuer in registry.issuers.all()]
    out.table(
        ("name", "DID", "address", "mode", "credentials", "halted"),
        [
            (item["name"], item["did"], item["address"], item["mode"], item["credentials"], item["halted"])
            for item in found
        ],
        "There are no issuers yet: `registry issuer create NAME`.",
    )
    out.result({"issuers": found})


def authorize(name: Name, data: Data = None, config: Config = None, as_json: Json = False) -> None:
    """Sign again the gift of the anchoring key to the operator's account, after the first signature ran out."""
    out = Output(as_json)
    with opened(data, config) as registry:
        issuer = registry.issuers.look_up(name)
        registry.hosting.authorize(issuer)
        out.say("Signed. The worker sends it within half an hour, or it has to be signed again.")
        out.result(_issuer(registry, issuer))


def create_key(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The issuer; none with --operator.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="issue, status; can be repeated. Default: both.")] = None,
    label: Annotated[str, typer.Option(help="For people: what the key is used for.")] = "",
    operator: OfOperator = False,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make an API key. It is shown once and stored nowhere."""
    out = Output(as_json)
    with opened(data, config) as registry:
        issuer = _owner(registry, name, operator)
        default = ["issue", "status"] if issuer else ["operator"]
        key = registry.issuers.create_key(issuer, scope or default, label)
        out.say(f"API key {key.id} of {name or 'the operator'} for {', '.join(key.scopes)}, shown this once:")
        out.say(key.secret, "bold")
        out.result({"id": key.id, "issuer": name, "scopes": list(key.scopes), "secret": key.secret})


def revoke_key(
    key_id: Annotated[int, typer.Argument(metavar="ID", help="The key's number, shown when it was made.")],
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The issuer; none with --operator.")] = None,
    operator: OfOperator = False,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """End an API key at once."""
    out = Output(as_json)
    with opened(data, config) as registry:
        registry.issuers.revoke_key(key_id, _owner(registry, name, operator))
        out.say(f"API key {key_id} does not work any more.")
        out.result({"id": key_id, "issuer": name, "ended": True})


def _owner(registry: "Registry", name: str | None, operator: bool) -> "Issuer | None":
    if operator == (name is not None):
        raise typer.BadParameter("Name an issuer, or say --operator.")
    return registry.issuers.look_up(name) if name else None


def _issuer(registry: "Registry", issuer: "Issuer") -> dict[str, Any]:
    return {
        "name": issuer.name,
        "did": issuer.did,
        "address": f"0x{issuer.address.hex()}",
        "mode": issuer.mode,
        "statusBase": issuer.status_base,
        "credentials": issuer.next_index,
        "halted": issuer.halted,
        "chain": f"eip155:{registry.binding.chain_id}",
    }
