"""Audits that remember: what is not read again, what must not have changed, and watching."""

import contextlib
import errno
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from anchors.base import RevokeBatch
from registry.core.audit import BatchKey, Severity, Where, find
from registry.core.errors import InputError
from registry.service.auditing import Auditing, AuditReport, NamedChain
from registry.service.auditmaterial import _turn as turn_size
from registry.service.auditmetrics import AuditMetrics
from registry.service.auditstate import AuditState, StateFile
from registry.service.published import FolderMaterial, Material
from registry.service.watching import Watch, Webhook, changes
from registry.wiring.files import write_if_changed
from support.audits import Prepared, bend, codes, copied, leaf_files, prepare, publish
from support.fake_chain import FakeChain
from support.house import House


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
    publish(house, place)
    return place


class Auditor:
    """One who comes again; ``asked`` counts the questions to the node, ``read`` the leaves that were read."""

    def __init__(self, house: House, folder: Path, place: Path) -> None:
        self.house = house
        self.folder = folder
        self.path = place / "state.json"
        self.file = StateFile(self.path, write_if_changed)
        self.asked: list[str] = []
        self.read: list[int] = []
        house.chain.fault = lambda name, when: self.asked.append(name) if when == "before" else None

    def audit(self, *more: Material) -> AuditReport:
        self.asked.clear()
        self.read.clear()
        chain = self.house.chain
        state = self.file.load(chain.chain_id, chain.contract)
        report = self.run(state, *more)
        changes(state, report)
        self.file.save(state)
        return report

    def run(self, state: AuditState, *more: Material) -> AuditReport:
        materials = [_Counting(self.folder, self.read), *more]
        return Auditing([NamedChain("node", self.house.chain)], materials, state=state, file=self.file).run()


class _Counting(FolderMaterial):
    def __init__(self, folder: Path, read: list[int]) -> None:
        super().__init__(folder)
        self._reads = read

    def leaves(self, key: Any, size: int) -> bytes | None:
        self._reads.append(size)
        return super().leaves(key, size)


