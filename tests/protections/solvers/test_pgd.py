"""Projected gradient descent against closed forms and a naive loop."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from impress_bench.benchmark.contract import Context
from impress_bench.protections import GradientProtection
from impress_bench.protections.solvers.pgd import Pgd

HOST = SimpleNamespace(device=torch.device("cpu"), dtype=torch.float64)


class Pull(GradientProtection):
    """Squared distance to a target and to noise; moves only in the left half if asked."""

    name = "pull"

    def __init__(self, solver, target, noise=0.0, left=False):
        self.solver, self.target, self.noise, self.left = solver, target, noise, left
        self.seen: list[Tensor] = []

    def prepare(self, images, context, generators):
        return self.target

    def movable(self, images, context):
        region = super().movable(images, context).expand_as(images).clone()
        region[..., images.shape[-1] // 2 :] = 0 if self.left else 1
        return region

    def loss(self, state, x, step, generators):
        drawn = torch.stack([torch.randn(x.shape[1:], generator=g) for g in generators]).to(x)
        return (x - state + self.noise * drawn).square().flatten(1).sum(1)

    def update(self, state, x):
        self.seen.append(x)


def solve(solver, images, target, **more) -> tuple[Tensor, Pull]:
    pull = Pull(solver, target, **more)
    context = Context(generator=torch.Generator().manual_seed(0), model=HOST)
    return solver.solve(pull, images, context), pull


@pytest.fixture
def images(smooth_images):
    return smooth_images(2, 8).double() * 0.5 + 0.25


def test_linf_steps_are_signs_and_stop_at_the_bound(images):
    target = images + torch.where(torch.arange(8) < 4, 0.2, -0.2)
    moved, pull = solve(Pgd(3, 0.02, linf=0.05), images, target)
    sign = (target - images).sign()
    for step, x in enumerate(pull.seen, 1):
        assert (x - images - sign * min(0.02 * step, 0.05)).abs().max() < 1e-12
    assert torch.equal(moved, pull.seen[-1])


def test_l2_goes_straight_to_the_nearest_point_of_the_ball(images):
    """For a squared distance that point is known: the image moved `l2` along the way."""
    way = torch.randn(images.shape, generator=torch.Generator().manual_seed(1)).double() * 0.05
    length = way.flatten(1).norm(dim=1)[:, None, None, None]
    moved, _ = solve(Pgd(40, 0.02, l2=0.1), images, images + way)
    assert length.min() > 0.3
    assert (moved - images - 0.1 * way / length).abs().max() < 1e-9


def test_a_naive_loop_agrees(images):
    """Ten decaying steps on an L2 ball, gradients written out."""
    target = 1 - images
    moved, _ = solve(Pgd(10, 0.3, l2=0.5, decay=True), images, target)
    for image, end, got in zip(images, target, moved, strict=True):
        x = image.clone()
        for step in range(10):
            gradient = 2 * (x - end)
            x = x - 0.3 * (1 - 0.99 * step / 10) * gradient / gradient.norm()
            delta = x - image
            if delta.norm() > 0.5:
                delta = delta * 0.5 / delta.norm()
            x = (image + delta).clamp(0, 1)
        assert (x - got).abs().max() < 1e-9


def test_only_what_may_move_moves(images):
    solver = Pgd(2, 0.02, linf=0.05, random_start=True)
    moved, _ = solve(solver, images, 1 - images, left=True)
    assert torch.equal(moved[..., 4:], images[..., 4:])
    assert (moved[..., :4] != images[..., :4]).all()


def test_a_subclass_may_bound_perturbations_by_the_image(images):
    """Half of the radius where an image is dark."""

    class Tender(Pgd):
        def project(self, delta, images):
            bound = torch.where(images < 0.5, self.linf / 2, self.linf)
            return delta.clamp(-bound, bound)

    moved, _ = solve(Tender(5, 0.02, linf=0.05), images, images + 1)
    expected = torch.where(images < 0.5, 0.025, 0.05).double()
    assert (moved - images - expected).abs().max() < 1e-8


def test_random_start_fills_the_ball(images):
    images = torch.full_like(images, 0.5)
    moved, _ = solve(Pgd(1, 0.0, linf=0.05, random_start=True), images, images)
    delta = moved - images
    assert 0.045 < delta.abs().max() <= 0.05
    assert delta.std().item() == pytest.approx(0.1 / 12**0.5, rel=0.1)
    assert not torch.equal(delta[0], delta[1])


def test_repeats_average_the_gradient(images):
    """Noise a hundred times the signal hides a gradient; its mean over many draws shows it."""
    target = images + 0.1
    right = []
    for repeats in (1, 400):
        moved, _ = solve(Pgd(1, 0.01, linf=0.1, repeats=repeats), images, target, noise=1.0)
        right.append((moved > images).double().mean().item())
    assert right[0] < 0.65
    assert right[1] > 0.95


def test_bad_parameters():
    for match, parameters in {
        "steps must be at least 1": {"steps": 0, "step": 0.1, "linf": 0.1},
        "repeats must be at least 1": {"steps": 1, "step": 0.1, "linf": 0.1, "repeats": 0},
        "exactly one": {"steps": 1, "step": 0.1},
        "exactly one of": {"steps": 1, "step": 0.1, "linf": 0.1, "l2": 0.1},
        "random_start needs linf": {"steps": 1, "step": 0.1, "l2": 0.1, "random_start": True},
    }.items():
        with pytest.raises(ValueError, match=match):
            Pgd(**parameters)
