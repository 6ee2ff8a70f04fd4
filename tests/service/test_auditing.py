"""Audits of a whole registry on a fake chain: from a folder, from a hostile web server, from several nodes."""

import copy
import errno
import http.server
import json
import os
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from anchors.base import BatchAnchored, ChainUnreachable, RevokeBatch, WrongContract
from registry.api.app import create_app
from registry.core.audit_published import packed_root
from registry.core.errors import InputError
from registry.core.notation import time_text
from registry.service.auditing import Auditing, AuditReport, NamedChain, report_to_json
from registry.service.auditstate import StateFile
from registry.service.errors import ConflictError
from registry.service.published import FolderMaterial, WebMaterial, leaves_path, open_material
from registry.service.publishing import Publication
from registry.service.selfaudit import audit_database
from registry.store.tables import (
    batches,
    chain_batches,
    chain_blocks,
    chain_claims,
    chain_status,
    credentials,
    did_documents,
    issuers,
    operations,
    status_requests,
)
from registry.wiring.files import write_if_changed
from support.audits import Prepared, audit, bend, codes, copied, leaf_files, prepare, publish
from support.fake_chain import FakeChain
from support.house import House, open_house
from support.served import FakeRegistry, Server

Handler = Callable[[http.server.BaseHTTPRequestHandler], None]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def house(prepared: Prepared, tmp_path: Path) -> Iterator[House]:
    opened = copied(prepared, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def folder(house: House, tmp_path: Path) -> Path:
    place = tmp_path / "published"
    assert publish(house, place) == Publication(3, 3, True)
    return place


# --- clean ----------------------------------------------------------------------------------------------------------


def test_a_clean_registry(house: House, folder: Path, tmp_path: Path) -> None:
    bundles = tmp_path / "bundles"
    bundles.mkdir()
    for name, data in house.bundles.all():
        (bundles / f"{name}.json").write_bytes(data)
    report = audit(house.chain, folder, bundles=sorted(bundles.iterdir()), cross_check=True)
    assert (report.findings, report.incomplete, report.exit_code) == ((), (), 0)
    assert (report.issuers, report.batches, report.credentials, report.leaves, report.bundles) == (2, 3, 13, 13, 13)
    assert report.block == house.chain.head()


def test_it_tells_what_it_does(house: House, folder: Path) -> None:
    said: list[str] = []
    Auditing([NamedChain("node", house.chain)], [FolderMaterial(folder)], tell=said.append).run()
    head = house.chain.head().number
    assert [text.replace(str(folder), "DIR") for text in said] == [
        "What DIR lists",
        f"Events from block 0 of {head} on",
        "Records of 3 batches",
        *(f"Leaves of batch {number} of 3 in DIR" for number in (1, 2, 3)),
        *(f"Documents and lists of issuer {number} of 2 in DIR" for number in (1, 2)),
    ]


def test_a_node_is_asked_for_many_at_once(house: House, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    read = house.chain.read_records

    def read_records(batches: Any, at: Any = None) -> Any:
        asked.append(len(batches))
        return read(batches, at)

    monkeypatch.setattr(house.chain, "read_records", read_records)
    monkeypatch.setattr("registry.service.chainreading._AT_ONCE", 2)
    assert audit(house.chain, folder).exit_code == 0
    assert asked == [2, 1]


def test_the_same_audit_gives_the_same_report(house: House, folder: Path) -> None:
    leaf_files(folder)[0].unlink()
    first, second = (report_to_json(audit(house.chain, folder)) for _ in range(2))
    assert json.dumps(first) == json.dumps(second)
    assert first["result"] == "findings"
    assert first["block"]["number"] == house.chain.head().number


def test_without_material_only_the_chain_is_audited(house: House) -> None:
    report = audit(house.chain)
    assert (report.exit_code, report.material, report.leaves) == (0, None, 0)


def test_an_empty_contract(tmp_path: Path) -> None:
    empty = open_house(tmp_path)
    assert publish(empty, tmp_path / "published") == Publication(0, 0, True)
    report = audit(empty.chain, tmp_path / "published")
    assert (report.exit_code, report.findings) == (3, ())
    assert "Nothing was audited" in report.incomplete[0]  # there may be events that the node does not show
    named = audit(empty.chain, tmp_path / "published", issuers={b"\x01" * 20})
    assert (named.exit_code, named.findings) == (3, ())
    assert "0x0101010101010101010101010101010101010101 has anchored nothing" in named.incomplete[0]
    empty.close()


# --- publishing -----------------------------------------------------------------------------------------------------


def test_publishing_again_writes_nothing(house: House, folder: Path) -> None:
    assert publish(house, folder) == Publication(3, 0, False)


def test_only_what_is_new_is_written(house: House, folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in leaf_files(folder)}
    issuer = house.issuers.look_up("uni")
    house.issue(issuer, 1, "new")
    house.batching.seal(issuer)
    assert publish(house, folder) == Publication(3, 0, False)  # not final yet
    house.settle()
    house.settle()
    assert publish(house, folder) == Publication(4, 1, True)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_a_cut_off_file_is_written_again(house: House, folder: Path) -> None:
    [cut, *_] = leaf_files(folder)
    cut.write_bytes(cut.read_bytes()[:40])
    assert publish(house, folder).written == 1
    assert audit(house.chain, folder).exit_code == 0


def test_changed_leaves_are_not_published(house: House, tmp_path: Path) -> None:
    with house.database.write() as connection:
        connection.execute(batches.update().values(leaves=b"\0" * 160))
    with pytest.raises(ConflictError, match="not those that were anchored"):
        publish(house, tmp_path / "published")


def test_the_format_is_the_documented_one(tmp_path: Path) -> None:
    """docs/spec/published.md, example."""
    text = (Path(__file__).parents[2] / "docs" / "spec" / "published.md").read_text(encoding="utf-8")
    example = text.split("```json\n")[1].split("\n```")[0]
    (tmp_path / "registry.json").write_text(example)
    [batch] = FolderMaterial(tmp_path).listing().batches
    leaves = [sha256(b"\0" + sha256(b"%d" % number).digest()).digest() for number in range(2)]
    assert packed_root(b"".join(leaves)) == batch.key.root
    assert leaves_path(batch.key) in text
    assert all(leaf.hex()[:8] in text and leaf.hex()[-8:] in text for leaf in leaves)


# --- frauds in the material -----------------------------------------------------------------------------------------


def test_leaves_that_are_withheld(house: House, folder: Path) -> None:
    leaf_files(folder)[0].unlink()
    report = audit(house.chain, folder)
    assert (codes(report), report.exit_code) == (["leaves_missing"], 1)


def test_a_batch_that_is_withheld(house: House, folder: Path) -> None:
    bend(folder, lambda document: document["batches"].pop())
    assert codes(audit(house.chain, folder)) == ["leaves_missing"]


def test_leaves_that_were_exchanged(house: House, folder: Path) -> None:
    file = leaf_files(folder)[0]
    file.write_bytes(file.read_bytes()[::-1])
    assert codes(audit(house.chain, folder)) == ["root_mismatch"]


@pytest.mark.parametrize("size", [0, 31, 160 - 32, 160 + 1, 10_000_000])
def test_leaves_of_another_length(house: House, folder: Path, size: int) -> None:
    [file] = [path for path in leaf_files(folder) if path.stat().st_size == 160][:1]
    file.write_bytes(b"\0" * size)
    assert codes(audit(house.chain, folder)) == ["leaves_malformed"]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("size", 6, ["size_differs"]),
        ("first", 77, ["leaves_missing", "first_differs"]),
        ("root", "55" * 32, ["leaves_missing", "not_on_chain"]),
        ("issuer", "0x" + "55" * 20, ["leaves_missing", "not_on_chain"]),
    ],
)
def test_a_listing_that_lies(house: House, folder: Path, name: str, value: Any, code: list[str]) -> None:
    bend(folder, lambda document: document["batches"][0].__setitem__(name, value))
    assert codes(audit(house.chain, folder)) == code


