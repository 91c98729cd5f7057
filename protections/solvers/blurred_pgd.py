"""Normalised gradient descent on a perturbation that is blurred before it is added (BlurGuard)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from impress_bench.benchmark.contract import USUAL_LINF, Budget, Context
from impress_bench.benchmark.seeds import randn_per_image
from impress_bench.protections.base import GradientProtection, Solver
from impress_bench.protections.solvers.projection import within
from impress_bench.protections.solvers.region_blur import colour_regions, region_blur, ring_powers


@dataclass(frozen=True)
class BlurredPgd(Solver):
    """Descends the objective over p, where the image moves by within(blur(p)); parameters as for
    `BlurGuard`.

    `inner` is the base's solver, whose penalty is kept, and `budget` the base's.
    """

    inner: Solver
    budget: Budget
    regions: int
    steps: int
    sigma_steps: int
    sigma_lr: float
    step: float

    def solve(self, objective: GradientProtection[Any], images: Tensor, context: Context) -> Tensor:
        """Protected images, on the device and in the dtype of the model, at least float32."""
        images, generators, state, movable = objective.pose(images, context)
        penalty = self.penalty(images)
        masks = colour_regions(images, self.regions)
        sigmas = self._blurs(images, masks, generators, context)

        def moved(p: Tensor) -> Tensor:
            return (images + within(region_blur(p, sigmas, masks) * movable, self.budget)).clamp(
                0, 1
            )

        p, x = torch.zeros_like(images), images
        for step in range(self.sigma_steps, self.steps):
            p.requires_grad_(True)
            with torch.enable_grad():
                x = moved(p)
                losses = objective.loss(state, x, step - self.sigma_steps, generators) + penalty(x)
                (slope,) = torch.autograd.grad(losses.sum(), p)
            norms = slope.flatten(1).norm(dim=1)[:, None, None, None]
            p = p.detach() - self.rate(step) * slope / (norms + 1e-10)
            with torch.no_grad():
                x = moved(p)
                objective.update(state, x)
            context.progress(step + 1, self.steps)
        return x.detach()

    def penalty(self, images: Tensor) -> Callable[[Tensor], Tensor]:
        """The base solver's."""
        return self.inner.penalty(images)

    def rate(self, step: int) -> float:
        """The length of step `step`: it shrinks linearly to a hundredth, counted from the first
        step of the deviations."""
        return self.step * (1 - 0.99 * step / self.steps)

    def _blurs(
        self,
        images: Tensor,
        masks: Tensor,
        generators: Sequence[torch.Generator],
        context: Context,
    ) -> Tensor:
        """Deviations (B, R) under which noise changes the spectrum of `images` the least, in the
        ring where it changes it the most."""
        bound = self._bound(images)
        logs = images.new_zeros(masks.shape[:2], requires_grad=True)
        optimiser = torch.optim.Adam([logs], lr=self.sigma_lr)
        clean = ring_powers(images)
        for step in range(self.sigma_steps):
            noise = (randn_per_image(generators, images) / 2).clamp(-bound, bound)
            with torch.enable_grad():
                blurred = region_blur(noise, logs.exp(), masks).clamp(-bound, bound)
                gaps = (ring_powers((images + blurred).clamp(0, 1)) - clean).abs().amax(dim=1)
                # The release weighs this by 10, which Adam cancels.
                (logs.grad,) = torch.autograd.grad(gaps.sum(), logs)
            optimiser.step()
            context.progress(step + 1, self.steps)
        sigmas: Tensor = logs.detach().exp()
        # Empty regions keep a deviation of 1 and count for nothing.
        shares = masks.mean(dim=(2, 3))
        context.note("blurguard-sigma", (sigmas * shares).sum(dim=1).tolist())
        return sigmas

    def _bound(self, images: Tensor) -> float:
        """How large the noise is that deviations are chosen with: as the budget permits."""
        if self.budget.linf is not None:
            return self.budget.linf
        if self.budget.l2 is not None:
            return float(self.budget.l2 / images[0].numel() ** 0.5)
        return USUAL_LINF
