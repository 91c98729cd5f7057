"""What a model paints from prompts alone, as a mimic does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from impress_bench.benchmark.models.families.stable_diffusion.pipelines import rebuilt
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.seeds import Generators, as_generators, randn_per_image

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


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
    are compared pairwise. `sampler` is the "model"'s own, or "dpm-solver++" on its schedule, which
    the paper samples with. Raises ValueError for another.
    """
    pipeline = _sampling_with(model, sampler)
    generators = as_generators(generator, len(prompts))
    parts = []
    for start in range(0, len(prompts), batch_size):
        part = slice(start, start + batch_size)
        made = pipeline(
            list(prompts[part]),
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            generator=generators[part],
            latents=_starting_noise(model, generators[part]),
            output_type="pt",
        ).images
        parts.append(made.float())
        progress(min(start + batch_size, len(prompts)), len(prompts))
    return torch.cat(parts).clamp(0, 1)


def _sampling_with(model: LatentDiffusion, sampler: str) -> StableDiffusionPipeline:
    """Raises ValueError for a sampler that is not known."""
    if sampler == "model":
        return model.pipeline
    if sampler != "dpm-solver++":
        raise ValueError(f"unknown sampler {sampler!r}; known: model, dpm-solver++")
    from diffusers import DPMSolverMultistepScheduler

    scheduler = DPMSolverMultistepScheduler.from_config(model.pipeline.scheduler.config)
    return rebuilt(model.pipeline, scheduler=scheduler)


def _starting_noise(model: LatentDiffusion, generators: Sequence[torch.Generator]) -> Tensor:
    """Latents (B, 4, h, w) to begin painting with. Told to the pipeline, which would draw as many
    channels as an inpainting U-Net has."""
    channels = model.pipeline.vae.config.latent_channels
    side = model.pipeline.unet.config.sample_size
    shape = (len(generators), channels, side, side)
    return randn_per_image(generators, torch.empty(shape, device=model.device, dtype=model.dtype))
