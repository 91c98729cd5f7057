"""Images whose latents a protection can aim at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.seeds import rand_per_image

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

NAMED = ("grey", "noise", "pattern")


def target_images(
    plugin: str, target: str, images: Tensor, generators: Sequence[torch.Generator]
) -> Tensor:
    """The image that `target` names, in the shape (B, 3, H, W) of `images` and in [0, 1].

    "grey" is mid-grey; "noise" is uniform, different for each image; "pattern" is a fixed
    chequerboard of black and white with diagonal strokes, of high contrast at the scale of a few
    latent cells like the target that Mist (Liang and Wu 2023) ships; anything else is the path of
    an image, which is resized to fit. Raises PluginError for a path that is no image.
    """
    if target == "grey":
        return torch.full_like(images, 0.5)
    if target == "noise":
        return rand_per_image(generators, images)
    height, width = images.shape[-2:]
    if target == "pattern":
        return _pattern(height, width).to(images).expand_as(images)
    try:
        with Image.open(target) as picture:
            fitted = picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    except (OSError, UnidentifiedImageError) as error:
        choices = ", ".join(NAMED)
        raise PluginError(
            plugin, f"target {target!r} is none of {choices} and no image file: {error}"
        ) from None
    values = torch.from_numpy(np.asarray(fitted).copy()).permute(2, 0, 1) / 255
    return values.to(images).expand_as(images)


def style_images(
    plugin: str, target: str, images: Tensor, generators: Sequence[torch.Generator]
) -> Tensor:
    """All images of the folder `target`, or the one that it names for the first of `images`, in
    [0, 1] and of the size of `images`: (n, 3, H, W). Raises PluginError for a file that is no
    image and for an empty folder."""
    if not Path(target).is_dir():
        return target_images(plugin, target, images[:1], generators[:1])
    found = [
        target_images(plugin, str(path), images[:1], generators[:1])
        for path in sorted(Path(target).iterdir())
        if path.is_file() and not path.name.startswith(".")
    ]
    if not found:
        raise PluginError(plugin, f"target {target!r} is an empty folder; it needs images")
    return torch.cat(found)


def target_latents(
    plugin: str,
    target: str,
    images: Tensor,
    model: LatentDiffusion,
    generators: Sequence[torch.Generator],
) -> Tensor:
    """Scaled posterior means (B, C, h, w) of `target_images`."""
    with torch.no_grad():
        shown = target_images(plugin, target, images, generators)
        return model.scale(model.encode(shown))


def _pattern(height: int, width: int) -> Tensor:
    """Squares of an eighth of the shorter side, every other one crossed by diagonals, (H, W)."""
    side = max(2, min(height, width) // 8)
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    squares = (row // side + column // side) % 2
    strokes = ((row + column) // max(1, side // 4)) % 2
    return (strokes * squares).float()