def void_one(house: House) -> None:
    batch = house.batching.page()[0]
    issuer = house.issuers.look_up("uni")
    house.chain.mine()
    house.chain._apply(
        house.chain.tip, RevokeBatch(issuer.address, batch.root, batch.first), issuer.address, b"\7" * 32
    )


def test_a_voided_batch(house: House, folder: Path) -> None:
    void_one(house)
    assert codes(audit(house.chain, folder)) == ["voided_batch_served"]
    house.settle()
    assert publish(house, folder) == Publication(3, 0, True)
    assert codes(audit(house.chain, folder)) == []


def test_another_contract(house: House, folder: Path) -> None:
    bend(folder, lambda document: document.update(contract="0x" + "55" * 20))
    assert codes(audit(house.chain, folder)) == ["other_chain"]


def test_a_batch_that_is_newer_than_the_audit(house: House, folder: Path) -> None:
    """The chain is read first: what is anchored and published meanwhile is no fraud."""
    material = FolderMaterial(folder)
    before = material.listing

    def publishes_meanwhile() -> Any:
        house.chain.foreign_anchor(house.issuers.look_up("uni").address, packed_root(b"\7" * 32), 1)
        new = {"issuer": "0x" + house.issuers.look_up("uni").address.hex(), "first": 8, "size": 1}
        entry = {**new, "root": packed_root(b"\7" * 32).hex(), "state": "anchored"}
        bend(folder, lambda document: document["batches"].append(entry))
        return before()

    material.listing = publishes_meanwhile  # type: ignore[method-assign]
    assert Auditing([NamedChain("node", house.chain)], [material]).run().findings == ()


# --- hostile material -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff\xfe", b"[]", b"{", b'{"type":1}', b'{"a":1,"a":2}', b"[" * 100_000, b'"\\ud800"',
        b'{"type":"PublishedBatches","version":1,"chain":"eip155:1","contract":"0x00","batches":[]}',
    ],
)  # fmt: skip
def test_a_listing_that_cannot_be_read(house: House, folder: Path, content: bytes) -> None:
    (folder / "registry.json").write_bytes(content)
    assert codes(audit(house.chain, folder)) == ["material_malformed"]


@pytest.mark.parametrize(
    ("name", "value"), [("size", 0), ("size", 2**60), ("first", -1), ("first", 1.0), ("state", "x")]
)
def test_a_batch_that_cannot_be_read(house: House, folder: Path, name: str, value: Any) -> None:
    bend(folder, lambda document: document["batches"][0].__setitem__(name, value))
    assert codes(audit(house.chain, folder)) == ["material_malformed"]


def test_links_are_not_followed(house: House, folder: Path, tmp_path: Path) -> None:
    file = leaf_files(folder)[0]
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert codes(audit(house.chain, folder)) == ["material_malformed"]


def test_a_pipe_does_not_stop_the_audit(house: House, folder: Path) -> None:
    file = leaf_files(folder)[0]
    file.unlink()
    os.mkfifo(file)
    assert codes(audit(house.chain, folder)) == ["material_malformed"]


