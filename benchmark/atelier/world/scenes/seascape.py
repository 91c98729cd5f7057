"""Seascapes: a vessel, a landmark, calm or rough water."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from impress_bench.benchmark.atelier.world.canvas import Canvas, Colour
from impress_bench.benchmark.atelier.world.scenes.landmarks import draw_landmark
from impress_bench.benchmark.atelier.world.scenes.sky import draw_sky


def draw_seascape(
    canvas: Canvas, phrases: Mapping[str, str], rng: np.random.Generator, sun: float
) -> None:
    """Draw sky, sea, landmark, vessel and the waves in front of it."""
    horizon = 0.5 + float(rng.uniform(-0.03, 0.03))
    draw_sky(canvas, phrases["hour"], rng, horizon, sun)
    rough = phrases["sea"] == "on a rough sea"
    sea: Colour = (34, 102, 130) if rough else (62, 140, 178)
    water = canvas.part(
        (118, 178, 200), sea, depth=0.7, centre=(0.5, horizon + 0.14), toward=(0.0, 0.16)
    )
    canvas.rectangle(water, -1.0, horizon, 2.0, 2.0)
    side = 1.0 if rng.random() < 0.5 else -1.0
    draw_landmark(canvas, phrases["place"], horizon, side, phrases["hour"] == "at night")
    x, base = 0.5 + side * float(rng.uniform(0.06, 0.14)), horizon + 0.2
    canvas.focus = (x, base - 0.15)
    _draw_vessel(canvas, phrases["thing"], x, base, side)
    _draw_waves(canvas, rng, base, rough, sea)


def _draw_waves(
    canvas: Canvas, rng: np.random.Generator, base: float, rough: bool, sea: Colour
) -> None:
    near = canvas.part(sea, depth=0.15, grain=0.2, centre=(0.5, 0.9), toward=(0.0, 0.2))
    foam = canvas.part((232, 242, 246), (196, 218, 230), depth=0.12, grain=0.2)
    xs = np.linspace(-0.6, 1.6, 45)
    if rough:
        for level, height in ((base + 0.01, 0.045), (base + 0.16, 0.06)):
            phase = rng.uniform(0.0, 6.0)
            crest = level - height * np.abs(np.sin(xs * 9.0 + phase)) ** 1.5
            line = [(float(a), float(b)) for a, b in zip(xs, crest, strict=True)]
            canvas.polygon(foam, [*line, (1.6, 1.6), (-0.6, 1.6)])
            line = [(a, b + 0.032) for a, b in line]
            canvas.polygon(near, [*line, (1.6, 1.6), (-0.6, 1.6)])
    else:
        ripple = canvas.part((150, 204, 220), (150, 204, 220), depth=0.2)
        for y in (base + 0.07, base + 0.15, base + 0.25):
            x = float(rng.uniform(0.1, 0.8))
            canvas.ellipse(ripple, x, y, 0.2, 0.014)


def _draw_vessel(canvas: Canvas, thing: str, x: float, base: float, side: float) -> None:
    sails: dict[str, Colour] = {
        "white": (248, 244, 232),
        "red": (208, 54, 48),
        "yellow": (246, 202, 70),
    }
    if thing.endswith("sailboat"):
        _draw_sailboat(canvas, x, base, 1.0, sails[thing.split()[1]], side)
    elif thing == "two sailboats":
        _draw_sailboat(canvas, x - side * 0.02, base - 0.04, 0.6, sails["white"], side)
        _draw_sailboat(canvas, x + side * 0.22, base, 0.85, sails["white"], side)
    elif thing == "a steamship":
        hull = canvas.part((54, 52, 64), depth=0.3, centre=(x, base))
        deck = canvas.part((236, 230, 218), depth=0.29, centre=(x, base))
        stack = canvas.part((204, 56, 46), depth=0.28, centre=(x, base))
        smoke = canvas.part((120, 118, 124), (164, 162, 166), depth=0.31)
        for step, radius in ((0.02, 0.05), (0.1, 0.065), (0.2, 0.08)):
            canvas.ellipse(smoke, x - side * step, base - 0.36 - step * 0.4, radius * 1.2, radius)
        for px in (x - 0.08, x + 0.06):
            canvas.rectangle(stack, px - 0.03, base - 0.34, px + 0.03, base - 0.16)
        canvas.rectangle(deck, x - 0.17, base - 0.18, x + 0.16, base - 0.07)
        canvas.polygon(
            hull,
            [
                (x - 0.3, base - 0.1),
                (x + 0.3, base - 0.1),
                (x + 0.24, base + 0.03),
                (x - 0.24, base + 0.03),
            ],
        )
    else:
        hull = canvas.part(
            (44, 116, 106) if "fishing" in thing else (150, 94, 56), depth=0.3, centre=(x, base)
        )
        if thing == "a fishing boat":
            cabin = canvas.part((240, 230, 210), depth=0.29, centre=(x, base))
            mast = canvas.part((84, 62, 50), depth=0.29)
            canvas.rectangle(mast, x + 0.05, base - 0.36, x + 0.08, base - 0.06)
            canvas.polygon(
                mast, [(x + 0.07, base - 0.34), (x + 0.24, base - 0.24), (x + 0.07, base - 0.31)]
            )
            canvas.rectangle(cabin, x - 0.13, base - 0.21, x + 0.02, base - 0.06)
        else:
            coat = canvas.part((200, 60, 54), depth=0.29)
            skin = canvas.part((226, 178, 146), depth=0.28)
            oar = canvas.part((206, 170, 116), depth=0.27)
            canvas.polygon(
                coat,
                [
                    (x - 0.06, base),
                    (x - 0.04, base - 0.17),
                    (x + 0.04, base - 0.17),
                    (x + 0.06, base),
                ],
            )
            canvas.ellipse(skin, x, base - 0.21, 0.045)
            canvas.polygon(
                oar,
                [(x, base - 0.12), (x + side * 0.3, base + 0.06), (x + side * 0.28, base + 0.09)],
            )
        canvas.polygon(
            hull,
            [
                (x - 0.26, base - 0.09),
                (x + 0.26, base - 0.09),
                (x + 0.19, base + 0.04),
                (x - 0.19, base + 0.04),
            ],
        )


def _draw_sailboat(
    canvas: Canvas, x: float, base: float, size: float, sail: Colour, side: float
) -> None:
    cloth = canvas.part(
        sail, depth=0.3, grain=1.4, centre=(x, base - 0.2), toward=(0.16 * size, 0.1)
    )
    hull = canvas.part((110, 66, 46), depth=0.29, centre=(x, base))
    s, low = size, base - 0.07 * size
    canvas.polygon(cloth, [(x, base - 0.48 * s), (x + side * 0.22 * s, low), (x, low)])
    points = [(x - side * 0.025 * s, base - 0.4 * s), (x - side * 0.17 * s, low)]
    canvas.polygon(cloth, [*points, (x - side * 0.025 * s, low)])
    points = [(x - 0.24 * s, base - 0.055 * s), (x + 0.24 * s, base - 0.055 * s)]
    canvas.polygon(
        hull, [*points, (x + 0.16 * s, base + 0.045 * s), (x - 0.16 * s, base + 0.045 * s)]
    )
