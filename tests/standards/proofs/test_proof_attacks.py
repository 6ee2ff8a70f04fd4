"""Attacks on proofs, each named by what the attacker does, each failing for its own reason."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from registry.standards.keys import LocalSigner
from registry.standards.proofs.creating import UnmappedTerms, add_proofs
from registry.standards.proofs.multibase import base58_text, parse_base58
from registry.standards.proofs.report import KeyProblem, ProofCode, ProofReport, ProofStatus, VerificationKey
from registry.standards.proofs.verifying import MAX_PROOFS, find_unmapped, verify_proofs

Json = dict[str, Any]
CREATED = 1_790_000_000
AT = CREATED + 600
OK = ProofCode.OK
BOTH = 2


@pytest.fixture
def signed(badge: Json, signer: LocalSigner) -> Json:
    badge["issuer"]["id"] = signer.verification_method.partition("#")[0]
    return add_proofs(badge, signer, CREATED)


@pytest.fixture
def judge(did_keys: Callable[[str], Any], signed: Json) -> Callable[..., ProofReport]:
    issuer = signed["issuer"]["id"]

    def verify(document: object, at: int = AT, **options: Any) -> ProofReport:
        return verify_proofs(document, options.pop("resolve", did_keys), at, controller=issuer, **options)

    return verify


def codes(report: ProofReport) -> list[ProofCode]:
    return [outcome.code for outcome in report.outcomes]


def test_untouched(judge: Callable[..., ProofReport], signed: Json) -> None:
    report = judge(signed)
    assert codes(report) == [OK, OK]
    assert report.status is ProofStatus.GOOD
    assert [proof["cryptosuite"] for proof in signed["proof"]] == ["eddsa-rdfc-2022", "eddsa-jcs-2022"]


def test_input_is_left_alone(badge: Json, signer: LocalSigner, judge: Callable[..., ProofReport]) -> None:
    before = copy.deepcopy(badge)
    signed = add_proofs(badge, signer, CREATED)
    assert badge == before
    again = copy.deepcopy(signed)
    judge(signed)
    assert signed == again


def changed(path: str, value: Any) -> Callable[[Json], None]:
    def change(document: Json) -> None:
        *parents, last = path.split("/")
        at: Any = document
        for name in parents:
            at = at[int(name) if isinstance(at, list) else name]
        at[int(last) if isinstance(at, list) else last] = value

    return change


CHANGES: dict[str, Callable[[Json], None]] = {
    "a name": changed("name", "Data literacy II"),
    "a number": changed("credentialSubject/achievement/creditsAvailable", 6),
    "the index": changed("credentialStatus/statusListIndex", "8"),
    "the issuer's name": changed("issuer/name", "Another University"),
    "a field that a context knows": changed("description", "with distinction"),
    "a second value": changed("credentialSubject/achievement/alignment/1/targetName", "EQF 8"),
    "two nodes of one id": changed("credentialStatus/id", "https://example.edu/achievements/1"),
    "a type": changed("type", ["VerifiableCredential", "EndorsementCredential"]),
    "another context": changed("@context/1", "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.1.json"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed(judge: Callable[..., ProofReport], signed: Json, name: str) -> None:
    CHANGES[name](signed)
    report = judge(signed)
    jcs = ProofCode.CONTEXT_DIFFERS if name == "another context" else ProofCode.SIGNATURE_INVALID
    assert codes(report)[1] is jcs
    assert report.status is ProofStatus.BAD
    if name != "another context":  # which gives the same RDF for this badge
        assert codes(report)[0] is ProofCode.SIGNATURE_INVALID


def test_unsigned_field(judge: Callable[..., ProofReport], signed: Json) -> None:
    signed["credentialSubject"]["achievement"]["honours/first~class"] = "summa cum laude"
    report = judge(signed)
    assert codes(report) == [ProofCode.UNMAPPED_TERMS, ProofCode.SIGNATURE_INVALID]
    assert report.outcomes[0].pointers == ("/credentialSubject/achievement/honours~1first~0class",)


def test_unsigned_field_under_rdf_alone(badge: Json, signer: LocalSigner, judge: Callable[..., ProofReport]) -> None:
    badge["issuer"]["id"] = signer.verification_method.partition("#")[0]
    signed = add_proofs(badge, signer, CREATED, suites=["eddsa-rdfc-2022"])
    signed["grade"] = "A"
    assert codes(judge(signed)) == [ProofCode.UNMAPPED_TERMS]
    report = judge(signed, allow_unmapped=True)
    assert report.status is ProofStatus.GOOD
    assert report.outcomes[0].pointers == ("/grade",)


def test_direction_of_a_text(badge: Json, signer: LocalSigner, judge: Callable[..., ProofReport]) -> None:
    """RDF knows nothing of it, and it is no lost field; anything else beside a text is."""
    badge["issuer"]["id"] = signer.verification_method.partition("#")[0]
    text = {"@value": "شهادة", "@language": "ar", "@direction": "rtl"}
    signed = add_proofs({**badge, "description": text}, signer, CREATED, suites=["eddsa-rdfc-2022", "eddsa-jcs-2022"])
    assert codes(judge(signed)) == [OK, OK]
    signed["description"] = {**text, "@direction": "ltr"}
    assert codes(judge(signed)) == [OK, ProofCode.SIGNATURE_INVALID]
    signed["description"] = {**text, "@value": "other"}
    assert codes(judge(signed))[0] is ProofCode.SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"grade": None}, "grade"),
        ({"grade": "@index"}, "grade"),
        ({"ltr": "@direction"}, "ltr"),
        ({"grade": {"@id": "https://example.org/g", "@container": "@index"}}, "grade"),
    ],
)
def test_context_that_hides_a_field(
    badge: Json, signer: LocalSigner, judge: Callable[..., ProofReport], context: Json, field: str
) -> None:
    badge["issuer"]["id"] = signer.verification_method.partition("#")[0]
    signed = add_proofs(badge, signer, CREATED, suites=["eddsa-rdfc-2022"])
    signed["@context"].append(context)
    signed[field] = {"A": []} if "@container" in str(context) else "A" if field == "grade" else field
    assert codes(judge(signed)) == [ProofCode.UNMAPPED_TERMS]


def test_context_added_behind_the_signed_ones(judge: Callable[..., ProofReport], signed: Json) -> None:
    signed["@context"].append({"title": "https://schema.org/title"})
    report = judge(signed)
    assert codes(report) == [OK, ProofCode.UNMAPPED_TERMS]
    assert report.outcomes[1].pointers == ("/@context/2",)


def test_context_not_known(judge: Callable[..., ProofReport], signed: Json) -> None:
    signed["@context"].append("https://evil.example/context")
    report = judge(signed)
    assert codes(report)[0] is ProofCode.CONTEXT_UNKNOWN
    assert "https://evil.example/context" in report.outcomes[0].detail


def test_protected_term_redefined(judge: Callable[..., ProofReport], signed: Json) -> None:
    signed["@context"].append({"name": "https://example.org/not-the-name"})
    report = judge(signed)
    assert codes(report)[0] is ProofCode.NOT_JSON_LD
    assert "protected" in report.outcomes[0].detail


def test_proofs_of_another_document(judge: Callable[..., ProofReport], signed: Json) -> None:
    other = {**signed, "name": "Another badge"}
    assert codes(judge(other)) == [ProofCode.SIGNATURE_INVALID] * BOTH


def test_values_swapped_between_the_suites(judge: Callable[..., ProofReport], signed: Json) -> None:
    first, second = signed["proof"]
    first["proofValue"], second["proofValue"] = second["proofValue"], first["proofValue"]
    assert codes(judge(signed)) == [ProofCode.SIGNATURE_INVALID] * BOTH


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("proofPurpose", "authentication", ProofCode.WRONG_PURPOSE),
        ("proofPurpose", None, ProofCode.WRONG_PURPOSE),
        ("proofPurpose", ["assertionMethod"], ProofCode.WRONG_PURPOSE),
        ("created", "2040-01-01T00:00:00Z", ProofCode.CREATED_IN_FUTURE),
        ("created", "yesterday", ProofCode.BAD_DATE),
        ("created", "2026-02-30T00:00:00Z", ProofCode.BAD_DATE),
        ("created", 1_790_000_000, ProofCode.BAD_DATE),
        ("expires", "2020-01-01T00:00:00Z", ProofCode.PROOF_EXPIRED),
        ("expires", "never", ProofCode.BAD_DATE),
        ("created", "2026-01-01T00:00:00Z", ProofCode.SIGNATURE_INVALID),
        ("expires", "2100-01-01T00:00:00Z", ProofCode.SIGNATURE_INVALID),
        ("challenge", "abc", ProofCode.SIGNATURE_INVALID),
        ("type", "Ed25519Signature2020", ProofCode.SIGNATURE_INVALID),
        ("type", "RsaSignature2018", ProofCode.UNKNOWN_SUITE),
        ("cryptosuite", "eddsa-2022", ProofCode.SIGNATURE_INVALID),
        ("cryptosuite", "eddsa-rdfc-2031", ProofCode.UNKNOWN_SUITE),
        ("cryptosuite", "ecdsa-jcs-2019", ProofCode.KEY_WRONG_KIND),
        ("cryptosuite", "Ed25519Signature2020", ProofCode.UNKNOWN_SUITE),
        ("cryptosuite", ["eddsa-jcs-2022"], ProofCode.UNKNOWN_SUITE),
        ("proofValue", "", ProofCode.BAD_MULTIBASE),
        ("proofValue", "z", ProofCode.BAD_MULTIBASE),
        ("proofValue", "z0OIl", ProofCode.BAD_MULTIBASE),
        ("proofValue", "uAAAA", ProofCode.BAD_MULTIBASE),
        ("proofValue", "z" + "2" * 5_000, ProofCode.BAD_MULTIBASE),
        ("proofValue", None, ProofCode.MALFORMED_PROOF),
        ("proofValue", 7, ProofCode.MALFORMED_PROOF),
        ("verificationMethod", None, ProofCode.MALFORMED_PROOF),
        ("verificationMethod", {"id": "did:key:z6Mk"}, ProofCode.MALFORMED_PROOF),
        ("verificationMethod", "did:key:z6Mk#z6Mk", ProofCode.KEY_MALFORMED),
        ("verificationMethod", "did:web:example.edu#key-1", ProofCode.KEY_UNREACHABLE),
        ("previousProof", "urn:uuid:none", ProofCode.PREVIOUS_PROOF_MISSING),
    ],
)
def test_option(judge: Callable[..., ProofReport], signed: Json, name: str, value: object, code: ProofCode) -> None:
    proof = signed["proof"][1]
    if name == "type":
        del proof["cryptosuite"]
    if value is None:
        del proof[name]
    else:
        proof[name] = value
    report = judge(signed)
    assert report.outcomes[0].code is OK
    if name == "type" and code is ProofCode.SIGNATURE_INVALID:
        assert report.outcomes[1].status is ProofStatus.BAD
    else:
        assert report.outcomes[1].code is code
    assert report.status is (ProofStatus.GOOD if report.outcomes[1].status is ProofStatus.UNKNOWN else ProofStatus.BAD)


def test_signature_cut(judge: Callable[..., ProofReport], signed: Json) -> None:
    for proof in signed["proof"]:
        proof["proofValue"] = base58_text(parse_base58(proof["proofValue"])[:-1])
    assert codes(judge(signed)) == [ProofCode.BAD_MULTIBASE] * BOTH


def test_signature_with_s_plus_the_order(judge: Callable[..., ProofReport], signed: Json) -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    for proof in signed["proof"]:
        raw = parse_base58(proof["proofValue"])
        high = int.from_bytes(raw[32:], "little") + order
        proof["proofValue"] = base58_text(raw[:32] + high.to_bytes(32, "little"))
    assert codes(judge(signed)) == [ProofCode.SIGNATURE_INVALID] * BOTH


def test_moved_to_another_verification_method(
    judge: Callable[..., ProofReport], signed: Json, make_signer: Callable[[int], LocalSigner]
) -> None:
    for proof in signed["proof"]:
        proof["verificationMethod"] = make_signer(2).verification_method
    assert codes(judge(signed)) == [ProofCode.WRONG_CONTROLLER] * BOTH
    assert {*codes(judge(signed))} == {ProofCode.WRONG_CONTROLLER}


def test_signed_by_somebody_else(
    judge: Callable[..., ProofReport], signed: Json, make_signer: Callable[[int], LocalSigner]
) -> None:
    forged = add_proofs({**signed, "name": "Forged", "proof": []}, make_signer(2), CREATED)
    assert codes(judge(forged)) == [ProofCode.WRONG_CONTROLLER] * BOTH


def test_one_bad_member_spoils_the_set(
    judge: Callable[..., ProofReport], signed: Json, make_signer: Callable[[int], LocalSigner]
) -> None:
    more = add_proofs(signed, make_signer(2), CREATED, suites=["eddsa-jcs-2022"])
    report = judge(more)
    assert codes(report) == [OK, OK, ProofCode.WRONG_CONTROLLER]
    assert report.status is ProofStatus.BAD


def test_unknown_member_is_reported_and_breaks_nothing(judge: Callable[..., ProofReport], signed: Json) -> None:
    signed["proof"].append({"type": "DataIntegrityProof", "cryptosuite": "bbs-2023", "proofValue": "uAAA"})
    report = judge(signed)
    assert codes(report) == [OK, OK, ProofCode.UNKNOWN_SUITE]
    assert report.status is ProofStatus.GOOD


def test_unknown_members_alone_prove_nothing(judge: Callable[..., ProofReport], signed: Json) -> None:
    signed["proof"] = {"type": "DataIntegrityProof", "cryptosuite": "bbs-2023", "proofValue": "uAAA"}
    assert judge(signed).status is ProofStatus.UNKNOWN


@pytest.mark.parametrize("proof", [[], ["x"], [None], 5, "proof", [{}], [[]]])
def test_no_proof_in_proof(judge: Callable[..., ProofReport], signed: Json, proof: object) -> None:
    signed["proof"] = proof
    assert judge(signed).status in {ProofStatus.BAD, ProofStatus.UNKNOWN}


def test_without_proof(judge: Callable[..., ProofReport], badge: Json) -> None:
    assert judge(badge).status is ProofStatus.NONE


def test_too_many_proofs(judge: Callable[..., ProofReport], signed: Json) -> None:
    signed["proof"] = signed["proof"][:1] * (MAX_PROOFS + 1)
    assert codes(judge(signed)) == [ProofCode.TOO_MANY_PROOFS]


@pytest.mark.parametrize(
    ("since", "until", "at", "code"),
    [
        (None, None, AT, OK),
        (AT, AT + 1, AT, OK),
        (AT + 1, None, AT, ProofCode.KEY_OUT_OF_INTERVAL),
        (None, AT, AT, ProofCode.KEY_OUT_OF_INTERVAL),
        # created lies within the interval, and is only what the signer says
        (CREATED, CREATED + 1, AT, ProofCode.KEY_OUT_OF_INTERVAL),
    ],
)
def test_key_is_judged_at_the_anchors_time(
    judge: Callable[..., ProofReport], signed: Json, did_keys: Callable[[str], Any], since: int | None,
    until: int | None, at: int, code: ProofCode,
) -> None:  # fmt: skip
    def resolve(url: str) -> VerificationKey:
        key = did_keys(url)
        return VerificationKey(key.public_key, key.controller, key.purposes, since, until)

    assert codes(judge(signed, at, resolve=resolve)) == [code] * BOTH


def test_key_not_for_assertions(
    judge: Callable[..., ProofReport], signed: Json, did_keys: Callable[[str], Any]
) -> None:
    def resolve(url: str) -> VerificationKey:
        key = did_keys(url)
        return VerificationKey(key.public_key, key.controller, frozenset({"authentication"}))

    assert codes(judge(signed, resolve=resolve)) == [ProofCode.KEY_NOT_AUTHORIZED] * BOTH


def test_host_of_the_key_is_down(judge: Callable[..., ProofReport], signed: Json) -> None:
    report = judge(signed, resolve=lambda _: KeyProblem(ProofCode.KEY_UNREACHABLE, "no answer"))
    assert report.status is ProofStatus.UNKNOWN


def test_expires_is_looked_at_now(badge: Json, signer: LocalSigner, did_keys: Callable[[str], Any]) -> None:
    signed = add_proofs(badge, signer, CREATED, expires=AT + 1_000)
    assert verify_proofs(signed, did_keys, AT).status is ProofStatus.GOOD
    report = verify_proofs(signed, did_keys, AT, now=AT + 2_000)
    assert codes(report) == [ProofCode.PROOF_EXPIRED] * BOTH


def poison(size: int) -> Json:
    """Blank nodes that all look alike: each knows all others."""
    nodes = [{"id": f"_:n{i}", "known": [{"id": f"_:n{j}"} for j in range(size) if i != j]} for i in range(size)]
    return {"known": {"@id": "https://example.org/known"}}, nodes  # type: ignore[return-value]


def test_poison_graph(badge: Json, judge: Callable[..., ProofReport], signed: Json) -> None:
    term, nodes = poison(10)  # type: ignore[misc]
    signed["@context"].append(term)
    signed["known"] = nodes
    assert codes(judge(signed))[0] is ProofCode.TOO_COMPLEX


def test_more_values_than_a_credential_has(judge: Callable[..., ProofReport], signed: Json) -> None:
    signed["description"] = ["x"] * 3_001
    assert codes(judge(signed)) == [ProofCode.TOO_COMPLEX, ProofCode.SIGNATURE_INVALID]


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        (changed("grade", "A"), ("/grade",)),
        (changed("type/1", "NoSuchType"), ("/type/1",)),
        (changed("credentialStatus/id", "not an iri"), ("/credentialStatus/id",)),
        (changed("credentialSubject/achievement/id", "achievements/1"), ("/credentialSubject/achievement/id",)),
        (
            changed("credentialSubject/achievement/criteria/x", {"y": 1}),
            ("/credentialSubject/achievement/criteria/x",),
        ),
        (changed("name", "Fine"), ()),
    ],
)
def test_unmapped_terms_are_named(
    badge: Json, signer: LocalSigner, change: Callable[[Json], None], pointers: tuple[str, ...]
) -> None:
    change(badge)
    assert find_unmapped(badge) == pointers
    if pointers:
        with pytest.raises(UnmappedTerms) as caught:
            add_proofs(badge, signer, CREATED)
        assert caught.value.pointers == pointers
