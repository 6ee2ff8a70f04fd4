"""Judging the anchors of a bundle: what the chains said, put beside what the policy trusts and the bundle claims.

Nothing is taken from evidence because of its place in a list: it has to answer exactly what the anchor claims.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from registry.core.model import (
    Anchor,
    AnchorEvidence,
    Bundle,
    ChainClass,
    ChainUnavailable,
    Check,
    Evidence,
    Outcome,
    Policy,
    StatusChange,
    TrustedChain,
)
from registry.core.notation import LAST_SECOND, chain_text, hex_text, short, time_text
from registry.core.status import word_and_mask
from registry.core.verdict import Code, fail, passed, skipped, unknown

__all__ = [
    "Judged", "anchor_that_counts", "check_anchor", "check_locator", "check_revocation", "check_suspension", "is_final",
    "judge_anchors",
]  # fmt: skip

_WORTH = (ChainClass.PRODUCTION, ChainClass.TEST, ChainClass.DEV)


@dataclass(frozen=True, slots=True)
class Judged:
    """One anchor, and the check of it alone.

    ``evidence`` is None unless it comes from the contract that the policy names and answers this very anchor: then a
    status bit that it shows set is set, whatever else is wrong.
    """

    anchor: Anchor
    check: Check
    chain: TrustedChain | None = None
    evidence: AnchorEvidence | None = None

    @property
    def passed(self) -> bool:
        return self.check.outcome is Outcome.PASS


def judge_anchors(bundle: Bundle, evidence: Evidence, policy: Policy, now: int, at: int | None = None) -> list[Judged]:
    """One entry for each anchor of the bundle, in its order. ``at``: as of which time, None for now."""
    heard: list[AnchorEvidence | ChainUnavailable | None] = [*evidence.anchors[: len(bundle.anchors)]]
    heard += [None] * (len(bundle.anchors) - len(heard))
    judged = [_judge(bundle, anchor, answer, policy, now) for anchor, answer in zip(bundle.anchors, heard, strict=True)]
    return judged if at is None else [_as_of(each, at) for each in judged]


def _as_of(each: Judged, at: int) -> Judged:
    """What was anchored later was not anchored then."""
    if each.passed and each.anchor.anchored_at > at:
        detail = f"Anchored only at {time_text(each.anchor.anchored_at)}: at {time_text(at)} nothing proved it."
        return replace(each, check=fail("anchor", Code.NOT_ANCHORED_YET, detail))
    return each


def anchor_that_counts(judged: Sequence[Judged]) -> Judged | None:
    """The anchor that the verdict names: of those that pass, on the chain worth most, then the final one."""
    return min((each for each in judged if each.passed), key=_rank, default=None)


def _rank(each: Judged) -> tuple[int, bool]:
    return _WORTH.index(each.chain.chain_class) if each.chain else len(_WORTH), not is_final(each.evidence)


def is_final(answer: AnchorEvidence | None) -> bool:
    """Whether the node's own finalized block covers the record."""
    if answer is None or answer.record is None or answer.finalized is None:
        return False
    return answer.record.block_number <= answer.finalized


def _judge(
    bundle: Bundle, anchor: Anchor, answer: AnchorEvidence | ChainUnavailable | None, policy: Policy, now: int
) -> Judged:
    name = "anchor"
    where = chain_text(anchor.chain_id)
    on_chain = [chain for chain in policy.chains if chain.chain_id == anchor.chain_id]
    if not on_chain:
        return Judged(anchor, fail(name, Code.CHAIN_NOT_TRUSTED, f"The policy does not list the chain {where}."))
    trusted = next((chain for chain in on_chain if chain.contract == anchor.contract), None)
    if trusted is None:
        detail = f"The policy does not list the contract {hex_text(anchor.contract)} on {where}."
        return Judged(anchor, fail(name, Code.CONTRACT_NOT_TRUSTED, detail))
    if isinstance(answer, ChainUnavailable):
        detail = f"{trusted.name} ({where}) could not be asked: {short(answer.reason, 200)}"
        return Judged(anchor, unknown(name, Code.CHAIN_UNREACHABLE, detail), trusted)
    if answer is None or not _answers(answer, anchor, bundle.inclusion.root):
        detail = f"What was read from {where} does not answer what this bundle claims; ask again with this bundle."
        return Judged(anchor, unknown(name, Code.EVIDENCE_MISMATCH, detail), trusted)
    if answer.code_hash != trusted.code_hash:
        detail = f"The contract on {where} has the code {hex_text(answer.code_hash)}, which the policy does not name."
        return Judged(anchor, fail(name, Code.CODE_NOT_TRUSTED, detail), trusted)
    return Judged(anchor, _check_record(bundle, anchor, answer, trusted, policy, now), trusted, answer)


def _answers(answer: AnchorEvidence, anchor: Anchor, root: bytes) -> bool:
    return (answer.chain_id, answer.contract, answer.issuer, answer.root, answer.first_index) == (
        anchor.chain_id, anchor.contract, anchor.issuer, root, anchor.first_index,
    )  # fmt: skip


