"""A contact sheet of the world: movements as rows, subjects as columns."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

from PIL import Image, ImageDraw, ImageFont

from impress_bench.benchmark.atelier.world.artists import MOVEMENTS, artists
from impress_bench.benchmark.atelier.world.paint import paint
from impress_bench.benchmark.atelier.world.titles import SUBJECTS

_PAPER = (250, 248, 243)
_TEXT = (46, 42, 40)
_FAINT = (140, 132, 124)


def gallery(
    path: str | PathLike[str],
    movements: Sequence[str] = MOVEMENTS,
    subjects: Sequence[str] = SUBJECTS,
    split: str = "pretrain",
    columns_each: int = 2,
    scale: int = 2,
) -> None:
    """Write a PNG with `columns_each` pictures by different artists of each kind.

    Images are enlarged `scale` times; each row names a movement and its artists shown.
    """
    tile, gap, group = 64 * scale, 5 * scale, 12 * scale
    margin, gutter, head = 28 * scale, 104 * scale, 40 * scale
    block = columns_each * tile + (columns_each - 1) * gap
    width = margin * 2 + gutter + len(subjects) * block + (len(subjects) - 1) * group
    height = margin * 2 + head + len(movements) * tile + (len(movements) - 1) * gap
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    large, small = _font(11.5 * scale), _font(6.2 * scale)
    left, top = margin + gutter, margin + head
    for column, subject in enumerate(subjects):
        x = left + column * (block + group)
        draw.text((x + block / 2, top - 14 * scale), subject, _TEXT, large, anchor="mm")
        draw.line((x, top - 4 * scale, x + block - 1, top - 4 * scale), _FAINT, max(1, scale // 2))
    for row, movement in enumerate(movements):
        y = top + row * (tile + gap)
        shown = artists(movement=movement)
        draw.text((margin, y + 17 * scale), movement, _TEXT, large, anchor="lm")
        names = "\n".join(a.name for a in shown)
        draw.text((margin, y + 28 * scale), names, _FAINT, small, spacing=2 * scale)
        for column, subject in enumerate(subjects):
            for each in range(columns_each):
                by = shown[(each + column) % len(shown)]
                picture = Image.fromarray(paint(by, subject, split, row * 7 + each).image)
                picture = picture.resize((tile, tile), Image.Resampling.LANCZOS)
                x = left + column * (block + group) + each * (tile + gap)
                sheet.paste(picture, (x, y))
    sheet.save(path)


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.truetype("DejaVuSerif.ttf", size)
    except OSError:
        return ImageFont.load_default(size)
