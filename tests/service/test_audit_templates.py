"""Templates and schemas: what is published of them, and audits of it."""

import json
import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from registry.api.app import create_app
from registry.core.canonical import canonicalize
from registry.core.errors import InputError
from registry.service import audittemplates
from registry.service.auditing import Auditing, AuditReport, NamedChain
from registry.service.auditstate import StateFile
from registry.service.errors import ConflictError
from registry.service.intake import Submission
from registry.service.pinned import SCHEMAS
from registry.service.published import FolderMaterial, MaterialMalformed, MaterialUnavailable, open_material
from registry.service.publishedissuers import PublishedTemplate, parse_issuers_page, parse_templates_page
from registry.service.selfaudit import audit_database
from registry.service.templaterecords import template_version
from registry.service.templates import fill_template
from registry.standards.openbadges import schemas
from registry.wiring.files import write_if_changed
from support.audits import Prepared, audit, codes, copied, prepare, publish
from support.house import House, document
from support.served import FakeRegistry, Server

TEMPLATE = document("urn:example:{{no}}", credentialSubject={"id": "{{who}}", "name": "{{name}}"}, name="Course")
SECOND = {**TEMPLATE, "name": "Course, second edition"}
SCHEMA = next(iter(SCHEMAS))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def house(prepared: Prepared, tmp_path: Path) -> Iterator[House]:
    opened = copied(prepared, tmp_path)
    opened.settle()
    yield opened
    opened.close()


@pytest.fixture
def folder(house: House, tmp_path: Path) -> Path:
    """A publication in which "uni" has issued with one template."""
    issue(house, TEMPLATE, "1")
    place = tmp_path / "published"
    publish(house, place)
    return place


def issue(house: House, template: Any, number: str, name: str = "course") -> None:
    filled = fill_template(template, {"no": number, "who": "did:example:ada", "name": "Ada"})
    submission = Submission(filled, template=template_version(template, name))
    house.issuing.take(house.issuers.look_up("uni"), submission)


def listing(folder: Path) -> Any:
    return json.loads((folder / "issuers.json").read_bytes())


def entries(document: Any) -> list[Any]:
    """The templates of the only issuer that has any."""
    [found] = [item["templates"] for item in document["issuers"] if item.get("templates")]
    listed: list[Any] = found
    return listed


def bend(folder: Path, change: Callable[[Any], Any]) -> None:
    document = listing(folder)
    change(document)
    (folder / "issuers.json").write_text(json.dumps(document))


def files(folder: Path) -> list[Path]:
    return sorted((folder / "templates").rglob("*.json"))


def audit_again(house: House, place: Path | str, state: Path) -> AuditReport:
    file = StateFile(state / "state.json", write_if_changed)
    known = file.load(house.chain.chain_id, house.chain.contract)
    report = Auditing([NamedChain("node", house.chain)], [open_material(str(place))], state=known, file=file).run()
    file.save(known)
    return report


# --- what is published ----------------------------------------------------------------------------------------------


def test_a_template_is_published_under_its_digest(house: House, folder: Path) -> None:
    digest = sha256(canonicalize(TEMPLATE)).hexdigest()
    address = house.issuers.look_up("uni").address.hex()
    [entry] = entries(listing(folder))
    assert entry == {
        "name": "course",
        "url": f"https://registry.example/issuers/uni/templates/course/{digest}",
        "sha256": digest,
        "firstUsed": entry["firstUsed"],
    }
    [path] = files(folder)
    assert path == folder / "templates" / address / f"{digest}.json"
    assert path.read_bytes() == canonicalize(TEMPLATE)
    assert {item["url"]: item["sha256"] for item in listing(folder)["schemas"]} == SCHEMAS


def test_nothing_of_a_learner_is_in_it(house: House, folder: Path) -> None:
    for path in [folder / "issuers.json", *files(folder)]:
        assert not {word for word in ("Ada", "did:example:ada", "Zoë") if word in path.read_text()}


def test_published_again_it_is_not_written_again(house: House, folder: Path) -> None:
    [path] = files(folder)
    before = path.stat()
    issue(house, TEMPLATE, "2")
    publish(house, folder)
    assert (files(folder), path.stat()) == ([path], before)


