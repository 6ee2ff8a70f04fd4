"""Each finding is planted once, alone; and a registry without fault gives none."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from registry.core import leaf
from registry.core.audit import KINDS, BatchKey, Finding, Severity, Where, find, finding_to_json, fingerprint, in_order
from registry.core.audit_chain import AnchoredBatch, ChainView, Claim, audit_chain, located
from registry.core.audit_copies import audit_stored_anchors, audit_stored_claims, audit_stored_words
from registry.core.audit_credentials import CredentialAudit, Lists
from registry.core.audit_database import (
    Lookups,
    StoredBatch,
    StoredIssuer,
    anchored_as,
    audit_stored_batches,
    audit_stored_issuers,
)
from registry.core.audit_issuers import Speakers
from registry.core.audit_nodes import compare_nodes
from registry.core.audit_published import (
    PublishedAudit,
    PublishedBatch,
    issuers_elsewhere,
    packed_root,
    repeated_leaves,
)
from registry.core.audit_requests import OwnWords, StoredStatus, audit_statuses
from registry.core.audit_rows import StoredCredential, audit_open_rows, audit_rows
from registry.core.bundle import build_bundle
from registry.core.canonical import canonicalize
from registry.core.declared import Declared, delays_text, goes_on
from registry.core.merkle import MerkleTree
from registry.core.model import Anchor, BatchRecord, BlockRef, Bundle, StatusWords

ISSUER, OTHER, CONTRACT, CODE = b"\x01" * 20, b"\x02" * 20, b"\x0c" * 20, b"\xcd" * 32
SIZES = (5, 8, 1)
BLOCK = BlockRef(9, b"\x09" * 32, 1_800_000_900)
DID = "did:web:registry.example:issuers:uni"
OWN_LISTS = Lists({ISSUER: "https://registry.example/issuers/uni/status"}, frozenset({"registry.example"}))


def credential(index: int, **more: Any) -> dict[str, Any]:
    return {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "type": ["VerifiableCredential"],
        "id": f"urn:example:{index}",
        "issuer": DID,
        "validFrom": "2027-01-15T07:00:00Z",
        "credentialSubject": {"name": "Zoë"},
        "credentialStatus": {
            "type": "BitstringStatusListEntry",
            "statusPurpose": "revocation",
            "statusListIndex": str(index % 131072),
            "statusListCredential": f"https://registry.example/issuers/uni/status/revocation/{index // 131072}",
        },
        **more,
    }


def salt(index: int) -> bytes:
    return sha256(b"salt %d" % index).digest()


def leaf_of(document: dict[str, Any], index: int) -> bytes:
    return leaf.leaf_hash(leaf.commit(salt(index), leaf.digest(canonicalize(document))))


@dataclass
class World:
    """One issuer with three batches; a test bends it, and ``view`` is what the node then shows."""

    documents: list[list[dict[str, Any]]] = field(default_factory=list)
    keys: list[BatchKey] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    history: list[AnchoredBatch] = field(default_factory=list)
    records: dict[BatchKey, BatchRecord | None] = field(default_factory=dict)
    words: dict[tuple[bytes, int], StatusWords] = field(default_factory=dict)
    told: dict[tuple[bytes, int], StatusWords] = field(default_factory=dict)
    next_index: int = 0

    def anchor(self, documents: list[dict[str, Any]], issuer: bytes = ISSUER, leaves: bytes | None = None) -> BatchKey:
        first, number = self.next_index, len(self.keys)
        packed = leaves or b"".join(leaf_of(item, first + at) for at, item in enumerate(documents))
        key = BatchKey(issuer, first, packed_root(packed))
        size = len(packed) // 32
        self.documents.append(documents)
        self.keys.append(key)
        self.leaves.append(packed)
        self.history.append(AnchoredBatch(key, size, number + 1, bytes([number + 1]) * 32, bytes([number]) * 32))
        self.records[key] = BatchRecord(size, 1_800_000_000 + number, 0, number + 1)
        self.next_index += size
        return key

    @property
    def view(self) -> ChainView:
        next_index = {ISSUER: self.next_index}
        view = ChainView(
            31337, CONTRACT, CODE, BLOCK, tuple(self.history), dict(self.records), next_index, self.words, self.told
        )
        return replace(view, first_event=min((batch.block_number for batch in self.history), default=None))

    def published(self) -> list[tuple[PublishedBatch, bytes | None]]:
        return [
            (PublishedBatch(key, len(leaves) // 32, revoked=False), leaves)
            for key, leaves in zip(self.keys, self.leaves, strict=True)
        ]

    def audit(self, published: list[tuple[PublishedBatch, bytes | None]] | None = None) -> list[Finding]:
        audit = PublishedAudit(self.view)
        findings = [finding for item in published or self.published() for finding in audit.add(*item)]
        return [*findings, *audit.finish(), *repeated_leaves(audit.anchored_leaves(), {}, self.view.batches())]

    def bundle(self, batch: int, position: int, **more: Any) -> Bundle:
        key = self.keys[batch]
        tree = MerkleTree.from_packed(self.leaves[batch])
        moment, told = 1_800_000_000 + batch, self.history[batch]
        place = (told.transaction, told.block_number, told.block_hash)
        anchor = Anchor(31337, CONTRACT, ISSUER, key.first, moment, *place)
        made = build_bundle(self.documents[batch][position], salt(key.first + position), tree, position, [anchor])
        return replace(made, **more)

    def audit_bundles(self, *bundles: Bundle, delay: int | None = None) -> list[Finding]:
        published = PublishedAudit(self.view)
        for item in self.published():
            published.add(*item)
        audit = CredentialAudit(self.view, published.leaves_of, Declared(everybody=delay))
        return [finding for number, bundle in enumerate(bundles) for finding in audit.add(bundle, f"{number}.json")]

    def stored(self) -> list[StoredBatch]:
        return [
            StoredBatch(e.key, e.size, True, e.transaction, e.block_number, e.block_hash, 1_800_000_000 + at, True)
            for at, e in enumerate(self.history)
        ]

    def rows(self, batch: int) -> list[StoredCredential]:
        first = self.keys[batch].first
        return [
            StoredCredential(f"id{first + at}", first + at, False, canonicalize(item), salt(first + at))
            for at, item in enumerate(self.documents[batch])
        ]

    def audit_rows(self, rows: list[StoredCredential], batch: int = 0) -> list[Finding]:
        return list(audit_rows(self.keys[batch], SIZES[batch], self.leaves[batch], rows))


@pytest.fixture
def world() -> World:
    made = World()
    for size in SIZES:
        made.anchor([credential(made.next_index + at) for at in range(size)])
    return made


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def test_a_clean_registry_gives_no_finding_at_any_level(world: World) -> None:
    world.words = world.told = {(ISSUER, 0): StatusWords(0b100, 0b1000)}
    assert audit_chain(world.view, CODE) == []
    assert compare_nodes(world.view, world.view, "second") == []
    assert world.audit() == []
    bundles = [world.bundle(batch, at) for batch, size in enumerate(SIZES) for at in range(size)]
    assert world.audit_bundles(*bundles, *bundles, delay=7_200) == []
    assert list(audit_stored_batches(world.view, world.stored(), [ISSUER])) == []
    assert [finding for batch in range(3) for finding in world.audit_rows(world.rows(batch), batch)] == []
    stored = [StoredStatus(ISSUER, 2, True, None), StoredStatus(ISSUER, 3, False, True)]
    assert list(audit_statuses(world.view, stored, [ISSUER])) == []


# --- chain ----------------------------------------------------------------------------------------------------------


def test_other_code(world: World) -> None:
    assert codes(audit_chain(world.view, b"\0" * 32)) == ["code_hash_differs"]


def test_no_expected_code_is_no_finding(world: World) -> None:
    assert audit_chain(world.view) == []


def test_a_gap_that_nothing_fills(world: World) -> None:
    gone = world.history.pop(1)
    del world.records[gone.key]
    findings = audit_chain(world.view)
    assert codes(findings) == ["sequence_gap", "history_incomplete"]
    assert findings[0].where.index == 5
    assert findings[0].expected == "a batch with the indexes 5 to 12"


def test_a_gap_at_the_end(world: World) -> None:
    world.next_index += 3
    assert codes(audit_chain(world.view)) == ["sequence_gap", "history_incomplete"]


def test_pruned_history_that_the_material_fills_is_no_fault(world: World) -> None:
    world.history.clear()
    world.words = {(ISSUER, 0): StatusWords(1, 0)}
    findings = audit_chain(world.view)
    assert codes(findings) == ["history_incomplete"]
    assert findings[0].severity is Severity.INFO


def test_overlapping_batches(world: World) -> None:
    key = BatchKey(ISSUER, 3, b"\x55" * 32)
    world.records[key] = BatchRecord(2, 1, 0, 4)
    world.history.append(AnchoredBatch(key, 2, 4, b"\x04" * 32, b"\x04" * 32))
    assert codes(audit_chain(world.view)) == ["sequence_overlap"]


def test_batches_beyond_the_next_index(world: World) -> None:
    world.next_index -= 1
    assert codes(audit_chain(world.view)) == ["sequence_overlap"]


def test_an_event_without_record(world: World) -> None:
    world.records[world.keys[2]] = None
    assert "record_missing" in codes(audit_chain(world.view))


def test_a_record_that_differs_from_its_event(world: World) -> None:
    world.history[0] = replace(world.history[0], block_number=3)
    assert codes(audit_chain(world.view)) == ["record_differs"]


def test_a_record_whose_event_is_not_told_though_earlier_ones_are(world: World) -> None:
    gone = world.history.pop(1)
    [finding, _] = audit_chain(world.view)
    assert (finding.code, finding.where.root) == ("record_differs", gone.key.root)
    assert finding.observed == "none"


def test_events_that_are_gone_before_the_first_one_were_pruned(world: World) -> None:
    del world.history[0]
    assert codes(audit_chain(world.view)) == ["history_incomplete"]
    with_an_earlier_event = replace(world.view, first_event=0)
    assert codes(audit_chain(with_an_earlier_event)) == ["record_differs", "history_incomplete"]


def test_an_event_that_is_told_twice(world: World) -> None:
    world.history.append(replace(world.history[0], block_number=3))
    assert codes(audit_chain(world.view)) == ["record_differs"]


@pytest.mark.parametrize(
    "block", [BlockRef(1, b"\x01" * 32, 1_800_000_007), BlockRef(1, b"\x0f" * 32, 1_800_000_000)], ids=["time", "hash"]
)
def test_a_record_and_the_block_of_its_event(world: World, block: BlockRef) -> None:
    right = BlockRef(1, b"\x01" * 32, 1_800_000_000)
    assert audit_chain(replace(world.view, blocks={1: right})) == []
    assert codes(audit_chain(replace(world.view, blocks={1: block}))) == ["record_differs"]


def voided(world: World, at: int = 1_800_000_500) -> ChainView:
    record = world.records[world.keys[1]]
    assert record is not None
    world.records[world.keys[1]] = replace(record, revoked_at=at)
    return replace(world.view, voided_in={world.keys[1]: 5}, blocks={5: BlockRef(5, b"\x05" * 32, 1_800_000_500)})


def test_a_voided_batch_is_no_fault(world: World) -> None:
    assert audit_chain(voided(world)) == []


def test_a_batch_that_was_voided_and_is_not_any_more(world: World) -> None:
    [finding] = audit_chain(voided(world, at=0))
    assert (finding.code, finding.where.root, finding.where.block_number) == (
        "revocation_undone", world.keys[1].root, 5,
    )  # fmt: skip


def test_a_batch_that_is_voided_and_no_event_says_so(world: World) -> None:
    assert codes(audit_chain(replace(voided(world), voided_in={}))) == ["status_differs"]


def test_a_batch_that_was_voided_at_another_time(world: World) -> None:
    assert codes(audit_chain(voided(world, at=1_800_000_400))) == ["status_differs"]


def test_an_event_that_voids_a_batch_that_never_was(world: World) -> None:
    view = replace(world.view, voided_in={BatchKey(ISSUER, 0, b"\x66" * 32): 5})
    assert codes(audit_chain(view)) == ["record_missing"]


def test_a_claim_that_the_state_does_not_have(world: World) -> None:
    claim = Claim(ISSUER, DID, b"\x0d" * 32, 1_800_000_100)
    assert audit_chain(replace(world.view, claimed={claim: claim.claimed_at})) == []
    for since in (0, claim.claimed_at + 1):
        assert codes(audit_chain(replace(world.view, claimed={claim: since}))) == ["claim_differs"]


def test_very_many_words_that_differ(world: World) -> None:
    world.told = {(ISSUER, number): StatusWords(1, 0) for number in range(150)}
    findings = audit_chain(world.view)
    assert codes(findings) == ["revocation_undone"] * 101
    assert findings[-1].observed == "50 more words that differ"
    assert findings[-1].where.index == 100 * 256


def test_a_revocation_that_was_undone(world: World) -> None:
    world.told = {(ISSUER, 0): StatusWords(0b110, 0)}
    world.words = {(ISSUER, 0): StatusWords(0b010, 0)}
    [finding] = audit_chain(world.view)
    assert (finding.code, finding.where.index) == ("revocation_undone", 2)


def test_a_status_bit_without_event(world: World) -> None:
    world.words = {(ISSUER, 0): StatusWords(0, 1)}
    assert codes(audit_chain(world.view)) == ["status_differs"]


@pytest.mark.parametrize(
    "change",
    [
        lambda view: replace(view, chain_id=1),
        lambda view: replace(view, code_hash=b"\0" * 32),
        lambda view: replace(view, block=BlockRef(9, b"\x08" * 32, 1)),
        lambda view: replace(view, next_index={ISSUER: 13}),
        lambda view: replace(
            view, records={**view.records, BatchKey(ISSUER, 0, b"\x01" * 32): BatchRecord(5, 1, 0, 1)}
        ),
        lambda view: replace(view, history=view.history[:1] + view.history[2:]),
        lambda view: replace(view, history=view.history[:2]),
        lambda view: replace(view, words={(ISSUER, 0): StatusWords(1, 0)}),
        lambda view: replace(view, changes={(ISSUER, 0): [(2, StatusWords(1, 0))]}),
        lambda view: replace(view, voided_in={view.history[0].key: 2}),
        lambda view: replace(view, claims=(Claim(ISSUER, DID, b"\x0d" * 32, 1_800_000_100),)),
    ],
    ids=[
        "chain",
        "code",
        "block",
        "next index",
        "record",
        "event",
        "newest event",
        "word",
        "status",
        "void",
        "claim",
    ],
)
def test_nodes_that_disagree(world: World, change: Callable[[ChainView], ChainView]) -> None:
    assert codes(compare_nodes(world.view, change(world.view), "second")) == ["nodes_disagree"]


@pytest.mark.parametrize("since", [0, 1_800_000_101])
def test_nodes_that_disagree_in_the_state_of_a_claim(world: World, since: int) -> None:
    claim = Claim(ISSUER, DID, b"\x0d" * 32, 1_800_000_100)
    ours, theirs = (replace(world.view, claims=(claim,), claimed={claim: at}) for at in (claim.claimed_at, since))
    assert compare_nodes(ours, ours, "second") == []
    [finding] = compare_nodes(ours, theirs, "second")
    assert (finding.code, finding.where.issuer) == ("nodes_disagree", ISSUER)


def test_a_node_that_has_pruned_its_history_does_not_disagree(world: World) -> None:
    whole = replace(world.view, changes={(ISSUER, 0): [(1, StatusWords(1, 0))]})
    for kept in (1, 0):
        pruned = replace(world.view, history=world.view.history[3 - kept :], first_event=3 if kept else None)
        assert codes(compare_nodes(whole, pruned, "second")) == ["history_incomplete"]
        assert compare_nodes(pruned, whole, "second") == []  # of the first node, audit_chain has said it


def test_a_first_node_that_knows_nothing_of_an_issuer(world: World) -> None:
    pruned = replace(world.view, history=(), records={}, next_index={}, first_event=None)
    [finding] = compare_nodes(pruned, world.view, "second")
    assert (finding.code, finding.where.source) == ("history_incomplete", None)


# --- published ------------------------------------------------------------------------------------------------------


def test_a_root_without_leaves(world: World) -> None:
    material = world.published()
    material[1] = (material[1][0], None)
    assert codes(world.audit(material)) == ["leaves_missing"]


def test_a_batch_that_is_not_listed(world: World) -> None:
    [finding] = world.audit(world.published()[:2])
    assert (finding.code, finding.where.first) == ("leaves_missing", 13)


@pytest.mark.parametrize("change", [lambda p: p[32:] + p[:32], lambda p: b"\0" + p[1:]], ids=["moved", "changed"])
def test_leaves_with_another_root(world: World, change: Callable[[bytes], bytes]) -> None:
    material = world.published()
    material[0] = (material[0][0], change(world.leaves[0]))
    assert codes(world.audit(material)) == ["root_mismatch"]


@pytest.mark.parametrize(
    ("change", "observed"),
    [(lambda p: p[:-1], "159 bytes"), (lambda p: p + p[:1], "more"), (lambda _: b"", "0 bytes")],
)
def test_leaves_of_the_wrong_length(world: World, change: Callable[[bytes], bytes], observed: str) -> None:
    material = world.published()
    material[0] = (material[0][0], change(world.leaves[0]))
    [finding] = world.audit(material)
    assert (finding.code, finding.expected, finding.observed) == ("leaves_malformed", "160 bytes", observed)


def test_another_size(world: World) -> None:
    material = world.published()
    material[0] = (replace(material[0][0], size=4), world.leaves[0])
    assert codes(world.audit(material)) == ["size_differs"]


def test_another_first_index(world: World) -> None:
    material = world.published()
    key = material[2][0].key
    material[2] = (replace(material[2][0], key=replace(key, first=20)), world.leaves[2])
    assert codes(world.audit(material)) == ["first_differs", "leaves_missing"]


def test_a_published_batch_that_is_not_on_chain(world: World) -> None:
    key = BatchKey(ISSUER, 14, packed_root(b"\x07" * 64))
    material = [*world.published(), (PublishedBatch(key, 2), b"\x07" * 64)]
    assert codes(world.audit(material)) == ["not_on_chain"]


def test_a_batch_that_is_not_said_to_be_on_chain_yet(world: World) -> None:
    material = [*world.published(), (PublishedBatch(BatchKey(ISSUER, 14, b"\x07" * 32), 2, claimed=False), None)]
    assert world.audit(material) == []


def test_published_ranges_that_overlap(world: World) -> None:
    key = BatchKey(ISSUER, 4, packed_root(b"\x07" * 64))
    material = [*world.published(), (PublishedBatch(key, 2), b"\x07" * 64)]
    assert codes(world.audit(material)) == ["not_on_chain", "published_overlap", "published_overlap"]


def test_a_batch_listed_twice(world: World) -> None:
    material = world.published()
    assert codes(world.audit([*material, material[0]])) == ["published_twice"]
    other = (replace(material[0][0], size=4), material[0][1])
    assert codes(world.audit([*material, other])) == ["published_twice", "size_differs"]


def test_a_batch_that_is_called_voided_and_is_not(world: World) -> None:
    material = world.published()
    material[0] = (replace(material[0][0], revoked=True), material[0][1])
    assert codes(world.audit(material)) == ["voided_not_on_chain"]


@pytest.mark.parametrize(("seconds", "found"), [(300, []), (301, ["accepted_after_anchor"])])
def test_a_batch_that_was_accepted_after_it_was_anchored(world: World, seconds: int, found: list[str]) -> None:
    material = world.published()
    said = replace(material[0][0], accepted_from=1_800_000_000 + seconds, declared_delay=60)
    material[0] = (said, material[0][1])
    assert codes(world.audit(material)) == found


def test_whose_batches_a_publication_has_to_have(world: World) -> None:
    world.anchor([credential(99)], OTHER)
    view = replace(world.view, next_index={ISSUER: 14, OTHER: 1})
    for issuers, expected in ((None, ["leaves_missing"]), ({ISSUER, OTHER}, ["leaves_missing"]), ({ISSUER}, [])):
        audit = PublishedAudit(view)
        for item in world.published()[:3]:
            audit.add(*item)
        assert codes(audit.finish(issuers)) == expected
    [finding] = issuers_elsewhere(view, {ISSUER})
    assert (finding.code, finding.severity, finding.where.issuer) == ("issuer_elsewhere", Severity.INFO, OTHER)
    assert list(issuers_elsewhere(view, {ISSUER, OTHER})) == []


def test_a_leaf_repeated_within_a_batch(world: World) -> None:
    world.anchor([], leaves=b"\x05" * 32 + b"\x06" * 32 + b"\x05" * 32)
    [finding] = world.audit()
    assert (finding.code, finding.where.index) == ("leaf_repeated", 16)
    assert finding.observed == "1 repeated; the first stands at index 14 as well"


def test_a_leaf_repeated_in_another_batch(world: World) -> None:
    world.anchor([], leaves=world.leaves[1][64:96])
    [finding] = world.audit()
    assert (finding.code, finding.where.index) == ("leaf_repeated", 14)
    assert "index 7 as well" in finding.observed


def test_a_leaf_repeated_for_another_issuer(world: World) -> None:
    world.anchor([], issuer=OTHER, leaves=world.leaves[1][64:96])
    [finding] = world.audit()
    assert finding.code == "leaf_repeated"
    assert "as well" in finding.observed
    assert "of issuer 0x" in finding.observed


def test_a_repeated_leaf_is_found_where_it_was_anchored_later(world: World) -> None:
    """Whoever has a low address may be the one who copied."""
    world.anchor([], issuer=b"\x00" * 20, leaves=world.leaves[1][64:96])
    [finding] = world.audit()
    assert (finding.where.issuer, finding.where.index) == (b"\x00" * 20, 14)
    assert f"index 7 of issuer 0x{ISSUER.hex()} as well" in finding.observed


def test_leaves_that_only_begin_alike_are_no_repeats(world: World) -> None:
    world.anchor([], leaves=b"\x05" * 32 + b"\x05" * 31 + b"\x06")
    assert world.audit() == []


def test_a_voided_batch_served_as_good(world: World) -> None:
    record = world.records[world.keys[1]]
    assert record is not None
    world.records[world.keys[1]] = replace(record, revoked_at=1_800_000_500)
    assert codes(world.audit()) == ["voided_batch_served"]
    silent = [(replace(item, revoked=None), leaves) for item, leaves in world.published()]
    [finding] = world.audit(silent)
    assert (finding.code, finding.observed) == ("voided_batch_served", "nothing of that")
    unaware = [(replace(item, revoked=None, claimed=False), leaves) for item, leaves in world.published()]
    assert world.audit(unaware) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, []),
        ({"anchored_at": 1_700_000_000}, ["2023-11-14T22:13:20Z"]),
        ({"transaction": b"\x55" * 32}, [f"transaction 0x{'55' * 32} in block 2"]),
        ({"block_number": 9}, [f"transaction 0x{'01' * 32} in block 9"]),
        ({"block_hash": b"\x55" * 32}, [f"in block 2 (0x{'55' * 32})"]),
        ({"anchored_at": 1, "block_number": 1}, ["1970-01-01T00:00:01Z", "in block 1"]),
    ],
)
def test_a_publication_that_names_another_place_of_an_anchor(
    world: World, change: dict[str, Any], found: list[str]
) -> None:
    material = world.published()
    (batch, leaves), told = material[1], world.history[1]
    place = (told.transaction, told.block_number, told.block_hash)
    anchor = replace(Anchor(31337, CONTRACT, ISSUER, batch.key.first, 1_800_000_001, *place), **change)
    material[1] = (replace(batch, anchor=anchor), leaves)
    findings = world.audit(material)
    assert [item.code for item in findings] == ["published_location_differs"] * len(found)
    assert all(part in item.observed for part, item in zip(found, findings, strict=True))
    world.history.clear()  # the node has pruned it: the record's time is left
    assert len(world.audit(material)) == ("anchored_at" in change)


def test_a_batch_that_could_not_be_asked_for_is_not_alleged_to_be_missing(world: World) -> None:
    audit = PublishedAudit(world.view)
    (first, _), *rest = world.published()
    audit.add_unread(first)
    assert [finding for item in rest for finding in audit.add(*item)] + audit.finish() == []
    assert (audit.size, audit.leaves_of(first.key)) == (9, None)


def test_the_digest_names_the_material(world: World) -> None:
    def digest(material: list[tuple[PublishedBatch, bytes | None]]) -> bytes:
        audit = PublishedAudit(world.view)
        for item in material:
            audit.add(*item)
        return audit.digest

    material = world.published()
    assert digest(material) == digest(material[::-1])
    assert digest(material) != digest(material[:2])
    assert digest(material) != digest([*material[:2], (material[2][0], None)])


@pytest.mark.parametrize("leaves", [1, 32_767, 32_768, 32_769, 100_001])
def test_the_root_in_chunks_is_the_root(leaves: int) -> None:
    packed = b"".join(sha256(b"%d" % at).digest() for at in range(leaves))
    assert packed_root(packed) == MerkleTree.from_packed(packed).root


# --- credentials ----------------------------------------------------------------------------------------------------


def test_a_changed_credential(world: World) -> None:
    changed = {**world.documents[0][1], "credentialSubject": {"name": "Zoé"}}
    assert codes(world.audit_bundles(world.bundle(0, 1, credential=changed))) == ["credential_not_in_batch"]


def test_a_credential_at_another_place(world: World) -> None:
    bundle = world.bundle(1, 1)
    moved = replace(bundle, inclusion=world.bundle(1, 2).inclusion)
    assert codes(world.audit_bundles(moved)) == ["credential_not_in_batch", "status_index_differs"]


def test_a_proof_of_the_wrong_length(world: World) -> None:
    bundle = world.bundle(1, 1)
    short = replace(bundle, inclusion=replace(bundle.inclusion, path=bundle.inclusion.path[1:]))
    assert codes(CredentialAudit(world.view).add(short, "0.json")) == ["credential_not_in_batch"]
    assert world.audit_bundles(short) == []  # where the leaves are at hand they decide


def test_a_bundle_with_a_digest_only(world: World) -> None:
    bundle = world.bundle(1, 1)
    digest = leaf.digest(canonicalize(bundle.credential))
    assert world.audit_bundles(replace(bundle, credential=None, digest=digest)) == []
    assert codes(world.audit_bundles(replace(bundle, credential=None, digest=b"\0" * 32))) == [
        "credential_not_in_batch"
    ]


def test_an_unknown_batch(world: World) -> None:
    bundle = world.bundle(0, 1)
    unknown = replace(bundle, inclusion=replace(bundle.inclusion, root=b"\x05" * 32))
    assert codes(world.audit_bundles(unknown)) == ["bundle_not_on_chain"]


def test_another_contract(world: World) -> None:
    bundle = world.bundle(0, 1)
    elsewhere = replace(bundle, anchors=(replace(bundle.anchors[0], contract=b"\x05" * 20),))
    assert codes(world.audit_bundles(elsewhere)) == ["anchored_elsewhere"]


@pytest.mark.parametrize(
    "change", [{"transaction": b"\5" * 32}, {"block_number": 9}, {"block_hash": b"\5" * 32}, {"anchored_at": 1}]
)
def test_a_bundle_with_another_place_or_time(world: World, change: dict[str, Any]) -> None:
    bundle = world.bundle(0, 1)
    bent = replace(bundle, anchors=(replace(bundle.anchors[0], **change),))
    assert codes(world.audit_bundles(bent)) == ["bundle_location_differs"]


def test_an_id_issued_twice(world: World) -> None:
    world.anchor([credential(14, id="urn:example:3")])
    [finding] = world.audit_bundles(world.bundle(0, 3), world.bundle(3, 0))
    assert (finding.code, finding.observed) == ("credential_id_repeated", "urn:example:3 at 3 and at 14")


@pytest.mark.parametrize(
    "change",
    [
        {"statusListIndex": "13"},
        {"statusListCredential": "https://registry.example/issuers/uni/status/revocation/1"},
        {"statusListCredential": "https://registry.example/issuers/uni/status/suspension/0"},
        {"statusListIndex": 14},
    ],
)
def test_a_status_entry_of_another_place(world: World, change: dict[str, Any]) -> None:
    entry = {**credential(14)["credentialStatus"], **change}
    world.anchor([credential(14, credentialStatus=[credential(14)["credentialStatus"], entry])])
    assert codes(world.audit_bundles(world.bundle(3, 0))) == ["status_index_differs"]


@pytest.mark.parametrize(
    ("place", "known", "expected"),
    [
        ("https://lists.example/status/3", Lists(), []),
        ("https://other.example/issuers/x/status/revocation/0", Lists(), ["status_index_differs"]),
        ("https://other.example/issuers/x/status/revocation/0", Lists({}, frozenset({"registry.example"})), []),
        ("https://other.example/issuers/x/status/revocation/0", OWN_LISTS, []),
        ("https://moved.example/issuers/uni/status/revocation/0", OWN_LISTS, ["status_index_differs"]),
        ("https://registry.example/status/3", OWN_LISTS, ["status_index_differs"]),
        ("nowhere", OWN_LISTS, ["status_index_differs"]),
    ],
)
def test_lists_of_others_have_nothing_to_do_with_the_place(
    world: World, place: str, known: Lists, expected: list[str]
) -> None:
    """A credential may name the list of another registry, beside the chain's or alone."""
    entry = {**credential(77)["credentialStatus"], "statusListCredential": place}
    world.anchor([credential(14, credentialStatus=[credential(14)["credentialStatus"], entry])])
    audit = CredentialAudit(world.view, lists=known)
    assert codes(audit.add(world.bundle(3, 0), "a")) == expected


