"""Nightshade: its loop written out."""

from __future__ import annotations

import pytest
import torch
from contexts import context

from impress_bench.benchmark import load_model
from impress_bench.protections import Nightshade


@pytest.fixture(scope="module")
def model():
    return load_model("atelier")


def test_the_loop_is_the_released_one(model, smooth_images):
    images = smooth_images(2, 64)
    protection = Nightshade(prompt="engraving", steps=4, sampling_steps=2, guidance_scale=2.0)
    got = protection.solver.solve(protection, images, context(5, model=model))
    drawn = [torch.Generator().manual_seed(123)]
    painted = model.sample(["engraving"], drawn, steps=2, guidance_scale=2.0).clamp(0, 1)
    encoder = lambda x: model.pipeline.vae.encode(2 * x - 1).latent_dist.mean  # noqa: E731
    with torch.no_grad():
        aim = encoder(painted)
    for image, made in zip(images, got, strict=True):
        delta = torch.zeros_like(image[None])
        for i in range(4):
            delta.requires_grad_(True)
            # image + delta is in range; a clamp here would stop the slope of pixels at 0 and 1.
            loss = (encoder(image + delta) - aim).norm()
            (slope,) = torch.autograd.grad(loss, delta)
            rate = 0.04 - (0.04 - 0.04 / 100) / 4 * i
            delta = (delta.detach() - rate * slope.sign()).clamp(-0.04, 0.04)
            delta = (image + delta).clamp(0, 1) - image
        assert (made - (image + delta)[0]).abs().max() < 1e-5
        assert (made - image).abs().max() > 0.03


def test_one_picture_for_all_images_of_any_size(model, smooth_images):
    made = Nightshade(prompt="engraving", steps=1, sampling_steps=1)
    images = smooth_images(2, 48)
    state = made.prepare(images, context(model=model), [])
    assert state.target.shape == (1, 4, 12, 12)


def test_words_that_the_model_does_not_know_are_named(model, smooth_images):
    protection = Nightshade(prompt="a gogh", steps=1, sampling_steps=1)
    with pytest.warns(UserWarning, match="gogh"):
        protection.prepare(smooth_images(1, 64), context(model=model), [])


@pytest.mark.parametrize("more", [{"seed": -1}, {"sampling_steps": 0}, {"guidance_scale": -1.0}])
def test_bad_parameters(more):
    with pytest.raises(ValueError, match="must be"):
        Nightshade(**more)
