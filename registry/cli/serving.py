"""`registry worker` and `serve`: what runs for long."""

import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.base import Command, Config, Data, Json, configure_logging, load
from registry.cli.output import Output, mark_of
from registry.core.errors import InputError

if TYPE_CHECKING:
    from registry.service.worker import Step
    from registry.settings import Settings
    from registry.wiring import Registry

__all__ = ["register", "run_server"]


def register(app: typer.Typer) -> None:
    app.command("worker", cls=Command)(worker)
    app.command("serve", cls=Command)(serve)


def worker(
    once: Annotated[bool, typer.Option("--once", help="Do what can be done now, and end.")] = False,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Seal what is due, anchor, and follow the chain. One worker for one database; a second one refuses to start."""
    from registry.service.worker import only_worker
    from registry.wiring import open_registry

    out = Output(as_json)
    settings = load(data, config)
    with open_registry(settings) as registry, only_worker(registry.context.database):
        runner = registry.worker()
        if once:
            step = runner.run_once()
            _report_once(registry, out, step)
            raise typer.Exit(1 if step.error else 0)
        configure_logging(settings.log_level)
        _say_where(registry, out)
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        out.result({"worker": "running", "data": str(settings.data_dir)})
        out.say("The worker runs. Ctrl+C ends it after the step under way.")
        runner.run(stop, settings.poll_seconds)
    out.say("The worker has ended.")


def _report_once(registry: "Registry", out: Output, step: "Step") -> None:
    from registry.service.catalogue import Catalogue

    figures = Catalogue(registry.context).figures()
    for name, counts in (("batches", figures.batches), ("status requests", figures.status_requests)):
        if counts:
            out.say(f"{name}: " + ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items())))
    out.result(
        {
            "batches": dict(figures.batches),
            "credentials": dict(figures.credentials),
            "statusRequests": dict(figures.status_requests),
            "chainProblem": step.error,
        }
    )
    if step.error:
        sys.stderr.write(f"Error: {step.error.removesuffix('.')}. What is done stays done; run the worker again.\n")


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (REGISTRY_HOST).")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Port; 0 for a free one (REGISTRY_PORT).")] = None,
    with_worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Also run the worker, unless another process does.")
    ] = True,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Serve the API, and run the worker beside it."""
    settings = load(data, config)
    changes = {"host": host, "port": port}
    settings = settings.model_copy(update={name: value for name, value in changes.items() if value is not None})
    run_server(settings, Output(as_json), with_worker=with_worker)


def run_server(settings: "Settings", out: Output, *, with_worker: bool = True, announce: bool = True) -> None:
    """Serves until SIGINT or SIGTERM. Raises RegistryError if it cannot begin. ``announce``: also as JSON."""
    import uvicorn

    from registry.api.app import create_app
    from registry.settings import is_loopback
    from registry.wiring import open_registry

    if settings.vc_api_issuer is not None and not is_loopback(settings.host):  # --host is not in the settings' check
        raise InputError("VC_API_ISSUER lets anybody issue: it is for a loopback host only.")
    with open_registry(settings) as registry, _listen(settings) as listener:
        if with_worker:
            registry.operator.unlock()  # a wrong password is best found now, not in a thread's log
        configure_logging(settings.log_level)
        host, port = listener.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        rpc = registry.node.url() if registry.node else None
        _say_where(registry, out, rpc)
        out.say(f"Serving on {url} (for the outside: {settings.public_url}). Ctrl+C ends it.", "bold")
        if settings.port != port or (settings.public_url.endswith(":8000") and port != 8000):
            out.warn(
                f"PUBLIC_URL is {settings.public_url}: new issuers get it in their DIDs. Set it if that is not right."
            )
        if settings.vc_api_issuer is not None:
            registry.issuers.look_up(settings.vc_api_issuer)
            out.warn(
                f"VC_API_ISSUER is set: whoever reaches this port issues and revokes as {settings.vc_api_issuer}, "
                "without an API key. It is for trials and conformance suites; unset it afterwards."
            )
        if not registry.issuers.all():
            out.say("No issuer yet: `registry issuer create NAME`, then `registry issuer key create NAME`.")
        if announce:
            out.result({"url": url, "publicUrl": settings.public_url, "rpc": rpc, "data": str(settings.data_dir)})
        config = uvicorn.Config(
            create_app(registry, run_worker=with_worker),
            log_config=None,
            access_log=False,  # addresses of requests hold ids of credentials
            server_header=False,
            timeout_graceful_shutdown=10,
        )
        # uvicorn ends its requests, and then raises the signal once more, for whoever had it before.
        signal.signal(signal.SIGTERM, _interrupt)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
    out.say("Stopped.")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _listen(settings: "Settings") -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(128)  # from here on nobody is refused, even if the first answer takes a moment
    except OSError as error:
        listener.close()
        raise InputError(
            f"Cannot listen on {settings.host}, port {settings.port}: {error.strerror}. Use another --port, or stop "
            "what listens there."
        ) from error
    return listener


def _say_where(registry: "Registry", out: Output, rpc: str | None = None) -> None:
    from registry.wiring.trust import end_warnings

    network = registry.context.network
    mark = mark_of(network.chain_class, network.name)
    out.say(f"Anchoring on {network.name}, contract 0x{registry.binding.contract.hex()}.")
    if mark:
        out.say(mark, "bold yellow")
    if rpc:
        out.say(f"The development chain's JSON-RPC: {rpc}")
    for warning in end_warnings(registry.settings, [network.chain_id]):
        out.warn(warning)
