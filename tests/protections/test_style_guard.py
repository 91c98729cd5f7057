"""StyleGuard: its objective and its rounds written out."""

from __future__ import annotations

import pytest
import torch
from contexts import context
from PIL import Image

from impress_bench.benchmark import load_model
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.pixels import to_pixels
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections import StyleGuard
from impress_bench.protections.objectives.targets import style_images


def normal(generators, shape):
    return torch.stack([torch.randn(shape, generator=g) for g in generators])


def streams(seed):
    return per_image_generators(torch.Generator().manual_seed(seed), 2)


def test_the_loop_is_the_released_one(smooth_images, tmp_path):
    """Two rounds of two moves without training, on [-1, 1] pixels, against a folder of a style."""
    model, images, shown = load_model("atelier"), smooth_images(2, 32), smooth_images(2, 32, 5)
    for index, pixels in enumerate(to_pixels(shown)):
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    guard = StyleGuard(
        target=str(tmp_path), weight=2.0, rounds=2, moves=2, surrogate_steps=0, prompt="a hill"
    )
    got = guard.solver.solve(guard, images, context(5, model=model))
    drawn, text = streams(5), model.embed(["a hill"] * 2).tensors["text"]
    mse, scheduler = torch.nn.functional.mse_loss, model.pipeline.scheduler

    def latents(x):
        posterior = model.pipeline.vae.encode(x).latent_dist
        noise = normal(drawn, posterior.mean.shape[1:])
        return model.latent_scale * (posterior.mean + posterior.std * noise)

    def both(z):
        return z.mean(dim=[0, 2, 3]), z.var(dim=[0, 2, 3])

    source = adv = 2 * images - 1
    with torch.no_grad():
        aim, start = both(latents(2 * shown - 1)), both(latents(source))
    for move in range(4):
        adv = adv.detach().requires_grad_(True)
        z = latents(adv)
        t = torch.cat([torch.randint(1000, (1,), generator=g) for g in drawn])
        noise = normal(drawn, z.shape[1:])
        noisy = scheduler.add_noise(z, noise, t)
        error = mse(model.pipeline.unet(noisy, t, encoder_hidden_states=text).sample, noise)
        mean, var = both(z)
        style = mse(mean, start[0]) + mse(var, start[1]) - mse(mean, aim[0]) - mse(var, aim[1])
        (slope,) = torch.autograd.grad(error + 2.0 * style, adv)
        adv = (adv + 0.005 * slope.sign() - source).clamp(-0.05, 0.05) + source
        adv = adv.clamp(-1, 1).detach()
        if move == 1:
            with torch.no_grad():
                start = both(latents(adv))
    assert ((adv + 1) / 2 - got).abs().max() < 1e-5
    assert (got - images).abs().max() > 0.005


def test_a_style_is_a_folder_or_one_image(smooth_images, tmp_path):
    images = smooth_images(2, 16)
    assert style_images("a", "pattern", images, streams(0)).shape == (1, 3, 16, 16)
    with pytest.raises(PluginError, match="empty folder"):
        style_images("a", str(tmp_path), images, streams(0))
    (tmp_path / "note.txt").write_text("no image")
    with pytest.raises(PluginError, match="no image file"):
        style_images("a", str(tmp_path), images, streams(0))


def test_bad_parameters():
    with pytest.raises(ValueError, match="weight must be"):
        StyleGuard(weight=-1.0)
