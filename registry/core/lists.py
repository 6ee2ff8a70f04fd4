"""Status entries that point to other lists than the chain's: what those lists say counts beside the chain's bits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from registry.core.credential import Credential, entries_of, is_elsewhere, list_of
from registry.core.model import Check, Outcome
from registry.core.notation import short
from registry.core.verdict import Code, unknown

__all__ = ["Lists", "entries_elsewhere", "entry_key", "with_lists"]

Lists = Mapping[tuple[str, str, str], Check]


def entries_elsewhere(credential: Credential, bases: Iterable[str]) -> tuple[dict[str, Any], ...]:
    """The entries whose lists are at other hosts than those below which the issuer publishes the chain's bits."""
    known = tuple(bases)
    return tuple(entry for entry in entries_of(credential) if is_elsewhere(entry, known))


def entry_key(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    """By what findings name an entry: list, index, purpose."""
    index, purpose = entry.get("statusListIndex"), entry.get("statusPurpose")
    place = str(index) if isinstance(index, str | int) else ""
    return list_of(entry), place, purpose if isinstance(purpose, str) else ""


def with_lists(check: Check, entries: Sequence[Mapping[str, Any]], lists: Lists, at: int | None = None) -> Check:
    """The chain's answer together with the lists': any FAIL fails, then anything doubtful is UNKNOWN.

    Lists say how things are now: as of another time a bit that is set may have been clear, and one of suspension the
    other way round, too.
    """
    found = [_answer(check.name, entry, lists, at) for entry in entries]
    if not found:
        return check
    every = [check, *(each for each in found if each is not None)]
    return min(every, key=lambda each: ("FAIL", "UNKNOWN", "PASS", "SKIPPED").index(each.outcome))


def _answer(name: str, entry: Mapping[str, Any], lists: Lists, at: int | None) -> Check | None:
    """What the list says for this check; None where the entry is for the other one."""
    found = lists.get(entry_key(entry))
    if found is None:
        purpose = entry.get("statusPurpose")
        if purpose in ("revocation", "suspension") and purpose != name:
            return None
        return unknown(name, Code.STATUS_UNKNOWN, f"The status list {short(list_of(entry), 200)} was not read.")
    if found.name != name:
        return None
    if at is not None and (found.outcome is Outcome.FAIL or (found.outcome is Outcome.PASS and name == "suspension")):
        detail = f"The status list {short(list_of(entry), 200)} tells how it is now, not how it was at that time."
        return unknown(name, Code.HISTORY_UNKNOWN, detail)
    return found
