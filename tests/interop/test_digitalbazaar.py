"""@digitalbazaar/vc with the suites eddsa-rdfc-2022 and eddsa-jcs-2022 and vc-bitstring-status-list reads ours.

Its ``verified`` is about proofs, dates and lists. The status itself is handed to the caller as a bit.
"""

from typing import Any

import pytest

from registry.standards.openbadges import find_faults
from registry.standards.proofs.creating import PROOF_SET
from support.interop import Answers, Issuer, make_cases, run_node

SELECTIONS = (PROOF_SET[:1], PROOF_SET[1:], PROOF_SET)
CLEAR = {"revocation": False}
SIGNATURE = "Invalid signature."
# Case → what is wrong in the library's own words, and the bits that it found.
EXPECTED: dict[str, tuple[str | None, dict[str, bool]]] = {
    "good": (None, CLEAR),
    "former key": (None, CLEAR),
    "revoked": (None, {"revocation": True}),
    "suspended": (None, {"suspension": True}),
    "tampered": (SIGNATURE, {}),
    "stranger's key": (SIGNATURE, {}),
    "unlisted key": ("#key-9", {}),
    "expired": ('is after "validUntil"', {}),
    "not yet valid": ('is before "validFrom"', {}),
    "forged list": ('"BitstringStatusListCredential" not verified; reason: Verification error(s).', {}),
    "expired list": ('"BitstringStatusListCredential" not verified; reason: The current date time', {}),
    "foreign list": ("Issuers of the status list credential and verifiable credential do not match.", {}),
    "missing list": ('Could not load "BitstringStatusListCredential"', {}),
}


@pytest.fixture(scope="module")
def answers(issuer: Issuer) -> Answers:
    cases = {
        f"{name} {selection}": {"credential": credential, "suites": selection}
        for name, credential in make_cases(issuer).items()
        for selection in SELECTIONS
    }
    return run_node("digitalbazaar.mjs", cases, issuer.host.authority)


@pytest.mark.parametrize("selection", SELECTIONS, ids=" and ".join)
@pytest.mark.parametrize("name", EXPECTED)
def test_says_what_is_wrong(answers: Answers, name: str, selection: tuple[str, ...]) -> None:
    result: dict[str, Any] = answers.results[f"{name} {selection}"]
    reason, statuses = EXPECTED[name]
    assert result["verified"] is (reason is None), result
    assert result["statuses"] == statuses
    messages = [error["message"] for error in result["errors"]]
    if reason is None:
        assert messages == []
    else:
        assert any(reason in message for message in messages), messages


def test_every_case_is_expected_and_nothing_else_was_asked_for(issuer: Issuer, answers: Answers) -> None:
    cases = make_cases(issuer)
    assert set(cases) == set(EXPECTED)
    assert len(answers.results) == len(EXPECTED) * len(SELECTIONS)
    assert answers.refused == []


def test_what_is_signed_here_is_an_open_badge(issuer: Issuer) -> None:
    assert find_faults(issuer.sign(issuer.credential())) == ()
