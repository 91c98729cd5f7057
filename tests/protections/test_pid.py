"""PID: its loop written out, for each of its statistics."""

from __future__ import annotations

import pytest
import torch
from contexts import context

from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.models.posterior import Posterior
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections import Pid

LINF = 12.75 / 255


@pytest.fixture(scope="module")
def images(smooth_images):
    return smooth_images(2, 24).double()


@pytest.mark.parametrize("statistics", ["add-log", "add", "mean", "std"])
def test_the_loop_is_the_released_one(tiny_model, images, statistics):
    model, mse = tiny_model(torch.float64), torch.nn.functional.mse_loss
    protection = Pid(statistics=statistics, steps=3)
    got = protection.solver.solve(protection, images, context(3, model=model))
    streams = per_image_generators(torch.Generator().manual_seed(3), 2)
    for image, stream, made in zip(images[:, None], streams, got, strict=True):
        start = torch.rand(image.shape[1:], generator=stream).double()[None]
        delta = (LINF * (2 * start - 1)).clamp(-image, 1 - image)
        clean = model.vae.encode(2 * image - 1).latent_dist
        for _ in range(3):
            delta.requires_grad_(True)
            moved = model.vae.encode(2 * (image + delta) - 1).latent_dist
            means = mse(clean.mean, moved.mean)
            loss = {
                "add-log": means + mse(clean.var.log(), moved.var.log()),
                "add": means + mse(clean.std, moved.std),
                "mean": means,
                "std": mse(clean.std, moved.std),
            }[statistics]
            (slope,) = torch.autograd.grad(loss, delta)
            delta = (delta.detach() + slope.sign() / 255).clamp(-LINF, LINF)
            delta = delta.clamp(-image, 1 - image)
        assert (made - (image + delta)[0]).abs().max() < 1e-5
        assert (made - image[0]).abs().max() > 1 / 255


def test_a_model_without_spread_is_skipped_but_for_means(tiny_model, images):
    class Certain(tiny_model):
        def posterior(self, images):
            mean = super().posterior(images).mean
            return Posterior(mean, torch.zeros_like(mean))

    given = context(model=Certain(torch.float64))
    with pytest.raises(PluginError, match="statistics=mean does without") as caught:
        Pid(steps=1)(images, given)
    assert caught.value.state is State.SKIPPED
    assert Pid(steps=1, statistics="mean")(images, given).linf.min() > 0


def test_bad_parameters():
    with pytest.raises(ValueError, match="statistics must be one of"):
        Pid(statistics="KL")
