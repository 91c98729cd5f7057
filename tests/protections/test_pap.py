"""PAP: its loop written out."""

from __future__ import annotations

import pytest
import torch
from contexts import context
from flow import Flow

from impress_bench.benchmark import load_model
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections import Pap


def test_the_loop_is_the_released_one(smooth_images):
    """One image at a time on [-1, 1] pixels, with the draws in the order of ours."""
    model, images = load_model("atelier"), smooth_images(2, 32)
    protection = Pap(steps=2, prompt_steps=3, prompt_lr=300.0, prompt="a painting")
    got = protection.solver.solve(protection, images, context(5, model=model))
    streams = per_image_generators(torch.Generator().manual_seed(5), 2)
    unet, mse = model.pipeline.unet, torch.nn.functional.mse_loss
    for image, stream, made in zip(images, streams, got, strict=True):
        source = adv = 2 * image[None] - 1
        for _ in range(2):
            adv = adv.detach().requires_grad_(True)
            posterior = model.pipeline.vae.encode(adv).latent_dist
            drawn = torch.randn(posterior.mean.shape[1:], generator=stream)
            z = model.latent_scale * (posterior.mean + posterior.std * drawn)
            t = torch.randint(1000, (1,), generator=stream)
            noise = torch.randn(z.shape[1:], generator=stream)[None]
            noisy = model.pipeline.scheduler.add_noise(z, noise, t)
            first = c = model.embed(["a painting"]).tensors["text"].clone().requires_grad_(True)
            before = mse(unet(noisy, t, encoder_hidden_states=c).sample, noise)
            for _ in range(3):
                error = mse(unet(noisy, t, encoder_hidden_states=c).sample, noise)
                c = c - 300.0 * torch.autograd.grad(error, c, retain_graph=True)[0]
            after = mse(unet(noisy, t, encoder_hidden_states=c).sample, noise)
            width = ((first - c) ** 2).mean() * (0.5 / (before - after).abs())
            c = c + width**2 * torch.randn(c.shape[1:], generator=stream)
            loss = mse(unet(noisy, t, encoder_hidden_states=c.detach()).sample, noise)
            (slope,) = torch.autograd.grad(loss, adv)
            adv = (adv + slope.sign() / 255 - source).clamp(-0.05, 0.05) + source
            adv = adv.clamp(-1, 1)
        assert float(after) < float(before)
        assert ((adv[0] + 1) / 2 - made).abs().max() < 1e-5
        assert (made - image).abs().max() > 0.9 / 255


def test_all_parts_of_a_prompt_are_moved(smooth_images):
    """Of a family whose prompts are two tensors."""
    images = smooth_images(2, 16)
    protection, seen = Pap(prompt_steps=2, prompt_lr=1.0), []

    class Watched(Flow):
        def predict(self, noisy, levels, conditioning):
            seen.append(conditioning)
            return super().predict(noisy, levels, conditioning)

    model = Watched()
    streams = per_image_generators(torch.Generator().manual_seed(1), 2)
    state = protection.prepare(images, context(model=model), streams)
    protection.loss(state, images, 0, streams)
    assert len(seen) == 4
    for name, first in seen[0].tensors.items():
        assert not torch.equal(seen[1].tensors[name], first)
        assert not torch.equal(seen[3].tensors[name], seen[2].tensors[name])


@pytest.mark.parametrize("more", [{"prompt_steps": 0}, {"prompt_lr": -1.0}])
def test_bad_parameters(more):
    with pytest.raises(ValueError, match="must be"):
        Pap(**more)
