"""PID (Li et al. 2024, ICML): protection that depends on no prompt, by the encoder alone.

    max over |delta| <= budget of  MSE(mu(x + delta), mu(x)) + MSE(log var(x + delta), log var(x))

for mean mu and variance var of the encoder's posterior.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context, PluginError, State
from impress_bench.benchmark.models.posterior import Posterior
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.solvers.pgd import Pgd

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

Statistics = Literal["add-log", "add", "mean", "std"]
STATISTICS = ("add-log", "add", "mean", "std")


class PosteriorState(NamedTuple):
    """The surrogate, and its posterior of the clean images."""

    model: LatentDiffusion
    clean: Posterior


class Pid(GradientProtection[PosteriorState]):
    """Moves the posterior of the latents away from the clean image's.

    Defaults are those of PKU-ML/Diffusion-PID-Protection at af7a928 (PID.py), which has [0, 1]
    pixels; its number of steps, 1,000, is that of its instructions. No prompt and no denoiser is
    used. Needs a model whose posterior has a spread, except for "mean".

    Args:
        statistics: what is compared: "add-log" is the formula above; "add" has standard deviations
            in place of log variances; "mean" and "std" one of the two alone.
        linf: hard bound; 0 to 1 on [0, 1] pixels.
        step: length of a step; 0 to 1 on [0, 1] pixels. The release fixes 1/255.
        steps: steps of PGD; at least 1.
        random_start: begin uniformly within the bound, or at the image, where the gradient is 0.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "pid"
    title: ClassVar[str] = "PID"

    def __init__(
        self,
        *,
        statistics: Statistics = "add-log",
        linf: float = 12.75 / 255,
        step: float = 1 / 255,
        steps: int = 1000,
        random_start: bool = True,
    ) -> None:
        if statistics not in STATISTICS:
            raise ValueError(
                f"statistics must be one of {', '.join(STATISTICS)}, not {statistics!r}"
            )
        self.statistics = statistics
        self.solver = Pgd(steps, step, linf=linf, random_start=random_start)
        self.budget = Budget(linf=linf)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> PosteriorState:
        """The clean posterior. Raises PluginError, with the state `skipped`, if it has no spread
        and one is asked for."""
        model = context.require_model(self.name)
        with torch.no_grad():
            clean = model.posterior(images)
        if self.statistics != "mean" and not bool((clean.std > 0).all()):
            raise PluginError(
                self.name, "the encoder draws nothing; statistics=mean does without", State.SKIPPED
            )
        return PosteriorState(model, clean)

    def loss(
        self, state: PosteriorState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Minus the distance (B,) of the posteriors."""
        found, total = state.model.posterior(x), x.new_zeros(len(x))
        if self.statistics != "std":
            total = total + _squares(found.mean, state.clean.mean).to(x.dtype)
        if self.statistics == "add-log":
            gap = _squares(2 * found.std.log(), 2 * state.clean.std.log())
            total = total + gap.to(x.dtype)
        elif self.statistics != "mean":
            total = total + _squares(found.std, state.clean.std).to(x.dtype)
        return -total


def _squares(first: Tensor, second: Tensor) -> Tensor:
    """Mean squared difference (B,)."""
    return (first - second).square().flatten(1).mean(dim=1)
