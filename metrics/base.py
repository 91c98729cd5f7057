"""What a metric of a third party is: a figure for each image that an exploit made.

Tasks have metrics of their own; `metrics = ["lpips"]` in a preset, or `--metrics`, adds to them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor


class Metric(ABC):
    """Base of all metrics that register under `impress_bench.metrics`."""

    #: What boards call it.
    title: ClassVar[str]
    higher_is_better: ClassVar[bool]
    #: Whether it compares with what the exploit makes of the clean images; tasks whose exploits
    #: cannot be compared image by image, such as style mimicry, then go without it.
    needs_reference: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, images: Tensor, reference: Tensor | None) -> Tensor:
        """A finite value (B,) for images float32 (B, 3, H, W) in [0, 1], beside `reference` of the
        same shape where `needs_reference`. A cell's figure is the mean."""
