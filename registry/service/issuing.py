"""Accepting credentials: each gets an index, a salt and a leaf in the same transaction that stores it.

A chunk of an import is shuffled before it gets its indexes: neighbouring status bits must not tell who stood next to
whom in an alphabetical list. The answer is an id and a promise, never the index: that is provisional until the batch's
anchor is final.

A crash before the commit leaves nothing behind; after it, the same request with the same idempotency key gets the same
answer.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from registry.core import canonical
from registry.core.errors import JsonError
from registry.core.leaf import leaf_hash
from registry.service.context import Context
from registry.service.errors import ConflictError, GoneError, InvalidError, NotFoundError, NotReadyError, ServiceError
from registry.service.identifiers import new_id
from registry.service.intake import COMMITMENT, SECURED, Intake, Prepared, Submission
from registry.service.issuers import Issuer, lock_issuer
from registry.service.reserving import held
from registry.service.securing import Securing, leaf_of
from registry.service.templaterecords import record_templates
from registry.standards.proofs.creating import PROOF_SET
from registry.standards.proofs.report import ResolveKey
from registry.store.database import AnyRow
from registry.store.tables import credentials, issuers

__all__ = ["Accepted", "Issuing", "LineResult", "Submission"]

_CHUNK = 1000
_CHUNK_BYTES = 8 << 20  # of documents in one transaction, and in memory
_FILL = (
    update(credentials)
    .where(credentials.c.id == bindparam("key"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                "state", "form", "external_id", "content", "salt", "leaf", "idempotency_key", "request_digest",
                "accepted_at", "promised_at",
            )
        }
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Accepted:
    """The issuer's answer: the registry's id, and until when it promises to have the credential anchored.

    ``unmapped``: JSON pointers of what no signature over the RDF covers, where the policy takes it all the same.
    ``leaf`` is the one it has now, ``accepted_at`` when it was first accepted: what a signed promise is about.
    """

    id: str
    promised_at: int
    repeated: bool  # the same request was accepted before
    unmapped: tuple[str, ...] = ()
    leaf: bytes = field(kw_only=True)
    accepted_at: int = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class LineResult:
    """What became of one line of an import: exactly one of the two is set."""

    line: int
    accepted: Accepted | None
    error: ServiceError | None


@dataclass(slots=True)
class _Places:
    """Where accepted submissions go: the reserved rows by submission, and the others in order."""

    reserved: dict[int, AnyRow] = field(default_factory=dict)
    free: list[Prepared] = field(default_factory=list)


class Issuing:
    """Takes credentials in. Safe to use from several threads and processes at once."""

    def __init__(self, context: Context, resolve_key: ResolveKey) -> None:
        """``resolve_key`` finds the keys of issuers that secure their credentials themselves."""
        self._context = context
        self._intake = Intake(context, resolve_key)
        self._securing = Securing(context)

    def submit(self, issuer: Issuer, document: Any, idempotency_key: str | None = None) -> Accepted:
        """Takes one credential. Raises InvalidError, ConflictError (id or key reused), NotReadyError (halted)."""
        return self.take(issuer, Submission(document, idempotency_key))

    def take(self, issuer: Issuer, submission: Submission) -> Accepted:
        """Takes one submission of any kind. Raises as ``submit``, and NotFoundError (no such reservation)."""
        answer = self._submit_chunk(issuer, [submission])[0]
        if isinstance(answer, ServiceError):
            raise answer
        return answer

    def repeated(self, issuer: Issuer, idempotency_key: str, request: bytes) -> Accepted | None:
        """What the same request was answered before, None if nothing. Raises ConflictError: the key was for another."""
        with self._context.database.read() as connection:
            row = connection.execute(
                select(
                    credentials.c.id,
                    credentials.c.promised_at,
                    credentials.c.request_digest,
                    credentials.c.leaf,
                    credentials.c.accepted_at,
                ).where(credentials.c.issuer_id == issuer.id, credentials.c.idempotency_key == idempotency_key)
            ).one_or_none()
        if row is None:
            return None
        if row.request_digest != request:
            raise _key_reused()
        return Accepted(row.id, row.promised_at, repeated=True, leaf=row.leaf, accepted_at=row.accepted_at)

    def issue(self, issuer: Issuer, document: Any, suites: Sequence[str] = PROOF_SET) -> dict[str, Any]:
        """Takes any unsigned credential and gives it out secured at once; it is anchored later (docs/adr/145).

        The same request again gets the same credential. Raises as ``submit``, ConflictError if nothing is signed here,
        GoneError if it was erased meanwhile.
        """
        accepted = self.take(issuer, Submission(document, at_once=True, suites=tuple(suites)))
        with self._context.database.read() as connection:
            content = connection.scalar(select(credentials.c.content).where(credentials.c.id == accepted.id))
        if content is None:
            raise GoneError("erased", "The credential was erased at once.")
        secured: dict[str, Any] = canonical.parse_json(content)
        return secured

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
        prepared: list[Prepared | ServiceError] = []
        for submission in submissions:
            try:
                prepared.append(self._intake.prepare(issuer, submission))
            except ServiceError as error:
                prepared.append(error)
        good = [item for item in prepared if isinstance(item, Prepared)]
        answers: dict[int, Accepted | ServiceError] = {}
        if good:
            with self._context.database.write() as connection:
                current = lock_issuer(connection, issuer.id)
                if current.halted:
                    raise NotReadyError("issuer_halted", current.halted)
                answers = self._settle_repeats(connection, issuer, good)
                places = self._place(connection, current, [item for item in good if id(item) not in answers], answers)
                self._fill(connection, current, places.reserved, good, answers)
                self._insert(connection, current, places.free, answers)
                used = [item.submission.template for item in good if _is_new(answers[id(item)])]
                versions = (version for version in used if version is not None)
                record_templates(connection, current, versions, self._context.clock())
        return [item if isinstance(item, ServiceError) else answers[id(item)] for item in prepared]

    def _settle_repeats(
        self, connection: Connection, issuer: Issuer, items: Sequence[Prepared]
    ) -> dict[int, Accepted | ServiceError]:
        """Answers those whose idempotency key or credential id is known, from the database or from this chunk."""
        keys = [item.submission.idempotency_key for item in items if item.submission.idempotency_key]
        rows = connection.execute(
            select(
                credentials.c.id,
                credentials.c.promised_at,
                credentials.c.request_digest,
                credentials.c.idempotency_key,
                credentials.c.leaf,
                credentials.c.accepted_at,
            ).where(credentials.c.issuer_id == issuer.id, credentials.c.idempotency_key.in_(keys))
        )
        by_key = {row.idempotency_key: row for row in rows}
        ids = [item.external_id for item in items if item.external_id is not None]
        by_id = {
            row.external_id: row
            for row in connection.execute(
                select(
                    credentials.c.id,
                    credentials.c.promised_at,
                    credentials.c.request_digest,
                    credentials.c.external_id,
                    credentials.c.leaf,
                    credentials.c.accepted_at,
                ).where(credentials.c.issuer_id == issuer.id, credentials.c.external_id.in_(ids))
            )
        }
        known = set(by_id)
        answers: dict[int, Accepted | ServiceError] = {}
        keys_here: set[str] = set()
        for item in items:
            key = item.submission.idempotency_key
            row = by_key.get(key) if key else None
            if item.submission.at_once and item.external_id in by_id:
                same = by_id[item.external_id]  # its request needs no key of its own: the answer is the credential
                row = same if same.request_digest == item.request_digest else None
            if row is not None and row.request_digest == item.request_digest:
                answers[id(item)] = _accepted(row.id, row, item, repeated=True)
            elif row is not None or (key and key in keys_here):
                answers[id(item)] = _key_reused()
            elif item.external_id is not None and item.external_id in known:
                answers[id(item)] = ConflictError(
                    "id_reused",
                    f"This issuer already has a credential with the id {item.external_id!r}. A correction is a "
                    "revocation plus a credential with a new id.",
                )
            else:
                if item.external_id is not None:
                    known.add(item.external_id)
                if key:
                    keys_here.add(key)
        return answers

    def _place(
        self,
        connection: Connection,
        issuer: Issuer,
        items: Sequence[Prepared],
        answers: dict[int, Accepted | ServiceError],
    ) -> _Places:
        """Finds the reserved indexes that submissions are for; an index is used once."""
        places, used = _Places(), set[str]()
        for item in items:
            name, index = item.submission.reservation, item.index
            if name is None and index is None:
                places.free.append(item)
                continue
            row = held(connection, issuer, name, index)
            if row is None or row.id in used:
                answers[id(item)] = NotFoundError(
                    "no_such_reservation", f"{issuer.name} has no reservation for this that waits for its credential."
                )
            elif item.form == SECURED and index != row.credential_index:
                answers[id(item)] = InvalidError(
                    "status_index",
                    f"The index {row.credential_index} is reserved for it; its status entry has to name that one.",
                    "/credentialStatus",
                )
            else:
                used.add(row.id)
                places.reserved[id(item)] = row
        return places

    def _fill(
        self,
        connection: Connection,
        issuer: Issuer,
        reserved: dict[int, AnyRow],
        items: Sequence[Prepared],
        answers: dict[int, Accepted | ServiceError],
    ) -> None:
        rows = []
        for item in items:
            row = reserved.get(id(item))
            if row is None:
                continue
            values = self._row(issuer, item, row.credential_index)
            rows.append({"key": row.id} | {f"new_{name}": value for name, value in values.items()})
            answers[id(item)] = _accepted(row.id, values, item)
        if rows:
            connection.execute(_FILL, rows)

    def _insert(
        self,
        connection: Connection,
        issuer: Issuer,
        items: Sequence[Prepared],
        answers: dict[int, Accepted | ServiceError],
    ) -> None:
        """Gives indexes in random order and stores the credentials."""
        if not items:
            return
        rows = []
        numbered = list(enumerate(_shuffled(items, self._context.random), start=issuer.next_index))
        contents = self._secure(issuer, numbered)
        for index, item in numbered:
            identifier = new_id(self._context.random)
            values = self._row(issuer, item, index, contents.get(index))
            rows.append({"id": identifier, "issuer_id": issuer.id, "credential_index": index, **values})
            answers[id(item)] = _accepted(identifier, values, item)
        connection.execute(insert(credentials), rows)
        connection.execute(
            update(issuers).where(issuers.c.id == issuer.id).values(next_index=issuer.next_index + len(rows))
        )

    def _secure(self, issuer: Issuer, numbered: Sequence[tuple[int, Prepared]]) -> dict[int, bytes]:
        """The contents of those that are secured here in the usual way, all at once, by index."""
        usual = [
            (index, item.document)
            for index, item in numbered
            if item.form != COMMITMENT and item.content is None and item.submission.suites == PROOF_SET
        ]
        indexes = [index for index, _ in usual]
        made = self._securing.secure_many(issuer, [document for _, document in usual], indexes, PROOF_SET)
        return dict(zip(indexes, made, strict=True))

    def _row(self, issuer: Issuer, item: Prepared, index: int, content: bytes | None = None) -> dict[str, Any]:
        """Everything about a submission but its id and its place."""
        now = self._context.clock()
        if item.form == COMMITMENT:
            salt, hashed = None, leaf_hash(item.submission.commitment or b"")
        else:
            content = item.content or content
            content = content or self._securing.secure(issuer, item.document, index, item.submission.suites)
            salt = self._context.random(32)
            hashed = leaf_of(content, salt)
        return {
            "state": "LIVE",
            "form": item.form,
            "external_id": item.external_id,
            "content": content,
            "salt": salt,
            "leaf": hashed,
            "idempotency_key": item.submission.idempotency_key,
            "request_digest": item.request_digest,
            "accepted_at": now,
            "promised_at": now + self._context.rules.promise_seconds,
        }


def _accepted(identifier: str, values: AnyRow | dict[str, Any], item: Prepared, *, repeated: bool = False) -> Accepted:
    row = values if isinstance(values, dict) else values._asdict()
    return Accepted(
        identifier, row["promised_at"], repeated, item.unmapped, leaf=row["leaf"], accepted_at=row["accepted_at"]
    )


def _is_new(answer: Accepted | ServiceError) -> bool:
    return isinstance(answer, Accepted) and not answer.repeated


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


def _key_reused() -> ConflictError:
    message = "This idempotency key was used for another credential; use a new key for a new request."
    return ConflictError("idempotency_key_reused", message)


def _line_key(key: str | None, line: int) -> str | None:
    return f"{key}#{line}" if key else None


def _shuffled(items: Sequence[Prepared], random: Any) -> list[Prepared]:
    """The items in an order that nobody can predict: sorted by 128 random bits each."""
    noise = random(16 * len(items))
    return [item for _, _, item in sorted((noise[16 * n : 16 * n + 16], n, item) for n, item in enumerate(items))]