def test_a_status_entry_that_is_no_object(world: World) -> None:
    world.anchor([credential(14, credentialStatus="none")])
    assert codes(world.audit_bundles(world.bundle(3, 0))) == ["status_index_differs"]


def test_a_credential_without_status_or_id(world: World) -> None:
    document = credential(14)
    del document["credentialStatus"], document["id"], document["validFrom"]
    world.anchor([document])
    assert world.audit_bundles(world.bundle(3, 0), delay=0) == []


def test_late_is_said_and_not_called_fraud(world: World) -> None:
    [finding] = world.audit_bundles(world.bundle(0, 0), delay=60)
    assert (finding.code, finding.severity) == ("anchored_late", Severity.INFO)
    assert "no fraud" in finding.meaning


@pytest.mark.parametrize(
    ("delays", "expected"),
    [
        ((), []),
        (((1_800_000_000, 60),), ["anchored_late"]),  # it counts from its very second on
        (((1_800_000_001, 60),), []),
        (((1_700_000_000, 60), (1_800_000_000, None)), []),
        (((1_700_000_000, None), (1_750_000_000, 60), (1_800_000_001, 1 << 40)), ["anchored_late"]),
        (((1_700_000_000, 1 << 40),), []),
    ],
)
def test_what_counts_is_what_was_declared_when_it_was_anchored(world: World, delays: Any, expected: list[str]) -> None:
    audit = CredentialAudit(world.view, declared=Declared({ISSUER: delays, OTHER: ((0, 0),)}))
    assert codes(audit.add(world.bundle(0, 0), "x")) == expected


