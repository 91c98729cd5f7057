"""Skies, hours of the day and other far things that several subjects share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from impress_bench.benchmark.atelier.world.canvas import Canvas, Colour


@dataclass(frozen=True)
class Hour:
    """Sky colours at zenith and horizon, the light's tint and what stands in the sky."""

    top: Colour
    low: Colour
    tint: tuple[float, float, float]
    disc: Colour | None
    disc_height: float
    cloud: Colour | None


HOURS: Final = {
    "at noon": Hour((58, 128, 214), (178, 218, 246), (1.0, 1.0, 1.0), (255, 244, 190), 0.14, None),
    "at dawn": Hour(
        (150, 150, 214), (255, 205, 190), (0.95, 0.88, 0.92), (255, 236, 200), 0.40, (246, 214, 222)
    ),
    "at dusk": Hour(
        (84, 62, 132), (250, 138, 62), (0.92, 0.72, 0.64), (255, 206, 88), 0.38, (186, 88, 104)
    ),
    "at night": Hour((12, 18, 52), (40, 58, 112), (0.40, 0.45, 0.64), (244, 242, 214), 0.16, None),
    "under a stormy sky": Hour(
        (44, 50, 62), (116, 124, 134), (0.66, 0.70, 0.74), None, 0.0, (66, 72, 86)
    ),
    "under a cloudy sky": Hour(
        (138, 164, 190), (206, 216, 224), (0.88, 0.90, 0.92), None, 0.0, (244, 246, 248)
    ),
}

WATER: Final[Colour] = (50, 112, 158)


def draw_sky(
    canvas: Canvas, phrase: str, rng: np.random.Generator, horizon: float, sun: float
) -> Hour:
    """Fill the whole canvas with sky and set the canvas's tint; returns the hour."""
    hour = HOURS[phrase]
    canvas.tint = hour.tint
    half = (horizon + 0.15) / 2
    sky = canvas.part(
        hour.top, hour.low, depth=1.0, centre=(0.5, half - 0.15), toward=(0.0, half), glows=True
    )
    canvas.rectangle(sky, -1.0, -1.0, 2.0, 2.0)
    side = float(rng.choice([0.2, 0.78])) + float(rng.uniform(-0.05, 0.05))
    if hour.disc is not None:
        radius = 0.075 * sun
        height = min(hour.disc_height + 0.02, horizon - 0.02)
        if phrase in ("at dusk", "at dawn"):
            red, green, blue = ((a + b) // 2 for a, b in zip(hour.disc, hour.low, strict=True))
            halo = (red, green, blue)
            canvas.ellipse(
                canvas.part(halo, halo, depth=0.99, glows=True), side, height, radius * 1.6
            )
        disc = canvas.part(hour.disc, hour.disc, depth=0.98, glows=True)
        canvas.ellipse(disc, side, height, radius)
        if phrase == "at night":
            draw_stars(canvas, rng, horizon, 7)
    if hour.cloud is not None:
        draw_clouds(canvas, rng, hour.cloud, horizon, storm=phrase == "under a stormy sky")
    if phrase == "under a stormy sky":
        bolt = canvas.part((250, 240, 170), (250, 240, 170), depth=0.9, glows=True)
        x, h = 1.0 - side, horizon
        zig = [(x, 0.08), (x - 0.07, h * 0.55), (x - 0.01, h * 0.53), (x - 0.06, h)]
        back = [(x + 0.035, h * 0.45), (x - 0.015, h * 0.47), (x + 0.05, 0.08)]
        canvas.polygon(bolt, zig + back)
    return hour


def draw_stars(canvas: Canvas, rng: np.random.Generator, horizon: float, count: int) -> None:
    """Scatter a few large stars over the sky."""
    star = canvas.part((238, 238, 220), (238, 238, 220), depth=0.97, glows=True)
    for x, y in rng.uniform((0.02, 0.02), (0.98, max(0.1, horizon - 0.1)), (count, 2)):
        canvas.ellipse(star, x, y, 0.016)


def draw_clouds(
    canvas: Canvas, rng: np.random.Generator, colour: Colour, horizon: float, storm: bool
) -> None:
    """Draw banks of cloud, heavier ones for a storm."""
    cloud = canvas.part(colour, depth=0.95, centre=(0.5, 0.2), toward=(0.0, 0.5), glows=True)
    for _ in range(4 if storm else 3):
        x, y = rng.uniform(0.0, 1.0), rng.uniform(0.04, horizon * 0.5)
        width = rng.uniform(0.13, 0.22) * (1.4 if storm else 1.0)
        canvas.ellipse(cloud, x, y, width, width * 0.28)
        canvas.ellipse(cloud, x - width * 0.3, y - width * 0.18, width * 0.45, width * 0.3)
        canvas.ellipse(cloud, x + width * 0.3, y - width * 0.12, width * 0.4, width * 0.26)


def draw_mountains(
    canvas: Canvas, rng: np.random.Generator, horizon: float, snow: bool = True
) -> None:
    """Draw three peaks along the horizon."""
    rock = canvas.part((108, 112, 144), (74, 76, 112), depth=0.8, grain=0.9)
    cap = canvas.part((244, 246, 252), (206, 214, 232), depth=0.79, grain=0.9)
    for x in (0.1, 0.88, 0.48):
        x, height = x + rng.uniform(-0.08, 0.08), rng.uniform(0.24, 0.36)
        top, base = horizon - height, rng.uniform(0.26, 0.34)
        canvas.polygon(rock, [(x - base, horizon + 0.02), (x, top), (x + base, horizon + 0.02)])
        if snow:
            w, d = base * 0.36, height * 0.36
            mid = [(x + w * 0.3, top + d * 0.7), (x, top + d * 1.2), (x - w * 0.4, top + d * 0.7)]
            canvas.polygon(cap, [(x - w, top + d), (x, top), (x + w, top + d), *mid])


def draw_tree(
    canvas: Canvas,
    x: float,
    base: float,
    size: float,
    depth: float = 0.3,
    leaf: Colour = (58, 128, 52),
) -> None:
    """Draw a round-crowned tree that stands at (x, base)."""
    trunk = canvas.part((112, 76, 48), depth=depth, grain=1.57)
    crown = canvas.part(
        leaf, depth=depth, grain=1.2, centre=(x, base - size * 0.7), toward=(size * 0.3, size * 0.3)
    )
    canvas.rectangle(trunk, x - size * 0.07, base - size * 0.5, x + size * 0.07, base)
    canvas.ellipse(crown, x, base - size * 0.72, size * 0.34, size * 0.34)
    canvas.ellipse(crown, x - size * 0.2, base - size * 0.55, size * 0.22)
    canvas.ellipse(crown, x + size * 0.2, base - size * 0.55, size * 0.22)


def draw_pine(canvas: Canvas, x: float, base: float, size: float, depth: float = 0.3) -> None:
    """Draw a pine of three tiers that stands at (x, base)."""
    trunk = canvas.part((98, 66, 44), depth=depth, grain=1.57)
    leaf = canvas.part(
        (34, 98, 70), depth=depth, grain=1.2, centre=(x, base - size / 2), toward=(size * 0.25, 0.0)
    )
    canvas.rectangle(trunk, x - size * 0.06, base - size * 0.2, x + size * 0.06, base)
    for low, high, half in ((0.14, 0.6, 0.3), (0.4, 0.82, 0.24), (0.62, 1.0, 0.17)):
        points = [(x - size * half, base - size * low), (x, base - size * high)]
        canvas.polygon(leaf, [*points, (x + size * half, base - size * low)])
