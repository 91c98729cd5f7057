"""CAAT (Xu et al. 2024): images and cross-attention weights optimise one error in opposite
directions.

At every step the images raise the denoising error, and the keys and values that read the prompt
lower it: personalisation changes little else, so that it cannot learn what they cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context, check_range
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.trained_surrogate import Surrogate, cross_attention_kv
from impress_bench.protections.solvers.pgd import Pgd

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


@dataclass
class CaatState:
    """The surrogate, and the generators it trains with."""

    surrogate: Surrogate
    generators: Sequence[torch.Generator]


class Caat(GradientProtection[CaatState]):
    """Cross-attention attack.

    Defaults are those of the released script at 512 px, halved to [0, 1] pixels. Needs a model.
    Departure: the weights learn from a draw of their own, where the released code shares one
    between both.

    Args:
        steps: steps of PGD, each followed by one of training; at least 1.
        surrogate_lr: AdamW's learning rate; at least 0.
        batch: images per step of training; at least 1.
        linf: hard bound; 0 to 1 on [0, 1] pixels. The argument's default is twice the script's.
        step: length of a step of PGD; 0 to 1 on [0, 1] pixels.
        prompt: of training and attack; "{title}" in it is each image's own.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "caat"
    title: ClassVar[str] = "CAAT"
    granularity: ClassVar[Literal["image", "subject"]] = "subject"

    def __init__(
        self,
        *,
        steps: int = 250,
        surrogate_lr: float = 1e-5,
        batch: int = 4,
        linf: float = 0.025,
        step: float = 0.0025,
        prompt: str = "a photo of a person",
    ) -> None:
        check_range(0, surrogate_lr=surrogate_lr)
        check_range(1, batch=batch)
        self.surrogate_lr = surrogate_lr
        self.batch = batch
        self.prompt = prompt
        self.solver = Pgd(steps, step, linf=linf)
        self.budget = Budget(linf=linf)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> CaatState:
        """A surrogate whose cross-attention learns."""
        surrogate = Surrogate.of(
            self.name, context, self.prompt, images, self.surrogate_lr, self.trains
        )
        return CaatState(surrogate, generators)

    def trains(self, model: LatentDiffusion, weight: str) -> bool:
        """Whether a weight of the denoiser learns: keys and values that read the prompt."""
        return cross_attention_kv(model, weight)

    def loss(
        self, state: CaatState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Minus the surrogate's denoising error (B,)."""
        return -state.surrogate.denoise(x, generators).error.to(x.dtype)

    def update(self, state: CaatState, x: Tensor) -> None:
        """One step of the weights against the images."""
        surrogate = state.surrogate
        surrogate.train(surrogate.encoded(x), state.generators, 1, self.batch)