def test_declarations_that_go_on_from_former_ones() -> None:
    first, second, third = (1, 60), (2, None), (3, 5)
    assert goes_on((), (first,))
    assert goes_on((first, second), [first, second, third])
    assert not goes_on((first, second), (first,))
    assert not goes_on((first,), ((1, 61), second))
    said = delays_text((first, second))
    assert said == "nothing since 1970-01-01T00:00:02Z, before that 60 seconds since 1970-01-01T00:00:01Z"
    assert delays_text(()) == "nothing"


def test_a_credential_of_a_voided_batch(world: World) -> None:
    record = world.records[world.keys[0]]
    assert record is not None
    world.records[world.keys[0]] = replace(record, revoked_at=1_800_000_500)
    assert codes(world.audit_bundles(world.bundle(0, 0))) == ["voided_batch_credential"]


def test_a_proof_may_lead_there_and_the_published_leaf_be_another(world: World) -> None:
    audit = CredentialAudit(world.view, lambda _: b"\0" * 32 * 5)
    assert codes(audit.add(world.bundle(0, 0), "x")) == ["credential_not_in_batch"]
    assert CredentialAudit(world.view).add(world.bundle(0, 0), "x") == []


# --- database -------------------------------------------------------------------------------------------------------


def audited(world: World, bundle: Bundle, clear: Any = None, **more: Any) -> list[str]:
    leaves = dict(zip(world.keys, world.leaves, strict=True))
    audit = CredentialAudit(world.view, leaves.get, **more)
    return codes(audit.note(audit.examine(bundle, "own.json", clear=clear)))


