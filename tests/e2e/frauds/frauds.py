"""Frauds, each with the codes that have to come out: those, and no others.

To add one: write a function that bends the ``World`` and gives back the audit's answer, and name what it has to find.
"""

# ruff: noqa: S608 - the statements are put together from constants of this file

import base64
import gzip
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outside import (
    ARTIFACT,
    REVOKED,
    SALT,
    TEMPLATE,
    World,
    canonical,
    credential,
    leaf_of,
    lying_node,
    root_of,
    selector,
    sha,
    topic,
)

Answer = tuple[int, Any]
Plant = Callable[[World], Answer]


@dataclass(frozen=True)
class Fraud:
    name: str
    plant: Plant
    expected: frozenset[str]
    exit_code: int


FRAUDS: list[Fraud] = []


def finds(*codes: str, exit_code: int = 1) -> Callable[[Plant], Plant]:
    def add(plant: Plant) -> Plant:
        FRAUDS.append(Fraud(plant.__name__, plant, frozenset(codes), exit_code))
        return plant

    return add


def published(world: World, *more: Any, **options: Any) -> Answer:
    return world.audit("--published", world.published, *more, **options)


def with_bundles(world: World, *more: Any) -> Answer:
    return published(world, "--credentials", world.bundles, *more)


def inside(world: World, *more: Any) -> Answer:
    return world.audit(*more, inside=True)


# --- published ------------------------------------------------------------------------------------------------------


@finds("leaves_missing")
def leaves_withheld(world: World) -> Answer:
    world.leaves_file(world.batch()).unlink()
    return published(world)


@finds("leaves_missing")
def batch_not_listed(world: World) -> Answer:
    world.bend(lambda batches: batches.pop())
    return published(world)


@finds("leaves_missing")
def secret_batch(world: World) -> Answer:
    world.anchor([sha(b"1"), sha(b"2")])
    return published(world)


@finds("root_mismatch")
def leaf_exchanged(world: World) -> Answer:
    path = world.leaves_file(world.batch())
    path.write_bytes(sha(b"another") + path.read_bytes()[32:])
    return published(world)


@finds("root_mismatch")
def leaves_in_another_order(world: World) -> Answer:
    path = world.leaves_file(world.batch())
    data = path.read_bytes()
    path.write_bytes(data[32:64] + data[:32] + data[64:])
    return published(world)


@finds("leaves_malformed")
def leaves_cut_off(world: World) -> Answer:
    path = world.leaves_file(world.batch())
    path.write_bytes(path.read_bytes()[:-1])
    return published(world)


@finds("not_on_chain")
def invented_batch(world: World) -> Answer:
    world.publish_batch(1_000, [sha(b"1")])
    return published(world)


@finds("not_on_chain", "published_overlap")
def invented_batch_at_used_indexes(world: World) -> Answer:
    world.publish_batch(3, [sha(b"1")])
    return published(world)


@finds("first_differs", "leaves_missing", "published_overlap")
def batch_moved(world: World) -> Answer:
    world.bend(lambda batches: [item.update(first=7) for item in batches if item["first"] == 40])
    return published(world)


@finds("size_differs")
def size_understated(world: World) -> Answer:
    world.bend(lambda batches: [item.update(size=39) for item in batches if item["size"] == 40])
    return published(world)


@finds("published_twice")
def batch_listed_twice(world: World) -> Answer:
    world.bend(lambda batches: batches.append(batches[0]))
    return published(world)


@finds("voided_batch_served")
def voided_batch_served_as_good(world: World) -> Answer:
    batch = world.batch()
    world.call("revokeBatch", bytes.fromhex(batch["root"]), batch["first"])
    return published(world)


@finds("leaf_repeated")
def leaf_of_another_batch_anchored_again(world: World) -> Answer:
    first = world.leaves_file(world.batch()).read_bytes()[:32]
    leaves = [sha(b"1"), first]
    at, _, _ = world.anchor(leaves)
    world.publish_batch(at, leaves)
    return published(world)


@finds("leaf_repeated")
def batch_of_another_issuer_anchored_again(world: World) -> Answer:
    """Whoever anchored it later is named, whatever the addresses are."""
    batch, school = world.batch(1), world.issuers["school"]
    copied = {**batch, "issuer": school, "first": 1}
    world.call("anchor", bytes.fromhex(batch["root"]), 1, batch["size"], issuer=school)
    world.bend(lambda batches: batches.append(copied))
    shutil.copy(world.leaves_file(batch), world.leaves_file(copied))
    code, report = published(world)
    assert [item["where"]["issuer"] for item in report["findings"]] == [school]
    return code, report


@finds("leaf_repeated")
def leaf_twice_in_a_batch(world: World) -> Answer:
    leaves = [sha(b"1"), sha(b"2"), sha(b"1")]
    at, _, _ = world.anchor(leaves)
    world.publish_batch(at, leaves)
    return published(world)


@finds("other_chain")
def listing_of_another_chain(world: World) -> Answer:
    path = world.published / "registry.json"
    path.write_text(path.read_text().replace("eip155:31337", "eip155:1"))
    return published(world)


@finds("material_malformed")
def listing_cut_off(world: World) -> Answer:
    path = world.published / "registry.json"
    path.write_bytes(path.read_bytes()[:-5])
    return published(world)


@finds("batch_anchored_late", exit_code=0)
def later_than_declared(world: World) -> Answer:
    world.bend(lambda batches: batches[0].update(acceptedFrom="2020-01-01T00:00:00Z", declaredDelaySeconds=60))
    return published(world)


@finds("mirrors_differ", "voided_not_on_chain")
def mirror_with_another_state(world: World) -> Answer:
    mirror = copy_of_publication(world)
    world.bend(lambda batches: batches[0].update(state="voided"), mirror)
    return published(world, "--published", mirror)


@finds("mirrors_differ")
def mirror_with_other_erasures(world: World) -> Answer:
    mirror = copy_of_publication(world)
    world.bend(lambda batches: batches[0].update(erased=3), mirror)
    return published(world, "--published", mirror)


@finds("mirrors_differ", "root_mismatch")
def mirror_with_other_leaves(world: World) -> Answer:
    mirror = copy_of_publication(world)
    path = world.leaves_file(world.batch(), mirror)
    path.write_bytes(path.read_bytes()[::-1])
    return published(world, "--published", mirror)


def copy_of_publication(world: World) -> Any:
    return shutil.copytree(world.published, world.published.with_name("mirror"))


# --- over time ------------------------------------------------------------------------------------------------------


def watched(world: World, *more: Any) -> Answer:
    return world.audit("--state", world.data.with_name("state.json"), *more)


def seen_clean(world: World) -> Answer:
    code, report = watched(world, "--published", world.published)
    assert code == 0, report["findings"]
    return code, report


@finds("batch_unlisted", "leaves_missing")
def listing_rolled_back(world: World) -> Answer:
    seen_clean(world)
    world.bend(lambda batches: batches.pop())
    return watched(world, "--published", world.published)


@finds("void_taken_back", "voided_batch_served")
def voided_batch_good_again(world: World) -> Answer:
    batch = world.batch()
    world.call("revokeBatch", bytes.fromhex(batch["root"]), batch["first"])
    world.bend(lambda batches: [item.update(state="voided") for item in batches if item["root"] == batch["root"]])
    seen_clean(world)
    world.bend(lambda batches: [item.update(state="anchored") for item in batches])
    return watched(world, "--published", world.published)


