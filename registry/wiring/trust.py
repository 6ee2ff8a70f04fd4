"""Whom verification trusts: this installation's policy, the shipped one, or what somebody names on the command line."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anchors.artifact import load_artifact
from anchors.base import ChainError, Network
from anchors.deployments import Deployment, load_deployments
from anchors.ethereum import EthereumChain
from anchors.ethereum.transport import HttpTransport
from anchors.networks import end_warning, load_networks, network_of
from registry.core.canonical import parse_json
from registry.core.errors import InputError, PolicyError
from registry.core.model import IssuerPin, Policy, TrustedChain
from registry.core.policy import MAX_POLICY_BYTES, parse_policy
from registry.service.foreignlists import ForeignLists, list_fetcher
from registry.service.judging import Judging
from registry.service.verifying import Verifier
from registry.settings import Settings
from registry.standards.did.document import DidDocument, parse_did_document
from registry.standards.did.fetching import MAX_DOCUMENT_BYTES, HttpsFetcher
from registry.standards.did.resolver import DidResolver
from registry.wiring.installation import chain_at

if TYPE_CHECKING:
    from anchors.ethereum.transport import Transport

__all__ = [
    "ask_chain_id", "default_policy", "end_warnings", "judging_of", "named_contract", "outside_verifier", "read_policy",
    "resolver_of", "with_pins",
]  # fmt: skip

_FETCH_SECONDS = 5.0
_MAX_FETCHES = 16  # for strangers' requests: each may take its time, and holds a thread
_MAX_FETCHES_OUTSIDE = 1_000  # for one's own files


def default_policy(settings: Settings) -> Policy:
    """The shipped policy: deployments of the contract that this package knows. It pins nobody."""
    networks = load_networks(settings.networks_file)
    found = load_deployments(settings.deployments_dir if settings.deployments_dir.is_dir() else None)
    return Policy(tuple(trusted(deployment, networks) for deployment in found.values()), ())


def read_policy(path: Path) -> Policy:
    """Raises InputError that names the file and the place in it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_POLICY_BYTES + 1)
    except OSError as error:
        raise InputError(f"The policy file {path} cannot be read: {error.strerror}.") from error
    try:
        return parse_policy(data)
    except InputError as error:
        raise PolicyError(f"The policy file {path} cannot be used: {error}.") from error


def trusted(deployment: Deployment, networks: Mapping[int, Network]) -> TrustedChain:
    network = network_of(deployment.chain_id, networks)
    return TrustedChain(network.chain_id, deployment.address, deployment.code_hash, network.chain_class, network.name)


def named_contract(settings: Settings, chain_id: int, contract: bytes, code_hash: bytes | None) -> TrustedChain:
    """A contract that the verifier names; unless its code is named as well, it has to be this package's."""
    wanted = code_hash or load_artifact().code_hash
    return trusted(Deployment(chain_id, contract, wanted, None, None), load_networks(settings.networks_file))


def with_pins(policy: Policy, pins: Sequence[IssuerPin], *, instead: bool = False) -> Policy:
    """Adds pins; an address that the policy pins already keeps its pin, unless the new ones count ``instead``."""
    if instead:
        new = {_key(pin): pin for pin in pins}
        return replace(policy, issuers=(*(pin for pin in policy.issuers if _key(pin) not in new), *new.values()))
    known = {_key(pin) for pin in policy.issuers}
    return replace(policy, issuers=(*policy.issuers, *(pin for pin in pins if _key(pin) not in known)))


def _key(pin: IssuerPin) -> bytes | str:
    """An address belongs to one issuer; without one, the identifier stands for itself."""
    return pin.did if pin.address is None else pin.address


def _chains_of(
    settings: Settings, policy: Policy, nodes: "Sequence[str | Transport]"
) -> dict[tuple[int, bytes], EthereumChain]:
    """Every contract of the policy, through these nodes. A node that is on another chain says so when it is asked."""
    if not nodes:
        return {}
    return {
        (item.chain_id, item.contract): chain_at(settings, nodes, item.chain_id, item.contract, item.code_hash)
        for item in policy.chains
    }


def end_warnings(settings: Settings, chain_ids: Sequence[int], clock: Callable[[], float] = time.time) -> list[str]:
    """What people should know about the end of these networks."""
    networks = load_networks(settings.networks_file)
    today = datetime.fromtimestamp(clock(), UTC).date()
    warnings = (end_warning(network_of(chain_id, networks), today) for chain_id in dict.fromkeys(chain_ids))
    return [warning for warning in warnings if warning]


