"""Accepting credentials: each gets an index, a salt and a leaf in the same transaction that stores it.

A chunk of an import is shuffled before it gets its indexes: neighbouring status bits must not tell who stood next to
whom in an alphabetical list. The answer is an id and a promise, never the index: that is provisional until the batch's
anchor is final.

A crash before the commit leaves nothing behind; after it, the same request with the same idempotency key gets the same
answer.
"""

import base64
import datetime as dt
import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, insert, select, update

from registry.core import canonical, leaf
from registry.core.credential import unix_time
from registry.core.errors import JsonError
from registry.core.status import list_and_entry
from registry.service.context import Context
from registry.service.errors import ConflictError, InvalidError, NotReadyError, ServiceError
from registry.service.issuers import Issuer, lock_issuer
from registry.store.tables import credentials, issuers

__all__ = ["Accepted", "Issuing", "LineResult", "Submission", "credential_status", "secure"]

_CHUNK = 1000
_CHUNK_BYTES = 8 << 20  # of documents in one transaction, and in memory
_CONTEXT_V2 = "https://www.w3.org/ns/credentials/v2"


@dataclass(frozen=True, slots=True)
class Submission:
    """One unsigned credential, as parsed by core. ``line`` is where it stood in an import, ``size`` its bytes there."""

    document: Any
    idempotency_key: str | None = None
    line: int | None = None
    size: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """The issuer's answer: the registry's id, and until when it promises to have the credential anchored."""

    id: str
    promised_at: int
    repeated: bool  # the same request was accepted before


