"""Still lifes: fruit and a vessel on a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from impress_bench.benchmark.atelier.world.canvas import Canvas, Colour, darker

_FRUIT: Final[dict[str, Colour]] = {
    "apple": (206, 48, 44),
    "lemon": (248, 216, 60),
    "orange": (240, 136, 36),
    "pear": (164, 190, 66),
    "plum": (112, 54, 128),
}
_GLAZE: Final[dict[str, Colour]] = {
    "blue": (52, 96, 186),
    "green": (54, 140, 88),
    "white": (238, 236, 228),
    "red": (190, 50, 46),
}
_WALLS: Final[tuple[Colour, ...]] = (
    (128, 140, 150),
    (158, 138, 112),
    (112, 126, 108),
    (146, 116, 118),
)


def draw_still_life(
    canvas: Canvas, phrases: Mapping[str, str], rng: np.random.Generator, sun: float
) -> None:
    """Draw wall, table, vessel and the counted fruit; `sun` widens the window's light."""
    edge = 0.6 + float(rng.uniform(-0.02, 0.02))
    wall = _WALLS[int(rng.integers(len(_WALLS)))]
    back = canvas.part(wall, depth=1.0, grain=0.6, centre=(0.5, 0.3), toward=(0.5, 0.2))
    canvas.rectangle(back, -1, -1, 2, 2)
    side = 1.0 if rng.random() < 0.5 else -1.0
    place = phrases["place"]
    if place == "near a window":
        frame = canvas.part((120, 84, 58), depth=0.95)
        pane = canvas.part(
            (168, 212, 240), (226, 240, 246), depth=0.96, toward=(0.0, 0.3), glows=True
        )
        wx, half = 0.5 - side * 0.2, 0.24 * min(sun, 1.25)
        canvas.rectangle(frame, wx - half, -1, wx + half, 0.46)
        for x0, x1 in ((wx - half + 0.035, wx - 0.018), (wx + 0.018, wx + half - 0.035)):
            canvas.rectangle(pane, x0, -1, x1, 0.19)
            canvas.rectangle(pane, x0, 0.225, x1, 0.425)
    wood = canvas.part((162, 104, 62), (104, 62, 42), depth=0.5, centre=(0.5, 0.8), toward=(0, 0.3))
    canvas.rectangle(wood, -1, edge, 2, 2)
    if "cloth" in place:
        white = place == "on a white cloth"
        cloth = canvas.part(
            (246, 242, 234) if white else (196, 44, 48),
            depth=0.45,
            centre=(0.5, 0.8),
            toward=(0.3, 0.3),
        )
        canvas.rectangle(cloth, -1, edge + 0.02, 2, 2)
        fold = canvas.part((206, 202, 206) if white else (146, 28, 40), depth=0.44)
        for x in (0.14, 0.52, 0.84):
            canvas.polygon(fold, [(x, edge + 0.2), (x + 0.05, 1.3), (x - 0.05, 1.3)])
    vx = 0.5 - side * 0.2
    _draw_vessel(canvas, phrases["vessel"], vx, edge + 0.14, rng)
    count_word, name = phrases["fruit"].split()
    count = ("one", "two", "three", "four").index(count_word) + 1
    spots = ((0.16, 0.17), (0.36, 0.2), (-0.04, 0.26), (0.24, 0.3))[:count]
    canvas.focus = (0.5 + side * 0.05, edge + 0.05)
    for dx, dy in spots:
        jitter = rng.uniform(-0.015, 0.015, 2)
        _draw_fruit(
            canvas, name.rstrip("s"), 0.5 + side * dx + jitter[0], edge + dy - 0.06 + jitter[1]
        )


def _draw_fruit(canvas: Canvas, name: str, x: float, y: float) -> None:
    shadow = canvas.part((74, 52, 52), (74, 52, 52), depth=0.42)
    canvas.ellipse(shadow, x + 0.04, y + 0.075, 0.11, 0.035)
    body = canvas.part(_FRUIT[name], depth=0.3, grain=1.0, centre=(x, y), toward=(0.09, 0.09))
    if name == "lemon":
        canvas.ellipse(body, x, y, 0.115, 0.08, -0.3)
        canvas.ellipse(body, x + 0.1, y - 0.03, 0.035, 0.025, -0.3)
    elif name == "pear":
        canvas.ellipse(body, x, y, 0.095, 0.09)
        canvas.ellipse(body, x + 0.01, y - 0.1, 0.052, 0.08, 0.15)
    else:
        radius = {"apple": 0.1, "orange": 0.1, "plum": 0.083}[name]
        canvas.ellipse(body, x, y, radius)
    if name in ("apple", "pear"):
        stalk = canvas.part((84, 62, 40), (84, 62, 40), depth=0.29)
        top = y - (0.17 if name == "pear" else 0.1)
        points = [(x - 0.012, top + 0.02), (x + 0.03, top - 0.06), (x + 0.05, top - 0.05)]
        canvas.polygon(stalk, [*points, (x + 0.014, top + 0.02)])
    glint = canvas.part((255, 246, 226), _FRUIT[name], depth=0.28, centre=(x, y), toward=(0.1, 0.1))
    canvas.ellipse(glint, x - 0.035, y - 0.035, 0.022)


