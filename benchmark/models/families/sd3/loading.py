"""Reading a Stable Diffusion 3 or 3.5 as it is published, safetensors only, with or without T5."""

from __future__ import annotations

from pathlib import Path

import torch

from impress_bench.benchmark.models.families.folders import frozen, pipeline_in
from impress_bench.benchmark.models.families.layout import settings
from impress_bench.benchmark.models.families.sd3.check import OPTIONAL, PARTS
from impress_bench.benchmark.models.families.sd3.model import T5_TOKENS, StableDiffusion3

#: In the place of the third text encoder and its tokenizer, where they are left out.
WITHOUT_T5 = {"text_encoder_3": None, "tokenizer_3": None}


def load(
    place: Path, digest: str, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> StableDiffusion3:
    """The model, frozen and in evaluation mode, in a folder in diffusers layout. Without a folder
    text_encoder_3 it reads prompts by CLIP alone. Of how many tokens T5 reads, or how many zeros
    stand in its place, `_t5_tokens` in the index may say something, which diffusers ignores.
    `digest` identifies the weights. Raises OSError, as diffusers does, where they cannot be read.
    """
    left_out = {} if (place / OPTIONAL).is_dir() else WITHOUT_T5
    pipeline = pipeline_in(place, "StableDiffusion3Pipeline", (*PARTS, OPTIONAL), **left_out)
    index = settings(place / "model_index.json") or {}
    tokens = int(index.get("_t5_tokens", T5_TOKENS))
    return StableDiffusion3(frozen(pipeline, dtype, device), digest, t5_tokens=tokens)
