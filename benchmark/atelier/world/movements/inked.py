"""Movements of the wet brush on paper: ink wash, watercolor."""

from __future__ import annotations

import numpy as np

from impress_bench.benchmark.atelier.world.artists import Artist
from impress_bench.benchmark.atelier.world.canvas import SIZE, FloatArray, Scene
from impress_bench.benchmark.atelier.world.marks import (
    cloudiness,
    grade,
    grid,
    ink,
    luma,
    mix,
    outline,
    sample,
    soften,
)


def ink_wash(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """Grey washes on rice paper that pale with distance, soft contours, one red seal."""
    xx, yy = grid()
    tone = soften(luma(scene.shaded), 1.6)
    mist = 0.30 + 0.70 * (1.0 - scene.depth)
    pool = 0.75 + 0.5 * cloudiness(rng, 5)
    tone = np.clip(0.58 + 0.3 * (tone - tone.mean()) / (tone.std() + 0.05), 0, 1)
    wash = np.clip((0.95 - tone) * mist * pool * 1.15, 0, 0.92)
    contour = soften(outline(scene.labels, 3), 0.9) * (0.25 + 0.6 * (1.0 - scene.depth))
    contour = contour * np.clip(2.2 * cloudiness(rng, 7) - 0.3, 0.15, 1.2) * artist.stroke
    amount = soften(np.clip(np.maximum(wash, contour), 0, 0.95).astype(np.float32), 0.8)
    paper = np.broadcast_to(ink((240, 237, 226)), scene.shaded.shape)
    sheet = mix(paper, np.broadcast_to(ink((22, 24, 32)), paper.shape), amount)
    seal = (np.abs(xx - 14) < 7) & (np.abs(yy - 113) < 7)
    return mix(sheet, np.broadcast_to(ink((196, 52, 44)), sheet.shape), seal * np.float32(0.95))


def watercolor(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """Pale transparent washes with darker rims and blooms, inside a ragged white margin."""
    xx, yy = grid()
    wobble_x, wobble_y = cloudiness(rng, 9) - 0.5, cloudiness(rng, 9) - 0.5
    x, y = xx + 7.0 * wobble_x, yy + 7.0 * wobble_y
    labels = sample(scene.labels.astype(np.float32), x, y).astype(np.uint8)
    washes = soften(sample(scene.shaded, x, y), 1.0)
    washes = np.clip(grade(washes, saturation=1.25), 0, 1)
    bloom = cloudiness(rng, 6)
    strength = np.clip(0.38 + 0.5 * bloom, 0.3, 0.82)
    paper = np.broadcast_to(ink((253, 251, 246)), washes.shape)
    sheet = mix(paper, washes, strength)
    # Pigment gathers where a wash dries, so borders darken.
    rim = soften(outline(labels, 3), 0.8)
    dried = sheet * (1.0 - (0.30 * rim)[..., None] * (1.0 - 0.6 * sheet))
    edge = np.minimum(np.minimum(xx, SIZE - 1 - xx), np.minimum(yy, SIZE - 1 - yy))
    ragged = edge + 8.0 * (cloudiness(rng, 10) - 0.5)
    margin = np.clip((8.0 * artist.stroke - ragged) / 3.0, 0, 1)
    return mix(dried.astype(np.float32), paper, margin.astype(np.float32))
