"""What the VC Data Model asks of any credential and presentation, whatever it is about (docs/spec/data-model.md).

VC Data Model 2.0 sections 4 and 5, and 1.1 for documents that begin with its context. What Open Badges ask beyond that
has a table of its own (registry/standards/openbadges).
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from registry.core.credential import unix_time
from registry.core.errors import InputError
from registry.core.notation import short
from registry.standards.contexts import ContextError
from registry.standards.openbadges.datamodel import check_status_entry
from registry.standards.openbadges.faults import Fault, Faults, Path, Rule, kind_of
from registry.standards.openbadges.values import is_uri
from registry.standards.proofs.expanding import Expander, default_expander
from registry.standards.proofs.jsonld import JsonLdFault
from registry.standards.proofs.multibase import parse_multibase
from registry.standards.proofs.rdfc import TooComplex

__all__ = ["ENVELOPES", "VC_1", "VC_2", "DocumentKind", "find_vc_faults", "is_enveloped"]

DocumentKind = Literal["credential", "presentation"]

VC_1 = "https://www.w3.org/2018/credentials/v1"
VC_2 = "https://www.w3.org/ns/credentials/v2"
ENVELOPES: Mapping[DocumentKind, str] = {
    "credential": "EnvelopedVerifiableCredential", "presentation": "EnvelopedVerifiablePresentation",
}  # fmt: skip
_TYPES: Mapping[DocumentKind, str] = {"credential": "VerifiableCredential", "presentation": "VerifiablePresentation"}

_OFFSET = re.compile(r"(?:Z|[+-][0-9]{2}:[0-9]{2})\Z")
_DATA_URL = re.compile(r"data:[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?:;[^,;\s]+)*,\S+")
_SRI = re.compile(r"sha(?:256|384|512)-([A-Za-z0-9+/_-]+={0,2})(?:\?\S*)?")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_TYPE_POINTER = re.compile(r"(?:/.*)?/@?type(?:/[0-9]+)?")
_MULTIHASHES = {b"\x12\x20": 32, b"\x20\x30": 48, b"\x13\x40": 64}  # sha2-256, sha2-384, sha2-512
_DIGEST_BYTES = frozenset(_MULTIHASHES.values())

# Resources that are known here without asking anybody, by the SHA-256 and SHA-384 of their published bytes: VC 2.0's
# context (appendix B.1) as it was in July 2024, and as it is since February 2025.
_PUBLISHED: Mapping[str, frozenset[str]] = {
    VC_2: frozenset(
        {
            "24a18c90e9856d526111f29376e302d970b2bd10182e33959995b0207d7043b9",
            "35239c36999d2155312091af194a1edb61634d6ad789a5e5b19f2aebdd762dd9d1dcaada40eda7ef921c6b8c0ae107a0",
            "59955ced6697d61e03f2b2556febe5308ab16842846f5b586d7f1f7adec92734",
            "97f1eb8e5042356c805fdd61afa2c557663785e0794dcafa21e138fd38def18cb360133c221aa31d6896a6bf3e65b614",
        }
    )
}

_Check = Callable[[object, Path, Faults], None]


def find_vc_faults(
    document: object, kind: DocumentKind | None = None, *, expander: Expander | None = None
) -> tuple[Fault, ...]:
    """All that keeps a document from conforming to the VC Data Model, up to ``MAX_FAULTS``; () if nothing does.

    ``kind``: what it has to be; None: what its type says, a credential if in doubt. Proofs are looked at for their
    outline only. Terms are looked up in contexts that are known; no context and no related resource is fetched, and
    what could not be looked up is no fault. Never raises on what core's ``parse_json`` returns.
    """
    faults = Faults(strict=True)
    if not isinstance(document, dict):
        _wrong_type("A JSON object", document, None, faults)
        return tuple(faults.found)
    if kind is None:
        words = _listed(document.get("type"))
        held = (_TYPES["presentation"], ENVELOPES["presentation"])
        kind = "presentation" if any(word in words for word in held) else "credential"
    _check_document(document, kind, None, faults)
    if not any(fault.code in ("type", "context") or fault.pointer.startswith("/@context") for fault in faults.found):
        _check_terms(document, faults, expander or default_expander())
    return tuple(faults.found)


def is_enveloped(document: Mapping[str, Any], kind: DocumentKind) -> bool:
    """Whether a document is an envelope around a secured one (section 4.13)."""
    return ENVELOPES[kind] in _listed(document.get("type"))


def _add(path: Path, code: str, message: str, faults: Faults) -> None:
    faults.add(path, code, message, Rule.DATA_MODEL)


def _wrong_type(expected: str, value: object, path: Path, faults: Faults) -> None:
    _add(path, "type", f"{expected} belongs here, not {kind_of(value)}.", faults)


def _missing(name: str, what: str, path: Path, faults: Faults) -> None:
    _add((path, name), "missing", f'Add "{name}": {what}.', faults)


# --- documents ------------------------------------------------------------------------------------------------------


def _check_document(document: dict[str, Any], kind: DocumentKind, path: Path, faults: Faults) -> None:
    if is_enveloped(document, kind):
        _check_envelope(document, kind, path, faults)
        return
    first = _check_contexts(document, path, faults)
    _check_id(document, path, faults)
    _check_types(document, _TYPES[kind], path, faults)
    checks = dict(_COMMON)
    if kind == "presentation":
        held = _credentials_or_jwts if first == VC_1 else _each(_check_credential, empty=True)
        checks |= {"holder": _identified("the holder"), "verifiableCredential": held}
    else:
        checks |= {"issuer": _identified("the issuer"), "credentialSubject": _subjects}
        if "issuer" not in document:
            _missing("issuer", "a URL, or an object whose id is one", path, faults)
        if "credentialSubject" not in document:
            _missing("credentialSubject", "an object with what is claimed", path, faults)
        if first == VC_1:
            _check_period(document, ("issuanceDate", "expirationDate"), path, faults)
            if "issuanceDate" not in document:
                _missing("issuanceDate", "a date and time such as 2026-03-01T12:00:00Z", path, faults)
        else:
            _check_period(document, ("validFrom", "validUntil"), path, faults, offset=True)
    if first != VC_1:
        checks |= _SINCE_2
    for name, check in checks.items():
        if name in document:
            check(document[name], (path, name), faults)


def _check_envelope(document: dict[str, Any], kind: DocumentKind, path: Path, faults: Faults) -> None:
    """Sections 4.13.1 and 4.13.2."""
    if VC_2 not in _listed(document.get("@context")):
        _add((path, "@context"), "context", f"The context of an envelope is {VC_2}.", faults)
    address = document.get("id")
    if not isinstance(address, str) or not _DATA_URL.fullmatch(address):
        message = f"The id of an envelope is a data: URL with media type and content: data:application/{_JWT[kind]},…"
        _add((path, "id"), "data_url", message, faults)


_JWT: Mapping[DocumentKind, str] = {"credential": "vc+jwt", "presentation": "vp+jwt"}


def _check_contexts(document: dict[str, Any], path: Path, faults: Faults) -> object:
    """Section 4.3. Returns the first context."""
    contexts = _listed(document.get("@context"))
    first = contexts[0] if contexts else None
    if first not in (VC_1, VC_2):
        _add((path, "@context"), "context", f"The first context must be {VC_2}.", faults)
    for position, item in enumerate(contexts[1:], 1):
        here = ((path, "@context"), position)
        if isinstance(item, str):
            if not is_uri(item):
                _add(here, "uri", f"The address of a context is an absolute URL, not {short(item)!r}.", faults)
        elif not isinstance(item, dict):
            _wrong_type("The address of a context, or a context itself (an object),", item, here, faults)
    return first


def _check_id(value: dict[str, Any], path: Path, faults: Faults, *, needed: bool = False) -> None:
    """Section 4.4: one URL."""
    if "id" not in value:
        if needed:
            _missing("id", "an absolute URL", path, faults)
        return
    found = value["id"]
    if not isinstance(found, str):
        _wrong_type("One absolute URL", found, (path, "id"), faults)
    elif not is_uri(found):
        _add((path, "id"), "uri", f"An id is one absolute URL, not {short(found)!r}.", faults)


def _check_types(value: dict[str, Any], word: str | None, path: Path, faults: Faults) -> None:
    """Section 4.5: one or more terms or absolute URLs, ``word`` among them."""
    if "type" not in value:
        _missing("type", word or "a term that a context defines, or an absolute URL", path, faults)
        return
    found = _listed(value["type"])
    for position, item in enumerate(found):
        if not isinstance(item, str) or not item:
            here: Path = (path, "type")
            _wrong_type("A term or URL", item, (here, position) if isinstance(value["type"], list) else here, faults)
    if not found:
        _add((path, "type"), "empty", "Name at least one type.", faults)
    elif word is not None and word not in found:
        _add((path, "type"), "type_missing", f"Add {word!r} to the types.", faults)


def _check_period(
    document: dict[str, Any], names: tuple[str, str], path: Path, faults: Faults, *, offset: bool = False
) -> None:
    """Section 4.9; 1.1 section 4.6, where the offset may be left out."""
    moments = [_moment(document[name], offset) if name in document else None for name in names]
    for name, moment in zip(names, moments, strict=True):
        if name in document and moment is None:
            message = f"{name} is a date and time with its offset, such as 2026-03-01T12:00:00Z."
            _add((path, name), "date_time", message, faults)
    start, end = moments
    if start is not None and end is not None and end < start:
        message = f"{names[1]} is before {names[0]}, so that the credential would never be valid. Correct one of them."
        _add((path, names[1]), "period", message, faults)


def _moment(value: object, offset: bool) -> int | None:
    if offset and isinstance(value, str) and not _OFFSET.search(value):
        return None
    return unix_time(value)


# --- members --------------------------------------------------------------------------------------------------------


def _each(check: Callable[[dict[str, Any], Path, Faults], None], *, empty: bool = False) -> _Check:
    """One object or an array of them, which may be empty only if ``empty``."""

    def run(value: object, path: Path, faults: Faults) -> None:
        if value == [] and not empty:
            _add(path, "empty", "Put an object in, or leave this out.", faults)
        for position, item in enumerate(_listed(value)):
            here = (path, position) if isinstance(value, list) else path
            if isinstance(item, dict):
                check(item, here, faults)
            else:
                _wrong_type("An object", item, here, faults)

    return run


def _typed(*, id_needed: bool = False) -> _Check:
    """Objects with a type, whose id, if there is one, is a URL."""

    def check(value: dict[str, Any], path: Path, faults: Faults) -> None:
        _check_id(value, path, faults, needed=id_needed)
        _check_types(value, None, path, faults)

    return _each(check)


def _check_subject(value: dict[str, Any], path: Path, faults: Faults) -> None:
    if not value:
        _add(path, "empty", "A subject without a claim says nothing; add one, or leave the subject out.", faults)
    _check_id(value, path, faults)


def _check_status(value: dict[str, Any], path: Path, faults: Faults) -> None:
    _check_id(value, path, faults)
    _check_types(value, None, path, faults)
    check_status_entry(value, path, faults)


def _check_proof(value: dict[str, Any], path: Path, faults: Faults) -> None:
    _check_types(value, None, path, faults)


def _identified(whom: str) -> _Check:
    """A URL, or an object whose id is one and whose name and description are texts."""

    def check(value: object, path: Path, faults: Faults) -> None:
        if isinstance(value, str):
            if not is_uri(value):
                _add(path, "uri", f"The URL of {whom} belongs here, not {short(value)!r}.", faults)
        elif isinstance(value, dict):
            _check_id(value, path, faults, needed=True)
            for name in ("name", "description"):
                if name in value:
                    _text(value[name], (path, name), faults)
        else:
            _wrong_type(f"The URL of {whom}, or an object with its id,", value, path, faults)

    return check


def _text(value: object, path: Path, faults: Faults) -> None:
    """Section 4.6 with 11.1: a string, a language value object, or an array of those."""
    if value == []:
        _add(path, "empty", "Put a text in, or leave this out.", faults)
    for position, item in enumerate(_listed(value)):
        here = (path, position) if isinstance(value, list) else path
        if isinstance(item, dict):
            language, direction = item.get("@language", "en"), item.get("@direction", "ltr")
            if not (
                isinstance(item.get("@value"), str)
                and isinstance(language, str)
                and _LANGUAGE.fullmatch(language)
                and direction in ("ltr", "rtl")
                and item.keys() <= {"@value", "@language", "@direction"}
            ):
                message = 'A text in a language is {"@value": …, "@language": …} with nothing else but "@direction".'
                _add(here, "language_value", message, faults)
        elif not isinstance(item, str):
            _wrong_type("A text, or an object with @value and @language,", item, here, faults)


def _check_credential(value: dict[str, Any], path: Path, faults: Faults) -> None:
    _check_document(value, "credential", path, faults)


def _credentials_or_jwts(value: object, path: Path, faults: Faults) -> None:
    """In presentations of 1.1 a string may be a credential as a JWT; nothing is asked of those."""
    for position, item in enumerate(_listed(value)):
        if not isinstance(item, str):
            _each(_check_credential)(item, (path, position) if isinstance(value, list) else path, faults)


def _related(value: object, path: Path, faults: Faults) -> None:
    """Section 5.3. A digest is compared where the resource is known here; nothing is fetched."""
    seen: set[str] = set()

    def check(item: dict[str, Any], here: Path, faults: Faults) -> None:
        _check_id(item, here, faults, needed=True)
        address = item.get("id")
        if isinstance(address, str):
            if address in seen:
                _add((here, "id"), "duplicate", "Each related resource is named once.", faults)
            seen.add(address)
        known = _PUBLISHED.get(address) if isinstance(address, str) else None
        for name, parse in (("digestSRI", _sri_digest), ("digestMultibase", _multibase_digest)):
            for text in _listed(item[name]) if name in item else ():
                digest = parse(text) if isinstance(text, str) else None
                if digest is None:
                    _add((here, name), "digest", f"This is no {name}.", faults)
                elif known is not None and digest.hex() not in known:
                    _add((here, name), "digest", "This is not the digest of the resource as it is published.", faults)
        if "digestSRI" not in item and "digestMultibase" not in item:
            _missing("digestMultibase", "the digest of the resource, or a digestSRI", here, faults)

    _each(check)(value, path, faults)


def _sri_digest(text: str) -> bytes | None:
    """The digest of Subresource Integrity metadata. Its length is not looked at: hexadecimal digests are in use."""
    match = _SRI.fullmatch(text)
    if match is None:
        return None
    digits = match[1].rstrip("=")
    try:
        return base64.b64decode(digits.translate({45: 43, 95: 47}) + "=" * (-len(digits) % 4))
    except binascii.Error:
        return b""


def _multibase_digest(text: str) -> bytes | None:
    """A multihash of SHA-2, or a digest without its prefix, which is in use, too."""
    try:
        data = parse_multibase(text)
    except InputError:
        return None
    if _MULTIHASHES.get(data[:2]) == len(data) - 2:
        return data[2:]
    return data if len(data) in _DIGEST_BYTES else None


_subjects = _each(_check_subject)
_COMMON: Mapping[str, _Check] = {
    "proof": _each(_check_proof),
    "credentialStatus": _each(_check_status),
    "credentialSchema": _typed(id_needed=True),
    "refreshService": _typed(),
    "termsOfUse": _typed(),
    "evidence": _typed(),
}
# Section 5.10 reserves the last two.
_SINCE_2: Mapping[str, _Check] = {
    "name": _text, "description": _text, "relatedResource": _related, "confidenceMethod": _typed(),
    "renderMethod": _typed(),
}  # fmt: skip


# --- terms ----------------------------------------------------------------------------------------------------------


def _check_terms(document: dict[str, Any], faults: Faults, expander: Expander) -> None:
    """Sections 4.5 and 5.2: contexts redefine nothing that is protected, and each type is or becomes a URL."""
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    try:
        unmapped = expander.expand(unsecured).unmapped
    except JsonLdFault as error:
        _add((None, "@context"), "json_ld", f"It is {error}.", faults)
        return
    except (ContextError, TooComplex):
        return
    for place in unmapped:
        if _TYPE_POINTER.fullmatch(place) and "/proof/" not in place:
            message = "No context says what this type is. Add the context that does, or write the type as a URL."
            faults.found.append(Fault(place, "type_unmapped", message, Rule.DATA_MODEL))


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
