"""What stands behind a sitter: twelve backgrounds of large plain shapes."""

from __future__ import annotations

import numpy as np

from impress_bench.benchmark.atelier.world.canvas import Canvas, Colour
from impress_bench.benchmark.atelier.world.scenes.sky import (
    WATER,
    draw_mountains,
    draw_pine,
    draw_sky,
    draw_stars,
    draw_tree,
)


def draw_backdrop(canvas: Canvas, place: str, rng: np.random.Generator, sun: float) -> None:
    """Draw the background that a portrait's title names."""
    if place in ("in a library", "in front of a brick wall", "in front of a red curtain"):
        _draw_indoors(canvas, place, rng)
        return
    night = place in ("in a city at night", "under a starry sky")
    horizon = 0.6
    # The sitter keeps daylight colours at night too, as a lamp-lit sitter would.
    draw_sky(canvas, "at night" if night else "at noon", rng, horizon, sun)
    canvas.tint = (1.0, 1.0, 1.0)
    if place == "on a beach":
        water = canvas.part(
            (96, 186, 206), (40, 128, 172), depth=0.9, centre=(0.5, 0.58), toward=(0, 0.12)
        )
        sand = canvas.part((244, 220, 164), depth=0.8, centre=(0.5, 0.85), toward=(0, 0.3))
        foam = canvas.part((250, 250, 248), (250, 250, 248), depth=0.85)
        canvas.rectangle(water, -1, 0.45, 2, 2)
        canvas.polygon(foam, [(-1, 0.68), (0.3, 0.70), (2, 0.64), (2, 2), (-1, 2)])
        canvas.polygon(sand, [(-1, 0.72), (0.3, 0.75), (2, 0.68), (2, 2), (-1, 2)])
    elif place == "in a forest":
        dark = canvas.part((48, 92, 56), (30, 62, 46), depth=0.95)
        canvas.rectangle(dark, -1, 0.12, 2, 2)
        ground = canvas.part((86, 110, 54), depth=0.85)
        canvas.rectangle(ground, -1, 0.74, 2, 2)
        for x in (0.04, 0.96, 0.24, 0.78):
            draw_pine(canvas, x + float(rng.uniform(-0.03, 0.03)), 0.82, 0.8, 0.8)
    elif place == "in front of mountains":
        draw_mountains(canvas, rng, 0.62)
        canvas.rectangle(canvas.part((110, 158, 80), depth=0.75), -1, 0.62, 2, 2)
    elif place == "in a city at night":
        _draw_towers(canvas, rng)
    elif place == "in a desert":
        dune = canvas.part((240, 186, 112), (204, 140, 78), depth=0.85, toward=(0.4, 0.1))
        sand = canvas.part((250, 204, 134), (222, 160, 92), depth=0.8, centre=(0.5, 0.8))
        cactus = canvas.part((70, 130, 76), depth=0.75, grain=1.57)
        canvas.ellipse(dune, 0.1, 0.8, 0.5, 0.26)
        canvas.ellipse(dune, 0.95, 0.82, 0.5, 0.22)
        canvas.rectangle(sand, -1, 0.74, 2, 2)
        for x, s in ((0.1, 1.0), (0.9, -1.0)):
            canvas.rectangle(cactus, x - 0.03, 0.36, x + 0.03, 0.82)
            canvas.rectangle(cactus, x, 0.56, x + s * 0.1, 0.61)
            canvas.rectangle(cactus, x + s * 0.07, 0.46, x + s * 0.115, 0.61)
    elif place == "in the snow":
        canvas.rectangle(canvas.part((196, 210, 228), (214, 224, 238), depth=0.97), -1, -1, 2, 2)
        snow = canvas.part((246, 249, 253), (222, 232, 244), depth=0.85, centre=(0.5, 0.8))
        canvas.ellipse(snow, 0.2, 0.86, 0.7, 0.26)
        canvas.ellipse(snow, 0.9, 0.9, 0.6, 0.26)
        draw_pine(canvas, 0.12, 0.78, 0.5, 0.8)
        draw_pine(canvas, 0.9, 0.8, 0.42, 0.8)
        flake = canvas.part((255, 255, 255), (255, 255, 255), depth=0.78)
        for x, y in rng.uniform(0.02, 0.98, (14, 2)):
            canvas.ellipse(flake, x, y, 0.018)
    elif place == "in a garden":
        hedge = canvas.part((92, 158, 78), (66, 126, 66), depth=0.9)
        canvas.rectangle(hedge, -1, 0.36, 2, 2)
        for part_colour in ((232, 84, 112), (248, 214, 82), (246, 244, 240), (170, 96, 190)):
            petal = canvas.part(part_colour, depth=0.8)
            for _ in range(5):
                canvas.ellipse(
                    petal, float(rng.uniform(0, 1)), float(rng.uniform(0.42, 0.95)), 0.042
                )
    elif place == "by a lake":
        bank = canvas.part((76, 136, 78), depth=0.92)
        canvas.ellipse(bank, 0.2, 0.56, 0.6, 0.14)
        canvas.ellipse(bank, 0.9, 0.56, 0.5, 0.1)
        lake = canvas.part(WATER, (124, 180, 210), depth=0.88, centre=(0.5, 0.8), toward=(0, -0.2))
        canvas.rectangle(lake, -1, 0.56, 2, 2)
        draw_tree(canvas, 0.08, 0.62, 0.46, 0.8)
        draw_tree(canvas, 0.95, 0.6, 0.34, 0.8)
    else:
        draw_stars(canvas, rng, 1.0, 16)
        canvas.ellipse(canvas.part((30, 40, 62), depth=0.85), 0.5, 1.05, 1.0, 0.28)


