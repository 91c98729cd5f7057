"""Reading an InstructPix2Pix as it is published: safetensors only, no safety checker."""

from __future__ import annotations

from pathlib import Path

import torch

from impress_bench.benchmark.models.families.folders import UNCHECKED, frozen, pipeline_in
from impress_bench.benchmark.models.families.instruct_pix2pix.check import PARTS
from impress_bench.benchmark.models.families.instruct_pix2pix.model import (
    InstructPix2Pix,
    see_nothing,
)


def load(
    place: Path, digest: str, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> InstructPix2Pix:
    """The model, frozen and in evaluation mode, in a folder in diffusers layout. `digest`
    identifies the weights. Raises OSError, as diffusers does, where they cannot be read."""
    pipeline = pipeline_in(place, "StableDiffusionPipeline", PARTS, **UNCHECKED)
    see_nothing(pipeline.unet)
    return InstructPix2Pix(frozen(pipeline, dtype, device), digest)
