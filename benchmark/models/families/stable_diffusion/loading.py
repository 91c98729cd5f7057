"""Reading a Stable Diffusion as it is published: safetensors only, no safety checker."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from impress_bench.benchmark.junk import is_junk
from impress_bench.benchmark.models.families.layout import UnusableModelError
from impress_bench.benchmark.models.families.stable_diffusion.check import PARTS, square_size
from impress_bench.benchmark.models.families.stable_diffusion.model import StableDiffusion
from impress_bench.benchmark.models.families.stable_diffusion.whole_mask import paint_everything

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel

#: Blackens images, and what serves it; neither is loaded.
UNCHECKED = {
    "safety_checker": None, "feature_extractor": None, "requires_safety_checker": False
}  # fmt: skip


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
    return StableDiffusion(pipeline, digest, inpainting)


def _pipeline(
    place: Path, device: str, dtype: torch.dtype
) -> tuple[StableDiffusionPipeline, UNet2DConditionModel | None]:
    import diffusers.utils.logging
    import transformers.utils.logging
    from diffusers import AutoencoderTiny

    for library in (diffusers, transformers):  # their bars tear up the run's own
        library.utils.logging.disable_progress_bar()
    pipeline = _of_file(place) if place.is_file() else _of_folder(place)
    pipeline.set_progress_bar_config(disable=True)
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
    for module in (pipeline.vae, pipeline.text_encoder, unet, inpainting):
        if module is None:
            continue
        if module.dtype != dtype:
            module.to(dtype)
        module.requires_grad_(False).eval()
    pipeline.to(device)
    if inpainting is not None:
        inpainting.to(device)
    return pipeline, inpainting


def variant_of(folder: Path, part: str = "unet") -> str | None:
    """The variant of a part of a model to ask diffusers for: None where it is there in full, else
    what its files are called, "fp16" in `unet/diffusion_pytorch_model.fp16.safetensors`."""
    found = (folder / part).glob("*.safetensors")
    names = [path.name.split(".") for path in found if not is_junk(path.name)]
    variants = {parts[1].partition("-")[0] if len(parts) > 2 else "" for parts in names}
    return min(variants, default="") or None


def _of_folder(folder: Path) -> StableDiffusionPipeline:
    """Each part in full where it is, else by its only variant."""
    from diffusers import StableDiffusionPipeline

    parts = {
        part: _part(folder, part, variant)
        for part in PARTS
        if (variant := variant_of(folder, part)) is not None
    }
    return StableDiffusionPipeline.from_pretrained(
        folder, use_safetensors=True, **UNCHECKED, **parts
    )


def _part(folder: Path, part: str, variant: str) -> Any:
    """A part whose files are called so, of the class that the folder's index names."""
    library, kind = json.loads((folder / "model_index.json").read_bytes())[part]
    if library not in ("diffusers", "transformers"):
        raise UnusableModelError(f"its {part} comes from {library}; known: diffusers, transformers")
    loaded = getattr(import_module(library), kind)
    return loaded.from_pretrained(folder / part, variant=variant, use_safetensors=True)


def _of_file(path: Path) -> StableDiffusionPipeline:
    """A checkpoint in one file. Settings and tokenizer come from the folder beside it that has its
    name without the suffix, or else from the hub's folder that diffusers takes for such weights."""
    from diffusers import StableDiffusionPipeline

    beside = path.with_suffix("")
    settings = {"config": str(beside)} if (beside / "model_index.json").is_file() else {}
    return StableDiffusionPipeline.from_single_file(str(path), **UNCHECKED, **settings)


def _inpainting_unet(folder: Path) -> UNet2DConditionModel | None:
    from diffusers import UNet2DConditionModel

    beside = folder / "inpainting"
    if not (beside / "unet").is_dir():
        return None
    return UNet2DConditionModel.from_pretrained(
        beside / "unet", use_safetensors=True, variant=variant_of(beside)
    )
