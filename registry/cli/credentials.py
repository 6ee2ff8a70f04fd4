"""`registry issue`, `bundle` and `erase`: credentials in, bundles out."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from registry.cli.base import Command, Config, Data, Json, opened
from registry.cli.output import Output

if TYPE_CHECKING:
    from registry.service.issuers import Issuer
    from registry.service.issuing import LineResult, Submission
    from registry.service.reading import Source
    from registry.wiring import Registry

__all__ = ["find_credential", "register", "the_issuer"]

_SHOWN = 20
_LISTED = 1_000

IssuerName = Annotated[str | None, typer.Option("--issuer", metavar="NAME", help="Needed if there are several.")]
CredentialId = Annotated[str, typer.Argument(metavar="ID", help="The registry's id, or the credential's own.")]


def register(app: typer.Typer) -> None:
    app.command("issue", cls=Command)(issue)
    app.command("reserve", cls=Command)(reserve)
    app.command("bundle", cls=Command)(bundle)
    app.command("erase", cls=Command)(erase)


def issue(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="NDJSON, a JSON array, one credential, or CSV.")],
    issuer_name: IssuerName = None,
    template: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For CSV: a credential with {{column}} in its strings.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--idempotency-key", help="Default: the file's SHA-256, so that repeating is safe.")
    ] = None,
    results: Annotated[
        Path | None, typer.Option("--results", metavar="FILE", help="Write the answer to every line as NDJSON.")
    ] = None,
    promises: Annotated[
        Path | None, typer.Option("--promises", metavar="FILE", help="Write the signed promises as NDJSON.")
    ] = None,
    supersedes: Annotated[
        str | None, typer.Option(metavar="ID", help="The one credential of FILE corrects this one, which is revoked.")
    ] = None,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Hand in credentials. Broken lines are listed and the rest is taken; exit code 1 if any line was refused."""
    from registry.service.reading import open_source

    out = Output(as_json)
    source = open_source(file, template)
    with opened(data, config) as registry:
        issuer = the_issuer(registry, issuer_name)
        if supersedes is not None:
            if promises is not None:
                raise typer.BadParameter("With --supersedes, ask `registry promise show ID` for the promise.")
            _correct(registry, out, issuer, list(source.read(key or source.key)), supersedes)
            return
        counts = {"lines": 0, "accepted": 0, "repeated": 0, "refused": 0}
        refused: list[dict[str, Any]] = []
        promised = 0
        registry.promising.unlock()
        with (
            _optional(results) as answers,
            _optional(promises) as promised_to,
            out.track("Issuing", source.size) as on_bytes,
        ):
            for line in registry.issuing.import_submissions(issuer, source.read(key or source.key, on_bytes)):
                counts["lines"] += 1
                if line.accepted is None:
                    answer = {
                        "line": line.line,
                        "code": line.error.code if line.error else "",
                        "detail": str(line.error),
                    }
                    counts["refused"] += 1
                    if len(refused) < _LISTED:
                        refused.append(answer)
                else:
                    promised = max(promised, line.accepted.promised_at)
                    counts["repeated" if line.accepted.repeated else "accepted"] += 1
                    answer = {"line": line.line, "id": line.accepted.id, "repeated": line.accepted.repeated}
                    if results or promises:
                        signed = registry.promising.promise(issuer, line.accepted)
                        answer["promise"] = signed
                        promised_to(signed)
                answers(answer)
        _report(out, counts, refused, issuer, promised, source)
    raise typer.Exit(1 if counts["refused"] else 0)


def _correct(
    registry: "Registry", out: Output, issuer: "Issuer", items: "list[Submission | LineResult]", former: str
) -> None:
    from registry.core.notation import time_text
    from registry.service.issuing import Submission

    if len(items) != 1:
        raise typer.BadParameter("--supersedes is for a file with one credential.")
    [item] = items
    if not isinstance(item, Submission):
        raise item.error or AssertionError("a line without error or credential")
    accepted = registry.correcting.supersede(issuer, former, item)
    before = time_text(accepted.promised_at)
    out.say(f"Accepted as {accepted.id}, promised to be anchored before {before}; {former} is going to be revoked.")
    out.result({"id": accepted.id, "supersedes": former, "anchoredBefore": before, "repeated": accepted.repeated})


def _report(
    out: Output,
    counts: dict[str, int],
    refused: list[dict[str, Any]],
    issuer: "Issuer",
    promised: int,
    source: "Source",
) -> None:
    from registry.core.notation import time_text

    before = time_text(promised) if promised else None
    out.say(
        f"{counts['accepted']:,} credentials of {issuer.name} accepted, {counts['repeated']:,} were accepted before, "
        f"{counts['refused']:,} lines refused."
    )
    for item in refused[:_SHOWN]:
        out.say(f"  line {item['line']}: {item['detail']}")
    if counts["refused"] > _SHOWN:
        out.say(f"  … and {counts['refused'] - _SHOWN:,} more (--results FILE has all of them).")
    if before:
        out.say(f"Promised to be anchored before {before}. `registry seal` seals now; a worker or server anchors.")
    template = None
    if source.version is not None:
        template = {"name": source.version.name, "sha256": source.version.digest.hex()}
        if counts["accepted"]:
            out.say(f"The template is on record as {template['name']}; it is published, the table is not.")
    result = {**counts, "issuer": issuer.name, "anchoredBefore": before, "template": template, "refusedLines": refused}
    out.result(result)


