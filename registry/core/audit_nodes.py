"""Two nodes' views of the contract against each other, both read at the same block number."""

from collections import defaultdict
from collections.abc import Collection, Iterator

from registry.core.audit import Finding, Where, find
from registry.core.audit_chain import ChainView, pruned_history
from registry.core.model import BlockRef, StatusWords
from registry.core.notation import hex_text

__all__ = ["compare_blocks", "compare_nodes"]

_NONE = StatusWords(0, 0)
_SHOWN = 5  # differences of one issuer that are named


def compare_nodes(view: ChainView, other: ChainView, name: str) -> list[Finding]:
    """What a second node shows otherwise. ``name``: the second node.

    A node may have pruned its history up to some block: what it does not show from before that is no disagreement.
    """
    where = Where(block_number=view.block.number, source=name)
    pairs = (
        ("chain id", view.chain_id, other.chain_id),
        ("code hash", hex_text(view.code_hash), hex_text(other.code_hash)),
    )
    findings = [
        find("nodes_disagree", f"{what} {ours}", f"{what} {theirs}", where)
        for what, ours, theirs in pairs
        if ours != theirs
    ]
    findings += compare_blocks(view.block, other.block, name)
    places: dict[bytes, list[str]] = defaultdict(list)
    for issuer, place in (*_state(view, other), *_history(view, other)):
        places[issuer].append(place)
    for issuer, names in places.items():
        observed = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        findings.append(
            find("nodes_disagree", "the same of every node", f"different: {observed}", Where(issuer, source=name))
        )
    findings += _pruned(view, other, name, places.keys())
    return findings


def compare_blocks(block: BlockRef, other: BlockRef, name: str) -> list[Finding]:
    """The blocks that two nodes have under one number. ``name``: the second node."""
    if block == other:
        return []
    ours, theirs = (f"block {hex_text(item.hash)} of {item.timestamp} (Unix time)" for item in (block, other))
    return [find("nodes_disagree", ours, theirs, Where(block_number=block.number, source=name))]


def _pruned(view: ChainView, other: ChainView, name: str, found: Collection[bytes]) -> Iterator[Finding]:
    """``found``: issuers of whom the nodes show different things, and nothing more needs to be said."""
    if other.since is not None:
        yield pruned_history(other, name)
    for issuer in sorted(other.untold() - view.untold() - set(found)):
        told = sum(batch.size for batch in other.history if batch.key.issuer == issuer)
        expected = f"{other.next_index[issuer]} indexes"
        yield find("history_incomplete", expected, f"{told} in events", Where(issuer, source=name))
    for issuer in sorted(other.next_index.keys() - view.next_index.keys() - set(found)):
        expected = f"{other.next_index[issuer]} indexes, as {name} has them"
        yield find("history_incomplete", expected, "none in events", Where(issuer))


def _state(view: ChainView, other: ChainView) -> Iterator[tuple[bytes, str]]:
    # Which issuers there are is told by events: those of one node alone are a difference of histories.
    both = view.next_index.keys() & other.next_index.keys()
    for issuer in sorted(both):
        if view.next_index[issuer] != other.next_index[issuer]:
            yield issuer, "next index"
    pruned = view.incomplete() | other.incomplete()
    ours, theirs = view.records, other.records
    for key in sorted(ours.keys() | theirs.keys()):
        # A node with all events is asked for what they tell of only, one without for what was published as well.
        asked = (key in ours and key in theirs) or (key.issuer in both and key.issuer not in pruned)
        if asked and ours.get(key) != theirs.get(key):
            yield key.issuer, f"records from index {key.first} on"
    for issuer, number in sorted(view.words.keys() | other.words.keys()):
        place = (issuer, number)
        if issuer in both and view.words.get(place, _NONE) != other.words.get(place, _NONE):
            yield issuer, f"status word {number}"
    claims = view.claimed.keys() & other.claimed.keys()
    for issuer in sorted({claim.issuer for claim in claims if view.claimed[claim] != other.claimed[claim]}):
        yield issuer, "claims of DIDs, by the state"


def _history(view: ChainView, other: ChainView) -> Iterator[tuple[bytes, str]]:
    # From which block on both have events; one that has none at all has pruned them all.
    since = max(view.block.number + 1 if first is None else first for first in (view.first_event, other.first_event))
    ours, theirs = (
        {batch.key: batch for batch in item.history if batch.block_number >= since} for item in (view, other)
    )
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key) != theirs.get(key):
            yield key.issuer, f"events from index {key.first} on"
    pruned = view.incomplete() | other.incomplete()
    whole = {issuer for issuer in view.next_index.keys() & other.next_index.keys() if issuer not in pruned}
    for key in sorted(view.voided_in.keys() | other.voided_in.keys()):
        if key.issuer in whole and view.voided_in.get(key) != other.voided_in.get(key):
            yield key.issuer, f"events that void the batch from index {key.first} on"
    for issuer, number in sorted(view.changes.keys() | other.changes.keys()):
        place = (issuer, number)
        if issuer in whole and list(view.changes.get(place, ())) != list(other.changes.get(place, ())):
            yield issuer, f"events of status word {number}"
    for issuer in sorted({claim.issuer for claim in {*view.claims} ^ {*other.claims}} & whole):
        yield issuer, "claims of DIDs"


def _both(view: ChainView, other: ChainView, issuer: bytes) -> bool:
    return issuer in view.next_index and issuer in other.next_index


def _word(view: ChainView, issuer: bytes, number: int) -> StatusWords:
    return view.words.get((issuer, number), _NONE)
