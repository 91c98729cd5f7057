"""Paintings: a scene drawn from a title, painted by an artist, the same on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impress_bench.benchmark.atelier.world.artists import Artist
from impress_bench.benchmark.atelier.world.canvas import SIZE, View
from impress_bench.benchmark.atelier.world.marks import grade
from impress_bench.benchmark.atelier.world.movements import RULES
from impress_bench.benchmark.atelier.world.scenes import draw_scene
from impress_bench.benchmark.atelier.world.titles import (
    SPLITS,
    SUBJECTS,
    sample_phrases,
    title_of,
)

_SIDE = SIZE // 2


@dataclass(frozen=True)
class Painting:
    """A finished image (64, 64, 3) uint8 with all that is known of it.

    head_mask: (64, 64) bool, true on the sitter's head; background: phrase of the title. Both
    are None unless the subject is a portrait.
    """

    image: NDArray[np.uint8]
    title: str
    artist: Artist
    subject: str
    split: str
    index: int
    head_mask: NDArray[np.bool_] | None
    background: str | None


def paint(artist: Artist, subject: str, split: str, index: int) -> Painting:
    """Paint the artist's picture number `index` of a subject in a split."""
    if subject not in SUBJECTS:
        raise ValueError(f"subject is {subject!r}; it must be one of {', '.join(SUBJECTS)}")
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; it must be one of {', '.join(SPLITS)}")
    if index < 0:
        raise ValueError(f"index is {index}; it must not be negative")
    rng = _generator(split, artist.name, subject, str(index))
    phrases = sample_phrases(subject, split, rng)
    view, sun = _view(artist, subject, rng)
    scene = draw_scene(subject, phrases, view, rng, sun)
    image = RULES[artist.movement](scene, artist, rng)
    image = grade(image, artist.hue, artist.saturation, artist.value)
    large = Image.fromarray(np.rint(image * 255).astype(np.uint8))
    small = np.asarray(large.resize((_SIDE, _SIDE), Image.Resampling.BOX)).copy()
    portrait = subject == "portrait"
    # The image is reduced by area, so half a pixel's coverage is where its colour tips over.
    coverage = scene.head.reshape(_SIDE, 2, _SIDE, 2).mean(axis=(1, 3))
    return Painting(
        image=small,
        title=title_of(phrases),
        artist=artist,
        subject=subject,
        split=split,
        index=index,
        head_mask=coverage >= 0.5 if portrait else None,
        background=phrases["place"] if portrait else None,
    )


def paintings(
    artist: Artist, split: str, count: int, subjects: Sequence[str] = SUBJECTS, start: int = 0
) -> list[Painting]:
    """`count` pictures by an artist that cycle through the subjects, from index `start` on."""
    return [
        paint(artist, subjects[index % len(subjects)], split, index)
        for index in range(start, start + count)
    ]


def _generator(*keys: str) -> np.random.Generator:
    digest = hashlib.sha256("\x1f".join(keys).encode()).digest()
    return np.random.default_rng(np.random.SeedSequence(int.from_bytes(digest[:16], "big")))


def _view(artist: Artist, subject: str, rng: np.random.Generator) -> tuple[View, float]:
    tilt = float(rng.normal(0.0, 0.012))
    zoom = 1.0 + float(rng.uniform(0.0, 0.05))
    rise, mirror, sun = 0.0, False, 1.0
    outdoors = subject in ("landscape", "seascape", "city")
    match artist.habit:
        case "low horizon":
            rise = 0.07 if outdoors else 0.02
        case "high horizon":
            rise = -0.07 if outdoors else -0.02
        case "great sun":
            sun = 1.7
        case "tilted":
            tilt -= 0.1
        case "close crop":
            zoom *= 1.2
        case "mirrored":
            mirror = True
        case "wide view":
            zoom *= 0.9
        case "plain":
            pass
    return View(tilt=tilt, zoom=zoom, rise=rise, mirror=mirror), sun