def _check_record(
    bundle: Bundle, anchor: Anchor, answer: AnchorEvidence, trusted: TrustedChain, policy: Policy, now: int
) -> Check:
    name = "anchor"
    record, block = answer.record, answer.block
    stale = None
    # A dev chain makes blocks only for transactions, and may run ahead of the clock: its age means nothing.
    if trusted.chain_class is not ChainClass.DEV:
        if block.timestamp < now - policy.max_evidence_age_seconds:
            stale = f"is {now - block.timestamp} seconds old; the policy takes {policy.max_evidence_age_seconds}"
        elif block.timestamp > now + policy.clock_skew_seconds:
            stale = f"is {block.timestamp - now} seconds ahead of this clock"
    if stale:
        stale = f"The newest block that {trusted.name} showed {stale}."
    if record is None:
        if stale:
            return unknown(name, Code.EVIDENCE_STALE, stale)
        return fail(name, Code.NOT_ANCHORED, f"The contract on {trusted.name} has no record of this batch.")
    # The record is written once: where it differs, the age of the evidence is no excuse.
    if record.size != bundle.inclusion.tree_size:
        detail = f"The batch has {record.size} leaves on chain, {bundle.inclusion.tree_size} in the bundle."
        return fail(name, Code.SIZE_DIFFERS, detail)
    if record.anchored_at != anchor.anchored_at:
        detail = f"The chain has another time of anchoring than the bundle's {time_text(anchor.anchored_at)}."
        return fail(name, Code.TIME_DIFFERS, detail)
    if record.block_number != anchor.block_number:
        detail = f"The batch was anchored in block {record.block_number}, not in {anchor.block_number}."
        return fail(name, Code.BLOCK_DIFFERS, detail)
    if not (record.anchored_at <= block.timestamp <= LAST_SECOND and record.block_number <= block.number):
        detail = f"{trusted.name} showed a record that is newer than the block it was read at."
        return unknown(name, Code.EVIDENCE_INCONSISTENT, detail)
    if stale:
        return unknown(name, Code.EVIDENCE_STALE, stale)
    return _anchored(trusted, anchor)


def _anchored(trusted: TrustedChain, anchor: Anchor) -> Check:
    where = f"{trusted.name} ({chain_text(trusted.chain_id)})"
    detail = f"Anchored on {where} at {time_text(anchor.anchored_at)}, block {anchor.block_number}."
    if trusted.chain_class is ChainClass.TEST:
        loud = f"{where} is a TEST network: it can end or be rewritten, and its anchors prove little to a stranger."
        return passed("anchor", f"{detail} {loud}", Code.TEST_CHAIN)
    if trusted.chain_class is ChainClass.DEV:
        loud = f"{where} is a DEVELOPMENT chain, NO real one: whoever runs it can write anything into it."
        return passed("anchor", f"{detail} {loud}", Code.DEV_CHAIN)
    return passed("anchor", detail)


def check_anchor(judged: Sequence[Judged]) -> Check:
    """All anchors together: any FAIL fails, one PASS suffices, and chains out of reach do not count beside it."""
    if len({each.anchor.first_index for each in judged}) > 1:
        detail = "The anchors name different places in the issuer's sequence."
        return fail("anchor", Code.ANCHORS_DISAGREE, detail)
    checks = [each.check for each in judged]
    passing = [check for check in checks if check.outcome is Outcome.PASS]
    excused = [check for check in checks if check.code in (Code.CHAIN_UNREACHABLE, Code.EVIDENCE_STALE)]
    other = [check for check in checks if check not in passing and check not in excused]
    if other or not passing:
        return min(other or checks, key=lambda check: check.outcome is not Outcome.FAIL)
    best = min(passing, key=lambda check: check.code != Code.OK)
    return replace(best, detail=" ".join([best.detail, *(f"Not counted: {check.detail}" for check in excused)]))


def check_revocation(judged: Sequence[Judged], leaf_index: int, announced: bool, at: int | None = None) -> Check:
    """Revoked on any chain is revoked, also where the evidence is old: a bit that was set is never cleared.

    ``at``: a bit counts from its block on, and one that is clear now was clear before; a voided batch always was.
    """
    name = "revocation"
    if any(each.evidence.record.revoked_at for each in judged if each.evidence and each.evidence.record):
        return fail(name, Code.BATCH_REVOKED, "The issuer has revoked the whole batch, from its beginning.")
    revoked = [each for each in judged if _bit(each, leaf_index, "revoked")]
    if revoked and at is None:
        return fail(name, Code.REVOKED, "The issuer has revoked this credential.")
    if revoked and at is not None:
        times = [_revoked_at(each, leaf_index) for each in revoked]
        known = [time for time in times if time is not None]
        if any(time <= at for time in known):
            return fail(name, Code.REVOKED, f"The issuer revoked this credential at {time_text(min(known))}.")
        if len(known) < len(times):
            return _no_history(name, "It is revoked now")
        clear = _clear(name, judged, leaf_index)
        if clear.outcome is not Outcome.PASS:
            return clear
        return passed(name, f"Revoked only later, at {time_text(min(known))}.", Code.REVOKED_LATER)
    if announced and not _is_past(judged, at):
        detail = "The issuer has announced the revocation of this credential; the chain does not show it yet."
        return unknown(name, Code.REVOCATION_PENDING, detail)
    return _clear(name, judged, leaf_index)


