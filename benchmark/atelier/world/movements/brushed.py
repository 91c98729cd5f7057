"""Movements of the visible brush: impressionism, pointillism, expressionism."""

from __future__ import annotations

import numpy as np

from impress_bench.benchmark.atelier.world.artists import Artist
from impress_bench.benchmark.atelier.world.canvas import SIZE, FloatArray, Scene
from impress_bench.benchmark.atelier.world.marks import (
    brush,
    cloudiness,
    grade,
    grid,
    ink,
    luma,
    mix,
    outline,
    sample,
    scatter,
)


def impressionism(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """Short strokes along the forms in light broken colour; shadows are violet."""
    tone = luma(scene.shaded)
    violet = np.broadcast_to(ink((134, 120, 214)), scene.shaded.shape)
    base = mix(grade(scene.shaded, saturation=1.5), violet, 0.34 * (1.0 - tone))
    base = mix(base, np.broadcast_to(ink((255, 246, 214)), base.shape), 0.2)
    points = scatter(rng, 5.8 * artist.stroke, 0.4)
    x, y = points.T
    seen = grade(sample(base, x, y), saturation=1.15)
    colours = seen + rng.normal(0, 0.045, seen.shape)
    angles = sample(scene.grain, x, y) + artist.angle + rng.normal(0, 0.2, len(points))
    # Far strokes first, so that near forms keep their edges.
    order = np.argsort(-sample(scene.depth, x, y), kind="stable")
    painted = brush(
        base,
        points[order],
        colours[order].astype(np.float32),
        angles[order].astype(np.float32),
        12.5 * artist.stroke,
        5.0 * artist.stroke,
    )
    return mix(painted, base, scene.figure * np.float32(0.25))


def pointillism(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """A cream ground under even dots of pure colour, warm and cool ones by turns."""
    cream = np.broadcast_to(ink((248, 240, 214)), scene.shaded.shape)
    pure = grade(scene.shaded, saturation=1.5, value=1.08)
    ground = mix(cream, pure, 0.22)
    points = scatter(rng, 6.6 * artist.stroke, 0.06)
    x, y = points.T
    colours = sample(pure, x, y)
    warm = (np.arange(len(points)) % 3 == 0)[:, None]
    cool = (np.arange(len(points)) % 3 == 1)[:, None]
    shift = np.where(warm, [0.12, 0.02, -0.12], np.where(cool, [-0.10, -0.02, 0.12], 0.0))
    size = 6.0 * artist.stroke
    angles = np.zeros(len(points), dtype=np.float32)
    return brush(ground, points, (colours + shift).astype(np.float32), angles, size, size)


def expressionism(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """Swirls about the point of interest in hot and cold colour, forms bent, contours dark."""
    xx, yy = grid()
    turn = artist.angle * 2.0
    bent_x = xx + 4.0 * np.sin(yy / 15.0 + turn)
    bent_y = yy + 3.0 * np.sin(xx / 17.0 + turn)
    shaded, depth = sample(scene.shaded, bent_x, bent_y), sample(scene.depth, bent_x, bent_y)
    tone = np.clip((luma(shaded) - 0.12) * 1.25, 0, 1)[..., None]
    # Cold Prussian blue to hot yellow, added to what is left of the scene's own colour.
    heat = (1 - tone) * ink((24, 32, 112)) + tone * ink((255, 206, 60))
    base = mix(grade(shaded, saturation=1.9), heat.astype(np.float32), 0.42)
    points = scatter(rng, 6.6 * artist.stroke, 0.45)
    x, y = points.T
    cx, cy = scene.focus[0] * SIZE, scene.focus[1] * SIZE * 0.8
    swirl = np.arctan2(y - cy, x - cx) + np.pi / 2 + 0.35
    swirl = swirl + 0.9 * (sample(cloudiness(rng, 4), x, y) - 0.5)
    wave = 1.0 + 0.28 * np.sin(np.hypot(x - cx, y - cy) / 4.2)
    colours = sample(base, x, y) * wave[:, None]
    order = np.argsort(-sample(depth, x, y), kind="stable")
    painted = brush(
        base,
        points[order],
        colours[order].astype(np.float32),
        swirl[order].astype(np.float32),
        21.0 * artist.stroke,
        5.6 * artist.stroke,
        bend=0.12,
    )
    lines = outline(sample(scene.labels.astype(np.float32), bent_x, bent_y).astype(np.uint8), 3)
    return mix(painted, np.broadcast_to(ink((18, 20, 62)), painted.shape), lines * np.float32(0.75))
