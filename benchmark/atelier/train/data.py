"""Painted training sets, drawn once on all cores and cached beside the checkpoints."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from impress_bench.benchmark.atelier import world

TEXTS = ("titles", "artists", "movements", "subjects")


@dataclass(frozen=True)
class PaintedSet:
    """N paintings as arrays: `images` uint8 (N, 64, 64, 3), `masks` bool (N, 64, 64) (all false
    where no head is painted), and one title, artist, movement and subject each."""

    images: np.ndarray
    masks: np.ndarray
    titles: tuple[str, ...]
    artists: tuple[str, ...]
    movements: tuple[str, ...]
    subjects: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def of(cls, works: Sequence[world.Painting]) -> PaintedSet:
        """The set of `works`, at least one."""
        empty = np.zeros(works[0].image.shape[:2], dtype=bool)
        return cls(
            np.stack([work.image for work in works]),
            np.stack([empty if work.head_mask is None else work.head_mask for work in works]),
            tuple(work.title for work in works),
            tuple(work.artist.name for work in works),
            tuple(work.artist.movement for work in works),
            tuple(work.subject for work in works),
        )

    @classmethod
    def joined(cls, parts: Sequence[PaintedSet]) -> PaintedSet:
        """All paintings of `parts`, at least one part, in order."""
        texts = {name: tuple(chain(*(getattr(part, name) for part in parts))) for name in TEXTS}
        return cls(
            np.concatenate([part.images for part in parts]),
            np.concatenate([part.masks for part in parts]),
            **texts,
        )

    def select(self, index: np.ndarray) -> PaintedSet:
        """The paintings at `index`."""
        picked = {name: tuple(getattr(self, name)[i] for i in index) for name in TEXTS}
        return PaintedSet(self.images[index], self.masks[index], **picked)


def painted(
    folder: Path,
    role: str,
    split: str,
    count: int,
    subjects: tuple[str, ...] = world.SUBJECTS,
    movement: str | None = None,
) -> PaintedSet:
    """`count` paintings by every artist of `role` (of `movement`, if given) from `split`, which
    cycle through `subjects`; drawn, or read from `folder` if they were drawn before.

    The file's name contains a digest of the world's source, so that an edited world is drawn anew.
    """
    key = json.dumps([_world_digest(), role, split, count, subjects, movement])
    path = folder / f"{role}-{split}-{count}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        artists = world.artists(role, movement)
        jobs = [(artist.name, split, count, subjects) for artist in artists]
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            drawn = PaintedSet.joined(list(pool.map(_draw, jobs)))
        columns = {name: np.array(getattr(drawn, name)) for name in ("images", "masks", *TEXTS)}
        temporary = path.with_suffix(".tmp.npz")
        np.savez(temporary, allow_pickle=False, **columns)
        temporary.replace(path)
    stored = np.load(path, allow_pickle=False)
    texts = {name: tuple(map(str, stored[name])) for name in TEXTS}
    return PaintedSet(stored["images"], stored["masks"], **texts)


def _draw(job: tuple[str, str, int, tuple[str, ...]]) -> PaintedSet:
    name, split, count, subjects = job
    return PaintedSet.of(world.paintings(world.artist(name), split, count, subjects=subjects))


def _world_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(world.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def per_movement(paintings: PaintedSet, count: int) -> PaintedSet:
    """At most `count` paintings of each movement, spread over its artists and subjects."""
    movements = np.array(paintings.movements)
    chosen = []
    for movement in (name for name in world.MOVEMENTS if name in paintings.movements):
        index = np.flatnonzero(movements == movement)
        spread = np.linspace(0, len(index) - 1, min(count, len(index)))
        chosen.append(index[spread.round().astype(int)])
    return paintings.select(np.concatenate(chosen))


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """`image`, uint8 (H, W, 3), after JPEG compression at `quality` (1 to 95)."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))
