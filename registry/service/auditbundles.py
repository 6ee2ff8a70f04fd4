"""Bundles from a folder, held against one view of the chain; on all cores where there are many."""

import gc
import json
import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anchors.base import Chain
from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.audit_credentials import NOWHERE, CredentialAudit, Examined, Lists
from registry.core.audit_issuers import Speakers
from registry.core.audit_plain import PlainAudit
from registry.core.bundle import MAX_BUNDLE_BYTES, TYPE, parse_bundle, read_bundle
from registry.core.bundle_reading import BundleReader
from registry.core.canonical import canonicalize, parse_json
from registry.core.credential import is_enveloped
from registry.core.declared import Declared
from registry.core.errors import InputError
from registry.core.model import Bundle
from registry.core.notation import hex_text, short
from registry.service.auditmemory import BundleMemory, Used

if TYPE_CHECKING:
    from registry.service.auditsignatures import SignatureAudit

__all__ = ["BundleAudit", "bundle_files", "printable_name"]

_MANY = 10_000  # files, below which further processes cost more than they save
_MANY_SIGNED = 500  # the same where proofs are judged, at a millisecond and more each
_CHUNK = 500  # files for one process at a time
_AHEAD = 4  # chunks under way for each process
_PARTS = {"leaf", "inclusion", "anchors"}
_ASKED = 100  # transactions that did not anchor the batch for which they are named, and bundles of each

# Of each file what it shows (None: it could not be read), and what it was judged by (None: it has to be examined again
# in any case); and why something could not be audited.
_Answer = tuple[list[Examined | None], list[Used | None], list[str]]
_Documents = Mapping[tuple[bytes, str], Mapping[str, Any]]


def bundle_files(place: Path) -> list[str]:
    """A file, or the *.json in a folder by name: texts, as a million paths would take ten times as long to sort.

    Raises InputError if there is nothing.
    """
    if not place.is_dir():
        return [str(place)]
    try:
        with os.scandir(place) as entries:
            found = sorted(entry.name for entry in entries if entry.name.lower().endswith(".json"))
    except OSError as error:
        raise InputError(f"{place} cannot be read: {error.strerror}.") from error
    if not found:
        raise InputError(f"There are no *.json files in {place}.")
    return [f"{place}/{name}" for name in found]


class BundleAudit:
    """``leaves``: of batches on chain, where the right ones were published. ``processes``: 0 for every core.

    ``documents``: published DID documents, by issuer's address and DID; None: the proofs of credentials are not judged,
    and those of bundles only where there are no leaves. ``memory``: what earlier audits found nothing in, and need not
    be read again. ``issuers``: those that ``view`` is about, None: all; bundles of others are passed over. ``lists``:
    which status entries speak of the chain's bits. ``bases``: below which addresses each issuer (address, DID) has its
    lists, to place credentials that come without a bundle. ``speakers``: whose credentials an address may anchor; None:
    that is not asked.
    """

    def __init__(
        self,
        view: ChainView,
        leaves: dict[BatchKey, bytes],
        declared: Declared | None = None,
        processes: int = 0,
        documents: _Documents | None = None,
        memory: BundleMemory | None = None,
        issuers: Collection[bytes] | None = None,
        lists: Lists | None = None,
        bases: Mapping[str, tuple[bytes, str]] | None = None,
        speakers: Speakers | None = None,
    ) -> None:
        self._part = _Part(_Given(view, leaves, declared, documents, issuers, lists, bases or {}, speakers))
        self._many = _MANY if documents is None else _MANY_SIGNED
        self.audit = self._part.audit
        self.count = 0
        self.incomplete: dict[str, None] = {}  # in order; a million bundles may all say the same
        self._processes = processes or os.cpu_count() or 1
        self._memory = memory
        self._asked: dict[bytes, list[Examined]] = {}

    def run(self, paths: Sequence[str | Path]) -> Iterator[Finding]:
        """In the order of ``paths``, whoever examines them: the same folder gives the same findings."""
        memory = self._memory
        if memory is None:
            for item, _, _ in self._examine(paths, range(len(paths))):
                yield from self._note(item)
            return
        with memory:
            fresh = memory.look(paths)
            for item, used, number in self._examine(paths, fresh):
                yield from self._recall(memory, paths, number)
                found = self._note(item)
                yield from found
                memory.add(number, item or Examined(), None if found else used)
            if fresh or memory.changed:
                yield from self._recall(memory, paths, len(paths))
            memory.close()
            self.count += memory.count
            self.audit.delays.merge(memory.delays.counts)

    def _recall(self, memory: BundleMemory, paths: Sequence[str | Path], end: int) -> Iterator[Finding]:
        """What is remembered of the files before ``end``, held against what is new."""
        for number in memory.pass_over(end, self.audit.recall):
            [item], _, incomplete = self._part.examine([paths[number]])
            self.incomplete |= dict.fromkeys(incomplete)
            yield from self._note(item)

    def _examine(
        self, paths: Sequence[str | Path], numbers: Sequence[int]
    ) -> Iterator[tuple[Examined | None, Used | None, int]]:
        alone = self._processes == 1 or len(numbers) < self._many
        chunks = ([paths[number] for number in numbers[at : at + _CHUNK]] for at in range(0, len(numbers), _CHUNK))
        place = iter(numbers)
        for examined, used, incomplete in map(self._part.examine, chunks) if alone else self._together(chunks):
            self.incomplete |= dict.fromkeys(incomplete)
            yield from zip(examined, used, place, strict=False)  # place goes on behind the chunk

    def _note(self, item: Examined | None) -> Sequence[Finding]:
        if item is None:
            return ()
        self.count += not item.findings or item.where != NOWHERE
        if item.transaction is not None:
            self._ask(item.transaction, item)
        return self.audit.note(item)

    def _ask(self, transaction: bytes, item: Examined) -> None:
        """Later, of so many transactions and so many bundles of each."""
        if transaction in self._asked or len(self._asked) < _ASKED:
            items = self._asked.setdefault(transaction, [])
            if len(items) < _ASKED:
                items.append(item)

    def ask_transactions(self, chain: Chain) -> Iterator[Finding]:
        """Bundles that name a transaction which did not anchor their batch: what became of that.

        One that anchored another batch in the contract is no other contract's. Raises ChainError.
        """
        here = {batch.transaction for batch in self._part.given.view.history}
        for transaction, items in self._asked.items():
            state = None if transaction in here else chain.transaction(transaction)
            if state is not None and state.succeeded:
                expected = "a transaction that anchored the batch in this contract"
                observed = f"{hex_text(transaction)} in block {state.block_number}, which did not"
                for item in items:
                    yield find("bundle_transaction_elsewhere", expected, observed, item.where)

    def _together(self, chunks: Iterator[list[str | Path]]) -> Iterator[_Answer]:
        # spawn: a fork would take along the connections and threads of this process.
        with ProcessPoolExecutor(self._processes, get_context("spawn"), _start, (self._part.given,)) as pool:
            waiting = [pool.submit(_examine, chunk) for chunk in islice(chunks, self._processes * _AHEAD)]
            while waiting:
                yield waiting.pop(0).result()
                waiting += [pool.submit(_examine, chunk) for chunk in islice(chunks, 1)]


