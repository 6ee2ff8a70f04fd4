"""The command `registry`. Each module holds the commands of one noun and imports slow things late."""

import typer

from registry.cli import demo

__all__ = ["app", "main"]

app = typer.Typer(
    name="registry",
    help="Micro-credentials that anyone can check: batched into Merkle trees, anchored on Ethereum.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _registry() -> None:
    """Keeps commands below `registry`, however many there are."""


for _module in (demo,):
    _module.register(app)


def main() -> None:
    """Where the installed command begins."""
    app()
