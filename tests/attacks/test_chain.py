"""Purifiers one after the other."""

from __future__ import annotations

import pytest
import torch
from contexts import context

from impress_bench.attacks import (
    Chain,
    GaussianNoise,
    Jpeg,
    NoisyUpscaling,
    Resize,
)


def test_a_chain_is_its_links_in_turn(smooth_images):
    images = smooth_images(2, 32)
    made = Chain(GaussianNoise(std=0.05), Jpeg(quality=40), Resize())(images, context(3)).images
    stream = context(3)
    expected = images
    for purifier in (GaussianNoise(std=0.05), Jpeg(quality=40), Resize()):
        expected = purifier(expected, stream).images
    assert torch.equal(made, expected)
    assert "upscaler" in (Chain(Jpeg(), NoisyUpscaling()).skip(None) or "")
    assert Chain(Jpeg()).skip(None) is None
    with pytest.raises(ValueError, match="at least one"):
        Chain()