def test_a_file_that_was_cut_off_is_mended(house: House, folder: Path) -> None:
    [path] = files(folder)
    path.write_bytes(b"{")
    publish(house, folder)
    assert path.read_bytes() == canonicalize(TEMPLATE)


def test_a_template_that_was_changed_in_the_database_is_not_published(house: House, folder: Path) -> None:
    before = (folder / "issuers.json").read_bytes()
    issue(house, SECOND, "2")
    execute(house, "UPDATE templates SET content = x'7b7d' WHERE id = 2")
    with pytest.raises(ConflictError, match="database was changed"):
        publish(house, folder)
    assert (folder / "issuers.json").read_bytes() == before
    assert len(files(folder)) == 1


def execute(house: House, statement: str) -> None:
    with house.database.write() as connection:
        assert connection.exec_driver_sql(statement).rowcount == 1


def test_the_official_schemas_are_the_pinned_ones() -> None:
    from support.badges import REFERENCE

    if not (REFERENCE / "ob3").is_dir():
        pytest.skip("../shared/reference/ob3 is not beside this checkout")
    for url, pin in schemas.SCHEMAS.items():
        content = json.loads((REFERENCE / "ob3" / url.rpartition("/")[2]).read_bytes())
        assert sha256(canonicalize(content)).hexdigest() == pin.digest


# --- audits of it ---------------------------------------------------------------------------------------------------


def test_a_clean_registry_stays_clean_when_a_template_is_changed(house: House, folder: Path, tmp_path: Path) -> None:
    assert codes(audit_again(house, folder, tmp_path)) == []
    issue(house, SECOND, "2")
    publish(house, folder)
    assert [item["name"] for item in entries(listing(folder))] == ["course", "course"]
    for _ in range(2):
        report = audit_again(house, folder, tmp_path)
        assert (report.findings, report.incomplete) == ((), ())


def test_publications_of_the_former_form_are_taken(house: House, folder: Path) -> None:
    def former(document: Any) -> None:
        document.pop("schemas")
        for item in document["issuers"]:
            item.pop("templates")

    bend(folder, former)
    report = audit(house.chain, folder)
    assert (report.findings, report.incomplete) == ((), ())


def test_another_content_under_its_digest(house: House, folder: Path) -> None:
    [path] = files(folder)
    path.write_bytes(canonicalize(SECOND))
    [finding] = audit(house.chain, folder).findings
    assert (finding.code, finding.where.issuer) == ("template_changed", house.issuers.look_up("uni").address)
    assert str(finding.where.source).endswith(entries(listing(folder))[0]["url"])


def test_the_same_content_with_other_white_space_is_the_same(house: House, folder: Path) -> None:
    [path] = files(folder)
    path.write_text(json.dumps(TEMPLATE, indent=2))
    assert codes(audit(house.chain, folder)) == []


def put(folder: Path, template: Any) -> None:
    """Another content and its digest, under the address of the only template."""
    [path] = files(folder)
    content = canonicalize(template)
    path.unlink()
    path.with_name(f"{sha256(content).hexdigest()}.json").write_bytes(content)
    bend(folder, lambda document: entries(document)[0].update(sha256=sha256(content).hexdigest()))


def test_another_digest_under_the_same_address(house: House, folder: Path) -> None:
    put(folder, SECOND)
    assert codes(audit(house.chain, folder)) == ["template_changed"]


def test_another_digest_than_an_earlier_audit_saw(house: House, folder: Path, tmp_path: Path) -> None:
    assert codes(audit_again(house, folder, tmp_path)) == []
    put(folder, SECOND)
    for _ in range(2):
        [finding] = audit_again(house, folder, tmp_path).findings
        assert (finding.code, "earlier audit" in finding.expected) == ("template_changed", True)
    put(folder, TEMPLATE)
    assert codes(audit_again(house, folder, tmp_path)) == []


def test_another_content_than_an_earlier_audit_saw(house: House, folder: Path, tmp_path: Path) -> None:
    """Its digest stays: the file is among those that are read again."""
    assert codes(audit_again(house, folder, tmp_path)) == []
    files(folder)[0].write_bytes(canonicalize(SECOND))
    assert codes(audit_again(house, folder, tmp_path)) == ["template_changed"]


