"""The unprotected baseline: images as they are."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context
from impress_bench.protections.base import Protection


class Identity(Protection):
    """No protection; the baseline that protections are compared with."""

    name: ClassVar[str] = "identity"
    title: ClassVar[str] = "Clean"
    control: ClassVar[bool] = True
    budget = Budget(linf=0.0)

    def perturb(self, images: Tensor, context: Context) -> Tensor:
        """The images themselves."""
        return images
