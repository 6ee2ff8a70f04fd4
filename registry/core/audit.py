"""What an audit says: findings with stable codes (docs/auditing.md).

The checks themselves stand beside: ``audit_chain``, ``audit_published``, ``audit_credentials``, ``audit_database``.
A finding states what was expected and what was observed. Whether somebody meant it is not for a program to say.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import msgspec

from registry.core.notation import hex_text

__all__ = [
    "KINDS",
    "BatchKey",
    "Finding",
    "FindingKind",
    "Level",
    "Severity",
    "Where",
    "find",
    "finding_to_json",
    "fingerprint",
    "in_order",
]


class Severity(StrEnum):
    """CRITICAL: two things that must agree do not. WARNING: it needs an explanation. INFO: no fault by itself."""

    CRITICAL = "CRITICAL"
    WARNING = "WARNING"
    INFO = "INFO"


class Level(StrEnum):
    """What has to be handed to the auditor for a finding to be possible."""

    CHAIN = "chain"
    PUBLISHED = "published"
    CREDENTIALS = "credentials"
    PROMISES = "promises"
    DATABASE = "database"


@dataclass(frozen=True, slots=True, order=True)
class BatchKey:
    """How the contract names a batch."""

    issuer: bytes
    first: int
    root: bytes


class Where(msgspec.Struct, frozen=True, gc=False):
    """Where it was seen; what does not apply is None. ``source`` is a folder, file, URL or row, for people."""

    issuer: bytes | None = None
    root: bytes | None = None
    first: int | None = None
    index: int | None = None
    transaction: bytes | None = None
    block_number: int | None = None
    source: str | None = None

    @classmethod
    def batch(cls, key: BatchKey, **more: Any) -> "Where":
        return cls(issuer=key.issuer, root=key.root, first=key.first, **more)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. ``expected`` and ``observed`` are for people; programs use ``code`` and ``where``."""

    code: str
    severity: Severity
    level: Level
    expected: str
    observed: str
    where: Where
    meaning: str


@dataclass(frozen=True, slots=True)
class FindingKind:
    level: Level
    severity: Severity
    meaning: str