@pytest.fixture
def auditor(house: House, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Auditor:
    for module in ("auditmaterial", "chainreading"):
        monkeypatch.setattr(f"registry.service.{module}._AGAIN", 0)  # samples would hide what is not read
    monkeypatch.setattr("registry.service.auditmaterial._turn", lambda _: 0)
    monkeypatch.setattr("registry.service.stamps._YOUNG_NS", 0)  # all files here are younger than any audit's
    return Auditor(house, folder, tmp_path)


# --- only what is new -----------------------------------------------------------------------------------------------


def test_the_second_time_only_what_is_new_is_read(auditor: Auditor) -> None:
    first = auditor.audit()
    assert (len(auditor.read), auditor.asked.count("read_record")) == (3, 3)
    second = auditor.audit()
    assert (auditor.read, auditor.asked.count("read_record"), auditor.asked.count("read_events")) == ([], 0, 0)
    assert second == first
    issuer = auditor.house.issuers.look_up("uni")
    auditor.house.issue(issuer, 2, "newer")
    auditor.house.batching.seal(issuer)
    for _ in range(3):
        auditor.house.settle()
    publish(auditor.house, auditor.folder)
    third = auditor.audit()
    assert (auditor.read, auditor.asked.count("read_record")) == ([2], 1)
    assert (third.leaves, third.findings, third.credentials) == (15, (), 15)


def test_what_is_remembered_gives_the_report_of_one_who_reads_all(auditor: Auditor, tmp_path: Path) -> None:
    auditor.audit()
    whole = Auditing([NamedChain("node", auditor.house.chain)], [FolderMaterial(auditor.folder)]).run()
    assert auditor.audit() == whole


def test_a_voided_batch_is_seen_behind_what_is_remembered(auditor: Auditor) -> None:
    auditor.audit()
    void(auditor.house)
    assert codes(auditor.audit()) == ["voided_batch_served"]
    assert codes(auditor.audit()) == ["voided_batch_served"]


def void(house: House) -> None:
    issuer = house.issuers.look_up("uni")
    batch = house.batching.page(issuer.id)[0]
    house.chain._send_foreign(issuer.address, house.chain.encode(RevokeBatch(issuer.address, batch.root, batch.first)))
    for _ in range(3):
        house.settle()


def test_a_sample_is_read_again(auditor: Auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    auditor.audit()
    monkeypatch.setattr("registry.service.auditmaterial._AGAIN", 16)
    assert auditor.audit().findings == ()
    assert len(auditor.read) == 3


def test_leaves_that_were_kept_and_are_gone_are_read_again(auditor: Auditor, tmp_path: Path) -> None:
    auditor.audit()
    kept = leaf_files_of(tmp_path / "state.json.leaves")
    kept[0].unlink()
    kept[1].write_bytes(b"\0" * kept[1].stat().st_size)
    assert auditor.audit().findings == ()
    assert len(auditor.read) == 2


def leaf_files_of(place: Path) -> list[Path]:
    return sorted(place.rglob("*.bin"))


# --- what must not have changed -------------------------------------------------------------------------------------


def test_leaves_that_changed_since(auditor: Auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    auditor.audit()
    monkeypatch.setattr("registry.service.auditmaterial._AGAIN", 16)
    for file in leaf_files(auditor.folder):
        file.write_bytes(file.read_bytes()[::-1])
    assert codes(auditor.audit()) == ["root_mismatch"] * 3 + ["leaves_changed"] * 3
    assert "leaves_changed" in codes(auditor.audit())  # it stays, until they are the right ones again


def test_a_batch_that_is_listed_no_more(auditor: Auditor) -> None:
    auditor.audit()
    bend(auditor.folder, lambda listing: listing["batches"].pop())
    assert codes(auditor.audit()) == ["leaves_missing", "batch_unlisted"]
    assert codes(auditor.audit()) == ["leaves_missing", "batch_unlisted"]


def test_a_voided_batch_that_is_good_again(auditor: Auditor) -> None:
    void(auditor.house)
    publish(auditor.house, auditor.folder)
    assert codes(auditor.audit()) == []
    bend(auditor.folder, lambda listing: [batch.update(state="anchored") for batch in listing["batches"]])
    assert codes(auditor.audit()) == ["voided_batch_served", "void_taken_back"]


@pytest.mark.parametrize(
    "said", [{"declaredDelaySeconds": 10**6}, {"acceptedFrom": "2026-01-01T00:00:00Z"}, {"declaredDelaySeconds": None}]
)
def test_a_batch_of_which_something_else_was_declared_by_hindsight(auditor: Auditor, said: dict[str, Any]) -> None:
    auditor.audit()
    listed = (auditor.folder / "registry.json").read_bytes()

    def change(listing: Any) -> None:
        batch = listing["batches"][1]
        batch.update(said)
        if batch["declaredDelaySeconds"] is None:
            del batch["declaredDelaySeconds"], batch["acceptedFrom"]

    bend(auditor.folder, change)
    for _ in range(2):
        [finding] = [item for item in auditor.audit().findings if item.severity is not Severity.INFO]
        assert (finding.code, finding.where.first) == ("declaration_changed", json.loads(listed)["batches"][1]["first"])
    (auditor.folder / "registry.json").write_bytes(listed)
    assert codes(auditor.audit()) == []


def test_an_anchor_that_was_final_and_is_gone(auditor: Auditor) -> None:
    auditor.audit()
    chain = auditor.house.chain
    chain.reorganise(len(chain.blocks) - 1, keep=False)
    report = auditor.audit()
    assert codes(report).count("final_anchor_gone") == 3
    assert codes(auditor.audit()).count("final_anchor_gone") == 3


def test_a_publication_that_does_not_answer_is_not_forgotten(auditor: Auditor) -> None:
    auditor.audit()
    away = auditor.folder.rename(auditor.folder.with_name("away"))
    assert auditor.audit().exit_code == 3
    away.rename(auditor.folder)
    bend(auditor.folder, lambda listing: listing["batches"].pop())
    assert "batch_unlisted" in codes(auditor.audit())


def test_leaves_in_files_are_read_again_when_the_file_changed(auditor: Auditor) -> None:
    """Not by chance: the file system says so, whatever times the file is given."""
    auditor.audit()
    [file, *_] = leaf_files(auditor.folder)
    status = file.stat()
    file.write_bytes(file.read_bytes()[::-1])
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert codes(auditor.audit()) == ["root_mismatch", "leaves_changed"]
    assert len(auditor.read) == 1
    file.write_bytes(file.read_bytes()[::-1])
    assert codes(auditor.audit()) == []
    auditor.audit()
    assert auditor.read == []


def test_leaves_that_are_gone_from_the_folder_are_missed(auditor: Auditor) -> None:
    auditor.audit()
    leaf_files(auditor.folder)[0].unlink()
    assert codes(auditor.audit()) == ["leaves_missing"]


def test_a_link_in_place_of_the_leaves(auditor: Auditor, tmp_path: Path) -> None:
    auditor.audit()
    file = leaf_files(auditor.folder)[0]
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert codes(auditor.audit()) == ["material_malformed"]


def test_a_file_that_was_written_just_now_is_read_again(auditor: Auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.service.stamps._YOUNG_NS", 10**15)
    auditor.audit()
    auditor.audit()
    assert len(auditor.read) == 3


class _Elsewhere:
    """The same folder, of which no file system tells anything: as behind a web server."""

    def __init__(self, folder: Path, asked: list[BatchKey]) -> None:
        self._folder = FolderMaterial(folder)
        self.name = "elsewhere"
        self.listing, self.own_document = self._folder.listing, self._folder.own_document
        self.asked = asked

    def leaves(self, key: BatchKey, size: int) -> bytes | None:
        self.asked.append(key)
        return self._folder.leaves(key, size)


def test_by_turns_all_leaves_are_read_again(auditor: Auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[BatchKey] = []
    everything = sorted(turn(auditor, asked))
    assert len(everything) == 3
    assert turn(auditor, asked) == []
    monkeypatch.setattr("registry.service.auditmaterial._turn", lambda _: 2)
    first, second, third = (turn(auditor, asked) for _ in range(3))
    assert (first, second, third) == (everything[:2], [everything[0], everything[2]], everything[1:])


def turn(auditor: Auditor, asked: list[BatchKey]) -> list[BatchKey]:
    asked.clear()
    chain = auditor.house.chain
    state = auditor.file.load(chain.chain_id, chain.contract)
    material = _Elsewhere(auditor.folder, asked)
    report = Auditing([NamedChain("node", chain)], [material], state=state, file=auditor.file).run()
    assert report.findings == ()
    auditor.file.save(state)
    return list(asked)


@pytest.mark.parametrize(("batches", "size"), [(0, 16), (3, 16), (1_024, 16), (1_025, 17), (1_000_000, 15_625)])
def test_the_turn_comes_to_all_within_64_audits(batches: int, size: int) -> None:
    assert turn_size(batches) == size
    assert size * 64 >= batches


def test_full_reads_all_again_and_holds_it_against_the_state(auditor: Auditor) -> None:
    auditor.audit()
    chain = auditor.house.chain
    state = auditor.file.load(chain.chain_id, chain.contract)
    auditor.asked.clear()
    auditor.read.clear()
    report = Auditing(
        [NamedChain("node", chain)],
        [_Counting(auditor.folder, auditor.read)],
        state=state,
        file=auditor.file,
        full=True,
    ).run()
    assert report.findings == ()
    assert (len(auditor.read), auditor.asked.count("read_record")) == (3, 3)
    assert auditor.asked.count("read_events") >= 1
    auditor.file.save(state)
    bend(auditor.folder, lambda listing: listing["batches"].pop())
    assert codes(auditor.audit()) == ["leaves_missing", "batch_unlisted"]
    assert auditor.asked.count("read_record") == 0


# --- copies beside each other ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bent", "expected"),
    [
        (lambda batches: batches[0].update(size=4), {"size_differs", "mirrors_differ"}),
        (lambda batches: batches[0].update(state="voided"), {"voided_not_on_chain", "mirrors_differ"}),
        (lambda batches: batches[0].update(acceptedFrom="2026-01-01T00:00:00Z", declaredDelaySeconds=10**9),
         {"mirrors_differ"}),
        (lambda batches: batches[0].update(erased=3), {"mirrors_differ"}),
        (lambda batches: batches[0].pop("erased"), set()),
        (lambda batches: batches.pop(), {"leaves_missing", "mirrors_differ"}),
        (lambda batches: None, set()),
    ],
)  # fmt: skip
def test_mirrors_that_differ(auditor: Auditor, tmp_path: Path, bent: Any, expected: set[str]) -> None:
    mirror = tmp_path / "mirror"
    publish(auditor.house, mirror)
    bend(mirror, lambda listing: bent(listing["batches"]))
    report = auditor.audit(FolderMaterial(mirror))
    assert set(codes(report)) == expected
    for finding in report.findings:
        assert finding.where.source == str(mirror)


def test_mirrors_with_other_leaves(auditor: Auditor, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    publish(auditor.house, mirror)
    leaf_files(mirror)[0].write_bytes(b"\0" * leaf_files(mirror)[0].stat().st_size)
    [_, finding] = auditor.audit(FolderMaterial(mirror)).findings
    assert (finding.code, finding.observed.split(":")[0]) == ("mirrors_differ", "leaves")


def test_late_by_what_was_declared(auditor: Auditor) -> None:
    bend(auditor.folder, lambda listing: [batch.update(declaredDelaySeconds=1) for batch in listing["batches"]])
    report = auditor.audit()
    assert (codes(report), report.exit_code) == (["batch_anchored_late"] * 3, 0)


# --- the file -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"type":"AuditState","version":1}', "\x00", '{"type":'])
def test_a_file_that_is_no_state(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(InputError, match="Delete it"):
        StateFile(tmp_path / "state.json", write_if_changed).load(1, b"\1" * 20)


def test_every_member_of_a_state_is_needed(auditor: Auditor, tmp_path: Path) -> None:
    auditor.audit()
    path = tmp_path / "state.json"
    document = json.loads(path.read_bytes())
    for name in document:
        path.write_text(json.dumps({key: value for key, value in document.items() if key != name}))
        with pytest.raises(InputError):
            auditor.file.load(auditor.house.chain.chain_id, auditor.house.chain.contract)


def test_a_state_about_another_contract(auditor: Auditor) -> None:
    auditor.audit()
    with pytest.raises(InputError, match="another contract"):
        auditor.file.load(1, auditor.house.chain.contract)


# --- watching -------------------------------------------------------------------------------------------------------


def watch(auditor: Auditor, webhook: Webhook | None = None) -> tuple[Watch, list[dict[str, Any]]]:
    chain: FakeChain = auditor.house.chain
    told: list[dict[str, Any]] = []
    state = auditor.file.load(chain.chain_id, chain.contract)
    return Watch(auditor.run, state, auditor.file, told.append, webhook), told


def shown(told: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["event"], event["finding"]["code"]) for event in told]


def test_a_disk_that_is_full_for_a_while_stops_no_watching(auditor: Auditor, caplog: pytest.LogCaptureFixture) -> None:
    full = True

    def write(path: Path, content: bytes) -> bool:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write_if_changed(path, content)

    auditor.file = StateFile(auditor.path, write)
    bend(auditor.folder, lambda listing: listing["batches"].pop())
    watching, told = watch(auditor)
    watching.round()
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]  # leaves, of which more; the state
    watching.round()
    assert shown(told) == [("new", "leaves_missing")]
    full = False
    watching.round()
    again, told = watch(auditor)
    again.round()
    assert told == []


def test_only_what_is_new_is_told_also_after_a_restart(auditor: Auditor) -> None:
    watching, told = watch(auditor)
    watching.round()
    assert told == []
    bend(auditor.folder, lambda listing: listing["batches"].pop())
    watching.round()
    watching.round()
    assert shown(told) == [("new", "leaves_missing"), ("new", "batch_unlisted")]
    restarted, told = watch(auditor)
    restarted.round()
    assert told == []
    publish(auditor.house, auditor.folder)
    restarted.round()
    assert sorted(shown(told)) == [("gone", "batch_unlisted"), ("gone", "leaves_missing")]
    assert {event["reason"] for event in told} == {"resolved"}


def test_what_a_reorganisation_takes_away_is_told(auditor: Auditor) -> None:
    chain = auditor.house.chain
    chain.finalized_lag = 50
    watching, told = watch(auditor)
    watching.round()
    chain.foreign_anchor(auditor.house.issuers.look_up("uni").address, b"\7" * 32, 4)
    watching.round()
    chain.reorganise(1, keep=False)
    watching.round()
    assert shown(told) == [("new", "leaves_missing"), ("gone", "leaves_missing")]
    assert told[1]["reason"] == "reorganised"


def test_an_audit_that_could_not_finish_takes_nothing_back(auditor: Auditor) -> None:
    watching, told = watch(auditor)
    bend(auditor.folder, lambda listing: listing["batches"].pop())
    watching.round()
    auditor.house.chain.unreachable = True
    assert watching.round().report.exit_code == 3
    auditor.house.chain.unreachable = False
    watching.round()
    assert shown(told) == [("new", "leaves_missing")]


def test_it_stops_when_it_is_told_to(auditor: Auditor) -> None:
    watching, _ = watch(auditor)
    stop = threading.Event()
    report = watching.run(stop, 1000, lambda _: stop.set())
    assert report is not None
    assert report.exit_code == 0
    assert watching.run(stop, 1000) is None


def test_fingerprints_do_not_follow_the_block() -> None:
    one = find("nodes_disagree", "a", "b", Where(block_number=5, source="x"))
    state = AuditState(1, b"\1" * 20)
    report = AuditReport(1, b"\1" * 20, None, None, 0, 0, 0, None, 0, 0, (one,), ())
    assert len(changes(state, report)) == 1
    later = find("nodes_disagree", "a", "c", Where(block_number=6, source="x"))
    assert changes(state, AuditReport(1, b"\1" * 20, None, None, 0, 0, 0, None, 0, 0, (later,), ())) == []


@pytest.fixture
def hook() -> Iterator[Callable[[list[int]], tuple[str, list[Any]]]]:
    """A webhook that answers with these statuses, one after the other, the last one for ever."""
    servers: list[tuple[HTTPServer, threading.Thread]] = []

    def start(statuses: list[int]) -> tuple[str, list[Any]]:
        taken: list[Any] = []

        class Request(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
                if status == 200:
                    taken.append(body)
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Request)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}/hook?token=secret", taken

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_webhook_is_tried_again(auditor: Auditor, hook: Any) -> None:
    url, taken = hook([500, 302, 200])
    waits: list[float] = []
    watching, _ = watch(auditor, Webhook(url, lambda seconds: bool(waits.append(seconds))))
    bend(auditor.folder, lambda listing: listing["batches"].pop())
    assert watching.round().delivered
    assert waits == [1.0, 2.0]
    [body] = taken
    assert (body["type"], body["result"], shown(body["events"])) == (
        "AuditEvents", "findings", [("new", "leaves_missing")],
    )  # fmt: skip


def test_what_a_webhook_did_not_take_it_gets_later(
    auditor: Auditor, hook: Any, caplog: pytest.LogCaptureFixture
) -> None:
    url, taken = hook([500, 500, 500, 200])
    watching, _ = watch(auditor, Webhook(url, lambda _: False))
    bend(auditor.folder, lambda listing: listing["batches"].pop())
    assert not watching.round().delivered
    assert "secret" not in caplog.text
    restarted, told = watch(auditor, Webhook(url, lambda _: False))
    assert restarted.round().delivered
    assert told == []
    assert [shown(body["events"]) for body in taken] == [[("new", "leaves_missing")]]


def test_a_webhook_that_is_down_and_one_that_is_none(auditor: Auditor) -> None:
    watching, _ = watch(auditor, Webhook("http://127.0.0.1:9/", lambda _: False))
    bend(auditor.folder, lambda listing: listing["batches"].pop())
    assert not watching.round().delivered
    stopping, _ = watch(auditor, Webhook("http://127.0.0.1:9/", lambda _: True))
    assert not stopping.round().delivered
    for url in ("ftp://x", "http://[", "nothing"):
        with pytest.raises(InputError):
            Webhook(url, lambda _: False)


def test_a_webhook_that_trickles_its_answer_is_cut(auditor: Auditor) -> None:
    stop = threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not stop.wait(0.05):
                with contextlib.suppress(OSError):
                    self.wfile.write(b"x: y\r\n")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        report = auditor.audit()
        begun = time.monotonic()
        assert Webhook(url, lambda _: True, timeout=0.5).deliver([{}], report) == [{}]  # one try
        took = time.monotonic() - begun
        stop.set()
        server.shutdown()
    assert took < 4  # 100 headers take five seconds, and more are refused


def test_metrics(auditor: Auditor) -> None:
    metrics = AuditMetrics(lambda: 1_800_000_000)
    port, end = metrics.serve(0)
    try:
        place = f"http://127.0.0.1:{port}/metrics"
        with urlopen(place) as answer:
            before = answer.read().decode()
        watching, _ = watch(auditor)
        bend(auditor.folder, lambda listing: listing["batches"].pop())
        metrics.observe(watching.round())
        with urlopen(place) as answer:
            text = answer.read().decode()
        auditor.house.chain.unreachable = True
        metrics.observe(watching.round())
        with urlopen(place) as answer:
            blind = answer.read().decode()
    finally:
        end()
    samples = [line.split("{")[0].split()[0] for line in before.splitlines() if not line.startswith("#")]
    assert samples == []  # a timestamp of 0, or a webhook that is not ok, would be an alarm
    assert 'registry_audit_rounds_total{result="incomplete"} 1.0' in blind
    for line in text.splitlines():
        if line.startswith(("registry_audit_findings", "registry_audit_leaves", "registry_audit_credentials")):
            assert line in blind.splitlines()
    assert 'registry_audit_findings{severity="critical"} 1.0' in text
    assert 'registry_audit_rounds_total{result="findings"} 1.0' in text
    assert "registry_audit_finished_timestamp_seconds 1.8e+09" in text
