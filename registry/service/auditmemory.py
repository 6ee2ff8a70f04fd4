"""What an audit remembers of bundles: one without any finding is not read again while its file is the same, and so is
all that it was judged by.

One file, written as a whole or not at all; some 120 bytes for each bundle. Without it all are read again.

    a line of JSON: type, version, chain, contract, rules (of the program and its options)
    for each bundle: the length of its file's name (one byte), the name, and what ``_FIXED`` packs
    a line of JSON: what bundles were judged by, each with a digest of how it looked
    how many bundles there are, where that line begins (8 bytes each), the SHA-256 of all before
"""

import json
import logging
import os
import stat
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from struct import Struct
from types import TracebackType
from typing import BinaryIO

from registry.core.audit import BatchKey
from registry.core.audit_chain import ChainView
from registry.core.audit_credentials import Examined, Lists
from registry.core.audit_figures import DELAYS, Delays
from registry.core.audit_issuers import Speakers
from registry.core.canonical import parse_json
from registry.core.declared import Declared
from registry.core.errors import InputError, ShapeError
from registry.core.notation import chain_text, hex_text, parse_hex
from registry.service.program import program_digest
from registry.service.stamps import STAMP_BYTES, stamp_of

__all__ = ["BundleMemory", "Grounds", "Used"]

Used = tuple[tuple[str, str], ...]  # DIDs whose document was looked up (with ""), or whose claim (with its hash)

_Ground = tuple[bytes, int, bytes, Used]  # a batch: issuer, first index, root

_TYPE, _VERSION = "AuditedBundles", 1
_FIXED = Struct(f"<{STAMP_BYTES}s32sqIB")  # stamp, identifier, index (-1: no identifier), ground, class of its delay
_INDEX, _GROUND = Struct("<q"), Struct("<I")
_AT_IDENTIFIER, _AT_INDEX, _AT_GROUND, _AT_CLASS = STAMP_BYTES, STAMP_BYTES + 32, STAMP_BYTES + 40, STAMP_BYTES + 44
_NO_DELAY = len(DELAYS) + 1
_END = Struct("<QQ")
_DIGEST = 32
_UNKNOWN = bytes(STAMP_BYTES)
_MAX_BYTES = 1 << 32
_MAX_HEADER = 1_000
_BUFFER = 1 << 20

_log = logging.getLogger(__name__)


class Grounds:
    """What bundles are judged by: the chain, leaves and documents of one audit.

    ``leaves``: of the batches whose anchored ones are at hand. ``document`` gives the SHA-256 of the DID document that
    counts for an issuer's address and a DID. ``lists``: which status entries speak of the chain's bits. ``declared``:
    within how many seconds of validFrom issuers anchor.
    """

    def __init__(
        self,
        view: ChainView,
        leaves: Mapping[BatchKey, bytes],
        document: Callable[[bytes, str], bytes | None] = lambda _address, _did: None,
        lists: Lists | None = None,
        speakers: Speakers | None = None,
        declared: Declared | None = None,
    ) -> None:
        self.view = view
        self._declared = declared or Declared()
        self._speakers = speakers or Speakers()
        self._lists = lists or Lists()
        self._hosts = sorted(self._lists.hosts)
        self._leaves = leaves
        self._document = document
        self._told = {batch.key: batch for batch in view.history}
        self._claims = {(claim.issuer, claim.did, claim.document_hash): claim.claimed_at for claim in view.claims}

    def digest(self, key: BatchKey, used: Used) -> bytes:
        """How that looks of it by which a bundle of this batch is judged. Leaves are in the root already."""
        record, told = self.view.records.get(key), self._told.get(key)
        base = self._lists.bases.get(key.issuer)
        looks = [
            None if record is None else [record.size, record.anchored_at, record.revoked_at, record.block_number],
            None if told is None else [told.size, told.block_number, told.block_hash.hex(), told.transaction.hex()],
            key in self._leaves,
            [self._look_up(key.issuer, *item) for item in used],
            base,
            sorted(address.hex() for address in self._lists.owners.get(base or "", ())),
            self._hosts,
            sorted(self._speakers.dids.get(key.issuer, {}).items(), key=str),
            key.issuer in self._speakers.incomplete,
            None if record is None else self._declared.at(key.issuer, record.anchored_at),
        ]
        return sha256(json.dumps(looks).encode()).digest()

    def _look_up(self, address: bytes, did: str, claimed: str) -> str | int | None:
        if claimed:
            return self._claims.get((address, did, bytes.fromhex(claimed)))
        found = self._document(address, did)
        return None if found is None else found.hex()


