"""Credentials in SVG images."""

import contextlib
import json
import time
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.standards.baking import BakingError, Content, bake, default_svg, extract, image_format

JSON = '{"type":["VerifiableCredential"],"name":"Žluťoučký <&> ]]> \\u0000 ]]]]>"}'.encode()
JWS = b"eyJhbGciOiJFZERTQSJ9.eyJpZCI6MX0.c2ln"
NAMESPACE = "https://purl.imsglobal.org/ob/v3p0"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><g/></svg>'


def _svg(inside: str, attributes: str = f'xmlns:openbadges="{NAMESPACE}"', before: str = "") -> bytes:
    return f'{before}<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{inside}</svg>'.encode()


def _tree(image: bytes) -> ET.Element:
    return ET.fromstring(image)  # noqa: S314 - our own


def _refused(image: bytes) -> str:
    with pytest.raises(BakingError) as caught:
        extract(image)
    return caught.value.code


@pytest.mark.parametrize(("data", "form"), [(JSON, "json"), (JWS, "jws")])
def test_there_and_back(data: bytes, form: Any) -> None:
    assert extract(bake(default_svg("Statistics", "Example"), data)) == Content(form, data)


def test_a_jws_is_baked_as_the_specification_has_it() -> None:
    assert (
        bake(SVG, JWS)
        == (
            f'<svg xmlns:openbadges="{NAMESPACE}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">'
            f'<openbadges:credential verify="{JWS.decode()}"></openbadges:credential><g/></svg>'
        ).encode()
    )


def test_json_is_baked_as_the_specification_has_it() -> None:
    assert (
        bake(SVG, b'{"a":1}')
        == (
            f'<svg xmlns:openbadges="{NAMESPACE}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">'
            '<openbadges:credential><![CDATA[{"a":1}]]></openbadges:credential><g/></svg>'
        ).encode()
    )


_DRAWINGS = [
    SVG,
    b"\xef\xbb\xbf" + SVG,
    b'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<!-- <svg> -->\n' + SVG + b"\n<!-- end -->\n",
    b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">' + SVG,
    b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    b"<svg xmlns='http://www.w3.org/2000/svg' a='>' b=\"/>'\"\n/>",
    b'<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:g/></s:svg>',
    b'<s:svg xmlns:s="http://www.w3.org/2000/svg"/>',
    _svg("<g/>"),
    _svg("<openbadges:assertion verify='a.b.c'/>", 'xmlns:openbadges="http://openbadges.org"'),
    _svg("", 'xmlns:openbadges="http://openbadges.org"'),
]


@pytest.mark.parametrize("image", _DRAWINGS)
@pytest.mark.parametrize("data", [JSON, JWS])
def test_drawings_of_all_kinds(image: bytes, data: bytes) -> None:
    baked = bake(image, data)
    assert extract(baked).data == data
    assert bake(baked, data) == baked
    assert bake(bake(baked, b"{}"), data) == baked
    root = _tree(baked)
    assert root[0].tag == f"{{{NAMESPACE}}}credential"
    # What was there is still there, in its order.
    assert [item.tag for item in root.iter()][2:] == [item.tag for item in _tree(image).iter()][1:]


def test_elements_of_others_are_found_and_replaced() -> None:
    """Declared on the element itself, at the end, in another prefix: XML all the same."""
    image = _svg(f"<g/><ob:credential xmlns:ob='{NAMESPACE}' verify='a.b.c'/><g/>", "")
    assert extract(image).data == b"a.b.c"
    assert extract(bake(image, JSON)).data == JSON


def test_former_credentials_are_taken_out_wherever_they_stand() -> None:
    one = "<openbadges:credential verify='a.b.c'/>"
    nested = f"<openbadges:credential >{one}</openbadges:credential >"
    image = _svg(f"{one}<g>{nested}{one}</g>{one}")
    assert bake(image, JWS) == bake(_svg("<g></g>"), JWS)


def test_text_without_cdata() -> None:
    assert extract(_svg('<openbadges:credential>\n {"a":"&lt;"}\n</openbadges:credential>')).data == b'{"a":"<"}'


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "iso-8859-1"])
def test_other_encodings_are_read_and_not_baked(encoding: str) -> None:
    declared = encoding.removesuffix("-le").removesuffix("-be")
    text = f'<?xml version="1.0" encoding="{declared}"?>' + _svg('<openbadges:credential verify="a.b.c"/>').decode()
    image = text.encode(encoding)
    if image_format(image) is not None:
        assert extract(image).data == b"a.b.c"
        with pytest.raises(BakingError) as caught:
            bake(image, JSON)
        assert caught.value.code == "svg_encoding"


