"""Inpainting with a 9-channel U-Net: noisy latents, mask, and the latents of the masked image.

`repaint` is what malicious editing does, through diffusers' pipeline. `inpainting_chain` is the
same chain with a gradient, which PhotoGuard's diffusion attack descends (Salman et al. 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.checkpoint import checkpoint

from impress_bench.benchmark.models.families.stable_diffusion.pipelines import rebuilt
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.seeds import Generators, as_generators, randn_per_image

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel


def inpainting_unet(model: LatentDiffusion) -> UNet2DConditionModel:
    """The model's inpainting U-Net: its own where that has 9 input channels, or the one beside it.

    Raises ValueError for a model without one.
    """
    for unet in (model.pipeline.unet, model.inpainting_unet):
        if unet is not None and unet.config.in_channels == 9:
            return unet
    raise ValueError(
        "the model has no inpainting U-Net (9 input channels); name an inpainting model, or put one"
        " into the folder inpainting/unet beside the model's unet"
    )


def masked_out(images: Tensor, kept: Tensor) -> Tensor:
    """`images` with mid-grey, 0 on [-1, 1] pixels, where `kept`, (B, 1, H, W), is 0 and not 1."""
    return images * kept + 0.5 * (1 - kept)


@torch.no_grad()
def repaint(
    model: LatentDiffusion,
    images: Tensor,
    keep: Tensor,
    prompts: Sequence[str],
    generator: Generators,
    *,
    steps: int,
    guidance_scale: float,
    eta: float,
) -> Tensor:
    """`images` (B, 3, H, W) in [0, 1] repainted under `prompts` where `keep` (B, H, W) is false.

    The model's raw answer, clamped, the kept part included: nothing is pasted back. Image i has
    noise of its own derived from `generator`, the same whatever the images.
    """
    from diffusers import StableDiffusionInpaintPipeline

    pipeline = rebuilt(
        model.pipeline,
        StableDiffusionInpaintPipeline,
        unet=inpainting_unet(model),
        scheduler=model.ddim(),
    )
    made = pipeline(
        list(prompts),
        image=images.to(model.device, model.dtype),
        mask_image=1 - keep[:, None].to(model.device, model.dtype),
        height=images.shape[-2],
        width=images.shape[-1],
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        eta=eta,
        generator=as_generators(generator, len(images)),
        output_type="pt",
    ).images
    return made.to(images.dtype).clamp(0, 1)


def inpainting_chain(
    model: LatentDiffusion,
    images: Tensor,
    keep: Tensor,
    generators: Sequence[torch.Generator],
    *,
    steps: int,
    eta: float = 1.0,
    checkpointing: bool = True,
) -> Tensor:
    """What the inpainting model makes of `images` without a prompt, (B, 3, H, W) on [0, 1], not
    clamped, differentiable in `images` through every step.

    Masked to mid-grey outside `keep` (B, H, W) first. Without a prompt guidance changes nothing, so
    the U-Net is run once a step. Starting noise, posterior and steps (`eta`) draw from each image's
    own generator, in the order in which `repaint` does. With `checkpointing` the U-Net is run again
    in the backward pass instead of being stored: memory then hardly grows with `steps`.
    """
    unet, scheduler = inpainting_unet(model), model.ddim()
    scheduler.set_timesteps(steps, device=model.device)
    kept = keep[:, None].to(images)
    factor = model.pipeline.vae_scale_factor
    mask = interpolate(1 - kept, [side // factor for side in images.shape[-2:]])
    mask = mask.to(model.device, model.dtype)
    scaled = randn_per_image(generators, mask.expand(-1, int(unet.config.out_channels), -1, -1))
    masked = model.encode(masked_out(images, kept), True, generators) * model.latent_scale
    noises = [randn_per_image(generators, masked) for _ in range(steps)]
    context = model.embed([""]).expand(len(images), -1, -1)
    scaled = scaled * scheduler.init_noise_sigma

    def predict(scaled: Tensor, masked: Tensor, timestep: Tensor) -> Tensor:
        joined = torch.cat([scaled, mask, masked], dim=1)
        return unet(joined, timestep, encoder_hidden_states=context).sample

    for timestep, noise in zip(scheduler.timesteps, noises, strict=True):
        if checkpointing:  # of the attack's choice, whatever the model's numerics say
            predicted = checkpoint(predict, scaled, masked, timestep, use_reentrant=False)
        else:
            predicted = predict(scaled, masked, timestep)
        scaled = scheduler.step(
            predicted, timestep, scaled, eta=eta, variance_noise=noise
        ).prev_sample
    return model.decode(scaled / model.latent_scale)
