"""Stable Diffusion XL behind the interface of all models.

What differs from Stable Diffusion 1 and 2: two text encoders, whose pooled output the U-Net also
gets, and with it the sizes of the image, of its crop and of what is made (Podell et al. 2024,
section 2.2). The schedule, what is learned and the loss are those of diffusers'
`train_text_to_image_lora_sdxl.py` (0.32): timesteps uniform, targets by the scheduler's
`prediction_type`, squared error without weights, adapters on to_q, to_k, to_v and to_out.0. Images
are taken as they are: original and target sizes are their own, and nothing is cropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impress_bench.benchmark.models.conditioning import Conditioning
from impress_bench.benchmark.models.families.pipeline_model import POOLED, TEXT, per_prompt
from impress_bench.benchmark.models.families.stable_diffusion.model import StableDiffusion
from impress_bench.benchmark.seeds import randn_per_image


@dataclass(frozen=True)
class StableDiffusionXL(StableDiffusion):
    """A diffusers Stable Diffusion XL pipeline as a `LatentDiffusion`.

    The VAE stays float32, as all VAEs here: this one's activations overflow in float16.
    """

    REDRAWS = "StableDiffusionXLImg2ImgPipeline"

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Text embeddings "text" (B, length, width) and "pooled" (B, width).

        Both are zeros for an empty prompt where the pipeline's `force_zeros_for_empty_prompt` says
        so: that is what the model learned without a prompt, and what guidance starts from.
        """
        unlike = list(dict.fromkeys(prompts))
        text, _, pooled, _ = self.pipeline.encode_prompt(
            unlike, device=self.device, do_classifier_free_guidance=False
        )
        if self.pipeline.config.get("force_zeros_for_empty_prompt"):
            said = torch.tensor([prompt != "" for prompt in unlike], device=text.device)
            text, pooled = text * said[:, None, None], pooled * said[:, None]
        return per_prompt(prompts, {TEXT: text, POOLED: pooled})

    def predict(self, noisy: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """For images of the size of `noisy`, not cropped."""
        sides = [side * self.downsampling for side in noisy.shape[-2:]]
        sizes = torch.tensor([[*sides, 0, 0, *sides]], device=noisy.device, dtype=noisy.dtype)
        pooled = conditioning.tensors[POOLED]
        predicted: Tensor = self.pipeline.unet(
            noisy,
            levels,
            encoder_hidden_states=conditioning.tensors[TEXT],
            added_cond_kwargs={
                "text_embeds": pooled, "time_ids": sizes.expand(len(pooled), -1)
            },
        ).sample  # fmt: skip
        return predicted

    @torch.no_grad()
    def sample(
        self,
        prompts: Sequence[str],
        generators: Sequence[torch.Generator],
        *,
        steps: int,
        guidance_scale: float,
        sampler: str = "model",
    ) -> Tensor:
        """`sampler` is the "model"'s own, or "dpm-solver++" on its schedule."""
        side = self.image_size // self.downsampling
        shape = (len(generators), self.latent_channels, side, side)
        made: Tensor = self.sampling_with(sampler)(
            **self.told(prompts, guidance_scale > 1),
            height=self.image_size,
            width=self.image_size,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            generator=list(generators),
            latents=randn_per_image(
                generators, torch.empty(shape, device=self.device, dtype=self.dtype)
            ),
            output_type="pt",
        ).images
        return made

    @property
    def inpainting_problem(self) -> str:
        return "Stable Diffusion XL cannot inpaint here; name an inpainting model of version 1 or 2"
