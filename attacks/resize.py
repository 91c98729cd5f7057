"""Shrinking and enlarging, the paper's third baseline (Section 5.1: 512 to 256 to 512 px)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context


class Resize(Purifier):
    """Resizes to `factor` times the sides and back.

    Antialiased when shrinking, as Pillow does. Bicubic overshoot is clipped to [0, 1] on the way,
    where a saved image would clip it; nothing is rounded there.

    Args:
        factor: share of the sides that is left; above 0 and below 1.
        interpolation: "bicubic" or "bilinear", in both directions; the paper, whose code is not
            public, names none. "nearest" repeats and drops pixels, as a screenshot of an image that
            a viewer scales does.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "resize"

    def __init__(
        self,
        *,
        factor: float = 0.5,
        interpolation: Literal["bicubic", "bilinear", "nearest"] = "bicubic",
    ) -> None:
        if not 0 < factor < 1:
            raise ValueError(f"factor must lie between 0 and 1, not {factor}")
        if interpolation not in ("bicubic", "bilinear", "nearest"):
            raise ValueError(
                f"interpolation must be bicubic, bilinear or nearest, not {interpolation!r}"
            )
        self.factor = factor
        self.interpolation = interpolation

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """Images without their finest detail."""
        height, width = images.shape[-2:]
        size = (max(1, round(self.factor * height)), max(1, round(self.factor * width)))
        small = self._resized(images, size).clamp(0, 1)
        return self._resized(small, (height, width)).clamp(0, 1)

    def _resized(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """Images at another size."""
        if self.interpolation != "nearest":
            return interpolate(images, size, mode=self.interpolation, antialias=True)
        # In integers: where a new pixel's centre falls between two old ones, torch's rounding
        # depends on the device.
        for dim, new in zip((-2, -1), size, strict=True):
            centres = (2 * torch.arange(new, device=images.device) + 1) * images.shape[dim]
            images = images.index_select(dim, centres // (2 * new))
        return images
