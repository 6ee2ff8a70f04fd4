"""How the fields of one object go together: VC Data Model 2.0 and the prose of Open Badges 3.0, beyond the schema.

Each function is handed an object whose fields may be of the wrong type: that is named elsewhere, and skipped here.
"""

import re
from datetime import datetime

from registry.standards.openbadges.faults import Faults, Path, Rule
from registry.standards.openbadges.values import is_date_time, is_uri

__all__ = ["check_credential", "check_identity", "check_status_entry", "check_subject"]

_HASHES = re.compile(r"md5\$[0-9a-fA-F]{32}|sha256\$[0-9a-fA-F]{64}")
_DECIMAL = re.compile(r"0|[1-9][0-9]*")
_STATUS_FIELDS = {
    "statusPurpose": 'the purpose of the list, such as "revocation"',
    "statusListIndex": "the entry's position in the list, a decimal number in a string",
    "statusListCredential": "the address of the list",
}


def check_credential(value: dict[str, object], path: Path, faults: Faults) -> None:
    """VC Data Model 2.0 section 4.9: validUntil is not before validFrom."""
    start, end = _time(value.get("validFrom")), _time(value.get("validUntil"))
    if start is not None and end is not None and end < start:
        message = "validUntil is before validFrom, so that the credential would never be valid. Correct one of them."
        faults.add((path, "validUntil"), "period", message, Rule.DATA_MODEL)


def _time(value: object) -> datetime | None:
    return datetime.fromisoformat(value.upper()) if isinstance(value, str) and is_date_time(value) else None


def check_subject(value: dict[str, object], path: Path, faults: Faults) -> None:
    """Open Badges 3.0, AchievementSubject: either id or at least one identifier must be supplied."""
    if "id" not in value and not value.get("identifier"):
        message = 'Say whose achievement it is: add "id" (a URI of the learner) or "identifier" (IdentityObjects).'
        faults.add((path, "identifier"), "subject", message, Rule.DATA_MODEL)


def check_identity(value: dict[str, object], path: Path, faults: Faults) -> None:
    """Open Badges 3.0, IdentityHash: algorithm, "$" and the digest in hexadecimal."""
    text = value.get("identityHash")
    if value.get("hashed") is True and isinstance(text, str) and not _HASHES.fullmatch(text):
        message = 'As "hashed" is true, "sha256$" and 64 hexadecimal digits belong here. Hash the value, or say false.'
        faults.add((path, "identityHash"), "identity_hash", message, Rule.FORMAT)


def check_status_entry(value: dict[str, object], path: Path, faults: Faults) -> None:
    """Bitstring Status List 1.0 section 2.1."""
    if value.get("type") != "BitstringStatusListEntry":
        return
    for name, meaning in _STATUS_FIELDS.items():
        if not isinstance(value.get(name), str):
            message = f"A BitstringStatusListEntry needs this string: {meaning}."
            faults.add((path, name), "status", message, Rule.DATA_MODEL)
    index, place = value.get("statusListIndex"), value.get("statusListCredential")
    if isinstance(index, str) and not _DECIMAL.fullmatch(index):
        message = "The entry's position is a decimal number without sign or leading zeros, in a string."
        faults.add((path, "statusListIndex"), "status", message, Rule.DATA_MODEL)
    if isinstance(place, str):
        if not is_uri(place):
            message = "The address of the list is an absolute URL."
            faults.add((path, "statusListCredential"), "uri", message, Rule.DATA_MODEL)
        elif value.get("id") == place:
            message = "The id of the entry must not be the address of the list; add #<statusListIndex> to it."
            faults.add((path, "id"), "status", message, Rule.DATA_MODEL)
