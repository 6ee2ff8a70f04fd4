"""Making an installation, and what it is bound to: one chain, one contract, one code.

Everything here looks at what is there and does what is missing: it can be repeated, and killed at any line.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anchors.artifact import contract_files, load_artifact
from anchors.base import Network, Refusal, TransactionRefused
from anchors.deployments import Deployment, find_deployment, save_deployment
from anchors.ethereum import EthereumChain
from anchors.networks import default_network, load_networks, network_of
from registry.core.model import ChainClass
from registry.core.notation import hex_text
from registry.service.errors import ConflictError, NotReadyError
from registry.service.health import get_property, set_property
from registry.settings import ENV_PREFIX, Settings
from registry.store.database import Database, DatabaseError
from registry.wiring.embedded import EmbeddedNode
from registry.wiring.keys import make_password, operator_file

if TYPE_CHECKING:
    from anchors.ethereum.transport import Transport

__all__ = ["Binding", "Installation", "chain_at", "deploy_contract", "initialise", "network_for", "read_binding"]

_BINDING = "binding"
_GWEI = 10**9
_DEV_FUNDS = 1_000 * 10**18

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Binding:
    """What a database belongs to, for good: its leaves are numbered by this contract."""

    chain_id: int
    contract: bytes
    code_hash: bytes
    first_block: int  # there is nothing of the contract before


@dataclass(frozen=True, slots=True)
class Installation:
    """What ``initialise`` and ``deploy_contract`` made or found. ``binding`` is None while there is no contract."""

    settings: Settings
    network: Network
    operator: bytes
    binding: Binding | None
    new_password_file: Path | None = None
    records: tuple[Path, ...] = ()


def initialise(settings: Settings, report: Report = lambda _: None) -> Installation:
    """Makes data folder, keystore and database, and binds them to the contract; on the embedded chain it deploys it.

    Raises ChainError if the chain cannot be asked, ConflictError if the database belongs to another contract.
    """
    network = network_for(settings, _peek(settings))
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = make_password(settings) if settings.uses_embedded_chain else None
    operator = operator_file(settings, create=True)
    operator.unlock()  # a wrong password is best found now
    database = Database(settings.database)
    try:
        database.migrate()
        bound = read_binding(database)
        if bound is not None:
            check_binding(settings, bound)
            return Installation(settings, network, operator.address, bound, made)
        if settings.uses_embedded_chain:
            deployment: Deployment | None = _deploy_embedded(settings, operator.address, report)
        else:
            deployment = _find_contract(settings, network, report)
        binding = None if deployment is None else _bind(database, settings, deployment)
        return Installation(settings, network, operator.address, binding, made)
    finally:
        database.close()


def deploy_contract(settings: Settings, report: Report, *, record: bool) -> Installation:
    """Puts the contract on the configured chain unless it is there, writes that down, and binds the database to it.

    ``record``: also under contracts/deployments, where this runs from a checkout.
    """
    from anchors.ethereum.deploy import deploy

    if settings.uses_embedded_chain:
        return initialise(settings, report)
    network = network_for(settings, _peek(settings))
    operator = operator_file(settings)
    try:
        deployment = deploy(
            nodes_of(settings),
            network.chain_id,
            operator.unlock(),
            fee_cap=int(settings.max_fee_gwei * _GWEI),
            timeout=settings.rpc_timeout_seconds,
            report=report,
        )
    except TransactionRefused as error:
        if error.refusal is not Refusal.INSUFFICIENT_FUNDS:
            raise
        message = f"The account {hex_text(operator.address)} needs money on {network.name} to pay for the contract"
        raise TransactionRefused(f"{message} ({error})", error.refusal) from error
    records = [save_deployment(deployment, settings.deployments_dir)]
    shipped = contract_files("deployments")
    if record and network.chain_class is not ChainClass.DEV and shipped.parent.name == "contracts":
        records.append(save_deployment(deployment, shipped))
    database = Database(settings.database)
    try:
        database.migrate()
        bound = read_binding(database)
        if bound is None and settings.contract_address in (None, deployment.address):
            bound = _bind(database, settings, deployment)
    finally:
        database.close()
    return Installation(settings, network, operator.address, bound, records=tuple(records))


def network_for(settings: Settings, bound: Binding | None = None) -> Network:
    """The network that is meant: the one that is set, or the database's, or the default one. Raises InputError."""
    networks = load_networks(settings.networks_file)
    if settings.uses_embedded_chain:
        from anchors.devchain import CHAIN_ID

        wanted = settings.chain_id or (bound.chain_id if bound else CHAIN_ID)
        if wanted != CHAIN_ID:
            name = network_of(wanted, networks).name
            raise NotReadyError("no_node", f"No node is set for {name} (chain {wanted}). Set {ENV_PREFIX}RPC_URLS.")
        return network_of(CHAIN_ID, networks)
    chain_id = settings.chain_id or (bound.chain_id if bound else default_network().chain_id)
    return network_of(chain_id, networks)


