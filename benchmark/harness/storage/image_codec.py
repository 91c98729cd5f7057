"""Image sets as PNG files, which keep 8-bit values exactly, and as tensors.

Stages exchange 8-bit images alone, as an artist would publish them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from impress_bench.benchmark.contract import ImageSet

if TYPE_CHECKING:
    import torch


def encode(images: ImageSet) -> dict[str, bytes]:
    """Files, by relative path, that `decode` reads back as the same image set."""
    check(images)
    files = {
        f"images/{name}.png": _png(image)
        for name, image in zip(images.names, images.images, strict=True)
    }
    if images.masks is not None:
        for name, mask in zip(images.names, images.masks, strict=True):
            files[f"masks/{name}.png"] = _png(mask.astype(np.uint8) * 255)
    meta = {"names": images.names, "titles": images.titles, "masks": images.masks is not None}
    files["meta.json"] = json.dumps(meta, ensure_ascii=False, indent=1).encode()
    return files


def decode(files: Mapping[str, bytes]) -> ImageSet:
    """The image set that `encode` made `files` from."""
    meta = json.loads(files["meta.json"])
    names = tuple(meta["names"])
    masks = None
    if meta["masks"]:
        masks = np.stack([_pixels(files[f"masks/{name}.png"]) > 127 for name in names])
    images = np.stack([_pixels(files[f"images/{name}.png"]) for name in names])
    return ImageSet(images, names, tuple(meta["titles"]), masks)


def check(images: ImageSet) -> None:
    """Raise ValueError unless dtype, shapes, names, titles and masks fit `ImageSet`."""
    pixels, count = images.images, len(images.names)
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3 or not pixels.size:
        raise ValueError(f"images must be uint8 (N, H, W, 3), not {pixels.dtype} {pixels.shape}")
    if count != len(pixels) or len(set(images.names)) != count:
        raise ValueError(f"{len(pixels)} images need as many different names, not {images.names}")
    for name in images.names:
        if not name or "/" in name or "\0" in name or name.startswith("."):
            raise ValueError(f"image name {name!r} cannot be a file name")
    if images.titles and len(images.titles) != count:
        raise ValueError(f"{count} images with {len(images.titles)} titles")
    if images.masks is not None and (
        images.masks.dtype != np.bool_ or images.masks.shape != pixels.shape[:3]
    ):
        raise ValueError(f"masks must be bool {pixels.shape[:3]}, not {images.masks.shape}")


def to_tensor(images: ImageSet, device: str = "cpu") -> torch.Tensor:
    """Float32 (B, 3, H, W) in [0, 1]."""
    from impress_bench.benchmark.pixels import to_tensor as of_pixels

    return of_pixels(images.images).to(device)


def from_tensor(images: torch.Tensor, like: ImageSet) -> ImageSet:
    """An image set with the names, titles and masks of `like`.

    Raises ValueError unless `images` (B, 3, H, W) are finite multiples of 1/255 in [0, 1]: rounding
    here would change a perturbation after its plugin measured it.
    """
    import torch

    if not isinstance(images, torch.Tensor):
        raise ValueError(f"images must be a tensor, not {type(images).__name__}")
    height, width = like.images.shape[1:3]
    expected = (len(like.names), 3, height, width)
    if images.shape != expected:
        raise ValueError(f"images have shape {tuple(images.shape)}, expected {expected}")
    levels = images.detach().to("cpu", torch.float64) * 255
    if not bool(levels.isfinite().all()):
        raise ValueError("images hold NaN or infinity")
    rounded = levels.round()
    if bool((levels - rounded).abs().max() > 1e-3):
        raise ValueError("images are not rounded to 8 bits")
    if bool(rounded.min() < 0) or bool(rounded.max() > 255):
        raise ValueError("images leave the range [0, 1]")
    pixels = rounded.to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    return ImageSet(pixels, like.names, like.titles, like.masks)


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def _pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)
