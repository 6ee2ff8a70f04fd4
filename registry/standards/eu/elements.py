"""The elements of the European approach: Council Recommendation 2022/C 243/02, Annex I."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from registry.core.notation import short
from registry.standards.eu.countries import advice_on_country
from registry.standards.eu.reading import (
    OTHER_HOURS,
    Alignment,
    Micro,
    eqf_level,
    hours_of,
    is_esco,
    number,
    read,
    said,
)
from registry.standards.openbadges import is_date_time, is_web_address

__all__ = ["ELEMENTS", "Element", "ElementFault", "claims_profile", "find_faults"]

_ACHIEVEMENT = "/credentialSubject/achievement"
_ALIGNMENT = f"{_ACHIEVEMENT}/alignment"


@dataclass(frozen=True, slots=True)
class ElementFault:
    """What is wrong with one element: its name in our words, JSON pointer, a sentence that says what to do."""

    element: str
    pointer: str
    message: str


_Found = Iterator[tuple[str, str]]  # pointer, message


@dataclass(frozen=True, slots=True)
class Element:
    """``title`` is what Annex I calls it."""

    name: str
    title: str
    mandatory: bool
    check: Callable[[Micro], _Found]


def find_faults(credential: Mapping[str, Any]) -> tuple[ElementFault, ...]:
    """All that keeps a credential from being a micro-credential of the European approach; () if nothing does.

    Looks at values, not only whether something is there. Never raises, whatever the credential holds; that it is a good
    Open Badges credential otherwise is another question (registry.standards.openbadges).
    """
    micro = read(credential)
    return tuple(
        ElementFault(element.name, pointer, message)
        for element in ELEMENTS
        for pointer, message in element.check(micro)
    )


def claims_profile(credential: Mapping[str, Any]) -> bool:
    """Whether a credential calls itself a micro-credential, so that the profile is worth asking about."""
    return read(credential).achievement.get("achievementType") == "MicroCredential"


# --- the mandatory ones ---------------------------------------------------------------------------------------------


def _learner(micro: Micro) -> _Found:
    identifiers = micro.subject.get("identifier")
    named = [
        item for item in (identifiers if isinstance(identifiers, list) else [identifiers]) if isinstance(item, dict)
    ]
    if not said(micro.subject.get("id")) and not any(said(item.get("identityHash")) for item in named):
        yield (
            "/credentialSubject/identifier",
            "Say who learnt: an id of the learner, or an IdentityObject that names them.",
        )


def _title(micro: Micro) -> _Found:
    if not said(micro.achievement.get("name")):
        yield f"{_ACHIEVEMENT}/name", "Give the micro-credential its title."


def _country(micro: Micro) -> _Found:
    if not micro.issuer:
        yield "/issuer", "Write the issuer as a Profile object with its address; an identifier tells no country."
        return
    address = micro.issuer.get("address")
    code = address.get("addressCountryCode") if isinstance(address, dict) else None
    pointer = "/issuer/address/addressCountryCode"
    if not isinstance(code, str):
        yield pointer, "Add the issuer's country, as two capital letters of ISO 3166-1, such as IE."
    elif advice := advice_on_country(code):
        yield pointer, f"{short(code)!r} is no country code of ISO 3166-1. {advice}"


def _awarding_body(micro: Micro) -> _Found:
    if not micro.issuer:
        yield "/issuer", "Write the issuer as a Profile object with the name of the awarding body."
    elif not said(micro.issuer.get("name")):
        yield "/issuer/name", "Add the name of the awarding body."


def _date(micro: Micro) -> _Found:
    name = "awardedDate" if "awardedDate" in micro.credential else "validFrom"
    value = micro.credential.get(name)
    if not isinstance(value, str) or not is_date_time(value):
        yield f"/{name}", "Add the date of issuing, with time and offset, such as 2026-03-01T12:00:00Z."


def _learning_outcomes(micro: Micro) -> _Found:
    criteria = micro.achievement.get("criteria")
    narrative = criteria.get("narrative") if isinstance(criteria, dict) else None
    outcomes = micro.of("learning_outcomes")
    for outcome in outcomes:
        if outcome.esco and not is_esco(outcome.url):
            message = (
                "The address of an ESCO skill begins with http://data.europa.eu/esco/. Copy it from the ESCO portal."
            )
            yield f"{outcome.pointer}/targetUrl", message
        if not said(outcome.name):
            yield f"{outcome.pointer}/targetName", "Name the learning outcome."
    if not said(narrative) and not any(said(outcome.name) for outcome in outcomes):
        message = "Describe what the learner knows, understands and can do, here or by alignments to ESCO skills."
        yield f"{_ACHIEVEMENT}/criteria/narrative", message


def _workload(micro: Micro) -> _Found:
    places = {
        f"{_ACHIEVEMENT}/creditsAvailable": micro.achievement.get("creditsAvailable"),
        "/credentialSubject/creditsEarned": micro.subject.get("creditsEarned"),
        f"{_ACHIEVEMENT}/ECTS": micro.achievement.get("ECTS"),  # a term of others
    }
    given = {pointer: value for pointer, value in places.items() if value is not None}
    for pointer, value in given.items():
        if number(value) is None:
            yield pointer, "ECTS credits are a number above 0, without quotation marks or unit, such as 5 or 2.5."
    hours = micro.of("workload")
    for item in hours:
        if hours_of(item) is None:
            yield f"{item.pointer}/targetCode", "Write the hours of work as PT125H, for 125 hours."
    available, earned, _ = map(number, places.values())
    if available and earned and earned > available:
        yield "/credentialSubject/creditsEarned", "More credits are earned than creditsAvailable; correct one of them."
    others = {f"{_ACHIEVEMENT}/{term}": micro.achievement[term] for term in OTHER_HOURS if term in micro.achievement}
    for pointer, value in others.items():
        if number(value, 100_000) is None:
            yield pointer, "Hours of work are a number above 0, without quotation marks or unit."
    if not given and not hours and not others:
        message = "Add the ECTS credits, or, where there are none, an alignment ext:Workload with hours such as PT125H."
        yield f"{_ACHIEVEMENT}/creditsAvailable", message


def _level(micro: Micro) -> _Found:
    advice = "with the level from 1 to 8 as targetCode, and the same in its targetUrl http://data.europa.eu/snb/eqf/…"
    levels = micro.of("level")
    for item in levels:
        if eqf_level(item) is None:
            yield f"{item.pointer}/targetCode", f"There is no such EQF level. Write the alignment {advice}"
    if len({eqf_level(item) for item in levels}) > 1:
        yield _ALIGNMENT, "The alignments name different EQF levels; keep the one of this micro-credential."
    if not levels:
        yield _ALIGNMENT, f'Add the level: an alignment of the targetType "ext:EQF", {advice}'


def _assessment(micro: Micro) -> _Found:
    yield from _words(
        micro, "assessment", "ext:AssessmentType", "how it was assessed, such as Written examination", True
    )


def _participation(micro: Micro) -> _Found:
    what = "how the learner took part, such as Online, Onsite or Blended"
    yield from _words(micro, "participation", "ext:ParticipationType", what, True)


def _quality_assurance(micro: Micro) -> _Found:
    what = "what stands behind the quality, such as an accreditation"
    yield from _words(micro, "quality_assurance", "ext:QualityAssurance", what, True)
    for item in micro.of("quality_assurance"):
        if not (item.url and is_web_address(item.url)):
            yield f"{item.pointer}/targetUrl", "Add the web address where the quality assurance is described."


# --- the optional ones: nothing has to be there, and what is there has to say something ------------------------------


def _optional(element: str, what: str) -> Callable[[Micro], _Found]:
    def check(micro: Micro) -> _Found:
        yield from _words(micro, element, "", what, False)

    return check


def _grade(micro: Micro) -> _Found:
    results = micro.subject.get("result")
    for position, result in enumerate(results if isinstance(results, list) else []):
        named = isinstance(result, dict) and any(said(result.get(key)) for key in ("value", "status", "achievedLevel"))
        if not named:
            yield f"/credentialSubject/result/{position}", "Add the value of the result, or leave the result out."


def _words(micro: Micro, element: str, target_type: str, what: str, mandatory: bool) -> _Found:
    """An element that is told in words of the issuer's own."""
    items = micro.of(element)
    for item in items:
        if not said(item.name):
            yield _place_of_name(item), f"Say {what}."
    if mandatory and not items:
        yield _ALIGNMENT, f'Say {what}: add an alignment of the targetType "{target_type}" whose targetName says so.'


