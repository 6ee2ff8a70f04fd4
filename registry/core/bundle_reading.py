"""Many bundles in a row: the same as ``parse_bundle`` and ``canonicalize`` say of each, in a fifth of the time."""

import re
from collections.abc import Mapping
from struct import Struct
from typing import Annotated, Any, Literal

import msgspec
import orjson
from msgspec import Meta

from registry.core.bundle import MAX_BUNDLE_BYTES, MAX_PATH, TYPE, parse_bundle
from registry.core.canonical import MAX_INTEGER, canonicalize, parse_json
from registry.core.errors import InputError
from registry.core.leaf import SALT_BYTES
from registry.core.merkle import HASH_BYTES
from registry.core.model import Anchor, Bundle, Inclusion, Leaf
from registry.core.notation import parse_base64url

__all__ = ["BundleReader"]

# What stands around the credential and the salt as ``serialize_bundle`` writes them. No JSON string holds a line feed.
_CREDENTIAL = b'{\n"type": "%b",\n"version": 1,\n"credential": ' % TYPE.encode()
_LEAF, _PLACE = b',\n"leaf": {"canonicalization":"JCS","salt":"', b'"},\n"inclusion": '
_SALT = 43  # characters of 32 bytes

_KNOWN_ENDS = 1_000  # different ends of bundles that are remembered; a batch has one
_KNOWN_ACHIEVEMENTS = 32
_WORTH_KNOWING = range(200, 1 << 16)  # bytes of one

_End = tuple[tuple[Anchor, ...], Mapping[str, Any] | None]


class BundleReader:
    """Remembers how bundles end: all of a batch name the same anchors, and the same document of their issuer."""

    def __init__(self) -> None:
        self._ends: dict[bytes, _End] = {}
        self._achievements = _Achievements()

    def read(self, data: bytes) -> tuple[Bundle, bytes] | None:
        """The bundle, and its credential's canonical form.

        None where anything is not as ``serialize_bundle`` writes it: then ``parse_bundle`` says whether it is one.
        """
        if len(data) > MAX_BUNDLE_BYTES:
            return None
        start = len(_CREDENTIAL)
        leaf = data.find(b"\n", start) - 1
        salt = leaf + len(_LEAF)
        place = salt + _SALT + len(_PLACE)
        rest = data.find(b"\n", place) - 1
        if not (
            data.startswith(_CREDENTIAL) and data.startswith(_LEAF, leaf) and data.startswith(_PLACE, salt + _SALT)
        ):
            return None
        try:
            credential, canonical = self._achievements.read_credential(data[start:leaf])
            salted = parse_base64url(data[salt : salt + _SALT].decode("ascii"), SALT_BYTES)
            inclusion = _read_place(data[place:rest])
            anchors, document = self._read_end(data, data[rest:])
        except (ValueError, InputError):
            return None
        return Bundle(credential, None, Leaf("JCS", salted), inclusion, anchors, document), canonical

    def _read_end(self, data: bytes, rest: bytes) -> _End:
        """What comes before it is as it should be, so the same end means the same behind every such beginning."""
        end = self._ends.get(rest)
        if end is None:
            bundle = parse_bundle(data)
            end = bundle.anchors, bundle.issuer_document
            if len(self._ends) < _KNOWN_ENDS and len(rest) in _WORTH_KNOWING:
                self._ends[rest] = end
        return end


# --- the credential -------------------------------------------------------------------------------------------------