@dataclass(frozen=True, slots=True)
class LineResult:
    """What became of one line of an import: exactly one of the two is set."""

    line: int
    accepted: Accepted | None
    error: ServiceError | None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A submission that passed all checks that need no database."""

    document: dict[str, Any]
    external_id: str
    request_digest: bytes
    submission: Submission


class Issuing:
    """Takes credentials in. Safe to use from several threads and processes at once."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def submit(self, issuer: Issuer, document: Any, idempotency_key: str | None = None) -> Accepted:
        """Takes one credential. Raises InvalidError, ConflictError (id or key reused), NotReadyError (halted)."""
        answer = self._submit_chunk(issuer, [Submission(document, idempotency_key)])[0]
        if isinstance(answer, ServiceError):
            raise answer
        return answer

    def import_lines(self, issuer: Issuer, lines: Iterable[bytes], idempotency_key: str | None) -> Iterator[LineResult]:
        """Takes NDJSON, line by line; blank lines are skipped. A broken line is named and the rest taken.

        Reads and commits in chunks, so that memory does not grow with the file. A line may be cut off one byte beyond
        ``max_credential_bytes``: it is refused all the same. Raises NotReadyError when the issuer is halted on the way:
        what was yielded before stays accepted.
        """

        def parse(numbered: tuple[int, bytes]) -> Submission | LineResult:
            number, line = numbered
            if len(line) > limit:  # before white space is cut off: readers may have cut the line itself there
                message = f"Line {number} has more than {limit:,} bytes. Link to large evidence instead."
                return LineResult(number, None, InvalidError("too_large", message))
            try:
                document = canonical.parse_json(line.strip(), max_bytes=limit)
            except JsonError as error:
                return LineResult(number, None, InvalidError("not_json", f"Line {number}: {error}"))
            return Submission(document, _line_key(idempotency_key, number), number, len(line))

        limit = self._context.rules.max_credential_bytes
        numbered = enumerate(lines, start=1)
        filled = ((number, line) for number, line in numbered if len(line) > limit or line.strip())
        yield from self.import_submissions(issuer, map(parse, filled))

    def import_submissions(self, issuer: Issuer, items: Iterable[Submission | LineResult]) -> Iterator[LineResult]:
        """The same for documents that are parsed already; items that failed before are passed through in place."""
        iterator = iter(items)
        while chunk := _take_chunk(iterator):
            submissions = [item for item in chunk if isinstance(item, Submission)]
            answers = iter(self._submit_chunk(issuer, submissions))
            for item in chunk:
                if isinstance(item, LineResult):
                    yield item
                    continue
                answer, line = next(answers), item.line or 0
                if isinstance(answer, ServiceError):
                    yield LineResult(line, None, answer)
                else:
                    yield LineResult(line, answer, None)

    def _submit_chunk(self, issuer: Issuer, submissions: Sequence[Submission]) -> list[Accepted | ServiceError]:
        """One transaction for all of them; the answers are in the order of the submissions."""
        prepared: list[_Prepared | ServiceError] = []
        for submission in submissions:
            try:
                prepared.append(self._prepare(issuer, submission))
            except ServiceError as error:
                prepared.append(error)
        good = [item for item in prepared if isinstance(item, _Prepared)]
        answers: dict[int, Accepted | ServiceError] = {}
        if good:
            with self._context.database.write() as connection:
                current = lock_issuer(connection, issuer.id)
                if current.halted:
                    raise NotReadyError("issuer_halted", current.halted)
                answers = self._settle_repeats(connection, issuer, good)
                self._insert(connection, current, [item for item in good if id(item) not in answers], answers)
        return [item if isinstance(item, ServiceError) else answers[id(item)] for item in prepared]

    def _prepare(self, issuer: Issuer, submission: Submission) -> _Prepared:
        """Checks a document and completes what the registry fills in; everything but the status entry."""
        document = submission.document
        if not isinstance(document, dict):
            raise InvalidError("not_an_object", "A credential is a JSON object.")
        _check_shape(document)
        completed = dict(document)
        completed["issuer"] = _with_issuer(document.get("issuer"), issuer)
        completed.setdefault("validFrom", _rfc3339(self._context.clock()))
        if "id" not in document:
            completed["id"] = uuid.UUID(bytes=self._context.random(16), version=4).urn
        digest = hashlib.sha256(_canonicalize(document)).digest()
        # Measured with the longest status entry, so that giving the index can't fail later.
        longest = _canonicalize({**completed, "credentialStatus": credential_status(issuer.status_base, 2**53 - 1)})
        if len(longest) > self._context.rules.max_credential_bytes:
            raise InvalidError(
                "too_large",
                f"The credential has {len(longest):,} bytes; at most {self._context.rules.max_credential_bytes:,} are "
                "taken. Link to large evidence instead of embedding it.",
            )
        return _Prepared(completed, completed["id"], digest, submission)

    def _settle_repeats(
        self, connection: Connection, issuer: Issuer, items: Sequence[_Prepared]
    ) -> dict[int, Accepted | ServiceError]:
        """Answers those whose idempotency key or credential id is known, from the database or from this chunk."""
        keys = [item.submission.idempotency_key for item in items if item.submission.idempotency_key]
        rows = connection.execute(
            select(
                credentials.c.id,
                credentials.c.promised_at,
                credentials.c.request_digest,
                credentials.c.idempotency_key,
            ).where(credentials.c.issuer_id == issuer.id, credentials.c.idempotency_key.in_(keys))
        )
        by_key = {row.idempotency_key: row for row in rows}
        ids = [item.external_id for item in items]
        known = set(
            connection.scalars(
                select(credentials.c.external_id).where(
                    credentials.c.issuer_id == issuer.id, credentials.c.external_id.in_(ids)
                )
            )
        )
        answers: dict[int, Accepted | ServiceError] = {}
        keys_here: set[str] = set()
        for item in items:
            key = item.submission.idempotency_key
            row = by_key.get(key) if key else None
            if row is not None and row.request_digest == item.request_digest:
                answers[id(item)] = Accepted(row.id, row.promised_at, repeated=True)
            elif row is not None or (key and key in keys_here):
                answers[id(item)] = ConflictError(
                    "idempotency_key_reused",
                    "This idempotency key was used for another credential; use a new key for a new request.",
                )
            elif item.external_id in known:
                answers[id(item)] = ConflictError(
                    "id_reused",
                    f"This issuer already has a credential with the id {item.external_id!r}. A correction is a "
                    "revocation plus a credential with a new id.",
                )
            else:
                known.add(item.external_id)
                if key:
                    keys_here.add(key)
        return answers

    def _insert(
        self,
        connection: Connection,
        issuer: Issuer,
        items: list[_Prepared],
        answers: dict[int, Accepted | ServiceError],
    ) -> None:
        """Gives indexes in random order and stores the credentials."""
        if not items:
            return
        now = self._context.clock()
        promised = now + self._context.rules.promise_seconds
        order = _shuffled(items, self._context.random)
        rows = []
        for index, item in enumerate(order, start=issuer.next_index):
            identifier = _new_id(self._context.random)
            salt = self._context.random(32)
            content, leaf_hash = secure(item.document, issuer.status_base, index, salt)
            rows.append(
                {
                    "id": identifier,
                    "issuer_id": issuer.id,
                    "credential_index": index,
                    "state": "LIVE",
                    "external_id": item.external_id,
                    "content": content,
                    "salt": salt,
                    "leaf": leaf_hash,
                    "idempotency_key": item.submission.idempotency_key,
                    "request_digest": item.request_digest,
                    "accepted_at": now,
                    "promised_at": promised,
                }
            )
            answers[id(item)] = Accepted(identifier, promised, repeated=False)
        connection.execute(insert(credentials), rows)
        connection.execute(
            update(issuers).where(issuers.c.id == issuer.id).values(next_index=issuer.next_index + len(rows))
        )


