"""SimAC: its search and both of its objectives written out."""

from __future__ import annotations

import pytest
import torch
from contexts import context

from impress_bench.benchmark import load_model
from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections import SimAC
from impress_bench.protections.objectives.levels import draw_from, responsive_levels


@pytest.fixture(scope="module")
def model():
    return load_model("atelier")


@pytest.fixture(scope="module")
def images(smooth_images):
    return smooth_images(2, 32)


def streams(seed=7):
    return per_image_generators(torch.Generator().manual_seed(seed), 2)


def error(model, x, t, text, stream):
    """The denoising error of one image on [-1, 1] pixels at timestep `t`."""
    posterior = model.pipeline.vae.encode(x).latent_dist
    drawn = torch.randn(posterior.mean.shape[1:], generator=stream)
    z = model.latent_scale * (posterior.mean + posterior.std * drawn)
    noise = torch.randn(z.shape[1:], generator=stream)[None]
    noisy = model.pipeline.scheduler.add_noise(z, noise, torch.tensor([t]))
    predicted = model.pipeline.unet(noisy, t, encoder_hidden_states=text).sample
    return (predicted - noise).square().mean()


def naive_search(model, image, text, stream, searches):
    """The timesteps that are left, as released; one image on [-1, 1] pixels."""
    source = x = 2 * image[None] - 1
    left = list(range(1000))

    def slope(t):
        point = x.clone().requires_grad_(True)
        return torch.autograd.grad(error(model, point, t, text, stream), point)[0]

    for search in range(searches):
        if len(left) <= 100:
            break
        places = torch.randint(len(left), (5,), generator=stream).tolist()
        scores = [float(slope(left[place]).abs().sum()) for place in places]
        low = min(max(left[places[scores.index(min(scores))]], 20), 980)
        high = left[places[scores.index(max(scores))]]
        left = [t for t in left if not low - 20 <= t < low + 20]
        if search + 1 < searches:
            x = (source + (x + 0.005 * slope(high).sign() - source).clamp(-0.02, 0.02)).clamp(-1, 1)
    return left


def test_the_search_is_the_released_one(model, images):
    text = model.embed(["a painting"])
    found = responsive_levels(
        model, images, text.expand(2), streams(), searches=3, step=0.0025, linf=0.01
    )
    for image, stream, levels in zip(images, streams(), found, strict=True):
        expected = naive_search(model, image, text.tensors["text"], stream, 3)
        assert levels.tolist() == expected
        assert 880 <= len(expected) <= 960


def test_a_search_ends_with_a_hundred_timesteps(images):
    """With a model whose gradient is known: where the error grows with t, low ones are dropped."""

    class Rising:
        latent_scale = 1.0

        def even_levels(self, count):
            return torch.arange(count)

        def encode(self, x, sample, generators):
            return x

        def scale(self, latents):
            return latents

        def noise(self, latents, levels, noise):
            return latents * (1 + levels[:, None, None, None])

        wanted = staticmethod(lambda latents, levels, noise: torch.zeros_like(latents))
        loss_weights = staticmethod(lambda levels: torch.ones(len(levels)))
        predict = staticmethod(lambda noisy, levels, prompts: noisy)

    class Rows:
        def __getitem__(self, rows):
            return self

        def expand(self, count):
            return self

    found = responsive_levels(
        Rising(), images, Rows(), streams(), searches=60, step=0.01, linf=0.05
    )
    for levels in found:
        assert 60 < len(levels) <= 100
        assert levels.float().mean() > 700
        assert levels.max() >= 990


@pytest.mark.parametrize("source", ["released", "paper"])
def test_the_objective_written_out(model, images, source):
    simac = SimAC(source=source, searches=1, surrogate_steps=0, prompt="a painting")
    state = simac.prepare(images, context(model=model), streams(1))
    moved = (images + 0.03).clamp(0, 1)
    x = moved.clone().requires_grad_(True)
    loss = simac.loss(state, x, 0, streams())
    assert torch.autograd.grad(loss.sum(), x)[0].abs().max() > 0
    text, seen = model.embed(["a painting"]).tensors["text"], []
    last = model.pipeline.unet.up_blocks[-1].resnets
    hooks = [r.conv2.register_forward_hook(lambda _, __, out: seen.append(out)) for r in last]
    try:
        for row, stream in enumerate(streams()):
            t = int(draw_from([state.levels[row]], [stream])[0])
            seen.clear()
            with torch.no_grad():
                kept = stream.get_state()
                value = error(model, 2 * moved[row : row + 1] - 1, t, text, stream)
                if source == "paper":
                    near, shape = torch.stack(seen), seen[0].shape
                    seen.clear()
                    # The same noise: the second draw of before, after one for the posterior anew.
                    own = torch.randn(4, 8, 8, generator=stream)
                    stream.set_state(kept)
                    noise = [torch.randn(4, 8, 8, generator=stream) for _ in range(2)][1]
                    posterior = model.pipeline.vae.encode(2 * images[row : row + 1] - 1).latent_dist
                    z = model.latent_scale * (posterior.mean + posterior.std * own)
                    noisy = model.pipeline.scheduler.add_noise(z, noise[None], torch.tensor([t]))
                    model.pipeline.unet(noisy, t, encoder_hidden_states=text)
                    assert seen[0].shape == shape
                    value = value + (near - torch.stack(seen)).square().mean()
            assert float(loss[row]) == pytest.approx(-float(value), rel=1e-4)
    finally:
        for hook in hooks:
            hook.remove()


def test_features_need_a_model_that_names_them(images):
    from flow import Flow

    with pytest.raises(PluginError, match="names feature_layers") as caught:
        SimAC(source="paper")(images, context(model=Flow()))
    assert caught.value.state is State.SKIPPED
    made = SimAC(searches=1, rounds=1, moves=1, surrogate_steps=0, step=0.01)(
        images, context(model=Flow())
    )
    assert made.linf.min() > 0


@pytest.mark.parametrize("more", [{"source": "both"}, {"searches": -1}, {"moves": 0}])
def test_bad_parameters(more):
    with pytest.raises(ValueError, match="must be"):
        SimAC(**more)
