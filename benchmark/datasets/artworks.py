"""Subjects of style mimicry from a folder of one's own: `DIR/ARTIST/*.png`, a folder an artist.

`metadata.jsonl` or `metadata.csv`, in an artist's folder or in DIR (with `file_name` relative to
where it lies), says of a work its `title` (or `text`) and its `movement`, the style that the judge
is to see, which one line per artist is enough to say. A title may also be a text file beside the
work (see `metadata`). Works without a title are captioned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from impress_bench.benchmark.contract import ImageSet, PluginError
from impress_bench.benchmark.datasets import captions
from impress_bench.benchmark.datasets.folders import (
    entries,
    fit_square,
    image_files,
    named,
    read,
)
from impress_bench.benchmark.datasets.metadata import METADATA, read_metadata, text_of
from impress_bench.benchmark.datasets.mimicry import MimicrySubject
from impress_bench.benchmark.texts import composed


class Work(NamedTuple):
    """A file and its title, empty where it has none."""

    path: Path
    title: str


class Found(NamedTuple):
    """An artist's folder: its works in a drawn order, and the style they are said to be in."""

    style: str
    works: tuple[Work, ...]


@dataclass(frozen=True)
class ArtworkFolder:
    """Artists in `folder`. `works` of each are learned from, in an order drawn once; the others
    whose titles are not among those give held-out titles. Images are squares of `size` pixels;
    `captioner` names the model that titles works without a title.

    Every method raises PluginError, which names folder or file and the way out.
    """

    folder: Path
    works: int
    size: int
    captioner: str

    def names(self) -> tuple[str, ...]:
        """The artists, all of them found fit for use but for what only reading an image tells."""
        inside = entries(self.folder, f"artworks {self.folder}")
        names = tuple(composed(path.name) for path in inside if path.is_dir())
        if not names:
            raise PluginError(f"artworks {self.folder}", "holds no folder; it needs one an artist")
        for name in names:
            self._check(name, self._found(name))
        return names

    def style_of(self, name: str) -> str:
        """The movement that an artist's works are said to be in."""
        return self._found(name).style

    def subject(self, name: str) -> MimicrySubject:
        """An artist, with images read and titles made where they are missing."""
        found = self._found(name)
        learned = self._image_set(found.works[: self.works])
        others = self._image_set(found.works[self.works :])
        new = [at for at, title in enumerate(others.titles) if title not in learned.titles]
        if not new:
            message = "has no title that is not among those learned from; give works own titles"
            raise PluginError(f"artworks {self.folder / name}", message)
        held_out = ImageSet(
            others.images[new],
            tuple(others.names[at] for at in new),
            tuple(others.titles[at] for at in new),
        )
        return MimicrySubject(name, found.style, learned, held_out)

    def own_works(self, name: str) -> np.ndarray:
        """The works that are learned from, as they are: a folder has no others of known style to
        spare, since its held-out works are a control."""
        works = self._found(name).works[: self.works]
        return np.stack([fit_square(read(work.path), self.size) for work in works])

    def _found(self, name: str) -> Found:
        own = named(self.folder, name)
        said = read_metadata(self.folder, own)
        files = image_files(own)
        movements = {text_of(said.get(path, {}), "movement") for path in files} - {""}
        if len(movements) > 1:
            message = f"is said to be in more than one movement: {', '.join(sorted(movements))}"
            raise PluginError(f"artworks {own}", message)
        order = np.random.default_rng(0).permutation(len(files))
        works = [Work(files[at], text_of(said.get(files[at], {}), "title")) for at in order]
        return Found(next(iter(movements), ""), tuple(works))

    def _image_set(self, works: Sequence[Work]) -> ImageSet:
        images = np.stack([fit_square(read(work.path), self.size) for work in works])
        titles = [work.title for work in works]
        if untitled := [at for at, title in enumerate(titles) if not title]:
            made = captions.caption([images[at] for at in untitled], self.captioner)
            for at, title in zip(untitled, made, strict=True):
                titles[at] = title
        return ImageSet(images, tuple(composed(work.path.stem) for work in works), tuple(titles))

    def _check(self, name: str, found: Found) -> None:
        where = f"artworks {self.folder / name}"
        if len(found.works) <= self.works:
            raise PluginError(
                where,
                f"holds {len(found.works)} images; {self.works} are learned from and others must"
                " give held-out titles: add images, or lower `works` in"
                " [settings.tasks.style-mimicry]",
            )
        if not found.style:
            raise PluginError(
                where,
                f'has no movement; say it in {METADATA}: {{"file_name":'
                f' "{found.works[0].path.name}", "title": "…", "movement": "…"}}',
            )
        untitled = [work.path for work in found.works if not work.title]
        if untitled and (problem := captions.problem(self.captioner)):
            raise PluginError(
                where,
                f"has {len(untitled)} works without a title, such as {untitled[0].name}: write"
                f' {{"file_name": "{untitled[0].name}", "title": "…"}} into its {METADATA}, or'
                f" have them captioned ({problem})",
            )
