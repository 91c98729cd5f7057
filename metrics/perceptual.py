"""LPIPS as a metric of exploits: how unlike the exploit of the clean images they look."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from impress_bench.metrics.base import Metric

if TYPE_CHECKING:
    from torch import Tensor


class PerceptualDistance(Metric):
    """LPIPS (Zhang et al. 2018, AlexNet) to what became of the clean images; 0 is no difference."""

    title: ClassVar[str] = "LPIPS"
    higher_is_better: ClassVar[bool] = False

    def __call__(self, images: Tensor, reference: Tensor | None) -> Tensor:
        """LPIPS (B,) of images (B, 3, H, W) in [0, 1]."""
        from impress_bench.metrics import lpips

        assert reference is not None
        return lpips(images, reference)
