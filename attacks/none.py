"""The unpurified baseline: images as published."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context


class NoPurifier(Purifier):
    """No purification; the baseline that purifiers are compared with."""

    name: ClassVar[str] = "none"
    title: ClassVar[str] = "No purifier"

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """The images themselves."""
        return images
