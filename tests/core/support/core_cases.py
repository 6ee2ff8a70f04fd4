"""The attacks and accidents that the vectors hold, with the answer that each must get, written by hand."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import core_world as w

from registry.core.canonical import canonicalize
from registry.core.merkle import MerkleTree, hash_leaf, hash_node
from registry.core.model import (
    AnchorLocation,
    BlockRef,
    Bundle,
    ChainUnavailable,
    Claim,
    Evidence,
    IssuerPin,
    LiveDocument,
    Policy,
    StatusChange,
    StatusWords,
)
from registry.core.policy import serialize_policy
from registry.core.verdict import fail, passed, skipped, unknown

# What every check says about a credential with which nothing is wrong.
FINE = {
    "format": "PASS ok",
    "integrity": "PASS ok",
    "inclusion": "PASS ok",
    "anchor": "PASS ok",
    "issuer": "PASS ok",
    "binding": "PASS ok",
    "signature": "SKIPPED no_proof",
    "validity": "PASS ok",
    "revocation": "PASS ok",
    "suspension": "PASS ok",
    "schema": "SKIPPED no_schema",
    "locator": "PASS ok",
}
UNHEARD = {
    "inclusion": "PASS own_root",
    "revocation": "UNKNOWN status_unknown",
    "suspension": "UNKNOWN status_unknown",
    "locator": "UNKNOWN chain_unreachable",
}
UNREAD_LIST = {"binding": "SKIPPED status_elsewhere", "revocation": "UNKNOWN status_unknown"}
UNCOUNTED = {"revocation": "UNKNOWN status_unknown", "suspension": "UNKNOWN status_unknown"}
SKIPPED_FOR_DIGEST = dict.fromkeys(
    ("format", "binding", "signature", "validity", "schema"), "SKIPPED digest_only"
)  # fmt: skip

Vector = dict[str, Any]


def verdict(
    name: str,
    about: str,
    status: str,
    expected: dict[str, str] | None = None,
    *,
    world: w.World | None = None,
    bundle: Bundle | None = None,
    evidence: Evidence | None = None,
    policy: Policy = w.POLICY,
    now: int = w.NOW,
    at: int | None = None,
) -> tuple[str, Vector]:
    world = world or w.world()
    bundle = bundle or world.bundle
    evidence = evidence or world.evidence_for(bundle)
    return f"verdict/{name}", {
        "about": about,
        "now": now,
        **({} if at is None else {"at": at}),
        "policy": json.loads(serialize_policy(policy)),
        "bundle": w.as_json(bundle),
        "evidence": w.evidence_to_json(evidence),
        "expect": {"status": status, "checks": FINE | (expected or {})},
    }


def _anchor(bundle: Bundle, position: int = 0, **changes: Any) -> Bundle:
    anchors = list(bundle.anchors)
    anchors[position] = replace(anchors[position], **changes)
    return replace(bundle, anchors=tuple(anchors))


def _inclusion(bundle: Bundle, **changes: Any) -> Bundle:
    return replace(bundle, inclusion=replace(bundle.inclusion, **changes))


def _answer(world: w.World, position: int = 0, **changes: Any) -> Evidence:
    answers = list(world.evidence.anchors)
    answers[position] = replace(answers[position], **changes)
    return Evidence(tuple(answers))


def _record(world: w.World, **changes: Any) -> Evidence:
    return _answer(world, record=replace(world.evidence.anchors[0].record, **changes))


def verdicts() -> Iterator[tuple[str, Vector]]:
    yield verdict("valid", "Nothing is wrong.", "VALID")
    yield verdict(
        "valid-lone-leaf", "A batch of one: the root is the leaf itself.", "VALID",
        world=w.world(w.credential(credentialStatus=w.status_entry("revocation", w.FIRST)), size=1, leaf_index=0),
    )  # fmt: skip
    yield verdict(
        "valid-digest-only", "The verifier keeps the credential to itself and hears about its digest.", "VALID",
        SKIPPED_FOR_DIGEST, bundle=w.digest_only(w.world().bundle),
    )  # fmt: skip
    yield from _leaf_cases()
    yield from _anchor_cases()
    yield from _several_anchors_cases()
    yield from _issuer_cases()
    yield from _binding_cases()
    yield from _validity_cases()
    yield from _status_cases()
    yield from _history_cases()
    yield from _locator_cases()


def _leaf_cases() -> Iterator[tuple[str, Vector]]:
    world = w.world()
    fine = world.bundle
    path = fine.inclusion.path
    not_included = {"inclusion": "FAIL not_included"}
    malformed = {"inclusion": "FAIL proof_malformed"}
    assert fine.credential is not None
    for name, document in {
        "name-changed": {**fine.credential, "name": "Data Mastery"},
        "field-added": {**fine.credential, "description": "with distinction"},
        "field-removed": {key: value for key, value in fine.credential.items() if key != "name"},
    }.items():
        yield verdict(
            f"credential-{name}", "The credential is not the one that was anchored.", "INVALID", not_included,
            bundle=replace(fine, credential=document),
        )  # fmt: skip
    yield verdict(
        "credential-replaced-by-text", "Not a credential at all, with a proof that fits it.", "INVALID",
        {
            "format": "FAIL not_a_credential",
            "issuer": "FAIL issuer_missing",
            "binding": "SKIPPED no_credential_status",
        },
        world=w.world({"note": "I am a doctor"}),
    )  # fmt: skip
    for key, value in {
        "context": {"@context": None},
        "context-empty": {"@context": []},
        "type": {"type": "OpenBadgeCredential"},
        "subject": {"credentialSubject": "Zoë"},
    }.items():
        yield verdict(
            f"format-{key}", "The outline of a Verifiable Credential is incomplete.", "INVALID",
            {"format": "FAIL not_a_credential"}, world=w.world(w.credential(**value)),
        )  # fmt: skip
    yield verdict(
        "salt-changed", "Another salt gives another leaf.", "INVALID", not_included,
        bundle=replace(fine, leaf=replace(fine.leaf, salt=w.sha("other salt"))),
    )  # fmt: skip
    yield verdict(
        "digest-changed", "A digest that was never anchored.", "INVALID", SKIPPED_FOR_DIGEST | not_included,
        bundle=replace(w.digest_only(fine), digest=w.sha("forged")),
    )  # fmt: skip
    yield verdict(
        "leaf-index-of-the-neighbour", "The place of another credential, whose status would be looked at.", "INVALID",
        not_included | {"binding": "FAIL status_index_differs"}, bundle=_inclusion(fine, leaf_index=w.LEAF_INDEX - 1),
    )  # fmt: skip
    yield verdict(
        "leaf-index-outside", "A place beyond the batch's end.", "INVALID",
        malformed | {"binding": "FAIL status_index_differs"}, bundle=_inclusion(fine, leaf_index=w.SIZE),
    )  # fmt: skip
    yield verdict(
        "path-too-short", "A hash is missing.", "INVALID", malformed, bundle=_inclusion(fine, path=path[:-1]),
    )  # fmt: skip
    yield verdict(
        "path-too-long", "A hash too many.", "INVALID", malformed, bundle=_inclusion(fine, path=(*path, path[0])),
    )  # fmt: skip
    yield verdict(
        "path-swapped", "Two hashes in the wrong order.", "INVALID", not_included,
        bundle=_inclusion(fine, path=(path[1], path[0], *path[2:])),
    )  # fmt: skip
    yield verdict(
        "root-changed", "A root that nobody anchored.", "INVALID",
        not_included | UNCOUNTED | {"anchor": "FAIL not_anchored"},
        bundle=_inclusion(fine, root=w.sha("forged root")),
    )  # fmt: skip
    forged = w.world(w.credential(name="Data Mastery"))
    yield verdict(
        "whole-batch-forged", "A consistent bundle over a tree that nobody anchored.", "INVALID",
        UNCOUNTED | {"inclusion": "PASS own_root", "anchor": "FAIL not_anchored"},
        world=world, bundle=forged.bundle,
    )  # fmt: skip
    yield verdict(
        "tree-size-changed", "A size that leads to the same root, while the chain has the real one.", "INVALID",
        UNCOUNTED | {"anchor": "FAIL size_differs"}, bundle=_inclusion(fine, tree_size=w.SIZE + 1),
    )  # fmt: skip
    yield verdict(
        "tree-size-of-the-leaf-alone", "The root handed in as if it were the only leaf.", "INVALID",
        UNCOUNTED | malformed | {"anchor": "FAIL size_differs", "binding": "FAIL status_index_differs"},
        bundle=_inclusion(fine, tree_size=1, leaf_index=0, path=()),
    )  # fmt: skip
    with_proof = w.credential(proof=[{"type": "DataIntegrityProof"}], credentialSchema={"id": "https://example.edu/s"})
    yield verdict(
        "proof-not-judged", "Nobody looked at the proof.", "INDETERMINATE",
        {"signature": "UNKNOWN not_judged", "schema": "UNKNOWN not_judged"}, world=w.world(with_proof),
    )  # fmt: skip
    yield from _finding_cases(with_proof)


def _finding_cases(document: dict[str, Any]) -> Iterator[tuple[str, Vector]]:
    """What registry.standards found out is taken over, if it was asked about the right time."""
    world = w.world(document)
    enveloped = w.world({"type": "EnvelopedVerifiableCredential", "id": "data:application/vc+jwt,a.b.c"})

    def found(world: w.World, **changes: Any) -> Evidence:
        changes = {"schema": passed("schema", "It follows its schema.")} | changes
        return replace(world.evidence, findings=w.findings(world, **changes))

    good, unread = passed("signature", "Signed."), skipped("schema", "schema_not_known", "Not known.")
    yield verdict(
        "signed", "The issuer's own proof.", "VALID", {"signature": "PASS ok", "schema": "SKIPPED schema_not_known"},
        world=world, evidence=found(world, signature=good, schema=unread),
    )  # fmt: skip
    yield verdict(
        "signed-by-a-stranger", "A proof that is wrong is wrong, anchored or not.", "INVALID",
        {"signature": "FAIL wrong_controller", "schema": "PASS ok"},
        world=world, evidence=found(world, signature=fail("signature", "wrong_controller", "Somebody else's key.")),
    )  # fmt: skip
    yield verdict(
        "signed-with-an-unknown-suite", "A proof that cannot be judged.", "INDETERMINATE",
        {"signature": "UNKNOWN unknown_suite", "schema": "UNKNOWN schema_faults"}, world=world,
        evidence=found(
            world, signature=unknown("signature", "unknown_suite", "Not known."),
            schema=unknown("schema", "schema_faults", "At /name."),
        ),
    )  # fmt: skip
    yield verdict(
        "signed-judged-at-another-time", "Keys were asked for another time than the anchor's.", "INDETERMINATE",
        {"signature": "UNKNOWN anchor_time_unknown", "schema": "PASS ok"},
        world=world, evidence=found(world, signature=good, keys_at=w.ANCHORED_AT - 1),
    )  # fmt: skip
    yield verdict(
        "signed-without-anchor", "Nobody knows when keys had to be good.", "INDETERMINATE",
        UNHEARD | {
            "anchor": "UNKNOWN chain_unreachable", "signature": "UNKNOWN anchor_time_unknown", "schema": "PASS ok"
        },
        world=world,
        evidence=replace(found(world, signature=good), anchors=(ChainUnavailable(1, "The node does not answer."),)),
    )  # fmt: skip
    yield verdict(
        "enveloped", "The credential is in a JWT.", "VALID", {"signature": "PASS ok", "schema": "PASS ok"},
        world=enveloped, evidence=found(enveloped, signature=good, credential=w.credential()),
    )  # fmt: skip
    unreadable = {
        "format": "UNKNOWN envelope_unreadable", "issuer": "UNKNOWN envelope_unreadable",
        "binding": "SKIPPED no_credential_status",
    }  # fmt: skip
    yield verdict(
        "enveloped-not-opened", "Nobody opened the envelope.", "INDETERMINATE",
        unreadable | {"signature": "UNKNOWN not_judged"}, world=enveloped,
    )  # fmt: skip
    yield verdict(
        "enveloped-otherwise", "An envelope of a kind that is not opened here.", "INDETERMINATE",
        unreadable | {"signature": "UNKNOWN unknown_suite", "schema": "SKIPPED envelope_unreadable"}, world=enveloped,
        evidence=found(
            enveloped, signature=unknown("signature", "unknown_suite", "Not known."), credential=None,
            schema=skipped("schema", "envelope_unreadable", "Not readable."),
        ),
    )  # fmt: skip
    yield verdict(
        "enveloped-broken", "The JWT is none.", "INVALID",
        unreadable | {
            "format": "FAIL envelope_unreadable", "signature": "FAIL wrong_controller", "schema": "PASS ok",
        },
        world=enveloped,
        evidence=found(enveloped, signature=fail("signature", "wrong_controller", "No."), credential=None),
    )  # fmt: skip


def _anchor_cases() -> Iterator[tuple[str, Vector]]:
    world = w.world()
    fine = world.bundle
    yield verdict(
        "test-chain", "A test network that the policy names; the verdict says so.", "VALID",
        {"anchor": "PASS test_chain"}, world=w.world(chains=(w.HOODI,)),
    )  # fmt: skip
    yield verdict(
        "dev-chain", "A development chain that the policy names, with an old head.", "VALID",
        {"anchor": "PASS dev_chain"}, world=w.world(chains=(w.DEV,)), now=w.NOW + 30 * 86400,
    )  # fmt: skip
    yield verdict(
        "chain-not-in-the-policy", "A chain that the attacker runs.", "INVALID",
        UNHEARD | {"anchor": "FAIL chain_not_trusted"}, world=w.world(chains=(replace(w.MAIN, chain_id=31337),)),
    )  # fmt: skip
    yield verdict(
        "contract-not-in-the-policy", "A contract that the attacker deployed.", "INVALID",
        UNHEARD | {"anchor": "FAIL contract_not_trusted"},
        world=w.world(chains=(replace(w.MAIN, contract=w.address("attacker")),)),
    )  # fmt: skip
    yield verdict(
        "code-not-in-the-policy", "The right address with other code behind it.", "INVALID",
        UNHEARD | {"anchor": "FAIL code_not_trusted"},
        world=w.world(chains=(replace(w.MAIN, code_hash=w.sha("other code")),)),
    )  # fmt: skip
    yield verdict(
        "not-anchored", "The contract has no such batch.", "INVALID",
        UNCOUNTED | {"inclusion": "PASS own_root", "anchor": "FAIL not_anchored"}, evidence=_answer(world, record=None),
    )  # fmt: skip
    yield verdict(
        "anchored-at-changed", "Backdated.", "INVALID", UNCOUNTED | {"anchor": "FAIL time_differs"},
        bundle=_anchor(fine, anchored_at=w.ANCHORED_AT - 86400 * 365),
    )  # fmt: skip
    yield verdict(
        "block-number-changed", "Another block number.", "INVALID", UNCOUNTED | {"anchor": "FAIL block_differs"},
        bundle=_anchor(fine, block_number=w.BLOCK_NUMBER - 1),
    )  # fmt: skip
    yield verdict(
        "chain-unreachable", "The node is down.", "INDETERMINATE", UNHEARD | {"anchor": "UNKNOWN chain_unreachable"},
        evidence=Evidence((ChainUnavailable(1, "connection refused"),)),
    )  # fmt: skip
    yield verdict(
        "evidence-missing", "Nothing was read for this anchor.", "INDETERMINATE",
        UNHEARD | {"anchor": "UNKNOWN evidence_mismatch"}, evidence=Evidence(()),
    )  # fmt: skip
    for name, changes in {
        "chain": {"chain_id": 10}, "contract": {"contract": w.address("another")}, "issuer": {"issuer": w.address("x")},
        "root": {"root": w.sha("another")}, "first-index": {"first_index": w.FIRST + 1},
    }.items():  # fmt: skip
        yield verdict(
            f"evidence-for-another-{name}", "The evidence answers another question than this bundle's.",
            "INDETERMINATE", UNHEARD | {"anchor": "UNKNOWN evidence_mismatch"}, evidence=_answer(world, **changes),
        )  # fmt: skip
    old = BlockRef(w.BLOCK_NUMBER + 9, w.sha("old"), w.NOW - 3601)
    stale = UNCOUNTED | {"anchor": "UNKNOWN evidence_stale"}
    yield verdict(
        "evidence-at-the-age-limit", "Exactly as old as the policy takes.", "VALID",
        evidence=_answer(world, block=replace(old, timestamp=w.NOW - 3600)),
    )  # fmt: skip
    yield verdict(
        "evidence-stale", "A node that stopped following its chain.", "INDETERMINATE", stale,
        evidence=_answer(world, block=old),
    )  # fmt: skip
    yield verdict(
        "evidence-stale-without-record", "An old node cannot deny a batch.", "INDETERMINATE",
        stale | {"inclusion": "PASS own_root"}, evidence=_answer(world, block=old, record=None),
    )  # fmt: skip
    yield verdict(
        "evidence-stale-and-different", "Old, but a record never changes.", "INVALID",
        UNCOUNTED | {"anchor": "FAIL time_differs"}, evidence=_answer(world, block=old),
        bundle=_anchor(fine, anchored_at=w.ANCHORED_AT - 1),
    )  # fmt: skip
    yield verdict(
        "evidence-from-the-future", "A node whose clock, or whose story, is ahead.", "INDETERMINATE", stale,
        evidence=_answer(world, block=replace(old, timestamp=w.NOW + 301)),
    )  # fmt: skip
    inconsistent = UNCOUNTED | {"anchor": "UNKNOWN evidence_inconsistent"}
    dev = w.world(chains=(w.DEV,))
    for name, block in {
        "record-after-its-block": BlockRef(w.BLOCK_NUMBER - 1, w.sha("head"), w.NOW),
        "record-later-than-its-block": BlockRef(w.BLOCK_NUMBER, w.sha("head"), w.ANCHORED_AT - 1),
        "time-beyond-all-calendars": BlockRef(w.BLOCK_NUMBER, w.sha("head"), 2**64 - 1),
    }.items():
        yield verdict(
            f"evidence-{name}", "What the node says cannot be.", "INDETERMINATE", inconsistent,
            world=dev, evidence=_answer(dev, block=block),
        )  # fmt: skip


def _several_anchors_cases() -> Iterator[tuple[str, Vector]]:
    world = w.world(chains=(w.MAIN, w.SECOND))
    first, second = world.evidence.anchors
    away = ChainUnavailable(10, "connection refused")
    yield verdict("two-anchors", "Both chains agree.", "VALID", world=world)
    yield verdict(
        "two-anchors-one-unreachable", "One PASS suffices.", "VALID", world=world, evidence=Evidence((first, away)),
    )  # fmt: skip
    yield verdict(
        "two-anchors-both-unreachable", "Nobody could be asked.", "INDETERMINATE",
        UNHEARD | {"anchor": "UNKNOWN chain_unreachable"}, world=world,
        evidence=Evidence((replace(away, chain_id=1), away)),
    )  # fmt: skip
    yield verdict(
        "two-anchors-one-fails", "Any FAIL is INVALID.", "INVALID", {"anchor": "FAIL not_anchored"}, world=world,
        evidence=Evidence((first, replace(second, record=None))),
    )  # fmt: skip
    yield verdict(
        "two-anchors-evidence-swapped", "Evidence is believed for what it answers, not for its place.", "INDETERMINATE",
        UNHEARD | {"anchor": "UNKNOWN evidence_mismatch"}, world=world, evidence=Evidence((second, first)),
    )  # fmt: skip
    yield verdict(
        "two-anchors-one-without-evidence", "Not asking is no excuse.", "INDETERMINATE",
        {"anchor": "UNKNOWN evidence_mismatch"}, world=world, evidence=Evidence((first,)),
    )  # fmt: skip
    yield verdict(
        "two-anchors-two-places", "Two places in the issuer's sequence.", "INVALID",
        {"anchor": "FAIL anchors_disagree"}, world=world, bundle=_anchor(world.bundle, 1, first_index=w.FIRST + 131072),
        evidence=world.evidence,
    )  # fmt: skip
    one = w.world(chains=(w.MAIN, w.SECOND))
    one.chains[10, w.CONTRACT].revoked = {w.INDEX >> 8: 1 << (w.INDEX & 255)}
    yield verdict(
        "two-anchors-revoked-on-one", "Revoked anywhere is revoked.", "INVALID", {"revocation": "FAIL revoked"},
        world=one,
    )  # fmt: skip
    old = BlockRef(w.BLOCK_NUMBER + 9, w.sha("old"), w.NOW - 7200)
    one = w.world(chains=(w.MAIN, w.SECOND))
    one.chains[10, w.CONTRACT].head = old
    yield verdict("two-anchors-one-stale", "Old evidence does not count beside fresh evidence.", "VALID", world=one)
    one.chains[10, w.CONTRACT].suspended = {w.INDEX >> 8: 1 << (w.INDEX & 255)}
    yield verdict(
        "two-anchors-suspended-long-ago", "A suspension that may have ended.", "INDETERMINATE",
        {"suspension": "UNKNOWN status_unknown"}, world=one,
    )  # fmt: skip
    one.chains[10, w.CONTRACT].suspended = {}
    one.chains[10, w.CONTRACT].revoked = {w.INDEX >> 8: 1 << (w.INDEX & 255)}
    yield verdict(
        "two-anchors-revoked-long-ago", "A revocation never ends.", "INVALID", {"revocation": "FAIL revoked"},
        world=one,
    )  # fmt: skip
    other = w.address("issuer's wallet on the second chain")
    yield verdict(
        "two-anchors-two-addresses", "One issuer with an address on each chain, both pinned.", "VALID",
        world=w.world(chains=(w.MAIN, w.SECOND), issuers=(w.ISSUER, other)),
        policy=replace(w.POLICY, issuers=(*w.POLICY.issuers, IssuerPin(w.DID, other, w.BASE))),
    )  # fmt: skip
    yield verdict(
        "two-anchors-one-address-unknown", "A second anchor by somebody else.", "INVALID",
        {"issuer": "FAIL issuer_mismatch"}, world=w.world(chains=(w.MAIN, w.SECOND), issuers=(w.ISSUER, other)),
    )  # fmt: skip
    for name, pins in {
        "one-address-unknown": (w.PIN,),
        "two-issuers": (w.PIN, IssuerPin("did:web:other.example", other)),
    }.items():
        mixed = w.world(chains=(w.MAIN, w.SECOND), issuers=(w.ISSUER, other))
        yield verdict(
            f"digest-only-{name}", "A digest anchored by two who are not one.", "INVALID",
            SKIPPED_FOR_DIGEST | {"issuer": "FAIL issuer_mismatch"}, world=mixed, bundle=w.digest_only(mixed.bundle),
            policy=replace(w.POLICY, issuers=pins),
        )  # fmt: skip


def _issuer_cases() -> Iterator[tuple[str, Vector]]:
    mismatch = {"issuer": "FAIL issuer_mismatch"}
    not_pinned = {"issuer": "UNKNOWN issuer_not_pinned"}
    impostor = w.address("impostor")
    yield verdict(
        "issuer-copied-name", "A self-consistent bundle in a known issuer's name, anchored by somebody else.",
        "INVALID", mismatch, world=w.world(issuers=(impostor,)),
    )  # fmt: skip
    yield verdict(
        "issuer-changed", "A known address anchored what another DID signs.", "INVALID",
        mismatch | UNREAD_LIST, world=w.world(w.credential(issuer="did:web:somebody.example")),
    )  # fmt: skip
    yield verdict(
        "issuer-of-another-pin", "Two known issuers, confused.", "INVALID", mismatch,
        world=w.world(issuers=(w.address("other"),)),
    )  # fmt: skip
    yield verdict(
        "issuer-not-pinned", "The policy knows neither the DID nor the address.", "INDETERMINATE", not_pinned,
        policy=replace(w.POLICY, issuers=()),
    )  # fmt: skip
    yield verdict(
        "issuer-pinned-without-address", "Trusted unanchored; no anchor is taken for its.", "INDETERMINATE", not_pinned,
        policy=replace(w.POLICY, issuers=(IssuerPin(w.DID, None),)),
    )  # fmt: skip
    yield from _document_cases(replace(w.POLICY, issuers=()))
    yield verdict(
        "issuer-missing", "No issuer at all.", "INVALID",
        {"format": "FAIL not_a_credential", "issuer": "FAIL issuer_missing"} | UNREAD_LIST,
        world=w.world(w.credential(issuer={"name": "Université Exemple"})),
    )  # fmt: skip
    yield verdict(
        "issuer-a-bare-string", "The issuer as an identifier alone.", "VALID",
        world=w.world(w.credential(issuer=w.DID)),
    )  # fmt: skip
    yield verdict(
        "digest-only-not-pinned", "A digest anchored by an address that the policy does not know.", "INDETERMINATE",
        SKIPPED_FOR_DIGEST | not_pinned, bundle=w.digest_only(w.world().bundle), policy=replace(w.POLICY, issuers=()),
    )  # fmt: skip


def _document_cases(policy: Policy) -> Iterator[tuple[str, Vector]]:
    """Without a pin: what the issuer's host says, and what its address claimed."""
    known, other, here = w.sha("document"), w.sha("another"), (1, w.ISSUER)

    def case(name: str, about: str, status: str, outcome: str, *accounts: tuple[int, bytes], **more: Any) -> Any:
        world = w.world()
        hashed, claimed = more.pop("claim", (known, w.ANCHORED_AT))
        evidence = replace(
            _answer(world, claims=(Claim(more.pop("claimed_did", w.DID), hashed, claimed),)),
            live=LiveDocument(more.pop("did", w.DID), known, frozenset(accounts), more.pop("problem", None)),
        )
        return verdict(
            f"documents-{name}", about, status, {"issuer": outcome}, world=world, evidence=evidence,
            policy=more.pop("policy", policy), **more,
        )  # fmt: skip

    yield case("agree", "Host and chain name each other.", "VALID", "PASS documents_agree", here)
    yield case(
        "agree-on-one-of-two", "The host names more addresses.", "VALID", "PASS documents_agree", here,
        (1, w.address("second")), (10, w.address("third")),
    )  # fmt: skip
    yield case(
        "unreachable", "The host does not answer.", "INDETERMINATE", "UNKNOWN issuer_unreachable", problem="down"
    )
    yield case("name-nobody", "The host names no address.", "INDETERMINATE", "UNKNOWN issuer_not_named")
    yield case(
        "name-another-chain", "The host names the address on another chain only.", "INDETERMINATE",
        "UNKNOWN issuer_not_named", (10, w.ISSUER),
    )  # fmt: skip
    yield case(
        "name-somebody-else", "The host names another address.", "INVALID", "FAIL issuer_mismatch",
        (1, w.address("impostor")),
    )  # fmt: skip
    not_claimed = "UNKNOWN issuer_not_claimed"
    yield case("not-claimed", "The address claims nothing.", "INDETERMINATE", not_claimed, here, claim=(known, 0))
    yield case(
        "claim-of-another-document", "The address claimed another document.", "INDETERMINATE", not_claimed, here,
        claim=(other, w.ANCHORED_AT),
    )  # fmt: skip
    yield case(
        "claim-of-another-did", "The address claimed another DID.", "INDETERMINATE", not_claimed, here,
        claimed_did="did:web:other.example",
    )  # fmt: skip
    yield case(
        "of-another-did", "A document of another DID settles nothing.", "INDETERMINATE", "UNKNOWN issuer_not_pinned",
        here, did="did:web:other.example",
    )  # fmt: skip
    yield case(
        "against-the-policy", "What the policy says counts more.", "INVALID", "FAIL issuer_mismatch", here,
        policy=replace(policy, issuers=(IssuerPin(w.DID, w.address("another")),)),
    )  # fmt: skip
    # An impostor claims a copied name and brings the document that says so: nobody else confirms it.
    world = w.world()
    bundle = replace(world.bundle, issuer_document={"id": w.DID})
    hashed = sha256(canonicalize(bundle.issuer_document)).digest()
    answers = _answer(world, claims=(Claim(w.DID, hashed, w.ANCHORED_AT),))
    yield verdict(
        "documents-brought-along", "A claimed document in the bundle makes no issuer.", "INDETERMINATE",
        {"issuer": "UNKNOWN issuer_not_pinned"}, world=world, bundle=bundle, evidence=answers, policy=policy,
    )  # fmt: skip
    yield verdict(
        "documents-brought-along-and-confirmed", "The host names the address, which claimed the document of then.",
        "VALID", {"issuer": "PASS documents_agree"}, world=world, bundle=bundle, policy=policy,
        evidence=replace(answers, live=LiveDocument(w.DID, known, frozenset({here}))),
    )  # fmt: skip


