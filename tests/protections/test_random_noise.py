"""The noise control matches visibility on each image."""

from __future__ import annotations

import pytest
import torch
from contexts import context
from torch import Tensor

from impress_bench.benchmark.contract import Context, PluginError, Protected
from impress_bench.metrics import l2, linf, lpips_budget
from impress_bench.protections import RandomNoise


@pytest.fixture(scope="module")
def images(smooth_images) -> Tensor:
    return smooth_images(3, 64)


@pytest.fixture(scope="module")
def cloaked(images) -> Protected:
    """Images with soft bumps of three sizes, the last none at all."""
    bumps = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(3)) - 0.5
    bumps = torch.nn.functional.interpolate(bumps, (64, 64), mode="bicubic")
    sizes = torch.tensor([0.1, 0.3, 0.0]).view(3, 1, 1, 1)
    moved = ((images + sizes * bumps).clamp(0, 1) * 255).round() / 255
    return Protected(moved, linf(moved, images), l2(moved, images), lpips_budget(moved, images))


def test_matches_lpips_from_above(images, cloaked) -> None:
    noise = RandomNoise(match="cloak")
    assert noise.requires() == ("cloak",)
    noisy = noise(images, context(results={"cloak": cloaked}))
    assert cloaked.lpips[1] > 2 * cloaked.lpips[0] > 0.02
    assert (noisy.lpips >= cloaked.lpips - 1e-6).all()
    assert noisy.lpips.tolist() == pytest.approx(cloaked.lpips.tolist(), rel=0.01, abs=1e-6)
    assert torch.equal(noisy.images[2], images[2])


def test_is_signs_of_one_amplitude(images, cloaked) -> None:
    middle = images * 0.5 + 0.25
    middle = (middle * 255).round() / 255
    noisy = RandomNoise(match="cloak")(middle, context(results={"cloak": cloaked}))
    levels = ((noisy.images - middle) * 255).round()[0]
    assert levels.mean().abs() < 0.1 * levels.abs().mean()
    assert levels.abs().max() - levels.abs().min() <= 1


def test_linf_bounds_the_noise(images, cloaked) -> None:
    noisy = RandomNoise(match="cloak", linf=1 / 255)(images, context(results={"cloak": cloaked}))
    assert noisy.linf.tolist() == pytest.approx([1 / 255, 1 / 255, 0], abs=1e-6)
    assert noisy.lpips[1] < cloaked.lpips[1]


def test_depends_on_its_seed_only(images, cloaked) -> None:
    noise = RandomNoise(match="cloak")
    together = noise(images, context(results={"cloak": cloaked})).images
    generator = torch.Generator().manual_seed(0)
    for i in range(3):
        part = Protected(*(values[i : i + 1] for values in cloaked))
        alone = noise(images[i : i + 1], Context(generator=generator, results={"cloak": part}))
        assert torch.equal(alone.images[0], together[i])
    assert not torch.equal(noise(images, context(1, results={"cloak": cloaked})).images, together)


def test_needs_the_matched_result(images) -> None:
    with pytest.raises(PluginError, match="random-noise: needs the result of 'cloak'"):
        RandomNoise(match="cloak")(images, context())
