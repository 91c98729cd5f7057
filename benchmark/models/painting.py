"""What a model paints from prompts alone, as a mimic does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.seeds import Generators, as_generators


def _silent(done: int, total: int) -> None:
    """Progress that nobody watches."""


@torch.no_grad()
def paint(
    model: LatentDiffusion,
    prompts: Sequence[str],
    generator: Generators,
    *,
    steps: int,
    guidance_scale: float,
    sampler: str = "model",
    batch_size: int = 32,
    progress: Callable[[int, int], None] = _silent,
) -> Tensor:
    """One image (B, 3, H, W) in [0, 1] a prompt.

    Image i has noise of its own derived from `generator`, the same whatever the weights: conditions
    are compared pairwise. `sampler` is the "model"'s own, or another that its family knows, as
    "dpm-solver++", which the paper samples with. Raises ValueError for one that it does not.
    """
    generators = as_generators(generator, len(prompts))
    parts = []
    for start in range(0, len(prompts), batch_size):
        part = slice(start, start + batch_size)
        made = model.sample(
            prompts[part],
            generators[part],
            steps=steps,
            guidance_scale=guidance_scale,
            sampler=sampler,
        )
        parts.append(made.float())
        progress(min(start + batch_size, len(prompts)), len(prompts))
    return torch.cat(parts).clamp(0, 1)
