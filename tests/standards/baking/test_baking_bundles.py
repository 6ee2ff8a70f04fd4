"""Whole bundles in images: the credential as Open Badges has it, and beside it what proves the anchor."""

import base64
import contextlib
import json
import struct
import time
import tracemalloc
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core import leaf
from registry.core.bundle import parse_bundle, serialize_bundle
from registry.core.canonical import MAX_BYTES, canonicalize
from registry.core.errors import BundleError, JsonError
from registry.core.model import Bundle
from registry.standards.baking import (
    MAX_IMAGE_BYTES,
    BakingError,
    Content,
    bake,
    bake_bundle,
    build_badge,
    default_png,
    default_svg,
    extract,
    extract_companion,
    image_format,
    join_bundle,
    split_bundle,
)
from registry.standards.baking.png import SIGNATURE, chunk

VECTOR = json.loads((Path(__file__).parents[2] / "vectors" / "verdict" / "valid.json").read_bytes())
PNG, SVG = default_png("Example"), default_svg("Statistics", "Example")
JWS = "eyJhbGciOiJFZERTQSJ9.eyJpZCI6MX0.c2ln"
NAMESPACE = "https://purl.imsglobal.org/ob/v3p0"
OURS = "urn:credential-registry:bundle"


def _bundle(credential: dict[str, Any] = VECTOR["bundle"]["credential"]) -> bytes:
    return serialize_bundle(parse_bundle(json.dumps({**VECTOR["bundle"], "credential": credential}).encode()))


BUNDLE = _bundle()
ENVELOPED = {
    "@context": ["https://www.w3.org/ns/credentials/v2"],
    "id": f"data:application/vc+jwt,{JWS}",
    "type": "EnvelopedVerifiableCredential",
}


def _out(image: bytes) -> bytes:
    companion = extract_companion(image)
    assert companion is not None
    return join_bundle(extract(image), companion)


def _leaf_hash(bundle: Bundle) -> bytes:
    return leaf.leaf_hash(leaf.commit(bundle.leaf.salt, leaf.digest(canonicalize(bundle.credential))))


def _chunks(image: bytes) -> list[tuple[bytes, bytes]]:
    found, place = [], 8
    while place < len(image):
        length, kind = struct.unpack_from(">I4s", image, place)
        found.append((kind, image[place + 8 : place + 8 + length]))
        place += 12 + length
    return found


