"""A protective objective and a disagreement that are known quadratics."""

from __future__ import annotations

import pytest
import torch
from objectives import Linear

from impress_bench.benchmark import Context

SIZE = 8


@pytest.fixture
def problem(smooth_images):
    """Images, a target, and a context whose model disagrees in known ways."""
    images = smooth_images(2, SIZE).double() * 0.5 + 0.25
    images = (images * 255).round() / 255
    draw = torch.Generator().manual_seed(3)
    target, centre, pull = (torch.rand(images.shape, generator=draw).double() for _ in range(3))
    host = Linear(device=torch.device("cpu"), dtype=torch.float64, centre=centre, pull=pull)
    context = Context(generator=torch.Generator().manual_seed(0), model=host)
    return images, target, host, context
