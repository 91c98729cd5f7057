"""Orthogonal projected gradient descent (Bryniarski et al. 2021, arXiv 2106.15023).

It balances two objectives where a weighted sum would favour one: f, the protective loss with its
hinge, and g, the difference between an image and its reconstruction, by which IMPRESS detects a
protection. While f lies above a threshold tau, a step descends f without changing g to first order;
below tau it descends g without changing f.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context
from impress_bench.benchmark.pixels import round_toward
from impress_bench.protections.base import GradientProtection, Solver
from impress_bench.protections.objectives.disagreement import Chain, disagreement
from impress_bench.protections.objectives.masks import kept_region
from impress_bench.protections.solvers.projection import within

Variant = Literal["orthogonal", "selective"]


class Best(NamedTuple):
    """The best iterate yet: images (B, 3, H, W); f, g and whether f reached tau, (B,)."""

    x: Tensor
    f: Tensor
    g: Tensor
    success: Tensor

    def or_better(self, other: Best) -> Best:
        """Image by image, the one of lower g among successes, a success before a failure, and the
        one of lower f among failures."""
        among = torch.where(self.success, other.g < self.g, other.f < self.f)
        better = torch.where(self.success == other.success, among, other.success)
        wide = better[:, None, None, None]
        return Best(
            torch.where(wide, other.x, self.x),
            torch.where(better, other.f, self.f),
            torch.where(better, other.g, self.g),
            self.success | other.success,
        )


def direction(f_slope: Tensor, g_slope: Tensor, success: Tensor, variant: Variant) -> Tensor:
    """The gradient (B, D) to step against, at norm 1: where `success` (B,), that of g, elsewhere
    that of f; if "orthogonal" without its component along the other."""
    if variant == "orthogonal":
        f_slope, g_slope = _off(f_slope, g_slope), _off(g_slope, f_slope)
    slope = torch.where(success[:, None], g_slope, f_slope)
    unit: Tensor = slope / torch.linalg.vector_norm(slope, dim=1, keepdim=True).clamp(min=1e-30)
    return unit


def _off(slope: Tensor, other: Tensor) -> Tensor:
    """`slope` without its projection on `other`."""
    share = (slope * other).sum(1, keepdim=True) / other.square().sum(1, keepdim=True).clamp(1e-30)
    return slope - share * other


@dataclass(frozen=True)
class OrthogonalPgd(Solver):
    """Descends f above the threshold tau and g below it; parameters as for `OPgd`.

    `label` names the result of the base protection in `context.results`, `inner` is the base's
    solver, whose penalty is part of f, and `budget` the base's.
    """

    label: str
    inner: Solver
    budget: Budget
    variant: Variant
    steps: int
    step: float
    tau: float | None
    margin: float
    start: Literal["base", "clean"]
    chain: Chain

    def solve(self, objective: GradientProtection[Any], images: Tensor, context: Context) -> Tensor:
        """Protected images, on the device and in the dtype of the model, at least float32."""
        images, generators, state, movable = objective.pose(images, context)
        model, kept = context.require_model(objective.name), kept_region(images, context)
        penalty = self.penalty(images)

        def f(x: Tensor) -> Tensor:
            return objective.loss(state, x, 0, generators) + penalty(x)

        def g(x: Tensor) -> Tensor:
            return disagreement(model, x, kept, generators, self.chain).mean(dim=1)

        based = context.results[self.label].images.to(images)
        with torch.no_grad():
            reached, g_base = f(based), g(based)
            tau = reached + self.margin * (f(images) - reached).clamp(min=0)
        if self.tau is not None:
            tau = torch.full_like(reached, self.tau)
        x = based if self.start == "base" else images
        best: Best | None = None
        cosines, successes = torch.zeros_like(tau), torch.zeros_like(tau)
        length = self.step * images[0].numel() ** 0.5
        for step in range(self.steps + 1):
            published = round_toward(x, images).to(x).requires_grad_(True)
            with torch.enable_grad():
                f_x, g_x = f(published), g(published)
                (f_slope,) = torch.autograd.grad(f_x.sum(), published)
                (g_slope,) = torch.autograd.grad(g_x.sum(), published)
            success = f_x <= tau
            found = Best(published.detach(), f_x.detach(), g_x.detach(), success)
            best = found if best is None else best.or_better(found)
            if step == self.steps:
                break
            slopes = (f_slope * movable).flatten(1), (g_slope * movable).flatten(1)
            cosines += torch.cosine_similarity(*slopes) / self.steps
            successes += success / self.steps
            move = direction(*slopes, success, self.variant).view_as(x)
            x = self.project(x - length * move, images)
            objective.update(state, x)
            context.progress(step + 1, self.steps)
        assert best is not None
        notes = {"success": best.success, "success-share": successes, "cosine": cosines}
        for name, values in {**notes, "g": best.g, "g-base": g_base}.items():
            context.note(f"o-pgd-{name}", values.to(x).tolist())
        return best.x

    def penalty(self, images: Tensor) -> Callable[[Tensor], Tensor]:
        """The base solver's."""
        return self.inner.penalty(images)

    def project(self, x: Tensor, images: Tensor) -> Tensor:
        """`x` brought within the hard budgets in L-infinity and L2, and within [0, 1]."""
        return (images + within(x - images, self.budget)).clamp(0, 1)