@pytest.mark.parametrize(
    "change", [{"path": ()}, {"path": (b"\5" * 32,) * 3}, {"path": (b"\5" * 32,) * 4}, {"tree_size": 6}]
)
def test_a_bundle_with_a_wrong_proof_of_the_right_leaf(world: World, change: dict[str, Any]) -> None:
    bundle = world.bundle(0, 1)
    assert audited(world, bundle, paths=True) == []
    bent = replace(bundle, inclusion=replace(bundle.inclusion, **change))
    assert audited(world, bent, paths=True) == ["bundle_proof_wrong"]
    assert audited(world, bent) == (["bundle_proof_wrong"] if "tree_size" in change else [])


def test_a_bundle_of_another_tree_without_leaves(world: World) -> None:
    bundle = world.bundle(0, 1)
    bent = replace(bundle, inclusion=replace(bundle.inclusion, tree_size=6))
    audit = CredentialAudit(world.view)
    assert codes(audit.add(bent, "own.json")) == ["bundle_proof_wrong"]


@pytest.mark.parametrize(
    ("dids", "expected"),
    [
        ({ISSUER: {DID: ""}}, []),
        ({ISSUER: {"did:web:former.example": "", DID: ""}}, []),
        ({ISSUER: {"did:web:other.example": ""}}, ["credential_issuer_differs"]),
        ({ISSUER: {DID: "0x02, 0x03"}}, ["credential_issuer_differs"]),
        ({ISSUER: {DID: None}}, None),
        ({OTHER: {DID: ""}}, None),
        ({}, None),
    ],
)
def test_whose_credential_it_is(world: World, dids: dict[bytes, Any], expected: list[str] | None) -> None:
    audit = CredentialAudit(world.view, speakers=Speakers(dids))
    examined = audit.examine(world.bundle(0, 1), "own.json")
    assert codes(list(examined.findings)) == (expected or [])
    assert (examined.doubt is not None) == (expected is None)


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [({OTHER}, ["credential_issuer_differs"]), (set(), ["credential_issuer_differs"]), ({ISSUER}, [])],
)
@pytest.mark.parametrize("dids", [{}, {OTHER: {DID: ""}}])
def test_a_document_that_names_others_speaks_against_an_address_that_nobody_knows(
    world: World, dids: dict[bytes, Any], accounts: set[bytes], expected: list[str]
) -> None:
    audit = CredentialAudit(world.view, speakers=Speakers(dids, accounts={DID: frozenset(accounts)}))
    examined = audit.examine(world.bundle(0, 1), "own.json")
    assert codes(list(examined.findings)) == expected
    assert (examined.doubt is None) == bool(expected)  # a document alone does not make it claim the DID


