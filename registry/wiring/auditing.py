"""The nodes that an audit asks: each one alone, so that they can be compared."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from anchors.deployments import find_deployment
from anchors.ethereum.transport import HttpTransport
from registry.core.errors import InputError
from registry.service.auditing import NamedChain
from registry.service.auditstate import StateFile
from registry.service.discovering import Discovered, discover
from registry.service.errors import BusyError
from registry.settings import Settings
from registry.standards.did.fetching import HttpsFetcher
from registry.wiring.files import write_if_changed
from registry.wiring.installation import chain_at
from registry.wiring.registry import Registry
from registry.wiring.trust import ask_chain_id, resolver_of

__all__ = ["Audited", "audited_outside", "audited_registry", "discovered", "locked_state"]


@dataclass(frozen=True, slots=True)
class Audited:
    """Whom to ask. ``first_block``: there is nothing of the contract before."""

    chains: list[NamedChain]
    first_block: int

    def close(self) -> None:
        for item in self.chains:
            close = getattr(item.chain, "close", None)
            if close is not None:
                close()


def audited_registry(registry: Registry) -> Audited:
    """The contract that a data folder is bound to, by every node that is set."""
    settings, binding = registry.settings, registry.binding
    if registry.node is not None:
        return Audited([NamedChain(registry.node.name, registry.context.chain)], binding.first_block)
    urls = [url.get_secret_value() for url in settings.rpc_urls]
    return Audited(_chains(settings, urls, binding.chain_id, binding.contract, binding.code_hash), binding.first_block)


def audited_outside(
    settings: Settings, urls: Sequence[str], contract: bytes | None, code_hash: bytes | None, chain_id: int | None
) -> Audited:
    """A contract on somebody's nodes; the one that this package knows there, unless it is named. Raises InputError."""
    from anchors.ethereum.deploy import contract_address

    nodes = list(urls) or [url.get_secret_value() for url in settings.rpc_urls]
    if not nodes:
        raise InputError("No node is named: use --rpc URL, or set REGISTRY_RPC_URLS.")
    failures: list[str] = []
    wanted = chain_id or settings.chain_id or ask_chain_id(nodes, settings.rpc_timeout_seconds, failures)
    if wanted is None:
        raise InputError(
            f"No node says on which chain it is: {'; '.join(failures)}. Look at --rpc, or ask other nodes."
        )
    recorded = find_deployment(wanted, settings.deployments_dir)
    address = contract or settings.contract_address or (recorded.address if recorded else contract_address())
    first = (recorded.block_number or 0) if recorded and recorded.address == address else 0
    return Audited(_chains(settings, nodes, wanted, address, code_hash), first)


def discovered(settings: Settings, did: str) -> Discovered:
    """What an issuer's DID leads to. Raises DidError."""
    fetcher = HttpsFetcher(allow_loopback=settings.fetch_loopback, accept="application/json")
    return discover(did, resolver_of(settings, lambda: 0), fetcher)


def _chains(
    settings: Settings, urls: Sequence[str], chain_id: int, contract: bytes, code_hash: bytes | None
) -> list[NamedChain]:
    """Names are hosts: the rest of a node's address may be a key."""
    found: list[NamedChain] = []
    for number, url in enumerate(dict.fromkeys(urls), 1):
        transport = HttpTransport(url)
        name = f"node {number} ({transport.name})"
        found.append(NamedChain(name, chain_at(settings, [transport], chain_id, contract, code_hash)))
    return found


@contextmanager
def locked_state(path: Path) -> Iterator[StateFile]:
    """An audit's state, for one audit at a time. Raises BusyError if another one has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{path}.lock", blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise BusyError("audit_runs", f"Another audit works with {path}. Name another file with --state.") from error
    try:
        yield StateFile(path, write_if_changed)
    finally:
        lock.release()
