"""`registry init`, `deploy`, `networks` and `policy`: the installation and its chain."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from registry.cli.base import Command, Config, Data, Json, load
from registry.cli.output import Output, mark_of

if TYPE_CHECKING:
    from registry.wiring.installation import Installation

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    app.command("init", cls=Command)(init)
    app.command("deploy", cls=Command)(deploy)
    app.command("networks", cls=Command)(networks)
    app.command("policy", cls=Command)(policy)


def init(data: Data = None, config: Config = None, as_json: Json = False) -> None:
    """Make the data folder, the paying account's keystore and the database; can be repeated."""
    from registry.wiring.installation import initialise

    out = Output(as_json)
    made = initialise(load(data, config), out.say)
    _show(out, made)
    if made.new_password_file:
        out.say(f"Made up a password for the keystores: {made.new_password_file} (readable for you only).")
    if made.binding is None:
        out.say(f"The contract is not on {made.network.name} yet. Send that account money, then `registry deploy`.")
    else:
        out.say("Next: `registry issuer create NAME`, `registry issue FILE --issuer NAME`, `registry serve`.")


def deploy(
    data: Data = None,
    config: Config = None,
    record: Annotated[
        bool, typer.Option("--record/--no-record", help="In a checkout: also write contracts/deployments.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Put the contract on the configured chain, unless it is there, and write down where it is."""
    from registry.wiring.installation import deploy_contract

    out = Output(as_json)
    made = deploy_contract(load(data, config), out.say, record=record)
    _show(out, made)
    for path in made.records:
        out.say(f"Recorded in {path}.")


def _show(out: Output, made: "Installation") -> None:
    from registry.core.notation import chain_text, hex_text
    from registry.wiring.trust import end_warnings

    network, binding = made.network, made.binding
    mark = mark_of(network.chain_class, network.name)
    out.say(f"Data folder: {made.settings.data_dir}")
    out.say(f"Chain:       {network.name} ({chain_text(network.chain_id)}, {network.chain_class})")
    if mark:
        out.say(mark, "bold yellow")
    out.say(f"Contract:    {hex_text(binding.contract) if binding else 'none yet'}")
    out.say(f"Pays gas:    {hex_text(made.operator)}")
    for warning in end_warnings(made.settings, [network.chain_id]):
        out.warn(warning)
    out.result(
        {
            "data": str(made.settings.data_dir),
            "network": network.name,
            "chain": chain_text(network.chain_id),
            "class": network.chain_class.value,
            "mark": mark,
            "contract": hex_text(binding.contract) if binding else None,
            "codeHash": hex_text(binding.code_hash) if binding else None,
            "firstBlock": binding.first_block if binding else None,
            "operator": hex_text(made.operator),
            "passwordFile": str(made.new_password_file) if made.new_password_file else None,
            "records": [str(path) for path in made.records],
        }
    )


def networks(data: Data = None, config: Config = None, as_json: Json = False) -> None:
    """List the networks that are known, where the contract is on them, and when they are expected to end."""
    from anchors.deployments import load_deployments
    from anchors.networks import default_network, end_warning, load_networks
    from registry.core.notation import chain_text, hex_text

    out = Output(as_json)
    settings = load(data, config)
    deployments = load_deployments(settings.deployments_dir)
    today = datetime.now(UTC).date()
    found: list[dict[str, Any]] = []
    for network in load_networks(settings.networks_file).values():
        deployment = deployments.get(network.chain_id)
        found.append(
            {
                "name": network.name,
                "chain": chain_text(network.chain_id),
                "class": network.chain_class.value,
                "mark": mark_of(network.chain_class, network.name),
                "finality": network.finality,
                "explorer": network.explorer,
                "expectedEnd": network.expected_end,
                "warning": end_warning(network, today),
                "contract": hex_text(deployment.address) if deployment else None,
                "default": network.chain_id == default_network().chain_id,
            }
        )
    out.table(
        ("name", "chain", "class", "final", "expected end", "contract"),
        [
            (item["name"], item["chain"], item["class"], item["finality"], item["expectedEnd"], item["contract"])
            for item in found
        ],
        "No networks.",
    )
    for item in found:
        if item["warning"]:
            out.warn(item["warning"])
    out.result({"networks": found})


def policy(data: Data = None, config: Config = None, as_json: Json = False) -> None:
    """Print the policy in force, for `registry verify --policy FILE` on another machine (always JSON)."""
    import sys

    from registry.core.policy import serialize_policy
    from registry.service.errors import NotReadyError
    from registry.wiring import open_registry
    from registry.wiring.trust import default_policy

    settings = load(data, config)
    try:
        with open_registry(settings) as registry:
            found = registry.policy()
    except NotReadyError:  # a verifier's machine
        found = default_policy(settings)
    sys.stdout.write(serialize_policy(found).decode())
