"""A template for Open Badges, from answers to one question after the other; and what all such questions share.

The template is a credential with ``{{column}}`` where each learner's row of a CSV file is filled in.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.core.errors import ShapeError
from registry.standards.openbadges.values import OB_CONTEXT, is_language, is_web_address

__all__ = [
    "LEARNERS", "AnswerError", "TemplateField", "build_template", "identities", "language", "read_answers",
    "template_fields", "web_address",
]  # fmt: skip

_MAX_ANSWER = 10_000  # characters
# Control characters but line feed and tab, those that turn the direction of text around, and half surrogates.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class AnswerError(ShapeError):
    """An answer that cannot be used; the pointer is "/" and the field's name."""


@dataclass(frozen=True, slots=True)
class TemplateField:
    """One question. ``element`` is the element of the profile that it serves, "" for what Open Badges itself needs.

    ``choices`` are suggestions, unless ``closed``. ``default`` is what an empty answer stands for; a question that has
    neither a default nor ``required`` may be left unanswered.
    """

    name: str
    element: str
    question: str
    read: Callable[[str], Any]
    required: bool = True
    choices: tuple[str, ...] = ()
    closed: bool = False
    default: str = ""

    def parse(self, answer: str) -> Any:
        """The value of an answer, None if it is left out. Raises AnswerError, which says what is expected."""
        text = answer.strip() or self.default
        if not text and not self.required:
            return None
        if "{{" in text or "}}" in text:
            raise AnswerError("Braces {{ }} mark the columns of a table; leave them out here.", f"/{self.name}")
        if len(text) > _MAX_ANSWER or _UNFIT.search(text):
            message = f"Answer in UTF-8 text of at most {_MAX_ANSWER:,} characters, without control characters."
            raise AnswerError(message, f"/{self.name}")
        matched = next((choice for choice in self.choices if choice.lower() == text.lower()), None)
        if self.closed and matched is None:
            raise AnswerError(f"Answer with one of: {', '.join(self.choices)}.", f"/{self.name}")
        try:
            return self.read(matched or text)
        except ValueError as error:
            raise AnswerError(str(error), f"/{self.name}") from error


def read_answers(fields: Sequence[TemplateField], answers: Mapping[str, str]) -> dict[str, Any]:
    """The value of every field. Raises AnswerError for the first answer that cannot be used."""
    for name in answers:
        if name not in {field.name for field in fields}:
            raise AnswerError("There is no such question.", f"/{name}")
    return {field.name: field.parse(answers.get(field.name, "")) for field in fields}


def template_fields() -> tuple[TemplateField, ...]:
    """The questions, in their order."""
    return _FIELDS


def build_template(answers: Mapping[str, str]) -> dict[str, Any]:
    """The template from the answers, by the fields' names. Raises AnswerError for the first that cannot be used.

    Its columns are name or email (or both), awarded_on (YYYY-MM-DD), and valid_until where the badge expires. The
    issuer's identifier is added when a credential is issued.
    """
    value = read_answers(_FIELDS, answers)
    criteria = {"id": value["criteria_url"], "narrative": value["criteria"]}
    template = {
        "@context": ["https://www.w3.org/ns/credentials/v2", OB_CONTEXT],
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": value["title"],
        "issuer": {"type": ["Profile"], "name": value["issuer_name"], "url": value["issuer_url"]},
        "validFrom": "{{awarded_on}}T00:00:00Z",
        "awardedDate": "{{awarded_on}}T00:00:00Z",
        "credentialSubject": {
            "type": ["AchievementSubject"],
            "identifier": identities(value["learner"]),
            "achievement": {
                "id": value["achievement_id"],
                "type": ["Achievement"],
                "achievementType": value["achievement_type"],
                "name": value["title"],
                "description": value["description"],
                "inLanguage": value["language"],
                "criteria": {name: text for name, text in criteria.items() if text},
            },
        },
    }
    if value["expires"] == "yes":
        template["validUntil"] = "{{valid_until}}T23:59:59Z"
    return template


def identities(learner: str) -> list[dict[str, Any]]:
    """The learner's IdentityObjects by the answer to "learner", in clear; the service hashes addresses."""
    return [
        {"type": "IdentityObject", "identityHash": f"{{{{{column}}}}}", "identityType": kind, "hashed": False}
        for kind, column in _IDENTITIES[learner]
    ]


_NAME, _EMAIL = ("name", "name"), ("emailAddress", "email")
_IDENTITIES = {"name": (_NAME,), "email": (_EMAIL,), "name and email": (_NAME, _EMAIL)}
LEARNERS = tuple(_IDENTITIES)


# --- what answers may be --------------------------------------------------------------------------------------------


def _words(text: str) -> str:
    if not any(character.isalnum() for character in text):
        raise ValueError("Answer in words.")
    return text


def web_address(text: str) -> str:
    if not is_web_address(text):
        raise ValueError("Answer with a web address that begins with https://.")
    return text


def language(text: str) -> str:
    if not is_language(text):
        raise ValueError("Answer with a language code such as en, de or pt-BR.")
    return text


_FIELDS = (
    TemplateField("learner", "", "How is a learner named?", str, choices=LEARNERS, closed=True, default="name"),
    TemplateField("title", "", "What is the title of the badge?", _words),
    TemplateField("description", "", "What is it about, in a sentence or two?", _words),
    TemplateField("achievement_id", "", "Which web address describes it?", web_address),
    TemplateField("achievement_type", "", "What kind of achievement is it?", str, closed=True, default="Badge",
                  choices=("Badge", "Certificate", "Certification", "CoCurricular", "Competency", "Course",
                           "LearningProgram", "License", "Membership")),
    TemplateField("criteria", "", "What does one do, know or show to earn it?", _words),
    TemplateField("criteria_url", "", "Where is that described on the web (if it is)?", web_address, required=False),
    TemplateField("language", "", "In which language is it?", language, default="en"),
    TemplateField("issuer_name", "", "What is the issuer's name?", _words),
    TemplateField("issuer_url", "", "What is the issuer's web address?", web_address),
    TemplateField("expires", "", "Does it expire?", str, choices=("no", "yes"), closed=True, default="no"),
)  # fmt: skip
