"""Credentials in PNG images."""

import contextlib
import random
import struct
import tracemalloc
import zlib
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.canonical import MAX_BYTES
from registry.standards.baking import MAX_IMAGE_BYTES, BakingError, Content, bake, default_png, extract, image_format
from registry.standards.baking.png import SIGNATURE, chunk

JSON = '{"type":["VerifiableCredential"],"name":"Žluťoučký"}'.encode()
JWS = b"eyJhbGciOiJFZERTQSJ9.eyJpZCI6MX0.c2ln"
IMAGE = default_png("Example")


def _chunks(image: bytes) -> list[tuple[bytes, bytes]]:
    found, place = [], 8
    while place < len(image):
        length, kind = struct.unpack_from(">I4s", image, place)
        found.append((kind, image[place + 8 : place + 8 + length]))
        place += 12 + length
    return found


def _image(*chunks: tuple[bytes, bytes]) -> bytes:
    """IHDR, the given chunks, IEND."""
    ends = [_chunks(IMAGE)[0], *chunks, (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(kind, data) for kind, data in ends)


def _itxt(text: bytes, flags: bytes = b"\0\0", keyword: bytes = b"openbadgecredential") -> tuple[bytes, bytes]:
    return b"iTXt", keyword + b"\0" + flags + b"\0\0" + text


def _refused(image: bytes) -> str:
    with pytest.raises(BakingError) as caught:
        extract(image)
    return caught.value.code


@pytest.mark.parametrize(("data", "form"), [(JSON, "json"), (JWS, "jws")])
def test_there_and_back(data: bytes, form: Any) -> None:
    assert extract(bake(IMAGE, data)) == Content(form, data)


def test_the_chunk_is_as_the_specification_has_it() -> None:
    before, after = _chunks(IMAGE), _chunks(bake(IMAGE, JSON))
    assert after == [before[0], (b"iTXt", b"openbadgecredential\0\0\0\0\0" + JSON), *before[1:]]


def test_baking_again_replaces() -> None:
    baked = bake(IMAGE, JSON)
    assert bake(baked, JSON) == baked
    assert bake(bake(baked, JWS), JSON) == baked


def test_baking_replaces_several() -> None:
    assert extract(bake(_image(_itxt(JWS), _itxt(JWS)), JSON)).data == JSON


def test_other_texts_stay() -> None:
    other = _itxt(b"hello", keyword=b"Comment")
    assert other in _chunks(bake(_image(other), JSON))
    assert _refused(_image(other)) == "no_credential"


def test_what_follows_the_image_is_left_behind() -> None:
    assert bake(IMAGE + b"PK\x03\x04", JSON) == bake(IMAGE, JSON)


def test_white_space_around_the_credential() -> None:
    assert extract(bake(IMAGE, b"\n " + JWS + b"\n")).data == JWS


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"5", b'{"a":1,"a":2}', b"a.b", b"a.b.c.d", b"\xff", b"{} x", b'{"a":NaN}']
)
def test_what_is_no_credential_is_not_baked(data: bytes) -> None:
    with pytest.raises(BakingError) as caught:
        bake(IMAGE, data)
    assert caught.value.code == "not_a_credential"


def test_a_compressed_text_is_read() -> None:
    assert extract(_image(_itxt(zlib.compress(JSON), b"\1\0"))).data == JSON


def test_language_and_translated_keyword_are_skipped() -> None:
    assert extract(_image((b"iTXt", b"openbadgecredential\0\0\0en\0badge\0" + JSON))).data == JSON


def test_an_open_badges_2_image_is_named() -> None:
    assert _refused(_image(_itxt(JWS, keyword=b"openbadges"))) == "open_badges_2"


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt"])
def test_other_kinds_of_text_do_not_count(kind: bytes) -> None:
    bomb = b"openbadgecredential\0\0" + zlib.compress(bytes(1 << 20))
    assert _refused(_image((kind, bomb))) == "no_credential"


