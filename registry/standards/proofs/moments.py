"""Times in proofs: xsd:dateTimeStamp as Unix seconds."""

import re
from datetime import UTC, datetime

__all__ = ["parse_moment"]

_PATTERN = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,12})?(?:Z|([+-])([0-9]{2}):([0-9]{2}))?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_moment(value: object) -> int | None:
    """Unix seconds, fractions dropped; None if it is no such time. Without an offset it counts as UTC.

    Source: XML Schema 1.1 part 2 section 3.4.28; VC Data Model 2.0 section 4.9 on times without an offset.
    """
    match = _PATTERN.fullmatch(value) if isinstance(value, str) else None
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