def _draw_indoors(canvas: Canvas, place: str, rng: np.random.Generator) -> None:
    if place == "in a library":
        canvas.rectangle(canvas.part((104, 68, 44), depth=1.0), -1, -1, 2, 2)
        spines: tuple[Colour, ...] = ((150, 48, 44), (52, 84, 112), (196, 160, 92), (62, 104, 74))
        books = [canvas.part(c, depth=0.95, grain=1.57) for c in spines]
        for shelf in np.arange(-0.3, 1.3, 0.26):
            x = -0.4
            while x < 1.4:
                width, height = rng.uniform(0.055, 0.095), rng.uniform(0.15, 0.21)
                book = books[int(rng.integers(len(books)))]
                canvas.rectangle(book, x, shelf + 0.21 - height, x + width - 0.012, shelf + 0.21)
                x += width
    elif place == "in front of a brick wall":
        canvas.rectangle(canvas.part((214, 196, 180), depth=1.0), -1, -1, 2, 2)
        bricks = [canvas.part(c, depth=0.95) for c in ((178, 84, 62), (160, 72, 56))]
        for row, y in enumerate(np.arange(-0.4, 1.4, 0.125)):
            for column, x in enumerate(np.arange(-0.5 + 0.13 * (row % 2), 1.5, 0.26)):
                brick = bricks[(row + column * 2 + int(rng.integers(2))) % 2]
                canvas.rectangle(brick, x, y, x + 0.235, y + 0.1)
    else:
        cloth = canvas.part((176, 36, 44), (176, 36, 44), depth=1.0, grain=1.57)
        fold = canvas.part((112, 18, 32), (112, 18, 32), depth=0.98, grain=1.57)
        gold = canvas.part((226, 184, 84), depth=0.96)
        canvas.rectangle(cloth, -1, -1, 2, 2)
        for x in np.arange(-0.5, 1.5, 0.19):
            canvas.polygon(fold, [(x, -1), (x + 0.05, -1), (x + 0.1, 2), (x, 2)])
        canvas.rectangle(gold, -1, 0.04, 2, 0.09)


def _draw_towers(canvas: Canvas, rng: np.random.Generator) -> None:
    wall = canvas.part((44, 50, 84), (34, 38, 70), depth=0.9, grain=1.57)
    pane = canvas.part((252, 208, 96), (252, 208, 96), depth=0.88, glows=True)
    for x in (-0.2, 0.0, 0.2, 0.62, 0.82, 1.02):
        top = float(rng.uniform(0.12, 0.4))
        canvas.rectangle(wall, x, top, x + 0.17, 1.2)
        for wx in (x + 0.03, x + 0.1):
            for wy in np.arange(top + 0.06, 1.0, 0.12):
                if rng.random() < 0.7:
                    canvas.rectangle(pane, wx, wy, wx + 0.04, wy + 0.055)