@finds("leaves_changed", "root_mismatch")
def leaves_exchanged_after_an_audit(world: World) -> Answer:
    seen_clean(world)
    return leaf_exchanged(world) and watched(world, "--published", world.published)


@finds("final_anchor_gone")
def final_anchor_taken_back(world: World) -> Answer:
    before = world.node.rpc("evm_snapshot")
    world.anchor([sha(b"1")])
    world.node.rpc("anvil_mine", hex(100))
    assert watched(world)[0] == 0
    world.node.rpc("evm_revert", before)
    world.node.rpc("anvil_mine", hex(200))
    return watched(world)


def everything_remembered(world: World) -> Any:
    """An audit that comes again: the second time, no file is so young that it would have to be read anyway."""
    arguments = ("--published", world.published, "--credentials", world.bundles)
    for _ in range(2):
        code, report = watched(world, *arguments)
        assert (code, report["audited"]["bundles"]) == (0, 66), report["findings"]
    return arguments


def rewritten(path: Any, data: bytes) -> None:
    """With the same size and the same times as before."""
    status = path.stat()
    assert len(data) == status.st_size
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@finds("credential_not_in_batch")
def bundle_exchanged_after_an_audit(world: World) -> Answer:
    arguments = everything_remembered(world)
    path, _ = world.bundle(7)
    rewritten(path, path.read_bytes().replace("Zoë".encode(), b"Zooo"))
    return watched(world, *arguments)


@finds("credential_id_repeated")
def identifier_issued_again_after_an_audit(world: World) -> Answer:
    """The first one is not read again."""
    arguments = everything_remembered(world)
    world.own_bundle(credential("0:7", name="another"), "twice")
    return watched(world, *arguments)


@finds("voided_batch_credential", exit_code=0)
def batch_voided_after_an_audit(world: World) -> Answer:
    """No file of bundles is another one than before."""
    arguments = everything_remembered(world)
    batch = world.batch()
    world.call("revokeBatch", bytes.fromhex(batch["root"]), batch["first"])
    world.bend(lambda batches: [item.update(state="voided") for item in batches if item["root"] == batch["root"]])
    code, report = watched(world, *arguments)
    assert sum(item["code"] == "voided_batch_credential" for item in report["findings"]) == batch["size"]
    return code, report


@finds("credential_not_in_batch", "leaves_missing")
def path_that_leads_nowhere_once_the_leaves_are_gone(world: World) -> Answer:
    """As long as its leaf is at hand, only the bundle's proof is wrong; then nothing shows the credential any more."""
    path, document = world.bundle(7)
    document["inclusion"]["path"][0] = "55" * 32
    path.write_text(json.dumps(document))
    arguments = ("--published", world.published, "--credentials", world.bundles)
    for _ in range(2):  # what has a finding is not remembered as good
        code, report = watched(world, *arguments)
        places = [(item["code"], item["where"]["source"]) for item in report["findings"]]
        assert (code, places) == (1, [("bundle_proof_wrong", path.name)])
    for file in (world.published / "leaves").rglob("*.bin"):
        file.unlink()
    code, report = watched(world, *arguments)
    wrong = [item["where"]["source"] for item in report["findings"] if item["code"] == "credential_not_in_batch"]
    assert wrong == [path.name]
    return code, report


@finds("key_removed", "did_document_unclaimed", "status_list_signature", "signature_invalid")
def key_exchanged_after_an_audit(world: World) -> Answer:
    arguments = everything_remembered(world)
    bend_document(world, lambda text: text.replace("#key-1", "#key-2"))
    return watched(world, *arguments)


@finds("leaves_changed", "root_mismatch")
def one_of_many_leaf_files_exchanged_after_an_audit(world: World) -> Answer:
    """Of more batches than are read again by chance and by turns."""
    for number in range(40):
        leaves = [sha(b"%d" % number)]
        at, _, _ = world.anchor(leaves)
        world.publish_batch(at, leaves)
    for _ in range(2):
        seen_clean(world)
    rewritten(world.leaves_file(world.batch(20)), sha(b"another"))
    return watched(world, "--published", world.published)


@finds("batch_unlisted", "leaves_missing")
def listing_rolled_back_and_everything_read_again(world: World) -> Answer:
    seen_clean(world)
    world.bend(lambda batches: batches.pop())
    return watched(world, "--published", world.published, "--full")


# --- copies of the publication --------------------------------------------------------------------------------------


def of_copies(world: World, *more: Any) -> Answer:
    names = ("mirror", "third")
    places = [shutil.copytree(world.published, world.published.with_name(name)) for name in names]
    arguments = [part for place in places for part in ("--published", place)]
    return published(world, *arguments, *more)


@finds("mirrors_differ")
def second_and_third_copy_differ_in_what_the_first_leaves_out(world: World) -> Answer:
    code, report = of_copies(world)
    assert (code, report["findings"]) == (0, [])
    world.bend(lambda batches: [batch.pop("declaredDelaySeconds") for batch in batches])
    third = world.published.with_name("third")
    world.bend(lambda batches: batches[0].update(declaredDelaySeconds=10**6), third)
    code, report = published(world, "--published", world.published.with_name("mirror"), "--published", third)
    [finding] = report["findings"]
    assert (finding["where"]["source"], "mirror" in finding["expected"]) == (str(third), True)
    return code, report


@finds("mirrors_differ")
def copy_without_one_of_the_issuers(world: World) -> Answer:
    mirror = copy_of_publication(world)
    world.bend(lambda batches: without(batches, world.issuers["school"]), mirror)
    path = mirror / "issuers.json"
    document = json.loads(path.read_bytes())
    without(document["issuers"], world.issuers["school"])
    path.write_bytes(canonical(document))
    return published(world, "--published", mirror)


def without(entries: list[Any], issuer: str) -> None:
    entries[:] = [item for item in entries if item["issuer"] != issuer]


@finds("did_document_differs")
def copy_with_other_keys_of_the_registry(world: World) -> Answer:
    path = copy_of_publication(world) / "did.json"
    path.write_text(path.read_text().replace("#key-1", "#key-2"))
    return published(world, "--published", path.parent, "--promises", world.promises)


@finds("leaves_missing", "mirrors_differ")
def promised_leaves_that_only_a_copy_has(world: World) -> Answer:
    """The promises were kept, as whoever asks the copy can see."""
    mirror = copy_of_publication(world)
    world.leaves_file(world.batch()).unlink()
    code, report = published(world, "--published", mirror, "--promises", world.promises, "--credentials", world.bundles)
    assert report["incomplete"] == []
    return code, report


# --- issuers --------------------------------------------------------------------------------------------------------


def status_list(world: World, purpose: str = "revocation") -> Any:
    return world.published / "status" / world.issuers["uni"][2:] / purpose / "0.json"


def published_again(world: World) -> Answer:
    """By the registry itself, which signs whatever its tables say."""
    world.registry("publish", world.published)
    return published(world)


@finds("status_list_missing")
def status_list_withheld(world: World) -> Answer:
    status_list(world).unlink()
    return published(world)


@finds("status_list_unsigned")
def status_list_without_proof(world: World) -> Answer:
    path = status_list(world)
    document = json.loads(path.read_bytes())
    del document["proof"]
    path.write_text(json.dumps(document))
    return published(world)


@finds("status_list_differs", "status_list_signature")
def status_list_emptied(world: World) -> Answer:
    path = status_list(world)
    document = json.loads(path.read_bytes())
    document["credentialSubject"]["encodedList"] = "u" + packed(bytes(16_384))
    path.write_text(json.dumps(document))
    return published(world)


