"""Templates and CSV: cells are data, and every row has an answer."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.errors import JsonError, ShapeError
from registry.service.errors import InvalidError
from registry.service.issuing import LineResult, Submission
from registry.service.templates import parse_template, read_csv


def template(value: dict[str, Any]) -> Any:
    return parse_template(json.dumps(value).encode())


def rows(text: str | bytes, value: dict[str, Any]) -> list[Any]:
    data = text.encode() if isinstance(text, str) else text
    found = read_csv(io.BytesIO(data), template(value), "key")
    return [item.document if isinstance(item, Submission) else (item.line, item.error.code) for item in found]


# --- templates --------------------------------------------------------------------------------------------------------


def test_columns_are_found_everywhere() -> None:
    found = template({"a": "{{x}} {{y}}", "b": [{"c": "{{ z? }}"}, "{{x?}}"], "d": "{{n?:number}}"})

    assert found.required == ("x", "y")
    assert found.optional == ("z", "n")


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"{{a}}": 1, "b": "{{a}}"}, "/{{a}}"),
        ({"a": {"b": "{{}}"}}, "/a/b"),
        ({"a": ["{{x"]}, "/a/0"),
        ({"a": "x}}"}, "/a"),
        ({"a": "{{x:date}}"}, "/a"),
        ({"a": "{{x:number}} ECTS"}, "/a"),
        ({"a": "{{ {{x}} }}"}, "/a"),
        ({"a": "{{?}}"}, "/a"),
    ],
)
def test_a_template_that_cannot_be_used_says_where(value: dict[str, Any], pointer: str) -> None:
    with pytest.raises(ShapeError) as caught:
        template(value)

    assert caught.value.pointer == pointer


def test_a_template_without_columns_is_refused() -> None:
    with pytest.raises(ShapeError, match="every row would give the same"):
        template({"a": "b"})


@pytest.mark.parametrize("data", [b'["{{a}}"]', b"1"])
def test_a_template_is_an_object(data: bytes) -> None:
    with pytest.raises(ShapeError):
        parse_template(data)


def test_a_template_is_strict_json() -> None:
    with pytest.raises(JsonError):
        parse_template(b'{"a": "{{x}}", "a": 1}')


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_a_cell_ends_up_as_it_is(cell: str) -> None:
    found = template({"a": "{{x}}", "b": "<{{x}}>"})

    assert found.fill({"x": cell}) == {"a": cell, "b": f"<{cell}>"}


def test_a_cell_with_braces_is_not_filled_again() -> None:
    assert template({"a": "{{x}}{{y}}"}).fill({"x": "{{y}}", "y": "{{x}}"}) == {"a": "{{y}}{{x}}"}


def test_a_blank_optional_drops_its_member_and_what_it_leaves_empty() -> None:
    found = template({"a": {"b": {"c": "{{x?}}"}}, "d": ["{{x?}}", 1], "e": {}, "f": "{{y}}"})

    assert found.fill({"x": "", "y": "1"}) == {"d": [1], "e": {}, "f": "1"}


@pytest.mark.parametrize(("cell", "number"), [("5", 5), ("-2.5", -2.5), ("0", 0), ("2.50", 2.5)])
def test_numbers(cell: str, number: float) -> None:
    value = template({"a": "{{x:number}}"}).fill({"x": cell})["a"]

    assert value == number
    assert type(value) is type(number)


@pytest.mark.parametrize("cell", ["2,5", "five", "007", "1e3", "NaN", "+1", "0x1", str(2**53), "1_000", "٣"])
def test_what_is_no_number(cell: str) -> None:
    with pytest.raises(InvalidError) as caught:
        template({"a": "{{x:number}}"}).fill({"x": cell})

    assert caught.value.code == "not_a_number"


# --- CSV --------------------------------------------------------------------------------------------------------------

NAME = {"name": "{{name}}", "note": "{{note?}}"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_delimiters_line_ends_and_byte_order_mark(delimiter: str, end: str, mark: str) -> None:
    text = mark + end.join([delimiter.join(row) for row in (("name", "note"), ("Zoë", "x"), ("李 娜", ""))])

    assert rows(text, NAME) == [{"name": "Zoë", "note": "x"}, {"name": "李 娜"}]


def test_quotes_line_feeds_and_doubled_quotes_inside() -> None:
    assert rows('name,note\n"O""Brien, A.","two\nlines"\nB,c\n', NAME) == [
        {"name": 'O"Brien, A.', "note": "two\nlines"},
        {"name": "B", "note": "c"},
    ]


def test_combining_characters_and_direction_stay_as_they_are() -> None:
    assert rows("name,note\nZoe\u0308,\u05d3\u05d5\u05d3\n", NAME) == [
        {"name": "Zoe\u0308", "note": "\u05d3\u05d5\u05d3"}
    ]


def test_bad_rows_are_named_by_the_line_they_begin_on() -> None:
    text = 'name,note\n"a\nb",1\n,2\nc,1,2\n\n , \nd\n"e"x,1\nf,1\n'

    assert rows(text, NAME) == [
        {"name": "a\nb", "note": "1"},
        (4, "blank"),
        (5, "ragged"),
        (8, "ragged"),
        (9, "not_csv"),
        {"name": "f", "note": "1"},
    ]


def test_a_quote_that_is_never_closed() -> None:
    assert rows('name,note\na,1\n"b,2\nc,3\n', NAME) == [{"name": "a", "note": "1"}, (3, "not_csv")]


def test_what_is_not_utf8_is_refused_row_by_row() -> None:
    assert rows(b"name,note\nZo\xeb,1\nB,2\n", NAME) == [(2, "not_utf8"), {"name": "B", "note": "2"}]


def test_a_line_longer_than_we_read() -> None:
    assert rows(b"name,note\n" + b"x" * (1 << 20) + b",1\nB,2\n", NAME) == [(2, "not_csv"), {"name": "B", "note": "2"}]


@pytest.mark.parametrize(
    ("header", "code"),
    [("", "no_header"), ("name", "column_missing"), ("name,note,name", "column_twice"), ('"name,note', "not_csv")],
)
def test_the_header_is_checked_before_any_row(header: str, code: str) -> None:
    with pytest.raises(InvalidError) as caught:
        rows(f"{header}\nA,B\n", NAME)

    assert caught.value.code == code


def test_columns_that_the_template_does_not_name_are_left_out() -> None:
    assert rows("name,phone,note\nA,123,x\n", NAME) == [{"name": "A", "note": "x"}]


def test_every_line_has_its_own_idempotency_key() -> None:
    found = list(read_csv(io.BytesIO(b"name,note\nA,\nB,\n"), template(NAME), "key"))

    assert [item.idempotency_key for item in found if not isinstance(item, LineResult)] == ["key#2", "key#3"]


def test_a_file_is_read_as_it_is_needed() -> None:
    def endless() -> Any:
        yield b"name,note\n"
        while True:
            yield b"A,B\n"

    found = read_csv(endless(), template(NAME), None)

    assert [next(found).line for _ in range(3)] == [2, 3, 4]
