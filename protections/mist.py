"""Mist (Liang and Wu 2023): pulls latents to a fixed target, raises a denoising error, or both.

textural:  min  || E(x + delta) - E(target) ||^2
semantic:  max  || eps - eps_theta(z_t, t, c) ||^2          (AdvDM)
fused:     min  textural - rate * semantic
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context, check_range
from impress_bench.benchmark.models.posterior import Posterior
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.denoising import denoise
from impress_bench.protections.objectives.targets import target_images
from impress_bench.protections.solvers.pgd import Pgd

if TYPE_CHECKING:
    from impress_bench.benchmark.models.conditioning import Conditioning
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class MistState(NamedTuple):
    """The surrogate, the prompt's conditioning, one row, the target's posterior."""

    model: LatentDiffusion
    prompt: Conditioning
    target: Posterior


class Mist(GradientProtection[MistState]):
    """Mist's three modes by PGD in L-infinity.

    Defaults are those of the released `mist_v3.py`, halved to [0, 1] pixels. Latents are scaled and
    squares are summed; the image's and the target's latents are drawn from their posteriors at each
    step, as released. Needs a model.

    Args:
        mode: "fused", "textural" or "semantic". The released README swaps the numbers of the last
            two.
        target: an image whose latents are aimed at, see `target_images`. The released MIST.png is
            not ours to ship; "pattern" stands for it.
        rate: weight of the denoising error in "fused"; at least 0.
        linf: hard bound; 0 to 1 on [0, 1] pixels.
        step: length of a step; 0 to 1 on [0, 1] pixels.
        steps: steps of PGD; at least 1.
        random_start: begin uniformly within the bound, or at the image.
        prompt: of the U-Net.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "mist"
    files: ClassVar[tuple[str, ...]] = ("target",)

    def __init__(
        self,
        *,
        mode: Literal["fused", "textural", "semantic"] = "fused",
        target: str = "pattern",
        rate: float = 1e4,
        linf: float = 16 / 255,
        step: float = 1 / 255,
        steps: int = 100,
        random_start: bool = True,
        prompt: str = "a painting",
    ) -> None:
        if mode not in ("fused", "textural", "semantic"):
            raise ValueError(f"mode must be 'fused', 'textural' or 'semantic', not {mode!r}")
        self.mode = mode
        self.target = target
        check_range(0, rate=rate)
        self.rate = rate
        self.prompt = prompt
        self.solver = Pgd(steps, step, linf=linf, random_start=random_start)
        self.budget = Budget(linf=linf)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> MistState:
        """The prompt and the target's latents."""
        model = context.require_model(self.name)
        with torch.no_grad():
            target = model.posterior(target_images(self.name, self.target, images, generators))
        return MistState(model, model.embed([self.prompt]), target)

    def loss(
        self, state: MistState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """The mode's objective (B,)."""
        model = state.model
        if self.mode == "textural":
            latents = model.scale(model.encode(x, True, generators))
            return self._to_target(state, latents, generators).to(x.dtype)
        seen = denoise(model, x, state.prompt, generators)
        if self.mode == "semantic":
            return -seen.error.to(x.dtype)
        textural = self._to_target(state, seen.latents, generators)
        return (textural - self.rate * seen.error).to(x.dtype)

    @staticmethod
    def _to_target(
        state: MistState, latents: Tensor, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Sum of squares (B,) to the target's latents, drawn anew at each step as released."""
        target = state.model.scale(state.target.sample(generators))
        return (latents - target).square().flatten(1).sum(dim=1)