@pytest.mark.parametrize(
    ("change", "observed"),
    [
        ({"name": "another"}, ["the name another"]),
        ({"firstUsed": "2020-01-01T00:00:00Z"}, ["first used 2020-01-01T00:00:00Z"]),
        ({"firstUsed": "2040-01-01T00:00:00Z"}, []),  # a registry that was restored may have used it anew
    ],
)
@pytest.mark.parametrize("former", [False, True])
def test_another_name_or_an_earlier_use_than_an_earlier_audit_saw(
    house: House, folder: Path, tmp_path: Path, change: dict[str, str], observed: list[str], former: bool
) -> None:
    assert codes(audit_again(house, folder, tmp_path)) == []
    if former:  # a state of a version that did not keep them
        path = tmp_path / "state.json"
        document = json.loads(path.read_bytes())
        document["templates"] = [row[:5] for row in document["templates"]]
        path.write_text(json.dumps(document))
        assert codes(audit_again(house, folder, tmp_path)) == []
    bend(folder, lambda document: entries(document)[0].update(change))
    for _ in range(2):
        found = audit_again(house, folder, tmp_path).findings
        assert [(item.code, item.observed) for item in found] == [("template_changed", text) for text in observed]


def test_of_many_templates_a_sample_is_read_again(
    house: House, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2, 6):
        issue(house, {**TEMPLATE, "name": f"Course {number}"}, str(number))
    publish(house, folder)
    monkeypatch.setattr(audittemplates, "_AGAIN", 2)
    assert codes(audit_again(house, folder, tmp_path)) == []
    for path in files(folder):
        path.write_bytes(canonicalize({"a": path.name}))
    assert codes(audit_again(house, folder, tmp_path)) == ["template_changed"] * 2
    house.chain.mine()
    assert len(audit(house.chain, folder).findings) == 5


def test_a_file_that_is_not_there(house: House, folder: Path) -> None:
    files(folder)[0].unlink()
    assert codes(audit(house.chain, folder)) == ["template_missing"]


@pytest.mark.parametrize("way", ["entry", "member", "issuer", "file"])
def test_a_template_that_is_taken_away(house: House, folder: Path, tmp_path: Path, way: str) -> None:
    audit_again(house, folder, tmp_path)
    if way == "file":
        (folder / "issuers.json").unlink()
    elif way == "entry":
        bend(folder, lambda document: entries(document).clear())
    elif way == "member":
        bend(folder, lambda document: [item.pop("templates") for item in document["issuers"]])
    else:
        bend(folder, lambda document: document["issuers"].clear())
    for _ in range(2):
        assert codes(audit_again(house, folder, tmp_path)).count("template_missing") == 1
    publish(house, folder)
    assert codes(audit_again(house, folder, tmp_path)) == []


def test_mirrors(house: House, folder: Path, tmp_path: Path) -> None:
    mirror = shutil.copytree(folder, tmp_path / "mirror")
    assert codes(audit(house.chain, folder, mirror)) == []
    issue(house, SECOND, "2")
    publish(house, folder)
    [finding] = audit(house.chain, folder, mirror).findings
    assert (finding.code, finding.observed) == ("mirrors_differ", "not listed")
    [finding] = audit(house.chain, mirror, folder).findings
    assert (finding.code, finding.expected.startswith("not listed")) == ("mirrors_differ", True)
    put(mirror, {**TEMPLATE, "name": "Another"})
    assert codes(audit(house.chain, folder, mirror)) == ["template_changed", "mirrors_differ"]


def test_of_three_copies_each_counts(house: House, folder: Path, server: Server, tmp_path: Path) -> None:
    """Also where the first publication is a registry itself, to which no copy is held."""
    good, bad = shutil.copytree(folder, tmp_path / "good"), shutil.copytree(folder, tmp_path / "bad")
    bend(bad, lambda document: entries(document).clear())
    [finding] = audit(house.chain, server.url, folder, good, bad).findings
    assert (finding.code, str(finding.where.source).startswith(str(bad))) == ("mirrors_differ", True)


