"""Orthogonal PGD (Bryniarski et al. 2021) against the detection of protections; Section 5.4.

The paper cites Gowal et al. 2020 for it; the attack is from "Evading adversarial example detection
defenses with orthogonal projected gradient descent" (arXiv 2106.15023). Two objectives that a
weighted sum would let one win: f, the protective loss with its hinge, and g, the disagreement of an
image with its reconstruction, by which IMPRESS finds a protection. While f lies above a threshold
tau, a step descends f without changing g, to first order; as soon as it lies below, g without f.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context
from impress_bench.benchmark.pixels import round_toward
from impress_bench.protections.adaptive import Adaptation, Adapted
from impress_bench.protections.base import GradientProtection, Solver
from impress_bench.protections.consistency import CHAINS, Chain, disagreement
from impress_bench.protections.regions import kept_region

Variant = Literal["orthogonal", "selective"]


class OPgd(Adaptation):
    """Replaces a protection's solver by Orthogonal PGD against consistency; Table 6.

    - `variant`: "orthogonal" projects each gradient off the other's, "selective" takes them as
      they are under the same switch.
    - `steps`; `step`: root mean square of a step over an image's values, on [0, 1]. Steps have that
      length in L2: signs and Adam would destroy orthogonality.
    - `tau`: threshold of f. None takes f of the base protection's own result on the same image and
      lets go of the share `margin` of what that gained over the clean image.
    - `start`: "base" begins at that result, where f is reached already; "clean" at the image, as
      Bryniarski et al. do.
    - `chain`: what reconstructs, see `Consistency`.

    f is taken on posterior means, so that its values can be compared, and its hinge is the base
    solver's penalty. Hard budgets of the base hold after every step. f and g are measured on the
    8-bit image that would be published, and gradients are taken there. The answer is the iterate of
    lowest g among those with f <= tau, else of lowest f. Notes an image: "o-pgd-success" (1 if some
    iterate reached tau), "o-pgd-success-share" (of the steps), "o-pgd-cosine" (mean over the steps
    of that between both gradients), "o-pgd-g" (g of the answer, mean square on [-1, 1] pixels) and
    "o-pgd-g-base" (g of the base's result). Raises ValueError for parameters out of range.
    """

    name: ClassVar[str] = "o-pgd"

    def __init__(
        self,
        *,
        variant: Variant = "orthogonal",
        steps: int = 1000,
        step: float = 0.5 / 255,
        tau: float | None = None,
        margin: float = 0.05,
        start: Literal["base", "clean"] = "base",
        chain: Chain = "vae",
    ) -> None:
        if variant not in ("orthogonal", "selective"):
            raise ValueError(f"variant must be 'orthogonal' or 'selective', not {variant!r}")
        if start not in ("base", "clean"):
            raise ValueError(f"start must be 'base' or 'clean', not {start!r}")
        if chain not in CHAINS:
            raise ValueError(f"chain must be one of {', '.join(CHAINS)}, not {chain!r}")
        if steps < 1:
            raise ValueError(f"steps must be at least 1, not {steps}")
        if not (step > 0 and margin >= 0):
            raise ValueError("step must be above 0 and margin at least 0")
        self.variant: Variant = variant
        self.steps = steps
        self.step = step
        self.tau = tau
        self.margin = margin
        self.start = start
        self.chain: Chain = chain

    def adapt(self, base: GradientProtection[Any], label: str) -> GradientProtection[Any]:
        """`base` solved so that it stays consistent."""
        base.use_means()
        return Inconspicuous(base, self, label)


class Inconspicuous(Adapted):
    """A protection under Orthogonal PGD; requires its base's own result."""

    def __init__(self, base: GradientProtection[Any], adaptation: OPgd, label: str) -> None:
        super().__init__(base, adaptation)
        self.label = label
        self.solver = OrthogonalPgd(adaptation, label, base.solver, base.budget)

    def requires(self) -> tuple[str, ...]:
        """The base's result, for tau and the start."""
        return tuple(dict.fromkeys([*self.base.requires(), self.label]))


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
    """The descent; see `OPgd`."""

    settings: OPgd
    label: str
    inner: Solver
    budget: Budget

    def solve(self, objective: GradientProtection[Any], images: Tensor, context: Context) -> Tensor:
        """Protected images, on the device and in the dtype of the model, at least float32."""
        settings = self.settings
        images, generators, state, movable = objective.pose(images, context)
        model, kept = context.require_model(objective.name), kept_region(images, context)
        penalty = self.penalty(images)

        def f(x: Tensor) -> Tensor:
            return objective.loss(state, x, 0, generators) + penalty(x)

        def g(x: Tensor) -> Tensor:
            return disagreement(model, x, kept, generators, settings.chain).mean(dim=1)

        based = context.results[self.label].images.to(images)
        with torch.no_grad():
            reached, g_base = f(based), g(based)
            tau = reached + settings.margin * (f(images) - reached).clamp(min=0)
        if settings.tau is not None:
            tau = torch.full_like(reached, settings.tau)
        x = based if settings.start == "base" else images
        best: Best | None = None
        cosines, successes = torch.zeros_like(tau), torch.zeros_like(tau)
        length = settings.step * images[0].numel() ** 0.5
        for step in range(settings.steps + 1):
            published = round_toward(x, images).to(x).requires_grad_(True)
            with torch.enable_grad():
                f_x, g_x = f(published), g(published)
                (f_slope,) = torch.autograd.grad(f_x.sum(), published)
                (g_slope,) = torch.autograd.grad(g_x.sum(), published)
            success = f_x <= tau
            found = Best(published.detach(), f_x.detach(), g_x.detach(), success)
            best = found if best is None else best.or_better(found)
            if step == settings.steps:
                break
            slopes = (f_slope * movable).flatten(1), (g_slope * movable).flatten(1)
            cosines += torch.cosine_similarity(*slopes) / settings.steps
            successes += success / settings.steps
            move = direction(*slopes, success, settings.variant).view_as(x)
            x = self.project(x - length * move, images)
            objective.update(state, x)
            context.progress(step + 1, settings.steps)
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
        delta, budget = x - images, self.budget
        if budget.linf is not None and "linf" not in budget.soft:
            delta = delta.clamp(-budget.linf, budget.linf)
        if budget.l2 is not None and "l2" not in budget.soft:
            norms = delta.flatten(1).norm(dim=1).clamp(min=1e-12)[:, None, None, None]
            delta = delta * (budget.l2 / norms).clamp(max=1)
        return (images + delta).clamp(0, 1)
