"""A model and images that are small enough for any test."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from impress_bench.benchmark.models.posterior import Posterior


class TinyModel:
    """A random autoencoder behind the part of LatentDiffusion's interface that plugins use.

    img2img just inverts the image and adds a little of each image's own noise.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        torch.manual_seed(0)
        blocks = ("DownEncoderBlock2D",) * 2, ("UpDecoderBlock2D",) * 2
        self.vae = AutoencoderKL(
            down_block_types=blocks[0],
            up_block_types=blocks[1],
            block_out_channels=(8, 16),
            norm_num_groups=4,
            mid_block_add_attention=False,
        ).to(dtype)
        self.dtype, self.device, self.prompts = dtype, torch.device("cpu"), []

    def encode(
        self,
        images: Tensor,
        sample: bool = False,
        generator: list[torch.Generator] | None = None,
    ) -> Tensor:
        found = self.posterior(images)
        return found.sample(generator) if sample else found.mean

    def posterior(self, images: Tensor) -> Posterior:
        found = self.vae.encode(2 * images - 1).latent_dist
        return Posterior(found.mean, found.std)

    def decode(self, latents: Tensor) -> Tensor:
        return (self.vae.decode(latents).sample + 1) / 2

    def tokenize(self, word: str) -> list[str]:
        return [word]

    def reconstruct(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))

    def img2img(
        self,
        images: Tensor,
        prompts: list[str],
        strength: float,
        steps: int,
        guidance_scale: float,
        generator: list[torch.Generator],
    ) -> Tensor:
        self.prompts = prompts
        noise = torch.stack([torch.randn(images.shape[1:], generator=g) for g in generator])
        return (1 - images + 0.05 * noise.to(images)).clamp(0, 1)


def smooth_images(n: int, side: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, 3, 6, 6, generator=generator)
    images = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)
    return (images * 255).round() / 255
