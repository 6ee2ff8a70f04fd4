"""Templates of a profile: from answers, and checked before the first row."""

import json
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.errors import InputError, ShapeError
from registry.service.profiles import PROFILES, check_template, csv_header, find_answer_faults
from registry.service.templates import parse_template
from registry.standards.openbadges import OB_CONTEXT
from registry.standards.openbadges.template import AnswerError

DEMO = (files("registry.demo") / "data" / "template.json").read_bytes()
COMMON = {
    "title": "First Aid",
    "description": "Helping until help comes.",
    "achievement_id": "https://badges.example/first-aid",
    "issuer_name": "Example School",
    "issuer_url": "https://badges.example",
}
ANSWERS = {
    "open-badge": {**COMMON, "criteria": "The learner shows the recovery position."},
    "eu-micro-credential": {
        **COMMON,
        "country": "IE",
        "learning_outcomes": "The learner helps.",
        "ects": "0.5",
        "eqf": "3",
        "assessment": "Practical demonstration",
        "participation": "Onsite",
        "quality_assurance": "Accredited by the Example Agency",
        "quality_assurance_url": "https://agency.example/1",
    },
}
CONTEXTS = ["https://www.w3.org/ns/credentials/v2", OB_CONTEXT]
EVERYTHING = {
    "open-badge": {"learner": "name and email", "expires": "yes", "criteria_url": "https://badges.example/criteria",
                   "achievement_type": "certificate", "language": "pt-BR"},
    "eu-micro-credential": {"learner": "email", "graded": "yes", "prerequisites": "None that are formal",
                            "supervision": "Onsite with identity verification", "stackability": "Stand-alone",
                            "esco": "http://data.europa.eu/esco/skill/2b92a5b2-6758-4ee3-9fb4-b6387a55cc8f",
                            "esco_name": "first aid"},
}  # fmt: skip


def _template(profile: str, **more: str) -> bytes:
    return json.dumps(PROFILES[profile].build({**ANSWERS[profile], **more})).encode()


def _changed(**more: Any) -> bytes:
    return json.dumps({**json.loads(_template("open-badge")), **more}).encode()


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("all_of_them", [False, True])
def test_what_the_questions_lead_to_is_good(profile: str, all_of_them: bool) -> None:
    template = _template(profile, **(EVERYTHING[profile] if all_of_them else {}))
    assert check_template(template, profile) == ()
    assert check_template(template) == ()


def test_a_plain_badge_is_no_micro_credential() -> None:
    faults = check_template(_template("open-badge"), "eu-micro-credential")
    assert {fault.profile for fault in faults} == {"eu-micro-credential"}
    assert "/issuer/address/addressCountryCode" in [fault.pointer for fault in faults]


def test_the_columns_of_a_plain_badge() -> None:
    assert csv_header(parse_template(_template("open-badge", **EVERYTHING["open-badge"]))) == (
        "awarded_on,name,email,valid_until"
    )


def test_a_header_is_quoted_where_it_has_to_be() -> None:
    assert csv_header(parse_template(b'{"a": "{{b, c}}", "d": "{{e\\"f?}}", "g": "{{h}}"}')) == '"b, c",h,"e""f"'


def test_the_demo_s_template() -> None:
    assert check_template(DEMO) == check_template(DEMO, "eu-micro-credential") == ()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"validFrom": "{{awarded_on}}T00:00:00"}, "/validFrom"),
        ({"validFrom": "2026-03-01"}, "/validFrom"),
        ({"issuer": {"type": ["Profile"], "url": "{{awarded_on}} {{name}}"}}, "/issuer/url"),
        ({"@context": ["https://www.w3.org/ns/credentials/v2"]}, "/@context"),
        ({"type": ["VerifiableCredential"]}, "/type"),
        ({"proof": {"type": "DataIntegrityProof"}}, "/proof"),
        ({"credentialStatus": {"id": "https://badges.example/1", "type": "X"}}, "/credentialStatus"),
        ({"name": 5}, "/name"),
        ({"titel": "{{title}}"}, "/titel"),  # nothing that a context defines
        ({"titel": "{{title?}}"}, "/titel"),
        ({"@context": [*CONTEXTS, "https://badges.example/context.json"]}, "/@context"),
        ({"@context": [*CONTEXTS, {"@version": 5}]}, "/@context"),
        ({"credentialSubject": {"type": ["AchievementSubject"], "id": "{{a?}}"}}, "/credentialSubject/achievement"),
    ],
)
def test_a_fault_is_named_where_it_is(change: dict[str, Any], pointer: str) -> None:
    assert pointer in [fault.pointer for fault in check_template(_changed(**change))]