def _binding_cases() -> Iterator[tuple[str, Vector]]:
    def bound(name: str, about: str, status: str, entries: Any, outcome: str, **more: Any) -> tuple[str, Vector]:
        document = w.credential(credentialStatus=entries, **more.pop("credential", {}))
        return verdict(f"status-{name}", about, status, {"binding": outcome}, world=w.world(document), **more)

    both = [w.status_entry("revocation"), w.status_entry("suspension")]
    malformed, elsewhere = "FAIL status_malformed", "FAIL status_list_differs"
    yield bound("both-purposes", "Revocation and suspension.", "VALID", both, "PASS ok")
    yield bound(
        "none", "No status entry: the place comes from the proof.", "VALID", None, "SKIPPED no_credential_status"
    )
    yield bound("empty", "An empty list of entries.", "VALID", [], "SKIPPED no_credential_status")
    yield bound(
        "index-of-another", "The entry of a neighbour who is in good standing.", "INVALID",
        w.status_entry("revocation", w.INDEX + 1), "FAIL status_index_differs",
    )  # fmt: skip
    yield bound(
        "second-entry-of-another", "The first entry is right, the second is not.", "INVALID",
        [both[0], w.status_entry("suspension", w.INDEX + 1)], "FAIL status_index_differs",
    )  # fmt: skip
    yield bound(
        "list-of-another-number", "The right entry of the wrong list.", "INVALID",
        w.status_entry("revocation", w.INDEX - 131072), elsewhere,
    )  # fmt: skip
    foreign = w.status_entry("revocation", statusListCredential="https://attacker.example/status/revocation/1")
    yield verdict(
        "status-list-of-another-host", "A list that anybody may publish: it has to be asked, and to be the issuer's.",
        "INDETERMINATE", UNREAD_LIST, world=w.world(w.credential(credentialStatus=foreign)),
    )  # fmt: skip
    yield bound(
        "list-elsewhere-on-the-same-host", "Another list at the host where the issuer's lists are.", "INVALID",
        w.status_entry("revocation", statusListCredential="https://example.edu/issuers/demos/status/revocation/1"),
        elsewhere,
    )  # fmt: skip
    yield bound(
        "list-nowhere", "A list that nobody can be asked for.", "INVALID",
        w.status_entry("revocation", statusListCredential="urn:example:list"), elsewhere,
    )  # fmt: skip
    yield bound(
        "purpose-changed", "A suspension list named for revocation.", "INVALID",
        w.status_entry("suspension", statusPurpose="revocation"), elsewhere,
    )  # fmt: skip
    for name, entry in {
        "no-object": "https://example.edu/status",
        "index-a-number": w.status_entry("revocation", statusListIndex=5),
        "index-not-decimal": w.status_entry("revocation", statusListIndex="0x5"),
        "index-with-a-leading-zero": w.status_entry("revocation", statusListIndex="05"),
        "without-a-list": w.status_entry("revocation", statusListCredential=None),
        "without-a-purpose": w.status_entry("revocation", statusPurpose=None),
    }.items():
        yield bound(name, "An entry that cannot be read.", "INVALID", entry, malformed)
    yield bound(
        "of-another-type", "A status kept in a way that cannot be followed here.", "INDETERMINATE",
        {"id": "https://example.edu/crl", "type": "1EdTechRevocationList"}, "UNKNOWN status_type_unknown",
    )  # fmt: skip
    yield bound(
        "of-another-purpose", "A purpose that the chain does not keep.", "INDETERMINATE", w.status_entry("message"),
        "UNKNOWN status_purpose_unknown",
    )  # fmt: skip
    bare = (replace(w.PIN, status_base=None),)
    yield bound(
        "base-from-the-did", "The pin names no place for lists; the DID does.", "VALID", both, "PASS ok",
        policy=replace(w.POLICY, issuers=bare),
    )  # fmt: skip
    nameless = w.credential(credentialStatus=both, issuer="did:example:university")
    yield verdict(
        "status-base-unknown", "Neither pin nor DID name a place for lists: the lists are asked.", "INDETERMINATE",
        UNREAD_LIST | {"suspension": "UNKNOWN status_unknown"}, world=w.world(nameless),
        policy=replace(w.POLICY, issuers=(IssuerPin("did:example:university", w.ISSUER),)),
    )  # fmt: skip
    yield from _elsewhere_cases()


