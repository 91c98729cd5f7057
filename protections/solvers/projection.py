"""Perturbations brought within a budget."""

from __future__ import annotations

from torch import Tensor

from impress_bench.benchmark.contract import Budget


def within(delta: Tensor, budget: Budget) -> Tensor:
    """The perturbation `delta` (B, 3, H, W) brought within the hard bounds of `budget`: clipped in
    L-infinity, and shortened in L2 image by image. Differentiable."""
    if budget.linf is not None and "linf" not in budget.soft:
        delta = delta.clamp(-budget.linf, budget.linf)
    if budget.l2 is not None and "l2" not in budget.soft:
        norms = delta.flatten(1).norm(dim=1).clamp(min=1e-12)[:, None, None, None]
        delta = delta * (budget.l2 / norms).clamp(max=1)
    return delta
