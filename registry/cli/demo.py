"""`registry demo`."""

from pathlib import Path
from typing import Annotated

import typer

from registry.cli.base import Command, Config, Data, Json, load
from registry.cli.output import Output

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    app.command("demo", cls=Command)(demo)


def demo(
    data: Data = None,
    config: Config = None,
    input_file: Annotated[
        Path | None, typer.Option("--input", metavar="FILE", help="Your own CSV, NDJSON or JSON array.")
    ] = None,
    template: Annotated[
        Path | None, typer.Option("--template", metavar="FILE", help="The credential to fill with the CSV's columns.")
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Go on serving the API afterwards.")] = False,
    as_json: Json = False,
) -> None:
    """Run the whole main job on a thousand invented learners: import, anchor, verify, revoke, forge."""
    from registry.demo.run import run_demo

    out = Output(as_json)
    settings = load(data, config)
    result = run_demo(settings, out, input_file, template)
    failures = result.failures()
    out.heading("Summary")
    out.table(
        ("", "expected", "found"),
        [
            ("credentials issued", "", f"{result.issued:,}"),
            ("lines rejected", "", f"{result.rejected:,}"),
            ("batches anchored", f"{result.batches:,}", f"{result.anchored:,}"),
            ("bundles verified VALID", f"{result.issued:,}", f"{result.verified:,}"),
            ("revoked, found INVALID", result.revoked, result.revoked_detected),
            ("suspended, found INVALID", result.suspended, result.suspended_detected),
            ("reinstated, found VALID", result.reinstated, result.reinstated_valid),
            ("forgeries, found out", result.tampered, result.tampered_detected),
            ("seconds", "", f"{result.seconds:.1f}"),
        ],
        "",
    )
    for failure in failures:
        out.say(f"FAILED: {failure}.", "bold red")
    out.result(result.to_json())
    _next_steps(out, result.example, result.revoked_example, result.data)
    if serve and not failures:
        from registry.cli.serving import run_server

        run_server(settings, out, announce=not as_json)  # the one JSON object has been printed
    raise typer.Exit(1 if failures else 0)


def _next_steps(out: Output, example: str | None, revoked: str | None, data: Path) -> None:
    out.heading("Try next")
    if example:
        out.say(f"  registry verify {example} --data {data}")
    if revoked:
        out.say(f"  registry verify -v {revoked} --data {data}")
    out.say(f"  registry batches --data {data}")
    out.say(f"  registry publish {data / 'published'} --data {data}")
    bundles = f"--credentials {data / 'bundles'}"
    out.say(f"  registry audit --published {data / 'published'} {bundles} --html {data / 'audit.html'} --data {data}")
    out.say(f"  registry serve --data {data}")