def check_suspension(judged: Sequence[Judged], leaf_index: int, at: int | None = None) -> Check:
    """Suspended on any chain that was just asked is suspended; old evidence settles nothing, as suspensions end."""
    name = "suspension"
    if at is not None:
        return _suspension_then(judged, leaf_index, at)
    suspended = [each for each in judged if _bit(each, leaf_index, "suspended")]
    if any(each.passed for each in suspended):
        return fail(name, Code.SUSPENDED, "The issuer has suspended this credential.")
    if suspended:
        detail = "The credential was suspended when a chain was last heard; whether it still is, is not known."
        return unknown(name, Code.STATUS_UNKNOWN, detail)
    return _clear(name, judged, leaf_index)


def _suspension_then(judged: Sequence[Judged], leaf_index: int, at: int) -> Check:
    """As of ``at``: only the history tells, also where the bit is clear now, and only if it leads to that bit."""
    name = "suspension"
    clear = _clear(name, judged, leaf_index)
    if clear.outcome is not Outcome.PASS:
        return clear
    then = [_suspended_then(each, leaf_index, at) for each in judged if each.passed]
    if any(then):
        return fail(name, Code.SUSPENDED, "The issuer had suspended this credential at that time.")
    if None in then:
        return _no_history(name, "Suspensions end")
    if any(_bit(each, leaf_index, "suspended") for each in judged if each.passed):
        return passed(name, "Suspended only later.", Code.SUSPENDED_LATER)
    return passed(name, "No suspension on chain at that time.")


def _suspended_then(each: Judged, leaf_index: int, at: int) -> bool | None:
    """The bit after the last change up to ``at``; None if the history does not lead to what the chain holds now."""
    bit, then = False, False
    for change, mask in _changes(each, leaf_index):
        bit = (bit or bool(change.suspended & mask)) and not change.reinstated & mask
        if change.time <= at:
            then = bit
    complete = each.evidence is not None and each.evidence.history is not None
    return then if complete and bit == _bit(each, leaf_index, "suspended") else None


def _revoked_at(each: Judged, leaf_index: int) -> int | None:
    """When the bit was set first; None if no event says so."""
    times = [change.time for change, mask in _changes(each, leaf_index) if change.revoked & mask]
    return times[0] if times else None


def _changes(each: Judged, leaf_index: int) -> list[tuple[StatusChange, int]]:
    number, mask = word_and_mask(each.anchor.first_index + leaf_index)
    history = each.evidence.history if each.evidence else None
    return [(change, mask) for change in history or () if change.word == number]


def _is_past(judged: Sequence[Judged], at: int | None) -> bool:
    """Whether ``at`` is a time that every chain has behind it: what is only announced now was not on chain then."""
    blocks = [each.evidence.block.timestamp for each in judged if each.passed and each.evidence]
    return at is not None and bool(blocks) and at <= min(blocks)


def _no_history(name: str, why: str) -> Check:
    detail = f"{why}; how it was at that time, the chain's history would have to tell, and it could not be read."
    return unknown(name, Code.HISTORY_UNKNOWN, detail)


def _clear(name: str, judged: Sequence[Judged], leaf_index: int) -> Check:
    counted = [each for each in judged if each.passed]
    if not counted or any(_bit(each, leaf_index, "revoked") is None for each in counted):
        return unknown(name, Code.STATUS_UNKNOWN, f"Its {name} bit could not be read from a chain of the policy.")
    return passed(name, f"No {name} on chain.")


def _bit(each: Judged, leaf_index: int, kind: str) -> bool | None:
    """The "revoked" or "suspended" bit; None where the evidence does not hold it."""
    number, mask = word_and_mask(each.anchor.first_index + leaf_index)
    words = each.evidence.words.get(number) if each.evidence else None
    if words is None:
        return None
    return bool((words.revoked if kind == "revoked" else words.suspended) & mask)


def check_locator(judged: Sequence[Judged]) -> Check:
    """Block hash and transaction against what the node's history still holds."""
    name = "locator"
    heard = [(each.anchor, each.evidence.location) for each in judged if each.evidence is not None]
    for anchor, location in heard:
        if location.block_hash not in (None, anchor.block_hash):
            detail = f"Block {anchor.block_number} has another hash than the bundle says."
            return fail(name, Code.BLOCK_HASH_DIFFERS, detail)
        if location.transaction not in (None, anchor.transaction):
            return fail(name, Code.TRANSACTION_DIFFERS, "Another transaction than the bundle's anchored this batch.")
    if not heard:
        return unknown(name, Code.CHAIN_UNREACHABLE, "No chain of the policy could be asked.")
    if any(None in (location.block_hash, location.transaction) for _, location in heard):
        detail = "The node no longer holds the history that would show block hash and transaction."
        return skipped(name, Code.EVIDENCE_PRUNED, detail)
    return passed(name, "Block hash and transaction are the chain's.")
