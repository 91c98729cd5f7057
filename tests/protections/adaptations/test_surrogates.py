"""A loss averaged over models, against the mean written out."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from contexts import context
from objectives import Aim

from impress_bench.benchmark import PluginError, load_model
from impress_bench.benchmark.contract import State
from impress_bench.benchmark.further_models import with_models
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.seeds import per_image_generators, rand_per_image
from impress_bench.protections import (
    AdvDM,
    Aspl,
    BlurGuard,
    Consistency,
    Glaze,
    OPgd,
    PhotoGuardDiffusion,
    PhotoGuardEncoder,
    Surrogates,
)

TWIN = "twin"


@pytest.fixture(scope="module")
def models():
    """The atelier, its second model, and the first loaded once more."""
    return {
        name: load_model(name.replace(TWIN, "atelier"))
        for name in ("atelier", "atelier-second", TWIN)
    }


@pytest.fixture(scope="module")
def given(models):
    """`given()`: a context with all three, whose own surrogate is the atelier."""

    def make(**more):
        return with_models(context(model=models["atelier"], **more), models)

    return make


def streams(count=2):
    return per_image_generators(torch.Generator().manual_seed(5), count)


GLAZE = partial(Glaze, target="engraving", steps=2, transfer_steps=2, linf=16 / 255)
ASPL = partial(Aspl, rounds=1, moves=2, surrogate_steps=2)


@pytest.mark.parametrize(
    "base",
    [
        PhotoGuardEncoder(steps=3),
        GLAZE(),
        AdvDM(steps=3),
        ASPL(),  # which trains a copy of the denoiser on the way
        Consistency()(PhotoGuardEncoder(steps=2), "photoguard-encoder"),
    ],
    ids=lambda base: base.name,
)
def test_a_model_of_equal_weights_changes_nothing(base, given, smooth_images):
    images = smooth_images(2, 64)
    plain = base(images, given()).images
    assert torch.equal(Surrogates(models=TWIN)(base, "base")(images, given()).images, plain)


@pytest.mark.parametrize("balanced", [True, False])
def test_the_loss_and_its_gradient_are_the_weighted_mean(balanced, given, models, smooth_images):
    base, images = PhotoGuardEncoder(random_start=False), smooth_images(2, 64)
    adapted = Surrogates(models="atelier-second", balanced=balanced, draws=3)(base, "base")
    state = adapted.prepare(images, given(), streams())
    x = (images + 0.02).clamp(0, 1).requires_grad_(True)

    def loss(name, x):
        with torch.no_grad():
            target = models[name].encode(torch.full_like(images, 0.5))
        return (models[name].encode(x) - target).square().sum(dim=(1, 2, 3))

    lengths = {"atelier": torch.zeros(2), "atelier-second": torch.zeros(2)}
    draw = streams()
    for _ in range(3):
        near = (images + (2 * rand_per_image(draw, images) - 1) / 255).clamp(0, 1)
        near.requires_grad_(True)
        for name in lengths:
            (slope,) = torch.autograd.grad(loss(name, near).sum(), near)
            lengths[name] += slope.flatten(1).norm(dim=1) / 3
    weight = lengths["atelier"] / lengths["atelier-second"] if balanced else torch.ones(2)
    expected = (loss("atelier", x) + weight * loss("atelier-second", x)) / 2
    found = adapted.loss(state, x, 0, streams())
    torch.testing.assert_close(found, expected)
    slopes = [torch.autograd.grad(each.sum(), x)[0] for each in (found, expected)]
    torch.testing.assert_close(*slopes)
    with torch.no_grad():
        torch.testing.assert_close(adapted.loss(state, x, 0, streams()), expected)


def test_a_cloak_on_two_models_holds_on_both(given, models, smooth_images):
    """Made on the atelier alone it leaves the second model's latents where they were."""
    base, images = PhotoGuardEncoder(linf=8 / 255, step=2 / 255, steps=15), smooth_images(2, 64)
    alone = base(images, given()).images
    both = Surrogates(models="atelier-second")(base, "base")(images, given()).images

    def left(x, name):
        state = base.prepare(images, context(model=models[name]), streams())
        with torch.no_grad():
            clean, moved = (base.loss(state, each, 0, streams()) for each in (images, x))
        return moved / clean

    assert (left(alone, "atelier") < 0.2).all()
    assert (left(alone, "atelier-second") > 0.9).all()
    assert (left(both, "atelier") < 0.3).all()
    assert (left(both, "atelier-second") < 0.3).all()


