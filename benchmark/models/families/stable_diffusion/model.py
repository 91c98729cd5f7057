"""Stable Diffusion 1 and 2, or the small embedded model, behind the interface of all models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from impress_bench.benchmark.models.conditioning import Conditioning
from impress_bench.benchmark.models.families.pipeline_model import TEXT, per_prompt
from impress_bench.benchmark.models.families.stable_diffusion.objective import (
    nearest_timestep,
    target,
)
from impress_bench.benchmark.models.families.stable_diffusion.sampling import PipelineSampling

if TYPE_CHECKING:
    from diffusers import DDIMScheduler, UNet2DConditionModel


@dataclass(frozen=True)
class StableDiffusion(PipelineSampling):
    """A diffusers Stable Diffusion pipeline as a `LatentDiffusion`.

    `pipeline` holds VAE, text encoder, tokenizer, U-Net and scheduler, frozen and in evaluation
    mode. `digest` identifies the weights: results are stored under it. `inpainting_unet` is the one
    in the folder's `inpainting/unet`, if there is one. A stock inpainting folder, whose own U-Net
    has 9 channels, is such a model too: asked as a denoiser it sees an image masked throughout.
    `numerics` is how its networks compute. Levels are timesteps, counted from 0.
    """

    inpainting_unet: UNet2DConditionModel | None = None

    def to(self, device: str) -> None:
        super().to(device)
        if self.inpainting_unet is not None:
            self.inpainting_unet.to(device)

    def networks(self) -> Mapping[str, Sequence[nn.Module]]:
        inpainting = self.inpainting_unet
        own = super().networks()
        return own if inpainting is None else {**own, "unet": (*own["unet"], inpainting)}

    @property
    def image_size(self) -> int:
        return int(self.pipeline.unet.config.sample_size * self.downsampling)

    @property
    def lora_targets(self) -> Sequence[str]:
        """Query, key, value and output of self- and cross-attention."""
        return ("to_q", "to_k", "to_v", "to_out.0")

    def in_attention(self, weight: str) -> bool:
        return ".attn" in weight and ".to_" in weight

    def reads_prompt(self, weight: str) -> bool:
        """Of cross-attention, which is the second of each block."""
        return "attn2.to_k" in weight or "attn2.to_v" in weight

    @property
    def feature_layers(self) -> Sequence[str]:
        """The second convolutions of the last block's ResNets, as in SimAC (Wang et al. 2024)."""
        last = len(self.pipeline.unet.up_blocks) - 1
        count = len(self.pipeline.unet.up_blocks[last].resnets)
        return [f"up_blocks.{last}.resnets.{i}.conv2" for i in range(count)]

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Text embeddings "text" (B, length, width)."""
        embeddings, _ = self.pipeline.encode_prompt(
            list(dict.fromkeys(prompts)), self.device, 1, do_classifier_free_guidance=False
        )
        return per_prompt(prompts, {TEXT: embeddings})

    @cached_property
    def noise_schedule(self) -> DDIMScheduler:
        """What a denoiser was trained on: `add_noise` and `get_velocity`, which samplers of other
        kinds have on scales of their own or not at all. No steps are taken with it."""
        return self.ddim()

    def draw_levels(self, generators: Sequence[torch.Generator]) -> Tensor:
        """Uniform over the timesteps."""
        count = int(self.noise_schedule.config.num_train_timesteps)
        draws = [torch.randint(count, (1,), generator=generator) for generator in generators]
        return torch.cat(draws).to(self.device)

    def even_levels(self, count: int) -> Tensor:
        total = int(self.noise_schedule.config.num_train_timesteps)
        timesteps = [int((place + 0.5) * total / count) for place in range(count)]
        return torch.tensor(timesteps, device=self.device)

    def level_of(self, snr: float) -> float:
        return nearest_timestep(self.noise_schedule.alphas_cumprod, snr)

    def noise(self, scaled: Tensor, levels: Tensor, eps: Tensor) -> Tensor:
        return self.noise_schedule.add_noise(scaled, eps, levels)

    def wanted(self, scaled: Tensor, levels: Tensor, eps: Tensor) -> Tensor:
        """The noise, or the velocity as Stable Diffusion 2 at 768 px."""
        return target(self.noise_schedule, scaled, eps, levels)

    def predict(self, noisy: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        text = conditioning.tensors[TEXT]
        return self.pipeline.unet(noisy, levels, encoder_hidden_states=text).sample
