"""The region of an image that an editor keeps, in which a perturbation has an effect."""

from __future__ import annotations

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Context


def kept_region(images: Tensor, context: Context) -> Tensor:
    """1 on what an editor keeps (a head), 0 on what is repainted, (B, 1, H, W) in the dtype of
    `images` (B, 3, H, W). Without masks all of an image is kept."""
    if context.masks is None:
        return torch.ones_like(images[:, :1])
    return context.masks[:, None].to(images)
