"""What a credential says about itself: shape, issuer, period of validity, status entries, facts for people.

Reads Verifiable Credentials 2.0 and 1.1. Nothing here is proven by being said; ``verify`` puts it beside the chain.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from registry.core.model import Check
from registry.core.notation import short
from registry.core.status import list_and_entry
from registry.core.verdict import Code, fail, passed, skipped, unknown

__all__ = [
    "STATUS_ENTRY_TYPE",
    "check_binding",
    "check_format",
    "check_validity",
    "entries_of",
    "facts",
    "host_and_path",
    "is_elsewhere",
    "is_enveloped",
    "issuer_did",
    "list_of",
    "status_base",
    "unix_time",
    "valid_from",
]

Credential = Mapping[str, Any]

_PURPOSES = ("revocation", "suspension")
STATUS_ENTRY_TYPE = "BitstringStatusListEntry"
_ENTRY_TYPE_2021 = "StatusList2021Entry"  # its draft, which the chain's lists never are
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,5}")
_DATE_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?(?:Z|([+-])([0-9]{2}):([0-9]{2}))?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DID_WEB = re.compile(r"did:web:([A-Za-z0-9.-]+)(?:%3[Aa]([0-9]{1,5}))?((?::[A-Za-z0-9._~-]+)*)")
_LOOPBACK = ("localhost", "127.0.0.1")
_AUTHORITY = re.compile(r"https?://([^/?#]+)")

_FACT_LENGTH = 200
# Control characters, and those that turn the direction of text around, could make a page say what nobody signed.
_INVISIBLE = dict.fromkeys(
    [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)


def check_format(credential: Credential) -> Check:
    """Whether it is a Verifiable Credential by its outline."""
    missing = None
    if not isinstance(credential.get("@context"), str | list) or not credential["@context"]:
        missing = '"@context" with the vocabularies'
    elif "VerifiableCredential" not in _listed(credential.get("type")):
        missing = '"type" with "VerifiableCredential" in it'
    elif issuer_did(credential) is None:
        missing = '"issuer", an identifier or an object with "id"'
    elif not any(isinstance(subject, dict) for subject in _listed(credential.get("credentialSubject"))):
        missing = '"credentialSubject", an object'
    if missing:
        return fail("format", Code.NOT_A_CREDENTIAL, f"Not a Verifiable Credential: it has no {missing}.")
    return passed("format", "A Verifiable Credential.")


def issuer_did(credential: Credential) -> str | None:
    """The issuer's identifier, None if there is none."""
    issuer = credential.get("issuer")
    if isinstance(issuer, dict):
        issuer = issuer.get("id")
    return issuer if isinstance(issuer, str) and issuer else None


def is_enveloped(credential: Credential) -> bool:
    """Whether it is an EnvelopedVerifiableCredential: the credential itself is within its id (VC 2.0 section 4.13)."""
    return "EnvelopedVerifiableCredential" in _listed(credential.get("type"))


# --- period of validity ---------------------------------------------------------------------------------------------


def check_validity(credential: Credential, now: int, skew: int) -> Check:
    """``validFrom ≤ now + skew`` and ``now - skew ≤ validUntil``; both ends belong to the period."""
    for name in ("validFrom", "issuanceDate"):
        if name in credential:
            start = unix_time(credential[name])
            if start is None:
                return fail("validity", Code.DATE_MALFORMED, f"{name} is not a date and time.")
            if start > now + skew:
                return fail("validity", Code.NOT_YET_VALID, f"Valid only from {short(credential[name])}.")
    for name in ("validUntil", "expirationDate"):
        if name in credential:
            end = unix_time(credential[name])
            if end is None:
                return fail("validity", Code.DATE_MALFORMED, f"{name} is not a date and time.")
            if end < now - skew:
                return fail("validity", Code.EXPIRED, f"Valid until {short(credential[name])}.")
    return passed("validity", "Within its period of validity.")


def valid_from(credential: Credential) -> int | None:
    """When the credential says that it begins to be valid, in Unix seconds; None if it does not say so readably."""
    return unix_time(credential.get("validFrom", credential.get("issuanceDate")))


def unix_time(value: object) -> int | None:
    """An xsd:dateTime, fractions of a second dropped; None if it is none. Years 0001 to 9999.

    Without an offset it counts as UTC (VC Data Model 2.0 section 4.9).
    """
    match = _DATE_TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    local, sign, hours, minutes = match.groups(default="0")
    offset = int(hours) * 3600 + int(minutes) * 60
    if offset > 14 * 3600 or int(minutes) > 59:
        return None
    try:
        since = datetime.fromisoformat(local).replace(tzinfo=UTC) - _EPOCH
    except ValueError:
        return None
    return since.days * 86400 + since.seconds + (offset if sign == "-" else -offset)


# --- status entries -------------------------------------------------------------------------------------------------


def status_base(did: str) -> tuple[str, ...]:
    """Below which addresses the issuer of a did:web publishes its status lists; () for anything else.

    Plain http counts for the machine itself only.
    """
    match = _DID_WEB.fullmatch(did)
    if match is None:
        return ()
    host, port, path = match.groups(default="")
    place = f"{host}{port and f':{port}'}{path.replace(':', '/')}/status"
    return (f"https://{place}", f"http://{place}") if host in _LOOPBACK else (f"https://{place}",)


def entries_of(credential: Credential) -> list[Any]:
    """The status entries, whatever they are; [] if there are none."""
    return _listed(credential.get("credentialStatus", []))


