"""Reading a Stable Diffusion as it is published: safetensors only, no safety checker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from impress_bench.benchmark.models.families.folders import (
    UNCHECKED,
    freeze,
    frozen,
    pipeline_in,
    silence,
    variant_of,
)
from impress_bench.benchmark.models.families.stable_diffusion.check import PARTS, square_size
from impress_bench.benchmark.models.families.stable_diffusion.model import StableDiffusion
from impress_bench.benchmark.models.families.stable_diffusion.whole_mask import paint_everything

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel


def load(
    place: Path, digest: str, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> StableDiffusion:
    """The model, frozen and in evaluation mode, in a folder in diffusers layout or a single file,
    with the inpainting U-Net that lies in the folder's `inpainting/unet`, if one does.

    A part that is there as a variant alone (`….fp16.safetensors`) is loaded from that. The safety
    checker, which blackens images, is left out with what serves it. `digest` identifies the
    weights. Raises OSError, as diffusers does, where they cannot be read.
    """
    pipeline, inpainting = _pipeline(place, device, dtype)
    return StableDiffusion(pipeline, digest, inpainting_unet=inpainting)


def _pipeline(
    place: Path, device: str, dtype: torch.dtype
) -> tuple[StableDiffusionPipeline, UNet2DConditionModel | None]:
    from diffusers import AutoencoderTiny

    if place.is_file():
        pipeline = _of_file(place)
    else:
        pipeline = pipeline_in(place, "StableDiffusionPipeline", PARTS, **UNCHECKED)
    unet, vae = pipeline.unet, pipeline.vae
    size = square_size(
        unet.config.sample_size, vae.config.get("sample_size"), pipeline.vae_scale_factor
    )
    unet.register_to_config(sample_size=size)
    if isinstance(vae, AutoencoderTiny):
        from impress_bench.benchmark.models.families.stable_diffusion.tiny_autoencoder import (
            with_posterior,
        )

        pipeline.register_modules(vae=with_posterior(vae))
    if unet.config.in_channels == 9:
        paint_everything(unet, pipeline.vae)
    inpainting = _inpainting_unet(place)
    if inpainting is not None:
        freeze(inpainting, dtype)
        inpainting.to(device)
    return frozen(pipeline, dtype, device), inpainting


def _of_file(path: Path) -> StableDiffusionPipeline:
    """A checkpoint in one file. Settings and tokenizer come from the folder beside it that has its
    name without the suffix, or else from the hub's folder that diffusers takes for such weights."""
    from diffusers import StableDiffusionPipeline

    silence()
    beside = path.with_suffix("")
    settings = {"config": str(beside)} if (beside / "model_index.json").is_file() else {}
    made = StableDiffusionPipeline.from_single_file(str(path), **UNCHECKED, **settings)
    made.set_progress_bar_config(disable=True)
    return made


def _inpainting_unet(folder: Path) -> UNet2DConditionModel | None:
    from diffusers import UNet2DConditionModel

    beside = folder / "inpainting"
    if not (beside / "unet").is_dir():
        return None
    return UNet2DConditionModel.from_pretrained(
        beside / "unet", use_safetensors=True, variant=variant_of(beside)
    )
