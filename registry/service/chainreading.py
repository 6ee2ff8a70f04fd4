"""Reading the contract for an audit: its whole state at one block, and its history, of which nothing is read twice."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TypeVar

from anchors.base import (
    BatchAnchored,
    BatchRevoked,
    Chain,
    ChainEvent,
    ChainUnreachable,
    DidClaimed,
    HistoryPruned,
    StatusRevoked,
    SuspensionChanged,
)
from registry.core.audit import BatchKey
from registry.core.audit_chain import AnchoredBatch, ChainView, Claim
from registry.core.model import BatchRecord, BlockRef, StatusWords
from registry.core.status import ENTRIES_PER_WORD

__all__ = ["History", "Questions", "Remembered", "block_times", "read_chain", "read_history"]

_RANGE = 2_000  # blocks in one question
_WORDS = 500  # status words in one question
_PARTS = 20  # of these at once: half a megabyte of answers
_AT_ONCE = 1_000  # questions that are handed to the node's client at once
_UNTOUCHED = 1 << 20  # words that no event touched, of issuers that nobody named: 268 million credentials
_TIMES = 200  # blocks that are asked for their time, at most
_AGAIN = 16  # records that are known already and read again in each audit

K = TypeVar("K")
V = TypeVar("V")

Word = tuple[bytes, int]


@dataclass
class History:
    """What the contract's events up to ``block`` (included) add up to.

    ``voided``: batches that ``BatchRevoked`` named, and in which block. ``told``: (revoked, suspended) for each word
    that an event touched; ``changes``: the same after each block that touched it. ``first``: the first event's block.
    ``since``: where the node says that it has no events before a block, that block.
    """

    block: BlockRef | None = None
    batches: list[AnchoredBatch] = field(default_factory=list)
    issuers: set[bytes] = field(default_factory=set)
    voided: dict[BatchKey, int] = field(default_factory=dict)
    told: dict[Word, StatusWords] = field(default_factory=dict)
    revocations: dict[int, int] = field(default_factory=dict)
    changes: dict[Word, list[tuple[int, StatusWords]]] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)
    first: int | None = None
    since: int | None = None

    def copy(self) -> "History":
        return History(
            self.block,
            list(self.batches),
            set(self.issuers),
            dict(self.voided),
            dict(self.told),
            dict(self.revocations),
            {word: list(states) for word, states in self.changes.items()},
            list(self.claims),
            self.first,
            self.since,
        )

    def only(self, issuers: Collection[bytes]) -> "History":
        """What it says of these issuers."""
        return History(
            self.block,
            [batch for batch in self.batches if batch.key.issuer in issuers],
            {issuer for issuer in self.issuers if issuer in issuers},
            {key: block for key, block in self.voided.items() if key.issuer in issuers},
            {word: states for word, states in self.told.items() if word[0] in issuers},
            _fresh({word: states for word, states in self.changes.items() if word[0] in issuers}),
            {word: states for word, states in self.changes.items() if word[0] in issuers},
            [claim for claim in self.claims if claim.issuer in issuers],
            self.first,
            self.since,
        )

    def add(self, event: ChainEvent) -> None:
        self.issuers.add(event.issuer)
        self.first = event.block_number if self.first is None else min(self.first, event.block_number)
        match event:
            case BatchAnchored():
                key = BatchKey(event.issuer, event.first, event.root)
                place = (event.block_number, event.block_hash, event.transaction)
                self.batches.append(AnchoredBatch(key, event.size, *place))
            case BatchRevoked():
                self.voided.setdefault(BatchKey(event.issuer, event.first, event.root), event.block_number)
            case StatusRevoked():
                for word, mask in zip(event.words, event.masks, strict=True):
                    old = self._word(event.issuer, word)
                    fresh = (mask & ~old.revoked).bit_count()
                    self._set(event, word, replace(old, revoked=old.revoked | mask))
                    if fresh:
                        self.revocations[event.block_number] = self.revocations.get(event.block_number, 0) + fresh
            case SuspensionChanged():
                for word, set_, clear in zip(event.words, event.set_masks, event.clear_masks, strict=True):
                    old = self._word(event.issuer, word)
                    self._set(event, word, replace(old, suspended=(old.suspended | set_) & ~clear))
            case DidClaimed():
                self.claims.append(Claim(event.issuer, event.did, event.document_hash, event.claimed_at))
            case _:
                pass

    def _set(self, event: StatusRevoked | SuspensionChanged, word: int, state: StatusWords) -> None:
        self.told[event.issuer, word] = state
        states = self.changes.setdefault((event.issuer, word), [])
        if states and states[-1][0] == event.block_number:
            states.pop()
        states.append((event.block_number, state))

    def _word(self, issuer: bytes, word: int) -> StatusWords:
        return self.told.get((issuer, word), StatusWords(0, 0))


def _fresh(changes: Mapping[Word, Sequence[tuple[int, StatusWords]]]) -> dict[int, int]:
    """How many bits were revoked anew in each block."""
    found: dict[int, int] = {}
    for states in changes.values():
        before = 0
        for block, words in states:
            if fresh := (words.revoked & ~before).bit_count():
                found[block] = found.get(block, 0) + fresh
            before = words.revoked
    return found


@dataclass(frozen=True, slots=True)
class Remembered:
    """What an earlier audit read: the history up to a block that does not change any more, and records of it."""

    history: History
    records: Mapping[BatchKey, BatchRecord]


@dataclass(frozen=True, slots=True)
class Questions:
    """What to ask the contract's state for, beside what its events tell of: batches, issuers, and status words.

    ``named``: issuers that the audit is about; of others (anybody may anchor millions of credentials in the contract)
    only those status words are read that an event touched. None: all, as far as that is affordable.
    """

    batches: Collection[BatchKey] = ()
    issuers: Collection[bytes] = ()
    words: Collection[Word] = ()
    named: Collection[bytes] | None = None


def read_history(
    chain: Chain,
    at: BlockRef,
    first_block: int,
    known: History | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> History:
    """``known`` extended to ``at``, or all from ``first_block`` on. ``tell`` is told how far it is. Raises ChainError.

    What is known has to be of the chain's own branch: see ``_is_canonical`` in auditing.
    """
    history = known.copy() if known else History()
    start = history.block.number + 1 if history.block else first_block
    if history.block is None:
        since = _first_kept(chain, start, at.number)
        if since > start:
            start = history.since = since
    for first in range(start, at.number + 1, _RANGE):
        tell(f"Events from block {first:,} of {at.number:,} on")
        for event in chain.read_events(first, min(first + _RANGE - 1, at.number)):
            history.add(event)
    _check_block(chain, at)
    history.block = at
    return history


def _first_kept(chain: Chain, first: int, last: int) -> int:
    """The first block whose events the node still has; the one behind ``last`` if that is none. Raises ChainError."""
    low, high, middle = first, last + 1, first
    while low < high:
        try:
            chain.read_events(middle, middle)
        except HistoryPruned:
            low = middle + 1
        else:
            high = middle
        middle = (low + high) // 2
    return low


def read_chain(
    chain: Chain,
    at: BlockRef,
    history: History,
    questions: Questions = Questions(),
    remembered: Remembered | None = None,
) -> ChainView:
    """All of the contract at one block: what its history tells, and the state of all of that.

    Records that an earlier audit read are taken from ``remembered``, but for those that were voided since, and a few
    that are read again. Raises ChainError.
    """
    code_hash = chain.check()
    wanted, named = questions.batches, questions.named
    issuers = sorted({*history.issuers, *(key.issuer for key in wanted), *(named or ()), *questions.issuers})
    next_index = _asked(issuers, lambda part: chain.read_next_indexes(part, at))
    told = dict.fromkeys(issuers, 0)
    for key, size in {batch.key: batch.size for batch in history.batches}.items():
        told[key.issuer] += size
    keys = {batch.key for batch in history.batches} | history.voided.keys()
    # Where the events account for every index, the contract has no other batch: no need to ask for what is only said.
    keys |= {key for key in wanted if told[key.issuer] < next_index[key.issuer]}
    known = _still_good(remembered, history, at) if remembered else {}
    fresh = _asked(
        sorted(keys - known.keys()),
        lambda part: chain.read_records([(key.issuer, key.root, key.first) for key in part], at),
    )
    records: dict[BatchKey, BatchRecord | None] = {key: known.get(key) or fresh[key] for key in sorted(keys)}
    anchors = {batch.block_number for batch in history.batches if batch.key not in known}
    voids = {number for key, number in history.voided.items() if key not in known}
    spans, untouched = _spans(records, next_index, named)
    touched = {word for word in (*history.told, *questions.words) if word[0] in next_index}
    return ChainView(
        chain_id=chain.chain_id,
        contract=chain.contract,
        code_hash=code_hash,
        block=at,
        history=tuple(history.batches),
        records=records,
        next_index=next_index,
        words=dict(_set_words(chain, spans, touched, at)),
        told=history.told,
        revocations=tuple(sorted(history.revocations.items())),
        changes=history.changes,
        voided_in=history.voided,
        claims=tuple(history.claims),
        blocks=chain.read_blocks(anchors | voids),
        claimed=_asked(
            list(dict.fromkeys(history.claims)),
            lambda part: chain.read_claims([(claim.issuer, claim.did, claim.document_hash) for claim in part], at),
        ),
        unread=untouched,
        first_event=history.first,
        since=history.since,
    )


def block_times(chain: Chain, numbers: Iterable[int]) -> dict[int, int]:
    """The timestamps of some of these blocks, spread evenly: one question for each block, never for a credential."""
    wanted = sorted(set(numbers))
    step = -(-len(wanted) // _TIMES) or 1
    found = chain.read_blocks({*wanted[::step], *wanted[-1:]})
    return {number: block.timestamp for number, block in found.items()}


def _still_good(remembered: Remembered, history: History, at: BlockRef) -> dict[BatchKey, BatchRecord]:
    """Which ones are read again follows from the block, so that nobody can know it before."""
    since = history.voided.keys() - remembered.history.voided.keys()
    order = sorted(
        remembered.records, key=lambda key: sha256(at.hash + key.issuer + key.root + key.first.to_bytes(8)).digest()
    )
    again = {*order[:_AGAIN], *since}
    return {key: record for key, record in remembered.records.items() if key not in again}


def _asked(wanted: Sequence[K], ask: Callable[[Sequence[K]], Sequence[V]]) -> dict[K, V]:
    """Answers by what was asked. A node that fails is asked again for some of it, not for all."""
    found: dict[K, V] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        found.update(zip(part, ask(part), strict=True))
    return found


def _check_block(chain: Chain, at: BlockRef) -> None:
    block = chain.block(at.number)
    if block is None or block.hash != at.hash:
        raise ChainUnreachable("The chain was reorganised while it was read. Run the audit again.")


def _spans(
    records: Mapping[BatchKey, BatchRecord | None], next_index: Mapping[bytes, int], named: Collection[bytes] | None
) -> tuple[dict[bytes, set[range]], tuple[bytes, ...]]:
    """Which words are read of each issuer, and of whom that is too much. Only batches can have bits, whatever a node
    says is the next index.
    """
    spans: dict[bytes, set[range]] = {}
    for key, record in records.items():
        if record is not None and (named is None or key.issuer in named):
            end = min(key.first + record.size, next_index[key.issuer])
            span = range(key.first // ENTRIES_PER_WORD, -(-end // ENTRIES_PER_WORD))
            spans.setdefault(key.issuer, set()).add(span)
    if named is not None:
        return spans, ()
    left, kept = _UNTOUCHED, {}
    for issuer in sorted(spans, key=lambda issuer: (next_index[issuer], issuer)):
        left -= sum(map(len, spans[issuer]))
        if left >= 0:
            kept[issuer] = spans[issuer]
    return kept, tuple(sorted(spans.keys() - kept.keys()))


def _set_words(
    chain: Chain, spans: Mapping[bytes, set[range]], touched: Iterable[Word], at: BlockRef
) -> Iterator[tuple[Word, StatusWords]]:
    wanted: dict[bytes, set[int]] = {issuer: set().union(*found) for issuer, found in spans.items()}
    for issuer, number in touched:
        wanted.setdefault(issuer, set()).add(number)
    parts: list[tuple[bytes, list[int]]] = []
    for issuer, found in wanted.items():
        numbers = sorted(found)
        parts += [(issuer, numbers[start : start + _WORDS]) for start in range(0, len(numbers), _WORDS)]
    for start in range(0, len(parts), _PARTS):
        some = parts[start : start + _PARTS]
        for (issuer, _), words_by_number in zip(some, chain.read_words_of(some, at), strict=True):
            for number, words in words_by_number.items():
                if words.revoked or words.suspended:
                    yield (issuer, number), words
