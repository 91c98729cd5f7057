"""Total variation denoising (Rudin, Osher and Fatemi 1992), by Chambolle's algorithm."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context


class TotalVariation(Purifier):
    """scikit-image's `denoise_tv_chambolle` on each image.

    The paper that proposes the purifier for adversarial images (Guo et al. 2018) also drops pixels,
    which this does not.

    Args:
        weight: weight of the total variation on [0, 1] pixels; above 0.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "total-variation"

    def __init__(self, *, weight: float = 0.1) -> None:
        if not weight > 0:
            raise ValueError(f"weight must be above 0, not {weight}")
        self.weight = weight

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """Images with flat areas and sharp edges."""
        from skimage.restoration import denoise_tv_chambolle

        smooth = [
            denoise_tv_chambolle(image, weight=self.weight, channel_axis=0)
            for image in images.cpu().double().numpy()
        ]
        return torch.from_numpy(np.stack(smooth)).to(images).clamp(0, 1)