def _elsewhere_cases() -> Iterator[tuple[str, Vector]]:
    """Status entries whose lists are at another host than the issuer's own."""
    place = "https://lists.example/1"
    fine, suspended = (
        w.status_entry(purpose, statusListCredential=place, statusListIndex="9")
        for purpose in ("revocation", "suspension")
    )
    elsewhere = {"binding": "SKIPPED status_elsewhere"}
    key = (place, "9", "revocation")

    def with_list(entry: Any, lists: dict[Any, Any], **more: Any) -> dict[str, Any]:
        world = w.world(w.credential(credentialStatus=entry))
        return {"world": world, "evidence": replace(world.evidence, findings=w.findings(world, lists=lists)), **more}

    yield verdict(
        "elsewhere-clear", "The other list says that it is good.", "VALID", elsewhere,
        **with_list(fine, {key: passed("revocation", "Not set.")}),
    )  # fmt: skip
    yield verdict(
        "elsewhere-revoked", "The other list says that it is revoked.", "INVALID",
        elsewhere | {"revocation": "FAIL revoked"},
        **with_list(fine, {key: fail("revocation", "revoked", "Revoked.")}),
    )  # fmt: skip
    yield verdict(
        "elsewhere-doubtful", "The other list cannot be read.", "INDETERMINATE",
        elsewhere | {"revocation": "UNKNOWN status_list_unreachable"},
        **with_list(fine, {key: unknown("revocation", "status_list_unreachable", "No answer.")}),
    )  # fmt: skip
    yield verdict(
        "elsewhere-not-asked", "Nobody asked the other list.", "INDETERMINATE", UNREAD_LIST, **with_list(fine, {}),
    )  # fmt: skip
    yield verdict(
        "elsewhere-answer-for-another-entry", "An answer counts for its entry only.", "INDETERMINATE", UNREAD_LIST,
        **with_list(fine, {(place, "8", "revocation"): passed("revocation", "Not set.")}),
    )  # fmt: skip
    yield verdict(
        "elsewhere-beside-the-chain", "The chain's bit counts beside the list's.", "INVALID",
        elsewhere | {"suspension": "FAIL suspended"},
        **with_list(
            [fine, suspended],
            {
                key: passed("revocation", "Not set."),
                (place, "9", "suspension"): fail("suspension", "suspended", "Suspended."),
            },
        ),
    )  # fmt: skip
    yield verdict(
        "elsewhere-revoked-at-that-time", "A list tells how it is, not how it was.", "INDETERMINATE",
        elsewhere | {"revocation": "UNKNOWN history_unknown", "suspension": "UNKNOWN history_unknown"},
        **with_list(fine, {key: fail("revocation", "revoked", "Revoked.")}, at=w.NOW - 60),
    )  # fmt: skip


