"""Others read what we bake, and we what they bake: openbadgeslib."""

import pytest

from registry.standards.baking import bake, default_png, default_svg, extract, extract_companion

theirs = pytest.importorskip("openbadgeslib.baking")

JSON = b'{"type":["VerifiableCredential"],"name":"Statistics"}'
JWS = b"eyJhbGciOiJFZERTQSJ9.eyJpZCI6MX0.c2ln"
COMPANION = b'{"type":"AnchoredCredentialBundle","version":1,"note":"]]>"}'
SVG = {"element": theirs.SVG_ELEMENT_OB3}


@pytest.mark.parametrize("data", [JSON, JWS])
def test_png(data: bytes) -> None:
    image = default_png("Example")
    assert theirs.extract_png(bake(image, data), keyword=theirs.ITXT_KEYWORD_OB3) == data.decode()
    assert extract(theirs.bake_png(image, data.decode(), keyword=theirs.ITXT_KEYWORD_OB3)).data == data


@pytest.mark.parametrize("data", [JSON, JWS])
def test_svg(data: bytes) -> None:
    image = default_svg("Statistics", "Example")
    assert theirs.extract_svg(bake(image, data), text_fallback=True, **SVG) == data.decode()
    baked = theirs.bake_svg(image, data.decode(), namespace=theirs.SVG_NS_OB3, as_text=data == JSON, **SVG)
    assert extract(baked).data == data
    assert theirs.extract_svg(bake(baked, b"{}"), text_fallback=True, **SVG) == "{}"


@pytest.mark.parametrize("data", [JSON, JWS])
def test_they_read_past_the_companion(data: bytes) -> None:
    png = bake(default_png("Example"), data, COMPANION)
    svg = bake(default_svg("Statistics", "Example"), data, COMPANION)
    assert theirs.extract_png(png, keyword=theirs.ITXT_KEYWORD_OB3) == data.decode()
    assert theirs.extract_svg(svg, text_fallback=True, **SVG) == data.decode()
    assert extract_companion(png) == extract_companion(svg) == COMPANION
    # Their baking knows nothing of it and leaves it there: it is seen to belong to another credential when it is read.
    assert extract_companion(theirs.bake_png(png, "{}", keyword=theirs.ITXT_KEYWORD_OB3)) == COMPANION


def test_the_default_image_is_a_picture_to_others() -> None:
    width, height, rows, info = __import__("png").Reader(bytes=default_png("Example")).asRGBA8()
    pixels = list(rows)
    assert (width, height, len(pixels), info["alpha"]) == (256, 256, 256, True)
    assert tuple(pixels[0][:4])[3] == 0  # a corner: nothing there
