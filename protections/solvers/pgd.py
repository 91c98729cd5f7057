"""Projected gradient descent in L-infinity or L2 (Madry et al. 2018), as PhotoGuard uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Context, check_pixel_scale, check_range
from impress_bench.benchmark.seeds import rand_per_image
from impress_bench.protections.base import GradientProtection, Solver


@dataclass(frozen=True)
class Pgd(Solver):
    """Steepest descent within a ball around the image and within the pixel range.

    In L-infinity a step is the sign of the gradient; in L2 the gradient of each image at norm 1,
    and a perturbation that is too long is shortened, as the released PhotoGuard renormalises it.
    The last iterate is the answer, not the best.

    Args:
        steps: number of steps; at least 1.
        step: length of a step on [0, 1] pixels, half of what is published for [-1, 1]; at least 0,
            in L-infinity at most 1.
        linf: radius in L-infinity; 0 to 1 on [0, 1] pixels. Give exactly one of `linf` and `l2`.
        l2: radius as each image's Euclidean norm on [0, 1] pixels; at least 0.
        decay: whether the step shrinks linearly to a hundredth, as in PhotoGuard's encoder attack.
        random_start: begin uniformly in the L-infinity ball, where the objective lets images move.
            An L2 start has no such convention and is refused.
        repeats: gradients averaged per step, for objectives that draw noise (PhotoGuard's
            grad_reps); at least 1.

    Raises:
        ValueError: for a parameter out of range.
    """

    steps: int
    step: float
    linf: float | None = None
    l2: float | None = None
    decay: bool = False
    random_start: bool = False
    repeats: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "repeats"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if (self.linf is None) == (self.l2 is None):
            raise ValueError("give exactly one of linf and l2")
        check_range(0, step=self.step, linf=self.linf, l2=self.l2)
        check_pixel_scale("linf", self.linf)
        if self.linf is not None:
            check_pixel_scale("step", self.step)
        if self.random_start and self.linf is None:
            raise ValueError("random_start needs linf")

    def solve(self, objective: GradientProtection[Any], images: Tensor, context: Context) -> Tensor:
        """Protected images, on the device and in the dtype of the model, at least float32."""
        images, generators, state, movable = objective.pose(images, context)
        delta = torch.zeros_like(images)
        if self.random_start:
            assert self.linf is not None
            delta = self.linf * (2 * rand_per_image(generators, images) - 1) * movable
        x = (images + delta).clamp(0, 1)
        for step in range(self.steps):
            gradient = torch.zeros_like(x)
            for _ in range(self.repeats):
                point = x.detach().requires_grad_(True)
                with torch.enable_grad():
                    losses = objective.loss(state, point, step, generators)
                    gradient += torch.autograd.grad(losses.sum(), point)[0] / self.repeats
            with torch.no_grad():
                x = x - self.rate(step) * self.direction(gradient * movable)
                x = (images + self.project(x - images, images)).clamp(0, 1)
                objective.update(state, x)
            context.progress(step + 1, self.steps)
        return x.detach()

    def direction(self, gradient: Tensor) -> Tensor:
        """The steepest direction of unit norm in each image's ball."""
        return gradient.sign() if self.l2 is None else gradient / (_norm(gradient) + 1e-10)

    def project(self, delta: Tensor, images: Tensor) -> Tensor:
        """The nearest perturbation of `images` within the ball. A subclass may bound it otherwise,
        depending on the image."""
        if self.linf is not None:
            return delta.clamp(-self.linf, self.linf)
        assert self.l2 is not None
        return delta * (self.l2 / _norm(delta).clamp(min=1e-12)).clamp(max=1)

    def rate(self, step: int) -> float:
        """The length of step `step`, counted from 0."""
        return self.step * (1 - 0.99 * step / self.steps) if self.decay else self.step


def _norm(values: Tensor) -> Tensor:
    """Euclidean norm of each image, (B, 1, 1, 1)."""
    return values.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()
