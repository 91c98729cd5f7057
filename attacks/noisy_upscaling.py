"""Noisy upscaling (Hönig et al. 2024): noise, then Stable Diffusion's fourfold upscaler."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context, check_pixel_scale, check_range
from impress_bench.benchmark.models.families.upscaler import Upscaler
from impress_bench.benchmark.models.hub import missing
from impress_bench.benchmark.pixels import to_pixels
from impress_bench.benchmark.seeds import per_image_generators, randn_per_image

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class NoisyUpscaling(Purifier):
    """Adds noise and lets an upscaler explain it away.

    The authors caption each image and keep the fourfold size; here one prompt serves all, and the
    result is brought back to the size of the input, antialiased. Skipped without an upscaler.

    Args:
        upscaler: a folder or fetched hub id of a diffusers `StableDiffusionUpscalePipeline`, such
            as stabilityai/stable-diffusion-x4-upscaler.
        std: standard deviation of the noise; 0 to 1 on [0, 1] pixels.
        noise_level: what the upscaler is given as the noise level; at least 0, timesteps.
        prompt: of the upscaler.
        steps: steps of the upscaler; at least 1.
        guidance_scale: guidance of the upscaler; at least 0, none up to 1.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "noisy-upscaling"
    files: ClassVar[tuple[str, ...]] = ("upscaler",)

    def __init__(
        self,
        *,
        upscaler: str = "",
        std: float = 0.1,
        noise_level: int = 320,
        prompt: str = "an illustration",
        steps: int = 75,
        guidance_scale: float = 9.0,
    ) -> None:
        if not std >= 0:
            raise ValueError(f"std must be at least 0, not {std}")
        check_pixel_scale("std", std)
        check_range(0, noise_level=noise_level, guidance_scale=guidance_scale)
        check_range(1, steps=steps)
        self.upscaler = upscaler
        self.std = std
        self.noise_level = noise_level
        self.prompt = prompt
        self.steps = steps
        self.guidance_scale = guidance_scale

    def skip(self, model: LatentDiffusion | None) -> str | None:
        """What is missing, if no upscaler was named or it is not on this machine."""
        if self.upscaler:
            told = missing(self.upscaler)
            return f"the upscaler {self.upscaler} {told}" if told else None
        return "needs an upscaler: noisy-upscaling[upscaler=FOLDER], with diffusers' x4 upscaler"

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """Upscaled images, resized to their original size."""
        device = None if context.model is None else context.model.device
        upscale = Upscaler.from_pretrained(self.upscaler, device)
        generators = per_image_generators(context.generator, len(images))
        noisy = (images + self.std * randn_per_image(generators, images)).clamp(0, 1)
        restored = []
        for index, generator in enumerate(generators):
            drawn = upscale(
                Image.fromarray(to_pixels(noisy[index : index + 1].cpu())[0]),
                self.prompt,
                noise_level=self.noise_level,
                steps=self.steps,
                guidance_scale=self.guidance_scale,
                generator=generator,
            )
            restored.append(interpolate(drawn, images.shape[-2:], mode="bicubic", antialias=True))
            context.progress(index + 1, len(images))
        return torch.cat(restored).to(images).clamp(0, 1)
