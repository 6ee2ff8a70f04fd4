"""Strict JSON in, canonical JSON out: the bytes that are hashed.

``parse_json`` refuses every document on whose meaning two programs could differ (RFC 8259 section 4 and 6, RFC 7493);
``canonicalize`` writes a value as RFC 8785 wants it. Both refuse what RFC 8785 cannot represent.
"""

import math
import re
from typing import Any

import jiter
import orjson

from registry.core.errors import JsonError
from registry.core.notation import short

__all__ = [
    "MAX_BYTES", "MAX_DEPTH", "MAX_INTEGER", "canonical_if_plain", "canonicalize", "parse_json",
]  # fmt: skip

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_INTEGER = 2**53 - 1  # beyond it an IEEE double, RFC 8785's only number, no longer holds every integer


def parse_json(data: bytes, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """Parses one JSON document: UTF-8 without a byte order mark, nothing after it but white space.

    Raises JsonError for anything else, and for: more than ``max_bytes`` bytes, containers nested deeper than
    ``max_depth``, a key twice in one object (compared after unescaping), NaN and Infinity, lone surrogates, integers
    beyond ±(2^53 - 1), numbers too large for a double.
    """
    if len(data) > max_bytes:
        raise JsonError(f"the JSON document has {len(data)} bytes; at most {max_bytes} are read")
    try:
        # cache_mode: no copy of anybody's name stays behind in a process-wide cache.
        value = jiter.from_json(data, allow_inf_nan=False, cache_mode="none", catch_duplicate_keys=True)
    except ValueError as error:
        raise JsonError(f"not strict JSON: {short(str(error), 200)}") from error
    _check_limits(value, max_depth)
    return value


def _check_limits(value: Any, max_depth: int) -> None:
    """Level by level, so that the depth is counted without recursion."""
    level = [value]
    for _ in range(max_depth + 1):
        below: list[Any] = []
        containers = False
        for item in level:
            kind = type(item)
            if kind is str:  # most are
                continue
            if kind is dict:
                containers = True
                below += item.values()
            elif kind is list:
                containers = True
                below += item
            elif kind is int and not -MAX_INTEGER <= item <= MAX_INTEGER:
                raise JsonError(f"integer {short(str(item))} is beyond ±(2^53 - 1); write it as a string")
            elif kind is float and math.isinf(item):
                raise JsonError("a number is too large for an IEEE double")
        if not containers:
            return
        level = below
    raise JsonError(f"the JSON document is nested deeper than {max_depth} levels")


def canonicalize(value: Any) -> bytes:
    """The RFC 8785 form of a JSON value (dict, list, str, int, float, bool, None) as UTF-8 bytes.

    Raises JsonError for other types, keys that are no strings, lone surrogates, NaN and Infinity, integers beyond
    ±(2^53 - 1), and containers nested deeper than ``MAX_DEPTH``.
    """
    plain = canonical_if_plain(value)
    return canonicalize_purely(value) if plain is None else plain


def canonical_if_plain(value: Any) -> bytes | None:
    """``canonicalize`` for the documents whose form orjson and RFC 8785 agree on, about eight times as fast.

    None for all others, among them every one that ``canonicalize`` or ``parse_json`` refuse.
    """
    if not _is_plain(value):
        return None
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return None  # a lone surrogate


def canonicalize_purely(value: Any) -> bytes:
    """``canonicalize`` without the fast path: the definition that the fast path is tested against."""
    parts: list[str] = []
    _write(value, parts, MAX_DEPTH)
    try:
        return "".join(parts).encode()
    except UnicodeEncodeError as error:
        raise JsonError("a string holds a lone surrogate, which has no UTF-8 form") from error


def _is_plain(value: Any) -> bool:
    """Whether orjson's sorted output is RFC 8785's.

    It is not for some floats, for integers beyond 2^53, for keys whose UTF-16 order may differ from the order of their
    code points, and for types that orjson writes although JSON does not have them.
    """
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        containers = False
        for item in level:
            kind = type(item)
            if kind is dict:
                for key in item:
                    if type(key) is not str or not key.isascii():
                        return False
                containers = True
                below += item.values()
            elif kind is list:
                containers = True
                below += item
            elif kind is int:
                if not -MAX_INTEGER <= item <= MAX_INTEGER:
                    return False
            elif kind is float:
                if not _is_plain_float(item):
                    return False
            elif kind is not str and kind is not bool and item is not None:
                return False
        if not containers:
            return True
        level = below
    return False


def _is_plain_float(value: float) -> bool:
    """Not 3.0, -0.0, 1e16, 1e-7, NaN: those look different in RFC 8785."""
    return 1e-3 <= abs(value) < 1e15 and not value.is_integer()


def _write(value: Any, parts: list[str], depth: int) -> None:
    if isinstance(value, str):
        parts.append(_string(value))
    elif value is None:
        parts.append("null")
    elif isinstance(value, bool):  # before int, of which Python's bool is a kind
        parts.append("true" if value else "false")
    elif isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise JsonError(f"an integer of {value.bit_length()} bits is beyond ±(2^53 - 1); write it as a string")
        parts.append(int.__repr__(value))
    elif isinstance(value, float):
        parts.append(_number(value))
    elif not isinstance(value, dict | list):
        raise JsonError(f"JSON has no form for a Python {type(value).__name__}")
    elif depth == 0:
        raise JsonError(f"the value is nested deeper than {MAX_DEPTH} levels")
    elif isinstance(value, list):
        parts.append("[")
        for position, item in enumerate(value):
            if position:
                parts.append(",")
            _write(item, parts, depth - 1)
        parts.append("]")
    else:
        parts.append("{")
        for position, key in enumerate(sorted(value, key=_utf16)):
            if position:
                parts.append(",")
            parts.append(_string(key))
            parts.append(":")
            _write(value[key], parts, depth - 1)
        parts.append("}")


def _utf16(key: object) -> bytes:
    """RFC 8785 section 3.2.3: keys are ordered by their UTF-16 code units."""
    if not isinstance(key, str):
        raise JsonError(f"a key of a JSON object is a string, not a Python {type(key).__name__}")
    try:
        return key.encode("utf-16-be")
    except UnicodeEncodeError as error:
        raise JsonError("a key holds a lone surrogate, which has no UTF-8 form") from error


# RFC 8785 section 3.2.2.2: these have short forms, other control characters lower-case \u00xx, nothing else is escaped.
_ESCAPES = {chr(code): f"\\u{code:04x}" for code in range(0x20)} | {
    "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\",
}  # fmt: skip
_ESCAPED = re.compile(r'[\x00-\x1f"\\]')


def _string(text: str) -> str:
    return f'"{_ESCAPED.sub(lambda match: _ESCAPES[match[0]], text)}"'


def _number(value: float) -> str:
    """ECMAScript's Number::toString (RFC 8785 section 3.2.2.3), from the shortest digits, which Python's repr finds."""
    if not math.isfinite(value):
        raise JsonError(f"JSON has no form for {value!r}")
    if value == 0:
        return "0"  # also for -0
    mantissa, _, exponent = float.__repr__(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # value = 0.digits * 10^point
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        text = digits + "0" * (point - len(digits))
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        text = f"{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{point - 1:+d}"
    return text if value > 0 else f"-{text}"
