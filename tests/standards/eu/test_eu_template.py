"""Templates from answers, and the demo's."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from registry.core.credential import facts as core_facts
from registry.service.issuing import LineResult, Submission
from registry.service.templates import parse_template, read_csv
from registry.standards.eu import AnswerError, build_template, facts, find_faults, template_fields
from registry.standards.identity import hide_identities, matches_identity
from registry.standards.openbadges import find_faults as find_badge_faults

DEMO = Path(__file__).parents[3] / "registry" / "demo" / "data"
ANSWERS = {
    "title": "Data Literacy",
    "description": "Finding and judging data.",
    "achievement_id": "https://badges.example/data-literacy",
    "country": "IE",
    "issuer_name": "Example University",
    "issuer_url": "https://badges.example",
    "learning_outcomes": "The learner finds and judges open data.",
    "ects": "2.5",
    "eqf": "5",
    "assessment": "project work",
    "participation": "Online",
    "quality_assurance": "Accredited by the Example Agency",
    "quality_assurance_url": "https://agency.example/decisions/1",
}
ROW = {"name": "Jo", "email": "jo@example.org", "completed_on": "2026-03-01", "certificate_no": "", "grade": "B"}


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    """As the service does it: the issuer's id is its own."""
    issuer = {"id": "did:web:badges.example", **document["issuer"]}
    return {"id": "urn:uuid:2c8c5a4e-6a37-4b36-9b1c-6f2a05a5a9e1", **document, "issuer": issuer}


def _issued(template: dict[str, Any], row: dict[str, str]) -> dict[str, Any]:
    return _completed(parse_template(orjson.dumps(template)).fill(row))


@pytest.mark.parametrize("learner", ["", "name", "email", "Name and Email"])
def test_a_template_gives_good_credentials(learner: str) -> None:
    credential = _issued(build_template({**ANSWERS, "learner": learner}), ROW)
    assert find_faults(credential) == ()
    assert find_badge_faults(credential) == ()
    assert facts(credential)["assessment"] == "Project work"  # as the list of suggestions writes it


def test_optional_answers() -> None:
    answers = {
        **ANSWERS,
        "language": "de-AT",
        "esco": "http://data.europa.eu/esco/skill/2b92a5b2-6758-4ee3-9fb4-b6387a55cc8f",
        "esco_name": "analyse data",
        "graded": "yes",
        "prerequisites": "School mathematics",
        "supervision": "Onsite with identity verification",
        "stackability": "Stand-alone",
    }
    credential = _issued(build_template(answers), ROW)
    assert find_faults(credential) == ()
    assert find_badge_faults(credential) == ()
    found = facts(credential)
    assert found["learningOutcomes"].endswith("Skills: analyse data")
    assert (found["grade"], found["prerequisites"], found["stackability"]) == ("B", "School mathematics", "Stand-alone")


def test_the_questions_ask_for_every_element_that_is_not_in_the_table() -> None:
    asked = {field.element for field in template_fields()}
    mandatory = {"learner", "title", "country", "awarding_body", "learning_outcomes", "workload", "level", "assessment",
                 "participation", "quality_assurance"}  # fmt: skip
    assert asked >= mandatory
    assert {field.name for field in template_fields() if field.required and not field.default} == set(ANSWERS)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("learner", "passport"),
        ("title", ""),
        ("title", "tbd"),
        ("title", "{{title}}"),
        ("title", "a}}b"),
        ("achievement_id", "badges.example"),
        ("language", "Deutsch"),
        ("country", "UK"),
        ("issuer_url", "ftp://badges.example"),
        ("esco", "https://skills.example/1"),
        ("ects", "0"),
        ("ects", "5 ECTS"),
        ("ects", "2,5"),
        ("ects", "-1"),
        ("ects", "nan"),
        ("eqf", "9"),
        ("eqf", "five"),
        ("quality_assurance_url", "yes"),
        ("graded", "perhaps"),
        ("hobby", "chess"),
    ],
)
def test_an_answer_that_cannot_be_used(name: str, answer: str) -> None:
    with pytest.raises(AnswerError) as caught:
        build_template({**ANSWERS, name: answer})
    assert caught.value.pointer == f"/{name}"


def test_every_learner_of_the_demo_gets_a_micro_credential() -> None:
    """All but the rows that it shows as refused, in the order of the file."""
    template = parse_template((DEMO / "template.json").read_bytes())
    with (DEMO / "learners.csv").open("rb") as table:
        rows = list(read_csv(table, template, None))
    documents = [row.document for row in rows if isinstance(row, Submission)]
    assert [row.error.code for row in rows if isinstance(row, LineResult) and row.error] == [
        "blank", "not_a_number", "ragged",
    ]  # fmt: skip
    assert len({document["id"] for document in documents}) == 1_000
    for document in documents:
        credential = _completed(document)
        assert find_faults(credential) == ()
        assert find_badge_faults(credential) == ()
        assert "learner" in core_facts(credential)
        assert set(facts(credential)) >= {
            "country", "learningOutcomes", "workload", "level", "assessment", "participation", "qualityAssurance",
            "supervision",
        }  # fmt: skip


def test_the_demo_s_learners_are_found_by_their_address() -> None:
    """The name stays readable; the address is hashed when the credential is taken."""
    template = parse_template((DEMO / "template.json").read_bytes())
    with (DEMO / "learners.csv").open("rb") as table:
        first = next(row for row in read_csv(table, template, None) if isinstance(row, Submission))
    hidden = hide_identities(_completed(first.document), lambda: "0123456789abcdef")
    name, email = hidden["credentialSubject"]["identifier"]
    assert (name["hashed"], email["hashed"]) == (False, True)
    assert "@" not in json.dumps(hidden["credentialSubject"]["identifier"])
    assert matches_identity(hidden, "Learner-00001@example.org") is True
    assert matches_identity(hidden, "learner-00002@example.org") is False
    assert find_badge_faults(hidden) == ()