def test_no_folder_is_not_clean(house: House, tmp_path: Path) -> None:
    for place in (tmp_path / "nowhere", tmp_path):
        report = audit(house.chain, place)
        assert (report.exit_code, len(report.incomplete)) == (3, 1)


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], str]]:
    servers = []

    def start(handler: Handler) -> str:
        class Request(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                handler(self)

            def log_message(self, *_: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Request)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def answering(folder: Path, status: int = 200, length: int | None = None, only: str = "", **headers: str) -> Handler:
    """Serves a folder; what ends with ``only`` with another status, length or header."""

    def handle(request: http.server.BaseHTTPRequestHandler) -> None:
        path = folder / request.path.lstrip("/")
        body = path.read_bytes() if path.is_file() else b""
        bent = bool(only) and request.path.endswith(only)
        request.send_response(status if bent else 200 if path.is_file() else 404)
        request.send_header("Content-Length", str(length if bent and length is not None else len(body)))
        for name, value in headers.items() if bent else ():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return handle


def test_a_web_server(house: House, folder: Path, serve: Callable[[Handler], str]) -> None:
    report = audit(house.chain, serve(answering(folder)) + "/")
    assert (report.exit_code, report.leaves) == (0, 13)
    assert report.material == audit(house.chain, folder).material


@pytest.mark.parametrize("only", [".json", ".bin"])
@pytest.mark.parametrize(
    "bent",
    [{"status": 302, "Location": "/elsewhere"}, {"status": 500}, {"length": 10**9}],
    ids=["redirect", "error", "longer than it is"],
)
def test_a_web_server_that_does_not_answer_rightly(
    house: House, folder: Path, serve: Callable[[Handler], str], only: str, bent: Any
) -> None:
    """Nothing is learnt, so nothing is found for or against it; and it is not clean."""
    report = audit(house.chain, serve(answering(folder, only=only, **bent)))
    assert (report.findings, report.exit_code) == ((), 3)


def test_a_web_server_that_cuts_off(house: House, folder: Path, serve: Callable[[Handler], str]) -> None:
    assert set(codes(audit(house.chain, serve(answering(folder, only=".bin", length=7))))) == {"leaves_malformed"}


def test_a_web_server_that_compresses(house: House, folder: Path, serve: Callable[[Handler], str]) -> None:
    report = audit(house.chain, serve(answering(folder, only=".bin", Content_Encoding="gzip")))
    assert set(codes(report)) == {"material_malformed"}


def test_a_web_server_with_neither(house: House, tmp_path: Path, serve: Callable[[Handler], str]) -> None:
    report = audit(house.chain, serve(answering(tmp_path)))
    assert (report.findings, report.exit_code) == ((), 3)


def test_a_folder_that_may_not_be_searched(house: House, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may search any, so the system is played here."""
    opened, looked = os.open, os.stat

    def refuse(call: Any) -> Any:
        def refused(path: Any, *rest: Any, **more: Any) -> Any:
            if str(path).endswith("registry.json"):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return call(path, *rest, **more)

        return refused

    monkeypatch.setattr(os, "open", refuse(opened))
    monkeypatch.setattr(os, "stat", refuse(looked))
    monkeypatch.setattr(os, "lstat", refuse(os.lstat))
    report = audit(house.chain, folder)
    assert (report.exit_code, report.findings) == (3, ())
    assert f"registry.json in {folder} cannot be read: Permission denied." in report.incomplete


def test_a_web_server_that_is_down(house: House) -> None:
    assert audit(house.chain, "http://127.0.0.1:9").exit_code == 3


def test_a_web_server_that_trickles(house: House, folder: Path, serve: Callable[[Handler], str]) -> None:
    gone = threading.Event()

    def trickle(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not gone.wait(0.02):
            try:
                request.wfile.write(b" ")
            except OSError:
                return

    material = WebMaterial(serve(trickle), timeout=0.1)
    report = Auditing([NamedChain("node", house.chain)], [_ListedElsewhere(folder, material)]).run()
    gone.set()
    assert (report.findings, report.exit_code) == ((), 3)
    assert "too slow" in report.incomplete[0]


class _ListedElsewhere:
    def __init__(self, folder: Path, leaves: WebMaterial) -> None:
        self.name = "bent"
        self.listing = FolderMaterial(folder).listing
        self.leaves = leaves.leaves
        self.own_document = FolderMaterial(folder).own_document


@pytest.mark.parametrize("address", ["ftp://example.org", "http://", "http://[", "https://example.org/?x=1"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(InputError):
        open_material(address)


# --- a registry's API -----------------------------------------------------------------------------------------------


def pages(house: House, change: Callable[[Any], None] = lambda _: None) -> Handler:
    """What GET /v1/batches and …/leaves answer, in pages of two."""
    names = {issuer.id: issuer for issuer in house.issuers.all()}
    network = {"chain": "eip155:31337", "contract": "0x" + house.chain.contract.hex(), "name": "fake"}

    def handle(request: http.server.BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        status, body = 404, b""
        if path == "/v1/batches":
            after = int(query.partition("cursor=")[2] or 0)
            found = house.batching.page(None, after, 2)
            items = [
                {
                    "root": batch.root.hex(), "first": batch.first, "size": batch.size, "state": str(batch.state),
                    "anchor": {"issuer": "0x" + names[batch.issuer_id].address.hex(), "network": network},
                }
                for batch in found
            ]  # fmt: skip
            page = {"network": network, "batches": items, "next": str(found[-1].id) if len(found) == 2 else None}
            change(page)
            status, body = 200, json.dumps(page).encode()
        elif path == "/v1/issuers":
            items = [
                {
                    "name": issuer.name, "did": issuer.did, "address": "0x" + issuer.address.hex(), "signs": "none",
                    "policyPin": {"statusBase": issuer.status_base},
                }
                for issuer in names.values()
            ]  # fmt: skip
            status, body = 200, json.dumps({"issuers": items}).encode()
        elif path.startswith("/v1/batches/"):
            _, _, _, root, first, _ = path.split("/")
            status, body = 200, house.batching.leaves(house.batching.look_up(bytes.fromhex(root), int(first))[0])
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return handle


def test_a_registrys_api(house: House, serve: Callable[[Handler], str]) -> None:
    report = audit(house.chain, serve(pages(house)))
    assert (set(codes(report)), report.exit_code, report.leaves) == ({"lists_unpublished"}, 0, 13)


def test_a_batch_that_the_registry_has_not_seen_on_chain_yet(house: House, serve: Callable[[Handler], str]) -> None:
    def submitted(page: Any) -> None:
        for batch in page["batches"]:
            batch.update(state="SUBMITTED", anchor=None)

    assert audit(house.chain, serve(pages(house, submitted))).exit_code == 0


def test_a_displaced_batch_is_no_publication(house: House, serve: Callable[[Handler], str]) -> None:
    def displaced(page: Any) -> None:
        page["batches"].append({**page["batches"][0], "root": "55" * 32, "state": "DISPLACED", "anchor": None})

    assert audit(house.chain, serve(pages(house, displaced))).exit_code == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda page: page.update(network=None),
        lambda page: page.update(network={"chain": "x", "contract": "y"}),
        lambda page: page.update(network={}),
        lambda page: page["network"].update(contract="0x" + os.urandom(20).hex()),
        lambda page: page.update(batches={}),
        lambda page: page.update(batches=["x"]),
        lambda page: page.update(batches=[], next="again"),
        lambda page: page.update(next=5),
        lambda page: page["batches"][0].update(root=None),
        lambda page: page["batches"][0].update(size=True),
        lambda page: page["batches"][0].update(anchor=None),
        lambda page: page["batches"][0]["anchor"].update(network={**page["network"], "chain": "eip155:1"}),
        lambda page: page["batches"][0]["anchor"].update(network=None),
    ],
)
def test_an_api_that_misleads(house: House, serve: Callable[[Handler], str], change: Callable[[Any], None]) -> None:
    assert codes(audit(house.chain, serve(pages(house, change)))) == ["material_malformed"]


def anchored_at(house: House, **place: Any) -> Callable[[Any], None]:
    """What the API says of the first batch's anchor, where the chain has it but for ``place``."""
    told = next(event for block in house.chain.blocks for event in block.events if isinstance(event, BatchAnchored))
    moment = house.chain.blocks[told.block_number].ref.timestamp

    def change(page: Any) -> None:
        for batch in page["batches"]:
            if batch["root"] == told.root.hex():
                batch["anchor"] |= {
                    "anchoredAt": time_text(moment), "blockNumber": told.block_number,
                    "transaction": "0x" + told.transaction.hex(), "blockHash": "0x" + told.block_hash.hex(), **place,
                }  # fmt: skip

    return change


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({}, set()),
        ({"transaction": "0x" + "55" * 32}, {"published_location_differs"}),
        ({"anchoredAt": "2020-01-01T00:00:00Z"}, {"published_location_differs"}),
        ({"transaction": "0x" + "55" * 32, "blockNumber": None}, set()),
    ],
)
def test_an_api_that_names_another_place_of_an_anchor(
    house: House, serve: Callable[[Handler], str], place: dict[str, Any], expected: set[str]
) -> None:
    report = audit(house.chain, serve(pages(house, anchored_at(house, **place))))
    assert set(codes(report)) - {"lists_unpublished"} == expected


