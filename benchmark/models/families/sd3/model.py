"""Stable Diffusion 3 and 3.5 behind the interface of all models.

What is learned follows diffusers' `train_dreambooth_lora_sd3.py` (0.31) at its defaults: a place
u = sigmoid(N(0, 1)) on the schedule's shifted times, noise - x to be predicted, and outputs
"preconditioned" into an estimate of x, whose squared error is s^2 times that of the prediction.
Departure: T5 reads 256 tokens, as when the pipeline paints, and not 77. A model's index may say
otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impress_bench.benchmark.models.conditioning import Conditioning
from impress_bench.benchmark.models.families.pipeline_model import POOLED, TEXT, per_prompt
from impress_bench.benchmark.models.families.rectified_flow import RectifiedFlow

#: What the pipeline reads where it is not told.
T5_TOKENS = 256


@dataclass(frozen=True)
class StableDiffusion3(RectifiedFlow):
    """A diffusers Stable Diffusion 3 or 3.5 pipeline as a `LatentDiffusion`."""

    REDRAWS = "StableDiffusion3Img2ImgPipeline"

    #: How many tokens T5 reads, or how many zeros stand in its place.
    t5_tokens: int = T5_TOKENS

    @property
    def image_size(self) -> int:
        return int(self.pipeline.transformer.config.sample_size * self.downsampling)

    @property
    def lora_targets(self) -> Sequence[str]:
        """Joint attention's projections of the image and of the prompt."""
        image = ("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0")
        return (*image, "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out")

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Text embeddings "text" (B, length, width) and "pooled" (B, width); zeros stand where T5
        is left out."""
        text, _, pooled, _ = self.pipeline.encode_prompt(
            list(dict.fromkeys(prompts)), None, None, self.device,
            do_classifier_free_guidance=False, max_sequence_length=self.t5_tokens,
        )  # fmt: skip
        return per_prompt(prompts, {TEXT: text, POOLED: pooled})

    def draw_place(self, generator: torch.Generator) -> Tensor:
        """Logistic normal."""
        return torch.randn(1, generator=generator).sigmoid()

    def loss_weights(self, levels: Tensor) -> Tensor:
        """Those of the estimate of x that a prediction gives: s^2."""
        return levels.float().square()

    def predict(self, noisy: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        predicted: Tensor = self.pipeline.transformer(
            noisy,
            timestep=levels * self.pipeline.scheduler.config.num_train_timesteps,
            encoder_hidden_states=conditioning.tensors[TEXT],
            pooled_projections=conditioning.tensors[POOLED],
        ).sample
        return predicted
