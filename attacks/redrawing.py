"""Images noised and denoised without a prompt (SDEdit, Meng et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


@dataclass(frozen=True)
class Redrawing:
    """Noise up to `strength` of the schedule, then that share of `steps` back.

    The noise is that of t* = `strength` T of a diffusion's T timesteps, which DiffPure and GrIDPure
    count from one, rounded to a multiple of T / `steps`; the steps back begin there.

    Raises ValueError for a strength outside (0, 1] or where no step is left.
    """

    strength: float
    steps: int

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 1:
            raise ValueError(f"strength must lie in (0, 1], not {self.strength}")
        if self.strength * self.steps < 1 - 1e-9:
            raise ValueError(
                f"steps={self.steps} at strength={self.strength} leave nothing to denoise"
            )

    def __call__(
        self, images: Tensor, model: LatentDiffusion, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """`images` (B, 3, H, W) in [0, 1] noised and denoised, each with its own noise."""
        taken = round(self.strength * self.steps)
        return model.redraw(images, taken=taken, steps=self.steps, generator=generators)
