"""Credentials and their proofs in PNG images: Open Badges 3.0 section 5.3.1, PNG (ISO 15948) 5 and 11.3.4.5 (iTXt).

The chunks are walked, the picture is never decoded, and only our own two texts are ever unpacked.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from registry.core.canonical import MAX_BYTES
from registry.standards.baking.errors import BakingError

__all__ = ["SIGNATURE", "bake_png", "chunk", "extract_companion_png", "extract_png"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEYWORD = b"openbadgecredential"
_KEYWORD_2 = b"openbadges"  # Open Badges 1 and 2
_COMPANION = b"AnchoredCredentialBundle"
_MAX_CHUNKS = 1 << 16  # writers make chunks of 8 KiB and more


class _Chunk(NamedTuple):
    kind: bytes
    start: int  # in the file, where the chunk's length stands
    end: int
    data: bytes


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk: length, kind, data, CRC (chapter 5.3)."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def bake_png(image: bytes, text: bytes, companion: bytes | None) -> bytes:
    """The image with ``text`` in an iTXt chunk behind the header, where a reader finds it without reading the picture.

    The companion follows in a chunk of its own. A credential that is already there is replaced, with its companion;
    every other chunk stays as it is. Raises BakingError.
    """
    parts = [SIGNATURE]
    for item in _chunks(image):
        if _text_of(item, _KEYWORD) is None and _text_of(item, _COMPANION) is None:
            parts.append(image[item.start : item.end])
        if item.kind == b"IHDR":
            parts.append(_text_chunk(_KEYWORD, text))
            if companion is not None:
                parts.append(_text_chunk(_COMPANION, companion))
    return b"".join(parts)


def extract_png(image: bytes) -> bytes:
    """The text of the one credential chunk. Raises BakingError.

    Two of them are refused, though the specification lets readers stop at the first: programs would differ on which
    credential the image holds. Compression is forbidden there, but read: bounded, it does no harm.
    """
    chunks = list(_chunks(image))
    texts = [text for item in chunks if (text := _text_of(item, _KEYWORD)) is not None]
    if len(texts) > 1:
        raise BakingError("several_credentials", "The image holds several credentials; one is allowed.")
    if not texts:
        if any(_text_of(item, _KEYWORD_2) is not None for item in chunks):
            raise BakingError("open_badges_2", "The image holds an Open Badges 2 assertion, not a 3.0 credential.")
        raise BakingError("no_credential", "No credential is baked into this image.")
    return _unpacked(texts[0])


def extract_companion_png(image: bytes) -> bytes | None:
    """The text of the one companion chunk; None if there is none. Raises BakingError."""
    texts = [text for item in _chunks(image) if (text := _text_of(item, _COMPANION)) is not None]
    if len(texts) > 1:
        raise BakingError("several_companions", "The image holds the proofs of several credentials; one is allowed.")
    return _unpacked(texts[0]) if texts else None


def _chunks(image: bytes) -> Iterator[_Chunk]:
    """All chunks from IHDR to IEND, with their CRC checked. Raises BakingError."""
    place, kind = len(SIGNATURE), b""
    for number in range(_MAX_CHUNKS):
        if len(image) < place + 12:
            raise BakingError("png_malformed", "The PNG file is cut off.")
        length, kind = struct.unpack_from(">I4s", image, place)
        end = place + 12 + length
        if not kind.isalpha() or (kind == b"IHDR") != (number == 0):
            raise BakingError(
                "png_malformed", "The PNG file is broken: a chunk without name, or a header out of place."
            )
        if end > len(image):
            raise BakingError("png_malformed", "The PNG file is cut off, or a chunk claims more than there is.")
        data = image[place + 8 : end - 4]
        if zlib.crc32(data, zlib.crc32(kind)) != struct.unpack_from(">I", image, end - 4)[0]:
            raise BakingError("png_checksum", "The PNG file is damaged: the checksum of a chunk is wrong.")
        yield _Chunk(kind, place, end, data)
        if kind == b"IEND":
            return  # what follows is not part of the image, and left behind when baking
        place = end
    raise BakingError("png_malformed", f"The PNG file has more than {_MAX_CHUNKS:,} chunks.")


def _text_chunk(keyword: bytes, text: bytes) -> bytes:
    """Not compressed, method 0, no language, no translated keyword: all as the specification has it."""
    return chunk(b"iTXt", keyword + b"\0" + b"\0\0" + b"\0" + b"\0" + text)


def _text_of(item: _Chunk, keyword: bytes) -> bytes | None:
    """What follows the keyword of an iTXt chunk; None if it is another chunk."""
    head = keyword + b"\0"
    return item.data[len(head) :] if item.kind == b"iTXt" and item.data.startswith(head) else None


def _unpacked(rest: bytes) -> bytes:
    """The text: behind compression flag and method, language tag and translated keyword."""
    fields = rest[2:].split(b"\0", 2)
    if len(fields) != 3 or rest[0] > 1 or (rest[0] == 1 and rest[1] != 0):
        raise BakingError("png_malformed", "The iTXt chunk of the credential or its proof is broken.")
    text = fields[2]
    if rest[0] == 0:
        return text
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(text, MAX_BYTES + 1)
    except zlib.error as error:
        raise BakingError("png_malformed", "The compressed text of the credential or its proof is broken.") from error
    if len(text) > MAX_BYTES:
        raise BakingError("too_large", f"The credential or its proof unpacks to more than {MAX_BYTES:,} bytes.")
    if not stream.eof:
        raise BakingError("png_malformed", "The compressed text of the credential or its proof is cut off.")
    return text
