"""Kinds of values that the fields of Open Badges 3.0 have: what belongs there, and a check of it.

A check adds to ``Faults`` and never raises. The first question of each is the schema's; what the specification's prose
asks beyond it counts only with ``Faults.strict``.
"""

import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import NamedTuple

from registry.core.notation import short
from registry.standards.openbadges.faults import Faults, Path, Rule, kind_of

__all__ = [
    "BOOLEAN", "COMPACT_JWS", "COUNTRY_CODE", "DATE", "DATE_TIME", "LANGUAGE", "NUMBER", "OB_CONTEXT", "TEXT", "URI",
    "Kind", "array", "constant", "contexts", "either_text_or", "extensible", "is_date_time", "is_language", "is_uri",
    "is_web_address", "one_of", "types",
]  # fmt: skip

Check = Callable[[object, Path, Faults], None]

_VC_CONTEXT = "https://www.w3.org/ns/credentials/v2"
OB_CONTEXT = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"
_OB_CONTEXT = re.compile(r"https://purl\.imsglobal\.org/spec/ob/v3p0/context(-3\.[0-9]\.[0-9])*\.json")

# RFC 3986 with the characters of RFC 3987: a scheme, a colon, and then no white space and nothing that needs escaping.
_URI = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x20<>"{}|\\^`\x7f-\x9f]+')
_WEB = re.compile(r"https?://[^/?#@:]+")
# RFC 3339 section 5.6.
_DATE_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# The schema's own pattern, read as regular expressions are: not anchored, and "|-|" is the one character "|".
_EXTENSION = re.compile(r"ext:[a-zA-Z0-9._|]")
_LANGUAGE = re.compile(r"[a-z]{2,4}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
_JWS = re.compile(r"[a-zA-Z0-9_-]+\.[a-zA-Z0-9_-]*\.[a-zA-Z0-9_-]+")
_COUNTRY = re.compile(r"[A-Z]{2}")


class Kind(NamedTuple):
    """``expected`` completes "… belongs here"."""

    expected: str
    check: Check


def _wrong_type(expected: str, value: object, path: Path, faults: Faults) -> None:
    faults.add(path, "type", f"{expected} belongs here, not {kind_of(value)}.")


# --- single values --------------------------------------------------------------------------------------------------


def _simple(expected: str, *kinds: type) -> Kind:
    def check(value: object, path: Path, faults: Faults) -> None:
        if type(value) not in kinds:  # not isinstance: True is no number
            _wrong_type(expected, value, path, faults)

    return Kind(expected, check)


TEXT = _simple("A string", str)
BOOLEAN = _simple("true or false", bool)
NUMBER = _simple("A number (without quotation marks)", int, float)


def _text(
    expected: str, accepts: Callable[[str], object], rule: Rule, code: str, advice: Callable[[str], str] | None = None
) -> Kind:
    """A string with a rule of its own."""

    def check(value: object, path: Path, faults: Faults) -> None:
        if type(value) is not str:
            _wrong_type(expected, value, path, faults)
        elif (rule is Rule.SCHEMA or faults.strict) and not accepts(value):
            hint = f" {advice(value)}" if advice else ""
            faults.add(path, code, f"{expected} belongs here, not {short(value)!r}.{hint}", rule)

    return Kind(expected, check)


def is_uri(value: str) -> bool:
    """An absolute URI or IRI."""
    return _URI.fullmatch(value) is not None


def is_web_address(value: str) -> bool:
    """A URI that a browser can be sent to: http or https, with a host."""
    return is_uri(value) and _WEB.match(value) is not None


def is_date_time(value: str) -> bool:
    """A date and time with its offset (RFC 3339 section 5.6) that exists; no leap seconds, no year 0."""
    match = _DATE_TIME.fullmatch(value)
    return match is not None and _exists(match[1])


def is_language(value: str) -> bool:
    """A language tag of BCP 47, as far as the schema's pattern goes."""
    return _LANGUAGE.fullmatch(value) is not None


def _is_date(value: str) -> bool:
    return _DATE.fullmatch(value) is not None and _exists(value)


def _exists(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


URI = _text(
    "An absolute URI such as https://example.org/x, did:web:example.org or urn:uuid:…", is_uri, Rule.FORMAT, "uri"
)
DATE_TIME = _text(
    "A date and time with its offset from UTC, such as 2026-03-01T12:00:00Z,", is_date_time, Rule.FORMAT, "date_time"
)
DATE = _text("A date such as 2004-02-29", _is_date, Rule.FORMAT, "date")
COUNTRY_CODE = _text(
    "A country's two capital letters of ISO 3166-1, such as IE,", _COUNTRY.fullmatch, Rule.FORMAT, "country"
)
LANGUAGE = _text("A language code such as en, de-AT or sr-Latn", is_language, Rule.SCHEMA, "language")
COMPACT_JWS = _text("A compact JWS (header.payload.signature)", _JWS.fullmatch, Rule.SCHEMA, "jws")


def constant(text: str) -> Kind:
    return _text(f'"{text}"', lambda value: value == text, Rule.SCHEMA, "value")


def one_of(*words: str) -> Kind:
    known = frozenset(words)
    return _text(f"One of {', '.join(words)}", known.__contains__, Rule.SCHEMA, "value")


def extensible(*words: str) -> Kind:
    """One of these words, or an extension with "ext:" before it."""
    known = frozenset(words)

    def accepts(value: str) -> object:
        return value in known or _EXTENSION.search(value)

    return _text(f'One of {", ".join(words)}, or a word of your own behind "ext:",', accepts, Rule.SCHEMA, "value")


def either_text_or(inner: Kind, text: Kind) -> Kind:
    expected = f"{text.expected}, or {inner.expected[0].lower()}{inner.expected[1:]},"

    def check(value: object, path: Path, faults: Faults) -> None:
        if type(value) is str:
            text.check(value, path, faults)
        elif type(value) is dict:
            inner.check(value, path, faults)
        else:
            _wrong_type(expected, value, path, faults)

    return Kind(expected, check)


# --- arrays ---------------------------------------------------------------------------------------------------------


def array(inner: Kind) -> Kind:
    expected = f"An array ([…]) in which {inner.expected[0].lower()}{inner.expected[1:]} stands"

    def check(value: object, path: Path, faults: Faults) -> None:
        if type(value) is not list:
            _wrong_type("An array, written [ … ] also around a single item,", value, path, faults)
            return
        for position, item in enumerate(value):
            inner.check(item, (path, position), faults)

    return Kind(expected, check)


def types(*wanted: Iterable[str]) -> Kind:
    """An array of strings that has one word of each group."""
    groups = [tuple(group) for group in wanted]
    expected = "An array of types, such as [" + ", ".join(f'"{group[-1]}"' for group in groups) + "]"

    def check(value: object, path: Path, faults: Faults) -> None:
        if type(value) is not list:
            _wrong_type(expected, value, path, faults)
            return
        for position, item in enumerate(value):
            if type(item) is not str:
                _wrong_type("A string", item, (path, position), faults)
        for group in groups:
            for word in group:
                if word in value:
                    break
            else:
                faults.add(path, "type_missing", f"Add {' or '.join(f'{word!r}' for word in group)} to the types.")

    return Kind(expected, check)


def _contexts(value: object, path: Path, faults: Faults) -> None:
    if type(value) is not list:
        _wrong_type(contexts.expected, value, path, faults)
        return
    if len(value) < 2:
        faults.add(path, "context", f"Two contexts belong here at least: {_VC_CONTEXT} and then {OB_CONTEXT}.")
    for position, item in enumerate(value):
        here = (path, position)
        if position == 0:
            if item != _VC_CONTEXT:
                faults.add(here, "context", f"The first context must be {_VC_CONTEXT}.")
        elif position == 1:
            if type(item) is not str or not _OB_CONTEXT.fullmatch(item):
                faults.add(
                    here, "context", f"The second context must be that of Open Badges 3.0, such as {OB_CONTEXT}."
                )
        elif type(item) is str:
            URI.check(item, here, faults)
        elif type(item) is not dict:
            _wrong_type("The address of a context, or a context itself (an object),", item, here, faults)


contexts = Kind("An array that begins with the contexts of VC 2.0 and Open Badges 3.0", _contexts)