class _optional:  # noqa: N801 - reads as a function: `with _optional(path) as write`
    """Writes answers line by line to a file, or nowhere."""

    def __init__(self, path: Path | None) -> None:
        self._file = path.open("w", encoding="utf-8") if path else None

    def __enter__(self) -> Any:
        import json

        file = self._file
        if file is None:
            return lambda _: None
        return lambda answer: file.write(json.dumps(answer, ensure_ascii=False) + "\n")

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def reserve(
    count: Annotated[int, typer.Argument(metavar="COUNT", min=1, max=10_000, help="How many indexes.")],
    issuer_name: IssuerName = None,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Reserve indexes, for credentials that their issuer secures itself: each is printed with its status entry."""
    from registry.core.notation import time_text

    out = Output(as_json)
    with opened(data, config) as registry:
        issuer = the_issuer(registry, issuer_name)
        found = [
            {"id": item.id, "index": item.index, "until": time_text(item.until), "credentialStatus": item.status}
            for item in registry.reserving.reserve(issuer, count)
        ]
    out.table(("id", "index", "until"), [(item["id"], item["index"], item["until"]) for item in found], "None.")
    out.say("Put the credentialStatus of each (--json shows it) into its credential before you sign that.")
    out.result({"issuer": issuer.name, "reservations": found})


def bundle(
    credential_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="The registry's id, or its own.")] = None,
    all_to: Annotated[
        Path | None, typer.Option("--all", metavar="FOLDER", help="Write every bundle that is final into this folder.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the one bundle to a file.")] = None,
    credential: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The credential itself, where only its hash was handed in.")
    ] = None,
    salt: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --credential: a file with its salt, base64url.")
    ] = None,
    issuer_name: IssuerName = None,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Give out what a holder keeps: one bundle (JSON, to stdout or --out), or all of them."""
    if (credential_id is None) == (all_to is None):
        raise typer.BadParameter("Name one credential, or a folder with --all.")
    out = Output(as_json)
    with opened(data, config) as registry:
        if all_to is not None:
            _write_all(registry, out, all_to, issuer_name)
            return
        from registry.wiring.files import write_if_changed

        _, identifier = find_credential(registry, credential_id or "", issuer_name)
        content = _bundle(registry, identifier, credential, salt)
        if to is None:
            sys.stdout.write(content.decode())
            return
        write_if_changed(to, content)
        out.say(f"Written to {to}.")
        out.result({"id": identifier, "file": str(to)})


def _bundle(registry: "Registry", identifier: str, credential: Path | None, salt: Path | None) -> bytes:
    if (credential is None) != (salt is None):
        raise typer.BadParameter("--credential and --salt go together.")
    if credential is None or salt is None:
        return registry.bundles.get(identifier)
    from registry.cli.parsing import read_json
    from registry.core.errors import InputError
    from registry.core.notation import parse_base64url

    try:
        secret = parse_base64url(salt.read_text(encoding="ascii").strip(), 32)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The salt in {salt} cannot be read.") from error
    return registry.bundles.complete(identifier, read_json(credential, "credential"), secret)


def _write_all(registry: "Registry", out: Output, folder: Path, issuer_name: str | None) -> None:
    from registry.wiring.files import write_if_changed

    issuer = registry.issuers.look_up(issuer_name) if issuer_name else None
    written = unchanged = 0
    with out.track("Writing bundles", registry.bundles.count()) as advance:
        for identifier, content in registry.bundles.all(issuer):
            if write_if_changed(folder / f"{identifier}.json", content):
                written += 1
            else:
                unchanged += 1
            advance(1)
    out.say(f"{written:,} bundles written to {folder}, {unchanged:,} were there already.")
    out.result({"folder": str(folder), "written": written, "unchanged": unchanged})


def erase(
    credential_id: CredentialId,
    issuer_name: IssuerName = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Delete a credential's content and salt for good; its leaf stays, and so do copies that others keep."""
    out = Output(as_json)
    with opened(data, config) as registry:
        issuer, identifier = find_credential(registry, credential_id, issuer_name)
        if not yes:
            if as_json or not sys.stdin.isatty():
                raise typer.BadParameter("Erasing cannot be undone: say --yes.")
            typer.confirm(f"Erase {identifier} of {issuer.name}? This cannot be undone.", abort=True, err=True)
        registry.status.erase(issuer, identifier)
        out.say(f"Erased {identifier}. Backups made before still hold it.")
        out.result({"id": identifier, "issuer": issuer.name, "erased": True})


def the_issuer(registry: "Registry", name: str | None) -> "Issuer":
    """The issuer of that name; without a name the only one there is."""
    from registry.service.errors import NotFoundError

    if name is not None:
        return registry.issuers.look_up(name)
    found = registry.issuers.all()
    if not found:
        raise NotFoundError("no_issuer", "There is no issuer yet: make one with `registry issuer create NAME`.")
    if len(found) > 1:
        names = ", ".join(issuer.name for issuer in found[:10])
        raise typer.BadParameter(f"There are several issuers; say which one with --issuer: {names}.")
    return found[0]


def find_credential(registry: "Registry", text: str, issuer_name: str | None) -> "tuple[Issuer, str]":
    """The issuer, and the registry's id, of a credential that is named by that id or by its own."""
    from registry.service.errors import NotFoundError
    from registry.service.locating import locate

    wanted = registry.issuers.look_up(issuer_name).id if issuer_name else None
    found = [item for item in locate(registry.context, text) if wanted in (None, item[0])]
    if not found:
        raise NotFoundError("no_such_credential", f"There is no credential {text!r} here. Is --data the right folder?")
    if len(found) > 1:
        raise typer.BadParameter("Several issuers have a credential with this id; say which one with --issuer.")
    issuer_id, identifier = found[0]
    return registry.issuers.by_id(issuer_id), identifier
