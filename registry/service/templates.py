"""Templates: a credential with ``{{column}}`` in its strings, and CSV rows to fill it with.

    "name": "{{given}} {{family}}"          text; a blank cell is an error of that row
    "identityHash": "{{student_no?}}"       optional: a blank cell drops the member (and what it leaves empty)
    "creditsEarned": "{{ects:number}}"      the whole string is one placeholder: a JSON number comes out

A cell is data: whatever stands in it, braces and quotes as well, ends up as those characters and nothing else. Numbers
are marked in the template and never guessed from the cell, so that a student number 007 stays what it is.

Templates are published (docs/adr/171), cells are not: so a template that itself says who a learner is is refused.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.core.canonical import MAX_BYTES, MAX_INTEGER, parse_json
from registry.core.errors import ShapeError
from registry.service.errors import InvalidError
from registry.service.issuing import LineResult, Submission
from registry.service.templaterecords import TemplateVersion

__all__ = ["Template", "compile_template", "fill_template", "parse_template", "read_csv"]

_PLACEHOLDER = re.compile(r"\{\{([^{}]*)\}\}")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?")
_DELIMITERS = ",;\t"
_LARGEST_CELL = 128 * 1024
_MISSING = object()
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
# Members of a subject, or of one of its identifiers, that say who somebody is.
_PERSONAL = frozenset(
    {
        "name", "givenName", "familyName", "additionalName", "firstName", "lastName", "email", "telephone", "birthDate",
        "dateOfBirth", "identityHash", "identifier",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Slot:
    column: str
    optional: bool
    number: bool


@dataclass(frozen=True, slots=True)
class Template:
    """``required`` and ``optional`` are columns; one that is both somewhere is required. ``size`` in bytes.

    ``numbers`` are the columns that have to hold one, whichever of the two they are.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    numbers: frozenset[str]
    size: int
    _parts: Any

    def fill(self, cells: Mapping[str, str]) -> dict[str, Any]:
        """The credential of one row. Raises InvalidError that names the column."""
        filled: dict[str, Any] = _fill(self._parts, cells)
        return filled


def parse_template(data: bytes) -> Template:
    """Raises JsonError, or ShapeError with the place of what is wrong."""
    return compile_template(parse_json(data), len(data))


def compile_template(document: object, size: int = 0) -> Template:
    """The same for what is parsed already. Raises ShapeError."""
    if not isinstance(document, dict):
        raise ShapeError("a template is a JSON object: a credential with {{column}} in its strings")
    slots: list[_Slot] = []
    parts = _compile(document, "", slots)
    if not slots:
        raise ShapeError("a template needs at least one {{column}}: as it is, every row would give the same credential")
    _check_learner(document)
    required = dict.fromkeys(slot.column for slot in slots if not slot.optional)
    optional = dict.fromkeys(slot.column for slot in slots if slot.optional and slot.column not in required)
    numbers = frozenset(slot.column for slot in slots if slot.number)
    return Template(tuple(required), tuple(optional), numbers, size, parts)


def fill_template(template: object, data: Mapping[str, str]) -> dict[str, Any]:
    """One credential from a template and one learner's data, by column. Raises InvalidError, ShapeError."""
    compiled = compile_template(template)
    missing = [name for name in compiled.required if name not in data]
    if missing:
        raise InvalidError("column_missing", f"The template needs {', '.join(map(repr, missing))}.", "/data")
    cells = dict.fromkeys(compiled.optional, "") | {name: cell.strip() for name, cell in data.items()}
    return compiled.fill(cells)


def read_csv(
    lines: Iterable[bytes], template: Template, key: str | None, version: TemplateVersion | None = None
) -> Iterator[Submission | LineResult]:
    """Fills the template with each row of a CSV file (RFC 4180; UTF-8, with or without a byte order mark).

    The delimiter is the comma, semicolon or tab that the header uses. Columns that the template does not name are left
    out, rows without any text are skipped. A row that cannot be used is a LineResult with the line it begins on. Raises
    InvalidError before the first row if the header is not what the template needs. Reads as it goes. ``version`` is the
    template as it is put on record.
    """
    source = _Lines(lines)
    header, delimiter = _read_header(source)
    _check_header(header, template)
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    while True:
        line = source.number + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            message = f"Not CSV ({error}). Is a quotation mark missing? Inside quotes it is doubled."
            yield LineResult(line, None, InvalidError("not_csv", message))
            continue
        if row is None:
            return
        if any(cell.strip() for cell in row):
            try:
                document = template.fill(_cells(header, row))
            except InvalidError as error:
                yield LineResult(line, None, error)
            else:
                size = template.size + sum(map(len, row))
                yield Submission(document, f"{key}#{line}" if key else None, line, size, template=version)