class BundleMemory:
    """For one audit: ``look`` at all files, then ``pass_over`` and ``add`` them in order, ``close`` at the end.

    ``options``: on what else the outcome depends. ``full``: nothing is taken for known, and all is remembered anew.
    ``count`` bundles are known; their ``delays`` too. As a context manager it leaves the file as it was unless closed.
    """

    def __init__(self, path: Path, grounds: Grounds, options: Sequence[object] = (), *, full: bool = False) -> None:
        self._path = path
        self._judged = grounds
        self._full = full
        self._header = {
            "type": _TYPE,
            "version": _VERSION,
            "chain": chain_text(grounds.view.chain_id),
            "contract": hex_text(grounds.view.contract),
            "rules": sha256(program_digest() + json.dumps(list(options)).encode()).hexdigest(),
        }
        self._old = b""
        self._first = self._last = 0  # where the bundles begin and end in it
        self._grounds: dict[_Ground, int] = {}
        self._good: list[bool] = []
        self._paths: Sequence[str | Path] = ()
        self._starts = array("Q")  # by file; 0: it is not known
        self._stamps = bytearray()  # of the files that are not known
        self._passed = self._added = self._upto = 0
        self._total = 0
        self._new: _Replacement | None = None
        self.count = 0
        self.delays = Delays()

    def __enter__(self) -> "BundleMemory":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._new is not None:
            self._new.abandon()

    @property
    def changed(self) -> bool:
        """Whether the file has to be written again, as far as is known by now."""
        return self._new is not None

    def look(self, paths: Sequence[str | Path]) -> Sequence[int]:
        """The positions of those that have to be examined, in order. None of them is read.

        ``paths``: in the order of their names, as a folder always gives them. What comes out of order is examined.
        """
        forgotten = not self._load()
        self._paths = paths
        old, good, at, last, counts = self._old, self._good, self._first, self._last, self.delays.counts
        fresh = array("Q")
        kept = 0
        now = time.time_ns()
        for number, path in enumerate(paths):
            name, start = _name(path), 0
            try:
                stamp = stamp_of(os.stat(path), now)  # noqa: PTH116 - a million times
            except OSError:
                stamp = None  # whoever examines it says so
            while at < last:
                fixed = at + 1 + old[at]
                known = old[at + 1 : fixed]
                if known == name:
                    start, at = at, fixed + _FIXED.size
                    break
                if known > name:
                    break
                at = fixed + _FIXED.size
            if start and stamp is not None and old[fixed : fixed + STAMP_BYTES] == stamp and at <= last:
                ground, delay = _GROUND.unpack_from(old, fixed + _AT_GROUND)[0], old[fixed + _AT_CLASS]
                if ground < len(good) and good[ground] and delay <= _NO_DELAY:
                    if delay < _NO_DELAY:
                        counts[delay] += 1
                    kept += 1
                    self._starts.append(start)
                    continue
            self._starts.append(0)
            fresh.append(number)
            self._stamps += stamp or _UNKNOWN
        self.count = kept
        self._upto = self._first
        if forgotten or kept != self._total:
            self._rewrite()
        return fresh

    def pass_over(self, end: int, fits: Callable[[bytes, int], bool]) -> Iterator[int]:
        """Keeps the known ones before position ``end``; gives those back that have to be examined after all.

        ``fits(identifier, index)`` tells whether a bundle goes together with the ones before it.
        """
        old, starts = self._old, self._starts
        for number in range(self._passed, end):
            start = starts[number]
            if not start:
                continue
            fixed = start + 1 + old[start]
            (index,) = _INDEX.unpack_from(old, fixed + _AT_INDEX)
            if index < 0 or fits(old[fixed + _AT_IDENTIFIER : fixed + _AT_INDEX], index):
                self._upto = fixed + _FIXED.size
                if self._new is not None:
                    self._new.write(old[start : self._upto])
                continue
            self._rewrite()
            self._upto = fixed + _FIXED.size
            self.count -= 1
            if old[fixed + _AT_CLASS] < _NO_DELAY:
                self.delays.counts[old[fixed + _AT_CLASS]] -= 1
            yield number
        self._passed = end

    def add(self, number: int, examined: Examined, used: Used | None) -> None:
        """Of the next one that had to be examined. ``used``: None if it is to be examined again the next time."""
        at = self._added * STAMP_BYTES
        self._added += 1
        stamp, name, where = bytes(self._stamps[at : at + STAMP_BYTES]), _name(self._paths[number]), examined.where
        if used is None or stamp == _UNKNOWN or len(name) > 255:
            return
        if where.issuer is None or where.first is None or where.root is None:
            return
        self._rewrite()
        ground = self._grounds.setdefault((where.issuer, where.first, where.root, used), len(self._grounds))
        delay = _NO_DELAY if examined.delay is None else Delays.place(max(examined.delay, 0))
        identifier, index = examined.identifier, where.index
        fixed = _FIXED.pack(
            stamp, identifier or b"", -1 if identifier is None or index is None else index, ground, delay
        )
        if self._new is not None:
            self._new.write(bytes([len(name)]) + name + fixed)
            self._new.count += 1

    def close(self) -> None:
        """After the last file. A crash before the end leaves the former memory, which is as good."""
        new = self._new
        if new is None:
            return
        began = new.length
        grounds = [
            [issuer.hex(), first, root.hex(), used, self._judged.digest(BatchKey(issuer, first, root), used).hex()]
            for issuer, first, root, used in self._grounds
        ]
        new.write(json.dumps(grounds).encode() + b"\n")
        new.write(_END.pack(self.count + new.count, began))
        new.commit()

    def _rewrite(self) -> None:
        """From here on the new file is another one than the old one; up to here they are the same."""
        if self._new is None:
            self._new = _Replacement(self._path)
            self._new.write(json.dumps(self._header).encode() + b"\n")
            self._new.write(self._old[self._first : self._upto])

    def _load(self) -> bool:
        """Whether what stands in the file, if there is one, counts."""
        try:
            data = _read(self._path)
            return data is None or (not self._full and self._parse(data))
        except (InputError, OSError) as error:
            _log.warning("%s is no memory of bundles (%s). All bundles are read again.", self._path, error)
        return False

    def _parse(self, data: bytes) -> bool:
        """Whether it is about what is audited now. Raises InputError."""
        end = len(data) - _END.size - _DIGEST
        if end < 0 or sha256(memoryview(data)[:-_DIGEST]).digest() != data[-_DIGEST:]:
            raise ShapeError("it was cut off or changed")
        total, began = _END.unpack_from(data, end)
        first = data.find(b"\n", 0, _MAX_HEADER) + 1
        if not 0 < first <= began <= end:
            raise ShapeError("it does not begin or end as one")
        try:
            header = parse_json(data[:first], _MAX_HEADER)
            if (header["type"], header["version"]) != (_TYPE, _VERSION):
                raise ShapeError("it is of another type or version")
            if (header["chain"], header["contract"]) != (self._header["chain"], self._header["contract"]):
                raise ShapeError(f"it is about another contract, {header['contract']} on {header['chain']}")
            if header["rules"] != self._header["rules"]:
                _log.info("Another version of the program, or other options: all bundles are read again.")
                return False
            grounds: dict[_Ground, int] = {}
            good = []
            for issuer, start, root, used, looked in parse_json(data[began:end], end - began):
                key = BatchKey(parse_hex(issuer, 20, ""), int(start), parse_hex(root, 32, ""))
                names = tuple((str(did), str(claimed)) for did, claimed in used)
                good.append(self._judged.digest(key, names).hex() == looked)
                grounds[key.issuer, key.first, key.root, names] = len(grounds)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise ShapeError(f"it is not what an audit wrote ({type(error).__name__})") from error
        self._old, self._first, self._last = data, first, began
        self._grounds, self._good, self._total = grounds, good, total
        return True


