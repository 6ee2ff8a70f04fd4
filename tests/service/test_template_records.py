"""Templates on record: once for each content, with the first credential that is made from it, without its learner."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from registry.core.errors import InputError, ShapeError
from registry.service import templaterecords
from registry.service.errors import ConflictError, NotFoundError
from registry.service.issuers import Issuer
from registry.service.issuing import LineResult
from registry.service.reading import open_source
from registry.service.templaterecords import RecordedTemplate, TemplateRecords, template_name, template_version
from registry.service.templates import compile_template
from registry.store.tables import credentials, templates
from support.house import House, document, open_house

TEMPLATE = document("urn:example:{{no}}", credentialSubject={"id": "did:example:{{no}}", "name": "{{name}}"})


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = open_house(tmp_path)
    yield opened
    opened.close()


def imported(house: House, folder: Path, rows: str, template: Any = TEMPLATE, name: str = "Data Literacy") -> list[Any]:
    (folder / f"{name}.json").write_text(json.dumps(template))
    (folder / "rows.csv").write_text(f"no,name\n{rows}")
    source = open_source(folder / "rows.csv", folder / f"{name}.json")
    issuer = house.issuers.look_up("acme") if house.issuers.exists("acme") else house.hosting.create("acme")
    lines = house.issuing.import_submissions(issuer, source.read(source.key))
    return [line.error.code if line.error else "accepted" for line in lines if isinstance(line, LineResult)]


def recorded(house: House, issuer: str = "acme") -> list[RecordedTemplate]:
    return TemplateRecords(house.context).of(house.issuers.look_up(issuer))


def test_on_both_databases(both: House, tmp_path: Path) -> None:
    assert imported(both, tmp_path, "1,Ada\n2,Bo\n") == ["accepted"] * 2
    both.clock.advance(60)
    assert imported(both, tmp_path, "3,Cy\n") == ["accepted"]
    [found] = recorded(both)
    version = template_version(TEMPLATE, "data-literacy")
    address = f"https://registry.example/issuers/acme/templates/data-literacy/{version.digest.hex()}"
    assert found == RecordedTemplate("data-literacy", version.digest, len(version.content), both.clock() - 60, address)
    content = TemplateRecords(both.context).content(both.issuers.look_up("acme"), found.name, found.digest)
    assert content == version.content
    assert b"Ada" not in content


def test_the_same_import_again_adds_nothing(house: House, tmp_path: Path) -> None:
    for _ in range(2):
        imported(house, tmp_path, "1,Ada\n")
    assert len(recorded(house)) == 1


def test_another_content_is_another_version(house: House, tmp_path: Path) -> None:
    imported(house, tmp_path, "1,Ada\n")
    imported(house, tmp_path, "2,Ada\n", {**TEMPLATE, "name": "Second edition"})
    imported(house, tmp_path, "3,Ada\n", name="Other name")
    first, second, third = recorded(house)
    assert [item.name for item in (first, second, third)] == ["data-literacy", "data-literacy", "other-name"]
    assert first.digest == third.digest != second.digest
    assert len({item.url for item in (first, second, third)}) == 3


def test_white_space_and_order_make_no_other_version(house: House, tmp_path: Path) -> None:
    imported(house, tmp_path, "1,Ada\n")
    imported(house, tmp_path, "2,Ada\n", dict(reversed(TEMPLATE.items())))
    assert len(recorded(house)) == 1


@pytest.mark.parametrize("rows", ["1,\n", "1,Ada,more\n", ""])
def test_refused_rows_put_nothing_on_record(house: House, tmp_path: Path, rows: str) -> None:
    assert "accepted" not in imported(house, tmp_path, rows)
    assert recorded(house) == []


def test_credentials_that_were_accepted_before_put_nothing_on_record(house: House, tmp_path: Path) -> None:
    imported(house, tmp_path, "1,Ada\n")
    with house.database.write() as connection:
        connection.execute(templates.delete())
    assert imported(house, tmp_path, "1,Ada\n") == ["accepted"]
    assert recorded(house) == []


def test_each_issuer_has_its_own(house: House, tmp_path: Path) -> None:
    imported(house, tmp_path, "1,Ada\n")
    house.hosting.create("other")
    assert recorded(house, "other") == []
    [found] = recorded(house)
    with pytest.raises(NotFoundError):
        TemplateRecords(house.context).content(house.issuers.look_up("other"), found.name, found.digest)


def test_a_record_that_cannot_be_written_takes_its_credentials_along(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr("registry.service.issuing.record_templates", fail)
        with pytest.raises(OSError, match="no space"):
            imported(house, tmp_path, "1,Ada\n")
    with house.database.read() as connection:
        assert connection.execute(credentials.select()).all() == []
    assert recorded(house) == []
    assert imported(house, tmp_path, "1,Ada\n") == ["accepted"]
    assert len(recorded(house)) == 1


def test_a_template_for_every_learner_comes_to_an_end(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(templaterecords, "MAX_TEMPLATES", 1)
    imported(house, tmp_path, "1,Ada\n")
    with pytest.raises(ConflictError, match="column"):
        imported(house, tmp_path, "2,Ada\n", {**TEMPLATE, "name": "Second edition"})
    assert imported(house, tmp_path, "3,Ada\n") == ["accepted"]
    assert len(recorded(house)) == 1


def test_a_row_that_was_changed_is_not_given_out(house: House) -> None:
    issuer: Issuer = house.hosting.create("acme")
    row = {"issuer_id": issuer.id, "name": "x", "digest": b"\0" * 32, "content": b"{}", "first_used_at": 1}
    with house.database.write() as connection:
        connection.execute(insert(templates).values(row))
    with pytest.raises(ConflictError, match="database was changed"):
        TemplateRecords(house.context).content(issuer, "x", b"\0" * 32)


def test_what_could_not_be_read_again_is_no_template() -> None:
    with pytest.raises(InputError):
        template_version({"a": "{{x}}", "b": 1e16})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Data Literacy", "data-literacy"), ("template", "template"), ("Prüfung 2026.v2", "prufung-2026-v2"),
        ("..", "template"), ("学位", "template"), ("-a-", "a"), ("x" * 100, "x" * 63), ("a" * 62 + "--b", "a" * 62),
        ("../../etc/passwd", "etc-passwd"),
    ],
)  # fmt: skip
def test_names_of_files_become_names_in_addresses(text: str, name: str) -> None:
    assert template_name(text) == name


@given(st.text(max_size=200))
def test_every_name_can_stand_in_an_address(text: str) -> None:
    from registry.api.schemas import CredentialIn

    CredentialIn.model_validate({"template": {}, "data": {}, "templateName": template_name(text)})


# --- what is public names no learner --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "pointer"),
    [
        ({"name": "Ada"}, "/credentialSubject/name"),
        ({"birthDate": "1815-12-10"}, "/credentialSubject/birthDate"),
        ({"id": "mailto:ada@example.org"}, "/credentialSubject/id"),
        ([{"id": "{{a}}"}, {"familyName": "Lovelace"}], "/credentialSubject/1/familyName"),
        ({"identifier": {"identityHash": "Ada", "salt": "{{a}}"}}, "/credentialSubject/identifier/identityHash"),
        ({"identifier": [{"identifier": "4711"}]}, "/credentialSubject/identifier/0/identifier"),
    ],
)
def test_what_says_who_a_learner_is_comes_from_a_column(subject: Any, pointer: str) -> None:
    with pytest.raises(ShapeError, match="published") as caught:
        compile_template({"id": "{{a}}", "credentialSubject": subject})
    assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    "subject",
    [
        {"name": "{{a}}"}, {"name": "Ada {{a}}"}, {"name": " "}, {"id": "did:example:faculty"}, "text", None, [1, "x"],
        {"narrative": "Ask registrar@uni.example."}, {"achievement": {"name": "Statistics", "creator": {"name": "X"}}},
        {"identifier": [{"identityHash": "{{a}}", "identityType": "name"}, "text"]},
    ],
)  # fmt: skip
def test_what_is_no_learners_may_stand_there(subject: Any) -> None:
    compile_template({"id": "{{a}}", "credentialSubject": subject})
