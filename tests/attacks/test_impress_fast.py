"""IMPRESS's objective by normalised gradients with momentum, against a naive version."""

from __future__ import annotations

import math

import pytest
import torch
from contexts import context

from impress_bench.attacks import FastImpress, Impress
from impress_bench.attacks.testing import PurifierConformance
from impress_bench.benchmark import load_model
from impress_bench.benchmark.conformance import checks
from impress_bench.benchmark.seeds import per_image_generators, randn_per_image
from impress_bench.metrics import lpips

SETTINGS = {"alpha": 0.5, "lpips_budget": 0.001, "lpips_resize": 64}


def silent(done, total):
    return None


def naive(x0, model, steps, length, momentum, generator):
    """One image (1, 3, H, W) in [-1, 1], its loss written out."""
    x = x0 + 0.05 * randn_per_image([generator], x0)
    mean = torch.zeros_like(x)
    for k in range(steps):
        x = x.detach().requires_grad_(True)
        made = 2 * model.decode(model.encode((x + 1) / 2)) - 1
        far = lpips((x + 1) / 2, (x0 + 1) / 2).sum()
        loss = (x - made).square().mean() + 0.5 * (far - 0.001).clamp_min(0)
        (g,) = torch.autograd.grad(loss, x)
        mean = momentum * mean + (1 - momentum) * g / g.square().mean().sqrt()
        x = x - 2 * length * 0.5 * (1 + math.cos(math.pi * k / steps)) * mean
        x = x.clamp(-1, 1)
    return x.detach()


def test_each_image_goes_the_naive_way(tiny_model, smooth_images):
    model, x0 = tiny_model(torch.float32), 2 * smooth_images(3, 64) - 1
    fast = FastImpress(steps=6, length=0.03, momentum=0.6, **SETTINGS)
    streams = per_image_generators(torch.Generator().manual_seed(0), 3)
    together = fast.optimise(x0, model, streams, silent)
    for i, generator in enumerate(per_image_generators(torch.Generator().manual_seed(0), 3)):
        alone = naive(x0[i : i + 1], model, 6, 0.03, 0.6, generator)
        assert torch.allclose(together[i : i + 1], alone, atol=2e-4)


def test_each_image_stops_by_itself(tiny_model, smooth_images):
    """At the first iterate that has its share of the objective; without, nothing changes."""
    model, x0 = tiny_model(torch.float32), 2 * smooth_images(3, 64) - 1

    def made(steps, stop=0.0):
        # Its length falls with the steps left, so that a stopped run is compared with a whole one.
        fast = FastImpress(steps=steps, length=0.03, stop=stop, **SETTINGS)
        streams = per_image_generators(torch.Generator().manual_seed(0), 3)
        seen = []
        objective = fast.objective

        def recorded(protected, given):
            loss = objective(protected, given)

            def told(x):
                seen.append((x.detach().clone(), loss(x)))
                return seen[-1][1]

            return told

        fast.objective = recorded
        return fast.optimise(x0, model, streams, silent), seen

    _, way = made(12)
    before = FastImpress(**SETTINGS).objective(x0, model)(x0).detach()
    shares = torch.stack([value.detach() / before for _, value in way])
    stop = float(shares.min(dim=0).values.max()) * 1.2  # one that all images reach
    stopped, seen = made(12, stop)
    first = [int((shares[:, i] <= stop).nonzero()[0]) for i in range(3)]
    assert len(set(first)) > 1, "a case in which images stop apart"
    assert len(seen) == 1 + max(first) + 1
    for i, step in enumerate(first):
        assert torch.allclose(stopped[i], way[step][0][i], atol=1e-5)


def test_a_step_is_as_long_as_it_is_told(tiny_model, smooth_images):
    """On [0, 1] pixels, whatever the gradient: of the first step the share that is not momentum."""
    model, x0 = tiny_model(torch.float32), smooth_images(2, 64) * 0.8 - 0.4
    fast = FastImpress(steps=1, length=0.01, momentum=0.25, sigma=0.0, **SETTINGS)
    streams = per_image_generators(torch.Generator().manual_seed(0), 2)
    moved = (fast.optimise(x0, model, streams, silent) - x0) / 2
    lengths = moved.square().flatten(1).mean(dim=1).sqrt()
    assert lengths.tolist() == pytest.approx([0.0075] * 2, rel=1e-4)


def test_it_conforms():
    class Case(PurifierConformance):
        def build(self):
            return FastImpress(steps=2)

    for _, _, check in checks(Case()):
        check()


def test_ten_passes_reach_what_sixty_do(smooth_images):
    """Of the atelier's own inconsistency, at the rate that `mini` gives IMPRESS for edits."""
    model, images = load_model("atelier"), smooth_images(2, 64)
    given = context(model=model)
    faithful = Impress(steps=60, lr=0.13, sigma=0.05, lpips_resize=64)(images, given).images
    fast = FastImpress(lpips_resize=64)(images, context(model=model)).images

    def inconsistency(x):
        with torch.no_grad():
            return (x - model.reconstruct(x)).square().mean()

    assert inconsistency(fast) < 1.5 * inconsistency(faithful)
    assert inconsistency(fast) < inconsistency(images)


@pytest.mark.parametrize("name", ["length", "momentum"])
def test_bad_parameters(name):
    with pytest.raises(ValueError, match=f"{name} must be at most 1"):
        FastImpress(**{name: 1.5})
