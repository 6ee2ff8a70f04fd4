"""W3C Bitstring Status List v1.0: building the lists that an issuer publishes, and reading those of others.

Its draft, StatusList2021, is read, too: the same list under other names, in base64 without the prefix of multibase.
Ours come from the words of the chain (core's status.py). Others' are hostile until shown otherwise: whatever is wrong
with one, the answer is UNKNOWN with a code of its own, never an exception and never "not revoked".
"""

import base64
import binascii
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from registry.core.credential import check_validity, issuer_did
from registry.core.errors import InputError
from registry.core.model import Check, Outcome
from registry.core.notation import short, time_text
from registry.core.status import ENTRIES_PER_LIST, is_set, list_bytes

__all__ = [
    "MAX_LIST_BYTES", "PURPOSES", "ListCode", "StatusList", "StatusListError", "build_status_list", "check_status",
    "decode_list", "encode_list", "parse_status_list",
]  # fmt: skip

PURPOSES = ("revocation", "suspension")  # what the chain keeps

# 16 million entries: 128 of ours in one. A bitstring of that size has to be held to look up one bit.
MAX_LIST_BYTES = 1 << 21
_MAX_ENCODED = 4 * MAX_LIST_BYTES // 3 + 4096  # what does not compress at all is hardly longer

_CREDENTIAL_TYPE = "BitstringStatusListCredential"
_LIST_TYPE = "BitstringStatusList"
_LIST_2021 = ("StatusList2021Credential", "StatusList2021")
_ENTRY_TYPE = "BitstringStatusListEntry"
# Of an entry, the types of the list credential and of its subject.
_LISTS_OF = {_ENTRY_TYPE: (_CREDENTIAL_TYPE, _LIST_TYPE), "StatusList2021Entry": _LIST_2021}
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_BASE64 = re.compile(r"[A-Za-z0-9_/+-]*={0,2}")  # with both alphabets, as lists of 2021 are met
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,15}")
# RFC 1952: deflate, no name, no time, slowest compression, unknown system: the same bytes on every machine.
_GZIP_HEADER = bytes.fromhex("1f8b08000000000002ff")


class ListCode(StrEnum):
    """Why a status could not be told (UNKNOWN), or what it is; programs may rely on these."""

    OK = "ok"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    UNREACHABLE = "status_list_unreachable"
    NOT_A_LIST = "status_list_malformed"
    MULTIBASE = "status_list_multibase"
    GZIP = "status_list_gzip"
    TOO_LARGE = "status_list_too_large"
    TOO_SHORT = "status_list_too_short"
    SIZE = "status_size_unsupported"
    PURPOSE = "status_purpose_differs"
    ISSUER = "status_list_issuer_differs"
    ADDRESS = "status_list_id_differs"
    NOT_IN_TIME = "status_list_out_of_date"
    ENTRY = "status_malformed"
    TYPE = "status_type_unknown"
    RANGE = "status_index_out_of_range"
    OTHER_PURPOSE = "status_purpose_unknown"


class StatusListError(InputError):
    """A status list that cannot be read; ``code`` says why."""

    def __init__(self, code: ListCode, message: str) -> None:
        super().__init__(message)
        self.code = code


# --- building -------------------------------------------------------------------------------------------------------


def build_status_list(
    *,
    url: str,
    issuer: str,
    purpose: str,
    list_number: int,
    words: Mapping[int, int],
    valid_from: int,
    valid_until: int | None = None,
    ttl_seconds: int | None = None,
) -> dict[str, Any]:
    """The unsigned BitstringStatusListCredential of one list of 131,072 entries (section 2.2).

    ``words`` are the contract's, by word number, those of voided batches already filled in; a word not named is 0.
    ``url`` is where it is published, times are Unix seconds. The same words and times give the same bytes.
    """
    subject: dict[str, Any] = {
        "id": f"{url}#list",
        "type": _LIST_TYPE,
        "statusPurpose": purpose,
        "encodedList": encode_list(list_bytes(list_number, words)),
    }
    if ttl_seconds is not None:
        subject["ttl"] = ttl_seconds * 1000  # milliseconds
    credential: dict[str, Any] = {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "id": url,
        "type": ["VerifiableCredential", _CREDENTIAL_TYPE],
        "issuer": issuer,
        "validFrom": time_text(valid_from),
        "credentialSubject": subject,
    }
    if valid_until is not None:
        credential["validUntil"] = time_text(valid_until)
    return credential


