"""What an audit keeps for the next one: what it need not read again, and what must not have changed since.

One JSON file, written as a whole or not at all, a folder beside it with the leaves that were found to be the anchored
ones, and a file about bundles (``auditmemory``). All can be deleted: without the first, the next audit begins anew and
has nothing to compare with; what the others hold is read again.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from registry.core.audit import BatchKey
from registry.core.audit_chain import AnchoredBatch, Claim
from registry.core.canonical import parse_json
from registry.core.declared import DeclaredDelays
from registry.core.errors import InputError, ShapeError
from registry.core.model import BatchRecord, BlockRef, StatusWords
from registry.core.notation import chain_text, hex_text, moment_text, parse_chain, parse_hex
from registry.service.chainreading import History, Remembered
from registry.service.published import FolderMaterial, MaterialMalformed, MaterialUnavailable, leaves_path

__all__ = ["AuditState", "Listed", "SeenKey", "SeenTemplate", "StateFile"]

_TYPE = "AuditState"
_VERSION = 5
_MAX_BYTES = 1 << 30

_log = logging.getLogger(__name__)

ListKey = tuple[str, bytes, str, int]  # publication, issuer, purpose, number

_hash = partial(parse_hex, length=32, prefix="")
_address = partial(parse_hex, length=20, prefix="")


@dataclass(frozen=True, slots=True)
class SeenTemplate:
    """``served``: whether what was served had the digest. ``name``, ``first_used``: as it was listed, None if that is
    not known.
    """

    digest: str
    served: bool
    name: str | None = None
    first_used: int | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """What a publication said of a batch. ``leaves``: the SHA-256 of what it served, once that was the anchored one.

    ``stamp``: what the file system said of the file that they were read from, where they are in one. The last two: what
    was declared of it first.
    """

    size: int
    revoked: bool | None
    leaves: bytes | None
    stamp: bytes | None = None
    accepted_from: int | None = None
    declared_delay: int | None = None


@dataclass(frozen=True, slots=True)
class SeenKey:
    """A key that signs credentials, as a DID document had it: SHA-256 of the key, and when it counts (Unix time)."""

    digest: bytes
    since: int | None
    until: int | None

    def __str__(self) -> str:
        since, until = ("" if moment is None else moment_text(moment) for moment in (self.since, self.until))
        return f"counting {f'from {since}' if since else 'from the beginning'} {f'to {until}' if until else 'for good'}"


@dataclass
class AuditState:
    """``lists``: what publications showed as status lists: name and issuer, purpose, number; time and bits as shown.
    ``bases``: below which address they were, by name and issuer.
    ``keys``: of DID documents, by verification method; ``contexts``, ``schemas``: digests by publication and URL;
    ``templates``: by publication, issuer and URL what was said of each. ``delays``: what each issuer declared, by
    publication.

    ``turns``: by publication, the last batch whose leaves were read again by turns.

    ``block`` is where the last audit stood, ``remembered`` what it read up to a block that no longer changes.

    ``lost`` are anchors that were final and are gone, ``revoked`` and ``voided`` what was once seen revoked for good,
    by issuer and word, and by batch. ``findings`` are those of the last audits by their
    fingerprints, ``pending`` the events that nobody has taken yet.
    """

    chain_id: int
    contract: bytes
    block: BlockRef | None = None
    remembered: Remembered | None = None
    lost: list[AnchoredBatch] = field(default_factory=list)
    revoked: dict[tuple[bytes, int], int] = field(default_factory=dict)
    voided: set[BatchKey] = field(default_factory=set)
    materials: dict[str, dict[BatchKey, Listed]] = field(default_factory=dict)
    turns: dict[str, BatchKey] = field(default_factory=dict)
    lists: dict[ListKey, tuple[int, str]] = field(default_factory=dict)
    bases: dict[tuple[str, bytes], str] = field(default_factory=dict)
    keys: dict[tuple[str, str], dict[str, SeenKey]] = field(default_factory=dict)
    contexts: dict[tuple[str, str], str] = field(default_factory=dict)
    schemas: dict[tuple[str, str], str] = field(default_factory=dict)
    templates: dict[tuple[str, bytes, str], SeenTemplate] = field(default_factory=dict)
    delays: dict[tuple[str, bytes], DeclaredDelays] = field(default_factory=dict)
    findings: dict[str, dict[str, Any]] = field(default_factory=dict)
    pending: list[dict[str, Any]] = field(default_factory=list)
    reorganised: bool = False  # whether the last audit's block is gone; not kept in the file
    same_until: int = 0  # where it is: the time (Unix seconds) of a block that is on both branches; not kept either


class StateFile:
    """``write`` writes a file as a whole or not at all. One audit at a time may use it."""

    def __init__(self, path: Path, write: Callable[[Path, bytes], bool]) -> None:
        self._path = path
        self._write = write
        self._leaves = path.with_name(f"{path.name}.leaves")
        self._told = False
        self.bundles = path.with_name(f"{path.name}.bundles")

    def load(self, chain_id: int, contract: bytes) -> AuditState:
        """An empty one where there is no file yet. Raises InputError: unreadable, or about something else."""
        if self._path.exists() and not self._path.is_file():
            raise InputError(f"{self._path} is no file: name another one.")
        try:
            with self._path.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return AuditState(chain_id, contract)
        try:
            state = _parse(data)
        except InputError as error:
            raise InputError(f"{self._path} is no state of an audit: {error}. Delete it to begin anew.") from error
        if (state.chain_id, state.contract) != (chain_id, contract):
            about = f"{chain_text(state.chain_id)}, {hex_text(state.contract)}"
            raise InputError(f"{self._path} is about another contract ({about}): name a file for each.")
        return state

    def save(self, state: AuditState) -> None:
        """A crash before the end leaves the former state: what it reported is then reported again, never lost.

        Raises OSError.
        """
        self._write(self._path, orjson.dumps(_state_to_json(state)))

    def leaves(self, key: BatchKey, size: int, digest: bytes) -> bytes | None:
        """The leaves of an earlier audit; None if they are not there as they were, and have to be read again."""
        try:
            found = FolderMaterial(self._leaves).leaves(key, size)
        except (MaterialMalformed, MaterialUnavailable):
            return None
        return found if found is not None and sha256(found).digest() == digest else None

    def keep_leaves(self, key: BatchKey, leaves: bytes) -> None:
        """Where they cannot be written (a full disk), that is said once: the next audit reads them again."""
        try:
            self._write(self._leaves / leaves_path(key), leaves)
        except OSError as error:
            if not self._told:
                _log.warning(
                    "%s cannot be written (%s): the next audit reads leaves again.", self._leaves, error.strerror
                )
            self._told = True


def _state_to_json(state: AuditState) -> dict[str, Any]:
    known = state.remembered
    return {
        "type": _TYPE,
        "version": _VERSION,
        "chain": chain_text(state.chain_id),
        "contract": hex_text(state.contract),
        "block": _block_to_json(state.block),
        "settled": None if known is None else _history_to_json(known.history, known.records),
        "lost": [_batch_to_json(item) for item in state.lost],
        "revoked": [[issuer.hex(), word, f"{bits:x}"] for (issuer, word), bits in sorted(state.revoked.items())],
        "voided": [_key(key) for key in sorted(state.voided)],
        "materials": [
            {
                "name": name,
                "batches": [
                    [
                        *_key(key),
                        item.size,
                        item.revoked,
                        _hex(item.leaves),
                        _hex(item.stamp),
                        item.accepted_from,
                        item.declared_delay,
                    ]
                    for key, item in sorted(listed.items(), key=lambda pair: pair[0])
                ],
            }
            for name, listed in sorted(state.materials.items())
        ],
        "turns": [[name, *_key(key)] for name, key in sorted(state.turns.items())],
        "lists": [
            [name, issuer.hex(), purpose, number, made, bits]
            for (name, issuer, purpose, number), (made, bits) in sorted(state.lists.items())
        ],
        "bases": [[name, issuer.hex(), base] for (name, issuer), base in sorted(state.bases.items())],
        "keys": [
            [name, did, method, key.digest.hex(), key.since, key.until]
            for (name, did), keys in sorted(state.keys.items())
            for method, key in sorted(keys.items())
        ],
        "contexts": [[name, url, digest] for (name, url), digest in sorted(state.contexts.items())],
        "schemas": [[name, url, digest] for (name, url), digest in sorted(state.schemas.items())],
        "templates": [
            [name, issuer.hex(), url, seen.digest, seen.served, seen.name, seen.first_used]
            for (name, issuer, url), seen in sorted(state.templates.items())
        ],
        "delays": [[name, issuer.hex(), [*delays]] for (name, issuer), delays in sorted(state.delays.items())],
        "findings": dict(sorted(state.findings.items())),
        "pending": state.pending,
    }


def _history_to_json(history: History, records: Mapping[BatchKey, BatchRecord]) -> dict[str, Any]:
    return {
        "block": _block_to_json(history.block),
        "batches": [_batch_to_json(item) for item in history.batches],
        "issuers": sorted(issuer.hex() for issuer in history.issuers),
        "voided": [[*_key(key), block] for key, block in sorted(history.voided.items())],
        "words": [
            [issuer.hex(), word, block, f"{words.revoked:x}", f"{words.suspended:x}"]
            for (issuer, word), states in sorted(history.changes.items())
            for block, words in states
        ],
        "claims": [
            [claim.issuer.hex(), claim.did, claim.document_hash.hex(), claim.claimed_at] for claim in history.claims
        ],
        "revocations": sorted(history.revocations.items()),
        "first": history.first,
        "since": history.since,
        "records": [
            [*_key(key), record.size, record.anchored_at, record.revoked_at, record.block_number]
            for key, record in sorted(records.items(), key=lambda pair: pair[0])
        ],
    }


def _batch_to_json(batch: AnchoredBatch) -> list[Any]:
    return [*_key(batch.key), batch.size, batch.block_number, batch.block_hash.hex(), batch.transaction.hex()]


def _block_to_json(block: BlockRef | None) -> list[Any] | None:
    return None if block is None else [block.number, block.hash.hex(), block.timestamp]


def _hex(value: bytes | None) -> str | None:
    return value.hex() if value else None


def _key(key: BatchKey) -> list[Any]:
    return [key.issuer.hex(), key.first, key.root.hex()]


def _template(digest: str, served: bool, name: str | None = None, first_used: int | None = None) -> SeenTemplate:
    """Former versions of this program did not keep the last two."""
    return SeenTemplate(digest, served, name if name is None else str(name), _moment(first_used))


def _parse(data: bytes) -> AuditState:
    document = parse_json(data, _MAX_BYTES)
    try:
        if (document["type"], document["version"]) != (_TYPE, _VERSION):
            raise ShapeError("it is of another type or version")
        state = AuditState(parse_chain(document["chain"]), parse_hex(document["contract"], 20))
        state.block = _block(document["block"])
        state.remembered = None if document["settled"] is None else _remembered(document["settled"])
        state.lost = [_batch(row) for row in document["lost"]]
        state.revoked = {(_address(issuer), int(word)): int(bits, 16) for issuer, word, bits in document["revoked"]}
        state.voided = {_read_key(row) for row in document["voided"]}
        for item in document["materials"]:
            state.materials[str(item["name"])] = dict(_listed(row) for row in item["batches"])
        state.turns = {str(name): _read_key(key) for name, *key in document["turns"]}
        state.lists = {
            (str(name), _address(issuer), str(purpose), int(number)): (int(made), str(bits))
            for name, issuer, purpose, number, made, bits in document["lists"]
        }
        state.bases = {(str(name), _address(issuer)): str(base) for name, issuer, base in document["bases"]}
        for name, did, method, digest, since, until in document["keys"]:
            key = SeenKey(_hash(digest), _moment(since), _moment(until))
            state.keys.setdefault((str(name), str(did)), {})[str(method)] = key
        state.contexts = {(str(name), str(url)): str(digest) for name, url, digest in document["contexts"]}
        state.schemas = {(str(name), str(url)): str(digest) for name, url, digest in document["schemas"]}
        state.templates = {
            (str(name), _address(issuer), str(url)): _template(str(digest), bool(served), *said)
            for name, issuer, url, digest, served, *said in document["templates"]
        }
        state.delays = {
            (str(name), _address(issuer)): tuple((int(since), _moment(seconds)) for since, seconds in delays)
            for name, issuer, delays in document["delays"]
        }
        state.findings = {str(name): dict(value) for name, value in document["findings"].items()}
        state.pending = [dict(value) for value in document["pending"]]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ShapeError(f"it is not what an audit wrote ({type(error).__name__})") from error
    return state


def _moment(value: Any) -> int | None:
    return None if value is None else int(value)


def _remembered(value: dict[str, Any]) -> Remembered:
    history = History(
        block=_block(value["block"]),
        batches=[_batch(row) for row in value["batches"]],
        issuers={_address(issuer) for issuer in value["issuers"]},
        voided={_read_key(row): int(row[3]) for row in value["voided"]},
        claims=[
            Claim(_address(issuer), str(did), _hash(hashed), int(claimed_at))
            for issuer, did, hashed, claimed_at in value["claims"]
        ],
        revocations={int(number): int(count) for number, count in value["revocations"]},
        first=None if value["first"] is None else int(value["first"]),
        since=None if value["since"] is None else int(value["since"]),
    )
    for issuer, word, block, revoked, suspended in value["words"]:
        place, states = (_address(issuer), int(word)), StatusWords(int(revoked, 16), int(suspended, 16))
        history.changes.setdefault(place, []).append((int(block), states))
        history.told[place] = states
    records = {_read_key(row): BatchRecord(*map(int, row[3:7])) for row in value["records"]}
    return Remembered(history, records)


def _batch(row: list[Any]) -> AnchoredBatch:
    return AnchoredBatch(_read_key(row), int(row[3]), int(row[4]), _hash(row[5]), _hash(row[6]))


def _block(value: Any) -> BlockRef | None:
    return None if value is None else BlockRef(int(value[0]), _hash(value[1]), int(value[2]))


def _read_key(row: Iterable[Any]) -> BatchKey:
    issuer, first, root, *_ = row
    return BatchKey(_address(issuer), int(first), _hash(root))


def _listed(row: list[Any]) -> tuple[BatchKey, Listed]:
    size, revoked, leaves, stamp, accepted, delay = row[3:]
    return _read_key(row), Listed(
        int(size),
        revoked,
        None if leaves is None else _hash(leaves),
        None if stamp is None else bytes.fromhex(stamp),
        _moment(accepted),
        _moment(delay),
    )
