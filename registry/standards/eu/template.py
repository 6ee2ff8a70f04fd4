"""A template for micro-credentials, from answers to one question after the other.

The template is a credential with ``{{column}}`` where each learner's row of a CSV file is filled in.
"""

import re
from collections.abc import Mapping
from typing import Any

from registry.standards.eu.countries import advice_on_country
from registry.standards.eu.reading import is_esco, said
from registry.standards.openbadges import OB_CONTEXT
from registry.standards.openbadges.template import (
    LEARNERS,
    AnswerError,
    TemplateField,
    identities,
    language,
    read_answers,
    web_address,
)

__all__ = ["AnswerError", "TemplateField", "build_template", "template_fields"]

_RECOMMENDATION = "https://eur-lex.europa.eu/legal-content/EN/TXT/?uri=celex:32022H0627%2802%29"
_APPROACH = "European approach to micro-credentials"
_NUMBER = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,2})?")


def template_fields() -> tuple[TemplateField, ...]:
    """The questions, in their order."""
    return _FIELDS


def build_template(answers: Mapping[str, str]) -> dict[str, Any]:
    """The template from the answers, by the fields' names. Raises AnswerError for the first that cannot be used.

    Its columns are name or email (or both), completed_on (YYYY-MM-DD), certificate_no if it may be blank, and grade
    where the learners are graded. The issuer's identifier is added when a credential is issued.
    """
    value = read_answers(_FIELDS, answers)
    subject: dict[str, Any] = {
        "type": ["AchievementSubject"],
        "identifier": identities(value["learner"]),
        "licenseNumber": "{{certificate_no?}}",
        "activityEndDate": "{{completed_on}}T00:00:00Z",
        "creditsEarned": value["ects"],
        "achievement": _achievement(value),
    }
    if value["graded"] == "yes":
        subject["result"] = [{"type": ["Result"], "value": "{{grade}}"}]
    return {
        "@context": ["https://www.w3.org/ns/credentials/v2", OB_CONTEXT],
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": value["title"],
        "issuer": {
            "type": ["Profile"],
            "name": value["issuer_name"],
            "url": value["issuer_url"],
            "address": {"type": ["Address"], "addressCountryCode": value["country"]},
        },
        "validFrom": "{{completed_on}}T00:00:00Z",
        "awardedDate": "{{completed_on}}T00:00:00Z",
        "credentialSubject": subject,
    }


def _achievement(value: Mapping[str, Any]) -> dict[str, Any]:
    level, esco = value["eqf"], value["esco"]
    alignments = [
        _alignment("EQF", f"EQF level {level}", f"http://data.europa.eu/snb/eqf/{level}",
                   "European Qualifications Framework", str(level)),
        _alignment("AssessmentType", value["assessment"], _RECOMMENDATION, _APPROACH),
        _alignment("ParticipationType", value["participation"], _RECOMMENDATION, _APPROACH),
        _alignment("QualityAssurance", value["quality_assurance"], value["quality_assurance_url"]),
    ]  # fmt: skip
    for element, target_type in _OPTIONAL.items():
        if value[element]:
            alignments.append(_alignment(target_type, value[element], _RECOMMENDATION, _APPROACH))
    if esco:
        alignments.append(_alignment("ESCO", value["esco_name"] or value["title"], esco, "ESCO"))
    return {
        "id": value["achievement_id"],
        "type": ["Achievement"],
        "achievementType": "MicroCredential",
        "name": value["title"],
        "description": value["description"],
        "inLanguage": value["language"],
        "creditsAvailable": value["ects"],
        "criteria": {"narrative": value["learning_outcomes"]},
        "alignment": alignments,
    }


def _alignment(target_type: str, name: str, url: str, framework: str = "", code: str = "") -> dict[str, Any]:
    further = {"targetFramework": framework, "targetCode": code}
    return {
        "type": ["Alignment"],
        "targetType": f"ext:{target_type}",
        "targetName": name,
        "targetUrl": url,
        **{key: text for key, text in further.items() if text},
    }


_OPTIONAL = {"prerequisites": "Prerequisites", "supervision": "SupervisionType", "stackability": "Stackability"}


# --- what answers may be --------------------------------------------------------------------------------------------


def _words(text: str) -> str:
    words = said(text)
    if words is None:
        raise ValueError("Answer in words.")
    return words


def _country(text: str) -> str:
    if advice := advice_on_country(text):
        raise ValueError(f"{text!r} is no country code. {advice}")
    return text


def _credits(text: str) -> int | float:
    number = float(text) if _NUMBER.fullmatch(text) else 0.0
    if number <= 0:
        raise ValueError("Answer with a number above 0, such as 5 or 2.5, with a point and without a unit.")
    return int(number) if number.is_integer() else number


def _level(text: str) -> int:
    if text not in tuple("12345678"):
        raise ValueError("Answer with a number from 1 to 8.")
    return int(text)


def _esco(text: str) -> str:
    if not is_esco(text):
        raise ValueError("Answer with the address of an ESCO skill; it begins with http://data.europa.eu/esco/.")
    return text


_FIELDS = (
    TemplateField("learner", "learner", "How is a learner named?", str, choices=LEARNERS, closed=True,
                  default="name"),
    TemplateField("title", "title", "What is the title of the micro-credential?", _words),
    TemplateField("description", "", "What is it about, in a sentence or two?", _words),
    TemplateField("achievement_id", "", "Which web address describes it?", web_address),
    TemplateField("language", "", "In which language is it taught?", language, default="en"),
    TemplateField("country", "country", "In which country is the issuer (two letters of ISO 3166-1)?", _country),
    TemplateField("issuer_name", "awarding_body", "What is the awarding body's name?", _words),
    TemplateField("issuer_url", "awarding_body", "What is the awarding body's web address?", web_address),
    TemplateField("learning_outcomes", "learning_outcomes", "What does the learner know and can do then?", _words),
    TemplateField("esco", "learning_outcomes", "Which ESCO skill is that, by its address (if there is one)?", _esco,
                  required=False),
    TemplateField("esco_name", "learning_outcomes", "What does ESCO call this skill?", _words, required=False),
    TemplateField("ects", "workload", "How many ECTS credits is it worth (one is 25 to 30 hours of work)?", _credits),
    TemplateField("eqf", "level", "Which level of the European Qualifications Framework is it?", _level,
                  choices=tuple("12345678"), closed=True),
    TemplateField("assessment", "assessment", "How is it assessed?", _words,
                  choices=("Written examination", "Oral examination", "Project work", "Portfolio",
                           "Practical demonstration", "Recognition of prior learning")),
    TemplateField("participation", "participation", "How does a learner take part?", _words,
                  choices=("Online", "Onsite", "Blended", "Volunteering", "Work experience")),
    TemplateField("quality_assurance", "quality_assurance", "What assures its quality (an accreditation)?", _words),
    TemplateField("quality_assurance_url", "quality_assurance", "Where is that described on the web?", web_address),
    TemplateField("graded", "grade", "Do learners get a grade?", str, choices=("no", "yes"), closed=True, default="no"),
    TemplateField("prerequisites", "prerequisites", "What does one need in order to enrol?", _words, required=False),
    TemplateField("supervision", "supervision", "Is the assessment supervised, and the identity checked?", _words,
                  required=False,
                  choices=("Unsupervised with no identity verification", "Supervised with no identity verification",
                           "Supervised online with identity verification", "Onsite with identity verification")),
    TemplateField("stackability", "stackability", "Can it be stacked towards another credential?", _words,
                  required=False, choices=("Stand-alone", "Stackable towards another credential")),
)  # fmt: skip
