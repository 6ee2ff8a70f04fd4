"""The rest of a bundle, which goes into an image beside the credential, so that the image proves everything.

A companion is the bundle's JSON without "credential". The credential of an EnvelopedVerifiableCredential is baked as
the compact JWS that it envelops; "envelope" in the companion then holds the enveloping object without its "id".
"""

from typing import Any

import orjson

from registry.core.bundle import MAX_BUNDLE_BYTES, read_bundle, serialize_bundle
from registry.core.canonical import MAX_BYTES, MAX_DEPTH, parse_json
from registry.core.errors import InputError, JsonError
from registry.standards.baking.content import Content, is_jws, parse_content
from registry.standards.baking.errors import BakingError
from registry.standards.proofs.jose import open_envelope

__all__ = ["join_bundle", "parse_companion", "split_bundle"]

_DATA_URL = "data:application/vc+jwt,"
_JSON_SPACE = b" \t\r\n"


def parse_companion(data: bytes) -> bytes:
    """White space around it is cut off. Whether it proves anything, or is one at all, is seen when it is joined.

    Raises BakingError if it is no JSON object of at most 1 MiB, or holds a credential of its own.
    """
    trimmed = data.strip(_JSON_SPACE)
    _read(trimmed)
    return trimmed


def split_bundle(data: bytes) -> tuple[bytes, bytes]:
    """What is baked of a bundle: the credential (JSON, or a compact JWS) and the companion.

    Raises JsonError and BundleError if it is no bundle, BakingError if it holds no credential, or too large a one.
    """
    document = parse_json(data, MAX_BUNDLE_BYTES, MAX_DEPTH + 1)
    credential = read_bundle(document).credential
    if credential is None:
        raise BakingError("not_a_credential", "The bundle holds a digest in the credential's place; bake a whole one.")
    rest = {name: value for name, value in document.items() if name != "credential"}
    token = (open_envelope(credential) or "").encode()
    if is_jws(token):
        rest["envelope"] = {name: value for name, value in credential.items() if name != "id"}
        return token, parse_companion(orjson.dumps(rest))
    return parse_content(orjson.dumps(credential)).data, parse_companion(orjson.dumps(rest))


def join_bundle(content: Content, companion: bytes) -> bytes:
    """The bundle again, as ``serialize_bundle`` writes it. Nothing of it is verified. Raises BakingError.

    A companion that belongs to another credential gives a bundle that proves nothing: verification says so.
    """
    document = _read(companion)
    if (content.form == "jws") != ("envelope" in document):
        message = (
            "The credential and its proof in the image do not belong together: a JWS, and only a JWS, has an envelope."
        )
        raise BakingError("not_a_companion", message)
    if content.form == "jws":
        envelope = document.pop("envelope")
        if not isinstance(envelope, dict) or "id" in envelope:
            raise BakingError("not_a_companion", 'The envelope in the image\'s proof is not an object without "id".')
        # Sorted, as the registry keeps it: so the bundle comes out as it was given out.
        credential = dict(sorted({**envelope, "id": _DATA_URL + content.data.decode()}.items()))
    else:
        credential = parse_json(content.data)
    try:
        return serialize_bundle(read_bundle({**document, "credential": credential}))
    except InputError as error:
        raise BakingError("not_a_companion", f"The proof in the image is not a bundle's: {error}.") from error


def _read(companion: bytes) -> dict[str, Any]:
    try:
        document = parse_json(companion, MAX_BYTES, MAX_DEPTH + 1)
    except JsonError as error:
        raise BakingError("not_a_companion", f"The proof in the image is not JSON: {error}.") from error
    if not isinstance(document, dict) or "credential" in document or "digest" in document:
        raise BakingError("not_a_companion", "The proof in the image is not a bundle without its credential.")
    return document
