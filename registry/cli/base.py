"""What all commands share: options, settings, and errors as one clear sentence."""

import errno
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from registry.cli.output import Output
from registry.core.errors import RegistryError

if TYPE_CHECKING:
    from registry.settings import Settings
    from registry.wiring import Registry

__all__ = ["Command", "Config", "Data", "Json", "configure_logging", "fail_with", "load", "opened", "said_of"]

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data folder (REGISTRY_DATA_DIR; default ./registry-data)."),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings in TOML (REGISTRY_CONFIG; default DIR/registry.toml)."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

_INTERRUPTED = 130
_HINTS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), " Make room there, or name another place, and run it again."),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), " Name a place that you may read and write."),
}
_log = logging.getLogger("registry.cli")


# For ChainUnreachable and the classes below it, known by name: importing them would slow every command down.
_UNREACHABLE_HINT = "Check RPC_URLS (or --rpc) and the node, or try again later."


class Command(TyperCommand):
    """A command whose errors become a sentence on stderr, and with ``--json`` a problem object on stdout as well."""

    error_exit_code = 1

    def make_context(self, info_name: Any, args: list[str], *rest: Any, **extra: Any) -> Any:
        as_json = "--json" in args  # parsing takes them off the list
        try:
            return super().make_context(info_name, args, *rest, **extra)
        except Exception as error:
            _report_usage(error, as_json)
            raise

    def invoke(self, ctx: Any) -> Any:  # click's Context, which Typer brings under its own name
        try:
            return super().invoke(ctx)
        except typer.Exit:
            raise
        except typer.BadParameter as error:
            _report_usage(error, bool(ctx.params.get("as_json")))
            raise
        except (typer.Abort, KeyboardInterrupt):
            self._report(ctx, "interrupted", "Stopped. What was done until here stays done; run it again to go on.")
            raise typer.Exit(_INTERRUPTED) from None
        except BrokenPipeError:
            # The reader has enough; what is left in the buffer has nowhere to go.
            sys.stdout = None
            raise typer.Exit(self.error_exit_code) from None
        except RegistryError as error:
            detail = str(error)
            if any(each.__name__ == "ChainUnreachable" for each in type(error).__mro__):
                detail = f"{detail.rstrip('.')}. {_UNREACHABLE_HINT}"
            self._report(ctx, getattr(error, "code", _code_of(error)), detail, getattr(error, "status", None))
        except OSError as error:
            self._report(ctx, "os_error", said_of(error))
        except Exception as error:
            self._unexpected(ctx, error)
        raise typer.Exit(self.error_exit_code)

    def _unexpected(self, ctx: typer.Context, error: Exception) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        if isinstance(error, SQLAlchemyError):
            # Only the driver's own words: the statement's parameters are personal data.
            reason = str(getattr(error, "orig", None) or type(error).__name__)
            self._report(ctx, "database", f"The database does not do it: {reason}. Check the disk and DATABASE_URL.")
        else:
            detail = f"Unexpected {type(error).__name__}: this is a fault of the program. "
            self._report(ctx, "internal", detail + "Run it with REGISTRY_LOG_LEVEL=DEBUG to see where, and report it.")
        _log.debug("where it happened", exc_info=error)

    @staticmethod
    def _report(ctx: typer.Context, code: str, detail: str, status: int | None = None) -> None:
        if ctx.params.get("as_json"):
            try:
                Output(as_json=True).result(_problem(code, detail) | ({} if status is None else {"status": status}))
            except OSError:  # stdout itself may be what cannot be written; stderr says the same
                sys.stdout = None
        sentence = detail if detail.endswith((".", "!", "?")) else f"{detail}."
        if sentence.split(maxsplit=1)[0].isalpha():  # a word, and not a file's name, which stays as it is
            sentence = sentence[:1].upper() + sentence[1:]
        sys.stderr.write(f"Error: {sentence}\n")


def said_of(error: OSError) -> str:
    """What the system refused, of which file, and what to do."""
    where = f" ({error.filename2 or error.filename})" if error.filename else ""
    hint = _HINTS.get(error.errno or 0, "")
    return f"The system refuses: {error.strerror or error}{where}.{hint}"


def fail_with(exit_code: int) -> type[Command]:
    """A command whose errors end with another exit code than 1."""
    return type("Command", (Command,), {"error_exit_code": exit_code})


def load(data: Path | None, config: Path | None) -> "Settings":
    """The settings, and quiet logs: a command speaks for itself. ``configure_logging`` makes them heard."""
    from registry.settings import load_settings

    settings = load_settings(data, config)
    configure_logging(settings.log_level if settings.log_level in ("DEBUG", "ERROR") else "WARNING")
    if settings.log_level != "DEBUG":
        logging.getLogger("anchors.devchain").setLevel(logging.ERROR)  # each command says itself what chain it is
    return settings


def configure_logging(level: str) -> None:
    """Our own logs, to stderr. Other libraries only from warnings on: theirs may show what ours never would."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    for name in ("registry", "anchors"):
        logging.getLogger(name).setLevel(level)
    logging.getLogger("anchors.devchain").setLevel(level)


@contextmanager
def opened(data: Path | None, config: Path | None) -> "Iterator[Registry]":
    """The registry in the data folder, for the length of one command."""
    from registry.wiring import open_registry

    with open_registry(load(data, config)) as registry:
        yield registry


def _problem(code: str, detail: str) -> dict[str, Any]:
    return {"type": f"urn:credential-registry:problem:{code}", "code": code, "detail": detail}


def _report_usage(error: Exception, as_json: bool) -> None:
    """Wrong usage is explained on stderr by Typer; its object on stdout comes from here."""
    message = getattr(error, "format_message", None)  # what click's errors have; their classes are Typer's own now
    if as_json and message is not None:
        Output(as_json=True).result(_problem("usage", message()))


def _code_of(error: RegistryError) -> str:
    """A class's name as a code: ChainUnreachable → chain_unreachable."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