def test_whose_an_envelope_is_that_cannot_be_opened(world: World) -> None:
    envelope = {"type": "EnvelopedVerifiableCredential", "id": "data:application/vc+sd-jwt,eyJh"}
    world.anchor([envelope])
    audit = CredentialAudit(world.view, speakers=Speakers({ISSUER: {DID: ""}}))
    examined = audit.examine(world.bundle(3, 0), "own.json")
    assert (examined.findings, "could not be opened" in str(examined.doubt)) == ((), True)


def test_an_id_that_was_issued_again_after_its_batch_was_voided(world: World) -> None:
    world.anchor([{**world.documents[0][1], "credentialStatus": []}])
    bundles = world.bundle(0, 1), world.bundle(3, 0)
    assert codes(world.audit_bundles(*bundles)) == ["credential_id_repeated"]
    record = world.records[world.keys[0]]
    assert record is not None
    world.records[world.keys[0]] = replace(record, revoked_at=1_800_000_500)
    assert codes(world.audit_bundles(*bundles)) == ["voided_batch_credential"]
    assert codes(world.audit_bundles(*reversed(bundles))) == ["voided_batch_credential"]


@pytest.mark.parametrize(
    ("type_", "address", "expected"),
    [
        ("StatusList2021Entry", "https://registry.example/issuers/uni/status/revocation/0", ["status_index_differs"]),
        (["StatusList2021Entry"], "https://registry.example/issuers/uni/status/revocation/0", ["status_index_differs"]),
        (None, "https://registry.example/issuers/uni/status/revocation/0", ["status_index_differs"]),
        ("StatusList2021Entry", "https://registry.example/former/lists/0", []),
    ],
)
def test_an_entry_of_another_type_in_the_issuers_own_list(
    world: World, type_: Any, address: str, expected: list[str]
) -> None:
    own = world.documents[0][1]
    entry = {**own["credentialStatus"], "statusListIndex": "2", "statusListCredential": address, "type": type_}
    changed = {**own, "credentialStatus": [own["credentialStatus"], entry]}
    assert audited(world, world.bundle(0, 1), changed, lists=OWN_LISTS) == expected


@pytest.mark.parametrize("change", [
    {}, {"statusListIndex": "13"}, {"statusListIndex": 14}, {"type": "StatusList2021Entry"}, {"type": None},
    {"type": ["BitstringStatusListEntry"]}, {"statusPurpose": "suspension"}, {"statusPurpose": ["revocation"]},
    {"statusPurpose": "message"}, {"statusListCredential": None}, {"statusListCredential": ["x"]},
    {"statusListCredential": "https://registry.example/issuers/uni/status/revocation/1"},
    {"statusListCredential": "https://registry.example/issuers/uni/status/suspension/0"},
])  # fmt: skip
@pytest.mark.parametrize("lists", [Lists(), OWN_LISTS])
def test_a_status_is_judged_the_same_behind_a_right_one(world: World, change: dict[str, Any], lists: Lists) -> None:
    entry = {**credential(14)["credentialStatus"], **change}
    world.anchor([credential(14, credentialStatus=entry)])
    after, fresh = CredentialAudit(world.view, lists=lists), CredentialAudit(world.view, lists=lists)
    assert after.add(world.bundle(0, 0), "right") == []
    assert after.add(world.bundle(3, 0), "a") == fresh.add(world.bundle(3, 0), "a")


def test_a_list_that_was_right_for_lower_indexes(world: World) -> None:
    entry = {**credential(2)["credentialStatus"]}
    world.next_index = 131_072 + 2
    world.anchor([credential(2, id="urn:example:far", credentialStatus=entry)])
    assert codes(world.audit_bundles(world.bundle(0, 0), world.bundle(3, 0))) == ["status_index_differs"]


def test_whose_credential_it_is_is_asked_of_each(world: World) -> None:
    world.anchor(
        [credential(14, issuer=DID), credential(15, issuer="did:web:other.example"), credential(16, issuer={})]
    )
    audit = CredentialAudit(world.view, speakers=Speakers({ISSUER: {DID: ""}}))
    found = [codes(audit.add(world.bundle(3, at), "a")) for at in range(3)]
    assert found == [[], ["credential_issuer_differs"], ["credential_issuer_differs"]]


def test_a_wrong_entry_behind_many_right_ones(world: World) -> None:
    own = world.documents[0][1]
    wrong = {**own["credentialStatus"], "statusListIndex": "2"}
    changed = {**own, "credentialStatus": [own["credentialStatus"]] * 50 + [wrong]}
    assert audited(world, world.bundle(0, 1), changed, lists=OWN_LISTS) == ["status_index_differs"]


def test_a_claim_that_may_be_among_what_is_gone_alleges_nothing(world: World) -> None:
    dids = {ISSUER: {"did:web:other.example": ""}}
    audit = CredentialAudit(world.view, speakers=Speakers(dids, frozenset({ISSUER})))
    examined = audit.examine(world.bundle(0, 1), "own.json")
    assert (examined.findings, "could not be told" in str(examined.doubt)) == ((), True)


