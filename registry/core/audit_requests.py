"""Auditing what a registry's tables say of revocations and suspensions: done, asked for, and on chain."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from registry.core.audit import Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.audit_database import Lookups
from registry.core.model import StatusWords
from registry.core.status import ENTRIES_PER_WORD, word_and_mask

__all__ = ["OwnWords", "StoredStatus", "audit_statuses"]

_DELAY = 86_400  # seconds after which a change of status that was asked for should be on chain


@dataclass(frozen=True, slots=True)
class StoredStatus:
    """What the database shows as done of one index; None where something is under way, or nobody ever asked.

    ``by``: the block at which the suspension, or its end, was final. ``waiting``: what was asked for and has not been
    sent (revoke, suspend, reinstate), and since when (Unix time).
    """

    issuer: bytes
    index: int
    revoked: bool | None
    suspended: bool | None
    by: int | None = None
    waiting: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class OwnWords:
    """By (issuer, word number): ``followed`` is what the database read of the chain, ``unasked`` the bits in its own
    calls that no request of its asked for: set or, for suspensions, set or cleared.
    """

    followed: Mapping[tuple[bytes, int], StatusWords] = field(default_factory=dict)
    unasked: Mapping[tuple[bytes, int], StatusWords] = field(default_factory=dict)


def audit_statuses(
    view: ChainView,
    stored: Iterable[StoredStatus],
    issuers: Iterable[bytes],
    own: OwnWords | None = None,
    lookups: Lookups | None = None,
) -> Iterator[Finding]:
    """``stored``: every index for which the database shows something; ``issuers``: for whom it issues.

    ``lookups`` is asked only where chain and database differ: what is done may be newer than the audited block.
    """
    own = own or OwnWords()
    known: set[tuple[bytes, int]] = set()
    for item in stored:
        known.add((item.issuer, item.index))
        on_chain = view.status(item.issuer, item.index)
        where = Where(item.issuer, index=item.index)
        shown = (item.revoked, item.suspended)
        now = on_chain
        if lookups is not None and any(ours not in (None, bit) for ours, bit in zip(shown, on_chain, strict=True)):
            now = lookups.status(item.issuer, item.index)
        for name, ours, theirs, newer in zip(("revoked", "suspended"), shown, on_chain, now, strict=True):
            if ours is None or ours in (theirs, newer):
                continue
            if (ours and name == "revoked") or (name == "suspended" and not _was_suspended(view, item)):
                code = "status_not_on_chain"
            else:
                code = _past_the_registry(view, own, item.issuer, item.index)
            not_ours, not_theirs = "" if ours else "not ", "" if theirs else "not "
            yield find(code, f"{not_theirs}{name}, by the chain", f"{not_ours}{name}, by the database", where)
        if item.waiting is not None and view.block.timestamp - item.waiting[1] > _DELAY:
            action, since = item.waiting
            if {"revoke": now[0], "suspend": now[1], "reinstate": not now[1]}[action]:
                continue  # it is there, by whatever way
            asked = f"{action}, asked for {view.block.timestamp - since} seconds before"
            yield find("status_delayed", "what was asked for, on chain", f"{asked}, and not sent", where)
    ours_only = frozenset(issuers)
    for issuer, number in sorted(view.words.keys() | own.unasked.keys()):
        if issuer not in ours_only:
            continue
        words, unasked = (found.get((issuer, number), StatusWords(0, 0)) for found in (view.words, own.unasked))
        bits = words.revoked | words.suspended
        for _, state in view.changes.get((issuer, number), ()):  # carried out once, and nobody asked for it
            bits |= state.suspended & unasked.suspended
        while bits:
            index = number * ENTRIES_PER_WORD + (bits & -bits).bit_length() - 1
            bits &= bits - 1
            if (issuer, index) not in known:
                where = Where(issuer, index=index)
                code = _past_the_registry(view, own, issuer, index)
                there = "a bit" if (words.revoked | words.suspended) & word_and_mask(index)[1] else "a bit that was set"
                yield find(code, "a request in the database", f"none, and {there} on chain", where)


def _was_suspended(view: ChainView, item: StoredStatus) -> bool:
    """Whether the chain had the suspension as the database shows it, by the block at which that was final."""
    number, mask = word_and_mask(item.index)
    states = [
        state for at, state in view.changes.get((item.issuer, number), ()) if item.by is not None and at <= item.by
    ]
    return any(bool(state.suspended & mask) == item.suspended for state in states)


def _past_the_registry(view: ChainView, own: OwnWords, issuer: bytes, index: int) -> str:
    """What to call a status of which no request is left: set past the registry, which has read of it, or lost."""
    number, mask = word_and_mask(index)
    none = StatusWords(0, 0)
    chain, followed, unasked = (words.get((issuer, number), none) for words in (view.words, own.followed, own.unasked))
    differs = (chain.revoked ^ followed.revoked) | (chain.suspended ^ followed.suspended)
    asked_by_nobody = unasked.revoked | unasked.suspended
    return "status_not_recorded" if (differs | asked_by_nobody) & mask else "status_set_elsewhere"
