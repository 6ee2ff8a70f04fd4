"""A bundle as a picture: the achievement's own where there is one, else the plain medal."""

import base64
import binascii
from typing import Literal
from urllib.parse import unquote_to_bytes

from registry.core.bundle import parse_bundle
from registry.core.credential import facts
from registry.core.model import Bundle
from registry.standards.baking.companion import split_bundle
from registry.standards.baking.errors import BakingError
from registry.standards.baking.imaging import bake, image_format
from registry.standards.baking.picture import default_png, default_svg

__all__ = ["bake_bundle", "build_badge", "picture_of"]

_MEDIA_TYPES = {"png": "image/png", "svg": "image/svg+xml"}


def build_badge(bundle: bytes, form: Literal["png", "svg"]) -> bytes:
    """The bundle, baked into the achievement's own picture of that form, or into a medal.

    A picture that cannot hold a credential (broken, or too large with it) gives way to the medal, too. Raises
    JsonError, BundleError, BakingError as ``split_bundle`` does.
    """
    parsed = parse_bundle(bundle)
    own = _own_picture(parsed, form)
    if own is not None:
        try:
            return bake_bundle(own, bundle)
        except BakingError:
            split_bundle(bundle)  # if the bundle is at fault, no other picture helps
    return bake_bundle(picture_of(parsed, form), bundle)


def bake_bundle(image: bytes, bundle: bytes) -> bytes:
    """The image with the whole bundle in it. Raises JsonError, BundleError, BakingError."""
    credential, companion = split_bundle(bundle)
    return bake(image, credential, companion)


def picture_of(bundle: Bundle, form: Literal["png", "svg"]) -> bytes:
    """The plain medal with the words of this credential."""
    said = facts(bundle.credential or {})
    issuer = said.get("issuer", "")
    if form == "png":
        return default_png(issuer)
    return default_svg(said.get("achievement") or said.get("name", ""), issuer)


def _own_picture(bundle: Bundle, form: Literal["png", "svg"]) -> bytes | None:
    """What the achievement brings along as a data: URL (RFC 2397). Pictures elsewhere on the web are not fetched."""
    subject = (bundle.credential or {}).get("credentialSubject")
    achievement = subject.get("achievement") if isinstance(subject, dict) else None
    image = achievement.get("image") if isinstance(achievement, dict) else None
    address = image.get("id") if isinstance(image, dict) else image
    if not isinstance(address, str) or not address.isascii():
        return None
    head, comma, body = address.partition(",")
    media_type, *parameters = head.lower().split(";")
    if not comma or media_type != f"data:{_MEDIA_TYPES[form]}":
        return None
    data = unquote_to_bytes(body)
    if "base64" in parameters:
        try:
            data = base64.b64decode(data, validate=True)
        except binascii.Error:
            return None
    return data if image_format(data) == form else None