def packed(bits: bytes) -> str:
    return base64.urlsafe_b64encode(gzip.compress(bits)).rstrip(b"=").decode()


@finds("status_list_differs")
def revocation_kept_out_of_the_signed_list(world: World) -> Answer:
    assert world.sql("DELETE FROM chain_status") == 1
    return published_again(world)


@finds("status_list_differs")
def revocation_in_the_signed_list_and_never_sent(world: World) -> Answer:
    assert world.sql("UPDATE chain_status SET set_mask = ?", ((1 << 3) | (1 << 9)).to_bytes(32)) == 1
    return published_again(world)


@finds("revocation_shown_late")
def revocation_not_shown_after_two_days(world: World) -> Answer:
    world.call("revoke", [0], [1 << 20])
    world.node.rpc("evm_increaseTime", hex(172_800))
    world.node.rpc("anvil_mine", hex(1))
    return published(world)


@finds("status_list_rolled_back")
def status_list_of_yesterday(world: World) -> Answer:
    old = status_list(world).read_bytes()
    world.call("revoke", [0], [1 << 20])
    world.registry("worker", "--once")
    world.registry("publish", world.published)
    seen_clean(world)
    status_list(world).write_bytes(old)
    return watched(world, "--published", world.published)


@finds("issuer_unpublished")
def nothing_said_of_an_issuer(world: World) -> Answer:
    bend_issuers(world, lambda issuers: issuers.pop(0))
    return published(world)


@finds("did_not_claimed", "status_list_signature")
def did_of_somebody_else(world: World) -> Answer:
    assert world.sql("UPDATE issuers SET did = 'did:web:elsewhere.example' WHERE name = 'uni'") == 1
    return published_again(world)


@finds("did_names_other_account")
def did_of_another_issuer_claimed_as_well(world: World) -> Answer:
    entry = next(item for item in issuers_of(world)["issuers"] if item["issuer"] == world.issuers["uni"])
    world.call("setDid", entry["did"], bytes.fromhex(entry["document"]), issuer=world.issuers["school"])
    return published(world)


@finds("did_not_claimed", "lists_unpublished")
def did_of_somebody_else_whose_document_is_said_to_be_elsewhere(world: World) -> Answer:
    def elsewhere(issuers: list[Any]) -> None:
        [entry] = [item for item in issuers if item["issuer"] == world.issuers["uni"]]
        for name in ("document", "statusBase"):
            entry.pop(name)
        entry["did"] = "did:web:elsewhere.example"

    bend_issuers(world, elsewhere)
    return published(world)


@finds("material_malformed")
def document_of_the_registrys_own_that_is_none(world: World) -> Answer:
    (world.published / "did.json").write_bytes(b"\xff{")
    return published(world)


@finds("did_names_other_account", "did_document_unclaimed")
def document_that_names_another_account(world: World) -> Answer:
    bend_document(world, lambda text: text.replace(f"31337:{world.issuers['uni']}", "31337:0x" + "55" * 20))
    return published(world)


@finds("did_document_differs", "did_document_unclaimed")
def document_that_is_not_the_named_one(world: World) -> Answer:
    path = bend_document(world, lambda text: text.replace("CredentialRegistry", "Other"))
    [entry] = [item for item in issuers_of(world)["issuers"] if item["issuer"] == world.issuers["uni"]]
    bend_issuers(world, lambda issuers: [item.update(document="55" * 32) for item in issuers if item == entry])
    path.rename(path.with_name("55" * 32 + ".json"))
    return published(world)


@finds("key_removed", "did_document_unclaimed", "status_list_signature")
def key_taken_out_of_the_document(world: World) -> Answer:
    seen_clean(world)
    bend_document(world, lambda text: text.replace("#key-1", "#key-2"))
    return watched(world, "--published", world.published)


@finds("context_changed")
def context_with_another_meaning(world: World) -> Answer:
    document = issuers_of(world)
    [entry] = [item for item in document["contexts"] if item["url"] == "https://www.w3.org/ns/credentials/v2"]
    entry["sha256"] = "55" * 32
    (world.published / "issuers.json").write_bytes(canonical(document))
    return published(world)


# --- templates, contexts, schemas -------------------------------------------------------------------------------------


SECOND_EDITION = {**TEMPLATE, "name": "Statistics, second edition"}


def exchange_template(world: World, template: Any) -> None:
    """Another content with its right digest, under the address that the template has."""
    [entry] = world.templates(world.issuers_listing)
    content = canonical(template)
    world.template_file(entry["sha256"]).unlink()
    world.template_file(sha(content).hex()).write_bytes(content)
    world.bend_issuers(lambda document: world.templates(document)[0].update(sha256=sha(content).hex()))


@finds("template_changed")
def template_content_changed_under_its_digest(world: World) -> Answer:
    [entry] = world.templates(world.issuers_listing)
    world.template_file(entry["sha256"]).write_bytes(canonical(SECOND_EDITION))
    return published(world)


@finds("template_changed")
def template_exchanged_under_its_address(world: World) -> Answer:
    exchange_template(world, SECOND_EDITION)
    return published(world)


@finds("template_changed")
def template_digest_changed_between_two_audits(world: World) -> Answer:
    seen_clean(world)
    exchange_template(world, SECOND_EDITION)
    return watched(world, "--published", world.published)


@finds("template_changed")
def template_made_older_between_two_audits(world: World) -> Answer:
    seen_clean(world)
    assert world.sql("UPDATE templates SET first_used_at = first_used_at - 1000000") == 1
    world.registry("publish", world.published)
    return watched(world, "--published", world.published)


@finds("template_missing")
def template_exchanged_with_its_address(world: World) -> Answer:
    """Consistent in itself: only who looked before knows that there was another one."""
    seen_clean(world)
    [before] = world.templates(world.issuers_listing)
    exchange_template(world, SECOND_EDITION)
    [entry] = world.templates(world.issuers_listing)
    url = entry["url"].replace(before["sha256"], entry["sha256"])
    world.bend_issuers(lambda document: world.templates(document)[0].update(url=url))
    return watched(world, "--published", world.published)


@finds("template_missing")
def template_withheld(world: World) -> Answer:
    [entry] = world.templates(world.issuers_listing)
    world.template_file(entry["sha256"]).unlink()
    return published(world)


@finds("template_missing")
def template_taken_out_of_the_list(world: World) -> Answer:
    seen_clean(world)
    world.bend_issuers(lambda document: world.templates(document).clear())
    return watched(world, "--published", world.published)


@finds("template_missing")
def template_deleted_by_the_registry(world: World) -> Answer:
    seen_clean(world)
    assert world.sql("DELETE FROM templates") == 1
    world.registry("publish", world.published)
    return watched(world, "--published", world.published)


@finds("template_missing")
def template_changed_in_the_tables_with_its_digest(world: World) -> Answer:
    seen_clean(world)
    content = canonical(SECOND_EDITION)
    assert world.sql("UPDATE templates SET content = ?, digest = ?", content, sha(content)) == 1
    world.registry("publish", world.published)
    return watched(world, "--published", world.published)


@finds("mirrors_differ")
def template_that_one_mirror_does_not_list(world: World) -> Answer:
    mirror = copy_of_publication(world)
    world.bend_issuers(lambda document: world.templates(document).clear(), mirror)
    return published(world, "--published", mirror)


@finds("stored_template_differs")
def template_changed_in_the_tables(world: World) -> Answer:
    assert world.sql("UPDATE templates SET content = ?", canonical(SECOND_EDITION)) == 1
    return inside(world)


