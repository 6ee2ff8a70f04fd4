"""What became of status bits since the anchoring, from the chain's events: for verdicts as of another time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from anchors.base import BatchAnchored, Chain, ChainError, ChainEvent, StatusRevoked, SuspensionChanged
from registry.core.model import AnchorEvidence, StatusChange

__all__ = ["with_history"]

_K = TypeVar("_K")


def with_history(chain: Chain, answers: Mapping[_K, AnchorEvidence]) -> dict[_K, AnchorEvidence]:
    """The same answers of one chain, with the changes of their status words; without, where they cannot be had.

    Complete only if the node still has the log of the anchoring itself, which is the first of all. One reading of the
    events for all answers, and one of each block that changed something for their issuers.
    """
    records = [answer.record for answer in answers.values() if answer.record is not None]
    if not records:
        return dict(answers)
    block = next(iter(answers.values())).block
    try:
        events = chain.read_events(min(record.block_number for record in records), block.number)
        times = _times(chain, events, {answer.issuer for answer in answers.values()})
        again = chain.block(block.number)
    except ChainError:
        return dict(answers)  # how it was stays unknown; how it is was read
    if again != block or times is None:
        return dict(answers)
    return {key: replace(answer, history=_history(answer, events, times)) for key, answer in answers.items()}


def _times(chain: Chain, events: Sequence[ChainEvent], issuers: set[bytes]) -> dict[int, int] | None:
    """The time of each block that changed a status; None if one of them is not the node's any more."""
    times: dict[int, int] = {}
    for event in events:
        if isinstance(event, StatusRevoked | SuspensionChanged) and event.issuer in issuers:
            if event.block_number in times:
                continue
            block = chain.block(event.block_number)
            if block is None or block.hash != event.block_hash:
                return None
            times[event.block_number] = block.timestamp
    return times


def _history(
    answer: AnchorEvidence, events: Sequence[ChainEvent], times: Mapping[int, int]
) -> tuple[StatusChange, ...] | None:
    anchoring = (answer.issuer, answer.root, answer.first_index)
    if not any(
        isinstance(event, BatchAnchored) and (event.issuer, event.root, event.first) == anchoring for event in events
    ):
        return None
    changes = []
    for event in events:
        if event.issuer != answer.issuer:
            continue
        if isinstance(event, StatusRevoked):
            for word, mask in zip(event.words, event.masks, strict=True):
                changes.append(StatusChange(times[event.block_number], word, revoked=mask))
        elif isinstance(event, SuspensionChanged):
            for word, set_, clear in zip(event.words, event.set_masks, event.clear_masks, strict=True):
                changes.append(StatusChange(times[event.block_number], word, suspended=set_, reinstated=clear))
    return tuple(change for change in changes if change.word in answer.words)