def test_two_credentials() -> None:
    assert _refused(_image(_itxt(JSON), _itxt(JSON))) == "several_credentials"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "png_malformed"),
        (b"\0", "png_malformed"),
        (b"\0\0\0", "png_malformed"),
        (b"\2\0\0\0{}", "png_malformed"),
        (b"\1\1\0\0" + zlib.compress(JSON), "png_malformed"),
        (b"\1\0\0\0{}", "png_malformed"),
        (b"\1\0\0\0" + zlib.compress(JSON)[:-5], "png_malformed"),
        (b"\0\0\0\0\xff", "not_a_credential"),
        (b"\0\0\0\0", "not_a_credential"),
        (b"\0\0\0\0" + b'{"a":"' + b"a" * MAX_BYTES + b'"}', "too_large"),
        (b"\1\0\0\0" + zlib.compress(b" " * (MAX_BYTES + 1)), "too_large"),
    ],
)
def test_a_broken_credential_chunk(data: bytes, code: str) -> None:
    assert _refused(_image((b"iTXt", b"openbadgecredential\0" + data))) == code


def test_a_zip_bomb_is_not_unpacked() -> None:
    compressor = zlib.compressobj(1)
    bomb = b"".join(compressor.compress(bytes(1 << 22)) for _ in range(64)) + compressor.flush()
    image = _image(_itxt(bomb, b"\1\0"))
    tracemalloc.start()
    try:
        assert _refused(image) == "too_large"
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


def test_every_place_to_cut_the_file_off() -> None:
    baked = bake(_image(), JSON)
    for length in range(8, len(baked)):
        assert _refused(baked[:length]) == "png_malformed"


def test_every_damaged_byte_is_noticed() -> None:
    baked = bake(_image(), JSON)
    for place in range(8, len(baked)):
        damaged = baked[:place] + bytes([baked[place] ^ 1]) + baked[place + 1 :]
        assert _refused(damaged) in ("png_malformed", "png_checksum")


@pytest.mark.parametrize("length", [2**31 - 1, 2**32 - 1, 2**31])
def test_a_chunk_that_claims_too_much(length: int) -> None:
    assert _refused(SIGNATURE + struct.pack(">I", length) + b"IHDR" + bytes(100)) == "png_malformed"


def test_a_second_header() -> None:
    assert _refused(_image(_chunks(IMAGE)[0], _itxt(JSON))) == "png_malformed"


def test_no_header() -> None:
    assert _refused(SIGNATURE + chunk(*_itxt(JSON)) + chunk(b"IEND", b"")) == "png_malformed"


def test_too_many_chunks() -> None:
    assert _refused(_image(*[(b"tIME", b"")] * 70_000)) == "png_malformed"


def test_too_large_an_image() -> None:
    with pytest.raises(BakingError) as caught:
        bake(IMAGE + bytes(MAX_IMAGE_BYTES), JSON)
    assert caught.value.code == "too_large"


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\xff\xd8\xff\xe0", JSON, JWS, b"  \n"])
def test_not_an_image(data: bytes) -> None:
    assert image_format(data) is None
    assert _refused(data) == "not_an_image"


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_nothing_but_a_baking_error_is_raised(data: st.DataObject) -> None:
    image = bytearray(bake(_image(), JSON))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(8, len(image) - 1))
        image[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    for attempt in (lambda: extract(bytes(image)), lambda: bake(bytes(image), JSON)):
        with contextlib.suppress(BakingError):
            attempt()


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20)))
@settings(deadline=None)
def test_any_credential_comes_back(members: dict[str, str]) -> None:
    try:
        data = orjson.dumps(members)
    except TypeError:  # half a surrogate pair
        return
    assert extract(bake(IMAGE, data)).data == data


def test_the_default_image_can_be_decoded() -> None:
    """By the book: the header's size, and so many bytes behind the compression."""
    chunks = dict(_chunks(IMAGE))
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (256, 256, 8, 3, 0, 0, 0)
    assert (len(chunks[b"PLTE"]), len(chunks[b"tRNS"])) == (768, 256)
    assert len(zlib.decompress(chunks[b"IDAT"])) == 256 * 257


def test_the_default_image_has_a_colour_for_each_issuer() -> None:
    chance = random.Random(3)
    assert len({default_png(f"issuer {chance.random()}") for _ in range(50)}) > 30
    assert default_png("Example") == default_png("Example")
