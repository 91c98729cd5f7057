"""The sampler of rectified flows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class EulerSampler:
    """Euler's steps along a flow, from each of the times `levels` to the next; the last to 0."""

    levels: Tensor

    def step(
        self,
        predicted: Tensor,
        level: Tensor,
        noisy: Tensor,
        eta: float = 0.0,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Scaled latents (B, C, h, w) at the next time. Raises ValueError for another `eta` than
        0: a flow has no fresh noise."""
        if eta:
            raise ValueError(f"a flow's sampler is deterministic: eta must be 0, not {eta}")
        later = self.levels[self.levels < level]
        following = later.max() if len(later) else torch.zeros_like(level)
        return noisy + (following - level) * predicted
