"""The contract's events of a range of blocks, asked for in as large pieces as the node takes."""

import re
from collections.abc import Mapping
from typing import Any

from anchors.base import (
    BatchAnchored,
    BatchRevoked,
    ChainEvent,
    ControllerChanged,
    DidClaimed,
    HistoryPruned,
    KeySet,
    StatusRevoked,
    SuspensionChanged,
)
from anchors.ethereum.answers import Nonsense, parse_data, parse_mapping, parse_quantity
from anchors.ethereum.reader import Views, hex_data
from anchors.ethereum.rpc import RpcError, Unavailable
from anchors.ethereum.transport import TooLarge
from registry.core.status import ENTRIES_PER_WORD

__all__ = ["read_events"]

_INDEXES = 1 << 53  # that an issuer has
_MAX_SIZE = 1 << 24  # of a batch

# "Ask for less", in the words of the nodes and gateways that limit eth_getLogs.
_TOO_MUCH = re.compile(
    r"more than \d+|range|too (many|large|big|wide)|exceed|limited to|response size|max(imum)? .*(block|result|log)"
    r"|reduce|narrow|query timeout",
    re.IGNORECASE,
)
# "No longer", in the words of nodes that give old logs up (EIP-4444 and before).
_PRUNED = re.compile(r"pruned|old data not available|history .*(unavailable|not available)", re.IGNORECASE)
_PRUNED_CODE = 4444


def read_events(views: Views, first: int, last: int) -> list[ChainEvent]:
    """All events of the blocks ``first`` to ``last`` (included), in order."""
    node = views.node
    end = views.block(last)
    if end is None:
        raise Unavailable(f"{node.name} has not got block {last}")
    events: list[ChainEvent] = []
    start = first
    while start <= last:
        stop = min(last, start + node.log_range - 1)
        try:
            logs = _logs(views, start, stop)
        except _AskForLess:
            node.log_range = max(1, (stop - start + 1) // 2)
            continue
        events.extend(_parse(views, logs, start, stop))
        start = stop + 1
    views.expect_canonical(end)
    return events


class _AskForLess(Exception):
    """The node does not search so many blocks at once."""


def _logs(views: Views, first: int, last: int) -> Any:
    """The node's answer, whatever it is. Raises ``_AskForLess``."""
    wanted = {"address": hex_data(views.contract), "fromBlock": hex(first), "toBlock": hex(last)}
    try:
        return views.node.ask("eth_getLogs", wanted)
    except TooLarge:
        if first == last:
            raise
        raise _AskForLess from None
    except RpcError as error:
        # A missing block is named in terms of ranges by some nodes; halving down to one block tells which it was.
        if first < last and _TOO_MUCH.search(error.message):
            raise _AskForLess from None
        if error.code == _PRUNED_CODE or _PRUNED.search(error.message):
            raise HistoryPruned(f"{error.node} has not got events of block {first} any more: {error.message}") from None
        raise error.unusable() from None


def _parse(views: Views, logs: Any, first: int, last: int) -> list[ChainEvent]:
    if not isinstance(logs, list):
        raise Nonsense("logs are not a list")
    events: list[ChainEvent] = []
    hashes: dict[int, bytes] = {}
    for entry in logs:
        log = parse_mapping(entry, "a log")
        event = _event(views, log)
        if event is None:
            continue
        if not first <= event.block_number <= last:
            raise Nonsense("a log is from outside of the range that was asked for")
        if hashes.setdefault(event.block_number, event.block_hash) != event.block_hash:
            raise Nonsense(f"block {event.block_number} has two hashes")
        events.append(event)
    events.sort(key=lambda event: (event.block_number, event.log_index))
    return events


def _event(views: Views, log: Mapping[str, Any]) -> ChainEvent | None:
    topics = log.get("topics")
    if log.get("removed") is True or not isinstance(topics, list):
        raise Nonsense("a log is not one of a canonical block")
    if parse_data(log.get("address"), "a log's address", length=20) != views.contract:
        raise Nonsense("a log is another contract's")
    decoded = views.codec.decode_event(
        [parse_data(topic, "a topic", length=32) for topic in topics], parse_data(log.get("data"), "a log's data")
    )
    if decoded is None:
        raise Nonsense("a log is no event of the contract")
    name, fields = decoded
    _expect_possible(name, fields)
    place = {
        "block_number": parse_quantity(log.get("blockNumber"), "a log's block", maximum=2**63 - 1),
        "block_hash": parse_data(log.get("blockHash"), "a log's block", length=32),
        "transaction": parse_data(log.get("transactionHash"), "a log's transaction", length=32),
        "log_index": parse_quantity(log.get("logIndex"), "a log's index", maximum=2**63 - 1),
        "issuer": fields.pop("issuer"),
    }
    kind = _KINDS.get(name)
    return None if kind is None else kind(**place, **{_snake(key): value for key, value in fields.items()})


def _expect_possible(name: str, fields: Mapping[str, Any]) -> None:
    """Raises Nonsense for what the contract's own rules rule out (docs/spec/contract.md)."""
    first, size = fields.get("first", 0), fields.get("size", 1)
    if first + size > _INDEXES or not 0 < size <= _MAX_SIZE:
        raise Nonsense(f"an event {name} is about {size} credentials from index {first} on, which the contract refuses")
    words = fields.get("words", ())
    if any(word * ENTRIES_PER_WORD >= _INDEXES for word in words):
        raise Nonsense(f"an event {name} is about indexes that the contract never gives")
    if any(len(masks) != len(words) for key, masks in fields.items() if key.lower().endswith("masks")):
        raise Nonsense(f"an event {name} has not a mask for each word")


# ControllerProposed is left out: it gives nobody a right, and nothing that is followed depends on it.
_KINDS: dict[str, type[ChainEvent]] = {
    kind.__name__: kind
    for kind in (BatchAnchored, BatchRevoked, StatusRevoked, SuspensionChanged, KeySet, ControllerChanged, DidClaimed)
}


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), name)
