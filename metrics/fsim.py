"""Feature similarity FSIM (Zhang et al. 2011) as a metric of exploits, computed by piq."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from impress_bench.metrics.base import Metric
from impress_bench.metrics.missing import require

if TYPE_CHECKING:
    from torch import Tensor


class Fsim(Metric):
    """FSIMc, in phase congruency, gradient and colour, to what became of the clean images.

    1 for equal images; needs the extra `[fsim]` and no weights.
    """

    title: ClassVar[str] = "FSIM"
    higher_is_better: ClassVar[bool] = True
    library: ClassVar[tuple[str, str] | None] = ("piq", "fsim")

    def __call__(self, images: Tensor, reference: Tensor | None) -> Tensor:
        """FSIMc (B,) of images (B, 3, H, W) in [0, 1]. Raises PluginError, for a skipped cell,
        where piq is not installed."""
        require("fsim", "piq", "fsim")
        from piq import fsim

        assert reference is not None
        values: Tensor = fsim(images, reference, reduction="none")
        return values