def _place_of_name(item: Alignment) -> str:
    return f"{item.pointer}/targetName" if item.pointer.startswith(f"{_ALIGNMENT}/") else item.pointer


ELEMENTS = (
    Element("learner", "Identification of the learner", True, _learner),
    Element("title", "Title of the micro-credential", True, _title),
    Element("country", "Country(ies)/Region(s) of the issuer", True, _country),
    Element("awarding_body", "Awarding body(ies)", True, _awarding_body),
    Element("date", "Date of issuing", True, _date),
    Element("learning_outcomes", "Learning outcomes", True, _learning_outcomes),
    Element("workload", "Notional workload needed to achieve the learning outcomes", True, _workload),
    Element("level", "Level of the learning experience leading to the micro-credential", True, _level),
    Element("assessment", "Type of assessment", True, _assessment),
    Element("participation", "Form of participation in the learning activity", True, _participation),
    Element("quality_assurance", "Type of quality assurance used to underpin the micro-credential", True,
            _quality_assurance),
    Element("prerequisites", "Prerequisites needed to enrol in the learning activity", False,
            _optional("prerequisites", "what one needs in order to enrol")),
    Element("supervision", "Supervision and identity verification during assessment", False,
            _optional("supervision", "whether the assessment was supervised and the identity checked")),
    Element("grade", "Grade achieved", False, _grade),
    Element("stackability", "Integration/stackability options", False,
            _optional("stackability", "what it can be stacked towards")),
    Element("further_information", "Further information", False,
            _optional("further_information", "what else there is to know")),
)  # fmt: skip
