"""GLAZE's objective, its solver and its independence of batching."""

from __future__ import annotations

import re

import pytest
import torch
from contexts import context
from torch import Tensor

from impress_bench.benchmark import load_model
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.metrics import linf
from impress_bench.protections import Glaze


def generators(n: int, seed: int = 5) -> list[torch.Generator]:
    return per_image_generators(torch.Generator().manual_seed(seed), n)


@pytest.mark.parametrize("sample", [True, False])
@pytest.mark.parametrize("source", ["released", "paper"])
def test_objective_passes_finite_differences(tiny_model, smooth_images, source, sample) -> None:
    model, images = tiny_model(torch.float64), smooth_images(2, 16).double()
    glaze = Glaze(source=source, sample=sample)
    state = glaze.prepare(images, context(model=model), generators(2))
    direction = torch.randn(images.shape, generator=generators(1)[0]).double()

    def loss(x: Tensor) -> Tensor:
        return glaze.loss(state, x, 0, generators(2)).sum()

    x = images.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(loss(x), x)
    h = 1e-6
    quotient = (loss(images + h * direction) - loss(images - h * direction)) / (2 * h)
    assert (gradient * direction).sum().item() == pytest.approx(quotient.item(), rel=1e-6)


def test_sources_differ_by_the_number_of_latents(tiny_model, smooth_images) -> None:
    model, images = tiny_model(torch.float64), smooth_images(2, 16).double()
    released, paper = (Glaze(source=s, sample=False) for s in ("released", "paper"))
    state = released.prepare(images, context(model=model), generators(2))
    mean = released.loss(state, images, 0, generators(2))
    assert paper.loss(state, images, 0, generators(2)).tolist() == pytest.approx(
        (mean * 4 * 8 * 8).tolist()
    )
    assert mean.tolist() == pytest.approx(
        ((model.encode(images) - state.target.mean) ** 2).mean(dim=(1, 2, 3)).tolist()
    )


def test_latents_are_sampled_anew_only_if_asked(tiny_model, smooth_images) -> None:
    model, images = tiny_model(torch.float64), smooth_images(2, 16).double()
    for sample in (True, False):
        glaze = Glaze(sample=sample)
        state, stream = glaze.prepare(images, context(model=model), generators(2)), generators(2)
        first, second = (glaze.loss(state, images, step, stream) for step in (0, 1))
        assert torch.equal(first, second) is not sample


def test_first_steps_are_adams(tiny_model, smooth_images) -> None:
    """With p = 0 delta starts at zero and Adam's first step is lr in the gradient's sign."""
    images = smooth_images(1, 32).double() * 0.5 + 0.25
    glaze = Glaze(p=0.0, alpha=0.0, steps=1, lr=0.01, transfer_steps=2)
    moved = glaze.perturb(images, context(model=tiny_model(torch.float64))) - images
    assert moved.abs().median().item() == pytest.approx(0.005, rel=1e-3)


def test_batched_equals_one_by_one(tiny_model, smooth_images) -> None:
    """Parts of a batch that get the same generator in turn are protected alike."""
    model, images = tiny_model(torch.float64), smooth_images(2, 32).double()
    glaze = Glaze(steps=4, transfer_steps=2, linf=16 / 255)
    together = glaze.perturb(images, context(model=model))
    alone = context(model=model)
    parts = [glaze.perturb(part, alone) for part in images.split(1)]
    assert (together - torch.cat(parts)).abs().max() < 1e-9
    assert (together - images).abs().max() > 0.01
    other = glaze.perturb(images, context(model=model, seed=1))
    assert (together - other).abs().max() > 0.01


def test_call_draws_latents_to_the_target_within_budget(tiny_model, smooth_images) -> None:
    model, images = tiny_model(torch.float32), smooth_images(2, 32)
    steps = []
    progress = context(model=model, progress=lambda done, total: steps.append((done, total)))
    glaze = Glaze(target="Flat Tints style", steps=15, linf=16 / 255, sample=False)
    protected = glaze(images, progress)
    assert model.prompts == ["Flat Tints style"] * 2
    assert steps == [(i + 1, 15) for i in range(15)]
    assert (protected.linf <= 16 / 255 + 1e-6).all()
    assert (protected.linf > 8 / 255).all()
    state = glaze.prepare(
        images, context(model=model), per_image_generators(torch.Generator().manual_seed(0), 2)
    )
    with torch.no_grad():
        before, after = (glaze.loss(state, x, 0, generators(2)) for x in (images, protected.images))
    assert (after < 0.95 * before).all()
    unbounded = Glaze(target="Flat Tints style", steps=15, sample=False)(
        images, context(model=model)
    )
    assert (linf(unbounded.images, images) > 16 / 255 + 1e-6).all()


def test_lpips_budget_is_soft(tiny_model, smooth_images) -> None:
    glaze = Glaze(p=0.001, alpha=0.0, steps=5, lr=0.05, transfer_steps=2)
    protected = glaze(smooth_images(1, 32), context(model=tiny_model(torch.float32)))
    assert protected.lpips.item() > 0.001


@pytest.mark.parametrize(
    ("target", "unknown"), [("van gogh", "'van', 'gogh'|'gogh'"), ("engraving", None)]
)
def test_a_style_that_the_model_cannot_know_warns(smooth_images, target, unknown, recwarn) -> None:
    glaze = Glaze(target=target, transfer_steps=2)
    glaze.prepare(smooth_images(1, 64), context(model=load_model("atelier")), generators(1))
    said = [str(warning.message) for warning in recwarn if "glaze" in str(warning.message)]
    assert bool(said) is (unknown is not None)
    assert all(re.search(f"does not know ({unknown}) of the target", text) for text in said)


def test_bad_parameters_and_missing_model(smooth_images) -> None:
    with pytest.raises(ValueError, match="'released' or 'paper'"):
        Glaze(source="reference")
    with pytest.raises(ValueError, match=r"transfer_steps=1 at strength=0\.5 leave no step"):
        Glaze(transfer_steps=1)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        Glaze(steps=0)
    with pytest.raises(PluginError, match="glaze: needs a model"):
        Glaze(steps=1)(smooth_images(1, 32), context(model=None))
