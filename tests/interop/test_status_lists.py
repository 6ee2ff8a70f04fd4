"""checkStatus of @digitalbazaar/vc-bitstring-status-list finds in our lists the bits that are set, and no others."""

import pytest

from support.interop import Answers, Issuer, run_node

SET = {0, 7, 255, 256, 300, 131_071}
CLEAR = {1, 6, 8, 254, 257, 299, 301, 131_064, 131_070}
PURPOSES = ("revocation", "suspension")


@pytest.fixture(scope="module")
def answers(issuer: Issuer) -> Answers:
    for purpose in PURPOSES:
        issuer.publish_list("many", SET, purpose)
    cases = {
        f"{purpose} {place}": {
            "credential": issuer.sign(issuer.credential(place, "many", purpose), suites=("eddsa-jcs-2022",)),
            "suites": ["eddsa-rdfc-2022", "eddsa-jcs-2022"],
        }
        for purpose in PURPOSES
        for place in SET | CLEAR
    }
    return run_node("digitalbazaar.mjs", cases, issuer.host.authority)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_bits(answers: Answers, purpose: str) -> None:
    results = {place: answers.results[f"{purpose} {place}"] for place in SET | CLEAR}
    assert {place for place, result in results.items() if result["statuses"] == {purpose: True}} == SET
    assert {place for place, result in results.items() if result["statuses"] == {purpose: False}} == CLEAR
    assert all(result["verified"] for result in results.values())
