"""A whole registry on a fake chain, in a folder of its own: what the service's tests work with."""

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anchors.base import Network, Signature
from registry.core.bundle import parse_bundle
from registry.core.errors import InputError
from registry.core.model import ChainClass, Policy, TrustedChain, Verdict
from registry.service.batching import Batching
from registry.service.bundles import Bundles
from registry.service.context import Context, Rules
from registry.service.correcting import Correcting
from registry.service.hosting import Hosting
from registry.service.identities import Identities
from registry.service.issuers import Issuer, Issuers
from registry.service.issuing import Issuing
from registry.service.judging import Judging
from registry.service.keysofothers import KeyFinder
from registry.service.ownaudit import OwnAudit
from registry.service.promising import Promising
from registry.service.reserving import Reserving
from registry.service.signing import Signing
from registry.service.status import StatusService
from registry.service.statuslists import StatusLists
from registry.service.verifying import Verifier
from registry.service.worker import Worker
from registry.standards.did.resolver import DidResolver
from registry.standards.keys import KeyRing, Signer, create_key_ring
from registry.store.database import Database
from support.fake_chain import CODE_HASH, CONTRACT, FakeChain, FakeSigner

PAYER = b"\xaa" * 20


class Clock:
    def __init__(self, now: int = 1_800_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: int) -> None:
        self.now += seconds


class FakeKeys:
    """Controllers' keys: the address follows from the name."""

    def open_or_create(self, name: str) -> FakeSigner:
        return FakeSigner(name.encode().ljust(20, b"\x01")[:20])

    open = open_or_create


class FakeRings:
    """Signing keys in memory, one set for all houses of a test process, as the files would be."""

    def __init__(self) -> None:
        self.rings: dict[str, KeyRing] = {}
        self._signers: dict[str, Signer] = {}

    def create(self, name: str, did: str, now: int) -> KeyRing:
        if name not in self.rings:
            self.rings[name] = create_key_ring(did, lambda: "password", now, scrypt_n=2)
        return self.rings[name]

    def ring(self, name: str) -> KeyRing:
        if name not in self.rings:
            raise InputError(f"There is no file of signing keys for {name}.")
        return self.rings[name]

    def signer(self, name: str) -> Signer:
        ring = self.ring(name)
        method = ring.verification_method
        if method not in self._signers:
            self._signers[method] = ring.unlock(lambda: "password")
        return self._signers[method]

    def rotate(self, name: str, now: int, *, overlap_seconds: int, compromised: bool = False) -> KeyRing:
        self.rings[name] = self.ring(name).rotated(
            lambda: "password", now, overlap_seconds=overlap_seconds, compromised=compromised
        )
        return self.rings[name]


def recover(chain_id: int, contract: bytes, call: Any, signature: Signature) -> bytes | None:
    expected = FakeSigner(signature.signer).sign_call(
        chain_id=chain_id, contract=contract, call=call, deadline=signature.deadline
    )
    return signature.signer if expected.signature == signature.signature else None


@dataclass
class House:
    """``reopen`` gives the same registry as the next process would find it."""

    url: str
    chain: FakeChain
    clock: Clock
    seed: int = 1
    confirmations: int = 1
    batch_max_size: int = 1_000
    open_badges_only: bool = False
    allow_unmapped: bool = False
    parts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.database = Database(self.url)
        self.rings: FakeRings = self.chain.__dict__.setdefault(
            "rings", FakeRings()
        )  # they outlive a process, as it does
        source = random.Random(self.seed)
        self.context = Context(
            database=self.database,
            chain=self.chain,
            network=Network("fake", self.chain.chain_id, ChainClass.DEV, self.confirmations, None, None),
            payer=FakeSigner(PAYER),
            rules=Rules(
                public_url="https://registry.example",
                confirmations=self.confirmations,
                batch_max_size=self.batch_max_size,
                batch_max_age_seconds=3_600,
                promise_seconds=86_400,
                stuck_seconds=120,
                open_badges_only=self.open_badges_only,
                allow_unmapped=self.allow_unmapped,
            ),
            clock=self.clock,
            random=source.randbytes,
            keys=self.rings,
        )
        self.issuers = Issuers(self.context)
        self.identities = Identities(self.context, self.issuers)
        self.hosting = Hosting(self.context, self.issuers, self.identities, FakeKeys())
        self.signing = Signing(self.context, self.issuers, recover)
        self.resolver = DidResolver(None, self.clock)
        self.issuing = Issuing(self.context, KeyFinder(self.identities, self.resolver))
        self.promising = Promising(self.context)
        self.reserving = Reserving(self.context)
        self.batching = Batching(self.context)
        self.status = StatusService(self.context, self.issuers)
        self.correcting = Correcting(self.context, self.issuing, self.status)
        self.status_lists = StatusLists(self.context)
        self.bundles = Bundles(self.context, self.issuers, self.identities, self.batching)
        self.judging = Judging(self.resolver, self.clock, pinned=self.identities.pinned)
        self.verifier = Verifier(
            {(self.chain.chain_id, CONTRACT): self.chain}, self.policy, self.clock, self.status.announced, self.judging
        )
        self.own_audit = OwnAudit(self.context, self.identities, self.status_lists, 0)
        self.worker = self.new_worker()

    def new_worker(self) -> Worker:
        return Worker(self.context, self.issuers, self.batching, self.status, 0)

    def policy(self) -> Policy:
        chain = TrustedChain(self.chain.chain_id, CONTRACT, CODE_HASH, ChainClass.DEV, "fake")
        return Policy((chain,), tuple(issuer.pin for issuer in self.issuers.all()))

    def reopen(self) -> "House":
        self.close()
        return House(
            self.url, self.chain, self.clock, self.seed + 1_000, self.confirmations, self.batch_max_size,
            self.open_badges_only, self.allow_unmapped,
        )  # fmt: skip

    def close(self) -> None:
        self.database.close()

    # what tests do all the time

    def issue(self, issuer: Issuer, count: int, label: str = "c", **more: Any) -> list[str]:
        return [
            self.issuing.submit(issuer, document(f"urn:example:{label}:{number}", **more)).id for number in range(count)
        ]

    def settle(self) -> None:
        """Runs the worker until nothing changes, a minute passing before each look."""
        self.clock.advance(60)
        step = self.worker.run_once()
        assert step.error is None, step.error

    def verify(self, credential_id: str) -> Verdict:
        return self.verifier.verify([parse_bundle(self.bundles.get(credential_id))])[0]

    def batch_states(self) -> list[str]:
        return [str(batch.state) for batch in self.batching.page()]


def document(identifier: str | None = None, **more: Any) -> dict[str, Any]:
    """An unsigned credential that the registry takes."""
    result: dict[str, Any] = {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "type": ["VerifiableCredential"],
        "validFrom": "2026-01-01T00:00:00Z",
        "credentialSubject": {"id": "did:example:learner", "name": "Zoë"},
        **more,
    }
    return result if identifier is None else {"id": identifier, **result}


_empty: bytes | None = None


def open_house(folder: Path, **options: Any) -> House:
    global _empty  # noqa: PLW0603 - migrated once for each test process, then copied
    clock = Clock()
    if _empty is None:
        database = Database(f"sqlite:///{folder / 'empty.db'}")
        database.migrate()
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        _empty = (folder / "empty.db").read_bytes()
    (folder / "registry.db").write_bytes(_empty)
    return House(f"sqlite:///{folder / 'registry.db'}", FakeChain(clock), clock, **options)
