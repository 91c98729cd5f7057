"""The hinge on LPIPS: its value, its gradient, and what it spares while nothing exceeds it."""

from __future__ import annotations

import pytest
import torch

from impress_bench.metrics import lpips_to
from impress_bench.metrics.lpips import lpips_hinge


@pytest.mark.parametrize("limit", [0.0, "between", 2.0])
def test_value_and_gradient_are_the_clamped_excess(smooth_images, limit):
    images = smooth_images(2, 64)
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    moved = images + torch.tensor([0.01, 0.2]).view(2, 1, 1, 1) * noise
    if limit == "between":
        limit = float(lpips_to(images, resize=224)(moved).mean())
    slopes, values = [], []
    for written_out in (True, False):
        x = moved.clone().requires_grad_(True)
        if written_out:
            excess = (lpips_to(images, resize=224)(x) - limit).clamp(min=0)
        else:
            excess = lpips_hinge(images, limit, resize=224)(x)
        values.append(excess.tolist())
        (slope,) = torch.autograd.grad((excess + 0 * x.sum()).sum(), x)
        slopes.append(slope)
    assert values[0] == values[1]
    assert torch.equal(*slopes)


def test_nothing_goes_back_while_no_image_exceeds_the_limit(smooth_images):
    images = smooth_images(2, 64)
    x = (images + 0.02).requires_grad_(True)
    assert not lpips_hinge(images, 2.0, resize=224)(x).requires_grad
    assert lpips_hinge(images, 0.0, resize=224)(x).requires_grad
