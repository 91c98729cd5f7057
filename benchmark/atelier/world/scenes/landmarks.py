"""Landmarks of seascapes: lighthouse, cliff, island, iceberg, beach, pier."""

from __future__ import annotations

import numpy as np

from impress_bench.benchmark.atelier.world.canvas import Canvas


def draw_landmark(canvas: Canvas, place: str, horizon: float, side: float, night: bool) -> None:
    """Draw what a seascape\'s title says is near, on the far side of the vessel."""

    def at(px: float) -> float:
        return 0.5 - side * px

    if place == "near a lighthouse":
        rock = canvas.part((104, 94, 92), depth=0.5, centre=(at(0.32), horizon))
        canvas.ellipse(rock, at(0.32), horizon + 0.08, 0.2, 0.09)
        white = canvas.part((246, 244, 238), depth=0.48, centre=(at(0.32), 0.3), toward=(0.07, 0.0))
        red = canvas.part((206, 50, 46), depth=0.47, centre=(at(0.32), 0.3), toward=(0.07, 0.0))
        for step in range(4):
            y = horizon + 0.03 - 0.09 * step
            canvas.rectangle(white if step % 2 else red, at(0.38), y - 0.09, at(0.26), y)
        lamp = canvas.part((255, 228, 120), (255, 228, 120), depth=0.46, glows=True)
        top = horizon - 0.33
        if night:
            canvas.polygon(lamp, [(at(0.3), top), (at(-0.6), top - 0.14), (at(-0.6), top + 0.02)])
        canvas.rectangle(lamp, at(0.36), top - 0.06, at(0.28), top)
        canvas.polygon(
            red, [(at(0.39), top - 0.06), (at(0.32), top - 0.13), (at(0.25), top - 0.06)]
        )
    elif place == "near a cliff":
        rock = canvas.part(
            (150, 118, 92),
            (92, 70, 66),
            depth=0.5,
            grain=1.4,
            centre=(at(0.4), 0.4),
            toward=(0.2, 0),
        )
        turf = canvas.part((98, 142, 70), depth=0.49, centre=(at(0.4), 0.2))
        top = horizon - 0.36
        points = [(at(1.2), 1.0), (at(1.2), top), (at(0.24), top + 0.04), (at(0.2), horizon - 0.1)]
        canvas.polygon(rock, [*points, (at(0.12), horizon + 0.1), (at(0.3), horizon + 0.14)])
        canvas.polygon(
            turf,
            [(at(1.2), top - 0.04), (at(0.22), top), (at(0.24), top + 0.07), (at(1.2), top + 0.06)],
        )
    elif place == "near an island":
        sand = canvas.part((232, 206, 148), depth=0.5, centre=(at(0.28), horizon))
        canvas.ellipse(sand, at(0.28), horizon + 0.05, 0.22, 0.06)
        trunk = canvas.part((124, 88, 58), depth=0.48)
        px = at(0.28)
        canvas.polygon(
            trunk,
            [
                (px - 0.03, horizon + 0.02),
                (px + 0.03, horizon - 0.26),
                (px + 0.06, horizon - 0.25),
                (px + 0.02, horizon + 0.03),
            ],
        )
        palm = canvas.part((52, 128, 66), depth=0.47)
        for turn in (0.5, -0.4, 2.5, 3.6):
            c, s = np.cos(turn), np.sin(turn)
            canvas.ellipse(
                palm, px + 0.045 + 0.09 * c, horizon - 0.26 + 0.07 * s, 0.11, 0.035, turn
            )
    elif place == "near an iceberg":
        ice = canvas.part(
            (236, 248, 252),
            (150, 196, 218),
            depth=0.5,
            grain=1.0,
            centre=(at(0.3), 0.4),
            toward=(0.14, 0.1),
        )
        points = [(at(0.6), horizon + 0.06), (at(0.5), horizon - 0.18), (at(0.38), horizon - 0.34)]
        points += [(at(0.28), horizon - 0.22), (at(0.2), horizon - 0.24), (at(0.1), horizon + 0.06)]
        canvas.polygon(ice, points)
    elif place == "near a beach":
        sand = canvas.part((240, 214, 156), depth=0.1, centre=(0.5, 0.95), toward=(0.0, 0.15))
        canvas.polygon(
            sand,
            [(-1, 2), (-1, 0.98), (at(0.6), 0.84), (at(0.2), 0.9), (2, 1.02), (2, 2)]
            if side > 0
            else [(2, 2), (2, 0.98), (at(0.6), 0.84), (at(0.2), 0.9), (-1, 1.02), (-1, 2)],
        )
        sand_far = canvas.part((236, 206, 142), depth=0.6, centre=(at(0.4), horizon))
        canvas.polygon(
            sand_far,
            [
                (at(1.5), horizon - 0.06),
                (at(0.3), horizon - 0.03),
                (at(0.0), horizon + 0.06),
                (at(0.5), horizon + 0.2),
                (at(1.5), horizon + 0.24),
            ],
        )
    else:
        wood = canvas.part((124, 90, 62), depth=0.4, centre=(at(0.4), horizon))
        canvas.rectangle(wood, at(1.5), horizon - 0.01, at(0.1), horizon + 0.05)
        for px in (0.14, 0.28, 0.42, 0.56):
            canvas.rectangle(wood, at(px + 0.02), horizon - 0.06, at(px - 0.02), horizon + 0.16)
