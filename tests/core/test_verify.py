"""Verdicts beyond the vectors: everything that can be changed, what comes out, and what may never be raised."""

import itertools
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import core_cases
import core_world as w
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.bundle import parse_bundle
from registry.core.canonical import canonicalize
from registry.core.credential import facts, status_base
from registry.core.errors import InputError
from registry.core.model import (
    BlockRef,
    Bundle,
    ChainUnavailable,
    Evidence,
    IssuerPin,
    LiveDocument,
    Outcome,
    Policy,
    Status,
    StatusWords,
    Verdict,
)
from registry.core.plain import verify_plain
from registry.core.verdict import Code, fail, passed, skipped, status_of, unknown, verdict_to_json
from registry.core.verify import verify

SPEC = Path(__file__).parents[2] / "docs/spec/verdict.md"
WORLDS = {"one anchor": w.world(), "two anchors": w.world(chains=(w.MAIN, w.SECOND))}
for each in WORLDS.values():
    # An honest reader has a node for every chain of the policy: what is out of reach cannot be found out.
    for trusted in w.POLICY.chains:
        each.chains.setdefault((trusted.chain_id, trusted.contract), w.Chain(trusted))


def judge(world: w.World, **changes: Any) -> Verdict:
    arguments = {"bundle": world.bundle, "evidence": world.evidence, "policy": w.POLICY, "now": w.NOW} | changes
    return verify(**arguments)


def outcome(verdict: Verdict, name: str) -> str:
    return next(f"{check.outcome} {check.code}" for check in verdict.checks if check.name == name)


# --- every field, one at a time and in pairs ------------------------------------------------------------------------


def scalars(value: Any, prefix: str = "") -> list[str]:
    """The pointers of everything that holds no more."""
    if isinstance(value, dict):
        return [found for name, inner in value.items() for found in scalars(inner, f"{prefix}/{name}")]
    if isinstance(value, list):
        return [found for name, inner in enumerate(value) for found in scalars(inner, f"{prefix}/{name}")]
    return [prefix]


def at(document: Any, pointer: str) -> Any:
    for name in pointer.split("/")[1:]:
        document = document[int(name) if isinstance(document, list) else name]
    return document


