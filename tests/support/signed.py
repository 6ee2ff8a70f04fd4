"""Issuers with keys and DID documents, hosts that serve them, and credentials signed, anchored and handed in."""

import json
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchors import base
from registry.core import leaf
from registry.core.bundle import build_bundle
from registry.core.canonical import canonicalize
from registry.core.merkle import MerkleTree
from registry.core.model import Anchor, Bundle, ChainClass, IssuerPin, Policy, TrustedChain, Verdict
from registry.core.status import ENTRIES_PER_LIST
from registry.service.foreignlists import ForeignLists
from registry.service.judging import Judging
from registry.service.presenting import Alone
from registry.service.verifying import Verifier
from registry.standards.did.document import Account, document_hash
from registry.standards.did.errors import DidUnreachable
from registry.standards.did.hosted import build_did_document
from registry.standards.did.resolver import DidResolver
from registry.standards.did.web import url_of
from registry.standards.keys import LocalSigner, SigningKey
from registry.standards.proofs.creating import add_proofs
from registry.standards.proofs.publickey import ed25519_key
from registry.standards.statuslist import build_status_list
from support.fake_chain import CODE_HASH, CONTRACT, FakeChain
from support.house import Clock

START = 1_800_000_000
DID = "did:web:uni.example"
LIST = "https://lists.example/1"
CONTEXTS = ["https://www.w3.org/ns/credentials/v2", "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"]


def private_key(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


def signer_of(did: str, seed: int = 1, fragment: str = "key-1") -> LocalSigner:
    return LocalSigner(f"{did}#{fragment}", private_key(seed))


def signing_key(seed: int = 1, name: str = "key-1", valid_from: int = START, **more: Any) -> SigningKey:
    return SigningKey(name, ed25519_key(private_key(seed).public_key().public_bytes_raw()), valid_from, **more)


def badge(**changes: Any) -> dict[str, Any]:
    """An Open Badge; a change to None takes the field out."""
    document: dict[str, Any] = {
        "@context": CONTEXTS,
        "id": "urn:uuid:6a1676b8-b51f-11ed-937b-d76685a20ff5",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": "Data literacy",
        "issuer": {"id": DID, "type": ["Profile"], "name": "Example University"},
        "validFrom": "2026-01-01T00:00:00Z",
        "credentialSubject": {
            "type": ["AchievementSubject"],
            "id": "mailto:zoe@example.org",
            "achievement": {
                "id": "https://uni.example/achievements/1",
                "type": ["Achievement"],
                "name": "Data literacy",
                "description": "Reads data and doubts it.",
                "criteria": {"narrative": "An examination of two hours."},
            },
        },
    }
    return {name: value for name, value in (document | changes).items() if value is not None}


def entry(index: int = 7, purpose: str = "revocation", **changes: Any) -> dict[str, Any]:
    return {
        "id": f"{LIST}#{index}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": purpose,
        "statusListIndex": str(index),
        "statusListCredential": LIST,
    } | changes


@dataclass
class Web:
    """Hosts: what each address serves, and what was asked. A fetcher that knows no network."""

    pages: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.pages:
            raise DidUnreachable("the host does not answer")
        return self.pages[url]

    def serve(self, url: str, document: Any) -> None:
        self.pages[url] = document if isinstance(document, bytes) else json.dumps(document).encode()


@dataclass
class Scene:
    """One issuer of the outside world: its key, its address, the web, a chain, and a verifier."""

    address: bytes = b"\x05" * 20
    pins: tuple[IssuerPin, ...] = (IssuerPin(DID, b"\x05" * 20),)
    pinned: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = Clock(START + 1_000)
        self.chain = FakeChain(self.clock)
        self.web = Web()
        self.signer = signer_of(DID)
        self.document = self.make_document()
        self.serve_document()
        self.chain_calls: list[str] = []
        self.chain.fault = lambda name, when: self.chain_calls.append(name) if when == "before" else None
        self.judging = Judging(
            DidResolver(self.web, self.clock), self.clock, lists=ForeignLists(self.web, self.clock),
            pinned=self.pinned.get,
        )  # fmt: skip

    def make_document(self, *keys: SigningKey, accounts: tuple[bytes, ...] | None = None) -> dict[str, Any]:
        named = [Account(31337, account) for account in ((self.address,) if accounts is None else accounts)]
        return build_did_document(DID, keys or (signing_key(),), named)

    def serve_document(self, document: Any = None) -> None:
        self.web.serve(url_of(DID), self.document if document is None else document)

    def sign(self, document: dict[str, Any], **options: Any) -> dict[str, Any]:
        return add_proofs(document, options.pop("signer", self.signer), options.pop("created", START + 500), **options)

    def claim(self, document: dict[str, Any]) -> None:
        self.send(base.SetDid(self.address, DID, document_hash(document)))

    def send(self, call: base.ContractCall) -> None:
        self.clock.advance(60)
        self.chain._send_foreign(self.address, self.chain.encode(call))

    def anchor(self, *credentials: dict[str, Any], document: dict[str, Any] | None = None) -> list[Bundle]:
        """One batch of these, anchored now."""
        salts = [place.to_bytes(32, "big") for place in range(len(credentials))]
        leaves = [
            leaf.leaf_hash(leaf.commit(salt, leaf.digest(canonicalize(each))))
            for salt, each in zip(salts, credentials, strict=True)
        ]
        tree = MerkleTree(leaves)
        first = self.chain.tip.state.next_index.get(self.address, 0)
        self.send(base.AnchorBatch(self.address, tree.root, first, tree.size))
        block = self.chain.tip
        anchor = Anchor(
            31337, CONTRACT, self.address, first, block.ref.timestamp, block.events[-1].transaction, block.ref.number,
            block.ref.hash,
        )  # fmt: skip
        self.clock.advance(60)
        return [
            build_bundle(each, salt, tree, place, [anchor], document)
            for place, (each, salt) in enumerate(zip(credentials, salts, strict=True))
        ]

    def policy(self) -> Policy:
        return Policy((TrustedChain(31337, CONTRACT, CODE_HASH, ChainClass.DEV, "fake"),), self.pins)

    @property
    def verifier(self) -> Verifier:
        return Verifier({(31337, CONTRACT): self.chain}, self.policy, self.clock, None, self.judging)

    def verify(self, item: Any, **more: Any) -> Verdict:
        wrapped = item if isinstance(item, Bundle) else Alone(item)
        return self.verifier.verify([wrapped], **more)[0]

    def verify_anchored(self, credential: dict[str, Any], **more: Any) -> Verdict:
        return self.verify(self.anchor(credential)[0], **more)

    def status_list(self, *revoked: int, **changes: Any) -> dict[str, Any]:
        words: dict[int, int] = {}
        for index in revoked:
            words[index >> 8] = words.get(index >> 8, 0) | 1 << (index & 255)
        assert all(index < ENTRIES_PER_LIST for index in revoked)
        listed = build_status_list(
            url=LIST, issuer=DID, purpose="revocation", list_number=0, words=words, valid_from=START
        )
        return self.sign(listed | changes)


def outcome(verdict: Verdict, name: str) -> str:
    return next(f"{check.outcome} {check.code}" for check in verdict.checks if check.name == name)
