"""AdvDM (Liang et al. 2023): images whose noise a diffusion model predicts badly.

    max over |delta| <= budget of  E over t, eps of || eps - eps_theta(z_t, t, c) ||^2

The expectation is taken by one draw of t and eps a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.denoising import denoise
from impress_bench.protections.solvers.pgd import Pgd

if TYPE_CHECKING:
    from impress_bench.benchmark.models.conditioning import Conditioning
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class DenoisingState(NamedTuple):
    """The surrogate and the prompt's conditioning, one row."""

    model: LatentDiffusion
    prompt: Conditioning


class AdvDM(GradientProtection[DenoisingState]):
    """Raises the denoising error by PGD in L-infinity.

    Defaults are those of Diff-Protect's `advdm` (the authors' own code is not public), halved to
    [0, 1] pixels. Needs a model.

    Args:
        linf: hard bound; 0 to 1 on [0, 1] pixels.
        step: length of a step; 0 to 1 on [0, 1] pixels.
        steps: steps of PGD; at least 1.
        random_start: begin uniformly within the bound, or at the image.
        prompt: of the U-Net. Diff-Protect has this one for art and "a photo" elsewhere.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "advdm"
    title: ClassVar[str] = "AdvDM"

    def __init__(
        self,
        *,
        linf: float = 16 / 255,
        step: float = 1 / 255,
        steps: int = 100,
        random_start: bool = True,
        prompt: str = "an artwork painting",
    ) -> None:
        self.prompt = prompt
        self.solver = Pgd(steps, step, linf=linf, random_start=random_start)
        self.budget = Budget(linf=linf)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> DenoisingState:
        """The surrogate with its prompt."""
        model = context.require_model(self.name)
        return DenoisingState(model, model.embed([self.prompt]))

    def loss(
        self, state: DenoisingState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Minus the denoising error (B,)."""
        return -denoise(state.model, x, state.prompt, generators).error.to(x.dtype)
