"""Structural similarity with a box window, as the paper's evaluation code computes it.

The paper's Tables 2 and 5 call `sewar.ssim`: 11 x 11 windows of equal weight, valid positions only,
biased variances, K1 = 0.01, K2 = 0.03, averaged over channels. The Gaussian window of Wang et al.
2004, default in torchmetrics and skimage, gives clearly other values (0.335 where this is 0.493).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from impress_bench.benchmark.metric import MetricInfo

if TYPE_CHECKING:
    from torch import Tensor

INFO = MetricInfo("ssim", "SSIM", higher_is_better=True)


def ssim(
    preds: Tensor, target: Tensor, window: int = 11, k1: float = 0.01, k2: float = 0.03
) -> Tensor:
    """Mean over positions and channels of the SSIM index of each image.

    Images (B, 3, H, W) in [0, 1] with sides of at least `window`; returns (B,) in [-1, 1], 1 for
    equal images; higher is closer. `k1` and `k2` are Wang et al.'s stabilising constants. Window
    sums are taken in float64, since a variance is a small difference of large moments.
    """
    from torch.nn.functional import avg_pool2d

    x, y = preds.double(), target.double()
    # Rows, then columns: a window's mean is the mean of its rows' means, at 22 additions, not 121.
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = (
        avg_pool2d(avg_pool2d(moment, (1, window), stride=1), (window, 1), stride=1)
        for moment in (x, y, x * x, y * y, x * y)
    )
    c1, c2 = k1**2, k2**2
    variances = mean_xx - mean_x**2 + mean_yy - mean_y**2
    covariance = mean_xy - mean_x * mean_y
    index = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    index = index / ((mean_x**2 + mean_y**2 + c1) * (variances + c2))
    return index.mean(dim=(1, 2, 3)).to(preds.dtype)
