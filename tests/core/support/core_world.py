"""A small world to judge bundles in: an issuer, two chains that remember batches, and a verifier's policy.

Everything is computed from fixed strings, so that the vectors made from it never change by themselves.
"""

import copy
import json
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from registry.core import leaf
from registry.core.bundle import build_bundle, serialize_bundle
from registry.core.canonical import canonicalize
from registry.core.merkle import MerkleTree
from registry.core.model import (
    Anchor,
    AnchorEvidence,
    AnchorLocation,
    BatchRecord,
    BlockRef,
    Bundle,
    ChainClass,
    ChainUnavailable,
    Check,
    Claim,
    Evidence,
    Findings,
    IssuerPin,
    LiveDocument,
    Outcome,
    Policy,
    StatusChange,
    StatusWords,
    TrustedChain,
)
from registry.core.verdict import skipped

DID = "did:web:example.edu:issuers:demo"
BASE = "https://example.edu/issuers/demo/status"
FIRST = 131_000
SIZE = 200
LEAF_INDEX = 77  # 131,077: entry 5 of list 1, although the batch starts in list 0
INDEX = FIRST + LEAF_INDEX
ANCHORED_AT = 1_780_000_000
NOW = ANCHORED_AT + 86_400
BLOCK_NUMBER = 21_000_000


def sha(text: str) -> bytes:
    return sha256(text.encode()).digest()


def address(text: str) -> bytes:
    return sha(text)[:20]


ISSUER = address("issuer")
CONTRACT = address("contract")
CODE_HASH = sha("code")
MAIN = TrustedChain(1, CONTRACT, CODE_HASH, ChainClass.PRODUCTION, "Mainnet")
SECOND = TrustedChain(10, CONTRACT, CODE_HASH, ChainClass.PRODUCTION, "Second")
HOODI = TrustedChain(560048, CONTRACT, CODE_HASH, ChainClass.TEST, "Hoodi")
DEV = TrustedChain(1337, CONTRACT, CODE_HASH, ChainClass.DEV, "Devchain")
PIN = IssuerPin(DID, ISSUER, BASE)
POLICY = Policy(chains=(MAIN, SECOND, HOODI, DEV), issuers=(PIN, IssuerPin("did:web:other.example", address("other"))))


def credential(**changes: Any) -> dict[str, Any]:
    """An Open Badges 3.0 micro-credential; a change to None takes the field out."""
    document: dict[str, Any] = {
        "@context": [
            "https://www.w3.org/ns/credentials/v2",
            "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
        ],
        "id": "urn:uuid:5c7f3b4e-0d0b-4f6a-9f0e-3a6c1d2e4b5f",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": "Data Literacy",
        "issuer": {"id": DID, "type": ["Profile"], "name": "Université Exemple"},
        "validFrom": "2026-05-28T20:26:40Z",
        "validUntil": "2031-05-28T20:26:40Z",
        "credentialSubject": {
            "type": ["AchievementSubject"],
            "identifier": [
                {"type": "IdentityObject", "identityType": "name", "identityHash": "Zoë Ångström", "hashed": False}
            ],
            "creditsEarned": 2.5,
            "achievement": {
                "id": "https://example.edu/achievements/data-literacy",
                "type": ["Achievement"],
                "name": "Data Literacy",
                "description": "Reads, cleans and questions data.",
                "criteria": {"narrative": "Project work and an oral exam."},
            },
        },
        "credentialStatus": status_entry("revocation"),
    }
    document |= changes
    return {key: value for key, value in document.items() if value is not None}


def status_entry(purpose: str, index: int = INDEX, **changes: Any) -> dict[str, Any]:
    place = f"{BASE}/{purpose}/{index // 131072}"
    return {
        "id": f"{place}#{index % 131072}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": purpose,
        "statusListIndex": str(index % 131072),
        "statusListCredential": place,
    } | changes


@dataclass
class Chain:
    """A chain that answers what it is asked, and remembers what it was told. Test code may change any of it."""

    trusted: TrustedChain
    batches: dict[tuple[bytes, bytes, int], BatchRecord] = field(default_factory=dict)
    revoked: dict[int, int] = field(default_factory=dict)
    suspended: dict[int, int] = field(default_factory=dict)
    head: BlockRef = field(default=BlockRef(BLOCK_NUMBER + 7200, sha("head"), NOW - 12))
    finalized: int | None = BLOCK_NUMBER + 7100
    location: AnchorLocation = field(default=AnchorLocation(sha("block"), sha("transaction")))

    def answer(self, anchor: Anchor, root: bytes, leaf_index: int) -> AnchorEvidence:
        words = {
            word: StatusWords(self.revoked.get(word, 0), self.suspended.get(word, 0))
            for word in [(anchor.first_index + leaf_index) >> 8]
        }
        return AnchorEvidence(
            self.trusted.chain_id,
            self.trusted.contract,
            self.trusted.code_hash,
            self.head,
            self.finalized,
            anchor.issuer,
            root,
            anchor.first_index,
            self.batches.get((anchor.issuer, root, anchor.first_index)),
            words,
            self.location,
        )


