"""The judges of style mimicry: a zero-shot open_clip classifier and an independent ResNet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from impress_bench.benchmark.models.open_clip_model import (
    OpenClipModel,
    open_clip_model,
    pack_clip,
)

if TYPE_CHECKING:
    from transformers import ResNetForImageClassification


@dataclass(frozen=True)
class ZeroShotStyleClassifier:
    """Cosine similarity of an image to label texts (Radford et al. 2021), as GLAZE and IMPRESS
    evaluate mimicry. `weights` (L, D) holds one unit text embedding a label."""

    model: OpenClipModel
    labels: tuple[str, ...]
    weights: Tensor

    @classmethod
    def of(
        cls, model: OpenClipModel, labels: Sequence[str], templates: Sequence[str]
    ) -> ZeroShotStyleClassifier:
        """A classifier among `labels`, whose text embedding is the mean over the templates."""
        embeddings = []
        for label in labels:
            texts = normalize(model.embed_texts([form.format(label) for form in templates]), dim=-1)
            embeddings.append(normalize(texts.mean(0), dim=-1))
        return cls(model, tuple(labels), torch.stack(embeddings))

    @classmethod
    def from_pack(cls, folder: Path) -> ZeroShotStyleClassifier:
        """The classifier of a model pack, with the labels and templates of `labels.json`."""
        naming = json.loads((folder / "labels.json").read_text())
        return cls.of(pack_clip(folder), naming["labels"], naming["templates"])

    @classmethod
    def from_source(
        cls, source: str, labels: Sequence[str], templates: Sequence[str]
    ) -> ZeroShotStyleClassifier:
        """An open_clip model by its folder or hub id. Raises OSError without weights."""
        return cls.of(open_clip_model(source), labels, templates)

    def embed(self, images: Tensor) -> Tensor:
        """Unit embeddings (B, D) of images (B, 3, H, W) in [0, 1]."""
        return normalize(self.model.embed(images), dim=-1)

    def scores(self, images: Tensor) -> Tensor:
        """Similarities (B, L) of images (B, 3, H, W) in [0, 1] to each label."""
        return self.embed(images) @ self.weights.T


@dataclass(frozen=True)
class SecondStyleClassifier:
    """A supervised ResNet trained on other paintings than the first: does it see the same?"""

    model: ResNetForImageClassification
    labels: tuple[str, ...]

    @classmethod
    def from_pack(cls, folder: Path) -> SecondStyleClassifier:
        """The classifier in `second_classifier`/ of a model pack, in transformers layout."""
        from transformers import ResNetForImageClassification
        from transformers.utils import logging

        logging.disable_progress_bar()
        model = ResNetForImageClassification.from_pretrained(folder / "second_classifier")
        model = model.float().eval().requires_grad_(False)
        return cls(model, tuple(model.config.id2label[i] for i in range(model.config.num_labels)))

    @torch.no_grad()
    def scores(self, images: Tensor) -> Tensor:
        """Logits (B, L) of images (B, 3, H, W) in [0, 1]."""
        return torch.cat([self.model(2 * part - 1).logits for part in images.float().split(64)])


StyleClassifier = ZeroShotStyleClassifier | SecondStyleClassifier


@lru_cache(maxsize=2)
def open_clip_classifier(
    source: str, labels: tuple[str, ...], templates: tuple[str, ...]
) -> ZeroShotStyleClassifier:
    """An open_clip classifier, loaded once."""
    return ZeroShotStyleClassifier.from_source(source, labels, templates)


@lru_cache(maxsize=2)
def pack_classifiers(folder: Path) -> dict[str, ZeroShotStyleClassifier | SecondStyleClassifier]:
    """Both classifiers of a pack, loaded once: "clip" and "second"."""
    return {
        "clip": ZeroShotStyleClassifier.from_pack(folder),
        "second": SecondStyleClassifier.from_pack(folder),
    }
