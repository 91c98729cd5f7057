"""Inpainting with a gradient, which PhotoGuard's diffusion attack descends (Salman et al. 2023).

The denoiser sees noisy latents, a mask, and the latents of the masked image. What malicious editing
does is the model's own `repaint`, the same chain without a gradient.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.checkpoint import checkpoint

from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.seeds import randn_per_image


def masked_out(images: Tensor, kept: Tensor) -> Tensor:
    """`images` with mid-grey, 0 on [-1, 1] pixels, where `kept`, (B, 1, H, W), is 0 and not 1."""
    return images * kept + 0.5 * (1 - kept)


def latent_mask(model: LatentDiffusion, kept: Tensor) -> Tensor:
    """1 where the model paints, (B, 1, h, w) on latents, for `kept` (B, 1, H, W) on pixels."""
    sides = [side // model.downsampling for side in kept.shape[-2:]]
    return interpolate(1 - kept, sides).to(model.device, model.dtype)


def inpainting_chain(
    model: LatentDiffusion,
    images: Tensor,
    keep: Tensor,
    generators: Sequence[torch.Generator],
    *,
    steps: int,
    eta: float = 1.0,
    checkpointing: bool = True,
) -> Tensor:
    """What the inpainting model makes of `images` without a prompt, (B, 3, H, W) on [0, 1], not
    clamped, differentiable in `images` through every step.

    Masked to mid-grey outside `keep` (B, H, W) first. Without a prompt guidance changes nothing, so
    the denoiser is run once per step. Starting noise, posterior and steps (`eta`) draw from each
    image's own generator, in the order in which `repaint` does. With `checkpointing` the denoiser
    is run again in the backward pass instead of being stored: memory then hardly grows with
    `steps`. Raises ValueError for a model that cannot inpaint.
    """
    if model.inpainting_problem:
        raise ValueError(model.inpainting_problem)
    sampler = model.sampler(steps)
    kept = keep[:, None].to(images)
    mask = latent_mask(model, kept)
    noisy = randn_per_image(generators, mask.expand(-1, model.latent_channels, -1, -1))
    masked = model.scale(model.encode(masked_out(images, kept), True, generators))
    noises = [randn_per_image(generators, masked) for _ in range(steps)]
    conditioning = model.embed([""]).expand(len(images))

    def predict(noisy: Tensor, masked: Tensor, level: Tensor) -> Tensor:
        levels = level.expand(len(noisy))
        return model.predict_inpainting(noisy, levels, conditioning, mask, masked)

    for level, noise in zip(sampler.levels, noises, strict=True):
        if checkpointing:  # of the attack's choice, whatever the model's numerics say
            predicted = checkpoint(predict, noisy, masked, level, use_reentrant=False)
        else:
            predicted = predict(noisy, masked, level)
        noisy = sampler.step(predicted, level, noisy, eta, noise)
    return model.decode(model.unscale(noisy))
