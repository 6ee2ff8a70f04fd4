"""`registry audit` and `publish`: the audit needs no registry, only a chain and what is published."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.auditreporting import tell_report
from registry.cli.base import Command, Config, Data, Json, fail_with, load, opened, said_of
from registry.cli.output import Output, counted
from registry.cli.parsing import parse_address, parse_hash

if TYPE_CHECKING:
    from registry.core.audit import Finding
    from registry.service.auditing import Auditing, AuditReport, Inside
    from registry.service.auditstate import AuditState
    from registry.settings import Settings
    from registry.wiring import Registry
    from registry.wiring.auditing import Audited

__all__ = ["register"]

_COULD_NOT_FINISH = 3


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
    issuer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="0x…", help="Audit this issuer's address only, all of whose batches have to be published."
        ),
    ] = None,
    from_block: Annotated[int | None, typer.Option(min=0, help="Where the contract was deployed, or before.")] = None,
    did: Annotated[
        str | None, typer.Option(metavar="did:web:…", help="Find chain, contract and publication from an issuer's DID.")
    ] = None,
    published: Annotated[
        list[str] | None,
        typer.Option(metavar="URL|DIR", help="Published batches: a folder, its address, or a registry's address."),
    ] = None,
    credentials: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Bundles (*.json) to hold against the leaves.")
    ] = None,
    promises: Annotated[
        Path | None, typer.Option(metavar="DIR|FILE", help="Signed promises (*.json, *.ndjson); needs --published.")
    ] = None,
    database: Annotated[bool, typer.Option("--database", help="Also audit the data folder's own tables.")] = False,
    cross_check: Annotated[bool, typer.Option("--cross-check", help="Compute every root with merklelib too.")] = False,
    grace: Annotated[
        int,
        typer.Option(
            min=0, metavar="SECONDS", help="What is newer than this on chain may be missing from publications."
        ),
    ] = 0,
    declared_delay: Annotated[
        int | None, typer.Option(min=0, metavar="SECONDS", help="From validFrom to anchoring, as the issuer declared.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the report as one HTML file, with charts.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Remember what was read: the next audit reads what is new.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Read all again that the state knows, and hold it against that.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on, and report what is new or gone.")] = False,
    every: Annotated[
        float, typer.Option(min=1, max=31_536_000, metavar="SECONDS", help="With --watch: from one to the next.")
    ] = 60,
    webhook: Annotated[
        str | None, typer.Option(metavar="URL", help="With --watch: POST what is new or gone to this address.")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="With --watch: metrics for Prometheus, on 127.0.0.1.")
    ] = None,
    processes: Annotated[int, typer.Option(min=0, help="For bundles; 0: one for each core.")] = 0,
    no_signatures: Annotated[
        bool, typer.Option("--no-signatures", help="Leave the proofs of credentials out: a millisecond and more each.")
    ] = False,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Look for fraud, trusting the chain only. Exit code: 0 clean, 1 findings, 3 could not finish."""
    from registry.service.auditing import Auditing
    from registry.service.published import open_material

    if not watch and (webhook is not None or metrics_port is not None):
        raise typer.BadParameter("--webhook and --metrics-port belong to --watch.")
    if did is not None and not did.startswith("did:web:"):
        raise typer.BadParameter("--did needs a did:web, as an issuer's credentials name it (did:web:example.org:…).")

    out = Output(as_json)
    address = parse_address(contract, "--contract") if contract else None
    expected = parse_hash(code_hash, "--code-hash") if code_hash else None
    issuers = {parse_address(item, "--issuer") for item in issuer or ()}
    to_be_published: set[bytes] = set()
    with ExitStack() as stack:
        settings = load(data, config)
        registry, broken = None, None
        places = list(dict.fromkeys(published or []))
        if did is not None:
            from registry.wiring.auditing import discovered

            found = discovered(settings, did)
            address, chain_id = address or found.contract, chain_id or found.chain_id
            places = places or [found.published]
            to_be_published.add(found.address)
        outside = bool(rpc) or address is not None or chain_id is not None or expected is not None
        if database or (not outside and (settings.keystores_dir / "operator.json").is_file()):
            registry, broken = _opened(settings, database=database)
            if registry is not None:
                stack.callback(registry.close)
        audited: Audited
        if registry is not None and not outside:
            from registry.wiring.auditing import audited_registry

            audited = audited_registry(registry)
            to_be_published |= registry.own_audit.addresses()
        else:
            from registry.wiring.auditing import audited_outside

            audited = audited_outside(settings, rpc or [], address, expected, chain_id)
        stack.callback(audited.close)
        auditing = Auditing(
            chains=audited.chains,
            materials=[open_material(place) for place in places],
            bundles=credentials or (),
            first_block=audited.first_block if from_block is None else from_block,
            cross_check=cross_check,
            delay=declared_delay,
            promises=promises or (),
            processes=processes,
            signatures=not no_signatures,
            full=full,
            issuers=issuers or None,
            expected=to_be_published & issuers if issuers else to_be_published,
            grace=grace,
        )
        inside: Inside | None = registry.own_audit if registry is not None and database else None
        if broken is not None:
            inside = lambda *_: [broken]  # noqa: E731 - the one thing that can be told
        if watch:
            from registry.cli.watching import watch_audit

            watch_audit(out, auditing, inside, state, every, webhook, metrics_port, html)
        trouble: list[str] = []
        with out.stages() as tell:
            report = _run_once(replace(auditing, tell=tell), inside, state, trouble)
    trouble += tell_report(out, report, html, published=bool(places), inside=inside is not None)
    for each in trouble:
        out.warn(each)
    raise typer.Exit(report.exit_code or (_COULD_NOT_FINISH if trouble else 0))


def _opened(settings: "Settings", *, database: bool) -> "tuple[Registry | None, Finding | None]":
    """The registry; where its database is damaged so much that it cannot be opened, what to say of that instead."""
    from sqlalchemy.exc import DBAPIError

    from registry.service.auditrows import fault
    from registry.wiring import open_registry

    try:
        return open_registry(settings), None
    except DBAPIError as error:
        if not database or settings.uses_embedded_chain:  # then nothing tells which contract to audit
            raise
        return None, fault(error)


def _run_once(auditing: "Auditing", inside: "Inside | None", place: Path | None, trouble: list[str]) -> "AuditReport":
    """``trouble``: what could not be written, which is no reason to lose the report."""
    if place is None:
        return auditing.run(inside)
    from registry.service.watching import changes
    from registry.wiring.auditing import locked_state

    with locked_state(place) as file:
        chain = auditing.chains[0].chain
        known: AuditState = file.load(chain.chain_id, chain.contract)
        report = replace(auditing, state=known, file=file).run(inside)
        changes(known, report)
        try:
            file.save(known)
        except OSError as error:
            trouble.append(f"The state was not written, so the next audit reads all again: {said_of(error)}")
    return report


def publish(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; what is there already stays.")],
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Write final batches, DID documents and status lists as static files (docs/spec/published.md)."""
    from registry.service.publishing import Publishing
    from registry.wiring.files import write_if_changed

    out = Output(as_json)
    with opened(data, config) as registry:
        publishing = Publishing(
            registry.context,
            registry.issuers,
            registry.batching,
            registry.identities,
            registry.status_lists,
            lambda path, content: write_if_changed(path, content, mode=0o644),
        )
        done = publishing.publish(folder)
    out.say(f"{counted(done.batches, 'batch', 'batches')} in {folder}, {done.written:,} of them new.")
    out.result({"folder": str(folder), "batches": done.batches, "written": done.written, "changed": done.changed})
