"""The bridge between a body that arrives asynchronously and a service that works in a thread.

The thread asks the event loop for the next piece when it wants one, so nothing piles up in between. Results go into a
spool, on disk beyond a megabyte, and are sent when all of the body is read: most clients read nothing before they have
sent everything, and an answer that waits for them while they wait for it would never end.
"""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import orjson
from anyio import CapacityLimiter, from_thread, to_thread
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from registry.api.problems import RequestError, problem_of
from registry.core.errors import RegistryError
from registry.core.notation import time_text
from registry.service.issuers import Issuer
from registry.service.issuing import Issuing, LineResult
from registry.service.promising import Promising

__all__ = ["MAX_IMPORTS", "Imports", "SpoolResponse", "split_lines"]

# Each holds a thread and takes its turn at the database's one writer.
MAX_IMPORTS = 8
_SPOOL_IN_MEMORY = 1 << 20
_PIECE = 64 << 10

Spool = IO[bytes]

_log = logging.getLogger(__name__)


class Imports:
    """The imports of one app. Threads of their own: slow clients must not use up those that answer everybody else."""

    def __init__(self, at_once: int = MAX_IMPORTS) -> None:
        self._limiter = CapacityLimiter(at_once)

    async def run(
        self,
        issuing: Issuing,
        promising: Promising,
        issuer: Issuer,
        chunks: AsyncIterator[bytes],
        key: str | None,
        max_line: int,
    ) -> Spool:
        """Takes all lines; returns the results as NDJSON. Raises RequestError (503) if too many imports run.

        Raises what stopped it only if nothing was taken before; afterwards the summary says it. If the client leaves,
        what was committed stays.
        """
        if self._limiter.available_tokens < 1:
            message = f"{int(self._limiter.total_tokens)} imports run already; try again later."
            raise RequestError(503, "too_many_imports", message, headers={"Retry-After": "30"})

        async def next_chunk() -> bytes | None:
            return await anext(chunks, None)

        def work() -> Spool:
            return _import(issuing, promising, issuer, lambda: from_thread.run(next_chunk), key, max_line)

        try:
            return await to_thread.run_sync(work, limiter=self._limiter)
        finally:
            async for _ in chunks:  # if it stopped early: most clients read the answer when they have sent everything
                pass


def _import(
    issuing: Issuing,
    promising: Promising,
    issuer: Issuer,
    next_chunk: Callable[[], bytes | None],
    key: str | None,
    max_line: int,
) -> Spool:
    spool: Spool = SpooledTemporaryFile(_SPOOL_IN_MEMORY)  # noqa: SIM115 - SpoolResponse closes
    counts = {"lines": 0, "accepted": 0, "repeated": 0, "refused": 0}
    stopped: Exception | None = None
    try:
        promising.unlock()
        try:
            for result in issuing.import_lines(issuer, split_lines(next_chunk, max_line), key):
                counts["lines"] += 1
                counts[_outcome(result)] += 1
                spool.write(orjson.dumps(_line(promising, issuer, result), option=orjson.OPT_APPEND_NEWLINE))
        except (ClientDisconnect, RequestError):
            raise  # nobody reads an answer any more, or the body never ended
        except Exception as error:
            if not counts["lines"]:
                raise
            # Something is committed: the client has to learn what. The summary says that it is not all.
            if not isinstance(error, RegistryError):
                _log.exception("An import stopped after %d lines.", counts["lines"])
            stopped = error
        summary: dict[str, Any] = {**counts, "complete": stopped is None}
        if stopped is not None:
            summary["error"] = problem_of(stopped).to_json()
        spool.write(orjson.dumps({"summary": summary}, option=orjson.OPT_APPEND_NEWLINE))
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return spool


def split_lines(next_chunk: Callable[[], bytes | None], max_line: int) -> Iterator[bytes]:
    """Lines without their line feeds, however the pieces are cut; the last one needs none.

    A longer line is cut off at ``max_line + 1`` bytes, which tells the reader that it was too long.
    """
    line = bytearray()
    while (chunk := next_chunk()) is not None:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            line += chunk[start : min(end, start + max_line + 1 - len(line))]
            yield bytes(line)
            line.clear()
            start = end + 1
        line += chunk[start : start + max_line + 1 - len(line)]
    if line:
        yield bytes(line)


def _outcome(result: LineResult) -> str:
    if result.accepted is None:
        return "refused"
    return "repeated" if result.accepted.repeated else "accepted"


def _line(promising: Promising, issuer: Issuer, result: LineResult) -> dict[str, Any]:
    if result.error is not None:
        return {"line": result.line, "error": problem_of(result.error).to_json()}
    if result.accepted is None:
        raise AssertionError(f"line {result.line} has neither answer nor error")
    line: dict[str, Any] = {
        "line": result.line,
        "id": result.accepted.id,
        "anchoredBefore": time_text(result.accepted.promised_at),
        "repeated": result.accepted.repeated,
        "promise": promising.promise(issuer, result.accepted),
    }
    return line | ({"unmapped": list(result.accepted.unmapped)} if result.accepted.unmapped else {})


class SpoolResponse(StreamingResponse):
    """Sends a spool, and closes it however that ends."""

    def __init__(self, spool: Spool, media_type: str) -> None:
        super().__init__(iter(lambda: spool.read(_PIECE), b""), media_type=media_type)
        self._spool = spool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._spool.close()
