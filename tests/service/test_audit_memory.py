"""Bundles that an earlier audit examined: not read again, and nothing else is different for it."""

import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from anchors.base import RevokeBatch
from registry.core.audit import BatchKey, Level
from registry.core.audit_chain import AnchoredBatch, ChainView, Claim
from registry.core.audit_credentials import Lists
from registry.core.audit_issuers import Speakers
from registry.core.bundle import parse_bundle
from registry.core.model import BatchRecord, BlockRef
from registry.service import auditbundles, auditmemory
from registry.service.auditing import Auditing, AuditReport, NamedChain, report_to_json
from registry.service.auditmemory import Grounds
from registry.service.auditstate import AuditState, StateFile
from registry.service.published import FolderMaterial
from registry.service.watching import changes
from registry.wiring.files import write_if_changed
from support.audits import Prepared, anchored_past, codes, copied, leaf_files, prepare, publish
from support.house import House


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared"))


class Auditor:
    """Comes again with a state; ``read`` are the names of the bundles that were read the last time."""

    def __init__(self, house: House, place: Path) -> None:
        self.house = house
        self.published = place / "published"
        self.bundles = place / "bundles"
        self.file = StateFile(place / "state.json", write_if_changed)
        self.memory = place / "state.json.bundles"
        self.read: list[str] = []
        self.options: dict[str, Any] = {}
        publish(house, self.published)
        self.bundles.mkdir()
        for name, data in house.bundles.all():
            (self.bundles / f"{name}.json").write_bytes(data)

    def paths(self) -> list[Path]:
        return sorted(self.bundles.iterdir())

    def alone(self) -> AuditReport:
        """Without a state."""
        return self._auditing().run()

    def audit(self, **more: Any) -> AuditReport:
        self.read.clear()
        chain = self.house.chain
        state = self.file.load(chain.chain_id, chain.contract)
        report = self._auditing(state=state, file=self.file, **more).run()
        read = list(self.read)
        changes(state, report)
        self.file.save(state)
        self.read[:] = read
        return report

    def same(self, **more: Any) -> list[str]:
        """An audit with the state, which says what one without it says; what it read."""
        report = self.audit(**more)
        read = list(self.read)
        assert text(report) == text(self.alone())
        return read

    def _auditing(self, **more: Any) -> Auditing:
        chains = [NamedChain("node", self.house.chain)]
        options = {"bundles": self.bundles, "processes": 1, **self.options, **more}
        return Auditing(chains, [FolderMaterial(self.published)], **options)


def text(report: AuditReport) -> str:
    """As it is printed, but for what only two looks at a publication show."""
    document = report_to_json(report, 0)
    over_time = ("batch_unlisted", "final_anchor_gone", "key_removed", "leaves_changed", "void_taken_back")
    document["findings"] = [item for item in document["findings"] if item["code"] not in over_time]
    document["counts"] = None
    return json.dumps(document)


@pytest.fixture
def auditor(prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Auditor]:
    house = copied(prepared, tmp_path)
    made = Auditor(house, tmp_path)
    before = auditbundles._read

    def read(path: str | Path) -> bytes:
        made.read.append(Path(path).name)
        return before(path)

    monkeypatch.setattr(auditbundles, "_read", read)
    monkeypatch.setattr("registry.service.stamps._YOUNG_NS", 0)
    yield made
    house.close()


def names(auditor: Auditor) -> list[str]:
    return [path.name for path in auditor.paths()]


def written(auditor: Auditor) -> tuple[int, int]:
    """Changes whenever the memory is written again, also with the same content."""
    status = auditor.memory.stat()
    return status.st_ino, status.st_mtime_ns


# --- files ----------------------------------------------------------------------------------------------------------


def test_the_second_time_no_bundle_is_read(auditor: Auditor) -> None:
    assert auditor.same() == names(auditor)
    before = written(auditor)
    assert auditor.same() == []
    assert written(auditor) == before
    assert auditor.audit().bundles == 13