def relist(world: World, name: str, url: str, digest: str, place: Any = None) -> None:
    """``name``: "contexts" or "schemas"."""

    def change(document: Any) -> None:
        document[name] = [item for item in document[name] if item["url"] != url]
        document[name].append({"url": url, "sha256": digest})

    world.bend_issuers(change, place)


@finds("context_changed")
def context_of_the_issuers_own_changed_between_two_audits(world: World) -> Answer:
    relist(world, "contexts", "https://uni.example/terms/v1", "44" * 32)
    seen_clean(world)
    relist(world, "contexts", "https://uni.example/terms/v1", "55" * 32)
    return watched(world, "--published", world.published)


@finds("context_changed")
def context_that_two_mirrors_show_differently(world: World) -> Answer:
    mirror = copy_of_publication(world)
    relist(world, "contexts", "https://uni.example/terms/v1", "44" * 32)
    relist(world, "contexts", "https://uni.example/terms/v1", "55" * 32, mirror)
    return published(world, "--published", mirror)


@finds("schema_changed")
def schema_with_another_content(world: World) -> Answer:
    relist(world, "schemas", world.issuers_listing["schemas"][0]["url"], "55" * 32)
    return published(world)


@finds("schema_changed")
def schema_changed_between_two_audits(world: World) -> Answer:
    relist(world, "schemas", "https://uni.example/schema.json", "44" * 32)
    seen_clean(world)
    relist(world, "schemas", "https://uni.example/schema.json", "55" * 32)
    return watched(world, "--published", world.published)


def issuers_of(world: World) -> Any:
    return json.loads((world.published / "issuers.json").read_bytes())


def bend_issuers(world: World, change: Callable[[list[Any]], Any]) -> None:
    document = issuers_of(world)
    change(document["issuers"])
    (world.published / "issuers.json").write_bytes(canonical(document))


def bend_document(world: World, change: Callable[[str], str]) -> Any:
    """Another DID document of "uni", under its own hash."""
    [path] = (world.published / "documents" / world.issuers["uni"][2:]).iterdir()
    text = change(path.read_text()).encode()
    assert text != path.read_bytes()
    path.unlink()
    hashed = hashlib.sha256(canonical(json.loads(text))).hexdigest()
    bend_issuers(
        world,
        lambda issuers: [item.update(document=hashed) for item in issuers if item["issuer"] == world.issuers["uni"]],
    )
    made = path.with_name(f"{hashed}.json")
    made.write_bytes(text)
    return made


# --- credentials ----------------------------------------------------------------------------------------------------


def uni_bundle(world: World) -> tuple[Path, Any]:
    """Which of the files is the other issuer's is random."""
    for path in sorted(world.bundles.glob("*.json")):
        document = json.loads(path.read_bytes())
        if document["anchors"][0]["issuer"] == world.issuers["uni"]:
            return path, document
    raise AssertionError("there is none")


@finds("bundle_proof_wrong")
def bundle_with_another_path(world: World) -> Answer:
    path, document = uni_bundle(world)
    document["inclusion"]["path"][0] = "55" * 32
    path.write_text(json.dumps(document))
    return with_bundles(world)


@finds("bundle_proof_wrong")
def bundle_of_a_larger_tree(world: World) -> Answer:
    path, document = uni_bundle(world)
    document["inclusion"]["treeSize"] += 1
    path.write_text(json.dumps(document))
    return with_bundles(world, "--no-signatures")


@finds("credential_not_in_batch")
def credential_changed_under_another_name(world: World) -> Answer:
    path, _ = world.bundle()
    path.rename(path.with_suffix(".JSON")).write_text(path.with_suffix(".JSON").read_text().replace("Zoë", "Eve"))
    return with_bundles(world)


@finds("credential_issuer_differs")
def credential_of_another_issuer(world: World) -> Answer:
    world.own_bundle(credential("own", issuer={"id": world.did("school")}), "own")
    return with_bundles(world)


@finds("credential_issuer_differs")
def credential_of_a_stranger(world: World) -> Answer:
    world.own_bundle(credential("own", issuer="https://university.example"), "own")
    return with_bundles(world, "--no-signatures")


@finds("credential_issuer_differs", "did_names_other_account")
def name_that_a_stranger_claims(world: World) -> Answer:
    """An address of her own, a document that names it, a claim on chain: all but the DID's own word."""
    [path] = (world.published / "documents" / world.issuers["uni"][2:]).iterdir()
    did, eve = world.did(), "0x" + "e5" * 20
    document = json.loads(path.read_text().replace(world.issuers["uni"], eve))
    world.issuers["uni"] = eve
    world.call("setDid", did, hashlib.sha256(canonical(document)).digest())
    made = credential("own", issuer=did)
    first, root, receipt = world.anchor([leaf_of(made)])
    bundle = world.make_bundle(made, first, root, receipt) | {"issuerDocument": document}
    (world.bundles / "own.json").write_text(json.dumps(bundle))
    code, report = with_bundles(world)
    beside = "issuer_elsewhere"  # it is a stranger's batch, and published nowhere
    report["findings"] = [item for item in report["findings"] if item["code"] != beside]
    return code, report


@finds("credential_issuer_differs", "issuer_elsewhere")
def name_at_an_address_that_nobody_knows(world: World) -> Answer:
    """She claims nothing: the document of the name speaks against her."""
    did, world.issuers["uni"] = world.did(), "0x" + "e5" * 20
    made = credential("own", issuer=did)
    first, root, receipt = world.anchor([leaf_of(made)])
    (world.bundles / "own.json").write_text(json.dumps(world.make_bundle(made, first, root, receipt)))
    return with_bundles(world)


@finds("bundle_not_on_chain")
def bundle_that_names_the_place_of_another_batch(world: World) -> Answer:
    path, document = uni_bundle(world)
    document["anchors"][0]["firstIndex"] ^= 40
    path.write_text(json.dumps(document))
    return with_bundles(world)


@finds("status_index_differs")
def status_of_somebody_else_by_an_older_name_behind_many(world: World) -> Answer:
    base = world.did().removeprefix("did:web:").replace(":", "/").replace("%3A", ":")
    entry = {
        "type": "BitstringStatusListEntry", "statusPurpose": "revocation",
        "statusListIndex": str(world.view("nextIndexOf")),
        "statusListCredential": f"http://{base}/status/revocation/0",
    }  # fmt: skip
    wrong = {**entry, "type": "StatusList2021Entry", "statusListIndex": "1"}
    world.own_bundle(credential("own", credentialStatus=[entry] * 20 + [wrong]), "own")
    return with_bundles(world)


@finds("voided_batch_credential", exit_code=0)
def identifier_issued_again_after_its_batch_was_voided(world: World) -> Answer:
    """Not a fraud: what is void counts for nothing."""
    name = uni_bundle(world)[1]["credential"]["id"]
    for batch in (world.batch(0), world.batch(1)):
        world.call("revokeBatch", bytes.fromhex(batch["root"]), batch["first"])
    world.bend(lambda batches: [item.update(state="voided") for item in batches if item["size"] > 1])
    world.own_bundle({**credential("own"), "id": name}, "own")
    return with_bundles(world)


@finds("status_index_differs")
def status_in_the_list_of_another_issuer(world: World) -> Answer:
    base = world.did("school").removeprefix("did:web:").replace(":", "/").replace("%3A", ":")
    index = world.view("nextIndexOf")
    entry = {
        "type": "BitstringStatusListEntry", "statusPurpose": "revocation", "statusListIndex": str(index),
        "statusListCredential": f"http://{base}/status/revocation/0",
    }  # fmt: skip
    assert any(item.get("statusBase") == f"http://{base}/status" for item in issuers_of(world)["issuers"])
    world.own_bundle(credential("own", credentialStatus=entry), "own")
    return with_bundles(world)


