"""What a U-Net of Stable Diffusion learns, on its schedule of noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from diffusers import DDIMScheduler


def target(scheduler: DDIMScheduler, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """What a U-Net on this schedule is to predict: the noise, or the velocity (Salimans and Ho
    2022), as Stable Diffusion 2 at 768 px does. Raises ValueError for another kind."""
    kind = scheduler.config.prediction_type
    if kind == "epsilon":
        return noise
    if kind == "v_prediction":
        return scheduler.get_velocity(clean, noise, timesteps)
    raise ValueError(
        f"cannot fine-tune a model that predicts {kind!r}; known: epsilon, v_prediction"
    )


def nearest_timestep(kept: Tensor, snr: float) -> float:
    """The timestep, from 0, whose signal-to-noise ratio a / (1 - a) is nearest to `snr` on a
    logarithmic scale; `kept` (T,) are the a, cumulated products of 1 - beta."""
    kept = kept.double()
    gaps = (kept.log() - (1 - kept).log() - torch.tensor(snr, dtype=torch.float64).log()).abs()
    return float(gaps.argmin())


@dataclass(frozen=True)
class DdimSampler:
    """DDIM (Song et al. 2021) at timesteps `levels` of a scheduler that has its steps set."""

    scheduler: DDIMScheduler
    levels: Tensor

    def step(
        self,
        predicted: Tensor,
        level: Tensor,
        noisy: Tensor,
        eta: float = 0.0,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Scaled latents (B, 4, h, w) at the next timestep."""
        stepped = self.scheduler.step(predicted, level, noisy, eta=eta, variance_noise=noise)
        return stepped.prev_sample
