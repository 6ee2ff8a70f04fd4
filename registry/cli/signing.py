"""`registry sign`: for issuers whose key stays with them. Signing itself needs neither registry nor network."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from registry.cli.base import Command, Config, Data, Json, load, opened
from registry.cli.output import Output
from registry.cli.parsing import read_json
from registry.core.errors import InputError, ShapeError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from registry.wiring import Registry

__all__ = ["register"]

_LONGEST_MINUTES = 59  # the contract takes an hour; clocks differ
_SHOWN = 120


def register(app: typer.Typer) -> None:
    app.command("sign", cls=Command)(sign)


def sign(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Signing requests, as --list --json or the API gives them.")
    ] = None,
    keystore: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The keystore (V3) of a key that the issuer entitled.")
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its password; else REGISTRY_KEYSTORE_PASSWORD(_FILE), or asked."),
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to; default: stdout.")] = None,
    minutes: Annotated[
        int, typer.Option(min=1, max=_LONGEST_MINUTES, help="How long the signatures are good.")
    ] = _LONGEST_MINUTES,
    list_: Annotated[bool, typer.Option("--list", help="At the registry: show what waits for a signature.")] = False,
    submit: Annotated[
        Path | None, typer.Option("--submit", metavar="FILE", help="At the registry: hand in signatures.")
    ] = None,
    issuer_name: Annotated[
        str | None, typer.Option("--issuer", metavar="NAME", help="With --list: of one only.")
    ] = None,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Sign contract calls offline (FILE --keystore FILE), or exchange them with the registry (--list, --submit)."""
    out = Output(as_json)
    if [file is not None, list_, submit is not None].count(True) != 1:
        raise typer.BadParameter("Give a FILE with signing requests, or --list, or --submit FILE.")
    if list_:
        with opened(data, config) as registry:
            _list(registry, out, issuer_name)
    elif submit is not None:
        with opened(data, config) as registry:
            _submit(registry, out, submit)
    elif file is not None:
        if keystore is None:
            raise typer.BadParameter("Signing needs --keystore FILE.")
        _sign(out, file, keystore, _password(password_file, data, config), to, minutes)


def _list(registry: "Registry", out: Output, issuer_name: str | None) -> None:
    from registry.core.notation import chain_text, hex_text
    from registry.service.operations import call_to_json

    issuer = registry.issuers.look_up(issuer_name) if issuer_name else None
    found: list[dict[str, Any]] = [
        {
            "id": request.id,
            "issuer": request.issuer.name,
            "kind": request.kind,
            "chain": chain_text(request.chain_id),
            "contract": hex_text(request.contract),
            "call": call_to_json(request.call),
            "note": request.note,
        }
        for request in registry.signing.requests(issuer)
    ]
    out.table(
        ("id", "issuer", "kind", "call"),
        [(item["id"], item["issuer"], item["kind"], _described(item["call"])) for item in found],
        "Nothing waits for a signature.",
    )
    if found:
        out.say("To sign: `registry sign --list --json > requests.json`, then, where the key is,")
        out.say("`registry sign requests.json --keystore FILE --out signatures.json`.")
    out.result({"requests": found})


def _submit(registry: "Registry", out: Output, file: Path) -> None:
    from anchors.base import Signature
    from registry.core.errors import RegistryError

    taken: list[int] = []
    failed: list[dict[str, Any]] = []
    for entry in _entries(read_json(file, "file of signatures"), "signatures"):
        try:
            number, deadline = entry["id"], entry["deadline"]
            if type(number) is not int or type(deadline) is not int:
                raise ShapeError("id and deadline are integers")
            authority = Signature(_bytes(entry["signer"]), deadline, _bytes(entry["signature"]))
        except KeyError as error:
            raise InputError(f"{file} is not what `registry sign` writes: {error} is missing.") from error
        except (ValueError, TypeError) as error:
            raise InputError(f"{file} is not what `registry sign` writes: {error}.") from error
        try:
            registry.signing.submit(number, authority)
        except RegistryError as error:
            failed.append({"id": number, "code": getattr(error, "code", ""), "detail": str(error)})
            out.say(f"{number}: {error}")
        else:
            taken.append(number)
    out.say(f"{len(taken)} signatures taken; the worker sends the calls.")
    out.result({"submitted": taken, "failed": failed})
    if failed:
        raise typer.Exit(1)


def _sign(out: Output, file: Path, keystore: Path, password: "SecretStr", to: Path | None, minutes: int) -> None:
    import json

    from anchors.ethereum import KeystoreSigner
    from registry.core.notation import hex_text, parse_chain
    from registry.service.operations import call_from_json
    from registry.wiring.files import write_if_changed

    requests = list(_entries(read_json(file, "signing request"), "requests"))
    signer = KeystoreSigner(keystore, password)
    deadline = int(time.time()) + 60 * minutes
    signatures = []
    for request in requests:
        try:
            call = call_from_json(request["call"])
            chain_id, contract, number = parse_chain(request["chain"]), _bytes(request["contract"]), request["id"]
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise InputError(f"{file} is not a signing request: {type(error).__name__} {error}.") from error
        # On stderr: with --out missing, stdout is the file.
        sys.stderr.write(f"Signing {number} for {request['chain']}: {_described(request['call'])}\n")
        made = signer.sign_call(chain_id=chain_id, contract=contract, call=call, deadline=deadline)
        signatures.append(
            {
                "id": number,
                "signer": hex_text(made.signer),
                "deadline": made.deadline,
                "signature": hex_text(made.signature),
            }
        )
    content = json.dumps({"signatures": signatures}, indent=2) + "\n"
    if to is None:
        sys.stdout.write(content)
        return
    write_if_changed(to, content.encode())
    out.say(f"{len(signatures)} signatures in {to}, good for {minutes} minutes: `registry sign --submit {to}`.")
    out.result({"signatures": signatures, "file": str(to)})


def _entries(document: Any, name: str) -> Iterator[dict[str, Any]]:
    """One object, or all of those under ``name``."""
    if isinstance(document, dict) and isinstance(document.get(name), list):
        document = document[name]
    for entry in document if isinstance(document, list) else [document]:
        if not isinstance(entry, dict):
            raise ShapeError(f'a JSON object with "{name}" belongs here')
        yield entry


def _described(call: dict[str, Any]) -> str:
    """What a person is about to sign."""
    members = ", ".join(f"{name} {value}" for name, value in call.items() if name != "call")
    text = f"{call.get('call')} {members}"
    return text if len(text) <= 2 * _SHOWN else f"{text[: 2 * _SHOWN]}…"


def _bytes(text: str) -> bytes:
    if not text.startswith("0x"):
        raise ValueError("0x and hexadecimal digits belong here")
    return bytes.fromhex(text[2:])


def _password(file: Path | None, data: Path | None, config: Path | None) -> "SecretStr":
    from pydantic import SecretStr

    from registry.wiring.keys import find_password, read_password

    if file is not None:
        return read_password(file)
    settings = load(data, config)
    if settings.keystore_password is not None or settings.keystore_password_file is not None:
        return find_password(settings)
    if not sys.stdin.isatty() or "CI" in os.environ:
        raise InputError("The keystore's password is missing: --password-file FILE, or REGISTRY_KEYSTORE_PASSWORD.")
    return SecretStr(typer.prompt("Password of the keystore", hide_input=True, err=True))