@dataclass
class World:
    """One credential in a batch, anchored on chains; ``bundle`` and ``evidence`` fit together."""

    bundle: Bundle
    chains: dict[tuple[int, bytes], Chain]

    @property
    def evidence(self) -> Evidence:
        return self.evidence_for(self.bundle)

    def evidence_for(self, bundle: Bundle) -> Evidence:
        """What an honest reader brings for any bundle, whatever it claims."""
        answers: list[AnchorEvidence | ChainUnavailable] = []
        for anchor in bundle.anchors:
            chain = self.chains.get((anchor.chain_id, anchor.contract))
            if chain is None:
                answers.append(ChainUnavailable(anchor.chain_id, "no node is configured for it"))
            else:
                answers.append(chain.answer(anchor, bundle.inclusion.root, bundle.inclusion.leaf_index))
        return Evidence(tuple(answers))

    @property
    def chain(self) -> Chain:
        return next(iter(self.chains.values()))


def anchor_on(chain: TrustedChain, **changes: Any) -> Anchor:
    anchor = Anchor(
        chain.chain_id, chain.contract, ISSUER, FIRST, ANCHORED_AT, sha("transaction"), BLOCK_NUMBER, sha("block")
    )
    return replace(anchor, **changes)


def world(
    document: dict[str, Any] | None = None,
    chains: tuple[TrustedChain, ...] = (MAIN,),
    size: int = SIZE,
    leaf_index: int = LEAF_INDEX,
    issuers: tuple[bytes, ...] = (ISSUER,),
) -> World:
    document = credential() if document is None else document
    salt = sha("salt")
    hashes = [leaf.leaf_hash(sha(f"commitment {number}")) for number in range(size)]
    hashes[leaf_index] = leaf.leaf_hash(leaf.commit(salt, leaf.digest(canonicalize(document))))
    tree = MerkleTree(hashes)
    anchors, known = [], {}
    for number, trusted in enumerate(chains):
        issuer = issuers[number % len(issuers)]
        anchors.append(anchor_on(trusted, issuer=issuer))
        record = BatchRecord(size, ANCHORED_AT, 0, BLOCK_NUMBER)
        known[trusted.chain_id, trusted.contract] = Chain(trusted, {(issuer, tree.root, FIRST): record})
    return World(build_bundle(document, salt, tree, leaf_index, anchors), known)


def digest_only(bundle: Bundle) -> Bundle:
    return replace(bundle, credential=None, digest=leaf.digest(canonicalize(bundle.credential)))


def as_json(bundle: Bundle) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(serialize_bundle(bundle))
    return value


def changed(value: Any, pointer: str, new: Any) -> Any:
    """A copy of a JSON value with one thing in it replaced (added, where its parent is an object)."""
    copied = copy.deepcopy(value)
    *parents, last = pointer.split("/")[1:]
    inner = copied
    for name in parents:
        inner = inner[int(name) if isinstance(inner, list) else name]
    inner[int(last) if isinstance(inner, list) else last] = new
    return copied


# --- evidence as JSON, for the vectors ------------------------------------------------------------------------------


def findings(world: World, **changes: Any) -> Findings:
    """What is found out about a credential with which nothing is wrong."""
    fine = Findings(
        world.bundle.credential, skipped("signature", "no_proof", "No proof."), ANCHORED_AT,
        skipped("schema", "no_schema", "It names no schema."),
    )  # fmt: skip
    return replace(fine, **changes)


def evidence_to_json(evidence: Evidence) -> dict[str, Any]:
    written = {
        "anchors": [_answer_to_json(answer) for answer in evidence.anchors],
        "revocationAnnounced": evidence.revocation_announced,
    }
    found, live = evidence.findings, evidence.live
    if found is not None:
        written["findings"] = {
            "credential": found.credential,
            "signature": _check_to_json(found.signature),
            "keysAt": found.keys_at,
            "schema": _check_to_json(found.schema),
            "lists": [{"entry": list(key), "check": _check_to_json(check)} for key, check in found.lists.items()],
        }
    if live is not None:
        written["live"] = {
            "did": live.did,
            "hash": live.hash.hex(),
            "accounts": sorted([chain_id, account.hex()] for chain_id, account in live.accounts),
            "problem": live.problem,
        }
    return written


