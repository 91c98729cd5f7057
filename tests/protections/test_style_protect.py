"""StyleProtect: its loop written out, and which weights learn."""

from __future__ import annotations

import copy

import pytest
import torch
from contexts import context

from impress_bench.benchmark import load_model
from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections import StyleProtect

LAYERS = "up_blocks.0.attentions.1 down_blocks.2.attentions.0"


@pytest.fixture(scope="module")
def model():
    return load_model("atelier")


def test_the_loop_written_out(model, smooth_images):
    """Two moves, each followed by a step of the weights, on [-1, 1] pixels."""
    images = smooth_images(2, 32)
    protection = StyleProtect(
        layers=LAYERS, steps=3, surrogate_lr=1e-3, batch=2, prompt="a painting"
    )
    got = protection.solver.solve(protection, images, context(5, model=model))
    drawn = per_image_generators(torch.Generator().manual_seed(5), 2)
    text = model.embed(["a painting"] * 2).tensors["text"]
    unet = copy.deepcopy(model.pipeline.unet).requires_grad_(False)
    learned = [
        weight
        for name, weight in unet.named_parameters()
        if ".attn2.to_k" in name or ".attn2.to_v" in name
        if any(name.startswith(layer + ".") for layer in LAYERS.split())
    ]
    assert len(learned) == 4
    optimiser = torch.optim.AdamW(learned, lr=1e-3)

    def error(x, streams):
        def normal(like):
            return torch.stack([torch.randn(like.shape[1:], generator=g) for g in streams])

        posterior = model.pipeline.vae.encode(x).latent_dist
        z = model.latent_scale * (posterior.mean + posterior.std * normal(posterior.mean))
        t = torch.cat([torch.randint(1000, (1,), generator=g) for g in streams])
        noise = normal(z)
        noisy = model.pipeline.scheduler.add_noise(z, noise, t)
        return (unet(noisy, t, encoder_hidden_states=text).sample - noise).square().mean()

    source = adv = 2 * images - 1
    for _ in range(3):
        adv = adv.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(error(adv, drawn), adv)
        adv = ((adv + 0.005 * slope.sign() - source).clamp(-0.1, 0.1) + source).clamp(-1, 1)
        adv = adv.detach()
        order = torch.randperm(2, generator=drawn[0]).tolist()
        for weight in learned:
            weight.requires_grad_(True)
        optimiser.zero_grad()
        error(adv[order], [drawn[i] for i in order]).backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        for weight in learned:
            weight.requires_grad_(False)
    assert ((adv + 1) / 2 - got).abs().max() < 1e-5
    assert (got - images).abs().max() > 0.005


def test_only_named_layers_learn(model):
    protection = StyleProtect(layers="up_blocks.0.attentions.1")
    learned = [n for n, _ in model.denoiser.named_parameters() if protection.trains(model, n)]
    assert [name.rpartition("attn2.")[2] for name in learned] == ["to_k.weight", "to_v.weight"]
    assert all(name.startswith("up_blocks.0.attentions.1.") for name in learned)


def test_a_model_without_the_layers_is_skipped_and_its_own_are_named(model, smooth_images):
    with pytest.raises(PluginError, match=r"up_blocks.1.attentions.2; layers may name down") as no:
        StyleProtect()(smooth_images(1, 32), context(model=model))
    assert no.value.state is State.SKIPPED


def test_bad_parameters():
    with pytest.raises(ValueError, match="must name"):
        StyleProtect(layers=" ")