def _validity_cases() -> Iterator[tuple[str, Vector]]:
    skew = w.POLICY.clock_skew_seconds
    start, end = 1_780_000_000, 1_937_766_400
    old = dict.fromkeys(("validFrom", "validUntil"))

    def period(name: str, status: str, outcome: str, now: int = w.NOW, **changes: Any) -> tuple[str, Vector]:
        world = w.world(w.credential(**changes))
        # The chain goes on while the credential ages.
        world.chain.head = replace(world.chain.head, timestamp=max(now, w.ANCHORED_AT))
        return verdict(
            f"validity-{name}", "The period of validity.", status, {"validity": outcome}, world=world, now=now
        )

    late, early = "FAIL expired", "FAIL not_yet_valid"
    yield period("first-second", "VALID", "PASS ok", start - skew)
    yield period("a-second-early", "INVALID", early, start - skew, validFrom="2026-05-28T20:26:41Z")
    yield period("last-second", "VALID", "PASS ok", end + skew)
    yield period("a-second-late", "INVALID", late, end + skew + 1)
    yield period("expired-by-version-1-field", "INVALID", late, **old, expirationDate="2026-05-28T20:26:40+00:00")
    yield period("not-yet-by-version-1-field", "INVALID", early, **old, issuanceDate="2026-06-28T20:26:40.5-14:00")
    yield period("of-version-1", "VALID", "PASS ok", **old, issuanceDate="2026-05-29T08:26:40+12:00")
    # 20:26:40 in UTC, written elsewhere in the world.
    yield period("first-second-in-the-east", "VALID", "PASS ok", start - skew, validFrom="2026-05-29T08:26:40+12:00")
    yield period("first-second-in-the-west", "VALID", "PASS ok", start - skew, validFrom="2026-05-28T06:26:40-14:00")
    yield period("last-second-in-the-east", "VALID", "PASS ok", start + skew, validUntil="2026-05-29T08:26:40+12:00")
    yield period("last-second-in-the-west", "VALID", "PASS ok", start + skew, validUntil="2026-05-28T06:26:40-14:00")
    yield period("a-second-late-in-the-west", "INVALID", late, start + skew + 1, validUntil="2026-05-28T06:26:40-14:00")
    yield period("without-end", "VALID", "PASS ok", validUntil=None)
    yield period("from-without-offset", "VALID", "PASS ok", start - skew, validFrom="2026-05-28T20:26:40")
    yield period("a-second-early-without-offset", "INVALID", early, start - skew, validFrom="2026-05-28T20:26:41")
    for name, text in {
        "a-date-only": "2026-05-28", "no-such-day": "2026-02-30T00:00:00Z",
        "offset-too-far": "2026-05-28T20:26:40+14:01", "offset-minutes": "2026-05-28T20:26:40+01:60",
        "a-number": 1780000000,
    }.items():  # fmt: skip
        yield period(f"from-{name}", "INVALID", "FAIL date_malformed", validFrom=text)
    yield period("until-never", "INVALID", "FAIL date_malformed", validUntil="never")


