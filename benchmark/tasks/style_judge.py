"""The judge of style mimicry: in which style does an image look painted?

Style mimicry names this module in a string and does not import it, so that its exploits, which cost
hours, are not redone where only the way they are judged has changed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from impress_bench.benchmark.atelier import PACK
from impress_bench.benchmark.tasks.base import MetricInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray


class JudgeSettings(BaseModel):
    """Which classifiers judge, and how; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StyleJudge:
    """Ranks the true style of images among a pack's labels, by each of its classifiers."""

    Settings = JudgeSettings

    def __init__(self, settings: JudgeSettings) -> None:
        self.settings = settings

    @property
    def metrics(self) -> tuple[MetricInfo, ...]:
        """What `scores` measures."""
        titles = {"clip": "CLIP", "second": "Second classifier"}
        return tuple(
            MetricInfo(f"{name}-top{k}", f"{title} top-{k}", True)
            for name, title in titles.items()
            for k in (1, 3)
        )

    def scores(self, style: str, images: NDArray[np.uint8]) -> dict[str, float]:
        """Share of `images`, uint8 (N, H, W, 3), whose `style` is in a classifier's first or first
        three."""
        return {
            f"{name}-top{k}": float((ranks < k).mean())
            for name, ranks in self._ranks(style, images).items()
            for k in (1, 3)
        }

    def recognised(self, style: str, images: NDArray[np.uint8]) -> list[float]:
        """Whether CLIP sees `style` in each image (1.0 or 0.0)."""
        return [float(rank < 1) for rank in self._ranks(style, images)["clip"]]

    def chance(self) -> dict[str, float]:
        """A guess among all styles."""
        styles = len(json.loads((PACK / "labels.json").read_text())["labels"])
        return {metric.name: int(metric.name[-1]) / styles for metric in self.metrics}

    def _ranks(self, style: str, images: NDArray[np.uint8]) -> dict[str, np.ndarray]:
        """Where `style` comes among each image's labels, 0 first."""
        from impress_bench.benchmark.models.style_classifier import pack_classifiers
        from impress_bench.benchmark.pixels import to_tensor

        ranks = {}
        for name, classifier in pack_classifiers(PACK).items():
            scores = classifier.scores(to_tensor(images)).numpy()
            own = scores[:, [classifier.labels.index(style)]]
            ranks[name] = (scores > own).sum(axis=1)
        return ranks
