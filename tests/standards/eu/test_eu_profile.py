"""The profile of European micro-credentials: each element good, and each bad in its own way."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.standards.eu import ELEMENTS, claims_profile, find_faults
from registry.standards.eu.countries import COUNTRY_CODES
from registry.standards.openbadges import find_faults as find_badge_faults

FIXTURES = Path(__file__).parent / "bad"
MANDATORY = [
    "learner", "title", "country", "awarding_body", "date", "learning_outcomes", "workload", "level", "assessment",
    "participation", "quality_assurance",
]  # fmt: skip
OPTIONAL = ["prerequisites", "supervision", "grade", "stackability", "further_information"]


def good() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FIXTURES.parent / "good.json").read_bytes())
    return found


def _alignment(credential: dict[str, Any], target_type: str) -> dict[str, Any]:
    alignments = credential["credentialSubject"]["achievement"]["alignment"]
    return next(item for item in alignments if item.get("targetType") == target_type)


def _without(credential: dict[str, Any], target_type: str) -> dict[str, Any]:
    achievement = credential["credentialSubject"]["achievement"]
    achievement["alignment"] = [item for item in achievement["alignment"] if item["targetType"] != target_type]
    return credential


def _elements(credential: Any) -> list[str]:
    return [fault.element for fault in find_faults(credential)]


def test_the_good_one_is_good() -> None:
    assert find_faults(good()) == ()
    assert find_badge_faults(good()) == ()
    assert claims_profile(good())


def test_annex_i_has_eleven_mandatory_and_five_optional_elements() -> None:
    assert [element.name for element in ELEMENTS if element.mandatory] == MANDATORY
    assert [element.name for element in ELEMENTS if not element.mandatory] == OPTIONAL


@pytest.mark.parametrize("element", [*MANDATORY, *OPTIONAL[:4]])
def test_one_bad_fixture_for_each_element(element: str) -> None:
    """Good as an Open Badge; the fixture says where the fault is, and what is said to do about it."""
    fixture = json.loads((FIXTURES / f"{element}.json").read_bytes())
    (fault,) = find_faults(fixture["credential"])
    assert (fault.element, fault.pointer) == (element, fixture["pointer"])
    assert fixture["says"] in fault.message
    if element != "workload":
        assert find_badge_faults(fixture["credential"], strict=False) == ()


@pytest.mark.parametrize(
    "target_type", ["ext:EQF", "ext:AssessmentType", "ext:ParticipationType", "ext:QualityAssurance"]
)
def test_an_element_that_is_not_there(target_type: str) -> None:
    (fault,) = find_faults(_without(good(), target_type))
    assert fault.pointer == "/credentialSubject/achievement/alignment"
    assert target_type in fault.message


def test_nothing_is_there() -> None:
    assert list(dict.fromkeys(_elements({}))) == MANDATORY


@pytest.mark.parametrize(
    ("code", "name", "url", "ok"),
    [
        ("1", "x", "https://x.example", True),
        ("8", "x", "https://x.example", True),
        ("EQF 5", "x", "https://x.example", True),
        ("Level 5", "x", "https://x.example", True),
        (None, "EQF level 5", "https://x.example", True),
        (None, "Level", "http://data.europa.eu/snb/eqf/5", True),
        ("5", "x", "http://data.europa.eu/snb/eqf/5", True),
        ("5", "x", "http://data.europa.eu/snb/eqf/6", False),
        ("0", "x", "https://x.example", False),
        ("9", "x", "https://x.example", False),
        ("5.5", "x", "https://x.example", False),
        ("5-6", "x", "https://x.example", False),
        ("-5", "x", "https://x.example", False),
        ("five", "EQF level 5", "https://x.example", False),
        ("55555555555555555555", "x", "https://x.example", False),
        (None, "high", "https://x.example", False),
        (None, "x", "http://data.europa.eu/snb/eqf/9", False),
    ],
)
def test_levels(code: str | None, name: str, url: str, ok: bool) -> None:
    credential = good()
    alignment = _alignment(credential, "ext:EQF")
    alignment.update(targetName=name, targetUrl=url, targetCode=code)
    if code is None:
        del alignment["targetCode"]
    assert _elements(credential) == ([] if ok else ["level"])


def test_two_levels() -> None:
    credential = good()
    other = {**_alignment(credential, "ext:EQF"), "targetCode": "6", "targetUrl": "https://x.example"}
    credential["credentialSubject"]["achievement"]["alignment"].append(other)
    assert _elements(credential) == ["level"]


@pytest.mark.parametrize(("value", "ok"), [
    (5, True), (2.5, True), (0.5, True), ("5", False), ("5 ECTS", False), (0, False), (-5, False), (True, False),
    (float("inf"), False), ([5], False), (10**400, False),
])  # fmt: skip
def test_credits(value: Any, ok: bool) -> None:
    credential = good()
    del credential["credentialSubject"]["creditsEarned"]
    credential["credentialSubject"]["achievement"]["creditsAvailable"] = value
    assert _elements(credential) == ([] if ok else ["workload"])


def test_more_earned_than_available() -> None:
    credential = good()
    credential["credentialSubject"]["creditsEarned"] = 6
    (fault,) = find_faults(credential)
    assert fault.pointer == "/credentialSubject/creditsEarned"


@pytest.mark.parametrize(("code", "ok"), [("PT125H", True), ("125", False), ("PT0H", False), (None, False)])
def test_hours_where_there_are_no_credits(code: str | None, ok: bool) -> None:
    credential = good()
    del credential["credentialSubject"]["creditsEarned"]
    achievement = credential["credentialSubject"]["achievement"]
    del achievement["creditsAvailable"]
    achievement["alignment"].append(
        {"type": ["Alignment"], "targetType": "ext:Workload", "targetName": "Hours", "targetUrl": "https://x.example"}
        | ({"targetCode": code} if code else {})
    )
    assert _elements(credential) == ([] if ok else ["workload"])


@pytest.mark.parametrize(("code", "advice"), [
    ("UK", "Write GB."), ("EL", "Write GR."), ("ie", "Write IE."), ("Ireland", "two capital letters"),
    ("ireland", "two capital letters"), ("IRL", "two capital letters"), ("372", "two capital letters"), ("IE ", "IE"),
    ("XX", "two capital letters"), ("EU", "two capital letters"), ("", "two capital letters"),
])  # fmt: skip
def test_countries(code: str, advice: str) -> None:
    credential = good()
    credential["issuer"]["address"]["addressCountryCode"] = code
    (fault,) = find_faults(credential)
    assert fault.element == "country"
    assert advice in fault.message


def test_the_table_of_countries() -> None:
    members = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()  # noqa: SIM905
    assert len(COUNTRY_CODES) == 249
    assert COUNTRY_CODES.issuperset(members)


def test_an_issuer_that_is_only_an_identifier() -> None:
    assert _elements({**good(), "issuer": "did:web:badges.example"}) == ["country", "awarding_body"]


def test_learning_outcomes_by_esco_alone() -> None:
    credential = good()
    credential["credentialSubject"]["achievement"]["criteria"] = {"id": "https://badges.example/criteria"}
    assert find_faults(credential) == ()
    assert _elements(_without(credential, "ext:ESCO")) == ["learning_outcomes"]


def test_an_alignment_by_the_name_of_its_framework_is_esco_too() -> None:
    credential = good()
    _alignment(credential, "ext:ESCO").update(targetType="CFItem", targetUrl="https://skills.example/1")
    assert _elements(credential) == ["learning_outcomes"]
    _alignment(credential, "CFItem")["targetFramework"] = "Our own"
    assert find_faults(credential) == ()


NOTHING = [
    "",
    "  ",
    "\t\n",
    "-",
    "N/A",
    "tbd",
    "\u200e\u202e",
    "\u200b",
    "\u00a0",
    "\ufeff",
    "\u3164",
    "\u2800",
    "{{column}}",
]


@pytest.mark.parametrize("nothing", [*NOTHING, None, 5, True, [], {}, ["words"]])
@pytest.mark.parametrize("target_type", ["ext:AssessmentType", "ext:ParticipationType", "ext:QualityAssurance"])
def test_words_that_say_nothing(target_type: str, nothing: object) -> None:
    credential = good()
    _alignment(credential, target_type)["targetName"] = nothing
    [fault] = find_faults(credential)
    assert fault.pointer.endswith("/targetName")


@pytest.mark.parametrize("nothing", [*NOTHING, None, 5, True, [], {}])
def test_names_that_say_nothing(nothing: object) -> None:
    credential = good()
    credential["issuer"]["name"] = nothing
    credential["credentialSubject"]["achievement"]["name"] = nothing
    assert _elements(credential) == ["title", "awarding_body"]


@pytest.mark.parametrize("words", ["5", "Ξ", "是", "🎓", "e\u0301", "שלום", "C++", "\u200eOnline"])
def test_words_that_say_something(words: str) -> None:
    credential = good()
    _alignment(credential, "ext:AssessmentType")["targetName"] = words
    assert find_faults(credential) == ()


@pytest.mark.parametrize("nothing", [*NOTHING, None, 5, []])
def test_a_learner_who_is_nobody(nothing: object) -> None:
    credential = good()
    credential["credentialSubject"].pop("id", None)
    credential["credentialSubject"]["identifier"] = [
        {"type": "IdentityObject", "identityHash": nothing, "identityType": "name", "hashed": False}
    ]
    assert _elements(credential) == ["learner"]
    credential["credentialSubject"]["id"] = nothing
    assert _elements(credential) == ["learner"]


@pytest.mark.parametrize("nothing", [*NOTHING, None, 5, []])
def test_learning_outcomes_that_say_nothing(nothing: object) -> None:
    credential = _without(good(), "ext:ESCO")
    credential["credentialSubject"]["achievement"]["criteria"] = {"narrative": nothing}
    assert _elements(credential) == ["learning_outcomes"]


@pytest.mark.parametrize("name", ["awardedDate", "validFrom"])
@pytest.mark.parametrize("date", [
    "", "2026-03-01", "2026-03-01T12:00:00", "2026-02-30T12:00:00Z", "2026-13-01T12:00:00Z", "01.03.2026", "yesterday",
    "2026-03-01T25:00:00Z", "2026-03-01T12:00:00+25:00", "{{completed_on}}T00:00:00Z", 1772366400, None, [],
])  # fmt: skip
def test_dates(name: str, date: object) -> None:
    credential = good()
    credential.pop("awardedDate", None)
    credential[name] = date
    [fault] = find_faults(credential)
    assert (fault.element, fault.pointer) == ("date", f"/{name}")


def test_no_date_at_all() -> None:
    credential = good()
    credential.pop("awardedDate", None)
    del credential["validFrom"]
    [fault] = find_faults(credential)
    assert (fault.element, fault.pointer) == ("date", "/validFrom")


@pytest.mark.parametrize("address", [
    "", " ", "agency.example", "www.agency.example", "ftp://agency.example/1", "urn:example:1",
    "did:web:agency.example", "https://", "https:///1", "https://?x", "https://agency example", "see our web site",
    None, 5, [], {"id": "https://agency.example"},
])  # fmt: skip
def test_quality_assurance_without_a_web_address(address: object) -> None:
    credential = good()
    alignment = _alignment(credential, "ext:QualityAssurance")
    alignment["targetUrl"] = address
    [fault] = find_faults(credential)
    assert (fault.element, fault.pointer.rpartition("/")[2]) == ("quality_assurance", "targetUrl")
    del alignment["targetUrl"]
    assert _elements(credential) == ["quality_assurance"]


def test_the_terms_of_others() -> None:
    """As the Dutch edubadges write them, with a context of their own."""
    credential = _without(_without(good(), "ext:AssessmentType"), "ext:ParticipationType")
    achievement = credential["credentialSubject"]["achievement"]
    del achievement["creditsAvailable"], credential["credentialSubject"]["creditsEarned"]
    achievement.update(assessmentType="testing", participationType=["onsite", "blended"], ECTS=2.5)
    assert find_faults(credential) == ()
    achievement.update(assessmentType="", participationType=5, ECTS="2.5")
    assert [fault.pointer.rpartition("/")[2] for fault in find_faults(credential)] == [
        "ECTS", "assessmentType", "participationType",
    ]  # fmt: skip


def test_hours_in_a_term_of_others() -> None:
    credential = good()
    achievement = credential["credentialSubject"]["achievement"]
    del achievement["creditsAvailable"], credential["credentialSubject"]["creditsEarned"]
    achievement["SBU"] = 500
    assert find_faults(credential) == ()
    achievement["SBU"] = "500 hours"
    (fault,) = find_faults(credential)
    assert fault.pointer == "/credentialSubject/achievement/SBU"


def test_alignments_without_a_target_type() -> None:
    """By the framework or by the address: others leave the type out."""
    credential = good()
    level, skill = _alignment(credential, "ext:EQF"), _alignment(credential, "ext:ESCO")
    del level["targetType"], skill["targetType"], skill["targetFramework"]
    credential["credentialSubject"]["achievement"]["criteria"] = {}
    assert find_faults(credential) == ()
    level.update(targetUrl="https://badges.example/eqf", targetFramework="European Qualifications Framework")
    assert find_faults(credential) == ()
    del level["targetFramework"]
    assert _elements(credential) == ["level"]


def test_capitals_of_a_target_type_do_not_matter() -> None:
    credential = good()
    _alignment(credential, "ext:EQF")["targetType"] = "ext:eqf"
    assert find_faults(credential) == ()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
@settings(max_examples=250, deadline=None)
def test_never_raises(data: st.DataObject) -> None:
    credential: Any = good()
    holder: Any = credential
    while isinstance(holder, dict | list) and holder:
        key = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        if not isinstance(holder[key], dict | list) or data.draw(st.booleans()):
            holder[key] = data.draw(_JSON)
            break
        holder = holder[key]
    find_faults(credential)
    claims_profile(credential)
