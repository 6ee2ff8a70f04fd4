"""`registry issuer …`: who issues, and with which API keys."""

from pathlib import Path
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
    issuer_app.command("show", cls=Command)(show)
    issuer_app.command("authorize", cls=Command)(authorize)
    issuer_app.command("claim", cls=Command)(claim)
    issuer_app.command("rotate", cls=Command)(rotate)
    issuer_app.command("document", cls=Command)(document)
    issuer_app.command("declare", cls=Command)(declare)
    key_app.command("create", cls=Command)(create_key)
    key_app.command("revoke", cls=Command)(revoke_key)
    issuer_app.add_typer(key_app, name="key")
    app.add_typer(issuer_app, name="issuer")


def create(
    name: Name,
    did: Annotated[str | None, typer.Option(help="Its DID; default: a did:web of this installation.")] = None,
    did_key: Annotated[
        bool, typer.Option("--did-key", help="Its DID is the did:key of its signing key, which can never be rotated.")
    ] = False,
    address: Annotated[
        str | None, typer.Option(metavar="0x…", help="It signs for itself with this address; nothing is hosted.")
    ] = None,
    signs: Annotated[
        str | None,
        typer.Option(metavar="hosted|none", help="Who signs its credentials: this registry, or the issuer itself."),
    ] = None,
    did_document: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its DID document, if it signs its credentials itself.")
    ] = None,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Add an issuer. Without --address its controller key is made here, and the operator's account gets a key of it."""
    from registry.standards.keys import DID_KEY

    out = Output(as_json)
    if did_key:
        if did is not None or address is not None:
            raise typer.BadParameter("--did-key goes without --did and --address.")
        did = DID_KEY
    document = None if did_document is None else _read(did_document)
    with opened(data, config) as registry:
        if address is None:
            issuer = registry.hosting.create(name, did, signs=signs, document=document)
            path = registry.settings.keystores_dir / "controllers" / f"{name}.json"
            out.say(f"Issuer {issuer.name}: {issuer.did}")
            out.say(f"Its controller key is in {path}. Keep a copy offline: who loses it loses the issuer for good.")
        else:
            from registry.cli.parsing import parse_address

            own = parse_address(address, "--address")
            issuer = registry.hosting.create_self(name, own, did, signs=signs, document=document)
            out.say(f"Issuer {issuer.name}: {issuer.did}, signs for itself (`registry sign`).")
        if issuer.signs == "hosted":
            path = registry.settings.keystores_dir / "signing" / f"{name}.json"
            out.say(f"Its credentials are signed with the key in {path}, which stays here.")
        _tell_account(registry, out, issuer)
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


def show(name: Name, data: Data = None, config: Config = None, as_json: Json = False) -> None:
    """Show an issuer: its signing keys and when each is valid, its DID document, and how far that one's claim is."""
    from registry.core.notation import hex_text, time_text
    from registry.service.errors import NotFoundError

    out = Output(as_json)
    with opened(data, config) as registry:
        issuer = registry.issuers.look_up(name)
        shown = _issuer(registry, issuer) | {"keys": _keys(registry, issuer), "document": None, "claim": None}
        try:
            shown["document"] = registry.identities.document(issuer)
        except NotFoundError:
            out.say(f"{issuer.name} publishes its DID document itself; none is kept here.")
        else:
            state = registry.hosting.claim_state(issuer)
            shown["claim"] = {
                "documentHash": hex_text(state.document_hash),
                "claimedAt": None if state.claimed_at is None else time_text(state.claimed_at),
                "underWay": state.under_way,
                "waitsFor": state.note,
            }
    out.say(f"Issuer {issuer.name}: {issuer.did}, address {hex_text(issuer.address)}")
    out.table(
        ("key", "valid from", "valid until", "compromised", "public key"),
        [
            (key["name"], key["validFrom"], key["validUntil"], "yes" if key["compromised"] else "", key["publicKey"])
            for key in shown["keys"]
        ],
        "Its credentials are not signed here.",
    )
    if shown["claim"] is not None:
        out.say(f"Claim of the DID document: {_claim_text(issuer, shown['claim'])}")
    out.result(shown)


def claim(name: Name, data: Data = None, config: Config = None, as_json: Json = False) -> None:
    """Claim today's DID document on chain, signed by the controller's key; one that still waits is replaced."""
    out = Output(as_json)
    with opened(data, config) as registry:
        issuer = registry.issuers.look_up(name)
        registry.hosting.claim(issuer)
        _tell_claim(out, issuer)
        out.result(_issuer(registry, issuer))