def _status_cases() -> Iterator[tuple[str, Vector]]:
    word, mask = w.INDEX >> 8, 1 << (w.INDEX & 255)
    revoked, suspended, neighbours = w.world(), w.world(), w.world()
    revoked.chain.revoked = {word: mask}
    suspended.chain.suspended = {word: mask}
    neighbours.chain.revoked = neighbours.chain.suspended = {word: (2**256 - 1) ^ mask}
    world = w.world()
    yield verdict("revoked", "Its bit is set.", "INVALID", {"revocation": "FAIL revoked"}, world=revoked)
    yield verdict("suspended", "Its bit is set.", "INVALID", {"suspension": "FAIL suspended"}, world=suspended)
    yield verdict("neighbours-revoked", "All bits of the word but its own are set.", "VALID", world=neighbours)
    yield verdict(
        "batch-revoked", "The whole batch is void.", "INVALID", {"revocation": "FAIL batch_revoked"},
        evidence=_record(world, revoked_at=w.NOW - 60),
    )  # fmt: skip
    yield verdict(
        "revocation-announced", "The issuer said so, the chain does not yet.", "INDETERMINATE",
        {"revocation": "UNKNOWN revocation_pending"}, evidence=replace(world.evidence, revocation_announced=True),
    )  # fmt: skip
    yield verdict(
        "revocation-announced-and-done", "The chain has the last word.", "INVALID", {"revocation": "FAIL revoked"},
        evidence=replace(revoked.evidence, revocation_announced=True),
    )  # fmt: skip
    yield verdict(
        "status-word-not-read", "The status bits were not read.", "INDETERMINATE", UNCOUNTED,
        evidence=_answer(world, words={}),
    )  # fmt: skip
    yield verdict(
        "status-word-of-another", "The status bits of others were read.", "INDETERMINATE", UNCOUNTED,
        evidence=_answer(world, words={word + 1: world.evidence.anchors[0].words[word]}),
    )  # fmt: skip


