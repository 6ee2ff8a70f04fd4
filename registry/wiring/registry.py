"""The parts of a running registry, put together."""

import secrets
import time
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from sqlalchemy.exc import DBAPIError

from anchors.base import Chain, ChainError, ContractCall, Signature
from anchors.ethereum import recover_signer
from registry.core.canonical import parse_json
from registry.core.errors import RegistryError
from registry.core.model import Policy
from registry.service.batching import Batching
from registry.service.bundles import Bundles
from registry.service.context import Context, Rules
from registry.service.correcting import Correcting
from registry.service.errors import NotReadyError, ServiceError
from registry.service.following import Follower
from registry.service.health import Health
from registry.service.hosting import Hosting
from registry.service.identities import Identities
from registry.service.issuers import Issuers
from registry.service.issuing import Issuing
from registry.service.judging import Judging
from registry.service.keysofothers import KeyFinder
from registry.service.ownaudit import OwnAudit
from registry.service.promising import Promising
from registry.service.reserving import Reserving
from registry.service.selfauditing import SelfAudit
from registry.service.signing import Signing
from registry.service.status import StatusService
from registry.service.statuslists import StatusLists
from registry.service.verifying import Verifier
from registry.service.worker import Worker
from registry.settings import Settings
from registry.standards.did.resolver import DidResolver
from registry.store.database import Database
from registry.wiring.embedded import EmbeddedNode
from registry.wiring.installation import Binding, chain_at, check_binding, network_for, nodes_of, read_binding
from registry.wiring.keys import ControllerFiles, KeystoreFile, SigningKeyFiles, operator_file
from registry.wiring.signing_pool import SigningPool
from registry.wiring.trust import default_policy, judging_of, named_contract, read_policy, resolver_of, with_pins

__all__ = ["Registry", "open_registry"]


@dataclass(frozen=True)
class Registry:
    """Everything that API, pages and command line work with. Threads may share it, a forked process may not."""

    settings: Settings
    binding: Binding
    context: Context
    issuers: Issuers
    identities: Identities
    hosting: Hosting
    signing: Signing
    issuing: Issuing
    promising: Promising
    reserving: Reserving
    correcting: Correcting
    resolver: DidResolver
    batching: Batching
    status: StatusService
    status_lists: StatusLists
    bundles: Bundles
    health: Health
    follower: Follower
    operator: KeystoreFile
    node: EmbeddedNode | None  # the development chain, where it is the one that is used

    def policy(self) -> Policy:
        """The configured policy, or the shipped one with this installation's chain; and pins of its own issuers."""
        return with_pins(self._policy, [issuer.pin for issuer in self.issuers.all()])

    @cached_property
    def _policy(self) -> Policy:
        if self.settings.policy_file is not None:
            return read_policy(self.settings.policy_file)
        own = named_contract(self.settings, self.binding.chain_id, self.binding.contract, self.binding.code_hash)
        shipped = [
            chain
            for chain in default_policy(self.settings).chains
            if (chain.chain_id, chain.contract) != (own.chain_id, own.contract)
        ]
        return Policy((own, *shipped), ())

    @cached_property
    def chains(self) -> dict[tuple[int, bytes], Chain]:
        """The chains that can be asked."""
        chain = self.context.chain
        return {(chain.chain_id, chain.contract): chain}

    @cached_property
    def verifier(self) -> Verifier:
        return Verifier(self.chains, self.policy, self.context.clock, self.status.announced, self.judging)

    @cached_property
    def judging(self) -> Judging:
        """Judges credentials without a chain; this registry's own issuers from what is kept here."""
        return judging_of(
            self.settings, self.resolver, self.context.clock, pinned=self.identities.pinned, local=self._own_list
        )

    def _own_list(self, url: str) -> dict[str, Any] | None:
        """A status list that this registry serves itself; None for every other address, or if it has none to give."""
        base, _, rest = url.rpartition("/status/")
        purpose, _, number = rest.partition("/")
        issuer = self.issuers.by_status_base(f"{base}/status") if number.isdecimal() and len(number) < 10 else None
        if issuer is None:
            return None
        try:
            content = self.status_lists.current(issuer, purpose, int(number))
        except (ServiceError, ChainError):
            return None
        found: dict[str, Any] = parse_json(content)
        return found

    @cached_property
    def self_audit(self) -> SelfAudit:
        return SelfAudit(self.context, self.issuers, self.batching, self.own_audit, self.settings.audit_seconds)

    @cached_property
    def own_audit(self) -> OwnAudit:
        first_block = self.binding.first_block
        return OwnAudit(self.context, self.identities, self.status_lists, first_block)

    def worker(self) -> Worker:
        """A worker with its signing key at hand. Raises InputError: no password, or the wrong one."""
        self.operator.unlock()
        first_block = self.binding.first_block
        return Worker(self.context, self.issuers, self.batching, self.status, first_block, self.self_audit)

    def close(self) -> None:
        if isinstance(self.context.batch_signer, SigningPool):
            self.context.batch_signer.close()
        close = getattr(self.context.chain, "close", None)
        if close is not None:
            close()
        if self.node is not None:
            self.node.stop()
        self.context.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_registry(settings: Settings) -> Registry:
    """Opens what `registry init` made; asks no node yet.

    Raises NotReadyError (not initialised, no contract yet), ConflictError (the database belongs to another chain or
    contract), DatabaseError, InputError (settings and files that cannot be used); what the driver raises where the
    database is damaged.
    """
    if not (settings.keystores_dir / "operator.json").is_file():
        raise NotReadyError(
            "not_initialised",
            f"There is no registry in {settings.data_dir}. Make one with `registry init --data {settings.data_dir}`, "
            "or name another folder with --data.",
        )
    operator = operator_file(settings)
    database = Database(settings.database)
    try:
        database.migrate()
        binding = read_binding(database)
        if binding is None:
            raise NotReadyError(
                "no_contract",
                "This registry has no contract yet. Put it on the chain with `registry deploy`, or, where it is "
                "already, run `registry init` again.",
            )
        check_binding(settings, binding)
        return _assemble(settings, binding, database, operator)
    except (RegistryError, DBAPIError):
        database.close()
        raise