def likely(value: Any) -> Any:
    """Another value that still has the right form, so that it is not refused for its looks."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if re.fullmatch(r"(0x)?[0-9a-f]+", value):
        return value[:-1] + ("0" if value[-1] != "0" else "1")
    if re.fullmatch(r"\d{4}-.*Z", value):
        return value.replace(value[:4], str(int(value[:4]) - 1))
    if re.fullmatch(r"eip155:\d+", value):
        return "eip155:560048"
    return ("B" if value[0] != "B" else "C") + value[1:]


def unlikely(value: Any) -> list[Any]:
    return [None, {}, [], [value], {"a": value}, "", 0, -1, True, 1.5, f"{value} ", str(value).upper() + "x"]


def judge_document(world: w.World, document: Any) -> list[Status]:
    """With the evidence of the unchanged bundle, and with what an honest reader brings for the changed one."""
    try:
        bundle = parse_bundle(json.dumps(document).encode())
    except InputError:
        return []
    return [judge(world, bundle=bundle, evidence=seen).status for seen in (world.evidence, world.evidence_for(bundle))]


@pytest.mark.parametrize("name", WORLDS)
def test_no_changed_field_stays_valid(name: str) -> None:
    world = WORLDS[name]
    document = w.as_json(world.bundle)
    assert judge_document(world, document) == [Status.VALID, Status.VALID]
    for pointer in scalars(document):
        value = at(document, pointer)
        for new in (likely(value), *unlikely(value)):
            if new != value or type(new) is not type(value):
                assert Status.VALID not in judge_document(world, w.changed(document, pointer, new)), (pointer, new)


@pytest.mark.parametrize("name", WORLDS)
def test_no_removed_or_added_field_stays_valid(name: str) -> None:
    world = WORLDS[name]
    document = w.as_json(world.bundle)
    for pointer in {pointer.rpartition("/")[0] for pointer in scalars(document)}:
        inner = at(document, pointer)
        if isinstance(inner, dict):
            fewer = [{key: inner[key] for key in inner if key != left_out} for left_out in inner]
            changed = [*fewer, {**inner, "more": 1}]
        else:
            changed = [*([*inner[:place], *inner[place + 1 :]] for place in range(len(inner))), [*inner, inner[-1]]]
        for new in changed:
            if pointer == "/anchors" and len(new) == 1:
                continue  # one of two anchors is still an anchor
            damaged = w.changed(document, pointer, new) if pointer else new
            assert Status.VALID not in judge_document(world, damaged), (pointer, new)


@pytest.mark.parametrize("name", WORLDS)
def test_no_two_changed_fields_stay_valid(name: str) -> None:
    world = WORLDS[name]
    document = w.as_json(world.bundle)
    for one, two in itertools.combinations(scalars(document), 2):
        damaged = w.changed(document, one, likely(at(document, one)))
        damaged = w.changed(damaged, two, likely(at(document, two)))
        assert Status.VALID not in judge_document(world, damaged), (one, two)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_no_damage_raises_or_stays_valid(data: st.DataObject) -> None:
    world = data.draw(st.sampled_from([*WORLDS.values()]))
    original = w.as_json(world.bundle)
    document = original
    for _ in range(data.draw(st.integers(1, 3))):
        # "more" is a field that is not there.
        places = [*scalars(document), *{pointer.rpartition("/")[0] for pointer in scalars(document)} - {""}, "/more"]
        document = w.changed(document, data.draw(st.sampled_from(places)), data.draw(JSON))
    statuses = judge_document(world, document)
    if statuses and canonicalize(document) != canonicalize(original):
        assert Status.VALID not in statuses


# --- without a bundle -----------------------------------------------------------------------------------------------

SIGNED = passed("signature", "Signed.")
ALONE = dict.fromkeys(("integrity", "inclusion", "anchor", "binding", "locator"), "SKIPPED no_bundle")


def judge_alone(document: Any, policy: Policy = w.POLICY, live: LiveDocument | None = None, **more: Any) -> Verdict:
    at = more.pop("at", None)
    return verify_plain(replace(w.findings(w.world(), signature=SIGNED, keys_at=w.NOW, credential=document), **more),
                        live, policy, w.NOW, at)  # fmt: skip


def test_a_credential_alone_is_judged_by_its_signature() -> None:
    verdict = judge_alone(w.credential(credentialStatus=None))
    assert (verdict.status, verdict.basis, verdict.anchored_at, verdict.final) == (
        Status.VALID, "signature", None, False,
    )  # fmt: skip
    assert {check.name: f"{check.outcome} {check.code}" for check in verdict.checks} == ALONE | {
        "format": "PASS ok", "issuer": "PASS ok", "signature": "PASS ok", "validity": "PASS ok",
        "revocation": "SKIPPED no_credential_status", "suspension": "SKIPPED no_credential_status",
        "schema": "SKIPPED no_schema",
    }  # fmt: skip
    assert verdict_to_json(verdict)["issuer"] == {"did": w.DID, "address": None}
    assert [check.name for check in verdict.checks] == list(core_cases.FINE)


def test_alone_and_without_proof_anybody_can_have_made_it() -> None:
    verdict = judge_alone(w.credential(), signature=skipped("signature", Code.NO_PROOF, ""))
    assert (verdict.status, outcome(verdict, "signature")) == (Status.INVALID, "FAIL no_proof")
    verdict = judge_alone(w.credential(), keys_at=w.NOW - 1)
    assert outcome(verdict, "signature") == "UNKNOWN not_judged"


@pytest.mark.parametrize(
    ("did", "pins", "live", "expected"),
    [
        ("https://example.edu", [IssuerPin("https://example.edu", None)], None, "PASS ok"),
        ("https://example.edu", [], None, "UNKNOWN issuer_not_pinned"),
        (w.DID, [], LiveDocument(w.DID, b"", frozenset()), "PASS host_vouches"),
        (w.DID, [], LiveDocument(w.DID, b"", frozenset(), "down"), "UNKNOWN issuer_unreachable"),
        (w.DID, [], LiveDocument("did:web:other.example", b"", frozenset()), "UNKNOWN issuer_not_pinned"),
        (None, [], None, "FAIL issuer_missing"),
    ],
)
def test_alone_the_policy_or_the_host_vouches(did: str | None, pins: Any, live: Any, expected: str) -> None:
    verdict = judge_alone(w.credential(issuer=did), replace(w.POLICY, issuers=tuple(pins)), live)
    assert outcome(verdict, "issuer") == expected


def test_alone_the_status_is_what_the_lists_say() -> None:
    entry = w.status_entry("revocation")
    key = (entry["statusListCredential"], entry["statusListIndex"], "revocation")
    for check, expected in {
        passed("revocation", "Not set."): "PASS ok",
        fail("revocation", "revoked", "Set."): "FAIL revoked",
        unknown("revocation", "status_list_gzip", "Broken."): "UNKNOWN status_list_gzip",
    }.items():
        verdict = judge_alone(w.credential(), lists={key: check})
        assert outcome(verdict, "revocation") == expected
        assert outcome(verdict, "suspension") == "SKIPPED no_credential_status"
    assert outcome(judge_alone(w.credential()), "revocation") == "UNKNOWN status_unknown"
    for entry in ("text", [5], [{}]):
        assert judge_alone(w.credential(credentialStatus=entry)).status is Status.INDETERMINATE


def test_alone_as_of_a_time_lists_tell_only_what_never_ends() -> None:
    entries = [w.status_entry("revocation"), w.status_entry("suspension")]
    lists = {
        (entry["statusListCredential"], entry["statusListIndex"], entry["statusPurpose"]): passed(
            entry["statusPurpose"], "Not set."
        )
        for entry in entries
    }
    verdict = judge_alone(w.credential(credentialStatus=entries), lists=lists, at=w.NOW - 60)
    assert outcome(verdict, "revocation") == "PASS ok"
    assert outcome(verdict, "suspension") == "UNKNOWN history_unknown"


def test_alone_an_envelope_that_cannot_be_read() -> None:
    verdict = judge_alone(None)
    assert (verdict.status, outcome(verdict, "format")) == (Status.INDETERMINATE, "UNKNOWN envelope_unreadable")
    verdict = judge_alone(None, signature=fail("signature", "malformed_proof", "No JWT."))
    assert (verdict.status, outcome(verdict, "format")) == (Status.INVALID, "FAIL envelope_unreadable")


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=3), st.data())
def test_any_credential_gets_a_verdict(more: dict[str, Any], data: st.DataObject) -> None:
    # Anchored as it is, so that every check has to cope with what stands in it.
    document = w.credential()
    for name in data.draw(st.sets(st.sampled_from([*document, "proof", "credentialSchema"]), max_size=4)):
        document[name] = data.draw(JSON)
    try:
        world = w.world(document | more)
    except InputError:
        return
    verdict = judge(world, evidence=world.evidence)
    assert [check.name for check in verdict.checks] == list(core_cases.FINE)
    assert all(isinstance(text, str) and len(text) <= 201 for text in verdict.facts.values())
    json.dumps(verdict_to_json(verdict))
    json.dumps(verdict_to_json(judge_alone(document | more)))


# --- what the verdict says besides its checks -----------------------------------------------------------------------


def test_a_verdict_names_chain_issuer_time_and_block() -> None:
    world = w.world()
    verdict = judge(world)
    assert (verdict.status, verdict.about, verdict.final) == (Status.VALID, "credential", True)
    assert (verdict.chain, verdict.issuer, verdict.anchored_at) == (w.MAIN, w.PIN, w.ANCHORED_AT)
    assert verdict.block == world.chain.head


def test_the_chain_worth_most_counts_and_its_finality() -> None:
    world = w.world(chains=(w.DEV, w.HOODI, w.MAIN, w.SECOND))
    world.chains[1, w.CONTRACT].finalized = None
    verdict = judge(world, evidence=world.evidence)
    assert (verdict.chain, verdict.final) == (w.SECOND, True)
    world.chains[10, w.CONTRACT].finalized = w.BLOCK_NUMBER - 1
    verdict = judge(world, evidence=world.evidence)
    assert (verdict.chain, verdict.final) == (w.MAIN, False)
    assert outcome(verdict, "anchor") == "PASS ok"


@pytest.mark.parametrize(("finalized", "final"), [(None, False), (w.BLOCK_NUMBER - 1, False), (w.BLOCK_NUMBER, True)])
def test_final_means_that_the_node_holds_the_block_for_final(finalized: int | None, final: bool) -> None:
    world = w.world()
    world.chain.finalized = finalized
    assert judge(world, evidence=world.evidence).final is final


def test_nothing_is_named_that_nobody_confirmed() -> None:
    world = w.world()
    verdict = judge(world, evidence=Evidence((ChainUnavailable(1, "down"),)))
    assert (verdict.chain, verdict.issuer, verdict.anchored_at, verdict.block) == (None, None, None, None)
    assert not verdict.final


@pytest.mark.parametrize(("chain", "loud"), [(w.HOODI, "TEST network"), (w.DEV, "NO real one")])
def test_chains_that_prove_little_are_called_so(chain: w.TrustedChain, loud: str) -> None:
    verdict = judge(w.world(chains=(chain,)))
    assert verdict.status is Status.VALID
    assert loud in verdict.checks[3].detail


def test_a_chain_out_of_reach_is_mentioned() -> None:
    world = w.world(chains=(w.MAIN, w.SECOND))
    first, _ = world.evidence.anchors
    verdict = judge(world, evidence=Evidence((first, ChainUnavailable(10, "x" * 500))))
    assert "Not counted: Second (eip155:10) could not be asked: xxx" in verdict.checks[3].detail
    assert len(verdict.checks[3].detail) < 400


def test_a_bundle_that_gives_no_leaf() -> None:
    world = w.world()
    for bundle in (
        replace(world.bundle, credential={**w.credential(), "level": float("nan")}),
        replace(world.bundle, leaf=replace(world.bundle.leaf, salt=b"short")),
        replace(w.digest_only(world.bundle), digest=b"short"),
    ):
        verdict = judge(world, bundle=bundle)
        assert outcome(verdict, "integrity") == "FAIL not_canonical"
        assert outcome(verdict, "inclusion") == "FAIL proof_malformed"


def test_a_digest_has_no_facts() -> None:
    world = w.world()
    verdict = judge(world, bundle=w.digest_only(world.bundle))
    assert (verdict.about, verdict.facts) == ("digest", {})


def test_more_evidence_than_anchors_is_not_looked_at() -> None:
    world = w.world()
    (answer,) = world.evidence.anchors
    forged = replace(answer, words={w.INDEX >> 8: StatusWords(2**256 - 1, 2**256 - 1)})
    assert judge(world, evidence=Evidence((answer, forged))).status is Status.VALID


@pytest.mark.parametrize(
    ("name", "status"),
    [("locator", Status.VALID), ("schema", Status.VALID), ("anchor", Status.INDETERMINATE)],
)
def test_only_required_checks_have_to_be_answered(name: str, status: Status) -> None:
    assert status_of([unknown(name, Code.CHAIN_UNREACHABLE, "")]) is status
    assert status_of([unknown(name, Code.CHAIN_UNREACHABLE, ""), fail(name, Code.REVOKED, "")]) is Status.INVALID


def test_as_json() -> None:
    verdict = judge(w.world())
    assert verdict_to_json(replace(verdict, checks=verdict.checks[:1])) == {
        "status": "VALID",
        "about": "credential",
        "basis": "anchor",
        "asOf": None,
        "final": True,
        "checks": [{"name": "format", "outcome": "PASS", "code": "ok", "detail": "A Verifiable Credential."}],
        "chain": {
            "chain": "eip155:1",
            "contract": "0x" + w.CONTRACT.hex(),
            "class": "production",
            "name": "Mainnet",
        },
        "issuer": {"did": w.DID, "address": "0x" + w.ISSUER.hex()},
        "anchoredAt": "2026-05-28T20:26:40Z",
        "block": {"number": 21007200, "hash": "0x" + w.sha("head").hex(), "timestamp": "2026-05-29T20:26:28Z"},
        "facts": {
            "id": "urn:uuid:5c7f3b4e-0d0b-4f6a-9f0e-3a6c1d2e4b5f",
            "name": "Data Literacy",
            "achievement": "Data Literacy",
            "issuer": "Université Exemple",
            "learner": "Zoë Ångström",
            "validFrom": "2026-05-28T20:26:40Z",
            "validUntil": "2031-05-28T20:26:40Z",
        },
        "subject": None,
    }


def test_as_json_with_nothing_to_name() -> None:
    world = w.world()
    written = verdict_to_json(judge(world, evidence=Evidence(())))
    assert [written[key] for key in ("chain", "issuer", "anchoredAt", "block")] == [None] * 4


# --- facts and addresses --------------------------------------------------------------------------------------------


def test_facts_are_short_and_cannot_turn_text_around() -> None:
    found = facts(
        {"name": "a\u202eb\x00c\n" + "x" * 500, "id": 5, "credentialSubject": [{"name": "Zoë"}, {"name": "B"}]}
    )
    assert found == {"name": "abc" + "x" * 197 + "…", "learner": "Zoë"}


def test_a_hashed_name_is_no_fact() -> None:
    hidden = {"identityType": "name", "identityHash": "sha256$ab", "hashed": True}
    assert facts({"credentialSubject": {"identifier": hidden}}) == {}
    assert facts({"name": "", "credentialSubject": "Zoë"}) == {}


@pytest.mark.parametrize(
    ("did", "bases"),
    [
        ("did:web:example.edu", ("https://example.edu/status",)),
        ("did:web:example.edu:issuers:demo", ("https://example.edu/issuers/demo/status",)),
        ("did:web:example.edu%3A8443:a", ("https://example.edu:8443/a/status",)),
        ("did:web:localhost%3A8000:issuers:demo",
         ("https://localhost:8000/issuers/demo/status", "http://localhost:8000/issuers/demo/status")),
        ("did:web:127.0.0.1", ("https://127.0.0.1/status", "http://127.0.0.1/status")),
        ("did:web:localhost.attacker.example", ("https://localhost.attacker.example/status",)),
        ("did:key:z6Mk", ()),
        ("did:web:example.edu/path", ()),
        ("did:web:example.edu%2Fpath", ()),
        ("did:web:user@example.edu", ()),
        ("did:web:", ()),
        ("", ()),
    ],
)  # fmt: skip
def test_status_base(did: str, bases: tuple[str, ...]) -> None:
    assert status_base(did) == bases


def test_localhost_may_speak_plain_http() -> None:
    did = "did:web:localhost%3A8000:issuers:demo"
    place = "http://localhost:8000/issuers/demo/status/revocation/1"
    document = w.credential(issuer=did, credentialStatus=w.status_entry("revocation", statusListCredential=place))
    policy = Policy(w.POLICY.chains, (w.IssuerPin(did, w.ISSUER),))
    assert judge(w.world(document), policy=policy).status is Status.VALID


# --- the specification ----------------------------------------------------------------------------------------------


@cache
def documented() -> set[tuple[str, str, str]]:
    """(check, outcome, code) of the table in docs/spec/verdict.md."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| `(\w+)` \|", SPEC.read_text(), re.MULTILINE)
    assert len(rows) == len(set(rows))
    return set(rows)


