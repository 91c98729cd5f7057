"""Noise levels across schedules: how noisy a diffusion is at a share of its schedule."""

from __future__ import annotations

import numpy as np

#: Stable Diffusion's: square roots of betas are even between these, over 1,000 timesteps.
FIRST, LAST, TIMESTEPS = 0.00085, 0.012, 1000


def diffusion_snr(share: float) -> float:
    """The signal-to-noise ratio a / (1 - a) of Stable Diffusion at t* = `share` of its schedule,
    which counts from one: above 0, at most 1. `a` is the cumulated product of 1 - beta (Rombach et
    al. 2022). Raises ValueError for a share that is no timestep."""
    timestep = round(share * TIMESTEPS)
    if not 1 <= timestep <= TIMESTEPS:
        raise ValueError(f"share must lie in (0, 1] and be a timestep of {TIMESTEPS}, not {share}")
    betas = np.linspace(FIRST**0.5, LAST**0.5, TIMESTEPS) ** 2
    kept = float(np.prod(1 - betas[:timestep]))
    return kept / (1 - kept)
