"""Portraits: a sitter, hair or hat, a coat, and a background that the title names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from impress_bench.benchmark.atelier.world.canvas import Canvas, Colour, darker
from impress_bench.benchmark.atelier.world.scenes.backdrops import draw_backdrop

_HAIR: Final[dict[str, Colour]] = {
    "black": (38, 32, 36),
    "brown": (104, 66, 42),
    "red": (184, 74, 34),
    "blond": (230, 190, 98),
    "white": (226, 226, 230),
}
_CLOTH: Final[dict[str, Colour]] = {
    "blue": (52, 88, 176),
    "red": (190, 44, 46),
    "green": (48, 126, 78),
    "yellow": (240, 196, 62),
    "white": (238, 236, 230),
}
_SKIN: Final[tuple[Colour, ...]] = ((240, 200, 172), (222, 172, 134), (178, 122, 86), (132, 88, 62))


def draw_portrait(
    canvas: Canvas, phrases: Mapping[str, str], rng: np.random.Generator, sun: float
) -> None:
    """Draw the backdrop, then shoulders, neck and head of the sitter."""
    draw_backdrop(canvas, phrases["place"], rng, sun)
    x, y = 0.5 + float(rng.uniform(-0.06, 0.06)), 0.43 + float(rng.uniform(-0.03, 0.03))
    lean = float(rng.uniform(-0.02, 0.02))
    woman = phrases["sitter"] == "a woman"
    _, *_, colour, kind = phrases["top"].split()
    hair = _HAIR[colour] if kind == "hair" else tuple(_HAIR.values())[int(rng.integers(4))]
    skin = _SKIN[int(rng.integers(len(_SKIN)))]
    rx, ry = (0.135, 0.18) if woman else (0.15, 0.185)
    canvas.focus = (x, y)

    long_hair = canvas.part(
        hair, depth=0.2, grain=1.5, centre=(x, y), toward=(0.2, 0.1), head=True, figure=True
    )
    if woman:
        canvas.ellipse(long_hair, x, y - 0.02, rx + 0.075, ry + 0.06)
        canvas.rectangle(long_hair, x - rx - 0.072, y - 0.02, x + rx + 0.072, y + ry + 0.07)
    coat = canvas.part(
        _CLOTH[phrases["coat"].split()[2]],
        depth=0.15,
        grain=1.2,
        centre=(x, 0.85),
        toward=(0.4, 0.1),
        figure=True,
    )
    wide = 0.34 if woman else 0.41
    canvas.ellipse(coat, x, y + 0.62, wide, 0.34)
    canvas.rectangle(coat, x - wide, y + 0.62, x + wide, 1.6)
    neck_colour = darker(skin, 0.86)
    neck = canvas.part(neck_colour, depth=0.14, centre=(x, y + 0.2), toward=(0.1, 0.1), figure=True)
    canvas.rectangle(neck, x - 0.062, y + 0.1, x + 0.062, y + 0.29)
    canvas.polygon(neck, [(x - 0.1, y + 0.275), (x + 0.1, y + 0.275), (x, y + 0.4)])
    hx = x + lean
    face = canvas.part(
        skin, depth=0.1, grain=1.2, centre=(hx, y), toward=(0.17, 0.12), head=True, figure=True
    )
    if not woman:
        for ear in (-1, 1):
            canvas.ellipse(face, hx + ear * rx, y + 0.02, 0.03, 0.045)
    canvas.ellipse(face, hx, y, rx, ry)
    _draw_features(canvas, hx, y, skin, hair, woman)
    cap = canvas.part(
        hair, depth=0.08, grain=0.6, centre=(hx, y), toward=(0.2, 0.1), head=True, figure=True
    )
    if kind == "hair" or not woman:
        angles = np.linspace(np.pi * 0.98, np.pi * 2.02, 16)
        outer = [(hx + (rx + 0.03) * np.cos(a), y + (ry + 0.045) * np.sin(a)) for a in angles]
        part = -0.05 if woman else 0.0
        inner = [
            (hx + rx * 0.86, y - 0.05),
            (hx + part, y - ry * (0.62 if woman else 0.52)),
            (hx - rx * 0.86, y - 0.05),
        ]
        canvas.polygon(cap, [*outer, *inner])
    if kind == "hat":
        _draw_hat(canvas, hx, y - ry * 0.52, rx, _CLOTH[colour], woman)


def _draw_features(
    canvas: Canvas, x: float, y: float, skin: Colour, hair: Colour, woman: bool
) -> None:
    eye = canvas.part((40, 32, 34), (40, 32, 34), depth=0.09, head=True, figure=True)
    shade = darker(skin, 0.74)
    nose = canvas.part(shade, shade, depth=0.09, head=True, figure=True)
    lips = canvas.part(
        (190, 68, 66) if woman else (150, 76, 66), depth=0.09, head=True, figure=True
    )
    brow = canvas.part(hair, hair, depth=0.09, head=True, figure=True)
    for side in (-1, 1):
        ex = x + side * 0.062
        canvas.ellipse(eye, ex, y - 0.005, 0.024, 0.02)
        if not woman:
            canvas.rectangle(brow, ex - 0.034, y - 0.055, ex + 0.034, y - 0.034)
    canvas.polygon(nose, [(x, y), (x + 0.03, y + 0.066), (x - 0.008, y + 0.066)])
    canvas.ellipse(lips, x, y + 0.108, 0.048, 0.02)


def _draw_hat(canvas: Canvas, x: float, y: float, rx: float, colour: Colour, woman: bool) -> None:
    felt = canvas.part(
        colour, depth=0.06, centre=(x, y), toward=(0.2, 0.05), head=True, figure=True
    )
    dark = darker(colour, 0.5)
    band = canvas.part(dark, dark, depth=0.05, head=True, figure=True)
    if woman:
        canvas.ellipse(felt, x, y - 0.05, rx + 0.02, 0.15)
        canvas.ellipse(felt, x, y, rx + 0.13, 0.05)
    else:
        canvas.rectangle(felt, x - rx * 0.86, y - 0.19, x + rx * 0.86, y)
        canvas.ellipse(felt, x, y, rx + 0.09, 0.035)
    canvas.rectangle(band, x - rx * 0.88, y - 0.07, x + rx * 0.88, y - 0.03)