def test_every_outcome_is_documented_and_every_documented_one_is_reached() -> None:
    reached = {
        (name, *result.split())
        for _, vector in core_cases.verdicts()
        for name, result in vector["expect"]["checks"].items()
    }
    reached.add(("integrity", "FAIL", "not_canonical"))  # test_a_bundle_that_gives_no_leaf
    reached.add(("signature", "UNKNOWN", "key_owner_unknown"))  # tests/service/test_judging.py, as the next
    reached.add(("revocation", "UNKNOWN", "status_list_not_proven"))
    assert reached == documented()
    _, rest = SPEC.read_text().split("## Without a bundle")
    alone = set(re.findall(r"`(\w+)`", rest.split("## Codes")[0])) & set(Code)
    carried = {"wrong_controller", "unknown_suite", "status_list_unreachable"}  # examples of others' codes
    assert {code for _, _, code in documented()} - carried | alone == set(Code)
    assert {found for _, found, _ in documented()} == set(Outcome)


def test_the_example_in_the_specification_is_a_verdict() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", SPEC.read_text(), re.DOTALL)
    world = w.world(chains=(w.HOODI,))
    found = verdict_to_json(judge(world))
    assert json.loads(example) == {**found, "checks": found["checks"][:4]}


@given(st.data())
def test_no_undocumented_outcome(data: st.DataObject) -> None:
    world = data.draw(st.sampled_from([*WORLDS.values()]))
    answers = []
    for answer in world.evidence.anchors:
        changes: dict[str, Any] = data.draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "chain_id": st.integers(0, 2),
                    "code_hash": st.just(w.sha("code")) | st.just(b""),
                    "record": st.none(),
                    "block": st.builds(BlockRef, st.integers(), st.just(b""), st.integers()),
                    "finalized": st.none() | st.integers(),
                    "words": st.dictionaries(
                        st.just(w.INDEX >> 8), st.builds(StatusWords, st.integers(0), st.integers(0))
                    ),
                },
            )
        )
        answers.append(replace(answer, **changes))
    bundle: Bundle = data.draw(st.sampled_from([world.bundle, w.digest_only(world.bundle)]))
    evidence = Evidence(tuple(answers), data.draw(st.booleans()))
    verdict = judge(world, bundle=bundle, evidence=evidence, now=data.draw(st.integers(0, 2**40)))
    assert {(check.name, str(check.outcome), str(check.code)) for check in verdict.checks} <= documented()
    assert (verdict.status is Status.INVALID) == any(check.outcome is Outcome.FAIL for check in verdict.checks)
    json.dumps(verdict_to_json(verdict))
