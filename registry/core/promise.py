"""A registry's signed promise to have a credential anchored (docs/spec/promise.md): its bytes, and nothing of keys."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from registry.core.canonical import canonicalize
from registry.core.errors import InputError, ShapeError
from registry.core.merkle import HASH_BYTES
from registry.core.notation import (
    base64url_text,
    chain_text,
    hex_text,
    parse_base64url,
    parse_chain,
    parse_hex,
    parse_time,
    time_text,
)
from registry.core.shape import Shape

__all__ = [
    "MAX_PROMISE_BYTES",
    "SIGNATURE_BYTES",
    "TYPE",
    "Promise",
    "parse_promise",
    "promise_to_json",
    "signed_bytes",
]

TYPE = "AnchoringPromise"
MAX_PROMISE_BYTES = 8_192
SIGNATURE_BYTES = 64
_MAX_TEXT = 2_048
_MAX_ID = 100


@dataclass(frozen=True, slots=True)
class Promise:
    """``leaf``, under this issuer's address, in a batch of this contract by ``anchored_before`` (Unix seconds).

    ``registry`` is the registry's URL, ``id`` its own id of the credential, ``key`` the DID URL of the key that signed,
    at ``signed_at``; the credential was accepted at ``accepted_at``.
    """

    registry: str
    chain_id: int
    contract: bytes
    issuer: bytes
    id: str
    leaf: bytes
    accepted_at: int
    anchored_before: int
    signed_at: int
    key: str


def signed_bytes(promise: Promise) -> bytes:
    """What the signature is over: RFC 8785 of the promise without its signature."""
    return canonicalize(_members(promise))


def promise_to_json(promise: Promise, signature: bytes) -> dict[str, Any]:
    return {**_members(promise), "signature": base64url_text(signature)}


def parse_promise(value: object) -> tuple[Promise, bytes]:
    """The promise and its signature, not verified. Raises ShapeError."""
    shape = Shape(value, ShapeError)
    shape.constant("type", TYPE)
    shape.constant("version", 1)
    promise = Promise(
        registry=shape.text("registry", partial(_text, _MAX_TEXT)),
        chain_id=shape.text("chain", parse_chain),
        contract=shape.text("contract", partial(parse_hex, length=20)),
        issuer=shape.text("issuer", partial(parse_hex, length=20)),
        id=shape.text("id", partial(_text, _MAX_ID)),
        leaf=shape.text("leaf", partial(parse_hex, length=HASH_BYTES, prefix="")),
        accepted_at=shape.text("acceptedAt", parse_time),
        anchored_before=shape.text("anchoredBefore", parse_time),
        signed_at=shape.text("signedAt", parse_time),
        key=shape.text("key", partial(_text, _MAX_TEXT)),
    )
    signature = shape.text("signature", partial(parse_base64url, length=SIGNATURE_BYTES))
    shape.finish()
    return promise, signature


def _members(promise: Promise) -> dict[str, Any]:
    return {
        "type": TYPE,
        "version": 1,
        "registry": promise.registry,
        "chain": chain_text(promise.chain_id),
        "contract": hex_text(promise.contract),
        "issuer": hex_text(promise.issuer),
        "id": promise.id,
        "leaf": promise.leaf.hex(),
        "acceptedAt": time_text(promise.accepted_at),
        "anchoredBefore": time_text(promise.anchored_before),
        "signedAt": time_text(promise.signed_at),
        "key": promise.key,
    }


def _text(limit: int, text: str) -> str:
    if not 0 < len(text) <= limit or not text.isprintable():
        raise InputError(f"1 to {limit} printable characters belong here")
    return text
