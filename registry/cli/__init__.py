"""The command `registry`. Each module holds the commands of one noun and imports slow things late."""

import typer

from registry.cli import (
    auditing,
    badges,
    batches,
    credentials,
    demo,
    issuers,
    promises,
    serving,
    setup,
    signing,
    status,
    templates,
    verifying,
)

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


# In the order in which they are used.
for _module in (
    demo, setup, issuers, templates, credentials, promises, batches, serving, signing, status, verifying, badges,
    auditing,
):  # fmt: skip
    _module.register(app)


def main() -> None:
    """Where the installed command begins."""
    app()
