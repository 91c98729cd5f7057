"""Fewer levels per value, the first of the feature squeezers (Xu et al. 2018)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context


class BitDepth(Purifier):
    """Rounds each value to the nearest of 2^`bits` levels.

    Args:
        bits: bits per value; 1 to 8.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "bit-depth"

    def __init__(self, *, bits: int = 4) -> None:
        if not 1 <= bits <= 8:
            raise ValueError(f"bits must be from 1 to 8, not {bits}")
        self.bits = bits

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """Images with 2^`bits` levels per value."""
        steps = 2**self.bits - 1
        squeezed: Tensor = (images * steps).round() / steps
        return squeezed
