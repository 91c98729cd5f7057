"""Subjects of style mimicry: an artist, works to learn from, titles to paint, a style to hit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.contract import ImageSet

#: Splits of an artist: victims are tested on, validation artists chose the settings.
SPLITS = {"victims": "victim", "validation": "validation"}


@dataclass(frozen=True)
class MimicrySubject:
    """`works` and their titles are what a mimic finds; those `held_out`, of other titles, it never
    sees."""

    artist: str
    style: str
    works: ImageSet
    held_out: ImageSet


def atelier_artists(split: str) -> tuple[str, ...]:
    """Names of the atelier's artists in a split: "victims" or "validation"."""
    return tuple(artist.name for artist in world.artists(SPLITS[split]))


@lru_cache(maxsize=32)
def atelier_subject(name: str, works: int, held_out: int) -> MimicrySubject:
    """`works` paintings of an artist, and `held_out` more under distinct titles."""
    artist = world.artist(name)
    found: dict[str, world.Painting] = {}
    start = 0
    while len(found) < held_out:
        for work in world.paintings(artist, "evaluation", held_out, start=start):
            found.setdefault(work.title, work)
        start += held_out
    return MimicrySubject(
        artist=name,
        style=artist.movement,
        works=_image_set(world.paintings(artist, "finetune", works)),
        held_out=_image_set(list(found.values())[:held_out]),
    )


def _image_set(works: Sequence[world.Painting]) -> ImageSet:
    return ImageSet(
        images=np.stack([work.image for work in works]),
        names=tuple(f"{i:03d}-{work.subject.replace(' ', '-')}" for i, work in enumerate(works)),
        titles=tuple(work.title for work in works),
    )