@pytest.mark.parametrize("encoding", ["rot13", "utf-7", "shift_jis", "cp1252", "zlib", "x" * 500])
def test_strange_encodings(encoding: str) -> None:
    assert _refused(f'<?xml version="1.0" encoding="{encoding}"?>'.encode() + SVG) == "svg_encoding"


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        ("<g/>", "no_credential"),
        ("<credential verify='a.b.c'/>", "no_credential"),
        ("<!-- <openbadges:credential verify='a.b.c'/> -->", "no_credential"),
        ("<![CDATA[<openbadges:credential verify='a.b.c'/>]]>", "no_credential"),
        ("<x:assertion xmlns:x='http://openbadges.org' verify='a.b.c'/>", "open_badges_2"),
        ("<openbadges:credential verify='a.b.c'/>" * 2, "several_credentials"),
        ("<openbadges:credential verify='a.b.c'>{}</openbadges:credential>", "ambiguous_credential"),
        ("<openbadges:credential><b/>{}</openbadges:credential>", "ambiguous_credential"),
        ("<openbadges:credential><openbadges:credential verify='a.b.c'/></openbadges:credential>",
         "ambiguous_credential"),
        ("<openbadges:credential/>", "not_a_credential"),
        ("<openbadges:credential verify=''/>", "not_a_credential"),
        ("<openbadges:credential verify='https://badges.example/1'/>", "not_a_credential"),
        ("<openbadges:credential>[]</openbadges:credential>", "not_a_credential"),
        ("<openbadges:credential verify='&nothing;'/>", "svg_malformed"),
        ("<openbadges:credential", "svg_malformed"),
        ("<other:credential/>", "svg_malformed"),
        ("\x00", "svg_malformed"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(inside: str, code: str) -> None:
    assert _refused(_svg(inside)) == code


_BILLION = (
    '<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {name} "{f"&{inner};" * 10}">' for name, inner in zip("bcdefghij", "abcdefghi", strict=True))
    + "]>"
)


@pytest.mark.parametrize(
    ("before", "inside"),
    [
        (_BILLION, "<openbadges:credential>&j;</openbadges:credential>"),
        (
            '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
            "<openbadges:credential>&x;</openbadges:credential>",
        ),
        ('<!DOCTYPE svg [<!ENTITY % x SYSTEM "http://127.0.0.1/x.dtd"> %x;]>', ""),
        ('<!DOCTYPE svg [<!ATTLIST svg a CDATA "x">]>', ""),
        ('<!DOCTYPE svg SYSTEM "http://127.0.0.1/x.dtd" [<!ENTITY a "">]>', ""),
    ],
)
def test_declarations_are_refused_before_the_first_is_read(before: str, inside: str) -> None:
    started = time.process_time()
    assert _refused(_svg(inside, before=before)) == "svg_entities"
    with pytest.raises(BakingError):
        bake(_svg(inside, before=before), JSON)
    assert time.process_time() - started < 1


def test_a_dtd_that_is_named_is_not_fetched() -> None:
    """Its entities are unknown, and nobody asks for them."""
    before = '<!DOCTYPE svg SYSTEM "http://127.0.0.1:1/x.dtd">'
    assert extract(_svg("<openbadges:credential verify='a.b.c'/>", before=before)).data == b"a.b.c"
    assert _refused(_svg("<openbadges:credential>&x;</openbadges:credential>", before=before)) == "not_a_credential"


@pytest.mark.parametrize("data", [b"<html/>", b"<svg", b"<", b"<?xml version='1.0'?>", b"<!DOCTYPE html><p>hello"])
def test_not_an_svg(data: bytes) -> None:
    assert image_format(data) == "svg"
    assert _refused(data) in ("not_an_image", "svg_malformed")


def test_very_deep_and_very_wide() -> None:
    started = time.process_time()
    assert _refused(_svg("<g>" * 300_000 + "</g>" * 300_000)) == "no_credential"
    assert _refused(_svg("<openbadges:credential/>" * 100_000)) == "several_credentials"
    assert extract(bake(_svg("<openbadges:credential/>" * 100_000), JSON)).data == JSON
    assert time.process_time() - started < 20


def test_the_default_image_is_fit_for_xml() -> None:
    image = default_svg('A & B <script>"x"</script> \x00\ud800\uffff ' + "long " * 100, "Žluťoučký\n\x07")
    root = _tree(image)
    assert all(item.tag.startswith("{http://www.w3.org/2000/svg}") for item in root.iter())
    assert "script" not in [item.tag.rpartition("}")[2] for item in root.iter()]


@pytest.mark.parametrize(
    ("title", "lines"),
    [
        ("First Aid", ["First Aid"]),
        ("Data Literacy for Sustainability", ["Data Literacy for", "Sustainability"]),
        ("word " * 100, ["word word word word word word", "word word word word word word…"]),
        ("x" * 1_000_000, ["x" * 29 + "…"]),
        ("a" + "\u0300" * 100_000, ["a" + "\u0300" * 28 + "…"]),
        ("学" * 20, ["学" * 14 + "…"]),
        ("", []),
    ],
)
def test_titles_are_broken_into_lines(title: str, lines: list[str]) -> None:
    texts = [item.text or "" for item in _tree(default_svg(title, "Example")).iter() if item.tag.endswith("}text")]
    assert texts == [*lines, "Example"]


@given(
    st.recursive(
        st.none() | st.text() | st.booleans(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
@settings(max_examples=150, deadline=None)
def test_any_credential_comes_back(value: Any) -> None:
    """As the same JSON; two characters that XML cannot hold come back escaped."""
    try:
        data = json.dumps({"value": value}, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert json.loads(extract(bake(SVG, data)).data) == {"value": value}


def test_characters_that_xml_has_no_form_for() -> None:
    assert extract(bake(SVG, '{"a":"\uffff\ufffe"}'.encode())).data == b'{"a":"\\uffff\\ufffe"}'


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_nothing_but_a_baking_error_is_raised(data: st.DataObject) -> None:
    image = bytearray(bake(_svg("<g a='1'/>"), JSON))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(image) - 1))
        image[place : place + data.draw(st.integers(0, 3))] = data.draw(st.sampled_from([b"", b"<", b">", b"&", b"'"]))
    for attempt in (lambda: extract(bytes(image)), lambda: bake(bytes(image), JSON)):
        with contextlib.suppress(BakingError):
            attempt()
