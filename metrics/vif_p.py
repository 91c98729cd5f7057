"""Pixel-domain visual information fidelity (Sheikh and Bovik 2006)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from impress_bench.benchmark.metric import MetricInfo

if TYPE_CHECKING:
    from torch import Tensor

INFO = MetricInfo("vif-p", "VIFp", higher_is_better=True)


def vif_p(preds: Tensor, target: Tensor) -> Tensor:
    """Share of the information in `target` that survives in `preds`, averaged over channels.

    Images (B, 3, H, W) in [0, 1] with sides of at least 41; returns (B,): 1 for equal images, 0 for
    unrelated ones, above 1 where `preds` is `target` with more contrast; higher is closer.

    Computed by torchmetrics and equal to `sewar.vifp(target, preds)` of the paper's evaluation. Not
    symmetric; NaN, there as here, where a channel of `target` is all one value. The noise variance
    of 2 holds on the scale 0-255, to which the images are brought here: on [0, 1] the result would
    be nonsense. In float64, like sewar.
    """
    from torchmetrics.functional.image import visual_information_fidelity

    fidelity = visual_information_fidelity(
        255 * preds.double(), 255 * target.double(), sigma_n_sq=2.0, reduction="none"
    )
    return fidelity.to(preds.dtype)