def _history_cases() -> Iterator[tuple[str, Vector]]:
    """As of a time between anchoring and now."""
    word, mask = w.INDEX >> 8, 1 << (w.INDEX & 255)
    event, then = w.ANCHORED_AT + 3600, w.ANCHORED_AT + 7200
    before = event - 1
    unknown_then = {"revocation": "UNKNOWN history_unknown", "suspension": "UNKNOWN history_unknown"}

    def case(
        name: str, about: str, status: str, expected: dict[str, str], at: int,
        history: tuple[StatusChange, ...] | None, *, revoked: int = 0, suspended: int = 0, **more: Any,
    ) -> tuple[str, Vector]:  # fmt: skip
        world = w.world()
        evidence = _answer(world, words={word: StatusWords(revoked, suspended)}, history=history)
        evidence = replace(evidence, revocation_announced=more.pop("announced", False))
        return verdict(f"then-{name}", about, status, expected, world=world, evidence=evidence, at=at, **more)

    revocation = StatusChange(event, word, revoked=mask)
    suspension = StatusChange(event, word, suspended=mask)
    end = StatusChange(then, word, reinstated=mask)
    yield case("nothing-happened", "No event at all.", "VALID", {}, then, ())
    yield case(
        "not-anchored-yet", "Asked about a time before the anchoring.", "INVALID",
        UNCOUNTED | {"anchor": "FAIL not_anchored_yet"}, w.ANCHORED_AT - 1, (),
    )  # fmt: skip
    yield case(
        "revoked-before", "Revoked before that time.", "INVALID", {"revocation": "FAIL revoked"}, event,
        (revocation,), revoked=mask,
    )  # fmt: skip
    yield case(
        "revoked-after", "Revoked only later.", "VALID", {"revocation": "PASS revoked_later"}, before, (revocation,),
        revoked=mask,
    )  # fmt: skip
    yield case(
        "revoked-without-event", "Set without its event.", "INDETERMINATE", {"revocation": "UNKNOWN history_unknown"},
        before, (), revoked=mask,
    )  # fmt: skip
    yield case(
        "revoked-event-of-a-neighbour", "Another bit's event.", "INDETERMINATE",
        {"revocation": "UNKNOWN history_unknown"}, before, (replace(revocation, revoked=mask << 1),), revoked=mask,
    )  # fmt: skip
    yield case("no-history", "The logs are gone.", "INDETERMINATE", unknown_then, before, None, revoked=mask)
    yield case(
        "no-history-and-clear", "The logs are gone; only a revocation never ends.", "INDETERMINATE",
        {"suspension": "UNKNOWN history_unknown"}, before, None,
    )  # fmt: skip
    yield case(
        "suspended", "Suspended at that time, reinstated since.", "INVALID", {"suspension": "FAIL suspended"}, event,
        (suspension, end),
    )  # fmt: skip
    yield case("suspended-before-and-reinstated", "It had ended by then.", "VALID", {}, then, (suspension, end))
    yield case(
        "suspended-after", "Suspended only later.", "VALID", {"suspension": "PASS suspended_later"}, before,
        (suspension,), suspended=mask,
    )  # fmt: skip
    yield case(
        "suspension-history-incomplete", "The events do not lead to what the chain holds.", "INDETERMINATE",
        {"suspension": "UNKNOWN history_unknown"}, then, (suspension,),
    )  # fmt: skip
    yield case("announced-since", "What is only announced now was not on chain then.", "VALID", {}, then, (),
               announced=True)  # fmt: skip
    yield case(
        "announced-and-asked-about-now", "The chain's newest block is older than that time.", "INDETERMINATE",
        {"revocation": "UNKNOWN revocation_pending"}, w.NOW, (), announced=True,
    )  # fmt: skip
    world = w.world()
    yield verdict(
        "then-batch-revoked-later", "A voided batch was void from its beginning.", "INVALID",
        {"revocation": "FAIL batch_revoked"}, at=then,
        evidence=_answer(
            world, record=replace(world.evidence.anchors[0].record, revoked_at=w.NOW - 60), history=()
        ),
    )  # fmt: skip
    late = w.credential(validUntil="2026-05-28T22:00:00Z")
    yield verdict(
        "then-expired-since", "It was valid then.", "VALID", world=w.world(late), at=w.ANCHORED_AT + 60,
        evidence=replace_history(w.world(late).evidence),
    )  # fmt: skip


