"""Published status lists: what the chain says, and nothing else, in every bit."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anchors import base
from anchors.base import ChainUnreachable
from registry.core.canonical import parse_json
from registry.core.errors import InputError
from registry.core.model import ChainClass
from registry.core.notation import time_text
from registry.core.status import ENTRIES_PER_LIST
from registry.service.errors import BadRequestError, BusyError, NotFoundError
from registry.service.issuers import Issuer
from registry.service.statuslists import TTL_SECONDS, VALID_SECONDS, StatusLists
from registry.standards.did.document import parse_did_document
from registry.standards.proofs.report import ProofStatus
from registry.standards.proofs.verifying import verify_proofs
from registry.standards.statuslist import check_status, parse_status_list
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


def call(house: House, contract_call: Any) -> None:
    """The issuer itself calls the contract, in a block of its own, and the follower reads it."""
    house.clock.advance(60)
    house.chain._send_foreign(contract_call.issuer, house.chain.encode(contract_call))
    house.worker.follower.sync(house.chain.head())


def anchor(house: House, issuer: Issuer, size: int, root: bytes = b"\x01" * 32) -> None:
    first = house.chain.tip.state.next_index.get(issuer.address, 0)
    call(house, base.AnchorBatch(issuer.address, root, first, size))


def revoke(house: House, issuer: Issuer, *indexes: int) -> None:
    words: dict[int, int] = {}
    for index in indexes:
        words[index >> 8] = words.get(index >> 8, 0) | 1 << (index & 255)
    call(house, base.Revoke(issuer.address, tuple(words), tuple(words.values())))


def suspend(house: House, issuer: Issuer, word: int, set_mask: int, clear_mask: int) -> None:
    nonce = house.chain.tip.state.nonce.get(issuer.address, 0)
    call(house, base.SetSuspension(issuer.address, nonce, (word,), (set_mask,), (clear_mask,)))


def read(house: House, issuer: Issuer, purpose: str = "revocation", number: int = 0, at: int | None = None) -> Any:
    lists = house.status_lists
    content = lists.current(issuer, purpose, number) if at is None else lists.at(issuer, purpose, number, at)
    return parse_json(content)


def bits(credential: Any) -> set[int]:
    packed = parse_status_list(credential).bits
    return {8 * place + bit for place, byte in enumerate(packed) if byte for bit in range(8) if byte & 0x80 >> bit}


def indexes(house: House, issuer: Issuer, lists: int) -> set[int]:
    """What is revoked in all lists together."""
    return {
        number * ENTRIES_PER_LIST + entry
        for number in range(lists)
        for entry in bits(read(house, issuer, "revocation", number))
    }


def test_a_list_is_signed_by_the_issuer_and_says_how_long_it_is_good(house: House, issuer: Issuer) -> None:
    anchor(house, issuer, 3)
    credential = read(house, issuer)

    document = parse_did_document(house.identities.document(issuer), issuer.did)
    now = house.chain.tip.ref.timestamp
    report = verify_proofs(credential, document.key, now, controller=issuer.did)
    assert report.status is ProofStatus.GOOD
    assert [outcome.suite for outcome in report.outcomes] == ["eddsa-rdfc-2022", "eddsa-jcs-2022"]
    assert credential["id"] == f"{issuer.status_base}/revocation/0"
    assert credential["validFrom"] == time_text(now)
    assert credential["validUntil"] == time_text(now + VALID_SECONDS)
    assert credential["credentialSubject"]["ttl"] == TTL_SECONDS * 1_000
    assert {proof["created"] for proof in credential["proof"]} == {credential["validFrom"]}
    assert bits(credential) == set()


# Word borders, list borders, the last index that is anchored.
BORDERS = (0, 255, 256, 131_071, 131_072, 131_327, 131_328, 262_143, 262_144, 999_999)


def test_every_border_of_words_and_lists_at_a_million_credentials(house: House, issuer: Issuer) -> None:
    anchor(house, issuer, 1_000_000)
    revoke(house, issuer, *BORDERS)

    found = indexes(house, issuer, 8)
    assert found == set(BORDERS)
    assert bits(read(house, issuer, "suspension", 7)) == set()
    with pytest.raises(NotFoundError, match="no list 8 yet"):
        read(house, issuer, "revocation", 8)


@pytest.mark.parametrize(
    ("before", "size"), [(1, 1), (255, 2), (131_000, 300), (131_071, 1), (0, 131_072), (5, 262_200)]
)
def test_a_voided_batch_is_revoked_from_its_first_credential_to_its_last(
    house: House, issuer: Issuer, before: int, size: int
) -> None:
    if before:
        anchor(house, issuer, before)
    anchor(house, issuer, size, b"\x02" * 32)
    anchor(house, issuer, 1_000)
    call(house, base.RevokeBatch(issuer.address, b"\x02" * 32, before))

    found = indexes(house, issuer, (before + size + 999) // ENTRIES_PER_LIST + 1)
    assert found == set(range(before, before + size))
    assert bits(read(house, issuer, "suspension")) == set()


def test_a_list_begins_with_the_first_credential_of_it_on_chain(house: House, issuer: Issuer) -> None:
    assert bits(read(house, issuer)) == set()
    anchor(house, issuer, ENTRIES_PER_LIST)
    with pytest.raises(NotFoundError) as error:
        read(house, issuer, "revocation", 1)
    assert error.value.code == "no_such_list"
    anchor(house, issuer, 1, b"\x02" * 32)
    assert bits(read(house, issuer, "revocation", 1)) == set()
    with pytest.raises(NotFoundError):
        read(house, issuer, "revocation", 1, at=house.chain.tip.ref.timestamp - 1)


def test_suspensions_come_and_go(house: House, issuer: Issuer) -> None:
    anchor(house, issuer, 600)
    suspend(house, issuer, 1, 0b110, 0)
    suspend(house, issuer, 1, 0b1000, 0b010)
    assert bits(read(house, issuer, "suspension")) == {258, 259}
    assert bits(read(house, issuer, "revocation")) == set()


def test_what_was_announced_and_is_not_on_chain_is_in_no_list(house: House, issuer: Issuer) -> None:
    [credential_id] = house.issue(issuer, 1)
    house.batching.seal(issuer)
    house.settle()
    house.status.request(issuer, credential_id, "revoke")
    assert bits(read(house, issuer)) == set()
    house.settle()
    assert bits(read(house, issuer)) == {0}


def test_both_databases_fold_the_same(both: House) -> None:
    issuer = both.hosting.create("acme")
    both.settle()
    anchor(both, issuer, 131_000)
    anchor(both, issuer, 300, b"\x02" * 32)
    revoke(both, issuer, 0, 130_999, 131_299)
    call(both, base.RevokeBatch(issuer.address, b"\x02" * 32, 131_000))
    assert indexes(both, issuer, 2) == {0, 130_999, *range(131_000, 131_300)}
    with pytest.raises(NotFoundError):
        read(both, issuer, "revocation", 2)


def test_other_issuers_bits_stay_out(house: House, issuer: Issuer) -> None:
    other = house.hosting.create("other")
    house.settle()
    for each in (issuer, other):
        anchor(house, each, 10)
    revoke(house, other, 3)
    assert bits(read(house, issuer)) == set()
    assert bits(read(house, other)) == {3}


def test_the_same_state_gives_the_same_bytes_and_is_signed_once(house: House, issuer: Issuer) -> None:
    anchor(house, issuer, 3)
    signer = house.rings.signer("acme")
    signed: list[bytes] = []

    class Counting:
        verification_method = signer.verification_method
        public_key = signer.public_key

        def sign(self, data: bytes) -> bytes:
            signed.append(data)
            return signer.sign(data)

    house.rings._signers[signer.verification_method] = Counting()
    first = house.status_lists.current(issuer, "revocation", 0)
    for _ in range(100):
        assert house.status_lists.current(issuer, "revocation", 0) is first
    assert len(signed) == 2  # the two proofs of one signing
    assert StatusLists(house.context).current(issuer, "revocation", 0) == first
    revoke(house, issuer, 1)
    assert bits(parse_json(house.status_lists.current(issuer, "revocation", 0))) == {1}


def test_a_reorganisation_takes_its_revocations_along(house: House, issuer: Issuer) -> None:
    anchor(house, issuer, 3)
    revoke(house, issuer, 1)
    assert bits(read(house, issuer)) == {1}
    house.chain.reorganise(1, keep=False)
    house.worker.follower.sync(house.chain.head())
    assert bits(read(house, issuer)) == set()


def test_before_anything_was_read_there_is_no_list(house: House) -> None:
    issuer = house.hosting.create("acme")
    with pytest.raises(ChainUnreachable, match="not been read yet"):
        read(house, issuer)


def test_who_signs_elsewhere_has_no_list_here(house: House) -> None:
    issuer = house.hosting.create_self("own", b"\x05" * 20)
    house.settle()
    with pytest.raises(NotFoundError) as error:
        read(house, issuer)
    assert error.value.code == "list_not_signed_here"
    assert house.hosting.create_self("half", b"\x06" * 20, signs="hosted").signs == "hosted"
    assert read(house, house.issuers.look_up("half"))["issuer"].endswith(":half")


def test_a_purpose_that_is_none(house: House, issuer: Issuer) -> None:
    with pytest.raises(NotFoundError) as error:
        read(house, issuer, "refresh")
    assert error.value.code == "no_such_list"


def test_a_key_that_does_not_open_is_the_operators_business(
    house: House, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    def closed(_name: str) -> Any:
        raise InputError("The password file /etc/secret cannot be read.")

    house.rings.signer = closed  # type: ignore[method-assign]
    with pytest.raises(BusyError) as error:
        read(house, issuer)
    assert "/etc" not in str(error.value)
    assert "/etc/secret" in caplog.text


# --- age ---


def on(house: House, chain_class: ChainClass) -> StatusLists:
    network = dataclasses.replace(house.context.network, chain_class=chain_class)
    return StatusLists(dataclasses.replace(house.context, network=network))


def test_cut_off_from_a_real_chain_a_list_runs_out(house: House, issuer: Issuer) -> None:
    anchor(house, issuer, 3)
    house.clock.advance(VALID_SECONDS + 1_000)
    house.worker.run_once()
    credential = parse_json(on(house, ChainClass.TEST).current(issuer, "revocation", 0))
    entry = {
        "type": "BitstringStatusListEntry", "statusPurpose": "revocation", "statusListIndex": "1",
        "statusListCredential": credential["id"],
    }  # fmt: skip
    check = check_status(entry, credential, credential_issuer=issuer.did, now=house.clock())
    assert check.code == "status_list_out_of_date"
    # On a development chain there are no blocks without transactions: what counts is whether it answers.
    check = check_status(entry, read(house, issuer), credential_issuer=issuer.did, now=house.clock())
    assert check.code == "ok"
    house.chain.unreachable = True
    house.worker.run_once()
    house.clock.advance(VALID_SECONDS + 1_000)
    check = check_status(entry, read(house, issuer), credential_issuer=issuer.did, now=house.clock())
    assert check.code == "status_list_out_of_date"


# --- the past ---


def test_a_list_of_the_past_has_what_stood_on_chain_then(house: House, issuer: Issuer) -> None:
    anchor(house, issuer, 600)
    suspend(house, issuer, 0, 0b1, 0)
    at_suspension = house.chain.tip.ref.timestamp
    revoke(house, issuer, 300)
    at_revocation = house.chain.tip.ref.timestamp
    suspend(house, issuer, 0, 0, 0b1)

    assert bits(read(house, issuer, "suspension", at=at_suspension)) == {0}
    assert bits(read(house, issuer, "suspension", at=at_suspension - 1)) == set()
    assert bits(read(house, issuer, "revocation", at=at_revocation)) == {300}
    before = read(house, issuer, "revocation", at=at_revocation - 1)
    assert bits(before) == set()
    assert (before["validFrom"], before["validUntil"]) == (time_text(at_suspension), time_text(at_revocation))
    assert before["id"] == f"{issuer.status_base}/revocation/0"
    assert "ttl" not in before["credentialSubject"]
    assert bits(read(house, issuer, "suspension")) == set()


def test_a_batch_voided_later_was_void_from_the_beginning(house: House, issuer: Issuer) -> None:
    anchor(house, issuer, 4, b"\x02" * 32)
    anchored = house.chain.tip.ref.timestamp
    anchor(house, issuer, 4)
    assert bits(read(house, issuer, at=anchored)) == set()
    call(house, base.RevokeBatch(issuer.address, b"\x02" * 32, 0))
    assert bits(read(house, issuer, at=anchored)) == {0, 1, 2, 3}


def test_every_second_finds_the_block_before_it(house: House, issuer: Issuer) -> None:
    anchor(house, issuer, 600)
    start = house.chain.tip.ref.timestamp
    for index in range(10):
        revoke(house, issuer, index)
    for moment in range(start, house.clock() + 1, 7):
        expected = {index for index in range(10) if house.chain.blocks[-10 + index].ref.timestamp <= moment}
        assert bits(read(house, issuer, at=moment)) == expected


def test_the_future_and_the_time_before_the_contract_have_no_list(house: House, issuer: Issuer) -> None:
    for moment in (house.clock() + 1, house.chain.blocks[0].ref.timestamp - 1, 0):
        with pytest.raises(BadRequestError) as error:
            read(house, issuer, at=moment)
        assert error.value.code == "timestamp"


def test_this_very_moment_is_the_current_list(house: House, issuer: Issuer) -> None:
    anchor(house, issuer, 3)
    house.clock.advance(60)
    house.worker.run_once()
    lists = on(house, ChainClass.TEST)
    assert lists.at(issuer, "revocation", 0, house.clock()) is lists.current(issuer, "revocation", 0)


def test_a_past_that_cannot_be_asked_for_is_no_guess(house: House, issuer: Issuer) -> None:
    anchor(house, issuer, 3)
    moment = house.chain.tip.ref.timestamp

    def cut(name: str, when: str) -> None:
        if (name, when) == ("block", "before"):
            raise ChainUnreachable("The line is cut.")

    house.chain.fault = cut
    with pytest.raises(ChainUnreachable):
        read(house, issuer, at=moment - 1)
    read(house, issuer)  # the one of now needs no node


def test_what_is_not_read_yet_is_not_told(house: House, issuer: Issuer) -> None:
    anchor(house, issuer, 3)
    house.clock.advance(60)
    house.chain.mine()
    with pytest.raises(ChainUnreachable, match="not been read up to that time"):
        read(house, issuer, at=house.clock())


def test_a_reorganisation_that_is_not_followed_yet_is_noticed(house: House, issuer: Issuer) -> None:
    anchor(house, issuer, 3)
    moment = house.chain.tip.ref.timestamp
    revoke(house, issuer, 1)
    assert bits(read(house, issuer, at=moment)) == set()
    house.chain.reorganise(2, keep=False)
    with pytest.raises(ChainUnreachable, match="reorganised"):
        read(house, issuer, at=moment)
    house.worker.follower.sync(house.chain.head())
    assert bits(read(house, issuer, at=house.clock())) == set()


def test_blocks_are_asked_for_once(house: House, issuer: Issuer) -> None:
    anchor(house, issuer, 600)
    start = house.chain.tip.ref.timestamp
    for index in range(40):
        revoke(house, issuer, index)
    asked: list[str] = []
    house.chain.fault = lambda name, when: asked.append(name) if when == "before" else None
    read(house, issuer, at=start + 100)
    first = len(asked)
    assert first <= 10
    asked.clear()
    read(house, issuer, at=start + 101)
    assert asked == ["block"]  # whether the node is still on the follower's chain
