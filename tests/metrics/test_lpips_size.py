"""LPIPS of large and of narrow images: the same value, in bounded memory."""

from __future__ import annotations

import sys

import pytest
import torch

from impress_bench.metrics import lpips, lpips_budget
from impress_bench.metrics.lpips import enlarged_size


@pytest.mark.parametrize(
    ("size", "enlarged"),
    [
        ((64, 64), (224, 224)),
        ((64, 256), (224, 896)),
        ((300, 500), (300, 500)),
        ((2, 4000), (224, 4000)),
        ((1, 2), (224, 448)),
        ((100_000, 1), (14336, 224)),
        ((1, 100_000_000), (224, 14336)),
        ((223, 4460), (224, 4460)),
    ],
)
def test_what_is_enlarged_is_bounded(size, enlarged):
    assert enlarged_size(size, 224) == enlarged
    assert enlarged_size(size, None) == size


@pytest.mark.parametrize(
    "size", [(1, 3, 150, 600), (1, 3, 600, 151), (1, 3, 259, 517), (2, 3, 700, 64)]
)
def test_strips_give_what_the_whole_gives(size, monkeypatch):
    """However many there are, and where they end between two values of a map."""
    whole = sys.modules["impress_bench.metrics.lpips"]
    strips = sys.modules["impress_bench.metrics.strips"]
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(size, generator=generator)
    other = (images + 0.1 * torch.randn(images.shape, generator=generator)).clamp(0, 1)
    with torch.no_grad():
        expected = lpips(images, other)
        monkeypatch.setattr(whole, "STRIP_PIXELS", 1)
        monkeypatch.setattr(strips, "STRIP_PIXELS", 1)
        for own in (strips.OWN, 96, strips.STRIDE):
            monkeypatch.setattr(strips, "OWN", own)
            torch.testing.assert_close(lpips(images, other), expected, atol=1e-7, rtol=1e-5)


def test_a_narrow_image_costs_little():
    images = torch.rand(1, 3, 2, 4000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert 0 < lpips_budget(images, 1 - images).item() < 2