def _png(*texts: bytes) -> bytes:
    """With iTXt chunks of this content."""
    chunks = [_chunks(PNG)[0], *((b"iTXt", text) for text in texts), (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(kind, data) for kind, data in chunks)


def _svg(inside: str) -> bytes:
    names = f'xmlns:openbadges="{NAMESPACE}" xmlns:b="{OURS}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {names}>{inside}</svg>'.encode()


def _refused(image: bytes) -> str:
    with pytest.raises(BakingError) as caught:
        extract_companion(image)
    return caught.value.code


@pytest.mark.parametrize("image", [PNG, SVG])
@pytest.mark.parametrize("bundle", [BUNDLE, _bundle(ENVELOPED), _bundle({**ENVELOPED, "type": [ENVELOPED["type"]]})])
def test_the_bundle_comes_out_as_it_went_in(image: bytes, bundle: bytes) -> None:
    baked = bake_bundle(image, bundle)
    assert _out(baked) == bundle
    assert bake_bundle(baked, bundle) == baked
    assert image_format(baked) == image_format(image)


@pytest.mark.parametrize("image", [PNG, SVG])
def test_its_leaf_is_the_one_that_is_anchored(image: bytes) -> None:
    bundle = parse_bundle(_out(bake_bundle(image, BUNDLE)))
    assert _leaf_hash(bundle) == _leaf_hash(parse_bundle(BUNDLE))


@pytest.mark.parametrize("image", [PNG, SVG])
def test_a_companion_goes_with_its_credential(image: bytes) -> None:
    """It proves another one."""
    credential, _ = split_bundle(BUNDLE)
    assert bake(bake_bundle(image, BUNDLE), credential) == bake(image, credential)
    assert extract_companion(bake(image, credential)) is None


def test_the_chunk_is_directly_behind_the_credential_s() -> None:
    credential, companion = split_bundle(BUNDLE)
    before, after = _chunks(PNG), _chunks(bake_bundle(PNG, BUNDLE))
    assert after == [
        before[0],
        (b"iTXt", b"openbadgecredential\0\0\0\0\0" + credential),
        (b"iTXt", b"AnchoredCredentialBundle\0\0\0\0\0" + companion),
        *before[1:],
    ]


def test_the_element_is_directly_behind_the_credential_s() -> None:
    root = ET.fromstring(bake_bundle(SVG, BUNDLE))  # noqa: S314 - our own
    assert [item.tag for item in root[:2]] == [f"{{{NAMESPACE}}}credential", f"{{{OURS}}}bundle"]
    assert json.loads(root[1].text or "") == json.loads(split_bundle(BUNDLE)[1])


def test_a_jws_is_baked_as_a_jws() -> None:
    credential, companion = split_bundle(_bundle(ENVELOPED))
    assert credential == JWS.encode()
    assert json.loads(companion)["envelope"] == {"@context": ENVELOPED["@context"], "type": ENVELOPED["type"]}
    assert f'<openbadges:credential verify="{JWS}">'.encode() in bake_bundle(SVG, _bundle(ENVELOPED))


@pytest.mark.parametrize("identifier", ["data:application/vc+jwt,a.b", f"data:application/vc+sd-jwt,{JWS}~", 5, "é"])
def test_an_envelope_that_holds_no_jws_is_baked_as_json(identifier: object) -> None:
    bundle = _bundle({**ENVELOPED, "id": identifier})
    assert extract(bake_bundle(PNG, bundle)).form == "json"
    assert _out(bake_bundle(PNG, bundle)) == bundle


def test_a_bundle_without_its_credential_is_not_baked() -> None:
    document = {name: value for name, value in VECTOR["bundle"].items() if name != "credential"}
    with pytest.raises(BakingError) as caught:
        split_bundle(json.dumps({**document, "digest": "00" * 32}).encode())
    assert caught.value.code == "not_a_credential"


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b"{}", b'{"type":"AnchoredCredentialBundle"}'])
def test_what_is_no_bundle_is_not_baked(data: bytes) -> None:
    with pytest.raises((JsonError, BundleError)):
        split_bundle(data)


@pytest.mark.parametrize("companion", [
    b"", b"[]", b"5", b"{", b'{"a":1,"a":2}', b'{"credential":{}}', b'{"digest":"00"}', b"\xff", b"{} x", b"[" * 100,
    b'{"a":"' + b"a" * MAX_BYTES + b'"}',
])  # fmt: skip
def test_what_is_no_companion(companion: bytes) -> None:
    with pytest.raises(BakingError) as caught:
        bake(PNG, b"{}", companion)
    assert caught.value.code == "not_a_companion"
    assert _refused(_png(b"AnchoredCredentialBundle\0\0\0\0\0" + companion)) == "not_a_companion"


def test_a_companion_of_another_credential_proves_nothing() -> None:
    _, companion = split_bundle(BUNDLE)
    other = parse_bundle(_out(bake(PNG, b'{"type":"VerifiableCredential"}', companion)))
    assert _leaf_hash(other) != _leaf_hash(parse_bundle(BUNDLE))


def test_a_companion_that_does_not_fit_the_form() -> None:
    (credential, proof), (jws, jws_proof) = split_bundle(BUNDLE), split_bundle(_bundle(ENVELOPED))
    for content, companion in ((Content("json", credential), jws_proof), (Content("jws", jws), proof)):
        with pytest.raises(BakingError) as caught:
            join_bundle(content, companion)
        assert caught.value.code == "not_a_companion"


