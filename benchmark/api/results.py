"""What `protect` and `purify` return: images as uint8 arrays, and how far each was moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from impress_bench.benchmark.api.inputs import Images, Pixels, read_images
from impress_bench.benchmark.contract import NORMS, ImageSet
from impress_bench.benchmark.datasets.pictures import Picture
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.pictures.writing import write_picture
from impress_bench.benchmark.spec import parse_value

Distances = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ImageResult:
    """Protected or purified images.

    Parameters:
        spec: The protection or purifier, as it was written.
        images: uint8 (N, H, W, 3).
        names: One per image: its file's without suffix, or its number.
        linf: L-infinity distance of each image from what was handed in, on [0, 1]; (N,).
        l2: Euclidean distance over all values of an image, on [0, 1]; (N,).
        lpips: AlexNet LPIPS distance; (N,).
        originals: The clean images, uint8 (N, H, W, 3), where they are known: `purify` takes them
            over from the result that it is given. Purifiers do not see them.
        notes: What the plugin recorded about each image, (N,), by name.
    """

    spec: str
    images: Pixels
    names: tuple[str, ...]
    linf: Distances
    l2: Distances
    lpips: Distances
    originals: Pixels | None = None
    notes: Mapping[str, Distances] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        n, height, width, _ = self.images.shape
        moved = f"L-infinity up to {255 * self.linf.max():.0f}/255, LPIPS {self.lpips.mean():.3f}"
        return f"<{self.spec}: {n} images of {height} x {width}, {moved}>"

    def frame(self) -> pd.DataFrame:
        """A table with one row per image: `spec`, `image`, `linf`, `l2`, `lpips` and the notes."""
        distances = {norm: getattr(self, norm) for norm in NORMS}
        return pd.DataFrame(
            {"spec": self.spec, "image": list(self.names), **distances, **self.notes}
        )

    def save(self, folder: str | Path) -> list[Path]:
        """Write a PNG per image into `folder`, which is made if need be: JPEG would remove part of
        a perturbation. Files of these names are replaced. Raises OSError."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        paths = [target / f"{name}.png" for name in self.names]
        for path, pixels in zip(paths, self.images, strict=True):
            write_picture(path, Picture(pixels))
        return paths


class Sweep(Mapping[str, ImageResult]):
    """The same images under several budgets: an `ImageResult` by budget, as "4/255"."""

    def __init__(self, results: Mapping[str, ImageResult]) -> None:
        self._results = dict(results)

    def __getitem__(self, budget: str) -> ImageResult:
        if budget not in self._results:
            raise KeyError(f"{budget!r}; the budgets are {', '.join(self._results)}")
        return self._results[budget]

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        return "\n".join(f"{budget}: {result!r}" for budget, result in self.items())

    def frame(self) -> pd.DataFrame:
        """The tables of all budgets, one after the other, with a first column `budget`,
        which holds the bounds themselves, on [0, 1]."""
        return by_budget({budget: result.frame() for budget, result in self.items()})

    def save(self, folder: str | Path) -> list[Path]:
        """As `ImageResult.save`, with one folder per budget in `folder`: 4/255 becomes `4-255`."""
        folders = {budget: budget.replace("/", "-") for budget in self}
        return [
            path
            for budget, result in self.items()
            for path in result.save(Path(folder) / folders[budget])
        ]


def by_budget(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables one after the other, with a first column `budget`: the bound itself, on [0, 1]."""
    whole = pd.concat([frame.assign(budget=bound(text)) for text, frame in frames.items()])
    whole.insert(0, "budget", whole.pop("budget"))
    return whole.reset_index(drop=True)


def bound(budget: str) -> float:
    """The number that a budget such as "8/255" stands for. Raises ConfigError."""
    value = parse_value(budget)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"budgets: {budget!r} is no number; write 8/255, say")
    return float(value)


def taken(images: Images | ImageResult) -> tuple[ImageSet, Pixels | None]:
    """Images as they were given or as a result has them, and their originals if it knows them."""
    if isinstance(images, ImageResult):
        return ImageSet(images.images, images.names), images.originals
    return read_images(images), None


def check_count(what: str, count: int, images: ImageSet) -> None:
    """Raise ConfigError unless there is one of something per image."""
    if count != len(images.names):
        raise ConfigError(f"{what}: {count} for {len(images.names)} images; give one per image")
