"""What people hand in to be verified: a bundle, a credential alone (JSON, VC-JWT, enveloped), or a baked image."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.core.bundle import MAX_BUNDLE_BYTES, parse_bundle, read_bundle
from registry.core.canonical import MAX_DEPTH, parse_json
from registry.core.errors import BundleError
from registry.core.model import Bundle
from registry.standards import baking

__all__ = ["MAX_PRESENTED_BYTES", "Alone", "read_image", "read_presented", "read_value"]

MAX_PRESENTED_BYTES = max(MAX_BUNDLE_BYTES, baking.MAX_IMAGE_BYTES)
_JWT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Alone:
    """A credential without a bundle: an object as ``parse_json`` returns it, or a VC-JWT."""

    credential: Mapping[str, Any] | str


def read_presented(data: bytes) -> Bundle | Alone:
    """Reads a file of any of these kinds; its content says which. Raises InputError."""
    if baking.image_format(data) is not None:
        return read_image(data)
    trimmed = data.strip()
    if _JWT.fullmatch(trimmed):
        return Alone(trimmed.decode("ascii"))
    return read_value(parse_json(data, MAX_BUNDLE_BYTES, MAX_DEPTH + 1))


def read_value(value: object) -> Bundle | Alone:
    """The same from JSON; a string is a VC-JWT. Raises BundleError for what is neither credential nor bundle."""
    if isinstance(value, str):
        if not _JWT.fullmatch(value.encode("utf-8", "replace")):
            raise BundleError("a string is expected to be a VC-JWT here")
        return Alone(value)
    if isinstance(value, dict) and "leaf" not in value and ("@context" in value or "credentialSubject" in value):
        return Alone(value)
    return read_bundle(value)


def read_image(image: bytes) -> Bundle | Alone:
    """The credential in a baked PNG or SVG, in its bundle where the image has the rest of one. Raises InputError."""
    content = baking.extract(image)
    companion = baking.extract_companion(image)
    if companion is not None:
        return parse_bundle(baking.join_bundle(content, companion))
    return Alone(content.data.decode("ascii") if content.form == "jws" else parse_json(content.data))