@pytest.mark.parametrize("change", [
    {"envelope": {"id": "data:application/vc+jwt,x.y.z"}}, {"envelope": 5}, {"envelope": None}, {"more": 1},
    {"inclusion": {}}, {"version": 2}, {"anchors": []},
])  # fmt: skip
def test_a_companion_of_another_shape(change: dict[str, Any]) -> None:
    """An "id" in the envelope could show another credential than the one that is baked."""
    jws, companion = split_bundle(_bundle(ENVELOPED))
    with pytest.raises(BakingError) as caught:
        join_bundle(Content("jws", jws), json.dumps({**json.loads(companion), **change}).encode())
    assert caught.value.code == "not_a_companion"


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (_png(*[b"AnchoredCredentialBundle\0\0\0\0\0{}"] * 2), "several_companions"),
        (_png(b"AnchoredCredentialBundle\0"), "png_malformed"),
        (_png(b"AnchoredCredentialBundle\0\1\0\0\0{}"), "png_malformed"),
        (_png(b"AnchoredCredentialBundle\0\1\0\0\0" + zlib.compress(b" " * (MAX_BYTES + 1))), "too_large"),
        (bake_bundle(PNG, BUNDLE)[:-20], "png_malformed"),
        (bake_bundle(PNG, BUNDLE).replace(b"leafIndex", b"leafindex"), "png_checksum"),
        (_svg("<b:bundle>{}</b:bundle>" * 2), "several_companions"),
        (_svg("<b:bundle>{}<g/></b:bundle>"), "not_a_companion"),
        (_svg("<b:bundle>{}<openbadges:credential verify='a.b.c'/></b:bundle>"), "not_a_companion"),
        (_svg("<b:bundle><b:bundle>{}</b:bundle></b:bundle>"), "several_companions"),
        (_svg("<b:bundle/>"), "not_a_companion"),
        (_svg("<b:bundle>"), "svg_malformed"),
        (b"GIF89a", "not_an_image"),
        (PNG + bytes(MAX_IMAGE_BYTES), "too_large"),
    ],
)
def test_hostile_images(image: bytes, code: str) -> None:
    assert _refused(image) == code


@pytest.mark.parametrize("image", [
    PNG, SVG, _png(b"AnchoredCredentialBundleX\0\0\0\0\0{}"), _svg("<bundle>{}</bundle>"),
    _svg("<b:other>{}</b:other>"),
])  # fmt: skip
def test_an_image_without_a_companion(image: bytes) -> None:
    assert extract_companion(image) is None


def test_a_credential_inside_a_companion_is_seen() -> None:
    """Others would find it, so it counts."""
    inner = "<b:bundle><openbadges:credential verify='a.b.c'/></b:bundle>"
    with pytest.raises(BakingError) as caught:
        extract(_svg(f"{inner}<openbadges:credential verify='d.e.f'/>"))
    assert caught.value.code == "several_credentials"
    assert _out(bake_bundle(_svg(inner), BUNDLE)) == BUNDLE
    assert bake_bundle(_svg(inner), BUNDLE) == bake_bundle(_svg(""), BUNDLE)


def test_many_elements_far_inside_take_no_time() -> None:
    """Each is looked at once, however deep it stands."""
    image = _svg("<g>" * 100_000 + "<openbadges:credential/><b:bundle/>" * 50_000 + "</g>" * 100_000)
    started = time.process_time()
    assert _refused(image) == "several_companions"
    assert _out(bake_bundle(image, BUNDLE)) == BUNDLE
    assert time.process_time() - started < 20


def test_a_zip_bomb_beside_the_credential_is_not_unpacked() -> None:
    compressor = zlib.compressobj(1)
    bomb = b"".join(compressor.compress(bytes(1 << 22)) for _ in range(64)) + compressor.flush()
    image = _png(b"openbadgecredential\0\0\0\0\0{}", b"AnchoredCredentialBundle\0\1\0\0\0" + bomb)
    tracemalloc.start()
    try:
        assert extract(image).data == b"{}"
        assert _refused(image) == "too_large"
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


