"""The four forms in which credentials come in, and what becomes of their indexes."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.core import canonical, leaf
from registry.core.bundle import parse_bundle
from registry.core.model import Outcome, Status
from registry.service.catalogue import Catalogue
from registry.service.errors import ConflictError, GoneError, InvalidError, NotFoundError, NotReadyError
from registry.service.intake import Submission
from registry.service.issuers import Issuer
from registry.standards.did.document import parse_did_document
from registry.standards.did.key import did_key
from registry.standards.identity import matches_identity
from registry.standards.keys import DID_KEY, LocalSigner
from registry.standards.openbadges import find_faults
from registry.standards.proofs.creating import add_proofs
from registry.standards.proofs.jose import envelope
from registry.standards.proofs.publickey import ed25519_key
from registry.standards.proofs.report import ProofStatus
from registry.standards.proofs.verifying import verify_proofs
from support.cli import document as badge
from support.house import House, document, open_house

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
DID = did_key(ed25519_key(KEY.public_key().public_bytes_raw()))
SIGNER = LocalSigner(f"{DID}#{DID.removeprefix('did:key:')}", KEY)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = open_house(tmp_path)
    yield house
    house.close()


@pytest.fixture
def issuer(house: House) -> Issuer:
    return house.hosting.create("acme")


@pytest.fixture
def outsider(house: House) -> Issuer:
    """An issuer that signs its credentials itself, with a did:key."""
    return house.hosting.create("outside", DID)


def secured(house: House, more: dict[str, Any] | None = None, signer: LocalSigner = SIGNER) -> dict[str, Any]:
    unsigned = {**badge(1), "issuer": {"id": DID, "type": ["Profile"], "name": "Outside"}, **(more or {})}
    return add_proofs(unsigned, signer, house.clock() - 5)


def stored(house: House, credential_id: str) -> dict[str, Any]:
    house.batching.seal_all(next(item for item in house.issuers.all()))
    house.settle()
    credential = parse_bundle(house.bundles.get(credential_id)).credential
    assert credential is not None
    return dict(credential)


def finish(house: House, issuer: Issuer) -> None:
    house.batching.seal_all(issuer)
    house.settle()


def test_what_is_signed_here_verifies_by_the_issuers_document(house: House, issuer: Issuer) -> None:
    accepted = house.issuing.submit(issuer, badge(1))
    finish(house, issuer)
    bundle = parse_bundle(house.bundles.get(accepted.id))
    credential = bundle.credential
    assert credential is not None
    assert [proof["cryptosuite"] for proof in credential["proof"]] == ["eddsa-rdfc-2022", "eddsa-jcs-2022"]
    assert find_faults(credential) == ()
    published = parse_did_document(house.identities.document(issuer), issuer.did)
    report = verify_proofs(credential, published.key, bundle.anchors[0].anchored_at, controller=issuer.did)
    assert report.status is ProofStatus.GOOD
    assert bundle.issuer_document == house.identities.document(issuer)


def test_what_a_rotated_key_signed_is_good_at_its_anchor(house: House, issuer: Issuer) -> None:
    accepted = house.issuing.submit(issuer, badge(1))
    house.clock.advance(10)
    assert house.hosting.rotate(issuer).key == "key-2"
    finish(house, issuer)
    bundle = parse_bundle(house.bundles.get(accepted.id))
    published = parse_did_document(house.identities.document(issuer), issuer.did)
    report = verify_proofs(bundle.credential, published.key, bundle.anchors[0].anchored_at, controller=issuer.did)
    assert report.status is ProofStatus.GOOD
    later = house.issuing.submit(issuer, badge(2))
    finish(house, issuer)
    credential = parse_bundle(house.bundles.get(later.id)).credential
    assert credential is not None
    assert credential["proof"][0]["verificationMethod"] == f"{issuer.did}#key-2"


def test_what_a_compromised_key_signed_last_is_signed_again(house: House, issuer: Issuer) -> None:
    accepted = house.issuing.submit(issuer, badge(1))
    house.clock.advance(10)
    house.hosting.rotate(issuer, compromised=True)
    finish(house, issuer)
    bundle = parse_bundle(house.bundles.get(accepted.id))
    published = parse_did_document(house.identities.document(issuer), issuer.did)
    report = verify_proofs(bundle.credential, published.key, bundle.anchors[0].anchored_at, controller=issuer.did)
    assert report.status is ProofStatus.GOOD
    assert {outcome.verification_method for outcome in report.outcomes} == {f"{issuer.did}#key-2"}


def test_every_fault_of_a_badge_is_named_with_its_place(house: House) -> None:
    strict = House(house.url, house.chain, house.clock, open_badges_only=True)
    issuer = strict.hosting.create("acme")
    wrong = badge(1)
    del wrong["credentialSubject"]["achievement"]["criteria"]
    wrong["credentialSubject"]["achievement"]["name"] = 5
    with pytest.raises(InvalidError) as caught:
        strict.issuing.submit(issuer, wrong)
    assert caught.value.code == "open_badge"
    assert {pointer for pointer, _ in caught.value.faults} == {
        "/credentialSubject/achievement/criteria",
        "/credentialSubject/achievement/name",
    }
    with pytest.raises(InvalidError) as none:
        strict.issuing.submit(issuer, document())
    assert none.value.code == "not_a_badge"


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"shoeSize": 43}, "unmapped_terms", "/shoeSize"),
        ({"@context": [*badge(1)["@context"], "https://nobody.example/context"]}, "context_unknown", "/@context"),
    ],
)
def test_what_no_context_defines_is_refused(
    house: House, issuer: Issuer, change: dict[str, Any], code: str, pointer: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        house.issuing.submit(issuer, {**badge(1), **change})
    assert (caught.value.code, caught.value.pointer) == (code, pointer)


def test_an_unknown_context_is_taken_where_the_policy_says_so(house: House) -> None:
    lenient = House(house.url, house.chain, house.clock, allow_unmapped=True)
    issuer = lenient.hosting.create("acme")
    foreign = {**badge(1), "@context": [*badge(1)["@context"], "https://nobody.example/context"]}
    accepted = lenient.issuing.submit(issuer, foreign)
    assert accepted.unmapped == ("/@context",)
    credential = stored(lenient, accepted.id)
    assert [proof["cryptosuite"] for proof in credential["proof"]] == ["eddsa-jcs-2022"]
    published = parse_did_document(lenient.identities.document(issuer), issuer.did)
    assert verify_proofs(credential, published.key, lenient.clock()).status is ProofStatus.GOOD


def test_addresses_in_clear_are_hashed_before_anything_is_stored(house: House, issuer: Issuer) -> None:
    clear = badge(1)
    clear["credentialSubject"]["identifier"].append(
        {"type": "IdentityObject", "identityHash": "Jo@Example.org", "identityType": "emailAddress", "hashed": False}
    )
    credential = stored(house, house.issuing.submit(issuer, clear).id)
    assert b"xample.org" not in canonical.canonicalize(credential["credentialSubject"]["identifier"])
    assert matches_identity(credential, "jo@example.org") is True
    assert matches_identity(credential, "bo@example.org") is False


def test_what_its_issuer_secured_is_never_altered(house: House, outsider: Issuer) -> None:
    original = secured(house)
    assert stored(house, house.issuing.submit(outsider, original).id) == original


def test_a_jwt_is_kept_in_its_envelope(house: House, outsider: Issuer) -> None:
    with pytest.raises(InvalidError) as caught:
        house.issuing.submit(outsider, "e30.e30.AAAA")
    assert caught.value.code == "proof_invalid"
    with pytest.raises(InvalidError):
        house.issuing.submit(outsider, envelope("e30.e30.AAAA"))


@pytest.mark.parametrize("what", ["changed", "other key", "swapped", "unknown"])
def test_proofs_that_are_not_good_are_refused(house: House, outsider: Issuer, what: str) -> None:
    code = "proof_invalid"
    if what == "changed":
        wrong = {**secured(house), "name": "Something else"}
    elif what == "other key":
        stranger = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
        wrong = secured(house, signer=LocalSigner(SIGNER.verification_method, stranger))
    elif what == "swapped":
        wrong = {**secured(house), "proof": secured(house, {"name": "Other"})["proof"]}
    else:
        wrong, code = {**secured(house), "proof": [{"type": "SomethingElse2030"}]}, "proof_unverified"
    with pytest.raises(InvalidError) as caught:
        house.issuing.submit(outsider, wrong)
    assert caught.value.code == code
    assert caught.value.pointer == "/proof/0"


def test_a_reserved_index_gets_the_credential_that_names_it(house: House, outsider: Issuer) -> None:
    [first, second] = house.reserving.reserve(outsider, 2)
    original = secured(house, {"credentialStatus": second.status})
    assert house.issuing.submit(outsider, original).id == second.id
    with pytest.raises(NotFoundError):
        house.issuing.submit(outsider, secured(house, {"id": "urn:example:9", "credentialStatus": second.status}))
    house.batching.seal_all(outsider)
    assert house.batch_states() == []  # the first index still waits
    with pytest.raises(NotReadyError):
        house.bundles.get(first.id)
    house.batching.seal_all(outsider, release_reserved=True)
    house.settle()
    assert house.bundles.get(second.id)
    verdict = house.verify(second.id)
    assert {check.name: check.code for check in verdict.checks}["binding"] == "ok"
    with pytest.raises(GoneError) as caught:
        house.bundles.get(first.id)
    assert caught.value.code == "unused"


def test_a_reservation_runs_out(house: House, outsider: Issuer) -> None:
    house.settle()
    [one] = house.reserving.reserve(outsider, 1)
    house.clock.advance(3_600)
    house.settle()
    assert house.batch_states() == ["FINAL"]
    with pytest.raises(NotFoundError):
        house.issuing.submit(outsider, secured(house, {"credentialStatus": one.status}))


def test_a_status_entry_has_to_name_the_reserved_index(house: House, outsider: Issuer) -> None:
    [one, two] = house.reserving.reserve(outsider, 2)
    with pytest.raises(InvalidError) as caught:
        house.issuing.take(outsider, Submission(secured(house, {"credentialStatus": two.status}), reservation=one.id))
    assert caught.value.code == "status_index"
    broken = {**one.status, "statusListIndex": "x"}
    with pytest.raises(InvalidError):
        house.issuing.submit(outsider, secured(house, {"credentialStatus": broken}))


def test_a_bare_commitment_is_anchored_and_completed_by_its_issuer(house: House, issuer: Issuer) -> None:
    [reservation] = house.reserving.reserve(issuer, 1)
    credential = {**badge(1), "issuer": issuer.did, "credentialStatus": reservation.status}
    salt = hashlib.sha256(b"salt").digest()
    commitment = leaf.commit(salt, leaf.digest(canonical.canonicalize(credential)))
    with pytest.raises(InvalidError):
        house.issuing.take(issuer, Submission(commitment=commitment))
    accepted = house.issuing.take(issuer, Submission(commitment=commitment, reservation=reservation.id))
    again = Submission(commitment=commitment, reservation=reservation.id)
    with pytest.raises(NotFoundError):
        house.issuing.take(issuer, again)
    finish(house, issuer)
    with pytest.raises(ConflictError) as caught:
        house.bundles.get(accepted.id)
    assert caught.value.code == "hash_only"
    assert set(house.bundles.proof(accepted.id)) == {"inclusion", "anchors", "issuerDocument"}
    bundle = parse_bundle(house.bundles.complete(accepted.id, credential, salt))
    assert house.verifier.verify([bundle])[0].status is Status.VALID


def test_displaced_what_is_bound_to_its_index_has_to_come_again(house: House, outsider: Issuer) -> None:
    house.settle()
    [reservation] = house.reserving.reserve(outsider, 1)
    bound = house.issuing.submit(outsider, secured(house, {"credentialStatus": reservation.status})).id
    free = house.issuing.submit(outsider, secured(house, {"id": "urn:example:2"})).id
    house.chain.foreign_anchor(outsider.address, b"\x66" * 32, 10)
    house.chain.mine(3)
    house.settle()
    finish(house, outsider)
    with pytest.raises(GoneError) as caught:
        house.bundles.get(bound)
    assert caught.value.code == "needs_resubmit"
    assert house.verify(free).status is Status.VALID


def test_displaced_what_is_signed_here_is_signed_again(house: House, issuer: Issuer) -> None:
    house.settle()
    accepted = house.issuing.submit(issuer, badge(1))
    house.chain.foreign_anchor(issuer.address, b"\x66" * 32, 10)
    house.chain.mine(3)
    house.settle()
    credential = stored(house, accepted.id)
    assert credential["credentialStatus"]["statusListIndex"] == "10"
    published = parse_did_document(house.identities.document(issuer), issuer.did)
    assert verify_proofs(credential, published.key, house.clock(), controller=issuer.did).status is ProofStatus.GOOD


def test_displaced_what_was_given_out_is_signed_again_and_foreign_entries_stay(house: House) -> None:
    issuer = house.hosting.create("keyed", DID_KEY)
    house.settle()
    foreign = {"id": "https://status.example/1#1", "type": "https://example.org/#OtherStatus"}
    given = [
        house.issuing.issue(issuer, document("urn:example:ours"), ["eddsa-jcs-2022"]),
        house.issuing.issue(issuer, document("urn:example:theirs", credentialStatus=foreign)),
    ]
    house.chain.foreign_anchor(issuer.address, b"\x66" * 32, 10)
    house.chain.mine(3)
    house.settle()
    finish(house, issuer)
    ours, theirs = (Catalogue(house.context).find(issuer, credential["id"])[0] for credential in given)
    assert house.verify(ours.id).status is Status.VALID
    [doubt] = [check for check in house.verify(theirs.id).checks if check.outcome is Outcome.UNKNOWN]
    assert (doubt.name, doubt.code) == ("binding", "status_type_unknown")  # of such an entry nobody here knows anything
    bundled = [parse_bundle(house.bundles.get(item.id)).credential for item in (ours, theirs)]
    assert bundled[1] == given[1]
    assert bundled[0] is not None
    assert bundled[0]["credentialStatus"]["statusListIndex"] == str(ours.index) >= "10"
    assert {**bundled[0], "proof": 0, "credentialStatus": 0} == {**given[0], "proof": 0, "credentialStatus": 0}
    assert issuer.did.startswith("did:key:z6Mk")


def test_a_correction_revokes_and_names_what_it_supersedes(house: House, issuer: Issuer) -> None:
    former = house.issuing.submit(issuer, badge(1)).id
    finish(house, issuer)
    corrected = {**badge(2), "name": "Statistics, corrected"}
    for _ in range(2):  # the same request again changes nothing
        accepted = house.correcting.supersede(issuer, former, Submission(corrected, "key"), "a typing error")
    finish(house, issuer)
    house.settle()
    assert house.verify(former).status is Status.INVALID
    credential = stored(house, accepted.id)
    assert [(item["id"], item["genre"]) for item in credential["evidence"]] == [("urn:example:1", "supersedes")]
    with pytest.raises(NotFoundError):
        house.correcting.supersede(issuer, "urn:nobody", Submission(badge(3)))


def test_a_number_that_could_not_be_read_back_is_refused(house: House, issuer: Issuer) -> None:
    with pytest.raises(InvalidError) as caught:
        house.issuing.submit(issuer, {**document(), "credentialSubject": {"id": "did:example:x", "name": 1e16}})
    assert caught.value.code == "not_json"
