"""FLUX.1 behind the interface of all models.

What is learned follows diffusers' `train_dreambooth_lora_flux.py` (0.33) at its defaults: places
uniform on the schedule, whose times are not shifted in training; noise - x to be predicted, squared
error without weights; the guidance that a distilled model is told is 3.5.

Where the transformer has an embedding of guidance (dev), `guidance_scale` of painting is what it is
told, with one pass per step; without one (schnell) it changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from impress_bench.benchmark.models.conditioning import Conditioning
from impress_bench.benchmark.models.families.pipeline_model import POOLED, TEXT, per_prompt
from impress_bench.benchmark.models.families.rectified_flow import RectifiedFlow
from impress_bench.benchmark.models.numerics import Numerics

#: The guidance that the denoiser is told but for painting, as in training.
GUIDANCE = 3.5


@dataclass(frozen=True)
class Flux(RectifiedFlow):
    """A diffusers FLUX.1 pipeline as a `LatentDiffusion`. Latents are (B, 16, h, w) here, and
    packed into tokens of 2 x 2 where the transformer sees them.

    In bfloat16, in which FLUX.1 is published, transformer and text encoders also keep their weights
    in it (34 GB instead of 67): nothing is lost, and it fits a GPU of 80 GB.
    """

    REDRAWS = "FluxImg2ImgPipeline"

    def with_numerics(self, numerics: Numerics) -> Flux:
        """Changes its networks."""
        if numerics.precision == "bfloat16":
            parts = self.pipeline.text_encoder, self.pipeline.text_encoder_2
            for network in (self.pipeline.transformer, *parts):
                network.to(torch.bfloat16)
        return super().with_numerics(numerics)

    @property
    def image_size(self) -> int:
        """The VAE's, since the transformer's settings say nothing of a size."""
        return int(self.pipeline.vae.config.sample_size)

    @property
    def lora_targets(self) -> Sequence[str]:
        """Joint attention's projections and the feed-forward layers of both streams."""
        image = ("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0")
        text = ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out")
        forward = [f"{ff}.net.{end}" for ff in ("ff", "ff_context") for end in ("0.proj", "2")]
        return (*image, *text, *forward)

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Text embeddings "text" (B, 512, width) and "pooled" (B, width)."""
        text, pooled, _ = self.pipeline.encode_prompt(
            list(dict.fromkeys(prompts)), device=self.device
        )
        return per_prompt(prompts, {TEXT: text.to(self.dtype), POOLED: pooled.to(self.dtype)})

    def draw_place(self, generator: torch.Generator) -> Tensor:
        """Uniform."""
        return torch.rand(1, generator=generator)

    def unshifted_times(self, steps: int) -> list[float] | None:
        times: list[float] = np.linspace(1.0, 1 / steps, steps).tolist()
        return times

    def predict(self, noisy: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """Under the guidance of training."""
        pipeline, (height, width) = self.pipeline, noisy.shape[-2:]
        text = conditioning.tensors[TEXT]
        guided = pipeline.transformer.config.guidance_embeds
        predicted = pipeline.transformer(
            self.packed(noisy),
            timestep=levels,
            guidance=torch.full_like(levels, GUIDANCE) if guided else None,
            pooled_projections=conditioning.tensors[POOLED],
            encoder_hidden_states=text,
            txt_ids=torch.zeros(text.shape[1], 3, device=noisy.device, dtype=noisy.dtype),
            img_ids=pipeline._prepare_latent_image_ids(
                len(noisy), height // 2, width // 2, noisy.device, noisy.dtype
            ),
        ).sample
        sides = [side * self.downsampling for side in (height, width)]
        unpacked: Tensor = pipeline._unpack_latents(predicted, *sides, self.downsampling)
        return unpacked

    def packed(self, noisy: Tensor) -> Tensor:
        """Tokens (B, h w / 4, 64)."""
        tokens: Tensor = self.pipeline._pack_latents(noisy, *noisy.shape)
        return tokens

    def told(self, prompts: Sequence[str], guided: bool) -> dict[str, Tensor]:
        """The prompts alone: guidance is told to the transformer."""
        return super().told(prompts, guided=False)
