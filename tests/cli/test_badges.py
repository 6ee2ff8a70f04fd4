"""Bundles into pictures and out again, as a holder would."""

import json
from pathlib import Path

import pytest

from registry.standards.baking import default_png, default_svg, extract_companion, image_format
from support.cli import Cli, run


@pytest.mark.parametrize("form", ["png", "svg"])
def test_a_bundle_goes_in_and_comes_out(cli: Cli, bundle: Path, tmp_path: Path, form: str) -> None:
    badge = tmp_path / f"badge.{form}"

    assert cli("bake", bundle, "--out", badge).stdout == f"Baked into {badge}.\n"
    assert image_format(badge.read_bytes()) == form
    assert cli("extract", badge).stdout.encode() == bundle.read_bytes()
    assert cli("extract", badge, "--out", tmp_path / "out.json", "--json").json["kind"] == "bundle"
    assert cli("verify", tmp_path / "out.json").exit_code == 0


def test_a_picture_of_ones_own(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "art").write_bytes(default_svg("Art", "Somebody"))

    answer = cli("bake", bundle, "--image", tmp_path / "art", "--json")

    assert answer.json["format"] == "svg"
    assert Path(answer.json["file"]) == bundle.with_suffix(".svg")
    assert (tmp_path / "art").read_bytes() == default_svg("Art", "Somebody")
    assert cli("extract", bundle.with_suffix(".svg")).stdout.encode() == bundle.read_bytes()


def test_beside_the_bundle_nothing_else_is_overwritten(cli: Cli, bundle: Path) -> None:
    artwork = bundle.with_suffix(".png")
    artwork.write_bytes(default_png("Artwork"))

    assert cli("bake", bundle).exit_code == 1
    assert artwork.read_bytes() == default_png("Artwork")
    assert cli("bake", bundle, "--out", artwork).exit_code == 0
    assert cli("bake", bundle).exit_code == 0  # what it would write is there


def test_the_medal_instead_of_the_achievements_picture(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    document = json.loads(bundle.read_bytes())
    picture = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"
    document["credential"]["credentialSubject"] = {"achievement": {"name": "Own", "image": picture}}
    file = tmp_path / "own.json"
    file.write_text(json.dumps(document))

    assert cli("bake", file, "--out", tmp_path / "own.svg").exit_code == 0
    assert cli("bake", file, "--default", "--out", tmp_path / "medal.svg").exit_code == 0
    assert b"<circle" not in (tmp_path / "own.svg").read_bytes()
    assert b"<circle" in (tmp_path / "medal.svg").read_bytes()


def test_the_credential_alone(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    cli("bake", bundle, "--out", tmp_path / "badge.png")
    credential = json.loads(bundle.read_bytes())["credential"]

    assert json.loads(cli("extract", tmp_path / "badge.png", "--credential").stdout) == credential
    answer = cli("extract", tmp_path / "badge.png", "--credential", "--json")
    assert (answer.json["kind"], answer.json["form"], answer.json["credential"]) == ("credential", "json", credential)


def test_an_image_of_others_without_a_proof(tmp_path: Path) -> None:
    from registry.standards.baking import bake

    (tmp_path / "theirs.png").write_bytes(bake(default_png("Theirs"), b"eyJhbGciOiJFZERTQSJ9.eyJpZCI6MX0.c2ln"))

    answer = run("extract", tmp_path / "theirs.png", "--json")

    assert answer.json["credential"] == "eyJhbGciOiJFZERTQSJ9.eyJpZCI6MX0.c2ln"
    assert "without the proof" in answer.stderr
    assert extract_companion((tmp_path / "theirs.png").read_bytes()) is None


@pytest.mark.parametrize(("content", "code"), [
    (b"", "not_an_image"), (b"GIF89a", "not_an_image"), (default_png("x"), "no_credential"),
    (default_png("x")[:50], "png_malformed"), (b"<svg>", "svg_malformed"),
    (b"\x89PNG\r\n\x1a\n" + bytes(9 << 20), "too_large"),
])  # fmt: skip
def test_what_cannot_be_extracted(tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / "image").write_bytes(content)

    answer = run("extract", tmp_path / "image", "--json")

    assert answer.exit_code == 1
    assert answer.json["code"] == code


def test_what_cannot_be_baked(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text("{}")
    (tmp_path / "no.gif").write_bytes(b"GIF89a")

    assert cli("bake", tmp_path / "no.json", "--json").json["code"] == "bundle_error"
    assert cli("bake", bundle, "--image", tmp_path / "no.gif", "--json").json["code"] == "not_an_image"
    assert cli("bake", bundle, "--image", tmp_path / "no.gif", "--default").exit_code == 2
    assert "cannot be read" in cli("bake", tmp_path / "missing.json").stderr
    assert not list(tmp_path.glob("no.p*"))
