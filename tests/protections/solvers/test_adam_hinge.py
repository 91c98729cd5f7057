"""The hinge and the clamp of the descent by Adam."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from contexts import context
from objectives import Aim
from torch import Tensor

from impress_bench.benchmark.harness.stages.passes import Passes
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.metrics import lpips_budget, lpips_to
from impress_bench.metrics.lpips import _network
from impress_bench.protections.solvers.adam_hinge import AdamHinge, straight_through_clamp


def generators(n: int, seed: int = 5) -> list[torch.Generator]:
    return per_image_generators(torch.Generator().manual_seed(seed), n)


def test_hinge_is_free_below_p_and_exact_above(smooth_images) -> None:
    images = smooth_images(2, 64).double()
    x = (images + 0.05 * torch.randn(images.shape, generator=generators(1)[0])).clamp(0, 1)
    distance = lpips_budget(x, images)
    assert (distance > 0.01).all()
    high, low = (AdamHinge(steps=1, lr=0.01, p=p, alpha=30.0) for p in (2.0, 0.01))
    assert high.penalty(images)(x).tolist() == [0, 0]
    assert low.penalty(images)(x).tolist() == pytest.approx((30 * (distance - 0.01)).tolist())


@dataclass(frozen=True)
class EveryPassBack(AdamHinge):
    """With the hinge written out: a pass goes back at every step, for a gradient of zero or not."""

    def penalty(self, images: Tensor):
        distance = lpips_to(images, resize=224)
        return lambda x: self.alpha * (distance(x) - self.p).clamp(min=0)


def test_a_hinge_that_does_not_hold_costs_no_pass_back_and_changes_no_byte(smooth_images) -> None:
    images = smooth_images(2, 64)
    aim, passes = Aim(1 - images), Passes()
    passes.watch("lpips", _network("alex", torch.float32, images.device).net)
    host = SimpleNamespace(device=images.device, dtype=images.dtype)
    made, back, steps = [], [], 6
    for solver in (EveryPassBack, AdamHinge):
        passes.counts.clear()
        hinge = solver(steps=steps, lr=0.05, p=0.02, alpha=30.0)
        made.append(hinge.solve(aim, images, context(model=host)))
        back.append(passes.counts["lpips backward"] // len(images))
    assert torch.equal(*made)
    assert back[0] == steps
    assert 0 < back[1] < steps


def test_clamp_passes_gradient_straight_through() -> None:
    x = torch.tensor([-0.5, 0.5, 1.5], requires_grad=True)
    clamped = straight_through_clamp(x)
    clamped.sum().backward()
    assert clamped.tolist() == [0, 0.5, 1]
    assert x.grad.tolist() == [1, 1, 1]