def test_an_api_that_names_a_place_that_may_change_yet(house: House, serve: Callable[[Handler], str]) -> None:
    bend = anchored_at(house, transaction="0x" + "55" * 32)

    def young(page: Any) -> None:
        bend(page)
        for batch in page["batches"]:
            batch["state"] = "ANCHORED"

    assert set(codes(audit(house.chain, serve(pages(house, young))))) == {"lists_unpublished"}


def test_an_api_that_says_nothing_of_a_voided_batch(house: House, serve: Callable[[Handler], str]) -> None:
    void_one(house)
    assert set(codes(audit(house.chain, serve(pages(house))))) == {"voided_batch_served", "lists_unpublished"}


# --- nodes ----------------------------------------------------------------------------------------------------------


def test_nodes_that_agree(house: House, folder: Path) -> None:
    assert audit(house.chain, folder, others=(house.chain,)).exit_code == 0


def test_a_node_on_another_branch(house: House) -> None:
    other = copy.copy(house.chain)
    other.blocks = list(house.chain.blocks)
    other.reorganise(2, keep=False, blocks=2)
    assert set(codes(audit(house.chain, others=(other,)))) == {"nodes_disagree"}


def test_a_node_with_another_block_that_shows_no_more_of_it(house: House) -> None:
    other = copy.copy(house.chain)
    other.blocks = list(house.chain.blocks)
    other.reorganise(2, keep=False, blocks=2)

    def refuse(name: str, _when: str) -> None:
        if name == "read_events":
            raise ChainUnreachable("it has not got that block or its state")

    other.fault = refuse
    report = audit(house.chain, others=(other,))
    assert codes(report) == ["nodes_disagree"]
    assert "not got that block" in report.incomplete[0]


def test_a_second_node_that_is_down(house: House) -> None:
    other = FakeChain(house.clock)
    other.unreachable = True
    report = audit(house.chain, others=(other,))
    assert (report.findings, report.exit_code) == ((), 3)


def test_a_node_that_is_down(house: House, folder: Path) -> None:
    house.chain.unreachable = True
    report = audit(house.chain, folder)
    assert (report.findings, report.exit_code, report.block) == ((), 3, None)


def test_a_reorganisation_while_the_chain_is_read(house: House) -> None:
    house.chain.fault = lambda name, when: (
        house.chain.reorganise(1) if (name, when) == ("read_events", "after") else None
    )
    assert audit(house.chain).exit_code == 3


def test_another_code(house: House) -> None:
    def refuse(name: str, _when: str) -> None:
        if name == "check":
            raise WrongContract("the code hash is another one", "for the operator")

    house.chain.fault = refuse
    report = audit(house.chain)
    assert (codes(report), report.exit_code, len(report.incomplete)) == (["code_hash_differs"], 1, 1)
    assert report.findings[0].observed == "the code hash is another one"
    house.chain.fault = lambda _name, _when: None
    other = copy.copy(house.chain)
    other.fault = refuse
    assert codes(audit(house.chain, others=(other,))) == ["nodes_disagree"]


def test_a_node_without_history(house: House, folder: Path) -> None:
    """The material names the batches, the state confirms them: that is no fault, and it is said."""
    for block in house.chain.blocks:
        block.events.clear()
    report = audit(house.chain, folder)
    assert (codes(report), report.exit_code, report.leaves) == (["history_incomplete"] * 2, 0, 13)


def give_up_events(house: House) -> int:
    """Those of the first batch and all before it; the first index that can still be seen anchored."""
    first = min((item for item in house.chain.read_events(0, house.chain.head().number) if is_anchor(item)), key=place)
    house.chain.events_since = first.block_number + 1
    return first.size


def is_anchor(event: Any) -> bool:
    return isinstance(event, BatchAnchored)


def place(event: Any) -> int:
    return int(event.block_number)


def test_a_node_that_says_that_it_gave_old_events_up(house: House, folder: Path, tmp_path: Path) -> None:
    """What is published stands in for them, as the state confirms it."""
    give_up_events(house)
    file = StateFile(tmp_path / "state.json", write_if_changed)
    for _ in range(2):
        state = file.load(house.chain.chain_id, house.chain.contract)
        report = audit(house.chain, folder, state=state, file=file)
        file.save(state)
        assert (set(codes(report)), report.incomplete) == ({"history_incomplete"}, ())
        assert (report.exit_code, report.leaves) == (0, 13)
        assert report.findings[0].observed == f"those since block {house.chain.events_since}"


