"""Peak signal-to-noise ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from impress_bench.benchmark.metric import MetricInfo

if TYPE_CHECKING:
    from torch import Tensor

INFO = MetricInfo("psnr", "PSNR", higher_is_better=True, unit="dB")


def psnr(preds: Tensor, target: Tensor) -> Tensor:
    """10 log10(1 / mean squared error) of each image over all its channels, in dB.

    Images (B, 3, H, W) in [0, 1]; returns (B,), infinite for equal images; higher is closer.
    Not by torchmetrics, which takes the logarithm of its base in float32: 1e-6 dB beside sewar.
    """
    return -10 * (preds - target).square().mean(dim=(1, 2, 3)).log10()
