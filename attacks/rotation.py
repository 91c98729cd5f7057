"""Rotating by some degrees and back, as an edit that is undone: two interpolations."""

from __future__ import annotations

from math import ceil, cos, radians, sin
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import pad
from torchvision.transforms.functional import InterpolationMode, rotate

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context


class Rotation(Purifier):
    """Rotates about the centre and back, bilinearly, on a canvas that no corner leaves.

    Around the image its edge pixels are repeated. Where the corners of a rotated image would be cut
    off and filled, `crop` stands for that loss.

    Args:
        degrees: angle in degrees, counter-clockwise; above 0 and at most 45.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "rotation"

    def __init__(self, *, degrees: float = 5.0) -> None:
        if not 0 < degrees <= 45:
            raise ValueError(f"degrees must be above 0 and at most 45, not {degrees}")
        self.degrees = degrees

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """Images that were interpolated twice."""
        height, width = images.shape[-2:]
        across, along = sin(radians(self.degrees)), cos(radians(self.degrees))
        # How far the rotated image reaches beyond its own frame, and a pixel to interpolate with.
        rows = ceil(max(0.0, width * across + height * along - height) / 2) + 1
        columns = ceil(max(0.0, height * across + width * along - width) / 2) + 1
        canvas = pad(images, (columns, columns, rows, rows), mode="replicate")
        for angle in (self.degrees, -self.degrees):
            canvas = rotate(canvas, angle, InterpolationMode.BILINEAR)
        return canvas[..., rows : rows + height, columns : columns + width].clamp(0, 1)
