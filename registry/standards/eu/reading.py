"""Where the elements of the European approach to micro-credentials stand in an Open Badges 3.0 credential.

Reads credentials of anybody: whatever is missing or of the wrong type is simply not found. Terms of others' contexts
(assessmentType and the like on the achievement, as Dutch edubadges write them) are read beside the alignments that this
registry writes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import category

from registry.standards.openbadges import is_uri

__all__ = ["OTHER_HOURS", "Alignment", "Micro", "clean", "eqf_level", "hours_of", "is_esco", "number", "read", "said"]

_ACHIEVEMENT = "/credentialSubject/achievement"

# Words of a targetType, behind "ext:" and in any capitals, by element. The first is the one that this registry writes.
_TARGET_TYPES: Mapping[str, tuple[str, ...]] = {
    "level": ("EQF",),
    "workload": ("Workload",),
    "assessment": ("AssessmentType", "Assessment"),
    "participation": ("ParticipationType", "Participation", "FormOfParticipation", "LearningMode"),
    "quality_assurance": ("QualityAssurance",),
    "learning_outcomes": ("ESCO", "ESCOSkill", "LearningOutcome"),
    "prerequisites": ("Prerequisite", "Prerequisites"),
    "supervision": ("SupervisionType", "Supervision"),
    "stackability": ("Stackability",),
    "further_information": ("FurtherInformation",),
}
_OUTCOME_TYPES = frozenset({"cfitem", "ceasn:competency"})
_EQF = frozenset({"eqf", "european qualifications framework"})  # where the targetType does not tell
_ELEMENT_OF = {f"ext:{word.lower()}": element for element, words in _TARGET_TYPES.items() for word in words}

# Terms of others' contexts, in their two spellings.
_OTHER_TERMS = {
    "assessment": ("assessmentType", "AssessmentType"),
    "participation": ("participationType", "ParticipationType"),
    "supervision": ("supervisionType", "SupervisionType"),
}
OTHER_HOURS = ("timeInvestment", "SBU")

# What people write where they have nothing to say.
_NOTHING = frozenset({"-", "--", "?", ".", "n/a", "na", "n.a.", "none", "null", "tbd", "todo", "unknown", "x", "xxx"})
# Letters and symbols by their category that show as nothing: fillers of Hangul, the empty pattern of Braille.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
# Control characters, and those that turn the direction of text around, could make a page say what nobody signed.
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LEVEL = re.compile(r"(?:EQF[ -]?)?(?:level[ -]?)?([0-9]+)", re.IGNORECASE)
_LEVEL_URL = re.compile(r"https?://data\.europa\.eu/(?:snb/)?eqf/([0-9]+)")
_HOURS = re.compile(r"PT([1-9][0-9]{0,4})H")
_ESCO_URL = re.compile(r"https?://(?:data\.europa\.eu/esco/|(?:esco\.)?ec\.europa\.eu/).+")


@dataclass(frozen=True, slots=True)
class Alignment:
    """One alignment, or a term of somebody else's context in its place: what it says, and where it stands."""

    pointer: str
    name: str | None
    code: str | None = None
    url: str | None = None
    esco: bool = False


@dataclass(frozen=True, slots=True)
class Micro:
    """A credential, seen as a micro-credential. Objects that are not there are empty."""

    credential: Mapping[str, Any]
    subject: Mapping[str, Any]
    achievement: Mapping[str, Any]
    issuer: Mapping[str, Any]
    alignments: Mapping[str, Sequence[Alignment]]

    def of(self, element: str) -> Sequence[Alignment]:
        return self.alignments.get(element, ())


def read(credential: Mapping[str, Any]) -> Micro:
    subject = _object(credential.get("credentialSubject"))
    achievement = _object(subject.get("achievement"))
    found: dict[str, list[Alignment]] = {}
    for element, alignment in [*_alignments(achievement), *_others(achievement)]:
        found.setdefault(element, []).append(alignment)
    return Micro(credential, subject, achievement, _object(credential.get("issuer")), found)


def _alignments(achievement: Mapping[str, Any]) -> Iterator[tuple[str, Alignment]]:
    for position, item in enumerate(_listed(achievement.get("alignment"))):
        if not isinstance(item, dict):
            continue
        name, code, url = (_text(item.get(key)) for key in ("targetName", "targetCode", "targetUrl"))
        kind, framework = ((_text(item.get(key)) or "").lower() for key in ("targetType", "targetFramework"))
        esco = "esco" in kind or "esco" in framework or is_esco(url)
        element = _ELEMENT_OF.get(kind)
        if element is None and (esco or kind in _OUTCOME_TYPES):
            element = "learning_outcomes"
        if element is None and (framework in _EQF or _LEVEL_URL.fullmatch(url or "")):
            element = "level"
        if element is not None:
            yield element, Alignment(f"{_ACHIEVEMENT}/alignment/{position}", name, code, url, esco)


def _others(achievement: Mapping[str, Any]) -> Iterator[tuple[str, Alignment]]:
    for element, terms in _OTHER_TERMS.items():
        for term in terms:
            for item in _listed(achievement.get(term, [])):
                yield element, Alignment(f"{_ACHIEVEMENT}/{term}", _text(item))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def said(value: object) -> str | None:
    """A text that says something, without white space around it; None for anything else."""
    if not isinstance(value, str) or "{{" in value:
        return None
    text = clean(value)
    seen = any(category(character)[0] in "LNPS" and character not in _BLANK for character in text)
    return text if seen and text.lower() not in _NOTHING else None


def clean(text: str) -> str:
    """On one line, without characters that cannot be seen."""
    return " ".join(_INVISIBLE.sub(" ", text).split())


def eqf_level(alignment: Alignment) -> int | None:
    """The level from 1 to 8; None if code, address and name give none, or different ones."""
    codes = [match for match in (_LEVEL.fullmatch(alignment.code.strip()) if alignment.code else None,) if match]
    if alignment.code and not codes:
        return None
    codes += [match for match in (_LEVEL_URL.fullmatch(alignment.url or ""),) if match]
    if not codes and alignment.name:
        codes = [match for match in (_LEVEL.fullmatch(alignment.name.strip()),) if match]
    levels = {int(match[1]) for match in codes if len(match[1]) < 3}
    level = levels.pop() if len(levels) == 1 else 0
    return level if 1 <= level <= 8 else None


def hours_of(alignment: Alignment) -> float | None:
    """Hours of work from a code such as PT125H (ISO 8601)."""
    match = _HOURS.fullmatch(alignment.code or "")
    return int(match[1]) if match else None


def number(value: object, limit: int = 1000) -> float | None:
    """A number, of credits or of hours, above 0 and below a limit that no honest one reaches."""
    return value if isinstance(value, int | float) and type(value) is not bool and 0 < value < limit else None


def is_esco(url: str | None) -> bool:
    """Whether it is an address in the European classification of skills."""
    return url is not None and is_uri(url) and _ESCO_URL.fullmatch(url) is not None


def _object(value: object) -> Mapping[str, Any]:
    """JSON-LD writes one thing bare or in an array."""
    return next((item for item in _listed(value) if isinstance(item, dict)), {})


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
