"""Picture strips: labelled rows of images, such as Figures 1 and 4 of the paper.

A row is a condition (clean, protected, purified); its images are what was trained on and what the
model painted after learning from it. Small images are enlarged without smoothing by default, so
that what is seen is what was measured.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]

INK, FAINT, EMPTY, PAPER = "#1a1a1a", "#6b6b6b", "#ececec", "#ffffff"
MARGIN, GAP, GROUP_GAP = 24, 6, 28
# matplotlib carries a font that has "∞" and "é"; the one in Pillow stops at ASCII.
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def strip(
    path: Path,
    rows: Sequence[tuple[str, Sequence[Picture | None]]],
    *,
    columns: Sequence[str] = (),
    groups: Sequence[tuple[str, int]] = (),
    title: str = "",
    scale: int = 2,
    resample: Literal["nearest", "lanczos"] = "nearest",
) -> Path:
    """Write a PNG of labelled rows of uint8 (H, W, 3) images, all of one size.

    `columns` labels single columns. `groups`, pairs of a label and a number of columns, sets
    columns apart: `[("Learned from", 4), ("Painted", 4)]`. None, or a row that ends early, leaves
    an empty tile: an image that does not exist.
    """
    height, width = _size(rows)
    if columns and len(columns) < max(len(images) for _, images in rows):
        raise ValueError(f"{len(columns)} column labels for more columns")
    count = max(max(len(images) for _, images in rows), sum(span for _, span in groups))
    small, normal, large = (ImageFont.truetype(FONT, size) for size in (13, 15, 19))
    labels = ["\n".join(textwrap.wrap(label, 22)) for label, _ in rows]
    probe = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    gutter = max(int(probe.multiline_textbbox((0, 0), label, normal)[2]) for label in labels) + 18
    lefts = _lefts(MARGIN + gutter, count, scale * width, groups)
    top = MARGIN + (36 if title else 0) + (28 if groups else 0) + (24 if columns else 0)
    right = lefts[-1] + scale * width + MARGIN
    if title:
        right = max(right, 2 * MARGIN + int(probe.textbbox((0, 0), title, large)[2]))
    bottom = top + len(rows) * (scale * height + GAP) - GAP + MARGIN
    canvas = Image.new("RGB", (right, bottom), PAPER)
    draw = ImageDraw.Draw(canvas)
    if title:
        draw.text((MARGIN, MARGIN - 4), title, INK, large)
    start = 0
    for label, span in groups:
        ends = lefts[start], lefts[start + span - 1] + scale * width
        line = MARGIN + (36 if title else 0) + 22
        draw.text((ends[0], line - 6), label, INK, normal, anchor="ls")
        draw.line((ends[0], line, ends[1], line), FAINT)
        start += span
    for left, label in zip(lefts, columns, strict=False):
        draw.text((left + scale * width / 2, top - 8), label, FAINT, small, anchor="ms")
    for place, (label, (_, images)) in enumerate(zip(labels, rows, strict=True)):
        y = top + place * (scale * height + GAP)
        draw.multiline_text((MARGIN, y + scale * height / 2), label, INK, normal, anchor="lm")
        for left, picture in zip(lefts, [*images, *[None] * (count - len(images))], strict=True):
            if picture is None:
                draw.rectangle((left, y, left + scale * width - 1, y + scale * height - 1), EMPTY)
            else:
                canvas.paste(_enlarged(picture, scale, resample), (left, y))
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path, compress_level=2)  # 6 takes four times as long and saves a tenth
    return path


def _size(rows: Sequence[tuple[str, Sequence[Picture | None]]]) -> tuple[int, int]:
    """Height and width that all images share."""
    pictures = [picture for _, images in rows for picture in images if picture is not None]
    if not pictures:
        raise ValueError("a strip needs at least one image")
    for picture in pictures:
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(f"images are uint8 (H, W, 3), not {picture.dtype} {picture.shape}")
    sizes = sorted({picture.shape[:2] for picture in pictures})
    if len(sizes) > 1:
        raise ValueError(f"images of one size make a strip, not of {sizes}")
    return sizes[0]


def _lefts(start: int, count: int, width: int, groups: Sequence[tuple[str, int]]) -> list[int]:
    """The left edge of each column; a new group begins after a wider gap."""
    begins, place = set(), 0
    for _, span in groups:
        begins.add(place)
        place += span
    if groups:
        begins.add(place)
    lefts, x = [], start
    for column in range(count):
        x += GROUP_GAP - GAP if column and column in begins else 0
        lefts.append(x)
        x += width + GAP
    return lefts


def _enlarged(picture: Picture, scale: int, resample: Literal["nearest", "lanczos"]) -> Image.Image:
    image = Image.fromarray(picture)
    filters = {"nearest": Image.Resampling.NEAREST, "lanczos": Image.Resampling.LANCZOS}
    return image.resize((scale * image.width, scale * image.height), filters[resample])
