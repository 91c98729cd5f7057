"""The judge of style mimicry: in which style does an image look painted?

Style mimicry names this module in a string and does not import it, so that its exploits, which cost
hours, are not redone where only the way they are judged has changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from impress_bench.benchmark.atelier import PACK
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.metric import SHARE, MetricInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
    from impress_bench.benchmark.models.style_classifier import StyleClassifier

ATELIER = "atelier"


class JudgeSettings(BaseModel):
    """Which classifiers judge, and how; unknown keys are refused.

    `clip` is "atelier", whose pack has a CLIP and a second classifier with labels of their own, or
    an open_clip model (a folder or a hub id, `org/name@revision`) that chooses among `labels`.
    `diffusion_model` is "atelier" or a diffusers folder or hub id.

    The diffusion classifier is many times as dear as the others: it judges the first
    `diffusion_images` of the painted works, and none by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    clip: str = ATELIER
    labels: tuple[str, ...] = Field(default=(), description="styles; none: the pack's own")
    templates: tuple[str, ...] = Field(default=("{}",), min_length=1)
    diffusion_model: str = ATELIER
    diffusion_device: Literal["cpu", "cuda"] = "cpu"
    diffusion_images: int = Field(default=0, ge=0)
    diffusion_prompt: str = "{}"
    diffusion_rounds: tuple[int, ...] = (4, 8, 32)
    diffusion_keep: tuple[int, ...] = (5, 3, 3)

    @model_validator(mode="after")
    def _labels_of_another_clip(self) -> JudgeSettings:
        if (self.clip == ATELIER) == bool(self.labels):
            whose = "has labels of its own" if self.labels else "needs labels"
            raise ValueError(f"clip {self.clip!r} {whose}")
        return self

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
        titles = {"clip": "CLIP"}
        if self.settings.clip == ATELIER:
            titles["second"] = "Second classifier"
        if self.settings.diffusion_images:
            titles["diffusion"] = "Diffusion classifier"
        return tuple(
            MetricInfo(f"{name}-top{k}", f"{title} top-{k}", True, SHARE)
            for name, title in titles.items()
            for k in (1, 3)
        )

    def shown(self, count: int) -> dict[str, int]:
        """How many of `count` images each metric is a share of."""
        few = min(count, self.settings.diffusion_images)
        return {
            metric.name: few if metric.name.startswith("diffusion-") else count
            for metric in self.metrics
        }

    def require(self, artist: str, style: str) -> None:
        """Raise PluginError unless `style`, in which `artist` paints, is one that it can see."""
        if style not in (styles := self._styles()):
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
        return {metric.name: int(metric.name[-1]) / len(self._styles()) for metric in self.metrics}

    def _styles(self) -> tuple[str, ...]:
        """The styles among which the classifiers choose."""
        pack = PACK / "labels.json"
        return self.settings.labels or tuple(json.loads(pack.read_text())["labels"])

    def _ranks(self, style: str, images: NDArray[np.uint8]) -> dict[str, np.ndarray]:
        """Where `style` comes among each image's labels, 0 first."""
        from impress_bench.benchmark.pixels import to_tensor

        ranks = {}
        for name, classifier in self._classifiers().items():
            scores = classifier.scores(to_tensor(images)).numpy()
            own = scores[:, [classifier.labels.index(style)]]
            ranks[name] = (scores > own).sum(axis=1)
        return ranks

    def _classifiers(self) -> Mapping[str, StyleClassifier]:
        from impress_bench.benchmark.models import style_classifier

        settings = self.settings
        if settings.clip == ATELIER:
            return style_classifier.pack_classifiers(PACK)
        chosen = (settings.clip, settings.labels, settings.templates)
        return {"clip": style_classifier.open_clip_classifier(*chosen)}

    def _diffusion_ranks(self, style: str, images: NDArray[np.uint8]) -> dict[str, np.ndarray]:
        """The same of the diffusion classifier, the pack's own denoiser as it was trained."""
        import torch

        from impress_bench.benchmark.models.diffusion_classifier import DiffusionClassifier
        from impress_bench.benchmark.pixels import to_tensor

        if not len(images):
            return {}
        settings = self.settings
        labels = self._styles()
        classifier = DiffusionClassifier(
            _pretrained(settings.diffusion_model, settings.diffusion_device),
            labels,
            settings.diffusion_prompt,
            settings.diffusion_rounds,
            settings.diffusion_keep,
        )
        # The same noise whatever was painted: conditions are compared pairwise.
        ranks = classifier.ranks(to_tensor(images), torch.Generator().manual_seed(0))
        return {"diffusion": ranks[:, labels.index(style)].numpy()}


@lru_cache(maxsize=1)
def _pretrained(source: str, device: str) -> LatentDiffusion:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

    return LatentDiffusion.from_pretrained(PACK if source == ATELIER else source, device)
