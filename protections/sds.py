"""Score distillation attacks (Xue et al. 2024, "Toward effective protection against diffusion-based
mimicry through score distillation"; the code is called Diff-Protect).

The gradient of the denoising error with respect to the latents is replaced by the residual
eps_theta(z_t, t, c) - eps, the U-Net being taken as constant (Poole et al. 2023): one pass through
the U-Net and none back. Descending the error blurs what a model learns and is what the authors
recommend; SDST adds a textural target as Mist has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context, check_range
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.denoising import denoise
from impress_bench.protections.objectives.targets import target_latents
from impress_bench.protections.solvers.pgd import Pgd

if TYPE_CHECKING:
    from impress_bench.benchmark.models.conditioning import Conditioning
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class SdsState(NamedTuple):
    """The surrogate, the prompt's conditioning, one row, a target's scaled latents."""

    model: LatentDiffusion
    prompt: Conditioning
    target: Tensor | None


class Sds(GradientProtection[SdsState]):
    """SDS, and SDST where a `target` is given, by PGD in L-infinity.

    Defaults are those of Diff-Protect's configuration, halved to [0, 1] pixels. There is no random
    start. The loss has the value of the denoising error and the gradient of score distillation, so
    no finite difference of it equals its gradient. Needs a model.

    Args:
        ascend: raise the denoising error instead of lowering it; the README says "+", the
            configuration and the paper's recommendation "-".
        target: "" for SDS; "pattern", "grey", "noise" or the path of an image for SDST, whose
            latents are aimed at.
        rate: weight of the score term beside the target's sum of squares; at least 0.
        linf: hard bound; 0 to 1 on [0, 1] pixels.
        step: length of a step; 0 to 1 on [0, 1] pixels.
        steps: steps of PGD; at least 1.
        prompt: of the U-Net. Diff-Protect has this one for art and "a photo" elsewhere.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "sds"
    title: ClassVar[str] = "SDS"
    files: ClassVar[tuple[str, ...]] = ("target",)

    def __init__(
        self,
        *,
        ascend: bool = False,
        target: str = "",
        rate: float = 5.0,
        linf: float = 16 / 255,
        step: float = 1 / 255,
        steps: int = 100,
        prompt: str = "an artwork painting",
    ) -> None:
        self.ascend = ascend
        self.target = target
        check_range(0, rate=rate)
        self.rate = rate
        self.prompt = prompt
        self.solver = Pgd(steps, step, linf=linf)
        self.budget = Budget(linf=linf)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> SdsState:
        """The prompt, and the target's latents if there is one."""
        model, target = context.require_model(self.name), None
        if self.target:
            target = target_latents(self.name, self.target, images, model, generators)
        return SdsState(model, model.embed([self.prompt]), target)

    def loss(
        self, state: SdsState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """The denoising error (B,), minus it to ascend; plus the distance to the target."""
        seen = denoise(state.model, x, state.prompt, generators, gradient=False)
        residual = (seen.predicted - seen.wanted).detach()
        surrogate = (residual * seen.latents).flatten(1).sum(dim=1)
        score = seen.error.detach() + surrogate - surrogate.detach()
        score = -score if self.ascend else score
        if state.target is None:
            return score.to(x.dtype)
        distance = (seen.latents - state.target).square().flatten(1).sum(dim=1)
        return (self.rate * score + distance).to(x.dtype)
