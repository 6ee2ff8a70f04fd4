"""JSON-RPC to one node, and to the first of several that works.

What a node answers is one of three: a result, an error that it means (``RpcError``: a revert, a refusal), or nothing
usable (``ChainUnreachable``: then the next node is asked). Calls may be repeated freely: they are reads, or the sending
of a transaction that is signed already.
"""

import itertools
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import jiter

from anchors.base import ChainUnreachable, WrongChain
from anchors.ethereum.answers import Nonsense, parse_quantity
from anchors.ethereum.transport import NodeFailure, TooLarge, Transport

__all__ = ["MISSING", "Node", "Nodes", "Request", "RpcError", "Unavailable", "usable"]

BATCH_SIZE = 100
"""Requests in one HTTP request; common nodes and providers take at least that many."""
RECHECK_SECONDS = 60.0
"""After so long without a look at its chain id, a node (or what a load balancer put in its place) is asked again."""
ROUNDS = 3
MAX_PATIENCE_SECONDS = 10.0
"""How long to wait, all in all, for nodes that limit the rate."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    params: tuple[Any, ...]


class RpcError(Exception):
    """The node answers with an error. ``message`` is cleaned of secrets and control characters, and short."""

    def __init__(self, node: str, code: int, message: str, data: object = None) -> None:
        super().__init__(f"{node}: {message} (code {code})")
        self.node, self.code, self.message, self.data = node, code, message, data

    @property
    def is_transient(self) -> bool:
        """Whether it says "not now", or "not this one": another node, or the same one later, may answer."""
        return bool(MISSING.search(self.message) or _LIMITED.search(self.message))

    def unusable(self) -> ChainUnreachable:
        """This error where a result was needed, as an error of a node that gave none."""
        if MISSING.search(self.message):
            return Unavailable(f"{self.node} has not got that block or its state: {self.message}")
        limited = bool(_LIMITED.search(self.message))
        return NodeFailure(self.node, f"answered with an error: {self.message}", retry_after=1.0 if limited else None)


class Unavailable(ChainUnreachable):
    """The node has not got what was asked for (state, block or logs pruned, or not there yet)."""


# Errors by which a node, or the gateway before it, says "not now".
_LIMITED = re.compile(r"rate.?limit|too many request|requests? per|capacity|throughput|quota|throttl", re.IGNORECASE)
# Words in which nodes say that a block, its state or its logs are not there.
MISSING = re.compile(
    r"header not found|block not found|unknown block|missing trie node|state .*(not available|unavailable|pruned)"
    r"|world state unavailable|no state available|pruned|not currently canonical|is not canonical|header for hash not"
    r"|could not be found|cannot find block|historical state|block .*not (found|available)"
    r"|hash .*not found|old data not available|resource not found|receipts? .*not",
    re.IGNORECASE,
)


class Node:
    """One node. Remembers what it cannot do, so that each lack is found out once."""

    def __init__(self, transport: Transport, chain_id: int, timeout: float) -> None:
        self.name = transport.name
        self.pins_by_hash = True  # takes EIP-1898 block parameters
        self.log_range = 10_000  # blocks that it searches at once
        self._transport = transport
        self._chain_id = chain_id
        self._timeout = timeout
        self._batch_size = BATCH_SIZE
        self._ids = itertools.count(1)
        self._checked_at: float | None = None

    def close(self) -> None:
        self._transport.close()

    # asking

    def ask(self, method: str, *params: Any) -> Any:
        """One call; its result, or ``RpcError``, or ``ChainUnreachable``."""
        answer = self._single(Request(method, params))
        if isinstance(answer, RpcError):
            raise answer
        return answer

    def read(self, method: str, *params: Any) -> Any:
        """One call whose errors are all of the kind "could not ask"."""
        return usable(self._single(Request(method, params)))

    def ask_all(self, requests: Sequence[Request]) -> list[Any]:
        """All calls, in as few HTTP requests as the node takes; each result, or the ``RpcError`` in its place."""
        answers: list[Any] = []
        while len(answers) < len(requests):
            part = requests[len(answers) : len(answers) + self._batch_size]
            try:
                answers.extend(self._batch(part) if len(part) > 1 else [self._single(part[0])])
            except _SmallerBatch:
                self._batch_size = max(1, len(part) // 4)
                _log.info("%s takes no batch of %d requests; sending %d", self.name, len(part), self._batch_size)
        return answers

    def _single(self, request: Request) -> Any:
        key = next(self._ids)
        answer = self._exchange(_encode(key, request))
        if not isinstance(answer, dict):
            raise NodeFailure(self.name, "the answer is not a JSON-RPC response")
        return self._open(answer, key)

    def _batch(self, requests: Sequence[Request]) -> list[Any]:
        keys = [next(self._ids) for _ in requests]
        try:
            answer = self._exchange([_encode(key, request) for key, request in zip(keys, requests, strict=True)])
        except TooLarge:
            raise _SmallerBatch from None
        if isinstance(answer, dict) and answer.get("error") is not None:
            error = self._open(answer, None)  # one error for all: out of patience, or it does not like the batch
            if _LIMITED.search(error.message):
                raise error.unusable()
            raise _SmallerBatch
        if not isinstance(answer, list) or not all(isinstance(part, dict) for part in answer):
            raise NodeFailure(self.name, "the answer is not a JSON-RPC batch")
        by_key = {part["id"]: part for part in answer if isinstance(part.get("id"), int)}
        if len(by_key) != len(answer) or set(by_key) != set(keys):
            if any("batch" in str(part.get("error")).lower() for part in answer):
                raise _SmallerBatch
            raise NodeFailure(self.name, "the answer to a batch has parts missing, or parts that were not asked for")
        return [self._open(by_key[key], key) for key in keys]

    def _exchange(self, payload: object) -> Any:
        try:
            body = self._transport.post(json.dumps(payload).encode(), self._timeout)
        except ChainUnreachable:
            self.distrust()
            raise
        try:
            return jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
        except ValueError:
            start = body[:15].lstrip().lower()
            kind = "a web page" if start.startswith((b"<!doctype", b"<html")) else "something that is not JSON"
            raise NodeFailure(self.name, f"answered with {kind}") from None

    def _open(self, answer: dict[str, Any], key: int | None) -> Any:
        """The result of a response, or its ``RpcError``."""
        error = answer.get("error")
        if error is None:
            if "result" not in answer or answer.get("id") != key:
                raise NodeFailure(self.name, "the answer has no result, or not the id of the question")
            return answer["result"]
        if not isinstance(error, dict) or not isinstance(error.get("code", 0), int):
            raise NodeFailure(self.name, "the answer's error is not a JSON-RPC error")
        return RpcError(self.name, error.get("code", 0), self._clean(error.get("message")), error.get("data"))

    def _clean(self, message: object) -> str:
        text = _CONTROL.sub(" ", str(message))
        redact = getattr(self._transport, "redact", None)
        return (redact(text) if redact else text)[:300]

    # who it is

    def check_chain(self) -> None:
        """Asks for the chain id, if that was not done lately. Raises ``WrongChain``."""
        if self._checked_at is None or time.monotonic() - self._checked_at > RECHECK_SECONDS:
            self.accept_chain(self.read("eth_chainId"))

    def accept_chain(self, answer: object) -> None:
        """Judges an answer to eth_chainId."""
        found = parse_quantity(usable(answer), "the chain id")
        if found != self._chain_id:
            self.distrust()
            raise WrongChain(f"{self.name} is on chain {found}, not on chain {self._chain_id}")
        self._checked_at = time.monotonic()

    def distrust(self) -> None:
        """Whoever answers under this name next has to say again on which chain it is."""
        self._checked_at = None


class _SmallerBatch(Exception):
    """The node does not take a batch of this size."""


class Nodes:
    """Several nodes of one chain, asked in turn; the one that worked last comes first."""

    def __init__(self, nodes: Sequence[Node], sleep: Callable[[float], None]) -> None:
        self._nodes = tuple(nodes)
        self._sleep = sleep
        self._first = 0
        self._lock = threading.Lock()

    def close(self) -> None:
        for node in self._nodes:
            node.close()

    def run(self, work: Callable[[Node], _T]) -> _T:
        """Does all of ``work`` with one node; with the next one from its beginning, if that gives no usable answer.

        Where nodes ask for patience it waits, for some seconds in all. Raises ``WrongChain`` if every node is on
        another chain, otherwise ``ChainUnreachable`` with every node's failure.
        """
        patience = MAX_PATIENCE_SECONDS
        for last in (False,) * (ROUNDS - 1) + (True,):
            failures: list[ChainUnreachable | WrongChain] = []
            for index in self._order():
                node = self._nodes[index]
                try:
                    node.check_chain()
                    result = work(node)
                except Nonsense as error:
                    node.distrust()
                    failures.append(NodeFailure(node.name, f"answers nonsense: {error}"))
                except (ChainUnreachable, WrongChain) as error:
                    node.distrust()
                    failures.append(error)
                else:
                    self._prefer(index)
                    return result
            waits = [wait for error in failures if (wait := getattr(error, "retry_after", None)) is not None]
            if last or not waits or min(waits) > patience:
                break
            patience -= min(waits)
            self._sleep(min(waits))
        raise _summary(failures)

    def _order(self) -> list[int]:
        with self._lock:
            return [(self._first + offset) % len(self._nodes) for offset in range(len(self._nodes))]

    def _prefer(self, index: int) -> None:
        with self._lock:
            if index != self._first:
                _log.warning("node %s does not answer usefully, going on with %s", *self._names(self._first, index))
            self._first = index

    def _names(self, *indexes: int) -> list[str]:
        return [self._nodes[index].name for index in indexes]


def usable(answer: Any) -> Any:
    """The result of a call; its error counts as no answer."""
    if isinstance(answer, RpcError):
        raise answer.unusable()
    return answer


def _encode(key: int, request: Request) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": key, "method": request.method, "params": list(request.params)}


def _summary(failures: Sequence[ChainUnreachable | WrongChain]) -> ChainUnreachable | WrongChain:
    if len(failures) == 1:
        return failures[0]
    text = "; ".join(str(failure) for failure in failures)
    if all(isinstance(failure, WrongChain) for failure in failures):
        return WrongChain(f"no node is on the right chain: {text}")
    return ChainUnreachable(f"no node answers usefully: {text}")
