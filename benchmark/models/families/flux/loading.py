"""Reading a FLUX.1 as it is published: safetensors only."""

from __future__ import annotations

from pathlib import Path

import torch

from impress_bench.benchmark.models.families.flux.check import PARTS
from impress_bench.benchmark.models.families.flux.model import Flux
from impress_bench.benchmark.models.families.folders import frozen, pipeline_in


def load(place: Path, digest: str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Flux:
    """The model, frozen and in evaluation mode, in a folder in diffusers layout. `digest`
    identifies the weights. Raises OSError, as diffusers does, where they cannot be read."""
    pipeline = pipeline_in(place, "FluxPipeline", PARTS)
    return Flux(frozen(pipeline, dtype, device), digest)
