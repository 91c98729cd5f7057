"""DisDiff: its loop written out, and which tokens lose attention."""

from __future__ import annotations

import math

import pytest
import torch
from contexts import context

from impress_bench.benchmark import load_model
from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections import DisDiff
from impress_bench.protections.objectives.prompt_attention import cross_attentions, word_places

PROMPT, WORD, PLACE = "a painting of boat people", "boat", 4


@pytest.fixture(scope="module")
def model():
    return load_model("atelier")


def naive(model, image, stream, moves, weight):
    """One image on [-1, 1] pixels, against a surrogate that does not learn; a word is a token."""
    text = model.embed([PROMPT]).tensors["text"]
    vae, unet = model.pipeline.vae, model.pipeline.unet
    maps = []

    def keep(attention, inputs, named):
        hidden, words = inputs[0], named["encoder_hidden_states"]
        query, key = (
            attention.head_to_batch_dim(projected)
            for projected in (attention.to_q(hidden), attention.to_k(words))
        )
        if hidden.shape[1] == 4:  # a quarter of the latents' side of 8
            maps.append(attention.get_attention_scores(query, key))

    hooks = [
        layer.register_forward_pre_hook(keep, with_kwargs=True)
        for name, layer in unet.named_modules()
        if name.endswith("attn2")
    ]
    source = adv = 2 * image[None] - 1
    for _ in range(moves):
        adv = adv.detach().requires_grad_(True)
        maps.clear()
        t = torch.randint(1000, (1,), generator=stream)
        posterior = vae.encode(adv).latent_dist
        drawn = torch.randn(posterior.mean.shape[1:], generator=stream)
        z = model.latent_scale * (posterior.mean + posterior.std * drawn)
        noise = torch.randn(z.shape[1:], generator=stream)[None]
        noisy = model.pipeline.scheduler.add_noise(z, noise, t)
        error = (unet(noisy, t, encoder_hidden_states=text).sample - noise).square().mean()
        mean = torch.cat(maps).mean(0)[:, 1 : 1 + len(PROMPT.split())]
        squares = (100 * mean).softmax(-1).square()
        loss = error + weight * (1 - squares[:, PLACE - 1].sum() / squares.sum()) ** 2
        (slope,) = torch.autograd.grad(loss, adv)
        alpha = 0.02 * 0.5 * (math.cos(math.pi * int(t) / 999) + 1)
        adv = (source + (adv + alpha * slope.sign() - source).clamp(-0.06, 0.06)).clamp(-1, 1)
    for hook in hooks:
        hook.remove()
    return (adv[0].detach() + 1) / 2


@pytest.mark.parametrize("weight", [0.1, 1000.0])
def test_the_loop_written_out(model, smooth_images, weight):
    images = smooth_images(2, 32)
    protection = DisDiff(
        word=WORD, weight=weight, rounds=1, moves=3, surrogate_steps=0, linf=0.03, step=0.01,
        prompt=PROMPT,
    )  # fmt: skip
    got = protection.solver.solve(protection, images, context(5, model=model))
    streams = per_image_generators(torch.Generator().manual_seed(5), 2)
    for image, stream, made in zip(images, streams, got, strict=True):
        expected = naive(model, image, stream, 3, weight)
        assert (made - expected).abs().max() < 1e-5
        assert (made - image).abs().max() > 0.005


def test_a_search_leaves_fewer_timesteps_and_the_pace_may_stay(model, smooth_images):
    given = {"rounds": 1, "moves": 1, "surrogate_steps": 0}
    images, streams = smooth_images(1, 32), per_image_generators(torch.Generator(), 1)
    for searches, least, most in ((0, 1000, 1000), (2, 920, 960)):
        disdiff = DisDiff(searches=searches, **given)
        state = disdiff.prepare(images, context(model=model), streams)
        assert least <= len(state.levels[0]) <= most
    even = DisDiff(paced=False, linf=16 / 255, step=4 / 255, **given)
    moved = even(images, context(model=model)).images - images
    assert moved.abs().max() == pytest.approx(4 / 255, abs=1e-6)


def test_words_are_found_with_all_their_pieces():
    class Pieces:
        @staticmethod
        def tokenize(word):
            return [word[i : i + 3] for i in range(0, len(word), 3)]

    words, chosen = word_places(Pieces(), ["a sksx man", "a big sksx boat"], "sksx")
    assert words.tolist() == [[False, *[True] * 4, False, False], [False, *[True] * 6]]
    assert chosen.int().tolist() == [[0, 0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 0, 0]]


def test_cross_attentions_are_found_by_their_keys(model):
    found = cross_attentions(model)
    assert all(name.endswith("attn2") for name in found)
    assert len(found) == sum(n.endswith("attn2") for n, _ in model.denoiser.named_modules())


def test_a_model_without_cross_attention_is_skipped(smooth_images):
    from flow import Flow

    with pytest.raises(PluginError, match="reads the prompt by cross-attention") as caught:
        DisDiff()(smooth_images(1, 16), context(model=Flow()))
    assert caught.value.state is State.SKIPPED


@pytest.mark.parametrize("more", [{"word": "dog"}, {"searches": -1}, {"weight": -1.0}])
def test_bad_parameters(more):
    with pytest.raises(ValueError, match="must be"):
        DisDiff(**more)