def test_a_mirror_with_very_many_other_templates(
    house: House, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audittemplates, "_SHOWN", 1)
    mirror = shutil.copytree(folder, tmp_path / "mirror")
    for number in range(2, 5):
        issue(house, {**TEMPLATE, "name": f"Course {number}"}, str(number))
    publish(house, folder)
    observed = [finding.observed for finding in audit(house.chain, folder, mirror).findings]
    assert sorted(observed) == ["2 more templates that differ", "not listed"]


def test_the_database(house: House, folder: Path) -> None:
    def inside() -> list[str]:
        report = Auditing([NamedChain("node", house.chain)]).run(
            lambda chain, view, declared, _incomplete: audit_database(house.database, chain, view, declared)
        )
        return codes(report)

    assert inside() == []
    execute(house, "UPDATE templates SET content = x'7b7d'")
    assert inside() == ["stored_template_differs"]
    execute(house, "UPDATE templates SET content = 'text'")
    assert inside() == ["stored_template_differs"]


# --- material that means harm ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""}, {"name": "Course"}, {"name": "../x"}, {"name": 5}, {"url": ""}, {"url": "x" * 1_001},
        {"url": "a\nb"}, {"sha256": "00"}, {"sha256": "AA" * 32}, {"sha256": "../" * 21 + "x"}, {"firstUsed": 5},
        {"firstUsed": "yesterday"}, {"more": 1},
    ],
    ids=str,
)  # fmt: skip
def test_entries_that_cannot_be(house: House, folder: Path, change: dict[str, Any]) -> None:
    bend(folder, lambda document: entries(document)[0].update(change))
    assert codes(audit(house.chain, folder)) == ["material_malformed"]


@pytest.mark.parametrize("name", ["contexts", "schemas", "templates"])
def test_no_address_is_listed_twice(house: House, folder: Path, name: str) -> None:
    def twice(document: Any) -> None:
        found = entries(document) if name == "templates" else document[name]
        found.append({**found[0], "sha256": "55" * 32})

    bend(folder, twice)
    assert codes(audit(house.chain, folder)) == ["material_malformed"]


def test_more_than_anybody_has(house: House, folder: Path) -> None:
    bend(folder, lambda document: entries(document).extend([entries(document)[0]] * 10_000))
    assert codes(audit(house.chain, folder)) == ["material_malformed"]
    (folder / "issuers.json").write_bytes(b"[" * 2_000_000)
    assert codes(audit(house.chain, folder)) == ["material_malformed"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b'{"a":1,"a":2}', b"[" * 1_000, b'"' + b"x" * (1 << 20) + b'"']
)
def test_contents_that_are_none(house: House, folder: Path, content: bytes) -> None:
    files(folder)[0].write_bytes(content)
    assert codes(audit(house.chain, folder)) == ["material_malformed"]


def test_links_are_not_followed(house: House, folder: Path, tmp_path: Path) -> None:
    [path] = files(folder)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert codes(audit(house.chain, folder)) == ["material_malformed"]


@pytest.mark.parametrize(
    ("error", "expected", "exit_code"),
    [(MaterialUnavailable("It does not answer."), [], 3), (MaterialMalformed("x"), ["material_malformed"], 1)],
)
def test_a_list_that_could_not_be_read_takes_nothing_away(
    house: House,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    expected: list[str],
    exit_code: int,
) -> None:
    audit_again(house, folder, tmp_path)

    def fail(*_: Any) -> None:
        raise error

    for name in ("templates", "template"):
        with monkeypatch.context() as patch:
            patch.setattr(FolderMaterial, name, fail)
            report = audit_again(house, folder, tmp_path)
        assert (codes(report), report.exit_code) == (expected, exit_code)
    assert codes(audit_again(house, folder, tmp_path)) == []


@pytest.mark.parametrize("data", [b"[]", b"{}", b'{"templates":5}', b'{"templates":[5]}', b'{"templates":[{}]}', b"{"])
def test_answers_of_an_api_that_are_none(data: bytes) -> None:
    with pytest.raises(InputError):
        parse_templates_page(data)


