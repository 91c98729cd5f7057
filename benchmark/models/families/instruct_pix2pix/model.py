"""InstructPix2Pix behind the interface of all models: it edits images as an instruction says.

A Stable Diffusion 1 whose U-Net sees noisy scaled latents and, in four channels more, the unscaled
mean of the latents of the image to be edited (Brooks et al. 2023). Zeros stand for no image: in
diffusers' `train_instruct_pix2pix.py` (0.18) the image is dropped so, and the model is then a
text-to-image model. As such it is fine-tuned, redraws and paints here, on that script's timesteps,
target and loss; conditioning with an image (`instructed`) is what the script trains on otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from impress_bench.benchmark.models.conditioning import Conditioning
from impress_bench.benchmark.models.families.pipeline_model import TEXT
from impress_bench.benchmark.models.families.pipelines import rebuilt
from impress_bench.benchmark.models.families.stable_diffusion.model import StableDiffusion
from impress_bench.benchmark.seeds import Generators

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

#: Name of the image's latents in the conditioning.
IMAGE = "image"
#: How much an edit keeps of the image: the pipeline's default.
IMAGE_GUIDANCE = 1.5


@dataclass(frozen=True)
class InstructPix2Pix(StableDiffusion):
    """A diffusers InstructPix2Pix pipeline as a `LatentDiffusion`. `pipeline` is a Stable Diffusion
    pipeline of its networks, whose U-Net also takes 4 channels (`see_nothing`)."""

    def instructed(self, images: Tensor, prompts: Sequence[str]) -> Conditioning:
        """Conditioning on `images` (B, 3, H, W) in [0, 1] and instructions; differentiable in the
        images, by the unscaled means of their latents "image" (B, 4, h, w)."""
        tensors = {**self.embed(prompts).tensors, IMAGE: self.encode(images)}
        return Conditioning(tensors)

    def predict(self, noisy: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """Of what `conditioning` has of an image; without one of none."""
        seen = conditioning.tensors.get(IMAGE)
        joined = noisy if seen is None else torch.cat([noisy, seen], dim=1)
        text = conditioning.tensors[TEXT]
        predicted: Tensor = self.pipeline.unet(joined, levels, encoder_hidden_states=text).sample
        return predicted

    @property
    def inpainting_problem(self) -> str:
        return (
            "InstructPix2Pix edits by instruction and sees no mask; name an inpainting model of"
            " Stable Diffusion 1 or 2"
        )

    @property
    def editing_problem(self) -> str:
        return ""

    @torch.no_grad()
    def edit(
        self,
        images: Tensor,
        keep: Tensor,
        prompts: Sequence[str],
        generator: Generators,
        *,
        steps: int,
        guidance_scale: float,
        eta: float,
    ) -> Tensor:
        """By DDIM. The prompts are instructions, and `keep` is not used: no mask is seen."""
        from diffusers import StableDiffusionInstructPix2PixPipeline

        pipeline = rebuilt(
            self.pipeline, StableDiffusionInstructPix2PixPipeline, scheduler=self.ddim()
        )
        return self.made_of(
            images,
            pipeline,
            generator,
            prompt=list(prompts),
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            image_guidance_scale=IMAGE_GUIDANCE,
            eta=eta,
        )


def see_nothing(unet: UNet2DConditionModel) -> None:
    """Let `unet`, of 8 channels, also take noisy latents of 4 and see no image. Copies of it, which
    learn, do so too."""

    def complete(network: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        noisy = inputs[0]
        if noisy.shape[1] == network.config.in_channels:
            return None
        return torch.cat([noisy, torch.zeros_like(noisy)], dim=1), *inputs[1:]

    unet.register_forward_pre_hook(complete)