def test_a_credential_of_nobody(world: World) -> None:
    clear = {name: value for name, value in world.documents[0][1].items() if name != "issuer"}
    assert audited(world, world.bundle(0, 1), clear, speakers=Speakers({ISSUER: {DID: ""}})) == [
        "credential_issuer_differs"
    ]


def test_what_is_in_an_envelope_counts(world: World) -> None:
    """The status entry, the issuer and the id of what is inside, where that is handed over."""
    entry = {**world.documents[0][1]["credentialStatus"], "statusListIndex": "2"}
    assert audited(world, world.bundle(0, 1), {**world.documents[0][1], "credentialStatus": entry}) == [
        "status_index_differs"
    ]


def test_a_status_entry_in_the_list_of_another_issuer(world: World) -> None:
    bases = {ISSUER: "https://registry.example/issuers/uni/status", OTHER: "https://registry.example/issuers/o/status"}
    owners = {base: frozenset({address}) for address, base in bases.items()}
    lists = Lists(bases, frozenset({"registry.example"}), owners)
    own = world.documents[0][1]
    assert audited(world, world.bundle(0, 1), lists=lists) == []
    entry = own["credentialStatus"]
    entry = {**entry, "statusListCredential": entry["statusListCredential"].replace("/uni/", "/o/")}
    assert audited(world, world.bundle(0, 1), {**own, "credentialStatus": entry}, lists=lists) == [
        "status_index_differs"
    ]
    shared = replace(lists, owners={base: frozenset({ISSUER, OTHER}) for base in owners})  # one DID, two addresses
    assert audited(world, world.bundle(0, 1), {**own, "credentialStatus": entry}, lists=shared) == []


def test_another_root_in_the_database(world: World) -> None:
    stored = world.stored()
    stored[1] = replace(stored[1], key=replace(stored[1].key, root=b"\x05" * 32))
    assert codes(list(audit_stored_batches(world.view, stored, [ISSUER]))) == ["batch_other_root"]


def test_another_size_in_the_database(world: World) -> None:
    stored = world.stored()
    stored[1] = replace(stored[1], size=7)
    assert codes(list(audit_stored_batches(world.view, stored, [ISSUER]))) == ["batch_other_root"]


def test_a_batch_at_another_place_in_the_database(world: World) -> None:
    stored = world.stored()
    [moved] = [replace(stored[1], key=replace(stored[1].key, first=77))]
    found = list(audit_stored_batches(world.view, [stored[0], moved, stored[2]], [ISSUER]))
    assert [(item.code, item.where.first) for item in found] == [("batch_other_root", 77)]
    assert anchored_as(world.view, [stored[0], moved, stored[2]]) == {moved.key: stored[1].key}
    copied = list(audit_stored_batches(world.view, [*stored, moved], [ISSUER]))
    assert codes(copied) == ["anchor_lost"]  # the right one is there as well


def test_a_batch_of_another_issuer_in_the_database(world: World) -> None:
    stored = world.stored()
    moved = replace(stored[1], key=replace(stored[1].key, issuer=OTHER))
    found = list(audit_stored_batches(world.view, [stored[0], moved, stored[2]], [ISSUER, OTHER]))
    assert codes(found) == ["batch_other_root"]
    assert list(audit_stored_batches(world.view, [moved], [OTHER])) == []  # the row of the issuer itself is wrong
    unsent = replace(moved, anchored=False)
    assert codes(list(audit_stored_batches(world.view, [stored[0], unsent, stored[2]], [ISSUER]))) == ["foreign_batch"]


def test_an_anchor_that_is_gone(world: World) -> None:
    lost = StoredBatch(BatchKey(ISSUER, 14, b"\x05" * 32), 1, True, None, None, None)
    waiting = StoredBatch(BatchKey(ISSUER, 15, b"\x05" * 32), 1, False, None, None, None)
    assert codes(list(audit_stored_batches(world.view, [*world.stored(), lost, waiting], [ISSUER]))) == ["anchor_lost"]


@pytest.mark.parametrize(
    "change",
    [
        {"transaction": b"\x05" * 32},
        {"block_hash": b"\x05" * 32},
        {"block_number": 77},
        {"anchored_at": 5},
        {"transaction": None},
        {"block_hash": None},
        {"block_number": None},
        {"anchored_at": None},
    ],
)
def test_another_location(world: World, change: dict[str, Any]) -> None:
    stored = world.stored()
    stored[1] = replace(stored[1], **change)
    assert codes(list(audit_stored_batches(world.view, stored, [ISSUER]))) == ["anchor_location_differs"]


def test_a_batch_of_the_chain_with_a_transaction_that_did_something_else(world: World) -> None:
    stored = world.stored()
    other = stored[0].transaction
    lookups = Lookups(lambda _: None, lambda _: True)
    stored[1] = replace(stored[1], transaction=b"\x05" * 32)
    assert codes(list(audit_stored_batches(world.view, stored, [ISSUER], lookups))) == ["anchor_transaction_elsewhere"]
    stored[1] = replace(stored[1], transaction=other)  # that one was to this contract
    assert codes(list(audit_stored_batches(world.view, stored, [ISSUER], lookups))) == ["anchor_location_differs"]


def test_what_a_batch_that_is_not_final_need_not_say(world: World) -> None:
    stored = [replace(item, final=False, transaction=None, block_hash=None) for item in world.stored()]
    assert list(audit_stored_batches(world.view, stored, [ISSUER])) == []


def test_a_batch_that_is_made_to_wait(world: World) -> None:
    nowhere = dict.fromkeys(("transaction", "block_number", "block_hash", "anchored_at"))
    waiting = [replace(item, anchored=False, final=False, **nowhere) for item in world.stored()]
    record = world.records[world.keys[1]]
    assert record is not None
    for settled, expected in ((0, []), (record.anchored_at, []), (record.anchored_at + 1, ["anchor_location_differs"])):
        found = audit_stored_batches(world.view, waiting[1:2], [], settled=settled)
        assert codes(list(found)) == expected
    for change in ({"block_number": 5}, {"anchored_at": 5}, {"transaction": b"\5" * 32}, {"block_hash": b"\5" * 32}):
        found = audit_stored_batches(world.view, [replace(waiting[1], **change)], [])
        assert codes(list(found)) == ["anchor_location_differs"]


def test_what_rows_say_of_their_issuer_counts_where_they_are_the_anchored_ones(world: World) -> None:
    rows = [replace(row, says=("https://registry.example/status", True)) for row in world.rows(0)]
    rows[3] = replace(rows[3], says=("https://registry.example/former", False))
    rows[4] = replace(rows[4], says=("https://registry.example/changed", True), salt=b"\0" * 32)
    said: dict[tuple[str, bool], int] = {}
    assert codes(list(audit_rows(world.keys[0], 5, world.leaves[0], rows, said))) == ["row_changed"]
    assert said == {("https://registry.example/status", True): 0, ("https://registry.example/former", False): 3}


def test_rows_that_wait_for_their_batch(world: World) -> None:
    rows = [replace(row, leaf=world.leaves[0][32 * at : 32 * at + 32]) for at, row in enumerate(world.rows(0))]
    rows[1] = replace(rows[1], erased=True, content=None, salt=None)

    def found(waiting: list[StoredCredential], next_index: int = 5) -> list[tuple[str, int | None]]:
        return [(item.code, item.where.index) for item in audit_open_rows(ISSUER, next_index, waiting)]

    assert found(rows) == found(rows[2:]) == found(rows[::-1]) == found([], 9) == []
    assert found([*rows[:2], *rows[3:]]) == [("row_missing", 2)]
    assert found(rows[:4]) == [("row_missing", 4)]
    assert found([*rows[:4], replace(rows[4], index=99)]) == [("row_missing", 4)]
    on_chain = Lookups(lambda _: None, lambda _: False, next_index=lambda _: 2)
    for waiting, end, expected in (
        (rows[2:], 0, []),  # somebody else has the first two
        (rows[3:], 0, [("row_missing", 2)]),
        (rows[3:], 3, []),
        (rows[3:], None, []),
        (rows, 0, []),
        ([], 0, [("row_missing", 2)]),
        ([], 5, []),
        ([], None, []),
    ):
        given = audit_open_rows(ISSUER, 5, waiting, end, on_chain)
        assert [(item.code, item.where.index) for item in given] == expected, (len(waiting), end)
    assert found(rows, 3) == found(rows, 0) == [("issuer_changed", None)]
    for change, code in (
        ({"content": b"{}"}, "row_changed"),
        ({"salt": b"\0" * 32}, "row_changed"),
        ({"leaf": b"\0" * 32}, "row_changed"),
        ({"leaf": b"\0"}, "row_changed"),
        ({"leaf": None}, "row_changed"),
        ({"mixed_up": ("one", "another")}, "row_changed"),
        ({"content": None, "salt": None}, "erased_without_tombstone"),
        ({"erased": True}, "erasure_incomplete"),
    ):
        assert found([replace(rows[0], **change), *rows[1:]]) == [(code, 0)], change


