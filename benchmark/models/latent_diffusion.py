"""One latent diffusion model in diffusers layout: Stable Diffusion, or the small embedded one.

Images are float (B, 3, H, W) in [0, 1] at this interface and [-1, 1] inside, as diffusers has it.
Latents are unscaled unless a name says otherwise: GLAZE and PhotoGuard are stated on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from impress_bench.benchmark.models.digest import source_digest
from impress_bench.benchmark.models.families.stable_diffusion.loading import load_pipeline
from impress_bench.benchmark.models.families.stable_diffusion.pipelines import rebuilt
from impress_bench.benchmark.models.numerics import PLAIN, Numerics, compute
from impress_bench.benchmark.models.posterior import posterior
from impress_bench.benchmark.seeds import Generators, as_generators, randn_per_image

if TYPE_CHECKING:
    from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel

Made = TypeVar("Made")


@dataclass(frozen=True)
class LatentDiffusion:
    """A diffusers Stable Diffusion pipeline and what this project asks of one.

    `pipeline` holds VAE, text encoder, tokenizer, U-Net and scheduler, frozen and in evaluation
    mode. `digest` identifies the weights: results are stored under it. `inpainting_unet` is the one
    in the folder's `inpainting/unet`, if there is one. A stock inpainting folder, whose own U-Net
    has 9 channels, is such a model too: asked as a denoiser it sees an image masked throughout.
    `numerics` is how its networks compute.
    """

    pipeline: StableDiffusionPipeline
    digest: str
    inpainting_unet: UNet2DConditionModel | None = None
    numerics: Numerics = PLAIN

    @classmethod
    def from_pretrained(
        cls, source: str | Path, device: str = "cpu", dtype: torch.dtype = torch.float32
    ) -> LatentDiffusion:
        """Load a folder in diffusers layout, a single file, or a hub id, `org/name` or
        `org/name@revision`; safetensors only.

        A part that is there as a variant alone (`….fp16.safetensors`) is loaded from that. The
        safety checker, which blackens images, is left out with what serves it. Raises
        UnusableModelError for a model of an unknown kind and OSError, as diffusers does, where it
        cannot be read.
        """
        pipeline, inpainting = load_pipeline(source, device, dtype)
        return cls(pipeline, source_digest(str(source)), inpainting)

    def to(self, device: str) -> None:
        """Move the weights."""
        self.pipeline.to(device)
        if self.inpainting_unet is not None:
            self.inpainting_unet.to(device)

    def with_numerics(self, numerics: Numerics) -> LatentDiffusion:
        """This model computing as `numerics` says. Changes its networks, so that it is for a model
        that was just loaded; on a GPU their weights become channels last, which convolutions there
        are fastest with."""
        vae = self.pipeline.vae
        unets = [unet for unet in (self.pipeline.unet, self.inpainting_unet) if unet is not None]
        for network in (vae.encoder, vae.decoder):
            compute(network, "float32", numerics.compiled)
        for network in unets:
            compute(network, numerics.precision, numerics.compiled)
        if self.device.type == "cuda":
            for network in (vae, *unets):
                network.to(memory_format=torch.channels_last)
        return replace(self, numerics=numerics)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.pipeline.vae.device

    @property
    def dtype(self) -> torch.dtype:
        """The weights' floating type."""
        return self.pipeline.vae.dtype

    @property
    def latent_scale(self) -> float:
        """Factor that brings latents to unit variance, the scale on which the U-Net works."""
        return float(self.pipeline.vae.config.scaling_factor)

    @property
    def image_size(self) -> int:
        """Side in pixels of the images the model was trained on."""
        return int(self.pipeline.unet.config.sample_size * self.pipeline.vae_scale_factor)

    def encode(
        self, images: Tensor, sample: bool = False, generator: Generators | None = None
    ) -> Tensor:
        """Latents (B, 4, h, w) of images: the posterior's mean, or a sample from it.

        Differentiable. With `sample`, image i draws from a generator of its own derived from
        `generator`, so that a result does not depend on what else is in the batch.
        """
        found = posterior(self, images)
        if not sample:
            return found.mean
        return found.mean + found.std * self._noise_like(found.mean, generator)

    def decode(self, latents: Tensor) -> Tensor:
        """Images of latents on the [0, 1] scale, not clamped. Differentiable."""
        return self.checkpointed(self.pipeline.vae.decode, latents).sample / 2 + 0.5

    def checkpointed(self, network: Callable[..., Made], *inputs: Tensor) -> Made:
        """Runs `network`, with gradient checkpointing if the numerics ask for it."""
        if self.numerics.checkpointing and torch.is_grad_enabled():
            return checkpoint(network, *inputs, use_reentrant=False)
        return network(*inputs)

    def reconstruct(
        self,
        images: Tensor,
        chain: str = "vae",
        *,
        strength: float = 0.3,
        steps: int = 20,
        generator: Generators | None = None,
    ) -> Tensor:
        """The model's own version of `images`, not clamped, differentiable.

        `chain="vae"` is D(E(x)) of IMPRESS, Eq. 4.1; `chain="ldm"` is f_LDM(x) of its Section 4.1:
        noise up to `strength` of the schedule, then DDIM without a prompt over that share of
        `steps`. Raises ValueError for another chain.
        """
        latents = self.encode(images)
        if chain == "vae":
            return self.decode(latents)
        if chain != "ldm":
            raise ValueError(f"unknown chain {chain!r}; known: vae, ldm")
        scheduler = self.ddim()
        scheduler.set_timesteps(steps, device=self.device)
        timesteps = scheduler.timesteps[steps - max(1, round(steps * strength)) :]
        scaled = latents * self.latent_scale
        noise = self._noise_like(scaled, generator)
        scaled = scheduler.add_noise(scaled, noise, timesteps[:1].expand(len(scaled)))
        for timestep in timesteps:
            predicted = self.checkpointed(
                partial(self.predict, prompts=[""] * len(scaled)),
                scaled,
                timestep.expand(len(scaled)),
            )
            scaled = scheduler.step(predicted, timestep, scaled).prev_sample
        return self.decode(scaled / self.latent_scale)

    def predict(self, scaled: Tensor, timesteps: Tensor, prompts: Sequence[str]) -> Tensor:
        """The U-Net's output (B, 4, h, w), noise or velocity as its schedule says, for noisy
        *scaled* latents at timesteps (B,)."""
        context = self.embed(prompts)
        return self.pipeline.unet(scaled, timesteps, encoder_hidden_states=context).sample

    def embed(self, prompts: Sequence[str]) -> Tensor:
        """Text embeddings (B, length, width) of prompts, each one encoded once."""
        unlike = {prompt: row for row, prompt in enumerate(dict.fromkeys(prompts))}
        embeddings, _ = self.pipeline.encode_prompt(
            list(unlike), self.device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        return embeddings[[unlike[prompt] for prompt in prompts]]

    @torch.no_grad()
    def img2img(
        self,
        images: Tensor,
        prompts: Sequence[str],
        *,
        strength: float,
        steps: int,
        guidance_scale: float,
        generator: Generators,
        timestep_spacing: str = "",
    ) -> Tensor:
        """`images` (B, 3, H, W) in [0, 1] redrawn under `prompts` by DDIM, clamped (SDEdit).

        `timestep_spacing` is DDIM's, "" for the folder's or diffusers' default. DDIM whatever
        sampler the folder names: multistep ones (PNDM) count on beginning at the start.
        """
        from diffusers import StableDiffusionImg2ImgPipeline

        pipeline = rebuilt(
            self.pipeline, StableDiffusionImg2ImgPipeline, scheduler=self.ddim(timestep_spacing)
        )
        guided = guidance_scale > 1
        made = pipeline(
            prompt_embeds=self.embed(prompts),
            negative_prompt_embeds=self.embed([""] * len(prompts)) if guided else None,
            image=images.to(self.device, self.dtype),
            strength=strength,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            generator=as_generators(generator, len(images)),
            output_type="pt",
        ).images
        return made.to(images.dtype).clamp(0, 1)

    def ddim(self, timestep_spacing: str = "") -> DDIMScheduler:
        """A DDIM sampler of one's own on the model's noise schedule."""
        from diffusers import DDIMScheduler

        # Other samplers' settings do not say it, and DDIM's default clips latents as if pixels.
        settings = {"timestep_spacing": timestep_spacing} if timestep_spacing else {}
        config = self.pipeline.scheduler.config
        return DDIMScheduler.from_config(config, clip_sample=False, **settings)

    @cached_property
    def noise_schedule(self) -> DDIMScheduler:
        """What a denoiser was trained on: `add_noise` and `get_velocity`, which samplers of other
        kinds have on scales of their own or not at all. No steps are taken with it."""
        return self.ddim()

    @staticmethod
    def _noise_like(values: Tensor, generator: Generators | None) -> Tensor:
        if generator is None:
            return torch.randn_like(values)
        return randn_per_image(as_generators(generator, len(values)), values)
