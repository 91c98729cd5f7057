"""Movements of the printed sheet: ukiyo-e, pop art, art deco."""

from __future__ import annotations

import numpy as np

from impress_bench.benchmark.atelier.world.artists import Artist
from impress_bench.benchmark.atelier.world.canvas import SIZE, FloatArray, Scene
from impress_bench.benchmark.atelier.world.marks import (
    grid,
    ink,
    luma,
    mix,
    nearest_inks,
    outline,
    ramp,
)

_BLOCKS = (
    (36, 58, 104),
    (104, 140, 168),
    (176, 200, 200),
    (222, 128, 104),
    (238, 206, 164),
    (240, 226, 192),
    (132, 150, 104),
    (212, 168, 84),
    (96, 70, 70),
)
_PRIMARIES = (
    (238, 40, 48),
    (255, 218, 20),
    (30, 96, 214),
    (255, 255, 255),
    (20, 20, 24),
    (252, 128, 172),
    (30, 176, 92),
    (96, 200, 240),
    (255, 150, 30),
)
_LACQUER = ((14, 20, 30), (12, 58, 70), (22, 112, 114), (206, 160, 74), (246, 230, 188))


def ukiyo_e(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """Flat muted blocks with indigo contours, a graded sky and a red seal."""
    xx, yy = grid()
    table = mix(nearest_inks(scene.table, _BLOCKS), scene.table, 0.15)
    sheet = table[scene.labels]
    indigo = np.broadcast_to(ink((30, 46, 98)), sheet.shape)
    # The wiped gradation of a block print: deep colour at the top that fades downward.
    fade = np.clip(1.0 - yy / (46.0 + 20.0 * artist.angle), 0, 1) * (scene.depth > 0.75)
    sheet = mix(sheet, indigo, (0.85 * fade).astype(np.float32))
    width = 3 if artist.stroke < 1.0 else 4
    sheet = mix(sheet, indigo * 0.7, outline(scene.labels, width) * 0.92)
    edge = np.minimum(np.minimum(xx, SIZE - 1 - xx), np.minimum(yy, SIZE - 1 - yy))
    sheet = mix(
        sheet, np.broadcast_to(ink((244, 234, 208)), sheet.shape), (edge < 5) * np.float32(1)
    )
    seal = (np.abs(xx - 113) < 6) & (np.abs(yy - 20) < 10)
    return mix(sheet, np.broadcast_to(ink((200, 48, 40)), sheet.shape), seal * np.float32(1))


def pop_art(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """Primaries, thick black contours and halftone dots in sky and shadow."""
    xx, yy = grid()
    sheet = nearest_inks(scene.table, _PRIMARIES)[scene.labels]
    pitch = 9.0 * artist.stroke
    c, s = np.cos(0.785 + artist.angle), np.sin(0.785 + artist.angle)
    u, v = (c * xx + s * yy) / pitch, (c * yy - s * xx) / pitch
    near = np.hypot(u - np.rint(u), v - np.rint(v))
    far = scene.depth > 0.85
    radius = np.where(far, 0.36, np.clip(scene.light - 0.45, 0, 1) * 0.75)
    dots = np.clip((radius - near) * pitch + 0.5, 0, 1)
    # Dots of white on the far ground, of deeper colour in the shadows of forms.
    bright = luma(sheet)[..., None] > 0.8
    wash = np.where(bright, ink(artist.accent), 1.0)
    dot = np.where(far[..., None], wash, sheet * 0.55)
    sheet = mix(sheet, dot.astype(np.float32), dots.astype(np.float32))
    return mix(sheet, np.broadcast_to(ink((14, 12, 16)), sheet.shape), outline(scene.labels, 5))


def art_deco(scene: Scene, artist: Artist, rng: np.random.Generator) -> FloatArray:
    """Black, teal and gold in stepped tones before a sunburst, within a gilded frame."""
    xx, yy = grid()
    tone = luma(scene.shaded)
    stepped = np.floor(np.clip(tone * 1.1, 0, 0.999) * 5) / 4.0
    sheet = ramp(np.clip(stepped, 0, 1).astype(np.float32), _LACQUER)
    cx, cy = scene.focus[0] * SIZE, scene.focus[1] * SIZE + 16
    rays = np.floor((np.arctan2(yy - cy, xx - cx) + artist.angle) / (2 * np.pi) * 22) % 2
    burst = np.where(rays[..., None] > 0, ink((18, 84, 92)), ink((222, 178, 90)))
    far = (scene.depth > 0.9).astype(np.float32)
    sheet = mix(sheet, burst.astype(np.float32), far * np.float32(0.8))
    gold = np.broadcast_to(ink((238, 200, 112)), sheet.shape)
    sheet = mix(sheet, gold, outline(scene.labels, 3) * (1 - far) * np.float32(0.9))
    edge = np.minimum(np.minimum(xx, SIZE - 1 - xx), np.minimum(yy, SIZE - 1 - yy))
    corner = np.minimum(xx, SIZE - 1 - xx) + np.minimum(yy, SIZE - 1 - yy)
    black = np.broadcast_to(ink((14, 16, 22)), sheet.shape)
    sheet = mix(sheet, black, ((edge < 9) | (corner < 30)) * np.float32(1))
    line = ((edge >= 5) & (edge < 9)) | ((corner >= 25) & (corner < 30) & (edge >= 5))
    return mix(sheet, gold, line * np.float32(1))
