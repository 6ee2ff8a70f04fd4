"""Auditing published status lists against the chain's words, as they were when the list says that it was made."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from registry.core.audit import Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.model import StatusWords
from registry.core.notation import LAST_SECOND, time_text
from registry.core.status import ENTRIES_PER_LIST, LIST_BYTES, list_bytes, list_words, range_words

__all__ = ["ShownList", "audit_status_list", "compare_lists", "first_entry", "gone_revocations"]

_NONE = StatusWords(0, 0)


@dataclass(frozen=True, slots=True)
class ShownList:
    """A list as it was published. ``bits``: its entries, 131,072 or more. ``deadline``: Unix seconds until which it may
    lack what the chain has learnt since ``valid_from``. ``source`` says where it was read, for people.
    """

    issuer: bytes
    purpose: str
    number: int
    bits: bytes
    valid_from: int
    deadline: int
    source: str

    @property
    def value(self) -> int:
        """The entries as one number, of which entry 0 is the highest bit."""
        return int.from_bytes(self.bits[:LIST_BYTES])


def audit_status_list(
    view: ChainView,
    shown: ShownList,
    blocks: tuple[int, int],
    due: int,
    read_again: Callable[[Sequence[int]], Mapping[int, StatusWords]],
) -> Iterator[Finding]:
    """``blocks``: the first and the last block of the list's ``valid_from``; they differ where blocks share a time.
    ``due``: up to which block a list that has run out has to show everything.

    ``read_again(words)`` gives the contract's words as they are now, behind the audited block: the list may be newer.
    """
    entries = shown.value
    then = _told(view, shown, blocks[1])
    before = _told(view, shown, blocks[0])
    now = _state(view, shown)
    told = _told(view, shown, view.block.number)
    # What the chain had when the list says that it was made, and has to this day.
    withheld = then & before & told & ~entries
    invented = entries & ~(then | before | told | now)
    if invented:
        invented &= ~_bits(shown, read_again(_words_of(shown, invented)), _voided(view, shown, view.block.timestamp))
    made = time_text(shown.valid_from) if shown.valid_from <= LAST_SECOND else f"second {shown.valid_from}"
    if withheld:
        what = f"{withheld.bit_count()} of them not set"
        yield _differs("status_list_differs", shown, withheld, f"the {shown.purpose} bits of {made}", what)
    if invented:
        what = f"{invented.bit_count()} bits that the chain does not have"
        yield _differs("status_list_differs", shown, invented, f"the {shown.purpose} bits of {made}", what)
    if view.block.timestamp > shown.deadline:
        expected = f"the {shown.purpose} bits of the audited block, or a list that still counts"
        due_bits = _told(view, shown, due)
        late = (told & now & due_bits) & ~entries & ~withheld
        if late:
            what = f"{late.bit_count()} missing in a list of {made}"
            yield _differs("revocation_shown_late", shown, late, expected, what)
        ended = entries & ~(told | now | due_bits) & ~invented
        if ended:
            what = f"{ended.bit_count()} that have ended, in a list of {made}"
            yield _differs("revocation_shown_late", shown, ended, expected, what)


def gone_revocations(view: ChainView, shown: ShownList, earlier: bytes) -> int:
    """What an earlier audit saw revoked in the list, and the chain has, and the list shows no more."""
    if shown.purpose != "revocation":
        return 0
    return int.from_bytes(earlier[:LIST_BYTES]) & ~shown.value & (_state(view, shown))


def compare_lists(first: ShownList, other: ShownList) -> Iterator[Finding]:
    """The same list in two copies of a publication, both of the same time."""
    if first.valid_from == other.valid_from and first.value != other.value:
        observed = f"another {first.purpose} list of the same time"
        where = Where(first.issuer, index=first_entry(first, first.value ^ other.value), source=other.source)
        yield find("mirrors_differ", f"the same as in {first.source}", observed, where)


def first_entry(shown: ShownList, bits: int) -> int:
    """The index of the first credential whose bit is set in ``bits``."""
    return shown.number * ENTRIES_PER_LIST + 8 * LIST_BYTES - bits.bit_length()


def _differs(code: str, shown: ShownList, bits: int, expected: str, observed: str) -> Finding:
    index = first_entry(shown, bits)
    where = Where(shown.issuer, index=index, source=shown.source)
    return find(code, expected, f"{observed}, the first at index {index}", where)


def _words_of(shown: ShownList, bits: int) -> list[int]:
    packed = bits.to_bytes(LIST_BYTES)
    start = list_words(shown.number).start
    return [start + at // 32 for at in range(0, LIST_BYTES, 32) if any(packed[at : at + 32])]


def _told(view: ChainView, shown: ShownList, block: int) -> int:
    """The list as the events up to a block tell it. Batches count as voided from their beginning, once they are."""
    words = {}
    for number in list_words(shown.number):
        for at, state in reversed(view.changes.get((shown.issuer, number), ())):
            if at <= block:
                words[number] = state
                break
    voided = [
        (key.first, record.size)
        for key, record in view.batches().items()
        if key.issuer == shown.issuer and view.voided_in.get(key, block + 1) <= block
    ]
    return _bits(shown, words, voided)


def _state(view: ChainView, shown: ShownList) -> int:
    """The list as the state has it at the audited block."""
    words = {number: view.words.get((shown.issuer, number), _NONE) for number in list_words(shown.number)}
    return _bits(shown, words, _voided(view, shown, view.block.timestamp))


def _voided(view: ChainView, shown: ShownList, by: int) -> list[tuple[int, int]]:
    return [
        (key.first, record.size)
        for key, record in view.batches().items()
        if key.issuer == shown.issuer and 0 < record.revoked_at <= by
    ]


def _bits(shown: ShownList, words: Mapping[int, StatusWords], voided: Sequence[tuple[int, int]]) -> int:
    revocation = shown.purpose == "revocation"
    masks = {number: word.revoked if revocation else word.suspended for number, word in words.items()}
    if revocation:
        start = shown.number * ENTRIES_PER_LIST
        for first, size in voided:
            for number, mask in range_words(max(first, start), min(first + size, start + ENTRIES_PER_LIST)):
                masks[number] = masks.get(number, 0) | mask
    return int.from_bytes(list_bytes(shown.number, masks))
