"""Files that are handed in, by what they are."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.errors import InputError
from registry.service import reading
from registry.service.issuing import Submission
from registry.service.reading import open_source


def read(path: Path, template: Path | None = None) -> list[Any]:
    found = open_source(path, template).read("key")
    return [item.document if isinstance(item, Submission) else (item.line, item.error.code) for item in found]


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.ndjson", '{"a":1}\n\n{"a":2}', [{"a": 1}, {"a": 2}]),
        ("a.json", '{"a":1}\n{"a":2}\n', [{"a": 1}, {"a": 2}]),
        ("a.json", '{\n "a":1\n}\n', [{"a": 1}]),
        ("a", '[{"a":1},{"a":2}]', [{"a": 1}, {"a": 2}]),
        ("a.json", "[]", []),
        ("a.json", '[{"a":1},]', [{"a": 1}, (1, "not_json")]),
        ("a.json", '[{"a":1}\n{"a":2}]', [(1, "not_json")]),
        ("a.json", '[{"a":1},\n{"a":}]', [{"a": 1}, (2, "not_json")]),
        ("a.json", '[{"a":1}', [(1, "not_json")]),
        ("a.json", '[{"a":1}] more', [{"a": 1}, (1, "not_json")]),
        ("a.jsonl", '{"a":1,"a":2}\n[1]\n', [(1, "not_json"), [1]]),
        ("a.ndjson", "", []),
    ],
)
def test_what_a_file_is(tmp_path: Path, name: str, text: str, expected: list[Any]) -> None:
    assert read(write(tmp_path / name, text)) == expected


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), inner),
    max_leaves=20,
)


@given(st.lists(_JSON), st.integers(1, 40), st.sampled_from([None, 1]), st.booleans())
def test_an_array_is_split_wherever_the_blocks_end(
    tmp_path_factory: pytest.TempPathFactory, items: list[Any], block: int, indent: int | None, ascii_only: bool
) -> None:
    path = tmp_path_factory.mktemp("array") / "a.json"
    source = open_source(write(path, json.dumps(items, indent=indent, ensure_ascii=ascii_only)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_BLOCK", block)
        found = list(source.read("key"))

    assert [item.document for item in found if isinstance(item, Submission)] == items


def test_the_key_is_the_files_and_the_templates_digest(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1.json", '{"a":"{{x}}"}'), write(tmp_path / "2.json", '{"b":"{{x}}"}')
    file = write(tmp_path / "a.csv", "x\n1\n")

    assert open_source(file, one).key == open_source(file, one).key != open_source(file, two).key


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("a.csv", b"\xff\xfex\x00", "UTF-16"), ("a.csv", b"x\n1\n", "--template"), ("a.txt", b"x\n", "--template")],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_source(write(tmp_path / name, content))


def test_a_template_for_json_is_a_mistake(tmp_path: Path) -> None:
    template = write(tmp_path / "t.json", '{"a":"{{x}}"}')

    with pytest.raises(InputError, match="for CSV"):
        open_source(write(tmp_path / "a.ndjson", "{}"), template)


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.json"):
        open_source(write(tmp_path / "a.csv", "x\n"), tmp_path / "nothing.json")


def test_a_line_without_end_does_not_fill_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ndjson", b'{"a":"' + b"x" * (24 << 20) + b'"}\n{"a":1}\n')
    source = open_source(path)

    tracemalloc.start()
    found = [item.document if isinstance(item, Submission) else item.line for item in source.read(None)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert found == [1, {"a": 1}]
    assert peak < 8 << 20


def test_progress_counts_every_byte(tmp_path: Path) -> None:
    for name, text in (("a.ndjson", "{}\n{}"), ("a.json", "[{}, {}]"), ("b.json", '{\n"a":1\n}')):
        source = open_source(write(tmp_path / name, text))
        told: list[int] = []
        list(source.read(None, told.append))
        assert sum(told) == source.size == len(text), name
