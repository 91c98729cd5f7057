"""Cropping, as platforms and forwarders do it: the frame is lost, the rest fills the picture."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import interpolate

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context


class Crop(Purifier):
    """Cuts out the centre and enlarges it to the size of the input, bicubically.

    What is in the picture moves, so that a comparison with the clean image, pixel by pixel, counts
    the crop as damage, and a mask no longer covers what it covered: use it in style mimicry.
    `purify --fit tile` crops every tile.

    Args:
        share: share of the sides that is left, rounded to pixels; above 0 and below 1.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "crop"

    def __init__(self, *, share: float = 0.9) -> None:
        if not 0 < share < 1:
            raise ValueError(f"share must lie between 0 and 1, not {share}")
        self.share = share

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """The centre of each image, enlarged."""
        size = images.shape[-2:]
        height, width = (max(1, round(self.share * side)) for side in size)
        top, left = (size[0] - height) // 2, (size[1] - width) // 2
        centre = images[..., top : top + height, left : left + width]
        return interpolate(centre, size, mode="bicubic", antialias=True).clamp(0, 1)
