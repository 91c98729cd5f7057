"""Cities: a skyline over a street, canal, square or bridge, and something in front."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from impress_bench.benchmark.atelier.world.canvas import Canvas, Colour
from impress_bench.benchmark.atelier.world.scenes.sky import WATER, draw_sky, draw_tree

_FACADES: Final[tuple[Colour, ...]] = (
    (206, 122, 84),
    (226, 196, 140),
    (168, 92, 84),
    (146, 158, 164),
    (202, 168, 150),
)


def draw_city(
    canvas: Canvas, phrases: Mapping[str, str], rng: np.random.Generator, sun: float
) -> None:
    """Draw sky, skyline, ground and the extra that the title names."""
    base = 0.64 + float(rng.uniform(-0.02, 0.02))
    night = phrases["hour"] == "at night"
    draw_sky(canvas, phrases["hour"], rng, base, sun)
    canvas.focus = (0.5 + float(rng.uniform(-0.05, 0.05)), base - 0.2)
    pane = canvas.part((255, 212, 100) if night else (116, 136, 158), depth=0.5, glows=night)
    _draw_skyline(canvas, phrases["skyline"], rng, base, pane)
    _draw_ground(canvas, phrases["ground"], base)
    _draw_extra(canvas, phrases["extra"], rng, sun)


def _block(
    canvas: Canvas, x0: float, x1: float, top: float, base: float, colour: Colour, pane: int
) -> None:
    wall = canvas.part(
        colour, depth=0.6, grain=1.57, centre=((x0 + x1) / 2, 0.5), toward=((x1 - x0) * 0.6, 0.0)
    )
    canvas.rectangle(wall, x0, top, x1, base)
    columns = max(1, int((x1 - x0) / 0.085))
    pitch = (x1 - x0) / columns
    for column in range(columns):
        for y in np.arange(top + 0.05, base - 0.06, 0.12):
            x = x0 + (column + 0.26) * pitch
            canvas.rectangle(pane, x, float(y), x + pitch * 0.48, float(y) + 0.06)


def _draw_skyline(
    canvas: Canvas, skyline: str, rng: np.random.Generator, base: float, pane: int
) -> None:
    tall = skyline == "with tall towers"
    roof = canvas.part((126, 62, 54), depth=0.55, grain=0.6)
    x = -0.35
    while x < 1.35:
        width = float(rng.uniform(0.15, 0.21))
        top = base - float(rng.uniform(0.34, 0.58) if tall else rng.uniform(0.16, 0.24))
        colour = _FACADES[int(rng.integers(len(_FACADES)))]
        if tall:
            colour = (
                int(colour[0] * 0.5 + 50),
                int(colour[1] * 0.5 + 66),
                int(colour[2] * 0.5 + 88),
            )
        _block(canvas, x, x + width, top, base, colour, pane)
        if skyline == "with old houses":
            points = [(x - 0.01, top), (x + width / 2, top - 0.13), (x + width + 0.01, top)]
            canvas.polygon(roof, points)
        x += width
    cx = canvas.focus[0]
    stone = canvas.part((216, 202, 178), depth=0.5, grain=1.57, centre=(cx, 0.4), toward=(0.15, 0))
    if skyline == "with a church":
        slate = canvas.part((82, 92, 116), depth=0.48)
        canvas.rectangle(stone, cx - 0.2, base - 0.22, cx + 0.2, base)
        for tx in (cx - 0.15, cx + 0.15):
            canvas.rectangle(stone, tx - 0.065, base - 0.36, tx + 0.065, base)
            points = [(tx - 0.08, base - 0.36), (tx, base - 0.58), (tx + 0.08, base - 0.36)]
            canvas.polygon(slate, points)
        canvas.ellipse(slate, cx, base - 0.15, 0.05)
    elif skyline == "with a clock tower":
        canvas.rectangle(stone, cx - 0.1, base - 0.46, cx + 0.1, base)
        cap = canvas.part((70, 110, 104), depth=0.48)
        points = [(cx - 0.13, base - 0.46), (cx, base - 0.62), (cx + 0.13, base - 0.46)]
        canvas.polygon(cap, points)
        canvas.ellipse(canvas.part((248, 244, 230), depth=0.47, glows=True), cx, base - 0.35, 0.078)
        hand = canvas.part((40, 36, 44), (40, 36, 44), depth=0.46)
        canvas.rectangle(hand, cx - 0.011, base - 0.41, cx + 0.011, base - 0.34)
        canvas.rectangle(hand, cx - 0.011, base - 0.36, cx + 0.05, base - 0.338)
    elif skyline == "with a golden dome":
        gold = canvas.part(
            (248, 198, 66), (190, 126, 40), depth=0.47, centre=(cx, 0.3), toward=(0.16, 0.1)
        )
        canvas.rectangle(stone, cx - 0.2, base - 0.3, cx + 0.2, base)
        canvas.ellipse(gold, cx, base - 0.3, 0.18, 0.2)
        canvas.rectangle(stone, cx - 0.22, base - 0.3, cx + 0.22, base - 0.24)
        canvas.rectangle(gold, cx - 0.018, base - 0.6, cx + 0.018, base - 0.45)
    elif skyline == "with a factory":
        brick = canvas.part((150, 74, 58), depth=0.5, grain=1.57, centre=(cx, 0.4), toward=(0.2, 0))
        smoke = canvas.part((176, 174, 178), (140, 138, 146), depth=0.7)
        for tx in (cx - 0.15, cx + 0.1):
            for step in range(3):
                canvas.ellipse(
                    smoke, tx + 0.05 * step, base - 0.5 - 0.055 * step, 0.05 + 0.012 * step
                )
            canvas.rectangle(brick, tx - 0.035, base - 0.48, tx + 0.035, base)
        canvas.rectangle(brick, cx - 0.26, base - 0.2, cx + 0.26, base)
        for step in range(4):
            sx = cx - 0.26 + 0.13 * step
            points = [(sx, base - 0.2), (sx, base - 0.28), (sx + 0.13, base - 0.2)]
            canvas.polygon(brick, points)


def _draw_ground(canvas: Canvas, ground: str, base: float) -> None:
    paving = canvas.part((178, 170, 160), depth=0.4, centre=(0.5, 0.8), toward=(0, 0.3))
    canvas.rectangle(paving, -1, base, 2, 2)
    if ground == "a street":
        road = canvas.part((96, 96, 106), depth=0.38, centre=(0.5, 0.8), toward=(0, 0.3))
        canvas.polygon(road, [(0.42, base), (0.58, base), (1.15, 1.2), (-0.15, 1.2)])
        line = canvas.part((240, 232, 206), (240, 232, 206), depth=0.37)
        for near, far in ((1.0, 0.92), (0.86, 0.8), (0.76, 0.72)):
            canvas.polygon(line, [(0.475, near), (0.49, far), (0.51, far), (0.525, near)])
    elif ground == "a canal":
        water = canvas.part(WATER, (116, 172, 198), depth=0.38, centre=(0.5, 0.8), toward=(0, -0.2))
        canvas.polygon(water, [(0.4, base), (0.6, base), (1.3, 1.2), (-0.3, 1.2)])
        glint = canvas.part((168, 208, 222), (168, 208, 222), depth=0.37)
        for x, y in ((0.46, 0.72), (0.56, 0.8), (0.42, 0.95)):
            canvas.ellipse(glint, x, y, 0.09, 0.013)
    elif ground == "a square":
        slab = canvas.part((214, 204, 188), depth=0.39, centre=(0.5, 0.8), toward=(0, 0.3))
        for step in range(-4, 5, 2):
            points = [(0.5 + step * 0.11, base), (0.5 + (step + 1) * 0.11, base)]
            canvas.polygon(slab, [*points, (0.5 + (step + 1) * 0.3, 1.2), (0.5 + step * 0.3, 1.2)])
    else:
        water = canvas.part(WATER, (116, 172, 198), depth=0.39, centre=(0.5, 0.8), toward=(0, -0.2))
        canvas.rectangle(water, -1, base, 2, 2)
        deck = canvas.part((172, 152, 132), depth=0.3, centre=(0.5, 0.75), toward=(0, 0.1))
        canvas.rectangle(deck, -1, base + 0.06, 2, base + 0.3)
        hole = canvas.part((52, 92, 124), depth=0.35)
        for x in (0.0, 0.5, 1.0):
            canvas.ellipse(hole, x, base + 0.33, 0.19, 0.16)


def _draw_extra(canvas: Canvas, extra: str, rng: np.random.Generator, sun: float) -> None:
    x, low = 0.5 + float(rng.uniform(-0.18, 0.18)), 0.88
    wheel = canvas.part((34, 32, 38), (34, 32, 38), depth=0.1)
    glass = canvas.part((190, 220, 236), depth=0.1)
    if extra == "and a red tram":
        body = canvas.part((208, 46, 44), depth=0.12, centre=(x, 0.75), toward=(0, 0.2))
        canvas.rectangle(body, x - 0.25, low - 0.27, x + 0.25, low - 0.03)
        for wx in (-0.2, -0.07, 0.06, 0.19):
            canvas.rectangle(glass, x + wx - 0.04, low - 0.23, x + wx + 0.045, low - 0.13)
        for wx in (-0.15, 0.15):
            canvas.ellipse(wheel, x + wx, low - 0.02, 0.045)
    elif extra.endswith("car"):
        colour: Colour = (248, 204, 60) if "yellow" in extra else (46, 92, 190)
        body = canvas.part(colour, depth=0.12, centre=(x, 0.8), toward=(0, 0.1))
        canvas.rectangle(body, x - 0.2, low - 0.12, x + 0.2, low - 0.02)
        roof = [(x - 0.13, low - 0.12), (x - 0.08, low - 0.22), (x + 0.08, low - 0.22)]
        canvas.polygon(body, [*roof, (x + 0.14, low - 0.12)])
        canvas.rectangle(glass, x - 0.075, low - 0.195, x - 0.01, low - 0.12)
        canvas.rectangle(glass, x + 0.015, low - 0.195, x + 0.075, low - 0.12)
        for wx in (-0.12, 0.12):
            canvas.ellipse(wheel, x + wx, low - 0.02, 0.048)
    elif extra == "and green trees":
        for tx, size in ((0.1, 0.36), (0.9, 0.38), (0.3, 0.28)):
            draw_tree(canvas, tx + float(rng.uniform(-0.03, 0.03)), 0.86, size, 0.15)
    elif extra == "and street lamps":
        pole = canvas.part((48, 50, 58), (48, 50, 58), depth=0.12, grain=1.57)
        lamp = canvas.part((255, 232, 150), (255, 232, 150), depth=0.11, glows=True)
        for lx in (0.16, 0.84):
            canvas.rectangle(pole, lx - 0.016, 0.46, lx + 0.016, 0.9)
            canvas.ellipse(lamp, lx, 0.45, 0.05 * min(sun, 1.3))
    else:
        skin = canvas.part((226, 178, 146), depth=0.11)
        for px in (0.2, 0.42, 0.6, 0.82):
            colour = _COATS[int(rng.integers(len(_COATS)))]
            coat = canvas.part(colour, depth=0.12, grain=1.57, centre=(px, 0.8), toward=(0.06, 0))
            px, foot = px + float(rng.uniform(-0.03, 0.03)), low + float(rng.uniform(-0.03, 0.05))
            points = [(px - 0.055, foot), (px - 0.03, foot - 0.2), (px + 0.03, foot - 0.2)]
            canvas.polygon(coat, [*points, (px + 0.055, foot)])
            canvas.ellipse(skin, px, foot - 0.22, 0.036)


_COATS: Final[tuple[Colour, ...]] = ((60, 60, 84), (178, 52, 54), (60, 96, 140), (224, 184, 92))
