"""Pictures of any size brought to the size that a model knows, and what was done to them back.

`resize` shows the model the whole picture, its short side at the model's, and carries the change
back enlarged: what is painted small keeps its place and its strength, in low frequencies, and fine
detail of the original is left alone. `tile` shows it the picture's own pixels in squares of the
model's size: the change is as fine as the picture, costs grow with its area, and tiles know nothing
of each other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

#: Sides are multiples of this part of the model's, which its U-Net can halve as often as it does.
PARTS = 4
#: A panorama's long side is squeezed to at most so many short ones.
LONGEST = 4


class Fitting(ABC):
    """`shown` (B, 3, h, w) is what a plugin gets for a picture; all images are in [0, 1]."""

    shown: Tensor

    @abstractmethod
    def restore(self, answer: Tensor) -> Tensor:
        """The picture (1, 3, H, W), with what turned `shown` into `answer` done to it."""


class Resized(Fitting):
    """The whole picture at the model's size; the change is brought back by interpolation."""

    def __init__(self, picture: Tensor, side: int) -> None:
        self._picture = picture
        self.shown = _resize(picture, _sides(picture.shape[-2:], side))

    def restore(self, answer: Tensor) -> Tensor:
        change = _resize(answer - self.shown, self._picture.shape[-2:])
        return (self._picture + change).clamp(0, 1)


class Tiled(Fitting):
    """The picture cut into squares, the last ones filled up by its mirrored or repeated edge."""

    def __init__(self, picture: Tensor, side: int) -> None:
        height, width = self._size = picture.shape[-2:]
        self._side = side
        below, right = -height % side, -width % side
        mode = "reflect" if below < height and right < width else "replicate"
        whole = pad(picture, (0, right, 0, below), mode)
        rows, columns = self._grid = whole.shape[-2] // side, whole.shape[-1] // side
        cut = whole.reshape(1, 3, rows, side, columns, side)
        self.shown = cut.permute(0, 2, 4, 1, 3, 5).reshape(-1, 3, side, side)

    def restore(self, answer: Tensor) -> Tensor:
        (rows, columns), side = self._grid, self._side
        laid = answer.reshape(1, rows, columns, 3, side, side).permute(0, 3, 1, 4, 2, 5)
        height, width = self._size
        return laid.reshape(1, 3, rows * side, columns * side)[..., :height, :width]


FITTINGS: dict[str, type[Resized] | type[Tiled]] = {"resize": Resized, "tile": Tiled}


def _sides(size: torch.Size, side: int) -> tuple[int, int]:
    """Height and width at which the short side is `side`, in steps of a part of it."""
    part, short = side // PARTS, min(size)
    height, width = (
        min(max(side, round(length * side / short / part) * part), LONGEST * side)
        for length in size
    )
    return height, width


def _resize(images: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Bilinear, averaging where it shrinks."""
    if images.shape[-2:] == torch.Size(size):
        return images
    return interpolate(images, tuple(size), mode="bilinear", antialias=True, align_corners=False)