def _draw_vessel(
    canvas: Canvas, phrase: str, x: float, base: float, rng: np.random.Generator
) -> None:
    flowers = phrase == "and a vase of flowers"
    kind = "vase" if flowers else phrase.split()[-1]
    colour: Colour = (70, 124, 150) if flowers else _GLAZE[phrase.split()[2]]
    shadow = canvas.part((74, 52, 52), (74, 52, 52), depth=0.43)
    canvas.ellipse(shadow, x + 0.05, base - 0.005, 0.16, 0.04)
    if flowers:
        stem = canvas.part((66, 124, 62), depth=0.4, grain=1.3)
        petals = [
            canvas.part(c, depth=0.38) for c in ((232, 92, 120), (246, 206, 80), (240, 238, 232))
        ]
        heart = canvas.part((140, 72, 36), (140, 72, 36), depth=0.37)
        for step, (dx, dy) in enumerate(
            ((-0.15, 0.56), (0.15, 0.54), (0.0, 0.64), (-0.05, 0.48), (0.1, 0.44))
        ):
            dx += float(rng.uniform(-0.015, 0.015))
            canvas.polygon(
                stem, [(x - 0.02, base - 0.3), (x + dx, base - dy), (x + 0.02, base - 0.3)]
            )
            canvas.ellipse(petals[step % 3], x + dx, base - dy, 0.078)
            canvas.ellipse(heart, x + dx, base - dy, 0.026)
    body = canvas.part(colour, depth=0.4, grain=1.57, centre=(x, base - 0.2), toward=(0.12, 0.0))
    if kind == "bowl":
        canvas.polygon(
            body, [(x - 0.2, base - 0.18), (x + 0.2, base - 0.18), (x + 0.1, base), (x - 0.1, base)]
        )
        rim = canvas.part(darker(colour, 0.55), depth=0.39)
        canvas.ellipse(rim, x, base - 0.18, 0.2, 0.04)
        return
    if kind == "bottle":
        canvas.rectangle(body, x - 0.08, base - 0.28, x + 0.08, base)
        canvas.ellipse(body, x, base - 0.28, 0.08, 0.07)
        canvas.rectangle(body, x - 0.033, base - 0.5, x + 0.033, base - 0.25)
        cork = canvas.part((196, 158, 110), depth=0.39)
        canvas.rectangle(cork, x - 0.03, base - 0.55, x + 0.03, base - 0.5)
    elif kind == "jug":
        handle = canvas.part(darker(colour, 0.7), depth=0.41)
        canvas.ellipse(handle, x - 0.13, base - 0.22, 0.1, 0.12)
        hole = canvas.part((110, 104, 100), (90, 84, 84), depth=0.9)
        canvas.ellipse(hole, x - 0.135, base - 0.22, 0.05, 0.07)
        canvas.ellipse(body, x, base - 0.15, 0.15, 0.15)
        points = [(x - 0.1, base - 0.22), (x - 0.08, base - 0.42), (x + 0.14, base - 0.43)]
        canvas.polygon(body, [*points, (x + 0.08, base - 0.36), (x + 0.1, base - 0.22)])
    else:
        canvas.ellipse(body, x, base - 0.17, 0.14, 0.17)
        canvas.rectangle(body, x - 0.05, base - 0.4, x + 0.05, base - 0.28)
        canvas.ellipse(body, x, base - 0.4, 0.085, 0.025)
    glint = canvas.part(
        (250, 248, 240), colour, depth=0.36, centre=(x, base - 0.2), toward=(0.1, 0.1)
    )
    canvas.ellipse(glint, x - 0.055 if kind != "bottle" else x - 0.035, base - 0.19, 0.02, 0.06)
