"""The denoising error, which training a diffusion model lowers and many protections raise.

    L(x) = || eps - eps_theta(z_t, t, c) ||^2,   z_t = sqrt(a_t) E(x) + sqrt(1 - a_t) eps

for noise eps and a timestep t drawn anew at every step (AdvDM, Liang et al. 2023, Eq. 6; Mist,
Anti-DreamBooth, CAAT and MetaCloak share it). What a model that predicts something else than noise
is trained on takes its place, with the weight of its level in the family's training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.seeds import randn_per_image

if TYPE_CHECKING:
    from impress_bench.benchmark.models.conditioning import Conditioning
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class Denoising(NamedTuple):
    """One draw per image: scaled latents, what is predicted and what is wanted, (B, C, h, w), and
    what training makes its error count, (B,)."""

    latents: Tensor
    predicted: Tensor
    wanted: Tensor
    weights: Tensor

    @property
    def error(self) -> Tensor:
        """Mean squared error (B,), weighted."""
        return self.weights * (self.predicted - self.wanted).square().flatten(1).mean(dim=1)


def denoise(
    model: LatentDiffusion,
    x: Tensor,
    prompts: Conditioning,
    generators: Sequence[torch.Generator],
    *,
    gradient: bool = True,
    sample: bool = True,
    levels: Tensor | None = None,
) -> Denoising:
    """The model's denoiser on noisy latents of `x` (B, 3, H, W) in [0, 1], differentiable.

    Each image draws its latents from their posterior (their mean without `sample`), a level and
    noise from its own generator, unless `levels` (B,) are given. `prompts` have one row per image,
    or one for all. Without `gradient` the denoiser's activations are not stored, and only `latents`
    are differentiable in `x`.
    """
    latents = model.scale(model.encode(x, sample, generators))
    return denoise_latents(model, latents, prompts, generators, gradient=gradient, levels=levels)


def denoise_latents(
    model: LatentDiffusion,
    latents: Tensor,
    prompts: Conditioning,
    generators: Sequence[torch.Generator],
    *,
    gradient: bool = True,
    levels: Tensor | None = None,
    noise: Tensor | None = None,
) -> Denoising:
    """The same for scaled `latents` (B, C, h, w) that are drawn already, as `levels` (B,) and
    `noise` (B, C, h, w) may be."""
    levels = model.draw_levels(generators) if levels is None else levels
    noise = randn_per_image(generators, latents) if noise is None else noise
    with torch.set_grad_enabled(gradient and torch.is_grad_enabled()):
        noisy = model.noise(latents, levels, noise)
        predicted = model.predict(noisy, levels, prompts.expand(len(latents)))
        wanted = model.wanted(latents, levels, noise)
    return Denoising(latents, predicted, wanted, model.loss_weights(levels))