@finds("signature_invalid", "status_index_differs", "credential_id_repeated")
def all_of_it_in_an_envelope(world: World) -> Answer:
    """A VC-JWT: what is in it counts as if it were in the bundle."""
    _, document = uni_bundle(world)
    inside = {**document["credential"], "name": "Another one"}
    inside.pop("proof")
    header = {"alg": "EdDSA", "kid": f"{world.did()}#key-1"}
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (canonical(header), canonical(inside))]
    parts.append(base64.urlsafe_b64encode(bytes(64)).rstrip(b"=").decode())
    envelope = {
        "@context": ["https://www.w3.org/ns/credentials/v2"], "type": "EnvelopedVerifiableCredential",
        "id": f"data:application/vc+jwt,{'.'.join(parts)}",
    }  # fmt: skip
    first, root, receipt = world.anchor([leaf_of(envelope)])
    world.publish_batch(first, [leaf_of(envelope)])
    (world.bundles / "own.json").write_text(json.dumps(world.make_bundle(envelope, first, root, receipt)))
    return with_bundles(world)


@finds("credential_not_in_batch")
def credential_changed(world: World) -> Answer:
    path, _ = world.bundle()
    path.write_text(path.read_text().replace("Zoë", "Eve"))
    return with_bundles(world)


@finds("credential_not_in_batch", "status_index_differs")
def credential_at_another_place(world: World) -> Answer:
    path, document = world.bundle()
    document["inclusion"]["leafIndex"] ^= 1
    path.write_text(json.dumps(document))
    return with_bundles(world)


@finds("bundle_not_on_chain")
def bundle_of_an_invented_batch(world: World) -> Answer:
    path, document = world.bundle()
    document["inclusion"]["root"] = "55" * 32
    document["anchors"][0]["transaction"] = "0x" + "55" * 32
    path.write_text(json.dumps(document))
    return with_bundles(world)


@finds("credential_id_repeated")
def identifier_issued_twice(world: World) -> Answer:
    world.own_bundle(credential("0:7", name="another"), "twice")
    return with_bundles(world)


@finds("status_index_differs")
def status_of_somebody_else(world: World) -> Answer:
    entry = {
        "type": "BitstringStatusListEntry", "statusPurpose": "revocation", "statusListIndex": "1",
        "statusListCredential": "https://registry.example/issuers/uni/status/revocation/0",
    }  # fmt: skip
    world.own_bundle(credential("own", credentialStatus=entry), "own")
    return with_bundles(world)


@finds("anchored_elsewhere")
def anchored_on_another_chain(world: World) -> Answer:
    path, _ = world.bundle()
    path.write_text(path.read_text().replace("eip155:31337", "eip155:1"))
    return with_bundles(world)


@finds("bundle_not_on_chain", "bundle_transaction_elsewhere")
def transaction_to_another_contract(world: World) -> Answer:
    twin = second_contract(world)
    document = credential("elsewhere")
    root = root_of([leaf_of(document)])
    receipt = world.call("anchor", root, 0, 1, contract=twin)
    made = world.make_bundle(document, 0, root, receipt)
    (world.bundles / "elsewhere.json").write_text(json.dumps(made))
    return with_bundles(world)


def second_contract(world: World) -> str:
    """The same code at another address."""
    receipt = world.node.send(world.issuers["uni"], data=ARTIFACT["bytecode"])
    return str(receipt["contractAddress"])


@finds("bundle_location_differs")
def bundle_back_dated(world: World) -> Answer:
    path, document = world.bundle()
    document["anchors"][0]["anchoredAt"] = "2020-01-01T00:00:00Z"
    path.write_text(json.dumps(document))
    return with_bundles(world)


@finds("bundle_location_differs")
def bundle_with_another_transaction(world: World) -> Answer:
    path, document = world.bundle()
    document["anchors"][0]["transaction"] = "0x" + "55" * 32
    path.write_text(json.dumps(document))
    return with_bundles(world)


@finds("voided_batch_credential", exit_code=0)
def credential_of_a_voided_batch(world: World) -> Answer:
    batch = world.batch()
    world.call("revokeBatch", bytes.fromhex(batch["root"]), batch["first"])
    world.bend(lambda batches: [item.update(state="voided") for item in batches if item["root"] == batch["root"]])
    return with_bundles(world)


@finds("anchored_late", exit_code=0)
def back_dated_credential(world: World) -> Answer:
    return with_bundles(world, "--declared-delay", "60")


@finds("anchored_late", exit_code=0)
def later_than_its_issuer_declared(world: World) -> Answer:
    world.registry("issuer", "declare", "uni", "--anchored-within", "86400")
    # The node's clock may be behind this machine's, or ahead of it.
    world.node.catch_up()
    moment = world.node.web3.eth.get_block("latest")["timestamp"] + 1
    assert world.sql("UPDATE declared_delays SET since = ?", moment) == 1
    world.accept("late")
    for _ in range(3):
        world.registry("worker", "--once")
        world.node.rpc("evm_mine")
    world.registry("publish", world.published)
    world.registry("bundle", "--all", world.bundles)
    code, report = with_bundles(world)
    assert len(report["findings"]) == 1, report["findings"]  # what was anchored before is judged by nothing
    return code, report


@finds("declaration_changed")
def declared_otherwise_by_hindsight(world: World) -> Answer:
    world.registry("issuer", "declare", "uni", "--anchored-within", "86400")
    world.registry("publish", world.published)
    seen_clean(world)
    assert world.sql("UPDATE declared_delays SET seconds = 864000") == 1
    world.registry("publish", world.published)
    return watched(world, "--published", world.published)


def own_credential_of(world: World, change: Callable[[Any], Any]) -> Answer:
    """One of the registry's, with its proof, changed and anchored anew."""
    document = uni_bundle(world)[1]["credential"]
    document["id"] += ":again"
    del document["credentialStatus"]
    change(document)
    world.own_bundle(document, "again")
    return with_bundles(world)


@finds("signature_invalid")
def proof_that_does_not_fit(world: World) -> Answer:
    return own_credential_of(world, lambda document: document["credentialSubject"].update(name="Eve"))


@finds("proof_after_anchor")
def proof_of_the_future(world: World) -> Answer:
    return own_credential_of(
        world, lambda document: [proof.update(created="2999-01-01T00:00:00Z") for proof in document["proof"]]
    )


@finds("key_outside_interval", "status_list_signature", "did_document_unclaimed")
def key_that_had_ended(world: World) -> Answer:
    before = '"created":"2020-01-01T00:00:00Z","expires":"2021-01-01T00:00:00Z"'
    bend_document(world, lambda text: re.sub(r'"created":"[^"]*Z"', before, text))
    return with_bundles(world)


@finds("credential_unreadable")
def bundle_that_is_none(world: World) -> Answer:
    (world.bundles / "none.json").write_bytes(b'{"type": \xff')
    return with_bundles(world)


# --- database -------------------------------------------------------------------------------------------------------

ROW = "issuer_id = (SELECT id FROM issuers WHERE name = 'uni') AND credential_index = "
BATCH = "issuer_id = (SELECT id FROM issuers WHERE name = 'uni') AND first = 0"