def _kinds() -> Mapping[str, FindingKind]:
    critical, warning, info = Severity.CRITICAL, Severity.WARNING, Severity.INFO
    chain, published, credentials, database = Level.CHAIN, Level.PUBLISHED, Level.CREDENTIALS, Level.DATABASE
    promises = Level.PROMISES
    rows = (
        ("code_hash_differs", chain, critical,
         "The contract is not the one it is said to be; nothing that it records can be relied on."),
        ("sequence_gap", chain, warning,
         "Indexes were used on chain for which neither the node's history nor the published material has a batch."),
        ("sequence_overlap", chain, critical,
         "Two batches claim the same indexes, which the contract does not allow: the node or the contract misleads."),
        ("record_missing", chain, critical,
         "The history tells of a batch that the contract's state does not have: the node contradicts itself."),
        ("record_differs", chain, critical,
         "State and history of one node tell different things of the same batch."),
        ("claim_differs", chain, critical,
         "State and history of one node tell different things of the same claim of a DID."),
        ("revocation_undone", chain, critical,
         "A revocation that the history shows is not in the contract's state; revocations can never be taken back."),
        ("status_differs", chain, critical,
         "The contract's status bits are not what its history adds up to."),
        ("history_incomplete", chain, info,
         "The node no longer has all events. The state alone was audited; status history was not."),
        ("nodes_disagree", chain, critical,
         "Two nodes show different things of the same block: at least one of them misleads."),
        ("final_anchor_gone", chain, critical,
         "An anchor that an earlier audit saw final is gone: the chain was rewritten, or the node shows another one."),
        ("leaves_missing", published, critical,
         "A batch is anchored, and its leaves are not published: nobody can see what was issued with it."),
        ("leaves_malformed", published, critical,
         "The published leaves cannot be those of the batch: they have the wrong length."),
        ("root_mismatch", published, critical,
         "The published leaves are not those that were anchored: something was changed, added, left out or moved."),
        ("size_differs", published, critical,
         "The publication names another number of credentials than was anchored."),
        ("first_differs", published, critical,
         "The publication moves a batch to other indexes, and so gives its credentials other people's status."),
        ("not_on_chain", published, critical,
         "A batch is published as anchored that the contract does not know."),
        ("published_overlap", published, critical,
         "Two published batches claim the same indexes of one issuer."),
        ("published_twice", published, warning,
         "The same batch is listed more than once."),
        ("leaf_repeated", published, critical,
         "The same leaf was anchored twice: one credential has two places, of which one may be revoked and one not."),
        ("voided_batch_served", published, critical,
         "The issuer has voided the batch on chain, and the publication does not say so."),
        ("voided_not_on_chain", published, critical,
         "The publication calls a batch voided that nobody has voided on chain: its credentials count."),
        ("other_chain", published, critical,
         "The publication is about another chain or contract than the one that was audited."),
        ("material_malformed", published, critical,
         "The published material cannot be read; what it hides could not be audited."),
        ("voided_batch_unpublished", published, info,
         "The batch is not published, and the issuer has voided it: whatever was issued with it is revoked."),
        ("publication_behind", published, info,
         "The publication lacks what the chain learnt within the time that the auditor grants it."),
        ("issuer_elsewhere", published, info,
         "Others use the contract, too. The publication does not speak of them, and they were audited on chain only."),
        ("issuer_left_out", published, warning,
         "The address claims a DID on the publication's own host, and nothing is published of what it anchored."),
        ("oracle_disagrees", published, critical,
         "merklelib computes another root than this program: one of the two is wrong, and neither can be relied on."),
        ("mirrors_differ", published, warning,
         "Two copies of the publication say different things: one of them is old, or not everybody is shown the same."),
        ("batch_unlisted", published, critical,
         "A batch that an earlier audit saw listed is listed no more, although the chain has it."),
        ("void_taken_back", published, critical,
         "The publication said that the batch is voided, and says so no more; voiding can never be taken back."),
        ("leaves_changed", published, critical,
         "The leaves are other ones than an earlier audit found at the same place; they must never change."),
        ("lists_unpublished", published, info,
         "The publication keeps no status lists of an issuer; those that verifiers see elsewhere were not audited."),
        ("issuer_unpublished", published, warning,
         "Batches of an issuer are published, and neither its DID nor its status lists: they could not be audited."),
        ("status_list_missing", published, critical,
         "A status list is not published: who looks up a credential in it cannot know that it is revoked."),
        ("status_list_differs", published, critical,
         "The status list is not what the chain said at the time that the list names."),
        ("revocation_shown_late", published, warning,
         "The chain has a change of status that the status list does not show, and the list has run out."),
        ("status_list_rolled_back", published, critical,
         "The status list is older than an earlier audit saw it, or a revocation is gone from it."),
        ("status_list_unsigned", published, critical,
         "The status list carries no proof: anybody could have written it."),
        ("status_list_signature", published, critical,
         "The status list's proof is not by a key that the issuer had at that time, or the list was changed."),
        ("did_not_claimed", published, warning,
         "The issuer's address has never claimed the DID on chain: they may belong to different people."),
        ("did_names_other_account", published, critical,
         "The DID document does not name the address that anchors: whoever has the DID does not vouch for it."),
        ("did_document_unclaimed", published, warning,
         "The address claimed the DID with other documents, and never with the one that is published."),
        ("did_document_differs", published, critical,
         "The DID document is another one than the publication names, or than another copy of it shows."),
        ("key_removed", published, critical,
         "A key is gone from the DID document: what it signed can be checked no more, or by another key only."),
        ("key_reopened", published, critical,
         "A key counts at other times than an earlier audit saw: what it signed counts, or does not, by hindsight."),
        ("declaration_changed", published, critical,
         "What was declared of a delay is declared otherwise by hindsight: what was late then would not be."),
        ("context_changed", published, critical,
         "A context has another content than is known under the same address: its terms may mean something else."),
        ("schema_changed", published, critical,
         "A JSON Schema has another content than is known under the same address: it may allow something else."),
        ("template_changed", published, critical,
         "A template has another content than its address says or than before, another name, or is said to be older."),
        ("template_missing", published, critical,
         "A template that credentials were made from is not published, or is listed no more."),
        ("accepted_after_anchor", published, warning,
         "The publication says that the batch's first credential was accepted after the batch was anchored."),
        ("published_location_differs", published, warning,
         "The publication names another time, block or transaction than those of its batch's anchor."),
        ("batch_anchored_late", published, info,
         "Anchored later than the registry declared. That is a broken promise, and no fraud by itself."),
        ("credential_unreadable", credentials, warning,
         "What was handed in is neither a bundle nor a credential that can be read; it was not audited."),
        ("not_a_bundle", credentials, info,
         "The file holds something else than a bundle, and so says nothing of any credential."),
        ("credential_not_anchored", credentials, warning,
         "The credential names a place that no batch of its issuer has: it waits for its anchor, or was never issued."),
        ("bundle_not_on_chain", credentials, critical,
         "The bundle names a batch that the contract does not know."),
        ("anchored_elsewhere", credentials, critical,
         "All anchors of the bundle are on another chain, or in another contract, than the audited one."),
        ("bundle_transaction_elsewhere", credentials, critical,
         "The transaction that the bundle names was carried out, and anchored no such batch in this contract."),
        ("bundle_location_differs", credentials, warning,
         "The bundle names another time, block or transaction than those of its batch's anchor."),
        ("credential_not_in_batch", credentials, critical,
         "The credential is not the one that was anchored at its place: it was changed, or never issued."),
        ("bundle_proof_wrong", credentials, warning,
         "The credential is the anchored one, and its bundle's proof does not show that: verifiers refuse the bundle."),
        ("credential_id_repeated", credentials, critical,
         "One identifier was issued at two places: two credentials pass for the same one."),
        ("status_index_differs", credentials, critical,
         "The credential points to another status bit than its own: revoking it would not show."),
        ("anchored_late", credentials, info,
         "Anchored later than the declared delay after validFrom. Back-dating is common and no fraud by itself."),
        ("proof_after_anchor", credentials, critical,
         "The proof says that it was made after the credential was anchored, which cannot be."),
        ("key_outside_interval", credentials, critical,
         "The proof is by a key that did not count when the credential was anchored."),
        ("signature_invalid", credentials, critical,
         "The credential was anchored with a proof that is not by a key of its issuer, or does not fit it."),
        ("credential_issuer_differs", credentials, critical,
         "The credential names an issuer whose DID document does not name the address that anchored it."),
        ("voided_batch_credential", credentials, info,
         "The credential stands in a batch that the issuer has voided: it is revoked, from its beginning."),
        ("promise_unreadable", promises, warning,
         "What was handed in is no promise; it was not audited."),
        ("promise_other_registry", promises, warning,
         "The promise is about another chain or contract, or another registry's, than what was audited."),
        ("promise_forged", promises, critical,
         "No key that the registry publishes signed this in its time: it was made up, or the key was taken away."),
        ("promise_broken", promises, critical,
         "The registry promised to have this leaf anchored by now, and it stands nowhere in the issuer's batches."),
        ("promise_replaced", promises, warning,
         "Another leaf was anchored than was promised first. Only the registry says that it is the same credential."),
        ("promise_leaf_shared", promises, critical,
         "The registry promised one leaf for two credentials: it can stand for one of them only."),
        ("promise_voided", promises, info,
         "What was promised was anchored in a batch that its issuer has voided: it counts for nothing."),
        ("promise_late", promises, info,
         "Anchored later than was promised. The promise was broken, which alone is no fraud."),
        ("batch_other_root", database, critical,
         "The database has another batch at indexes that were anchored with another root."),
        ("anchor_lost", database, critical,
         "The database holds a batch for anchored that the contract does not have."),
        ("anchor_location_differs", database, warning,
         "The database names another block or transaction than the one that anchored the batch, or none."),
        ("anchor_orphaned", database, critical,
         "The database has the anchor in a block that a reorganisation took away, and nobody repaired it."),
        ("anchor_transaction_elsewhere", database, critical,
         "The transaction that the database names was carried out, and anchored no such batch in this contract."),
        ("foreign_batch", database, critical,
         "A batch was anchored in the issuer's name that this database does not have: somebody else has a key."),
        ("foreign_batch_voided", database, info,
         "A batch that this database does not have was anchored in the issuer's name, and the issuer has voided it."),
        ("stored_leaves_differ", database, critical,
         "The leaves in the database do not hash to the batch's root: they were changed after sealing."),
        ("stored_template_differs", database, critical,
         "A template in the database is not what its digest says: the row was changed after it was used."),
        ("database_unreadable", database, critical,
         "A table holds what it cannot hold, or is damaged: it was changed past the program, and not all was audited."),
        ("issuer_changed", database, critical,
         "The row of an issuer is not what its address claimed and used on chain, or what its credentials say of it."),
        ("row_changed", database, critical,
         "A credential, its salt or what names it in the database is not what was sealed: the row was changed."),
        ("row_index_changed", database, critical,
         "A row stands at another index than its leaf was anchored at."),
        ("row_missing", database, critical,
         "A place that was given out, or the call that anchors a batch, has no row: something was deleted."),
        ("erased_without_tombstone", database, critical,
         "Content or salt is gone, and the row does not say that it was erased."),
        ("erasure_incomplete", database, warning,
         "The row says erased or withdrawn, and content or salt are still there."),
        ("erased_undeclared", database, warning,
         "More credentials of the batch are erased than the publication declares."),
        ("status_not_on_chain", database, critical,
         "The database shows a status as done that the chain does not have."),
        ("status_delayed", database, warning,
         "A change of status was asked for more than a day ago, and has not been sent to the chain."),
        ("status_not_recorded", database, warning,
         "The chain has a status that this database knows nothing of, or has lost its record of."),
        ("status_set_elsewhere", database, info,
         "The issuer changed the status on chain by itself, past this registry, which has read of it there."),
        ("chain_copy_differs", database, critical,
         "The database's copy of the chain's events is not the chain's: lists and bundles made of it are wrong."),
    )  # fmt: skip
    return MappingProxyType({code: FindingKind(level, severity, meaning) for code, level, severity, meaning in rows})


