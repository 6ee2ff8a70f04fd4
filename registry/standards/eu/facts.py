"""What a micro-credential says, in short texts for people: for a verdict, a page, a terminal."""

from collections.abc import Iterable, Mapping
from typing import Any

from registry.core.notation import short
from registry.standards.eu.countries import COUNTRY_CODES
from registry.standards.eu.reading import OTHER_HOURS, Micro, clean, eqf_level, hours_of, number, read, said

__all__ = ["FACT_NAMES", "facts"]

FACT_NAMES = (
    "country", "learningOutcomes", "workload", "level", "assessment", "participation", "qualityAssurance",
    "prerequisites", "supervision", "grade", "stackability", "furtherInformation",
)  # fmt: skip

_LENGTH = 300


def facts(credential: Mapping[str, Any]) -> dict[str, str]:
    """Readable facts by name, in the order of ``FACT_NAMES``; what is not there, or says nothing, is left out.

    Others' texts: shown, never believed. Of any credential, whether or not it fits the profile; never raises.
    """
    micro = read(credential)
    found = {
        "country": _country(micro),
        "learningOutcomes": _learning_outcomes(micro),
        "workload": _workload(micro),
        "level": _level(micro),
        "assessment": _names(micro, "assessment"),
        "participation": _names(micro, "participation"),
        "qualityAssurance": _names(micro, "quality_assurance"),
        "prerequisites": _names(micro, "prerequisites"),
        "supervision": _supervision(micro),
        "grade": _grade(micro),
        "stackability": _stackability(micro),
        "furtherInformation": _names(micro, "further_information"),
    }
    return {name: short(text, _LENGTH) for name, text in found.items() if text}


def _country(micro: Micro) -> str | None:
    address = micro.issuer.get("address")
    if not isinstance(address, dict):
        return None
    name, code = said(address.get("addressCountry")), address.get("addressCountryCode")
    known = code if isinstance(code, str) and code in COUNTRY_CODES else None
    return f"{name} ({known})" if name and known else name or known


def _learning_outcomes(micro: Micro) -> str | None:
    criteria = micro.achievement.get("criteria")
    narrative = said(criteria.get("narrative")) if isinstance(criteria, dict) else None
    skills = _names(micro, "learning_outcomes")
    return f"{narrative} Skills: {skills}" if narrative and skills else narrative or skills


def _workload(micro: Micro) -> str | None:
    # Credits are called ECTS only where the credential speaks of European frameworks.
    unit = "ECTS credits" if micro.of("level") or "ECTS" in micro.achievement else "credits"
    places = [(micro.achievement, "creditsAvailable"), (micro.achievement, "ECTS"), (micro.subject, "creditsEarned")]
    credits_ = next((found for holder, name in places if (found := number(holder.get(name)))), None)
    stated = [
        *map(hours_of, micro.of("workload")),
        *(number(micro.achievement.get(term), 100_000) for term in OTHER_HOURS),
    ]
    hours = next(filter(None, stated), None)
    parts = [f"{credits_:g} {unit}" if credits_ else "", f"{hours:,g} hours" if hours else ""]
    return ", ".join(filter(None, parts)) or None


def _level(micro: Micro) -> str | None:
    levels = {level for item in micro.of("level") if (level := eqf_level(item))}
    return f"EQF level {levels.pop()}" if len(levels) == 1 else None


def _supervision(micro: Micro) -> str | None:
    checked = micro.achievement.get("identityChecked", micro.achievement.get("IdentityChecked"))
    identity = {True: "identity checked", False: "identity not checked"}.get(checked) if type(checked) is bool else None
    return _joined([_names(micro, "supervision"), identity])


def _grade(micro: Micro) -> str | None:
    results = micro.subject.get("result")
    values = [item.get("value") for item in results if isinstance(item, dict)] if isinstance(results, list) else []
    return _joined(said(value) for value in values)


def _stackability(micro: Micro) -> str | None:
    related = micro.achievement.get("related")
    places = [item.get("id") for item in related if isinstance(item, dict)] if isinstance(related, list) else []
    return _joined([_names(micro, "stackability"), *(said(place) for place in places)])


def _names(micro: Micro, element: str) -> str | None:
    return _joined(said(item.name) for item in micro.of(element))


def _joined(texts: Iterable[str | None]) -> str | None:
    return clean("; ".join(dict.fromkeys(text for text in texts if text))) or None