@finds("row_changed")
def row_with_another_grade(world: World) -> Answer:
    assert world.sql(f"UPDATE credentials SET content = CAST(replace(content, 'Zo', 'Zoo') AS BLOB) WHERE {ROW} 5")
    return inside(world)


@finds("row_changed")
def row_of_another_type(world: World) -> Answer:
    assert world.sql(f"UPDATE credentials SET content = 'not bytes', salt = 5 WHERE {ROW} 5")
    return inside(world)


@finds("database_unreadable")
def table_of_another_type(world: World) -> Answer:
    assert world.sql(f"UPDATE batches SET root = 'not bytes' WHERE {BATCH}")
    return inside(world)


@finds("row_changed")
def row_with_another_salt(world: World) -> Answer:
    assert world.sql(f"UPDATE credentials SET salt = ? WHERE {ROW} 5", SALT)
    return inside(world)


@finds("row_index_changed", "row_missing")
def row_moved(world: World) -> Answer:
    assert world.sql(f"UPDATE credentials SET credential_index = 999 WHERE {ROW} 5")
    return inside(world)


@finds("row_index_changed")
def rows_exchanged(world: World) -> Answer:
    for old, new in ((5, 999), (6, 5), (999, 6)):
        assert world.sql(f"UPDATE credentials SET credential_index = {new} WHERE {ROW} {old}")
    return inside(world)


@finds("row_missing")
def row_deleted(world: World) -> Answer:
    assert world.sql(f"DELETE FROM credentials WHERE {ROW} 5")
    return inside(world)


@finds("erased_without_tombstone")
def row_emptied(world: World) -> Answer:
    assert world.sql(f"UPDATE credentials SET content = NULL, salt = NULL WHERE {ROW} 5")
    return inside(world)


@finds("erasure_incomplete")
def row_only_said_to_be_erased(world: World) -> Answer:
    assert world.sql(f"UPDATE credentials SET state = 'ERASED' WHERE {ROW} 5")
    return inside(world)


@finds("erased_undeclared")
def more_erased_than_declared(world: World) -> Answer:
    assert world.sql(f"UPDATE credentials SET state = 'ERASED', content = NULL, salt = NULL WHERE {ROW} 5")
    return inside(world, "--published", world.published)


@finds("status_not_on_chain")
def revocation_shown_and_never_sent(world: World) -> Answer:
    assert world.sql(f"UPDATE status_requests SET credential_id = (SELECT id FROM credentials WHERE {ROW} 9)") == 1
    code, report = inside(world)
    report["findings"] = [item for item in report["findings"] if item["where"].get("index") != REVOKED]
    return code, report


@finds("status_not_recorded")
def revoked_behind_the_registrys_back(world: World) -> Answer:
    world.call("revoke", [0], [1 << 20])
    return inside(world)


@finds("status_not_recorded")
def revocation_called_superseded(world: World) -> Answer:
    assert world.sql("UPDATE status_requests SET state = 'SUPERSEDED'") == 1
    return inside(world)


@finds("status_not_recorded")
def revocation_said_to_wait(world: World) -> Answer:
    assert world.sql("UPDATE status_requests SET state = 'WAITING'") == 1
    return inside(world)


def suspended(world: World) -> None:
    [(name,)] = world.ask(f"SELECT external_id FROM credentials WHERE {ROW} 5")
    world.registry("suspend", name, "--issuer", "uni")
    for _ in range(3):
        world.registry("worker", "--once")
        world.node.rpc("anvil_mine", hex(2))
    world.registry("worker", "--once")
    assert inside(world)[1]["findings"] == []


@finds("status_not_on_chain")
def suspension_that_ended_in_a_table_alone(world: World) -> Answer:
    suspended(world)
    columns = "issuer_id, credential_id, state, requested_at, final_block"
    statement = f"INSERT INTO status_requests (action, {columns}) SELECT 'reinstate', {columns} FROM status_requests"
    assert world.sql(f"{statement} WHERE action = 'suspend'") == 1
    return inside(world)


@finds("batch_other_root")
def batch_at_another_place(world: World) -> Answer:
    assert world.sql(f"UPDATE batches SET first = 900 WHERE {BATCH}")
    return inside(world)


@finds("issuer_changed", "status_not_on_chain")
def issuer_with_another_address(world: World) -> Answer:
    assert world.sql("UPDATE issuers SET address = ? WHERE name = 'uni'", b"\x77" * 20)
    return inside(world)


@finds("issuer_changed")
def former_document_with_other_keys(world: World) -> Answer:
    assert world.sql("UPDATE did_documents SET content = CAST(replace(content, 'key-1', 'key-2') AS BLOB)")
    return inside(world)


@finds("row_changed")
def row_of_an_index_that_is_still_free(world: World) -> Answer:
    assert world.sql(f"UPDATE credentials SET state = 'RESERVED' WHERE {ROW} 5")
    return inside(world)


@finds("erased_without_tombstone")
def row_emptied_and_called_a_commitment(world: World) -> Answer:
    assert world.sql(f"UPDATE credentials SET form = 'commitment', content = NULL, salt = NULL WHERE {ROW} 5")
    return inside(world)


@finds("database_unreadable", "row_missing")
def text_that_is_none(world: World) -> Answer:
    """It hides nothing of other batches."""
    assert world.sql(f"UPDATE credentials SET external_id = CAST(x'fffe' AS TEXT) WHERE {ROW} 5")
    assert world.sql(f"DELETE FROM credentials WHERE {ROW} 45")
    return inside(world)


@finds("batch_other_root", "stored_leaves_differ")
def batch_with_another_root(world: World) -> Answer:
    assert world.sql(f"UPDATE batches SET root = ? WHERE {BATCH}", b"\5" * 32)
    return inside(world)


@finds("stored_leaves_differ")
def stored_leaves_exchanged(world: World) -> Answer:
    assert world.sql(f"UPDATE batches SET leaves = ? WHERE {BATCH}", b"\5" * 32 * 40)
    return inside(world)


@finds("anchor_location_differs")
def batch_with_another_transaction(world: World) -> Answer:
    assert world.sql(f'UPDATE batches SET "transaction" = ? WHERE {BATCH}', b"\5" * 32)
    return inside(world)


@finds("anchor_orphaned")
def anchor_on_a_branch_that_is_gone(world: World) -> Answer:
    assert world.sql(f"UPDATE batches SET block_hash = ? WHERE {BATCH}", b"\5" * 32)
    return inside(world)


@finds("anchor_orphaned")
def anchor_taken_back_and_never_repaired(world: World) -> Answer:
    """Really: the registry anchors, the chain forgets, and nobody lets the worker look."""
    before = world.node.rpc("evm_snapshot")
    accept_one(world)
    world.node.rpc("evm_revert", before)
    world.node.rpc("anvil_mine", hex(20))
    return inside(world)


def accept_one(world: World) -> None:
    file = world.data / "late.json"
    file.write_text(json.dumps(credential("late")))
    world.registry("issue", file, "--issuer", "uni")
    world.registry("worker", "--once")


@finds("anchor_transaction_elsewhere")
def database_names_a_transaction_to_another_contract(world: World) -> Answer:
    """A row for a batch that was anchored in a twin of the contract only."""
    twin = second_contract(world)
    accept_one(world)
    [(first, root)] = world.ask("SELECT first, root FROM batches ORDER BY id DESC LIMIT 1")
    moved = world.call("anchor", b"\6" * 32, 0, 1, contract=twin)
    values = (b"\6" * 32, 2_000, bytes(moved["transactionHash"]), moved["blockNumber"], bytes(moved["blockHash"]))
    statement = 'UPDATE batches SET root = ?, first = ?, "transaction" = ?, block_number = ?, block_hash = ?'
    assert world.sql(f"{statement} WHERE root = ? AND first = ?", *values, root, first)
    code, report = inside(world)
    consequences = {"foreign_batch", "stored_leaves_differ", "row_index_changed", "row_missing"}
    report["findings"] = [item for item in report["findings"] if item["code"] not in consequences]
    return code, report