@dataclass(frozen=True, slots=True)
class _Given:
    view: ChainView
    leaves: dict[BatchKey, bytes]
    declared: Declared | None
    documents: _Documents | None
    issuers: Collection[bytes] | None
    lists: Lists | None
    bases: Mapping[str, tuple[bytes, str]]
    speakers: Speakers | None


class _Part:
    """What one process does: reads, parses and examines. It keeps nothing of what it has seen."""

    def __init__(self, given: _Given) -> None:
        self.given = given
        self._signatures = None if given.documents is None else _judge(given.view, given.documents)
        self.audit = CredentialAudit(
            given.view,
            given.leaves.get,
            given.declared,
            given.lists,
            given.speakers,
            paths=given.documents is not None,
        )
        self._plain = PlainAudit(given.view, given.bases, given.declared)
        self._reader = BundleReader()

    def examine(self, paths: Sequence[Path | str]) -> _Answer:
        """Without the collector of cycles: JSON has none, and looking for them in it takes a fifth of the time."""
        collecting = gc.isenabled()
        gc.disable()
        try:
            return self._examine(paths)
        finally:
            if collecting:
                gc.enable()

    def _examine(self, paths: Sequence[Path | str]) -> _Answer:
        found: list[Examined | None] = []
        used: list[Used | None] = []
        incomplete: list[str] = []
        for path in paths:
            before = len(incomplete)
            name = _name(path)
            remembered, examined = False, None
            try:
                opened = self._open(path, name)
                if isinstance(opened, tuple):
                    remembered, examined = True, self._examine_bundle(*opened, name, incomplete)
                elif isinstance(opened, Finding):
                    examined = Examined((opened,))
                else:
                    examined = self._examine_alone(opened, name, incomplete)
            except OSError as error:
                incomplete.append(f"{name} cannot be read: {error.strerror}.")
            except InputError as error:
                incomplete.append(f"{name} was not audited: {error}.")
            found.append(examined)
            used.append(self._used(examined) if remembered and len(incomplete) == before else None)
        return found, used, incomplete

    def _open(self, path: Path | str, name: str) -> tuple[Bundle, bytes | None] | dict[str, Any] | Finding:
        """A bundle, with its credential's canonical form; a credential without one; or what is said of anything else.

        Raises OSError.
        """
        try:
            data = _read(path)
            return self._reader.read(data) or _read_otherwise(data, name)
        except InputError as error:
            return find("credential_unreadable", "a bundle", short(str(error), 300), Where(source=name))

    def _examine_bundle(
        self, bundle: Bundle, canonical: bytes | None, name: str, incomplete: list[str]
    ) -> Examined | None:
        if self._is_anothers(bundle):
            return None
        examined = self.audit.examine(bundle, name, canonical, _in_envelope(bundle.credential))
        if examined.doubt is not None:
            incomplete.append(f"{examined.doubt}.")
        return self._with_signature(bundle, examined, incomplete)

    def _examine_alone(self, value: dict[str, Any], name: str, incomplete: list[str]) -> Examined | None:
        """A credential without its bundle. Raises InputError where its place cannot be told."""
        # Here, for the same reason as in _judge.
        from registry.service.judging import open_credential

        clear, _ = open_credential(value)
        if clear is None:
            raise InputError("it is enveloped in a way that is not known here")
        examined = self._plain.examine(clear, name)
        if self.given.issuers is not None and examined.where.issuer not in self.given.issuers:
            return None
        if self._signatures is None:
            return examined
        found = tuple(self._signatures.examine(value, None, examined.where, incomplete, alone=True))
        return examined._replace(findings=(*examined.findings, *found))

    def _is_anothers(self, bundle: Bundle) -> bool:
        """Whether it has an anchor in the contract, and none of an issuer whom the audit is about."""
        issuers, here = self.given.issuers, (self.given.view.chain_id, self.given.view.contract)
        if issuers is None:
            return False
        found = [anchor.issuer for anchor in bundle.anchors if (anchor.chain_id, anchor.contract) == here]
        return bool(found) and not any(issuer in issuers for issuer in found)

    def _used(self, examined: Examined | None) -> Used | None:
        if examined is None or examined.findings:
            return None
        if self._signatures is None:
            return ()
        return None if self._signatures.excused else self._signatures.used()

    def _with_signature(self, bundle: Bundle, examined: Examined, incomplete: list[str]) -> Examined:
        """What is not the anchored credential has no time at which its proofs could be judged."""
        if self._signatures is None or any(item.code == "credential_not_in_batch" for item in examined.findings):
            return examined
        found = tuple(self._signatures.examine(bundle.credential, bundle.issuer_document, examined.where, incomplete))
        return examined._replace(findings=(*examined.findings, *found)) if found else examined


