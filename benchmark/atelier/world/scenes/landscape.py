"""Landscapes: a building, tent or trees in open country."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from impress_bench.benchmark.atelier.world.canvas import Canvas, Colour, darker
from impress_bench.benchmark.atelier.world.scenes.sky import (
    WATER,
    draw_mountains,
    draw_pine,
    draw_sky,
    draw_tree,
)

_GROUND: Final[dict[str, Colour]] = {
    "in a wheat field": (226, 184, 70),
    "in a desert": (230, 178, 116),
    "in the snow": (238, 242, 250),
}
_WALL: Final[dict[str, Colour]] = {
    "red": (204, 58, 46),
    "white": (240, 236, 226),
    "blue": (64, 108, 196),
    "yellow": (244, 204, 74),
}


def draw_landscape(
    canvas: Canvas, phrases: Mapping[str, str], rng: np.random.Generator, sun: float
) -> None:
    """Draw sky, country and the thing the title names."""
    place, thing, night = phrases["place"], phrases["thing"], phrases["hour"] == "at night"
    horizon = 0.54 + float(rng.uniform(-0.03, 0.03))
    draw_sky(canvas, phrases["hour"], rng, horizon, sun)
    if place == "in front of mountains":
        draw_mountains(canvas, rng, horizon)
    colour = _GROUND.get(place, (104, 158, 66))
    far = canvas.part(darker(colour, 0.86), depth=0.6, grain=0.1, centre=(0.5, horizon))
    canvas.ellipse(far, float(rng.uniform(0.1, 0.9)), horizon + 0.1, 0.8, 0.16)
    ground = canvas.part(colour, depth=0.4, grain=0.15, centre=(0.5, 0.75), toward=(0.0, 0.3))
    canvas.rectangle(ground, -1.0, horizon + 0.06, 2.0, 2.0)
    x, base, size = 0.5 + float(rng.uniform(-0.14, 0.14)), horizon + 0.22, 0.36
    if place == "on a green hill":
        hill = canvas.part((84, 146, 60), depth=0.35, grain=0.3, centre=(x, 0.8), toward=(0.4, 0.2))
        canvas.ellipse(hill, x, 1.0, 0.56, 0.50)
        base = 0.56
    elif place == "by a river":
        river = canvas.part(
            WATER, (120, 176, 206), depth=0.3, centre=(0.5, 0.8), toward=(0.0, -0.3)
        )
        s = 1.0 if rng.random() < 0.5 else -1.0
        points = [(0.2, horizon + 0.05), (0.30, horizon + 0.05), (0.22, 0.72), (0.62, 0.84)]
        points += [(1.3, 1.2), (0.2, 1.2), (0.1, 0.86), (0.06, 0.72)]
        canvas.polygon(river, [(0.5 + s * (px - 0.5), py) for px, py in points])
        x, base = 0.5 + s * 0.12, horizon + 0.16
    elif place == "by a lake":
        lake = canvas.part(
            WATER, (130, 184, 214), depth=0.3, centre=(0.5, 0.85), toward=(0.0, -0.2)
        )
        canvas.ellipse(lake, 0.5, 0.95, 0.62, 0.19)
        base = horizon + 0.20
    elif place == "in a desert":
        dune = canvas.part((244, 200, 140), (196, 136, 84), depth=0.3, toward=(0.4, 0.1))
        canvas.ellipse(dune, 0.15, 1.05, 0.6, 0.28)
        cactus = canvas.part((76, 132, 76), depth=0.25, grain=1.57)
        cx = 0.86 if x < 0.5 else 0.12
        canvas.rectangle(cactus, cx - 0.025, 0.55, cx + 0.025, 0.86)
        canvas.rectangle(cactus, cx - 0.09, 0.62, cx - 0.05, 0.72)
        canvas.rectangle(cactus, cx - 0.09, 0.69, cx, 0.73)
    elif place == "in a wheat field":
        furrow = canvas.part((196, 148, 48), depth=0.3, grain=1.0)
        for start in np.linspace(-1.0, 2.0, 10):
            end = 0.5 + (start - 0.5) * 0.25
            canvas.polygon(furrow, [(start, 1.15), (start + 0.12, 1.15), (end, horizon + 0.07)])
    elif place == "in the snow":
        draw_pine(canvas, 0.12 if x > 0.5 else 0.9, horizon + 0.16, 0.24, 0.45)
    canvas.focus = (x, base - size * 0.4)
    _draw_thing(canvas, thing, x, base, size, night)


def _draw_thing(
    canvas: Canvas, thing: str, x: float, base: float, size: float, night: bool
) -> None:
    if thing == "a lone tree":
        draw_tree(canvas, x, base, 0.46)
    elif thing == "two trees":
        draw_tree(canvas, x - 0.17, base, 0.38)
        draw_tree(canvas, x + 0.17, base + 0.03, 0.42, leaf=(84, 142, 46))
    elif thing == "three pines":
        for step, height in ((-0.22, 0.38), (0.22, 0.36), (0.0, 0.46)):
            draw_pine(canvas, x + step, base, height)
    elif thing == "a white tent":
        cloth = canvas.part((244, 240, 226), (186, 180, 172), depth=0.3, centre=(x, base - 0.12))
        canvas.polygon(cloth, [(x - 0.2, base), (x, base - 0.28), (x + 0.2, base)])
        flap = canvas.part((96, 76, 64), depth=0.29)
        canvas.polygon(flap, [(x - 0.06, base), (x, base - 0.18), (x + 0.06, base)])
    elif thing == "a castle":
        stone = canvas.part(
            (164, 156, 150), (104, 98, 108), depth=0.3, grain=1.57, centre=(x, base)
        )
        roof = canvas.part((138, 56, 62), depth=0.28)
        canvas.rectangle(stone, x - 0.2, base - 0.2, x + 0.2, base)
        for tx, top in ((x - 0.2, 0.32), (x + 0.2, 0.32), (x, 0.38)):
            canvas.rectangle(stone, tx - 0.06, base - top, tx + 0.06, base)
            points = [(tx - 0.08, base - top), (tx, base - top - 0.12), (tx + 0.08, base - top)]
            canvas.polygon(roof, points)
        gate = canvas.part((62, 46, 42), depth=0.27)
        canvas.rectangle(gate, x - 0.04, base - 0.12, x + 0.04, base)
    elif thing == "a windmill":
        body = canvas.part(
            (226, 214, 190), (150, 136, 122), depth=0.3, centre=(x, base), toward=(0.1, 0)
        )
        tower = [(x - 0.12, base), (x - 0.07, base - 0.3), (x + 0.07, base - 0.3), (x + 0.12, base)]
        canvas.polygon(body, tower)
        cap = canvas.part((128, 60, 48), depth=0.28)
        canvas.polygon(cap, [(x - 0.09, base - 0.3), (x, base - 0.4), (x + 0.09, base - 0.3)])
        vane = canvas.part((86, 62, 50), (86, 62, 50), depth=0.2)
        for angle in 0.6 + np.arange(4) * np.pi / 2:
            c, s = 0.25 * np.cos(angle), 0.25 * np.sin(angle)
            end = (x + c, base - 0.32 + s)
            canvas.polygon(vane, [(x, base - 0.32), end, (end[0] - s * 0.3, end[1] + c * 0.3)])
    else:
        colour = _WALL.get(thing.split()[1], (232, 226, 216))
        draw_house(canvas, x, base, size, colour, night, barn="barn" in thing)
        if thing == "a church":
            stone = canvas.part((232, 226, 216), depth=0.29, grain=1.57, centre=(x, base))
            roof = canvas.part((84, 90, 112), depth=0.28)
            canvas.rectangle(stone, x - 0.24, base - 0.3, x - 0.11, base)
            tip = (x - 0.175, base - 0.52)
            canvas.polygon(roof, [(x - 0.26, base - 0.3), tip, (x - 0.09, base - 0.3)])


def draw_house(
    canvas: Canvas, x: float, base: float, size: float, colour: Colour, night: bool, barn: bool
) -> None:
    """Draw a gabled house, or a barn with a white-framed gate."""
    wall = canvas.part(colour, depth=0.3, grain=1.57, centre=(x, base), toward=(size * 0.5, 0.0))
    roof = canvas.part((112, 66, 58) if not barn else (92, 92, 100), depth=0.28, grain=0.5)
    w, h = size * 0.5, size * 0.46
    canvas.rectangle(wall, x - w, base - h, x + w, base)
    canvas.polygon(
        roof,
        [
            (x - w * 1.2, base - h),
            (x - w * 0.6, base - h * 1.8),
            (x + w * 0.6, base - h * 1.8),
            (x + w * 1.2, base - h),
        ],
    )
    door = canvas.part((240, 236, 226) if barn else (88, 58, 46), depth=0.27)
    canvas.rectangle(door, x - w * 0.15, base - h * 0.75, x + w * 0.25, base)
    if not barn:
        pane = canvas.part((255, 214, 104) if night else (170, 204, 226), depth=0.27, glows=night)
        for wx in (x - w * 0.62, x + w * 0.66):
            canvas.rectangle(pane, wx - w * 0.16, base - h * 0.7, wx + w * 0.16, base - h * 0.3)
