"""The judge of style mimicry: in which style does an image look painted?

Style mimicry names this module in a string and does not import it, so that its exploits, which cost
hours, are not redone where only the way they are judged has changed.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from impress_bench.benchmark.atelier import PACK
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.tasks.base import MetricInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class JudgeSettings(BaseModel):
    """Which classifiers judge, and how; unknown keys are refused.

    The diffusion classifier is many times as dear as the others: it judges the first
    `diffusion_images` of the painted works, and none by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    diffusion_images: int = Field(default=0, ge=0)
    diffusion_prompt: str = "{}"
    diffusion_rounds: tuple[int, ...] = (4, 8, 32)
    diffusion_keep: tuple[int, ...] = (5, 3, 3)

    @field_validator("diffusion_keep")
    @classmethod
    def _one_a_round(cls, keep: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        rounds = info.data.get("diffusion_rounds", ())
        if len(rounds) != len(keep) or min(*rounds, *keep, 1) < 1:
            raise ValueError(f"needs a positive number for each of diffusion_rounds {rounds}")
        return keep


class StyleJudge:
    """Ranks the true style of images among a pack's labels, by each of its classifiers."""

    Settings = JudgeSettings

    def __init__(self, settings: JudgeSettings) -> None:
        self.settings = settings

    @property
    def metrics(self) -> tuple[MetricInfo, ...]:
        """What `scores` measures."""
        titles = {"clip": "CLIP", "second": "Second classifier"}
        if self.settings.diffusion_images:
            titles["diffusion"] = "Diffusion classifier"
        return tuple(
            MetricInfo(f"{name}-top{k}", f"{title} top-{k}", True)
            for name, title in titles.items()
            for k in (1, 3)
        )

    def require(self, artist: str, style: str) -> None:
        """Raise PluginError unless `style`, in which `artist` paints, is one that it can see."""
        if style not in (styles := _styles()):
            close = get_close_matches(style, styles, n=3)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            message = f"cannot judge {artist}: it knows no movement {style!r}{hint} It knows: "
            raise PluginError("style judge", message + ", ".join(styles))

    def scores(self, style: str, images: NDArray[np.uint8]) -> dict[str, float]:
        """Share of `images`, uint8 (N, H, W, 3), whose `style` is in a classifier's first or first
        three."""
        return {
            f"{name}-top{k}": float((ranks < k).mean())
            for name, ranks in {
                **self._ranks(style, images),
                **self._diffusion_ranks(style, images[: self.settings.diffusion_images]),
            }.items()
            for k in (1, 3)
        }

    def recognised(self, style: str, images: NDArray[np.uint8]) -> list[float]:
        """Whether CLIP sees `style` in each image (1.0 or 0.0)."""
        return [float(rank < 1) for rank in self._ranks(style, images)["clip"]]

    def chance(self) -> dict[str, float]:
        """A guess among all styles."""
        return {metric.name: int(metric.name[-1]) / len(_styles()) for metric in self.metrics}

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

    def _diffusion_ranks(self, style: str, images: NDArray[np.uint8]) -> dict[str, np.ndarray]:
        """The same of the diffusion classifier, the pack's own denoiser as it was trained."""
        import torch

        from impress_bench.benchmark.models.diffusion_classifier import DiffusionClassifier
        from impress_bench.benchmark.pixels import to_tensor

        if not len(images):
            return {}
        settings = self.settings
        labels = _styles()
        classifier = DiffusionClassifier(
            _pretrained(),
            labels,
            settings.diffusion_prompt,
            settings.diffusion_rounds,
            settings.diffusion_keep,
        )
        # The same noise whatever was painted: conditions are compared pairwise.
        ranks = classifier.ranks(to_tensor(images), torch.Generator().manual_seed(0))
        return {"diffusion": ranks[:, labels.index(style)].numpy()}


def _styles() -> tuple[str, ...]:
    """The movements among which the classifiers choose."""
    return tuple(json.loads((PACK / "labels.json").read_text())["labels"])


@lru_cache(maxsize=1)
def _pretrained() -> LatentDiffusion:
    from impress_bench.benchmark.atelier import load_atelier

    return load_atelier()
