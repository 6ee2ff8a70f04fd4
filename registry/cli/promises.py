"""`registry promise …`: the signed promises of a registry, and the keys that sign them."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.base import Command, Config, Data, Json, opened
from registry.cli.credentials import find_credential
from registry.cli.output import Output

if TYPE_CHECKING:
    from registry.standards.keys import KeyRing

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    promises = typer.Typer(no_args_is_help=True)
    promises.command("show", cls=Command)(show)
    promises.command("keys", cls=Command)(keys)
    promises.command("rotate", cls=Command)(rotate)
    app.add_typer(promises, name="promise", help="Signed promises, and the keys that sign them.")


def show(
    credential_id: Annotated[str, typer.Argument(metavar="ID", help="The registry's id, or the credential's own.")],
    issuer_name: Annotated[
        str | None, typer.Option("--issuer", metavar="NAME", help="Needed if there are several.")
    ] = None,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Print the signed promise for a credential, over the leaf that it has now (always JSON)."""
    from registry.core.canonical import canonicalize

    with opened(data, config) as registry:
        issuer, identifier = find_credential(registry, credential_id, issuer_name)
        sys.stdout.write(canonicalize(registry.promising.again(issuer, identifier)).decode() + "\n")


def keys(data: Data = None, config: Config = None, as_json: Json = False) -> None:
    """Show the keys with which this registry signs promises."""
    with opened(data, config) as registry:
        _tell(Output(as_json), registry.promising.ensure())


def rotate(
    compromised: Annotated[
        bool, typer.Option("--compromised", help="Say that somebody else may have the former key.")
    ] = False,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Sign promises with a new key from now on; the former one ends at once."""
    with opened(data, config) as registry:
        _tell(Output(as_json), registry.promising.rotate(compromised=compromised))


def _tell(out: Output, ring: "KeyRing") -> None:
    from registry.core.notation import time_text
    from registry.standards.keys import method_of

    found = [
        {
            "key": method_of(ring.did, key),
            "validFrom": time_text(key.valid_from),
            "validUntil": None if key.valid_until is None else time_text(key.valid_until),
            "compromised": key.compromised,
            "publicKey": key.public_key.multikey,
        }
        for key in ring.keys
    ]
    out.table(
        ("key", "valid from", "valid until", "compromised", "public key"),
        [
            (
                item["key"],
                item["validFrom"],
                item["validUntil"],
                "yes" if item["compromised"] else "",
                item["publicKey"],
            )
            for item in found
        ],
        "None.",
    )
    out.result({"did": ring.did, "keys": found})
