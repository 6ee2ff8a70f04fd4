"""The Digital Credentials Consortium's verifier-core reads ours, as it comes out of the box.

It looks at the eddsa-rdfc-2022 proof only. An unfit credential has an error; one that can be judged has a log of steps.
"""

from typing import Any

import pytest

from support.interop import Answers, Issuer, make_cases, run_node

STEPS = {"valid_signature": True, "expiration": True, "registered_issuer": False}  # it knows no registry of issuers
GOOD = {**STEPS, "revocation_status": True}
# Case → the log, or the name of the error; in a log the name of an error stands for it.
EXPECTED: dict[str, dict[str, Any] | str] = {
    "good": GOOD,
    "former key": GOOD,
    "revoked": {**GOOD, "revocation_status": False},
    "suspended": {**STEPS, "suspension_status": False},
    "expired": {**GOOD, "expiration": False},
    "tampered": "invalid_signature",
    "stranger's key": "invalid_signature",
    "unlisted key": "invalid_signature",
    "not yet valid": 'is before "validFrom"',
    "forged list": {**STEPS, "revocation_status": "status_list_signature_error"},
    "expired list": {**STEPS, "revocation_status": "status_list_expired"},
    "foreign list": GOOD,  # it asks only for a good signature of whoever issued the list
    "missing list": {**STEPS, "revocation_status": "status_list_not_found"},
}


@pytest.fixture(scope="module")
def answers(issuer: Issuer) -> Answers:
    return run_node("verifier-core.mjs", make_cases(issuer), issuer.host.authority)


@pytest.mark.parametrize("name", EXPECTED)
def test_says_what_is_wrong(answers: Answers, name: str) -> None:
    result = answers.results[name]
    expected = EXPECTED[name]
    if isinstance(expected, str):
        assert any(expected in {error["name"]} or expected in error["message"] for error in result["errors"]), result
        assert not result["log"].get("valid_signature")
        return
    assert result["errors"] == []
    assert {
        step: found["name"] if isinstance(found, dict) else found for step, found in result["log"].items()
    } == expected


def test_every_case_is_expected_and_only_the_schema_is_out_of_reach(issuer: Issuer, answers: Answers) -> None:
    assert set(answers.results) == set(EXPECTED) == set(make_cases(issuer))
    # It would fetch the official JSON Schema; its answer does not depend on it.
    assert set(answers.refused) == {"purl.imsglobal.org"}
