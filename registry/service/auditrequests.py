"""Requests for changes of status, and the calls that carry them out, read for an audit against the chain's bits."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, select

from anchors.base import Revoke, SetSuspension
from registry.core.audit import Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.audit_database import Lookups
from registry.core.audit_requests import OwnWords, StoredStatus, audit_statuses
from registry.core.model import StatusWords
from registry.core.notation import short
from registry.core.status import word_and_mask
from registry.service import operations
from registry.service.auditcalls import calls_of
from registry.service.auditcopies import words_of
from registry.service.auditrows import Unreadable, as_they_are, fault, is_number, number_of
from registry.service.issuers import SELF
from registry.store.database import AnyRow
from registry.store.tables import credentials, issuers, status_requests

__all__ = ["audit_requests"]

_BITS = {"revoke": (0, True), "suspend": (1, True), "reinstate": (1, False)}
_REQUESTS = ("WAITING", "SENT", "ON_CHAIN", "FINAL", "SUPERSEDED")


def audit_requests(
    connection: Connection, addresses: Mapping[int, bytes], view: ChainView, lookups: Lookups, *, behind: bool
) -> Iterator[Finding]:
    lost: list[Finding] = []
    asked, shown = _requests(connection, addresses, view, lookups, lost, behind=behind)
    own = OwnWords(_newest(words_of(connection, lost)), _unasked(connection, addresses, asked, lost))
    yield from lost
    yield from audit_statuses(view, shown, addresses.values(), own, lookups)
    rows = connection.execute(
        select(
            status_requests.c.id,
            status_requests.c.issuer_id,
            credentials.c.issuer_id,
            *as_they_are(credentials, "credential_index"),
        )
        .join(credentials, credentials.c.id == status_requests.c.credential_id)
        .where(status_requests.c.issuer_id != credentials.c.issuer_id)
    )
    for number, issuer, owner, index in rows:  # the call that it asks for would be about the other issuer's credential
        where = Where(
            addresses.get(owner), index=index if is_number(index) else None, source=f"status request {number}"
        )
        expected, observed = f"a request of issuer {short(str(owner), 50)}", f"one of issuer {short(str(issuer), 50)}"
        yield find("row_changed", expected, observed, where)


def _requests(
    connection: Connection,
    addresses: Mapping[int, bytes],
    view: ChainView,
    lookups: Lookups,
    lost: list[Finding],
    *,
    behind: bool,
) -> tuple[dict[tuple[int, str, int], int], list[StoredStatus]]:
    """The bits that were asked for, by call, action and word; and what the requests that were done at the view's block
    add up to, for each credential. ``lost`` is added to: those that cannot be read. What they may have asked for is not
    alleged to be missing. ``behind``: see ``audit_stored_batches``.
    """
    names = ("id", "action", "state", "final_block", "operation_id", "requested_at")
    # What waits for an issuer's own signature is not the registry's to send.
    signs_itself = set(connection.scalars(select(issuers.c.id).where(issuers.c.mode == SELF)))
    rows = connection.execute(
        select(
            *as_they_are(credentials, "issuer_id", "credential_index", "batch_id"),
            credentials.c.state.label("credential_state"),
            *as_they_are(status_requests, *names),
        )
        .join(credentials, credentials.c.id == status_requests.c.credential_id)
        .order_by(status_requests.c.id)
    )
    asked: dict[tuple[int, str, int], int] = defaultdict(int)
    superseded: dict[tuple[bytes, int, int], list[tuple[int, str]]] = defaultdict(list)
    shown: dict[tuple[bytes, int], list[Any]] = {}
    waiting: dict[tuple[bytes, int], dict[int, tuple[str, int]]] = defaultdict(dict)
    for row in rows:
        name = f"status request {row.id}"
        if row.issuer_id not in addresses:
            continue  # told elsewhere
        index = row.credential_index
        try:
            _check(row, name)
        except Unreadable as error:
            issuer = addresses[row.issuer_id]
            lost.append(fault(error, Where(issuer, index=index if is_number(index) else None)))
            if is_number(index):
                told = shown.setdefault((issuer, index), [None, None, None])
                told[:] = told[0] or None, None, None
            continue
        at = addresses[row.issuer_id], index
        place, value = _BITS[row.action]
        calls = [] if row.operation_id is None else [(row.operation_id, row.action)]
        if row.state == "SUPERSEDED":  # only a later one makes it that: without one, its row was changed
            superseded[*at, place] += calls
            if row.action == "revoke" and row.credential_state == "LIVE" and row.batch_id is not None:
                # Nothing comes after a revocation, and what it was dropped with would be a tombstone.
                waiting[at][place] = (row.action, number_of(row.requested_at, name))
                shown.setdefault(at, [False, None, None])
            continue
        if (row.state != "FINAL" and row.final_block is not None) or (row.state == "WAITING" and calls):
            continue  # no row of the program's: as good as lost
        word, mask = word_and_mask(index)
        for call, action in [*superseded.pop((*at, place), ()), *calls]:
            asked[call, action, word] |= mask
        if row.batch_id is None:
            continue
        waiting[at].pop(place, None)
        under_way = behind and row.state == "ON_CHAIN"
        by = None if under_way else _done_by(row.state, row.final_block, view, lookups)
        told = shown.setdefault(at, [False, None, None])
        if row.state in ("WAITING", "SENT") and row.issuer_id not in signs_itself:
            waiting[at][place] = (row.action, number_of(row.requested_at, name))
        told[place] = None if by is None else value
        if place:
            told[2] = by if calls else None  # what no call belongs to never was on chain
    found = []
    for (issuer, index), (revoked, suspended, by) in sorted(shown.items()):
        first = min(waiting[issuer, index].values(), key=lambda item: item[1], default=None)
        found.append(StoredStatus(issuer, index, revoked, suspended, by, first))
    return asked, found


def _check(row: AnyRow, name: str) -> None:
    """Raises Unreadable."""
    if row.action not in _BITS or row.state not in _REQUESTS:
        raise Unreadable(f"{name}: its action or state is none")
    number_of(row.credential_index, name)
    number_of(row.requested_at, name)
    if row.final_block is not None:
        number_of(row.final_block, name)


def _done_by(state: str, final_block: int | None, view: ChainView, lookups: Lookups) -> int | None:
    """By which block a request is said to be on chain, at the audited one at the latest; None if it is not said.

    What is called final in a block behind the audited one is the next audit's; a block that is not there hides nothing.
    """
    newest = view.block.number
    if state == "ON_CHAIN" or (state == "FINAL" and final_block is None):
        return newest
    if state != "FINAL" or final_block is None:
        return None
    return final_block if final_block <= newest else newest if lookups.block_hash(final_block) is None else None


def _unasked(
    connection: Connection,
    addresses: Mapping[int, bytes],
    asked: Mapping[tuple[int, str, int], int],
    lost: list[Finding],
) -> dict[tuple[bytes, int], StatusWords]:
    """Bits in this registry's own calls whose request is gone."""
    found: dict[tuple[bytes, int], StatusWords] = {}
    calls = operations.table.c
    kinds = calls.kind.in_((operations.REVOKE, operations.SUSPEND))
    for item in calls_of(connection, lost, kinds, calls.state != "CANCELLED"):
        call = item.call
        if item.issuer_id not in addresses:
            continue
        revoked = zip(call.words, call.masks, strict=True) if isinstance(call, Revoke) else ()
        for word, mask in revoked:
            _add(found, (addresses[item.issuer_id], word), mask & ~asked.get((item.id, "revoke", word), 0), 0)
        masks = (
            zip(call.words, call.set_masks, call.clear_masks, strict=True) if isinstance(call, SetSuspension) else ()
        )
        for word, set_, clear in masks:
            unasked = set_ & ~asked.get((item.id, "suspend", word), 0)
            unasked |= clear & ~asked.get((item.id, "reinstate", word), 0)
            _add(found, (addresses[item.issuer_id], word), 0, unasked)
    return found


def _add(found: dict[tuple[bytes, int], StatusWords], word: tuple[bytes, int], revoked: int, suspended: int) -> None:
    before = found.get(word, StatusWords(0, 0))
    found[word] = StatusWords(before.revoked | revoked, before.suspended | suspended)


def _newest(changes: Mapping[tuple[bytes, int], list[tuple[int, StatusWords]]]) -> dict[tuple[bytes, int], StatusWords]:
    return {word: states[-1][1] for word, states in changes.items()}
