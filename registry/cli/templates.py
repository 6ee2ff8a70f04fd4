"""`registry template new` and `check`: what a CSV file of learners is filled into."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from registry.cli.base import Command, Config, Data, Json, load
from registry.cli.output import Output
from registry.cli.parsing import read_file
from registry.core.errors import InputError

if TYPE_CHECKING:
    from registry.service.profiles import Profile
    from registry.standards.openbadges.template import AnswerError, TemplateField

__all__ = ["register"]

_LISTED = 100
_LINE = 1 << 20
_MICRO_CREDENTIAL = "eu-micro-credential"


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Templates: the credential that a CSV file's rows are filled into.")
    group.command("new", cls=Command)(new)
    group.command("check", cls=Command)(check)
    app.add_typer(group, name="template")


def new(
    profile_name: Annotated[
        str, typer.Option("--profile", metavar="NAME", help="eu-micro-credential, or open-badge.")
    ] = _MICRO_CREDENTIAL,
    to: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Default: to stdout.")] = None,
    answers_file: Annotated[
        Path | None,
        typer.Option("--answers", metavar="FILE", help="All answers by the questions' names, as a JSON object."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make a template from the answers to a few questions, and say which columns it needs."""
    from registry.service.profiles import csv_header
    from registry.service.templates import parse_template
    from registry.wiring.files import write_if_changed

    load(data, config)
    out = Output(as_json)
    profile = _profile(profile_name)
    _spare(to, force)
    answers = _asked(profile, out) if answers_file is None else _answered(profile, answers_file, out)
    template = profile.build(answers)
    content = json.dumps(template, ensure_ascii=False, indent=2).encode() + b"\n"
    header = csv_header(parse_template(content))
    if to is not None:
        _spare(to, force)  # answering took a while
        write_if_changed(to, content, mode=0o644)
        out.say(f"The template is in {to}. The first line of its CSV file:\n{header}")
        out.say(f"Then: registry issue learners.csv --template {to}")
    elif not as_json:
        sys.stdout.write(content.decode())
        out.explain(f"The first line of its CSV file: {header}")
    out.result(
        {"profile": profile.name, "file": str(to) if to else None, "csvHeader": header, "template": template},
    )


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The template.")],
    profile_name: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="Default: the one that the template claims.")
    ] = None,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Find all that keeps a template's credentials from being good ones. Exit code: 0 nothing, 1 something."""
    from registry.core.canonical import MAX_BYTES
    from registry.service.profiles import check_template, csv_header
    from registry.service.templates import parse_template

    load(data, config)
    out = Output(as_json)
    wanted = None if profile_name is None else _profile(profile_name).name
    content = read_file(file, MAX_BYTES, "template")
    try:
        faults = check_template(content, wanted)
        header = csv_header(parse_template(content))
    except InputError as error:
        raise InputError(f"The template {file} cannot be used: {error}.") from error
    for fault in faults:
        out.say(f"{fault.pointer or '/'}: {fault.message} ({fault.profile})")
    out.heading(f"{len(faults):,} faults." if faults else "A good template.")
    out.say(f"The first line of its CSV file: {header}")
    listed = [{"profile": fault.profile, "pointer": fault.pointer, "detail": fault.message} for fault in faults]
    out.result({"file": str(file), "good": not faults, "csvHeader": header, "faults": listed})
    raise typer.Exit(1 if faults else 0)


def _profile(name: str) -> "Profile":
    from registry.service.profiles import PROFILES

    if name not in PROFILES:
        raise typer.BadParameter(f"--profile is one of: {', '.join(PROFILES)}.")
    return PROFILES[name]


def _spare(path: Path | None, force: bool) -> None:
    if path is not None and path.exists() and not force:
        raise InputError(f"{path} is there already. Say --force to overwrite it.")


def _asked(profile: "Profile", out: Output) -> dict[str, str]:
    """The answers of the person at the terminal, asked on stderr: stdout may be the template."""
    answers: dict[str, str] = {}
    for number, field in enumerate(profile.fields, start=1):
        out.explain(f"\n{number}/{len(profile.fields)}  {field.question}")
        for place, choice in enumerate(field.choices, start=1):
            out.explain(f"      {place}  {choice}")
        answers[field.name] = _ask(field, out)
    return answers


def _ask(field: "TemplateField", out: Output) -> str:
    """Asks until the answer can be used."""
    from registry.standards.openbadges.template import AnswerError

    hint = f" [{field.default}]" if field.default else "" if field.required else " [leave out]"
    while True:
        sys.stderr.write(f"{field.name}{hint}: ")
        sys.stderr.flush()
        try:
            text = sys.stdin.readline(_LINE)
        except UnicodeDecodeError as error:
            raise InputError(f"The answer to {field.name!r} is not UTF-8; nothing was written.") from error
        if not text:
            message = f"The answers on standard input end before {field.name!r}; nothing was written. See --answers."
            raise InputError(message)
        answer = _chosen(field, text.strip())
        try:
            field.parse(answer)
        except AnswerError as error:
            out.explain(f"  {_reason(error)}")
        else:
            return answer


def _chosen(field: "TemplateField", text: str) -> str:
    """A choice's number stands for it, unless it is a choice itself."""
    numbers = {str(place): choice for place, choice in enumerate(field.choices, start=1)}
    return text if text in field.choices else numbers.get(text, text)


def _answered(profile: "Profile", file: Path, out: Output) -> dict[str, str]:
    """The answers of a file; all that cannot be used are named before the command ends."""
    from registry.core.canonical import MAX_BYTES, parse_json
    from registry.core.notation import short
    from registry.service.profiles import find_answer_faults
    from registry.standards.openbadges.template import AnswerError

    content = read_file(file, MAX_BYTES, "file of answers")
    try:
        document = parse_json(content)
    except InputError as error:
        raise InputError(f"The file of answers {file} cannot be used: {error}.") from error
    if not isinstance(document, dict):
        raise InputError(f"The file of answers {file} is a JSON object: the questions' names and the answers.")
    answers = {name: _text(value) for name, value in document.items()}
    unread = [AnswerError("Answer with a text.", f"/{short(name)}") for name, text in answers.items() if text is None]
    texts = {name: text for name, text in answers.items() if text is not None}
    faulty = {error.pointer for error in unread}
    found = [error for error in find_answer_faults(profile, texts) if error.pointer not in faulty]
    if unread or found:
        _refuse(file, [*unread, *found], out)
    return texts


def _text(value: Any) -> str | None:
    """An answer as if it were typed; None if it is none."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, str | int | float) else "" if value is None else None


def _refuse(file: Path, faults: "Sequence[AnswerError]", out: Output) -> None:
    detail = f"The file of answers {file} cannot be used: {len(faults):,} faults."
    errors = [{"pointer": fault.pointer, "detail": _reason(fault)} for fault in faults[:_LISTED]]
    problem = {"type": "urn:credential-registry:problem:answers", "code": "answers", "detail": detail}
    out.result({**problem, "errors": errors})
    out.explain(f"Error: {detail}")
    for error in errors:
        out.explain(f"  {error['pointer']}: {error['detail']}")
    raise typer.Exit(1)


def _reason(error: "AnswerError") -> str:
    return str(error).removesuffix(f" (at {error.pointer})")
