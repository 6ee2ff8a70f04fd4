"""Auditing what a registry's tables keep as read from the chain."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from registry.core.audit import Finding, Where, find
from registry.core.audit_chain import AnchoredBatch, ChainView, Claim
from registry.core.audit_database import Lookups
from registry.core.model import StatusWords
from registry.core.status import ENTRIES_PER_WORD

__all__ = ["audit_stored_anchors", "audit_stored_claims", "audit_stored_words"]


def audit_stored_words(
    view: ChainView,
    stored: Mapping[tuple[bytes, int], Sequence[tuple[int, StatusWords]]],
    block: int,
    issuers: Iterable[bytes],
) -> Iterator[Finding]:
    """``stored``: each status word after each block that touched it, as the database has it from the chain's events up
    to ``block``: lists of the past are made of them, too.

    An issuer of whom the node no longer has all events is left out.
    """
    ours_only = set(issuers) - view.untold()
    for issuer, number in sorted(view.changes.keys() | stored.keys()):
        if issuer not in ours_only:
            continue
        told = [state for state in view.changes.get((issuer, number), ()) if state[0] <= block]
        ours = list(stored.get((issuer, number), ()))
        if ours == told:
            continue
        at = min(at for at, _ in set(ours) ^ set(told))
        differing = _bits_at(ours, at) ^ _bits_at(told, at)
        index = number * ENTRIES_PER_WORD + max((differing & -differing).bit_length() - 1, 0)
        observed = f"{differing.bit_count()} others in block {at}, the first at index {index}"
        yield find("chain_copy_differs", "the status bits of the chain's events", observed, Where(issuer, index=index))


def _bits_at(states: Iterable[tuple[int, StatusWords]], block: int) -> int:
    """Revoked or suspended bits after a block."""
    found = 0
    for at, words in states:
        if at <= block:
            found = words.revoked | words.suspended
    return found


def audit_stored_anchors(
    view: ChainView, stored: Mapping[AnchoredBatch, int | None], block: int, issuers: Iterable[bytes]
) -> Iterator[Finding]:
    """``stored``: the batches that the database has from the chain's events up to ``block``, each with the block that
    voided it, or None. One finding for each issuer; one of whom the node no longer has all events is left out.
    """
    voided = {key: at for key, at in view.voided_in.items() if at <= block}
    told = {batch: voided.get(batch.key) for batch in view.history if batch.block_number <= block}
    for issuer in sorted(set(issuers) - view.untold()):
        theirs, ours = ({item for item in found.items() if item[0].key.issuer == issuer} for found in (told, stored))
        keys = sorted(batch.key for batch, _ in theirs ^ ours)
        if keys:
            observed = f"{len(set(keys))} others in block {block}, the first at index {keys[0].first}"
            yield find("chain_copy_differs", "the batches of the chain's events", observed, Where.batch(keys[0]))


def audit_stored_claims(
    view: ChainView, stored: Iterable[Claim], read_until: int, issuers: Iterable[bytes], lookups: Lookups
) -> Iterator[Finding]:
    """``stored``: the claims of DIDs that the database has from the chain's events; ``read_until``: all that were made
    before this time (Unix seconds) should be there. One finding for each issuer. What no event tells of may be pruned:
    then the state is asked.
    """
    ours, told, mine = set(stored), set(view.claims), set(issuers)
    wrong = [claim for claim in told - ours if claim.claimed_at < read_until]
    more = [claim for claim in ours - told if claim.issuer in mine]
    wrong += [claim for claim in more if lookups.claimed_at(claim) != claim.claimed_at]
    for issuer in sorted(mine & {claim.issuer for claim in wrong}):
        observed = f"{sum(claim.issuer == issuer for claim in wrong)} others"
        yield find("chain_copy_differs", "the claims of the chain's events", observed, Where(issuer))
