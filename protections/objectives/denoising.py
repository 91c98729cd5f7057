"""The denoising error, which training a diffusion model lowers and many protections raise.

    L(x) = || eps - eps_theta(z_t, t, c) ||^2,   z_t = sqrt(a_t) E(x) + sqrt(1 - a_t) eps

for noise eps and a timestep t drawn anew at every step (AdvDM, Liang et al. 2023, Eq. 6; Mist,
Anti-DreamBooth, CAAT and MetaCloak share it).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.models.fine_tuning import target
from impress_bench.benchmark.seeds import randn_per_image

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class Denoising(NamedTuple):
    """One draw per image: scaled latents, the U-Net's prediction and its target, (B, 4, h, w)."""

    latents: Tensor
    predicted: Tensor
    wanted: Tensor

    @property
    def error(self) -> Tensor:
        """Mean squared error (B,)."""
        return (self.predicted - self.wanted).square().flatten(1).mean(dim=1)


def denoise(
    model: LatentDiffusion,
    x: Tensor,
    prompts: Tensor,
    generators: Sequence[torch.Generator],
    *,
    unet: UNet2DConditionModel | None = None,
    gradient: bool = True,
    sample: bool = True,
) -> Denoising:
    """`unet`, or the model's own, on noisy latents of `x` (B, 3, H, W) in [0, 1], differentiable.

    Each image draws its latents from their posterior (their mean without `sample`), a timestep and
    noise from its own generator. `prompts` are text embeddings (B, length, width) or (1, length,
    width). Without `gradient` the U-Net's activations are not stored, and only `latents` are
    differentiable in `x`.
    """
    latents = model.encode(x, sample, generators) * model.latent_scale
    return denoise_latents(model, latents, prompts, generators, unet=unet, gradient=gradient)


def denoise_latents(
    model: LatentDiffusion,
    latents: Tensor,
    prompts: Tensor,
    generators: Sequence[torch.Generator],
    *,
    unet: UNet2DConditionModel | None = None,
    gradient: bool = True,
) -> Denoising:
    """The same for scaled `latents` (B, 4, h, w) that are drawn already."""
    scheduler = model.noise_schedule
    unet = model.pipeline.unet if unet is None else unet
    count = int(scheduler.config.num_train_timesteps)
    draws = [torch.randint(count, (1,), generator=generator) for generator in generators]
    timesteps = torch.cat(draws).to(latents.device)
    noise = randn_per_image(generators, latents)
    with torch.set_grad_enabled(gradient and torch.is_grad_enabled()):
        noisy = scheduler.add_noise(latents, noise, timesteps)
        context = prompts.expand(len(latents), -1, -1)
        predicted = unet(noisy, timesteps, encoder_hidden_states=context).sample
        wanted = target(scheduler, latents, noise, timesteps)
    return Denoising(latents, predicted, wanted)
