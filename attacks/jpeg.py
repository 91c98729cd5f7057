"""JPEG compression, the paper's first baseline (Section 5.1: quality 15)."""

from __future__ import annotations

import io
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context


class Jpeg(Purifier):
    """Compresses and decompresses with Pillow, in memory.

    Chroma is subsampled 4:2:0, Pillow's default; the paper does not specify it, and its code is not
    public.

    Args:
        quality: libjpeg's quality; 1 to 95.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "jpeg"
    title: ClassVar[str] = "JPG"

    def __init__(self, *, quality: int = 15) -> None:
        if not 1 <= quality <= 95:
            raise ValueError(f"quality must be 1 to 95, not {quality}")
        self.quality = quality

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """Each image compressed and decompressed."""
        levels = (images * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        decoded = np.stack([self._round_trip(pixels) for pixels in levels])
        return torch.from_numpy(decoded).permute(0, 3, 1, 2).to(images) / 255

    def _round_trip(self, pixels: np.ndarray) -> np.ndarray:
        """One image, uint8 (H, W, 3), compressed and decompressed."""
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format="JPEG", quality=self.quality)
        return np.asarray(Image.open(buffer))