def test_without_a_publication_the_first_batches_are_not_known(house: House) -> None:
    size = give_up_events(house)
    report = audit(house.chain)
    assert (set(codes(report)), report.exit_code) == ({"history_incomplete"}, 3)
    assert f"with the indexes 0 to {size - 1} are not known" in report.incomplete[0]
    house.chain.events_since = house.chain.head().number + 1
    report = audit(house.chain)
    assert (codes(report), report.exit_code) == (["history_incomplete"], 3)


def test_a_batch_that_is_withheld_is_found_all_the_same(house: House, folder: Path) -> None:
    give_up_events(house)
    bend(folder, lambda document: document["batches"].pop(0))
    bend(folder, lambda document: document["batches"].pop(0))
    assert "sequence_gap" in codes(audit(house.chain, folder))


def test_a_second_node_that_gave_old_events_up(house: House, folder: Path) -> None:
    other = copy.copy(house.chain)
    other.events_since = house.chain.head().number
    chains = [NamedChain("node", house.chain), NamedChain("second", other)]
    report = Auditing(chains, [open_material(str(folder))]).run()
    assert (set(codes(report)), report.incomplete, report.exit_code) == ({"history_incomplete"}, (), 0)
    assert {finding.where.source for finding in report.findings} == {"second"}


def test_a_revocation_taken_back(house: House) -> None:
    house.chain.mine()
    house.chain.tip.state.revoked.clear()
    assert codes(audit(house.chain)) == ["revocation_undone"]


# --- bundles --------------------------------------------------------------------------------------------------------


