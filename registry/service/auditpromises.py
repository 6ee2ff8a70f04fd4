"""Promises from files, their signatures held against the registry's published keys, then against what was anchored."""

import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.audit_promises import PromiseAudit
from registry.core.canonical import parse_json
from registry.core.errors import InputError, JsonError
from registry.core.notation import short
from registry.core.promise import MAX_PROMISE_BYTES, Promise, parse_promise, signed_bytes
from registry.service.auditbundles import printable_name
from registry.service.auditregistries import Registries
from registry.standards.did.document import DidDocument
from registry.standards.proofs.publickey import KeyKind
from registry.standards.proofs.report import KeyProblem

__all__ = ["PromiseFiles", "promise_files"]


def promise_files(place: Path) -> list[Path]:
    """A file, or what is in a folder. Raises InputError if there is nothing."""
    found = [place]
    if place.is_dir():
        found = sorted(path for path in place.iterdir() if path.suffix.lower() in (".json", ".ndjson"))
    if not found:
        raise InputError(f"There are no *.json and *.ndjson files in {place}.")
    return found


class PromiseFiles:
    """``run`` once. ``registries``: those whose publications were read; None if none was. ``issuers``: those that
    ``view`` is about, None: all.
    """

    def __init__(
        self, view: ChainView, registries: Registries | None, issuers: Collection[bytes] | None = None
    ) -> None:
        self._audit = PromiseAudit(view)
        self._documents = {} if registries is None else registries.documents
        self._without_keys = ["no publication was read"] if registries is None else registries.without_keys
        self._unasked = [] if registries is None else registries.unasked
        self._issuers = issuers
        self._unknown = 0
        self.count = 0
        self.incomplete: list[str] = []

    def run(self, paths: Sequence[Path], leaves: Mapping[BatchKey, bytes]) -> Iterator[Finding]:
        """``leaves``: of each batch of which any publication has the anchored ones."""
        if not self._documents:
            reasons = "; ".join(self._without_keys)
            self.incomplete.append(f"No promise could be checked (--published): {reasons}.")
            return
        for path in paths:
            name = printable_name(path.name)
            try:
                for number, data in _promises(path):
                    self.count += 1
                    yield from self._examine(data, f"{name}:{number}" if number else name)
            except OSError as error:
                self.incomplete.append(f"{name} cannot be read: {error.strerror}.")
            except InputError as error:
                yield _unreadable(error, name)
        yield from self._audit.finish(leaves)
        if self._unknown:
            reasons = "; ".join(self._without_keys)
            self.incomplete.append(f"{self._unknown} promises by other keys could not be checked: {reasons}.")
        if self._audit.unread:
            self.incomplete.append(
                f"{self._audit.unread} promises are due whose leaves were not found, and not all leaves could be read."
            )

    def _examine(self, data: bytes, source: str) -> Iterator[Finding]:
        try:
            promise, signature = parse_promise(parse_json(data, MAX_PROMISE_BYTES))
        except InputError as error:
            yield _unreadable(error, source)
            return
        where = Where(issuer=promise.issuer, source=source)
        elsewhere = self._audit.elsewhere(promise, where)
        if elsewhere is not None:
            yield elsewhere
            return
        if self._issuers is not None and promise.issuer not in self._issuers:
            return  # the auditor left it out
        documents = self._documents.get(promise.key.partition("#")[0])
        if documents is None:
            if self._without_keys:
                self._unknown += 1
                return
            known = " or ".join(short(did, 200) for did in sorted(self._documents))
            observed = f"one of {short(promise.key, 200)}"
            yield find("promise_other_registry", f"a promise of {known}", observed, where)
            return
        # Copies of one registry's document may be of different age: that they differ is a finding of its own.
        wrong = [_wrong(promise, signature, document) for document in documents]
        if all(wrong) and self._unasked:
            self._unknown += 1
        elif all(wrong):
            yield find("promise_forged", "the registry's signature", wrong[0] or "", where)
        else:
            self._audit.add(promise, where)


def _wrong(promise: Promise, signature: bytes, document: DidDocument) -> str | None:
    """Why it is not the registry's signature; None if it is."""
    key = document.key(promise.key)
    if isinstance(key, KeyProblem):
        return key.detail
    if key.public_key.kind is not KeyKind.ED25519 or "assertionMethod" not in key.purposes:
        return "a key that is not for promises"
    since, until = key.valid_from, key.valid_until
    if (since is not None and promise.signed_at < since) or (until is not None and promise.signed_at >= until):
        return "made outside the time for which the key is valid"
    if not key.public_key.verifies(signature, signed_bytes(promise)):
        return "a signature that does not verify"
    return None


def _unreadable(error: InputError, source: str) -> Finding:
    return find("promise_unreadable", "a promise", short(str(error), 300), Where(source=source))


def _promises(path: Path) -> Iterator[tuple[int, bytes]]:
    """One promise in whatever layout (number 0), or one on each line. Neither a pipe nor a device is waited for.

    A line that is too long is cut off, and then refused for its length.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InputError("it is no regular file")
        if status.st_size <= MAX_PROMISE_BYTES:
            data = file.read(MAX_PROMISE_BYTES + 1)
            if _is_one(data):
                yield 0, data
                return
            file.seek(0)
        number = 0
        while line := file.readline(MAX_PROMISE_BYTES + 1):
            number += 1
            if line.strip() or len(line) > MAX_PROMISE_BYTES:
                yield number, line
            while line and not line.endswith(b"\n"):
                line = file.readline(1 << 16)


def _is_one(data: bytes) -> bool:
    try:
        parse_json(data)
    except JsonError:
        return b"\n" not in data.strip()
    return True