@pytest.mark.parametrize(("hash_", "expected"), [(b"\x05" * 32, []), (None, ["anchor_lost"])])
def test_only_a_block_that_is_there_can_be_newer_than_the_audit(
    world: World, hash_: bytes | None, expected: list[str]
) -> None:
    ahead = StoredBatch(BatchKey(ISSUER, 14, b"\x05" * 32), 1, True, None, BLOCK.number + 1, None)
    lookups = Lookups(lambda _: hash_, lambda _: False)
    assert codes(list(audit_stored_batches(world.view, [*world.stored(), ahead], [ISSUER], lookups))) == expected


def test_a_foreign_batch(world: World) -> None:
    assert codes(list(audit_stored_batches(world.view, world.stored()[:2], [ISSUER]))) == ["foreign_batch"]
    assert list(audit_stored_batches(world.view, [], [OTHER])) == []


@pytest.mark.parametrize("leaves", [None, b"", b"\0" * 160])
def test_stored_leaves_that_were_changed(world: World, leaves: bytes | None) -> None:
    found = list(audit_rows(world.keys[0], 5, leaves, world.rows(0)[:4]))
    assert codes(found) == ["stored_leaves_differ", "row_missing"]  # and no row is blamed for them


@pytest.mark.parametrize("change", [{"content": b"{}"}, {"salt": b"\0" * 32}, {"salt": b"\0"}])
def test_a_row_that_was_changed(world: World, change: dict[str, Any]) -> None:
    rows = world.rows(0)
    rows[3] = replace(rows[3], **change)
    [finding] = world.audit_rows(rows)
    assert (finding.code, finding.where.index) == ("row_changed", 3)


def test_rows_that_changed_places(world: World) -> None:
    rows = world.rows(0)
    rows[0], rows[1] = replace(rows[0], index=1), replace(rows[1], index=0)
    assert codes(world.audit_rows(rows)) == ["row_index_changed"] * 2


def test_two_rows_at_one_place(world: World) -> None:
    rows = world.rows(0)
    [finding] = world.audit_rows([*rows, replace(rows[3], name="another")])
    assert (finding.code, finding.where.index) == ("row_index_changed", 3)


@pytest.mark.parametrize("erased", [False, True])
def test_the_leaf_in_a_row(world: World, erased: bool) -> None:
    rows = [replace(row, leaf=world.leaves[0][32 * at : 32 * at + 32]) for at, row in enumerate(world.rows(0))]
    if erased:
        rows = [replace(row, erased=True, content=None, salt=None) for row in rows]
    assert world.audit_rows(rows) == []
    [finding] = world.audit_rows([replace(rows[0], leaf=b"\x05" * 32), *rows[1:]])
    assert (finding.code, finding.where.index) == ("row_changed", 0)


def test_a_tombstone_at_another_place(world: World) -> None:
    rows = [StoredCredential(f"{at}", at, True, None, None, world.leaves[0][32 * at : 32 * at + 32]) for at in range(5)]
    rows[0], rows[1] = replace(rows[0], index=1), replace(rows[1], index=0)
    assert codes(world.audit_rows(rows)) == ["row_index_changed"] * 2


def test_a_row_that_contradicts_its_batch(world: World) -> None:
    rows = world.rows(0)
    [finding] = world.audit_rows([replace(rows[0], mixed_up=("issuer 1", "issuer 2")), *rows[1:]])
    assert (finding.code, finding.expected, finding.observed) == ("row_changed", "issuer 1", "issuer 2")


def test_a_row_outside_its_batch(world: World) -> None:
    rows = world.rows(0)
    rows[4] = replace(rows[4], index=99)
    assert codes(world.audit_rows(rows)) == ["row_index_changed", "row_missing"]
    rows[4] = replace(rows[4], content=b"{}")
    assert codes(world.audit_rows(rows)) == ["row_index_changed", "row_missing"]


def test_a_leaf_is_found_at_whole_positions_only(world: World) -> None:
    """The bytes of a leaf across the border of two others are no leaf."""
    wanted = leaf_of(world.documents[0][0], 0)
    packed = b"\x01" * 16 + wanted + b"\x01" * 16
    key = BatchKey(ISSUER, 0, packed_root(packed))
    rows = [world.rows(0)[0], StoredCredential("erased", 1, True, None, None)]
    assert codes(list(audit_rows(key, 2, packed, rows))) == ["row_changed"]


def test_a_row_that_was_deleted(world: World) -> None:
    [finding] = world.audit_rows(world.rows(0)[1:])
    assert (finding.code, finding.where.index) == ("row_missing", 0)


def test_erased_with_and_without_tombstone(world: World) -> None:
    rows = world.rows(0)
    rows[1] = replace(rows[1], erased=True, content=None, salt=None)
    assert world.audit_rows(rows) == []
    rows[2] = replace(rows[2], salt=None)
    rows[3] = replace(rows[3], erased=True, content=None)
    assert codes(world.audit_rows(rows)) == ["erased_without_tombstone", "erasure_incomplete"]


def test_a_status_that_the_chain_has_not(world: World) -> None:
    stored = [StoredStatus(ISSUER, 1, True, None), StoredStatus(ISSUER, 2, False, True)]
    assert codes(list(audit_statuses(world.view, stored, [ISSUER]))) == ["status_not_on_chain"] * 2


def test_a_status_that_came_behind_the_audited_block(world: World) -> None:
    stored = [StoredStatus(ISSUER, 1, True, None)]
    asked: list[tuple[bytes, int]] = []

    def status(issuer: bytes, index: int) -> tuple[bool, bool]:
        asked.append((issuer, index))
        return True, False

    lookups = Lookups(lambda _: None, lambda _: False, status)
    assert list(audit_statuses(world.view, stored, [ISSUER], None, lookups)) == []
    assert asked == [(ISSUER, 1)]
    assert codes(
        list(audit_statuses(world.view, stored, [ISSUER], None, Lookups(lambda _: None, lambda _: False)))
    ) == ["status_not_on_chain"]


@pytest.mark.parametrize(("since", "expected"), [(86_401, ["status_delayed"]), (86_400, [])])
def test_a_status_that_was_asked_for_and_not_sent(world: World, since: int, expected: list[str]) -> None:
    stored = [StoredStatus(ISSUER, 1, None, None, None, ("revoke", BLOCK.timestamp - since))]
    assert codes(list(audit_statuses(world.view, stored, [ISSUER]))) == expected


def test_the_row_of_an_issuer(world: World) -> None:
    claim = Claim(ISSUER, DID, b"\x05" * 32, 1)
    view = replace(world.view, claims=(claim,))
    good = StoredIssuer(ISSUER, DID, 14, 14)
    assert list(audit_stored_issuers(view, [good])) == []
    for bad in (
        replace(good, did="did:web:other.example"),
        replace(good, next_index=13),
        replace(good, anchors=OTHER),
        replace(good, mixed_up=(("hosted", "self"),)),
    ):
        assert codes(list(audit_stored_issuers(view, [bad]))) == ["issuer_changed"]
    other = replace(good, did="did:web:other.example")
    assert list(audit_stored_issuers(world.view, [other])) == []  # nothing was claimed yet
    assert list(audit_stored_issuers(replace(view, history=()), [other])) == []  # the claim may be among what is gone