def _in_envelope(credential: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The credential in an envelope; None where it is none, or cannot be opened."""
    if credential is None or not is_enveloped(credential):
        return None
    # Here, for the same reason as in _judge.
    from registry.service.judging import open_credential

    return open_credential(credential)[0]


def _judge(view: ChainView, documents: _Documents) -> "SignatureAudit":
    """Loaded where it is needed: what judges proofs takes each process a third of a second."""
    from registry.service.auditsignatures import SignatureAudit

    return SignatureAudit(view, documents)


_part: _Part | None = None


def _start(given: _Given) -> None:
    global _part  # noqa: PLW0603 - what each process of the pool is given once
    _part = _Part(given)


def _examine(paths: list[str | Path]) -> _Answer:
    if _part is None:
        raise AssertionError("a process of the pool was not started")
    return _part.examine(paths)


def _read_otherwise(data: bytes, name: str) -> tuple[Bundle, bytes | None] | dict[str, Any] | Finding:
    """What has a part of a bundle, or is no JSON object, may have been one. Raises InputError."""
    try:
        value = parse_json(data, MAX_BUNDLE_BYTES)
    except InputError:
        value = None  # a bundle may be a level deeper than a credential
    if not isinstance(value, dict) or _PARTS & value.keys() or value.get("type") == TYPE:
        bundle = parse_bundle(data) if value is None else read_bundle(value)
        return bundle, None if bundle.credential is None else canonicalize(bundle.credential)
    types = value.get("type")
    listed = types if isinstance(types, list) else [types]
    if "VerifiableCredential" in listed or "EnvelopedVerifiableCredential" in listed:
        return value
    return find("not_a_bundle", "a bundle", f"JSON of the type {short(json.dumps(types), 100)}", Where(source=name))


def printable_name(name: str) -> str:
    """A file's name as text: bytes that are none are escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _name(path: Path | str) -> str:
    text = os.fspath(path)
    name = text[text.rfind("/") + 1 :]
    return name if name.isascii() else printable_name(name)


def _read(path: Path | str) -> bytes:
    """A byte more than a bundle may have, at most. Neither a pipe nor a device is waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InputError("it is no regular file")
        if status.st_size > MAX_BUNDLE_BYTES:
            raise InputError(f"it has {status.st_size} bytes; at most {MAX_BUNDLE_BYTES} are read")
        return os.read(descriptor, status.st_size + 1)
    finally:
        os.close(descriptor)