class _Achievements:
    """Half of a badge is the description of its achievement, the same in all badges for it: each is read once.

    A badge is then read with a mark in its place, which is nowhere else in it. If that comes out as a value, there it
    was put, and so was what it stands for.
    """

    def __init__(self) -> None:
        self._known: list[tuple[bytes, Mapping[str, Any]]] = []  # the one that was read last is the first

    def read_credential(self, raw: bytes) -> tuple[dict[str, Any], bytes]:
        """And its canonical form: quickly, if that is ``raw``. Raises InputError."""
        value = self._read_with_mark(raw)
        if value is None:
            value = _read_if_canonical(raw)
            if value is not None:
                self._learn(value)
        if value is not None:
            return value, raw
        value = parse_json(raw, MAX_BUNDLE_BYTES)
        if type(value) is not dict:
            raise InputError("an object is expected")
        return value, canonicalize(value)

    def _read_with_mark(self, raw: bytes) -> dict[str, Any] | None:
        if _MARK in raw:
            return None
        at = raw.find(_ACHIEVEMENT) + len(_ACHIEVEMENT)
        for number, (text, achievement) in enumerate(self._known):
            if not raw.startswith(text, at):
                continue
            if number:
                self._known.insert(0, self._known.pop(number))
            value = _read_if_canonical(b'%b"%b"%b' % (raw[:at], _MARK, raw[at + len(text) :]))
            subject = None if value is None else value.get("credentialSubject")
            if type(subject) is not dict or subject.get("achievement") != _MARK.decode():
                return None
            subject["achievement"] = achievement
            return value
        return None

    def _learn(self, value: dict[str, Any]) -> None:
        subject = value.get("credentialSubject")
        achievement = subject.get("achievement") if type(subject) is dict else None
        if type(achievement) is not dict:
            return
        text = orjson.dumps(achievement, option=_SORTED)
        if len(text) in _WORTH_KNOWING and all(text != known for known, _ in self._known):
            self._known = [(text, achievement), *self._known[: _KNOWN_ACHIEVEMENTS - 1]]


_ACHIEVEMENT = b'"credentialSubject":{"achievement":'
_MARK = b"\x7f"  # a character that nobody writes, and that is never escaped
_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER  # integers beyond ±(2^53 - 1) are refused


def _decoder() -> msgspec.json.Decoder[dict[str, Any]]:
    """For documents that are not nested deeper than most, with numbers of which orjson and RFC 8785 think alike."""
    plain = str | int | bool | None | Annotated[float, Meta(ge=1e-3, lt=1e15)]
    value: Any = plain
    for _ in range(8):  # each level doubles what there is to build
        value = dict[str, value] | list[value] | plain
    return msgspec.json.Decoder(dict[str, value])


_decode = _decoder().decode
_find_whole_float = re.compile(rb"\.0[],}]").search  # 3.0, which is 3 in RFC 8785


def _read_if_canonical(raw: bytes) -> dict[str, Any] | None:
    """None also where that is not easily told.

    They are the canonical form if they come out again with sorted keys: so no key is there twice and no number is
    written otherwise. What is left are floats that RFC 8785 writes otherwise, and the order of keys.
    """
    try:
        value = _decode(raw)
        canonical = orjson.dumps(value, option=_SORTED)
    except (ValueError, TypeError):
        return None
    return value if canonical == raw and _find_whole_float(raw) is None and _is_sorted_alike(raw) else None


def _is_sorted_alike(raw: bytes) -> bool:
    """Whether UTF-16 gives the same order as UTF-8: it does without characters that take two of its units."""
    return raw.isascii() or not (b"\xf0" in raw or b"\xf1" in raw or b"\xf2" in raw or b"\xf3" in raw or b"\xf4" in raw)


# --- the place ------------------------------------------------------------------------------------------------------


class _Place(msgspec.Struct, rename="camel"):
    """The members of an inclusion, in the order in which they are written."""

    algorithm: Literal["RFC9162_SHA256"]
    leaf_index: Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
    tree_size: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
    root: str
    path: Annotated[list[str], Meta(max_length=MAX_PATH)]


_decode_place = msgspec.json.Decoder(_Place).decode
_encode_place = msgspec.json.Encoder().encode
_HASHES = [Struct(f"{HASH_BYTES}s" * count) for count in range(MAX_PATH + 2)]


def _read_place(raw: bytes) -> Inclusion:
    """Raises ValueError for what is written otherwise."""
    place = _decode_place(raw)
    text = " ".join([place.root, *place.path])
    packed = bytes.fromhex(text)  # which skips spaces
    hashes = _HASHES[1 + len(place.path)]
    if _encode_place(place) != raw or packed.hex(" ", HASH_BYTES) != text or len(packed) != hashes.size:
        raise InputError("the members of an inclusion are expected, once each, hashes in lower case")
    root, *path = hashes.unpack(packed)
    return Inclusion(place.leaf_index, place.tree_size, root, tuple(path))
