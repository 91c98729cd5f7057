"""Movements of cut stone, wood and copper: mosaic, woodcut, engraving."""

from __future__ import annotations

import numpy as np

from impress_bench.benchmark.atelier.world.artists import Artist
from impress_bench.benchmark.atelier.world.canvas import SIZE, FloatArray, Scene
from impress_bench.benchmark.atelier.world.marks import (
    cell_means,
    grade,
    grid,
    ink,
    luma,
    mix,
    outline,
    soften,
)


def mosaic(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """Square tiles in pale grout, some of them gilded."""
    xx, yy = grid()
    pitch = 8.4 * artist.stroke
    bow = artist.angle * 6.0
    u = (xx + bow * np.sin(yy / 40.0)) / pitch
    v = (yy + bow * np.sin(xx / 40.0)) / pitch
    column, row = np.floor(u).astype(np.int64) + 2, np.floor(v).astype(np.int64) + 2
    index = row * 40 + column
    _, index = np.unique(index, return_inverse=True)
    index = index.reshape(SIZE, SIZE)
    means = grade(cell_means(scene.shaded, index), saturation=1.35)
    colours = means * rng.uniform(0.9, 1.1, (len(means), 1))
    gilded = (rng.random(len(colours)) < 0.07)[:, None]
    colours = np.where(gilded, 0.5 * colours + 0.5 * ink((236, 186, 70)), colours)
    fu, fv = u - np.floor(u), v - np.floor(v)
    joint = ((fu * pitch < 1.9) | (fv * pitch < 1.9)).astype(np.float32)
    tiles = np.clip(colours[index] * (1.08 - 0.16 * fv)[..., None], 0, 1).astype(np.float32)
    return mix(tiles, np.broadcast_to(ink((214, 204, 188)), tiles.shape), joint * np.float32(0.7))


def woodcut(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """Black and paper white with gouged rays, and one spot colour on the strongest hue."""
    xx, yy = grid()
    tone = soften(luma(scene.shaded), 0.8)
    low, middle, high = np.quantile(tone, (0.03, 0.45, 0.97))
    # Night is cut like day: half the block stays raised and half is gouged away.
    tone = np.clip(np.interp(tone, (low, middle, high + 0.05), (0.0, 0.5, 1.0)), 0, 1)
    cx, cy = scene.focus[0] * SIZE, scene.focus[1] * SIZE
    angle = np.arctan2(yy - cy, xx - cx)
    radius = np.hypot(xx - cx, yy - cy)
    rays = np.sin(angle * np.round(17 / artist.stroke) + 0.8 * np.sin(radius / 12.0 + artist.angle))
    level = np.sin((yy + 2.5 * np.sin(xx / 13.0)) * 2 * np.pi / (11.0 * artist.stroke))
    gouge = np.where(scene.depth > 0.7, rays, level)
    white = 1.0 / (1.0 + np.exp(-14.0 * (tone - 0.47 + 0.2 * gouge)))
    paper, black = ink((242, 232, 210)), ink((24, 20, 24))
    printed = black + (paper - black) * white[..., None]
    chroma = np.ptp(scene.table, axis=1)
    area = np.bincount(scene.labels.ravel(), minlength=len(chroma)) / SIZE**2
    score = chroma * ((area > 0.008) & (area < 0.33))
    spot = np.isin(scene.labels, np.flatnonzero(score >= 0.82 * score.max()))
    colour = ink(artist.accent) * (0.35 + 0.65 * white[..., None])
    printed = mix(printed.astype(np.float32), colour.astype(np.float32), spot.astype(np.float32))
    edges = outline(scene.labels, 3) * (1.0 - 0.6 * (scene.depth > 0.9))
    return mix(printed, np.broadcast_to(black, printed.shape), edges.astype(np.float32))


def engraving(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """Wavy parallel lines that swell in shadow, sepia on cream, crossed in the dark."""
    xx, yy = grid()
    tone = soften(luma(scene.shaded), 1.0)
    tone = np.clip(0.60 + 0.24 * (tone - tone.mean()) / (tone.std() + 0.06), 0.05, 1)
    period = 8.6 * artist.stroke
    lean = 0.35 + artist.angle + 0.5 * np.round(scene.depth * 3) * 0.6

    def lines(direction: FloatArray) -> FloatArray:
        across = -np.sin(direction) * xx + np.cos(direction) * yy
        along = np.cos(direction) * xx + np.sin(direction) * yy
        return np.asarray(np.sin((across + 2.6 * np.sin(along / 11.0)) * 2 * np.pi / period))

    first = 1.0 / (1.0 + np.exp(-7.0 * (lines(lean) - 2.0 * (tone - 0.42))))
    crossed = 1.0 / (1.0 + np.exp(-7.0 * (lines(lean + 1.57) - 2.6 * (tone - 0.14))))
    amount = np.clip(np.maximum(first, crossed) * 0.78 + 0.14 * (1 - tone), 0, 1)
    amount = np.maximum(amount, outline(scene.labels, 3) * 0.8)
    paper = np.broadcast_to(ink((236, 222, 190)), scene.shaded.shape)
    return mix(paper, np.broadcast_to(ink((66, 44, 30)), paper.shape), amount.astype(np.float32))