def read_binding(database: Database) -> Binding | None:
    """What the database belongs to; None if it does not belong to anything yet. Raises DatabaseError."""
    with database.read() as connection:
        value = get_property(connection, _BINDING)
    if value is None:
        return None
    try:
        fields = json.loads(value)
        contract, code_hash = bytes.fromhex(fields["contract"]), bytes.fromhex(fields["code_hash"])
        return Binding(int(fields["chain_id"]), contract, code_hash, int(fields["first_block"]))
    except (ValueError, TypeError, KeyError) as error:
        message = f"The table properties names no contract under {_BINDING!r}: it was changed. Restore a backup."
        raise DatabaseError(message) from error


def check_binding(settings: Settings, bound: Binding) -> None:
    """Raises ConflictError if the settings, or this version's contract, contradict what the database belongs to."""
    network = network_for(settings, bound)
    of = f"This database belongs to the contract {hex_text(bound.contract)} on chain {bound.chain_id}"
    if network.chain_id != bound.chain_id:
        raise ConflictError(
            "other_chain",
            f"{of}, and chain {network.chain_id} is set. Set {ENV_PREFIX}CHAIN_ID back, or use another data folder.",
        )
    if settings.contract_address not in (None, bound.contract):
        raise ConflictError(
            "other_contract",
            f"{of}, and {settings.contract} is set. Set {ENV_PREFIX}CONTRACT back, or use another data folder.",
        )
    if load_artifact().code_hash != bound.code_hash:
        raise ConflictError(
            "other_code",
            f"{of} with the code hash {hex_text(bound.code_hash)}; this version's contract is another one. Use the "
            "version that made this database.",
        )


def nodes_of(settings: Settings) -> "list[str | Transport]":
    """The nodes to be asked, in their order. Raises InputError if none is set."""
    return [url.get_secret_value() for url in settings.rpc_urls]


def chain_at(
    settings: Settings,
    nodes: "Sequence[str | Transport]",
    chain_id: int,
    contract: bytes,
    code_hash: bytes | None = None,
) -> EthereumChain:
    """The contract on a chain, with the timeouts and caps of the settings. Asks nothing yet."""
    return EthereumChain(
        nodes,
        chain_id,
        contract,
        code_hash=code_hash,
        timeout=settings.rpc_timeout_seconds,
        fee_cap=int(settings.max_fee_gwei * _GWEI),
    )


def _deploy_embedded(settings: Settings, operator: bytes, report: Report) -> Deployment:
    from anchors.devchain import CHAIN_ID
    from anchors.ethereum.deploy import deploy

    node = EmbeddedNode(settings.chain_dir)
    try:
        chain = node.open()
        deployment = deploy([node], CHAIN_ID, chain.account, report=report)
        with chain_at(settings, [node], CHAIN_ID, deployment.address) as back_end:
            if back_end.balance(operator) < _DEV_FUNDS:
                chain.fund(operator, _DEV_FUNDS)
    finally:
        node.stop()
    return deployment


def _find_contract(settings: Settings, network: Network, report: Report) -> Deployment | None:
    """Where the contract is on the configured chain: the address that is set, recorded, or computed."""
    from anchors.ethereum.deploy import contract_address, find_origin

    recorded = find_deployment(network.chain_id, settings.deployments_dir)
    address = settings.contract_address or (recorded.address if recorded else contract_address())
    with chain_at(settings, nodes_of(settings), network.chain_id, address) as chain:
        if settings.contract_address is None and not chain.code(address):
            return None
        code_hash = chain.check()
        if recorded is not None and recorded.address == address and recorded.code_hash == code_hash:
            return recorded
        report("looking for the block that the contract was made in")
        # Without it the contract's events are looked for from the first block on: slow once, and right.
        return Deployment(network.chain_id, address, code_hash, *find_origin(chain, address))


def _bind(database: Database, settings: Settings, deployment: Deployment) -> Binding:
    binding = Binding(deployment.chain_id, deployment.address, deployment.code_hash, deployment.block_number or 0)
    check_binding(settings, binding)
    fields = {key: value.hex() if isinstance(value, bytes) else value for key, value in asdict(binding).items()}
    with database.write() as connection:
        set_property(connection, _BINDING, json.dumps(fields))
    return binding


def _peek(settings: Settings) -> Binding | None:
    """What an existing database belongs to, before anything is made."""
    if settings.database_url is None and not (settings.data_dir / "registry.sqlite").exists():
        return None
    database = Database(settings.database)
    try:
        database.migrate()
        return read_binding(database)
    finally:
        database.close()
