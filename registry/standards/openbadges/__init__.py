"""Open Badges 3.0 on the VC Data Model 2.0: is this document one, and if not, what has to be done where?

See docs/spec/open-badges.md.
"""

from collections.abc import Mapping
from typing import Any, Literal

from registry.standards.openbadges.classes import CLASSES
from registry.standards.openbadges.faults import MAX_FAULTS, Fault, Faults, Rule
from registry.standards.openbadges.values import OB_CONTEXT, is_date_time, is_uri, is_web_address

__all__ = [
    "MAX_FAULTS", "OB_CONTEXT", "DocumentClass", "Fault", "Rule", "class_of", "find_faults", "is_date_time", "is_uri",
    "is_web_address",
]  # fmt: skip

DocumentClass = Literal["AchievementCredential", "EndorsementCredential", "Profile"]


def find_faults(
    document: object, document_class: DocumentClass = "AchievementCredential", *, strict: bool = True
) -> tuple[Fault, ...]:
    """All that is wrong with a document, in its order, up to ``MAX_FAULTS``; () if nothing is.

    ``strict=False`` asks only what the official JSON Schema asks, which is how others' credentials are judged. Never
    raises on what core's ``parse_json`` returns: its limit on depth is what bounds the recursion here.
    """
    faults = Faults(strict)
    CLASSES[document_class].check(document, None, faults)
    return tuple(faults.found)


def class_of(document: Mapping[str, Any]) -> DocumentClass | None:
    """Which of the three a document says it is; None if it is none of them."""
    named = document.get("type")
    words = named if isinstance(named, list) else [named]
    if "AchievementCredential" in words or "OpenBadgeCredential" in words:
        return "AchievementCredential"
    if "EndorsementCredential" in words:
        return "EndorsementCredential"
    return "Profile" if "Profile" in words else None