def encode_list(bits: bytes) -> str:
    """Multibase base64url of the gzipped bits (section 3.3, bitstring generation)."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = compressor.compress(bits) + compressor.flush()
    packed = _GZIP_HEADER + body + struct.pack("<II", zlib.crc32(bits), len(bits) & 0xFFFFFFFF)
    return "u" + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


# --- reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StatusList:
    """A list that was read. ``bits`` has 131,072 entries or more; ``ttl_seconds`` is None if it names none."""

    address: str | None
    issuer: str
    purposes: tuple[str, ...]
    bits: bytes
    ttl_seconds: float | None
    types: tuple[str, ...] = (_CREDENTIAL_TYPE,)

    def is_set(self, entry: int) -> bool:
        """The bit of one entry. Raises StatusListError beyond the end."""
        if not 0 <= entry < 8 * len(self.bits):
            raise StatusListError(ListCode.RANGE, f"The list has {8 * len(self.bits):,} entries, and none at {entry}.")
        return is_set(self.bits, entry)


def parse_status_list(credential: object) -> StatusList:
    """Reads a BitstringStatusListCredential or StatusList2021Credential as parsed JSON. Raises StatusListError.

    Proof and validity are not looked at: proofs have their own module, the time is ``check_status``'s matter.
    """
    types = _listed(credential.get("type")) if isinstance(credential, dict) else []
    expected = next((pair for pair in _LISTS_OF.values() if pair[0] in types), None)
    if not isinstance(credential, dict) or expected is None:
        raise StatusListError(ListCode.NOT_A_LIST, f"What was read is no {_CREDENTIAL_TYPE}.")
    issuer = issuer_did(credential)
    subject = credential.get("credentialSubject")
    if issuer is None or not isinstance(subject, dict) or expected[1] not in _listed(subject.get("type")):
        raise StatusListError(ListCode.NOT_A_LIST, f"It has no issuer, or its subject is no {expected[1]}.")
    purposes = tuple(item for item in _listed(subject.get("statusPurpose")) if isinstance(item, str))
    ttl = subject.get("ttl")
    if not purposes or (ttl is not None and (type(ttl) not in (int, float) or not ttl >= 0)):
        raise StatusListError(ListCode.NOT_A_LIST, "It has no statusPurpose, or a ttl that is no time.")
    if subject.get("statusSize", 1) != 1:
        raise StatusListError(ListCode.SIZE, "Only lists with one bit for each entry can be read.")
    encoded = subject.get("encodedList")
    if expected == _LIST_2021 and isinstance(encoded, str) and _BASE64.fullmatch(encoded):
        encoded = "u" + encoded.rstrip("=").translate({43: 45, 47: 95})
    bits = decode_list(encoded)
    address = credential.get("id")
    ttl_seconds = None if ttl is None else ttl / 1000
    words = tuple(word for word in types if isinstance(word, str))
    return StatusList(address if isinstance(address, str) else None, issuer, purposes, bits, ttl_seconds, words)


def decode_list(encoded: object) -> bytes:
    """The bits of an encodedList, of any length from 131,072 to 8 times ``MAX_LIST_BYTES``. Raises StatusListError.

    Never holds more than ``MAX_LIST_BYTES`` of what is unpacked, whatever the gzip stream claims.
    """
    if not isinstance(encoded, str) or not encoded.startswith("u") or not _BASE64URL.fullmatch(encoded, 1):
        message = 'encodedList must be multibase base64url: "u", then A-Z a-z 0-9 - _ without padding.'
        raise StatusListError(ListCode.MULTIBASE, message)
    if len(encoded) > _MAX_ENCODED:
        raise StatusListError(ListCode.TOO_LARGE, f"encodedList has more than {_MAX_ENCODED:,} characters.")
    try:
        packed = base64.urlsafe_b64decode(encoded[1:] + "=" * (-(len(encoded) - 1) % 4))
    except binascii.Error as error:
        raise StatusListError(ListCode.MULTIBASE, "encodedList is no base64url.") from error
    stream = zlib.decompressobj(wbits=31)  # a gzip header, and its checksum
    try:
        bits = stream.decompress(packed, MAX_LIST_BYTES + 1)
    except zlib.error as error:
        raise StatusListError(ListCode.GZIP, "encodedList is not gzip, or broken.") from error
    if len(bits) > MAX_LIST_BYTES:
        raise StatusListError(ListCode.TOO_LARGE, f"The list unpacks to more than {MAX_LIST_BYTES:,} bytes.")
    if not stream.eof or stream.unused_data:
        raise StatusListError(ListCode.GZIP, "encodedList is cut off, or something follows the gzip stream.")
    if 8 * len(bits) < ENTRIES_PER_LIST:
        message = (
            f"The list has {8 * len(bits):,} entries; {ENTRIES_PER_LIST:,} are the least, for the learners' privacy."
        )
        raise StatusListError(ListCode.TOO_SHORT, message)
    return bits


def check_status(
    entry: object,
    status_list: object,
    *,
    credential_issuer: str,
    now: int,
    skew: int = 300,
    fetched_at: int | None = None,
) -> Check:
    """What a list says of one status entry (section 3.2, validate): the check named after the entry's purpose.

    ``status_list`` is the list credential as parsed JSON, its proof already verified, or None if it could not be had.
    PASS where the bit is clear, FAIL where it is set, UNKNOWN with a ``ListCode`` in every other case. A list is good
    from validFrom to validUntil and, if ``fetched_at`` is given, for its ttl.
    """
    purpose = entry.get("statusPurpose") if isinstance(entry, dict) else None
    name = purpose if isinstance(purpose, str) and purpose in PURPOSES else "revocation"
    try:
        set_, address = _look_up(entry, status_list, credential_issuer, now, skew, fetched_at)
    except StatusListError as error:
        return Check(name, Outcome.UNKNOWN, error.code, str(error))
    if not set_:
        return Check(name, Outcome.PASS, ListCode.OK, f"Not set in the issuer's list {short(address, 200)}.")
    code = ListCode.REVOKED if name == "revocation" else ListCode.SUSPENDED
    return Check(name, Outcome.FAIL, code, f"{code.capitalize()}, says the issuer's list {short(address, 200)}.")


def _look_up(
    entry: object, status_list: object, credential_issuer: str, now: int, skew: int, fetched_at: int | None
) -> tuple[bool, str]:
    """The bit and the list's address. Raises StatusListError."""
    if not isinstance(entry, dict):
        raise StatusListError(ListCode.ENTRY, "The status entry is not an object.")
    kind = next((word for word in _LISTS_OF if word in _listed(entry.get("type"))), None)
    if kind is None:
        message = f"Only status entries of the types {' and '.join(_LISTS_OF)} can be followed."
        raise StatusListError(ListCode.TYPE, message)
    index, address, purpose = (entry.get(key) for key in ("statusListIndex", "statusListCredential", "statusPurpose"))
    if kind != _ENTRY_TYPE and type(index) is int:
        index = str(index)
    if not (isinstance(index, str) and _DECIMAL.fullmatch(index) and isinstance(address, str)):
        message = "The status entry lacks statusListIndex, a decimal number, or statusListCredential, both in strings."
        raise StatusListError(ListCode.ENTRY, message)
    if purpose not in PURPOSES:
        message = f"Entries for {' or '.join(PURPOSES)} are judged, not for {short(repr(purpose))}."
        raise StatusListError(ListCode.OTHER_PURPOSE, message)
    if entry.get("statusSize", 1) != 1:
        raise StatusListError(ListCode.SIZE, "Only entries of one bit can be read.")
    if status_list is None:
        raise StatusListError(ListCode.UNREACHABLE, f"The status list {short(address, 200)} could not be read.")
    found = parse_status_list(status_list)
    if _LISTS_OF[kind][0] not in found.types:
        raise StatusListError(
            ListCode.NOT_A_LIST, f"The entry is followed to a {_LISTS_OF[kind][0]}, and this is none."
        )
    if found.issuer != credential_issuer:
        message = (
            f"The list is issued by {short(found.issuer, 200)}, the credential by {short(credential_issuer, 200)}."
        )
        raise StatusListError(ListCode.ISSUER, message)
    if found.address is not None and found.address != address:
        message = f"The list calls itself {short(found.address, 200)}; the credential names {short(address, 200)}."
        raise StatusListError(ListCode.ADDRESS, message)
    if purpose not in found.purposes:
        message = f"The list is for {short(', '.join(found.purposes))}, the entry for {purpose}."
        raise StatusListError(ListCode.PURPOSE, message)
    period = check_validity(cast("dict[str, Any]", status_list), now, skew)  # as parse_status_list found it
    if period.outcome is not Outcome.PASS:
        raise StatusListError(ListCode.NOT_IN_TIME, f"The list itself is out of date: {period.detail}")
    if fetched_at is not None and found.ttl_seconds is not None and now > fetched_at + found.ttl_seconds + skew:
        raise StatusListError(ListCode.NOT_IN_TIME, "The list was read longer ago than its ttl allows; read it again.")
    return found.is_set(int(index)), address


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
