"""The denoiser of a latent diffusion model, what it learns, and how it is sampled from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from impress_bench.benchmark.models.conditioning import Conditioning

Self = TypeVar("Self", bound="ConditionalDenoiser")


class Sampler(Protocol):
    """A deterministic sampler's way from noise to latents."""

    @property
    def levels(self) -> Tensor:
        """Where it calls the denoiser, (steps,), noisiest first."""
        ...

    def step(
        self,
        predicted: Tensor,
        level: Tensor,
        noisy: Tensor,
        eta: float = 0.0,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Scaled latents (B, C, h, w) at the next level, for those at `level` (), one of `levels`,
        and what the denoiser predicted of them; differentiable. `eta` from 0 to 1 is the share of
        fresh `noise` where a sampler has one (DDIM, Song et al. 2021); others take 0 alone."""
        ...


class ConditionalDenoiser(ABC):
    """A network that sees noisy latents and predicts what noise was added, or a mix of both.

    All latents are scaled, (B, C, h, w). A *level* says how noisy latents are: a timestep where the
    schedule is a diffusion's, a time in [0, 1] on a rectified flow. Levels (B,) are drawn by
    `draw_levels` and its like and handed back; no caller computes with them.
    """

    @property
    @abstractmethod
    def denoiser(self) -> nn.Module:
        """The network, frozen and in evaluation mode; a copy of it may be trained."""

    @abstractmethod
    def with_denoiser(self: Self, denoiser: nn.Module) -> Self:
        """This model with another denoiser of the same architecture, and all else shared."""

    @property
    @abstractmethod
    def lora_targets(self) -> Sequence[str]:
        """Ends of the names of the denoiser's layers that low-rank adapters are learned in, as its
        diffusers training script has them."""

    @abstractmethod
    def in_attention(self, weight: str) -> bool:
        """Whether a weight of the denoiser, by name, is a projection of attention."""

    @abstractmethod
    def reads_prompt(self, weight: str) -> bool:
        """Whether it makes keys or values of the prompt."""

    @property
    def feature_layers(self) -> Sequence[str]:
        """Names of the denoiser's layers whose outputs objectives on features compare, equal in
        shape; none if the family names none."""
        return ()

    @abstractmethod
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """One row per prompt. Each different prompt is encoded once."""

    @abstractmethod
    def tokenize(self, word: str) -> Sequence[str]:
        """The pieces into which a tokenizer splits a word: one if it knows the word."""

    @abstractmethod
    def draw_levels(self, generators: Sequence[torch.Generator]) -> Tensor:
        """Levels (n,) as training draws them, one from each of n generators. A generator that
        stands there several times is drawn from as often."""

    @abstractmethod
    def even_levels(self, count: int) -> Tensor:
        """Levels (count,) in the middles of `count` equal parts of the schedule, cleanest first."""

    @abstractmethod
    def level_of(self, snr: float) -> float:
        """The level whose signal-to-noise ratio, squared amplitudes, is nearest to `snr` (above
        0). What is published as a timestep of a diffusion is found on another schedule by it."""

    @abstractmethod
    def noise(self, scaled: Tensor, levels: Tensor, eps: Tensor) -> Tensor:
        """Noisy latents of `scaled` at `levels` (B,), with standard normal noise `eps`."""

    @abstractmethod
    def wanted(self, scaled: Tensor, levels: Tensor, eps: Tensor) -> Tensor:
        """What the denoiser is trained to predict of them: the noise, the velocity (Salimans and
        Ho 2022), or a flow's noise - latents (Liu et al. 2023)."""

    def loss_weights(self, levels: Tensor) -> Tensor:
        """What the squared error at `levels` (B,) counts in training, (B,): 1 unless the family's
        training script weights it."""
        return torch.ones_like(levels, dtype=torch.float32)

    @abstractmethod
    def predict(self, noisy: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """The denoiser's output for noisy latents at `levels` (B,); differentiable."""

    @abstractmethod
    def sampler(self, steps: int, start: float | None = None) -> Sampler:
        """A deterministic sampler of `steps` steps from pure noise, or from the level `start`."""

    @abstractmethod
    def networks(self) -> Mapping[str, Sequence[nn.Module]]:
        """The networks whose passes are counted: "encoder", "decoder" and "unet" (whatever the
        denoiser's architecture). Each is called with its images or latents first."""