def list_of(entry: object) -> str:
    """The address of the list that a status entry names, "" if it names none."""
    place = entry.get("statusListCredential") if isinstance(entry, dict) else None
    return place if isinstance(place, str) else ""


def is_elsewhere(entry: object, bases: Iterable[str]) -> bool:
    """Whether an entry points to a list at another host than those where the issuer's own lists are.

    Such a list has nothing to do with the chain, and its index none with the place in the sequence.
    """
    host, types = _host(list_of(entry)), _types(entry)
    if _ENTRY_TYPE_2021 in types:
        return bool(host)
    return STATUS_ENTRY_TYPE in types and bool(host) and host not in {_host(base) for base in bases}


def host_and_path(address: str) -> tuple[str, str]:
    """Of an http(s) address: its host in lower case, with the port, and what follows it; two "" for anything else."""
    match = _AUTHORITY.match(address)
    return (match[1].lower(), address[match.end() :]) if match else ("", "")


def _host(address: str) -> str:
    return host_and_path(address)[0]


def _types(entry: object) -> list[Any]:
    return _listed(entry.get("type")) if isinstance(entry, dict) else []


def check_binding(credential: Credential, index: int, bases: Iterable[str]) -> Check:
    """Whether every status entry names the bit of ``index``, in a list below one of the issuer's ``bases``."""
    entries = entries_of(credential)
    if not entries:
        return skipped(
            "binding",
            Code.NO_CREDENTIAL_STATUS,
            "The credential names no status entry; its place in the issuer's sequence comes from the proof alone.",
        )
    known = tuple(bases)
    found = [_check_entry(entry, index, known) for entry in entries]
    return min(found, key=lambda check: ("FAIL", "UNKNOWN", "PASS", "SKIPPED").index(check.outcome))


def _check_entry(entry: object, index: int, bases: tuple[str, ...]) -> Check:
    name = "binding"
    if not isinstance(entry, dict):
        return fail(name, Code.STATUS_MALFORMED, "A credentialStatus entry is not an object.")
    if is_elsewhere(entry, bases):
        detail = f"The status list {short(list_of(entry), 200)} is not one of the chain's; it is asked itself."
        return skipped(name, Code.STATUS_ELSEWHERE, detail)
    if STATUS_ENTRY_TYPE not in _listed(entry.get("type")):
        return unknown(
            name, Code.STATUS_TYPE_UNKNOWN, f"Only status entries of the type {STATUS_ENTRY_TYPE} can be followed."
        )
    position, place, purpose = (entry.get(key) for key in ("statusListIndex", "statusListCredential", "statusPurpose"))
    if not (isinstance(position, str) and isinstance(place, str) and isinstance(purpose, str)):
        return fail(
            name, Code.STATUS_MALFORMED, "A status entry lacks its index, list or purpose, all of them strings."
        )
    if not _DECIMAL.fullmatch(position):
        return fail(name, Code.STATUS_MALFORMED, "statusListIndex is not a decimal number.")
    number, expected = list_and_entry(index)
    if int(position) != expected:
        return fail(
            name,
            Code.STATUS_INDEX_DIFFERS,
            f"The credential stands at {index} of its issuer's sequence, entry {expected} of list {number}; "
            f"its {short(purpose)} entry names {position}.",
        )
    if purpose not in _PURPOSES:
        return unknown(name, Code.STATUS_PURPOSE_UNKNOWN, f"The chain keeps no status for {short(purpose)!r}.")
    if place not in [f"{base}/{purpose}/{number}" for base in bases]:
        where = f"{bases[0]}/{purpose}/{number}" if bases else "at an http(s) address"
        detail = f"The {purpose} list should be {where}; the credential names {short(place, 200)}."
        return fail(name, Code.STATUS_LIST_DIFFERS, detail)
    return passed(name, f"Status entries and anchor name the same place, {index}, of this issuer's sequence.")


# --- for people -----------------------------------------------------------------------------------------------------


def facts(credential: Credential) -> dict[str, str]:
    """A few short strings that tell people which credential this is; what is not there is left out."""
    subject = next((item for item in _listed(credential.get("credentialSubject")) if isinstance(item, dict)), {})
    found = {
        "id": credential.get("id"),
        "name": credential.get("name"),
        "achievement": _name(subject.get("achievement")),
        "issuer": _name(credential.get("issuer")),
        "learner": _learner(subject),
        "validFrom": credential.get("validFrom", credential.get("issuanceDate")),
        "validUntil": credential.get("validUntil", credential.get("expirationDate")),
    }
    texts = {key: value.translate(_INVISIBLE).strip() for key, value in found.items() if isinstance(value, str)}
    return {key: short(text, _FACT_LENGTH) for key, text in texts.items() if text}


def _name(value: object) -> object:
    return value.get("name") if isinstance(value, dict) else None


def _learner(subject: Mapping[str, Any]) -> object:
    """The subject's name; Open Badges 3.0 keeps it as an IdentityObject of the type "name" that is not hashed."""
    for identity in _listed(subject.get("identifier")):
        if isinstance(identity, dict) and identity.get("identityType") == "name" and identity.get("hashed") is False:
            return identity.get("identityHash")
    return subject.get("name")


def _listed(value: object) -> list[Any]:
    """JSON-LD writes one thing bare and several in an array."""
    return value if isinstance(value, list) else [value]
