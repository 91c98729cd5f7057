"""Peak signal-to-noise ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def psnr(preds: Tensor, target: Tensor) -> Tensor:
    """10 log10(1 / mean squared error) of each image over all its channels, in dB.

    Images (B, 3, H, W) in [0, 1]; returns (B,), infinite for equal images; higher is closer.
    Computed by torchmetrics image by image: by default it would pool the error over the batch.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    return peak_signal_noise_ratio(preds, target, data_range=1.0, dim=(1, 2, 3), reduction="none")
