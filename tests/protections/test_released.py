"""What the released code of each protection computes, written out for a draw of the same noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from contexts import context
from scipy.ndimage import correlate1d

from impress_bench.benchmark import load_model
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections import Ace, AdvDM, Aspl, Fsmg, MetaCloak, Mist, Sds
from impress_bench.protections.metacloak import transformed


@pytest.fixture(scope="module")
def model():
    return load_model("atelier")


@pytest.fixture(scope="module")
def images(smooth_images):
    return smooth_images(2, 64)


def streams(seed=7):
    return per_image_generators(torch.Generator().manual_seed(seed), 2)


def normal(generators, shape):
    return torch.stack([torch.randn(shape, generator=g) for g in generators])


def loss(protection, model, images):
    """At `images`, with draws from seed 7, after a preparation with draws of its own."""
    state = protection.prepare(images, context(model=model), streams(1))
    return protection.loss(state, images, 0, streams())


def test_mist_draws_its_targets_latents_anew(model, images):
    mist = Mist(mode="textural", target="grey")
    state = mist.prepare(images, context(model=model), streams(1))
    with torch.no_grad():
        at, aim = (
            model.pipeline.vae.encode(2 * x - 1).latent_dist
            for x in (images, torch.full_like(images, 0.5))
        )
    drawn, given = streams(), streams()
    for step in range(2):  # the second step draws the target again
        first, second = (normal(drawn, at.mean.shape[1:]) for _ in range(2))
        gap = model.latent_scale * (at.mean + at.std * first - aim.mean - aim.std * second)
        got = mist.loss(state, images, step, given)
        assert got.tolist() == pytest.approx((gap**2).sum((1, 2, 3)).tolist(), rel=1e-4)


@pytest.mark.parametrize(("source", "sign"), [("paper", 1), ("released", -1)])
def test_ace_plus_weighs_the_latents_distance(model, images, source, sign):
    """mean (eps_theta - z*)^2 of posterior means, and 100 mean (z - z*)^2, which the release
    descends with the other sign."""
    got = loss(Ace(latent_weight=100.0, source=source, target="grey"), model, images)
    with torch.no_grad():
        z = model.encode(images) * model.latent_scale
        aim = model.encode(torch.full_like(images, 0.5)) * model.latent_scale
        drawn = streams()
        t = torch.cat([torch.randint(1000, (1,), generator=g) for g in drawn])
        noisy = model.pipeline.scheduler.add_noise(z, normal(drawn, z.shape[1:]), t)
        predicted = model.predict(noisy, t, model.embed(["a picture"] * 2))
    means = [((a - aim) ** 2).mean((1, 2, 3)) for a in (predicted, z)]
    assert got.tolist() == pytest.approx((means[0] + sign * 100 * means[1]).tolist(), rel=1e-3)


def test_metacloak_blurs_always_and_mirrors_half_of_the_time(images):
    """A Gaussian of seven pixels whose deviation is uniform in [0.1, 2], one for all images."""
    mirrored, deviations = [], []
    for seed in range(12):
        draw = torch.Generator().manual_seed(seed)
        spread, chance = torch.rand(2, generator=torch.Generator().manual_seed(seed)).tolist()
        deviation = 0.1 + 1.9 * spread
        weights = np.exp(-(np.arange(-3, 4) ** 2) / (2 * deviation**2))
        expected = images.double().numpy()
        for axis in (-1, -2):
            expected = correlate1d(expected, weights / weights.sum(), axis, mode="mirror")
        if chance < 0.5:
            expected = expected[..., ::-1]
        assert np.abs(transformed(images, draw).numpy() - expected).max() < 1e-5
        mirrored.append(chance < 0.5)
        deviations.append(deviation)
    assert 0 < sum(mirrored) < len(mirrored)
    assert max(deviations) - min(deviations) > 1


def test_batches_and_prompts_are_the_released_ones():
    assert [kind().batch for kind in (Fsmg, Aspl, Ace, MetaCloak)] == [2, 1, 1, 1]
    assert [kind().prompt for kind in (Mist, Sds, AdvDM, Ace)] == [
        "a painting",
        "an artwork painting",
        "an artwork painting",
        "a picture",
    ]