KINDS = _kinds()  # every code there is, in the order of the documentation


def find(code: str, expected: str, observed: str, where: Where) -> Finding:
    """A finding of a known kind."""
    kind = KINDS[code]
    return Finding(code, kind.severity, kind.level, expected, observed, where, kind.meaning)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Worst first, then by issuer and index: the same findings always come in the same order. Repeats are dropped."""
    ranks = list(Severity)
    codes = list(KINDS)

    def key(finding: Finding) -> tuple[Any, ...]:
        where = finding.where
        place = where.index if where.index is not None else where.first if where.first is not None else -1
        return (
            ranks.index(finding.severity), codes.index(finding.code), where.issuer or b"", place, where.root or b"",
            where.source or "", finding.observed, finding.expected,
        )  # fmt: skip

    return sorted(dict.fromkeys(findings), key=key)


def finding_to_json(finding: Finding) -> dict[str, Any]:
    """For machines; what does not apply is left out of ``where``."""
    where = finding.where
    place: dict[str, Any] = {
        "issuer": hex_text(where.issuer) if where.issuer is not None else None,
        "root": where.root.hex() if where.root is not None else None,
        "first": where.first,
        "index": where.index,
        "transaction": hex_text(where.transaction) if where.transaction is not None else None,
        "blockNumber": where.block_number,
        "source": where.source,
    }
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "level": finding.level.value,
        "expected": finding.expected,
        "observed": finding.observed,
        "where": {name: value for name, value in place.items() if value is not None},
        "meaning": finding.meaning,
    }


def fingerprint(finding: Finding) -> str:
    """Names a finding from one audit to the next: its code and place, without what an audit at a later block words
    differently, or a batch that was anchored again after a reorganisation. 64 hex digits.
    """
    where = finding_to_json(finding)["where"]
    where.pop("blockNumber", None)
    if "root" in where:
        where.pop("transaction", None)
    return sha256(json.dumps([finding.code, where], sort_keys=True).encode()).hexdigest()
