"""Adam with a soft LPIPS budget, as IMPRESS's reimplementation of GLAZE uses it (Eq. 3.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Context, check_pixel_scale, check_range
from impress_bench.benchmark.seeds import rand_per_image
from impress_bench.metrics.lpips import lpips_hinge
from impress_bench.protections.base import GradientProtection, Solver


@dataclass(frozen=True)
class AdamHinge(Solver):
    """Adam on the perturbation, with a hinge on LPIPS as a soft budget (the paper's Eq. 3.4).

    Minimises objective(x + delta) + alpha * max(LPIPS(x + delta, x) - p, 0), summed over the batch.

    As in IMPRESS's released GLAZE: delta starts uniform in [-p, p] and is stepped by Adam with
    torch's defaults and a constant rate; the pixel range is enforced on x + delta with the gradient
    passed straight through, never on delta itself; the last iterate is the answer, not the best.
    Departures: the objective is the sum over the batch, so that no image depends on its neighbours,
    where the released code has a batch of one; LPIPS of images below 224 px is taken at 224 (at 64
    px it is no bound otherwise); `linf` projects delta after each step, which the paper lacks.

    Args:
        steps: number of steps; at least 1.
        lr: Adam's learning rate; 0 to 2 on [-1, 1] pixels.
        p: LPIPS below it costs nothing, and delta starts uniform in [-p, p] on [-1, 1] pixels; at
            least 0.
        alpha: weight of the hinge; at least 0.
        linf: hard bound; 0 to 1 on [0, 1] pixels, so 16/255 here is 32/255 on [-1, 1]; None for no
            bound.
        lpips_net: net of the hinge, "alex" or "vgg".

    Raises:
        ValueError: for a parameter out of range.
    """

    steps: int
    lr: float
    p: float
    alpha: float
    linf: float | None = None
    lpips_net: str = "alex"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, not {self.steps}")
        for name in ("lr", "p", "alpha"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, not {getattr(self, name)}")
        check_pixel_scale("lr", self.lr, span=2)
        check_range(0, linf=self.linf)
        check_pixel_scale("linf", self.linf)

    def solve(self, objective: GradientProtection[Any], images: Tensor, context: Context) -> Tensor:
        """Protected images, on the device and in the dtype of the model, at least float32."""
        images, generators, state, movable = objective.pose(images, context)
        penalty = self.penalty(images)
        delta = self.project((2 * rand_per_image(generators, images) - 1) * self.p) * movable
        delta.requires_grad_(True)
        optimiser = torch.optim.Adam([delta], lr=self.lr)
        for step in range(self.steps):
            with torch.enable_grad():
                x = straight_through_clamp(images + delta / 2)
                losses = objective.loss(state, x, step, generators) + penalty(x)
                (delta.grad,) = torch.autograd.grad(losses.sum(), delta)
            optimiser.step()
            with torch.no_grad():
                delta.copy_(self.project(delta) * movable)
                objective.update(state, (images + delta / 2).clamp(0, 1))
            context.progress(step + 1, self.steps)
        return (images + delta.detach() / 2).clamp(0, 1)

    def penalty(self, images: Tensor) -> Callable[[Tensor], Tensor]:
        """alpha * max(LPIPS - p, 0) of each image (B,)."""
        hinge = lpips_hinge(images, self.p, self.lpips_net, resize=224)
        return lambda x: self.alpha * hinge(x)

    def project(self, delta: Tensor) -> Tensor:
        """A perturbation on [-1, 1] brought within `linf` on [0, 1], if there is one."""
        return delta if self.linf is None else delta.clamp(-2 * self.linf, 2 * self.linf)


def straight_through_clamp(images: Tensor) -> Tensor:
    """`images` within [0, 1], with the gradient of the identity."""
    return images + (images.clamp(0, 1) - images).detach()
