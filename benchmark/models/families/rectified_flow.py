"""What the families of rectified flows share (Liu et al. 2023; Esser et al. 2024).

Noisy latents at time s are x_s = (1 - s) x + s noise, and the denoiser, a transformer, learns
noise - x. Levels are times s in (0, 1]; transformers are told them in thousandths or as they are.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from impress_bench.benchmark.models.families.euler import EulerSampler
from impress_bench.benchmark.models.families.pipeline_model import PipelineModel
from impress_bench.benchmark.models.families.pipelines import rebuilt
from impress_bench.benchmark.seeds import Generators, randn_per_image

if TYPE_CHECKING:
    from diffusers import FlowMatchEulerDiscreteScheduler


class RectifiedFlow(PipelineModel):
    """A model whose denoiser is the transformer of a rectified flow."""

    PART: ClassVar[str] = "transformer"
    #: The pipeline that redraws images.
    REDRAWS: ClassVar[str]

    @property
    def side_multiple(self) -> int:
        """The transformer joins squares of 2 x 2 latents."""
        return 2 * self.downsampling

    def in_attention(self, weight: str) -> bool:
        return ".attn" in weight and (".to_" in weight or ".add_" in weight)

    def reads_prompt(self, weight: str) -> bool:
        """Of the prompt's own stream, which joint attention reads beside the image's."""
        return ".add_k_proj" in weight or ".add_v_proj" in weight

    @cached_property
    def training_times(self) -> Tensor:
        """The times (T,) that training draws from, noisiest first, as the schedule shifts them."""
        times: Tensor = self._scheduler().sigmas
        return times

    @abstractmethod
    def draw_place(self, generator: torch.Generator) -> Tensor:
        """A place (1,) in [0, 1) on the schedule of training, 0 the noisiest."""

    def draw_levels(self, generators: Sequence[torch.Generator]) -> Tensor:
        count = len(self.training_times)
        places = torch.cat([self.draw_place(generator) for generator in generators])
        index = (places * count).long().clamp_max(count - 1)
        return self.training_times[index].to(self.device)

    def even_levels(self, count: int) -> Tensor:
        total = len(self.training_times)
        index = [total - 1 - int((place + 0.5) * total / count) for place in range(count)]
        return self.training_times[index].to(self.device)

    def level_of(self, snr: float) -> float:
        """(1 - s)^2 / s^2 is the ratio at time s."""
        return 1 / (1 + math.sqrt(snr))

    def noise(self, scaled: Tensor, levels: Tensor, eps: Tensor) -> Tensor:
        share = levels.to(scaled)[:, None, None, None]
        return share * eps + (1.0 - share) * scaled

    def wanted(self, scaled: Tensor, levels: Tensor, eps: Tensor) -> Tensor:
        return eps - scaled

    def sampler(self, steps: int, start: float | None = None) -> EulerSampler:
        """Euler's, at the times that the scheduler sets for images of side `image_size`. From
        `start` on the times are even before the schedule shifts them, and the first is `start`."""
        if start is None:
            return EulerSampler(self._times(steps, self.unshifted_times(steps)))
        shift = self._shift()
        place = start / (shift - (shift - 1) * start)
        times = self._times(steps, np.linspace(place, 0, steps, endpoint=False).tolist())
        return EulerSampler(times)

    def unshifted_times(self, steps: int) -> list[float] | None:
        """What the pipeline hands to its scheduler; None leaves it to the scheduler."""
        return None

    def _times(self, steps: int, unshifted: list[float] | None) -> Tensor:
        scheduler = self._scheduler()
        moved = {"mu": self._mu()} if scheduler.config.use_dynamic_shifting else {}
        scheduler.set_timesteps(steps, device=self.device, sigmas=unshifted, **moved)
        return scheduler.sigmas[:-1].to(self.device)

    def _scheduler(self) -> FlowMatchEulerDiscreteScheduler:
        """A new one: samplers and the pipeline change theirs."""
        from diffusers import FlowMatchEulerDiscreteScheduler

        return FlowMatchEulerDiscreteScheduler.from_config(self.pipeline.scheduler.config)

    def _shift(self) -> float:
        """The a of s' = a s / (1 + (a - 1) s), by which a schedule moves times."""
        config = self.pipeline.scheduler.config
        if not config.use_dynamic_shifting:
            return float(config.shift)
        return math.exp(self._mu()) if config.time_shift_type == "exponential" else self._mu()

    def _mu(self) -> float:
        """How far times are moved for images of side `image_size`."""
        from diffusers.pipelines.flux.pipeline_flux import calculate_shift

        config = self.pipeline.scheduler.config
        tokens = (self.image_size // self.side_multiple) ** 2
        return float(
            calculate_shift(
                tokens, config.base_image_seq_len, config.max_image_seq_len, config.base_shift,
                config.max_shift,
            )
        )  # fmt: skip

    def packed(self, noisy: Tensor) -> Tensor:
        """Latents (B, C, h, w) as the pipeline takes them."""
        return noisy

    @torch.no_grad()
    def img2img(
        self,
        images: Tensor,
        prompts: Sequence[str],
        *,
        strength: float,
        steps: int,
        guidance_scale: float,
        generator: Generators,
    ) -> Tensor:
        import diffusers

        return self.made_of(
            images,
            rebuilt(self.pipeline, getattr(diffusers, self.REDRAWS)),
            generator,
            **self.told(prompts, guidance_scale > 1),
            height=images.shape[-2],
            width=images.shape[-1],
            strength=strength,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
        )

    @torch.no_grad()
    def sample(
        self,
        prompts: Sequence[str],
        generators: Sequence[torch.Generator],
        *,
        steps: int,
        guidance_scale: float,
        sampler: str = "model",
    ) -> Tensor:
        """`sampler` is the "model"'s own, Euler's; a flow knows no other."""
        if sampler != "model":
            raise ValueError(f"unknown sampler {sampler!r} for a rectified flow; known: model")
        side = self.image_size // self.downsampling
        shape = (len(generators), self.latent_channels, side, side)
        like = torch.empty(shape, device=self.device, dtype=self.dtype)
        made: Tensor = self.pipeline(
            **self.told(prompts, guidance_scale > 1),
            height=self.image_size,
            width=self.image_size,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            generator=list(generators),
            latents=self.packed(randn_per_image(generators, like)),
            output_type="pt",
        ).images
        return made

    @property
    def inpainting_problem(self) -> str:
        return (
            "models of this family cannot inpaint here; name an inpainting model of Stable"
            " Diffusion 1 or 2"
        )
