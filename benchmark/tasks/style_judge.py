"""The judge of style mimicry: in which style does an image look painted?

Style mimicry names this module in a string and does not import it, so that its exploits, which cost
hours, are not redone where only the way they are judged has changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from impress_bench.benchmark.atelier import PACK
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.metric import SHARE, MetricInfo
from impress_bench.benchmark.tasks import style_scores
from impress_bench.benchmark.tasks.templates import checked_template

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
    from impress_bench.benchmark.models.style_classifier import (
        StyleClassifier,
        ZeroShotStyleClassifier,
    )

ATELIER = "atelier"


class JudgeSettings(BaseModel):
    """Which classifiers judge, and how; unknown keys are refused.

    `clip` is "atelier", whose pack has a CLIP and a second classifier with labels of their own, or
    an open_clip model that chooses among `labels`: a folder, or a hub id with its commit,
    `org/name@commit`; other hub ids are not fetched, and must be on this machine.
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

    @field_validator("templates", "diffusion_prompt")
    @classmethod
    def _take_a_label(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for template in (given,) if isinstance(given, str) else given:
            checked_template(template, ("", "0"))
        return given

    @field_validator("diffusion_keep")
    @classmethod
    def _one_a_round(cls, keep: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        rounds = info.data.get("diffusion_rounds", ())
        if len(rounds) != len(keep) or min(*rounds, *keep, 1) < 1:
            raise ValueError(f"needs a positive number for each of diffusion_rounds {rounds}")
        return keep


class StyleJudge:
    """Ranks the true style of images among a pack's labels, by each of its classifiers, and
    measures how near CLIP's embeddings of them are to the artist's own works."""

    Settings = JudgeSettings

    def __init__(
        self, settings: JudgeSettings, works_of: Callable[[str], NDArray[np.uint8]]
    ) -> None:
        """`works_of` gives an artist's own works, uint8 (M, H, W, 3), M at least 2."""
        self.settings = settings
        self._images_of = works_of
        self._works_of = lru_cache(maxsize=None)(self._embed_works)

    def metrics(self, rivals: bool) -> tuple[MetricInfo, ...]:
        """What `scores` measures, where there are other artists (`rivals`) or none."""
        titles = {"clip": "CLIP"}
        if self.settings.clip == ATELIER:
            titles["second"] = "Second classifier"
        if self.settings.diffusion_images:
            titles["diffusion"] = "Diffusion classifier"
        shares = tuple(
            MetricInfo(f"{name}-top{k}", f"{title} top-{k}", True, SHARE)
            for name, title in titles.items()
            for k in (1, 3)
        )
        centroid = (MetricInfo("clip-centroid", "CLIP centroid", True),) if rivals else ()
        return (
            *shares,
            MetricInfo("clip-margin", "CLIP margin", True),
            *centroid,
            MetricInfo("clip-distance", "CMMD to own works", False, over="set"),
        )

    def shown(self, count: int) -> dict[str, int]:
        """How many of `count` images each metric that is a share is a share of."""
        few = min(count, self.settings.diffusion_images)
        return {
            metric.name: few if metric.name.startswith("diffusion-") else count
            for metric in self.metrics(rivals=False)
            if metric.percent
        }

    def require(self, artist: str, style: str) -> None:
        """Raise PluginError unless `style`, in which `artist` paints, is one that it can see."""
        if style not in (styles := self._styles()):
            close = get_close_matches(style, styles, n=3)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            message = f"cannot judge {artist}: it knows no movement {style!r}{hint} It knows: "
            raise PluginError("style judge", message + ", ".join(styles))

    def scores(
        self, artist: str, style: str, images: NDArray[np.uint8], rivals: Sequence[str]
    ) -> dict[str, float]:
        """What `images` are as works of `artist`, by every metric of `metrics`.

        Parameters:
            artist: Whose works they claim to be.
            style: The artist's style, one of the labels.
            images: Painted works, uint8 (N, H, W, 3), N at least 2.
            rivals: The other artists; if there is none, nothing is scored against them.
        """
        from impress_bench.benchmark.pixels import to_tensor

        clip = self._clip()
        embeddings, own = self._embed(images), self._works_of(artist)
        similarities = embeddings @ clip.weights.T
        ranks = {"clip": _ranks(similarities, clip.labels, style)}
        for name, classifier in self._classifiers().items():
            if name != "clip":
                seen = classifier.scores(to_tensor(images))
                ranks[name] = _ranks(seen, classifier.labels, style)
        ranks |= self._diffusion_ranks(style, images[: self.settings.diffusion_images])
        shares = {
            f"{name}-top{k}": float((rank < k).mean())
            for name, rank in ranks.items()
            for k in (1, 3)
        }
        scores = {
            "clip-margin": style_scores.margin(similarities, clip.labels.index(style)),
            "clip-distance": style_scores.distance(embeddings, own),
        }
        if rivals:
            centroids = [self._works_of(rival).mean(0) for rival in rivals]
            scores["clip-centroid"] = style_scores.centroid_margin(
                embeddings, own.mean(0), centroids
            )
        return shares | scores

    def recognised(self, style: str, images: NDArray[np.uint8]) -> list[float]:
        """Whether CLIP sees `style` in each image (1.0 or 0.0)."""
        clip = self._clip()
        similarities = self._embed(images) @ clip.weights.T
        return [float(rank < 1) for rank in _ranks(similarities, clip.labels, style)]

    def chance(self) -> dict[str, float]:
        """A guess among all styles."""
        shares = [metric.name for metric in self.metrics(rivals=False) if metric.percent]
        return {name: int(name[-1]) / len(self._styles()) for name in shares}

    def _styles(self) -> tuple[str, ...]:
        """The styles among which the classifiers choose."""
        pack = PACK / "labels.json"
        return self.settings.labels or tuple(json.loads(pack.read_text())["labels"])

    def _embed(self, images: NDArray[np.uint8]) -> Tensor:
        """CLIP's unit embeddings (N, D)."""
        from impress_bench.benchmark.pixels import to_tensor

        return self._clip().embed(to_tensor(images))

    def _embed_works(self, artist: str) -> Tensor:
        """Of an artist's own works; computed once, since every score asks for all artists'."""
        return self._embed(self._images_of(artist))

    def _clip(self) -> ZeroShotStyleClassifier:
        """The classifier that has a label's text and an image in one space."""
        from impress_bench.benchmark.models.style_classifier import SecondStyleClassifier

        clip = self._classifiers()["clip"]
        assert not isinstance(clip, SecondStyleClassifier)
        return clip

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


def _ranks(scores: Tensor, labels: Sequence[str], style: str) -> np.ndarray:
    """Where `style` comes among the labels that `scores` (N, L) are of, for each image, 0 first."""
    own = scores[:, [labels.index(style)]]
    return (scores > own).sum(dim=1).numpy()


@lru_cache(maxsize=1)
def _pretrained(source: str, device: str) -> LatentDiffusion:
    from impress_bench.benchmark.models.families.loading import load_pretrained

    return load_pretrained(PACK if source == ATELIER else source, device)