def test_bundles_that_are_none(house: House, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_bytes(b"\xff{")
    report = audit(house.chain, bundles=[tmp_path / "one.json"])
    assert codes(report) == ["credential_unreadable"]
    report = audit(house.chain, bundles=[tmp_path / "nowhere.json"])
    assert (report.findings, report.exit_code) == ((), 3)


def test_a_changed_bundle(house: House, folder: Path, tmp_path: Path) -> None:
    _, data = next(iter(house.bundles.all()))
    (tmp_path / "one.json").write_bytes(data.replace("Zoë".encode(), b"Eve"))
    report = audit(house.chain, folder, bundles=[tmp_path / "one.json"])
    assert codes(report) == ["credential_not_in_batch"]


def test_the_cross_check_can_fail(house: House, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.service.auditmaterial.merklelib_root", lambda _: b"\0" * 32)
    assert codes(audit(house.chain, folder, cross_check=True)) == ["oracle_disagrees"] * 3


# --- the registry's own tables --------------------------------------------------------------------------------------


def audit_inside(house: House) -> AuditReport:
    return Auditing([NamedChain("node", house.chain)]).run(
        lambda chain, view, declared, _: audit_database(house.database, chain, view, declared)
    )


def tamper(house: House, statement: Any) -> None:
    with house.database.write() as connection:
        assert connection.execute(statement).rowcount


def at(index: int) -> Any:
    return credentials.c.credential_index == index


def of_uni(index: int) -> Any:
    return (credentials.c.issuer_id == 1) & at(index)


OTHER_LISTS = "https://other.example/issuers/uni/status"
claimed_by_uni = chain_claims.c.issuer == b"uni".ljust(20, b"\1")  # see FakeKeys


def test_a_clean_database(house: House) -> None:
    issuer = house.issuers.look_up("uni")
    suspended, erased, _revoked, waiting = [item for item, _ in house.bundles.all(issuer)][:4]
    house.status.request(issuer, suspended, "suspend")
    house.status.erase(issuer, erased)
    for _ in range(3):
        house.settle()
    house.status.request(issuer, suspended, "reinstate")
    house.status.request(issuer, waiting, "suspend")
    house.issue(issuer, 2, "open")
    assert codes(audit_inside(house)) == []
    for _ in range(3):
        house.settle()
        assert codes(audit_inside(house)) == []


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (credentials.update().where(of_uni(1)).values(content=b"{}"), ["row_changed"]),
        (credentials.update().where(of_uni(1)).values(salt=b"\7" * 32), ["row_changed"]),
        (credentials.update().where(of_uni(1)).values(credential_index=99), ["row_index_changed", "row_missing"]),
        (credentials.update().where(of_uni(1)).values(content=None, salt=None), ["erased_without_tombstone"]),
        (credentials.update().where(of_uni(1)).values(state="ERASED"), ["erasure_incomplete"]),
        (credentials.delete().where(of_uni(1)), ["row_missing"]),
        (batches.update().where(batches.c.id == 1).values(leaves=b"\7" * 160), ["stored_leaves_differ"]),
        (batches.update().where(batches.c.id == 1).values(transaction=b"\7" * 32), ["anchor_location_differs"]),
        (batches.update().where(batches.c.id == 1).values(state="DISPLACED"), ["foreign_batch"]),
        (status_requests.update().values(action="suspend"), ["status_not_on_chain", "status_not_recorded"]),
        (status_requests.delete(), ["status_not_recorded"]),
        (status_requests.update().values(state="SENT", requested_at=5, final_block=None), []),  # the chain has it
        (status_requests.update().values(state="SENT", requested_at=5), ["status_not_recorded"]),  # final, and sent
        (status_requests.update().values(state="WAITING", final_block=None), ["status_not_recorded"]),  # in a call
        (status_requests.update().values(state="SUPERSEDED"), ["status_not_recorded"]),  # by none that came later
        (status_requests.update().values(state="SOON"), ["database_unreadable"]),
        (credentials.update().where(of_uni(1)).values(leaf=b"\7" * 32), ["row_changed"]),
        (credentials.update().where(of_uni(1)).values(external_id="urn:other"), ["row_changed"]),
        (credentials.update().where(of_uni(7)).values(issuer_id=2), ["row_changed"]),
        (credentials.update().where(of_uni(1)).values(form="commitment"), ["row_changed"]),
        (credentials.update().where(of_uni(1)).values(form="odd"), ["row_changed"]),
        (credentials.update().where(of_uni(1)).values(state="RESERVED"), ["row_changed"]),
        (
            credentials.update().where(of_uni(1)).values(form="commitment", content=None, salt=None),
            ["erased_without_tombstone"],  # it has a name, and its index was never reserved
        ),
        (
            credentials.update()
            .where(of_uni(1))
            .values(form="commitment", content=None, reserved_until=5, external_id=None),
            ["erasure_incomplete"],
        ),
        (batches.update().where(batches.c.id == 1).values(first=77), ["batch_other_root"]),
        (
            issuers.update().where(issuers.c.id == 1).values(address=b"\7" * 20),
            ["issuer_changed", "status_not_on_chain"],
        ),
        (did_documents.update().where(did_documents.c.id == 1).values(content=b"{}"), ["issuer_changed"]),
        (credentials.update().where(of_uni(1)).values(state="DEAD"), ["database_unreadable"]),
        (
            credentials.update().where(of_uni(1)).values(state="RESERVED", content=None, salt=None),
            ["erased_without_tombstone"],
        ),
        (batches.update().where(batches.c.id == 1).values(anchored_at=5), ["anchor_location_differs"]),
        (batches.update().where(batches.c.id == 1).values(block_hash=None), ["anchor_location_differs"]),
        (batches.update().where(batches.c.id == 1).values(block_number=10**9), ["anchor_location_differs"]),
        (batches.update().where(batches.c.id == 1).values(size=2**62), ["database_unreadable"]),
        (batches.update().where(batches.c.id == 1).values(first=-1), ["database_unreadable"]),
        (issuers.update().where(issuers.c.id == 1).values(did="did:web:other.example"), ["issuer_changed"]),
        (issuers.update().where(issuers.c.id == 1).values(next_index=2), ["issuer_changed"]),
        (issuers.update().where(issuers.c.id == 1).values(address=b"\7"), ["database_unreadable"]),
        (chain_status.delete(), ["chain_copy_differs"]),
        (chain_status.update().values(set_mask=b"\xff" * 32), ["chain_copy_differs"]),
        (chain_status.update().values(purpose="other"), ["database_unreadable", "chain_copy_differs"]),
        (chain_batches.update().values(revoked_block=1), ["chain_copy_differs", "chain_copy_differs"]),
        (chain_batches.delete(), ["chain_copy_differs", "chain_copy_differs"]),
        (
            chain_batches.update().where(chain_batches.c.first == 0).values(root=b"\7"),
            ["database_unreadable"] * 2 + ["chain_copy_differs"] * 2,
        ),
        (issuers.update().where(issuers.c.id == 1).values(status_base=OTHER_LISTS), ["issuer_changed"]),
        (issuers.update().where(issuers.c.id == 1).values(name="another"), ["issuer_changed"]),
        (issuers.update().where(issuers.c.id == 1).values(mode="self"), ["issuer_changed"]),
        (issuers.update().where(issuers.c.id == 1).values(signs="none"), ["issuer_changed"]),
        (issuers.update().where(issuers.c.id == 1).values(mode="nobody"), ["database_unreadable"]),
        (issuers.update().where(issuers.c.id == 1).values(document=b"{"), ["database_unreadable"]),
        (batches.update().where(batches.c.id == 1).values(state="SEALED"), ["anchor_location_differs"]),
        (operations.update().where(operations.c.batch_id == 1).values(batch_id=None), ["row_missing"]),
        (operations.update().where(operations.c.batch_id == 1).values(batch_id=2), ["row_missing"] * 2),
        (status_requests.update().values(issuer_id=2), ["row_changed"]),
        (did_documents.delete().where(did_documents.c.id == 1), ["issuer_changed"]),
        (did_documents.update().where(did_documents.c.id == 1).values(issuer_id=2), ["issuer_changed"]),
        (chain_claims.delete(), ["chain_copy_differs"] * 2),
        (chain_claims.update().values(claimed_at=5), ["chain_copy_differs"] * 2),
        (chain_claims.update().where(claimed_by_uni).values(document_hash=b"\7" * 32), ["chain_copy_differs"]),
        (
            chain_claims.update().where(claimed_by_uni).values(document_hash=b"\7"),
            ["database_unreadable", "chain_copy_differs"],
        ),
        (chain_status.update().values(block_number=chain_status.c.block_number - 1), ["chain_copy_differs"]),
        (chain_blocks.update().values(timestamp=chain_blocks.c.timestamp + 60), ["chain_copy_differs"]),
    ],
)
def test_tables_that_were_changed(house: House, statement: Any, expected: list[str]) -> None:
    tamper(house, statement)
    assert codes(audit_inside(house)) == expected


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE batches SET leaves = 99999999999999 WHERE id = 1",  # the driver would make so many bytes of it
        "UPDATE batches SET root = 32 WHERE id = 1",
        "UPDATE credentials SET credential_index = 'first' WHERE id = (SELECT min(id) FROM credentials)",
        "UPDATE chain_status SET word = 99999999999999",
    ],
)
def test_values_of_other_types(house: House, statement: str) -> None:
    with house.database.write() as connection:
        assert connection.exec_driver_sql(statement).rowcount
    assert set(codes(audit_inside(house))) & {"database_unreadable", "stored_leaves_differ"}


def test_a_revocation_that_was_asked_for_and_taken_back_in_silence(house: House) -> None:
    """Nothing supersedes a revocation but a withdrawal, and that leaves a tombstone."""
    issuer = house.issuers.look_up("uni")
    house.status.request(issuer, list(house.bundles.all(issuer))[3][0], "revoke")
    request = status_requests.c.state == "WAITING"
    tamper(house, status_requests.update().where(request).values(state="SUPERSEDED", requested_at=house.clock()))
    assert codes(audit_inside(house)) == []  # such a row could be a moment old
    tamper(house, status_requests.update().where(status_requests.c.state == "SUPERSEDED").values(requested_at=5))
    assert codes(audit_inside(house)) == ["status_delayed"]


