"""A plain medal for issuers that have no image of their own, as SVG and as PNG."""

import colorsys
import hashlib
import math
import struct
import unicodedata
import zlib
from functools import lru_cache
from html import escape
from itertools import pairwise

from registry.core.notation import short
from registry.standards.baking.png import SIGNATURE, chunk

__all__ = ["default_png", "default_svg"]

_SIZE = 256
_TICK = ((82.0, 132.0), (114.0, 164.0), (176.0, 98.0))
_HALF_WIDTH = 11.0


def default_svg(title: str, issuer: str) -> bytes:
    """A medal in the issuer's colour, with the title and the issuer's name below it."""
    red, green, blue = _colour(issuer)
    points = " ".join(f"{x:g},{y:g}" for x, y in _TICK)
    lines = [(line, 'font-size="15" font-weight="bold"') for line in _lines(title, 30)]
    lines.append((next(iter(_lines(issuer, 38, 1)), ""), 'font-size="12"'))
    words = "".join(
        f'<text x="128" y="{y}" {style}>{escape(line)}</text>\n'
        for y, (line, style) in zip(range(274, 400, 20), lines, strict=False)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 {290 + 20 * (len(lines) - 1)}" role="img"'
        f' aria-label="{escape(short(_printable(title), 200))}">\n'
        f'<circle cx="128" cy="128" r="120" fill="#{red:02x}{green:02x}{blue:02x}"/>\n'
        '<circle cx="128" cy="128" r="96" fill="none" stroke="#fff" stroke-width="4"/>\n'
        f'<polyline points="{points}" fill="none" stroke="#fff" stroke-width="22" stroke-linejoin="round"'
        ' stroke-linecap="round"/>\n'
        '<g font-family="sans-serif" text-anchor="middle" fill="#222">\n'
        f"{words}"
        "</g>\n</svg>\n"
    ).encode()


def default_png(issuer: str) -> bytes:
    """The same medal without words, 256 by 256, with smooth edges."""
    colour = _colour(issuer)
    # 16 shades from the colour to white, each in 16 steps of transparency: only the palette is the issuer's own.
    shades = [bytes(part + (255 - part) * white // 15 for part in colour) for white in range(16)]
    palette = b"".join(shade * 16 for shade in shades)
    alphas = bytes(17 * alpha for alpha in range(16)) * 16
    header = struct.pack(">IIBBBBB", _SIZE, _SIZE, 8, 3, 0, 0, 0)  # 8 bits, a palette
    parts = ((b"IHDR", header), (b"PLTE", palette), (b"tRNS", alphas), (b"IDAT", _pixels()), (b"IEND", b""))
    return SIGNATURE + b"".join(chunk(kind, data) for kind, data in parts)


@lru_cache(maxsize=1)
def _pixels() -> bytes:
    """The picture in numbers of the palette, compressed; drawn once, as it is the same for all."""
    rows = bytearray()
    for y in range(_SIZE):
        rows.append(0)  # no filter
        for x in range(_SIZE):
            from_middle = math.hypot(x - 127.5, y - 127.5)
            alpha, white = _covered(from_middle - 120), _covered(abs(from_middle - 96) - 2)
            if from_middle < 90:
                white = _on_tick(x, y)
            rows.append(16 * round(15 * white) + round(15 * alpha))
    return zlib.compress(bytes(rows), 9)


def _colour(issuer: str) -> tuple[int, int, int]:
    """One for each issuer, always dark enough for white on it."""
    hue = hashlib.sha256(issuer.encode("utf-8", "replace")).digest()[0] / 256
    red, green, blue = colorsys.hls_to_rgb(hue, 0.33, 0.55)
    return round(255 * red), round(255 * green), round(255 * blue)


def _on_tick(x: int, y: int) -> float:
    nearest = min(_to_segment(x, y, *ends) for ends in pairwise(_TICK))
    return _covered(nearest - _HALF_WIDTH)


def _to_segment(x: float, y: float, start: tuple[float, float], end: tuple[float, float]) -> float:
    across, down = end[0] - start[0], end[1] - start[1]
    along = ((x - start[0]) * across + (y - start[1]) * down) / (across * across + down * down)
    along = min(max(along, 0.0), 1.0)
    return math.hypot(x - start[0] - along * across, y - start[1] - along * down)


def _covered(distance: float) -> float:
    """How much of a pixel lies inside an edge that is so far away; negative is inside."""
    return min(max(0.5 - distance, 0.0), 1.0)


def _lines(words: str, columns: int, lines: int = 2) -> list[str]:
    """At most so many lines, the last one cut; East Asian characters are two columns wide."""
    found: list[str] = []
    for word in _printable(words).split():
        if found and _width(found[-1]) + 1 + _width(word) <= columns:
            found[-1] = f"{found[-1]} {word}"
        else:
            found.append(word)
    if len(found) > lines:
        found[lines - 1 :] = [" ".join(found[lines - 1 :])]
    return [line if _width(line) <= columns else _cut(line, columns) for line in found]


def _cut(line: str, columns: int) -> str:
    line = line[:columns]  # combining characters have no width, and there may be any number of them
    while _width(line) >= columns:
        line = line[:-1]
    return f"{line}…"


def _width(line: str) -> int:
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in line)
    return len(line) + wide


def _printable(words: str) -> str:
    """Fit for XML, which has no form for control characters and half surrogates."""
    return "".join(character for character in words if character.isprintable())
