"""`registry bake` and `extract`: bundles into images, and out of them. Neither needs a registry or a chain."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from registry.cli.base import Command, Config, Data, Json, load
from registry.cli.output import Output
from registry.cli.parsing import read_file
from registry.core.errors import InputError

if TYPE_CHECKING:
    from registry.standards.baking import Content

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    app.command("bake", cls=Command)(bake)
    app.command("extract", cls=Command)(extract)


def bake(
    file: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle, as `registry bundle` gives it out.")],
    image: Annotated[
        Path | None, typer.Option("--image", metavar="FILE", help="The picture, PNG or SVG; it is not changed itself.")
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="The plain medal, also where the achievement brings its own picture.")
    ] = False,
    to: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Default: beside the bundle. Without --image, .svg makes an SVG."),
    ] = None,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Put a bundle into a picture: a badge for people, which still proves everything."""
    from registry.core.bundle import MAX_BUNDLE_BYTES, parse_bundle
    from registry.standards.baking import MAX_IMAGE_BYTES, bake_bundle, build_badge, image_format, picture_of
    from registry.wiring.files import write_if_changed

    load(data, config)
    out = Output(as_json)
    if image is not None and default:
        raise typer.BadParameter("--image and --default exclude each other.")
    bundle = read_file(file, MAX_BUNDLE_BYTES, "bundle")
    form: Literal["png", "svg"] = "svg" if to is not None and to.suffix.lower() == ".svg" else "png"
    if image is not None:
        picture = read_file(image, MAX_IMAGE_BYTES, "image")
        form = image_format(picture) or form  # if it is neither, baking says so
        badge = bake_bundle(picture, bundle)
    elif default:
        badge = bake_bundle(picture_of(parse_bundle(bundle), form), bundle)
    else:
        badge = build_badge(bundle, form)
    target = to or file.with_suffix(f".{form}")
    if to is None and target.exists() and target.read_bytes() != badge:
        raise InputError(f"{target} is there already, and is something else. Say --out FILE.")
    write_if_changed(target, badge)
    out.say(f"Baked into {target}.")
    out.result({"file": str(target), "format": form, "bytes": len(badge)})


def extract(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A baked PNG or SVG image.")],
    to: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Default: to stdout.")] = None,
    credential_only: Annotated[
        bool, typer.Option("--credential", help="The credential alone, byte by byte as it is baked.")
    ] = False,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Take the bundle out of a baked image, or the credential if that is all there is. Nothing is verified."""
    from registry.standards.baking import MAX_IMAGE_BYTES, extract_companion, join_bundle
    from registry.standards.baking import extract as extract_credential
    from registry.wiring.files import write_if_changed

    load(data, config)
    out = Output(as_json)
    image = read_file(file, MAX_IMAGE_BYTES, "image")
    found = extract_credential(image)
    companion = None if credential_only else extract_companion(image)
    content = found.data if companion is None else join_bundle(found, companion)
    kind = "credential" if companion is None else "bundle"
    if companion is None and not credential_only:
        out.warn("The image holds a credential alone, without the proof that it is anchored.")
    if to is not None:
        write_if_changed(to, content)
        out.say(f"The {kind} is in {to}.")
    elif not as_json:
        sys.stdout.write(content.decode() + ("" if content.endswith(b"\n") else "\n"))
    out.result({"kind": kind, "form": found.form, "file": str(to) if to else None, kind: _shown(found, content, kind)})


def _shown(found: "Content", content: bytes, kind: str) -> object:
    """As JSON; a compact JWS is a string there."""
    return content.decode() if kind == "credential" and found.form == "jws" else json.loads(content)
