"""Movements of the facet: cubism, low poly, stained glass."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from scipy.spatial import Delaunay

from impress_bench.benchmark.atelier.world.artists import Artist
from impress_bench.benchmark.atelier.world.canvas import SIZE, FloatArray, Scene
from impress_bench.benchmark.atelier.world.marks import (
    cell_means,
    cells,
    grade,
    grid,
    ink,
    luma,
    mix,
    outline,
    ramp,
    sample,
    scatter,
)

_EARTH = ((46, 38, 34), (98, 78, 58), (158, 126, 84), (196, 176, 134), (232, 220, 190))


def cubism(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """Splintered views of one scene, each facet turned and shaded, in ochre and grey."""
    points = scatter(rng, 33.0 * artist.stroke, 0.34)
    index = cells(points)
    count = len(points)
    turn = rng.normal(0.0, 0.24, count).astype(np.float32)
    shift = rng.normal(0.0, 4.0, (count, 2)).astype(np.float32)
    xx, yy = grid()
    dx, dy = xx - points[index, 0], yy - points[index, 1]
    c, s = np.cos(turn)[index], np.sin(turn)[index]
    x = points[index, 0] + c * dx - s * dy + shift[index, 0]
    y = points[index, 1] + s * dx + c * dy + shift[index, 1]
    seen = sample(scene.shaded, x, y)
    tone = luma(seen)
    # Night scenes too need room for light facets beside dark ones.
    tone = np.clip(0.52 + 0.3 * (tone - tone.mean()) / (tone.std() + 0.06), 0, 1)
    earth = mix(ramp(tone, _EARTH), seen, 0.25)
    lean = (artist.angle + rng.normal(0.8, 0.7, count)).astype(np.float32)
    slope = (np.cos(lean)[index] * dx + np.sin(lean)[index] * dy) / 15.0
    earth = earth * (1.0 + 0.3 * np.clip(slope, -1, 1))[..., None]
    forms = outline(sample(scene.labels.astype(np.float32), x, y).astype(np.uint8), 3)
    lines = np.maximum(forms * 0.75, outline(index, 2) * 0.45).astype(np.float32)
    return mix(earth, np.broadcast_to(ink((44, 36, 34)), earth.shape), lines)


def low_poly(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """Flat bright triangles, each with the colour of the scene beneath it."""
    bright = np.clip(grade(scene.shaded, saturation=1.25) * 0.86 + 0.13, 0, 1)
    points = scatter(rng, 11.0 * artist.stroke, 0.36)
    triangles = points[Delaunay(points).simplices]
    middle = triangles.mean(1)
    # Four probes a triangle keep thin forms from dropping out between centres.
    probes = [sample(bright, *(middle * 0.5 + triangles[:, k] * 0.5).T) for k in range(3)]
    colours = 0.4 * sample(bright, *middle.T) + 0.2 * (probes[0] + probes[1] + probes[2])
    edge = triangles[:, 1] - triangles[:, 0]
    tilt = np.sin(2.0 * np.arctan2(edge[:, 1], edge[:, 0]) + artist.angle)
    colours = colours * (1.0 + 0.10 * tilt)[:, None]
    fills = np.rint(np.clip(colours, 0, 1) * 255).astype(int).tolist()
    picture = Image.new("RGB", (SIZE, SIZE))
    draw = ImageDraw.Draw(picture)
    for shape, fill in zip(triangles.reshape(-1, 6).tolist(), fills, strict=True):
        draw.polygon(shape, fill=tuple(fill))
    return np.asarray(picture, dtype=np.float32) / np.float32(255.0)


def stained_glass(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """Jewel-coloured panes that follow the forms, held by thick black lead."""
    points = scatter(rng, 25.0 * artist.stroke, 0.28)
    pieces = cells(points)
    panes = scene.labels.astype(np.int64) * len(points) + pieces
    _, index = np.unique(panes, return_inverse=True)
    index = index.reshape(SIZE, SIZE)
    colours = cell_means(scene.flat, index)
    colours = np.clip(
        grade(colours, saturation=2.1) * rng.uniform(0.8, 1.25, (len(colours), 1)), 0, 1
    )
    dx, dy = grid()[0] - points[pieces, 0], grid()[1] - points[pieces, 1]
    # Each pane glows in its middle as light through thick glass does.
    glow = 1.16 - 0.34 * np.clip((dx**2 + dy**2) / 18.0**2, 0, 1)
    glass = np.clip(colours[index] * glow[..., None], 0, 1).astype(np.float32)
    lead = np.maximum(outline(pieces, 5), outline(scene.labels, 4))
    return mix(glass, np.broadcast_to(ink((16, 14, 20)), glass.shape), lead * np.float32(0.94))
