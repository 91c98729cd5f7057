"""Subjects of malicious editing: a photo, the head that an editor keeps, where it is to be put."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.contract import ImageSet


class PhotoSplit(NamedTuple):
    """How many photos, and of which of the world's splits; none is one that models learn from."""

    photos: int
    split: str
    prefix: str


SPLITS = {
    "test": PhotoSplit(24, "evaluation", "photo"),
    "validation": PhotoSplit(8, "finetune", "validation-photo"),
}


@dataclass(frozen=True)
class EditingSubject:
    """`photo` is one image with the mask of its head; `sitter` and the background make its title;
    `place` is another background."""

    photo: ImageSet
    sitter: str
    place: str


class Photos(Protocol):
    """Where subjects of malicious editing come from."""

    def names(self) -> tuple[str, ...]:
        """The photos, in board order."""

    def subject(self, name: str) -> EditingSubject:
        """A photo by its name."""


@dataclass(frozen=True)
class AtelierPhotos:
    """The atelier's photos in a split, "test" or "validation"."""

    split: str

    def names(self) -> tuple[str, ...]:
        """Numbered, from 1."""
        photos, _, prefix = SPLITS[self.split]
        return tuple(f"{prefix}-{number:02d}" for number in range(1, photos + 1))

    def subject(self, name: str) -> EditingSubject:
        """A photo by its name. The photographers take turns."""
        index = int(name.rpartition("-")[2]) - 1
        photographers = world.artists(movement="photography")
        turn, photographer = divmod(index, len(photographers))
        split = SPLITS[self.split].split
        work = world.paint(photographers[photographer], "portrait", split, turn)
        assert work.head_mask is not None
        assert work.background is not None
        own = world.BACKGROUNDS.index(work.background)
        # The other backgrounds in turn: 4 shares no factor with their number, 11.
        elsewhere = own + 1 + 4 * index % (len(world.BACKGROUNDS) - 1)
        return EditingSubject(
            photo=ImageSet(
                images=work.image[None],
                names=(name,),
                titles=(work.title,),
                masks=np.asarray(work.head_mask)[None],
            ),
            sitter=work.title.removesuffix(work.background).strip(),
            place=world.BACKGROUNDS[elsewhere % len(world.BACKGROUNDS)],
        )
