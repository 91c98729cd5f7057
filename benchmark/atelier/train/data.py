"""Painted training sets, drawn once on all cores and kept beside the checkpoints."""

from __future__ import annotations

import hashlib
import io
import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from impress_bench.benchmark.atelier import world


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

    def select(self, index: np.ndarray) -> PaintedSet:
        """The paintings at `index`."""
        picked = {
            name: tuple(getattr(self, name)[i] for i in index)
            for name in ("titles", "artists", "movements", "subjects")
        }
        return PaintedSet(self.images[index], self.masks[index], **picked)


def painted(
    folder: Path,
    role: str,
    split: str,
    count: int,
    subjects: tuple[str, ...] = world.SUBJECTS,
    movement: str | None = None,
) -> PaintedSet:
    """`count` paintings by every artist of `role`, or of a `movement` alone, from `split`, drawn or
    read from `folder`.

    The cache is named after the world's source, so that an edited world is drawn anew.
    """
    key = json.dumps([_world_digest(), role, split, count, subjects, movement])
    path = folder / f"{role}-{split}-{count}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        artists = world.artists(role, movement)
        jobs = [(artist.name, split, count, subjects) for artist in artists]
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            parts = list(pool.map(_draw, jobs))
        columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        temporary = path.with_suffix(".tmp.npz")
        np.savez(temporary, allow_pickle=False, **columns)
        temporary.replace(path)
    stored = np.load(path, allow_pickle=False)
    texts = {key: tuple(map(str, stored[key])) for key in ("titles", "artists", "movements")}
    return PaintedSet(
        stored["images"], stored["masks"], **texts, subjects=tuple(map(str, stored["subjects"]))
    )


def _draw(job: tuple[str, str, int, tuple[str, ...]]) -> dict[str, np.ndarray]:
    name, split, count, subjects = job
    works = world.paintings(world.artist(name), split, count, subjects=subjects)
    empty = np.zeros((64, 64), dtype=bool)
    masks = [empty if work.head_mask is None else work.head_mask for work in works]
    return {
        "images": np.stack([work.image for work in works]),
        "masks": np.stack(masks),
        "titles": np.array([work.title for work in works]),
        "artists": np.array([work.artist.name for work in works]),
        "movements": np.array([work.artist.movement for work in works]),
        "subjects": np.array([work.subject for work in works]),
    }


def _world_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(world.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """`image`, uint8 (H, W, 3), as JPEG of `quality` (1 to 95) gives it back."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))
