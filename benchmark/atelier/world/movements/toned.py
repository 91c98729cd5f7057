"""Images of continuous tone: baroque, glitch art, photography."""

from __future__ import annotations

import numpy as np

from impress_bench.benchmark.atelier.world.artists import Artist
from impress_bench.benchmark.atelier.world.canvas import SIZE, FloatArray, Scene
from impress_bench.benchmark.atelier.world.marks import grade, grid, ink, luma, mix, soften


def baroque(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """One warm light on the point of interest; all else sinks into brown darkness."""
    xx, yy = grid()
    cx, cy = scene.focus[0] * SIZE, scene.focus[1] * SIZE + 8
    dx, dy = (xx - cx) / 46.0, (yy - cy) / 50.0
    lean = artist.angle
    spot = np.exp(-((dx + lean * dy) ** 2) - dy**2).astype(np.float32)
    tone = luma(scene.shaded)[..., None]
    warm = mix(scene.shaded, (tone * ink((255, 196, 120))).astype(np.float32), 0.45)
    form = 1.25 - 0.75 * scene.light
    lit = soften(warm, 0.7 * artist.stroke) * (form * (0.14 + 1.3 * spot))[..., None]
    depth = ink((34, 20, 12)) * (1.0 - spot[..., None])
    return np.asarray(np.clip(lit + depth, 0, 1), dtype=np.float32)


def glitch_art(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """Torn bands, red and cyan out of register, neon on dark, broad scan lines."""
    _, yy = grid()
    rows = np.arange(SIZE)
    bands = np.cumsum(rng.integers(7, 20, 24) * artist.stroke)
    band = np.searchsorted(bands, rows)
    slips = rng.normal(0.0, 9.0, 26) * (rng.random(26) < 0.55)
    offset = np.rint(slips[band]).astype(int)
    split = 4 if artist.angle < 0 else 6
    columns = np.arange(SIZE)

    def channel(which: int, shift: int) -> FloatArray:
        picked = (columns[None] + offset[:, None] + shift) % SIZE
        return np.asarray(scene.shaded[rows[:, None], picked, which])

    torn = np.stack([channel(0, split), channel(1, 0), channel(2, -split)], axis=-1)
    tone = luma(torn)[..., None]
    neon = (1 - tone) * ink((44, 8, 92)) + tone * ink((120, 255, 244))
    torn = mix(grade(torn, saturation=1.7), neon.astype(np.float32), 0.42)
    magenta = (rng.random(26) < 0.16)[band]
    torn[magenta] = mix(
        torn[magenta], np.broadcast_to(ink((255, 36, 170)), torn[magenta].shape), 0.55
    )
    lines = 0.86 + 0.14 * np.sign(np.sin(yy * 2 * np.pi / 10.0))
    return np.asarray(np.clip(torn * lines[..., None], 0, 1), dtype=np.float32)


def photography(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """Smooth natural colour; a sitter stands sharp before a background out of focus."""
    image = scene.shaded
    if scene.figure.any():
        # Blur only the background with itself, lest the sitter's colour bleed around the head.
        behind = (~scene.figure).astype(np.float32)
        weight = soften(behind, 1.5)[..., None]
        blurred = soften(image * behind[..., None], 1.5) / np.maximum(weight, 1e-3)
        image = np.where(scene.figure[..., None], image, blurred)
    haze = np.clip(scene.depth - 0.45, 0, 1) * 0.12
    image = mix(image, np.broadcast_to(ink((206, 216, 226)), image.shape), haze)
    xx, yy = grid()
    corner = ((xx - SIZE / 2) ** 2 + (yy - SIZE / 2) ** 2) / (SIZE**2 / 2)
    shaded = image * (1.02 - 0.16 * artist.stroke * corner)[..., None]
    image = soften(shaded.astype(np.float32), 0.6)
    return np.asarray(np.clip(image * 1.06 - 0.015, 0, 1), dtype=np.float32)
