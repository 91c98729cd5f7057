"""L2 distance: the Euclidean norm of an image's change over all its values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def l2(preds: Tensor, target: Tensor) -> Tensor:
    """Euclidean norm of each image's difference, summed over channels and pixels, not averaged.

    Images (B, 3, H, W); returns (B,), within [0, sqrt(3HW)] for images in [0, 1]; lower is closer.
    It grows with the side of the image: PhotoGuard's 16 at 512 px on [-1, 1] is 8 on [0, 1], and
    1 at 64 px.
    """
    return (preds - target).square().sum(dim=(1, 2, 3)).sqrt()
