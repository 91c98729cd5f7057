"""An open_clip model that embeds images and texts: a pack's, any open_clip folder's, or CSD's."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impress_bench.benchmark.models.hub import local_folder, weights_in

#: What weights are called, first choice first, and what of a repository is fetched: nothing that
#: would have to be unpickled.
OPEN_CLIP_WEIGHTS = (
    "open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors"
)  # fmt: skip
OPEN_CLIP_FILES = ("open_clip_config.json", *OPEN_CLIP_WEIGHTS[:2], "*.txt", "token*.json",
                   "special_tokens_map.json", "vocab.json")  # fmt: skip
#: Images at a time.
BATCH = 64
#: The head of CSD's weights that is for style (Somepalli et al. 2024), and what it stands behind.
CSD_HEAD, CSD_TRUNK = "last_layer_style", "backbone."


@dataclass(frozen=True)
class OpenClipModel:
    """A frozen open_clip model with its preprocessing.

    `prepare` makes the model's input of images (B, 3, H, W) in [0, 1]. `tokenize` makes tokens of
    texts; None where the model has no text encoder. `side` is the one size in pixels of images that
    it takes; None where it resizes them.
    """

    model: Any
    prepare: Callable[[Tensor], Tensor]
    tokenize: Callable[[Sequence[str]], Tensor] | None
    side: int | None = None

    @torch.no_grad()
    def embed(self, images: Tensor) -> Tensor:
        """Embeddings (B, D), not normalised, of images (B, 3, H, W) in [0, 1]."""
        parts = images.float().split(BATCH)
        return torch.cat([self.model.encode_image(self.prepare(part)) for part in parts])

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Embeddings (T, D), not normalised, of texts. Raises ValueError without a text encoder."""
        if self.tokenize is None:
            raise ValueError("has no text encoder")
        embeddings: Tensor = self.model.encode_text(self.tokenize(texts))
        return embeddings


@lru_cache(maxsize=2)
def pack_clip(folder: Path) -> OpenClipModel:
    """The CLIP of a model pack, `clip`/ and `tokenizer`/, loaded once. It takes images of the
    pack's own size."""
    import open_clip
    from transformers import CLIPTokenizer

    (config,) = (folder / "clip").glob("*.json")
    open_clip.add_model_config(config)
    weights = folder / "clip" / "open_clip_model.safetensors"
    model = open_clip.create_model(config.stem, pretrained=str(weights))
    model.eval().requires_grad_(False)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")

    def tokenize(texts: Sequence[str]) -> Tensor:
        tokens = tokenizer(list(texts), padding="max_length", truncation=True, return_tensors="pt")
        return tokens.input_ids

    side = json.loads(config.read_text())["vision_cfg"]["image_size"]
    return OpenClipModel(model, lambda images: 2 * images - 1, tokenize, side)


@lru_cache(maxsize=2)
def open_clip_model(source: str) -> OpenClipModel:
    """A folder in open_clip's layout, one of CSD's weights, or a hub id, loaded once.

    Safetensors only, whatever else lies there. CSD's weights (Somepalli et al. 2024) are known by
    their head for style, `last_layer_style`, which becomes the projection of the vision tower;
    `open_clip_config.json` may name its sizes, which are ViT-L/14's otherwise. Raises OSError
    without weights.
    """
    import open_clip

    folder = local_folder(source, OPEN_CLIP_FILES)
    weights = _weights_in(folder)
    if _is_csd(weights):
        return _csd(folder, weights)
    name = f"local-dir:{folder}"
    # open_clip chooses weights by their names, some of pickled files before some of others.
    model, _, preprocess = open_clip.create_model_and_transforms(
        name, load_weights=False, pretrained_text=False
    )
    open_clip.load_checkpoint(model, str(weights))
    model.eval().requires_grad_(False)
    return OpenClipModel(model, _preprocessing(preprocess), open_clip.get_tokenizer(name))


def _preprocessing(preprocess: Callable[[Any], Tensor]) -> Callable[[Tensor], Tensor]:
    """open_clip's preprocessing, which is for PIL images, of a batch in [0, 1]."""
    from torchvision.transforms.functional import to_pil_image

    return lambda images: torch.stack([preprocess(to_pil_image(image)) for image in images])


def _weights_in(folder: Path) -> Path:
    """The safetensors file of an open_clip folder, by its usual name where there are several."""
    found = {path.name: path for path in weights_in(folder) if path.parent == folder}
    for name in (*OPEN_CLIP_WEIGHTS, *found):
        if name in found:
            return found[name]
    raise OSError(f"{folder} has no safetensors weights")


def _is_csd(weights: Path) -> bool:
    from safetensors import safe_open

    with safe_open(weights, "pt") as file:
        return any(key.removeprefix("module.") == CSD_HEAD for key in file.keys())  # noqa: SIM118


def _csd(folder: Path, weights: Path) -> OpenClipModel:
    """CSD: CLIP's vision tower, whose projection is the head for style."""
    import open_clip
    from safetensors.torch import load_file

    config = folder / "open_clip_config.json"
    if config.is_file():
        sizes = json.loads(config.read_text())["model_cfg"]
    else:
        sizes = open_clip.get_model_config("ViT-L-14-quickgelu")
    state = {key.removeprefix("module."): value for key, value in load_file(weights).items()}
    trunk = {
        f"visual.{key.removeprefix(CSD_TRUNK)}": value.float()
        for key, value in state.items()
        if key.startswith(CSD_TRUNK)
    }
    model = open_clip.CLIP(**sizes)
    found = model.load_state_dict({**trunk, "visual.proj": state[CSD_HEAD].float()}, strict=False)
    absent = [key for key in found.missing_keys if key.startswith("visual.")]
    if absent or found.unexpected_keys:
        keys = ", ".join([*absent, *found.unexpected_keys][:3])
        raise OSError(f"{weights} does not fit the vision tower of {folder}: {keys}")
    model.eval().requires_grad_(False)
    preprocess = open_clip.image_transform(model.visual.image_size, is_train=False)
    return OpenClipModel(model, _preprocessing(preprocess), None)
