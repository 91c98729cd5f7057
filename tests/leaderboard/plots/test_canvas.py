"""Strips as SVG: the same layout as the PNG, with text as text and the images whole."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
import pytest
from PIL import Image, ImageFont

from impress_bench.leaderboard import strip
from impress_bench.leaderboard.plots.canvas import FONT

SVG, LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
DRAW = np.random.default_rng(0)
TILES = [DRAW.integers(0, 255, (40, 60, 3)).astype(np.uint8) for _ in range(5)]
ROWS = [
    ("Clean", TILES[:3]),
    ("A protection of a long name & <one> with an adaptation", [TILES[3], None, TILES[4]]),
]
GROUPS = [("Photo as the editor gets it, here", 2), ("Edited", 1)]


def drawn(tmp_path: Path, **options: object) -> tuple[np.ndarray, Xml.Element]:
    """A strip as PNG and as SVG."""
    given = {"groups": GROUPS, "columns": list("abc"), "title": "Ada, Ben", "scale": 3}
    paths = [
        strip(tmp_path / f"s.{form}", ROWS, **given | options)  # type: ignore[arg-type]
        for form in ("png", "svg")
    ]
    return np.asarray(Image.open(paths[0])), Xml.fromstring(paths[1].read_bytes())


@pytest.mark.parametrize("resample", ["nearest", "lanczos"])
def test_images_lie_where_the_png_has_them(tmp_path: Path, resample: str) -> None:
    png, svg = drawn(tmp_path, resample=resample)
    assert (float(svg.attrib["width"]), float(svg.attrib["height"])) == png.shape[1::-1]
    images = svg.findall(f"{SVG}image")
    assert len(images) == 5
    for image, tile in zip(images, TILES, strict=True):
        head, _, data = image.attrib[LINK].partition(",")
        assert head == "data:image/png;base64"
        held = Image.open(io.BytesIO(base64.b64decode(data)))
        if resample == "nearest":
            assert (np.asarray(held) == tile).all()
            assert image.attrib["style"] == "image-rendering: pixelated"
        x, y, width, height = (int(image.attrib[name]) for name in ("x", "y", "width", "height"))
        assert (width, height) == (180, 120)
        shown = np.asarray(held.resize((width, height), Image.Resampling.NEAREST))
        assert (png[y : y + height, x : x + width] == shown).all()


def test_text_is_text_and_stands_where_the_png_has_ink(tmp_path: Path) -> None:
    png, svg = drawn(tmp_path)
    texts = svg.findall(f"{SVG}text")
    said = " ".join(text.text or "" for text in texts)
    for label in ("Ada, Ben", "Clean", "A protection of a long", "& <one>", "Edited"):
        assert label in said
    for text in texts:
        size, x, y = (float(text.attrib[name]) for name in ("font-size", "x", "y"))
        width = ImageFont.truetype(FONT, size).getlength(text.text or "")
        assert float(text.attrib["textLength"]) == pytest.approx(width, abs=0.01)
        left = x - width / 2 * (text.attrib["text-anchor"] == "middle")
        columns = slice(round(left), round(left + width))
        above = png[round(y - size) : round(y) + 1, columns]
        assert (above < 200).any(axis=(0, 2)).mean() > 0.5, text.text
        # Ink ends at the baseline, but for the tails of letters.
        below = png[round(y) + 1 : round(y) + 3, columns]
        if not set(text.text or "") & set("gjpqy,&<>"):
            assert (below > 200).all(), text.text


def test_rules_and_empty_tiles_are_those_of_the_png(tmp_path: Path) -> None:
    png, svg = drawn(tmp_path)
    paper, *others = svg.findall(f"{SVG}rect")
    assert paper.attrib["fill"] == "#ffffff"
    assert sorted(one.attrib["fill"] for one in others) == ["#6b6b6b", "#6b6b6b", "#ececec"]
    for one in others:
        x, y, width, height = (int(one.attrib[name]) for name in ("x", "y", "width", "height"))
        colour = [int(one.attrib["fill"][at : at + 2], 16) for at in (1, 3, 5)]
        assert (png[y : y + height, x : x + width] == colour).all()
        assert (png[y + height, x : x + width] != colour).any()


def test_names_that_xml_cannot_hold_are_drawn(tmp_path: Path) -> None:
    rows = [("a\x00b\x1b\udcff", [TILES[0]])]
    svg = Xml.fromstring(strip(tmp_path / "s.svg", rows, title="]]>\ufffe").read_bytes())
    said = [text.text for text in svg.findall(f"{SVG}text")]
    assert said == ["]]>\ufffd", "a\ufffdb\ufffd\ufffd"]


def test_equal_strips_are_equal_bytes(tmp_path: Path) -> None:
    one = strip(tmp_path / "a.svg", ROWS, groups=GROUPS).read_bytes()
    assert one == strip(tmp_path / "b.svg", ROWS, groups=GROUPS).read_bytes()
