"""Projected gradient descent whose steps an objective shortens, image by image (DisDiff)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from impress_bench.protections.solvers.pgd import Pgd


@dataclass
class Pace:
    """What an objective sets in `loss`: the share (B,) of its length that each image's step has."""

    factors: Tensor = field(default_factory=lambda: torch.ones(1))


@dataclass(frozen=True)
class PacedPgd(Pgd):
    """As `Pgd`, but that each image's step has the share of its length that the objective set last.

    Args:
        pace: what the objective sets; its own, so that an adaptation that keeps this solver keeps
            the pace. One solve at a time.
    """

    pace: Pace = field(default_factory=Pace)

    def rate(self, step: int) -> Tensor:  # type: ignore[override]
        """The length of step `step`, counted from 0, (B, 1, 1, 1)."""
        return super().rate(step) * self.pace.factors[:, None, None, None]
