"""Reading the contract for an audit: its whole state at one block, and its history, of which nothing is read twice."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from anchors.base import (
    BatchAnchored,
    BatchRevoked,
    Chain,
    ChainEvent,
    ChainUnreachable,
    DidClaimed,
    StatusRevoked,
    SuspensionChanged,
)
from registry.core.audit import BatchKey
from registry.core.audit_chain import AnchoredBatch, ChainView, Claim
from registry.core.model import BatchRecord, BlockRef, StatusWords
from registry.core.status import ENTRIES_PER_WORD

__all__ = ["History", "Remembered", "block_times", "read_chain", "read_history"]

_RANGE = 2_000  # blocks in one question
_WORDS = 500  # status words in one question
_TIMES = 200  # blocks that are asked for their time, at most
_AGAIN = 16  # records that are known already and read again in each audit

Word = tuple[bytes, int]


@dataclass
class History:
    """What the contract's events up to ``block`` (included) add up to.

    ``voided``: batches that ``BatchRevoked`` named, and in which block. ``told``: (revoked, suspended) for each word
    that an event touched; ``changes``: the same after each block that touched it.
    """

    block: BlockRef | None = None
    batches: list[AnchoredBatch] = field(default_factory=list)
    issuers: set[bytes] = field(default_factory=set)
    voided: dict[BatchKey, int] = field(default_factory=dict)
    told: dict[Word, StatusWords] = field(default_factory=dict)
    revocations: dict[int, int] = field(default_factory=dict)
    changes: dict[Word, list[tuple[int, StatusWords]]] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)

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
        )

    def add(self, event: ChainEvent) -> None:
        self.issuers.add(event.issuer)
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


@dataclass(frozen=True, slots=True)
class Remembered:
    """What an earlier audit read: the history up to a block that does not change any more, and records of it."""

    history: History
    records: Mapping[BatchKey, BatchRecord]


def read_history(chain: Chain, at: BlockRef, first_block: int, known: History | None = None) -> History:
    """``known`` extended to ``at``, or all from ``first_block`` on. Raises ChainError.

    What is known has to be of the chain's own branch: see ``still_canonical``.
    """
    history = known.copy() if known else History()
    start = history.block.number + 1 if history.block else first_block
    for first in range(start, at.number + 1, _RANGE):
        for event in chain.read_events(first, min(first + _RANGE - 1, at.number)):
            history.add(event)
    _check_block(chain, at)
    history.block = at
    return history


def read_chain(
    chain: Chain,
    at: BlockRef,
    history: History,
    wanted: Iterable[BatchKey] = (),
    remembered: Remembered | None = None,
    only: Collection[bytes] | None = None,
) -> ChainView:
    """All of the contract at one block: what its history tells, and the state of all of that.

    ``wanted``: batches to be looked up even where no event tells of them. ``only``: of these issuers, None for all.
    Records that an earlier audit read are taken from ``remembered``, but for those that were voided since, and a few
    that are read again. Raises ChainError.
    """
    code_hash = chain.check()
    issuers = sorted(history.issuers | {key.issuer for key in wanted} if only is None else set(only))
    next_index = {issuer: chain.read_issuer(issuer, at).next_index for issuer in issuers}
    told = dict.fromkeys(issuers, 0)
    batches = tuple(batch for batch in history.batches if batch.key.issuer in told)
    for batch in batches:
        told[batch.key.issuer] += batch.size
    keys = {batch.key for batch in batches}
    # Where the events account for every index, the contract has no other batch: no need to ask for what is only said.
    keys |= {key for key in wanted if told.get(key.issuer, 0) < next_index.get(key.issuer, 0)}
    known = _still_good(remembered, history, at) if remembered else {}
    records: dict[BatchKey, BatchRecord | None] = {
        key: known.get(key) or chain.read_record(key.issuer, key.root, key.first, at) for key in sorted(keys)
    }
    return ChainView(
        chain_id=chain.chain_id,
        contract=chain.contract,
        code_hash=code_hash,
        block=at,
        history=batches,
        records=records,
        next_index=next_index,
        words=_words(chain, next_index, at),
        told={word: state for word, state in history.told.items() if word[0] in told},
        revocations=tuple(sorted(history.revocations.items())) if only is None else _revocations(history, told),
        changes=history.changes,
        voided_in=history.voided,
        claims=tuple(claim for claim in history.claims if claim.issuer in told),
    )


def _revocations(history: History, issuers: Collection[bytes]) -> tuple[tuple[int, int], ...]:
    """As the history counts them, of some issuers."""
    found: dict[int, int] = {}
    for (issuer, _), states in history.changes.items():
        before = 0
        for block, state in states if issuer in issuers else ():
            found[block] = found.get(block, 0) + (state.revoked & ~before).bit_count()
            before = state.revoked
    return tuple(sorted((block, count) for block, count in found.items() if count))


def block_times(chain: Chain, numbers: Iterable[int]) -> dict[int, int]:
    """The timestamps of some of these blocks, spread evenly: one question for each block, never for a credential."""
    wanted = sorted(set(numbers))
    step = -(-len(wanted) // _TIMES) or 1
    found = {number: chain.block(number) for number in {*wanted[::step], *wanted[-1:]}}
    return {number: block.timestamp for number, block in found.items() if block is not None}


def _still_good(remembered: Remembered, history: History, at: BlockRef) -> dict[BatchKey, BatchRecord]:
    """Which ones are read again follows from the block, so that nobody can know it before."""
    since = history.voided.keys() - remembered.history.voided.keys()
    order = sorted(
        remembered.records, key=lambda key: sha256(at.hash + key.issuer + key.root + key.first.to_bytes(8)).digest()
    )
    again = {*order[:_AGAIN], *since}
    return {key: record for key, record in remembered.records.items() if key not in again}


def _check_block(chain: Chain, at: BlockRef) -> None:
    block = chain.block(at.number)
    if block is None or block.hash != at.hash:
        raise ChainUnreachable("The chain was reorganised while it was read. Run the audit again.")


def _words(chain: Chain, next_index: Mapping[bytes, int], at: BlockRef) -> dict[Word, StatusWords]:
    return dict(_set_words(chain, next_index, at))


def _set_words(chain: Chain, next_index: Mapping[bytes, int], at: BlockRef) -> Iterator[tuple[Word, StatusWords]]:
    for issuer, end in next_index.items():
        numbers = range(-(-end // ENTRIES_PER_WORD))
        for start in range(0, len(numbers), _WORDS):
            for number, words in chain.read_words(issuer, numbers[start : start + _WORDS], at).items():
                if words.revoked or words.suspended:
                    yield (issuer, number), words