def _check_to_json(check: Check) -> list[str]:
    return [check.name, str(check.outcome), str(check.code), check.detail]


def _check_from_json(value: list[str]) -> Check:
    name, outcome, code, detail = value
    return Check(name, Outcome(outcome), code, detail)


def _answer_to_json(answer: AnchorEvidence | ChainUnavailable) -> dict[str, Any]:
    if isinstance(answer, ChainUnavailable):
        return {"chainId": answer.chain_id, "unavailable": answer.reason}
    record = answer.record
    return {
        "chainId": answer.chain_id,
        "contract": answer.contract.hex(),
        "codeHash": answer.code_hash.hex(),
        "block": {
            "number": answer.block.number, "hash": answer.block.hash.hex(), "timestamp": answer.block.timestamp,
        },
        "finalized": answer.finalized,
        "issuer": answer.issuer.hex(),
        "root": answer.root.hex(),
        "firstIndex": answer.first_index,
        "record": record
        and {
            "size": record.size,
            "anchoredAt": record.anchored_at,
            "revokedAt": record.revoked_at,
            "blockNumber": record.block_number,
        },
        "words": {
            str(number): {"revoked": f"{words.revoked:064x}", "suspended": f"{words.suspended:064x}"}
            for number, words in answer.words.items()
        },
        "location": {
            "blockHash": answer.location.block_hash and answer.location.block_hash.hex(),
            "transaction": answer.location.transaction and answer.location.transaction.hex(),
        },
        **(
            {"claims": [[claim.did, claim.document_hash.hex(), claim.claimed_at] for claim in answer.claims]}
            if answer.claims else {}
        ),
        **(
            {
                "history": [
                    {"time": change.time, "word": change.word}
                    | {
                        kind: f"{mask:064x}"
                        for kind in ("revoked", "suspended", "reinstated") if (mask := getattr(change, kind))
                    }
                    for change in answer.history
                ]
            }
            if answer.history is not None else {}
        ),
    }  # fmt: skip


def evidence_from_json(value: dict[str, Any]) -> Evidence:
    found, live = value.get("findings"), value.get("live")
    return Evidence(
        tuple(map(_answer_from_json, value["anchors"])),
        value["revocationAnnounced"],
        found
        and Findings(
            found["credential"],
            _check_from_json(found["signature"]),
            found["keysAt"],
            _check_from_json(found["schema"]),
            {tuple(item["entry"]): _check_from_json(item["check"]) for item in found["lists"]},
        ),
        live
        and LiveDocument(
            live["did"],
            bytes.fromhex(live["hash"]),
            frozenset((chain_id, bytes.fromhex(account)) for chain_id, account in live["accounts"]),
            live["problem"],
        ),
    )


def _answer_from_json(value: dict[str, Any]) -> AnchorEvidence | ChainUnavailable:
    if "unavailable" in value:
        return ChainUnavailable(value["chainId"], value["unavailable"])
    record, block, location = value["record"], value["block"], value["location"]
    return AnchorEvidence(
        value["chainId"],
        bytes.fromhex(value["contract"]),
        bytes.fromhex(value["codeHash"]),
        BlockRef(block["number"], bytes.fromhex(block["hash"]), block["timestamp"]),
        value["finalized"],
        bytes.fromhex(value["issuer"]),
        bytes.fromhex(value["root"]),
        value["firstIndex"],
        record and BatchRecord(record["size"], record["anchoredAt"], record["revokedAt"], record["blockNumber"]),
        {
            int(number): StatusWords(int(words["revoked"], 16), int(words["suspended"], 16))
            for number, words in value["words"].items()
        },
        AnchorLocation(
            *(text and bytes.fromhex(text) for text in (location["blockHash"], location["transaction"])),
        ),
        tuple(Claim(did, bytes.fromhex(hashed), claimed) for did, hashed, claimed in value.get("claims", [])),
        None
        if "history" not in value
        else tuple(
            StatusChange(
                change["time"],
                change["word"],
                *(int(change.get(kind, "0"), 16) for kind in ("revoked", "suspended", "reinstated")),
            )
            for change in value["history"]
        ),
    )
