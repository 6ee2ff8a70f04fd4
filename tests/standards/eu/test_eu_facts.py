"""What people read of a micro-credential."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from registry.standards.eu import FACT_NAMES, facts

GOOD: dict[str, Any] = json.loads((Path(__file__).parent / "good.json").read_bytes())


def test_all_of_them() -> None:
    found = facts(GOOD)
    assert found == {
        "country": "Ireland (IE)",
        "learningOutcomes": "The learner judges open data, combines them and presents them. Skills: analyse data",
        "workload": "5 ECTS credits",
        "level": "EQF level 5",
        "assessment": "Project work",
        "participation": "Blended",
        "qualityAssurance": "Accreditation by the Example Agency",
        "prerequisites": "A first course in statistics",
        "supervision": "Onsite with identity verification",
        "grade": "B",
        "stackability": "Stackable towards another credential; https://badges.example/achievements/diploma",
        "furtherInformation": "The course runs every spring.",
    }
    assert tuple(found) == FACT_NAMES


def test_nothing_to_tell() -> None:
    assert facts({}) == {}
    assert facts({"credentialSubject": [5], "issuer": "did:web:x"}) == {}


def test_the_terms_of_others() -> None:
    achievement = {
        "assessmentType": "testing",
        "participationType": "online",
        "supervisionType": "onsite",
        "identityChecked": True,
        "ECTS": 2.5,
    }
    assert facts({"credentialSubject": {"achievement": achievement}}) == {
        "workload": "2.5 ECTS credits",
        "assessment": "testing",
        "participation": "online",
        "supervision": "onsite; identity checked",
    }


def test_credits_outside_europe_are_not_called_ects() -> None:
    assert facts({"credentialSubject": {"creditsEarned": 3}}) == {"workload": "3 credits"}


def test_hours() -> None:
    alignment = [{"targetType": "ext:Workload", "targetCode": "PT1250H"}]
    assert facts({"credentialSubject": {"achievement": {"alignment": alignment}}}) == {"workload": "1,250 hours"}


def test_texts_are_cut_and_cleaned() -> None:
    text = "two\nlines \u202etxet\u202c \x1b[31m" + "long " * 100
    found = facts({"credentialSubject": {"achievement": {"criteria": {"narrative": text}}}})["learningOutcomes"]
    assert found.startswith("two lines txet [31mlong long")
    assert len(found) == 301


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["alignment", "address", "result", "related", "ECTS", "targetType", "criteria",
                                       "identityChecked", "creditsAvailable", "id", "value", "narrative"]), inner),
))  # fmt: skip
def test_never_raises(value: Any) -> None:
    for credential in ({"credentialSubject": value, "issuer": value}, {"credentialSubject": {"achievement": value}}):
        assert all(isinstance(text, str) and text for text in facts(credential).values())
