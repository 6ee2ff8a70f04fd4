"""Many bundles in a row: the same as ``parse_bundle`` and ``canonicalize`` say of each, in a quarter of the time."""

from collections.abc import Mapping
from typing import Any

import orjson

from registry.core.bundle import ALGORITHM, MAX_BUNDLE_BYTES, MAX_PATH, TYPE, parse_bundle
from registry.core.canonical import MAX_INTEGER, canonicalize, has_plain_numbers, parse_json
from registry.core.errors import InputError
from registry.core.leaf import SALT_BYTES
from registry.core.model import Anchor, Bundle, Inclusion, Leaf
from registry.core.notation import parse_base64url

__all__ = ["BundleReader"]

# The lines of a bundle as ``serialize_bundle`` writes them: no JSON string holds a line feed, so these are its parts.
_BEGIN = [b"{", b'"type": "%b",' % TYPE.encode(), b'"version": 1,']
_CREDENTIAL, _LEAF, _PLACE = b'"credential": ', b'"leaf": {"canonicalization":"JCS","salt":"', b'"inclusion": '
_LINES = 6  # what comes after them is the same for all bundles of a batch

_MEMBERS = {"algorithm", "leafIndex", "treeSize", "root", "path"}
_KNOWN = 1_000  # different ends of bundles that are remembered; a batch has one
_MAX_KNOWN_BYTES = 1 << 16

_OTHERS = bytes(set(range(256)) - set(b"\xf0\xf1\xf2\xf3\xf4"))  # these begin characters beyond U+FFFF
_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER  # integers beyond ±(2^53 - 1) are refused

_End = tuple[tuple[Anchor, ...], Mapping[str, Any] | None]


class BundleReader:
    """Remembers how bundles end: all of a batch name the same anchors, and the same document of their issuer."""

    def __init__(self) -> None:
        self._ends: dict[bytes, _End] = {}

    def read(self, data: bytes) -> tuple[Bundle, bytes | None]:
        """The bundle, and its credential's canonical form (None for a digest). Raises JsonError, BundleError."""
        found = self._read_as_written(data) if len(data) <= MAX_BUNDLE_BYTES else None
        if found is not None:
            return found
        bundle = parse_bundle(data)
        return bundle, None if bundle.credential is None else canonicalize(bundle.credential)

    def _read_as_written(self, data: bytes) -> tuple[Bundle, bytes] | None:
        """None where anything is not as ``serialize_bundle`` writes it: then the careful way says what."""
        lines = data.split(b"\n", _LINES)
        if len(lines) <= _LINES or lines[:3] != _BEGIN:
            return None
        rest = lines[_LINES]
        try:
            credential, canonical = _read_credential(_between(lines[3], _CREDENTIAL, b","))
            salt = parse_base64url(_between(lines[4], _LEAF, b'"},').decode("ascii"), SALT_BYTES)
            inclusion = _read_place(_between(lines[5], _PLACE, b","))
            anchors, document = self._ends.get(rest) or self._read_end(data, rest)
        except (ValueError, InputError):
            return None
        return Bundle(credential, None, Leaf("JCS", salt), inclusion, anchors, document), canonical

    def _read_end(self, data: bytes, rest: bytes) -> _End:
        """What comes before it is as it should be, so the same end means the same behind every such beginning."""
        bundle = parse_bundle(data)
        end = bundle.anchors, bundle.issuer_document
        if len(self._ends) < _KNOWN and len(rest) <= _MAX_KNOWN_BYTES:
            self._ends[rest] = end
        return end


def _between(line: bytes, start: bytes, end: bytes) -> bytes:
    if not line.startswith(start) or not line.endswith(end):
        raise InputError("another line is expected")
    return line[len(start) : -len(end)]


def _read_credential(raw: bytes) -> tuple[dict[str, Any], bytes]:
    """Quickly, if these bytes are its canonical form already: they are if they come out again with sorted keys.

    So no key is there twice and no integer is too large; what is left are floats, depth and the order of keys, where
    orjson and RFC 8785 may differ.
    """
    try:
        value: Any = orjson.loads(raw)
        canonical = orjson.dumps(value, option=_SORTED)
    except (ValueError, TypeError):
        value = canonical = None
    if canonical != raw or not has_plain_numbers(value) or not _is_sorted_alike(raw):
        value = parse_json(raw, MAX_BUNDLE_BYTES)
        canonical = canonicalize(value)
    if type(value) is not dict:
        raise InputError("an object is expected")
    return value, canonical


def _is_sorted_alike(raw: bytes) -> bool:
    """Whether UTF-16 gives the same order as UTF-8: it does without characters that take two of its units."""
    return raw.isascii() or raw.translate(None, _OTHERS) == b""


def _read_place(raw: bytes) -> Inclusion:
    value: Any = orjson.loads(raw)
    if orjson.dumps(value) != raw or type(value) is not dict or value.keys() != _MEMBERS:
        raise InputError("the members of an inclusion are expected, once each")
    index, size, root, path = value["leafIndex"], value["treeSize"], value["root"], value["path"]
    if value["algorithm"] != ALGORITHM or type(index) is not int or type(size) is not int or type(path) is not list:
        raise InputError("another algorithm, or no numbers or no path")
    if not 0 <= index <= MAX_INTEGER or not 0 < size <= MAX_INTEGER or len(path) > MAX_PATH:
        raise InputError("a number or the path is too large")
    hashes = [root, *path]
    try:
        joined = "".join(hashes)
    except TypeError as error:
        raise InputError("the hashes are no texts") from error
    packed = bytes.fromhex(joined)
    if packed.hex() != joined or len(joined) != 64 * len(hashes) or max(map(len, hashes)) != 64:
        raise InputError("no hashes of 32 bytes in lower case")
    return Inclusion(index, size, packed[:32], tuple([packed[at : at + 32] for at in range(32, len(packed), 32)]))
