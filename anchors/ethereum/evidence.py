"""What a node says about batches, at one block: the reads behind ``read_evidence``.

In order, each a single JSON-RPC batch, however many queries there are:
 1. chain id, newest block, finalized block;
 2. pinned to the newest block's hash: the contract's code, the records, the status words, the claims of DIDs;
 3. for records that exist: the blocks that they name;
 4. those blocks' logs, and once more the pinned block, to see that the chain has not changed below us.
"""

from collections.abc import Sequence
from typing import Any

from anchors.base import EvidenceQuery, WrongContract
from anchors.ethereum.answers import Nonsense, parse_block, parse_data, parse_mapping
from anchors.ethereum.codec import keccak
from anchors.ethereum.reader import Views, hex_data, word_parts, words_of
from anchors.ethereum.rpc import Request, RpcError, Unavailable, usable
from registry.core.model import AnchorEvidence, AnchorLocation, BatchRecord, BlockRef, Claim, StatusWords

__all__ = ["read_evidence"]

_NOWHERE = AnchorLocation(None, None)


def read_evidence(views: Views, queries: Sequence[EvidenceQuery]) -> list[AnchorEvidence]:
    """One answer to each query, in order."""
    block, finalized = _newest(views)
    code_hash, answers = _state(views, queries, block)
    records = [record for record, _, _ in answers]
    for record in records:
        if record is not None and (record.block_number > block.number or record.anchored_at > block.timestamp):
            raise Nonsense("a record is younger than the block it was read at")
    locations = _locations(views, queries, records, block)
    return [
        AnchorEvidence(
            chain_id=views.chain_id,
            contract=views.contract,
            code_hash=code_hash,
            block=block,
            finalized=finalized,
            issuer=query.issuer,
            root=query.root,
            first_index=query.first_index,
            record=record,
            words=words,
            location=location,
            claims=claims,
        )
        for query, (record, words, claims), location in zip(queries, answers, locations, strict=True)
    ]


def _newest(views: Views) -> tuple[BlockRef, int | None]:
    node = views.node
    chain, newest, final = node.ask_all(
        [
            Request("eth_chainId", ()),
            Request("eth_getBlockByNumber", ("latest", False)),
            Request("eth_getBlockByNumber", ("finalized", False)),
        ]
    )
    node.accept_chain(chain)
    block = parse_block(usable(newest))
    if isinstance(final, RpcError):
        views.no_tag(final)
        return block, None
    # The node may have moved on between the answers: what is final cannot be newer than what we read.
    return block, None if final is None else min(parse_block(final).number, block.number)


def _state(
    views: Views, queries: Sequence[EvidenceQuery], block: BlockRef
) -> tuple[bytes, list[tuple[BatchRecord | None, dict[int, StatusWords], tuple[Claim, ...]]]]:
    parts = [word_parts(sorted(set(query.words))) for query in queries]
    calls: list[tuple[str, Sequence[Any]]] = [("eth_getCode", [hex_data(views.contract)])]
    for query, words in zip(queries, parts, strict=True):
        calls.append(views.call("batchOf", [query.issuer, query.root, query.first_index]))
        calls.extend(views.call("statusWordsOf", [query.issuer, part]) for part in words)
        calls.extend(views.call("claimedAt", [query.issuer, *claim]) for claim in query.claims)
    answers = iter(views.all_at_block(calls, block))
    code = parse_data(usable(next(answers)), "the contract's code")
    if not code:
        raise WrongContract(f"there is no contract at {hex_data(views.contract)} on chain {views.chain_id}")
    found = []
    for query, words in zip(queries, parts, strict=True):
        record = views.record(views.result("batchOf", next(answers)))
        bits = words_of(words, [views.result("statusWordsOf", next(answers)) for _ in words])
        times = [int(views.result("claimedAt", next(answers))[0]) for _ in query.claims]
        claims = tuple(Claim(*claim, time) for claim, time in zip(query.claims, times, strict=True))
        found.append((record, bits, claims))
    return keccak(code), found


def _locations(
    views: Views, queries: Sequence[EvidenceQuery], records: Sequence[BatchRecord | None], block: BlockRef
) -> list[AnchorLocation]:
    node = views.node
    numbers = sorted({record.block_number for record in records if record is not None})
    if not numbers:
        return [_NOWHERE] * len(records)
    answers = node.ask_all([Request("eth_getBlockByNumber", (hex(number), False)) for number in numbers])
    hashes = {
        number: found.hash
        for number, answer in zip(numbers, answers, strict=True)
        if (found := _old_block(answer, number)) is not None
    }
    topic = views.codec.topic("BatchAnchored")
    wanted = [
        (place, query, hashes[record.block_number])
        for place, (query, record) in enumerate(zip(queries, records, strict=True))
        if record is not None and record.block_number in hashes
    ]
    *logs, newest = node.ask_all(
        [
            Request(
                "eth_getLogs",
                (
                    {
                        "blockHash": hex_data(block_hash),
                        "address": hex_data(views.contract),
                        "topics": [hex_data(topic), hex_data(query.issuer.rjust(32, b"\0")), hex_data(query.root)],
                    },
                ),
            )
            for _, query, block_hash in wanted
        ]
        + [Request("eth_getBlockByNumber", (hex(block.number), False))]
    )
    again = usable(newest)
    if again is None or parse_block(again, number=block.number) != block:
        raise Unavailable(f"{node.name} reorganised its chain at block {block.number} while it was read")
    locations = [_NOWHERE] * len(records)
    for (place, query, block_hash), answer in zip(wanted, logs, strict=True):
        locations[place] = AnchorLocation(block_hash, _anchoring(views, query, block_hash, answer))
    return locations


def _old_block(answer: Any, number: int) -> BlockRef | None:
    if isinstance(answer, RpcError) and isinstance(answer.unusable(), Unavailable):
        return None  # pruned
    answer = usable(answer)
    return None if answer is None else parse_block(answer, number=number)


def _anchoring(views: Views, query: EvidenceQuery, block_hash: bytes, answer: Any) -> bytes | None:
    """The transaction whose log says that this batch was anchored; None if the node no longer has the logs."""
    if isinstance(answer, RpcError) and isinstance(answer.unusable(), Unavailable):
        return None
    logs = usable(answer)
    if not isinstance(logs, list):
        raise Nonsense("logs are not a list")
    for entry in logs:
        log = parse_mapping(entry, "a log")
        topics = log.get("topics")
        if (
            parse_data(log.get("blockHash"), "a log's block", length=32) != block_hash
            or parse_data(log.get("address"), "a log's address", length=20) != views.contract
            or not isinstance(topics, list)
        ):
            raise Nonsense("a log is not one of those that were asked for")
        event = views.codec.decode_event(
            [parse_data(topic, "a topic", length=32) for topic in topics], parse_data(log.get("data"), "a log's data")
        )
        if event is None or event[0] != "BatchAnchored":
            raise Nonsense("a log is not one of those that were asked for")
        fields = event[1]
        if (fields["issuer"], fields["root"], fields["first"]) == (query.issuer, query.root, query.first_index):
            return parse_data(log.get("transactionHash"), "a log's transaction", length=32)
    return None