@finds("anchor_lost")
def anchor_that_never_was(world: World) -> Answer:
    accept_one(world)
    values = (b"\6" * 32, 2_000)
    assert world.sql(
        'UPDATE batches SET root = ?, first = ?, "transaction" = NULL, block_hash = NULL '
        "WHERE id = (SELECT max(id) FROM batches)", *values,
    )  # fmt: skip
    code, report = inside(world)
    consequences = {"foreign_batch", "stored_leaves_differ", "row_index_changed", "row_missing"}
    report["findings"] = [item for item in report["findings"] if item["code"] not in consequences]
    return code, report


@finds("foreign_batch")
def batch_with_a_stolen_key(world: World) -> Answer:
    world.anchor([sha(b"1")])
    return inside(world)


@finds("row_changed")
def rows_with_each_others_names(world: World) -> Answer:
    """Who revokes one by its id revokes the other."""
    [(first,), (second,)] = world.ask(f"SELECT external_id FROM credentials WHERE {ROW} 5 OR {ROW} 6 ORDER BY id")
    for old, new in ((first, "away"), (second, first), ("away", second)):
        assert world.sql("UPDATE credentials SET external_id = ? WHERE external_id = ?", new, old)
    return inside(world)


@finds("row_changed")
def row_given_to_another_issuer(world: World) -> Answer:
    statement = "UPDATE credentials SET issuer_id = (SELECT id FROM issuers WHERE name = 'school') WHERE"
    assert world.sql(f"{statement} {ROW} 5")
    return inside(world)


@finds("row_changed")
def row_with_another_leaf(world: World) -> Answer:
    assert world.sql(f"UPDATE credentials SET leaf = ? WHERE {ROW} 5", b"\5" * 32)
    return inside(world)


@finds("row_index_changed", "database_unreadable")
def second_row_at_one_place(world: World) -> Answer:
    """For which the table had to lose the keys by which others name its rows."""
    world.sql("CREATE TABLE copies AS SELECT * FROM credentials")
    world.sql("DROP TABLE credentials")
    world.sql("ALTER TABLE copies RENAME TO credentials")
    assert world.sql(f"INSERT INTO credentials SELECT * FROM credentials WHERE {ROW} 5") == 1
    return inside(world)


@finds("erased_without_tombstone")
def row_emptied_and_called_reserved(world: World) -> Answer:
    values = "state = 'RESERVED', content = NULL, salt = NULL"
    assert world.sql(f"UPDATE credentials SET {values} WHERE {ROW} 5")
    return inside(world)


@finds("row_changed", "anchor_location_differs")
def row_changed_in_a_batch_that_is_said_to_wait(world: World) -> Answer:
    assert world.sql(f"UPDATE batches SET state = 'SEALED' WHERE {BATCH}")
    assert world.sql(f"UPDATE credentials SET salt = ? WHERE {ROW} 5", SALT)
    return inside(world)


@finds("anchor_transaction_elsewhere", "row_missing")
def batch_that_nobody_sent(world: World) -> Answer:
    """A row for a batch that no call of the contract's belongs to."""
    columns = 'issuer_id, size, leaves, root, state, sealed_at, anchored_at, block_number, block_hash, "transaction"'
    assert world.sql(f"INSERT INTO batches (first, {columns}) SELECT 900, {columns} FROM batches WHERE {BATCH}") == 1
    return inside(world)


@finds("anchor_location_differs")
def batch_anchored_at_another_time(world: World) -> Answer:
    assert world.sql(f"UPDATE batches SET anchored_at = 1000000000 WHERE {BATCH}")
    return inside(world)


@finds("anchor_lost", "row_missing")
def batch_from_the_future(world: World) -> Answer:
    """What names a block that is not there yet is not taken for newer than the audit."""
    columns = "issuer_id, size, leaves, root, state, sealed_at, anchored_at"
    where = f"SELECT 900, 1000000, {columns} FROM batches WHERE {BATCH}"
    assert world.sql(f"INSERT INTO batches (first, block_number, {columns}) {where}") == 1
    return inside(world)


@finds("database_unreadable")
def batch_of_more_leaves_than_there_can_be(world: World) -> Answer:
    assert world.sql(f"UPDATE batches SET size = 9223372036854775807 WHERE {BATCH}")
    return inside(world)


@finds("stored_leaves_differ")
def number_in_place_of_leaves(world: World) -> Answer:
    """Some drivers make as many bytes of it."""
    assert world.sql(f"UPDATE batches SET leaves = 99999999999999 WHERE {BATCH}")
    return inside(world)


@finds("issuer_changed", "did_not_claimed", "status_list_signature")
def issuer_with_another_did(world: World) -> Answer:
    assert world.sql("UPDATE issuers SET did = 'did:web:other.example' WHERE name = 'uni'")
    return inside(world)


@finds("issuer_changed")
def indexes_to_be_given_out_again(world: World) -> Answer:
    assert world.sql("UPDATE issuers SET next_index = 3 WHERE name = 'uni'")
    return inside(world)


@finds("status_not_on_chain")
def revocation_that_is_final_in_a_table_alone(world: World) -> Answer:
    assert world.sql(
        "INSERT INTO status_requests (issuer_id, credential_id, action, state, requested_at) "
        f"SELECT issuer_id, id, 'revoke', 'FINAL', 1 FROM credentials WHERE {ROW} 9"
    )
    return inside(world)


@finds("status_delayed")
def revocation_asked_for_and_never_sent(world: World) -> Answer:
    assert world.sql(
        "INSERT INTO status_requests (issuer_id, credential_id, action, state, requested_at) "
        f"SELECT issuer_id, id, 'revoke', 'SENT', 1 FROM credentials WHERE {ROW} 9"
    )
    return inside(world)


@finds("chain_copy_differs", "status_list_differs")
def revocation_taken_out_of_the_copy_of_the_chain(world: World) -> Answer:
    assert world.sql("DELETE FROM chain_status")
    return inside(world)


@finds("anchor_location_differs")
def batch_said_to_wait(world: World) -> Answer:
    """Nobody gets a bundle of it."""
    assert world.sql(f"UPDATE batches SET state = 'SEALED' WHERE {BATCH}")
    return inside(world)


@finds("row_missing")
def batch_without_its_call(world: World) -> Answer:
    """It is in no listing any more."""
    assert world.sql(f"DELETE FROM operations WHERE batch_id = (SELECT id FROM batches WHERE {BATCH})")
    code, report = inside(world)
    report["findings"] = [item for item in report["findings"] if item["code"] != "database_unreadable"]  # the outbox
    return code, report


@finds("issuer_changed")
def status_lists_elsewhere(world: World) -> Answer:
    """The credentials name the former address, where nothing is served any more."""
    assert world.sql("UPDATE issuers SET status_base = replace(status_base, '127.0.0.1', 'localhost')") == 2
    return inside(world)


@finds("issuer_changed")
def revocations_left_to_an_issuer_that_gave_its_key(world: World) -> Answer:
    """What waits for an issuer's own signature is never late."""
    assert world.sql("UPDATE issuers SET mode = 'self' WHERE name = 'uni'")
    return inside(world)


