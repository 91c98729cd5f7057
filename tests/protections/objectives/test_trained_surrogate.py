"""A protection's own U-Net: starting again from another's, and what it encodes."""

from __future__ import annotations

import pytest
import torch

from impress_bench.benchmark import load_model
from impress_bench.benchmark.models.posterior import Encoded
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections.objectives.trained_surrogate import Surrogate

LR = 1e-3


@pytest.fixture(scope="module")
def model():
    return load_model("atelier")


@pytest.fixture(scope="module")
def works():
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def taught(model, works):
    """`taught(surrogate, seed)` has it learn for two steps, by noise of `seed`."""
    encoded = Encoded(model, works)

    def teach(surrogate, seed):
        draws = per_image_generators(torch.Generator().manual_seed(seed), len(works))
        surrogate.train(encoded, draws, 2, 2)
        return surrogate

    return teach


def fresh(model, works):
    return Surrogate(model, model.embed(["a painting"] * len(works)), LR)


def weights(surrogate):
    return [weight.clone() for weight in surrogate.model.denoiser.parameters()]


def same(left, right):
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def test_restarting_is_copying(model, works, taught):
    source = taught(fresh(model, works), 1)
    again = taught(fresh(model, works), 2)
    memory = [weight.data_ptr() for weight in again.model.denoiser.parameters()]

    again.restart_from(source)
    assert same(weights(again), weights(source))
    taught(again, 3)

    assert same(weights(again), weights(taught(source.copy(), 3)))
    assert [weight.data_ptr() for weight in again.model.denoiser.parameters()] == memory
    assert not same(weights(again), weights(source))


def test_one_that_never_learned_restarts_too(model, works, taught):
    source, again = taught(fresh(model, works), 1), fresh(model, works)
    again.restart_from(source)
    kept = weights(source)
    taught(source, 2)
    assert same(weights(again), kept)
    assert again.model.denoiser is not model.denoiser


def test_an_untaught_source_gives_back_the_model(model, works, taught):
    again = taught(fresh(model, works), 1)
    again.restart_from(fresh(model, works))
    assert same(weights(again), list(model.pipeline.unet.parameters()))


def test_posteriors_are_computed_once_and_in_place(model, works, monkeypatch):
    asked = []
    encode = model.pipeline.vae.encode
    monkeypatch.setattr(
        model.pipeline.vae, "encode", lambda pixels: asked.append(len(pixels)) or encode(pixels)
    )
    encoded = Encoded(model, works)
    found = [encoded.at(torch.tensor(index)) for index in ([2, 0], [0, 2], [1, 0])]

    assert asked == [2, 1]
    every = model.posterior(works)
    for part, index in zip(found, ([2, 0], [0, 2], [1, 0]), strict=True):
        torch.testing.assert_close(part.mean, every.mean[index])
        torch.testing.assert_close(part.std, every.std[index])
    assert not found[0].mean.requires_grad
