"""Files that issuers hand in: NDJSON, a JSON array, a single credential, or CSV with a template. Read as a stream."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from registry.core.canonical import MAX_BYTES, parse_json
from registry.core.errors import InputError, JsonError
from registry.service.errors import InvalidError
from registry.service.issuing import LineResult, Submission
from registry.service.templaterecords import TemplateVersion, template_name, template_version
from registry.service.templates import Template, parse_template, read_csv

__all__ = ["Source", "open_source"]

_BLOCK = 1 << 16
_LINES = (".ndjson", ".jsonl")
_TABLES = (".csv", ".tsv", ".txt")
_TOKEN = re.compile(rb'\\.|["\[\]{},\n]', re.DOTALL)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Source:
    """One file to be imported. ``key`` is made of its bytes and the template's: importing it again changes nothing.

    ``version`` is the template as it is put on record, under the name of its file.
    """

    path: Path
    kind: str  # csv, ndjson, array, single
    size: int
    lines: int
    key: str
    template: Template | None
    version: TemplateVersion | None = None

    def read(
        self, key: str | None, on_bytes: Callable[[int], None] = lambda _: None
    ) -> Iterator[Submission | LineResult]:
        """Every document of the file, or what is wrong with it; tells ``on_bytes`` how far it got.

        Raises InputError if the file cannot be read, InvalidError if a CSV header is not what the template needs.
        """
        try:
            with self.path.open("rb") as file:
                yield from self._read(file, key, on_bytes)
        except OSError as error:
            raise InputError(f"The file {self.path} cannot be read: {error.strerror}.") from error

    def _read(
        self, file: BinaryIO, key: str | None, on_bytes: Callable[[int], None]
    ) -> Iterator[Submission | LineResult]:
        if self.kind == "csv":
            assert self.template is not None  # noqa: S101 - open_source saw to it
            yield from read_csv(_lines(file, on_bytes), self.template, key, self.version)
        elif self.kind == "ndjson":
            for number, line in enumerate(_lines(file, on_bytes), start=1):
                if line.strip():
                    yield _parsed(line.strip(), number, key)
        elif self.kind == "array":
            for number, place, item in _array_items(file, on_bytes):
                # Several items may stand in one line; the key needs the place, people need the line.
                yield item if isinstance(item, LineResult) else _parsed(item, number, key, place)
        else:
            yield _parsed(file.read(MAX_BYTES + 1), 1, key)
            on_bytes(self.size)


def open_source(path: Path, template_path: Path | None = None) -> Source:
    """Looks at a file once: what it is, and its digest. Raises InputError, JsonError (template), InvalidError."""
    template = version = None
    try:
        digest = hashlib.sha256()
        if template_path is not None:
            data = template_path.read_bytes()
            digest.update(hashlib.sha256(data).digest())
            template, version = _template(data, template_path)
        with path.open("rb") as file:
            kind = _kind(file, path, template)
            file.seek(0)
            size = lines = 0
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
                lines += block.count(b"\n")
    except OSError as error:
        raise InputError(f"The file {error.filename or path} cannot be read: {error.strerror}.") from error
    return Source(path, kind, size, lines, f"sha256:{digest.hexdigest()}", template, version)


def _template(data: bytes, path: Path) -> tuple[Template, TemplateVersion]:
    try:
        return parse_template(data), template_version(parse_json(data), template_name(path.stem))
    except InputError as error:
        raise InputError(f"The template {path} cannot be used: {error}.") from error


def _kind(file: BinaryIO, path: Path, template: Template | None) -> str:
    suffix = path.suffix.lower()
    start = file.read(_BLOCK)
    if start.startswith(_UTF16):
        raise InputError(f"{path} is UTF-16 text. Save it as UTF-8.")
    first = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if suffix in _TABLES or (suffix not in (".json", *_LINES) and first not in (b"{", b"[")):
        if template is None:
            raise InputError(
                f"{path} is read as CSV, which needs --template FILE: the credential with {{{{column}}}}s."
            )
        return "csv"
    if template is not None:
        raise InputError(f"A template is for CSV files; {path} already holds credentials as JSON.")
    if suffix in _LINES:
        return "ndjson"
    if first == b"[":
        return "array"
    return "ndjson" if _is_json(start.lstrip().split(b"\n", 1)[0]) or not _fits(file) else "single"


def _is_json(data: bytes) -> bool:
    try:
        parse_json(data.strip())
    except JsonError:
        return False
    return True


def _fits(file: BinaryIO) -> bool:
    return file.seek(0, 2) <= MAX_BYTES


def _parsed(data: bytes, line: int, key: str | None, place: int | None = None) -> Submission | LineResult:
    try:
        document: Any = parse_json(data)
    except JsonError as error:
        return LineResult(line, None, InvalidError("not_json", f"Not a credential: {error}."))
    return Submission(document, f"{key}#{place or line}" if key else None, line, len(data))


def _lines(file: BinaryIO, on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    """Lines; of one longer than ``MAX_BYTES`` only the beginning, one byte too long, which is then refused."""
    while line := file.readline(MAX_BYTES + 1):
        on_bytes(len(line))
        if len(line) > MAX_BYTES:
            while (rest := file.readline(_BLOCK)) and not rest.endswith(b"\n"):
                on_bytes(len(rest))
            on_bytes(len(rest))
        yield line


def _array_items(file: BinaryIO, on_bytes: Callable[[int], None]) -> Iterator[tuple[int, int, bytes | LineResult]]:
    """The items of a JSON array as (line, place, bytes), unparsed: only brackets and quotation marks are followed."""
    item, depth, quoted, line, place, ended = bytearray(), 0, False, 1, 1, False
    while block := file.read(_BLOCK):
        while (len(block) - len(block.rstrip(b"\\"))) % 2 and (more := file.read(1)):
            block += more  # an escape is looked at as a whole
        on_bytes(len(block))
        taken = 0
        for match in _TOKEN.finditer(block):
            token = match[0]
            if token == b"\n":
                line += 1
            elif token == b'"':
                quoted = not quoted
            elif quoted or ended or len(token) > 1:
                continue
            elif token in b"[{":
                depth += 1
                if depth == 1:
                    taken = match.end()
            elif token != b"," or depth == 1:
                depth -= token in b"]}"
                if depth and token != b",":
                    continue
                ended = not depth
                _add(item, block[taken : match.start()])
                taken = match.end()
                if item.strip() or not ended or place > 1:
                    first_line = line - item.lstrip().count(b"\n")
                    yield first_line, place, bytes(item).strip() or _broken(line, "An item of the array is missing.")
                place += 1
                item.clear()
        _add(item, block[taken:])
    if not ended:
        yield line, place, _broken(line, "The array is not closed; its last item was left out.")
    elif item.strip():
        yield line, place, _broken(line, "There is something after the array.")


def _add(item: bytearray, part: bytes) -> None:
    if len(item) <= MAX_BYTES:  # what is longer is refused anyway
        item += part


def _broken(line: int, message: str) -> LineResult:
    return LineResult(line, None, InvalidError("not_json", message))
