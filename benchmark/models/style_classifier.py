"""The judges of style mimicry: a zero-shot open_clip classifier and an independent ResNet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from impress_bench.benchmark.models.hub import local_folder, weights_in

if TYPE_CHECKING:
    from transformers import ResNetForImageClassification

#: What weights are called, first choice first, and what of a repository is fetched: nothing that
#: would have to be unpickled.
OPEN_CLIP_WEIGHTS = (
    "open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors"
)  # fmt: skip
OPEN_CLIP_FILES = ("open_clip_config.json", *OPEN_CLIP_WEIGHTS[:2], "*.txt", "token*.json",
                   "special_tokens_map.json", "vocab.json")  # fmt: skip


@dataclass(frozen=True)
class ZeroShotStyleClassifier:
    """Cosine similarity of an image to label texts (Radford et al. 2021), as GLAZE and IMPRESS
    evaluate mimicry. `weights` (L, D) holds one unit text embedding a label."""

    model: Any
    labels: tuple[str, ...]
    weights: Tensor

    @classmethod
    def from_pack(cls, folder: Path) -> ZeroShotStyleClassifier:
        """The classifier of a model pack: `clip`/, `tokenizer`/ and `labels.json`.

        A label's text embedding is the mean over the templates of `labels.json`.
        """
        import json

        import open_clip
        from transformers import CLIPTokenizer

        (config,) = (folder / "clip").glob("*.json")
        open_clip.add_model_config(config)
        weights = folder / "clip" / "open_clip_model.safetensors"
        model = open_clip.create_model(config.stem, pretrained=str(weights))
        model.eval().requires_grad_(False)
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        naming = json.loads((folder / "labels.json").read_text())
        labels = tuple(naming["labels"])
        embeddings = []
        for label in labels:
            texts = [form.format(label) for form in naming["templates"]]
            tokens = tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")
            embeddings.append(_text_embedding(model, tokens.input_ids))
        return cls(model, labels, torch.stack(embeddings))

    @torch.no_grad()
    def embed(self, images: Tensor) -> Tensor:
        """Unit embeddings (B, D) of images (B, 3, H, W) in [0, 1]."""
        parts = images.float().split(64)
        return torch.cat([normalize(self.model.encode_image(2 * x - 1), dim=-1) for x in parts])

    def scores(self, images: Tensor) -> Tensor:
        """Similarities (B, L) of images (B, 3, H, W) in [0, 1] to each label."""
        return self.embed(images) @ self.weights.T


@dataclass(frozen=True)
class OpenClipStyleClassifier:
    """The same by any open_clip model, with the preprocessing that it was trained with."""

    model: Any
    preprocess: Any
    labels: tuple[str, ...]
    weights: Tensor

    @classmethod
    def from_source(
        cls, source: str, labels: Sequence[str], templates: Sequence[str]
    ) -> OpenClipStyleClassifier:
        """A folder in open_clip's layout or a hub id; safetensors only, whatever else lies there.

        A label's text embedding is the mean over the templates. Raises OSError without weights.
        """
        import open_clip

        folder = local_folder(source, OPEN_CLIP_FILES)
        weights = _weights_in(folder)
        name = f"local-dir:{folder}"
        # open_clip chooses weights by their names, some of pickled files before some of others.
        model, _, preprocess = open_clip.create_model_and_transforms(
            name, load_weights=False, pretrained_text=False
        )
        open_clip.load_checkpoint(model, str(weights))
        model.eval().requires_grad_(False)
        tokenizer = open_clip.get_tokenizer(name)
        embeddings = [
            _text_embedding(model, tokenizer([form.format(label) for form in templates]))
            for label in labels
        ]
        return cls(model, preprocess, tuple(labels), torch.stack(embeddings))

    @torch.no_grad()
    def embed(self, images: Tensor) -> Tensor:
        """Unit embeddings (B, D) of images (B, 3, H, W) in [0, 1]."""
        from torchvision.transforms.functional import to_pil_image

        shown = torch.stack([self.preprocess(to_pil_image(image)) for image in images.float()])
        return torch.cat([normalize(self.model.encode_image(x), dim=-1) for x in shown.split(64)])

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


def _weights_in(folder: Path) -> Path:
    """The safetensors file of an open_clip folder, by its usual name where there are several."""
    found = {path.name: path for path in weights_in(folder) if path.parent == folder}
    for name in (*OPEN_CLIP_WEIGHTS, *found):
        if name in found:
            return found[name]
    raise OSError(f"{folder} has no safetensors weights")


def _text_embedding(model: Any, tokens: Tensor) -> Tensor:
    """The unit embedding (D,) of a label from the tokens (T, length) of its texts."""
    with torch.no_grad():
        embeddings = normalize(model.encode_text(tokens), dim=-1)
    return normalize(embeddings.mean(0), dim=-1)


StyleClassifier = ZeroShotStyleClassifier | OpenClipStyleClassifier | SecondStyleClassifier


@lru_cache(maxsize=2)
def open_clip_classifier(
    source: str, labels: tuple[str, ...], templates: tuple[str, ...]
) -> OpenClipStyleClassifier:
    """An open_clip classifier, loaded once."""
    return OpenClipStyleClassifier.from_source(source, labels, templates)


@lru_cache(maxsize=2)
def pack_classifiers(folder: Path) -> dict[str, ZeroShotStyleClassifier | SecondStyleClassifier]:
    """Both classifiers of a pack, loaded once: "clip" and "second"."""
    return {
        "clip": ZeroShotStyleClassifier.from_pack(folder),
        "second": SecondStyleClassifier.from_pack(folder),
    }
