"""Protections that expect a purifier: what their objective sees, and where gradients go."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from contexts import context
from objectives import Aim
from torch import Tensor

from impress_bench.attacks import GaussianNoise, Jpeg, Resize, UnrolledImpress
from impress_bench.benchmark import load_model
from impress_bench.benchmark.contract import Context
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections import PurifierAware

HOST = SimpleNamespace(device=torch.device("cpu"), dtype=torch.float32)


def streams(seed: int = 5, count: int = 2):
    return per_image_generators(torch.Generator().manual_seed(seed), count)


@pytest.fixture
def images(smooth_images):
    return smooth_images(2, 32)


def test_straight_through_has_the_purified_value_and_the_bare_gradient(images):
    target = 1 - images
    adapted = PurifierAware(expects=Jpeg(quality=20))(Aim(target), "aim")
    state = adapted.prepare(images, context(model=HOST), streams())
    x = images.clone().requires_grad_(True)
    loss = adapted.loss(state, x, 0, streams())
    (slope,) = torch.autograd.grad(loss.sum(), x)
    purified = Jpeg(quality=20).purify(images, context())
    assert torch.allclose(loss, (purified - target).square().flatten(1).sum(1), rtol=1e-5)
    assert torch.allclose(slope, 2 * (purified - target), atol=1e-5)


def test_through_is_the_gradient_of_the_purifier(images):
    target, resize = 1 - images, Resize()
    adapted = PurifierAware(expects=resize, mode="through")(Aim(target), "aim")
    state = adapted.prepare(images, context(model=HOST), streams())
    x = images.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(adapted.loss(state, x, 0, streams()).sum(), x)
    y = images.clone().requires_grad_(True)
    expected = (resize.purify(y, context()) - target).square().sum()
    assert torch.allclose(slope, torch.autograd.grad(expected, y)[0], atol=1e-5)


def test_expectation_averages_draws_of_the_images_own(images):
    target, noise = 1 - images, GaussianNoise(std=0.1)
    adapted = PurifierAware(expects=noise, samples=3)(Aim(target), "aim")
    state = adapted.prepare(images, context(model=HOST), streams())
    both = adapted.loss(state, images, 0, streams())
    own = streams()[1]
    draws = []
    for _ in range(3):
        seen = noise.purify(images[1:], Context(own))
        draws.append((seen - target[1:]).square().flatten(1).sum(1))
    assert torch.allclose(both[1:], torch.stack(draws).mean(0), rtol=1e-5)


def test_what_expects_a_purifier_survives_it_better(images):
    """Half of the target is detail that resizing loses: who knows that spends the budget on the
    rest, and is nearer to the target after resizing."""
    draw = torch.Generator().manual_seed(3)
    target, resize = images + 0.6 * (torch.rand(images.shape, generator=draw) - 0.35), Resize()
    plain = Aim(target)(images, context(model=HOST)).images
    knowing = PurifierAware(expects=resize, mode="through")(Aim(target), "aim")
    prepared = knowing(images, context(model=HOST)).images
    after = [
        (resize(x, context()).images - target).square().flatten(1).sum(1) for x in (prepared, plain)
    ]
    assert (after[0] < 0.98 * after[1]).all()


def test_unrolled_impress_has_the_derivative_of_finite_differences(smooth_images):
    model = load_model("atelier")
    purifier = UnrolledImpress(steps=2, lr=0.05, lpips_resize=None, alpha=0.0)
    images = smooth_images(1, 64)
    direction = torch.randn(images.shape, generator=torch.Generator().manual_seed(1)) / 100
    direction = direction * ((images > 0.1) & (images < 0.9))

    def reached(x: Tensor) -> Tensor:
        return (purifier.purify(x, context(model=model)).double() * weights).sum()

    weights = torch.rand(images.shape, generator=torch.Generator().manual_seed(2)).double()
    x = images.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(reached(x), x)
    with torch.no_grad():
        step = 0.05
        difference = reached(images + step * direction) - reached(images - step * direction)
    expected = float(difference) / (2 * step)
    assert float((slope * direction).sum()) == pytest.approx(expected, rel=0.03)


def test_unrolled_impress_is_plain_descent(smooth_images):
    """Against the loop written out, on the released scale of rate and eps."""
    model, images = load_model("atelier"), smooth_images(1, 64)
    made = UnrolledImpress(steps=3, lr=0.05, lpips_resize=64)(images, context(model=model)).images
    x = 2 * images - 1
    for _ in range(3):
        x = x.detach().requires_grad_(True)
        error = (x - (2 * model.reconstruct((x + 1) / 2) - 1)).square().mean()
        (slope,) = torch.autograd.grad(error, x)
        x = (x - 0.05 / (1e-5 * 786432 / x.numel()) * slope).clamp(-1, 1)
    assert ((x + 1) / 2 - made).abs().max() <= 1 / 255


@pytest.mark.parametrize("more", [{"mode": "around"}, {"samples": 0}])
def test_bad_parameters(more):
    with pytest.raises(ValueError, match=r"must be"):
        PurifierAware(**more)
