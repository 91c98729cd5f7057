"""Pixel-domain visual information fidelity (Sheikh and Bovik 2006)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from impress_bench.benchmark.metric import MetricInfo

if TYPE_CHECKING:
    from torch import Tensor

INFO = MetricInfo("vif-p", "VIFp", higher_is_better=True)

#: Sides of the Gaussian windows, finest scale first; their deviations are a fifth of that.
WINDOWS = (17, 9, 5, 3)
#: Variance of the visual noise, on the scale 0-255.
NOISE = 2.0
#: Variances below it count as none.
EPS = 1e-10
#: The least side of which the coarsest scale has one window.
SMALLEST = 41


def vif_p(preds: Tensor, target: Tensor) -> Tensor:
    """Share of the information in `target` that survives in `preds`, averaged over channels.

    Images (B, C, H, W) in [0, 1] with sides of at least 41; returns (B,): 1 for equal images, 0 for
    unrelated ones, above 1 where `preds` is `target` with more contrast; higher is closer.

    Equal to `sewar.vifp(target, preds)` of the paper's evaluation. Not symmetric; NaN, there as
    here, where a channel of `target` is all one value. The noise variance of 2 holds on the scale
    0-255, to which the images are brought here: on [0, 1] the result would be nonsense. In float64,
    like sewar, on the device of `preds`.

    Raises ValueError for images of different shapes or with a side below 41.
    """
    import torch

    if preds.shape != target.shape or min(preds.shape[-2:]) < SMALLEST:
        raise ValueError(
            f"VIFp compares images of one shape with sides of at least {SMALLEST}, not "
            f"{tuple(preds.shape)} and {tuple(target.shape)}"
        )
    distorted, reference = 255 * preds.double(), 255 * target.double()
    kept, whole = torch.zeros_like(distorted[..., 0, 0]), torch.zeros_like(distorted[..., 0, 0])
    for scale, window in enumerate(WINDOWS):
        if scale > 0:
            distorted, reference = (_blur(x, window, stride=2) for x in (distorted, reference))
        gain, variance, residual = _channel(distorted, reference, window)
        kept += (1 + gain.square() * variance / (residual + NOISE)).log10().sum((-2, -1))
        whole += (1 + variance / NOISE).log10().sum((-2, -1))
    return (kept / whole).mean(dim=1).to(preds.dtype)


def _channel(distorted: Tensor, reference: Tensor, window: int) -> tuple[Tensor, Tensor, Tensor]:
    """What each window of `distorted` is of `reference`: gain, variance of the reference, and
    variance of what was added to it."""
    mean_d, mean_r = _blur(distorted, window), _blur(reference, window)
    of_d = (_blur(distorted.square(), window) - mean_d.square()).clamp(min=0)
    of_r = (_blur(reference.square(), window) - mean_r.square()).clamp(min=0)
    covariance = _blur(distorted * reference, window) - mean_d * mean_r
    gain = covariance / (of_r + EPS)
    residual = of_d - gain * covariance
    # Without variance in the reference, or with a negative gain, all of `distorted` was added.
    alien = (of_r < EPS) | (gain < 0)
    flat = of_d < EPS
    residual = residual.where(~alien, of_d).masked_fill(flat, 0).clamp(min=EPS)
    return gain.masked_fill(alien | flat, 0), of_r.masked_fill(of_r < EPS, 0), residual


def _blur(images: Tensor, window: int, stride: int = 1) -> Tensor:
    """Valid positions of a Gaussian blur, of every `stride`th row and column.

    The window is a product of one along rows and one along columns. Shifted copies are summed:
    convolution in float64 is five times slower on a CPU at 512 px.
    """
    offsets = [at - (window - 1) / 2 for at in range(window)]
    # A deviation of window / 5, so that x^2 / 2 s^2 is 12.5 (x / window)^2.
    weights = [math.exp(-12.5 * (offset / window) ** 2) for offset in offsets]
    for dim in (-1, -2):
        end = images.shape[dim] - window + 1
        every = slice(None, None, stride)
        step = (..., every) if dim == -1 else (..., every, slice(None))
        parts = (images.narrow(dim, at, end)[step] for at in range(window))
        blurred = next(parts) * (weights[0] / sum(weights))
        for part, weight in zip(parts, weights[1:], strict=True):
            blurred.add_(part, alpha=weight / sum(weights))
        images = blurred
    return images
