"""Picture strips: labelled rows of images, such as Figures 1 and 4 of Cao et al. 2023.

A row is a condition (clean, protected, purified); its images are those that the exploit got and
those that it made. Small images are enlarged without smoothing by default, so that the picture
shows the pixels that were measured.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from impress_bench.leaderboard.plots.canvas import (
    Canvas,
    RasterCanvas,
    Resample,
    VectorCanvas,
    font,
)
from impress_bench.leaderboard.render import write_bytes

Picture = NDArray[np.uint8]

INK, FAINT, EMPTY, PAPER = "#1a1a1a", "#6b6b6b", "#ececec", "#ffffff"
MARGIN, GAP, GROUP_GAP = 24, 6, 28
#: Height of a line of a group's label.
LINE = 20
#: Heights of the fonts of column labels, of labels of groups and rows, and of the title.
SMALL, NORMAL, LARGE = 13, 15, 19


def strip(
    path: Path,
    rows: Sequence[tuple[str, Sequence[Picture | None]]],
    *,
    columns: Sequence[str] = (),
    groups: Sequence[tuple[str, int]] = (),
    title: str = "",
    scale: int = 2,
    resample: Resample = "nearest",
) -> Path:
    """Writes a picture of labelled rows of images.

    Parameters:
        path: The file to write; its folder is made. A name in `.svg` makes it an SVG, whose text is
            text and whose images are embedded; any other a PNG. Both have the same layout.
        rows: Labels, each with images uint8 (H, W, 3), all of one size. None, or the end of a
            shorter row, leaves an empty tile for an image that does not exist; where none of a
            group's images exists, the paper stays blank.
        columns: A label for each column, or none.
        groups: Labels, each with a number of columns that stand apart from the others, such as
            `[("Learned from", 4), ("Painted", 4)]`. A label wider than its columns is wrapped. What
            comes after the last group is one more.
        title: Above the strip.
        scale: Factor by which images are enlarged.
        resample: How: "nearest" keeps pixels, "lanczos" smooths.

    Returns `path`. Raises ValueError without an image, for images of other types or of several
    sizes, and for too few column labels.
    """
    height, width = _size(rows)
    if columns and len(columns) < max(len(images) for _, images in rows):
        raise ValueError(f"{len(columns)} column labels for more columns")
    count = max(max(len(images) for _, images in rows), sum(span for _, span in groups))
    labels = [textwrap.wrap(label, 22) for label, _ in rows]
    probe = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    wide = (probe.multiline_textbbox((0, 0), "\n".join(label), font(NORMAL)) for label in labels)
    gutter = max(int(box[2]) for box in wide) + 18
    lefts = _lefts(MARGIN + gutter, count, scale * width, groups)
    spans = _spans(lefts, scale * width, groups)
    headings = [
        _wrapped(label, right - left)
        for (label, _), (left, right) in zip(groups, spans, strict=True)
    ]
    lines = max((len(heading) or 1 for heading in headings), default=0)
    head = MARGIN + (36 if title else 0) + (8 + LINE * lines if groups else 0)
    top = head + (24 if columns else 0)
    right = lefts[-1] + scale * width + MARGIN
    if title:
        right = max(right, 2 * MARGIN + int(probe.textbbox((0, 0), title, font(LARGE))[2]))
    bottom = top + len(rows) * (scale * height + GAP) - GAP + MARGIN
    form = VectorCanvas if path.suffix == ".svg" else RasterCanvas
    canvas: Canvas = form(right, bottom, PAPER)
    if title:
        canvas.text(MARGIN, MARGIN - 4, title, INK, LARGE, "la")
    for heading, (left, end) in zip(headings, spans, strict=True):
        step = _step(spacing=2)
        for up, line in enumerate(reversed(heading)):
            canvas.text(left, head - 11 - up * step, line, INK, NORMAL, "ld")
        canvas.rectangle(left, head - 6, end - left + 1, 1, FAINT)
    for left, label in zip(lefts, columns, strict=False):
        canvas.text(left + scale * width / 2, top - 8, label, FAINT, SMALL, "ms")
    for place, (text, (_, images)) in enumerate(zip(labels, rows, strict=True)):
        y = top + place * (scale * height + GAP)
        step = _step(spacing=4)
        first = y + scale * height / 2 - step * (len(text) - 1) / 2
        for down, line in enumerate(text):
            canvas.text(MARGIN, first + down * step, line, INK, NORMAL, "lm")
        tiles = [*images, *[None] * (count - len(images))]
        drawn_columns = _drawn(tiles, groups)
        for left, picture, there in zip(lefts, tiles, drawn_columns, strict=True):
            if picture is not None:
                canvas.picture(left, y, Image.fromarray(picture), scale, resample)
            elif there:
                canvas.rectangle(left, y, scale * width, scale * height, EMPTY)
    return write_bytes(path, canvas.data())


def amplified(picture: Picture, clean: Picture, factor: int) -> Picture:
    """Mid-grey, and on it `factor` times what `picture` differs from `clean` by, both uint8
    (H, W, 3); what goes beyond black or white is cut off."""
    change = picture.astype(np.int32) - clean.astype(np.int32)
    return (128 + factor * change).clip(0, 255).astype(np.uint8)


def _drawn(tiles: Sequence[Picture | None], groups: Sequence[tuple[str, int]]) -> list[bool]:
    """For each column, whether a row has any image in its group."""
    spans = [span for _, span in groups]
    spans.append(len(tiles) - sum(spans))
    drawn: list[bool] = []
    for span in spans:
        group = tiles[len(drawn) : len(drawn) + span]
        drawn += [any(tile is not None for tile in group)] * span
    return drawn


def _size(rows: Sequence[tuple[str, Sequence[Picture | None]]]) -> tuple[int, int]:
    """The height and width of all images."""
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


def _spans(
    lefts: Sequence[int], width: int, groups: Sequence[tuple[str, int]]
) -> list[tuple[int, int]]:
    """The left and right edge of each group's columns."""
    spans, start = [], 0
    for _, count in groups:
        spans.append((lefts[start], lefts[start + count - 1] + width))
        start += count
    return spans


def _step(spacing: int) -> float:
    """From one line of a label to the next, with so many pixels between them."""
    return font(NORMAL).getbbox("A")[3] + spacing


def _wrapped(label: str, width: int) -> list[str]:
    """A label broken between words so that each line fits `width` pixels, if its words do."""
    lines: list[str] = []
    for word in label.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font(NORMAL).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


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
