"""What the nodes show of the contract: at one block that all have, with what an earlier audit remembers of it, each of
them beside the first.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from anchors.base import Chain, ChainError, ChainUnreachable, WrongChain, WrongContract
from registry.core.audit import Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.audit_nodes import compare_blocks, compare_nodes
from registry.core.audit_over_time import gone_anchors, gone_statuses
from registry.core.model import BlockRef
from registry.core.notation import hex_text
from registry.service.auditstate import AuditState
from registry.service.chainreading import History, Questions, Remembered, read_chain, read_history

__all__ = ["NamedChain", "NodeAudit"]

_SETTLED = 64  # blocks below the audited one, where a node names no finalized block
_BEHIND = 16  # blocks that one node may lag behind another


@dataclass(frozen=True, slots=True)
class NamedChain:
    """One node's view of the contract; ``name`` is what a report calls the node."""

    name: str
    chain: Chain


class NodeAudit:
    """``findings`` and ``incomplete`` are added to; the other arguments are those of ``Auditing``."""

    def __init__(
        self,
        chains: Sequence[NamedChain],
        first_block: int,
        findings: list[Finding],
        incomplete: list[str],
        state: AuditState | None,
        issuers: Collection[bytes] | None,
        tell: Callable[[str], None],
        *,
        named: bool,
        full: bool,
    ) -> None:
        self._chains = chains
        self._first_block = first_block
        self._findings = findings
        self._incomplete = incomplete
        self._state = state
        self._issuers = issuers
        self._tell = tell
        self._named = named
        self._full = full

    def reachable(self) -> dict[str, int]:
        """The newest block of each further node; one that does not answer makes the audit incomplete, and no more."""
        heads = {}
        for item in self._chains[1:]:
            try:
                heads[item.name] = item.chain.head().number
            except WrongChain as error:
                self._disagree(item, "the same chain of every node", error)
            except ChainError as error:
                self._incomplete.append(f"{item.name} could not be compared: {error}")
        return heads

    def _disagree(self, item: NamedChain, expected: str, error: ChainError) -> None:
        self._findings.append(find("nodes_disagree", expected, str(error), Where(source=item.name)))

    def block(self, others: dict[str, int]) -> BlockRef:
        """The newest one that all have. A node that lags far behind is left out of ``others``."""
        first = self._chains[0]
        head = first.chain.head().number
        newest = max([head, *others.values()])
        for name, number in [(first.name, head), *others.items()]:
            if newest - number > _BEHIND:
                lag = f"{name} is {newest - number} blocks behind another node"
                if name != first.name:
                    del others[name]
                    lag += ", and could not be compared"
                self._incomplete.append(f"{lag}: audit again when it has caught up.")
        number = min([head, *others.values()])
        block = first.chain.block(number)
        if block is None:
            raise ChainUnreachable(f"{first.name} has no block {number}.")
        return block

    def seen_revoked(self) -> Collection[tuple[bytes, int]]:
        """Words in which earlier audits saw revocations that no longer change; the state then knows their bits."""
        if self._state is None:
            return ()
        state = self._state
        if state.remembered is not None:
            for word, states in state.remembered.history.told.items():
                state.revoked[word] = state.revoked.get(word, 0) | states.revoked
            state.voided |= state.remembered.history.voided.keys()
        return [word for word, bits in state.revoked.items() if bits]

    def read(self, at: BlockRef, questions: Questions) -> ChainView:
        """The chain, and in the state what need not be read again: history up to a block that no longer changes."""
        chain, state = self._chains[0].chain, self._state
        if self._first_block > at.number:
            self._incomplete.append(
                f"No event was read, as block {self._first_block} is above the audited one, {at.number}: begin with "
                "the block in which the contract was deployed, or an earlier one (--from-block)."
            )
        if state is None:
            return self._view_of(chain, at, read_history(chain, at, self._first_block, tell=self._tell), questions)
        state.reorganised = state.block is not None and not _has(chain, state.block)
        before = state.remembered
        shared = before if before is not None and _is_canonical(chain, before, at) else None
        state.same_until = shared.history.block.timestamp if shared is not None and shared.history.block else 0
        known = None if self._full else shared
        settled = _settled(chain, at)
        history = known.history if known else None
        if settled is not None and (history is None or history.block is None or settled.number > history.block.number):
            history = read_history(chain, settled, self._first_block, history, self._tell)
        view = self._view_of(
            chain, at, read_history(chain, at, self._first_block, history, self._tell), questions, known
        )
        self._gone(state, before, view)
        if history is not None and history.block is not None:
            end = history.block.number
            records = {
                batch.key: record
                for batch in history.batches
                if (record := view.records.get(batch.key)) is not None and record.block_number <= end
            }
            # A batch that was voided behind that block is voided in its record, and its event is still to come: so the
            # record that is kept is the one that the history up to the block tells of.
            kept = {key: item for key, item in records.items() if not item.revoked_at or key in history.voided}
            state.remembered = Remembered(history, kept)
        state.block = at
        return view

    def _view_of(
        self, chain: Chain, at: BlockRef, history: History, questions: Questions, known: Remembered | None = None
    ) -> ChainView:
        self._tell(f"Records of {len(history.batches):,} batches")
        told = history if self._issuers is None else history.only(self._issuers)
        view = read_chain(chain, at, told, questions, known)
        if view.unread:
            self._incomplete.append(
                f"Of {len(view.unread)} issuers with the most credentials, status words without an event were not "
                f"read, the first being {hex_text(view.unread[0])}: name those that matter with --issuer."
            )
        if not view.next_index and self._named:
            self._incomplete.append(
                "Nothing was audited: no event of the contract is there. Either nothing was anchored yet, or the node "
                "has pruned them, or --from-block is too late. Name issuers with --issuer."
            )
        return view

    def _gone(self, state: AuditState, before: Remembered | None, view: ChainView) -> None:
        """What an earlier audit saw final, and is gone. It stays the yardstick until it is there again."""
        seen = [*state.lost, *(before.history.batches if before else ())]
        lost = [batch for batch in dict.fromkeys(seen) if view.records.get(batch.key) is None]
        mine = [batch for batch in lost if self._issuers is None or batch.key.issuer in self._issuers]
        state.lost = [batch for batch in lost if batch in mine or batch in state.lost]
        self._findings += gone_anchors(mine)
        self._findings += gone_statuses(state.revoked, state.voided, view)

    def compare(self, view: ChainView, questions: Questions, others: Iterable[NamedChain]) -> None:
        known = self._state.remembered if self._state and not self._full else None
        same_questions = replace(questions, batches={*questions.batches, *view.records}, issuers=view.next_index)
        for item in others:
            try:
                at = item.chain.block(view.block.number)
                if at is None:
                    raise ChainUnreachable(f"it has no block {view.block.number}")
                self._findings += compare_blocks(view.block, at, item.name)  # it may show no more of another one
                same = known if known is not None and _is_canonical(item.chain, known, at) else None
                history = read_history(item.chain, at, self._first_block, same.history if same else None, self._tell)
                other = self._view_of(item.chain, at, history, same_questions, same)
            except (WrongContract, WrongChain) as error:
                self._disagree(item, "the same contract of every node", error)
            except ChainError as error:
                self._incomplete.append(f"{item.name} could not be compared: {error}")
            else:
                self._findings += compare_nodes(view, other, item.name)


def _is_canonical(chain: Chain, known: Remembered, at: BlockRef) -> bool:
    block = known.history.block
    if block is None or block.number > at.number:
        return False
    return _has(chain, block)


def _has(chain: Chain, block: BlockRef) -> bool:
    found = chain.block(block.number)
    return found is not None and found.hash == block.hash


def _settled(chain: Chain, at: BlockRef) -> BlockRef | None:
    """The newest block, not above ``at``, that a reorganisation no longer reaches."""
    final = chain.finalized()
    if final is None:
        return chain.block(at.number - _SETTLED) if at.number > _SETTLED else None
    return final if final.number <= at.number else chain.block(at.number)
