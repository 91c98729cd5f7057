"""Reading a Stable Diffusion XL as it is published: safetensors only, no watermark."""

from __future__ import annotations

from pathlib import Path

import torch

from impress_bench.benchmark.models.families.folders import frozen, pipeline_in
from impress_bench.benchmark.models.families.sdxl.check import PARTS
from impress_bench.benchmark.models.families.sdxl.model import StableDiffusionXL


def load(
    place: Path, digest: str, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> StableDiffusionXL:
    """The model, frozen and in evaluation mode, in a folder in diffusers layout. `digest`
    identifies the weights. Raises OSError, as diffusers does, where they cannot be read."""
    pipeline = pipeline_in(place, "StableDiffusionXLPipeline", PARTS, add_watermarker=False)
    if dtype == torch.float32:  # as it asks for already; pipelines would convert it to and fro
        pipeline.vae.register_to_config(force_upcast=False)
    return StableDiffusionXL(frozen(pipeline, dtype, device), digest)