def outside_verifier(
    settings: Settings,
    *,
    nodes: Sequence[str],
    contract: bytes | None,
    code_hash: bytes | None,
    chain_id: int | None,
    policy_file: Path | None,
    pins: Sequence[IssuerPin],
    chain_ids: Callable[[], Sequence[int]],
) -> tuple[Verifier, Callable[[], None]]:
    """A verifier on somebody else's machine, and what closes its connections.

    Trusted are: the contract that is named; or else the policy file's; or else the shipped deployments. ``chain_ids``
    gives candidates for the chain of the named contract, where neither the caller nor the node says which one it is:
    whatever they are, the node has to be on the chain that is asked about.
    """
    urls = list(nodes) or [url.get_secret_value() for url in settings.rpc_urls]
    file = policy_file or settings.policy_file
    policy = read_policy(file) if file is not None else default_policy(settings)
    if contract is not None:
        wanted = chain_id or settings.chain_id or (ask_chain_id(urls, settings.rpc_timeout_seconds) if urls else None)
        candidates = [wanted] if wanted is not None else chain_ids()
        chains = tuple(named_contract(settings, candidate, contract, code_hash) for candidate in candidates)
        policy = replace(policy, chains=chains)
    policy = with_pins(policy, pins, instead=True)
    chains_to_ask = _chains_of(settings, policy, urls)

    def close() -> None:
        for chain in chains_to_ask.values():
            chain.close()

    judging = judging_of(settings, resolver_of(settings, _clock), _clock, max_fetches=_MAX_FETCHES_OUTSIDE)
    return Verifier(chains_to_ask, lambda: policy, _clock, judging=judging), close


def resolver_of(settings: Settings, clock: Callable[[], int]) -> DidResolver:
    """Resolves did:web within what the settings allow, and did:key. Raises InputError: a pinned document is none."""
    fetcher = HttpsFetcher(allow_loopback=settings.fetch_loopback, timeout=_FETCH_SECONDS)
    return DidResolver(
        fetcher if settings.fetch_documents else None,
        clock,
        pinned=_pinned_documents(settings.did_documents),
        allow_loopback=settings.fetch_loopback,
    )


def _pinned_documents(place: Path | None) -> dict[str, DidDocument]:
    """The DID documents in a file, or in the *.json files of a folder: whoever put them there vouches for them."""
    if place is None:
        return {}
    found: dict[str, DidDocument] = {}
    try:
        for path in sorted(place.glob("*.json")) if place.is_dir() else [place]:
            document = parse_json(path.read_bytes(), MAX_DOCUMENT_BYTES)
            did = document.get("id") if isinstance(document, dict) else None
            if not isinstance(did, str):
                raise InputError(f"{path} is no DID document: it has no id.")
            if did in found:
                raise InputError(f"{path} is the second document of {did} in {place}.")
            found[did] = parse_did_document(document, did)
    except OSError as error:
        raise InputError(f"The DID documents in {place} cannot be read: {error.strerror}.") from error
    return found


def judging_of(
    settings: Settings,
    resolver: DidResolver,
    clock: Callable[[], int],
    *,
    pinned: Callable[[str], DidDocument | None] | None = None,
    local: Callable[[str], dict[str, Any] | None] | None = None,
    max_fetches: int = _MAX_FETCHES,
) -> Judging:
    """Judges credentials within what the settings allow. ``local``: lists that this installation serves itself."""
    fetcher = list_fetcher(allow_loopback=settings.fetch_loopback, timeout=_FETCH_SECONDS)
    lists = ForeignLists(fetcher if settings.fetch_documents else None, clock, local=local)
    return Judging(resolver, clock, lists=lists, pinned=pinned, max_fetches=max_fetches)


def _clock() -> int:
    return int(time.time())


def ask_chain_id(urls: Sequence[str], timeout: float, failures: list[str] | None = None) -> int | None:
    """On which chain the first node is that says so; None if none does: ``failures`` then says why."""
    for url in urls:
        transport = HttpTransport(url)
        try:
            answer = parse_json(transport.post(b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}', timeout))
            return int(answer["result"], 16)
        except ChainError as error:
            reason = str(error)
        except (InputError, KeyError, TypeError, ValueError):
            reason = f"{transport.name}: the answer is none of an Ethereum node"
        finally:
            transport.close()
        if failures is not None:
            failures.append(reason)
    return None