def test_the_copy_of_the_status_words(world: World) -> None:
    first, second = (2, StatusWords(1, 0)), (5, StatusWords(0b11, 0))
    view = replace(world.view, changes={(ISSUER, 0): [first, second], (OTHER, 0): [first]})
    assert list(audit_stored_words(view, {(ISSUER, 0): [first]}, 4, [ISSUER])) == []
    assert list(audit_stored_words(view, {(ISSUER, 0): [first, second]}, 5, [ISSUER])) == []
    assert list(audit_stored_words(replace(view, history=()), {}, 5, [ISSUER])) == []  # events are gone
    for wrong, index in (
        ([], 0),
        ([first], 1),
        ([first, (5, StatusWords(0b11, 2))], 0),
        ([first, (5, StatusWords(0b111, 0))], 2),
        ([(3, StatusWords(1, 0)), second], 0),  # the same in the end, and for lists of the past not
        ([second], 0),
    ):
        [finding] = audit_stored_words(view, {(ISSUER, 0): wrong}, 5, [ISSUER])
        assert (finding.code, finding.where.index) == ("chain_copy_differs", index), wrong


def test_the_copy_of_the_claims(world: World) -> None:
    early, late = Claim(ISSUER, DID, b"\x05" * 32, 100), Claim(ISSUER, DID, b"\x06" * 32, 200)
    stranger = Claim(OTHER, DID, b"\x07" * 32, 100)
    view = replace(world.view, claims=(early, late, stranger))

    def found(stored: list[Claim], read_until: int, at: int = 0) -> list[str]:
        lookups = Lookups(lambda _: None, lambda _: False, claimed_at=lambda _: at)
        return codes(list(audit_stored_claims(view, stored, read_until, [ISSUER], lookups)))

    assert found([early, late], 300) == []
    assert found([early], 200) == []  # the follower may not have read the last one yet
    assert found([early], 201) == ["chain_copy_differs"]
    assert found([], 300) == ["chain_copy_differs"]
    made_up = replace(early, document_hash=b"\x08" * 32)
    assert found([early, late, made_up], 300) == ["chain_copy_differs"]
    assert found([early, late, made_up], 300, at=100) == []  # the state has it: the node gave up its event
    assert found([early, late, replace(stranger, did="did:web:no.matter.of.ours")], 300) == []


def test_the_copy_of_the_batches(world: World) -> None:
    view = replace(world.view, voided_in={world.keys[1]: 5})
    last = world.history[2].block_number
    right = {batch: 5 if batch.key == world.keys[1] else None for batch in world.history}
    assert list(audit_stored_anchors(view, right, 9, [ISSUER])) == []
    assert list(audit_stored_anchors(view, {}, 9, [OTHER])) == []
    assert list(audit_stored_anchors(view, {**dict.fromkeys(world.history[:2])}, last - 1, [ISSUER])) == []
    assert list(audit_stored_anchors(replace(view, history=()), right, 9, [ISSUER])) == []  # events are gone
    other = replace(world.history[0], size=4)
    for wrong, first in (
        ({}, 0),
        ({**right, world.history[1]: None}, 5),
        ({**right, other: None}, 0),
        (dict(list(right.items())[:2]), 13),
    ):
        [finding] = audit_stored_anchors(view, wrong, 9, [ISSUER, OTHER])
        assert (finding.code, finding.where.first) == ("chain_copy_differs", first)


def test_a_status_that_the_database_has_not(world: World) -> None:
    world.words = {(ISSUER, 0): StatusWords(0b11, 0), (OTHER, 0): StatusWords(1, 0)}
    stored = [StoredStatus(ISSUER, 0, False, None)]
    found = list(audit_statuses(world.view, stored, [ISSUER]))
    assert codes(found) == ["status_not_recorded"] * 2
    assert [finding.where.index for finding in found] == [0, 1]


@pytest.mark.parametrize(("unasked", "expected"), [(0b10, ["status_not_recorded"]), (0b100, []), (0, [])])
def test_a_suspension_that_ended_and_that_nobody_asked_for(world: World, unasked: int, expected: list[str]) -> None:
    changes = {(ISSUER, 0): [(2, StatusWords(0, 0b10)), (5, StatusWords(0, 0))]}
    own = OwnWords({}, {(ISSUER, 0): StatusWords(0, unasked), (OTHER, 0): StatusWords(0, 0b10)})
    found = list(audit_statuses(replace(world.view, changes=changes), [], [ISSUER], own))
    assert codes(found) == expected
    assert all("was set" in finding.observed for finding in found)


# --- reports --------------------------------------------------------------------------------------------------------


def test_the_worst_comes_first_and_nothing_twice() -> None:
    late = find("anchored_late", "a", "b", Where(ISSUER, index=1))
    gone = find("leaves_missing", "a", "b", Where(ISSUER, first=9))
    sooner = find("leaves_missing", "a", "b", Where(ISSUER, first=2))
    assert in_order([late, gone, sooner, gone]) == [sooner, gone, late]


def test_a_finding_as_json(world: World) -> None:
    where = Where.batch(world.keys[0], index=3, transaction=b"\x01" * 32, block_number=7, source="a folder")
    assert finding_to_json(find("leaf_repeated", "every leaf once", "twice", where)) == {
        "code": "leaf_repeated",
        "severity": "CRITICAL",
        "level": "published",
        "expected": "every leaf once",
        "observed": "twice",
        "where": {
            "issuer": "0x" + "01" * 20,
            "root": world.keys[0].root.hex(),
            "first": 0,
            "index": 3,
            "transaction": "0x" + "01" * 32,
            "blockNumber": 7,
            "source": "a folder",
        },
        "meaning": KINDS["leaf_repeated"].meaning,
    }
    assert finding_to_json(find("leaf_repeated", "", "", Where()))["where"] == {}


def test_findings_about_a_batch_name_what_anchored_it(world: World) -> None:
    key, told = world.keys[1], world.history[1]
    other = Where.batch(key, transaction=b"\x77" * 32, source="a table")
    found = [
        find("leaf_repeated", "", "", Where.batch(key, index=4, source="a folder")),
        find("anchor_orphaned", "", "", other),
        find("leaf_repeated", "", "", Where(ISSUER, source="no batch")),
        find("not_on_chain", "", "", Where.batch(BatchKey(ISSUER, 1_000, key.root))),
    ]
    better = list(located(found, world.view))
    place = (better[0].where.transaction, better[0].where.block_number, better[0].where.index, better[0].where.source)
    assert place == (told.transaction, told.block_number, 4, "a folder")
    assert better[1:] == found[1:]


def test_a_finding_keeps_its_name_when_its_batch_is_anchored_again(world: World) -> None:
    def named(**where: Any) -> str:
        return fingerprint(find("leaf_repeated", "", "", Where.batch(world.keys[0], **where)))

    assert named(index=3) == named(index=3, transaction=b"\x01" * 32, block_number=7)
    assert named(index=3) != named(index=4)
    ways = [fingerprint(find("promise_late", "", "", Where(transaction=bytes([n]) * 32))) for n in (1, 2)]
    assert ways[0] != ways[1]


def test_the_documentation_lists_every_code_as_it_is() -> None:
    text = (Path(__file__).parents[2] / "docs" / "auditing.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `") and not line.startswith("| `-")]
    assert rows == [
        f"| `{code}` | {kind.level.value} | {kind.severity.value} | {kind.meaning} |" for code, kind in KINDS.items()
    ]


def test_stored_batches_are_held_against_the_chain_in_one_walk() -> None:
    """20,000 of them, in CPU time: a walk over all for each of them takes 15 seconds."""
    history, records, stored = [], {}, []
    for number in range(20_000):
        key, transaction = BatchKey(ISSUER, number, number.to_bytes(32)), number.to_bytes(32)
        history.append(AnchoredBatch(key, 1, number, transaction, transaction))
        records[key] = BatchRecord(1, number, 0, number)
        stored.append(StoredBatch(key, 1, True, transaction, number, transaction, number, True))
    view = ChainView(31337, CONTRACT, CODE, BLOCK, tuple(history), records, {ISSUER: 20_000})
    started = time.process_time()
    assert list(audit_stored_batches(view, stored, [ISSUER])) == []
    assert time.process_time() - started < 4
