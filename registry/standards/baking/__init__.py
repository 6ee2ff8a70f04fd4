"""Badges that people can hold: a credential inside a PNG or SVG image (Open Badges 3.0 section 5.3).

Beside it stands the rest of its bundle, so that the image proves everything. See docs/spec/baking.md.
"""

from registry.standards.baking.badge import bake_bundle, build_badge, picture_of
from registry.standards.baking.companion import join_bundle, parse_companion, split_bundle
from registry.standards.baking.content import Content, parse_content
from registry.standards.baking.errors import BakingError
from registry.standards.baking.imaging import MAX_IMAGE_BYTES, bake, extract, extract_companion, image_format
from registry.standards.baking.picture import default_png, default_svg

__all__ = [
    "MAX_IMAGE_BYTES", "BakingError", "Content", "bake", "bake_bundle", "build_badge", "default_png", "default_svg",
    "extract", "extract_companion", "image_format", "join_bundle", "parse_companion", "parse_content", "picture_of",
    "split_bundle",
]  # fmt: skip
