"""Subjects of style mimicry: an artist, works to learn from, titles to paint, a style to hit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.contract import ImageSet

#: Splits of an artist: victims are tested on, validation artists chose the settings.
SPLITS = {"victims": "victim", "validation": "validation"}


@dataclass(frozen=True)
class MimicrySubject:
    """`works` and their titles are what a mimic finds; `held_out_titles` it never sees."""

    artist: str
    style: str
    works: ImageSet
    held_out_titles: tuple[str, ...]


def atelier_artists(split: str) -> tuple[str, ...]:
    """Names of the atelier's artists in a split: "victims" or "validation"."""
    return tuple(artist.name for artist in world.artists(SPLITS[split]))


@lru_cache(maxsize=32)
def atelier_subject(name: str, works: int, titles: int) -> MimicrySubject:
    """`works` paintings of an artist and `titles` distinct held-out titles."""
    artist = world.artist(name)
    painted = world.paintings(artist, "finetune", works)
    found: dict[str, None] = {}
    start = 0
    while len(found) < titles:
        for work in world.paintings(artist, "evaluation", titles, start=start):
            found.setdefault(work.title)
        start += titles
    return MimicrySubject(
        artist=name,
        style=artist.movement,
        works=ImageSet(
            images=np.stack([work.image for work in painted]),
            names=tuple(
                f"{i:03d}-{work.subject.replace(' ', '-')}" for i, work in enumerate(painted)
            ),
            titles=tuple(work.title for work in painted),
        ),
        held_out_titles=tuple(found)[:titles],
    )