def _assemble(settings: Settings, binding: Binding, database: Database, operator: KeystoreFile) -> Registry:
    node = EmbeddedNode(settings.chain_dir) if settings.uses_embedded_chain else None
    network = network_for(settings, binding)
    finality = 0 if network.finality == "finalized" else int(network.finality)
    context = Context(
        database=database,
        chain=chain_at(settings, [node] if node else nodes_of(settings), binding.chain_id, binding.contract),
        network=network,
        payer=operator,
        rules=Rules(
            public_url=settings.public_url,
            confirmations=finality if settings.confirmations is None else settings.confirmations,
            batch_max_size=settings.batch_max_size,
            batch_max_age_seconds=settings.batch_max_age_seconds,
            promise_seconds=settings.promise_seconds,
            stuck_seconds=settings.stuck_seconds,
            open_badges_only=settings.open_badges_only,
            allow_unmapped=settings.allow_unmapped,
            hide_emails=settings.hide_emails,
            reservation_seconds=settings.reservation_seconds,
        ),
        clock=_clock,
        random=secrets.token_bytes,
        keys=SigningKeyFiles(settings),
        batch_signer=SigningPool(settings),
    )
    issuers = Issuers(context)
    identities = Identities(context, issuers)
    resolver = resolver_of(settings, _clock)
    batching = Batching(context)
    issuing, status = Issuing(context, KeyFinder(identities, resolver)), StatusService(context, issuers)
    return Registry(
        settings=settings,
        binding=binding,
        context=context,
        issuers=issuers,
        identities=identities,
        hosting=Hosting(context, issuers, identities, ControllerFiles(settings)),
        signing=Signing(context, issuers, _recover),
        issuing=issuing,
        promising=Promising(context),
        correcting=Correcting(context, issuing, status),
        reserving=Reserving(context),
        resolver=resolver,
        batching=batching,
        status=status,
        status_lists=StatusLists(context, binding.first_block),
        bundles=Bundles(context, issuers, identities, batching),
        health=Health(database, _clock),
        follower=Follower(context, binding.first_block),
        operator=operator,
        node=node,
    )


def _clock() -> int:
    return int(time.time())


def _recover(chain_id: int, contract: bytes, call: ContractCall, signature: Signature) -> bytes | None:
    return recover_signer(signature, call, chain_id=chain_id, contract=contract)