def test_passes_are_those_of_each_model_and_the_draws(smooth_images):
    count, steps, draws = 3, 4, 2
    env = Environment({"protection": "atelier"})
    own, further = env.model("protection"), env.model("protection", "atelier-second")
    adapted = Surrogates(models="atelier-second", draws=draws)(PhotoGuardEncoder(steps=steps), "")
    with env.stage(1, "test"):
        adapted(
            smooth_images(count, 64), with_models(context(model=own), {"atelier-second": further})
        )
    moves = count * (steps + draws)
    assert env.passes == {
        "encoder forward": 2 * (moves + count),  # and the target
        "encoder backward": 2 * moves,
        "lpips forward": 2 * count,
    }


def test_an_objective_at_rest_on_the_clean_image_is_balanced_all_the_same(models, smooth_images):
    """Its value there is zero, by which nothing could be divided; the gradient beside it is not."""

    class Away(Aim):
        name = "away"

        def prepare(self, images, context, generators):
            return context.model, context.model.encode(images)

        def loss(self, state, x, step, generators):
            model, clean = state
            return -(model.encode(x) - clean).square().flatten(1).sum(1)

    images, known = smooth_images(2, 64), with_models(context(model=models["atelier"]), models)
    adapted = Surrogates(models="atelier-second")(Away(images), "away")
    state = adapted.prepare(images, known, streams())
    (part,) = state.others
    assert ((part.weight > 0.01) & (part.weight < 100)).all()
    scaled = Surrogates(models=TWIN)(Away(images), "away").prepare(images, known, streams())
    assert torch.equal(scaled.others[0].weight, torch.ones(2))


def test_it_composes_with_other_adaptations(given, smooth_images):
    images, base = smooth_images(1, 64), PhotoGuardEncoder(steps=2)
    many = Surrogates(models="atelier-second")
    label = "base+surrogates[models=atelier-second]"
    results = {label: many(base, "base")(images, given())}
    for adaptation in (OPgd(steps=2), Consistency(), BlurGuard(steps=3, sigma_steps=1)):
        adapted = adaptation(many(base, "base"), label)
        assert adapted.requires() in ((), (label,))
        assert (adapted(images, given(results=results)).linf > 0).all()


def test_notes_are_those_of_the_own_surrogate(given, smooth_images):
    images, noted = smooth_images(1, 64), []
    base = Consistency()(PhotoGuardEncoder(steps=2), "base")

    def note(name, values):
        noted.append((name, list(values)))

    base(images, given(note=note))
    alone = list(noted)
    noted.clear()
    many = Surrogates(models="atelier-second")(base, "base")
    state = many.prepare(images, given(note=note), streams(1))
    noted.clear()
    many.loss(state, images, 0, streams(1))
    assert [name for name, _ in noted] == ["consistency-share"]
    assert {name for name, _ in alone} == {"consistency-share"}


def test_a_model_on_which_the_base_does_not_apply_is_told(given, smooth_images):
    inpainting = PhotoGuardDiffusion(steps=1, repeats=1, diffusion_steps=2, radius=2.0)
    adapted = Surrogates(models="atelier-second")(inpainting, "base")
    told = r"on atelier-second: photoguard-diffusion: .*no inpainting U-Net"
    with pytest.raises(PluginError, match=told) as caught:
        adapted(smooth_images(1, 64), given())
    assert caught.value.state is State.SKIPPED


def test_a_base_may_skip_a_model_for_a_subject(given, smooth_images):
    class Choosy(PhotoGuardEncoder):
        def skip(self, subject, model):
            return f"not for {subject}" if model.inpainting_problem else None

    adapted = Surrogates(models="atelier-second")(Choosy(steps=1), "base")
    adapted.receive_names("ada", ("one",))
    with pytest.raises(PluginError, match=r"on atelier-second: .*not for ada") as caught:
        adapted(smooth_images(1, 64), given())
    assert caught.value.state is State.SKIPPED


def test_a_model_that_is_not_there_is_told_with_the_way_out(smooth_images):
    adapted = Surrogates(models="'my models/a' atelier-second")(PhotoGuardEncoder(steps=1), "base")
    with pytest.raises(PluginError, match=r"needs the model 'my models/a'; pass with_models"):
        adapted(smooth_images(1, 64), context(model=load_model("atelier")))


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"models": " "}, "must name at least one model"),
        ({"models": "a b a"}, "models names 'a' twice"),
        ({"models": "a 'b"}, "No closing quotation"),
        ({"models": "a", "draws": 0}, "draws must be at least 1"),
    ],
)
def test_bad_parameters(more, told):
    with pytest.raises(ValueError, match=told):
        Surrogates(**more)