def test_what_could_not_be_read_again_is_not_made() -> None:
    room = MAX_IMAGE_BYTES - len(PNG)
    filler = chunk(b"prVt", bytes(room - 12))
    assert len(PNG + filler) == MAX_IMAGE_BYTES
    with pytest.raises(BakingError) as caught:
        bake_bundle(PNG[:-12] + filler + PNG[-12:], BUNDLE)
    assert caught.value.code == "too_large"


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_nothing_but_a_baking_error_is_raised(data: st.DataObject) -> None:
    image = bytearray(bake_bundle(data.draw(st.sampled_from([_png(), _svg("<g/>")])), BUNDLE))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(image) - 1))
        image[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(BakingError):
        _out_or_nothing(bytes(image))


def _out_or_nothing(image: bytes) -> None:
    companion = extract_companion(image)
    if companion is not None:
        join_bundle(extract(image), companion)


@given(st.recursive(st.none() | st.text() | st.floats(-(2**53) + 1, 2**53 - 1),
                    lambda inner: st.dictionaries(st.text(max_size=4), inner, max_size=3)))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_any_credential_keeps_its_leaf(value: Any) -> None:
    try:
        canonical = canonicalize({"value": value})
    except JsonError:
        return
    bundle = _bundle(json.loads(canonical))
    for image in (PNG, SVG):
        assert canonicalize(parse_bundle(_out(bake_bundle(image, bundle))).credential) == canonical


# --- pictures ---------------------------------------------------------------------------------------------------------


def _with_image(image: object) -> bytes:
    subject = {"achievement": {"name": "A", "image": image}}
    return _bundle({**VECTOR["bundle"]["credential"], "credentialSubject": subject})


def _data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize("form", ["png", "svg"])
def test_the_achievement_s_own_picture(form: Any) -> None:
    own = default_png("Another") if form == "png" else _svg("<g id='own'/>")
    bundle = _with_image({"id": _data_url("image/png" if form == "png" else "image/svg+xml", own), "type": "Image"})
    assert build_badge(bundle, form) == bake_bundle(own, bundle)
    other = "svg" if form == "png" else "png"
    assert image_format(build_badge(bundle, other)) == other  # type: ignore[arg-type]


def test_a_picture_written_with_percent_signs() -> None:
    bundle = _with_image("data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22/%3E")
    assert build_badge(bundle, "svg") == bake_bundle(b'<svg xmlns="http://www.w3.org/2000/svg"/>', bundle)


@pytest.mark.parametrize("image", [
    None, 5, "", "https://badges.example/1.png", "data:", "data:image/png;base64,é", "data:image/png;base64,%%%",
    "data:image/png;base64,AAAA", "data:image/png;base64", {"id": 5}, [], _data_url("image/png", SVG),
    _data_url("image/png", PNG[:-20]), _data_url("image/gif", PNG),
])  # fmt: skip
def test_a_picture_that_is_none_gives_way_to_the_medal(image: object) -> None:
    bundle = _with_image(image)
    assert build_badge(bundle, "png") == bake_bundle(
        default_png(VECTOR["bundle"]["credential"]["issuer"].get("name", "")), bundle
    )


@pytest.mark.parametrize("name", [
    "", "\u202eevil", "a\u0300" * 500, "👩‍🎓" * 40, "]]>", '"/><script>', "\ufffe", "\t\n", "النور", "&amp;",
])  # fmt: skip
def test_names_of_all_kinds_on_the_medal(name: str) -> None:
    credential = {
        **VECTOR["bundle"]["credential"],
        "issuer": {"id": "did:web:badges.example", "name": name},
        "credentialSubject": {"achievement": {"name": name}},
    }
    badge = build_badge(_bundle(credential), "svg")
    root = ET.fromstring(badge)  # noqa: S314 - our own
    assert not [item for item in root.iter() if item.tag.endswith("script")]
    assert "\u202e" not in "".join(item.text or "" for item in root[2:])
    assert json.loads(_out(badge))["credential"] == credential
