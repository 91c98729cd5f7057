"""Stable Diffusion 1 and 2, or the small embedded model, behind the interface of all models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from impress_bench.benchmark.models.conditioning import Conditioning
from impress_bench.benchmark.models.families.pipelines import rebuilt
from impress_bench.benchmark.models.families.stable_diffusion.objective import (
    TEXT,
    nearest_timestep,
    target,
)
from impress_bench.benchmark.models.families.stable_diffusion.sampling import PipelineSampling
from impress_bench.benchmark.models.numerics import PLAIN, Numerics, compute
from impress_bench.benchmark.models.posterior import Posterior

if TYPE_CHECKING:
    from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel


@dataclass(frozen=True)
class StableDiffusion(PipelineSampling):
    """A diffusers Stable Diffusion pipeline as a `LatentDiffusion`.

    `pipeline` holds VAE, text encoder, tokenizer, U-Net and scheduler, frozen and in evaluation
    mode. `digest` identifies the weights: results are stored under it. `inpainting_unet` is the one
    in the folder's `inpainting/unet`, if there is one. A stock inpainting folder, whose own U-Net
    has 9 channels, is such a model too: asked as a denoiser it sees an image masked throughout.
    `numerics` is how its networks compute. Levels are timesteps, counted from 0.
    """

    pipeline: StableDiffusionPipeline
    digest: str
    inpainting_unet: UNet2DConditionModel | None = None
    numerics: Numerics = PLAIN

    def to(self, device: str) -> None:
        self.pipeline.to(device)
        if self.inpainting_unet is not None:
            self.inpainting_unet.to(device)

    def with_numerics(self, numerics: Numerics) -> StableDiffusion:
        """Changes its networks; on a GPU their weights become channels last, which convolutions
        there are fastest with."""
        vae, unets = self.pipeline.vae, self.networks()["unet"]
        for network in (vae.encoder, vae.decoder):
            compute(network, "float32", numerics.compiled)
        for network in unets:
            compute(network, numerics.precision, numerics.compiled)
        if self.device.type == "cuda":
            for network in (vae, *unets):
                network.to(memory_format=torch.channels_last)
        return replace(self, numerics=numerics)

    def networks(self) -> Mapping[str, Sequence[nn.Module]]:
        vae, unets = self.pipeline.vae, (self.pipeline.unet, self.inpainting_unet)
        there = tuple(unet for unet in unets if unet is not None)
        return {"encoder": (vae.encoder,), "decoder": (vae.decoder,), "unet": there}

    @property
    def autoencoder(self) -> nn.Module:
        return self.pipeline.vae

    @property
    def device(self) -> torch.device:
        return self.pipeline.vae.device

    @property
    def dtype(self) -> torch.dtype:
        return self.pipeline.vae.dtype

    @property
    def latent_channels(self) -> int:
        return int(self.pipeline.vae.config.latent_channels)

    @property
    def downsampling(self) -> int:
        return int(self.pipeline.vae_scale_factor)

    @property
    def latent_scale(self) -> float:
        return float(self.pipeline.vae.config.scaling_factor)

    @property
    def image_size(self) -> int:
        return int(self.pipeline.unet.config.sample_size * self.downsampling)

    def posterior(self, images: Tensor) -> Posterior:
        pixels = 2 * images.to(self.device, self.dtype) - 1
        found = self.checkpointed(self.pipeline.vae.encode, pixels).latent_dist
        return Posterior(found.mean, found.std)

    def decode(self, latents: Tensor) -> Tensor:
        return self.checkpointed(self.pipeline.vae.decode, latents).sample / 2 + 0.5

    @property
    def denoiser(self) -> nn.Module:
        return self.pipeline.unet

    def with_denoiser(self, denoiser: nn.Module) -> StableDiffusion:
        return replace(self, pipeline=rebuilt(self.pipeline, unet=denoiser))

    @property
    def lora_targets(self) -> Sequence[str]:
        """Query, key, value and output of self- and cross-attention."""
        return ("to_q", "to_k", "to_v", "to_out.0")

    def in_attention(self, weight: str) -> bool:
        return ".attn" in weight and ".to_" in weight

    def reads_prompt(self, weight: str) -> bool:
        """Of cross-attention, which is the second of each block."""
        return "attn2.to_k" in weight or "attn2.to_v" in weight

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Text embeddings "text" (B, length, width)."""
        unlike = {prompt: row for row, prompt in enumerate(dict.fromkeys(prompts))}
        embeddings, _ = self.pipeline.encode_prompt(
            list(unlike), self.device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        return Conditioning({TEXT: embeddings[[unlike[prompt] for prompt in prompts]]})

    def tokenize(self, word: str) -> Sequence[str]:
        return self.pipeline.tokenizer.tokenize(word)

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