def replace_history(evidence: Evidence) -> Evidence:
    answers = tuple(replace(answer, history=()) for answer in evidence.anchors)
    return replace(evidence, anchors=answers)


def _locator_cases() -> Iterator[tuple[str, Vector]]:
    world = w.world()
    fine = world.bundle
    pruned = {"locator": "SKIPPED evidence_pruned"}
    yield verdict(
        "block-hash-changed", "Another block than the node's of that number.", "INVALID",
        {"locator": "FAIL block_hash_differs"}, bundle=_anchor(fine, block_hash=w.sha("another")),
    )  # fmt: skip
    yield verdict(
        "transaction-changed", "Another transaction than the one in the node's logs.", "INVALID",
        {"locator": "FAIL transaction_differs"}, bundle=_anchor(fine, transaction=w.sha("another")),
    )  # fmt: skip
    yield verdict(
        "history-pruned", "The node holds no history: verification works from state.", "VALID", pruned,
        evidence=_answer(world, location=AnchorLocation(None, None)),
    )  # fmt: skip
    yield verdict(
        "logs-pruned", "The node holds blocks, not logs.", "VALID", pruned,
        evidence=_answer(world, location=AnchorLocation(w.sha("block"), None)),
    )  # fmt: skip


# --- bundles that are refused before any verdict --------------------------------------------------------------------


def refusals() -> Iterator[tuple[str, Vector]]:
    fine = w.as_json(w.world().bundle)
    sixty_four = "ab" * 32

    def refused(name: str, pointer: str, message: str, document: Any, error: str = "BundleError") -> tuple[str, Vector]:
        data = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()
        expect = {"error": error, "message": message} | ({"pointer": pointer} if error == "BundleError" else {})
        try:
            return f"refused/{name}", {"text": data.decode(), "expect": expect}
        except UnicodeDecodeError:
            return f"refused/{name}", {"base64": base64.b64encode(data).decode(), "expect": expect}

    def at(name: str, pointer: str, new: Any, message: str) -> tuple[str, Vector]:
        return refused(name, pointer, message, w.changed(fine, pointer, new))

    def without(name: str, pointer: str, field: str) -> tuple[str, Vector]:
        document = json.loads(json.dumps(fine))
        inner = document
        for part in pointer.split("/")[1:]:
            inner = inner[int(part) if isinstance(inner, list) else part]
        del inner[field]
        return refused(name, pointer, f'the field "{field}" is missing', document)

    text = json.dumps(fine).encode()
    yield refused("duplicate-key", "", "duplicate key", b'{"version":1,' + text[1:], "JsonError")
    yield refused("duplicate-key-escaped", "", "duplicate key", b'{"\\u0076ersion":1,' + text[1:], "JsonError")
    yield refused(
        "duplicate-key-in-the-credential", "", "duplicate key",
        text.replace(b'"name":', b'"name": "Data Mastery", "name":', 1), "JsonError",
    )  # fmt: skip
    yield refused("trailing-data", "", "trailing", text + b"{}", "JsonError")
    yield refused("not-utf-8", "", "unicode", text.replace(b"Data Literacy", b"Data \xff", 1), "JsonError")
    yield refused("nan-in-the-credential", "", "expected value", text.replace(b"2.5", b"NaN"), "JsonError")
    yield refused("big-integer-in-the-credential", "", "beyond", text.replace(b"2.5", b"9007199254740993"), "JsonError")
    yield refused("lone-surrogate", "", "surrogate", text.replace(b"Data Literacy", b"\\udc00", 1), "JsonError")
    yield refused(
        "too-deep", "", "deeper", {**fine, "credential": json.loads('{"a":' * 65 + "1" + "}" * 65)}, "JsonError"
    )
    yield refused("an-array", "", "a JSON object belongs here, not an array", [fine])
    yield refused("a-string", "", "a JSON object belongs here, not a string", "bundle")
    yield refused("null", "", "a JSON object belongs here, not null", None)
    yield at("another-type", "/type", "VerifiablePresentation", "'AnchoredCredentialBundle' is expected")
    yield at("another-version", "/version", 2, "1 is expected here, not 2")
    yield at("version-true", "/version", True, "an integer belongs here, not a boolean")
    yield at("version-a-float", "/version", 1.0, "an integer belongs here, not a float")
    yield at("version-a-string", "/version", "1", "an integer belongs here, not a string")
    yield at("unknown-field", "/comment", "hello", "unknown field")
    yield refused("unknown-field-with-a-slash", "/a~1b~0c", "unknown field", {**fine, "a/b~c": 1})
    yield refused(
        "unknown-field-of-many-characters", f"/{'x' * 80}…", "unknown field", {**fine, "x" * 1000: 1},
    )  # fmt: skip
    both = 'exactly one of "credential" and "digest"'
    yield refused("credential-and-digest", "", both, {**fine, "digest": sixty_four})
    yield refused("neither-credential-nor-digest", "", both, {k: v for k, v in fine.items() if k != "credential"})
    yield at("credential-a-string", "/credential", "credential", "an object belongs here, not a string")
    yield at("credential-null", "/credential", None, "an object belongs here, not null")
    yield at("issuer-document-null", "/issuerDocument", None, "an object belongs here, not null")
    digest = {k: v for k, v in fine.items() if k != "credential"}
    yield refused("digest-with-0x", "/digest", "in lower case", {**digest, "digest": "0x" + sixty_four[2:]})
    yield refused("digest-too-short", "/digest", "64 hex digits, not 62", {**digest, "digest": sixty_four[2:]})
    yield at("leaf-an-array", "/leaf", [], "an object belongs here, not an array")
    yield at("leaf-raw", "/leaf/canonicalization", "RAW", '"RAW" is reserved')
    yield at("leaf-of-another-canonicalization", "/leaf/canonicalization", "jcs", '"JCS"')
    yield at("salt-too-short", "/leaf/salt", "AAAA", "32 bytes are expected, not 3")
    yield at("salt-padded", "/leaf/salt", fine["leaf"]["salt"] + "=", "not base64url")
    yield at("salt-with-loose-bits", "/leaf/salt", fine["leaf"]["salt"][:-1] + "t", "not base64url")
    yield at("salt-in-plain-base64", "/leaf/salt", "+/" * 21 + "A", "not base64url")
    yield at("salt-with-a-space", "/leaf/salt", " " + fine["leaf"]["salt"], "not base64url")
    yield at("salt-not-ascii", "/leaf/salt", "é" * 43, "not base64url")
    yield at("salt-null", "/leaf/salt", None, "a string belongs here, not null")
    yield at("leaf-with-more", "/leaf/pepper", "x", "unknown field")
    yield at("another-algorithm", "/inclusion/algorithm", "MerkleProof2019", "'RFC9162_SHA256' is expected")
    yield at("leaf-index-negative", "/inclusion/leafIndex", -1, "not between 0 and")
    yield at("leaf-index-a-float", "/inclusion/leafIndex", 77.0, "an integer belongs here, not a float")
    yield at("leaf-index-false", "/inclusion/leafIndex", False, "an integer belongs here, not a boolean")
    yield at("tree-size-zero", "/inclusion/treeSize", 0, "not between 1 and")
    yield at("root-in-upper-case", "/inclusion/root", sixty_four.upper(), "in lower case")
    yield at("root-with-0x", "/inclusion/root", "0x" + sixty_four, 'without "0x"')
    yield at("root-too-long", "/inclusion/root", sixty_four + "00", "64 hex digits, not 66")
    yield at("root-with-a-newline", "/inclusion/root", sixty_four + "\n", "in lower case")
    yield at("path-a-string", "/inclusion/path", sixty_four, "an array belongs here, not a string")
    yield at("path-with-a-number", "/inclusion/path/1", 5, "a string belongs here, not an integer")
    yield at("path-with-a-short-hash", "/inclusion/path/2", "ab", "64 hex digits, not 2")
    yield at("path-of-65", "/inclusion/path", [sixty_four] * 65, "0 to 64 items")
    yield at("inclusion-with-more", "/inclusion/hint", 1, "unknown field")
    yield at("anchors-empty", "/anchors", [], "1 to 8 items are expected here, not 0")
    nine = [{**fine["anchors"][0], "chain": f"eip155:{number}"} for number in range(1, 10)]
    yield at("anchors-nine", "/anchors", nine, "1 to 8 items are expected here, not 9")
    yield at("anchors-an-object", "/anchors", {}, "an array belongs here, not an object")
    yield at("anchor-twice", "/anchors", fine["anchors"] * 2, "the same contract on the same chain")
    yield at("anchor-a-string", "/anchors/0", "eip155:1", "a JSON object belongs here, not a string")
    chains = {
        "with-a-leading-zero": "eip155:01",
        "zero": "eip155:0",
        "in-hex": "eip155:0x1",
        "of-another-namespace": "bip122:1",
        "with-a-space": "eip155: 1",
        "with-a-newline": "eip155:1\n",
        "too-long": "eip155:" + "9" * 17,
        "in-other-digits": "eip155:\u0661",
    }
    for name, chain in chains.items():
        yield at(f"chain-{name}", "/anchors/0/chain", chain, 'written as "eip155:"')
    checksummed = fine["anchors"][0]["contract"].upper().replace("0X", "0x")
    yield at("contract-in-upper-case", "/anchors/0/contract", checksummed, "in lower case")
    yield at("contract-without-0x", "/anchors/0/contract", "ab" * 20, 'starts with "0x"')
    yield at("contract-too-long", "/anchors/0/contract", "0x" + "ab" * 32, "40 hex digits, not 64")
    yield at("issuer-a-did", "/anchors/0/issuer", w.DID, 'starts with "0x"')
    yield at("first-index-too-large", "/anchors/0/firstIndex", 2**53 - 1 + 0.0, "an integer belongs here, not a float")
    yield at("first-index-a-string", "/anchors/0/firstIndex", "131000", "an integer belongs here, not a string")
    times = {"with-an-offset": "2026-05-28T20:26:40+00:00", "with-fractions": "2026-05-28T20:26:40.0Z",
             "in-lower-case": "2026-05-28t20:26:40z", "without-seconds": "2026-05-28T20:26Z",
             "with-a-space": "2026-05-28 20:26:40Z"}  # fmt: skip
    for name, time in times.items():
        yield at(f"anchored-at-{name}", "/anchors/0/anchoredAt", time, "YYYY-MM-DDTHH:MM:SSZ")
    yield at("anchored-at-no-such-day", "/anchors/0/anchoredAt", "2026-02-30T00:00:00Z", "no such time")
    yield at("anchored-at-a-leap-second", "/anchors/0/anchoredAt", "2016-12-31T23:59:60Z", "no such time")
    yield at("anchored-at-before-1970", "/anchors/0/anchoredAt", "1969-12-31T23:59:59Z", "start with the year 1970")
    yield at("transaction-too-short", "/anchors/0/transaction", "0x" + "ab" * 31, "64 hex digits, not 62")
    yield at("block-hash-odd", "/anchors/0/blockHash", "0x" + "a" * 63, "64 hex digits, not 63")
    yield at("block-number-negative", "/anchors/0/blockNumber", -1, "not between 0 and")
    yield at("anchor-with-more", "/anchors/0/explorer", "https://example.org", "unknown field")
    for field in ("type", "version", "leaf", "inclusion", "anchors"):
        yield without(f"without-{field}", "", field)
    for field in ("canonicalization", "salt"):
        yield without(f"leaf-without-{field}", "/leaf", field)
    for field in ("algorithm", "leafIndex", "treeSize", "root", "path"):
        yield without(f"inclusion-without-{field}", "/inclusion", field)
    for field in fine["anchors"][0]:
        yield without(f"anchor-without-{field}", "/anchors/0", field)