def test_answers_of_an_api_may_say_more() -> None:
    entry = {"name": "course", "url": "https://x.example/1", "sha256": "55" * 32, "more": [1]}
    [found] = parse_templates_page(json.dumps({"templates": [entry], "next": None}).encode())
    assert found == PublishedTemplate("course", "https://x.example/1", b"\x55" * 32)
    pinned = [{"url": "https://x.example/1", "sha256": "55" * 32, "more": 1}]
    page = parse_issuers_page(json.dumps({"issuers": [], "contexts": pinned, "schemas": pinned}).encode())
    assert page.contexts == page.schemas == {"https://x.example/1": b"\x55" * 32}


# --- schemas --------------------------------------------------------------------------------------------------------


def put_schema(folder: Path, url: str, digest: str) -> None:
    def change(document: Any) -> None:
        document["schemas"] = [item for item in document["schemas"] if item["url"] != url]
        document["schemas"].append({"url": url, "sha256": digest})

    bend(folder, change)


def test_a_schema_with_another_content(house: House, folder: Path) -> None:
    put_schema(folder, SCHEMA, "55" * 32)
    assert codes(audit(house.chain, folder)) == ["schema_changed"]


def test_the_adaptation_for_json_ld_counts_as_well(house: House, folder: Path) -> None:
    put_schema(folder, SCHEMA, next(iter(schemas.SCHEMAS[SCHEMA].others)))
    assert codes(audit(house.chain, folder)) == []


def test_a_schema_that_changes_under_its_address(house: House, folder: Path, tmp_path: Path) -> None:
    put_schema(folder, "https://schemas.example/v1", "44" * 32)
    assert codes(audit_again(house, folder, tmp_path)) == []
    put_schema(folder, "https://schemas.example/v1", "55" * 32)
    for _ in range(2):
        assert codes(audit_again(house, folder, tmp_path)) == ["schema_changed"]


@pytest.mark.parametrize(("member", "code"), [("contexts", "context_changed"), ("schemas", "schema_changed")])
def test_mirrors_with_other_digests(house: House, folder: Path, tmp_path: Path, member: str, code: str) -> None:
    mirror = shutil.copytree(folder, tmp_path / "mirror")
    for place, digest in ((folder, "44" * 32), (mirror, "55" * 32)):
        bend(place, lambda document, text=digest: document[member].append({"url": "https://x.example", "sha256": text}))
    [finding] = audit(house.chain, folder, mirror).findings
    assert (finding.code, finding.observed) == (code, "55" * 32)


# --- from a registry itself -----------------------------------------------------------------------------------------


@pytest.fixture
def server(house: House) -> Iterator[Server]:
    running = Server(create_app(FakeRegistry(house)))
    yield running
    running.stop()


def test_a_registry_shows_the_same(house: House, folder: Path, server: Server, tmp_path: Path) -> None:
    for places in ((folder, server.url), (server.url, folder)):
        report = audit(house.chain, *places)
        assert (report.findings, report.incomplete) == ((), ())
    audit_again(house, server.url, tmp_path)
    known = json.loads((tmp_path / "state.json").read_bytes())
    assert [(item[0], item[3], item[4]) for item in known["templates"]] == [
        (server.url, sha256(canonicalize(TEMPLATE)).hexdigest(), True)
    ]
    assert len(known["schemas"]) == len(SCHEMAS)
    assert len(known["contexts"]) > 20


def test_a_registry_may_be_ahead_of_its_copy(house: House, folder: Path, server: Server) -> None:
    issue(house, SECOND, "2")
    assert codes(audit(house.chain, folder, server.url)) == []


def test_a_registry_that_takes_a_template_away(house: House, folder: Path, server: Server, tmp_path: Path) -> None:
    assert codes(audit_again(house, server.url, tmp_path)) == []
    execute(house, "DELETE FROM templates")
    assert codes(audit_again(house, server.url, tmp_path)) == ["template_missing"]


def test_a_registry_that_changes_a_template(house: House, folder: Path, server: Server) -> None:
    """Its own digest no longer fits, so that the registry does not serve it: the audit could not finish."""
    execute(house, "UPDATE templates SET content = x'7b7d'")
    report = audit(house.chain, server.url)
    assert (report.exit_code, codes(report)) == (3, [])
    assert "409" in " ".join(report.incomplete)
