"""`registry audit` and `publish`: the audit needs no registry, only a chain and what is published."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.base import Command, Config, Data, Json, fail_with, load, opened
from registry.cli.output import Output
from registry.cli.parsing import parse_address, parse_hash
from registry.core.errors import InputError

if TYPE_CHECKING:
    from registry.core.audit import Finding
    from registry.service.auditing import AuditReport
    from registry.wiring.auditing import Audited

__all__ = ["register"]

_COULD_NOT_FINISH = 3
_SHOWN = 200  # findings in the text for people; --json has them all


def register(app: typer.Typer) -> None:
    app.command("audit", cls=fail_with(_COULD_NOT_FINISH))(audit)
    app.command("publish", cls=Command)(publish)


def audit(
    rpc: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="Ask this node; several are compared with each other.")
    ] = None,
    contract: Annotated[str | None, typer.Option(metavar="0x…", help="Audit this contract.")] = None,
    code_hash: Annotated[
        str | None, typer.Option(metavar="0x…", help="The keccak-256 that the contract's code has to have.")
    ] = None,
    chain_id: Annotated[
        int | None, typer.Option(min=1, help="The chain; default: the one that the node is on.")
    ] = None,
    from_block: Annotated[int | None, typer.Option(min=0, help="Where the contract was deployed, or before.")] = None,
    published: Annotated[
        list[str] | None,
        typer.Option(metavar="URL|DIR", help="Published batches: a folder, its address, or a registry's address."),
    ] = None,
    credentials: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Bundles (*.json) to hold against the leaves.")
    ] = None,
    database: Annotated[bool, typer.Option("--database", help="Also audit the data folder's own tables.")] = False,
    cross_check: Annotated[bool, typer.Option("--cross-check", help="Compute every root with merklelib too.")] = False,
    declared_delay: Annotated[
        int | None, typer.Option(min=0, metavar="SECONDS", help="From validFrom to anchoring, as the issuer declared.")
    ] = None,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Look for fraud, trusting the chain only. Exit code: 0 clean, 1 findings, 3 could not finish."""
    from registry.service.auditing import Auditing, report_to_json
    from registry.service.published import open_material
    from registry.service.selfaudit import audit_database

    out = Output(as_json)
    address = parse_address(contract, "--contract") if contract else None
    expected = parse_hash(code_hash, "--code-hash") if code_hash else None
    with ExitStack() as stack:
        settings = load(data, config)
        registry = None
        outside = bool(rpc) or address is not None or chain_id is not None or expected is not None
        if database or (not outside and (settings.keystores_dir / "operator.json").is_file()):
            from registry.wiring import open_registry

            registry = stack.enter_context(open_registry(settings))
        audited: Audited
        if registry is not None and not outside:
            from registry.wiring.auditing import audited_registry

            audited = audited_registry(registry)
        else:
            from registry.wiring.auditing import audited_outside

            audited = audited_outside(settings, rpc or [], address, expected, chain_id)
        stack.callback(audited.close)
        auditing = Auditing(
            chains=audited.chains,
            materials=[open_material(place) for place in published or []],
            bundles=_bundles(credentials) if credentials else (),
            first_block=audited.first_block if from_block is None else from_block,
            cross_check=cross_check,
            delay=declared_delay,
        )
        source = registry.context.database if registry is not None and database else None
        report = auditing.run(None if source is None else lambda view: audit_database(source, view))
    _tell(out, report, published=bool(published))
    out.result(report_to_json(report))
    raise typer.Exit(report.exit_code)


def _bundles(place: Path) -> list[Path]:
    found = sorted(place.glob("*.json")) if place.is_dir() else [place]
    if not found:
        raise InputError(f"There are no *.json files in {place}.")
    return found


def _tell(out: Output, report: "AuditReport", *, published: bool) -> None:
    from registry.core.notation import chain_text, hex_text, time_text

    out.say(f"Contract {hex_text(report.contract)} on {chain_text(report.chain_id)}.")
    if report.block is not None:
        number, when = report.block.number, time_text(report.block.timestamp)
        out.say(f"Read at block {number} ({hex_text(report.block.hash)}, {when}).")
        out.say(f"{report.credentials:,} credentials in {report.batches:,} batches of {report.issuers:,} issuers.")
    if report.material is not None:
        out.say(f"Published material {report.material.hex()}: {report.leaves:,} leaves are the anchored ones.")
    elif not published:
        out.say("No published material was named (--published), so no leaves were audited.")
    if report.bundles:
        out.say(f"{report.bundles:,} bundles were held against them.")
    for finding in report.findings[:_SHOWN]:
        for line in _lines(finding):
            out.say(line)
    if len(report.findings) > _SHOWN:
        out.say(f"… and {len(report.findings) - _SHOWN:,} more findings: --json lists them all.")
    for reason in report.incomplete:
        out.say(f"Not audited: {reason}")
    total = len(report.findings)
    out.heading(
        {
            0: "Clean." if not total else f"Clean, with {total:,} notes for information.",
            1: f"{total:,} findings." + (" The audit could not finish." if report.incomplete else ""),
            3: "The audit could not finish: this is not clean.",
        }[report.exit_code]
    )


def _lines(finding: "Finding") -> Iterator[str]:
    from registry.core.audit import finding_to_json

    where = ", ".join(f"{name} {value}" for name, value in finding_to_json(finding)["where"].items())
    yield f"\n{finding.severity.value:<9}{finding.code}: {where}"
    yield f"         expected {finding.expected}; observed {finding.observed}"
    yield f"         {finding.meaning}"


def publish(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; what is there already stays.")],
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Write all final batches with their leaves as static files, for auditors (docs/spec/published.md)."""
    from registry.service.publishing import Publishing
    from registry.wiring.files import write_if_changed

    out = Output(as_json)
    with opened(data, config) as registry:
        publishing = Publishing(
            registry.context,
            registry.issuers,
            registry.batching,
            lambda path, content: write_if_changed(path, content, mode=0o644),
        )
        done = publishing.publish(folder)
    out.say(f"{done.batches:,} batches in {folder}, {done.written:,} of them new.")
    out.result({"folder": str(folder), "batches": done.batches, "written": done.written, "changed": done.changed})
