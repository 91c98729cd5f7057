"""What a purifier is: it sees protected images and a surrogate, nothing else.

The call is final: it checks input and output and rounds to the nearest 8-bit values, since the next
stage reads a PNG. A subclass writes `purify`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar, final

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Context, Purified, PurifierHooks
from impress_bench.benchmark.pixels import check_images, round_to_8bit


class Purifier(PurifierHooks, ABC):
    """Base of all purifiers."""

    name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__call__" in vars(cls):
            raise TypeError(f"{cls.__name__} overrides the final __call__; write purify instead")

    @abstractmethod
    def purify(self, images: Tensor, context: Context) -> Tensor:
        """Purified images for 8-bit protected ones, both (B, 3, H, W) in [0, 1]."""

    @final
    def __call__(self, images: Tensor, context: Context) -> Purified:
        """Purified 8-bit images.

        `images` is float32 or float64 (B, 3, H, W) in [0, 1]; values off the 8-bit grid are rounded
        to it first. Titles, masks and results are removed from the context. Raises PluginError for
        an input or output of a wrong type, shape or range, or with values that are not finite.
        """
        check_images(self.name, "input", images)
        published = round_to_8bit(images).to(images.dtype)
        blind = replace(context, titles=(), masks=None, results={})
        purified = self.purify(published, blind)
        check_images(self.name, "output", purified, like=images)
        with torch.no_grad():
            return Purified(round_to_8bit(purified).to(images.device))
