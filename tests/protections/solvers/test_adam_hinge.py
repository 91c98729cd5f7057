"""The hinge and the clamp of the descent by Adam."""

from __future__ import annotations

import pytest
import torch

from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.metrics import lpips_budget
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


def test_clamp_passes_gradient_straight_through() -> None:
    x = torch.tensor([-0.5, 0.5, 1.5], requires_grad=True)
    clamped = straight_through_clamp(x)
    clamped.sum().backward()
    assert clamped.tolist() == [0, 0.5, 1]
    assert x.grad.tolist() == [1, 1, 1]