def test_a_batch_that_was_never_to_be_anchored(house: House) -> None:
    """A row that somebody wrote: no call of the contract's belongs to it."""
    with house.database.write() as connection:
        columns = 'issuer_id, size, leaves, sealed_at, anchored_at, block_number, block_hash, "transaction"'
        connection.exec_driver_sql(
            f"INSERT INTO batches (first, root, state, {columns}) "  # noqa: S608 - constants
            f"SELECT 900, x'{'07' * 32}', 'FINAL', {columns} FROM batches WHERE id = 1"
        )
    found = ["anchor_transaction_elsewhere", "stored_leaves_differ", "row_missing", "row_missing"]
    assert codes(audit_inside(house)) == found


def test_a_batch_that_is_made_to_wait_for_good(house: House) -> None:
    """A worker that has read a day's more of the chain has seen its anchor."""
    wait(house)
    house.clock.advance(90_000)
    house.chain.mine()
    assert codes(audit_inside(house)) == []  # it may have been switched off for so long
    house.settle()
    assert codes(audit_inside(house)) == []  # and then sees to it
    wait(house)
    assert codes(audit_inside(house)) == ["anchor_location_differs"]
    wait(house, "AWAITING_SIGNATURE")
    assert codes(audit_inside(house)) == ["anchor_location_differs"]


@pytest.mark.parametrize(("gone", "missing"), [((8,), 8), ((8, 9), 8), ((9,), 9)])
def test_what_waited_for_its_batch_and_was_deleted(house: House, gone: tuple[int, ...], missing: int) -> None:
    house.issue(house.issuers.look_up("uni"), 2, "open")
    for index in gone:
        tamper(house, credentials.delete().where(of_uni(index)))
    [finding] = audit_inside(house).findings
    assert (finding.code, finding.where.index) == ("row_missing", missing)


def test_a_batch_that_waits_and_was_changed(house: House) -> None:
    """Its rows are what was sealed, whether it is anchored or not."""
    house.issue(house.issuers.look_up("uni"), 2, "new")
    house.batching.seal(house.issuers.look_up("uni"))
    assert codes(audit_inside(house)) == []
    tamper(house, credentials.update().where(of_uni(9)).values(salt=b"\7" * 32))
    assert codes(audit_inside(house)) == ["row_changed"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"salt": b"\7" * 32}, ["row_changed"]),
        ({"leaf": b"\7" * 32}, ["row_changed"]),
        ({"external_id": "urn:other"}, ["row_changed"]),
        ({"credential_index": 99}, ["row_missing"]),
        ({"issuer_id": 2, "credential_index": 99}, ["issuer_changed", "row_missing"]),
        ({"state": "RESERVED"}, ["row_changed", "erasure_incomplete"]),
        ({"state": "ERASED"}, ["erasure_incomplete"]),
        ({"state": "DEAD"}, ["database_unreadable"]),
    ],
)
def test_what_waits_for_its_batch_and_was_changed(house: House, change: dict[str, Any], expected: list[str]) -> None:
    house.issue(house.issuers.look_up("uni"), 3, "open")
    house.issue(house.issuers.look_up("school"), 1, "open")
    house.reserving.reserve(house.issuers.look_up("uni"), 2)
    assert codes(audit_inside(house)) == []
    tamper(house, credentials.update().where(of_uni(9)).values(**change))
    assert codes(audit_inside(house)) == expected


def test_what_follows_a_reorganisation_hides_nothing_of_what_was_before(house: House) -> None:
    """What was read up to the fork counts on either branch."""
    house.settle()
    for _ in range(3):
        house.chain.mine()
        house.settle()
    house.chain.reorganise(2)
    assert codes(audit_inside(house)) == []
    tamper(house, chain_status.delete())
    assert codes(audit_inside(house)) == ["chain_copy_differs"]


def test_a_reorganisation_that_the_registry_has_not_seen_yet(tmp_path: Path) -> None:
    """What was not final is looked at anew by the worker; if nobody lets it, that is a finding."""
    house = open_house(tmp_path, confirmations=3)
    issuer = house.hosting.create("uni")
    for _ in range(4):
        house.settle()
        house.chain.mine()
    [first, _] = house.issue(issuer, 2)
    house.batching.seal(issuer)
    house.settle()
    house.status.request(issuer, first, "revoke")
    house.settle()
    assert house.batch_states() == ["ANCHORED"]
    house.chain.reorganise(2, keep=False)
    assert codes(audit_inside(house)) == []
    house.clock.advance(90_000)
    house.chain.mine()
    assert set(codes(audit_inside(house))) == {"anchor_lost", "status_not_on_chain"}
    for _ in range(3):
        house.settle()
        assert codes(audit_inside(house)) == []
    house.close()


def test_a_node_that_gave_its_events_up_makes_no_anchor_lost(house: House) -> None:
    """The state has the records."""
    house.chain.pruned = True
    issuers_ = house.own_audit.addresses()
    report = Auditing([NamedChain("node", house.chain)], expected=issuers_).run(house.own_audit)
    assert set(codes(report)) == {"sequence_gap", "history_incomplete"}


def without_references(house: House, *statements: str) -> None:
    with house.database.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount
        connection.commit()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE credentials SET id = 'another' WHERE id IN (SELECT credential_id FROM status_requests)",
        "UPDATE outbox SET operation_id = 999 WHERE id = 1",
        "UPDATE api_keys SET issuer_id = 999",
    ],
)
def test_rows_that_name_what_is_not_there(house: House, statement: str) -> None:
    house.issuers.create_key(house.issuers.look_up("uni"), ["issue"], "a key")
    without_references(house, statement)
    assert "database_unreadable" in codes(audit_inside(house))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("did", "x'fffe'"),
        ("did", "CAST(x'fffe' AS TEXT)"),
        ("did", "'nobody'"),
        ("name", "CAST(x'fffe' AS TEXT)"),
        ("address", "x'07'"),
        ("status_base", "x'fffe'"),
        ("next_index", "'many'"),
        ("created_at", "'long ago'"),
        ("halted", "x'fffe'"),
        ("document", "x'fffe'"),
    ],
)
def test_an_issuer_that_cannot_be_read_hides_nothing_of_the_others(house: House, column: str, value: str) -> None:
    tamper(house, credentials.update().where(credentials.c.issuer_id == 2, at(1)).values(salt=b"\7" * 32))
    without_references(house, f"UPDATE issuers SET {column} = {value} WHERE id = 1")  # noqa: S608 - constants
    report = Auditing([NamedChain("node", house.chain)], expected=house.own_audit.addresses()).run(house.own_audit)
    assert {"database_unreadable", "row_changed"} <= set(codes(report))
    assert set(codes(report)) <= {"database_unreadable", "row_changed", "status_not_recorded"}
    assert report.incomplete == ()


