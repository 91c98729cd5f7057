"""Subjects of style mimicry: an artist, works to learn from, titles to paint, a style to hit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.contract import ImageSet

#: Works with which those painted in an artist's name are compared.
OWN_WORKS = 50

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


class Artists(Protocol):
    """Where subjects of style mimicry come from."""

    def names(self) -> tuple[str, ...]:
        """The artists, in board order."""

    def style_of(self, name: str) -> str:
        """The style that an artist's works are in, without reading them."""

    def subject(self, name: str) -> MimicrySubject:
        """An artist with all works."""

    def own_works(self, name: str) -> np.ndarray:
        """Works of an artist, uint8 (M, H, W, 3), with which painted ones are compared."""


@dataclass(frozen=True)
class AtelierArtists:
    """The atelier's artists in a split, "victims" or "validation"; `works` of each are learned
    from, `held_out` more have distinct titles."""

    split: str
    works: int
    held_out: int

    def names(self) -> tuple[str, ...]:
        """The painters."""
        return tuple(artist.name for artist in world.artists(SPLITS[self.split]))

    def style_of(self, name: str) -> str:
        """A painter's movement."""
        return world.artist(name).movement

    def subject(self, name: str) -> MimicrySubject:
        """A painter with works painted for the purpose."""
        artist = world.artist(name)
        found: dict[str, world.Painting] = {}
        start = 0
        while len(found) < self.held_out:
            for work in world.paintings(artist, "evaluation", self.held_out, start=start):
                found.setdefault(work.title, work)
            start += self.held_out
        return MimicrySubject(
            artist=name,
            style=artist.movement,
            works=_image_set(world.paintings(artist, "finetune", self.works)),
            held_out=_image_set(list(found.values())[: self.held_out]),
        )

    def own_works(self, name: str) -> np.ndarray:
        """Works of the split "heldout": neither learned from nor a control, of other titles."""
        works = world.paintings(world.artist(name), "heldout", OWN_WORKS)
        return np.stack([work.image for work in works])


def _image_set(works: Sequence[world.Painting]) -> ImageSet:
    return ImageSet(
        images=np.stack([work.image for work in works]),
        names=tuple(f"{i:03d}-{work.subject.replace(' ', '-')}" for i, work in enumerate(works)),
        titles=tuple(work.title for work in works),
    )
