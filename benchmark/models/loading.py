"""Reading a Stable Diffusion folder as it is published: safetensors only, no safety checker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from impress_bench.benchmark.models.hub import HubId, on_this_machine
from impress_bench.benchmark.models.whole_mask import paint_everything

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel


def load_pipeline(
    source: str | Path, device: str, dtype: torch.dtype
) -> tuple[StableDiffusionPipeline, UNet2DConditionModel | None]:
    """The pipeline, frozen and in evaluation mode, of a folder or hub id, and the inpainting U-Net
    that lies in the folder's `inpainting/unet`, if one does.

    Raises OSError, as diffusers does, where the folder or the hub id cannot be read.
    """
    import diffusers.utils.logging
    import transformers.utils.logging
    from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel

    for library in (diffusers, transformers):  # their bars tear up the run's own
        library.utils.logging.disable_progress_bar()
    folder, inpainting = Path(source), None
    hub = HubId.parse(str(source))
    pipeline = StableDiffusionPipeline.from_pretrained(
        hub.name,
        revision=hub.revision,
        use_safetensors=True,
        variant=variant_of(_files_of(str(source))),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    if isinstance(pipeline.vae, AutoencoderTiny):
        from impress_bench.benchmark.models.tiny_autoencoder import with_posterior

        pipeline.register_modules(vae=with_posterior(pipeline.vae))
    if pipeline.unet.config.in_channels == 9:
        paint_everything(pipeline.unet, pipeline.vae)
    if (folder / "inpainting" / "unet").is_dir():
        inpainting = UNet2DConditionModel.from_pretrained(
            folder / "inpainting" / "unet", use_safetensors=True
        ).to(device)
    for module in (pipeline.vae, pipeline.text_encoder, pipeline.unet, inpainting):
        if module is None:
            continue
        if module.dtype != dtype:
            module.to(dtype)
        module.requires_grad_(False).eval()
    pipeline.to(device)
    return pipeline, inpainting


def _files_of(source: str) -> Path | None:
    """Where a model's files lie, if they do; what is wrong with a name, diffusers says."""
    try:
        return on_this_machine(source)
    except ValueError:
        return None


def variant_of(folder: Path | None) -> str | None:
    """The variant to ask diffusers for: None where the U-Net is there in full, else what its files
    are called, "fp16" in `unet/diffusion_pytorch_model.fp16.safetensors`.

    None for a hub id that was not fetched yet, too: only the hub knows its files.
    """
    if folder is None:
        return None
    names = [path.name.split(".") for path in (folder / "unet").glob("*.safetensors")]
    variants = {parts[1].partition("-")[0] if len(parts) > 2 else "" for parts in names}
    return min(variants, default="") or None
