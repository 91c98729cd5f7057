"""The autoencoder of a latent diffusion model: images to latents and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from impress_bench.benchmark.models.numerics import Numerics
from impress_bench.benchmark.models.posterior import Posterior
from impress_bench.benchmark.seeds import Generators, as_generators, randn_per_image

Made = TypeVar("Made")


class LatentAutoencoder(ABC):
    """Encoder and decoder between images (B, 3, H, W) in [0, 1] and latents (B, C, h, w).

    Latents are unscaled, as the encoder has them, unless a name says otherwise: GLAZE and
    PhotoGuard are stated on them. `scale` brings them to about mean 0 and variance 1, the scale on
    which the denoiser works, and `unscale` back (Rombach et al. 2022, appendix G; with a shift
    since Stable Diffusion 3). C, h and w are the model's own affair: `latent_channels`, and sides
    divided by `downsampling`.
    """

    #: How the networks compute.
    numerics: Numerics

    @property
    @abstractmethod
    def autoencoder(self) -> nn.Module:
        """The network, frozen and in evaluation mode."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the weights lie."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """The weights' floating type."""

    @property
    @abstractmethod
    def latent_channels(self) -> int:
        """Channels C of latents: 4 in Stable Diffusion 1 and 2, 16 in 3."""

    @property
    @abstractmethod
    def downsampling(self) -> int:
        """Pixels per latent along a side."""

    @property
    def side_multiple(self) -> int:
        """Sides of images must be multiples of this, in px; more than `downsampling` where a
        denoiser joins latents to patches."""
        return self.downsampling

    @property
    @abstractmethod
    def latent_scale(self) -> float:
        """Factor that brings latents to unit variance, after the shift."""

    @property
    def latent_shift(self) -> float:
        """What is subtracted from latents before they are scaled."""
        return 0.0

    @abstractmethod
    def posterior(self, images: Tensor) -> Posterior:
        """The encoder's distribution of latents of `images`; differentiable. One without spread
        has a deviation of 0."""

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Images of unscaled latents, on the [0, 1] scale and not clamped. Differentiable."""

    def encode(
        self, images: Tensor, sample: bool = False, generator: Generators | None = None
    ) -> Tensor:
        """Unscaled latents of images: the posterior's mean, or a sample from it.

        Differentiable. With `sample`, image i draws from a generator of its own derived from
        `generator`, so that a result does not depend on what else is in the batch.
        """
        found = self.posterior(images)
        if not sample:
            return found.mean
        return found.mean + found.std * noise_like(found.mean, generator)

    def scale(self, latents: Tensor) -> Tensor:
        """Scaled latents for unscaled ones."""
        if self.latent_shift:
            latents = latents - self.latent_shift
        return latents * self.latent_scale

    def unscale(self, scaled: Tensor) -> Tensor:
        """Unscaled latents for scaled ones."""
        latents = scaled / self.latent_scale
        return latents + self.latent_shift if self.latent_shift else latents

    def checkpointed(self, network: Callable[..., Made], *inputs: Tensor) -> Made:
        """Runs `network`, with gradient checkpointing if the numerics ask for it."""
        if self.numerics.checkpointing and torch.is_grad_enabled():
            return checkpoint(network, *inputs, use_reentrant=False)
        return network(*inputs)


def noise_like(values: Tensor, generator: Generators | None) -> Tensor:
    """Standard normal values like `values` (B, ...), each image's from its own generator; from
    torch's own where there is none."""
    if generator is None:
        return torch.randn_like(values)
    return randn_per_image(as_generators(generator, len(values)), values)