# --- inclusion proofs -----------------------------------------------------------------------------------------------


def proofs() -> Iterator[tuple[str, Vector]]:
    leaves = [hash_leaf(f"leaf {number}".encode()) for number in range(7)]
    tree = MerkleTree(leaves)
    path = tree.inclusion_proof(3)

    def proof(
        name: str, message: str | None, leaf_hash: bytes = leaves[3], leaf_index: int = 3, tree_size: int = 7,
        path: list[bytes] = path, root: bytes = tree.root,
    ) -> tuple[str, Vector]:  # fmt: skip
        return f"proof/{name}", {
            "leafHash": leaf_hash.hex(),
            "leafIndex": leaf_index,
            "treeSize": tree_size,
            "path": [sibling.hex() for sibling in path],
            "root": root.hex(),
            "expect": {"error": message},
        }

    pair = hash_node(leaves[2], leaves[3])
    elsewhere, outside = "leads to another root", "is outside a tree"
    yield proof("fine", None)
    yield proof("fine-last-leaf", None, leaves[6], 6, path=tree.inclusion_proof(6))
    yield proof("fine-lone-leaf", None, leaves[0], 0, 1, [], leaves[0])
    yield proof("empty-tree", outside, leaves[0], 0, 0, [], MerkleTree([]).root)
    yield proof("index-negative", outside, leaf_index=-1)
    yield proof("index-equals-size", outside, leaf_index=7)
    yield proof("index-of-the-neighbour", elsewhere, leaf_index=2)
    yield proof("leaf-changed", elsewhere, w.sha("another"))
    yield proof("leaf-too-short", "leaf hash has 31 bytes", leaves[3][:31])
    yield proof("root-changed", elsewhere, root=w.sha("another"))
    yield proof("root-too-long", "root has 33 bytes", root=tree.root + b"\0")
    yield proof("path-empty", "3 hashes, not 0", path=[])
    yield proof("path-too-short", "3 hashes, not 2", path=path[:-1])
    yield proof("path-with-the-root-appended", "3 hashes, not 4", path=[*path, tree.root])
    yield proof("path-with-the-leaf-prepended", "3 hashes, not 4", path=[leaves[3], *path])
    yield proof("path-reversed", elsewhere, path=path[::-1])
    yield proof("path-with-a-short-hash", r"path[1] has 31 bytes", path=[path[0], path[1][:31], path[2]])
    yield proof("inner-node-as-a-leaf", "3 hashes, not 2", pair, 1, 7, path[1:])
    yield proof("inner-node-as-a-leaf-of-a-smaller-tree", None, pair, 1, 4, path[1:])
    yield proof("root-as-the-only-leaf", None, tree.root, 0, 1, [])
    yield proof("size-that-gives-another-shape", "hashes, not 3", tree_size=3 + 1)
    yield proof("size-that-gives-the-same-root", None, tree_size=8)
    # The two above lead to the root although no such tree was built: a root does not bind its size, so the size comes
    # from the chain, and the node has to be a leaf hash, which the way from the credential makes sure of.


def all_vectors() -> dict[str, bytes]:
    """File name below tests/vectors → content."""
    found: dict[str, bytes] = {}
    for name, vector in (*verdicts(), *refusals(), *proofs()):
        assert name not in found, name
        found[f"{name}.json"] = json.dumps(vector, ensure_ascii=False, indent=1).encode() + b"\n"
    return found