class _Replacement:
    """A file beside another one, which takes its place when it is whole.

    Where it cannot be written (a full disk), that is said once, and the other file stays as it was: an audit does not
    end because it cannot be made shorter.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary: Path | None = None
        self._file: BinaryIO | None = None
        self._digest = sha256()
        self._buffer = bytearray()
        self.length = self.count = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            self._temporary, self._file = Path(name), os.fdopen(descriptor, "wb", buffering=0)
        except OSError as error:
            self._give_up(error)

    def write(self, data: bytes) -> None:
        self.length += len(data)
        self._buffer += data
        if len(self._buffer) >= _BUFFER:
            self._flush()

    def commit(self) -> None:
        """Ends it with its digest."""
        self._flush()
        self._put(self._digest.digest())
        if self._file is not None and self._temporary is not None:
            try:
                self._file.close()
                self._temporary.replace(self._path)
            except OSError as error:
                self._give_up(error)

    def abandon(self) -> None:
        """Nothing is left of it, unless it has taken the other one's place."""
        file, self._file = self._file, None
        with suppress(OSError):
            if file is not None:
                file.close()
            if self._temporary is not None:
                self._temporary.unlink(missing_ok=True)

    def _flush(self) -> None:
        self._digest.update(self._buffer)
        self._put(bytes(self._buffer))
        self._buffer.clear()

    def _put(self, data: bytes) -> None:
        try:
            rest = memoryview(data)
            while self._file is not None and rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        _log.warning("%s cannot be written (%s): the next audit reads bundles again.", self._path, error.strerror)
        self.abandon()


def _read(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
            raise ShapeError("it is no regular file, or too large")
        return file.read(_MAX_BYTES)


def _name(path: str | Path) -> bytes:
    """Names have the same order as bytes that they have as text: code point by code point."""
    text = os.fspath(path)
    return text[text.rfind("/") + 1 :].encode("utf-8", "surrogatepass")
