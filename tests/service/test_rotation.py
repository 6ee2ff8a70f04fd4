"""Keys that sign credentials are replaced, and what they signed is judged by when it was anchored."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anchors.base import ChainUnreachable
from registry.core.bundle import parse_bundle
from registry.core.canonical import parse_json
from registry.core.errors import InputError
from registry.core.leaf import commit, digest, leaf_hash
from registry.core.model import Bundle
from registry.service.errors import ConflictError
from registry.service.issuers import Issuer
from registry.standards.did.document import document_hash, parse_did_document
from registry.standards.proofs.report import ProofCode
from registry.standards.proofs.verifying import verify_proofs
from registry.store.tables import credentials
from support.house import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = open_house(tmp_path)
    yield house
    house.close()


@pytest.fixture
def issuer(house: House) -> Issuer:
    issuer = house.hosting.create("acme")
    house.settle()
    return issuer


def anchored(house: House, issuer: Issuer, credential_id: str) -> Bundle:
    house.batching.seal(issuer)
    house.settle()
    return parse_bundle(house.bundles.get(credential_id))


def judge(bundle: Bundle, document: Any) -> tuple[set[str], set[ProofCode]]:
    """The keys of the credential's proofs, and what comes of them at the anchor's time."""
    credential = bundle.credential
    assert credential is not None
    found = parse_did_document(document, credential["issuer"])
    report = verify_proofs(credential, found.key, bundle.anchors[0].anchored_at, controller=credential["issuer"])
    return (
        {outcome.verification_method.partition("#")[2] for outcome in report.outcomes},
        {outcome.code for outcome in report.outcomes},
    )


def test_what_the_former_key_signed_and_is_anchored_later_is_still_good(house: House, issuer: Issuer) -> None:
    [early] = house.issue(issuer, 1, "early")
    house.clock.advance(60)
    rotation = house.hosting.rotate(issuer)
    assert (rotation.key, rotation.claimed, rotation.resigned, rotation.note) == ("key-2", True, 0, None)
    [late] = house.issue(issuer, 1, "late")
    bundle = anchored(house, issuer, early)

    document = house.identities.document(issuer)
    assert judge(bundle, document) == ({"key-1"}, {ProofCode.OK})
    assert judge(parse_bundle(house.bundles.get(late)), document) == ({"key-2"}, {ProofCode.OK})


def test_a_bundle_carries_the_document_that_was_claimed_before_its_anchor(house: House, issuer: Issuer) -> None:
    [before] = house.issue(issuer, 1, "before")
    old = house.identities.document(issuer)
    first = anchored(house, issuer, before)
    house.clock.advance(60)
    house.hosting.rotate(issuer)
    house.settle()
    [after] = house.issue(issuer, 1, "after")
    second = anchored(house, issuer, after)

    new = house.identities.document(issuer)
    assert document_hash(new) != document_hash(old)
    for bundle, document in ((first, old), (second, new)):
        assert bundle.issuer_document == document
        claimed = house.chain.tip.state.claims[issuer.address, issuer.did, document_hash(document)]
        assert claimed <= bundle.anchors[0].anchored_at
    assert parse_bundle(house.bundles.get(before)).issuer_document == old


def test_long_after_the_rotation_the_former_key_counts_no_more(house: House, issuer: Issuer) -> None:
    [early] = house.issue(issuer, 1)
    house.clock.advance(60)
    house.hosting.rotate(issuer)
    house.clock.advance(2 * house.context.rules.promise_seconds + 1_000)
    bundle = anchored(house, issuer, early)
    assert judge(bundle, house.identities.document(issuer))[1] == {ProofCode.KEY_OUT_OF_INTERVAL}


def test_what_a_compromised_key_signed_and_is_open_is_signed_again(house: House, issuer: Issuer) -> None:
    ids = house.issue(issuer, 3)
    withdrawn = house.issue(issuer, 1, "withdrawn")[0]
    house.status.request(issuer, withdrawn, "revoke")
    before = {row.id: row for row in rows(house)}
    house.clock.advance(60)
    rotation = house.hosting.rotate(issuer, compromised=True)
    assert rotation.resigned == 3

    after = {row.id: row for row in rows(house)}
    for credential_id in ids:
        old, new = before[credential_id], after[credential_id]
        assert new.credential_index == old.credential_index
        assert new.salt != old.salt
        assert new.leaf == leaf_hash(commit(new.salt, digest(new.content)))
        without = [{**parse_json(row.content), "proof": None} for row in (old, new)]
        assert without[0] == without[1]
    assert after[withdrawn].leaf == before[withdrawn].leaf
    bundle = anchored(house, issuer, ids[0])
    assert judge(bundle, house.identities.document(issuer)) == ({"key-2"}, {ProofCode.OK})


def test_what_a_compromised_key_signed_and_anchored_before_stays_good_and_nothing_later(
    house: House, issuer: Issuer
) -> None:
    [early] = house.issue(issuer, 1, "early")
    good = anchored(house, issuer, early)
    [sealed] = house.issue(issuer, 1, "sealed")
    house.batching.seal(issuer)
    house.clock.advance(1_000)
    assert house.hosting.rotate(issuer, compromised=True).resigned == 0
    house.clock.advance(1_000)
    house.settle()

    document = house.identities.document(issuer)
    assert judge(good, document) == ({"key-1"}, {ProofCode.OK})
    late = parse_bundle(house.bundles.get(sealed))
    assert judge(late, document) == ({"key-1"}, {ProofCode.KEY_OUT_OF_INTERVAL})


def rows(house: House) -> list[Any]:
    with house.database.read() as connection:
        return list(connection.execute(credentials.select()))


@pytest.mark.parametrize("when", ["before", "after"])
def test_cut_off_while_signing_again_another_rotation_does_the_rest(
    house: House, issuer: Issuer, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [credential_id] = house.issue(issuer, 1)
    house.clock.advance(60)
    with monkeypatch.context() as patch:

        def die(*arguments: Any) -> Any:
            raise KeyboardInterrupt

        patch.setattr(
            house.identities if when == "before" else house.hosting, {"before": "keep", "after": "claim"}[when], die
        )
        with pytest.raises(KeyboardInterrupt):
            house.hosting.rotate(issuer, compromised=True)
    assert house.rings.ring("acme").current.name == "key-2"
    house.clock.advance(60)
    assert house.hosting.rotate(issuer, compromised=True).resigned == 1
    bundle = anchored(house, issuer, credential_id)
    assert judge(bundle, house.identities.document(issuer)) == ({"key-3"}, {ProofCode.OK})


def test_a_claim_that_cannot_be_signed_here_waits(
    house: House, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_name: str) -> Any:
        raise InputError("The controller's keystore of acme is not in this data folder.")

    house.clock.advance(60)
    with monkeypatch.context() as patch:
        patch.setattr(house.hosting._keys, "open", gone)
        rotation = house.hosting.rotate(issuer)
    assert not rotation.claimed
    assert "not in this data folder" in (rotation.note or "")
    assert state(house, issuer) == (False, False)
    house.hosting.claim(issuer)
    assert state(house, issuer) == (False, True)
    house.settle()
    assert state(house, issuer) == (True, False)
    with pytest.raises(ConflictError, match="on chain already"):
        house.hosting.claim(issuer)


def test_a_rotation_while_the_node_is_silent_is_made_and_says_what_is_left(house: House, issuer: Issuer) -> None:
    house.clock.advance(60)
    house.chain.unreachable = True
    rotation = house.hosting.rotate(issuer)
    assert (rotation.key, rotation.claimed) == ("key-2", False)
    with pytest.raises(ChainUnreachable):
        house.hosting.claim(issuer)
    house.chain.unreachable = False
    house.hosting.claim(issuer)
    house.settle()
    assert state(house, issuer) == (True, False)


def state(house: House, issuer: Issuer) -> tuple[bool, bool]:
    found = house.hosting.claim_state(issuer)
    assert found.document_hash == document_hash(house.identities.document(issuer))
    return found.claimed_at is not None, found.under_way


def test_nothing_is_rotated_twice_in_a_second_or_where_nothing_is_signed(house: House) -> None:
    issuer = house.hosting.create("new")
    with pytest.raises(ConflictError) as error:
        house.hosting.rotate(issuer)
    assert error.value.code == "just_rotated"
    with pytest.raises(ConflictError) as error:
        house.hosting.rotate(house.hosting.create_self("own", b"\x05" * 20))
    assert error.value.code == "not_signed_here"


def test_lists_are_signed_with_the_new_key_at_once(house: House, issuer: Issuer) -> None:
    first = house.status_lists.current(issuer, "revocation", 0)
    house.clock.advance(60)
    house.hosting.rotate(issuer, compromised=True)
    second = parse_json(house.status_lists.current(issuer, "revocation", 0))
    assert second["proof"] != parse_json(first)["proof"]
    found = parse_did_document(house.identities.document(issuer), issuer.did)
    report = verify_proofs(second, found.key, house.clock(), controller=issuer.did)
    assert [outcome.code for outcome in report.outcomes] == [ProofCode.OK] * 2
