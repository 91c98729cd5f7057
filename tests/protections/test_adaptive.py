"""Adaptive compositions over any gradient protection: the consistency term and Orthogonal PGD."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from impress_bench.benchmark import Context, load_model
from impress_bench.benchmark.contract import Budget, PluginError, State
from impress_bench.protections import Glaze, GradientProtection, Identity, PhotoGuardDiffusion
from impress_bench.protections.consistency import Consistency, disagreement
from impress_bench.protections.o_pgd import OPgd, direction
from impress_bench.protections.pgd import Pgd

SIZE = 8


class Linear(SimpleNamespace):
    """A model whose reconstruction pulls each value to `centre` by `pull`, so that the
    disagreement is a known quadratic."""

    def reconstruct(self, x: Tensor, chain: str = "vae", *, generator=None) -> Tensor:
        return x - self.pull * (x - self.centre)


class Aim(GradientProtection):
    """Squared distance to a target: the protective objective of these tests."""

    name = "aim"

    def __init__(self, target: Tensor, linf: float = 0.1) -> None:
        self.target = target
        self.budget = Budget(linf=linf)
        self.solver = Pgd(40, 0.01, linf=linf)

    def prepare(self, images, context, generator):
        return self.target

    def loss(self, state, x, step, generator):
        return (x - state).square().flatten(1).sum(1)


@pytest.fixture
def problem(smooth_images):
    """Images, a target, and a context whose model disagrees in known ways."""
    images = smooth_images(2, SIZE).double() * 0.5 + 0.25
    images = (images * 255).round() / 255
    draw = torch.Generator().manual_seed(3)
    target, centre, pull = (torch.rand(images.shape, generator=draw).double() for _ in range(3))
    host = Linear(device=torch.device("cpu"), dtype=torch.float64, centre=centre, pull=pull)
    context = Context(generator=torch.Generator().manual_seed(0), model=host)
    return images, target, host, context


def adapted_to(base, adaptation, images, context, **notes):
    """`base` and its adapted self on the same images, with what was noted."""
    results = {"aim": base(images, context)}
    noted: dict[str, list[float]] = {}
    told = Context(
        generator=torch.Generator().manual_seed(0),
        model=context.model,
        results=results,
        note=lambda name, values: noted.update({name: list(values)}),
    )
    return results["aim"], adaptation(base, "aim")(images, told), noted


@pytest.mark.parametrize("success", [True, False])
def test_directions_of_quadratics_are_the_known_projections(problem, success):
    """Gradients 2 (x - a) and 8 w^2 (x - c) / N, projected by hand."""
    images, target, host, _ = problem
    f_slope = 2 * (images - target).flatten(1)
    g_slope = 8 * (host.pull.square() * (images - host.centre)).flatten(1) / (3 * SIZE**2)
    for i in range(2):
        f, g = f_slope[i].numpy(), g_slope[i].numpy()
        kept = {
            "orthogonal": g - g @ f / (f @ f) * f if success else f - f @ g / (g @ g) * g,
            "selective": g if success else f,
        }
        for variant, expected in kept.items():
            got = direction(f_slope, g_slope, torch.full((2,), success), variant)[i]
            assert np.abs(got.numpy() - expected / np.linalg.norm(expected)).max() < 1e-6
    got = direction(f_slope, g_slope, torch.full((2,), success), "orthogonal")
    assert ((got * (f_slope if success else g_slope)).sum(1).abs() < 1e-9).all()


@pytest.mark.parametrize("variant", ["orthogonal", "selective"])
def test_a_naive_o_pgd_agrees(problem, variant):
    """Sixty steps from the clean image, image by image, in numpy."""
    images, target, host, context = problem
    steps, step, linf = 60, 0.004, 0.1
    adaptation = OPgd(variant=variant, steps=steps, step=step, start="clean", margin=0.1)
    based, solved, noted = adapted_to(Aim(target, linf), adaptation, images, context)
    for i in range(2):
        clean, goal = images[i].numpy().ravel(), target[i].numpy().ravel()
        pull, centre = host.pull[i].numpy().ravel(), host.centre[i].numpy().ravel()

        def f_of(x, goal=goal):
            return ((x - goal) ** 2).sum()

        def g_of(x, pull=pull, centre=centre):
            return ((2 * pull * (x - centre)) ** 2).mean()

        def publish(x, clean=clean):
            return clean + np.sign(x - clean) * np.floor(np.abs(x - clean) * 255 + 1e-3) / 255

        reached = f_of(based.images[i].double().numpy().ravel())
        tau = reached + 0.1 * (f_of(clean) - reached)
        x, best, fallback, hits = clean, None, None, 0
        for k in range(steps + 1):
            seen = publish(x)
            hit = f_of(seen) <= tau
            if hit and (best is None or g_of(seen) < g_of(best)):
                best = seen
            if fallback is None or f_of(seen) < f_of(fallback):
                fallback = seen
            if k == steps:
                break
            f = 2 * (seen - goal)
            g = 8 * pull**2 * (seen - centre) / len(x)
            slope, other = (g, f) if hit else (f, g)
            if variant == "orthogonal":
                slope = slope - slope @ other / (other @ other) * other
            hits += hit
            moved = x - step * len(x) ** 0.5 * slope / np.linalg.norm(slope)
            x = np.clip(clean + np.clip(moved - clean, -linf, linf), 0, 1)
        expected = fallback if best is None else best
        assert best is not None
        assert 0 < hits < steps
        assert noted["o-pgd-success"][i] == 1
        assert noted["o-pgd-success-share"][i] == pytest.approx(hits / steps)
        assert np.abs(solved.images[i].double().numpy().ravel() - expected).max() < 1e-6
        assert noted["o-pgd-g"][i] == pytest.approx(g_of(expected), rel=1e-5)


def test_a_threshold_out_of_reach_is_flagged_and_f_minimised(problem):
    images, target, _, context = problem
    adaptation = OPgd(steps=30, step=0.01, tau=-1.0)
    based, solved, noted = adapted_to(Aim(target), adaptation, images, context)
    assert noted["o-pgd-success"] == [0, 0]
    assert noted["o-pgd-success-share"] == [0, 0]
    distance = [(i.images - target).square().flatten(1).sum(1) for i in (solved, based)]
    assert (distance[0] <= distance[1] + 1e-9).all()


def test_from_the_base_on_consistency_falls_and_protection_stays(problem):
    images, target, host, context = problem
    based, solved, noted = adapted_to(Aim(target), OPgd(steps=50, step=0.002), images, context)
    f, reached, clean = (
        (x.double() - target).square().flatten(1).sum(1)
        for x in (solved.images, based.images, images)
    )
    assert (f <= reached + 0.05 * (clean - reached) + 1e-9).all()
    ones = torch.ones(2, 1, 1, 1)
    g = [disagreement(host, i.images.double(), ones, []).mean(1) for i in (solved, based)]
    assert (g[0] < g[1]).all()
    assert noted["o-pgd-g"] == pytest.approx(g[0].tolist())
    assert noted["o-pgd-g-base"] == pytest.approx(g[1].tolist())
    assert (solved.linf <= 0.1 + 1e-6).all()


def test_consistency_adds_the_weighted_term(problem):
    images, target, host, context = problem
    base = Aim(target)
    protection = Consistency(weight=3.0)(base, "aim")
    state = protection.prepare(images, context, [])
    x = (images + 0.01).requires_grad_(True)
    term = (2 * host.pull * (x - host.centre)).square().flatten(1).mean(1)
    own = base.loss(target, x, 0, [])
    assert torch.allclose(protection.loss(state, x, 0, []), own + 3 * term, atol=1e-12)
    summed = Consistency(weight=3.0, source="paper")(base, "aim")
    assert torch.allclose(summed.loss(state, x, 0, []), own + 3 * term * 3 * SIZE**2, atol=1e-9)


def test_a_share_weighs_by_gradient_norms(problem):
    images, target, host, context = problem
    protection = Consistency(share=0.8)(Aim(target), "aim")
    state = protection.prepare(images, context, [])
    x = (images + 0.01).requires_grad_(True)
    (slope,) = torch.autograd.grad(protection.loss(state, x, 0, []).sum(), x)
    f = 2 * (x - target).detach()
    g = 8 * host.pull.square() * (x - host.centre).detach() / (3 * SIZE**2)
    added = slope - f
    for i in range(2):
        assert added[i].norm() == pytest.approx(4 * float(f[i].norm()))
        assert torch.cosine_similarity(added[i].flatten(), g[i].flatten(), dim=0) > 1 - 1e-9


def test_the_share_of_the_total_is_noted(problem):
    images, target, _, context = problem
    _, _, noted = adapted_to(Aim(target), Consistency(weight=50.0), images, context)
    assert len(noted["consistency-share"]) == 2
    assert all(0 < share < 1 for share in noted["consistency-share"])


def test_what_states_no_objective_is_skipped():
    with pytest.raises(PluginError, match="identity is not stated as an objective") as caught:
        OPgd()(Identity(), "identity")
    assert caught.value.state is State.SKIPPED


def test_adaptations_compose_and_leave_the_base_alone(problem):
    images, target, _, context = problem
    base = Aim(target)
    both = OPgd(steps=2)(Consistency(weight=2.0)(base, "aim"), "aim+consistency")
    assert both.name == "aim+consistency+o-pgd"
    assert both.requires() == ("aim+consistency",)
    assert isinstance(base.solver, Pgd)
    results = {"aim+consistency": Consistency(weight=2.0)(base, "aim")(images, context)}
    told = Context(torch.Generator().manual_seed(0), context.model, results=results)
    assert (both(images, told).linf <= 0.1 + 1e-6).all()


def test_glaze_on_the_atelier_becomes_more_consistent(smooth_images):
    """Both adaptations, a few steps: disagreement below plain GLAZE's, on published images."""
    model, images = load_model("atelier"), smooth_images(2, 64)
    settings = {"target": "engraving", "steps": 15, "lr": 0.02, "transfer_steps": 2}
    settings |= {"linf": 16 / 255, "p": 0.1}

    noted: dict[str, list[float]] = {}

    def context(**results):
        draw = torch.Generator().manual_seed(0)
        return Context(draw, model, results=results, note=lambda k, v: noted.update({k: list(v)}))

    plain = Glaze(**settings)(images, context())
    ones = torch.ones(2, 1, 1, 1)
    before = disagreement(model, plain.images, ones, []).mean(1)
    consistent = Consistency(weight=100.0)(Glaze(**settings), "glaze")(images, context())
    orthogonal = OPgd(steps=10, step=1 / 255)(Glaze(**settings), "glaze")(
        images, context(glaze=plain)
    )
    assert noted["o-pgd-success"] == [1, 1]
    for protected in (consistent, orthogonal):
        assert (disagreement(model, protected.images, ones, []).mean(1) < before).all()


def test_the_chain_can_be_the_inpainting_model(smooth_images):
    """PhotoGuard's diffusion attack with the term of Table 5, which the released code has built in:
    its gradient reaches the kept part and nothing else."""
    model, images = load_model("atelier"), smooth_images(1, 64)
    masks = torch.zeros(1, 64, 64, dtype=torch.bool)
    masks[:, 16:48, 16:48] = True
    base = PhotoGuardDiffusion(radius=1.0, step=0.2, steps=2, repeats=1, diffusion_steps=2)
    protection = Consistency(weight=10.0, chain="inpainting")(base, "photoguard-diffusion")
    context = Context(torch.Generator().manual_seed(0), model, masks=masks)
    moved = protection(images, context).images - images
    assert float(moved[..., 16:48, 16:48].abs().max()) > 0
    assert float((moved * ~masks[:, None]).abs().max()) == 0
