"""L-infinity distance: the largest change of a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def linf(preds: Tensor, target: Tensor) -> Tensor:
    """Largest absolute difference of each image, in the unit of the images.

    Images (B, 3, H, W); returns (B,), within [0, 1] for images in [0, 1]; lower is closer.
    """
    return (preds - target).abs().amax(dim=(1, 2, 3))