def wait(house: House, state: str = "SEALED") -> None:
    """Makes the first batch one whose anchor was not seen yet."""
    places = dict.fromkeys(("anchored_at", "block_number", "block_hash", "transaction"))
    tamper(house, batches.update().where(batches.c.id == 1).values(state=state, **places))


@pytest.mark.parametrize("state", ["SEALED", "SUBMITTED"])
def test_rows_of_a_batch_that_is_said_to_wait(house: House, state: str) -> None:
    wait(house, state)
    assert codes(audit_inside(house)) == []  # the worker may not have seen it yet
    tamper(house, credentials.update().where(of_uni(1)).values(salt=b"\7" * 32))
    assert codes(audit_inside(house)) == ["row_changed"]


def test_a_revocation_that_is_final_in_the_table_alone(house: House) -> None:
    with house.database.read() as connection:
        name = connection.execute(select(credentials.c.id).where(of_uni(1))).scalar_one()
    for state, block in (("FINAL", None), ("FINAL", 10**9), ("ON_CHAIN", None)):
        tamper(house, status_requests.update().values(credential_id=name, state=state, final_block=block))
        assert codes(audit_inside(house)) == ["status_not_on_chain", "status_not_recorded"]
    tamper(house, status_requests.update().values(state="SENT", requested_at=5))
    assert codes(audit_inside(house)) == ["status_delayed", "status_not_recorded"]


def test_a_reinstatement_that_is_final_in_the_table_alone(house: House) -> None:
    """The chain had the bit clear before it was set, which is no reinstatement."""
    house.status.request(house.issuers.look_up("uni"), name_of(house, 1), "suspend")
    for _ in range(4):
        house.settle()
    assert codes(audit_inside(house)) == []
    with house.database.write() as connection:
        statement = (
            "INSERT INTO status_requests (issuer_id, credential_id, action, state, requested_at, final_block) "
            "SELECT issuer_id, credential_id, 'reinstate', state, requested_at, final_block FROM status_requests "
            "WHERE action = 'suspend'"
        )
        assert connection.exec_driver_sql(statement).rowcount == 1
    assert codes(audit_inside(house)) == ["status_not_on_chain"]


@pytest.mark.parametrize(("action", "row"), [("reinstate", "reinstate"), ("suspend", "suspend")])
def test_requests_for_suspensions_that_were_deleted(house: House, action: str, row: str) -> None:
    for wanted in ("suspend", "reinstate")[: 1 + (action == "reinstate")]:
        house.status.request(house.issuers.look_up("uni"), name_of(house, 1), wanted)
        for _ in range(4):
            house.settle()
    assert codes(audit_inside(house)) == []
    tamper(house, status_requests.delete().where(status_requests.c.action == row))
    [finding] = audit_inside(house).findings
    assert (finding.code, finding.where.index) == ("status_not_recorded", 1)


def name_of(house: House, index: int) -> str:
    with house.database.read() as connection:
        return str(connection.execute(select(credentials.c.id).where(of_uni(index))).scalar_one())


def test_a_batch_with_another_root(house: House) -> None:
    tamper(house, batches.update().where(batches.c.id == 1).values(root=b"\7" * 32))
    assert codes(audit_inside(house)) == ["batch_other_root", "stored_leaves_differ"]


def test_an_anchor_that_was_reorganised_away(house: House) -> None:
    house.chain.reorganise(len(house.chain.blocks) - 1, keep=False)
    assert set(codes(audit_inside(house))) == {"anchor_orphaned", "status_not_on_chain"}


def test_a_batch_of_somebody_else_with_the_issuers_key(house: House) -> None:
    house.chain.foreign_anchor(house.issuers.look_up("uni").address, b"\7" * 32, 4)
    assert codes(audit_inside(house)) == ["foreign_batch"]


# --- the registry's own API, as it is -------------------------------------------------------------------------------


def test_the_real_api(house: House) -> None:
    registry = FakeRegistry(house)
    server = Server(create_app(registry, run_worker=False))
    try:
        issuer = house.issuers.look_up("uni")
        house.issue(issuer, 2, "new")
        house.batching.seal(issuer)  # listed, and not on chain yet
        report = audit(house.chain, server.url)
        assert (report.findings, report.incomplete, report.leaves) == ((), (), 13)
        house.chain.foreign_anchor(house.issuers.look_up("school").address, b"\7" * 32, 4)
        assert codes(audit(house.chain, server.url)) == ["leaves_missing"]
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE credentials SET content = 'text', salt = 5 WHERE credential_index = 1", {"row_changed"}),
        ("UPDATE batches SET root = 'text' WHERE id = 1", {"database_unreadable"}),
        ("UPDATE batches SET size = 'many' WHERE id = 1", {"database_unreadable"}),
        ("UPDATE batches SET leaves = 'text' WHERE id = 1", {"stored_leaves_differ"}),
        (
            "UPDATE credentials SET credential_index = 'x' WHERE credential_index = 1",
            {"database_unreadable", "row_missing"},  # at its place
        ),
        ("UPDATE issuers SET address = 5 WHERE id = 1", {"database_unreadable"}),
        ("UPDATE batches SET state = 'NONE' WHERE id = 1", {"database_unreadable"}),
        ("UPDATE status_requests SET action = 'none'", {"database_unreadable"}),
        (
            "UPDATE credentials SET external_id = CAST(x'fffe' AS TEXT) WHERE credential_index = 1",
            {"database_unreadable"},
        ),
        ("DROP TABLE did_documents", {"database_unreadable"}),
    ],
)
def test_tables_that_hold_what_they_cannot(house: House, statement: str, expected: set[str]) -> None:
    """SQLite keeps anything in any column."""
    with house.database.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        assert connection.exec_driver_sql(statement).rowcount
    report = audit_inside(house)
    assert set(codes(report)) == expected
    assert report.exit_code == 1
    assert not any("\ufffd" in finding.observed for finding in report.findings)  # it may be anybody's name