class _Lines:
    """Lines as text, counted. Bytes that are not UTF-8 become lone surrogates, which are refused cell by cell."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self.number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        if len(line) > MAX_BYTES:
            raise csv.Error(f"the line is longer than {MAX_BYTES:,} bytes")
        text = line.decode("utf-8", "surrogateescape")
        return text.removeprefix("\ufeff") if self.number == 1 else text


def _read_header(source: _Lines) -> tuple[list[str], str]:
    try:
        text = next(source, "")
        delimiter = max(_DELIMITERS, key=text.count)
        return [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter, strict=True), [])], delimiter
    except csv.Error as error:
        raise InvalidError("not_csv", f"Line 1, the header, is not CSV: {error}.") from error


def _check_header(header: Sequence[str], template: Template) -> None:
    if not any(header):
        raise InvalidError("no_header", "The CSV file needs a first line with the names of its columns.")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise InvalidError("column_twice", f"The CSV file has the column {twice[0]!r} twice.")
    missing = [name for name in (*template.required, *template.optional) if name not in header]
    if missing:
        raise InvalidError(
            "column_missing",
            f"The CSV file lacks the column{'s' if len(missing) > 1 else ''} {', '.join(map(repr, missing))} that the "
            f"template names. It has: {', '.join(filter(None, header))}.",
        )


def _cells(header: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    if len(row) != len(header):
        raise InvalidError("ragged", f"The row has {len(row)} cells, the header {len(header)}.")
    return {name: cell.strip() for name, cell in zip(header, row, strict=True)}


def _check_learner(document: Mapping[str, Any]) -> None:
    """Refuses what is certainly a learner's, and the same in every row. Names in running text cannot be told."""
    subject = document.get("credentialSubject")
    listed = isinstance(subject, list)
    for place, item in enumerate(subject if isinstance(subject, list) else [subject]):
        pointer = f"/credentialSubject/{place}" if listed else "/credentialSubject"
        if not isinstance(item, dict):
            continue
        _check_members(item, pointer)
        identifiers = item.get("identifier")
        several = isinstance(identifiers, list)
        for number, identifier in enumerate(identifiers if isinstance(identifiers, list) else [identifiers]):
            if isinstance(identifier, dict):
                _check_members(identifier, f"{pointer}/identifier/{number}" if several else f"{pointer}/identifier")


def _check_members(members: Mapping[str, Any], pointer: str) -> None:
    for name, value in members.items():
        if not isinstance(value, str) or _PLACEHOLDER.search(value):
            continue
        if (name in _PERSONAL and value.strip()) or (name == "id" and _ADDRESS.search(value)):
            message = "templates are published: what says who a learner is comes from a {{column}}"
            raise ShapeError(message, f"{pointer}/{name}")


# --- the template itself, compiled once: strings with placeholders become tuples of texts and slots -------------------


def _compile(value: Any, pointer: str, slots: list[_Slot]) -> Any:
    if isinstance(value, dict):
        for name in value:
            if "{{" in name:
                raise ShapeError("placeholders stand in values, not in names", f"{pointer}/{name}")
        return {name: _compile(inner, f"{pointer}/{name}", slots) for name, inner in value.items()}
    if isinstance(value, list):
        return [_compile(inner, f"{pointer}/{place}", slots) for place, inner in enumerate(value)]
    if not isinstance(value, str) or ("{{" not in value and "}}" not in value):
        return value
    pieces = _PLACEHOLDER.split(value)  # text, column, text, column, …, text
    if any("{{" in text or "}}" in text for text in pieces[::2]):
        raise ShapeError("a placeholder is {{column}}, without braces inside", pointer)
    parts: list[str | _Slot] = []
    for place, piece in enumerate(pieces):
        parts.append(_slot(piece, pointer) if place % 2 else piece)
    found = [part for part in parts if isinstance(part, _Slot)]
    if any(slot.number for slot in found) and [part for part in parts if part] != found[:1]:
        raise ShapeError("a {{column:number}} is the whole value", pointer)
    slots += found
    return tuple(part for part in parts if part)


def _slot(text: str, pointer: str) -> _Slot:
    name, colon, kind = text.rpartition(":")
    if not colon:
        name, kind = text, ""
    name = name.strip()
    optional = name.endswith("?")
    column = name.removesuffix("?").strip()
    if not column or (colon and kind.strip() != "number"):
        raise ShapeError("a placeholder is {{column}}, {{column?}}, {{column:number}} or {{column?:number}}", pointer)
    return _Slot(column, optional, bool(colon))


def _fill(part: Any, cells: Mapping[str, str]) -> Any:
    if isinstance(part, tuple):
        return _fill_string(part, cells)
    if isinstance(part, dict):
        members = {name: _fill(inner, cells) for name, inner in part.items()}
        return _kept(part, {name: value for name, value in members.items() if value is not _MISSING})
    if isinstance(part, list):
        return _kept(part, [value for inner in part if (value := _fill(inner, cells)) is not _MISSING])
    return part


def _kept(before: Any, after: Any) -> Any:
    """An object or array that lost all its members goes as well; one that was empty in the template stays."""
    return after if after or not before else _MISSING


def _fill_string(parts: tuple[str | _Slot, ...], cells: Mapping[str, str]) -> Any:
    texts: list[str] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        cell = cells[part.column]
        if not cell:
            if part.optional:
                return _MISSING
            raise InvalidError("blank", f"The column {part.column!r} is blank, and the template needs it.")
        _check_text(cell, part.column)
        if part.number:
            return _number(cell, part.column)
        texts.append(cell)
    return "".join(texts)


def _check_text(cell: str, column: str) -> None:
    if len(cell) > _LARGEST_CELL:
        raise InvalidError("too_long", f"The column {column!r} has {len(cell):,} characters.")
    try:
        cell.encode()
    except UnicodeEncodeError as error:
        raise InvalidError("not_utf8", f"The column {column!r} is not UTF-8. Save the file as UTF-8.") from error


def _number(cell: str, column: str) -> int | float:
    match = _NUMBER.fullmatch(cell)
    if match is None:
        raise InvalidError("not_a_number", f"The column {column!r} should be a number such as 5 or 2.5.")
    value = float(cell) if match[1] else int(cell)
    if abs(value) > MAX_INTEGER:
        raise InvalidError("not_a_number", f"The column {column!r} is beyond ±(2^53 - 1).")
    return value
