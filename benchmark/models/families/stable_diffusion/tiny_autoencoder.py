"""AutoencoderTiny (TAESD), a small autoencoder in the latent space of Stable Diffusion, as a VAE.

It has no posterior: an image has one latent. Here its posterior is that latent, of deviation 0, so
that whatever is stated on an `AutoencoderKL` runs on it too. Its latents are on the scale on which
the U-Net works already (`scaling_factor` 1.0).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import AutoencoderTiny
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTinyOutput
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor


@dataclass
class CertainOutput(AutoencoderTinyOutput):  # type: ignore[misc]
    """Latents (B, 4, h, w), and the distribution that is sure of them."""

    latent_dist: DiagonalGaussianDistribution


class CertainAutoencoder(AutoencoderTiny):  # type: ignore[misc]
    """AutoencoderTiny with a posterior. Samples of it draw from their generators all the same, so
    that streams of noise are those of any other model."""

    def encode(self, x: Tensor, return_dict: bool = True) -> CertainOutput | tuple[Tensor]:
        """Latents of images (B, 3, H, W) in [-1, 1], and their posterior."""
        (latents,) = super().encode(x, return_dict=False)
        if not return_dict:
            return (latents,)
        parameters = torch.cat([latents, torch.zeros_like(latents)], dim=1)
        posterior = DiagonalGaussianDistribution(parameters, deterministic=True)
        return CertainOutput(latents=latents, latent_dist=posterior)


def with_posterior(vae: AutoencoderTiny) -> CertainAutoencoder:
    """`vae` with a posterior, in float32."""
    twin = CertainAutoencoder.from_config(vae.config)
    twin.load_state_dict(vae.state_dict())
    return twin
