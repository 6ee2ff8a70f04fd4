"""`registry seal` and `batches`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from registry.cli.base import Command, Config, Data, Json, opened
from registry.cli.credentials import IssuerName
from registry.cli.output import Output, mark_of

if TYPE_CHECKING:
    from registry.service.batching import Batch
    from registry.wiring import Registry

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    app.command("seal", cls=Command)(seal)
    app.command("batches", cls=Command)(batches)


def seal(
    issuer_name: IssuerName = None,
    release_reserved: Annotated[
        bool, typer.Option("--release-reserved", help="Give up reserved indexes that still wait for their credentials.")
    ] = False,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Seal what is open into batches now, of one issuer or of all; the worker anchors them."""
    out = Output(as_json)
    with opened(data, config) as registry:
        issuers = [registry.issuers.look_up(issuer_name)] if issuer_name else registry.issuers.all()
        sealed = []
        for issuer in issuers:
            # One at a time: what is sealed stays sealed, whatever happens to the next.
            while batch := registry.batching.seal(issuer, release_reserved=release_reserved):
                sealed.append(batch)
                out.say(f"Sealed {batch.size:,} credentials of {issuer.name} from index {batch.first:,} on.")
        if not sealed:
            out.say("Nothing is open.")
        out.result({"batches": [_batch(registry, batch) for batch in sealed]})


def batches(
    issuer_name: IssuerName = None,
    after: Annotated[int, typer.Option(help="The number of the last batch seen.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 100,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List batches, and what each one waits for."""
    from registry.wiring.trust import end_warnings

    out = Output(as_json)
    with opened(data, config) as registry:
        issuer = registry.issuers.look_up(issuer_name) if issuer_name else None
        found = [
            _batch(registry, batch) for batch in registry.batching.page(issuer.id if issuer else None, after, limit)
        ]
        network = registry.context.network
        mark = mark_of(network.chain_class, network.name)
        if mark:
            out.say(mark, "bold yellow")
        for warning in end_warnings(registry.settings, [network.chain_id]):
            out.warn(warning)
        out.table(
            ("no.", "issuer", "first", "size", "state", "anchored at", "block", "root", "waits for"),
            [
                (
                    item["number"], item["issuer"], item["first"], item["size"], item["state"], item["anchoredAt"],
                    item["blockNumber"], item["root"][:16] + "…", item["waitsFor"],
                )
                for item in found
            ],
            "There are no batches: `registry issue FILE`, then `registry seal`.",
        )  # fmt: skip
        health = registry.health.read()
        if health is not None and health.message:
            out.warn(f"The worker says: {health.message}")
        out.result({"batches": found, "mark": mark, "chainProblem": health.message if health else None})


def _batch(registry: "Registry", batch: "Batch") -> dict[str, Any]:
    from registry.core.notation import time_text

    return {
        "number": batch.id,
        "issuer": registry.issuers.by_id(batch.issuer_id).name,
        "first": batch.first,
        "size": batch.size,
        "root": batch.root.hex(),
        "state": batch.state.value,
        "waitsFor": batch.note,
        "sealedAt": time_text(batch.sealed_at),
        "anchoredAt": time_text(batch.anchored_at) if batch.anchored_at is not None else None,
        "blockNumber": batch.block_number,
        "blockHash": f"0x{batch.block_hash.hex()}" if batch.block_hash else None,
        "transaction": f"0x{batch.transaction.hex()}" if batch.transaction else None,
        "chain": f"eip155:{registry.binding.chain_id}",
        "contract": f"0x{registry.binding.contract.hex()}",
    }
