"""Putting a credential into an image, and taking it out again: PNG or SVG, by the file's first bytes."""

from typing import Literal

from registry.standards.baking.companion import parse_companion
from registry.standards.baking.content import Content, parse_content
from registry.standards.baking.errors import BakingError
from registry.standards.baking.png import SIGNATURE, bake_png, extract_companion_png, extract_png
from registry.standards.baking.svg import bake_svg, extract_companion_svg, extract_svg

__all__ = ["MAX_IMAGE_BYTES", "bake", "extract", "extract_companion", "image_format"]

MAX_IMAGE_BYTES = 8 << 20

_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def image_format(data: bytes) -> Literal["png", "svg"] | None:
    """What kind of image a file is, by its first bytes; None if it is neither (a JSON file or a JWS, for example)."""
    if data.startswith(SIGNATURE):
        return "png"
    return "svg" if data.startswith(_BOMS[1:]) or data.removeprefix(_BOMS[0]).lstrip()[:1] == b"<" else None


def bake(image: bytes, credential: bytes, companion: bytes | None = None) -> bytes:
    """The image with the credential (JSON, or a compact JWS) in it, and beside it the rest of its bundle.

    They take the place of what was there before; a companion that was there goes in any case, as it proves another
    credential. Baking what is there already gives the same bytes again. Raises BakingError.
    """
    content = parse_content(credential)
    proof = None if companion is None else parse_companion(companion)
    baked = bake_png(image, content.data, proof) if _format_of(image) == "png" else bake_svg(image, content, proof)
    extract(baked)  # with the credential it may be beyond the limits, and nobody could read it any more
    return baked


def extract(image: bytes) -> Content:
    """The credential in an image. Nothing of it is verified. Raises BakingError."""
    return parse_content(extract_png(image) if _format_of(image) == "png" else extract_svg(image))


def extract_companion(image: bytes) -> bytes | None:
    """The rest of the credential's bundle, for ``join_bundle``; None if there is none. Raises BakingError."""
    found = extract_companion_png(image) if _format_of(image) == "png" else extract_companion_svg(image)
    return None if found is None else parse_companion(found)


def _format_of(image: bytes) -> Literal["png", "svg"]:
    if len(image) > MAX_IMAGE_BYTES:
        raise BakingError("too_large", f"The image has more than {MAX_IMAGE_BYTES:,} bytes; make it smaller.")
    found = image_format(image)
    if found is None:
        raise BakingError("not_an_image", "Neither a PNG nor an SVG image; no other kind can hold a credential.")
    return found
