"""Stable Diffusion's fourfold upscaler: no model that is attacked, but a purifier's own tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from PIL.Image import Image
from torch import Tensor

from impress_bench.benchmark.models.hub import HubId

if TYPE_CHECKING:
    from diffusers import StableDiffusionUpscalePipeline


@dataclass(frozen=True)
class Upscaler:
    """A diffusers upscaling pipeline."""

    pipeline: StableDiffusionUpscalePipeline

    @classmethod
    def from_pretrained(cls, source: str, device: torch.device | None) -> Upscaler:
        """One from a folder or fetched hub id, safetensors only, on `device`; None leaves it on
        the CPU.

        Raises OSError, as diffusers does, where it cannot be read.
        """
        from diffusers import StableDiffusionUpscalePipeline

        hub = HubId.parse(source)
        pipeline = StableDiffusionUpscalePipeline.from_pretrained(
            hub.name, revision=hub.revision, local_files_only=True, use_safetensors=True
        )
        pipeline.set_progress_bar_config(disable=True)
        if device is not None:
            pipeline.to(device)
        return cls(pipeline)

    def __call__(
        self,
        image: Image,
        prompt: str,
        *,
        noise_level: int,
        steps: int,
        guidance_scale: float,
        generator: torch.Generator,
    ) -> Tensor:
        """The image (1, 3, 4H, 4W) in [0, 1] at four times its size. `noise_level` is the timestep
        whose noise the upscaler assumes in it."""
        drawn: Tensor = self.pipeline(
            prompt,
            image=image,
            noise_level=noise_level,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            generator=generator,
            output_type="pt",
        ).images
        return drawn
