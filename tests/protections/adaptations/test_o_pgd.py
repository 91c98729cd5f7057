"""Orthogonal PGD against the loop written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from contexts import adapted_to
from objectives import Aim

from impress_bench.protections.adaptations.o_pgd import OPgd
from impress_bench.protections.objectives.disagreement import disagreement
from impress_bench.protections.solvers.orthogonal_pgd import direction

SIZE = 8


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