@pytest.mark.parametrize("change", [
    {"validFrom": "{{since}}"}, {"validFrom": "{{day}}T00:00:00Z"}, {"id": "{{id}}"}, {"id": "https://x.example/{{no}}"},
    {"issuer": {"type": ["Profile"], "id": "{{who}}", "address": {"type": ["Address"], "addressCountryCode": "{{c}}"}}},
    {"issuer": "{{issuer}}"}, {"issuer": {"type": ["Profile"], "email": "{{mail}}"}}, {"awardedDate": "{{when?}}"},
])  # fmt: skip
def test_placeholders_stand_for_what_cells_hold(change: dict[str, Any]) -> None:
    assert check_template(_changed(**change)) == ()


def test_numbers_stay_numbers() -> None:
    subject = json.loads(_template("open-badge"))["credentialSubject"]
    subject["creditsEarned"] = "{{ects:number}}"
    assert check_template(_changed(credentialSubject=subject)) == ()
    subject["creditsEarned"] = "{{ects}}"
    [fault] = check_template(_changed(credentialSubject=subject))
    assert fault.pointer == "/credentialSubject/creditsEarned"


def test_a_blank_cell_is_looked_at_too() -> None:
    subject = json.loads(_template("open-badge"))["credentialSubject"]
    subject["achievement"]["name"] = "{{title}}"
    assert check_template(_changed(credentialSubject=subject)) == ()
    subject["achievement"]["name"] = "{{title?}}"
    [fault] = check_template(_changed(credentialSubject=subject))
    assert fault.pointer == "/credentialSubject/achievement/name"


def test_only_optional_placeholders() -> None:
    assert check_template(b'{"name": "{{x?}}"}') != ()


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"{}", b'{"a": "{{b"}', b'{"a": "{{ }}"}', b"\xff"])
def test_what_is_no_template(data: bytes) -> None:
    with pytest.raises(InputError):
        check_template(data)


def test_many_placeholders_are_checked_in_bounded_time() -> None:
    columns = {f"n{number}": f"{{{{c{number}}}}}" for number in range(1_000)}
    assert check_template(_changed(**columns, validFrom="{{since}} never")) != ()


def test_all_faults_of_the_answers_are_named_at_once() -> None:
    faults = find_answer_faults(PROFILES["open-badge"], {"title": "{{x}}", "hobby": "chess", "expires": "perhaps"})
    assert [fault.pointer for fault in faults] == [
        "/hobby", "/title", "/description", "/achievement_id", "/criteria", "/issuer_name", "/issuer_url", "/expires",
    ]  # fmt: skip
    assert "missing" in str(faults[2])
    assert find_answer_faults(PROFILES["open-badge"], ANSWERS["open-badge"]) == ()


@pytest.mark.parametrize("answer", ["\x1b[2J", "\ud800", "a\u202eb", "x" * 10_001, "\0", "...", "{{a}}", "}}"])
def test_an_answer_that_no_template_takes(answer: str) -> None:
    with pytest.raises(AnswerError):
        PROFILES["open-badge"].build({**ANSWERS["open-badge"], "title": answer})


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_every_answer_that_is_taken_gives_a_good_template(data: st.DataObject) -> None:
    profile = PROFILES[data.draw(st.sampled_from(sorted(PROFILES)))]
    answers = {**ANSWERS[profile.name], **data.draw(st.sampled_from([{}, EVERYTHING[profile.name]]))}
    field = data.draw(st.sampled_from(profile.fields))
    answers[field.name] = data.draw(st.text(max_size=20) | st.sampled_from([*field.choices, "https://a.example/é"]))
    try:
        template = profile.build(answers)
    except ShapeError:
        return
    assert check_template(json.dumps(template).encode(), profile.name) == ()
