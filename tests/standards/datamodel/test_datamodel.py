"""What any credential or presentation has to be like (docs/spec/data-model.md): one document for each rule."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.canonical import MAX_DEPTH
from registry.standards.datamodel import VC_1, VC_2, find_vc_faults
from registry.standards.openbadges import Rule

EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
TERM = {"Extra": "https://words.example/#Extra"}
DIGEST = "uEiAjCHMnK5-ayOIZLWo_TBoKYVvSAprlkYEjRlm19Cj0uw"
RESOURCE = {"id": "https://school.example/logo.png", "digestMultibase": DIGEST}
ENVELOPE = {"@context": VC_2, "type": "EnvelopedVerifiableCredential", "id": "data:application/vc+jwt,a.b.c"}
LEFT_OUT = object()


def _with(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**document, **changes}.items() if value is not LEFT_OUT}


def credential(**changes: Any) -> dict[str, Any]:
    named = {"@context" if name == "context" else name: value for name, value in changes.items()}
    plain = {
        "@context": [VC_2],
        "type": ["VerifiableCredential"],
        "issuer": "did:example:school",
        "credentialSubject": {"id": "did:example:learner"},
    }
    return _with(plain, named)


def old_credential(**changes: Any) -> dict[str, Any]:
    return credential(**{"context": [VC_1], "issuanceDate": "2022-05-01T10:00:00Z", **changes})


def presentation(**changes: Any) -> dict[str, Any]:
    named = {"@context" if name == "context" else name: value for name, value in changes.items()}
    return _with({"@context": [VC_2], "type": ["VerifiablePresentation"]}, named)


GOOD = {
    "plain": credential(),
    "two_contexts": credential(context=[VC_2, EXAMPLES], type=["VerifiableCredential", "RelationshipCredential"]),
    "inline_context": credential(context=[VC_2, TERM], type=["Extra", "VerifiableCredential"]),
    "type_is_url": credential(type=["VerifiableCredential", "https://words.example/#Extra"]),
    "unknown_context": credential(context=[VC_2, "https://words.example/v1"], type=["VerifiableCredential", "Word"]),
    "issuer_object": credential(issuer={"id": "did:example:school", "name": "School"}),
    "issuer_name_in_a_language": credential(
        issuer={"id": "did:example:school", "name": {"@value": "Schule", "@language": "de-AT", "@direction": "ltr"}}
    ),
    "names_in_languages": credential(
        name=[{"@value": "Dog", "@language": "en"}, {"@value": "Chien", "@language": "fr"}]
    ),
    "subjects": credential(credentialSubject=[{"id": "did:example:a"}, {"Extra": "b"}]),
    "fractions_of_a_second": credential(validFrom="2026-01-01T00:00:00.123Z", validUntil="2027-01-01T00:00:00-05:00"),
    "far_future": credential(validFrom="9999-01-01T00:00:00Z"),
    "status_without_id": credential(context=[VC_2, TERM], credentialStatus={"type": "Extra"}),
    "several_status_entries": credential(context=[VC_2, TERM], credentialStatus=[{"type": "Extra"}, {"type": "Extra"}]),
    "schema": credential(credentialSchema={"id": "https://school.example/schema", "type": "JsonSchema"}),
    "refresh_without_id": credential(refreshService={"type": "https://words.example/#Refresh"}),
    "terms_of_use": credential(termsOfUse=[{"type": "https://words.example/#Terms", "id": "urn:terms:1"}]),
    "evidence": credential(context=[VC_2, TERM], evidence=[{"type": "Extra"}, {"type": "Extra"}]),
    "proof": credential(proof={"type": "DataIntegrityProof"}),
    "proof_of_an_unknown_type": credential(proof=[{"type": "SomethingNew2031"}]),
    "related_resource": credential(relatedResource=[RESOURCE]),
    "bare_digest": credential(
        relatedResource={"id": VC_2, "digestMultibase": "uWZVc7WaX1h4D8rJVb-vlMIqxaEKEb1tYbX8fet7JJzQ"}
    ),
    "hexadecimal_sri": credential(relatedResource={"id": "https://a.example/", "digestSRI": f"sha256-{'0a' * 32}"}),
    "no_holder": presentation(),
    "holder": presentation(holder="did:example:learner", id="urn:uuid:1", verifiableCredential=[]),
    "holder_object": presentation(holder={"id": "did:example:learner"}, verifiableCredential=credential()),
    "presented": presentation(verifiableCredential=[credential(), old_credential(), ENVELOPE]),
    "enveloped": ENVELOPE,
    "enveloped_presentation": {**ENVELOPE, "type": ["EnvelopedVerifiablePresentation"]},
    "old": old_credential(expirationDate="2032-05-01T10:00:00"),
    "old_presentation_of_a_jwt": presentation(context=[VC_1], verifiableCredential=["a.b.c", old_credential()]),
}

BAD: dict[str, tuple[Any, str, str]] = {
    "no_object": ([], "", "type"),
    "no_context": (credential(context=LEFT_OUT), "/@context", "context"),
    "contexts_in_another_order": (credential(context=[EXAMPLES, VC_2]), "/@context", "context"),
    "context_no_url": (credential(context=[VC_2, "https ://words.example/v1"]), "/@context/1", "uri"),
    "context_a_number": (credential(context=[VC_2, 1]), "/@context/1", "type"),
    "protected_term_redefined": (
        credential(context=[VC_2, {"VerifiableCredential": "https://words.example/#Other"}]), "/@context", "json_ld"),
    "own_protected_term_redefined": (
        credential(context=[VC_2, {"@protected": True, **TERM}, {"Extra": "https://words.example/#B"}]),
        "/@context", "json_ld"),
    "id_null": (credential(id=None), "/id", "type"),
    "two_ids": (credential(id=["urn:a:1", "urn:a:2"]), "/id", "type"),
    "id_no_url": (credential(id="one"), "/id", "uri"),
    "subject_with_two_ids": (
        credential(credentialSubject={"id": ["urn:a:1", "urn:a:2"]}), "/credentialSubject/id", "type"),
    "no_type": (credential(type=LEFT_OUT), "/type", "missing"),
    "type_missing": (credential(context=[VC_2, TERM], type=["Extra"]), "/type", "type_missing"),
    "type_a_number": (credential(type=["VerifiableCredential", 2]), "/type/1", "type"),
    "type_unmapped": (
        credential(context=[VC_2, {"@vocab": None}], type=["VerifiableCredential", "Word"]),
        "/type/1", "type_unmapped"),
    "type_mapped_to_no_url": (
        credential(context=[VC_2, {"Word": "https ://words.example#Word"}], type=["VerifiableCredential", "Word"]),
        "/@context", "json_ld"),
    "no_issuer": (credential(issuer=LEFT_OUT), "/issuer", "missing"),
    "issuer_null": (credential(issuer=None), "/issuer", "type"),
    "issuer_no_url": (credential(issuer="School"), "/issuer", "uri"),
    "issuer_without_id": (credential(issuer={"name": "School"}), "/issuer/id", "missing"),
    "issuer_id_null": (credential(issuer={"id": None}), "/issuer/id", "type"),
    "issuer_name_with_more": (
        credential(issuer={"id": "urn:a:1", "name": {"@value": "a", "@language": "en", "url": "urn:b:1"}}),
        "/issuer/name", "language_value"),
    "description_without_value": (credential(description={"@language": "en"}), "/description", "language_value"),
    "name_a_number": (credential(name=["A", 5]), "/name/1", "type"),
    "no_names": (credential(name=[]), "/name", "empty"),
    "no_subject": (credential(credentialSubject=LEFT_OUT), "/credentialSubject", "missing"),
    "no_subjects": (credential(credentialSubject=[]), "/credentialSubject", "empty"),
    "subject_without_claims": (credential(credentialSubject=[{"id": "urn:a:1"}, {}]), "/credentialSubject/1", "empty"),
    "subject_a_string": (credential(credentialSubject="did:example:learner"), "/credentialSubject", "type"),
    "date_in_words": (credential(validFrom="Sat 25 Feb 2023 07:16:31 PM CST"), "/validFrom", "date_time"),
    "date_without_offset": (credential(validUntil="2026-01-01T00:00:00"), "/validUntil", "date_time"),
    "period": (
        credential(validFrom="2026-01-02T00:00:00Z", validUntil="2026-01-01T00:00:00Z"), "/validUntil", "period"),
    "status_without_type": (credential(credentialStatus={"id": "urn:a:1"}), "/credentialStatus/type", "missing"),
    "status_with_two_ids": (
        credential(context=[VC_2, TERM], credentialStatus={"type": "Extra", "id": ["urn:a:1", "urn:a:2"]}),
        "/credentialStatus/id", "type"),
    "status_entry_without_list": (
        credential(credentialStatus={
            "type": "BitstringStatusListEntry", "statusPurpose": "revocation", "statusListIndex": "5"}),
        "/credentialStatus/statusListCredential", "status"),
    "schema_without_id": (credential(credentialSchema={"type": "JsonSchema"}), "/credentialSchema/id", "missing"),
    "refresh_without_type": (credential(refreshService={"id": "urn:a:1"}), "/refreshService/type", "missing"),
    "terms_of_use_without_type": (credential(termsOfUse={"id": "urn:a:1"}), "/termsOfUse/type", "missing"),
    "evidence_without_type": (credential(evidence=[{"id": "urn:a:1"}]), "/evidence/0/type", "missing"),
    "proof_without_type": (credential(proof={"created": "2026-01-01T00:00:00Z"}), "/proof/type", "missing"),
    "proof_a_string": (credential(proof="a"), "/proof", "type"),
    "related_resources_as_strings": (
        credential(relatedResource=["https://a.example/"]), "/relatedResource/0", "type"),
    "related_resource_without_id": (
        credential(relatedResource={"digestMultibase": DIGEST}), "/relatedResource/id", "missing"),
    "related_resource_without_digest": (
        credential(relatedResource={"id": "urn:a:1"}), "/relatedResource/digestMultibase", "missing"),
    "related_resource_twice": (
        credential(relatedResource=[RESOURCE, RESOURCE]), "/relatedResource/1/id", "duplicate"),
    "multibase_of_no_digest": (
        credential(relatedResource={"id": "urn:a:1", "digestMultibase": "uAAAA"}),
        "/relatedResource/digestMultibase", "digest"),
    "sri_of_no_digest": (
        credential(relatedResource={"id": "urn:a:1", "digestSRI": "md5-AAAA"}), "/relatedResource/digestSRI", "digest"),
    "digest_of_another_context": (
        credential(relatedResource={"id": VC_2, "digestSRI": f"sha384-{'A' * 64}"}),
        "/relatedResource/digestSRI", "digest"),
    "old_without_date": (old_credential(issuanceDate=LEFT_OUT), "/issuanceDate", "missing"),
    "old_status_null": (old_credential(credentialStatus=None), "/credentialStatus", "type"),
    "presentation_without_context": (presentation(context=LEFT_OUT), "/@context", "context"),
    "holder_no_url": (presentation(holder={"id": "z6Mk"}), "/holder/id", "uri"),
    "presented_string": (presentation(verifiableCredential=["a.b.c"]), "/verifiableCredential/0", "type"),
    "presented_without_type": (
        presentation(verifiableCredential=[credential(type=LEFT_OUT)]), "/verifiableCredential/0/type", "missing"),
    "presented_with_unmapped_type": (
        presentation(verifiableCredential=credential(type=["VerifiableCredential", "Word"])),
        "/verifiableCredential/type/1", "type_unmapped"),
    "envelope_without_context": ({**ENVELOPE, "@context": []}, "/@context", "context"),
    "envelope_of_another_context": ({**ENVELOPE, "@context": EXAMPLES}, "/@context", "context"),
    "envelope_without_data": ({**ENVELOPE, "id": "a.b.c"}, "/id", "data_url"),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_conforms(name: str) -> None:
    assert find_vc_faults(GOOD[name]) == ()


@pytest.mark.parametrize("name", BAD)
def test_what_does_not(name: str) -> None:
    document, pointer, code = BAD[name]
    (fault,) = find_vc_faults(document)
    assert (fault.pointer, fault.code, fault.rule) == (pointer, code, Rule.DATA_MODEL)


def test_what_is_asked_for_decides() -> None:
    assert [fault.code for fault in find_vc_faults(presentation(type=LEFT_OUT), "presentation")] == ["missing"]
    assert [fault.code for fault in find_vc_faults(credential(), "presentation")] == ["type_missing"]
    assert "type_missing" in [fault.code for fault in find_vc_faults(presentation(), "credential")]


def test_all_faults_at_once() -> None:
    faults = find_vc_faults(credential(id="1", issuer="B", validFrom="soon", type=["VerifiableCredential", "Word"]))
    assert [fault.pointer for fault in faults] == ["/id", "/validFrom", "/issuer", "/type/1"]


def test_every_code_is_documented() -> None:
    root = Path(__file__).parents[3]
    page = (root / "docs/spec/data-model.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE))
    assert documented == {code for _, _, code in BAD.values()}


_NAMES = ["@context", "type", "id", "issuer", "credentialSubject", "credentialStatus", "relatedResource", "name",
          "verifiableCredential", "holder", "proof", "validFrom", "digestSRI", "digestMultibase"]  # fmt: skip
_VALUES = st.sampled_from(
    [VC_2, VC_1, "VerifiableCredential", "VerifiablePresentation", "", "a:b", "uAAAA", "sha256-="]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | _VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5),
    max_leaves=20,
)


@given(_JSON)
def test_nothing_raises(document: Any) -> None:
    assert isinstance(find_vc_faults(document), tuple)


def test_the_deepest_that_is_parsed() -> None:
    document: dict[str, Any] = presentation()
    for _ in range(MAX_DEPTH // 2 - 1):
        document = credential(verifiableCredential=[document], credentialSubject={"inner": document})
    assert find_vc_faults({**document, "type": "VerifiablePresentation"}) == ()
