"""What a verifier asks over HTTP: a bundle, credential or image as the body, or in JSON beside what is asked about it.

An e-mail address is personal data: it comes in the body, where no log looks, and never in a URL.
"""

import base64
import binascii
from dataclasses import dataclass

from pydantic import ValidationError

from registry.api.problems import RequestError
from registry.api.schemas import QuestionIn
from registry.core.canonical import MAX_BYTES, MAX_DEPTH, parse_json
from registry.core.errors import InputError
from registry.core.model import Bundle
from registry.core.notation import parse_time, short
from registry.service.presenting import Alone, read_image, read_presented, read_value
from registry.standards.baking import MAX_IMAGE_BYTES

__all__ = ["OTHER_MEDIA_TYPES", "Question", "max_body", "read_question", "read_time"]

_IMAGES = ("image/png", "image/svg+xml")
OTHER_MEDIA_TYPES = ("application/vc", "application/vc+jwt", "application/jwt", *_IMAGES)
_MEMBERS = frozenset({"bundle", "credential", "image", "at", "subjectEmail"})


@dataclass(frozen=True, slots=True)
class Question:
    """``at`` in Unix seconds, ``subject`` an e-mail address; None where it is not asked."""

    item: Bundle | Alone
    at: int | None = None
    subject: str | None = None

    def __repr__(self) -> str:
        return "Question(…)"  # an address must not get into a log by way of a repr


def max_body(media_type: str) -> int:
    """How many bytes a body of that kind may have."""
    return MAX_IMAGE_BYTES if media_type in _IMAGES else MAX_BYTES


def read_question(data: bytes, *, as_json: bool) -> Question:
    """Raises RequestError (400, 422) and InputError."""
    if not data:
        raise RequestError(400, "not_json", "The request has no body; a JSON document is expected.")
    if not as_json:
        return Question(read_presented(data))
    value = parse_json(data, max_depth=MAX_DEPTH + 2)
    if not isinstance(value, dict) or not value or not value.keys() <= _MEMBERS:
        return Question(read_value(value))
    try:
        body = QuestionIn.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        pointer = "".join(f"/{short(str(part))}" for part in first["loc"][:1])
        raise RequestError(422, "invalid_body", str(first["msg"]), pointer) from None
    named = [item for item in (body.bundle, body.credential, body.image) if item is not None]
    if len(named) != 1:
        raise RequestError(422, "invalid_body", "Exactly one of bundle, credential and image is expected.")
    item = read_value(named[0]) if body.image is None else read_image(_bytes(body.image))
    return Question(item, read_time(body.at), body.subject_email)


def read_time(text: str | None) -> int | None:
    """``at``, as everywhere. Raises RequestError (422)."""
    if text is None:
        return None
    try:
        return parse_time(text)
    except InputError as error:
        raise RequestError(422, "invalid_body", f"at: {error}.", "/at") from error


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise RequestError(422, "invalid_body", "image is not base64.", "/image") from error
