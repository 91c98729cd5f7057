"""Added Gaussian noise, the paper's second baseline."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context, check_pixel_scale
from impress_bench.benchmark.seeds import per_image_generators, randn_per_image


class GaussianNoise(Purifier):
    """Adds independent normal noise to each value and clips to [0, 1].

    Args:
        std: standard deviation; 0 to 1 on [0, 1] pixels. The default is the paper's variance of
            0.15 (Section 5.1), read on [0, 1], hence 0.387. The paper's evaluation script names the
            same row `gauss0.1`, that is std=0.1; the code that made the images is not public.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "gaussian-noise"
    title: ClassVar[str] = "Noise"

    def __init__(self, *, std: float = 0.15**0.5) -> None:
        if not std >= 0:
            raise ValueError(f"std must be at least 0, not {std}")
        check_pixel_scale("std", std)
        self.std = std

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """Noisy images; each image has its own noise."""
        generators = per_image_generators(context.generator, len(images))
        return (images + self.std * randn_per_image(generators, images)).clamp(0, 1)