def _take_chunk(items: Iterator[Submission | LineResult]) -> list[Submission | LineResult]:
    """What goes into one transaction: so many items, or fewer if they are large."""
    chunk: list[Submission | LineResult] = []
    size = 0
    for item in islice(items, _CHUNK):
        chunk.append(item)
        size += item.size if isinstance(item, Submission) else 0
        if size >= _CHUNK_BYTES:
            break
    return chunk


def secure(document: Mapping[str, Any], status_base: str, index: int, salt: bytes) -> tuple[bytes, bytes]:
    """Binds a credential to its index: returns its canonical bytes and its leaf hash."""
    content = canonical.canonicalize({**document, "credentialStatus": credential_status(status_base, index)})
    return content, leaf.leaf_hash(leaf.commit(salt, leaf.digest(content)))


def credential_status(status_base: str, index: int) -> dict[str, str]:
    """The status entry of a credential (Bitstring Status List v1.0 section 2.1): one object, with an ``id``."""
    number, entry = list_and_entry(index)
    url = f"{status_base}/revocation/{number}"
    return {
        "id": f"{url}#{entry}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": str(entry),
        "statusListCredential": url,
    }


def _check_shape(document: dict[str, Any]) -> None:
    """What VC Data Model 2.0 section 4 asks of every credential, as far as the registry relies on it."""
    contexts = document.get("@context")
    if not isinstance(contexts, list) or not contexts or contexts[0] != _CONTEXT_V2:
        raise InvalidError("context", f"@context must be an array that begins with {_CONTEXT_V2}.", "/@context")
    types = document.get("type")
    if not (types == "VerifiableCredential" or (isinstance(types, list) and "VerifiableCredential" in types)):
        raise InvalidError("type", 'type must contain "VerifiableCredential".', "/type")
    subject = document.get("credentialSubject")
    subjects = subject if isinstance(subject, list) else [subject]
    if not subjects or not all(isinstance(item, dict) and item for item in subjects):
        raise InvalidError("subject", "credentialSubject must be an object that says something.", "/credentialSubject")
    identifier = document.get("id", "urn:")
    if (
        not isinstance(identifier, str)
        or ":" not in identifier
        or len(identifier) > 2048
        or not identifier.isprintable()  # PostgreSQL's text holds no NUL; nobody's address holds control characters
    ):
        raise InvalidError("id", "id must be a URL or URN of at most 2,048 printable characters.", "/id")
    for name in ("validFrom", "validUntil", "issuanceDate", "expirationDate"):
        if name in document and unix_time(document[name]) is None:  # a verdict would refuse it for good
            raise InvalidError("date_time", f"{name} must be a date and time such as 2026-03-01T12:00:00Z.", f"/{name}")
    for name, why in (
        ("proof", "credentials that are secured elsewhere are not taken yet; submit the unsigned credential"),
        ("credentialStatus", "the registry sets it, because it holds the credential's index"),
    ):
        if name in document:
            raise InvalidError("not_allowed", f"{name} cannot be submitted: {why}.", f"/{name}")


def _with_issuer(value: Any, issuer: Issuer) -> Any:
    """The credential's issuer; filled in where it is missing, refused where it names somebody else."""
    if value is None:
        return issuer.did
    if isinstance(value, dict):
        completed = {"id": issuer.did, **value}
        named = completed["id"]
    else:
        completed = named = value
    if named != issuer.did:
        raise InvalidError("issuer", f"The credential must be issued by {issuer.did}.", "/issuer")
    return completed


def _canonicalize(document: Any) -> bytes:
    try:
        return canonical.canonicalize(document)
    except JsonError as error:
        raise InvalidError("not_json", str(error)) from error


def _rfc3339(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _new_id(random: Callable[[int], bytes]) -> str:
    """128 random bits as base64url. None begins with a hyphen: on a command line that would be an option."""
    while True:
        identifier = base64.urlsafe_b64encode(random(16)).rstrip(b"=").decode()
        if not identifier.startswith("-"):
            return identifier


def _line_key(key: str | None, line: int) -> str | None:
    return f"{key}#{line}" if key else None


def _shuffled(items: Sequence[_Prepared], random: Any) -> list[_Prepared]:
    """The items in an order that nobody can predict: sorted by 128 random bits each."""
    noise = random(16 * len(items))
    return [item for _, _, item in sorted((noise[16 * n : 16 * n + 16], n, item) for n, item in enumerate(items))]