@finds("issuer_changed")
def former_document_deleted(world: World) -> Answer:
    """Bundles bring it along no more."""
    assert world.sql("DELETE FROM did_documents") == 2
    return inside(world)


@finds("chain_copy_differs")
def claim_made_earlier_in_the_copy_of_the_chain(world: World) -> Answer:
    """A bundle brings the document along that had been claimed by its anchor."""
    assert world.sql("UPDATE chain_claims SET claimed_at = claimed_at - 1000") == 2
    return inside(world)


@finds("chain_copy_differs")
def revocation_made_later_in_the_copy_of_the_chain(world: World) -> Answer:
    """Lists of the past are made of it."""
    assert world.sql("UPDATE chain_status SET block_number = block_number + 1") == 1
    return inside(world)


@finds("database_unreadable", "status_not_recorded")
def row_with_another_id(world: World) -> Answer:
    assert world.sql(f"UPDATE credentials SET id = 'another' WHERE {ROW} {REVOKED}")
    return inside(world)


@finds("row_changed")
def request_given_to_another_issuer(world: World) -> Answer:
    """The other one's credential at that index would be revoked."""
    assert world.sql("UPDATE status_requests SET issuer_id = (SELECT id FROM issuers WHERE name = 'school')") == 1
    return inside(world)


@finds("database_unreadable", "row_changed")
def issuer_that_cannot_be_read(world: World) -> Answer:
    """It hides nothing of the others."""
    assert world.sql(f"UPDATE credentials SET salt = ? WHERE {ROW} 5", SALT)
    assert world.sql("UPDATE issuers SET did = CAST(x'fffe' AS TEXT) WHERE name = 'school'")
    return inside(world)


def damage(world: World, page: int) -> None:
    path = world.data / "registry.sqlite"
    data = bytearray(path.read_bytes())
    size = int.from_bytes(data[16:18])
    data[(page - 1) * size : page * size] = b"\xa5" * size
    path.write_bytes(data)


@finds("database_unreadable")
def damaged_page(world: World) -> Answer:
    """One of the tables that say where the chain is; the chain is audited all the same."""
    [(page,)] = world.ask("SELECT rootpage FROM sqlite_master WHERE name = 'properties'")
    world.ask("PRAGMA wal_checkpoint(TRUNCATE)")
    damage(world, page)
    code, report = inside(world)
    assert report["audited"]["credentials"] == 66
    return code, report


# --- chain ----------------------------------------------------------------------------------------------------------


@finds("code_hash_differs")
def other_code_at_the_address(world: World) -> Answer:
    world.node.rpc("anvil_setCode", world.contract, "0x6001600155")
    return world.audit()


@finds("nodes_disagree")
def second_node_hides_a_revocation(world: World) -> Answer:
    with lying_node(world.node, without_revocations) as url:
        return world.audit("--rpc", url)


def without_revocations(method: str, params: list[Any], result: Any) -> Any:
    if method == "eth_call" and params[0].get("data", params[0].get("input", "")).startswith(selector("statusWordsOf")):
        return "0x" + "".join(word.zfill(64) for word in zeros(result))
    return result


def zeros(result: str) -> list[str]:
    """The answer's arrays with every bit clear; offsets and lengths stay."""
    words = [result[2 + at : 66 + at] for at in range(0, len(result) - 2, 64)]
    starts = [int(words[0], 16) // 32, int(words[1], 16) // 32]
    keep = {0, 1, *starts}
    return [word if at in keep else "0" for at, word in enumerate(words)]


@finds("revocation_undone")
def node_forgets_a_revocation(world: World) -> Answer:
    with lying_node(world.node, without_revocations) as url:
        return world.audit(url=url)


@finds("status_differs")
def node_hides_the_event_of_a_revocation(world: World) -> Answer:
    def lie(method: str, _params: list[Any], result: Any) -> Any:
        if method == "eth_getLogs":
            return [item for item in result if item["topics"][0] != topic("StatusRevoked")]
        return result

    with lying_node(world.node, lie) as url:
        return world.audit(url=url)


@finds("sequence_gap", "history_incomplete")
def node_hides_a_batch(world: World) -> Answer:
    def lie(method: str, _params: list[Any], result: Any) -> Any:
        if method == "eth_getLogs":
            anchored = [item for item in result if item["topics"][0] == topic("BatchAnchored")]
            return [item for item in result if item not in anchored[:1]]
        return result

    with lying_node(world.node, lie) as url:
        return world.audit(url=url)


@finds("record_missing", "sequence_gap")
def node_denies_the_records(world: World) -> Answer:
    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_call" and params[0].get("data", params[0].get("input", "")).startswith(selector("batchOf")):
            return "0x" + "0" * (len(result) - 2)
        return result

    with lying_node(world.node, lie) as url:
        return world.audit(url=url)


# --- promises: last, because the chain's clock does not go back -------------------------------------------------------


def with_promises(world: World, *more: Any) -> Answer:
    return published(world, "--promises", world.promises, *more)


@finds("promise_forged")
def promise_with_an_earlier_time(world: World) -> Answer:
    path, document = world.promise()
    path.write_text(json.dumps({**document, "anchoredBefore": document["acceptedAt"]}))
    return with_promises(world)


@finds("promise_forged")
def promise_whose_key_was_taken_away(world: World) -> Answer:
    world.registry("promise", "rotate")
    world.registry("publish", world.published)
    document = json.loads((world.published / "did.json").read_bytes())
    first, second = document["verificationMethod"]
    document["verificationMethod"] = [{**first, "publicKeyMultibase": second["publicKeyMultibase"]}, second]
    (world.published / "did.json").write_bytes(canonical(document))
    return with_promises(world)


@finds("promise_other_registry")
def promise_of_another_chain(world: World) -> Answer:
    path, _ = world.promise()
    path.write_text(path.read_text().replace("eip155:31337", "eip155:1"))
    return with_promises(world)


@finds("promise_unreadable")
def promise_that_is_none(world: World) -> Answer:
    (world.promises / "none.json").write_bytes(b'{"type": \xff')
    return with_promises(world)


@finds("promise_replaced")
def leaf_exchanged_before_it_was_anchored(world: World) -> Answer:
    _, first = world.accept("exchanged")
    assert world.sql("UPDATE credentials SET leaf = ? WHERE id = ?", sha(b"another"), first["id"])
    second = json.loads(world.registry("promise", "show", first["id"]).stdout)
    assert second["leaf"] == sha(b"another").hex() != first["leaf"]
    (world.promises / "second.json").write_text(json.dumps(second))
    at, _, _ = world.anchor([sha(b"another")])
    world.publish_batch(at, [sha(b"another")])
    return with_promises(world)


@finds("promise_broken")
def accepted_and_never_anchored(world: World) -> Answer:
    world.accept("lost")
    assert with_promises(world)[0] == 0  # it is not due yet
    world.later(30)
    return with_promises(world)


@finds("promise_broken")
def another_leaf_anchored_in_its_place(world: World) -> Answer:
    world.accept("exchanged")
    at, _, _ = world.anchor([sha(b"another")])
    world.publish_batch(at, [sha(b"another")])
    world.later(30)
    return with_promises(world)


@finds("promise_late", exit_code=0)
def anchored_after_the_promised_time(world: World) -> Answer:
    leaf = bytes.fromhex(world.accept("late")[1]["leaf"])
    world.later(30)
    at, _, _ = world.anchor([leaf])
    world.publish_batch(at, [leaf])
    return with_promises(world)