def document(
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Its DID document as it is now.")],
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Replace the DID document of an issuer that signs its credentials itself, and claim it on chain."""
    out = Output(as_json)
    content = _read(file)
    with opened(data, config) as registry:
        issuer = registry.issuers.look_up(name)
        registry.hosting.hand_over(issuer, content)
        out.say(f"The DID document of {issuer.name} is replaced.")
        _tell_claim(out, issuer)
        _tell_account(registry, out, issuer)
        out.result(_issuer(registry, issuer))


def declare(
    name: Name,
    within: Annotated[
        int | None,
        typer.Option("--anchored-within", min=0, metavar="SECONDS", help="From validFrom to the anchor at the latest."),
    ] = None,
    nothing: Annotated[bool, typer.Option("--nothing", help="Take back what was declared before.")] = False,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Declare within which time after validFrom the issuer's credentials are anchored, from now on.

    It is published, and auditors tell what was anchored later.
    """
    from registry.service.delays import DelayRecords

    if nothing == (within is not None):
        raise typer.BadParameter("Say --anchored-within SECONDS, or --nothing.")
    out = Output(as_json)
    with opened(data, config) as registry:
        issuer = registry.issuers.look_up(name)
        new = DelayRecords(registry.context).declare(issuer, within)
        said = "nothing" if within is None else f"at most {within} seconds from validFrom to the anchor"
        out.say(f"{issuer.name} declares {said}, {'from now on' if new else 'as before'}.")
        if new:
            out.say("Auditors read it after the next `registry publish`; the API tells it at once.")
        out.result(_issuer(registry, issuer))


def _tell_claim(out: Output, issuer: "Issuer") -> None:
    if issuer.mode == "hosted":
        out.say("Its claim is signed. The worker sends it within half an hour, or it has to be signed again.")
    else:
        out.say("Its claim waits for the issuer's signature: `registry sign`.")


def _tell_account(registry: "Registry", out: Output, issuer: "Issuer") -> None:
    """What an auditor would find."""
    if registry.hosting.names_its_account(issuer):
        return
    account = f"eip155:{registry.binding.chain_id}:0x{issuer.address.hex()}"
    out.warn(
        f"The DID document does not name the account {account}, so nobody can tell that it anchors for {issuer.did}. "
        f"Add it under assertionMethod (docs/spec/did.md), then: `registry issuer document {issuer.name} FILE`."
    )


def rotate(
    name: Name,
    compromised: Annotated[
        bool, typer.Option("--compromised", help="The former key ends at once: somebody else may have it.")
    ] = False,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Replace the key that signs the issuer's credentials, and claim the DID document that names the new one."""
    out = Output(as_json)
    with opened(data, config) as registry:
        issuer = registry.issuers.look_up(name)
        rotation = registry.hosting.rotate(issuer, compromised=compromised)
        out.say(f"Credentials of {issuer.name} are signed with {rotation.key} from now on.")
        if compromised:
            out.say(f"{rotation.resigned} credentials that were in no batch yet were signed again.")
        if not rotation.claimed:
            out.say(f"The new DID document is not claimed on chain yet: {rotation.note}")
            out.say(f"Do that next: `registry issuer claim {issuer.name}`.")
        out.result(
            {
                "issuer": issuer.name,
                "key": rotation.key,
                "claimed": rotation.claimed,
                "resigned": rotation.resigned,
                "note": rotation.note,
            }
        )


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


def _read(path: Path) -> Any:
    from registry.cli.parsing import read_json

    return read_json(path, "DID document")


def _keys(registry: "Registry", issuer: "Issuer") -> list[dict[str, Any]]:
    """The public halves, oldest first; none where credentials are not signed here."""
    from registry.core.notation import time_text
    from registry.service.issuers import SIGNS_HERE

    if issuer.signs != SIGNS_HERE:
        return []
    return [
        {
            "name": key.name,
            "validFrom": time_text(key.valid_from),
            "validUntil": None if key.valid_until is None else time_text(key.valid_until),
            "compromised": key.compromised,
            "publicKey": key.public_key.multikey,
        }
        for key in registry.context.keys.ring(issuer.name).keys
    ]


def _claim_text(issuer: "Issuer", state: dict[str, Any]) -> str:
    if state["claimedAt"] is not None:
        return f"on chain since {state['claimedAt']}."
    if state["underWay"]:
        return f"pending. {state['waitsFor'] or 'The worker sends it.'}"
    return f"none yet: `registry issuer claim {issuer.name}`."


def _issuer(registry: "Registry", issuer: "Issuer") -> dict[str, Any]:
    from registry.core.notation import time_text
    from registry.service.delays import DelayRecords

    return {
        "name": issuer.name,
        "did": issuer.did,
        "address": f"0x{issuer.address.hex()}",
        "mode": issuer.mode,
        "signs": issuer.signs,
        "statusBase": issuer.status_base,
        "credentials": issuer.next_index,
        "halted": issuer.halted,
        "declaredDelays": [
            {"since": time_text(since), "seconds": seconds}
            for since, seconds in DelayRecords(registry.context).all().get(issuer.id, ())
        ],
        "chain": f"eip155:{registry.binding.chain_id}",
    }
