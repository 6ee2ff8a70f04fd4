"""Promises from files, their signatures held against the registry's published keys, then against what was anchored."""

import os
import stat
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import ChainView
from registry.core.audit_promises import PromiseAudit
from registry.core.canonical import parse_json
from registry.core.errors import InputError, JsonError
from registry.core.notation import short
from registry.core.promise import MAX_PROMISE_BYTES, Promise, parse_promise, signed_bytes
from registry.service.auditbundles import printable_name
from registry.service.published import MAX_DOCUMENT_BYTES, Material, MaterialUnavailable
from registry.standards.did.document import DidDocument, parse_did_document
from registry.standards.proofs.publickey import KeyKind
from registry.standards.proofs.report import KeyProblem

__all__ = ["PromiseFiles", "promise_files"]


def promise_files(place: Path) -> list[Path]:
    """A file, or what is in a folder. Raises InputError if there is nothing."""
    found = [place]
    if place.is_dir():
        found = sorted(path for path in place.iterdir() if path.suffix in (".json", ".ndjson"))
    if not found:
        raise InputError(f"There are no *.json and *.ndjson files in {place}.")
    return found


class PromiseFiles:
    """``run`` once. ``material``: the publication of the registry that is said to have promised; None if unread."""

    def __init__(self, view: ChainView, material: Material | None) -> None:
        self._audit = PromiseAudit(view)
        self._material = material
        self.count = 0
        self.incomplete: list[str] = []

    def run(self, paths: Sequence[Path], leaves: Mapping[BatchKey, bytes]) -> Iterator[Finding]:
        document = yield from self._document()
        if document is None:
            return
        for path in paths:
            name = printable_name(path.name)
            try:
                for number, data in _promises(path):
                    self.count += 1
                    yield from self._examine(data, f"{name}:{number}" if number else name, document)
            except OSError as error:
                self.incomplete.append(f"{name} cannot be read: {error.strerror}.")
            except InputError as error:
                yield _unreadable(error, name)
        yield from self._audit.finish(leaves)
        if self._audit.unread:
            self.incomplete.append(
                f"{self._audit.unread} promises are due whose leaves were not found, and not all leaves could be read."
            )

    def _document(self) -> Generator[Finding, None, DidDocument | None]:
        """The registry's keys, as the same publication has them."""
        material = self._material
        if material is None:
            self.incomplete.append("No publication was read, so no promise could be checked (--published).")
            return None
        try:
            data = material.own_document()
            if data is None:
                self.incomplete.append(f"{material.name} has no keys of the registry, so no promise could be checked.")
                return None
            content = parse_json(data, MAX_DOCUMENT_BYTES)
            did = content.get("id") if isinstance(content, dict) else None
            return parse_did_document(content, did if isinstance(did, str) else "")
        except MaterialUnavailable as error:
            self.incomplete.append(str(error))
        except InputError as error:
            where = Where(source=material.name)
            yield find("material_malformed", "the registry's DID document", short(str(error), 300), where)
            self.incomplete.append(f"The keys in {material.name} cannot be read, so no promise could be checked.")
        return None

    def _examine(self, data: bytes, source: str, document: DidDocument) -> Iterator[Finding]:
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
        if promise.key.partition("#")[0] != document.did:
            observed = f"one of {short(promise.key, 200)}"
            yield find("promise_other_registry", f"a promise of {document.did}", observed, where)
            return
        wrong = _wrong(promise, signature, document)
        if wrong is not None:
            yield find("promise_forged", "the registry's signature", wrong, where)
            return
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