@pytest.mark.parametrize("place", ["/dev/full", "/nowhere/at/all"])
def test_a_memory_that_cannot_be_written_is_as_it_was(
    auditor: Auditor, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    first = text(auditor.audit())
    before, beside = auditor.memory.read_bytes(), sorted(auditor.memory.parent.iterdir())
    make = tempfile.mkstemp

    def mkstemp(**options: Any) -> tuple[int, str]:
        descriptor, name = make(**options)
        os.close(descriptor)
        try:
            return os.open(place, os.O_WRONLY), name
        except FileNotFoundError:
            Path(name).unlink()
            raise

    monkeypatch.setattr(auditmemory.tempfile, "mkstemp", mkstemp)
    assert text(auditor._auditing(state=AuditState(1, b""), file=auditor.file, full=True).run()) == first
    assert caplog.text.count("cannot be written") == 1
    assert "the next audit reads bundles again" in caplog.text
    assert (auditor.memory.read_bytes(), sorted(auditor.memory.parent.iterdir())) == (before, beside)


def test_a_bundle_takes_some_hundred_bytes(auditor: Auditor) -> None:
    auditor.audit()
    data = auditor.memory.read_bytes()
    began = int.from_bytes(data[-40:-32], "little")
    assert (began - data.index(b"\n")) / 13 < 125


def test_only_new_and_changed_files_are_read(auditor: Auditor) -> None:
    auditor.audit()
    first, second, third, *_ = auditor.paths()
    second.write_bytes(second.read_bytes())
    shutil.copy(third, third.with_name("0.json"))
    other = first.rename(first.with_name("zzz.json"))
    assert auditor.same() == ["0.json", second.name, other.name]
    assert auditor.same() == []


def test_a_changed_file_of_the_same_size_and_times(auditor: Auditor) -> None:
    auditor.audit()
    path = auditor.paths()[3]
    status = path.stat()
    path.write_bytes(path.read_bytes().replace("Zoë".encode(), b"Zooo"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert auditor.same() == [path.name]
    assert codes(auditor.audit()) == ["credential_not_in_batch"]


def test_files_that_gave_findings_are_read_again(auditor: Auditor) -> None:
    path = auditor.paths()[3]
    data = path.read_bytes()
    path.write_bytes(data.replace("Zoë".encode(), b"Eve"))
    for _ in range(2):
        assert path.name in auditor.same()
    before = written(auditor)
    assert auditor.same() == [path.name]
    assert written(auditor) == before
    path.write_bytes(data)
    assert auditor.same() == [path.name]
    assert auditor.same() == []


def test_a_file_that_went_and_came_back(auditor: Auditor, tmp_path: Path) -> None:
    auditor.audit()
    size = auditor.memory.stat().st_size
    path = auditor.paths()[3].rename(tmp_path / "away.json")
    assert auditor.same() == []
    assert auditor.memory.stat().st_size < size
    assert auditor.same() == []
    assert auditor.audit().bundles == 12
    path.rename(auditor.bundles / "back.json")
    assert auditor.same() == ["back.json"]


def test_a_file_that_was_changed_just_now_is_read_again(auditor: Auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.service.stamps._YOUNG_NS", 10**15)
    auditor.audit()
    assert auditor.same() == names(auditor)


def test_what_cannot_be_read_is_not_remembered(auditor: Auditor) -> None:
    path = auditor.bundles / "none.json"
    path.symlink_to(auditor.bundles / "nowhere")
    (auditor.bundles / "folder.json").mkdir()
    for _ in range(3):
        read = auditor.same()
    assert read == ["folder.json", "none.json"]
    assert auditor.audit().incomplete == ("none.json cannot be read: No such file or directory.",)


def test_names_of_any_bytes(auditor: Auditor) -> None:
    data = auditor.paths()[0].read_bytes()
    for name in (b"\xff.json", b"\xf0\x9f\x98\x80.json", b"\xed\xb3\xbf.json", "é.json".encode(), b"\xee\x80\x80.json"):
        Path(os.fsdecode(bytes(auditor.bundles) + b"/" + name)).write_bytes(data)
    assert len(auditor.same()) == 18
    assert auditor.same() == []


def test_a_list_of_files_in_any_order(auditor: Auditor) -> None:
    paths = auditor.paths()
    auditor.audit(bundles=paths[::-1])
    assert auditor.audit(bundles=paths).bundles == 13
    auditor.audit(bundles=paths)
    assert auditor.read == []


# --- what they were judged by ---------------------------------------------------------------------------------------


def of_issuer(auditor: Auditor, name: str) -> list[str]:
    address = auditor.house.issuers.look_up(name).address
    return [path.name for path in auditor.paths() if parse_bundle(path.read_bytes()).anchors[0].issuer == address]


def in_batch(auditor: Auditor, root: bytes) -> list[str]:
    return [path.name for path in auditor.paths() if parse_bundle(path.read_bytes()).inclusion.root == root]


def test_a_batch_that_was_voided_since(auditor: Auditor) -> None:
    auditor.audit()
    issuer = auditor.house.issuers.look_up("uni")
    batch = auditor.house.batching.page(issuer.id)[0]
    chain = auditor.house.chain
    chain._send_foreign(issuer.address, chain.encode(RevokeBatch(issuer.address, batch.root, batch.first)))
    assert auditor.same() == in_batch(auditor, batch.root)
    assert codes(auditor.audit()).count("voided_batch_credential") == batch.size


def test_leaves_that_are_published_no_more(auditor: Auditor) -> None:
    auditor.audit()
    file = leaf_files(auditor.published)[0]
    root = bytes.fromhex(file.stem.partition("-")[2])
    path = auditor.bundles / in_batch(auditor, root)[0]
    auditor.audit()
    file.unlink()
    assert auditor.same() == in_batch(auditor, root)
    assert auditor.same() == []
    assert path.exists()


def test_a_proof_that_only_counts_without_leaves(auditor: Auditor) -> None:
    """Whose path is wrong is no finding as long as the leaves are at hand and proofs are left out (adr/132)."""
    auditor.options["signatures"] = False
    path = auditor.paths()[0]
    document = json.loads(path.read_bytes())
    document["inclusion"]["path"][0] = "55" * 32
    path.write_text(json.dumps(document))
    auditor.audit()
    assert auditor.same() == []
    for file in leaf_files(auditor.published):
        file.unlink()
    assert path.name in auditor.same()
    assert "credential_not_in_batch" in codes(auditor.audit())


def test_a_document_that_was_replaced(auditor: Auditor) -> None:
    auditor.audit()
    issuer = auditor.house.issuers.look_up("school").address.hex()
    [path] = (auditor.published / "documents" / issuer).iterdir()
    path.write_text(path.read_text().replace("#key-1", "#key-9"))
    assert auditor.same() == of_issuer(auditor, "school")
    assert "signature_invalid" in codes(auditor.audit())


def test_documents_that_bundles_bring_along_count_by_their_claim(auditor: Auditor) -> None:
    auditor.audit()
    assert auditor.same() == []
    data = auditor.memory.read_bytes()
    began = int.from_bytes(data[-40:-32], "little")
    assert all(len(used) == 2 for _, _, _, used, _ in json.loads(data[began:-48]))  # the DID's document and its claim


def test_proofs_that_could_not_be_judged_are_judged_again(auditor: Auditor) -> None:
    for path in (auditor.published / "documents").rglob("*.json"):
        path.unlink()
    path = auditor.paths()[3]
    document = json.loads(path.read_bytes())
    del document["issuerDocument"]
    path.write_text(json.dumps(document))
    auditor.audit()
    assert path.name in auditor.same()  # whether their DIDs speak for the address cannot be told of the others either
    assert any("key_unreachable" in reason for reason in auditor.audit().incomplete)


KEY = BatchKey(b"\1" * 20, 0, b"\2" * 32)
OTHER = BatchKey(b"\1" * 20, 5, b"\3" * 32)
HASH = b"\4" * 32
TOLD = AnchoredBatch(KEY, 5, 7, b"\5" * 32, b"\6" * 32)
VIEW = ChainView(
    31337, b"\7" * 20, b"\x08" * 32, BlockRef(9, b"\x09" * 32, 1_800_000_000), (TOLD,),
    {KEY: BatchRecord(5, 1_800_000_000, 0, 7), OTHER: BatchRecord(1, 1_800_000_000, 0, 8)}, {KEY.issuer: 6},
    claims=(Claim(KEY.issuer, "did:x", HASH, 5),),
)  # fmt: skip
USED = (("did:x", ""), ("did:x", HASH.hex()))


@pytest.mark.parametrize(
    "view",
    [
        replace(VIEW, records={**VIEW.records, KEY: BatchRecord(5, 1_800_000_000, 1, 7)}),
        replace(VIEW, records={**VIEW.records, KEY: BatchRecord(5, 1_800_000_001, 0, 7)}),
        replace(VIEW, records={**VIEW.records, KEY: BatchRecord(6, 1_800_000_000, 0, 7)}),
        replace(VIEW, records={**VIEW.records, KEY: BatchRecord(5, 1_800_000_000, 0, 8)}),
        replace(VIEW, records={**VIEW.records, KEY: None}),
        replace(VIEW, history=()),
        replace(VIEW, history=(replace(TOLD, transaction=b"\1" * 32),)),
        replace(VIEW, history=(replace(TOLD, block_hash=b"\1" * 32),)),
        replace(VIEW, claims=()),
        replace(VIEW, claims=(replace(VIEW.claims[0], claimed_at=6),)),
        replace(VIEW, claims=(replace(VIEW.claims[0], issuer=b"\x0a" * 20),)),
    ],
)
def test_whatever_looks_different(view: ChainView) -> None:
    assert Grounds(view, {}).digest(KEY, USED) != Grounds(VIEW, {}).digest(KEY, USED)


def test_what_looks_the_same() -> None:
    grounds = Grounds(VIEW, {OTHER: b""}, lambda _, did: HASH if did == "did:y" else None)
    later = replace(
        VIEW, block=BlockRef(10, b"\1" * 32, 1_900_000_000), next_index={KEY.issuer: 7},
        records={**VIEW.records, OTHER: None}, claims=(*VIEW.claims, Claim(KEY.issuer, "did:x", b"\5" * 32, 6)),
    )  # fmt: skip
    assert grounds.digest(KEY, USED) == Grounds(later, {}).digest(KEY, USED)
    assert grounds.digest(KEY, USED) != Grounds(VIEW, {KEY: b""}).digest(KEY, USED)
    assert grounds.digest(KEY, (("did:y", ""),)) != Grounds(VIEW, {}).digest(KEY, (("did:y", ""),))
    assert grounds.digest(KEY, ()) == Grounds(VIEW, {}, lambda *_: b"\5" * 32).digest(KEY, ())


def test_where_lists_are_known_to_be() -> None:
    def digest(bases: dict[bytes, str], *hosts: str) -> bytes:
        return Grounds(VIEW, {}, lists=Lists(bases, frozenset(hosts))).digest(KEY, ())

    mine = {KEY.issuer: "https://a.example/status"}
    found = digest(mine, "a.example")
    assert digest({**mine, b"\1": "https://b.example"}, "a.example") == found
    others = digest({}, "a.example"), digest({KEY.issuer: "https://b.example"}, "a.example"), digest(mine, "b.example")
    assert found not in others


@pytest.mark.parametrize("options", [{"delay": 5}, {"signatures": False}, {"delay": 0, "signatures": False}])
def test_other_options(auditor: Auditor, options: dict[str, Any]) -> None:
    auditor.audit()
    auditor.options = options
    assert auditor.same() == names(auditor)
    late = "delay" in options
    assert auditor.same() == (names(auditor) if late else [])


def test_another_program(auditor: Auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    auditor.audit()
    monkeypatch.setattr(auditmemory, "program_digest", lambda: b"\1" * 32)
    assert auditor.same() == names(auditor)
    assert auditor.same() == []


def test_a_batch_in_another_block(auditor: Auditor) -> None:
    """A reorganisation that takes anchors along: bundles name the former block."""
    auditor.audit()
    auditor.house.chain.reorganise(len(auditor.house.chain.blocks) - 1)
    assert auditor.same() == names(auditor)
    assert "bundle_location_differs" in codes(auditor.audit())


def test_full_reads_all_again_and_remembers(auditor: Auditor) -> None:
    auditor.audit()
    assert auditor.same(full=True) == names(auditor)
    assert auditor.same() == []


# --- what only all bundles show -------------------------------------------------------------------------------------


def twin(auditor: Auditor, name: str) -> Path:
    """A bundle of another place that has the identifier of the first one."""
    house = auditor.house
    found = json.loads(auditor.paths()[0].read_bytes())
    credential = {**found["credential"], "name": f"another {name}"}
    credential.pop("credentialStatus")
    credential.pop("proof")
    owner = next(issuer.name for issuer in house.issuers.all() if issuer.did in json.dumps(credential["issuer"]))
    path = auditor.bundles / name
    path.write_bytes(anchored_past(house, auditor.published, credential, owner))
    return path


@pytest.mark.parametrize("name", ["0.json", "zzz.json"])
def test_an_identifier_that_was_issued_twice(auditor: Auditor, name: str, tmp_path: Path) -> None:
    first = auditor.paths()[0].name
    auditor.audit()
    made = twin(auditor, name)
    assert made.name in auditor.same()
    assert codes(auditor.audit()) == ["credential_id_repeated"]
    later = max(first, name)
    assert auditor.same() in ([later], sorted([first, later]))
    away = made.rename(tmp_path / "away")
    auditor.same()
    assert auditor.same() == []
    away.rename(made)
    auditor.same()
    assert codes(auditor.audit()) == ["credential_id_repeated"]


def test_delays_count_for_the_figures(auditor: Auditor) -> None:
    first = auditor.audit().figures
    second = auditor.audit().figures
    assert first is not None
    assert second == first
    assert sum(first.valid_from) == 13


# --- whatever happens -----------------------------------------------------------------------------------------------


def meddle(auditor: Auditor, source: random.Random, away: list[tuple[Path, bytes]]) -> None:
    paths = auditor.paths()
    path = source.choice(paths)
    data = path.read_bytes()
    kind = source.randrange(8)
    if kind == 0:
        path.write_bytes(data.replace("Zoë".encode(), source.choice([b"Eve", b"Ann"])))
    elif kind == 1:
        away.append((path, data))
        path.unlink()
    elif kind == 2 and away:
        back, content = away.pop(source.randrange(len(away)))
        back.write_bytes(content)
    elif kind == 3:
        path.with_name(f"{source.randrange(10)}{path.name}").write_bytes(data)
    elif kind == 4:
        path.write_bytes(data[: source.randrange(len(data))])
    elif kind == 5:
        twin(auditor, f"{source.choice('09fz')}{source.randrange(100)}.json") if parses(paths[0]) else None
    elif kind == 6:
        file = source.choice(leaf_files(auditor.published))
        file.write_bytes(file.read_bytes()[::-1])
    else:
        auditor.options = source.choice([{}, {"delay": 100}, {"signatures": False}])


def parses(path: Path) -> bool:
    try:
        document = json.loads(path.read_bytes())
    except ValueError:
        return False
    return {"credentialStatus", "proof"} <= document["credential"].keys()


@pytest.mark.parametrize("seed", range(6))
def test_it_always_says_what_one_without_a_memory_says(auditor: Auditor, seed: int) -> None:
    source = random.Random(seed)
    away: list[tuple[Path, bytes]] = []
    auditor.audit()
    for _ in range(12):
        for _ in range(source.randrange(3)):
            meddle(auditor, source, away)
        auditor.same()


def test_other_processes_are_given_what_is_new_only(auditor: Auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in auditor.paths()[:4]:
        path.write_bytes(path.read_bytes().replace("Zoë".encode(), b"Eve"))
    auditor.audit()
    for path in auditor.paths()[6:9]:
        path.write_bytes(path.read_bytes().replace("Zoë".encode(), b"Eve"))
    expected = text(auditor.alone())
    monkeypatch.setattr(auditbundles, "_MANY_SIGNED", 1)
    monkeypatch.setattr(auditbundles, "_CHUNK", 2)
    given: list[list[Any]] = []
    before = auditbundles.BundleAudit._together

    def together(self: Any, chunks: Iterator[list[Any]]) -> Any:
        kept = [list(chunk) for chunk in chunks]
        given.extend(kept)
        return before(self, iter(kept))

    monkeypatch.setattr(auditbundles.BundleAudit, "_together", together)
    report = auditor.audit(processes=2)
    assert text(report) == expected
    assert [len(chunk) for chunk in given] == [2, 2, 2, 1]
    assert sum(item.level is Level.CREDENTIALS for item in report.findings) == 7


# --- the file -------------------------------------------------------------------------------------------------------


def resealed(data: bytes) -> bytes:
    return data[:-32] + sha256(data[:-32]).digest()


@pytest.mark.parametrize(
    "bend",
    [
        lambda data: b"",
        lambda data: b"{}\n",
        lambda data: data[: len(data) // 2],
        lambda data: data[:400] + bytes([data[400] ^ 1]) + data[401:],
        lambda data: data + b"\0",
        lambda data: resealed(data.replace(b"AuditedBundles", b"BuditedAundles")),
        lambda data: resealed(data.replace(b'"version": 1', b'"version": 2')),
        lambda data: resealed(data.replace(b"eip155:", b"eip156:")),
        lambda data: resealed(data.replace(b'"contract": "0x', b'"contract": "0y')),
        lambda data: resealed(data[:-48] + b"\xff" * 8 + data[-40:]),
        lambda data: resealed(data[:-40] + b"\xff" * 8 + data[-32:]),
        lambda data: resealed(data[:-40] + bytes(8) + data[-32:]),
        lambda data: resealed(b"[" * 5_000 + data),
        lambda data: resealed(data.replace(b'[["', b'[[["')),
    ],
)  # fmt: skip
def test_a_file_that_is_no_memory_is_said_and_replaced(
    auditor: Auditor, bend: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    auditor.audit()
    data = auditor.memory.read_bytes()
    bent = bend(data)
    assert bent != data
    auditor.memory.write_bytes(bent)
    read = auditor.same()
    if bent[-48:-40] == b"\xff" * 8:  # another count: nothing rests on it
        assert read == []
        return
    assert read == names(auditor)
    assert "is no memory of bundles" in caplog.text
    assert auditor.same() == []


@pytest.mark.parametrize("seed", range(20))
def test_hostile_bytes_with_a_right_digest_stop_nothing(auditor: Auditor, seed: int) -> None:
    """Whoever may write the file may write the report, too; but the audit comes to its end."""
    auditor.audit()
    data = auditor.memory.read_bytes()
    source = random.Random(seed)
    first, began = data.index(b"\n") + 1, int.from_bytes(data[-40:-32], "little")
    bent = bytearray(data)
    for _ in range(source.choice([1, 10, 300])):
        bent[source.randrange(first, began)] = source.choice([0, 1, 255, source.randrange(256)])
    auditor.memory.write_bytes(resealed(bytes(bent)))
    report = auditor.audit()
    assert report.bundles == 13
    auditor.audit()


def test_a_pipe_is_no_memory(auditor: Auditor, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(auditor.memory)
    assert auditor.same() == names(auditor)
    assert "no regular file" in caplog.text
    assert auditor.same() == []


@pytest.mark.parametrize("when", ["before it is renamed", "after it was renamed", "while it is written"])
def test_a_crash_loses_nothing(auditor: Auditor, when: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    auditor.audit()
    before = auditor.memory.read_bytes()
    changed = auditor.paths()[2]
    changed.write_bytes(changed.read_bytes().replace("Zoë".encode(), b"Eve"))
    shutil.copy(auditor.paths()[5], auditor.bundles / "new.json")
    with monkeypatch.context() as patch:
        if when == "while it is written":
            patch.setattr(auditmemory._Replacement, "write", crash)
        elif when == "before it is renamed":
            patch.setattr(Path, "replace", crash)
        else:
            done = auditmemory.BundleMemory.close
            patch.setattr(auditmemory.BundleMemory, "close", lambda self: crash(done(self)))
        with pytest.raises(KeyboardInterrupt):
            auditor.audit()
    assert (auditor.memory.read_bytes() == before) is (when != "after it was renamed")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert changed.name in auditor.same()
    assert codes(auditor.audit()) == ["credential_not_in_batch"]
    assert auditor.same() == [changed.name]


def crash(*_: Any) -> None:
    raise KeyboardInterrupt


def test_without_bundles_the_memory_stays(auditor: Auditor) -> None:
    auditor.audit()
    auditor.audit(bundles=())
    assert auditor.same() == []
    away = auditor.bundles.rename(auditor.bundles.with_name("away"))
    auditor.bundles.mkdir()
    assert auditor.audit().incomplete == (f"There are no *.json files in {auditor.bundles}.",)
    auditor.bundles.rmdir()
    away.rename(auditor.bundles)
    assert auditor.same() == []


def test_whose_lists_and_whose_credentials_they_are() -> None:
    base = "https://a.example/status"

    def digest(owners: frozenset[bytes], dids: dict[str, str | None], *incomplete: bytes) -> bytes:
        lists = Lists({KEY.issuer: base}, frozenset({"a.example"}), {base: owners})
        return Grounds(VIEW, {}, lists=lists, speakers=Speakers({KEY.issuer: dids}, frozenset(incomplete))).digest(
            KEY, ()
        )

    mine = frozenset({KEY.issuer})
    found = digest(mine, {"did:example:1": ""})
    assert digest(mine, {"did:example:1": ""}, b"\7" * 20) == found
    others = [
        digest(mine | {b"\7" * 20}, {"did:example:1": ""}), digest(mine, {"did:example:1": None}),
        digest(mine, {}), digest(mine, {"did:example:1": ""}, KEY.issuer),
    ]  # fmt: skip
    assert len({found, *others}) == 5
