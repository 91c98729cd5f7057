"""Masks as notebooks and scripts have them: white on what an editor keeps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from impress_bench.benchmark.api.inputs import Images, One, image_files, pil_pixels
from impress_bench.benchmark.contract import ImageSet
from impress_bench.benchmark.datasets.masks import WHITE, read_mask
from impress_bench.benchmark.datasets.pictures import UnreadablePictureError
from impress_bench.benchmark.errors import ConfigError


def read_masks(masks: Images, images: ImageSet) -> NDArray[np.bool_]:
    """Masks as bool (N, H, W), true where they are white (at least half): what an editor keeps.

    Parameters:
        masks: Arrays or tensors (H, W) or (N, H, W), boolean, uint8 or floating in [0, 1]; PIL
            images, files, or a list of these; or a folder with a mask of the name of each image.
        images: What they are masks of.

    Raises ConfigError for a missing mask, one of another size, and one that keeps everything or
    nothing.
    """
    if isinstance(masks, str | Path) and Path(masks).is_dir():
        found = {path.stem: path for path in image_files(Path(masks), "masks")}
        if lacking := [name for name in images.names if name not in found]:
            raise ConfigError(f"masks: {masks} has none for {', '.join(lacking)}")
        kept = [_mask(found[name]) for name in images.names]
    elif isinstance(masks, Sequence) and not isinstance(masks, str):
        kept = [each for one in masks for each in _mask(one)]
    else:
        kept = list(_mask(masks))
    shapes = {one.shape[-2:] for one in kept}
    if len(kept) != len(images.names) or shapes != {images.images.shape[1:3]}:
        given = ", ".join(f"{height} x {width}" for height, width in sorted(shapes))
        height, width = images.images.shape[1:3]
        raise ConfigError(
            f"masks: {len(kept)} of {given} for {len(images.names)} images of {height} x {width}"
        )
    masked = np.concatenate([one.reshape(-1, *one.shape[-2:]) for one in kept])
    for name, one in zip(images.names, masked, strict=True):
        if one.all() or not one.any():
            what = "everything" if one.all() else "nothing"
            raise ConfigError(
                f"masks: that of {name} keeps {what}; it must be white on the head and black"
                " elsewhere"
            )
    return masked


def _mask(mask: One) -> NDArray[np.bool_]:
    """One mask or several, (N, H, W)."""
    if isinstance(mask, str | Path):
        try:
            return read_mask(Path(mask))[None]
        except (UnreadablePictureError, OSError) as error:
            raise ConfigError(f"masks: {mask} {error}") from None
    if isinstance(mask, Image.Image):
        white: NDArray[np.bool_] = pil_pixels(mask).mean(axis=2) >= WHITE
        return white[None]
    values = mask.detach().cpu().numpy() if isinstance(mask, torch.Tensor) else np.asarray(mask)
    if values.ndim not in (2, 3):
        raise ConfigError(f"masks: an array must be (H, W) or (N, H, W), not {values.shape}")
    scale = 255 if values.dtype == np.uint8 else 1
    kept: NDArray[np.bool_] = values.reshape(-1, *values.shape[-2:]).astype(float) / scale >= 0.5
    return kept
