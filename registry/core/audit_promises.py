"""Auditing promises that people hand in against the leaves that were anchored by their time.

What stays in memory is one entry for each promise; the leaves are looked through once, packed as they are.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.merkle import HASH_BYTES
from registry.core.notation import LAST_SECOND, chain_text, hex_text, short, time_text
from registry.core.promise import Promise

__all__ = ["PromiseAudit"]


@dataclass(frozen=True, slots=True)
class _Given:
    credential: tuple[str, bytes, str]  # the registry's DID, issuer, the registry's id
    leaf: bytes
    before: int
    where: Where


class PromiseAudit:
    """``add`` each promise whose signature was found to be the registry's, then ``finish`` once."""

    def __init__(self, view: ChainView) -> None:
        self._view = view
        self._given: list[_Given] = []
        self.unread = 0  # promises that are due, and of whose issuer not all leaves could be read

    def elsewhere(self, promise: Promise, where: Where) -> Finding | None:
        """Whether it is about another chain or contract than the audited one."""
        view = self._view
        if (promise.chain_id, promise.contract) == (view.chain_id, view.contract):
            return None
        expected = f"{chain_text(view.chain_id)}, {hex_text(view.contract)}"
        observed = f"{chain_text(promise.chain_id)}, {hex_text(promise.contract)}"
        return find("promise_other_registry", expected, observed, where)

    def add(self, promise: Promise, where: Where) -> None:
        # A registry may move to another address, and keeps its DID.
        credential = (promise.key.partition("#")[0], promise.issuer, promise.id)
        self._given.append(_Given(credential, promise.leaf, promise.anchored_before, where))

    def finish(self, leaves: Mapping[BatchKey, bytes]) -> Iterator[Finding]:
        """``leaves``: packed, of each batch whose published leaves are the anchored ones."""
        wanted = {(item.credential[1], item.leaf) for item in self._given}
        issuers = {issuer for issuer, _ in wanted}
        batches = {key: record for key, record in self._view.batches().items() if key.issuer in issuers}
        unread = {key.issuer for key in batches if key not in leaves}
        anchored: dict[tuple[bytes, bytes], int] = {}
        counting: set[tuple[bytes, bytes]] = set()  # in a batch that nobody voided
        heads = {int.from_bytes(leaf[:8], sys.byteorder) for _, leaf in wanted}
        for key, record in batches.items():
            for leaf in _among(leaves.get(key, b""), heads):
                place = (key.issuer, leaf)
                if place in wanted:
                    anchored[place] = min(record.anchored_at, anchored.get(place, record.anchored_at))
                    if not record.revoked_at:
                        counting.add(place)
        replaced: dict[tuple[str, bytes, str], int] = {}
        for item in self._given:
            at = anchored.get((item.credential[1], item.leaf))
            if at is not None:
                replaced[item.credential] = min(at, replaced.get(item.credential, at))
        for item in self._given:
            place = (item.credential[1], item.leaf)
            if place in anchored and place not in counting:
                expected = f"{_name(item)} in a batch that counts"
                yield find("promise_voided", expected, "only in one that was voided", item.where)
            yield from self._judge(item, anchored.get(place), replaced, unread)
        yield from self._shared()

    def _shared(self) -> Iterator[Finding]:
        """A leaf stands for one credential: promised for two, at least one of them was promised nothing."""
        first: dict[bytes, _Given] = {}
        for item in self._given:
            other = first.setdefault(item.leaf, item)
            if other.credential != item.credential:
                expected = (
                    f"the leaf {item.leaf.hex()} for {short(other.credential[2])} of {hex_text(other.credential[1])}"
                )
                observed = f"for {short(item.credential[2])} of {hex_text(item.credential[1])} as well"
                yield find("promise_leaf_shared", expected, observed, item.where)

    def _judge(
        self, item: _Given, at: int | None, replaced: Mapping[tuple[str, bytes, str], int], unread: set[bytes]
    ) -> Iterator[Finding]:
        name = _name(item)
        expected = f"{name} anchored before {time_text(item.before)}"
        if at is None:
            at = replaced.get(item.credential)
            if at is not None:
                yield find("promise_replaced", name, "another leaf, of another promise for the same id", item.where)
        if at is not None:
            if at > item.before:
                yield find("promise_late", expected, f"anchored at {_moment(at)}", item.where)
        elif self._view.block.timestamp > item.before:
            if item.credential[1] in unread:
                self.unread += 1
                return
            observed = f"not anchored at {_moment(self._view.block.timestamp)}"
            yield find("promise_broken", expected, observed, item.where)


def _name(item: _Given) -> str:
    return f"the leaf {item.leaf.hex()} of {short(item.credential[2])}"


def _among(packed: bytes, heads: set[int]) -> Iterator[bytes]:
    """The leaves that begin with one of these numbers of eight bytes."""
    for position, head in enumerate(memoryview(packed).cast("Q")[:: HASH_BYTES // 8]):
        if head in heads:
            yield packed[position * HASH_BYTES : (position + 1) * HASH_BYTES]


def _moment(seconds: int) -> str:
    return time_text(seconds) if seconds <= LAST_SECOND else f"second {seconds}"
