"""Auditing credentials that come without a bundle.

Without its salt nobody can tell whether a leaf is a credential's (docs/spec/leaf.md). But its status entries name a
place in its issuer's sequence, and what it says of itself can be held against what the chain has at that place.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from registry.core import leaf
from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.audit_credentials import Examined, Lists, late_finding, wrong_status
from registry.core.credential import STATUS_ENTRY_TYPE, entries_of, issuer_did, valid_from
from registry.core.declared import Declared
from registry.core.errors import InputError
from registry.core.model import BatchRecord
from registry.core.notation import short
from registry.core.status import ENTRIES_PER_LIST

__all__ = ["PlainAudit"]

_ENTRIES = 16  # no credential has more status entries than a few


class PlainAudit:
    """``bases``: below which addresses status lists are published, each with the issuer's address and DID.

    ``declared``: within how many seconds of validFrom issuers anchor, as they declared it.
    ``lists``: which status entries speak of the chain's bits.
    """

    def __init__(
        self,
        view: ChainView,
        bases: Mapping[str, tuple[bytes, str]],
        declared: Declared | None = None,
        lists: Lists | None = None,
    ) -> None:
        self._bases = bases
        self._lists = lists or Lists()
        self._declared = declared or Declared()
        self._next = view.next_index
        self._batches: dict[bytes, list[tuple[int, BatchKey, BatchRecord]]] = defaultdict(list)
        for key, record in sorted(view.batches().items()):
            self._batches[key.issuer].append((key.first, key, record))

    def examine(self, credential: Mapping[str, Any], source: str) -> Examined:
        """``credential``: in clear. Raises InputError, which says why its place cannot be told."""
        entry, index, (address, did) = self._place(credential)
        where = Where(address, index=index, source=source)
        said = issuer_did(credential) or ""
        if said != did:
            expected = f"a credential of {short(did, 200)}, whose status list it names"
            wrong = find("credential_issuer_differs", expected, short(said, 200) or "no issuer", where)
            return Examined((wrong,), where=where)
        found = self._batch(address, index)
        if found is None:
            end = self._next.get(address, 0)
            observed = f"{end} credentials, so up to index {end - 1}" if end else "no credential"
            waiting = find("credential_not_anchored", f"a batch with index {index}", observed, where)
            return Examined((waiting,), where=where)
        key, record = found
        where = Where(key.issuer, key.root, key.first, index, source=source)
        findings: list[Finding] = []
        if record.revoked_at:
            findings.append(find("voided_batch_credential", "a batch that counts", "one that was voided", where))
        differs = wrong_status(entries_of(credential), address, index, self._lists)
        if differs is not None:
            expected = f"entries that name one place, as {short(str(entry.get('statusPurpose')), 100)} names {index}"
            findings.append(find("status_index_differs", expected, differs, where))
        start = valid_from(credential)
        delay = None if start is None else record.anchored_at - start
        findings += late_finding(delay, self._declared.at(address, record.anchored_at), record, where)
        name = credential.get("id")
        if not isinstance(name, str) or record.revoked_at:
            return Examined(tuple(findings), where=where, delay=delay)
        identifier = leaf.digest(key.issuer + name.encode("utf-8", "surrogatepass"))
        return Examined(tuple(findings), identifier, short(name), where, None, delay)

    def _place(self, credential: Mapping[str, Any]) -> tuple[Mapping[str, Any], int, tuple[bytes, str]]:
        """The first status entry in a published list, the index that it names, and whose list it is."""
        for entry in entries_of(credential)[:_ENTRIES]:
            if not isinstance(entry, dict) or entry.get("type") != STATUS_ENTRY_TYPE:
                continue
            place, position = entry.get("statusListCredential"), entry.get("statusListIndex")
            if not isinstance(place, str) or not isinstance(position, str):
                continue
            base, _, number = place.rpartition("/")
            issuer = self._bases.get(base.rpartition("/")[0])
            if issuer is None or not (_is_number(number) and _is_number(position)):
                continue
            if int(position) < ENTRIES_PER_LIST:
                return entry, int(number) * ENTRIES_PER_LIST + int(position), issuer
        raise InputError("it comes without its salt, and names no place in a published status list of its issuer")

    def _batch(self, address: bytes, index: int) -> tuple[BatchKey, BatchRecord] | None:
        batches = self._batches.get(address, [])
        at = bisect_right(batches, index, key=lambda item: item[0]) - 1
        if at < 0:
            return None
        first, key, record = batches[at]
        return (key, record) if index < first + record.size else None


def _is_number(text: str) -> bool:
    """A decimal number of at most ten digits, as it is written here: its index stays below 2^53."""
    return text.isascii() and text.isdigit() and len(text) <= 10 and (text == "0" or text[0] != "0")
